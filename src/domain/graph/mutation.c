#include "mutation.h"

#include "base/json.h"
#include "store/subject.h"

#include <string.h>

#define DEPTH 63 /* within a payload the list stands one level down */

static const char *const op_names[DEMON_GRAPH_OP_COUNT] = {
    "add-node", "update-node", "remove-node", "add-edge", "update-edge", "remove-edge"};

const char *demon_graph_op_name(enum demon_graph_op op)
{
	return op_names[op];
}

/* --- canonical text ------------------------------------------------------------------------ */

enum { EDGE_ID, FROM, LABEL, LABELS, NODE_ID, OP, PROPERTIES, TO, MEMBERS };

static const char *const members[MEMBERS] = {"edgeId", "from", "label",      "labels",
					     "nodeId", "op",   "properties", "to"};

static bool find_op(struct demon_json_span value, enum demon_graph_op *ret)
{
	value = demon_json_span_plain(value);
	for (unsigned i = 0; value.at && i < DEMON_GRAPH_OP_COUNT; i++) {
		if (strlen(op_names[i]) == value.len &&
		    memcmp(op_names[i], value.at, value.len) == 0) {
			*ret = (enum demon_graph_op)i;
			return true;
		}
	}
	return false;
}

/* Takes an id out of its quotes; false: it is not one. */
static bool plain_id(struct demon_json_span *value)
{
	char id[DEMON_ID_MAX + 1] = "";

	*value = demon_json_span_plain(*value);
	if (!value->at || value->len > DEMON_ID_MAX)
		return false;
	memcpy(id, value->at, value->len);
	return demon_graph_id_valid(id);
}

static bool read_item(struct demon_json_span text, struct demon_graph_mutation *m)
{
	struct demon_json_span v[MEMBERS];
	bool puts;

	*m = (struct demon_graph_mutation){.text = text};
	demon_json_members(text.at, text.len, members, v, MEMBERS);
	if (!find_op(v[OP], &m->op))
		return false;
	puts = m->op != DEMON_GRAPH_REMOVE_NODE && m->op != DEMON_GRAPH_REMOVE_EDGE;
	m->id = v[demon_graph_op_is_node(m->op) ? NODE_ID : EDGE_ID];
	if (!plain_id(&m->id))
		return false;
	if (!puts)
		return true;
	if (v[PROPERTIES].len > 2)
		m->properties = v[PROPERTIES];
	if (demon_graph_op_is_node(m->op)) {
		if (v[LABELS].len > 2)
			m->labels = v[LABELS];
		return true;
	}
	m->from = v[FROM];
	m->to = v[TO];
	m->label = v[LABEL];
	return plain_id(&m->from) && plain_id(&m->to);
}

enum demon_rc demon_graph_mutations_index(struct demon_graph_mutations *list, struct demon_err *err)
{
	struct demon_json_walk walk = {.at = list->text.len ? list->text.data : NULL,
				       .end = list->text.data + list->text.len + 1};
	struct demon_json_span item;
	size_t room = 0;

	list->count = 0;
	while (demon_json_items_next(&walk, &item)) {
		if (list->count == room) {
			size_t more = room ? 2 * room : 4;
			void *grown = demon_realloc(list->items, more, sizeof(*list->items));

			if (!grown)
				return demon_err_set(err, DEMON_NOMEM, "no memory for mutations");
			list->items = grown;
			room = more;
		}
		if (!read_item(item, &list->items[list->count]))
			return demon_err_set(err, DEMON_CORRUPT, "mutation %zu is damaged",
					     list->count);
		list->count++;
	}
	return DEMON_OK;
}

enum demon_rc demon_graph_mutations_add(struct demon_graph_mutations *list, const char *array,
					size_t len, struct demon_err *err)
{
	if (len < 2 || array[0] != '[')
		return demon_err_set(err, DEMON_CORRUPT, "'mutations' is missing or wrong");
	if (len > 2 && list->text.len)
		demon_buf_char(&list->text, ',');
	demon_buf_add(&list->text, array + 1, len - 2);
	return demon_buf_rc(&list->text, err);
}

/* --- what a caller gives ------------------------------------------------------------------- */

/* Which members an operation has: as bits, those that it must and those that it may have. */
static const struct {
	unsigned must;
	unsigned may;
} shapes[DEMON_GRAPH_OP_COUNT] = {
    {1U << NODE_ID, 1U << LABELS | 1U << PROPERTIES},
    {1U << NODE_ID, 1U << LABELS | 1U << PROPERTIES},
    {1U << NODE_ID, 0},
    {1U << EDGE_ID | 1U << FROM | 1U << TO, 1U << LABEL | 1U << PROPERTIES},
    {1U << EDGE_ID | 1U << FROM | 1U << TO, 1U << LABEL | 1U << PROPERTIES},
    {1U << EDGE_ID, 0},
};

static size_t characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static enum demon_rc check_label(const json_t *label, struct demon_err *err)
{
	size_t n = json_is_string(label) ? characters(json_string_value(label)) : 0;

	if (n >= 1 && n <= DEMON_GRAPH_LABEL_MAX)
		return DEMON_OK;
	return demon_err_set(err, DEMON_INVALID, "a label is text of 1 to %d characters",
			     DEMON_GRAPH_LABEL_MAX);
}

static enum demon_rc check_labels(const json_t *labels, struct demon_err *err)
{
	if (!json_is_array(labels))
		return demon_err_set(err, DEMON_INVALID, "'labels' is %s, not an array",
				     demon_json_describe(labels));
	for (size_t i = 0; i < json_array_size(labels); i++)
		if (check_label(json_array_get(labels, i), err))
			return demon_err_wrap(err, "label %zu", i);
	return DEMON_OK;
}

/* A list of {"key", "value"} as the object that it stands for; NULL with @p err set. */
static json_t *object_of_list(const json_t *list, struct demon_err *err)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		const char *key = json_string_value(json_object_get(item, "key"));
		json_t *value = json_object_get(item, "value");

		if (!key || !value || json_object_size(item) != 2)
			(void)demon_err_set(err, DEMON_INVALID,
					    "property %zu is not {\"key\", \"value\"}", i);
		else if (json_object_get(object, key))
			(void)demon_err_set(err, DEMON_INVALID, "property '%.64s' stands twice",
					    key);
		else if (json_object_set(object, key, value) == 0)
			continue;
		else
			(void)demon_err_set(err, DEMON_NOMEM, "no memory for mutations");
		json_decref(object);
		return NULL;
	}
	if (!object)
		(void)demon_err_set(err, DEMON_NOMEM, "no memory for mutations");
	return object;
}

static enum demon_rc check_properties(json_t *mutation, json_t *properties, struct demon_err *err)
{
	json_t *object;

	if (json_is_object(properties))
		return DEMON_OK;
	if (!json_is_array(properties))
		return demon_err_set(err, DEMON_INVALID, "'properties' is %s, not an object",
				     demon_json_describe(properties));
	object = object_of_list(properties, err);
	if (!object)
		return err->rc;
	if (json_object_set_new(mutation, "properties", object))
		return demon_err_set(err, DEMON_NOMEM, "no memory for mutations");
	return DEMON_OK;
}

static enum demon_rc check_member(json_t *mutation, unsigned member, struct demon_err *err)
{
	json_t *value = json_object_get(mutation, members[member]);

	switch (member) {
	case OP:
		return DEMON_OK;
	case LABEL:
		return check_label(value, err);
	case LABELS:
		return check_labels(value, err);
	case PROPERTIES:
		return check_properties(mutation, value, err);
	default:
		if (json_is_string(value) && demon_graph_id_valid(json_string_value(value)))
			return DEMON_OK;
		return demon_err_set(err, DEMON_INVALID,
				     "'%s' is not valid: 1 to %d letters, digits, '_', '-' and '.'",
				     members[member], DEMON_ID_MAX);
	}
}

static enum demon_rc check_op(const json_t *mutation, unsigned *ret_op, struct demon_err *err)
{
	const char *op = json_string_value(json_object_get(mutation, "op"));

	for (*ret_op = 0; op && *ret_op < DEMON_GRAPH_OP_COUNT; ++*ret_op)
		if (strcmp(op, op_names[*ret_op]) == 0)
			return DEMON_OK;
	return demon_err_set(err, DEMON_INVALID,
			     "'op' is '%.64s', not one of add-node, update-node, remove-node, "
			     "add-edge, update-edge, remove-edge",
			     op ? op : "");
}

/* Members that say nothing are left out, so that one change has one text. */
static void drop_empty(json_t *mutation)
{
	const json_t *labels = json_object_get(mutation, "labels");
	const json_t *properties = json_object_get(mutation, "properties");

	if (labels && json_array_size(labels) == 0)
		(void)json_object_del(mutation, "labels");
	if (properties && json_object_size(properties) == 0)
		(void)json_object_del(mutation, "properties");
}

static enum demon_rc check_names(const json_t *mutation, unsigned allowed, struct demon_err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(demon_json_iterable(mutation), key, value)
	{
		unsigned i = 0;

		while (i < MEMBERS && strcmp(members[i], key) != 0)
			i++;
		if (i == MEMBERS || !(allowed & 1U << i))
			return demon_err_set(err, DEMON_INVALID, "it has no member '%.64s'", key);
	}
	return DEMON_OK;
}

static enum demon_rc check_mutation(json_t *mutation, struct demon_err *err)
{
	unsigned op;
	unsigned allowed;
	const json_t *label = json_object_get(mutation, "label");
	enum demon_rc rc;

	if (!json_is_object(mutation))
		return demon_err_set(err, DEMON_INVALID, "it is %s, not an object",
				     demon_json_describe(mutation));
	if ((rc = check_op(mutation, &op, err)))
		return rc;
	if (json_is_null(label))
		(void)json_object_del(mutation, "label");
	allowed = shapes[op].must | shapes[op].may | 1U << OP;
	if ((rc = check_names(mutation, allowed, err)))
		return rc;
	for (unsigned i = 0; i < MEMBERS; i++) {
		bool given = json_object_get(mutation, members[i]) != NULL;

		if (!given && shapes[op].must & 1U << i)
			return demon_err_set(err, DEMON_INVALID, "'%s' is missing", members[i]);
		if (given && (rc = check_member(mutation, i, err)))
			return rc;
	}
	drop_empty(mutation);
	return DEMON_OK;
}

static enum demon_rc add_mutation(struct demon_graph_mutations *list, json_t *mutation,
				  struct demon_err *err)
{
	size_t before = list->text.len;
	enum demon_rc rc = check_mutation(mutation, err);

	if (rc)
		return rc;
	if (before)
		demon_buf_char(&list->text, ',');
	if ((rc = demon_json_canonical(mutation, &list->text, err)))
		return rc;
	if (list->text.len - before > DEMON_GRAPH_MUTATION_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "it has %zu bytes; the limit is %zu",
				     list->text.len - before, DEMON_GRAPH_MUTATION_MAX);
	return DEMON_OK;
}

enum demon_rc demon_graph_mutations_parse(const char *text, size_t len,
					  struct demon_graph_mutations **ret, struct demon_err *err)
{
	static const struct demon_json_limits limits = {DEMON_GRAPH_INPUT_MAX, DEPTH};
	demon_cleanup(demon_graph_mutations_free_p) struct demon_graph_mutations *list = NULL;
	json_auto_t *json = NULL;
	enum demon_rc rc;

	if ((rc = demon_json_parse(text, len, &limits, &json, err)))
		return rc;
	if (!json_is_array(json))
		return demon_err_set(err, DEMON_INVALID, "mutations are an array, not %s",
				     demon_json_describe(json));
	list = demon_graph_mutations_new();
	if (!list)
		return demon_err_set(err, DEMON_NOMEM, "no memory for mutations");
	for (size_t i = 0; i < json_array_size(json); i++)
		if (add_mutation(list, json_array_get(json, i), err))
			return demon_err_wrap(err, "mutation %zu", i);
	if ((rc = demon_graph_mutations_index(list, err)))
		return rc;
	*ret = demon_take(list);
	return DEMON_OK;
}

struct demon_graph_mutations *demon_graph_mutations_new(void)
{
	struct demon_graph_mutations *list = demon_calloc(1, sizeof(*list));

	if (list)
		list->text.data = demon_buf_empty;
	return list;
}

void demon_graph_mutations_done(struct demon_graph_mutations *list)
{
	demon_buf_done(&list->text);
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

void demon_graph_mutations_free(struct demon_graph_mutations *list)
{
	if (list)
		demon_graph_mutations_done(list);
	free(list);
}

size_t demon_graph_mutations_count(const struct demon_graph_mutations *list)
{
	return list->count;
}

void demon_graph_mutations_text(const struct demon_graph_mutations *list, struct demon_buf *out)
{
	demon_buf_char(out, '[');
	demon_buf_add(out, list->text.data, list->text.len);
	demon_buf_char(out, ']');
}

void demon_graph_mutations_free_p(struct demon_graph_mutations **list)
{
	demon_graph_mutations_free(*list);
}
