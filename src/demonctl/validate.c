/*
 * demonctl validate.
 */
#include "command.h"
#include "domain/ritual/definition.h"
#include "out.h"

#include <stdio.h>

static enum demon_rc print_problem(const struct demon_settings *s, const char *file,
				   const struct demon_problem *p, struct demon_err *err)
{
	DEMON_BUF(text, 0);

	if (s->json)
		return demon_out_json(s,
				      json_pack("{s:i,s:s,s:i,s:s}", "column", (int)p->column,
						"file", file, "line", (int)p->line, "text",
						p->text),
				      err);
	demon_buf_fmt(&text, "%s:%u:%u: ", file, p->line, p->column);
	demon_out_printable(&text, p->text);
	(void)fprintf(stderr, "%s\n", text.data);
	return DEMON_OK;
}

static enum demon_rc print_problems(const struct demon_settings *s, const char *file,
				    const struct demon_problems *problems, struct demon_err *err)
{
	enum demon_rc rc;

	for (size_t i = 0; i < problems->count; i++)
		if ((rc = print_problem(s, file, &problems->items[i], err)))
			return rc;
	if (problems->dropped)
		(void)fprintf(stderr, "%s: %zu more problems\n", file, problems->dropped);
	return DEMON_OK;
}

/* *ret_found: problems of this file. What keeps it from being read is an error. */
static enum demon_rc check_file(struct demon_ctl *ctl, const char *file, size_t *ret_found,
				struct demon_err *err)
{
	const struct demon_settings *s = &ctl->settings;
	demon_cleanup(demon_definition_free_p) struct demon_definition *definition = NULL;
	demon_cleanup(demon_problems_done) struct demon_problems problems = {0};
	enum demon_rc rc = demon_definition_load_file(file, &definition, &problems, err);

	if (!rc && !(rc = demon_ctl_expr(ctl, err)))
		rc = demon_definition_check(definition, file, ctl->expr, &problems, err);
	*ret_found = problems.count + problems.dropped;
	if (*ret_found)
		return print_problems(s, file, &problems, err);
	if (rc == DEMON_OK && !s->json && !s->quiet)
		(void)printf("%s: ok: ritual %s, version %s\n", file, definition->ritual_id,
			     definition->version);
	return rc;
}

enum demon_rc demon_command_validate(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_err first = {0};
	size_t wrong = 0;
	size_t total = 0;

	for (size_t i = 0; i < ctl->word_count; i++) {
		size_t found = 0;
		struct demon_err this = {0};

		if (check_file(ctl, ctl->words[i], &found, &this) == DEMON_OK) {
			total += found;
			wrong += found != 0;
			continue;
		}
		wrong++;
		if (first.rc)
			(void)fprintf(stderr, "demonctl: %s\n", this.msg);
		else
			first = this;
	}
	if (first.rc) {
		*err = first;
		return first.rc;
	}
	if (wrong)
		return demon_err_set(err, DEMON_INVALID, "%zu problem%s in %zu file%s", total,
				     total == 1 ? "" : "s", wrong, wrong == 1 ? "" : "s");
	return DEMON_OK;
}
