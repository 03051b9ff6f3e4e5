/*
 * Any bytes are read or refused with a place that the text has. What is read has its places in
 * the text and is canonical JSON; and JSON means the same to both readers, where YAML takes it.
 */
#include "fuzz.h"

#include "base/json.h"
#include "base/yaml.h"

#include <string.h>

static const struct demon_json_limits json_limits = {1 << 20, 64};

/* And one more: libyaml ends a last line that has no end. */
static size_t count_lines(const char *text, size_t len)
{
	size_t n = 2;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n' || text[i] == '\r';
	return n;
}

static void check_key(const struct demon_yaml_node *mapping, size_t i, size_t lines)
{
	const struct demon_yaml_node *item = mapping->items[i];

	fuzz_assert(i > 100 || demon_yaml_get(mapping, item->key) == item);
	fuzz_assert(item->key_line >= 1 && item->key_line <= lines);
	fuzz_assert(item->key_column >= 1);
}

/* Its depth is bounded by the limit that it was read with. NOLINTNEXTLINE(misc-no-recursion) */
static void check_node(const struct demon_yaml_node *node, size_t lines, size_t len)
{
	fuzz_assert(node->line >= 1 && node->line <= lines);
	fuzz_assert(node->column >= 1 && node->column <= len + 1);
	fuzz_assert((node->kind == DEMON_YAML_SCALAR) == (node->scalar != NULL));
	for (size_t i = 0; i < node->count; i++) {
		fuzz_assert((node->kind == DEMON_YAML_MAPPING) == (node->items[i]->key != NULL));
		if (node->items[i]->key)
			check_key(node, i, lines);
		check_node(node->items[i], lines, len);
	}
}

static void check_message(const struct demon_err *err, size_t lines)
{
	char *end;
	unsigned long line;

	fuzz_assert(strncmp(err->msg, "f:", 2) == 0);
	line = strtoul(err->msg + 2, &end, 10);
	fuzz_assert(line >= 1 && line <= lines);
	fuzz_assert(*end == ':' && strtoul(end + 1, &end, 10) >= 1);
	fuzz_assert(strncmp(end, ": ", 2) == 0 && end[2]);
}

static void check_json(const struct demon_yaml_node *root, const char *text, size_t len)
{
	DEMON_BUF(ours, 0);
	DEMON_BUF(theirs, 0);
	json_auto_t *tree = demon_yaml_json(root);
	json_auto_t *json = NULL;
	struct demon_err err;

	fuzz_assert(tree != NULL);
	fuzz_assert(!demon_json_canonical(tree, &ours, &err));
	if (demon_json_parse(text, len, &json_limits, &json, &err))
		return;
	fuzz_assert(!demon_json_canonical(json, &theirs, &err));
	fuzz_assert(ours.len == theirs.len && memcmp(ours.data, theirs.data, ours.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	demon_cleanup(demon_yaml_free_p) struct demon_yaml_doc *doc = NULL;
	const char *text = (const char *)data;
	size_t lines = count_lines(text, size);
	struct demon_err err = {.rc = DEMON_OK};
	enum demon_rc rc = demon_yaml_parse("f", text, size, &demon_yaml_ritual_limits, &doc, &err);

	fuzz_assert((rc == DEMON_OK) == (doc != NULL));
	if (rc) {
		fuzz_assert(rc == DEMON_INVALID || rc == DEMON_TOOBIG);
		if (size <= demon_yaml_ritual_limits.max_bytes)
			check_message(&err, lines);
		return 0;
	}
	check_node(demon_yaml_root(doc), lines, size);
	check_json(demon_yaml_root(doc), text, size);
	return 0;
}
