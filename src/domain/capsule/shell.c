#include "shell.h"

#include "arguments.h"
#include "launch.h"
#include "output.h"

#include <ctype.h>
#include <string.h>

#define SHOWN    64
#define WORD_MAX ((size_t)128 * 1024 - 1) /* Linux: one argument, without its NUL */
#define SCHEME   "file://"

static const char *const returns[] = {"stdout", "stderr", "code", "all", "none"};

/* How an interpreter takes code, and a file. The words before the arguments; NULL: the text. */
static const struct language {
	const char *name;
	const char *code[5];
	const char *source[3];
	size_t code_len;
	size_t source_len;
} languages[] = {
    {"sh", {"sh", "-c", NULL, "sh"}, {"sh", NULL}, 4, 2},
    {"bash", {"bash", "-c", NULL, "bash"}, {"bash", NULL}, 4, 2},
    {"python", {"python3", "-c", NULL}, {"python3", NULL}, 3, 2},
    {"javascript", {"node", "-e", NULL, "--", "script"}, {"node", NULL}, 5, 2},
    {"js", {"node", "-e", NULL, "--", "script"}, {"node", NULL}, 5, 2},
};

/* A look at an object. */
struct look {
	struct demon_arguments a;
	bool evaluated; /* nothing is an expression any more */
};

static bool is_shell(const char *process)
{
	return strcmp(process, "shell") == 0;
}

static const struct language *find_language(const char *name)
{
	for (size_t i = 0; name && i < demon_count(languages); i++)
		if (strcmp(languages[i].name, name) == 0)
			return &languages[i];
	return NULL;
}

/* "${ … }" as a whole. */
static bool is_expression(const struct look *l, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t len;

	if (l->evaluated || !text)
		return false;
	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	return len > 2 && strncmp(text, "${", 2) == 0 && text[len - 1] == '}';
}

static void report_type(const struct look *l, const char *key, const char *wanted,
			const json_t *found)
{
	DEMON_BUF(pointer, 0);

	demon_arguments_pointer(&pointer, key);
	demon_arguments_report(&l->a, pointer.data, "%s: expected %s, found %s", key, wanted,
			       demon_json_describe(found));
}

/* A text that becomes one argument of a program. */
static void check_word(const struct look *l, const char *key)
{
	const json_t *value = json_object_get(l->a.with, key);
	DEMON_BUF(pointer, 0);

	demon_arguments_pointer(&pointer, key);
	if (!value)
		demon_arguments_report(&l->a, "", "missing required key '%s'", key);
	else if (!json_is_string(value))
		report_type(l, key, "a string", value);
	else if (json_string_length(value) == 0)
		demon_arguments_report(&l->a, pointer.data, "%s: is empty", key);
	else if (json_string_length(value) > WORD_MAX)
		demon_arguments_report(&l->a, pointer.data, "%s: is longer than %zu bytes", key,
				       WORD_MAX);
}

static void check_list(const struct look *l)
{
	const json_t *value = json_object_get(l->a.with, "arguments");

	if (value && !json_is_array(value) && !json_is_object(value) && !is_expression(l, value))
		report_type(l, "arguments", "a list or a mapping", value);
}

static void check_variable(const struct look *l, const char *name)
{
	DEMON_BUF(pointer, 0);
	int shown = demon_output_clip(name, SHOWN);

	demon_buf_str(&pointer, "/environment");
	demon_arguments_pointer(&pointer, name);
	if (!demon_launch_is_name(name))
		demon_arguments_report_key(&l->a, pointer.data,
					   "environment: '%.*s' is not a name: expected letters, "
					   "digits and '_', no digit first",
					   shown, name);
	else if (strncmp(name, "DEMON_", 6) == 0)
		demon_arguments_report_key(&l->a, pointer.data,
					   "environment: '%.*s': names that begin with DEMON_ are "
					   "reserved",
					   shown, name);
}

static void check_environment(const struct look *l)
{
	json_t *value = json_object_get(l->a.with, "environment");
	const char *name;
	json_t *item;

	if (value && !json_is_object(value) && !is_expression(l, value))
		report_type(l, "environment", "a mapping", value);
	json_object_foreach(value, name, item) check_variable(l, name);
}

static void check_language(const struct look *l)
{
	const json_t *value = json_object_get(l->a.with, "language");
	const char *name = json_string_value(value);
	DEMON_BUF(text, 0);

	if (!value) {
		demon_arguments_report(&l->a, "", "missing required key 'language'");
	} else if (!name) {
		report_type(l, "language", "a string", value);
	} else if (!find_language(name)) {
		demon_buf_fmt(&text, "language: '%.*s' is not supported, expected one of ",
			      demon_output_clip(name, SHOWN), name);
		for (size_t i = 0; i < demon_count(languages); i++)
			demon_buf_fmt(&text, "%s%s", i ? ", " : "", languages[i].name);
		demon_arguments_report(&l->a, "/language", "%s", text.data);
	}
}

/* The URI of a source, or NULL; *ret_pointer is where it stands. */
static const json_t *source_uri(const json_t *source, const char **ret_pointer)
{
	const json_t *endpoint = json_object_get(source, "endpoint");

	*ret_pointer = json_is_object(endpoint) ? "/source/endpoint/uri" : "/source/endpoint";
	return json_is_object(endpoint) ? json_object_get(endpoint, "uri") : endpoint;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The path that a file URI names. False: it is none. */
static bool file_path(const char *uri, struct demon_buf *out)
{
	if (strncmp(uri, SCHEME "/", strlen(SCHEME) + 1) != 0)
		return false;
	for (uri += strlen(SCHEME); *uri; uri++) {
		int high = *uri == '%' ? hex_digit(uri[1]) : 0;
		int low = *uri == '%' && high >= 0 ? hex_digit(uri[2]) : 0;

		if (high < 0 || low < 0 || *uri == '?' || *uri == '#')
			return false;
		if (*uri != '%') {
			demon_buf_char(out, *uri);
			continue;
		}
		if (high == 0 && low == 0)
			return false;
		demon_buf_char(out, (char)(high * 16 + low));
		uri += 2;
	}
	return true;
}

static void check_source(const struct look *l)
{
	const json_t *source = json_object_get(l->a.with, "source");
	const char *pointer;
	const json_t *uri;
	DEMON_BUF(path, 0);

	if (!json_is_object(source)) {
		report_type(l, "source", "a mapping", source);
		return;
	}
	uri = source_uri(source, &pointer);
	if (!uri)
		demon_arguments_report(&l->a, "/source", "source: missing required key 'endpoint'");
	else if (!json_is_string(uri))
		demon_arguments_report(&l->a, pointer, "source: expected a URI, found %s",
				       demon_json_describe(uri));
	else if (!is_expression(l, uri) && !file_path(json_string_value(uri), &path))
		demon_arguments_report(
		    &l->a, pointer, "source: only file:///PATH is supported, found '%.*s'",
		    demon_output_clip(json_string_value(uri), SHOWN), json_string_value(uri));
}

static void look_at(const struct look *l, const char *process)
{
	static const char *const shell[] = {"command", "arguments", "environment", "stdin"};
	static const char *const script[] = {"language",  "code",        "source",
					     "arguments", "environment", "stdin"};
	bool code = json_object_get(l->a.with, "code") != NULL;
	bool source = json_object_get(l->a.with, "source") != NULL;

	if (!demon_arguments_known(&l->a, is_shell(process) ? shell : script,
				   is_shell(process) ? demon_count(shell) : demon_count(script)))
		return;
	check_list(l);
	check_environment(l);
	if (is_shell(process)) {
		check_word(l, "command");
		return;
	}
	check_language(l);
	if (code == source)
		demon_arguments_report(&l->a, "", "expected either 'code' or 'source'");
	else if (code)
		check_word(l, "code");
	else
		check_source(l);
}

void demon_shell_check(const char *process, const json_t *object, demon_argument_problem_fn *report,
		       void *ctx)
{
	const struct look l = {{object, report, ctx}, false};

	look_at(&l, process);
}

static bool is_return(const char *word)
{
	for (size_t i = 0; word && i < demon_count(returns); i++)
		if (strcmp(word, returns[i]) == 0)
			return true;
	return false;
}

void demon_shell_check_run(const json_t *run, demon_argument_problem_fn *report, void *ctx)
{
	const struct demon_arguments a = {run, report, ctx};
	const json_t *await = json_object_get(run, "await");
	const json_t *wanted = json_object_get(run, "return");

	if (await && !json_is_boolean(await))
		demon_arguments_report(&a, "/await", "await: expected true or false, found %s",
				       demon_json_describe(await));
	if (wanted && !is_return(json_string_value(wanted)))
		demon_arguments_report(
		    &a, "/return",
		    "return: expected one of stdout, stderr, code, all, none, found %s",
		    json_is_string(wanted) ? "another string" : demon_json_describe(wanted));
}

/* Exec's arguments under way. The first failure sticks. */
struct making {
	json_t *command; /* borrowed */
	enum demon_rc rc;
	struct demon_err *err;
};

/* A value as text: strings as they stand, the rest as JSON. New, or NULL. */
static json_t *text_of(struct making *m, const char *prefix, const json_t *value)
{
	DEMON_BUF(text, 0);
	json_t *made;

	if (m->rc)
		return NULL;
	if (prefix)
		demon_buf_fmt(&text, "%s=", prefix);
	if (json_is_string(value))
		demon_buf_add(&text, json_string_value(value), json_string_length(value));
	else if ((m->rc = demon_json_canonical(value, &text, m->err)))
		return NULL;
	if ((m->rc = demon_buf_rc(&text, m->err)))
		return NULL;
	made = json_stringn(text.data, text.len);
	if (!made)
		m->rc = demon_err_set(m->err, DEMON_NOMEM, "arguments: out of memory");
	return made;
}

static void put(struct making *m, json_t *object, const char *key, json_t *value_new)
{
	if (json_object_set_new(object, key, value_new) && !m->rc)
		m->rc = demon_err_set(m->err, DEMON_NOMEM, "arguments: out of memory");
}

static void add(struct making *m, json_t *word_new)
{
	if (json_array_append_new(m->command, word_new) && !m->rc)
		m->rc = demon_err_set(m->err, DEMON_NOMEM, "arguments: out of memory");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_members(struct making *m, const json_t *mapping)
{
	size_t count = json_object_size(mapping);
	demon_auto_free const char **names = demon_calloc(count + 1, sizeof(*names));
	size_t n = 0;
	const char *name;
	json_t *value;

	if (!names) {
		m->rc = demon_err_set(m->err, DEMON_NOMEM, "arguments: out of memory");
		return;
	}
	json_object_foreach(demon_json_iterable(mapping), name, value) names[n++] = name;
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++)
		add(m, text_of(m, names[i], json_object_get(mapping, names[i])));
}

static void add_arguments(struct making *m, const json_t *arguments)
{
	for (size_t i = 0; json_is_array(arguments) && i < json_array_size(arguments); i++)
		add(m, text_of(m, NULL, json_array_get(arguments, i)));
	if (json_is_object(arguments))
		add_members(m, arguments);
}

static void add_words(struct making *m, const char *const *words, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		add(m, json_string(words[i] ? words[i] : text));
}

static void make_command(struct making *m, const char *process, const json_t *object)
{
	const struct language *lang =
	    is_shell(process)
		? languages
		: find_language(json_string_value(json_object_get(object, "language")));
	const char *code =
	    json_string_value(json_object_get(object, is_shell(process) ? "command" : "code"));
	const char *pointer;
	DEMON_BUF(path, 0);

	if (code) {
		add_words(m, lang->code, lang->code_len, code);
	} else {
		(void)file_path(
		    json_string_value(source_uri(json_object_get(object, "source"), &pointer)),
		    &path);
		add_words(m, lang->source, lang->source_len, path.data);
	}
	add_arguments(m, json_object_get(object, "arguments"));
}

static void make_rest(struct making *m, json_t *with, const json_t *object, const json_t *run)
{
	json_t *environment = json_object_get(object, "environment");
	const json_t *input = json_object_get(object, "stdin");
	const char *wanted = json_string_value(json_object_get(run, "return"));
	const char *name;
	json_t *value;

	if (environment)
		put(m, with, "env", json_object());
	json_object_foreach(environment, name, value)
	{
		put(m, json_object_get(with, "env"), name, text_of(m, NULL, value));
	}
	if (input)
		put(m, with, "stdin", text_of(m, NULL, input));
	if (json_is_false(json_object_get(run, "await")))
		put(m, with, "await", json_false());
	else
		put(m, with, "timeout", json_string("P30D"));
	if (wanted && (strcmp(wanted, "code") == 0 || strcmp(wanted, "all") == 0))
		put(m, with, "anyStatus", json_true());
}

static void first_problem(void *ctx, const char *pointer, bool at_key, const char *text)
{
	struct demon_err *problem = ctx;

	(void)pointer;
	(void)at_key;
	if (!problem->rc)
		(void)demon_err_set(problem, DEMON_INVALID, "%s", text);
}

enum demon_rc demon_shell_arguments(const char *process, const json_t *object, const json_t *run,
				    json_t **ret_with, struct demon_err *err)
{
	json_auto_t *with = json_object();
	struct making m = {.err = err};
	struct demon_err problem = {.rc = DEMON_OK};
	const struct look l = {{object, first_problem, &problem}, true};

	look_at(&l, process);
	if (problem.rc)
		return demon_err_set(err, DEMON_INVALID, "%s: %s", process, problem.msg);
	put(&m, with, "command", json_array());
	m.command = json_object_get(with, "command");
	if (!m.rc)
		make_command(&m, process, object);
	if (!m.rc)
		make_rest(&m, with, object, run);
	if (m.rc)
		return m.rc;
	*ret_with = demon_take(with);
	return DEMON_OK;
}

json_t *demon_shell_output(const json_t *run, const json_t *data, const json_t *input)
{
	const char *wanted = json_string_value(json_object_get(run, "return"));
	json_t *whole = demon_json_iterable(data);

	if (json_is_false(json_object_get(run, "await")))
		return input ? json_incref(demon_json_iterable(input)) : json_null();
	if (!wanted)
		wanted = "stdout";
	if (strcmp(wanted, "none") == 0)
		return json_null();
	if (strcmp(wanted, "code") == 0)
		return json_incref(json_object_get(whole, "exitCode"));
	if (strcmp(wanted, "all") == 0)
		return json_pack("{s:O, s:O, s:O}", "code", json_object_get(whole, "exitCode"),
				 "stdout", json_object_get(whole, "stdout"), "stderr",
				 json_object_get(whole, "stderr"));
	return json_incref(json_object_get(whole, wanted));
}
