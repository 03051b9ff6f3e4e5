#include "item.h"

/* A member whose value is an id, which needs no escapes. */
static void add_id(struct demon_buf *out, const char *key, const char *id, size_t len)
{
	demon_buf_str(out, key);
	demon_buf_add(out, id, len);
	demon_buf_char(out, '"');
}

static void add_or(struct demon_buf *out, const char *key, struct demon_json_span value,
		   const char *otherwise)
{
	demon_buf_str(out, key);
	if (value.at)
		demon_buf_add(out, value.at, value.len);
	else
		demon_buf_str(out, otherwise);
}

void demon_graph_item_node(struct demon_buf *out, const char *id, size_t len,
			   struct demon_json_span value, int distance)
{
	static const char *const keys[] = {"labels", "properties"};
	struct demon_json_span v[2];

	demon_json_members(value.at, value.len, keys, v, 2);
	demon_buf_char(out, '{');
	if (distance >= 0)
		demon_buf_fmt(out, "\"distance\":%d,", distance);
	add_or(out, "\"labels\":", v[0], "[]");
	add_id(out, ",\"nodeId\":\"", id, len);
	add_or(out, ",\"properties\":", v[1], "{}");
	demon_buf_char(out, '}');
}

void demon_graph_item_edge(struct demon_buf *out, const char *id, size_t len,
			   struct demon_json_span value)
{
	static const char *const keys[] = {"from", "label", "properties", "to"};
	struct demon_json_span v[4];

	demon_json_members(value.at, value.len, keys, v, 4);
	add_id(out, "{\"edgeId\":\"", id, len);
	add_or(out, ",\"from\":", v[0], "null");
	if (v[1].at)
		add_or(out, ",\"label\":", v[1], "");
	add_or(out, ",\"properties\":", v[2], "{}");
	add_or(out, ",\"to\":", v[3], "null");
	demon_buf_char(out, '}');
}
