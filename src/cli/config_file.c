#include "config_file.h"

#include "base/json.h"
#include "base/suggest.h"
#include "base/yaml.h"
#include "file.h"

#include <string.h>

#define FILE_MAX ((size_t)1 << 20)

/* What a value may be besides a scalar. */
enum more { SCALAR, LIST, JSON };

static const struct {
	const char *key;
	const char *variable; /* NULL: there is none */
	enum more more;
} keys[] = {
    {"approval-ttl-seconds", "APPROVAL_TTL_SECONDS", SCALAR},
    {"approvers", "APPROVER_ALLOWLIST", LIST},
    {"cap-quotas", "WARDS_CAP_QUOTAS", JSON},
    {"db", "DEMON_DB", SCALAR},
    {"escalation", "APPROVAL_ESCALATION_RULES", JSON},
    {"global-quota", "WARDS_GLOBAL_QUOTA", JSON},
    {"listen", NULL, SCALAR},
    {"log-file", NULL, SCALAR},
    {"nats-ca", "NATS_CA", SCALAR},
    {"nats-cert", "NATS_CERT", SCALAR},
    {"nats-creds", "NATS_CREDS", SCALAR},
    {"nats-domain", "NATS_DOMAIN", SCALAR},
    {"nats-key", "NATS_KEY", SCALAR},
    {"nats-url", "NATS_URL", SCALAR},
    {"node-id", NULL, SCALAR},
    {"public-url", "DEMON_PUBLIC_URL", SCALAR},
    {"quotas", "WARDS_QUOTAS", JSON},
    {"schedules", "WARDS_SCHEDULES", JSON},
    {"secrets-command", "DEMON_SECRETS_COMMAND", JSON},
    {"secrets-file", "DEMON_SECRETS_FILE", SCALAR},
    {"stream-replicas", "DEMON_STREAM_REPLICAS", SCALAR},
    {"tenant", "DEMON_TENANT", SCALAR},
    {"tenanting", "TENANTING_ENABLED", SCALAR},
    {"workers", NULL, SCALAR},
};

static json_t *values; /* of the file, by key: strings; NULL: there is no file */

static enum demon_rc wrong(const char *path, const struct demon_yaml_node *node, const char *why,
			   struct demon_err *err)
{
	return demon_err_set(err, DEMON_USAGE, "%s:%u:%u: %s: %s", path, node->key_line,
			     node->key_column, node->key, why);
}

static enum demon_rc unknown(const char *path, const struct demon_yaml_node *node,
			     struct demon_err *err)
{
	const char *names[demon_count(keys)];
	const char *near;

	for (size_t i = 0; i < demon_count(keys); i++)
		names[i] = keys[i].key;
	near = demon_suggest(node->key, names, demon_count(keys));
	return demon_err_set(err, DEMON_USAGE, "%s:%u:%u: unknown setting '%.64s'%s%s%s", path,
			     node->key_line, node->key_column, node->key,
			     near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* The items of a list, separated by commas. */
static enum demon_rc join(const char *path, const struct demon_yaml_node *node,
			  struct demon_buf *out, struct demon_err *err)
{
	for (size_t i = 0; i < node->count; i++) {
		if (!json_is_string(node->items[i]->scalar))
			return wrong(path, node, "expected a list of texts", err);
		if (strchr(json_string_value(node->items[i]->scalar), ','))
			return wrong(path, node, "an item has a comma", err);
		demon_buf_str(out, i ? "," : "");
		demon_buf_str(out, json_string_value(node->items[i]->scalar));
	}
	return demon_buf_rc(out, err);
}

static enum demon_rc write_json(const struct demon_yaml_node *node, struct demon_buf *out,
				struct demon_err *err)
{
	json_auto_t *json = demon_yaml_json(node);
	enum demon_rc rc;

	if (!json)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the configuration");
	rc = demon_json_canonical(json, out, err);
	return rc ? rc : demon_buf_rc(out, err);
}

static enum demon_rc read_value(const char *path, const struct demon_yaml_node *node,
				enum more more, struct demon_buf *out, struct demon_err *err)
{
	if (node->kind == DEMON_YAML_SCALAR) {
		if (!demon_json_scalar(node->scalar, out))
			return wrong(path, node, "expected a value", err);
		return demon_buf_rc(out, err);
	}
	if (more == LIST && node->kind == DEMON_YAML_SEQUENCE)
		return join(path, node, out, err);
	if (more == JSON)
		return write_json(node, out, err);
	return wrong(path, node, "expected a text, a number, true or false", err);
}

static enum demon_rc read_entry(const char *path, const struct demon_yaml_node *node,
				struct demon_err *err)
{
	for (size_t i = 0; i < demon_count(keys); i++) {
		DEMON_BUF(text, 0);
		enum demon_rc rc;

		if (strcmp(keys[i].key, node->key) != 0)
			continue;
		if ((rc = read_value(path, node, keys[i].more, &text, err)))
			return rc;
		if (json_object_set_new(values, node->key, json_stringn(text.data, text.len)))
			return demon_err_set(err, DEMON_NOMEM, "no memory for the configuration");
		return DEMON_OK;
	}
	return unknown(path, node, err);
}

static enum demon_rc read_file(const char *path, const char *text, size_t len,
			       struct demon_err *err)
{
	demon_cleanup(demon_yaml_free_p) struct demon_yaml_doc *doc = NULL;
	const struct demon_yaml_node *root;
	enum demon_rc rc;

	if ((rc = demon_yaml_parse(path, text, len, &demon_yaml_ritual_limits, &doc, err))) {
		if (rc == DEMON_INVALID)
			err->rc = rc = DEMON_USAGE;
		return rc;
	}
	root = demon_yaml_root(doc);
	if (root->kind != DEMON_YAML_MAPPING)
		return demon_err_set(err, DEMON_USAGE, "%s: expected a mapping of settings", path);
	for (size_t i = 0; i < root->count; i++)
		if ((rc = read_entry(path, root->items[i], err)))
			return rc;
	return DEMON_OK;
}

enum demon_rc demon_config_file_open(const char *path, struct demon_err *err)
{
	DEMON_BUF(text, FILE_MAX);
	enum demon_rc rc = demon_file_read(path, &text, err);

	if (rc)
		return rc;
	demon_config_file_close();
	values = json_object();
	rc = values ? read_file(path, text.data, text.len, err)
		    : demon_err_set(err, DEMON_NOMEM, "no memory for the configuration");
	if (rc)
		demon_config_file_close();
	return rc;
}

void demon_config_file_close(void)
{
	json_decref(values);
	values = NULL;
}

const char *demon_config_file_get(const char *key)
{
	return json_string_value(json_object_get(values, key));
}

const char *demon_config_file_variable(const char *variable)
{
	for (size_t i = 0; values && i < demon_count(keys); i++)
		if (keys[i].variable && strcmp(keys[i].variable, variable) == 0)
			return demon_config_file_get(keys[i].key);
	return NULL;
}
