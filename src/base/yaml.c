/*
 * libyaml is a YAML 1.1 parser; it is used for structure only, as a source of events. Meaning, by
 * the 1.2 core schema, and every limit are decided here.
 */
#include "base/yaml.h"

#include "buf.h"
#include "json.h"
#include "json_text.h"
#include "yaml_scalar.h"

#include <assert.h>
#include <string.h>
#include <yaml.h>

#define TAG_PREFIX "tag:yaml.org,2002:"

const struct demon_yaml_limits demon_yaml_ritual_limits = {1 << 20, 100, 200000};

/* Memory that lives as long as its document. */
struct block {
	struct block *next;
	size_t used;
	size_t size;
	char bytes[];
};

/* A scalar's value, owned by the document. */
struct value {
	struct value *next;
	json_t *json;
};

struct demon_yaml_doc {
	struct block *blocks;
	struct value *values;
	struct demon_yaml_node *root;
};

/* A collection whose end has not been seen. */
struct open {
	struct demon_yaml_node *node;
	struct demon_yaml_node **items; /* owned while open */
	size_t count;
	size_t cap;
	json_t *seen;    /* keys of a mapping: name -> line; owned */
	const char *key; /* read, its value not yet */
	unsigned key_line;
	unsigned key_column;
};

struct reader {
	const char *name;
	const struct demon_yaml_limits *limits;
	struct demon_yaml_doc *doc;
	struct open *stack; /* limits->depth of them */
	unsigned depth;
	unsigned nodes;
	struct demon_err *err;
};

/* memory ---------------------------------------------------------------------------------- */

static void *allocate(struct demon_yaml_doc *doc, size_t n)
{
	struct block *b = doc->blocks;
	size_t size = n > 8192 ? n : 8192;
	void *p;

	n = (n + 15) & ~(size_t)15;
	if (!b || b->size - b->used < n) {
		b = demon_calloc(1, sizeof(*b) + size + 16);
		if (!b)
			return NULL;
		b->size = size + 16;
		b->next = doc->blocks;
		doc->blocks = b;
	}
	p = b->bytes + b->used;
	b->used += n;
	return p;
}

static char *keep_text(struct demon_yaml_doc *doc, const char *text, size_t n)
{
	char *copy = allocate(doc, n + 1);

	if (copy) {
		memcpy(copy, text, n);
		copy[n] = '\0';
	}
	return copy;
}

void demon_yaml_free(struct demon_yaml_doc *doc)
{
	if (!doc)
		return;
	for (struct value *v = doc->values; v; v = v->next)
		json_decref(v->json);
	while (doc->blocks) {
		struct block *next = doc->blocks->next;

		free(doc->blocks);
		doc->blocks = next;
	}
	free(doc);
}

void demon_yaml_free_p(struct demon_yaml_doc **doc)
{
	demon_yaml_free(*doc);
}

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

/* text ------------------------------------------------------------------------------------ */

static bool is_control(unsigned char c)
{
	return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

/* Bytes are looked at before libyaml sees them, so that the places are exact. */
static enum demon_rc check_bytes(struct reader *r, const char *text, size_t len)
{
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)text[i];
		size_t n = c < 0x80 ? 1 : demon_json_utf8(text + i, text + len);

		if (n == 0)
			return at(r, mark, DEMON_INVALID, "not valid UTF-8");
		if (c == 0)
			return at(r, mark, DEMON_INVALID, "a NUL byte");
		if (is_control(c))
			return at(r, mark, DEMON_INVALID, "a control character");
		i += n;
		mark.column++;
		if (c == '\n' || (c == '\r' && (i == len || text[i] != '\n'))) {
			mark.line++;
			mark.column = 0;
		}
	}
	return DEMON_OK;
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
	node = allocate(r->doc, sizeof(*node));
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
	struct demon_yaml_node **items = allocate(r->doc, o->count * sizeof(void *));

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

/* What the tag of a scalar asks for; NULL: what its text says. */
static enum demon_rc check_tag(struct reader *r, const yaml_event_t *e, const char **ret_name)
{
	static const char *const known[] = {"str", "int", "float", "bool", "null"};
	const char *tag = (const char *)e->data.scalar.tag;

	*ret_name = NULL;
	if (!tag)
		return DEMON_OK;
	if (strcmp(tag, "!") == 0) {
		*ret_name = "str";
		return DEMON_OK;
	}
	if (strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) == 0) {
		for (size_t i = 0; i < demon_count(known); i++)
			if (strcmp(tag + strlen(TAG_PREFIX), known[i]) == 0)
				*ret_name = known[i];
	}
	return *ret_name
		   ? DEMON_OK
		   : at(r, e->start_mark, DEMON_INVALID, "tags of its own kind are not allowed");
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

	if ((rc = check_tag(r, e, &tag)))
		return rc;
	if (memchr(text, '\0', len))
		return at(r, e->start_mark, DEMON_INVALID, "a NUL character in a string");
	if (tag ? strcmp(tag, "str") == 0 : e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
		*ret_json = json_stringn(text, len);
		return *ret_json ? DEMON_OK
				 : at(r, e->start_mark, DEMON_INVALID, "not a valid string");
	}
	if (demon_yaml_resolve(text, len, ret_json, r->err))
		return demon_err_wrap(r->err, "%s:%zu:%zu", r->name, e->start_mark.line + 1,
				      e->start_mark.column + 1);
	if (tag && !has_tagged_kind(*ret_json, tag)) {
		json_decref(*ret_json);
		return at(r, e->start_mark, DEMON_INVALID, "the value is not what its tag says");
	}
	return DEMON_OK;
}

static enum demon_rc keep_value(struct reader *r, json_t *json)
{
	struct value *v = allocate(r->doc, sizeof(*v));

	if (!v) {
		json_decref(json);
		return no_memory(r);
	}
	*v = (struct value){r->doc->values, json};
	r->doc->values = v;
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
	if (before)
		return demon_err_set(r->err, DEMON_INVALID,
				     "%s:%zu:%zu: key '%.80s' stands twice, first in line %lld",
				     r->name, e->start_mark.line + 1, e->start_mark.column + 1, key,
				     (long long)json_integer_value(before));
	if (json_object_set_new(o->seen, key, json_integer((json_int_t)e->start_mark.line + 1)))
		return no_memory(r);
	o->key = keep_text(r->doc, key, json_string_length(value));
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

	if ((rc = scalar_value(r, e, &json)) || (rc = keep_value(r, json)))
		return rc;
	if (o && o->node->kind == DEMON_YAML_MAPPING && !o->key)
		return read_key(r, e, json);
	if ((rc = place(r, DEMON_YAML_SCALAR, e->start_mark, &node)))
		return rc;
	node->scalar = json;
	return DEMON_OK;
}

/* events ---------------------------------------------------------------------------------- */

static bool is_collection_tag(const yaml_char_t *tag, const char *name)
{
	const char *text = (const char *)tag;

	return !text || strcmp(text, "!") == 0 ||
	       (strncmp(text, TAG_PREFIX, strlen(TAG_PREFIX)) == 0 &&
		strcmp(text + strlen(TAG_PREFIX), name) == 0);
}

static enum demon_rc read_start(struct reader *r, const yaml_event_t *e, bool mapping)
{
	const yaml_char_t *tag = mapping ? e->data.mapping_start.tag : e->data.sequence_start.tag;
	const yaml_char_t *anchor =
	    mapping ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;

	if (anchor)
		return at(r, e->start_mark, DEMON_INVALID, "anchors are not allowed");
	if (!is_collection_tag(tag, mapping ? "map" : "seq"))
		return at(r, e->start_mark, DEMON_INVALID, "tags of its own kind are not allowed");
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

static enum demon_rc syntax_error(struct reader *r, const yaml_parser_t *parser)
{
	yaml_mark_t mark = parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR)
		return no_memory(r);
	return demon_err_set(r->err, DEMON_INVALID, "%s:%zu:%zu: %s%s%s", r->name, mark.line + 1,
			     mark.column + 1, parser->context ? parser->context : "",
			     parser->context ? ": " : "",
			     parser->problem ? parser->problem : "not YAML");
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

static enum demon_rc read_document(struct reader *r, const char *text, size_t len)
{
	yaml_parser_t parser;
	enum demon_rc rc;

	if (!yaml_parser_initialize(&parser))
		return no_memory(r);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
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
	struct reader r = {.name = name, .limits = limits, .err = err};
	enum demon_rc rc;

	if (len > limits->max_bytes)
		return demon_err_set(err, DEMON_TOOBIG, "%s: %zu bytes; the limit is %zu", name,
				     len, limits->max_bytes);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	if ((rc = check_bytes(&r, text, len)))
		return rc;
	r.doc = demon_calloc(1, sizeof(*r.doc));
	r.stack = demon_calloc(limits->depth, sizeof(*r.stack));
	rc = r.doc && r.stack ? read_document(&r, text, len) : no_memory(&r);
	free(r.stack);
	if (rc)
		demon_yaml_free(r.doc);
	else
		*ret_doc = r.doc;
	return rc;
}

/* reading the tree ------------------------------------------------------------------------ */

const struct demon_yaml_node *demon_yaml_root(const struct demon_yaml_doc *doc)
{
	return doc->root;
}

const struct demon_yaml_node *demon_yaml_get(const struct demon_yaml_node *mapping, const char *key)
{
	for (size_t i = 0; i < mapping->count; i++)
		if (mapping->items[i]->key && strcmp(mapping->items[i]->key, key) == 0)
			return mapping->items[i];
	return NULL;
}

/* The depth is bounded by the limit that the document was read with. */
json_t *demon_yaml_json(const struct demon_yaml_node *node) /* NOLINT(misc-no-recursion) */
{
	json_t *json;

	if (node->kind == DEMON_YAML_SCALAR)
		return json_deep_copy(node->scalar);
	json = node->kind == DEMON_YAML_MAPPING ? json_object() : json_array();
	for (size_t i = 0; json && i < node->count; i++) {
		json_t *item = demon_yaml_json(node->items[i]);
		int failed = node->kind == DEMON_YAML_MAPPING
				 ? json_object_set_new(json, node->items[i]->key, item)
				 : json_array_append_new(json, item);

		if (failed) {
			json_decref(json);
			json = NULL;
		}
	}
	return json;
}

const char *demon_yaml_describe(const struct demon_yaml_node *node)
{
	if (node->kind == DEMON_YAML_SEQUENCE)
		return "a list";
	if (node->kind == DEMON_YAML_MAPPING)
		return "a mapping";
	switch (json_typeof(node->scalar)) {
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return "nothing";
}
