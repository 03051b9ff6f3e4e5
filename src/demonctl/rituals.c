/*
 * demonctl rituals register, list, show, unregister; and what a name stands for.
 */
#include "domain/ritual/registry.h"

#include "base/bytes.h"
#include "base/suggest.h"
#include "command.h"
#include "out.h"
#include "play.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAMES_MAX 1000 /* of which a misspelt one is looked for among */

static json_t *row_json(const struct demon_ritual_row *row)
{
	char digest[2 * DEMON_HASH_LEN + 1];
	char origin[2 * DEMON_ORIGIN_LEN + 1];

	demon_hex(row->definition, DEMON_HASH_LEN, digest);
	demon_hex(row->origin, DEMON_ORIGIN_LEN, origin);
	return json_pack("{s:s*,s:s*,s:s*,s:s,s:o,s:b,s:s,s:s*,s:s,s:s*,s:s*}", "by", row->by,
			 "definitionDigest", row->registered ? digest : NULL, "notation",
			 row->notation, "origin", origin, "ts", demon_out_time_json(row->ts),
			 "registered", row->registered, "ritualId", row->ritual_id, "source",
			 row->source, "tenantId", row->tenant_id, "title", row->title, "version",
			 row->version);
}

static enum demon_rc register_one(struct demon_ctl *ctl, const char *path, struct demon_err *err)
{
	struct demon_ritual_options options = {.tenant_id = ctl->settings.tenant.value,
					       .source = path};
	struct demon_actor actor;
	demon_cleanup(demon_definition_free_p) struct demon_definition *definition = NULL;
	char digest[2 * DEMON_HASH_LEN + 1];
	bool new = false;
	enum demon_rc rc;

	if ((rc = demon_play_load_file(ctl, path, &definition, err)))
		return rc;
	if ((rc = demon_ctl_open(ctl, true, err)) || (rc = demon_ctl_actor(ctl, "by", &actor, err)))
		return rc;
	options.by = actor.subject;
	if (demon_ritual_register(ctl->store, definition, &options, &new, err))
		return demon_err_wrap(err, "%s", path);
	demon_hex(definition->digest, sizeof(definition->digest), digest);
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:s,s:b,s:s,s:s}", "definitionDigest", digest,
						"noop", !new, "ritualId", definition->ritual_id,
						"version", definition->version),
				      err);
	demon_out_field(definition->ritual_id, "%s %.12s%s", definition->version, digest,
			new ? "" : ", as it was");
	return DEMON_OK;
}

enum demon_rc demon_command_rituals_register(struct demon_ctl *ctl, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	/* all are checked before the first one is written */
	for (size_t i = 0; i < ctl->word_count && !rc; i++) {
		struct demon_definition *definition = NULL;

		rc = demon_play_load_file(ctl, ctl->words[i], &definition, err);
		demon_definition_free(definition);
	}
	for (size_t i = 0; i < ctl->word_count && !rc; i++)
		rc = register_one(ctl, ctl->words[i], err);
	return rc;
}

enum demon_rc demon_command_rituals_unregister(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_ritual_options options = {.tenant_id = ctl->settings.tenant.value,
					       .reason = demon_args_get(&ctl->args, "reason")};
	struct demon_actor actor;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_ctl_actor(ctl, "by", &actor, err)))
		return rc;
	options.by = actor.subject;
	if ((rc = demon_ritual_unregister(ctl->store, ctl->words[0], &options, err)))
		return rc;
	demon_out_note(&ctl->settings, "ritual %s is not registered any more", ctl->words[0]);
	return DEMON_OK;
}

/* A list's receiver: prints JSON at once, collects a table otherwise. */
struct list {
	const struct demon_settings *settings;
	struct demon_table table;
};

static enum demon_rc list_row(void *ctx, const struct demon_ritual_row *row, struct demon_err *err)
{
	struct list *list = ctx;
	char digest[2 * DEMON_HASH_LEN + 1];

	if (list->settings->json)
		return demon_out_json(list->settings, row_json(row), err);
	demon_hex(row->definition, DEMON_HASH_LEN, digest);
	digest[12] = '\0';
	demon_table_cell(&list->table, row->ritual_id);
	demon_table_cell(&list->table, row->version);
	demon_table_cell(&list->table, digest);
	demon_table_cell(&list->table, demon_out_time(row->ts));
	demon_table_cell(&list->table, row->by ? row->by : "-");
	demon_table_cell(&list->table, row->title ? row->title : "");
	return DEMON_OK;
}

enum demon_rc demon_command_rituals_list(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"RITUAL", "VERSION", "DEFINITION", "REGISTERED",
					    "BY",     "TITLE",   NULL};
	const struct demon_ritual_filter filter = {.tenant_id = ctl->settings.tenant.value};
	struct list list = {.settings = &ctl->settings,
			    .table = demon_table_begin(&ctl->settings, heads, (size_t)-1)};
	enum demon_rc rc;

	if (!(rc = demon_ctl_open(ctl, false, err)) &&
	    !(rc = demon_ritual_list(ctl->store, &filter, list_row, &list, err)))
		rc = demon_table_print(&list.table, err);
	demon_table_done(&list.table);
	return rc;
}

/* What `rituals show` puts together. */
struct show {
	const struct demon_settings *settings;
	json_t *ritual; /* with --json */
	json_t *others;
	unsigned char shown[DEMON_SHA256_LEN]; /* the event that is shown */
	unsigned char definition[DEMON_HASH_LEN];
	struct demon_table table;
};

static enum demon_rc show_row(void *ctx, const struct demon_ritual_row *row, struct demon_err *err)
{
	struct show *show = ctx;
	char digest[2 * DEMON_HASH_LEN + 1];
	char origin[2 * DEMON_ORIGIN_LEN + 1];

	memcpy(show->shown, row->hash, sizeof(show->shown));
	memcpy(show->definition, row->definition, sizeof(show->definition));
	if (show->settings->json) {
		show->ritual = row_json(row);
		return show->ritual ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory");
	}
	demon_hex(row->definition, DEMON_HASH_LEN, digest);
	demon_hex(row->origin, DEMON_ORIGIN_LEN, origin);
	demon_out_field("ritual", "%s %s", row->ritual_id, row->version);
	if (row->title)
		demon_out_field("title", "%s", row->title);
	demon_out_field("definition", "%s", digest);
	demon_out_field("notation", "%s", row->notation);
	demon_out_field("tenant", "%s", row->tenant_id);
	demon_out_field("registered", "%s", demon_out_time(row->ts));
	demon_out_field("by", "%s", row->by ? row->by : "-");
	demon_out_field("from", "%s", row->source ? row->source : "-");
	demon_out_field("node", "%s", origin);
	return DEMON_OK;
}

/* The writes beside the one that is shown. */
static enum demon_rc show_other(void *ctx, const struct demon_ritual_row *row,
				struct demon_err *err)
{
	struct show *show = ctx;
	char digest[2 * DEMON_HASH_LEN + 1];
	char origin[2 * DEMON_ORIGIN_LEN + 1];

	if (memcmp(row->hash, show->shown, sizeof(show->shown)) == 0)
		return DEMON_OK;
	if (show->settings->json) {
		if (json_array_append_new(show->others, row_json(row)))
			return demon_err_set(err, DEMON_NOMEM, "no memory for the writes");
		return DEMON_OK;
	}
	demon_hex(row->definition, DEMON_HASH_LEN, digest);
	demon_hex(row->origin, DEMON_ORIGIN_LEN, origin);
	digest[12] = '\0';
	demon_table_cell(&show->table, row->registered ? row->version : "(given up)");
	demon_table_cell(&show->table, row->registered ? digest : "-");
	demon_table_cell(&show->table, demon_out_time(row->ts));
	demon_table_cell(&show->table, row->by ? row->by : "-");
	demon_table_cell(&show->table, origin);
	return DEMON_OK;
}

static enum demon_rc print_spec(struct demon_ctl *ctl, struct show *show, struct demon_err *err)
{
	DEMON_BUF(spec, 0);
	json_auto_t *json = NULL;
	enum demon_rc rc;

	if ((rc = demon_ritual_spec(ctl->store, show->definition, &spec, err)) ||
	    (rc = demon_json_parse(spec.data, spec.len, &demon_json_payload_limits, &json, err)))
		return rc;
	if (!show->ritual) {
		demon_out_line("");
		return demon_out_json(&ctl->settings, json_incref(json), err);
	}
	if (json_object_set(show->ritual, "spec", json) ||
	    json_object_set(show->ritual, "others", show->others))
		return demon_err_set(err, DEMON_NOMEM, "no memory for the ritual");
	return demon_out_json(&ctl->settings, json_incref(show->ritual), err);
}

static enum demon_rc show(struct demon_ctl *ctl, struct show *show, struct demon_err *err)
{
	const char *tenant = ctl->settings.tenant.value;
	const char *name = ctl->words[0];
	demon_auto_free char *ritual_id = demon_strndup(name, strcspn(name, "@"));
	enum demon_rc rc;

	if (!ritual_id)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a name");
	if ((rc = demon_ritual_get(ctl->store, tenant, name, show_row, show, err)) ||
	    (rc = demon_ritual_writes(ctl->store, tenant, ritual_id, show_other, show, err)))
		return rc;
	if (show->table.count) {
		demon_out_line("");
		if ((rc = demon_table_print(&show->table, err)))
			return rc;
	}
	return print_spec(ctl, show, err);
}

enum demon_rc demon_command_rituals_show(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"OTHER WRITES", "DEFINITION", "WRITTEN",
					    "BY",           "NODE",       NULL};
	struct show s = {.settings = &ctl->settings,
			 .others = json_array(),
			 .table = demon_table_begin(&ctl->settings, heads, (size_t)-1)};
	enum demon_rc rc = demon_ctl_open(ctl, false, err);

	if (!rc)
		rc = show(ctl, &s, err);
	json_decref(s.ritual);
	json_decref(s.others);
	demon_table_done(&s.table);
	return rc;
}

bool demon_play_is_file(const char *word)
{
	static const char *const suffixes[] = {".yaml", ".yml", ".json"};
	size_t len = strlen(word);
	struct stat st;

	if (strchr(word, '/'))
		return true;
	for (size_t i = 0; i < demon_count(suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && strcmp(word + len - n, suffixes[i]) == 0)
			return true;
	}
	return stat(word, &st) == 0 && !S_ISDIR(st.st_mode);
}

struct names {
	char *of[NAMES_MAX];
	size_t count;
};

static enum demon_rc keep_name(void *ctx, const struct demon_ritual_row *row, struct demon_err *err)
{
	struct names *names = ctx;
	char *name = demon_strdup(row->ritual_id);

	if (!name)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a name");
	names->of[names->count++] = name;
	return DEMON_OK;
}

/* Says that there is neither file nor ritual, and which one may have been meant. */
static enum demon_rc no_such(struct demon_ctl *ctl, const char *word, struct demon_err *err)
{
	const struct demon_ritual_filter filter = {.tenant_id = ctl->settings.tenant.value,
						   .limit = NAMES_MAX};
	struct names names = {.count = 0};
	struct demon_err ignored;
	const char *near = NULL;

	if (ctl->store && !demon_ritual_list(ctl->store, &filter, keep_name, &names, &ignored))
		near = demon_suggest(word, (const char *const *)names.of, names.count);
	(void)demon_err_set(err, DEMON_NOTFOUND,
			    "'%.100s': no such file and no registered ritual of that name%s%s%s",
			    word, near ? " (did you mean '" : "", near ? near : "",
			    near ? "'?)" : "");
	for (size_t i = 0; i < names.count; i++)
		free(names.of[i]);
	*ctl->hint = '\0';
	if (names.count)
		demon_ctl_hint(ctl, "'demonctl rituals list' has the names");
	return DEMON_NOTFOUND;
}

enum demon_rc demon_play_load_named(struct demon_ctl *ctl, const char *name,
				    struct demon_definition **ret_definition, struct demon_err *err)
{
	demon_cleanup(demon_definition_free_p) struct demon_definition *definition = NULL;
	enum demon_rc rc = demon_ctl_open(ctl, false, err);

	if (!rc)
		rc = demon_ritual_find(ctl->store, ctl->settings.tenant.value, name, &definition,
				       err);
	if (rc)
		return rc == DEMON_NOTFOUND ? no_such(ctl, name, err) : rc;
	if ((rc = demon_ctl_expr(ctl, err)) ||
	    (rc = demon_definition_check(definition, name, ctl->expr, NULL, err)))
		return rc;
	*ret_definition = demon_take(definition);
	return DEMON_OK;
}
