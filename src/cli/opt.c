#include "opt.h"

#include "base/suggest.h"

#include <errno.h>
#include <string.h>

#define KNOWN_MAX 96 /* options that a command and the globals have together */

void demon_args_done(struct demon_args *args)
{
	free(args->given);
	free(args->words);
	*args = (struct demon_args){0};
}

static enum demon_rc add_given(struct demon_args *args, const struct demon_opt *opt,
			       const char *value, struct demon_err *err)
{
	struct demon_given *grown =
	    demon_realloc(args->given, args->given_count + 1, sizeof(*grown));

	if (!grown)
		return demon_err_set(err, DEMON_NOMEM, "no memory for options");
	args->given = grown;
	args->given[args->given_count++] = (struct demon_given){.opt = opt, .value = value};
	return DEMON_OK;
}

static enum demon_rc add_word(struct demon_args *args, const char *word, struct demon_err *err)
{
	const char **grown =
	    demon_realloc((void *)args->words, args->word_count + 1, sizeof(*grown));

	if (!grown)
		return demon_err_set(err, DEMON_NOMEM, "no memory for arguments");
	args->words = grown;
	args->words[args->word_count++] = word;
	return DEMON_OK;
}

static const struct demon_opt *find_name(const struct demon_args *args, const char *name, size_t n)
{
	for (size_t t = 0; args->tables[t]; t++)
		for (const struct demon_opt *o = args->tables[t]; o->name; o++)
			if (strncmp(o->name, name, n) == 0 && !o->name[n])
				return o;
	return NULL;
}

static const struct demon_opt *find_letter(const struct demon_args *args, char letter)
{
	for (size_t t = 0; args->tables[t]; t++)
		for (const struct demon_opt *o = args->tables[t]; o->name; o++)
			if (o->letter == letter)
				return o;
	return NULL;
}

static enum demon_rc unknown(const struct demon_args *args, const char *name, size_t n,
			     struct demon_err *err)
{
	const char *known[KNOWN_MAX];
	demon_auto_free char *word = demon_strndup(name, n);
	const char *near = NULL;
	size_t count = 0;

	for (size_t t = 0; args->tables[t]; t++)
		for (const struct demon_opt *o = args->tables[t]; o->name && count < KNOWN_MAX; o++)
			known[count++] = o->name;
	if (word)
		near = demon_suggest(word, known, count);
	if (near)
		return demon_err_set(err, DEMON_USAGE,
				     "unknown option '--%.*s': did you mean '--%s'?",
				     n > 64 ? 64 : (int)n, name, near);
	return demon_err_set(err, DEMON_USAGE, "unknown option '--%.*s'", n > 64 ? 64 : (int)n,
			     name);
}

/* @p word begins behind the two dashes; @p next is the word that follows, or NULL. */
static enum demon_rc read_long(struct demon_args *args, const char *word, const char *next,
			       bool *ret_took_next, struct demon_err *err)
{
	size_t n = strcspn(word, "=");
	const struct demon_opt *opt = find_name(args, word, n);
	const char *value = word[n] ? word + n + 1 : NULL;

	*ret_took_next = false;
	if (!opt)
		return unknown(args, word, n, err);
	if (!opt->value && value)
		return demon_err_set(err, DEMON_USAGE, "option '--%s' takes no value", opt->name);
	if (opt->value && !value) {
		if (!next)
			return demon_err_set(err, DEMON_USAGE, "option '--%s' needs a value: %s",
					     opt->name, opt->value);
		if (strncmp(next, "--", 2) == 0)
			return demon_err_set(err, DEMON_USAGE,
					     "option '--%s' needs a value: if '%s' is meant, write "
					     "'--%s=%s'",
					     opt->name, next, opt->name, next);
		value = next;
		*ret_took_next = true;
	}
	return add_given(args, opt, value, err);
}

static enum demon_rc read_letters(struct demon_args *args, const char *letters,
				  struct demon_err *err)
{
	enum demon_rc rc;

	for (; *letters; letters++) {
		const struct demon_opt *opt = find_letter(args, *letters);

		if (!opt)
			return demon_err_set(err, DEMON_USAGE, "unknown option '-%c'", *letters);
		if ((rc = add_given(args, opt, NULL, err)))
			return rc;
	}
	return DEMON_OK;
}

enum demon_rc demon_args_read(struct demon_args *args, int argc, char *const *argv, int *at,
			      bool first, struct demon_err *err)
{
	enum demon_rc rc;

	while (*at < argc) {
		const char *word = argv[(*at)++];
		bool took_next = false;

		if (args->ended || word[0] != '-' || !word[1]) {
			if ((rc = add_word(args, word, err)) || first)
				return rc;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			args->ended = true;
			continue;
		}
		if (word[1] == '-')
			rc = read_long(args, word + 2, *at < argc ? argv[*at] : NULL, &took_next,
				       err);
		else
			rc = read_letters(args, word + 1, err);
		if (rc)
			return rc;
		*at += took_next;
	}
	return DEMON_OK;
}

const char *demon_args_get(const struct demon_args *args, const char *name)
{
	const char *value = NULL;
	const char *v;
	size_t at = 0;

	while ((v = demon_args_next(args, name, &at)))
		value = v;
	return value;
}

bool demon_args_has(const struct demon_args *args, const char *name)
{
	for (size_t i = 0; i < args->given_count; i++)
		if (strcmp(args->given[i].opt->name, name) == 0)
			return true;
	return false;
}

const char *demon_args_next(const struct demon_args *args, const char *name, size_t *at)
{
	while (*at < args->given_count) {
		const struct demon_given *g = &args->given[(*at)++];

		if (g->value && strcmp(g->opt->name, name) == 0)
			return g->value;
	}
	return NULL;
}

enum demon_rc demon_args_number(const struct demon_args *args, const char *name, int64_t min,
				int64_t max, int64_t *number, struct demon_err *err)
{
	const char *text = demon_args_get(args, name);
	char *end;
	long long v;

	if (!text)
		return DEMON_OK;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || end == text || *end || v < min || v > max)
		return demon_err_set(err, DEMON_USAGE,
				     "option '--%s': '%s' is not a number from %lld to %lld", name,
				     text, (long long)min, (long long)max);
	*number = v;
	return DEMON_OK;
}
