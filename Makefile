# SPDX-License-Identifier: GPL-2.0-or-later
#
# make                      build/debug/alcove
# make VARIANT=release      also: asan tsan cov fuzz
# make check                unit and fault tests of the variant; ./check at the top runs everything
# make headers tidy         style, as tests
# make model                the model of conversion, in all of its states (spin)
# make bench                benchmarks, in the lab where they need one
# make man completion       manual pages; completion for bash
# make install DESTDIR= PREFIX=/usr/local
# make uninstall            the same places
#
# WERROR=1 turns warnings into errors.

VARIANT ?= debug
O := build/$(VARIANT)
PREFIX ?= /usr/local

CC ?= gcc
PKG_CONFIG ?= pkg-config
SCDOC ?= scdoc
# Packages of the program (libfdt and inih come without a .pc file), and those only the tests need.
PACKAGES := liburing libseccomp jansson libcrypto
TEST_PACKAGES := check

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
	-Wformat=2 -Wcast-qual -Wconversion -Wpointer-arith -Wwrite-strings -Wredundant-decls

FLAGS.debug := -O1
FLAGS.release := -O2 -D_FORTIFY_SOURCE=2
FLAGS.asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS.tsan := -O1 -fsanitize=thread
FLAGS.cov := -O0 --coverage
FLAGS.fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

ifeq ($(FLAGS.$(VARIANT)),)
$(error unknown VARIANT '$(VARIANT)'; one of debug release asan tsan cov fuzz)
endif
# The boot stub is the same in all variants.
STUB_CC := $(CC)
ifeq ($(VARIANT),fuzz)
CC := clang
STUB_CC := gcc
endif

# Kernel headers newer than the system's, put there by tests/lab/fetch uapi.
UAPI := $(wildcard build/uapi)

override CPPFLAGS += -D_GNU_SOURCE -I. $(UAPI:%=-isystem %) \
	$(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
override CFLAGS += -g -std=gnu17 -pthread -fstack-protector-strong -fPIE $(WARN) \
	$(FLAGS.$(VARIANT)) $(if $(WERROR),-Werror)
override LDFLAGS += -pthread -pie -Wl,-z,relro,-z,now \
	$(filter -fsanitize=% --coverage,$(filter-out -fsanitize=fuzzer%,$(FLAGS.$(VARIANT))))
ifeq ($(VARIANT),fuzz)
override LDFLAGS += -fsanitize=address,undefined
endif
LDLIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) -lfdt -linih

SRC := $(filter-out vmm/main.c boot/stub/%,$(wildcard vmm/*.c vmm/*/*.c memory/*.c devices/*.c \
	boot/*.c boot/*/*.c)) boot/stub/work.c
FAKE_SRC := $(wildcard tests/fake/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
# It makes system calls of its own, which the sandbox of a whole machine forbids.
ifeq ($(VARIANT),tsan)
UNIT_SRC := $(filter-out tests/unit/test_launch_sandbox.c,$(UNIT_SRC))
endif
FAULT_SRC := $(wildcard tests/fault/fault_*.c)
CONFORMANCE_SRC := $(wildcard tests/lab/conformance*.c)
CONFORMANCE_PARTS := tests/lab/bench.c tests/lab/desk.c tests/lab/device_file.c tests/lab/plug.c \
	tests/lab/subject.c
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard tests/bench/bench_*.c)
HEADERS := $(wildcard vmm/*.h vmm/*/*.h memory/*.h devices/*.h boot/*.h boot/*/*.h tests/fake/*.h)

UNIT := $(UNIT_SRC:tests/unit/%.c=$O/unit/%)
FAULT := $(FAULT_SRC:tests/fault/%.c=$O/fault/%)
FUZZ := $(FUZZ_SRC:tests/fuzz/%.c=$O/fuzz/%)
BENCH := $(BENCH_SRC:tests/bench/%.c=$O/bench/%)

.PHONY: all help bench-programs check headers tidy model fuzz fuzz-smoke bench man completion \
	install uninstall clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $O/alcove

$O/alcove: $O/vmm/main.o $O/libalcove.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$O/libalcove.a: $(SRC:%.c=$O/%.o) $O/boot/stub_image.o $O/boot/mover_code.o
	rm -f $@ && $(AR) rcs $@ $^

# The boot stub of confidential guests: freestanding, at a fixed place, made into an object that
# holds its bytes. boot/stub/inspect refuses what it must not have.
STUB_FLAGS := -std=gnu17 -Os -ffreestanding -fpie -fvisibility=hidden -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-jump-tables -fno-builtin -mno-red-zone \
	-mgeneral-regs-only -fcf-protection=none -fstack-usage -I. $(WARN) -Werror \
	-Wno-int-to-pointer-cast
STUB_OBJ := $(patsubst boot/stub/%,$O/stub/%.o,$(wildcard boot/stub/*.[cS]))

$O/stub/%.o: boot/stub/% boot/stub.h $(wildcard boot/stub/*.h) Makefile
	@mkdir -p $(@D)
	$(STUB_CC) $(STUB_FLAGS) -c -o $@ $<

$O/stub/stub.elf: $(STUB_OBJ) boot/stub/stub.lds boot/stub/inspect
	$(STUB_CC) -E -P -I. -x assembler-with-cpp boot/stub/stub.lds -o $O/stub/stub.lds
	$(STUB_CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-T,$O/stub/stub.lds \
		-o $@.new $(STUB_OBJ)
	boot/stub/inspect $@.new $O/stub
	mv $@.new $@

$O/stub/stub.bin: $O/stub/stub.elf
	objcopy -O binary -j .image $< $@

$O/boot/stub_image.o: boot/stub_image.S $O/stub/stub.bin
	@mkdir -p $(@D)
	$(CC) -I$O/stub -c -o $@ $<

$O/boot/mover_code.o: boot/mover_code.S boot/mover_page.h
	@mkdir -p $(@D)
	$(CC) -I. -c -o $@ $<

$O/libfake.a: $(FAKE_SRC:%.c=$O/%.o)
	rm -f $@ && $(AR) rcs $@ $^

$O/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$O/unit/%: $O/tests/unit/%.o $O/libfake.a $O/libalcove.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(shell $(PKG_CONFIG) --libs $(TEST_PACKAGES))

$O/fault/%: $O/tests/fault/%.o $O/libfake.a $O/libalcove.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(shell $(PKG_CONFIG) --libs $(TEST_PACKAGES))

$O/lab/%: $O/tests/lab/%.o $(CONFORMANCE_PARTS:%.c=$O/%.o) $O/libfake.a $O/libalcove.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$O/lab/dma_device: $O/tests/lab/dma_device.o $O/tests/lab/dma_rig.o $O/tests/lab/nvme.o \
		$O/tests/lab/device_file.o \
		$O/libalcove.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# It asks iommufd's own test device, as the conformance programs do.
$O/bench/bench_dma: $O/tests/bench/bench_dma.o $O/tests/lab/plug.o $O/tests/lab/subject.o \
		$O/tests/lab/device_file.o \
		$O/libfake.a $O/libalcove.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$O/bench/%: $O/tests/bench/%.o $O/libfake.a $O/libalcove.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Made from the table of options: the completion, and a part of the manual page.
$O/alcove.bash: $O/alcove
	$O/alcove options --format=completion > $@

$O/options.scd: $O/alcove
	$O/alcove options --format=man > $@

$O/alcove.1: docs/alcove.1.scd.in $O/options.scd
	sed -e '/^@OPTIONS@$$/{r $O/options.scd' -e 'd}' $< | $(SCDOC) > $@

$O/alcove-test.5: docs/alcove-test.5.scd
	$(SCDOC) < $< > $@

man: $O/alcove.1 $O/alcove-test.5

completion: $O/alcove.bash

# Freestanding guests: no library, no stack protector, no vector registers.
GUEST_FLAGS := -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-stack-protector -mno-red-zone \
	-mgeneral-regs-only -fcf-protection=none -nostdlib -static -no-pie -Wl,--build-id=none

build/guest/convert: tests/guest/convert/convert.lds $(wildcard tests/guest/convert/*.[cSh])
	@mkdir -p $(@D)
	$(CC) -I. $(GUEST_FLAGS) -Wall -Wextra -Wno-int-to-pointer-cast \
		-Wl,-z,noexecstack -Wl,-T,$< -o $@ $(filter %.c %.S,$^)

# The monitor that plays processor and firmware for the boot stub, and what makes images with it.
MONITOR_SRC := $(filter-out %/pack.c,$(wildcard tests/guest/monitor/*.[cS]))

build/guest/monitor.bin: tests/guest/monitor/monitor.lds $(MONITOR_SRC) boot/stub.h \
		$(wildcard tests/guest/monitor/*.h)
	@mkdir -p $(@D)
	$(CC) -I. $(GUEST_FLAGS) -fpie -fvisibility=hidden -fno-builtin -Wall -Wextra \
		-Wno-int-to-pointer-cast -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,$< -o $@.elf $(MONITOR_SRC)
	objcopy -O binary -j .image $@.elf $@

$O/guest/monitor-pack: $O/tests/guest/monitor/pack.o $O/libfake.a $O/libalcove.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(shell $(PKG_CONFIG) --libs $(TEST_PACKAGES))

$O/guest/%: tests/guest/%.S tests/guest/%.lds
	@mkdir -p $(@D)
	$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-T,tests/guest/$*.lds -o $@ $<

$O/fuzz/%: $O/tests/fuzz/%.o $O/libfake.a $O/libalcove.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

-include $(wildcard $O/*/*.d $O/*/*/*.d)

# Unit and fault tests print TAP; tests/unit/run bounds each in time and passes its lines on.
check: $(UNIT) $(FAULT)
	tests/unit/run $(UNIT) $(FAULT)

# Each header compiles alone.
headers:
	@for h in $(HEADERS); do \
		$(CC) $(CPPFLAGS) -std=gnu17 $(WARN) -Werror -fsyntax-only -x c $$h || exit 1; \
	done

tidy: compile_commands.json
	tests/tidy.sh

# The arcs of memory/convert.c for other programs.
$O/model/arcs: $O/tests/model/arcs.o $O/libalcove.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

model: $O/model/arcs
	tests/model/run $< $O/model/spin

fuzz: $(if $(filter fuzz,$(VARIANT)),$(FUZZ),)
	$(if $(filter fuzz,$(VARIANT)),,$(MAKE) VARIANT=fuzz fuzz)

# A short run of every fuzz target from its corpus.
fuzz-smoke: fuzz
	tests/fuzz/run build/fuzz/fuzz

# One line per source; the same flags as the debug build.
TIDY_SRC := $(SRC) $(wildcard vmm/main.c) $(FAKE_SRC) $(UNIT_SRC) $(FAULT_SRC) \
	$(CONFORMANCE_SRC) $(CONFORMANCE_PARTS) $(FUZZ_SRC) $(BENCH_SRC) tests/model/arcs.c

compile_commands.json: Makefile $(TIDY_SRC)
	@{ sep='['; for f in $(TIDY_SRC); do \
		printf '%b{"directory":"%s","file":"%s","command":"%s"}' "$$sep" "$(CURDIR)" "$$f" \
			'$(CC) $(subst ",\",$(CPPFLAGS) $(CFLAGS)) -c '"$$f"; sep=',\n'; \
	done; echo ']'; } > $@

# Side by side with QEMU or the bare kernel, in one run of the lab; always of the release build.
bench:
	$(MAKE) VARIANT=release bench-programs
	tests/lab/run build/release/bench/bench_start build/release/alcove build/release/guest/tiny
	tests/lab/run build/release/bench/bench_convert
	tests/lab/run --append kvm.gmem_in_place_conversion=0 build/release/bench/bench_convert
	tests/lab/run build/release/bench/bench_dma
	tests/lab/run --nvme tests/bench/bench_passthrough build/release/alcove

bench-programs: $(BENCH) $O/alcove $O/guest/tiny

# What goes where, below DESTDIR and PREFIX.
BINDIR := $(DESTDIR)$(PREFIX)/bin
MANDIR := $(DESTDIR)$(PREFIX)/share/man
BASHDIR := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
DATADIR := $(DESTDIR)$(PREFIX)/share/alcove
DOCDIR := $(DESTDIR)$(PREFIX)/share/doc/alcove

install: all man completion
	install -D -m 755 $O/alcove $(BINDIR)/alcove
	install -D -m 644 $O/alcove.1 $(MANDIR)/man1/alcove.1
	install -D -m 644 $O/alcove-test.5 $(MANDIR)/man5/alcove-test.5
	install -D -m 644 $O/alcove.bash $(BASHDIR)/alcove
	install -d $(DATADIR)/configs $(DOCDIR)
	install -m 644 $(wildcard configs/*.conf) $(DATADIR)/configs
	install -m 644 README.md LICENSE $(wildcard docs/*.md) $(DOCDIR)

uninstall:
	rm -f $(BINDIR)/alcove $(MANDIR)/man1/alcove.1 $(MANDIR)/man5/alcove-test.5 \
		$(BASHDIR)/alcove
	rm -rf $(DATADIR) $(DOCDIR)

clean:
	rm -rf build/debug build/release build/asan build/tsan build/cov build/fuzz compile_commands.json

# The comment this file begins with.
help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile
