#include "story.h"

#include "base/json_member.h"

#include <stdio.h>
#include <string.h>

#define SHORT 256 /* bytes of a value that is kept as it is */

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for the steps of a run");
}

static void step_done(struct demon_story_step *step)
{
	free(step->name);
	free(step->reference);
	free(step->call);
	free(step->status);
	free(step->error);
	free(step->output.text);
}

void demon_story_done(struct demon_story *story)
{
	for (size_t i = 0; i < story->count; i++)
		step_done(&story->steps[i]);
	free(story->steps);
	free(story->error);
	free(story->retry_of);
	free(story->input.text);
	free(story->outputs.text);
	*story = (struct demon_story){.count = 0};
}

struct demon_story_step *demon_story_find(const struct demon_story *story, int64_t id)
{
	size_t low = 0;
	size_t high = story->count;

	while (low < high) {
		size_t at = low + (high - low) / 2;

		if (story->steps[at].id == id)
			return &story->steps[at];
		if (story->steps[at].id < id)
			low = at + 1;
		else
			high = at;
	}
	return NULL;
}

static enum demon_rc take_run(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	struct demon_story *story = ctx;

	(void)err;
	(void)snprintf(story->run_id, sizeof(story->run_id), "%s", row->run_id);
	(void)snprintf(story->ritual_id, sizeof(story->ritual_id), "%s", row->ritual_id);
	(void)snprintf(story->status, sizeof(story->status), "%s", row->status);
	story->ms = row->ended_at ? row->ended_at - row->started_at : -1;
	story->wakes_at = row->wakes_at;
	return DEMON_OK;
}

/* Puts the last step into the list of the one that holds it, which came before. */
static void link_step(struct demon_story *story)
{
	size_t place = story->count;
	struct demon_story_step *parent = demon_story_find(story, story->steps[place - 1].parent);
	size_t *first = parent ? &parent->first_child : &story->first;
	size_t *last = parent ? &parent->last_child : &story->last;

	if (*last)
		story->steps[*last - 1].next_sibling = place;
	else
		*first = place;
	*last = place;
}

static enum demon_rc take_step(void *ctx, const struct demon_step_row *row, struct demon_err *err)
{
	struct demon_story *story = ctx;
	struct demon_story_step *step;

	if (story->count == story->size) {
		size_t size = story->size ? 2 * story->size : 64;

		step = demon_realloc(story->steps, size, sizeof(*step));
		if (!step)
			return no_memory(err);
		story->steps = step;
		story->size = size;
	}
	step = &story->steps[story->count++];
	*step = (struct demon_story_step){
	    .id = row->step_id,
	    .parent = row->parent_id,
	    .iteration = row->iteration,
	    .attempt = row->attempt,
	    .ms = row->ended_at ? row->ended_at - row->started_at : -1,
	    .name = demon_strdup(row->name),
	    .reference = demon_strdup(row->reference),
	    .call = demon_strdup(row->call),
	    .status = demon_strdup(row->status),
	};
	if (!step->name || !step->reference || !step->call || !step->status)
		return no_memory(err);
	link_step(story);
	return DEMON_OK;
}

/* Takes a value; of an object not the members that differ every time. */
static enum demon_rc take_value(struct demon_story_value *value, struct demon_json_span span,
				struct demon_err *err)
{
	struct demon_json_walk walk = demon_json_walk_begin(span.at, span.len);
	struct demon_json_pair pair;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	free(demon_take(value->text));
	value->any = true;
	if (*span.at != '{')
		demon_buf_add(&text, span.at, span.len);
	while (*span.at == '{' && demon_json_walk_next(&walk, &pair)) {
		if (demon_json_key_cmp(pair.key, "durationMs") == 0 ||
		    demon_json_key_cmp(pair.key, "timestamp") == 0)
			continue;
		demon_buf_char(&text, text.len ? ',' : '{');
		demon_buf_add(&text, pair.key.at, pair.key.len);
		demon_buf_char(&text, ':');
		demon_buf_add(&text, pair.value.at, pair.value.len);
	}
	if (*span.at == '{')
		demon_buf_str(&text, text.len ? "}" : "{}");
	if ((rc = demon_buf_rc(&text, err)) ||
	    (rc = demon_sha256(text.data, text.len, value->digest, err)))
		return rc;
	if (text.len > SHORT)
		return DEMON_OK;
	value->text = demon_buf_take(&text);
	return value->text ? DEMON_OK : no_memory(err);
}

static enum demon_rc take_text(char **place, struct demon_json_span span, struct demon_err *err)
{
	free(demon_take(*place));
	if (!span.at)
		return DEMON_OK;
	*place = demon_strndup(span.at, span.len);
	return *place ? DEMON_OK : no_memory(err);
}

static struct demon_json_span inner(struct demon_json_span span, const char *key)
{
	return span.at ? demon_json_member(span.at, span.len, key) : span;
}

static enum demon_rc take_opened(struct demon_story *story, struct demon_json_span event,
				 struct demon_err *err)
{
	struct demon_json_span input = inner(event, "input");
	DEMON_BUF(digest, 0);
	enum demon_rc rc;

	if (demon_json_span_str(inner(event, "definitionDigest"), &digest))
		(void)snprintf(story->definition, sizeof(story->definition), "%s", digest.data);
	if ((rc = take_text(&story->retry_of, inner(event, "retryOf"), err)) || !input.at)
		return rc;
	return take_value(&story->input, input, err);
}

static enum demon_rc take_end(struct demon_story *story, struct demon_json_span event,
			      struct demon_err *err)
{
	struct demon_json_span data = inner(inner(inner(event, "outputs"), "result"), "data");
	enum demon_rc rc = take_text(&story->error, inner(event, "error"), err);

	return rc || !data.at ? rc : take_value(&story->outputs, data, err);
}

static enum demon_rc take_moment(void *ctx, const struct demon_run_moment *moment,
				 struct demon_err *err)
{
	struct demon_story *story = ctx;
	struct demon_json_span event = {moment->payload, moment->len};
	struct demon_json_span value = inner(event, "value");
	struct demon_story_step *step;
	int64_t id;

	if (strcmp(moment->type, "ritual.opened:v1") == 0)
		return take_opened(story, event, err);
	if (strncmp(moment->type, "ritual.", 7) == 0)
		return take_end(story, event, err);
	if (!demon_json_span_i64(inner(event, "stepId"), &id) ||
	    !(step = demon_story_find(story, id)))
		return DEMON_OK;
	if (strcmp(moment->type, "step.failed:v1") == 0)
		return take_text(&step->error, inner(event, "error"), err);
	if (!value.at)
		value = inner(inner(inner(event, "output"), "result"), "data");
	return value.at ? take_value(&step->output, value, err) : DEMON_OK;
}

enum demon_rc demon_story_read(struct demon_ctl *ctl, const char *word, bool outputs,
			       struct demon_story *story, struct demon_err *err)
{
	static const char *const all[] = {"ritual.opened:v1",
					  "ritual.failed:v1",
					  "step.failed:v1",
					  "ritual.completed:v1",
					  "step.completed:v1",
					  "step.evaluated:v1",
					  NULL};
	static const char *const errors[] = {"ritual.opened:v1", "ritual.failed:v1",
					     "step.failed:v1", NULL};
	struct demon_run_id run;
	enum demon_rc rc;

	if ((rc = demon_run_find(ctl->store, ctl->settings.tenant.value, word, &run, err)) ||
	    (rc = demon_run_get(ctl->store, &run, take_run, story, err)) ||
	    (rc = demon_run_steps(ctl->store, &run, take_step, story, err)))
		return rc;
	return demon_run_history(ctl->store, &run, outputs ? all : errors, take_moment, story, err);
}

void demon_story_detail(const char *error, struct demon_buf *out)
{
	struct demon_json_span span = {error, error ? strlen(error) : 0};

	if (error && !demon_json_span_str(inner(span, "detail"), out))
		(void)!demon_json_span_str(inner(span, "title"), out);
}

json_t *demon_story_json(const char *canonical)
{
	struct demon_err ignored;
	json_t *tree = NULL;

	if (!canonical)
		return NULL;
	(void)!demon_json_parse(canonical, strlen(canonical), &demon_json_payload_limits, &tree,
				&ignored);
	return tree;
}
