#include "secret.h"

#include "base/json_text.h"
#include "source.h"
#include "store/subject.h"

#include <string.h>

struct demon_secrets {
	char **environ; /* owned; ends with NULL */
	char *file;     /* owned, or NULL */
	char **command; /* owned, ends with NULL; or NULL */
};

static void free_list(char **list)
{
	for (char **at = list; at && *at; at++) {
		explicit_bzero(*at, strlen(*at));
		free(*at);
	}
	free(list);
}

/* *ret_copy is new; NULL for no list. */
static bool copy_list(const char *const *list, char ***ret_copy)
{
	size_t count = 0;

	if (!list)
		return true;
	while (list[count])
		count++;
	*ret_copy = demon_calloc(count + 1, sizeof(**ret_copy));
	if (!*ret_copy)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!((*ret_copy)[i] = demon_strdup(list[i])))
			return false;
	return true;
}

void demon_secrets_close(struct demon_secrets *secrets)
{
	if (!secrets)
		return;
	free_list(secrets->environ);
	free_list(secrets->command);
	free(secrets->file);
	free(secrets);
}

enum demon_rc demon_secrets_open(const struct demon_secrets_options *options,
				 struct demon_secrets **ret_secrets, struct demon_err *err)
{
	static const char *const nothing[] = {NULL};
	struct demon_secrets *s;

	if (options->command && (!options->command[0] || !*options->command[0]))
		return demon_err_set(err, DEMON_INVALID, "the command for secrets has no words");
	if (options->file && !*options->file)
		return demon_err_set(err, DEMON_INVALID, "the file of secrets has no name");
	s = demon_calloc(1, sizeof(*s));
	if (s && copy_list(options->environ ? options->environ : nothing, &s->environ) &&
	    copy_list(options->command, &s->command) &&
	    (!options->file || (s->file = demon_strdup(options->file)))) {
		*ret_secrets = s;
		return DEMON_OK;
	}
	demon_secrets_close(s);
	return demon_err_set(err, DEMON_NOMEM, "secrets: out of memory");
}

#define VARIABLE_MAX (sizeof("SECRET__=") + (size_t)2 * 64)

/* "SECRET_SCOPE_KEY=" */
static void variable(const char *scope, const char *key, char out[VARIABLE_MAX])
{
	const char *parts[] = {"SECRET", "_", scope, "_", key, "="};
	char *to = out;

	for (size_t i = 0; i < demon_count(parts); i++)
		for (const char *c = parts[i]; *c; c++)
			*to++ = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c == '-' ? '_' : *c);
	*to = '\0';
}

static enum demon_rc from_environ(const struct demon_secrets *s, const char *name,
				  struct demon_buf *ret_value, struct demon_err *err)
{
	size_t n = strlen(name);

	for (char **v = s->environ; *v; v++) {
		if (strncmp(*v, name, n) != 0)
			continue;
		demon_buf_str(ret_value, *v + n);
		return demon_buf_rc(ret_value, err);
	}
	return demon_err_set(err, DEMON_NOTFOUND, "%.*s is not set", (int)n - 1, name);
}

/* Goes on to the next source only when one does not have it: never when one is at fault. */
static enum demon_rc look_up(const struct demon_secrets *s, const char *scope, const char *key,
			     struct demon_buf *ret_value, struct demon_err *err)
{
	char name[VARIABLE_MAX];
	enum demon_rc rc;

	variable(scope, key, name);
	rc = from_environ(s, name, ret_value, err);
	if (rc == DEMON_NOTFOUND && s->file) {
		rc = demon_secret_from_file(s->file, scope, key, ret_value, err);
		if (rc == DEMON_NOTFOUND)
			rc = demon_err_wrap(err, "%.*s is not set", (int)strlen(name) - 1, name);
	}
	if (rc == DEMON_NOTFOUND && s->command)
		rc = demon_secret_from_command((const char *const *)s->command,
					       (const char *const *)s->environ, scope, key,
					       ret_value, err);
	if (rc == DEMON_NOTFOUND && !s->file && !s->command)
		rc = demon_err_set(err, DEMON_NOTFOUND,
				   "%.*s is not set, and no file or command of secrets is given",
				   (int)strlen(name) - 1, name);
	return rc;
}

static enum demon_rc check_value(const struct demon_buf *value, struct demon_err *err)
{
	const char *end = value->data + value->len;
	size_t n;

	if (!value->len)
		return demon_err_set(err, DEMON_INVALID, "the value is empty");
	if (value->len > DEMON_SECRET_MAX)
		return demon_err_set(err, DEMON_INVALID, "the value has more than %zu bytes",
				     DEMON_SECRET_MAX);
	for (const char *p = value->data; p < end; p += n) {
		n = demon_json_utf8(p, end);
		if (!*p)
			return demon_err_set(err, DEMON_INVALID, "the value has a NUL");
		if (!n)
			return demon_err_set(err, DEMON_INVALID, "the value is not UTF-8");
	}
	return DEMON_OK;
}

enum demon_rc demon_secrets_get(struct demon_secrets *secrets, const char *scope, const char *key,
				struct demon_buf *ret_value, struct demon_err *err)
{
	DEMON_SECRET_BUF(value);
	enum demon_rc rc;

	if ((rc = demon_id_check("scope of a secret", scope, err)) ||
	    (rc = demon_id_check("key of a secret", key, err)))
		return rc;
	if ((rc = look_up(secrets, scope, key, &value, err)) || (rc = check_value(&value, err))) {
		(void)demon_err_wrap(err, "secret '%s/%s'", scope, key);
		return rc;
	}
	demon_buf_add(ret_value, value.data, value.len);
	return demon_buf_rc(ret_value, err);
}
