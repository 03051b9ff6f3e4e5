/*
 * demonctl graph create, commit, import, merge, tag, delete-tag.
 */
#include "graph.h"

#include "cli/file.h"
#include "domain/graph/merge.h"
#include "domain/graph/transfer.h"
#include "out.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX ((size_t)64 << 20)

enum demon_rc demon_graph_open(struct demon_ctl *ctl, bool create, struct demon_graph_scope *scope,
			       struct demon_err *err)
{
	const char *tenant = demon_args_get(&ctl->args, "tenant-id");
	const struct {
		const char *name;
		const char **value;
	} needed[] = {{"project-id", &scope->project_id},
		      {"namespace", &scope->namespace_id},
		      {"graph-id", &scope->graph_id}};

	scope->tenant_id = tenant ? tenant : ctl->settings.tenant.value;
	for (size_t i = 0; i < demon_count(needed); i++) {
		*needed[i].value = demon_args_get(&ctl->args, needed[i].name);
		if (!*needed[i].value)
			return demon_err_set(err, DEMON_USAGE, "option '--%s' is needed",
					     needed[i].name);
	}
	if (ctl->has_bearer && *ctl->bearer.tenant &&
	    strcmp(ctl->bearer.tenant, scope->tenant_id) != 0)
		return demon_err_set(err, DEMON_DENIED, "the token is for tenant '%s' alone",
				     ctl->bearer.tenant);
	return demon_ctl_open(ctl, create, err);
}

const char *demon_graph_at(const struct demon_ctl *ctl)
{
	const char *at = demon_args_get(&ctl->args, "at");

	return at ? at : "main";
}

enum demon_rc demon_graph_print(void *ctx, const char *json, size_t len, struct demon_err *err)
{
	struct demon_ctl *ctl = ctx;

	return demon_out_canonical(&ctl->settings, json, len, err);
}

enum demon_rc demon_graph_read(const char *path, struct demon_buf *out, struct demon_err *err)
{
	out->max = FILE_MAX;
	return demon_file_read(path, out, err);
}

static json_t *id_json(const struct demon_graph_id *id)
{
	char hex[DEMON_GRAPH_HEX_LEN + 1];

	demon_hex(id->bytes, sizeof(id->bytes), hex);
	return json_string(hex);
}

static json_t *parents_json(const struct demon_graph_id *parents, size_t count)
{
	json_auto_t *list = json_array();

	for (size_t i = 0; list && i < count; i++)
		if (json_array_append_new(list, id_json(&parents[i])))
			return NULL;
	return demon_take(list);
}

static enum demon_rc print_committed(struct demon_ctl *ctl, const struct demon_graph_change *change,
				     const struct demon_graph_committed *made,
				     struct demon_err *err)
{
	char root[DEMON_GRAPH_HEX_LEN + 1];

	demon_hex(made->root, sizeof(made->root), root);
	return demon_out_json(
	    &ctl->settings,
	    json_pack("{s:o,s:o,s:s,s:I,s:b,s:o}", "commitId", id_json(&made->id), "parents",
		      parents_json(change->parents, change->parent_count), "stateRoot", root,
		      "mutationsCount", (json_int_t)demon_graph_mutations_count(change->mutations),
		      "noop", made->existed, "ts", demon_out_time_json(made->ts)),
	    err);
}

static enum demon_rc move_tag(struct demon_ctl *ctl, const struct demon_graph_scope *scope,
			      const struct demon_graph_id *id, struct demon_err *err)
{
	const char *tag = demon_args_get(&ctl->args, "move-tag");
	char hex[DEMON_GRAPH_HEX_LEN + 1];
	const struct demon_graph_tagging tagging = {.scope = *scope,
						    .tag = tag,
						    .commit = hex,
						    .expect = demon_args_get(&ctl->args, "expect")};

	demon_hex(id->bytes, sizeof(id->bytes), hex);
	return tag ? demon_graph_tag(ctl->store, &tagging, NULL, err) : DEMON_OK;
}

static enum demon_rc commit(struct demon_ctl *ctl, const struct demon_graph_scope *scope,
			    const struct demon_graph_mutations *list, bool create,
			    struct demon_err *err)
{
	struct demon_graph_id parents[DEMON_GRAPH_PARENTS_MAX];
	struct demon_graph_change change = {.scope = *scope,
					    .parents = parents,
					    .mutations = list,
					    .author = demon_args_get(&ctl->args, "author"),
					    .message = demon_args_get(&ctl->args, "message"),
					    .create = create,
					    .force = demon_args_has(&ctl->args, "force")};
	struct demon_graph_committed made;
	struct demon_actor actor;
	size_t at = 0;
	const char *ref;
	enum demon_rc rc;

	while ((ref = demon_args_next(&ctl->args, "parent-ref", &at))) {
		if (change.parent_count == DEMON_GRAPH_PARENTS_MAX)
			return demon_err_set(err, DEMON_USAGE, "more than %d parents",
					     DEMON_GRAPH_PARENTS_MAX);
		if ((rc = demon_graph_resolve(ctl->store, scope, ref,
					      &parents[change.parent_count++], err)))
			return rc;
	}
	if (!change.author) {
		if ((rc = demon_ctl_actor(ctl, NULL, &actor, err)))
			return rc;
		change.author = actor.subject;
	}
	if ((rc = demon_graph_commit(ctl->store, &change, &made, err)) ||
	    (rc = move_tag(ctl, scope, &made.id, err)))
		return rc;
	return print_committed(ctl, &change, &made, err);
}

static enum demon_rc commit_file(struct demon_ctl *ctl, bool create, struct demon_err *err)
{
	demon_cleanup(demon_graph_mutations_free_p) struct demon_graph_mutations *list = NULL;
	struct demon_graph_scope scope;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if ((rc = demon_graph_open(ctl, create, &scope, err)) ||
	    (rc = demon_graph_read(ctl->words[0], &text, err)))
		return rc;
	if (demon_graph_mutations_parse(text.data, text.len, &list, err))
		return demon_err_wrap(err, "%s", ctl->words[0]);
	return commit(ctl, &scope, list, create, err);
}

enum demon_rc demon_command_graph_create(struct demon_ctl *ctl, struct demon_err *err)
{
	return commit_file(ctl, true, err);
}

enum demon_rc demon_command_graph_commit(struct demon_ctl *ctl, struct demon_err *err)
{
	return commit_file(ctl, false, err);
}

enum demon_rc demon_command_graph_import(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(demon_graph_mutations_free_p) struct demon_graph_mutations *list = NULL;
	struct demon_graph_scope scope;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if ((rc = demon_graph_open(ctl, true, &scope, err)) ||
	    (rc = demon_graph_read(ctl->words[0], &text, err)))
		return rc;
	if (demon_graph_import(text.data, text.len, &list, err))
		return demon_err_wrap(err, "%s", ctl->words[0]);
	return commit(ctl, &scope, list, true, err);
}

/* --- tags ---------------------------------------------------------------------------------- */

static enum demon_rc tag(struct demon_ctl *ctl, const char *commit_ref, struct demon_err *err)
{
	struct demon_graph_tagging tagging = {.tag = demon_args_get(&ctl->args, "tag"),
					      .commit = commit_ref,
					      .expect = demon_args_get(&ctl->args, "expect")};
	struct demon_graph_id previous;
	static const struct demon_graph_id nothing;
	enum demon_rc rc;

	if (!tagging.tag)
		return demon_err_set(err, DEMON_USAGE, "option '--tag' is needed");
	if ((rc = demon_graph_open(ctl, false, &tagging.scope, err)) ||
	    (rc = demon_graph_tag(ctl->store, &tagging, &previous, err)))
		return rc;
	return demon_out_json(
	    &ctl->settings,
	    json_pack("{s:s,s:s,s:s*,s:o}", "tag", tagging.tag, "action",
		      commit_ref ? "set" : "delete", "commitId", commit_ref, "previousCommitId",
		      memcmp(&previous, &nothing, sizeof(previous)) == 0 ? json_null()
									 : id_json(&previous)),
	    err);
}

enum demon_rc demon_command_graph_tag(struct demon_ctl *ctl, struct demon_err *err)
{
	const char *id = demon_args_get(&ctl->args, "commit-id");

	return id ? tag(ctl, id, err)
		  : demon_err_set(err, DEMON_USAGE, "option '--commit-id' is needed");
}

enum demon_rc demon_command_graph_delete_tag(struct demon_ctl *ctl, struct demon_err *err)
{
	return tag(ctl, NULL, err);
}

/* --- merging ------------------------------------------------------------------------------- */

static enum demon_rc read_strategy(struct demon_ctl *ctl, struct demon_graph_merge *merge,
				   struct demon_err *err)
{
	const char *strategy = demon_args_get(&ctl->args, "strategy");

	if (!strategy)
		return DEMON_OK;
	if (strcmp(strategy, "ours") == 0)
		merge->strategy = DEMON_GRAPH_STRATEGY_OURS;
	else if (strcmp(strategy, "theirs") == 0)
		merge->strategy = DEMON_GRAPH_STRATEGY_THEIRS;
	else
		return demon_err_set(err, DEMON_USAGE,
				     "option '--strategy': expected ours or theirs");
	return DEMON_OK;
}

static enum demon_rc note_conflict(void *ctx, const char *json, size_t len, struct demon_err *err)
{
	json_t *list = ctx;
	json_t *conflict = NULL;
	enum demon_rc rc = demon_json_parse(json, len, &demon_json_payload_limits, &conflict, err);

	if (rc)
		return rc;
	return json_array_append_new(list, conflict)
		   ? demon_err_set(err, DEMON_NOMEM, "no memory for conflicts")
		   : DEMON_OK;
}

/* Conflicts are the result of a merge that they stop, too. */
static enum demon_rc print_merged(struct demon_ctl *ctl, const struct demon_graph_merged *merged,
				  bool made, json_t *conflicts, struct demon_err *err)
{
	static const char *const kinds[] = {"nothing", "forward", "commit"};

	return demon_out_json(&ctl->settings,
			      json_pack("{s:s,s:o*,s:I,s:I,s:O}", "merge", kinds[merged->kind],
					"commitId", made ? id_json(&merged->id) : NULL,
					"mutationsCount", (json_int_t)merged->mutations,
					"unresolved", (json_int_t)merged->unresolved, "conflicts",
					conflicts),
			      err);
}

enum demon_rc demon_command_graph_merge(struct demon_ctl *ctl, struct demon_err *err)
{
	const char *file = demon_args_get(&ctl->args, "resolve");
	struct demon_graph_merge merge = {.ours = ctl->words[0],
					  .theirs = ctl->words[1],
					  .author = demon_args_get(&ctl->args, "author"),
					  .message = demon_args_get(&ctl->args, "message"),
					  .dry = demon_args_has(&ctl->args, "dry-run")};
	struct demon_graph_merged merged;
	struct demon_actor actor;
	json_auto_t *conflicts = json_array();
	struct demon_err why;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if ((rc = read_strategy(ctl, &merge, err)) ||
	    (rc = demon_graph_open(ctl, false, &merge.scope, err)) ||
	    (file && (rc = demon_graph_read(file, &text, err))))
		return rc;
	merge.resolutions = file ? text.data : NULL;
	if (!merge.author && !(rc = demon_ctl_actor(ctl, NULL, &actor, err)))
		merge.author = actor.subject;
	if (rc || !conflicts)
		return rc ? rc : demon_err_set(err, DEMON_NOMEM, "no memory for conflicts");
	rc = demon_graph_merge(ctl->store, &merge, note_conflict, conflicts, &merged, &why);
	if (rc && (rc != DEMON_CONFLICT || !merged.unresolved)) {
		*err = why;
		return rc;
	}
	if (!rc && !merge.dry && (rc = move_tag(ctl, &merge.scope, &merged.id, err)))
		return rc;
	if (print_merged(ctl, &merged, !rc && !merge.dry, conflicts, err))
		return err->rc;
	if (rc) {
		*err = why;
		demon_ctl_hint(ctl, "--strategy ours|theirs, or --resolve FILE: a list of {kind, "
				    "id, property, take} for what 'conflicts' lists");
	}
	return rc;
}
