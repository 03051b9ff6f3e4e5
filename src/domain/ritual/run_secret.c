#include "run_secret.h"

#include "domain/capsule/arguments.h"

#include <string.h>

struct walk {
	const char *nonce;
	json_t *places;
	struct demon_buf pointer;
};

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for the arguments of a step");
}

static enum demon_rc strip(struct walk *w, json_t *text, struct demon_err *err)
{
	const char *at = json_string_value(text);
	size_t len = strlen(w->nonce);
	DEMON_BUF(plain, 0);
	const char *mark = strstr(at, w->nonce);

	if (!mark)
		return DEMON_OK;
	for (; mark; mark = strstr(at, w->nonce)) {
		demon_buf_add(&plain, at, (size_t)(mark - at));
		at = mark + len;
	}
	demon_buf_str(&plain, at);
	if (plain.rc || json_string_setn(text, plain.data, plain.len) ||
	    json_array_append_new(w->places, json_string(w->pointer.data)))
		return no_memory(err);
	return DEMON_OK;
}

/* As deep as a value may be nested. */
static enum demon_rc visit(struct walk *w, json_t *tree, struct demon_err *err)
{
	size_t len = w->pointer.len;
	enum demon_rc rc = DEMON_OK;
	const char *key;
	json_t *item;

	if (json_is_string(tree))
		return strip(w, tree, err);
	for (size_t i = 0; json_is_array(tree) && !rc && i < json_array_size(tree); i++) {
		demon_buf_fmt(&w->pointer, "/%zu", i);
		rc = visit(w, json_array_get(tree, i), err);
		demon_buf_cut(&w->pointer, len);
	}
	json_object_foreach(tree, key, item)
	{
		demon_arguments_pointer(&w->pointer, key);
		rc = visit(w, item, err);
		demon_buf_cut(&w->pointer, len);
		if (rc)
			break;
	}
	return rc;
}

enum demon_rc demon_run_secret_places(json_t *tree, const char *nonce, json_t *places,
				      struct demon_err *err)
{
	struct walk w = {.nonce = nonce, .places = places, .pointer = {.data = demon_buf_empty}};
	enum demon_rc rc;

	rc = visit(&w, tree, err);
	if (!rc)
		rc = demon_buf_rc(&w.pointer, err);
	demon_buf_done(&w.pointer);
	return rc;
}

enum demon_rc demon_run_secret_fill(struct demon_secrets *secrets, json_t *with,
				    const json_t *places, struct demon_redactor *redactor,
				    struct demon_run_error *error, struct demon_err *err)
{
	enum demon_rc rc;

	if (json_array_size(places) == 0)
		return DEMON_OK;
	if (!secrets)
		return demon_run_error_set(error, DEMON_ERROR_AUTHORIZATION, 403,
					   "Secret not to be had", err,
					   "secrets are not configured here");
	rc = demon_secrets_fill(secrets, with, places, redactor, err);
	if (rc == DEMON_NOMEM || rc == DEMON_OK)
		return rc;
	return demon_run_error_set(error, DEMON_ERROR_AUTHORIZATION, 403, "Secret not to be had",
				   err, "%s", err->msg);
}
