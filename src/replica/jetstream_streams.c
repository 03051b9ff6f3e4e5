#include "jetstream_handle.h"

#include "base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DUPLICATES_NS (INT64_C(120) * 1000 * 1000 * 1000)
#define TAGS          "GRAPH_TAGS"

static const struct {
	const char *name;
	const char *subjects;
} streams[DEMON_STREAM_COUNT] = {{"RITUAL_EVENTS", "demon.ritual.v1.>"},
				 {"GRAPH_COMMITS", "demon.graph.v1.>"},
				 {"NODE_EVENTS", "demon.node.v1.>"}};

const char *demon_js_stream(enum demon_stream stream)
{
	return streams[stream].name;
}

const char *demon_js_subjects(enum demon_stream stream)
{
	return streams[stream].subjects;
}

enum demon_rc demon_js_error(natsStatus status, jsErrCode code, struct demon_err *err,
			     const char *what)
{
	const char *text = demon_nats.nats_GetLastError(NULL);
	enum demon_rc rc = DEMON_UNAVAIL;

	if (status == NATS_NOT_FOUND)
		rc = DEMON_NOTFOUND;
	else if (status == NATS_NO_MEMORY)
		rc = DEMON_NOMEM;
	else if (status == NATS_NOT_PERMITTED || status == NATS_CONNECTION_AUTH_FAILED)
		rc = DEMON_DENIED;
	if (code)
		return demon_err_set(err, rc, "%s: %s (JetStream %d)", what,
				     text && *text ? text : demon_nats.natsStatus_GetText(status),
				     (int)code);
	return demon_err_set(err, rc, "%s: %s", what,
			     text && *text ? text : demon_nats.natsStatus_GetText(status));
}

static enum demon_rc need(const struct demon_jetstream *j, struct demon_err *err)
{
	return j->js ? DEMON_OK : demon_err_set(err, DEMON_UNAVAIL, "no connection yet");
}

static jsStreamConfig wanted(const struct demon_jetstream *j, enum demon_stream stream,
			     const char **subjects)
{
	jsStreamConfig cfg;

	(void)demon_nats.jsStreamConfig_Init(&cfg);
	*subjects = streams[stream].subjects;
	cfg.Name = streams[stream].name;
	cfg.Subjects = subjects;
	cfg.SubjectsLen = 1;
	cfg.Storage = js_FileStorage;
	cfg.Discard = js_DiscardNew;
	cfg.Duplicates = DUPLICATES_NS;
	cfg.Replicas = j->replicas;
	cfg.DenyDelete = true;
	cfg.DenyPurge = true;
	return cfg;
}

/* One way in which a stream is not what it has to be. */
struct drift {
	demon_drift_fn *fn;
	void *ctx;
	enum demon_stream stream;
	bool repairable;
	bool any;
	bool fatal;
	char first[160]; /* the first that loses history */
};

static void report(struct drift *d, bool repairable, bool loses, const char *text)
{
	d->any = true;
	d->repairable &= repairable;
	if (loses && !d->fatal) {
		d->fatal = true;
		(void)snprintf(d->first, sizeof(d->first), "%s", text);
	}
	if (d->fn)
		d->fn(d->ctx, d->stream, false, text);
}

static void compare(struct drift *d, const jsStreamConfig *has, const jsStreamConfig *want)
{
	if (has->SubjectsLen != 1 || strcmp(has->Subjects[0], want->Subjects[0]) != 0)
		report(d, true, false, "its subjects are others");
	if (has->Storage != js_FileStorage)
		report(d, false, true, "it is kept in memory");
	if (has->Retention != js_LimitsPolicy)
		report(d, false, true, "its retention deletes what was read");
	if (has->MaxAge > 0)
		report(d, true, true, "it deletes what is old (max age)");
	if (has->Discard != js_DiscardNew &&
	    (has->MaxMsgs > 0 || has->MaxBytes > 0 || has->MaxMsgsPerSubject > 0))
		report(d, true, true, "it discards old messages when a limit is reached");
	else if (has->Discard != js_DiscardNew)
		report(d, true, false, "it would discard old messages at a limit");
	if (has->MaxMsgsPerSubject > 0)
		report(d, true, true, "it limits messages of a subject");
	if (has->Replicas < want->Replicas)
		report(d, true, false, "it has fewer replicas than configured");
	if (has->Sealed)
		report(d, false, false, "it is sealed: nothing can be written");
}

static enum demon_rc make(struct demon_jetstream *j, jsStreamConfig *cfg, struct demon_err *err)
{
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus s = demon_nats.js_AddStream(&info, j->js, cfg, NULL, &code);

	demon_nats.jsStreamInfo_Destroy(info);
	if (s == NATS_OK)
		return DEMON_OK;
	return demon_js_error(s, code, err, cfg->Name);
}

static enum demon_rc repair_stream(struct demon_jetstream *j, jsStreamConfig *cfg, struct drift *d,
				   struct demon_err *err)
{
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus s = demon_nats.js_UpdateStream(&info, j->js, cfg, NULL, &code);

	demon_nats.jsStreamInfo_Destroy(info);
	if (s != NATS_OK)
		return demon_js_error(s, code, err, cfg->Name);
	if (d->fn)
		d->fn(d->ctx, d->stream, true, "it is as it has to be now");
	return DEMON_OK;
}

static enum demon_rc ensure_one(struct demon_jetstream *j, enum demon_stream stream, bool repair,
				struct drift *d, struct demon_err *err)
{
	const char *subjects;
	jsStreamConfig cfg = wanted(j, stream, &subjects);
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus s = demon_nats.js_GetStreamInfo(&info, j->js, cfg.Name, NULL, &code);

	if (s == NATS_NOT_FOUND)
		return make(j, &cfg, err);
	if (s != NATS_OK)
		return demon_js_error(s, code, err, cfg.Name);
	compare(d, info->Config, &cfg);
	/* what it forbids cannot be allowed again, nor asked for where it was made otherwise */
	cfg.DenyDelete = info->Config->DenyDelete;
	cfg.DenyPurge = info->Config->DenyPurge;
	demon_nats.jsStreamInfo_Destroy(info);
	if (d->any && repair && d->repairable)
		return repair_stream(j, &cfg, d, err);
	if (d->fatal)
		return demon_err_set(err, DEMON_CONFLICT, "stream %s loses history: %s", cfg.Name,
				     d->first);
	return DEMON_OK;
}

enum demon_rc demon_js_ensure(void *ctx, bool repair, demon_drift_fn *fn, void *fn_ctx,
			      struct demon_err *err)
{
	struct demon_jetstream *j = ctx;
	enum demon_rc rc = need(j, err);

	for (unsigned i = 0; i < DEMON_STREAM_COUNT && !rc; i++) {
		struct drift d = {
		    .fn = fn, .ctx = fn_ctx, .stream = (enum demon_stream)i, .repairable = true};

		rc = ensure_one(j, (enum demon_stream)i, repair, &d, err);
	}
	return rc;
}

enum demon_rc demon_js_state(void *ctx, enum demon_stream stream, struct demon_stream_state *ret,
			     struct demon_err *err)
{
	struct demon_jetstream *j = ctx;
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus s;
	enum demon_rc rc = need(j, err);

	*ret = (struct demon_stream_state){0};
	if (rc)
		return rc;
	s = demon_nats.js_GetStreamInfo(&info, j->js, demon_js_stream(stream), NULL, &code);
	if (s == NATS_NOT_FOUND) { /* deleted while the line stood: made again, and empty */
		rc = demon_js_ensure(ctx, false, NULL, NULL, err);
		if (rc)
			return rc;
		s = demon_nats.js_GetStreamInfo(&info, j->js, demon_js_stream(stream), NULL, &code);
	}
	if (s != NATS_OK)
		return demon_js_error(s, code, err, demon_js_stream(stream));
	ret->first = info->State.Msgs ? info->State.FirstSeq : info->State.LastSeq + 1;
	ret->last = info->State.LastSeq;
	ret->messages = info->State.Msgs;
	ret->bytes = info->State.Bytes;
	demon_nats.jsStreamInfo_Destroy(info);
	return DEMON_OK;
}

static const char *header_of(natsMsg *msg, const char *name)
{
	const char *value = NULL;

	return demon_nats.natsMsgHeader_Get(msg, name, &value) == NATS_OK ? value : NULL;
}

void demon_js_message(natsMsg *msg, enum demon_stream stream, uint64_t sequence,
		      struct demon_message *ret)
{
	*ret = (struct demon_message){
	    .stream = stream,
	    .sequence = sequence,
	    .subject = demon_nats.natsMsg_GetSubject(msg),
	    .id = header_of(msg, "Nats-Msg-Id"),
	    .header = header_of(msg, "Demon-Header"),
	    .previous = header_of(msg, "Demon-Previous"),
	    .hash = header_of(msg, "Demon-Hash"),
	    .signature = header_of(msg, "Demon-Signature"),
	    .payload = demon_nats.natsMsg_GetData(msg),
	    .payload_len = (size_t)demon_nats.natsMsg_GetDataLength(msg),
	};
	if (!ret->payload)
		ret->payload = "";
}

enum demon_rc demon_js_get(void *ctx, enum demon_stream stream, uint64_t sequence,
			   demon_message_fn *fn, void *fn_ctx, struct demon_err *err)
{
	struct demon_jetstream *j = ctx;
	struct demon_message message;
	natsMsg *msg = NULL;
	jsErrCode code = 0;
	natsStatus s;
	enum demon_rc rc = need(j, err);

	if (rc)
		return rc;
	s = demon_nats.js_GetMsg(&msg, j->js, demon_js_stream(stream), sequence, NULL, &code);
	if (s != NATS_OK)
		return demon_js_error(s, code, err, demon_js_stream(stream));
	demon_js_message(msg, stream, sequence, &message);
	rc = fn(fn_ctx, &message, err);
	demon_nats.natsMsg_Destroy(msg);
	return rc;
}

enum demon_rc demon_js_put_tag(void *ctx, const char *key, const char *value, struct demon_err *err)
{
	struct demon_jetstream *j = ctx;
	kvStore *kv = NULL;
	natsStatus s;
	enum demon_rc rc = need(j, err);

	if (rc)
		return rc;
	s = demon_nats.js_KeyValue(&kv, j->js, TAGS);
	if (s == NATS_NOT_FOUND) {
		kvConfig cfg;

		(void)demon_nats.kvConfig_Init(&cfg);
		cfg.Bucket = TAGS;
		cfg.Replicas = (int)j->replicas;
		s = demon_nats.js_CreateKeyValue(&kv, j->js, &cfg);
	}
	if (s == NATS_OK)
		s = value ? demon_nats.kvStore_PutString(NULL, kv, key, value)
			  : demon_nats.kvStore_Delete(kv, key);
	demon_nats.kvStore_Destroy(kv);
	return s == NATS_OK ? DEMON_OK : demon_js_error(s, (jsErrCode)0, err, TAGS);
}
