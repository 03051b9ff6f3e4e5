#include "jetstream_handle.h"

#include "base/base.h"
#include "base/cond.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PING_MS  5000
#define RETRY_MS INT64_C(250) /* between rounds of servers, and jitter of as much */
#define URLS_MAX 16

static void wake(struct demon_jetstream *j)
{
	if (j->wake)
		j->wake(j->wake_ctx);
}

static void set_link(struct demon_jetstream *j, bool up, natsConnection *nc)
{
	char url[256] = "";
	char *at;

	if (nc && up && demon_nats.natsConnection_GetConnectedUrl(nc, url, sizeof(url)) != NATS_OK)
		url[0] = '\0';
	at = strchr(url, '@'); /* credentials are nobody's business */
	(void)pthread_mutex_lock(&j->lock);
	if (at)
		(void)snprintf(j->link.url, sizeof(j->link.url), "%s", at + 1);
	else
		memcpy(j->link.url, url, sizeof(j->link.url));
	j->link.up = up;
	j->link.generation++;
	(void)pthread_cond_broadcast(&j->news);
	(void)pthread_mutex_unlock(&j->lock);
	wake(j);
}

static void on_disconnected(demon_unused natsConnection *nc, void *closure)
{
	set_link(closure, false, NULL);
}

/* The last call that the library makes about a connection. */
static void on_closed(demon_unused natsConnection *nc, void *closure)
{
	struct demon_jetstream *j = closure;

	(void)pthread_mutex_lock(&j->lock);
	j->closed = true;
	(void)pthread_cond_broadcast(&j->news);
	(void)pthread_mutex_unlock(&j->lock);
}

static void on_reconnected(natsConnection *nc, void *closure)
{
	struct demon_jetstream *j = closure;

	(void)pthread_mutex_lock(&j->lock);
	j->link.reconnects++;
	(void)pthread_mutex_unlock(&j->lock);
	set_link(j, true, nc);
}

/* Errors of the line are told by its state; a reader that is too slow is told by a gap. */
static void on_error(demon_unused natsConnection *nc, demon_unused natsSubscription *sub,
		     natsStatus status, void *closure)
{
	struct demon_jetstream *j = closure;

	(void)pthread_mutex_lock(&j->lock);
	(void)snprintf(j->link.error, sizeof(j->link.error), "%s",
		       demon_nats.natsStatus_GetText(status));
	(void)pthread_mutex_unlock(&j->lock);
}

/* An answer; exactly once for each message that was sent. Takes @p msg. */
static void on_answer(demon_unused jsCtx *js, natsMsg *msg, jsPubAck *ack, jsPubAckErr *failure,
		      void *closure)
{
	struct demon_jetstream *j = closure;

	(void)pthread_mutex_lock(&j->lock);
	for (size_t i = 0; i < DEMON_JS_FLIGHTS; i++) {
		struct demon_ack *to;

		if (j->flights[i].msg != msg)
			continue;
		to = &j->acks[j->ack_count++];
		*to = (struct demon_ack){.ticket = j->flights[i].ticket};
		if (ack) {
			to->sequence = ack->Sequence;
			to->duplicate = ack->Duplicate;
		} else {
			to->rc = demon_err_set(&to->err, DEMON_UNAVAIL, "the stream refused: %s",
					       failure && failure->ErrText ? failure->ErrText
									   : "no answer");
		}
		j->flights[i].msg = NULL;
		break;
	}
	(void)pthread_mutex_unlock(&j->lock);
	demon_nats.natsMsg_Destroy(msg);
	wake(j);
}

static enum demon_rc make_context(struct demon_jetstream *j, struct demon_err *err)
{
	jsOptions options;
	natsStatus s;

	(void)demon_nats.jsOptions_Init(&options);
	options.Wait = DEMON_JS_WAIT_MS;
	options.PublishAsync.MaxPending = DEMON_JS_FLIGHTS;
	options.PublishAsync.AckHandler = on_answer;
	options.PublishAsync.AckHandlerClosure = j;
	if (*j->domain)
		options.Domain = j->domain;
	s = demon_nats.natsConnection_JetStream(&j->js, j->connection, &options);
	return s == NATS_OK ? DEMON_OK : demon_js_error(s, (jsErrCode)0, err, "JetStream");
}

static void pause_for(struct demon_jetstream *j, int64_t ms)
{
	struct timespec until = demon_cond_in(ms);

	(void)pthread_mutex_lock(&j->lock);
	if (!j->closing)
		(void)pthread_cond_timedwait(&j->news, &j->lock, &until);
	(void)pthread_mutex_unlock(&j->lock);
}

static bool is_closing(struct demon_jetstream *j)
{
	bool closing;

	(void)pthread_mutex_lock(&j->lock);
	closing = j->closing;
	(void)pthread_mutex_unlock(&j->lock);
	return closing;
}

/* The first connection; from then on libnats keeps it. */
static void *connect_first(void *arg)
{
	struct demon_jetstream *j = arg;

	while (!is_closing(j)) {
		struct demon_err err;
		natsStatus s = demon_nats.natsConnection_Connect(&j->connection, j->options);

		if (s == NATS_OK && make_context(j, &err) == DEMON_OK) {
			set_link(j, true, j->connection);
			return NULL;
		}
		(void)pthread_mutex_lock(&j->lock);
		(void)snprintf(j->link.error, sizeof(j->link.error), "%s",
			       demon_nats.natsStatus_GetText(s));
		(void)pthread_mutex_unlock(&j->lock);
		demon_nats.natsConnection_Destroy(j->connection);
		j->connection = NULL;
		pause_for(j, RETRY_MS * 2);
	}
	return NULL;
}

static natsStatus set_servers(natsOptions *options, const char *urls)
{
	demon_auto_free char *copy = demon_strdup(urls);
	const char *list[URLS_MAX];
	char *rest = NULL;
	int n = 0;

	if (!copy)
		return NATS_NO_MEMORY;
	for (char *url = strtok_r(copy, ",", &rest); url; url = strtok_r(NULL, ",", &rest)) {
		if (n == URLS_MAX)
			return NATS_INVALID_ARG;
		list[n++] = url;
	}
	return n ? demon_nats.natsOptions_SetServers(options, list, n) : NATS_INVALID_ARG;
}

static natsStatus set_behaviour(struct demon_jetstream *j)
{
	natsOptions *o = j->options;
	natsStatus s;

	if ((s = demon_nats.natsOptions_SetMaxReconnect(o, -1)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetReconnectWait(o, RETRY_MS)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetReconnectJitter(o, RETRY_MS, RETRY_MS)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetPingInterval(o, PING_MS)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetMaxPingsOut(o, 2)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetTimeout(o, DEMON_JS_WAIT_MS)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetSendAsap(o, true)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetFailRequestsOnDisconnect(o, true)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetIgnoreDiscoveredServers(o, false)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetName(o, j->name)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetDisconnectedCB(o, on_disconnected, j)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetReconnectedCB(o, on_reconnected, j)) != NATS_OK ||
	    (s = demon_nats.natsOptions_SetClosedCB(o, on_closed, j)) != NATS_OK)
		return s;
	return demon_nats.natsOptions_SetErrorHandler(o, on_error, j);
}

static enum demon_rc set_security(struct demon_jetstream *j, const struct demon_nats_server *server,
				  struct demon_err *err)
{
	/* the library reads this file with each connection, and not before */
	if (server->creds && access(server->creds, R_OK) != 0)
		return demon_err_set(err, DEMON_USAGE,
				     "cannot read '%s': it is to hold credentials", server->creds);
	if (server->creds && demon_nats.natsOptions_SetUserCredentialsFromFiles(
				 j->options, server->creds, NULL) != NATS_OK)
		return demon_err_set(err, DEMON_USAGE, "'%s' is no file of credentials",
				     server->creds);
	if (server->ca &&
	    demon_nats.natsOptions_LoadCATrustedCertificates(j->options, server->ca) != NATS_OK)
		return demon_err_set(err, DEMON_USAGE, "'%s' holds no certificates", server->ca);
	if (server->cert && demon_nats.natsOptions_LoadCertificatesChain(j->options, server->cert,
									 server->key) != NATS_OK)
		return demon_err_set(err, DEMON_USAGE, "'%s' is no certificate with that key",
				     server->cert);
	return DEMON_OK;
}

static enum demon_rc set_options(struct demon_jetstream *j, const struct demon_nats_server *server,
				 struct demon_err *err)
{
	natsStatus s = demon_nats.natsOptions_Create(&j->options);

	/* the addresses are not repeated: credentials may stand in them */
	if (s == NATS_OK && (s = set_servers(j->options, server->urls)) != NATS_OK)
		return demon_err_set(err, DEMON_USAGE,
				     "what was given are no addresses of NATS "
				     "servers");
	if (s == NATS_OK)
		s = set_behaviour(j);
	if (s != NATS_OK)
		return demon_js_error(s, (jsErrCode)0, err, "NATS");
	return set_security(j, server, err);
}

static void op_link(void *ctx, struct demon_link *ret)
{
	struct demon_jetstream *j = ctx;

	(void)pthread_mutex_lock(&j->lock);
	*ret = j->link;
	(void)pthread_mutex_unlock(&j->lock);
}

static enum demon_rc need_link(struct demon_jetstream *j, struct demon_err *err)
{
	struct demon_link link;

	op_link(j, &link);
	return link.up ? DEMON_OK
		       : demon_err_set(err, DEMON_UNAVAIL, "no connection%s%s",
				       *link.error ? ": " : "", link.error);
}

static natsStatus make_message(natsMsg **ret, const struct demon_message *message)
{
	const struct {
		const char *name;
		const char *value;
	} headers[] = {{"Nats-Msg-Id", message->id},
		       {"Demon-Header", message->header},
		       {"Demon-Previous", message->previous},
		       {"Demon-Hash", message->hash},
		       {"Demon-Signature", message->signature}};
	natsStatus s = demon_nats.natsMsg_Create(ret, message->subject, NULL, message->payload,
						 (int)message->payload_len);

	for (size_t i = 0; i < demon_count(headers) && s == NATS_OK; i++)
		if (headers[i].value)
			s = demon_nats.natsMsgHeader_Set(*ret, headers[i].name, headers[i].value);
	return s;
}

/* A place for a message on its way; its answer needs one too. */
static bool take_place(struct demon_jetstream *j, natsMsg *msg, uint64_t ticket)
{
	bool done = false;

	(void)pthread_mutex_lock(&j->lock);
	for (size_t i = 0; i < DEMON_JS_FLIGHTS && !done && j->flying < DEMON_JS_FLIGHTS; i++) {
		if (j->flights[i].msg)
			continue;
		j->flights[i] = (struct demon_js_flight){msg, ticket};
		j->flying++;
		done = true;
	}
	(void)pthread_mutex_unlock(&j->lock);
	return done;
}

static void leave_place(struct demon_jetstream *j, const natsMsg *msg)
{
	(void)pthread_mutex_lock(&j->lock);
	for (size_t i = 0; i < DEMON_JS_FLIGHTS; i++) {
		if (j->flights[i].msg == msg) {
			j->flights[i].msg = NULL;
			j->flying--;
		}
	}
	(void)pthread_mutex_unlock(&j->lock);
}

static enum demon_rc op_publish(void *ctx, const struct demon_message *message, uint64_t ticket,
				struct demon_err *err)
{
	struct demon_jetstream *j = ctx;
	jsPubOptions options;
	natsMsg *msg = NULL;
	natsMsg *sent;
	natsStatus s;
	enum demon_rc rc = need_link(j, err);

	if (rc)
		return rc;
	if ((int64_t)message->payload_len > demon_nats.natsConnection_GetMaxPayload(j->connection))
		return demon_err_set(
		    err, DEMON_TOOBIG, "%zu bytes; the server's max_payload is %" PRId64,
		    message->payload_len, demon_nats.natsConnection_GetMaxPayload(j->connection));
	s = make_message(&msg, message);
	if (s == NATS_OK && !take_place(j, msg, ticket)) {
		demon_nats.natsMsg_Destroy(msg);
		return demon_err_set(err, DEMON_BUSY, "too many messages are on their way");
	}
	sent = msg;
	if (s == NATS_OK) {
		(void)demon_nats.jsPubOptions_Init(&options);
		options.MaxWait = DEMON_JS_WAIT_MS;
		options.ExpectStream = demon_js_stream(message->stream);
		s = demon_nats.js_PublishMsgAsync(j->js, &msg, &options);
	}
	if (s == NATS_OK)
		return DEMON_OK;
	leave_place(j, sent);
	demon_nats.natsMsg_Destroy(msg);
	return demon_js_error(s, (jsErrCode)0, err, "publish");
}

static size_t op_acks(void *ctx, struct demon_ack *ret, size_t max)
{
	struct demon_jetstream *j = ctx;
	size_t n;

	(void)pthread_mutex_lock(&j->lock);
	n = j->ack_count < max ? j->ack_count : max;
	memcpy(ret, j->acks, n * sizeof(*ret));
	memmove(j->acks, j->acks + n, (j->ack_count - n) * sizeof(*ret));
	j->ack_count -= n;
	j->flying -= n;
	(void)pthread_mutex_unlock(&j->lock);
	return n;
}

static enum demon_rc op_claim(void *ctx, const struct demon_message *message, uint64_t expected,
			      uint64_t *ret_sequence, struct demon_err *err)
{
	struct demon_jetstream *j = ctx;
	jsPubOptions options;
	jsPubAck *ack = NULL;
	natsMsg *msg = NULL;
	jsErrCode code = 0;
	natsStatus s;
	enum demon_rc rc = need_link(j, err);

	if (rc)
		return rc;
	s = make_message(&msg, message);
	if (s == NATS_OK) {
		(void)demon_nats.jsPubOptions_Init(&options);
		options.MaxWait = DEMON_JS_WAIT_MS;
		options.ExpectStream = demon_js_stream(message->stream);
		options.ExpectLastSubjectSeq = expected;
		options.ExpectNoMessage = expected == 0;
		s = demon_nats.js_PublishMsg(&ack, j->js, msg, &options, &code);
	}
	demon_nats.natsMsg_Destroy(msg);
	if (s != NATS_OK && code == JSStreamWrongLastSequenceErr)
		return demon_err_set(err, DEMON_CONFLICT, "the subject has another last message");
	if (s != NATS_OK)
		return demon_js_error(s, code, err, "claim");
	*ret_sequence = ack->Sequence;
	demon_nats.jsPubAck_Destroy(ack);
	return DEMON_OK;
}

/* On a thread of libnats: it waits while the queue is full, and then the server does. */
static void on_message(demon_unused natsConnection *nc, natsSubscription *sub, natsMsg *msg,
		       void *closure)
{
	struct demon_js_reader *reader = closure;
	struct demon_jetstream *j = reader->jetstream;

	(void)pthread_mutex_lock(&j->lock);
	while (!j->closing &&
	       (reader->subscribing || (j->count == DEMON_JS_QUEUE && reader->sub == sub)))
		(void)pthread_cond_wait(&j->news, &j->lock);
	if (j->closing || reader->sub != sub) {
		(void)pthread_mutex_unlock(&j->lock);
		demon_nats.natsMsg_Destroy(msg);
		return;
	}
	j->queue[(j->first + j->count++) % DEMON_JS_QUEUE] =
	    (struct demon_js_read){msg, reader->stream, reader->generation};
	(void)pthread_cond_broadcast(&j->news);
	(void)pthread_mutex_unlock(&j->lock);
}

static void unsubscribe(struct demon_js_reader *reader)
{
	struct demon_jetstream *j = reader->jetstream;
	natsSubscription *sub;

	(void)pthread_mutex_lock(&j->lock);
	sub = reader->sub;
	reader->sub = NULL;
	reader->generation++;
	(void)pthread_cond_broadcast(&j->news);
	(void)pthread_mutex_unlock(&j->lock);
	demon_nats.natsSubscription_Destroy(sub);
}

static enum demon_rc op_subscribe(void *ctx, enum demon_stream stream, uint64_t start,
				  struct demon_err *err)
{
	struct demon_jetstream *j = ctx;
	struct demon_js_reader *reader = &j->readers[stream];
	natsSubscription *sub = NULL;
	jsSubOptions options;
	jsErrCode code = 0;
	natsStatus s;
	enum demon_rc rc = need_link(j, err);

	if (rc)
		return rc;
	unsubscribe(reader);
	(void)pthread_mutex_lock(&j->lock);
	reader->subscribing = true;
	(void)pthread_mutex_unlock(&j->lock);
	(void)demon_nats.jsSubOptions_Init(&options);
	options.Ordered = true;
	options.Stream = demon_js_stream(stream);
	options.Config.DeliverPolicy = js_DeliverByStartSequence;
	options.Config.OptStartSeq = start ? start : 1;
	/* What comes at once waits until its subscription is noted. No lock of ours is held
	 * meanwhile: libnats calls back with its own. */
	s = demon_nats.js_Subscribe(&sub, j->js, demon_js_subjects(stream), on_message, reader,
				    NULL, &options, &code);
	(void)pthread_mutex_lock(&j->lock);
	reader->sub = s == NATS_OK ? sub : NULL;
	reader->subscribing = false;
	(void)pthread_cond_broadcast(&j->news);
	(void)pthread_mutex_unlock(&j->lock);
	return s == NATS_OK ? DEMON_OK : demon_js_error(s, code, err, demon_js_stream(stream));
}

/* The oldest message that was read by a subscription that still is one; NULL: there is none. The
 * lock is held. */
static natsMsg *take_read(struct demon_jetstream *j, enum demon_stream *ret_stream)
{
	while (j->count) {
		struct demon_js_read *read = &j->queue[j->first];

		j->first = (j->first + 1) % DEMON_JS_QUEUE;
		if (j->count-- == DEMON_JS_QUEUE)
			(void)pthread_cond_broadcast(&j->news);
		*ret_stream = read->stream;
		if (read->generation == j->readers[read->stream].generation)
			return read->msg;
		demon_nats.natsMsg_Destroy(read->msg);
	}
	return NULL;
}

static enum demon_rc op_next(void *ctx, int64_t wait_ms, struct demon_message *ret,
			     struct demon_err *err)
{
	struct demon_jetstream *j = ctx;
	struct timespec until = demon_cond_in(wait_ms);
	enum demon_stream stream = DEMON_STREAM_RITUAL;
	jsMsgMetaData *meta = NULL;
	uint64_t generation;
	natsStatus s;

	demon_nats.natsMsg_Destroy(j->current);
	(void)pthread_mutex_lock(&j->lock);
	generation = j->link.generation;
	while (!(j->current = take_read(j, &stream)) && wait_ms > 0 && !j->closing &&
	       generation == j->link.generation)
		if (pthread_cond_timedwait(&j->news, &j->lock, &until) == ETIMEDOUT)
			wait_ms = 0;
	(void)pthread_mutex_unlock(&j->lock);
	if (!j->current)
		return demon_err_set(err, DEMON_NOTFOUND, "nothing came");
	s = demon_nats.natsMsg_GetMetaData(&meta, j->current);
	if (s != NATS_OK)
		return demon_js_error(s, (jsErrCode)0, err, "a message without metadata");
	demon_js_message(j->current, stream, meta->Sequence.Stream, ret);
	demon_nats.jsMsgMetaData_Destroy(meta);
	return DEMON_OK;
}

static const struct demon_transport_ops ops = {
    .link = op_link,
    .ensure = demon_js_ensure,
    .state = demon_js_state,
    .get = demon_js_get,
    .publish = op_publish,
    .acks = op_acks,
    .claim = op_claim,
    .subscribe = op_subscribe,
    .next = op_next,
    .put_tag = demon_js_put_tag,
};

enum demon_rc demon_jetstream_open(const struct demon_jetstream_options *options,
				   struct demon_jetstream **ret_jetstream,
				   struct demon_transport *ret_transport, struct demon_err *err)
{
	struct demon_jetstream *j;
	enum demon_rc rc = demon_libnats_load(err);

	if (rc)
		return rc;
	j = demon_calloc(1, sizeof(*j));
	if (!j)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a connection");
	(void)pthread_mutex_init(&j->lock, NULL);
	demon_cond_init(&j->news);
	j->replicas = options->server.replicas ? options->server.replicas : 1;
	j->wake = options->wake;
	j->wake_ctx = options->wake_ctx;
	(void)snprintf(j->name, sizeof(j->name), "%s", options->name ? options->name : "demon");
	(void)snprintf(j->domain, sizeof(j->domain), "%s",
		       options->server.domain ? options->server.domain : "");
	for (unsigned i = 0; i < DEMON_STREAM_COUNT; i++)
		j->readers[i] =
		    (struct demon_js_reader){.jetstream = j, .stream = (enum demon_stream)i};
	rc = set_options(j, &options->server, err);
	if (!rc && pthread_create(&j->connector, NULL, connect_first, j))
		rc = demon_err_set(err, DEMON_NOMEM, "no thread for a connection");
	j->connecting = !rc;
	if (rc) {
		demon_jetstream_close(j);
		return rc;
	}
	*ret_jetstream = j;
	*ret_transport = (struct demon_transport){&ops, j, options->wake, options->wake_ctx};
	return DEMON_OK;
}

void demon_jetstream_close(struct demon_jetstream *j)
{
	enum demon_stream stream;
	natsMsg *msg;

	if (!j)
		return;
	(void)pthread_mutex_lock(&j->lock);
	j->closing = true;
	j->wake = NULL;
	(void)pthread_cond_broadcast(&j->news);
	(void)pthread_mutex_unlock(&j->lock);
	if (j->connecting)
		(void)pthread_join(j->connector, NULL);
	for (unsigned i = 0; i < DEMON_STREAM_COUNT; i++)
		unsubscribe(&j->readers[i]);
	demon_nats.jsCtx_Destroy(j->js);
	demon_nats.natsConnection_Close(j->connection);
	(void)pthread_mutex_lock(&j->lock);
	while (j->connection && !j->closed)
		(void)pthread_cond_wait(&j->news, &j->lock);
	(void)pthread_mutex_unlock(&j->lock);
	demon_nats.natsConnection_Destroy(j->connection);
	demon_nats.natsOptions_Destroy(j->options);
	while ((msg = take_read(j, &stream)))
		demon_nats.natsMsg_Destroy(msg);
	demon_nats.natsMsg_Destroy(j->current);
	/* ends the threads that the library shares between connections; the last one waits for it
	 */
	demon_nats.nats_ReleaseThreadMemory();
	(void)pthread_cond_destroy(&j->news);
	(void)pthread_mutex_destroy(&j->lock);
	free(j);
}
