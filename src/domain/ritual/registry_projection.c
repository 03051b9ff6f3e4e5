/*
 * The projection of the register: a row a write, so that the order of arrival cannot matter.
 */
#include "base/bytes.h"
#include "base/json_member.h"
#include "registry.h"

#include <string.h>

DEMON_SQL(sql_definition, "INSERT INTO definitions (digest, spec) VALUES (:digest, :spec) "
			  "ON CONFLICT (digest) DO NOTHING");
DEMON_SQL(sql_write,
	  "INSERT INTO named_rituals (tenant_id, ritual_id, clock, origin, hash, definition, "
	  "version, notation, title, source, written_by, ts) VALUES (:tenant, :ritual, :clock, "
	  ":origin, :hash, :definition, :version, :notation, :title, :source, :by, :ts)");

DEMON_SQL_SCAN(sql_definitions_rows, "digest and rebuild",
	       "SELECT digest, spec FROM definitions ORDER BY digest");
DEMON_SQL_SCAN(sql_definitions_clear, "rebuild", "DELETE FROM definitions");
DEMON_SQL_SCAN(sql_writes_rows, "digest and rebuild",
	       "SELECT tenant_id, ritual_id, clock, origin, hash, definition, version, notation, "
	       "title, source, written_by, ts FROM named_rituals "
	       "ORDER BY tenant_id, ritual_id, clock, origin, hash");
DEMON_SQL_SCAN(sql_writes_clear, "rebuild", "DELETE FROM named_rituals");

enum { BY, NOTATION, SOURCE, SPEC, TITLE, VERSION, MEMBERS };

static const char *const members[MEMBERS] = {"by",   "notation", "source",
					     "spec", "title",    "version"};
static const char *const params[MEMBERS] = {":by", ":notation", ":source",
					    NULL,  ":title",    ":version"};

static enum demon_rc damaged(const struct demon_event *ev, const char *member,
			     struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT,
			     "event %s of ritual '%s': '%s' is missing or wrong", ev->type,
			     ev->ritual_id, member);
}

/* Decoded members, which must live as long as they are bound. */
struct texts {
	struct demon_buf of[MEMBERS];
};

static void texts_done(struct texts *t)
{
	for (int i = 0; i < MEMBERS; i++)
		demon_buf_done(&t->of[i]);
}

/* Binds a string, or NULL where there is none. */
static enum demon_rc bind_text(struct demon_stmt *q, const struct demon_event *ev, int member,
			       struct demon_json_span value, struct demon_buf *scratch,
			       struct demon_err *err)
{
	scratch->data = demon_buf_empty;
	if (!value.at) {
		demon_bind_null(q, params[member]);
		return DEMON_OK;
	}
	if (!demon_json_span_str(value, scratch))
		return damaged(ev, members[member], err);
	demon_bind_text(q, params[member], scratch->data, scratch->len);
	return demon_buf_rc(scratch, err);
}

/* The digest is computed: what the event says of it has no say. */
static enum demon_rc keep_definition(struct demon_db *db, const struct demon_event *ev,
				     struct demon_json_span spec,
				     unsigned char digest[DEMON_HASH_LEN], struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_definition);

	if (!spec.at || *spec.at != '{')
		return damaged(ev, members[SPEC], err);
	if ((rc = demon_sha256(spec.at, spec.len, digest, err)))
		return rc;
	demon_bind_blob(&q, ":digest", digest, DEMON_HASH_LEN);
	demon_bind_text(&q, ":spec", spec.at, spec.len);
	return demon_exec(&q, err);
}

/* Finds the members; of a name that is given up only who did it counts. */
static enum demon_rc read_members(const struct demon_event *ev, bool registered,
				  struct demon_json_span *v, struct demon_err *err)
{
	demon_json_members(ev->payload, ev->payload_len, members, v, MEMBERS);
	for (int i = 0; i < MEMBERS && !registered; i++)
		if (i != BY)
			v[i] = (struct demon_json_span){0};
	if (registered && (!v[NOTATION].at || !v[VERSION].at))
		return damaged(ev, members[v[NOTATION].at ? VERSION : NOTATION], err);
	return DEMON_OK;
}

static enum demon_rc write(struct demon_db *db, const struct demon_event *ev, bool registered,
			   struct demon_err *err)
{
	unsigned char digest[DEMON_HASH_LEN];
	struct demon_json_span v[MEMBERS];
	demon_cleanup(texts_done) struct texts texts = {0};
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_write);

	if ((rc = read_members(ev, registered, v, err)) ||
	    (registered && (rc = keep_definition(db, ev, v[SPEC], digest, err))))
		return rc;
	for (int i = 0; i < MEMBERS; i++)
		if (params[i] && (rc = bind_text(&q, ev, i, v[i], &texts.of[i], err)))
			return rc;
	demon_bind_str(&q, ":tenant", ev->tenant_id);
	demon_bind_str(&q, ":ritual", ev->ritual_id);
	demon_bind_i64(&q, ":clock", (int64_t)ev->clock);
	demon_bind_blob(&q, ":origin", ev->origin, sizeof(ev->origin));
	demon_bind_blob(&q, ":hash", ev->hash, sizeof(ev->hash));
	demon_bind_blob(&q, ":definition", registered ? digest : NULL, DEMON_HASH_LEN);
	demon_bind_i64(&q, ":ts", ev->ts);
	return demon_exec(&q, err);
}

static enum demon_rc apply(struct demon_db *db, const struct demon_event *event,
			   struct demon_err *err)
{
	bool registered = strcmp(event->type, "ritual.registered:v1") == 0;

	if (event->stream != DEMON_STREAM_RITUAL || event->run_id ||
	    (!registered && strcmp(event->type, "ritual.unregistered:v1") != 0))
		return DEMON_OK;
	if (!event->payload)
		return demon_err_set(err, DEMON_CORRUPT,
				     "event %s of ritual '%s': its payload is not here",
				     event->type, event->ritual_id);
	return write(db, event, registered, err);
}

static const struct demon_projection_table tables[] = {
    {"definitions", &sql_definitions_rows, &sql_definitions_clear},
    {"named_rituals", &sql_writes_rows, &sql_writes_clear},
    {NULL, NULL, NULL},
};

const struct demon_projection demon_registry_projection = {
    .name = "rituals",
    .tables = tables,
    .apply = apply,
};
