/*
 * Lets a script ask the contracts: reads JSON texts, a line each, answers each with a line: "ok",
 * or the words of the result code and the message, "invalid: ritual.started:v1: at ...".
 *
 *	contract_driver events      holds each against the contract of its event type
 *	contract_driver envelopes   holds each against the contract of result envelopes
 */
#include "base/json.h"
#include "domain/contract.h"

#include <stdio.h>
#include <string.h>

typedef enum demon_rc check_fn(const json_t *json, struct demon_err *err);

static void answer(const char *line, size_t len, check_fn *check)
{
	struct demon_err err;
	json_auto_t *json = NULL;

	if (demon_json_parse(line, len, &demon_json_payload_limits, &json, &err))
		printf("unreadable: %s\n", err.msg);
	else if (check(json, &err))
		printf("%s: %s\n", demon_rc_text(err.rc), err.msg);
	else
		puts("ok");
}

int main(int argc, char **argv)
{
	const char *mode = argc == 2 ? argv[1] : "";
	check_fn *check;
	demon_auto_free char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (strcmp(mode, "events") == 0)
		check = demon_contract_check;
	else if (strcmp(mode, "envelopes") == 0)
		check = demon_contract_check_envelope;
	else
		return 2;
	while ((n = getline(&line, &cap, stdin)) > 0)
		answer(line, (size_t)n - (line[n - 1] == '\n'), check);
	return ferror(stdin) || fflush(stdout) != 0;
}
