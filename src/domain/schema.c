#include "schema_node.h"

#include "base/json_text.h"
#include "base/suggest.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct demon_schemas {
	struct demon_schema *nodes;
	struct demon_schema_pattern *patterns;
	json_t *documents; /* array */
};

/* The compilation of one document. */
struct compiler {
	struct demon_schemas *schemas;
	const json_t *root;
	const struct demon_schema *others; /* the nodes of earlier documents begin here */
	const struct demon_json_place *place;
	struct demon_err *err;
};

typedef enum demon_rc keyword_fn(struct compiler *c, struct demon_schema *s, const json_t *value);

static enum demon_rc compile(struct compiler *c, const json_t *source,
			     const struct demon_schema **ret_schema);

__attribute__((format(printf, 2, 3))) static enum demon_rc refuse(struct compiler *c,
								  const char *fmt, ...)
{
	char place[DEMON_JSON_PLACE_LEN];
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	demon_json_place_text(c->place, place);
	return demon_err_set(c->err, DEMON_INVALID, "%s%s", place, text);
}

static enum demon_rc no_memory(struct compiler *c)
{
	return demon_err_set(c->err, DEMON_NOMEM, "no memory for a schema");
}

/* Compiles the schema that is member @p key of the collection at c->place. */
static enum demon_rc compile_member(struct compiler *c, const char *key, const json_t *source,
				    const struct demon_schema **ret_schema)
{
	const struct demon_json_place here = {
	    .up = c->place, .at = DEMON_JSON_AT_KEY, .key = key, .key_len = strlen(key)};
	enum demon_rc rc;

	c->place = &here;
	rc = compile(c, source, ret_schema);
	c->place = here.up;
	return rc;
}

static enum demon_rc read_text(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	(void)s;
	return json_is_string(value) ? DEMON_OK : refuse(c, "expected a string");
}

static unsigned type_bit(const char *name)
{
	static const struct {
		const char *name;
		enum demon_schema_type bit;
	} types[] = {
	    {"null", DEMON_SCHEMA_NULL},       {"boolean", DEMON_SCHEMA_BOOLEAN},
	    {"integer", DEMON_SCHEMA_INTEGER}, {"number", DEMON_SCHEMA_NUMBER},
	    {"string", DEMON_SCHEMA_STRING},   {"array", DEMON_SCHEMA_ARRAY},
	    {"object", DEMON_SCHEMA_OBJECT},
	};

	for (size_t i = 0; name && i < demon_count(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].bit;
	return 0;
}

static enum demon_rc read_type(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	size_t n = json_is_array(value) ? json_array_size(value) : 1;

	for (size_t i = 0; i < n; i++) {
		const json_t *name = json_is_array(value) ? json_array_get(value, i) : value;
		unsigned bit = type_bit(json_string_value(name));

		if (!bit)
			return refuse(c, "expected the name of a type");
		s->types |= bit;
	}
	return n ? DEMON_OK : refuse(c, "expected the name of a type");
}

/* Numbers would need a rule for 1 and 1.0. */
static bool is_plain(const json_t *value)
{
	return json_is_string(value) || json_is_boolean(value) || json_is_null(value);
}

static enum demon_rc read_const(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	if (!is_plain(value))
		return refuse(c, "expected a string, a boolean or null");
	s->constant = value;
	return DEMON_OK;
}

static enum demon_rc read_enum(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	if (json_array_size(value) == 0)
		return refuse(c, "expected an array that is not empty");
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!is_plain(json_array_get(value, i)))
			return refuse(c, "expected strings, booleans and null");
	s->options = value;
	return DEMON_OK;
}

/* Bytes, whatever the locale of the program is. */
static int compile_regex(regex_t *regex, const char *text)
{
	locale_t bytes = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t before;
	int rc;

	if (!bytes)
		return REG_ESPACE;
	before = uselocale(bytes);
	rc = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
	(void)uselocale(before);
	freelocale(bytes);
	return rc;
}

static enum demon_rc read_pattern(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	const char *text = json_string_value(value);
	struct demon_schema_pattern *p;
	int rc;

	if (!text)
		return refuse(c, "expected a regular expression");
	for (p = c->schemas->patterns; p; p = p->next)
		if (strcmp(p->text, text) == 0)
			break;
	s->pattern = p;
	if (p)
		return DEMON_OK;
	p = demon_calloc(1, sizeof(*p));
	if (!p)
		return no_memory(c);
	rc = compile_regex(&p->regex, text);
	if (rc) {
		free(p);
		return rc == REG_ESPACE ? no_memory(c) : refuse(c, "expected a regular expression");
	}
	(void)pthread_mutex_init(&p->lock, NULL);
	p->text = text;
	p->next = c->schemas->patterns;
	c->schemas->patterns = p;
	s->pattern = p;
	return DEMON_OK;
}

static enum demon_rc read_format(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	const char *name = json_string_value(value);

	if (!name || strcmp(name, "date-time") != 0)
		return refuse(c, "expected 'date-time'");
	s->date_time = true;
	return DEMON_OK;
}

static enum demon_rc read_size(struct compiler *c, const json_t *value, size_t *ret)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return refuse(c, "expected an integer from 0");
	*ret = (size_t)json_integer_value(value);
	return DEMON_OK;
}

static enum demon_rc read_min_length(struct compiler *c, struct demon_schema *s, const json_t *v)
{
	return read_size(c, v, &s->min_length);
}

static enum demon_rc read_max_length(struct compiler *c, struct demon_schema *s, const json_t *v)
{
	return read_size(c, v, &s->max_length);
}

static enum demon_rc read_min_items(struct compiler *c, struct demon_schema *s, const json_t *v)
{
	return read_size(c, v, &s->min_items);
}

static enum demon_rc read_max_items(struct compiler *c, struct demon_schema *s, const json_t *v)
{
	return read_size(c, v, &s->max_items);
}

static enum demon_rc read_number(struct compiler *c, const json_t *value, double *ret)
{
	if (!json_is_number(value))
		return refuse(c, "expected a number");
	*ret = json_number_value(value);
	return DEMON_OK;
}

static enum demon_rc read_minimum(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	return read_number(c, value, &s->minimum);
}

static enum demon_rc read_maximum(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	return read_number(c, value, &s->maximum);
}

static enum demon_rc read_items(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	return compile(c, value, &s->items);
}

static enum demon_rc read_properties(struct compiler *c, struct demon_schema *s,
				     const json_t *value)
{
	json_t *object = demon_json_iterable(value);
	size_t n = json_object_size(value);

	if (!json_is_object(value))
		return refuse(c, "expected an object");
	s->properties = value;
	s->names = demon_calloc(n + 1, sizeof(*s->names));
	s->members = demon_calloc(n + 1, sizeof(*s->members));
	if (!s->names || !s->members)
		return no_memory(c);
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		const char *key = json_object_iter_key(at);
		enum demon_rc rc = compile_member(c, key, json_object_iter_value(at),
						  &s->members[s->count].schema);

		if (rc)
			return rc;
		s->members[s->count].name = key;
		s->names[s->count++] = key;
	}
	return DEMON_OK;
}

static enum demon_rc read_required(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	if (!json_is_array(value))
		return refuse(c, "expected an array of strings");
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!json_is_string(json_array_get(value, i)))
			return refuse(c, "expected an array of strings");
	s->required = value;
	return DEMON_OK;
}

static enum demon_rc read_additional(struct compiler *c, struct demon_schema *s,
				     const json_t *value)
{
	if (json_is_boolean(value)) {
		s->closed = json_is_false(value);
		return DEMON_OK;
	}
	return compile(c, value, &s->additional);
}

/* Definitions are read even when nothing refers to them, so that their mistakes are found. */
static enum demon_rc read_defs(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	json_t *object = demon_json_iterable(value);

	(void)s;
	if (!json_is_object(value) || json_object_get(c->root, "$defs") != value)
		return refuse(c, "expected an object, at the top of the document");
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		const struct demon_schema *unused;
		enum demon_rc rc = compile_member(c, json_object_iter_key(at),
						  json_object_iter_value(at), &unused);

		if (rc)
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc read_ref(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	static const char prefix[] = "#/$defs/";
	const char *text = json_string_value(value);
	const json_t *target = NULL;

	if (text && strncmp(text, prefix, sizeof(prefix) - 1) == 0)
		target =
		    json_object_get(json_object_get(c->root, "$defs"), text + sizeof(prefix) - 1);
	if (!target)
		return refuse(c, "expected '%sNAME' of a definition", prefix);
	return compile(c, target, &s->reference);
}

static enum demon_rc read_all(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	size_t n = json_array_size(value);

	if (n == 0)
		return refuse(c, "expected an array that is not empty");
	s->all = demon_calloc(n, sizeof(*s->all));
	if (!s->all)
		return no_memory(c);
	for (; s->all_count < n; s->all_count++) {
		const struct demon_json_place here = {
		    .up = c->place, .at = DEMON_JSON_AT_ITEM, .index = s->all_count};
		enum demon_rc rc;

		c->place = &here;
		rc = compile(c, json_array_get(value, s->all_count), &s->all[s->all_count].schema);
		c->place = here.up;
		if (rc)
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc read_if(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	return compile(c, value, &s->when);
}

static enum demon_rc read_then(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	return compile(c, value, &s->then);
}

static enum demon_rc read_else(struct compiler *c, struct demon_schema *s, const json_t *value)
{
	return compile(c, value, &s->otherwise);
}

static const struct {
	const char *name;
	keyword_fn *read;
} keywords[] = {
    {"$schema", read_text},
    {"$id", read_text},
    {"$defs", read_defs},
    {"$ref", read_ref},
    {"title", read_text},
    {"description", read_text},
    {"type", read_type},
    {"const", read_const},
    {"enum", read_enum},
    {"pattern", read_pattern},
    {"format", read_format},
    {"minLength", read_min_length},
    {"maxLength", read_max_length},
    {"minimum", read_minimum},
    {"maximum", read_maximum},
    {"items", read_items},
    {"minItems", read_min_items},
    {"maxItems", read_max_items},
    {"properties", read_properties},
    {"required", read_required},
    {"additionalProperties", read_additional},
    {"allOf", read_all},
    {"if", read_if},
    {"then", read_then},
    {"else", read_else},
};

static enum demon_rc refuse_keyword(struct compiler *c, const char *key)
{
	const char *names[demon_count(keywords)];
	const char *nearest;

	for (size_t i = 0; i < demon_count(keywords); i++)
		names[i] = keywords[i].name;
	nearest = demon_suggest(key, names, demon_count(names));
	if (nearest)
		return refuse(c, "unknown keyword '%.60s' (did you mean '%s'?)", key, nearest);
	return refuse(c, "unknown keyword '%.60s'", key);
}

static enum demon_rc read_keyword(struct compiler *c, struct demon_schema *s, const char *key,
				  const json_t *value)
{
	const struct demon_json_place here = {
	    .up = c->place, .at = DEMON_JSON_AT_KEY, .key = key, .key_len = strlen(key)};
	enum demon_rc rc;

	for (size_t i = 0; i < demon_count(keywords); i++) {
		if (strcmp(keywords[i].name, key) != 0)
			continue;
		c->place = &here;
		rc = keywords[i].read(c, s, value);
		c->place = here.up;
		return rc;
	}
	return refuse_keyword(c, key);
}

static struct demon_schema *new_node(struct demon_schemas *schemas, const json_t *source)
{
	struct demon_schema *s = demon_calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct demon_schema){.next = schemas->nodes,
				   .source = source,
				   .max_length = SIZE_MAX,
				   .max_items = SIZE_MAX,
				   .minimum = -HUGE_VAL,
				   .maximum = HUGE_VAL};
	schemas->nodes = s;
	return s;
}

static enum demon_rc compile(struct compiler *c, const json_t *source,
			     const struct demon_schema **ret_schema)
{
	json_t *object = demon_json_iterable(source);
	struct demon_schema *s;
	enum demon_rc rc;

	if (!json_is_object(source))
		return refuse(c, "expected a schema");
	for (s = c->schemas->nodes; s != c->others; s = s->next) {
		if (s->source != source)
			continue;
		*ret_schema = s;
		return s->ready ? DEMON_OK : refuse(c, "a schema that refers to itself");
	}
	s = new_node(c->schemas, source);
	if (!s)
		return no_memory(c);
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		rc = read_keyword(c, s, json_object_iter_key(at), json_object_iter_value(at));
		if (rc)
			return rc;
	}
	s->ready = true;
	*ret_schema = s;
	return DEMON_OK;
}

struct demon_schemas *demon_schemas_new(void)
{
	struct demon_schemas *schemas = demon_calloc(1, sizeof(*schemas));

	if (!schemas)
		return NULL;
	schemas->documents = json_array();
	if (!schemas->documents) {
		free(schemas);
		return NULL;
	}
	return schemas;
}

void demon_schemas_free(struct demon_schemas *schemas)
{
	if (!schemas)
		return;
	while (schemas->nodes) {
		struct demon_schema *s = schemas->nodes;

		schemas->nodes = s->next;
		free(s->names);
		free(s->members);
		free(s->all);
		free(s);
	}
	while (schemas->patterns) {
		struct demon_schema_pattern *p = schemas->patterns;

		schemas->patterns = p->next;
		regfree(&p->regex);
		(void)pthread_mutex_destroy(&p->lock);
		free(p);
	}
	json_decref(schemas->documents);
	free(schemas);
}

enum demon_rc demon_schemas_add(struct demon_schemas *schemas, json_t *document_new,
				const struct demon_schema **ret_schema, struct demon_err *err)
{
	struct compiler c = {
	    .schemas = schemas, .root = document_new, .others = schemas->nodes, .err = err};

	if (json_array_append_new(schemas->documents, document_new) != 0)
		return no_memory(&c);
	return compile(&c, document_new, ret_schema);
}
