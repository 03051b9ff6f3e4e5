#include "notes.h"

#include "base/json.h"
#include "store/store.h"

static void write_note(const struct note_job *job, struct demon_buf *out)
{
	struct demon_jw w = demon_jw_begin(out);

	demon_jw_str(&w, "event", "test.noted:v1");
	demon_jw_str(&w, "runId", job->run_id);
	demon_jw_str(&w, "text", job->text);
	demon_jw_time(&w, "ts", job->ts);
	demon_jw_end(&w);
}

enum demon_rc note_job(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct note_job *job = ctx;
	size_t count = job->count ? job->count : 1;
	struct demon_record *records;
	struct demon_group group = {DEMON_STREAM_RITUAL, job->ts, NULL, count, NULL, 0};
	enum demon_rc rc;
	DEMON_BUF(payload, 0);

	write_note(job, &payload);
	records = demon_calloc(count, sizeof(*records));
	if (!records)
		return demon_err_set(err, DEMON_NOMEM, "no memory");
	for (size_t i = 0; i < count; i++)
		records[i] = (struct demon_record){.type = "test.noted:v1",
						   .tenant_id = "default",
						   .ritual_id = "notes",
						   .run_id = job->run_id,
						   .payload = payload.data,
						   .payload_len = payload.len};
	group.records = records;
	rc = demon_write_append(w, &group, &job->receipt, err);
	free(records);
	if (rc)
		return rc;
	return job->then ? demon_err_set(err, job->then, "the job says no") : DEMON_OK;
}

enum demon_rc note(struct demon_store *store, const char *run_id, const char *text,
		   struct demon_receipt *ret, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct note_job job = {.run_id = run_id, .text = text, .ts = env->now(env->ctx)};
	enum demon_rc rc = demon_store_write(store, note_job, &job, err);

	if (!rc && ret)
		*ret = job.receipt;
	return rc;
}
