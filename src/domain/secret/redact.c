#include "forms.h"
#include "secret.h"

#include <stdio.h>
#include <string.h>

#define NUMBER_MIN 8 /* digits of a number that may be a secret */

struct demon_redactor_value {
	char *bytes; /* owned; wiped */
	size_t len;  /* not 0 */
	size_t next; /* 1 + the index of the next that begins with the same byte; 0: none */
};

static void free_value(struct demon_redactor_value *v)
{
	if (v->bytes)
		explicit_bzero(v->bytes, v->len);
	free(v->bytes);
}

void demon_redactor_done(struct demon_redactor *r)
{
	for (size_t i = 0; i < r->count; i++)
		free_value(&r->values[i]);
	free(r->values);
	*r = (struct demon_redactor){.values = NULL};
}

static enum demon_rc append_value(void *ctx, const char *bytes, size_t len, struct demon_err *err)
{
	struct demon_redactor *r = ctx;
	struct demon_redactor_value *values;
	char *copy = demon_strndup(bytes, len);

	values = copy ? demon_realloc(r->values, r->count + 1, sizeof(*values)) : NULL;
	if (!values) {
		if (copy)
			explicit_bzero(copy, len);
		free(copy);
		return demon_err_set(err, DEMON_NOMEM, "redactor: out of memory");
	}
	r->values = values;
	values[r->count++] = (struct demon_redactor_value){.bytes = copy, .len = len};
	return DEMON_OK;
}

static int by_length(const void *a, const void *b)
{
	const struct demon_redactor_value *x = a;
	const struct demon_redactor_value *y = b;

	if (x->len != y->len)
		return x->len > y->len ? -1 : 1;
	return memcmp(x->bytes, y->bytes, x->len);
}

/* Sorts, drops what is there twice, and links what begins alike. */
static void arrange(struct demon_redactor *r)
{
	size_t latest[256] = {0};
	size_t kept = 0;

	if (r->count)
		qsort(r->values, r->count, sizeof(*r->values), by_length);
	for (size_t i = 0; i < r->count; i++) {
		if (kept && by_length(&r->values[kept - 1], &r->values[i]) == 0)
			free_value(&r->values[i]);
		else
			r->values[kept++] = r->values[i];
	}
	r->count = kept;
	for (size_t i = kept; i-- > 0;) {
		unsigned char first = (unsigned char)r->values[i].bytes[0];

		r->values[i].next = latest[first];
		latest[first] = i + 1;
	}
}

enum demon_rc demon_redactor_add(struct demon_redactor *r, const char *value, size_t len,
				 struct demon_err *err)
{
	enum demon_rc rc = demon_secret_forms(value, len, append_value, r, err);

	arrange(r);
	return rc;
}

/* A redactor that can be asked. */
struct finder {
	const struct demon_redactor_value *values; /* borrowed */
	size_t first[256]; /* 1 + the index of the longest that begins so; 0: none */
};

static void finder_init(struct finder *f, const struct demon_redactor *r)
{
	*f = (struct finder){.values = r->values};
	for (size_t i = r->count; i-- > 0;)
		f->first[(unsigned char)r->values[i].bytes[0]] = i + 1;
}

/* The length of the longest value that @p text begins with, 0: none. Unless this is the @p last of
 * the text, *ret_open: a longer one may begin here. */
static size_t match(const struct finder *f, const char *text, size_t len, bool last, bool *ret_open)
{
	*ret_open = false;
	for (size_t i = f->first[(unsigned char)*text]; i; i = f->values[i - 1].next) {
		const struct demon_redactor_value *v = &f->values[i - 1];

		if (v->len <= len) {
			if (memcmp(v->bytes, text, v->len) == 0)
				return v->len;
		} else if (!last && !*ret_open) {
			*ret_open = memcmp(v->bytes, text, len) == 0;
		}
	}
	return 0;
}

/*
 * Values that overlap are replaced together, by one mark: of none of them a part remains. The
 * first *covered bytes belong to a mark that is written already. Stops where more text is needed,
 * says how far it got, and how much from there on is covered.
 */
static size_t redact(const struct finder *f, const char *text, size_t len, bool last,
		     size_t *covered, struct demon_buf *out)
{
	size_t clean = *covered; /* all before it is written or covered */
	size_t at = 0;

	for (; at < len; at++) {
		bool open;
		size_t n = match(f, text + at, len - at, last, &open);

		if (open)
			break;
		if (!n)
			continue;
		if (at >= clean) {
			demon_buf_add(out, text + clean, at - clean);
			demon_buf_str(out, DEMON_REDACTED);
		}
		if (at + n > clean)
			clean = at + n;
	}
	if (at > clean) {
		demon_buf_add(out, text + clean, at - clean);
		clean = at;
	}
	*covered = clean - at;
	return at;
}

void demon_redact_text(const struct demon_redactor *r, const char *text, size_t len,
		       struct demon_buf *out)
{
	struct finder f;
	size_t covered = 0;

	if (!r->count) {
		demon_buf_add(out, text, len);
		return;
	}
	finder_init(&f, r);
	(void)redact(&f, text, len, true, &covered, out);
}

void demon_redact_stream_done(struct demon_redact_stream *s)
{
	if (s->held)
		explicit_bzero(s->held, s->held_len);
	free(s->held);
	s->held = NULL;
	s->held_len = 0;
	s->covered = 0;
}

/* Holds back @p len bytes for later. */
static void hold(struct demon_redact_stream *s, const char *bytes, size_t len,
		 struct demon_buf *out)
{
	char *held = len ? demon_strndup(bytes, len) : NULL;
	size_t covered = s->covered;

	if (len && !held && !out->rc)
		out->rc = DEMON_NOMEM;
	demon_redact_stream_done(s);
	if (held)
		*s = (struct demon_redact_stream){s->redactor, held, len, covered};
}

void demon_redact_more(struct demon_redact_stream *s, const char *bytes, size_t len, bool last,
		       struct demon_buf *out)
{
	char *joined = NULL;
	size_t total = s->held_len + len;
	struct finder f;
	size_t done;

	finder_init(&f, s->redactor);
	if (s->held_len) {
		joined = demon_calloc(total, 1);
		if (!joined) {
			out->rc = out->rc ? out->rc : DEMON_NOMEM;
			return;
		}
		memcpy(joined, s->held, s->held_len);
		if (len)
			memcpy(joined + s->held_len, bytes, len);
		bytes = joined;
	}
	done = redact(&f, bytes, total, last, &s->covered, out);
	hold(s, bytes + done, total - done, out);
	if (joined)
		explicit_bzero(joined, total);
	free(joined);
}

/* True when @p text has a value; @p out is then what it is to be. */
static bool change(const struct finder *f, const char *text, size_t len, struct demon_buf *out)
{
	size_t covered = 0;
	bool open;
	size_t at = 0;

	while (at < len && !match(f, text + at, len - at, true, &open))
		at++;
	if (at == len)
		return false;
	demon_buf_clear(out);
	demon_buf_add(out, text, at);
	(void)redact(f, text + at, len - at, true, &covered, out);
	return true;
}

/* A string of what is in @p text, or where cutting left no UTF-8, of the mark alone; or NULL. */
static json_t *new_string(const struct demon_buf *text)
{
	json_t *string = text->rc ? NULL : json_stringn(text->data, text->len);

	return string || text->rc ? string : json_string(DEMON_REDACTED);
}

/* *ret_new is what is to stand in place of a scalar, or NULL: it may stay. */
static enum demon_rc redact_scalar(const struct finder *f, const json_t *value, json_t **ret_new,
				   struct demon_err *err)
{
	DEMON_BUF(out, 0);
	DEMON_BUF(number, 0);

	*ret_new = NULL;
	if (json_is_string(value)) {
		if (!change(f, json_string_value(value), json_string_length(value), &out))
			return DEMON_OK;
	} else if (json_is_number(value)) {
		demon_json_number(&number, json_number_value(value));
		if (number.len < NUMBER_MIN || !change(f, number.data, number.len, &out) ||
		    strcmp(out.data, DEMON_REDACTED) != 0)
			return DEMON_OK;
	} else {
		return DEMON_OK;
	}
	*ret_new = new_string(&out);
	return *ret_new ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "redactor: out of memory");
}

/* Two keys that become the same stay two: the later one gets a number. */
static enum demon_rc add_member(json_t *object, const struct demon_buf *key, json_t *value,
				struct demon_err *err)
{
	DEMON_BUF(name, 0);

	demon_buf_add(&name, key->data, key->len);
	for (unsigned i = 2; !name.rc && json_object_getn(object, name.data, name.len); i++) {
		demon_buf_clear(&name);
		demon_buf_fmt(&name, "%s %u", key->data, i);
	}
	if (name.rc || json_object_setn_nocheck(object, name.data, name.len, value))
		return demon_err_set(err, DEMON_NOMEM, "redactor: out of memory");
	return DEMON_OK;
}

static enum demon_rc redact_keys(const struct finder *f, json_t *object, struct demon_err *err)
{
	json_auto_t *fresh = NULL;
	DEMON_BUF(out, 0);
	bool any = false;
	const char *key;
	size_t len;
	json_t *value;
	enum demon_rc rc;

	json_object_keylen_foreach(object, key, len, value) any = any || change(f, key, len, &out);
	if (!any)
		return DEMON_OK;
	if (!(fresh = json_object()))
		return demon_err_set(err, DEMON_NOMEM, "redactor: out of memory");
	json_object_keylen_foreach(object, key, len, value)
	{
		json_auto_t *name = NULL;

		if (!change(f, key, len, &out)) {
			demon_buf_clear(&out);
			demon_buf_add(&out, key, len);
		} else if (!(name = new_string(&out))) {
			return demon_err_set(err, DEMON_NOMEM, "redactor: out of memory");
		} else {
			demon_buf_clear(&out);
			demon_buf_add(&out, json_string_value(name), json_string_length(name));
		}
		if ((rc = add_member(fresh, &out, value, err)))
			return rc;
	}
	(void)json_object_clear(object);
	if (json_object_update(object, fresh))
		return demon_err_set(err, DEMON_NOMEM, "redactor: out of memory");
	return DEMON_OK;
}

/* As deep as trees are: 64 levels when they were parsed, 128 at most when they are written. */
static enum demon_rc redact_tree(const struct finder *f, json_t *tree, struct demon_err *err)
{
	const char *key;
	size_t index;
	void *next;
	json_t *value;
	json_t *fresh;
	enum demon_rc rc;

	json_object_foreach_safe(tree, next, key, value)
	{
		if ((rc = redact_scalar(f, value, &fresh, err)) ||
		    (rc = redact_tree(f, value, err)))
			return rc;
		if (fresh && json_object_set_new_nocheck(tree, key, fresh))
			return demon_err_set(err, DEMON_NOMEM, "redactor: out of memory");
	}
	json_array_foreach(tree, index, value)
	{
		if ((rc = redact_scalar(f, value, &fresh, err)) ||
		    (rc = redact_tree(f, value, err)))
			return rc;
		if (fresh && json_array_set_new(tree, index, fresh))
			return demon_err_set(err, DEMON_NOMEM, "redactor: out of memory");
	}
	return json_is_object(tree) ? redact_keys(f, tree, err) : DEMON_OK;
}

enum demon_rc demon_redact_json(const struct demon_redactor *r, json_t *tree, struct demon_err *err)
{
	json_auto_t *fresh = NULL;
	struct finder f;
	enum demon_rc rc;

	if (!r->count)
		return DEMON_OK;
	finder_init(&f, r);
	if ((rc = redact_scalar(&f, tree, &fresh, err)) || (rc = redact_tree(&f, tree, err)))
		return rc;
	if (fresh && json_is_string(tree) &&
	    json_string_setn_nocheck(tree, json_string_value(fresh), json_string_length(fresh)))
		return demon_err_set(err, DEMON_NOMEM, "redactor: out of memory");
	return DEMON_OK;
}
