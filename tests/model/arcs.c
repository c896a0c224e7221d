// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The arcs of memory/convert.c for others to read:
 *
 *   arcs promela [STATE.WHAT=VALUE]...   macros for tests/model/convert.pml
 *   arcs diagram                         the table in docs/ARCHITECTURE.md
 *
 * STATE.op=OPERATION and STATE.{ok,again,fail}=STATE change the table first: a model that does
 * not notice is of no use.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory/convert.h"
#include "vmm/range.h"

static const char *const result_names[RESULT_COUNT] = {
	[RESULT_OK] = "ok",
	[RESULT_AGAIN] = "again",
	[RESULT_FAIL] = "fail",
};

static struct convert_arc arcs[CONVERT_COUNT];

/* The number of the name in [0, @count), or @count. */
static unsigned int find_name(const char *name, unsigned int count,
			      const char *(*name_of)(unsigned int number))
{
	unsigned int i = 0;

	while (i < count && strcmp(name, name_of(i)) != 0)
		i++;
	return i;
}

static const char *state_name(unsigned int number)
{
	return convert_state_name((enum convert_state)number);
}

static const char *op_name(unsigned int number)
{
	return convert_op_name((enum convert_op)number);
}

static const char *result_name(unsigned int number)
{
	return result_names[number];
}

/* Change the table as @text says; false when it makes no sense or is no change. */
static bool arcs_change(const char *text)
{
	char state_text[32], what[32], value_text[32];
	unsigned int state, result, value;
	struct convert_arc *arc;

	if (sscanf(text, "%31[^.].%31[^=]=%31s", state_text, what, value_text) != 3)
		return false;
	state = find_name(state_text, CONVERT_COUNT, state_name);
	if (state == CONVERT_COUNT || convert_has_ended((enum convert_state)state))
		return false;
	arc = &arcs[state];
	if (!strcmp(what, "op")) {
		value = find_name(value_text, OP_COUNT, op_name);
		if (value == OP_COUNT || value == arc->op)
			return false;
		arc->op = (enum convert_op)value;
		return true;
	}
	result = find_name(what, RESULT_COUNT, result_name);
	value = find_name(value_text, CONVERT_COUNT, state_name);
	if (result == RESULT_COUNT || value == CONVERT_COUNT || value == arc->next[result])
		return false;
	arc->next[result] = (enum convert_state)value;
	return true;
}

/* The name of an operation as a C constant: OP_DMA_UNMAP. */
static void print_op_constant(unsigned int op)
{
	printf("OP_");
	for (const char *c = op_name(op); *c; c++)
		putchar(*c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
}

static void promela_print_constants(void)
{
	for (unsigned int op = 0; op < OP_COUNT; op++) {
		printf("#define ");
		print_op_constant(op);
		printf(" %u\n", op);
	}
	printf("#define RESULT_OK %d\n#define RESULT_AGAIN %d\n#define RESULT_FAIL %d\n",
	       RESULT_OK, RESULT_AGAIN, RESULT_FAIL);
	for (unsigned int state = 0; state < CONVERT_COUNT; state++)
		printf("#define CONVERT_%s %u\n", state_name(state), state);
	printf("#define FIRST_TO_PRIVATE CONVERT_%s\n",
	       convert_state_name(convert_first(SIDE_PRIVATE)));
	printf("#define FIRST_TO_SHARED CONVERT_%s\n",
	       convert_state_name(convert_first(SIDE_SHARED)));
}

/* Chains of conditions, which spin has: (c -> a : b). */
static void promela_print(void)
{
	promela_print_constants();
	printf("#define ARC_OP(s) ( \\\n");
	for (unsigned int state = 0; state < CONVERT_COUNT; state++) {
		printf("\t((s) == CONVERT_%s -> ", state_name(state));
		print_op_constant(arcs[state].op);
		printf(" : \\\n");
	}
	printf("\t255");
	for (unsigned int state = 0; state <= CONVERT_COUNT; state++)
		putchar(')');
	printf("\n#define ARC_NEXT(s, r) ( \\\n");
	for (unsigned int state = 0; state < CONVERT_COUNT; state++)
		printf("\t((s) == CONVERT_%s -> ((r) == RESULT_OK -> CONVERT_%s : "
		       "((r) == RESULT_AGAIN -> CONVERT_%s : CONVERT_%s)) : \\\n",
		       state_name(state), state_name(arcs[state].next[RESULT_OK]),
		       state_name(arcs[state].next[RESULT_AGAIN]),
		       state_name(arcs[state].next[RESULT_FAIL]));
	printf("\t255");
	for (unsigned int state = 0; state <= CONVERT_COUNT; state++)
		putchar(')');
	putchar('\n');
}

static void diagram_print_way(enum side to, const char *name)
{
	bool is_reached[CONVERT_COUNT] = {false};
	bool has_news = true;

	is_reached[convert_first(to)] = true;
	while (has_news) {
		has_news = false;
		for (unsigned int state = 0; state < CONVERT_COUNT; state++) {
			for (unsigned int result = 0;
			     is_reached[state] && arcs[state].op && result < RESULT_COUNT;
			     result++) {
				has_news = has_news || !is_reached[arcs[state].next[result]];
				is_reached[arcs[state].next[result]] = true;
			}
		}
	}
	printf("    %-14s %-16s %-14s %-14s %s\n", name, "operation", "ok", "again", "fail");
	for (unsigned int state = 0; state < CONVERT_COUNT; state++) {
		const struct convert_arc *arc = &arcs[state];

		if (is_reached[state] && arc->op)
			printf("    %-14s %-16s %-14s %-14s %s\n", state_name(state),
			       op_name(arc->op), state_name(arc->next[RESULT_OK]),
			       state_name(arc->next[RESULT_AGAIN]),
			       state_name(arc->next[RESULT_FAIL]));
	}
}

int main(int argc, char **argv)
{
	for (unsigned int state = 0; state < CONVERT_COUNT; state++)
		arcs[state] = *convert_arc((enum convert_state)state);
	for (int i = 2; i < argc; i++) {
		if (arcs_change(argv[i]))
			continue;
		fprintf(stderr, "arcs: '%s' changes nothing\n", argv[i]);
		return 2;
	}
	if (argc > 1 && !strcmp(argv[1], "promela")) {
		promela_print();
	} else if (argc > 1 && !strcmp(argv[1], "diagram")) {
		diagram_print_way(SIDE_PRIVATE, "to private");
		printf("\n");
		diagram_print_way(SIDE_SHARED, "to shared");
	} else {
		fprintf(stderr, "usage: arcs promela|diagram [STATE.WHAT=VALUE]...\n");
		return 2;
	}
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
