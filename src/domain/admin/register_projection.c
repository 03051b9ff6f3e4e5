/*
 * The projection of the registers: a row a write, so that the order of arrival cannot matter.
 */
#include "base/json_member.h"
#include "register.h"

#include <string.h>

DEMON_SQL(sql_write,
	  "INSERT INTO registers (kind, tenant, name, clock, origin, hash, value, written_by, "
	  "auth, reason, ts) VALUES (:kind, :tenant, :name, :clock, :origin, :hash, :value, "
	  ":by, :auth, :reason, :ts)");
DEMON_SQL_SCAN(sql_rows, "digest and rebuild",
	       "SELECT kind, tenant, name, clock, origin, hash, value, written_by, auth, reason, "
	       "ts FROM registers ORDER BY kind, tenant, name, clock, origin, hash");
DEMON_SQL_SCAN(sql_clear, "rebuild", "DELETE FROM registers");

enum { AUTHENTICATION, BY, NAME, REASON, TENANT, VALUE, MEMBERS };

static const char *const members[MEMBERS] = {"authentication", "by",     "name",
					     "reason",         "tenant", "value"};

/* The texts of the members, which must live as long as they are bound. */
struct texts {
	struct demon_buf of[MEMBERS];
};

static void texts_done(struct texts *t)
{
	for (int i = 0; i < MEMBERS; i++)
		demon_buf_done(&t->of[i]);
}

static enum demon_rc damaged(const struct demon_event *ev, const char *member,
			     struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "event %s: '%s' is missing or wrong", ev->type,
			     member);
}

/* Whether a member is there, and of its kind. */
static bool read_text(int member, struct demon_json_span value, struct demon_buf *text)
{
	text->data = demon_buf_empty;
	if (!value.at)
		return member == REASON || member == VALUE;
	if (member == VALUE)
		return *value.at == '{';
	return demon_json_span_str(value, text) && (text->rc || text->len);
}

static enum demon_rc write(struct demon_db *db, const struct demon_event *ev,
			   enum demon_register_kind kind, struct demon_err *err)
{
	struct demon_json_span v[MEMBERS];
	demon_cleanup(texts_done) struct texts t = {0};
	enum demon_auth auth;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_write);

	demon_json_members(ev->payload, ev->payload_len, members, v, MEMBERS);
	for (int i = 0; i < MEMBERS; i++)
		if (!read_text(i, v[i], &t.of[i]))
			return damaged(ev, members[i], err);
	for (int i = 0; i < MEMBERS; i++)
		if ((rc = demon_buf_rc(&t.of[i], err)))
			return rc;
	if (demon_auth_find(t.of[AUTHENTICATION].data, &auth, err))
		return damaged(ev, members[AUTHENTICATION], err);
	demon_bind_str(&q, ":kind", demon_register_kind_name(kind));
	demon_bind_text(&q, ":tenant", t.of[TENANT].data, t.of[TENANT].len);
	demon_bind_text(&q, ":name", t.of[NAME].data, t.of[NAME].len);
	demon_bind_i64(&q, ":clock", (int64_t)ev->clock);
	demon_bind_blob(&q, ":origin", ev->origin, sizeof(ev->origin));
	demon_bind_blob(&q, ":hash", ev->hash, sizeof(ev->hash));
	demon_bind_text(&q, ":value", v[VALUE].at, v[VALUE].len);
	demon_bind_text(&q, ":by", t.of[BY].data, t.of[BY].len);
	demon_bind_str(&q, ":auth", demon_auth_name(auth));
	demon_bind_text(&q, ":reason", v[REASON].at ? t.of[REASON].data : NULL, t.of[REASON].len);
	demon_bind_i64(&q, ":ts", ev->ts);
	return demon_exec(&q, err);
}

static bool find_kind(const char *type, enum demon_register_kind *ret_kind)
{
	for (int i = 0; i < DEMON_REGISTER_KINDS; i++) {
		const char *name = demon_register_kind_name((enum demon_register_kind)i);
		size_t len = strlen(name);

		if (strncmp(type, name, len) == 0 && strcmp(type + len, ".written:v1") == 0) {
			*ret_kind = (enum demon_register_kind)i;
			return true;
		}
	}
	return false;
}

static enum demon_rc apply(struct demon_db *db, const struct demon_event *event,
			   struct demon_err *err)
{
	enum demon_register_kind kind;

	if (event->stream != DEMON_STREAM_NODE || !find_kind(event->type, &kind))
		return DEMON_OK;
	if (!event->payload)
		return demon_err_set(err, DEMON_CORRUPT, "event %s: its payload is not here",
				     event->type);
	return write(db, event, kind, err);
}

static const struct demon_projection_table tables[] = {
    {"registers", &sql_rows, &sql_clear},
    {NULL, NULL, NULL},
};

const struct demon_projection demon_register_projection = {
    .name = "registers",
    .tables = tables,
    .apply = apply,
};
