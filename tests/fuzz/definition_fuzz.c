/*
 * Any text is loaded or refused with a place; what was loaded loads again from its spec.
 */
#include "domain/ritual/definition.h"

#include "fuzz.h"

#include <string.h>

static void load_again(const struct demon_definition *first)
{
	demon_cleanup(demon_definition_free_p) struct demon_definition *again = NULL;
	struct demon_err err;

	fuzz_assert(
	    !demon_definition_from_spec(first->canonical, first->canonical_len, &again, &err));
	fuzz_assert(memcmp(first->digest, again->digest, DEMON_HASH_LEN) == 0);
	fuzz_assert(first->root.count == again->root.count);
	for (size_t i = 0; i < first->root.count; i++) {
		fuzz_assert(first->root.tasks[i].next == again->root.tasks[i].next);
		fuzz_assert(first->root.tasks[i].capsule && again->root.tasks[i].capsule);
	}
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
