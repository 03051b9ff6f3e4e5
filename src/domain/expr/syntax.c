#include "syntax.h"

#include "base/json_text.h"

#include <stdio.h>
#include <string.h>

enum kind { END, WORD, FIELD, VARIABLE, OPEN, CLOSE, QUOTE, OTHER };

struct token {
	enum kind kind;
	const char *at;
	size_t len;
};

struct lexer {
	const char *start;
	const char *at;
	const char *end;
	struct demon_err *err;
	/* what is open, by the character that opened it: ( [ { " and i for if */
	char open[DEMON_EXPR_DEPTH_MAX];
	const char *opened[DEMON_EXPR_DEPTH_MAX];
	size_t depth;
};

/* Functions that reach out of the expression, and words that load files. */
static const char *const refused[] = {
    "__loc__",
    "debug",
    "env",
    "get_jq_origin",
    "get_prog_origin",
    "get_search_list",
    "halt",
    "halt_error",
    "import",
    "include",
    "input",
    "input_filename",
    "input_line_number",
    "inputs",
    "module",
    "modulemeta",
    "stderr",
};

static const char *const keywords[] = {
    "and",     "as",    "catch",  "def", "elif",   "else", "end", "foreach", "if",     "import",
    "include", "label", "module", "or",  "reduce", "then", "try", "ENV",     "__loc__"};

static bool is_word_start(char c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_word_start(c) || is_digit(c);
}

static bool is_one_of(const char *word, size_t len, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == len && memcmp(list[i], word, len) == 0)
			return true;
	return false;
}

bool demon_expr_variable_is_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > 256 || !is_word_start(name[0]) || strncmp(name, "__", 2) == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_word(name[i]))
			return false;
	return !is_one_of(name, len, keywords, demon_count(keywords));
}

static enum demon_rc fail(const struct lexer *l, const char *at, const char *why)
{
	size_t line = 1;
	const char *from = l->start;

	for (const char *p = l->start; p < at; p++)
		if (*p == '\n') {
			line++;
			from = p + 1;
		}
	return demon_err_set(l->err, DEMON_INVALID, "%zu:%zu: %s", line, (size_t)(at - from) + 1,
			     why);
}

static void skip_blanks(struct lexer *l)
{
	while (l->at < l->end) {
		if (*l->at == '#')
			l->at += strcspn(l->at, "\n");
		else if (*l->at == ' ' || *l->at == '\t' || *l->at == '\n' || *l->at == '\r')
			l->at++;
		else
			return;
	}
}

/* [a::]name; *at is at its beginning. */
static const char *word_end(const char *at)
{
	while (is_word(*at))
		at++;
	while (at[0] == ':' && at[1] == ':' && is_word_start(at[2]))
		for (at += 2; is_word(*at); at++)
			;
	return at;
}

static const char *number_end(const char *at)
{
	const char *exponent;

	while (is_digit(*at))
		at++;
	if (*at == '.')
		for (at++; is_digit(*at); at++)
			;
	exponent = at;
	if (*exponent != 'e' && *exponent != 'E')
		return at;
	exponent++;
	if (*exponent == '+' || *exponent == '-')
		exponent++;
	if (!is_digit(*exponent))
		return at;
	while (is_digit(*exponent))
		exponent++;
	return exponent;
}

/* Behind what begins with a dot: a field, a number, "..", or the dot. */
static const char *dot_end(const char *at, enum kind *ret_kind)
{
	if (is_word_start(at[1])) {
		*ret_kind = FIELD;
		for (at++; is_word(*at); at++)
			;
		return at;
	}
	if (is_digit(at[1]))
		return number_end(at);
	return at + (at[1] == '.' ? 2 : 1);
}

static enum kind kind_of_sign(char c)
{
	switch (c) {
	case '(':
	case '[':
	case '{':
		return OPEN;
	case ')':
	case ']':
	case '}':
		return CLOSE;
	case '"':
		return QUOTE;
	case '$':
		return VARIABLE;
	default:
		return OTHER;
	}
}

/* The next token outside strings; a string is its opening quote. */
static struct token next_token(struct lexer *l)
{
	struct token t = {.kind = OTHER};
	const char *end;

	skip_blanks(l);
	t.at = end = l->at;
	if (end == l->end) {
		t.kind = END;
	} else if (is_word_start(*end)) {
		t.kind = WORD;
		end = word_end(end);
	} else if (*end == '.') {
		end = dot_end(end, &t.kind);
	} else if (is_digit(*end)) {
		end = number_end(end);
	} else if (*end == '@') {
		for (end++; is_word(*end); end++)
			;
	} else {
		t.kind = kind_of_sign(*end++);
	}
	l->at = end;
	t.len = (size_t)(end - t.at);
	return t;
}

static enum demon_rc push(struct lexer *l, char what, const char *at)
{
	if (l->depth == DEMON_EXPR_DEPTH_MAX)
		return fail(l, at, "is nested too deeply");
	l->opened[l->depth] = at;
	l->open[l->depth++] = what;
	return DEMON_OK;
}

static char innermost(const struct lexer *l)
{
	if (l->depth == 0)
		return '\0';
	return l->open[l->depth - 1];
}

static bool is(const struct token *t, const char *text)
{
	return t->len == strlen(text) && memcmp(t->at, text, t->len) == 0;
}

/* A key of an object: after its brace or a comma in it, before a colon, a comma or its end. */
static bool is_key(const struct lexer *l, const struct token *before)
{
	struct lexer ahead = *l;

	if (innermost(l) != '{' || !(is(before, "{") || is(before, ",")))
		return false;
	skip_blanks(&ahead);
	return *ahead.at == ':' || *ahead.at == ',' || *ahead.at == '}';
}

static enum demon_rc refuse(const struct lexer *l, const struct token *t, const char *prefix)
{
	char why[160];

	(void)snprintf(why, sizeof(why), "'%s%.*s' is not to be had in an expression", prefix,
		       t->len < 64 ? (int)t->len : 64, t->at);
	return fail(l, t->at, why);
}

static enum demon_rc see_word(struct lexer *l, const struct token *t, const struct token *before)
{
	if (is_key(l, before))
		return DEMON_OK;
	if (is_one_of(t->at, t->len, refused, demon_count(refused)))
		return refuse(l, t, "");
	if (is(t, "if"))
		return push(l, 'i', t->at);
	if (!is(t, "end"))
		return DEMON_OK;
	if (innermost(l) != 'i')
		return fail(l, t->at, "'end' without 'if'");
	l->depth--;
	return DEMON_OK;
}

/* What follows a dollar sign. Names with two underscores belong to the program around it. */
static enum demon_rc see_variable(struct lexer *l)
{
	struct token name = next_token(l);

	if (name.kind != WORD)
		return fail(l, name.at, "expected a name after '$'");
	if (is(&name, "ENV") ||
	    (name.len > 2 && memcmp(name.at, "__", 2) == 0 && !is(&name, "__nonce")))
		return refuse(l, &name, "$");
	return DEMON_OK;
}

/* The text of a string up to its end or to an expression in it. */
static enum demon_rc see_string(struct lexer *l)
{
	while (l->at < l->end) {
		char c = *l->at++;

		if (c == '"') {
			l->depth--;
			return DEMON_OK;
		}
		if (c == '\\' && *l->at == '(')
			return push(l, '(', l->at++);
		if (c == '\\' && l->at < l->end)
			l->at++;
	}
	return fail(l, l->opened[l->depth - 1], "the string has no end");
}

static enum demon_rc see_close(struct lexer *l, const struct token *t)
{
	static const char pairs[] = "()[]{}";
	const char *pair = strchr(pairs, *t->at);
	char why[64];

	if (innermost(l) != pair[-1]) {
		(void)snprintf(why, sizeof(why), "'%c' closes nothing", *t->at);
		return fail(l, t->at, why);
	}
	l->depth--;
	return innermost(l) == '"' ? see_string(l) : DEMON_OK;
}

static enum demon_rc see(struct lexer *l, struct token *t, const struct token *before)
{
	enum demon_rc rc;

	switch (t->kind) {
	case WORD:
		return see_word(l, t, before);
	case VARIABLE:
		return see_variable(l);
	case OPEN:
		return push(l, *t->at, t->at);
	case CLOSE:
		return see_close(l, t);
	case QUOTE:
		rc = push(l, '"', t->at);
		return rc ? rc : see_string(l);
	case END:
	case FIELD:
	case OTHER:
	default:
		return DEMON_OK;
	}
}

static enum demon_rc check_bytes(const struct lexer *l)
{
	for (const char *p = l->start; p < l->end;) {
		size_t n = demon_json_utf8(p, l->end);

		if (n == 0)
			return fail(l, p, "is not valid UTF-8");
		p += n;
	}
	return DEMON_OK;
}

enum demon_rc demon_expr_syntax(const char *text, struct demon_err *err)
{
	size_t len = strnlen(text, DEMON_EXPR_TEXT_MAX + 1);
	struct lexer l = {.start = text, .at = text, .end = text + len, .err = err};
	struct token before = {.kind = OTHER, .at = text};
	struct token t;
	enum demon_rc rc;
	bool any = false;
	char why[64];

	if (len > DEMON_EXPR_TEXT_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "is longer than %zu bytes",
				     DEMON_EXPR_TEXT_MAX);
	if ((rc = check_bytes(&l)))
		return rc;
	while ((t = next_token(&l)).kind != END) {
		any = true;
		if ((rc = see(&l, &t, &before)))
			return rc;
		before = t;
	}
	if (!any)
		return demon_err_set(err, DEMON_INVALID, "is empty");
	if (l.depth == 0)
		return DEMON_OK;
	(void)snprintf(why, sizeof(why), "'%.*s' is not closed", innermost(&l) == 'i' ? 2 : 1,
		       l.opened[l.depth - 1]);
	return fail(&l, l.opened[l.depth - 1], why);
}
