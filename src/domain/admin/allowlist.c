#include "allowlist.h"

#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t\r\n\v\f";

struct demon_allowlist {
	char *text;         /* owned: the names, each ended by NUL */
	const char **names; /* owned; in order of strcasecmp() */
	size_t count;
	bool open;
};

void demon_allowlist_free(struct demon_allowlist *list)
{
	if (!list)
		return;
	free(list->names);
	free(list->text);
	free(list);
}

void demon_allowlist_free_p(struct demon_allowlist **list)
{
	demon_allowlist_free(*list);
}

static int compare(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t count_commas(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == ',';
	return n;
}

/* The name without the white space around it; *rest moves behind its comma. */
static char *next_name(char **rest)
{
	char *name = *rest + strspn(*rest, blanks);
	size_t len = strcspn(name, ",");

	*rest = name[len] ? name + len + 1 : NULL;
	while (len && strchr(blanks, name[len - 1]))
		len--;
	name[len] = '\0';
	return name;
}

static enum demon_rc split(struct demon_allowlist *list, struct demon_err *err)
{
	char *rest = list->text;

	for (size_t i = 1; rest; i++) {
		const char *name = next_name(&rest);

		if (strcmp(name, "*") == 0) {
			list->open = true;
			continue;
		}
		if (!*name)
			continue;
		if (demon_subject_check(name, err))
			return demon_err_wrap(err, "name %zu of the allow-list", i);
		list->names[list->count++] = name;
	}
	if (list->count)
		qsort((void *)list->names, list->count, sizeof(*list->names), compare);
	return DEMON_OK;
}

enum demon_rc demon_allowlist_parse(const char *text, struct demon_allowlist **ret_list,
				    struct demon_err *err)
{
	demon_cleanup(demon_allowlist_free_p) struct demon_allowlist *list =
	    demon_calloc(1, sizeof(*list));
	size_t most = count_commas(text ? text : "") + 1;
	enum demon_rc rc;

	if (most > DEMON_ALLOWLIST_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "the allow-list has more than %d names",
				     DEMON_ALLOWLIST_MAX);
	if (list) {
		list->text = demon_strdup(text ? text : "");
		list->names = demon_calloc(most, sizeof(*list->names));
	}
	if (!list || !list->text || !list->names)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the allow-list");
	if ((rc = split(list, err)))
		return rc;
	*ret_list = demon_take(list);
	return DEMON_OK;
}

bool demon_allowlist_has(const struct demon_allowlist *list, const char *subject)
{
	if (!list || strcasecmp(subject, demon_actor_system.subject) == 0)
		return false;
	return list->open || (list->count && bsearch(&subject, (const void *)list->names,
						     list->count, sizeof(*list->names), compare));
}

bool demon_allowlist_is_open(const struct demon_allowlist *list)
{
	return list && list->open;
}

size_t demon_allowlist_count(const struct demon_allowlist *list)
{
	return list ? list->count : 0;
}

const char *demon_allowlist_at(const struct demon_allowlist *list, size_t i)
{
	return list->names[i];
}
