/*
 * demonctl run, demonctl batch.
 */
#include "base/yaml.h"
#include "cli/file.h"
#include "out.h"
#include "play.h"
#include "store/subject.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH_MAX 1000

/* JSON, or @FILE; *ret_input is new. */
static enum demon_rc parse_input(const char *text, json_t **ret_input, struct demon_err *err)
{
	DEMON_BUF(file, demon_json_payload_limits.max_bytes);
	enum demon_rc rc;

	if (*text != '@') {
		rc = demon_json_parse(text, strlen(text), &demon_json_payload_limits, ret_input,
				      err);
		if (rc == DEMON_INVALID)
			err->rc = rc = DEMON_USAGE;
		return rc ? demon_err_wrap(err, "option '--input'") : rc;
	}
	if (demon_file_read(text + 1, &file, err))
		return demon_err_wrap(err, "option '--input'");
	rc = demon_json_parse(file.data, file.len, &demon_json_payload_limits, ret_input, err);
	return rc ? demon_err_wrap(err, "option '--input': %s", text + 1) : rc;
}

/* --input; *ret_input is new, or NULL when it is not given. */
static enum demon_rc read_input(const struct demon_ctl *ctl, json_t **ret_input,
				struct demon_err *err)
{
	const char *text = demon_args_get(&ctl->args, "input");
	json_auto_t *input = NULL;
	enum demon_rc rc;

	*ret_input = NULL;
	if (!text)
		return DEMON_OK;
	if ((rc = parse_input(text, &input, err)))
		return rc;
	if (!json_is_object(input))
		return demon_err_set(err, DEMON_USAGE, "option '--input': it is not a JSON object");
	*ret_input = demon_take(input);
	return DEMON_OK;
}

/* Each --param K=V becomes a string member of the input. */
static enum demon_rc merge_params(const struct demon_ctl *ctl, json_t **input,
				  struct demon_err *err)
{
	const char *param;
	size_t at = 0;

	while ((param = demon_args_next(&ctl->args, "param", &at))) {
		const char *equals = strchr(param, '=');
		demon_auto_free char *key = NULL;

		if (!equals || equals == param)
			return demon_err_set(err, DEMON_USAGE,
					     "option '--param': '%.80s' is not KEY=VALUE", param);
		if (!*input)
			*input = json_object();
		key = demon_strndup(param, (size_t)(equals - param));
		if (!key || !*input)
			return demon_err_set(err, DEMON_NOMEM, "no memory for the input");
		if (json_object_set_new(*input, key, json_string(equals + 1)))
			return demon_err_set(err, DEMON_USAGE,
					     "option '--param': '%.80s' is not UTF-8", param);
	}
	return DEMON_OK;
}

/* DIR/result.json; DIR is made when missing. *ret_path is new. */
static enum demon_rc save_path(const char *dir, const char *name, char **ret_path,
			       struct demon_err *err)
{
	DEMON_BUF(path, 0);

	if (mkdir(dir, 0777) && errno != EEXIST)
		return demon_err_sys(err, errno == ENOENT ? DEMON_NOTFOUND : DEMON_IO, errno,
				     "option '--save': cannot make folder '%s'", dir);
	demon_buf_fmt(&path, "%s/%s", dir, name);
	*ret_path = demon_buf_take(&path);
	return *ret_path ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory for a path");
}

enum demon_rc demon_command_run(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(demon_definition_free_p) struct demon_definition *definition = NULL;
	demon_auto_free char *result = NULL;
	json_auto_t *input = NULL;
	const char *id = demon_args_get(&ctl->args, "run-id");
	const char *dir = demon_args_get(&ctl->args, "save");
	struct demon_play play = {.detach = demon_args_has(&ctl->args, "detach")};
	struct demon_actor actor;
	enum demon_rc rc;

	if (id && !demon_id_valid(id))
		return demon_err_set(err, DEMON_USAGE,
				     "option '--run-id': '%.80s' is not 1 to 64 of A-Z a-z 0-9 _ -",
				     id);
	if (dir && play.detach)
		return demon_err_set(err, DEMON_USAGE,
				     "'--save' and '--detach' exclude each other");
	if ((rc = read_input(ctl, &input, err)) || (rc = merge_params(ctl, &input, err)) ||
	    (rc = demon_play_load(ctl, ctl->words[0], &definition, err)) ||
	    (dir && (rc = save_path(dir, "result.json", &result, err))) ||
	    (rc = demon_ctl_open(ctl, true, err)) || (rc = demon_ctl_actor(ctl, NULL, &actor, err)))
		return rc;
	play.definition = definition;
	play.save_path = result;
	play.options = (struct demon_run_options){
	    .run_id = id,
	    .tenant_id = ctl->settings.tenant.value,
	    .input = input,
	    .requester = actor.subject,
	    .source = ctl->words[0],
	};
	return demon_play(ctl, &play, err);
}

/* A batch, every ritual of it loaded before the first one runs. */
struct batch {
	struct demon_yaml_doc *doc;
	const char **targets; /* borrowed from doc */
	struct demon_definition **definitions;
	size_t count;
};

static void batch_done(struct batch *b)
{
	for (size_t i = 0; b->definitions && i < b->count; i++)
		demon_definition_free(b->definitions[i]);
	free((void *)b->targets);
	free((void *)b->definitions);
	demon_yaml_free(b->doc);
}

static enum demon_rc read_target(const char *name, const struct demon_yaml_node *item,
				 const char **ret_target, struct demon_err *err)
{
	const struct demon_yaml_node *target;

	if (item->kind != DEMON_YAML_MAPPING)
		return demon_err_set(err, DEMON_INVALID,
				     "%s:%u:%u: expected 'target: FILE', found %s", name,
				     item->line, item->column, demon_yaml_describe(item));
	for (size_t i = 0; i < item->count; i++)
		if (strcmp(item->items[i]->key, "target") != 0)
			return demon_err_set(err, DEMON_INVALID,
					     "%s:%u:%u: unknown key '%s', expected 'target'", name,
					     item->items[i]->key_line, item->items[i]->key_column,
					     item->items[i]->key);
	target = demon_yaml_get(item, "target");
	if (!target)
		return demon_err_set(err, DEMON_INVALID, "%s:%u:%u: 'target' is missing", name,
				     item->line, item->column);
	if (target->kind != DEMON_YAML_SCALAR || !json_is_string(target->scalar))
		return demon_err_set(err, DEMON_INVALID,
				     "%s:%u:%u: 'target' is %s, not a file name", name,
				     target->line, target->column, demon_yaml_describe(target));
	*ret_target = json_string_value(target->scalar);
	return DEMON_OK;
}

static enum demon_rc load_batch(struct demon_ctl *ctl, const char *name, struct batch *b,
				struct demon_err *err)
{
	DEMON_BUF(text, demon_yaml_ritual_limits.max_bytes);
	const struct demon_yaml_node *root;
	enum demon_rc rc;

	if ((rc = demon_file_read(name, &text, err)) ||
	    (rc = demon_yaml_parse(name, text.data, text.len, &demon_yaml_ritual_limits, &b->doc,
				   err)))
		return rc;
	root = demon_yaml_root(b->doc);
	if (root->kind != DEMON_YAML_SEQUENCE)
		return demon_err_set(err, DEMON_INVALID,
				     "%s:%u:%u: expected a list of 'target: FILE', found %s", name,
				     root->line, root->column, demon_yaml_describe(root));
	if (root->count > BATCH_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "%s: more than %d targets", name,
				     BATCH_MAX);
	b->targets = demon_calloc(root->count + 1, sizeof(*b->targets));
	b->definitions = demon_calloc(root->count + 1, sizeof(void *));
	if (!b->targets || !b->definitions)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the batch");
	for (size_t i = 0; i < root->count; i++) {
		if ((rc = read_target(name, root->items[i], &b->targets[i], err)) ||
		    (rc = demon_play_load(ctl, b->targets[i], &b->definitions[i], err)))
			return rc;
		b->count++;
	}
	return DEMON_OK;
}

enum demon_rc demon_command_batch(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(batch_done) struct batch b = {0};
	const char *dir = demon_args_get(&ctl->args, "save");
	struct demon_actor actor;
	enum demon_rc rc;

	if ((rc = load_batch(ctl, ctl->words[0], &b, err)) ||
	    (rc = demon_ctl_open(ctl, true, err)) || (rc = demon_ctl_actor(ctl, NULL, &actor, err)))
		return rc;
	for (size_t i = 0; i < b.count; i++) {
		demon_auto_free char *result = NULL;
		char name[32];
		struct demon_play play = {
		    .definition = b.definitions[i],
		    .options = {.tenant_id = ctl->settings.tenant.value,
				.source = b.targets[i],
				.requester = actor.subject},
		    .save_event = true,
		};

		demon_out_note(&ctl->settings, "[%zu/%zu] %s", i + 1, b.count, b.targets[i]);
		(void)snprintf(name, sizeof(name), "batch-%03zu.result.json", i + 1);
		if (dir && (rc = save_path(dir, name, &result, err)))
			return rc;
		play.save_path = result;
		if (demon_play(ctl, &play, err))
			return demon_err_wrap(err, "%zu of %zu", i + 1, b.count);
	}
	return DEMON_OK;
}
