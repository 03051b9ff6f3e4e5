#include "expr.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

struct demon_json_span expr_span(const char *text)
{
	return (struct demon_json_span){text, text ? strlen(text) : 0};
}

struct demon_expr_unit expr_unit(const struct demon_expr_source *sources, size_t count)
{
	static uint64_t ids;
	struct demon_expr_unit unit = {.sources = sources, .count = count};
	uint64_t id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);

	memcpy(unit.id, &id, sizeof(id));
	return unit;
}

enum demon_rc expr_eval_unit(struct expr_user *u, const struct demon_expr_unit *unit, size_t index,
			     const char *input, const char *variables)
{
	json_t *value = NULL;
	char *text = NULL;
	enum demon_rc rc = demon_expr_eval(u->expr, unit, index, expr_span(input),
					   expr_span(variables), &value, &u->err);

	u->text[0] = '\0';
	if (rc == DEMON_OK)
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
	if (text)
		(void)snprintf(u->text, sizeof(u->text), "%s", text);
	free(text);
	json_decref(value);
	return rc;
}

enum demon_rc expr_eval(struct expr_user *u, const char *program, const char *input)
{
	struct demon_expr_source source = {.text = program};
	struct demon_expr_unit unit = expr_unit(&source, 1);

	return expr_eval_unit(u, &unit, 0, input, NULL);
}

enum demon_rc expr_check(struct expr_user *u, const char *program)
{
	struct demon_expr_source source = {.text = program};
	struct demon_expr_unit unit = expr_unit(&source, 1);
	size_t index = 99;
	enum demon_rc rc = demon_expr_check(u->expr, &unit, &index, &u->err);

	assert_int_equal(index, rc ? 0 : 99);
	return rc;
}

void expr_assert_usable(struct expr_user *u)
{
	assert_ok(expr_eval(u, ".a + 1", "{\"a\":41}"), &u->err);
	assert_string_equal(u->text, "42");
}

/* "PID (demon-expr) STATE PARENT ..." */
static bool is_worker(const char *pid, pid_t parent)
{
	char path[64];
	char line[512] = "";
	const char *name;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	(void)fclose(f);
	name = strstr(line, " (demon-expr) ");
	return name && name[14] != 'Z' && strtol(name + 16, NULL, 10) == parent;
}

int expr_workers(pid_t parent, pid_t *ret_first)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int found = 0;

	while (proc && (entry = readdir(proc))) { /* NOLINT(concurrency-mt-unsafe) */
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !is_worker(entry->d_name, parent))
			continue;
		if (found++ == 0 && ret_first)
			*ret_first = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	if (proc)
		(void)closedir(proc);
	return found;
}
