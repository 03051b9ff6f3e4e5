/*
 * libyaml is a YAML 1.1 parser; it is used for structure only, as a source of events. Meaning, by
 * the 1.2 core schema, and every limit are decided here.
 */
#include "base/yaml.h"

#include "yaml_doc.h"
#include "yaml_scalar.h"
#include "yaml_text.h"

#include <assert.h>
#include <string.h>
#include <yaml.h>

#define TAG_PREFIX    "tag:yaml.org,2002:"
#define NOT_AS_TAGGED "the value is not what its tag says"

const struct demon_yaml_limits demon_yaml_ritual_limits = {1 << 20, 100, 200000};

/* A collection whose end has not been seen. */
struct open {
	struct demon_yaml_node *node;
	struct demon_yaml_node **items; /* owned while open */
	size_t count;
	size_t cap;
	json_t *seen;    /* keys of a mapping: name -> index of its item; owned */
	const char *key; /* read, its value not yet */
	unsigned key_line;
	unsigned key_column;
};

struct reader {
	const char *name;
	const char *text; /* borrowed */
	size_t len;
	const struct demon_yaml_limits *limits;
	struct demon_yaml_doc *doc;
	struct open *stack; /* limits->depth of them */
	unsigned depth;
	unsigned nodes;
	struct demon_err *err;
};

/* errors ---------------------------------------------------------------------------------- */

static enum demon_rc no_memory(struct reader *r)
{
	return demon_err_set(r->err, DEMON_NOMEM, "%s: out of memory", r->name);
}

static enum demon_rc at(struct reader *r, yaml_mark_t mark, enum demon_rc rc, const char *why)
{
	return demon_err_set(r->err, rc, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1,
			     why);
}

/* nodes ----------------------------------------------------------------------------------- */

static struct open *top(struct reader *r)
{
	return r->depth ? &r->stack[r->depth - 1] : NULL;
}

static enum demon_rc add_item(struct reader *r, struct open *to, struct demon_yaml_node *node)
{
	if (to->count == to->cap) {
		size_t cap = to->cap ? to->cap * 2 : 8;
		struct demon_yaml_node **items = demon_realloc(to->items, cap, sizeof(void *));

		if (!items)
			return no_memory(r);
		to->items = items;
		to->cap = cap;
	}
	to->items[to->count++] = node;
	return DEMON_OK;
}

/* A new node in its place: the root, an item, or the value of the key before it. */
static enum demon_rc place(struct reader *r, enum demon_yaml_kind kind, yaml_mark_t mark,
			   struct demon_yaml_node **ret)
{
	struct open *parent = top(r);
	struct demon_yaml_node *node;

	if (++r->nodes > r->limits->nodes)
		return demon_err_set(r->err, DEMON_TOOBIG, "%s:%zu:%zu: more than %u nodes",
				     r->name, mark.line + 1, mark.column + 1, r->limits->nodes);
	node = demon_yaml_alloc(r->doc, sizeof(*node));
	if (!node)
		return no_memory(r);
	*node = (struct demon_yaml_node){
	    .kind = kind, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
	*ret = node;
	if (!parent) {
		r->doc->root = node;
		return DEMON_OK;
	}
	if (parent->node->kind == DEMON_YAML_MAPPING) {
		node->key = parent->key;
		node->key_line = parent->key_line;
		node->key_column = parent->key_column;
		parent->key = NULL;
	}
	return add_item(r, parent, node);
}

static enum demon_rc open_collection(struct reader *r, enum demon_yaml_kind kind, yaml_mark_t mark)
{
	struct demon_yaml_node *node;
	enum demon_rc rc;

	assert(r->stack);
	if (top(r) && top(r)->node->kind == DEMON_YAML_MAPPING && !top(r)->key)
		return at(r, mark, DEMON_INVALID, "a key has to be a string");
	if (r->depth == r->limits->depth)
		return demon_err_set(r->err, DEMON_TOOBIG, "%s:%zu:%zu: more than %u levels",
				     r->name, mark.line + 1, mark.column + 1, r->limits->depth);
	if ((rc = place(r, kind, mark, &node)))
		return rc;
	r->stack[r->depth++] = (struct open){.node = node};
	if (kind == DEMON_YAML_MAPPING) {
		r->stack[r->depth - 1].seen = json_object();
		if (!r->stack[r->depth - 1].seen)
			return no_memory(r);
	}
	return DEMON_OK;
}

static enum demon_rc close_collection(struct reader *r)
{
	struct open *o = &r->stack[r->depth - 1];
	struct demon_yaml_node **items = demon_yaml_alloc(r->doc, o->count * sizeof(void *));

	if (!items)
		return no_memory(r);
	if (o->count)
		memcpy(items, o->items, o->count * sizeof(void *));
	o->node->items = items;
	o->node->count = o->count;
	free(o->items);
	json_decref(o->seen);
	r->depth--;
	return DEMON_OK;
}

/* The short name of a core schema's tag, or NULL. "!" says string, list or mapping, as it stands
 * before one; @p plain is the name of that. */
static const char *core_name(const char *tag, const char *plain)
{
	static const char *const known[] = {"str", "int", "float", "bool", "null", "seq", "map"};

	if (strcmp(tag, "!") == 0)
		return plain;
	if (strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) == 0)
		for (size_t i = 0; i < demon_count(known); i++)
			if (strcmp(tag + strlen(TAG_PREFIX), known[i]) == 0)
				return known[i];
	return NULL;
}

/* *ret_name: what the tag asks for; NULL: there is none. */
static enum demon_rc check_tag(struct reader *r, const yaml_char_t *tag, const char *plain,
			       yaml_mark_t mark, const char **ret_name)
{
	const char *text = (const char *)tag;
	bool foreign;

	*ret_name = text ? core_name(text, plain) : NULL;
	if (!text || *ret_name)
		return DEMON_OK;
	foreign = strncmp(text, TAG_PREFIX, strlen(TAG_PREFIX)) != 0;
	return demon_err_set(r->err, DEMON_INVALID,
			     "%s:%zu:%zu: tag '%s%.80s' is not allowed: only those of the core "
			     "schema are (!!str, !!int, !!float, !!bool, !!null, !!seq, !!map)",
			     r->name, mark.line + 1, mark.column + 1, foreign ? "" : "!!",
			     foreign ? text : text + strlen(TAG_PREFIX));
}

static bool has_tagged_kind(const json_t *json, const char *name)
{
	switch (json_typeof(json)) {
	case JSON_INTEGER:
		return strcmp(name, "int") == 0 || strcmp(name, "float") == 0;
	case JSON_REAL:
		return strcmp(name, "float") == 0;
	case JSON_TRUE:
	case JSON_FALSE:
		return strcmp(name, "bool") == 0;
	case JSON_NULL:
		return strcmp(name, "null") == 0;
	case JSON_OBJECT:
	case JSON_ARRAY:
	case JSON_STRING:
		return false;
	}
	return false;
}

/* *ret_json is new. */
static enum demon_rc scalar_value(struct reader *r, const yaml_event_t *e, json_t **ret_json)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	const char *tag;
	enum demon_rc rc;

	if ((rc = check_tag(r, e->data.scalar.tag, "str", e->start_mark, &tag)))
		return rc;
	if (memchr(text, '\0', len))
		return at(r, e->start_mark, DEMON_INVALID, "a NUL character in a string");
	if (tag ? strcmp(tag, "str") == 0 : e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
		*ret_json = json_stringn(text, len);
		return *ret_json ? DEMON_OK : no_memory(r);
	}
	if (demon_yaml_resolve(text, len, ret_json, r->err))
		return demon_err_wrap(r->err, "%s:%zu:%zu", r->name, e->start_mark.line + 1,
				      e->start_mark.column + 1);
	if (tag && !has_tagged_kind(*ret_json, tag)) {
		json_decref(*ret_json);
		return at(r, e->start_mark, DEMON_INVALID, NOT_AS_TAGGED);
	}
	return DEMON_OK;
}

static enum demon_rc read_key(struct reader *r, const yaml_event_t *e, const json_t *value)
{
	struct open *o = top(r);
	const char *key = json_string_value(value);
	const json_t *before;

	if (!key)
		return at(r, e->start_mark, DEMON_INVALID,
			  "a key has to be a string: put it in quotes");
	if (strcmp(key, "<<") == 0 && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return at(r, e->start_mark, DEMON_INVALID, "merge keys are not allowed");
	before = json_object_get(o->seen, key);
	if (before) {
		const struct demon_yaml_node *first = o->items[json_integer_value(before)];

		return demon_err_set(r->err, DEMON_INVALID,
				     "%s:%zu:%zu: key '%.80s' stands twice, first at %u:%u",
				     r->name, e->start_mark.line + 1, e->start_mark.column + 1, key,
				     first->key_line, first->key_column);
	}
	if (json_object_set_new(o->seen, key, json_integer((json_int_t)o->count)))
		return no_memory(r);
	o->key = demon_yaml_keep_text(r->doc, key, json_string_length(value));
	o->key_line = (unsigned)e->start_mark.line + 1;
	o->key_column = (unsigned)e->start_mark.column + 1;
	return o->key ? DEMON_OK : no_memory(r);
}

static enum demon_rc read_scalar(struct reader *r, const yaml_event_t *e)
{
	struct open *o = top(r);
	struct demon_yaml_node *node;
	json_t *json;
	enum demon_rc rc;

	if (!o && !e->data.scalar.tag && e->data.scalar.length == 0 &&
	    e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return at(r, e->start_mark, DEMON_INVALID, "the document is empty");
	if ((rc = scalar_value(r, e, &json)))
		return rc;
	if (!demon_yaml_keep_value(r->doc, json))
		return no_memory(r);
	if (o && o->node->kind == DEMON_YAML_MAPPING && !o->key)
		return read_key(r, e, json);
	if ((rc = place(r, DEMON_YAML_SCALAR, e->start_mark, &node)))
		return rc;
	node->scalar = json;
	return DEMON_OK;
}

/* events ---------------------------------------------------------------------------------- */

static enum demon_rc read_start(struct reader *r, const yaml_event_t *e, bool mapping)
{
	const yaml_char_t *tag = mapping ? e->data.mapping_start.tag : e->data.sequence_start.tag;
	const yaml_char_t *anchor =
	    mapping ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;

	const char *own = mapping ? "map" : "seq";
	const char *asked;
	enum demon_rc rc;

	if (anchor)
		return at(r, e->start_mark, DEMON_INVALID, "anchors are not allowed");
	if ((rc = check_tag(r, tag, own, e->start_mark, &asked)))
		return rc;
	if (asked && strcmp(asked, own) != 0)
		return at(r, e->start_mark, DEMON_INVALID, NOT_AS_TAGGED);
	return open_collection(r, mapping ? DEMON_YAML_MAPPING : DEMON_YAML_SEQUENCE,
			       e->start_mark);
}

static enum demon_rc read_event(struct reader *r, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return r->doc->root ? at(r, e->start_mark, DEMON_INVALID,
					 "a second document; a file holds one")
				    : DEMON_OK;
	case YAML_ALIAS_EVENT:
		return at(r, e->start_mark, DEMON_INVALID,
			  "aliases are not allowed: write the value out");
	case YAML_SCALAR_EVENT:
		if (e->data.scalar.anchor)
			return at(r, e->start_mark, DEMON_INVALID, "anchors are not allowed");
		return read_scalar(r, e);
	case YAML_SEQUENCE_START_EVENT:
		return read_start(r, e, false);
	case YAML_MAPPING_START_EVENT:
		return read_start(r, e, true);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_collection(r);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return DEMON_OK;
	}
	return DEMON_OK;
}

/* libyaml's words, or better ones for what people get wrong most. */
static enum demon_rc syntax_error(struct reader *r, const yaml_parser_t *parser)
{
	yaml_mark_t mark = parser->problem_mark;
	const char *problem = parser->problem ? parser->problem : "not YAML";
	const char *context = parser->context;
	char c;

	if (parser->error == YAML_MEMORY_ERROR)
		return no_memory(r);
	if (strcmp(problem, "found character that cannot start any token") == 0) {
		c = demon_yaml_byte_at(r->text, r->len, mark.line + 1, mark.column + 1);
		if (c == '\t')
			return at(r, mark, DEMON_INVALID,
				  "a tab cannot stand here: indent with spaces");
		return demon_err_set(r->err, DEMON_INVALID,
				     "%s:%zu:%zu: '%c' cannot begin a value: put it in quotes",
				     r->name, mark.line + 1, mark.column + 1, c ? c : '?');
	}
	if (strcmp(problem, "found invalid Unicode character escape code") == 0)
		return at(r, mark, DEMON_INVALID,
			  "the escape is not a character (one beyond \\uffff is written as it "
			  "is, or as \\U and eight digits)");
	return demon_err_set(r->err, DEMON_INVALID, "%s:%zu:%zu: %s%s%s", r->name, mark.line + 1,
			     mark.column + 1, context ? context : "", context ? ": " : "", problem);
}

static enum demon_rc read_all(struct reader *r, yaml_parser_t *parser)
{
	for (;;) {
		yaml_event_t e;
		yaml_event_type_t type;
		enum demon_rc rc;

		if (!yaml_parser_parse(parser, &e))
			return syntax_error(r, parser);
		type = e.type;
		rc = read_event(r, &e);
		yaml_event_delete(&e);
		if (rc || type == YAML_STREAM_END_EVENT)
			return rc;
	}
}

static enum demon_rc read_document(struct reader *r)
{
	yaml_parser_t parser;
	enum demon_rc rc;

	if (!yaml_parser_initialize(&parser))
		return no_memory(r);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)r->text, r->len);
	rc = read_all(r, &parser);
	yaml_parser_delete(&parser);
	while (r->depth) {
		free(top(r)->items);
		json_decref(top(r)->seen);
		r->depth--;
	}
	if (!rc && !r->doc->root)
		rc = demon_err_set(r->err, DEMON_INVALID, "%s:1:1: the file is empty", r->name);
	return rc;
}

enum demon_rc demon_yaml_parse(const char *name, const char *text, size_t len,
			       const struct demon_yaml_limits *limits,
			       struct demon_yaml_doc **ret_doc, struct demon_err *err)
{
	struct reader r = {.name = name, .text = text, .len = len, .limits = limits, .err = err};
	enum demon_rc rc;

	if (len > limits->max_bytes)
		return demon_err_set(err, DEMON_TOOBIG, "%s: %zu bytes; the limit is %zu", name,
				     len, limits->max_bytes);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		r.text += 3;
		r.len -= 3;
	}
	if ((rc = demon_yaml_check_text(name, r.text, r.len, err)))
		return rc;
	r.doc = demon_calloc(1, sizeof(*r.doc));
	r.stack = demon_calloc(limits->depth, sizeof(*r.stack));
	rc = r.doc && r.stack ? read_document(&r) : no_memory(&r);
	free(r.stack);
	if (rc)
		demon_yaml_free(r.doc);
	else
		*ret_doc = r.doc;
	return rc;
}
