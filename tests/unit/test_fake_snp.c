// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fake kernel's SEV-SNP keeps the rules of Linux 7.3, arch/x86/kvm/svm/sev.c, from the
 * first command to the last page; tests name the function a rule is from.
 */
#include <errno.h>
#include <sys/mman.h>

#include "tests/unit/cc_rig.h"

#define NORMAL	   KVM_SEV_SNP_PAGE_TYPE_NORMAL
#define ZERO	   KVM_SEV_SNP_PAGE_TYPE_ZERO
#define UNMEASURED KVM_SEV_SNP_PAGE_TYPE_UNMEASURED
#define SECRETS	   KVM_SEV_SNP_PAGE_TYPE_SECRETS
#define CPUID	   KVM_SEV_SNP_PAGE_TYPE_CPUID

/* --- The host --- */

/* kvm_caps.supported_vm_types, sev_dev_get_attr. */
START_TEST(test_host_says_what_it_has)
{
	struct fake *fake = fake_new();
	struct host *host = fake_host(fake);
	uint64_t value;

	ck_assert_int_eq(host_vm_create(host, KVM_X86_SNP_VM), -EINVAL);
	ck_assert_int_eq(host_kvm_check_extension(host, -1, KVM_CAP_VM_TYPES), 3);
	ck_assert_int_eq(host_sev_open(host), -ENOENT);
	ck_assert_int_eq(
		host_cc_get_attr(host, KVM_X86_GRP_SEV, KVM_X86_SNP_POLICY_BITS, &value),
		-ENXIO);
	fake_traits(fake)->has_snp = true;
	ck_assert_int_eq(host_kvm_check_extension(host, -1, KVM_CAP_VM_TYPES), 0x1f);
	ck_assert_int_eq(
		host_cc_get_attr(host, KVM_X86_GRP_SEV, KVM_X86_SEV_VMSA_FEATURES, &value), 0);
	ck_assert_uint_eq(value, 0x220);
	ck_assert_int_eq(
		host_cc_get_attr(host, KVM_X86_GRP_SEV, KVM_X86_SNP_POLICY_BITS, &value), 0);
	ck_assert_uint_eq(value, 0x3fbffff);
	ck_assert_int_eq(
		host_cc_get_attr(host, KVM_X86_GRP_SEV, KVM_X86_SEV_SNP_REQ_CERTS, &value), 0);
	fake_traits(fake)->snp.no_req_certs = true;
	ck_assert_int_eq(
		host_cc_get_attr(host, KVM_X86_GRP_SEV, KVM_X86_SEV_SNP_REQ_CERTS, &value),
		-ENXIO);
	fake_traits(fake)->snp.no_device = true;
	ck_assert_int_eq(host_sev_open(host), -ENOENT);
	fake_free(fake);
}
END_TEST

/* kvm_arch_has_readonly_mem, kvm_gmem_get_supported_flags, KVM_CAP_EXIT_HYPERCALL. */
START_TEST(test_vm_has_its_own_rules)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_EXIT_HYPERCALL, .args = {1u << 12}};
	struct kvm_userspace_memory_region2 slot = {.flags = KVM_MEM_READONLY,
						    .memory_size = CC_PAGE};
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	ck_assert_int_eq(host_kvm_check_extension(rig.host, rig.vm, KVM_CAP_READONLY_MEM), 0);
	ck_assert_int_eq(host_vm_set_memory_region(rig.host, rig.vm, &slot), -EINVAL);
	ck_assert_int_eq(host_kvm_check_extension(rig.host, rig.vm, KVM_CAP_GUEST_MEMFD_FLAGS),
			 GUEST_MEMFD_FLAG_MMAP);
	ck_assert_int_eq(host_vm_create_guest_memfd(rig.host, rig.vm, CC_PAGE,
						    GUEST_MEMFD_FLAG_INIT_SHARED),
			 -EINVAL);
	ck_assert_int_eq(host_vm_enable_cap(rig.host, rig.vm, &cap), 0);
	cap.args[0] |= 1;
	ck_assert_int_eq(host_vm_enable_cap(rig.host, rig.vm, &cap), -EINVAL);
	cap = (struct kvm_enable_cap){.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {24}};
	ck_assert_int_eq(host_vm_enable_cap(rig.host, rig.vm, &cap), -EEXIST);
	cc_fini(&rig);
}
END_TEST

/* --- KVM_SEV_INIT2 --- */

/* __sev_guest_init. */
START_TEST(test_init_checks_what_it_is_given)
{
	static const struct kvm_sev_init refused[] = {
		{.ghcb_version = 2, .flags = 1},
		{.ghcb_version = 2, .vmsa_features = 1}, /* KVM adds that one itself */
		{.ghcb_version = 2, .vmsa_features = 1u << 3},
		{.ghcb_version = 1},
		{.ghcb_version = 3},
	};
	struct kvm_sev_init init = {.vmsa_features = 1u << 9};
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		ck_assert_int_eq(
			host_snp_init(rig.host, rig.vm, rig.sev, &refused[i], &rig.firmware),
			-EINVAL);
	fake_traits(rig.fake)->snp.no_asid_range = true;
	ck_assert_int_eq(host_snp_init(rig.host, rig.vm, rig.sev, &init, &rig.firmware),
			 -ENOTTY);
	fake_traits(rig.fake)->snp.no_asid_range = false;
	fake_traits(rig.fake)->snp.n_asids = 0;
	ck_assert_int_eq(host_snp_init(rig.host, rig.vm, rig.sev, &init, &rig.firmware),
			 -EBUSY);
	fake_traits(rig.fake)->snp.n_asids = 1;
	ck_assert_int_eq(host_snp_init(rig.host, rig.vm, rig.sev, &init, &rig.firmware), 0);
	/* sev_mem_enc_ioctl. */
	ck_assert_int_eq(host_snp_init(rig.host, rig.vm, rig.sev, &init, &rig.firmware),
			 -EPERM);
	/* The ASID comes back with the VM. */
	host_close(rig.host, rig.vm);
	rig.vm = host_vm_create(rig.host, KVM_X86_SNP_VM);
	ck_assert_int_eq(snp_init2(&rig, 0), 0);
	cc_fini(&rig);
}
END_TEST

/* __sev_guest_init and snp_enable_certs: kvm->created_vcpus. */
START_TEST(test_vcpu_is_too_early_before_init)
{
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	ck_assert_int_eq(host_snp_enable_certs(rig.host, rig.vm, rig.sev, &rig.firmware),
			 -EINVAL);
	cc_add_vcpu(&rig);
	ck_assert_int_eq(snp_init2(&rig, 0), -EINVAL);
	/* svm: need_init. */
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), -EINVAL);
	cc_fini(&rig);
}
END_TEST

/* snp_enable_certs. */
START_TEST(test_certificates_are_asked_for_between_init_and_vcpus)
{
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	ck_assert_int_eq(snp_init2(&rig, 0), 0);
	fake_traits(rig.fake)->snp.no_req_certs = true;
	ck_assert_int_eq(host_snp_enable_certs(rig.host, rig.vm, rig.sev, &rig.firmware),
			 -EINVAL);
	fake_traits(rig.fake)->snp.no_req_certs = false;
	ck_assert_int_eq(host_snp_enable_certs(rig.host, rig.vm, rig.sev, &rig.firmware), 0);
	cc_add_vcpu(&rig);
	ck_assert_int_eq(host_snp_enable_certs(rig.host, rig.vm, rig.sev, &rig.firmware),
			 -EINVAL);
	cc_fini(&rig);
}
END_TEST

/* --- KVM_SEV_SNP_LAUNCH_START --- */

/* snp_launch_start. */
START_TEST(test_start_checks_its_time_and_policy)
{
	struct kvm_sev_snp_launch_start start = {.policy = SNP_POLICY, .flags = 1};
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY), -ENOTTY);
	ck_assert_int_eq(snp_init2(&rig, 0), 0);
	ck_assert_int_eq(
		host_snp_launch_start(rig.host, rig.vm, rig.sev, &start, &rig.firmware),
		-EINVAL);
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY | 1u << 18), -EINVAL);
	ck_assert_int_eq(snp_start(&rig, 1u << 16), -EINVAL);
	ck_assert_uint_eq(rig.firmware, 0);
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY), 0);
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY), -EINVAL);
	cc_fini(&rig);
}
END_TEST

/* Firmware: SMT on this host, a newer ABI than its own. snp_context_create: its own errno. */
START_TEST(test_firmware_refuses_a_start_that_can_be_repeated)
{
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	ck_assert_int_eq(snp_init2(&rig, 0), 0);
	ck_assert_int_eq(snp_start(&rig, 1u << 17), -EIO);
	ck_assert_uint_eq(rig.firmware, SEV_RET_POLICY_FAILURE);
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY | 0x200), -EIO);
	ck_assert_uint_eq(rig.firmware, SEV_RET_POLICY_FAILURE);
	fake_traits(rig.fake)->snp.bad_command = fake_count_snp_commands(rig.fake) + 1;
	fake_traits(rig.fake)->snp.bad_status = SEV_RET_RESOURCE_LIMIT;
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY), -ENOTTY);
	ck_assert_uint_eq(rig.firmware, SEV_RET_RESOURCE_LIMIT);
	fake_traits(rig.fake)->snp.no_smt = true;
	ck_assert_int_eq(snp_start(&rig, 1u << 17), 0);
	cc_fini(&rig);
}
END_TEST

/* --- KVM_SEV_SNP_LAUNCH_UPDATE --- */

static int update_with(struct cc_rig *rig, const struct kvm_sev_snp_launch_update *wanted)
{
	struct kvm_sev_snp_launch_update update = *wanted;
	int ret = host_snp_launch_update(rig->host, rig->vm, rig->sev, &update, &rig->firmware);

	ck_assert(ret == 0 || memcmp(&update, wanted, sizeof(update)) == 0);
	return ret;
}

/* snp_launch_update, before any page. */
START_TEST(test_update_checks_its_arguments)
{
	static const uint8_t bad_types[] = {0, 2, 7};
	struct cc_rig rig;
	struct kvm_sev_snp_launch_update good, update;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	ck_assert_int_eq(snp_init2(&rig, 0), 0);
	cc_add_memory(&rig);
	good = (struct kvm_sev_snp_launch_update){.gfn_start = CC_GPA / CC_PAGE,
						  .uaddr = (uintptr_t)rig.pages,
						  .len = CC_PAGE,
						  .type = NORMAL};
	ck_assert_int_eq(update_with(&rig, &good), -EINVAL); /* no LAUNCH_START */
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY), 0);
	update = good;
	update.len = 0;
	ck_assert_int_eq(update_with(&rig, &update), -EINVAL);
	update.len = CC_PAGE + 1;
	ck_assert_int_eq(update_with(&rig, &update), -EINVAL);
	update = good;
	update.flags = 1;
	ck_assert_int_eq(update_with(&rig, &update), -EINVAL);
	update = good;
	update.uaddr++;
	ck_assert_int_eq(update_with(&rig, &update), -EINVAL);
	update.uaddr = 0;
	ck_assert_int_eq(update_with(&rig, &update), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad_types); i++) {
		update = good;
		update.type = bad_types[i];
		ck_assert_int_eq(update_with(&rig, &update), -EINVAL);
	}
	update = good;
	update.gfn_start = 1; /* no slot */
	ck_assert_int_eq(update_with(&rig, &update), -EINVAL);
	cc_fini(&rig);
}
END_TEST

/* snp_launch_update: whatever happens to the first page is EIO, and firmware was not asked. */
START_TEST(test_first_page_fails_for_whatever_reason)
{
	struct cc_rig rig;
	void *nothing = mmap(NULL, CC_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	snp_rig_init(&rig, false);
	ck_assert_int_eq(cc_convert(&rig, CC_GPA, CC_PAGE, false), 0);
	ck_assert_int_eq(snp_update(&rig, NORMAL, CC_GPA, rig.pages, CC_PAGE), -EIO);
	ck_assert_uint_eq(rig.firmware, 0);
	ck_assert_int_eq(snp_update(&rig, NORMAL, CC_GPA + CC_PAGE, nothing, CC_PAGE), -EIO);
	ck_assert_uint_eq(rig.firmware, 0);
	ck_assert_int_eq(snp_update(&rig, NORMAL, CC_GPA + CC_PAGE, rig.pages, CC_PAGE), 0);
	ck_assert(fake_is_assigned(rig.fake, CC_GPA + CC_PAGE));
	/* sev_gmem_post_populate: the page is the guest's already. */
	ck_assert_int_eq(snp_update(&rig, ZERO, CC_GPA + CC_PAGE, NULL, CC_PAGE), -EIO);
	ck_assert_uint_eq(rig.firmware, 0);
	munmap(nothing, CC_PAGE);
	cc_fini(&rig);
}
END_TEST

/* In place a source is allowed, but the page itself is none any more: nobody gets at it. */
START_TEST(test_private_page_is_no_source)
{
	struct cc_rig rig;

	snp_rig_init(&rig, true);
	ck_assert_int_eq(snp_update(&rig, NORMAL, CC_GPA, rig.hva, CC_PAGE), -EIO);
	ck_assert_int_eq(snp_update(&rig, NORMAL, CC_GPA, rig.pages + CC_PAGE, CC_PAGE), 0);
	cc_fini(&rig);
}
END_TEST

/* kvm_gmem_populate: a signal, the end of the slot, an error later on. */
START_TEST(test_progress_is_written_back)
{
	struct cc_rig rig;
	struct kvm_sev_snp_launch_update update;

	snp_rig_init(&rig, false);
	fake_traits(rig.fake)->pages_per_call = 3;
	update = (struct kvm_sev_snp_launch_update){.gfn_start = CC_GPA / CC_PAGE,
						    .uaddr = (uintptr_t)rig.pages,
						    .len = 8 * CC_PAGE,
						    .type = UNMEASURED};
	ck_assert_int_eq(
		host_snp_launch_update(rig.host, rig.vm, rig.sev, &update, &rig.firmware), 0);
	ck_assert_uint_eq(update.gfn_start, CC_GPA / CC_PAGE + 3);
	ck_assert_uint_eq(update.uaddr, (uintptr_t)rig.pages + 3 * CC_PAGE);
	ck_assert_uint_eq(update.len, 5 * CC_PAGE);
	fake_traits(rig.fake)->pages_per_call = 0;
	ck_assert_int_eq(cc_convert(&rig, CC_GPA + 5 * CC_PAGE, CC_PAGE, false), 0);
	ck_assert_int_eq(
		host_snp_launch_update(rig.host, rig.vm, rig.sev, &update, &rig.firmware), 0);
	ck_assert_uint_eq(update.len, 3 * CC_PAGE);
	update =
		(struct kvm_sev_snp_launch_update){.gfn_start = (CC_GPA + CC_RAM) / CC_PAGE - 1,
						   .uaddr = 12345, /* not looked at */
						   .len = 2 * CC_PAGE,
						   .type = ZERO};
	ck_assert_int_eq(
		host_snp_launch_update(rig.host, rig.vm, rig.sev, &update, &rig.firmware), 0);
	ck_assert_uint_eq(update.len, CC_PAGE);
	ck_assert_uint_eq(update.uaddr, 12345);
	ck_assert_int_eq(
		host_snp_launch_update(rig.host, rig.vm, rig.sev, &update, &rig.firmware),
		-EINVAL);
	cc_fini(&rig);
}
END_TEST

START_TEST(test_firmware_fails_when_it_is_told_to)
{
	struct cc_rig rig;

	snp_rig_init(&rig, false);
	fake_traits(rig.fake)->snp.bad_command = fake_count_snp_commands(rig.fake) + 2;
	fake_traits(rig.fake)->snp.bad_status = SEV_RET_INVALID_PAGE_STATE;
	ck_assert_int_eq(snp_update(&rig, ZERO, CC_GPA, NULL, CC_PAGE), 0);
	ck_assert_int_eq(snp_update(&rig, ZERO, CC_GPA + CC_PAGE, NULL, CC_PAGE), -EIO);
	ck_assert_uint_eq(rig.firmware, SEV_RET_INVALID_PAGE_STATE);
	/* snp_page_reclaim: it can be tried again. */
	ck_assert(!fake_is_assigned(rig.fake, CC_GPA + CC_PAGE));
	ck_assert_int_eq(snp_update(&rig, ZERO, CC_GPA + CC_PAGE, NULL, CC_PAGE), 0);
	cc_fini(&rig);
}
END_TEST

/* The firmware writes zeroes and secrets itself, whatever was there. */
START_TEST(test_firmware_fills_some_pages)
{
	struct cc_rig rig;
	char page[CC_PAGE], zeroes[CC_PAGE] = {0};

	snp_rig_init(&rig, true);
	ck_assert_int_eq(snp_update(&rig, ZERO, CC_GPA, NULL, CC_PAGE), 0);
	ck_assert(fake_guest_read(rig.fake, CC_GPA, page, CC_PAGE));
	ck_assert_mem_eq(page, zeroes, CC_PAGE);
	ck_assert_int_eq(snp_update(&rig, SECRETS, CC_GPA + CC_PAGE, NULL, CC_PAGE), 0);
	ck_assert(fake_guest_read(rig.fake, CC_GPA + CC_PAGE, page, CC_PAGE));
	ck_assert_int_eq(page[0], 3);
	ck_assert_int_ne(page[0x20], 0);
	ck_assert_mem_ne(page, rig.pages + CC_PAGE, CC_PAGE);
	cc_fini(&rig);
}
END_TEST

/* --- CPUID pages --- */

/* Two leaves, with TSC_DEADLINE among the bits of the first. */
static void fill_cpuid(char *page)
{
	const uint32_t entries[2][12] = {
		{1, 0, 0, 0, 0, 0, 0x800f12, 0, 1u << 24 | 1u << 21, 5},
		{0x80000008, 0, 0, 0, 0, 0, 48u << 8 | 40},
	};

	memset(page, 0, CC_PAGE);
	page[0] = 2;
	memcpy(page + 16, entries, sizeof(entries));
}

/* sev_gmem_post_populate: what firmware wants comes back in the source, which is writable. */
START_TEST(test_corrected_cpuid_comes_back_in_the_source)
{
	struct cc_rig rig;
	char before[CC_PAGE];
	uint32_t *ecx;
	int ret;

	snp_rig_init(&rig, false);
	ecx = (uint32_t *)(void *)(rig.pages + 16 + 32);
	fill_cpuid(rig.pages);
	fake_traits(rig.fake)->snp.n_cpuid_rejections = 1;
	ret = mprotect(rig.pages, CC_PAGE, PROT_READ);
	ck_assert_int_eq(ret, 0);
	ck_assert_int_eq(snp_update(&rig, CPUID, CC_GPA, rig.pages, CC_PAGE), -EIO);
	ck_assert_uint_eq(rig.firmware, 0);
	ret = mprotect(rig.pages, CC_PAGE, PROT_READ | PROT_WRITE);
	ck_assert_int_eq(ret, 0);
	ck_assert_int_eq(snp_update(&rig, CPUID, CC_GPA, rig.pages, CC_PAGE), -EIO);
	ck_assert_uint_eq(rig.firmware, SEV_RET_INVALID_PARAM);
	ck_assert_uint_eq(*ecx, 1u << 21);
	/* As often as the test wants, something else. */
	memcpy(before, rig.pages, CC_PAGE);
	ck_assert_int_eq(snp_update(&rig, CPUID, CC_GPA, rig.pages, CC_PAGE), -EIO);
	ck_assert_mem_ne(before, rig.pages, CC_PAGE);
	ck_assert_int_eq(snp_update(&rig, CPUID, CC_GPA, rig.pages, CC_PAGE), 0);
	ck_assert(fake_guest_read(rig.fake, CC_GPA, before, CC_PAGE));
	ck_assert_mem_eq(before, rig.pages, CC_PAGE);
	cc_fini(&rig);
}
END_TEST

/* In place there is no source: it stays in the page, unencrypted, behind the attribute. */
START_TEST(test_corrected_cpuid_stays_in_place)
{
	struct cc_rig rig;
	uint32_t *ecx;

	cc_init(&rig, KVM_X86_SNP_VM, true);
	ck_assert_int_eq(snp_init2(&rig, 0), 0);
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY), 0);
	cc_add_memory(&rig);
	fill_cpuid(rig.hva);
	ecx = (uint32_t *)(void *)(rig.hva + 16 + 32);
	ck_assert_int_eq(cc_convert(&rig, CC_GPA, CC_PAGE, true), 0);
	ck_assert_int_eq(snp_update(&rig, CPUID, CC_GPA, NULL, CC_PAGE), -EIO);
	ck_assert_uint_eq(rig.firmware, SEV_RET_INVALID_PARAM);
	ck_assert_int_eq(cc_convert(&rig, CC_GPA, CC_PAGE, false), 0);
	ck_assert_uint_eq(*ecx, 1u << 21);
	ck_assert_int_eq(cc_convert(&rig, CC_GPA, CC_PAGE, true), 0);
	ck_assert_int_eq(snp_update(&rig, CPUID, CC_GPA, NULL, CC_PAGE), 0);
	cc_fini(&rig);
}
END_TEST

/* --- What becomes of launched pages --- */

/* sev_gmem_make_shared: when the page leaves guest_memfd, not when its attribute changes. */
START_TEST(test_page_is_the_guests_until_it_is_discarded)
{
	struct cc_rig rig;

	snp_rig_init(&rig, false);
	ck_assert_int_eq(snp_update(&rig, NORMAL, CC_GPA, rig.pages, 2 * CC_PAGE), 0);
	ck_assert_int_eq(cc_convert(&rig, CC_GPA, CC_PAGE, false), 0);
	ck_assert(fake_is_assigned(rig.fake, CC_GPA));
	ck_assert_int_eq(host_mem_discard(rig.host, rig.gmem, (struct range){0, CC_PAGE}), 0);
	ck_assert(!fake_is_assigned(rig.fake, CC_GPA));
	ck_assert(fake_is_assigned(rig.fake, CC_GPA + CC_PAGE));
	cc_fini(&rig);
}
END_TEST

START_TEST(test_page_taken_back_in_place_has_lost_its_contents)
{
	struct cc_rig rig;

	snp_rig_init(&rig, true);
	ck_assert_int_eq(snp_update(&rig, NORMAL, CC_GPA, NULL, CC_PAGE), 0);
	ck_assert(fake_faults_host(rig.fake, rig.gmem, 0));
	ck_assert_int_eq(cc_convert(&rig, CC_GPA, 2 * CC_PAGE, false), 0);
	ck_assert(!fake_is_assigned(rig.fake, CC_GPA));
	ck_assert_mem_ne(rig.hva, rig.pages, CC_PAGE);
	/* What was not launched is not the guest's. */
	ck_assert_mem_eq(rig.hva + CC_PAGE, rig.pages + CC_PAGE, CC_PAGE);
	cc_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_host_says_what_it_has,
		test_vm_has_its_own_rules,
		test_init_checks_what_it_is_given,
		test_vcpu_is_too_early_before_init,
		test_certificates_are_asked_for_between_init_and_vcpus,
		test_start_checks_its_time_and_policy,
		test_firmware_refuses_a_start_that_can_be_repeated,
		test_update_checks_its_arguments,
		test_first_page_fails_for_whatever_reason,
		test_private_page_is_no_source,
		test_progress_is_written_back,
		test_firmware_fails_when_it_is_told_to,
		test_firmware_fills_some_pages,
		test_corrected_cpuid_comes_back_in_the_source,
		test_corrected_cpuid_stays_in_place,
		test_page_is_the_guests_until_it_is_discarded,
		test_page_taken_back_in_place_has_lost_its_contents,
	};

	return unit_run(unit_suite("fake_snp", tests, ARRAY_SIZE(tests)));
}
