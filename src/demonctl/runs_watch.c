/*
 * demonctl runs watch: a line for each step of a run, as it ends, and what it writes meanwhile. On
 * a terminal a step that is under way has its line already.
 */
#include "base/json_member.h"
#include "out.h"
#include "play.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOLLOW_MS 1000
#define TAIL      10 /* lines of a piece of output */

static void close_reader(struct demon_reader *const *reader)
{
	demon_reader_close(*reader);
}

/* What is known of a step, by its id. */
struct seen {
	demon_time began;
	int64_t round; /* of what holds it, from 1; 0: that does not iterate */
	unsigned depth;
};

struct watch {
	const struct demon_settings *settings;
	struct seen *seen; /* owned */
	size_t size;
	bool terminal;
	int64_t open; /* the step whose line is the last one and can be written again; 0: none */
	int64_t told; /* the step whose name stands above the output that was printed last */
	demon_time began;   /* of the run */
	int64_t leaf;       /* the step that started last */
	char leaf_name[80]; /* its line up to the status, cut */
};

static void watch_done(struct watch *w)
{
	free(w->seen);
}

static struct demon_json_span member(const struct demon_event *ev, const char *key)
{
	return demon_json_member(ev->payload, ev->payload_len, key);
}

static int64_t number(const struct demon_event *ev, const char *key)
{
	int64_t n;

	return demon_json_span_i64(member(ev, key), &n) ? n : 0;
}

static void add_text(struct demon_buf *out, struct demon_json_span value)
{
	DEMON_BUF(text, 0);

	if (demon_json_span_str(value, &text))
		demon_out_printable(out, text.data);
}

static void add_error(struct demon_buf *out, struct demon_json_span error)
{
	struct demon_json_span detail;

	if (!error.at)
		return;
	detail = demon_json_member(error.at, error.len, "detail");
	demon_buf_str(out, ": ");
	add_text(out, detail.at ? detail : demon_json_member(error.at, error.len, "title"));
}

static struct seen *find_seen(struct watch *w, int64_t id)
{
	return id > 0 && (size_t)id < w->size ? &w->seen[id] : NULL;
}

/* Remembers a step that begins. */
static enum demon_rc remember(struct watch *w, const struct demon_event *ev, int64_t id,
			      struct demon_err *err)
{
	const struct seen *parent = find_seen(w, number(ev, "parentId"));
	unsigned depth = parent ? parent->depth + 1 : number(ev, "parentId") ? 1 : 0;

	if (id <= 0 || id > INT32_MAX)
		return DEMON_OK;
	if (!w->seen || (size_t)id >= w->size) {
		size_t size = 2 * ((size_t)id + 32);
		struct seen *seen = demon_realloc(w->seen, size, sizeof(*seen));

		if (!seen)
			return demon_err_set(err, DEMON_NOMEM, "no memory for the steps of a run");
		memset(seen + w->size, 0, (size - w->size) * sizeof(*seen));
		w->seen = seen;
		w->size = size;
	}
	w->seen[id] = (struct seen){
	    .began = ev->ts,
	    .round = member(ev, "iteration").at ? number(ev, "iteration") + 1 : 0,
	    .depth = depth,
	};
	return DEMON_OK;
}

/* Begins a line about a step. */
static void begin_line(struct watch *w, const struct demon_event *ev, int64_t id,
		       struct demon_buf *line)
{
	const struct seen *seen = find_seen(w, id);

	for (unsigned i = 0; i < (seen ? seen->depth : 0); i++)
		demon_buf_str(line, "  ");
	if (seen && seen->round)
		demon_buf_fmt(line, "[%lld] ", (long long)seen->round - 1);
	add_text(line, member(ev, "name"));
	demon_buf_str(line, "  ");
}

static void add_status(struct watch *w, const char *status, struct demon_buf *line)
{
	const char *color = demon_out_color(w->settings, status);

	demon_buf_fmt(line, "%s%s%s", color, status, *color ? "\033[0m" : "");
}

/* Ends the line of a step under way: something else is printed below it. */
static void close_line(struct watch *w)
{
	if (w->open)
		(void)fputc('\n', stdout);
	w->open = 0;
}

/* Prints a line about a step, over that which it may have already. */
static void print_line(struct watch *w, int64_t id, const char *line)
{
	if (w->open && w->open == id)
		(void)fputs("\r\033[K", stdout);
	else if (w->open)
		(void)fputc('\n', stdout);
	w->open = 0;
	w->told = 0;
	demon_out_line(line);
}

static void print_under_way(struct watch *w, const struct demon_event *ev, int64_t id)
{
	struct demon_json_span wake = member(ev, "wakeAt");
	int64_t attempt = number(ev, "attempt");
	DEMON_BUF(line, 0);

	if (!wake.at && !w->terminal)
		return;
	begin_line(w, ev, id, &line);
	add_status(w, wake.at ? "Waiting" : "Running", &line);
	if (attempt > 1)
		demon_buf_fmt(&line, ", attempt %lld", (long long)attempt);
	if (wake.at) {
		demon_buf_str(&line, " until ");
		add_text(&line, wake);
	}
	if (!w->terminal) {
		print_line(w, id, line.data);
		return;
	}
	close_line(w);
	(void)fputs(line.data, stdout);
	w->open = id;
}

static enum demon_rc started(struct watch *w, const struct demon_event *ev, const char *status,
			     struct demon_err *err)
{
	int64_t id = number(ev, "stepId");

	DEMON_BUF(name, 0);
	enum demon_rc rc;

	(void)status;
	if (number(ev, "attempt") < 2 && (rc = remember(w, ev, id, err)))
		return rc;
	begin_line(w, ev, id, &name);
	w->leaf = id;
	(void)snprintf(w->leaf_name, sizeof(w->leaf_name), "%s", name.data);
	print_under_way(w, ev, id);
	return DEMON_OK;
}

static enum demon_rc ended(struct watch *w, const struct demon_event *ev, const char *status,
			   struct demon_err *err)
{
	int64_t id = number(ev, "stepId");
	const struct seen *seen = find_seen(w, id);
	DEMON_BUF(line, 0);

	(void)err;
	begin_line(w, ev, id, &line);
	add_status(w, status, &line);
	if (seen && seen->began) {
		demon_buf_str(&line, "  ");
		demon_out_duration(&line, ev->ts - seen->began);
	}
	add_error(&line, member(ev, "error"));
	print_line(w, id, line.data);
	return DEMON_OK;
}

/* A step that begins and ends at once. */
static enum demon_rc passed(struct watch *w, const struct demon_event *ev, const char *status,
			    struct demon_err *err)
{
	int64_t id = number(ev, "stepId");
	DEMON_BUF(line, 0);
	enum demon_rc rc = remember(w, ev, id, err);

	if (rc)
		return rc;
	begin_line(w, ev, id, &line);
	add_status(w, status, &line);
	print_line(w, id, line.data);
	return DEMON_OK;
}

static enum demon_rc caught(struct watch *w, const struct demon_event *ev, const char *status,
			    struct demon_err *err)
{
	struct demon_json_span wake = member(ev, "wakeAt");
	int64_t id = number(ev, "stepId");
	DEMON_BUF(line, 0);

	(void)status;
	(void)err;
	begin_line(w, ev, id, &line);
	if (wake.at) {
		demon_buf_fmt(&line, "tries again (%lld) at ", (long long)number(ev, "retry"));
		add_text(&line, wake);
	} else {
		demon_buf_str(&line, "goes on: the error is caught");
	}
	print_line(w, id, line.data);
	return DEMON_OK;
}

/* What is written stands below the line of its step. */
static void name_writer(struct watch *w, const struct demon_event *ev)
{
	int64_t id = number(ev, "stepId");
	DEMON_BUF(line, 0);

	if (w->told != id && w->open != id && w->leaf == id) {
		demon_buf_str(&line, w->leaf_name);
		add_status(w, "Running", &line);
		print_line(w, id, line.data);
	}
	close_line(w);
	w->told = id;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (const char *c = text; *c; c++)
		n += *c == '\n' || !c[1];
	return n;
}

/* The last lines of what a step has written. */
static enum demon_rc wrote(struct watch *w, const struct demon_event *ev, const char *status,
			   struct demon_err *err)
{
	const struct seen *seen = find_seen(w, number(ev, "stepId"));
	int indent = 2 * (int)(seen ? seen->depth : 0) + 2;
	DEMON_BUF(text, 0);
	size_t count;
	char *rest;

	(void)status;
	(void)err;
	if (!demon_json_span_str(member(ev, "text"), &text))
		return DEMON_OK;
	name_writer(w, ev);
	count = count_lines(text.data);
	if (count > TAIL)
		(void)printf("%*s| … %zu lines\n", indent, "", count - TAIL);
	for (char *line = strtok_r(text.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		DEMON_BUF(shown, 0);

		if (count > TAIL) {
			count--;
			continue;
		}
		demon_out_printable(&shown, line);
		(void)printf("%*s| %s\n", indent, "", shown.data);
	}
	return DEMON_OK;
}

static enum demon_rc run_began(struct watch *w, const struct demon_event *ev, const char *status,
			       struct demon_err *err)
{
	(void)status;
	(void)err;
	w->began = ev->ts;
	return DEMON_OK;
}

static enum demon_rc run_stands(struct watch *w, const struct demon_event *ev, const char *status,
				struct demon_err *err)
{
	DEMON_BUF(line, 0);

	(void)err;
	demon_buf_fmt(&line, "run %s  ", ev->run_id);
	add_status(w, status, &line);
	if (w->began) {
		demon_buf_str(&line, "  ");
		demon_out_duration(&line, ev->ts - w->began);
	}
	add_error(&line, member(ev, "error"));
	print_line(w, -1, line.data);
	return DEMON_OK;
}

static const struct {
	const char *type;
	enum demon_rc (*show)(struct watch *w, const struct demon_event *ev, const char *status,
			      struct demon_err *err);
	const char *status;
	bool last; /* the run has nothing more to tell, or needs somebody */
} shows[] = {
    {"step.started:v1", started, NULL, false},
    {"step.completed:v1", ended, "Completed", false},
    {"step.failed:v1", ended, "Failed", false},
    {"step.evaluated:v1", passed, "Completed", false},
    {"step.skipped:v1", passed, "Skipped", false},
    {"step.caught:v1", caught, NULL, false},
    {"step.output:v1", wrote, NULL, false},
    {"ritual.started:v1", run_began, NULL, false},
    {"ritual.completed:v1", run_stands, "Completed", true},
    {"ritual.failed:v1", run_stands, "Failed", true},
    {"ritual.canceled:v1", run_stands, "Canceled", true},
    {"ritual.suspended:v1", run_stands, "Suspended", true},
    {"ritual.resumed:v1", run_stands, "Running", false},
};

static enum demon_rc show(struct watch *w, const struct demon_event *ev, struct demon_err *err)
{
	if (!ev->payload)
		return DEMON_OK;
	if (w->settings->json)
		return demon_out_canonical(w->settings, ev->payload, ev->payload_len, err);
	for (size_t i = 0; i < demon_count(shows); i++)
		if (strcmp(ev->type, shows[i].type) == 0)
			return shows[i].show(w, ev, shows[i].status, err);
	return DEMON_OK;
}

static enum demon_rc take_suspended(void *ctx, const struct demon_run_row *row,
				    struct demon_err *err)
{
	bool *suspended = ctx;

	(void)err;
	*suspended = strcmp(row->status, "Suspended") == 0;
	return DEMON_OK;
}

/* The status that the event leaves the run in when there is no more to come; else NULL. A run that
 * was suspended may have gone on since. */
static const char *end_of(struct demon_ctl *ctl, const struct demon_run_id *run,
			  const struct demon_event *ev)
{
	bool suspended = true;
	struct demon_err ignored;

	for (size_t i = 0; i < demon_count(shows); i++) {
		if (!shows[i].last || strcmp(ev->type, shows[i].type) != 0)
			continue;
		if (strcmp(shows[i].status, "Suspended") == 0 &&
		    (demon_run_get(ctl->store, run, take_suspended, &suspended, &ignored) ||
		     !suspended))
			return NULL;
		return shows[i].status;
	}
	return NULL;
}

static enum demon_rc open_reader(struct demon_ctl *ctl, const struct demon_run_id *run,
				 int64_t after_seq, struct demon_reader **reader,
				 struct demon_err *err)
{
	const struct demon_filter filter = {
	    .after_seq = after_seq, .tenant_id = run->tenant_id, .run_id = run->run_id};

	return demon_reader_open(ctl->store, &filter, reader, err);
}

/* The next event of the run, however long it takes. */
static enum demon_rc next(struct demon_reader *reader, const struct demon_run_id *run,
			  const struct demon_event **ret_ev, struct demon_err *err)
{
	enum demon_rc rc;

	do {
		rc = demon_reader_next(reader, FOLLOW_MS, ret_ev, err);
	} while (rc == DEMON_NOTFOUND ||
		 (!rc && memcmp((*ret_ev)->run_origin, run->origin, sizeof(run->origin)) != 0));
	return rc;
}

enum demon_rc demon_play_follow(struct demon_ctl *ctl, const struct demon_run_id *run,
				int64_t after_seq, struct demon_err *err)
{
	demon_cleanup(close_reader) struct demon_reader *reader = NULL;
	struct demon_progress progress = {.settings = &ctl->settings};
	const struct demon_event *ev;
	const char *status = NULL;
	enum demon_rc rc = open_reader(ctl, run, after_seq, &reader, err);

	while (!rc && !status && !(rc = next(reader, run, &ev, err))) {
		if (!ev->payload)
			continue;
		demon_play_progress(&progress, ev->type, ev->payload, ev->payload_len);
		status = end_of(ctl, run, ev);
	}
	if (rc)
		return rc;
	if (strcmp(status, "Suspended") != 0 &&
	    (rc = demon_out_canonical(&ctl->settings, ev->payload, ev->payload_len, err)))
		return rc;
	return demon_play_judge(ctl, run, status, ev->payload, err);
}

static enum demon_rc follow(struct demon_ctl *ctl, const struct demon_run_id *run, struct watch *w,
			    struct demon_reader *reader, struct demon_err *err)
{
	const struct demon_event *ev;
	const char *status;
	enum demon_rc rc;

	while (!(rc = next(reader, run, &ev, err)) && !(rc = show(w, ev, err))) {
		/* stdout is a pipe that nobody reads any more, or a full disk: main says so */
		if (fflush(stdout) || ferror(stdout))
			return DEMON_OK;
		status = end_of(ctl, run, ev);
		if (status)
			return demon_play_judge(ctl, run, status, ev->payload, err);
	}
	return rc;
}

enum demon_rc demon_command_runs_watch(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(close_reader) struct demon_reader *reader = NULL;
	demon_cleanup(watch_done) struct watch w = {.settings = &ctl->settings,
						    .terminal = isatty(STDOUT_FILENO)};
	struct demon_run_id run;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_run_find(ctl->store, ctl->settings.tenant.value, ctl->words[0], &run,
				 err)) ||
	    (rc = open_reader(ctl, &run, 0, &reader, err)))
		return rc;
	return follow(ctl, &run, &w, reader, err);
}
