/*
 * Lets a script ask the JSON code: reads lines, answers each with a line.
 *
 *	json_driver numbers     a double as 16 hexadecimal digits -> as it is printed
 *	json_driver canonical   a JSON text -> its canonical form, or "! message"
 *	json_driver check       a JSON text -> "yes" when it is canonical, else "no"
 */
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void number(const char *line, struct demon_buf *out)
{
	uint64_t bits = strtoull(line, NULL, 16);
	double v;

	memcpy(&v, &bits, sizeof(v));
	demon_json_number(out, v);
}

static void canonical(const char *line, size_t len, struct demon_buf *out)
{
	struct demon_err err;
	json_auto_t *json = NULL;

	if (demon_json_parse(line, len, &demon_json_payload_limits, &json, &err) ||
	    demon_json_canonical(json, out, &err))
		demon_buf_fmt(out, "! %s", err.msg);
}

static void check(const char *line, size_t len, struct demon_buf *out)
{
	demon_buf_str(out, demon_json_is_canonical(line, len, &demon_json_payload_limits) ? "yes"
											  : "no");
}

int main(int argc, char **argv)
{
	const char *mode = argc == 2 ? argv[1] : "";
	DEMON_BUF(out, 0);
	demon_auto_free char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		size_t len = (size_t)n - (line[n - 1] == '\n');

		demon_buf_clear(&out);
		if (strcmp(mode, "numbers") == 0)
			number(line, &out);
		else if (strcmp(mode, "canonical") == 0)
			canonical(line, len, &out);
		else if (strcmp(mode, "check") == 0)
			check(line, len, &out);
		else
			return 2;
		if (puts(out.data) == EOF)
			return 1;
	}
	return 0;
}
