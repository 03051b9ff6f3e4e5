#include "run_step.h"

#include "base/buf.h"
#include "base/bytes.h"

#include <string.h>

#define KEY_DOMAIN "demon.step"

enum demon_rc demon_run_step_key(const struct demon_run_id *run, int64_t step_id,
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
