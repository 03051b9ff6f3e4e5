/*
 * Any text is loaded or refused with a place; what was loaded loads again from its spec.
 */
#include "domain/ritual/definition.h"

#include "fuzz.h"

#include <string.h>

static void compare_terms(const struct demon_term *a, const struct demon_term *b)
{
	fuzz_assert(a->expr == b->expr && !a->json == !b->json);
	fuzz_assert(!a->json || json_equal(a->json, b->json));
}

static void compare_tasks(const struct demon_task *a, const struct demon_task *b)
{
	fuzz_assert(a->kind == b->kind && a->next == b->next && a->capsule == b->capsule);
	fuzz_assert(a->kind != DEMON_TASK_CALL || a->capsule);
	fuzz_assert(a->name && a->reference && strcmp(a->reference, b->reference) == 0);
	compare_terms(&a->condition, &b->condition);
	compare_terms(&a->with, &b->with);
	fuzz_assert(a->case_count == b->case_count && !a->handler == !b->handler);
	for (size_t i = 0; i < a->case_count; i++) {
		fuzz_assert(a->cases[i].next == b->cases[i].next);
		compare_terms(&a->cases[i].when, &b->cases[i].when);
	}
	fuzz_assert(a->count == b->count);
	for (size_t i = 0; i < a->count; i++)
		compare_tasks(&a->tasks[i], &b->tasks[i]);
	if (a->handler)
		compare_tasks(a->handler, b->handler);
}

static void load_again(const struct demon_definition *first)
{
	demon_cleanup(demon_definition_free_p) struct demon_definition *again = NULL;
	struct demon_err err;

	fuzz_assert(
	    !demon_definition_from_spec(first->canonical, first->canonical_len, &again, &err));
	fuzz_assert(memcmp(first->digest, again->digest, DEMON_HASH_LEN) == 0);
	fuzz_assert(first->expr_count == again->expr_count);
	for (size_t i = 0; i < first->expr_count; i++)
		fuzz_assert(strcmp(first->exprs[i].text, again->exprs[i].text) == 0);
	compare_tasks(&first->root, &again->root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	demon_cleanup(demon_definition_free_p) struct demon_definition *definition = NULL;
	demon_cleanup(demon_problems_done) struct demon_problems problems = {.items = NULL};
	struct demon_err err = {.rc = DEMON_OK};
	enum demon_rc rc =
	    demon_definition_load("fuzz", (const char *)data, size, &definition, &problems, &err);

	fuzz_assert((rc == DEMON_OK) == (definition != NULL));
	fuzz_assert((rc == DEMON_OK) == (problems.count == 0));
	fuzz_assert(problems.count <= 100);
	for (size_t i = 0; i < problems.count; i++)
		fuzz_assert(problems.items[i].line && problems.items[i].column &&
			    problems.items[i].text[0]);
	if (definition)
		load_again(definition);
	return 0;
}
