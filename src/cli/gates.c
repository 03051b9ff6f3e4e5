#include "gates.h"

#include "domain/approval/escalation.h"
#include "domain/approval/terms.h"
#include "settings.h"

static enum demon_rc malformed(const char *variable, enum demon_rc rc, struct demon_err *err)
{
	if (rc == DEMON_NOMEM)
		return rc;
	err->rc = DEMON_USAGE;
	return demon_err_wrap(err, "%s", variable);
}

static enum demon_rc read_ttl(const char *text, int64_t *ret_ms, struct demon_err *err)
{
	char *end;
	long long seconds;

	*ret_ms = 0;
	if (!text)
		return DEMON_OK;
	seconds = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || seconds < 1 ||
	    seconds > DEMON_GATE_TTL_MAX / 1000)
		return demon_err_set(err, DEMON_USAGE,
				     "APPROVAL_TTL_SECONDS: '%.40s' is not a number of seconds "
				     "from 1 to %lld",
				     text, (long long)(DEMON_GATE_TTL_MAX / 1000));
	*ret_ms = (int64_t)seconds * 1000;
	return DEMON_OK;
}

enum demon_rc demon_gate_settings_read(struct demon_gate_settings *ret, struct demon_err *err)
{
	enum demon_rc rc;

	*ret = (struct demon_gate_settings){.allowlist = NULL};
	if ((rc = demon_allowlist_parse(demon_settings_env("APPROVER_ALLOWLIST"), &ret->allowlist,
					err)))
		return malformed("APPROVER_ALLOWLIST", rc, err);
	if ((rc = demon_escalation_parse(demon_settings_env("APPROVAL_ESCALATION_RULES"),
					 &ret->escalation, err)))
		rc = malformed("APPROVAL_ESCALATION_RULES", rc, err);
	else
		rc = read_ttl(demon_settings_env("APPROVAL_TTL_SECONDS"), &ret->config.ttl_ms, err);
	if (rc) {
		demon_gate_settings_done(ret);
		return rc;
	}
	ret->config.allowlist = ret->allowlist;
	ret->config.escalation = ret->escalation;
	return DEMON_OK;
}

void demon_gate_settings_done(struct demon_gate_settings *settings)
{
	demon_allowlist_free(settings->allowlist);
	json_decref(settings->escalation);
	*settings = (struct demon_gate_settings){.allowlist = NULL};
}
