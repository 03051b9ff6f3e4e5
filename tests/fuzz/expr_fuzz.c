/*
 * Any text is closed in itself or refused with a place. What is closed stays so in parentheses,
 * and opens or closes nothing of what stands around it.
 */
#include "domain/expr/syntax.h"

#include "fuzz.h"

#include "base/buf.h"

#include <string.h>

static enum demon_rc around(const char *before, const char *text, const char *after)
{
	DEMON_BUF(whole, 0);
	struct demon_err err;

	demon_buf_str(&whole, before);
	demon_buf_str(&whole, text);
	demon_buf_str(&whole, after);
	fuzz_assert(whole.rc == DEMON_OK);
	return demon_expr_syntax(whole.data, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = demon_strndup((const char *)data, size);
	struct demon_err err = {.rc = DEMON_OK};
	enum demon_rc rc;

	fuzz_assert(text);
	(void)demon_expr_variable_is_name(text);
	rc = demon_expr_syntax(text, &err);
	fuzz_assert(rc == DEMON_OK || rc == DEMON_INVALID || rc == DEMON_TOOBIG);
	fuzz_assert(rc == DEMON_OK || (err.rc == rc && err.msg[0]));
	if (rc == DEMON_OK && strlen(text) < DEMON_EXPR_TEXT_MAX / 2) {
		fuzz_assert(around("", text, "\n)") == DEMON_INVALID);
		fuzz_assert(around("", text, "\n]") == DEMON_INVALID);
		fuzz_assert(around("", text, "\n end") == DEMON_INVALID);
		fuzz_assert(around("(", text, "\n") == DEMON_INVALID);
		fuzz_assert(around("\"\\(", text, "\n") == DEMON_INVALID);
		rc = around("1|(", text, "\n)");
		fuzz_assert(rc == DEMON_OK || strstr(text, "(") || strstr(text, "[") ||
			    strstr(text, "{") || strstr(text, "if"));
	}
	free(text);
	return 0;
}
