/*
 * demonctl backup create, backup verify.
 */
#include "base/json.h"
#include "out.h"
#include "recovery_commands.h"
#include "store/snapshot.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* FILE.20261124T120000Z.backup, beside the database. */
static enum demon_rc default_name(const struct demon_ctl *ctl, struct demon_buf *out,
				  struct demon_err *err)
{
	const struct demon_env *env = demon_env_real();
	time_t now = (time_t)(env->now(env->ctx) / 1000);
	struct tm tm;
	char stamp[32];

	if (!gmtime_r(&now, &tm) || !strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm))
		return demon_err_set(err, DEMON_INTERNAL, "the time has no text");
	demon_buf_fmt(out, "%s.%s.backup", ctl->settings.db.value, stamp);
	return demon_buf_rc(out, err);
}

static enum demon_rc print(const struct demon_ctl *ctl, const char *path, const char *manifest,
			   const char *what, struct demon_err *err)
{
	static const struct demon_json_limits limits = {.max_bytes = (size_t)64 << 20, .depth = 8};
	json_auto_t *doc = NULL;
	const json_t *state;
	enum demon_rc rc = demon_json_parse(manifest, strlen(manifest), &limits, &doc, err);

	if (rc)
		return rc;
	state = json_object_get(doc, "state");
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:O,s:O,s:O,s:O,s:s,s:O}", "bytes",
						json_object_get(doc, "bytes"), "createdAt",
						json_object_get(doc, "createdAt"), "digest",
						json_object_get(state, "digest"), "events",
						json_object_get(state, "events"), "file", path,
						"sha256", json_object_get(doc, "sha256")),
				      err);
	demon_out_field(what, "%s", path);
	demon_out_field("made", "%s", json_string_value(json_object_get(doc, "createdAt")));
	demon_out_field("holds",
			"%" JSON_INTEGER_FORMAT " events in %" JSON_INTEGER_FORMAT " bytes",
			json_integer_value(json_object_get(state, "events")),
			json_integer_value(json_object_get(doc, "bytes")));
	demon_out_field("digest", "%s", json_string_value(json_object_get(state, "digest")));
	return DEMON_OK;
}

enum demon_rc demon_command_backup_create(struct demon_ctl *ctl, struct demon_err *err)
{
	const char *to = demon_args_get(&ctl->args, "to");
	demon_auto_free char *manifest = NULL;
	DEMON_BUF(name, 0);
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) || (rc = demon_ctl_whole(ctl, err)) ||
	    (!to && (rc = default_name(ctl, &name, err))))
		return rc;
	to = to ? to : name.data;
	rc = demon_snapshot_create(ctl->store, to, &manifest, err);
	if (rc == DEMON_EXISTS)
		demon_ctl_hint(ctl,
			       "a name that ends in .partial is of a backup that is being made, "
			       "or was cut off: remove it in that case");
	return rc ? rc : print(ctl, to, manifest, "backup", err);
}

enum demon_rc demon_command_backup_verify(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_auto_free char *manifest = NULL;
	enum demon_rc rc = demon_snapshot_verify(ctl->words[0], &manifest, err);

	return rc ? rc : print(ctl, ctl->words[0], manifest, "unchanged", err);
}
