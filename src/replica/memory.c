#include "memory.h"

#include "base/base.h"

#include <string.h>

#define NODES_MAX 16
#define SENT_MAX  1024 /* messages of a node that are on their way */

/* A message that the server holds: texts and payload in one piece of memory. */
struct stored {
	struct demon_message message; /* sequence 0: it was deleted */
	char *bytes;
};

struct stream {
	struct stored *messages; /* by sequence, from `base` */
	uint64_t base;           /* sequence of messages[0] */
	size_t count;
	size_t cap;
};

/* Something on its way from a node, and its answer on the way back. */
struct sent {
	bool arrived;
	unsigned turns; /* until it arrives, or the answer does */
	struct stored copy;
	struct demon_ack ack;
};

struct demon_memory_node {
	struct demon_memory *memory;
	bool cut;
	uint64_t generation;
	uint64_t reconnects;
	struct sent *sent; /* SENT_MAX; in order of departure */
	size_t sent_count;
	uint64_t next[DEMON_STREAM_COUNT]; /* what is read next; 0: not subscribed */
	unsigned turn;                     /* which stream comes first in next() */
};

struct demon_memory {
	uint64_t state;
	struct demon_memory_faults faults;
	struct stream streams[DEMON_STREAM_COUNT];
	struct demon_memory_node *nodes[NODES_MAX];
	size_t node_count;
};

static uint64_t random_of(struct demon_memory *m)
{
	uint64_t z = (m->state += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static bool chance(struct demon_memory *m, unsigned thousandths)
{
	return thousandths && random_of(m) % 1000 < thousandths;
}

enum demon_rc demon_memory_new(uint64_t seed, struct demon_memory **ret_memory,
			       struct demon_err *err)
{
	struct demon_memory *m = demon_calloc(1, sizeof(*m));

	if (!m)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a transport");
	m->state = seed;
	for (size_t i = 0; i < DEMON_STREAM_COUNT; i++)
		m->streams[i].base = 1;
	*ret_memory = m;
	return DEMON_OK;
}

static void empty(struct stream *s, size_t keep)
{
	while (s->count > keep)
		free(s->messages[--s->count].bytes);
}

void demon_memory_free(struct demon_memory *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < DEMON_STREAM_COUNT; i++) {
		empty(&m->streams[i], 0);
		free(m->streams[i].messages);
	}
	free(m);
}

void demon_memory_set_faults(struct demon_memory *m, const struct demon_memory_faults *faults)
{
	m->faults = faults ? *faults : (struct demon_memory_faults){0};
}

/* Appends a copy to its stream. 0: no memory. */
static uint64_t store(struct demon_memory *m, const struct demon_message *message)
{
	struct stream *s = &m->streams[message->stream];
	struct demon_err err;

	if (s->count == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct stored *messages = demon_realloc(s->messages, cap, sizeof(*messages));

		if (!messages)
			return 0;
		s->messages = messages;
		s->cap = cap;
	}
	if (demon_message_copy(message, &s->messages[s->count].message,
			       &s->messages[s->count].bytes, &err))
		return 0;
	s->messages[s->count].message.sequence = s->base + s->count;
	return s->messages[s->count++].message.sequence;
}

enum demon_rc demon_memory_inject(struct demon_memory *m, const struct demon_message *message,
				  struct demon_err *err)
{
	return store(m, message) ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory");
}

/* A node's line breaks: what had arrived is stored, no answer comes, nothing is subscribed to. */
static void break_line(struct demon_memory_node *node)
{
	node->generation++;
	memset(node->next, 0, sizeof(node->next));
	for (size_t i = 0; i < node->sent_count; i++) {
		struct sent *s = &node->sent[i];

		if (!s->arrived && random_of(node->memory) % 2)
			(void)store(node->memory, &s->copy.message);
		s->arrived = true;
		s->turns = 0;
		s->ack.rc = DEMON_UNAVAIL;
		(void)demon_err_set(&s->ack.err, DEMON_UNAVAIL, "the connection was lost");
	}
}

static void break_all(struct demon_memory *m)
{
	for (size_t i = 0; i < m->node_count; i++) {
		break_line(m->nodes[i]);
		m->nodes[i]->reconnects++;
	}
}

void demon_memory_rewind(struct demon_memory *m, enum demon_stream stream, uint64_t n)
{
	struct stream *s = &m->streams[stream];

	break_all(m);
	empty(s, n < s->count ? s->count - n : 0);
}

void demon_memory_purge(struct demon_memory *m, enum demon_stream stream)
{
	struct stream *s = &m->streams[stream];

	s->base += s->count;
	empty(s, 0);
}

void demon_memory_recreate(struct demon_memory *m, enum demon_stream stream)
{
	struct stream *s = &m->streams[stream];

	break_all(m);
	empty(s, 0);
	s->base = 1;
}

/* A message comes to the server, which decides on the answer. */
static void arrive(struct demon_memory *m, struct sent *s)
{
	s->arrived = true;
	s->turns = chance(m, m->faults.delay) ? (unsigned)(random_of(m) % 5) : 0;
	if (chance(m, m->faults.lose_send)) {
		s->ack.rc = demon_err_set(&s->ack.err, DEMON_UNAVAIL, "no answer in time");
		return;
	}
	if (chance(m, m->faults.refuse)) {
		s->ack.rc = demon_err_set(&s->ack.err, DEMON_FULL, "the stream is full");
		return;
	}
	s->ack.sequence = store(m, &s->copy.message);
	if (chance(m, m->faults.twice))
		(void)store(m, &s->copy.message);
	if (chance(m, m->faults.lose_answer))
		s->ack.rc = demon_err_set(&s->ack.err, DEMON_UNAVAIL, "no answer in time");
}

void demon_memory_turn(struct demon_memory *m)
{
	for (size_t n = 0; n < m->node_count; n++) {
		struct demon_memory_node *node = m->nodes[n];

		if (node->cut)
			continue;
		if (chance(m, m->faults.cut)) {
			break_line(node);
			node->reconnects++;
			continue;
		}
		for (size_t i = 0; i < node->sent_count; i++) {
			struct sent *s = &node->sent[i];

			if (s->turns)
				s->turns--;
			else if (!s->arrived)
				arrive(m, s);
		}
	}
}

static void op_link(void *ctx, struct demon_link *ret)
{
	const struct demon_memory_node *node = ctx;

	*ret = (struct demon_link){.up = !node->cut,
				   .generation = node->generation,
				   .reconnects = node->reconnects,
				   .url = "memory"};
}

static enum demon_rc check_up(const struct demon_memory_node *node, struct demon_err *err)
{
	return node->cut ? demon_err_set(err, DEMON_UNAVAIL, "cut off") : DEMON_OK;
}

static enum demon_rc op_ensure(void *ctx, demon_unused bool repair, demon_unused demon_drift_fn *fn,
			       demon_unused void *fn_ctx, struct demon_err *err)
{
	return check_up(ctx, err);
}

static enum demon_rc op_state(void *ctx, enum demon_stream stream, struct demon_stream_state *ret,
			      struct demon_err *err)
{
	const struct demon_memory_node *node = ctx;
	const struct stream *s = &node->memory->streams[stream];
	enum demon_rc rc = check_up(node, err);

	*ret = (struct demon_stream_state){
	    .first = s->base, .last = s->base + s->count - 1, .messages = s->count};
	return rc;
}

static const struct stored *at(const struct stream *s, uint64_t sequence)
{
	return sequence >= s->base && sequence < s->base + s->count
		   ? &s->messages[sequence - s->base]
		   : NULL;
}

static enum demon_rc op_get(void *ctx, enum demon_stream stream, uint64_t sequence,
			    demon_message_fn *fn, void *fn_ctx, struct demon_err *err)
{
	struct demon_memory_node *node = ctx;
	const struct stored *found = at(&node->memory->streams[stream], sequence);
	enum demon_rc rc = check_up(node, err);

	if (rc)
		return rc;
	if (!found)
		return demon_err_set(err, DEMON_NOTFOUND, "no such message");
	return fn(fn_ctx, &found->message, err);
}

static enum demon_rc op_publish(void *ctx, const struct demon_message *message, uint64_t ticket,
				struct demon_err *err)
{
	struct demon_memory_node *node = ctx;
	struct sent *s;
	enum demon_rc rc = check_up(node, err);

	if (rc)
		return rc;
	if (node->sent_count == SENT_MAX)
		return demon_err_set(err, DEMON_BUSY, "too many on their way");
	s = &node->sent[node->sent_count];
	*s = (struct sent){.ack = {.ticket = ticket}};
	if ((rc = demon_message_copy(message, &s->copy.message, &s->copy.bytes, err)))
		return rc;
	s->turns = chance(node->memory, node->memory->faults.delay)
		       ? (unsigned)(random_of(node->memory) % 5)
		       : 0;
	node->sent_count++;
	return DEMON_OK;
}

static size_t op_acks(void *ctx, struct demon_ack *ret, size_t max)
{
	struct demon_memory_node *node = ctx;
	size_t kept = 0;
	size_t n = 0;

	for (size_t i = 0; i < node->sent_count; i++) {
		struct sent *s = &node->sent[i];

		if (!s->arrived || s->turns || n == max) {
			node->sent[kept++] = *s;
			continue;
		}
		ret[n++] = s->ack;
		free(s->copy.bytes);
	}
	node->sent_count = kept;
	return n;
}

static enum demon_rc op_claim(void *ctx, const struct demon_message *message, uint64_t expected,
			      uint64_t *ret_sequence, struct demon_err *err)
{
	struct demon_memory_node *node = ctx;
	const struct stream *s = &node->memory->streams[message->stream];
	uint64_t last = 0;
	enum demon_rc rc = check_up(node, err);

	if (rc)
		return rc;
	for (size_t i = s->count; i-- > 0 && !last;)
		if (strcmp(s->messages[i].message.subject, message->subject) == 0)
			last = s->messages[i].message.sequence;
	if (last != expected)
		return demon_err_set(err, DEMON_CONFLICT, "the subject has another last message");
	*ret_sequence = store(node->memory, message);
	return *ret_sequence ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory");
}

static enum demon_rc op_subscribe(void *ctx, enum demon_stream stream, uint64_t start,
				  struct demon_err *err)
{
	struct demon_memory_node *node = ctx;
	enum demon_rc rc = check_up(node, err);

	if (!rc)
		node->next[stream] = start ? start : 1;
	return rc;
}

static enum demon_rc op_next(void *ctx, demon_unused int64_t wait_ms, struct demon_message *ret,
			     struct demon_err *err)
{
	struct demon_memory_node *node = ctx;
	enum demon_rc rc = check_up(node, err);

	if (rc)
		return rc;
	for (unsigned i = 0; i < DEMON_STREAM_COUNT; i++) {
		unsigned stream = (node->turn + i) % DEMON_STREAM_COUNT;
		const struct stream *s = &node->memory->streams[stream];
		const struct stored *found;

		if (!node->next[stream])
			continue;
		if (node->next[stream] < s->base)
			node->next[stream] = s->base;
		if (!(found = at(s, node->next[stream])))
			continue;
		node->next[stream]++;
		node->turn = stream + 1;
		*ret = found->message;
		return DEMON_OK;
	}
	return demon_err_set(err, DEMON_NOTFOUND, "nothing came");
}

static enum demon_rc op_put_tag(void *ctx, demon_unused const char *key,
				demon_unused const char *value, struct demon_err *err)
{
	return check_up(ctx, err);
}

static const struct demon_transport_ops ops = {
    .link = op_link,
    .ensure = op_ensure,
    .state = op_state,
    .get = op_get,
    .publish = op_publish,
    .acks = op_acks,
    .claim = op_claim,
    .subscribe = op_subscribe,
    .next = op_next,
    .put_tag = op_put_tag,
};

enum demon_rc demon_memory_join(struct demon_memory *m, struct demon_memory_node **ret_node,
				struct demon_transport *ret_transport, struct demon_err *err)
{
	struct demon_memory_node *node;

	if (m->node_count == NODES_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "at most %d nodes", NODES_MAX);
	node = demon_calloc(1, sizeof(*node));
	if (node)
		node->sent = demon_calloc(SENT_MAX, sizeof(*node->sent));
	if (!node || !node->sent) {
		free(node);
		return demon_err_set(err, DEMON_NOMEM, "no memory for a connection");
	}
	node->memory = m;
	node->generation = 1;
	m->nodes[m->node_count++] = node;
	*ret_node = node;
	*ret_transport = (struct demon_transport){.ops = &ops, .ctx = node};
	return DEMON_OK;
}

void demon_memory_leave(struct demon_memory_node *node)
{
	struct demon_memory *m = node->memory;

	for (size_t i = 0; i < m->node_count; i++)
		if (m->nodes[i] == node)
			m->nodes[i] = m->nodes[--m->node_count];
	for (size_t i = 0; i < node->sent_count; i++)
		free(node->sent[i].copy.bytes);
	free(node->sent);
	free(node);
}

void demon_memory_partition(struct demon_memory_node *node, bool cut)
{
	if (node->cut != cut && cut)
		break_line(node);
	node->reconnects += node->cut && !cut;
	node->cut = cut;
}
