/*
 * Whatever the bytes: what is read is written canonically, is known as canonical, and reads back
 * as the same tree; the checker agrees about the bytes themselves.
 */
#include "fuzz.h"

#include "base/json.h"

#include <string.h>

static void check_round_trip(const json_t *json, const char *text, size_t len)
{
	DEMON_BUF(first, 0);
	DEMON_BUF(second, 0);
	json_auto_t *again = NULL;
	struct demon_err err;
	bool same;

	fuzz_assert(demon_json_canonical(json, &first, &err) == DEMON_OK);
	fuzz_assert(demon_json_parse(first.data, first.len, &demon_json_payload_limits, &again,
				     &err) == DEMON_OK ||
		    err.rc == DEMON_TOOBIG);
	if (!again)
		return;
	fuzz_assert(json_equal(json, again));
	fuzz_assert(demon_json_canonical(again, &second, &err) == DEMON_OK);
	fuzz_assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	fuzz_assert(demon_json_is_canonical(first.data, first.len, &demon_json_payload_limits) ==
		    json_is_object(json));
	same = first.len == len && memcmp(first.data, text, len) == 0;
	fuzz_assert(demon_json_is_canonical(text, len, &demon_json_payload_limits) ==
		    (same && json_is_object(json)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	json_auto_t *json = NULL;
	struct demon_err err;

	if (demon_json_parse(text, size, &demon_json_payload_limits, &json, &err))
		fuzz_assert(!demon_json_is_canonical(text, size, &demon_json_payload_limits));
	else
		check_round_trip(json, text, size);
	return 0;
}
