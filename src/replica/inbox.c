#include "inbox.h"

#include "assembly.h"
#include "store/log.h"
#include "store/readers.h"
#include "store/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BATCH_MAX  1000
#define BYTES_MAX  ((size_t)8 << 20)
#define LAZY_MAX   512              /* own messages read back before that is written down */
#define LAZY_MS    1000             /* or this time after the first */
#define RECHECK_MS ((int64_t)60000) /* what waits for the clock is looked at again */

DEMON_SQL_SCAN(sql_retry, "few, by hand",
	       "SELECT stream, stream_sequence FROM local_retries LIMIT 1");
DEMON_SQL(sql_retried,
	  "DELETE FROM local_retries WHERE stream = :stream AND stream_sequence = :seq");

/* A message that is no event: a copy. */
struct oddity {
	struct demon_message message;
	enum demon_fault_kind kind;
	char reason[sizeof(((struct demon_err *)0)->msg)];
	char *bytes; /* owned: what the message points to */
};

struct retried {
	enum demon_stream stream;
	uint64_t sequence;
};

struct demon_inbox {
	struct demon_replica_options options;
	struct demon_outbox *outbox;
	const struct demon_env *env;
	struct demon_sha256 *sha;
	struct demon_position written[DEMON_STREAM_COUNT];
	struct demon_position positions[DEMON_STREAM_COUNT];
	struct demon_incoming *items[BATCH_MAX];
	struct oddity *oddities[BATCH_MAX];
	struct retried retried[BATCH_MAX];
	size_t item_count;
	size_t oddity_count;
	size_t retried_count;
	size_t bytes;
	size_t own;          /* items that this node wrote */
	size_t unwritten;    /* messages since positions were written */
	demon_ticks since;   /* when the first of them came */
	demon_ticks checked; /* when what waits was last looked at as a whole */
	int64_t waiting;
	bool careful;
};

static void free_oddity(struct oddity *odd)
{
	free(odd->bytes);
	free(odd);
}

static void clear(struct demon_inbox *inbox)
{
	for (size_t i = 0; i < inbox->item_count; i++)
		demon_incoming_free(inbox->items[i]);
	for (size_t i = 0; i < inbox->oddity_count; i++)
		free_oddity(inbox->oddities[i]);
	inbox->item_count = inbox->oddity_count = inbox->retried_count = 0;
	inbox->bytes = inbox->own = 0;
}

static enum demon_rc load(struct demon_inbox *inbox, struct demon_err *err)
{
	DEMON_READ(loan);
	enum demon_rc rc = demon_store_borrow(inbox->options.store, &loan, err);

	for (unsigned i = 0; i < DEMON_STREAM_COUNT && !rc; i++) {
		rc = demon_position_load(loan.db, (enum demon_stream)i, &inbox->written[i], err);
		inbox->positions[i] = inbox->written[i];
	}
	return rc ? rc : demon_assembly_waiting(loan.db, &inbox->waiting, err);
}

enum demon_rc demon_inbox_open(const struct demon_replica_options *options,
			       struct demon_outbox *outbox, struct demon_inbox **ret_inbox,
			       struct demon_err *err)
{
	struct demon_inbox *inbox = demon_calloc(1, sizeof(*inbox));
	enum demon_rc rc;

	if (!inbox)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the inbox");
	inbox->options = *options;
	inbox->outbox = outbox;
	inbox->env = demon_store_env(options->store);
	inbox->sha = demon_sha256_new();
	rc = inbox->sha ? load(inbox, err)
			: demon_err_set(err, DEMON_NOMEM, "no memory for the inbox");
	if (rc) {
		demon_inbox_close(inbox);
		return rc;
	}
	*ret_inbox = inbox;
	return DEMON_OK;
}

void demon_inbox_close(struct demon_inbox *inbox)
{
	if (!inbox)
		return;
	clear(inbox);
	demon_sha256_free(inbox->sha);
	free(inbox);
}

const struct demon_position *demon_inbox_position(const struct demon_inbox *inbox,
						  enum demon_stream stream)
{
	return &inbox->positions[stream];
}

void demon_inbox_move(struct demon_inbox *inbox, enum demon_stream stream,
		      const struct demon_position *position)
{
	inbox->positions[stream] = *position;
	inbox->unwritten += LAZY_MAX;
}

static enum demon_rc add_oddity(struct demon_inbox *inbox, const struct demon_message *message,
				enum demon_fault_kind kind, const char *reason,
				struct demon_err *err)
{
	struct oddity *odd = demon_calloc(1, sizeof(*odd));
	enum demon_rc rc;

	if (!odd)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a message");
	odd->kind = kind;
	(void)snprintf(odd->reason, sizeof(odd->reason), "%s", reason);
	if ((rc = demon_message_copy(message, &odd->message, &odd->bytes, err))) {
		free_oddity(odd);
		return rc;
	}
	inbox->oddities[inbox->oddity_count++] = odd;
	inbox->bytes += message->payload_len + 1024;
	return DEMON_OK;
}

/* Somebody else's: the owner of what it is about takes it, others pass. */
static enum demon_rc add_foreign(struct demon_inbox *inbox, const struct demon_message *message,
				 struct demon_err *err)
{
	enum demon_foreign outcome = DEMON_FOREIGN_QUARANTINE;
	enum demon_rc rc = DEMON_OK;

	(void)demon_err_set(err, DEMON_INVALID, "it has no header of an event");
	if (inbox->options.foreign)
		rc = inbox->options.foreign(inbox->options.foreign_ctx, message, &outcome, err);
	if (rc || outcome != DEMON_FOREIGN_QUARANTINE)
		return rc;
	return add_oddity(inbox, message, DEMON_BAD_FOREIGN, err->msg, err);
}

static enum demon_rc add_event(struct demon_inbox *inbox, const struct demon_message *message,
			       struct demon_err *err)
{
	struct demon_incoming *item;
	enum demon_fault_kind kind;
	struct demon_err why;
	enum demon_rc rc = demon_incoming_read(message, inbox->sha, &item, &kind, &why);

	if (rc == DEMON_NOMEM) {
		*err = why;
		return rc;
	}
	if (rc)
		return add_oddity(inbox, message, kind, why.msg, err);
	if (memcmp(item->ev.origin, demon_store_origin(inbox->options.store), DEMON_ORIGIN_LEN) ==
	    0)
		inbox->own++;
	inbox->items[inbox->item_count++] = item;
	inbox->bytes += message->payload_len + 1024;
	return DEMON_OK;
}

enum demon_rc demon_inbox_add(struct demon_inbox *inbox, const struct demon_message *message,
			      bool again, struct demon_err *err)
{
	struct demon_position *position = &inbox->positions[message->stream];
	enum demon_rc rc =
	    message->header ? add_event(inbox, message, err) : add_foreign(inbox, message, err);

	if (rc)
		return rc;
	if (again) {
		inbox->retried[inbox->retried_count++] =
		    (struct retried){message->stream, message->sequence};
		return DEMON_OK;
	}
	if (message->sequence <= position->sequence)
		return DEMON_OK; /* read once more: a short tail may have been replaced */
	position->sequence = message->sequence;
	demon_message_mark(inbox->sha, message, position->mark);
	if (!inbox->unwritten++)
		inbox->since = inbox->env->mono(inbox->env->ctx);
	return DEMON_OK;
}

bool demon_inbox_full(const struct demon_inbox *inbox)
{
	return inbox->item_count == BATCH_MAX || inbox->oddity_count == BATCH_MAX ||
	       inbox->retried_count == BATCH_MAX || inbox->bytes >= BYTES_MAX;
}

static enum demon_rc save_positions(struct demon_inbox *inbox, struct demon_db *db, demon_time now,
				    struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	for (unsigned i = 0; i < DEMON_STREAM_COUNT && !rc; i++) {
		enum demon_stream stream = (enum demon_stream)i;
		DEMON_BUF(confirmed, 0);

		if (memcmp(&inbox->positions[i], &inbox->written[i], sizeof(inbox->written[i])) ==
		    0)
			continue;
		demon_outbox_confirmed(inbox->outbox, stream, &confirmed);
		if ((rc = demon_buf_rc(&confirmed, err)))
			break;
		if (inbox->positions[i].sequence < inbox->written[i].sequence)
			rc = demon_marks_cut(db, stream, inbox->positions[i].sequence, err);
		if (!rc)
			rc = demon_position_save(db, stream, &inbox->positions[i], confirmed.data,
						 now, err);
	}
	return rc ? rc : demon_outbox_save(inbox->outbox, db, err);
}

static enum demon_rc forget_retries(struct demon_inbox *inbox, struct demon_db *db,
				    struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < inbox->retried_count && !rc; i++) {
		DEMON_STMT(q, db, &sql_retried);

		demon_bind_str(&q, ":stream", demon_stream_name(inbox->retried[i].stream));
		demon_bind_i64(&q, ":seq", (int64_t)inbox->retried[i].sequence);
		rc = demon_exec(&q, err);
	}
	return rc;
}

struct batch {
	struct demon_inbox *inbox;
	struct demon_assembly assembly;
};

static enum demon_rc write_batch(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct batch *batch = ctx;
	struct demon_inbox *inbox = batch->inbox;
	struct demon_db *db = demon_write_db(w);
	demon_time now = inbox->env->now(inbox->env->ctx);
	enum demon_rc rc = DEMON_OK;

	batch->assembly = (struct demon_assembly){.w = w,
						  .outbox = inbox->outbox,
						  .now = now,
						  .careful = inbox->careful,
						  .waiting = inbox->waiting};
	for (size_t i = 0; i < inbox->oddity_count && !rc; i++) {
		const struct oddity *odd = inbox->oddities[i];

		rc = demon_quarantine_add(db, &odd->message, odd->kind, odd->reason, now, err);
	}
	if (!rc)
		rc = demon_assemble(&batch->assembly, inbox->items, inbox->item_count, err);
	if (!rc)
		rc = forget_retries(inbox, db, err);
	return rc ? rc : save_positions(inbox, db, now, err);
}

/* What this node wrote itself and reads back changes no table but its own notes of that. */
static bool can_wait(struct demon_inbox *inbox)
{
	demon_ticks now = inbox->env->mono(inbox->env->ctx);

	if (inbox->oddity_count || inbox->retried_count || inbox->own < inbox->item_count)
		return false;
	if (inbox->waiting && now - inbox->checked > RECHECK_MS * 1000)
		return false;
	if (!inbox->unwritten)
		return !demon_outbox_unsaved(inbox->outbox) ||
		       now - inbox->since < LAZY_MS * (demon_ticks)1000;
	return inbox->unwritten < LAZY_MAX && now - inbox->since < LAZY_MS * (demon_ticks)1000;
}

/* Confirms what is only that, without a transaction. *ret_rest: something else is left. */
static enum demon_rc confirm_only(struct demon_inbox *inbox, bool *ret_rest, struct demon_err *err)
{
	DEMON_READ(loan);
	enum demon_rc rc = demon_store_borrow(inbox->options.store, &loan, err);

	*ret_rest = false;
	for (size_t i = 0; i < inbox->item_count && !rc && !*ret_rest; i++) {
		struct demon_event_ref ref = demon_event_ref_of(&inbox->items[i]->ev);
		struct demon_held held;

		rc = demon_log_held(loan.db, &ref, &held, err);
		*ret_rest =
		    !rc && (!held.found || memcmp(held.hash, ref.hash, sizeof(ref.hash)) != 0);
	}
	for (size_t i = 0; i < inbox->item_count && !rc && !*ret_rest; i++) {
		struct demon_event_ref ref = demon_event_ref_of(&inbox->items[i]->ev);

		rc = demon_outbox_confirm(inbox->outbox, &ref, inbox->items[i]->stream_sequence,
					  err);
	}
	return rc;
}

enum demon_rc demon_inbox_flush(struct demon_inbox *inbox, bool lazy, int64_t *ret_events,
				struct demon_err *err)
{
	struct batch batch = {.inbox = inbox};
	bool rest = true;
	enum demon_rc rc = DEMON_OK;

	*ret_events = 0;
	if (lazy && can_wait(inbox) && !(rc = confirm_only(inbox, &rest, err)) && !rest) {
		clear(inbox);
		return DEMON_OK;
	}
	if (!rc && !inbox->item_count && !inbox->oddity_count && !inbox->retried_count &&
	    !inbox->unwritten && !inbox->waiting && !demon_outbox_unsaved(inbox->outbox))
		return DEMON_OK;
	inbox->careful = false;
	if (!rc)
		rc = demon_store_write(inbox->options.store, write_batch, &batch, err);
	if (rc && batch.assembly.need_care) {
		inbox->careful = true;
		rc = demon_store_write(inbox->options.store, write_batch, &batch, err);
	}
	clear(inbox);
	if (rc) {
		memcpy(inbox->positions, inbox->written, sizeof(inbox->positions));
		return rc;
	}
	memcpy(inbox->written, inbox->positions, sizeof(inbox->written));
	inbox->waiting = batch.assembly.waiting;
	inbox->unwritten = 0;
	inbox->since = inbox->checked = inbox->env->mono(inbox->env->ctx);
	*ret_events = batch.assembly.taken;
	return DEMON_OK;
}

enum demon_rc demon_inbox_retry(struct demon_inbox *inbox, enum demon_stream *ret_stream,
				uint64_t *ret_sequence, bool *ret_found, struct demon_err *err)
{
	DEMON_READ(loan);
	enum demon_rc rc = demon_store_borrow(inbox->options.store, &loan, err);

	if (rc)
		return rc;
	DEMON_STMT(q, loan.db, &sql_retry);
	if ((rc = demon_step(&q, ret_found, err)) || !*ret_found)
		return rc;
	*ret_sequence = (uint64_t)demon_col_i64(&q, 1);
	if (!demon_stream_find(demon_col_str(&q, 0), ret_stream))
		return demon_err_set(err, DEMON_CORRUPT, "local_retries: an unknown stream");
	return DEMON_OK;
}
