#include "definition.h"

#include "base/arena.h"
#include "domain/schema.h"
#include "loader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX      ((size_t)1024 * 1024)
#define CANONICAL_MAX ((size_t)480 * 1024) /* fits with its event into a payload */
#define DEPTH_MAX     60                   /* likewise, of its 64 levels */

/* A definition and what it owns. */
struct body {
	struct demon_definition definition; /* first: freed by its address */
	json_t *spec;
	char *canonical;
	struct demon_arena arena;
	struct demon_expr_source *exprs;
	struct demon_place *places;
	json_t *kept;
	struct demon_schemas *schemas;
};

const char *demon_notation_name(enum demon_notation notation)
{
	switch (notation) {
	case DEMON_NOTATION_SEED:
		return "seed";
	case DEMON_NOTATION_DSL:
		break;
	}
	return "dsl";
}

void demon_problems_done(struct demon_problems *problems)
{
	free(problems->items);
	*problems = (struct demon_problems){.items = NULL};
}

void demon_definition_free(struct demon_definition *definition)
{
	struct body *b = (struct body *)definition;

	if (!b)
		return;
	json_decref(b->spec);
	free(b->canonical);
	free(b->exprs);
	free(b->places);
	json_decref(b->kept);
	demon_schemas_free(b->schemas);
	demon_arena_done(&b->arena);
	free(b);
}

void demon_definition_free_p(struct demon_definition **definition)
{
	demon_definition_free(*definition);
}

static int by_place(const void *a, const void *b)
{
	const struct demon_problem *x = a;
	const struct demon_problem *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* Puts them in order, each once: what is referred to in several places is read as often. */
static void sort(struct demon_problems *problems)
{
	size_t kept = 1;

	qsort(problems->items, problems->count, sizeof(*problems->items), by_place);
	for (size_t i = 1; i < problems->count; i++)
		if (by_place(&problems->items[kept - 1], &problems->items[i]) != 0)
			problems->items[kept++] = problems->items[i];
	problems->count = kept;
}

static void body_free_p(struct body **b)
{
	if (*b)
		demon_definition_free(&(*b)->definition);
}

/* Everything after the text has become a tree; the tree is b->spec. */
static enum demon_rc build(struct body *b, const struct demon_yaml_node *root,
			   struct demon_problems *problems, struct demon_err *err)
{
	struct demon_definition *d = &b->definition;
	struct demon_loader l = {.definition = d, .arena = &b->arena, .problems = problems};
	struct demon_value top = {b->spec, root};
	enum demon_rc rc = DEMON_OK;

	d->spec = b->spec;
	if (demon_loader_accepts(&l, top, DEPTH_MAX))
		rc = d->notation == DEMON_NOTATION_DSL ? demon_dsl_load(&l, top, err)
						       : demon_seed_load(&l, top, err);
	d->exprs = b->exprs = l.exprs;
	d->expr_places = b->places = l.expr_places;
	d->expr_count = l.expr_count;
	b->kept = l.kept;
	b->schemas = l.schemas;
	if (rc)
		return rc;
	if (l.failed)
		return demon_err_set(err, DEMON_NOMEM, "definition: out of memory");
	if (problems->count)
		sort(problems);
	return DEMON_OK;
}

static enum demon_rc set_canonical(struct body *b, struct demon_err *err)
{
	struct demon_definition *d = &b->definition;
	DEMON_BUF(canonical, CANONICAL_MAX);
	enum demon_rc rc;

	if ((rc = demon_json_canonical(b->spec, &canonical, err)) ||
	    (rc = demon_buf_rc(&canonical, err)))
		return rc;
	d->canonical_len = canonical.len;
	b->canonical = demon_buf_take(&canonical);
	if (!b->canonical)
		return demon_err_set(err, DEMON_NOMEM, "definition: out of memory");
	d->canonical = b->canonical;
	return demon_sha256(d->canonical, d->canonical_len, d->digest, err);
}

/* Reads ":N" and moves behind it; false: something else stands there. */
static bool read_place(const char **at, unsigned *ret)
{
	char *end;
	unsigned long n;

	if (**at != ':' || (*at)[1] < '0' || (*at)[1] > '9')
		return false;
	n = strtoul(*at + 1, &end, 10);
	*ret = n > UINT_MAX ? UINT_MAX : (unsigned)n;
	*at = end;
	return true;
}

/* The parser's message begins with the place: makes a problem of it. */
static void add_parse_problem(struct demon_problems *problems, const char *name,
			      const struct demon_err *err)
{
	struct demon_loader l = {.problems = problems};
	const char *at = err->msg;
	size_t n = strlen(name);
	unsigned line = 1;
	unsigned column = 1;

	if (strncmp(at, name, n) == 0) {
		at += n;
		if (!read_place(&at, &line) || !read_place(&at, &column))
			at = err->msg;
	}
	at += strncmp(at, ": ", 2) == 0 ? 2 : 0;
	demon_loader_problem_at(&l, line, column, "%s", at);
}

static enum demon_rc first_problem(const char *name, const struct demon_problems *problems,
				   struct demon_err *err)
{
	const struct demon_problem *p = problems->items;

	return demon_err_set(err, DEMON_INVALID, "%s:%u:%u: %s", name, p->line, p->column, p->text);
}

static enum demon_rc load(const char *name, const char *text, size_t len, struct body *b,
			  struct demon_problems *problems, struct demon_err *err)
{
	demon_cleanup(demon_yaml_free_p) struct demon_yaml_doc *doc = NULL;
	enum demon_rc rc = demon_yaml_parse(name, text, len, &demon_yaml_ritual_limits, &doc, err);

	if (rc) {
		if (rc != DEMON_NOMEM)
			add_parse_problem(problems, name, err);
		return rc;
	}
	b->spec = demon_yaml_json(demon_yaml_root(doc));
	if (!b->spec)
		return demon_err_set(err, DEMON_NOMEM, "%s: out of memory", name);
	if ((rc = build(b, demon_yaml_root(doc), problems, err)))
		return rc;
	if (problems->count)
		return first_problem(name, problems, err);
	rc = set_canonical(b, err);
	if (rc == DEMON_TOOBIG || rc == DEMON_INVALID) {
		struct demon_loader l = {.problems = problems};

		if (rc == DEMON_TOOBIG)
			(void)demon_err_set(err, rc, "larger than 480 KiB in canonical form");
		(void)demon_err_wrap(err, "definition");
		demon_loader_problem_at(&l, 1, 1, "%s", err->msg);
		(void)demon_err_wrap(err, "%s:1:1", name);
	}
	return rc;
}

static struct body *body_new(struct demon_err *err)
{
	struct body *b = demon_calloc(1, sizeof(*b));

	if (!b)
		(void)demon_err_set(err, DEMON_NOMEM, "definition: out of memory");
	return b;
}

enum demon_rc demon_definition_load(const char *name, const char *text, size_t len,
				    struct demon_definition **ret_definition,
				    struct demon_problems *problems, struct demon_err *err)
{
	demon_cleanup(demon_problems_done) struct demon_problems own = {.items = NULL};
	demon_cleanup(body_free_p) struct body *b = body_new(err);
	enum demon_rc rc;

	if (!b)
		return DEMON_NOMEM;
	if (problems)
		*problems = own;
	rc = load(name, text, len, b, problems ? problems : &own, err);
	if (!rc)
		*ret_definition = &demon_take(b)->definition;
	return rc;
}

enum demon_rc demon_definition_from_spec(const char *canonical, size_t len,
					 struct demon_definition **ret_definition,
					 struct demon_err *err)
{
	static const struct demon_json_limits limits = {CANONICAL_MAX, DEPTH_MAX};
	demon_cleanup(demon_problems_done) struct demon_problems problems = {.items = NULL};
	demon_cleanup(body_free_p) struct body *b = body_new(err);

	if (!b)
		return DEMON_NOMEM;
	if (demon_json_parse(canonical, len, &limits, &b->spec, err) ||
	    build(b, NULL, &problems, err))
		return demon_err_wrap(err, "definition of a run");
	if (problems.count)
		return demon_err_set(err, DEMON_INVALID, "definition of a run: %s",
				     problems.items[0].text);
	if (set_canonical(b, err))
		return demon_err_wrap(err, "definition of a run");
	*ret_definition = &demon_take(b)->definition;
	return DEMON_OK;
}

/* The first problem of an expression is the only one that the compiler tells. */
static void add_expr_problem(struct demon_problems *problems, struct demon_place place,
			     const struct demon_err *err)
{
	struct demon_loader l = {.problems = problems};

	demon_loader_problem_at(&l, place.line ? place.line : 1, place.column ? place.column : 1,
				"expression: %s", err->msg);
}

enum demon_rc demon_definition_check(const struct demon_definition *definition, const char *name,
				     struct demon_expr *expr, struct demon_problems *problems,
				     struct demon_err *err)
{
	demon_cleanup(demon_problems_done) struct demon_problems own = {.items = NULL};
	struct demon_problems *list = problems ? problems : &own;
	struct demon_expr_unit unit = {.sources = definition->exprs,
				       .count = definition->expr_count};
	size_t index = 0;
	enum demon_rc rc;

	*list = own;
	if (!unit.count)
		return DEMON_OK;
	memcpy(unit.id, definition->digest, sizeof(unit.id));
	rc = demon_expr_check(expr, &unit, &index, err);
	if (rc == DEMON_NOMEM || rc == DEMON_UNAVAIL || !rc)
		return rc;
	add_expr_problem(list, definition->expr_places[index], err);
	return list->count ? first_problem(name, list, err)
			   : demon_err_set(err, DEMON_NOMEM, "%s: out of memory", name);
}

/* Only regular files, and the descriptor that "-" means. */
static enum demon_rc open_file(const char *path, int *ret_fd, struct demon_err *err)
{
	struct stat st;
	int fd;

	if (stat(path, &st) != 0)
		return demon_err_sys(
		    err, errno == ENOENT || errno == ENOTDIR ? DEMON_NOTFOUND : DEMON_IO, errno,
		    "'%s'", path);
	if (!S_ISREG(st.st_mode))
		return demon_err_set(err, DEMON_INVALID, "'%s': expected a file, found %s", path,
				     S_ISDIR(st.st_mode) ? "a directory" : "something else");
	if (st.st_size > (off_t)FILE_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "'%s': larger than 1 MiB", path);
	/* it may have been replaced since: a FIFO must not block */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return demon_err_sys(err, DEMON_IO, errno, "'%s'", path);
	*ret_fd = fd;
	return DEMON_OK;
}

/* One byte above the limit tells a file that is larger from one that fills it. */
static enum demon_rc read_all(int fd, const char *path, struct demon_buf *out,
			      struct demon_err *err)
{
	while (out->len <= FILE_MAX) {
		char chunk[16384];
		size_t want = FILE_MAX + 1 - out->len;
		ssize_t n = read(fd, chunk, want < sizeof(chunk) ? want : sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return demon_err_sys(err, DEMON_IO, errno, "'%s'", path);
		if (n == 0)
			return demon_buf_rc(out, err);
		demon_buf_add(out, chunk, (size_t)n);
		if (out->rc)
			return demon_buf_rc(out, err);
	}
	return demon_err_set(err, DEMON_TOOBIG, "'%s': larger than 1 MiB", path);
}

enum demon_rc demon_definition_load_file(const char *path, struct demon_definition **ret_definition,
					 struct demon_problems *problems, struct demon_err *err)
{
	DEMON_BUF(text, 0);
	bool from_stdin = strcmp(path, "-") == 0;
	int fd = STDIN_FILENO;
	enum demon_rc rc;

	if (problems)
		*problems = (struct demon_problems){.items = NULL};
	if (!from_stdin && (rc = open_file(path, &fd, err)))
		return rc;
	rc = read_all(fd, path, &text, err);
	if (!from_stdin)
		(void)close(fd);
	if (rc)
		return rc;
	return demon_definition_load(from_stdin ? "<stdin>" : path, text.data, text.len,
				     ret_definition, problems, err);
}
