#include "courier.h"

#include "base/bytes.h"
#include "base/fault.h"
#include "domain/admin/register.h"
#include "domain/approval/link.h"
#include "recipients.h"
#include "store/log.h"
#include "store/readers.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

DEMON_SQL(sql_event, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES "WHERE e.seq = :seq");

/* A delivery with all that it takes, copied out of the database. */
struct letter {
	const struct demon_courier *courier;
	const struct demon_topic *topic;
	struct demon_event event; /* ids, origins and time; texts are those below */
	char tenant_id[65];
	char ritual_id[65];
	char run_id[65];
	char gate_id[65];
	json_t *payload; /* owned */
	json_t *value;   /* owned: of the route */
	json_t *terms;   /* owned: of the gate, or NULL */
	json_t *people;  /* owned: who may decide */
	json_t *links;   /* owned */
	struct demon_buf link;
	const char *lost; /* why it can never be sent; NULL: it can */
};

static void letter_done(struct letter *l)
{
	json_decref(l->payload);
	json_decref(l->value);
	json_decref(l->terms);
	json_decref(l->people);
	json_decref(l->links);
	demon_buf_done(&l->link);
}

static enum demon_rc keep_value(void *ctx, const struct demon_register_row *row,
				struct demon_err *err)
{
	return demon_json_parse(row->value, row->value_len, &demon_json_payload_limits, ctx, err);
}

static const char *keep_text(char *out, size_t room, const char *text)
{
	if (!text)
		return NULL;
	(void)snprintf(out, room, "%s", text);
	return out;
}

static enum demon_rc read_event(struct letter *l, struct demon_db *db,
				const struct demon_delivery *d, struct demon_err *err)
{
	struct demon_event ev;
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_event);

	demon_bind_i64(&q, ":seq", d->seq);
	if ((rc = demon_step(&q, &row, err)) || (row && (rc = demon_log_row(&q, NULL, &ev, err))))
		return rc;
	if (!row || memcmp(ev.hash, d->hash, sizeof(ev.hash)) != 0) {
		l->lost = "the event is not in the log any more";
		return DEMON_OK;
	}
	if (!ev.payload) {
		l->lost = "the event's payload was archived";
		return DEMON_OK;
	}
	if ((rc = demon_json_parse(ev.payload, ev.payload_len, &demon_json_payload_limits,
				   &l->payload, err)))
		return rc;
	l->event = (struct demon_event){
	    .seq = ev.seq,
	    .ts = ev.ts,
	    .tenant_id = keep_text(l->tenant_id, sizeof(l->tenant_id), ev.tenant_id),
	    .ritual_id = keep_text(l->ritual_id, sizeof(l->ritual_id), ev.ritual_id),
	    .run_id = keep_text(l->run_id, sizeof(l->run_id), ev.run_id),
	    .gate_id = keep_text(l->gate_id, sizeof(l->gate_id), ev.gate_id),
	};
	memcpy(l->event.run_origin, ev.run_origin, sizeof(ev.run_origin));
	return DEMON_OK;
}

/* The terms of the gate, and who may decide about it. */
static enum demon_rc read_gate(struct letter *l, struct demon_db *db, struct demon_err *err)
{
	const struct demon_occasion occasion = {
	    .topic = l->topic, .event = &l->event, .payload = l->payload};
	struct demon_route route;
	enum demon_rc rc;

	demon_route_read(l->value, &route);
	if (!route.links || !l->courier->base_url)
		return DEMON_OK;
	if ((rc = demon_recipients_terms(db, &occasion, &l->terms, err)))
		return rc;
	if (!l->terms)
		return DEMON_OK;
	return demon_recipients_approvers(db, &occasion, &l->people, err);
}

static enum demon_rc read_letter(struct letter *l, const struct demon_delivery *d,
				 struct demon_err *err)
{
	struct demon_route route;
	enum demon_rc rc;
	DEMON_READ(loan);
	DEMON_TXN(tx);

	l->topic = demon_topic_find(d->topic);
	if (!l->topic) {
		l->lost = "this version has no such event";
		return DEMON_OK;
	}
	if ((rc = demon_store_borrow(l->courier->store, &loan, err)) ||
	    (rc = demon_txn_read(&tx, loan.db, err)))
		return rc;
	rc = demon_register_get(loan.db, DEMON_REGISTER_ROUTE, d->route_tenant, d->route,
				keep_value, &l->value, err);
	if (rc && rc != DEMON_NOTFOUND)
		return rc;
	if (rc)
		l->lost = "the route was taken away";
	else if ((rc = demon_route_parse(l->value, &route, err)) == DEMON_INVALID)
		l->lost = "the route is none that this version knows";
	else if (rc)
		return rc;
	else if (route.disabled)
		l->lost = "the route is disabled";
	if (l->lost)
		return DEMON_OK;
	if ((rc = read_event(l, loan.db, d, err)) || l->lost)
		return rc;
	return read_gate(l, loan.db, err);
}

/* Appends the address of a link for somebody, the same for every attempt; nothing where links are
 * not enough to decide. */
static enum demon_rc make_link(const struct letter *l, const struct demon_delivery *d,
			       const char *approver, struct demon_buf *out, struct demon_err *err)
{
	const char *expires = json_string_value(json_object_get(l->terms, "expiresAt"));
	const char *least = json_string_value(json_object_get(l->terms, "authentication"));
	struct demon_link link = {.round =
				      json_integer_value(json_object_get(l->payload, "round"))};
	unsigned char hash[DEMON_HASH_LEN];
	enum demon_rc rc;
	DEMON_BUF(token, 0);
	DEMON_BUF(seed, 0);

	if (!expires || (least && strcmp(least, "token") == 0) || !l->event.gate_id)
		return DEMON_OK;
	demon_buf_fmt(&seed, "%s\n%s", d->key, approver);
	if ((rc = demon_buf_rc(&seed, err)) ||
	    (rc = demon_sha256(seed.data, seed.len, hash, err)) ||
	    (rc = demon_rfc3339_parse(expires, &link.expires_at, err)))
		return rc;
	demon_hex(hash, DEMON_LINK_NONCE_LEN / 2, link.nonce);
	(void)keep_text(link.tenant_id, sizeof(link.tenant_id), l->tenant_id);
	(void)keep_text(link.run_id, sizeof(link.run_id), l->run_id);
	(void)keep_text(link.gate_id, sizeof(link.gate_id), l->gate_id);
	(void)keep_text(link.approver, sizeof(link.approver), approver);
	memcpy(link.run_origin, l->event.run_origin, sizeof(link.run_origin));
	if ((rc = demon_link_make(l->courier->store, &link, &token, err)))
		return rc == DEMON_INVALID ? DEMON_OK : rc; /* nobody who can have one */
	demon_link_url(l->courier->base_url, token.data, out);
	return demon_buf_rc(out, err);
}

/* Links for all who may decide. */
static enum demon_rc make_links(struct letter *l, const struct demon_delivery *d,
				struct demon_err *err)
{
	const json_t *person;
	enum demon_rc rc;
	size_t i;

	if (*d->recipient || !json_array_size(l->people))
		return DEMON_OK;
	l->links = json_array();
	json_array_foreach(l->people, i, person)
	{
		DEMON_BUF(url, 0);

		if ((rc = make_link(l, d, json_string_value(person), &url, err)))
			return rc;
		if (url.len && json_array_append_new(l->links, json_pack("{s:O,s:s}", "approver",
									 person, "link", url.data)))
			return demon_err_set(err, DEMON_NOMEM, "no memory for links");
	}
	return DEMON_OK;
}

/* Who gets a mail may be somebody who cannot decide: a link would only mislead. */
static bool may_decide(const struct letter *l, const char *recipient)
{
	static const char *const limits[] = {"approvers", "roles", "levels"};

	for (size_t i = 0; i < demon_count(limits); i++)
		if (json_array_size(json_object_get(l->terms, limits[i])))
			return demon_recipients_has(l->people, recipient);
	return true;
}

static enum demon_rc send(struct letter *l, const struct demon_delivery *d,
			  struct demon_sent *ret_sent, struct demon_err *err)
{
	struct demon_node node;
	enum demon_rc rc;

	if ((rc = make_links(l, d, err)) ||
	    (*d->recipient && l->terms && may_decide(l, d->recipient) &&
	     (rc = make_link(l, d, d->recipient, &l->link, err))))
		return rc;
	demon_node_get(l->courier->store, &node);
	const struct demon_notice notice = {
	    .topic = l->topic,
	    .event = &l->event,
	    .payload = l->payload,
	    .key = d->key,
	    .route = d->route,
	    .node = node.label,
	    .base_url = l->courier->base_url,
	    .recipient = *d->recipient ? d->recipient : NULL,
	    .link = l->link.len ? l->link.data : NULL,
	    .links = l->links,
	};
	return demon_sending_try(&l->courier->sending, l->value, &notice, ret_sent, err);
}

/* Whether it lies with the endpoint: then all that waits for it may rest for a while. */
static bool is_endpoint(const struct demon_sent *sent)
{
	return sent->end == DEMON_SENT_LATER || sent->status == 401 || sent->status == 403 ||
	       sent->status == 404 || sent->status == 410;
}

enum demon_rc demon_courier_deliver(const struct demon_courier *courier,
				    const struct demon_delivery *delivery,
				    struct demon_delivered *ret, struct demon_err *err)
{
	demon_cleanup(letter_done) struct letter l = {.courier = courier,
						      .link = {.data = demon_buf_empty}};
	struct demon_delivered out = {.state = DEMON_DELIVERY_DEAD};
	struct demon_route route;
	enum demon_rc rc = read_letter(&l, delivery, err);

	if (rc)
		return rc;
	if (l.lost) {
		(void)snprintf(out.sent.text, sizeof(out.sent.text), "%s", l.lost);
		out.sent.end = DEMON_SENT_REFUSED;
		*ret = out;
		return demon_delivery_bury(courier->store, delivery, l.lost, err);
	}
	if ((rc = send(&l, delivery, &out.sent, err)))
		return rc;
	if (DEMON_FAULT(NOTICE_SENT))
		return demon_err_set(err, DEMON_IO, "fault after a notification was sent");
	demon_route_read(l.value, &route);
	if ((rc = demon_delivery_record(courier->store, delivery, &out.sent, route.attempts,
					&out.state, err)))
		return rc;
	out.route_failed = is_endpoint(&out.sent);
	*ret = out;
	return DEMON_OK;
}

enum demon_rc demon_courier_route(struct demon_store *store, const char *tenant, const char *route,
				  json_t **ret_value, struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	return demon_register_get(loan.db, DEMON_REGISTER_ROUTE, tenant, route, keep_value,
				  ret_value, err);
}

enum demon_rc demon_courier_test(const struct demon_courier *courier, const char *tenant,
				 const char *route, const char *recipient,
				 struct demon_sent *ret_sent, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(courier->store);
	const struct demon_event event = {
	    .ts = env->now(env->ctx),
	    .tenant_id = strcmp(tenant, DEMON_TENANT_ALL) == 0 ? NULL : tenant};
	unsigned char random[DEMON_DELIVERY_KEY_LEN / 2];
	char key[DEMON_DELIVERY_KEY_LEN + 1];
	json_auto_t *value = NULL;
	struct demon_node node;
	struct demon_route ignored;
	enum demon_rc rc;

	env->random(env->ctx, random, sizeof(random));
	demon_hex(random, sizeof(random), key);
	demon_node_get(courier->store, &node);
	if ((rc = demon_courier_route(courier->store, tenant, route, &value, err)) ||
	    (rc = demon_route_parse(value, &ignored, err)))
		return rc;
	const struct demon_notice notice = {
	    .topic = demon_topic_find("test"),
	    .event = &event,
	    .key = key,
	    .route = route,
	    .node = node.label,
	    .base_url = courier->base_url,
	    .recipient = recipient,
	};
	return demon_sending_try(&courier->sending, value, &notice, ret_sent, err);
}
