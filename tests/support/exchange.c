#include "support/exchange.h"

#include "base/bytes.h"
#include "base/json_member.h"
#include "domain/admin/peer.h"
#include "store/jsonl.h"
#include "store/store.h"
#include "support/test.h"

#include <stdio.h>

static enum demon_rc write_buf(void *ctx, const char *bytes, size_t len, struct demon_err *err)
{
	demon_buf_add(ctx, bytes, len);
	return demon_buf_rc(ctx, err);
}

static enum demon_rc read_once(void *ctx, char *bytes, size_t cap, size_t *ret_len,
			       struct demon_err *err)
{
	const char **text = ctx;
	size_t len = strlen(*text);

	(void)err;
	*ret_len = len < cap ? len : cap;
	memcpy(bytes, *text, *ret_len);
	*text += *ret_len;
	return DEMON_OK;
}

char *exchange_export(struct demon_store *node)
{
	struct demon_buf out = {.data = demon_buf_empty};
	struct demon_err err = {0};
	int64_t events;

	assert_ok(demon_export(node, write_buf, &out, &events, &err), &err);
	return demon_buf_take(&out);
}

void exchange_import(struct demon_store *node, const char *lines)
{
	struct demon_imported imported;
	struct demon_err err = {0};

	assert_ok(demon_import(node, read_once, &lines, &imported, &err), &err);
}

void exchange_digest(struct demon_store *node, char out[65])
{
	struct demon_json_span span;
	struct demon_err err = {0};
	char *json = NULL;

	assert_ok(demon_digest(node, &json, &err), &err);
	span = demon_json_span_plain(demon_json_member(json, strlen(json), "digest"));
	assert_int_equal(span.len, 64);
	memcpy(out, span.at, 64);
	out[64] = '\0';
	free(json);
}

void exchange_own_lines(struct demon_store *node, struct exchange_lines *ret)
{
	char *rest = NULL;
	char origin[80];

	(void)snprintf(origin, sizeof(origin), "\"origin\":\"");
	demon_hex(demon_store_origin(node), DEMON_ORIGIN_LEN, origin + strlen(origin));
	*ret = (struct exchange_lines){.text = exchange_export(node)};
	for (char *line = strtok_r(ret->text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		if (strstr(line, origin)) {
			assert_true(ret->count < EXCHANGE_LINES_MAX);
			ret->of[ret->count++] = line;
		}
}

char *exchange_shuffle(struct exchange_lines *nodes, size_t count, uint64_t *random)
{
	size_t left = 0;
	struct demon_buf out = {.data = demon_buf_empty};

	for (size_t n = 0; n < count; n++) {
		nodes[n].given = 0;
		left += nodes[n].count;
	}
	while (left) {
		struct exchange_lines *from = &nodes[test_random(random) % count];

		if (from->given == from->count)
			continue;
		demon_buf_str(&out, from->of[from->given++]);
		demon_buf_char(&out, '\n');
		left--;
	}
	return demon_buf_take(&out);
}

void exchange_trust(struct demon_store *node, struct demon_store *other)
{
	const struct demon_actor admin = {.subject = "admin@corp.test"};
	char hex[2 * DEMON_ORIGIN_LEN + 1];
	const struct demon_peer_request request = {.peer = hex, .actor = &admin};
	struct demon_err err;

	demon_hex(demon_store_origin(other), DEMON_ORIGIN_LEN, hex);
	assert_ok(demon_peer_trust(node, &request, NULL, &err), &err);
}
