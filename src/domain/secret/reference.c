#include "base/json_text.h"
#include "secret.h"
#include "source.h"

#include <errno.h>
#include <string.h>

#define SCHEME "secret://"
#define ID_MAX 64

/* Length of the id that @p text begins with; 0: none, or too long to be one. */
static size_t id_span(const char *text, const char *end)
{
	const char *p = text;

	while (p < end && ((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
			   (*p >= 'a' && *p <= 'z') || *p == '_' || *p == '-'))
		p++;
	return p - text > ID_MAX ? 0 : (size_t)(p - text);
}

enum demon_rc demon_secret_each(const char *text, size_t len, demon_secret_fn *fn, void *ctx,
				struct demon_err *err)
{
	const size_t head = sizeof(SCHEME) - 1;
	const char *end = text + len;
	const char *at = text;

	while ((at = memmem(at, (size_t)(end - at), SCHEME, head))) {
		const char *scope = at + head;
		size_t scope_len = id_span(scope, end);
		const char *key = scope + scope_len + 1;
		size_t key_len = scope_len && key < end && key[-1] == '/' ? id_span(key, end) : 0;
		char names[2][ID_MAX + 1] = {{0}};
		enum demon_rc rc;

		if (!key_len) {
			at += head;
			continue;
		}
		memcpy(names[0], scope, scope_len);
		memcpy(names[1], key, key_len);
		if ((rc = fn(ctx, names[0], names[1], (size_t)(at - text),
			     (size_t)(key + key_len - at), err)))
			return rc;
		at = key + key_len;
	}
	return DEMON_OK;
}

/* One string that is being filled. */
struct filling {
	struct demon_secrets *secrets;
	struct demon_redactor *redactor;
	const char *text;
	size_t done; /* bytes of it that are in out, filled */
	struct demon_buf *out;
};

static enum demon_rc put_value(void *ctx, const char *scope, const char *key, size_t at, size_t len,
			       struct demon_err *err)
{
	DEMON_SECRET_BUF(value);
	struct filling *f = ctx;
	enum demon_rc rc;

	if ((rc = demon_secrets_get(f->secrets, scope, key, &value, err)) ||
	    (rc = demon_redactor_add(f->redactor, value.data, value.len, err)))
		return rc;
	demon_buf_add(f->out, f->text + f->done, at - f->done);
	demon_buf_add(f->out, value.data, value.len);
	f->done = at + len;
	return DEMON_OK;
}

/* *ret_text is new: @p text with the values. */
static enum demon_rc fill_text(struct demon_secrets *secrets, const json_t *text,
			       struct demon_redactor *r, json_t **ret_text, struct demon_err *err)
{
	DEMON_SECRET_BUF(out);
	struct filling f = {secrets, r, json_string_value(text), 0, &out};
	size_t len = json_string_length(text);
	enum demon_rc rc;

	if ((rc = demon_secret_each(f.text, len, put_value, &f, err)))
		return rc;
	demon_buf_add(&out, f.text + f.done, len - f.done);
	if ((rc = demon_buf_rc(&out, err)))
		return rc;
	*ret_text = json_stringn(out.data, out.len);
	return *ret_text ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "secrets: out of memory");
}

/* One token of a JSON pointer, unescaped. @p at is behind its '/'. */
static const char *read_token(const char *at, struct demon_buf *token)
{
	demon_buf_clear(token);
	for (; *at && *at != '/'; at++) {
		if (at[0] == '~' && (at[1] == '0' || at[1] == '1')) {
			at++;
			demon_buf_char(token, *at == '0' ? '~' : '/');
		} else {
			demon_buf_char(token, *at);
		}
	}
	return at;
}

static bool read_index(const char *token, size_t *ret_index)
{
	char *end;

	if (*token < '0' || *token > '9' || (token[0] == '0' && token[1]))
		return false;
	errno = 0;
	*ret_index = strtoul(token, &end, 10);
	return !errno && !*end;
}

/* A place in a tree: a string, what it stands in, and what is to take its place. */
struct slot {
	json_t *up;           /* borrowed; NULL: the string is the whole tree */
	size_t index;         /* in an array */
	struct demon_buf key; /* in an object */
	json_t *text;         /* borrowed */
	json_t *fresh;        /* owned, or NULL */
};

struct slots {
	struct slot *items; /* owned */
	size_t count;
};

static void slots_done(struct slots *s)
{
	for (size_t i = 0; s->items && i < s->count; i++) {
		demon_buf_done(&s->items[i].key);
		json_decref(s->items[i].fresh);
	}
	free(s->items);
}

static enum demon_rc slot_find(struct slot *s, json_t *tree, const char *pointer,
			       struct demon_err *err)
{
	const char *at = pointer;

	while (at && *at == '/' && tree) {
		at = read_token(at + 1, &s->key);
		s->up = tree;
		if (json_is_array(tree))
			tree = read_index(s->key.data, &s->index) ? json_array_get(tree, s->index)
								  : NULL;
		else
			tree = json_object_getn(tree, s->key.data, s->key.len);
	}
	if (s->key.rc)
		return demon_buf_rc(&s->key, err);
	if (!at || *at || !json_is_string(tree))
		return demon_err_set(err, DEMON_INVALID,
				     "there is no string at '%.128s' for a secret",
				     pointer ? pointer : "?");
	s->text = tree;
	return DEMON_OK;
}

static enum demon_rc slot_set(const struct slot *s, struct demon_err *err)
{
	int failed;

	if (!s->up)
		failed = json_string_setn(s->text, json_string_value(s->fresh),
					  json_string_length(s->fresh));
	else if (json_is_array(s->up))
		failed = json_array_set(s->up, s->index, s->fresh);
	else
		failed = json_object_setn_nocheck(s->up, s->key.data, s->key.len, s->fresh);
	return failed ? demon_err_set(err, DEMON_NOMEM, "secrets: out of memory") : DEMON_OK;
}

/* All values are found before the first is put in place: a failure changes nothing, and what a
 * value says is not read as a name even where a place is named twice. */
enum demon_rc demon_secrets_fill(struct demon_secrets *secrets, json_t *with, const json_t *places,
				 struct demon_redactor *r, struct demon_err *err)
{
	demon_cleanup(slots_done) struct slots all = {.count = json_array_size(places)};
	enum demon_rc rc;

	all.items = demon_calloc(all.count, sizeof(*all.items));
	if (!all.items)
		return demon_err_set(err, DEMON_NOMEM, "secrets: out of memory");
	for (size_t i = 0; i < all.count; i++) {
		const char *pointer = json_string_value(json_array_get(places, i));
		struct slot *s = &all.items[i];

		s->key.data = demon_buf_empty;
		if ((rc = slot_find(s, with, pointer, err)))
			return rc;
		if (fill_text(secrets, s->text, r, &s->fresh, err))
			return demon_err_wrap(err, "at '%.128s'", pointer);
	}
	for (size_t i = 0; i < all.count; i++)
		if ((rc = slot_set(&all.items[i], err)))
			return rc;
	return DEMON_OK;
}
