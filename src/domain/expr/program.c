#include "program.h"

#include "syntax.h"

#include <string.h>

/* Takes the three apart; an expression can name none of what begins with two underscores. */
static const char prelude[] = ". as [$__i,$__in,{context:$context,input:$input,output:$output,"
			      "secrets:$secrets,task:$task,workflow:$workflow,runtime:$runtime,"
			      "__nonce:$__nonce}]|";

static size_t size_of(const struct demon_expr_source *source)
{
	size_t size = strlen(source->text);

	for (const char *const *name = source->variables; name && *name; name++)
		size += 2 * strlen(*name) + 2;
	return size;
}

/* Up to @p most: enough to know that it is more. */
static size_t size_of_all(const struct demon_expr_unit *unit, size_t first, size_t count,
			  size_t most)
{
	size_t size = 0;

	for (size_t i = 0; i < count && size <= most; i++)
		size += size_of(&unit->sources[first + i]);
	return size;
}

struct demon_expr_part demon_expr_part_of(const struct demon_expr_unit *unit, size_t index)
{
	struct demon_expr_part part;
	size_t first = index - index % DEMON_EXPR_PART_COUNT;
	size_t count = DEMON_EXPR_PART_COUNT;

	if (count > unit->count - first)
		count = unit->count - first;
	while (count > 1 &&
	       size_of_all(unit, first, count, DEMON_EXPR_PART_BYTES) > DEMON_EXPR_PART_BYTES) {
		size_t half = count / 2;

		if (index < first + half) {
			count = half;
		} else {
			first += half;
			count -= half;
		}
	}
	memcpy(part.unit, unit->id, sizeof(part.unit));
	part.first = (uint32_t)first;
	part.count = (uint32_t)count;
	return part;
}

static enum demon_rc check_source(const struct demon_expr_source *source, struct demon_err *err)
{
	for (const char *const *name = source->variables; name && *name; name++)
		if (!demon_expr_variable_is_name(*name))
			return demon_err_set(err, DEMON_INVALID,
					     "'$%.64s' cannot be a variable's name", *name);
	return demon_expr_syntax(source->text, err);
}

enum demon_rc demon_expr_part_syntax(const struct demon_expr_unit *unit,
				     const struct demon_expr_part *part, size_t *ret_index,
				     struct demon_err *err)
{
	for (size_t i = part->first; i < (size_t)part->first + part->count; i++) {
		enum demon_rc rc = check_source(&unit->sources[i], err);

		if (rc) {
			*ret_index = i;
			return rc;
		}
	}
	return DEMON_OK;
}

static void add_input(const struct demon_expr_source *source, struct demon_buf *out)
{
	const char *const *name = source->variables;

	if (name && *name) {
		demon_buf_str(out, ". as [$__i,$__in,{");
		for (; *name; name++)
			demon_buf_fmt(out, "%s:$%s%s", *name, *name, name[1] ? "," : "}]|");
	}
	demon_buf_str(out, "$__in|");
}

/* A line end goes before the parenthesis, since the text may end in a comment. */
static void add_expression(const struct demon_expr_source *source, struct demon_buf *out)
{
	demon_buf_char(out, '(');
	add_input(source, out);
	demon_buf_char(out, '(');
	demon_buf_str(out, source->text);
	demon_buf_str(out, "\n))");
}

/* Halves, so that neither the parser nor the evaluation goes through all of them. */
static void add_choice(const struct demon_expr_unit *unit, size_t first, size_t count,
		       struct demon_buf *out)
{
	size_t half = count / 2;

	if (count == 1) {
		add_expression(&unit->sources[first], out);
		return;
	}
	demon_buf_fmt(out, "if $__i<%zu then ", first + half);
	add_choice(unit, first, half, out);
	demon_buf_str(out, " else ");
	add_choice(unit, first + half, count - half, out);
	demon_buf_str(out, " end");
}

void demon_expr_program(const struct demon_expr_unit *unit, const struct demon_expr_part *part,
			struct demon_buf *out)
{
	demon_buf_str(out, prelude);
	add_choice(unit, part->first, part->count, out);
}

void demon_expr_program_bare(const struct demon_expr_source *source, struct demon_buf *out)
{
	demon_buf_str(out, prelude);
	add_input(source, out);
	demon_buf_str(out, source->text);
}
