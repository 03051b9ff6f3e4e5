#include "run_step.h"

#include "base/bytes.h"
#include "domain/capsule/capsule.h"

#include <string.h>

#define KEY_DOMAIN "demon.step"

/* SHA-256 over what names a step of a run for ever: its attempts share the key. */
static enum demon_rc make_key(const struct demon_run_id *run, int64_t step_id,
			      char out[DEMON_STEP_KEY_LEN + 1], struct demon_err *err)
{
	unsigned char digest[DEMON_HASH_LEN];
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	demon_buf_add(&text, KEY_DOMAIN, sizeof(KEY_DOMAIN));
	demon_buf_add(&text, run->origin, sizeof(run->origin));
	demon_buf_add(&text, run->tenant_id, strlen(run->tenant_id) + 1);
	demon_buf_add(&text, run->run_id, strlen(run->run_id) + 1);
	demon_buf_i64(&text, step_id);
	if ((rc = demon_buf_rc(&text, err)) ||
	    (rc = demon_sha256(text.data, text.len, digest, err)))
		return rc;
	demon_hex(digest, sizeof(digest), out);
	return DEMON_OK;
}

enum demon_rc demon_run_step_make(const struct demon_run_id *run, const struct demon_task *task,
				  int64_t step_id, struct demon_run_step *step,
				  struct demon_err *err)
{
	*step = (struct demon_run_step){
	    .step_id = step_id,
	    .attempt = 1,
	    .idempotent = task->capsule->idempotent(task->with.json),
	    .name = task->name,
	    .reference = task->reference,
	    .call = task->capsule->name,
	};
	return make_key(run, step_id, step->key, err);
}

enum demon_rc demon_run_step_announce(struct demon_run_group *g, const struct demon_run_step *step,
				      const json_t *with, struct demon_err *err)
{
	struct demon_json_span input = {0};
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if (with) {
		if ((rc = demon_json_canonical(with, &text, err)) ||
		    (rc = demon_buf_rc(&text, err)))
			return rc;
		input = (struct demon_json_span){text.data, text.len};
	}
	demon_run_event_step_started(g, step, input);
	return DEMON_OK;
}
