/*
 * demonctl runs events, events tail, export, import.
 */
#include "base/bytes.h"
#include "base/json_member.h"
#include "cli/file.h"
#include "command.h"
#include "domain/ritual/run.h"
#include "out.h"
#include "store/jsonl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLLOW_MS  1000
#define TAIL_LINES 100
#define TAIL_MAX   100000

/* What a person wants to see of a payload, besides the ids. */
static void add_detail(const struct demon_event *ev, struct demon_buf *out)
{
	static const char *const keys[] = {"name", "fromState", "toState", "reason", "status"};
	struct demon_json_span error;

	for (size_t i = 0; i < demon_count(keys); i++) {
		DEMON_BUF(text, 0);

		if (!demon_json_span_str(demon_json_member(ev->payload, ev->payload_len, keys[i]),
					 &text))
			continue;
		demon_buf_fmt(out, "  %s=", keys[i]);
		demon_out_printable(out, text.data);
	}
	error = demon_json_member(ev->payload, ev->payload_len, "error");
	if (error.at) {
		DEMON_BUF(text, 0);

		if (demon_json_span_str(demon_json_member(error.at, error.len, "detail"), &text)) {
			demon_buf_str(out, "  error=");
			demon_out_printable(out, text.data);
		}
	}
}

static enum demon_rc format_event(const struct demon_settings *s, const struct demon_event *ev,
				  struct demon_buf *out, struct demon_err *err)
{
	enum demon_rc rc;

	if (s->json) {
		rc = demon_jsonl_event(ev, true, out, err);
		return rc ? rc : demon_buf_rc(out, err);
	}
	demon_buf_fmt(out, "%" PRId64 "  %s  %s  %s", ev->seq, demon_out_time(ev->ts), ev->type,
		      ev->run_id ? ev->run_id : demon_stream_name(ev->stream));
	if (ev->payload)
		add_detail(ev, out);
	return demon_buf_rc(out, err);
}

static enum demon_rc print_event(const struct demon_settings *s, const struct demon_event *ev,
				 struct demon_err *err)
{
	DEMON_BUF(line, 0);
	enum demon_rc rc = format_event(s, ev, &line, err);

	if (rc == DEMON_OK)
		demon_out_line(line.data);
	return rc;
}

/* After such an event its run has no more. */
static bool is_terminal(const struct demon_event *ev)
{
	return strcmp(ev->type, "ritual.completed:v1") == 0 ||
	       strcmp(ev->type, "ritual.failed:v1") == 0 ||
	       strcmp(ev->type, "ritual.canceled:v1") == 0;
}

static void close_reader(struct demon_reader *const *reader)
{
	demon_reader_close(*reader);
}

/* stdout is a pipe that nobody reads any more, or a full disk: main says so. */
static bool output_broken(void)
{
	return fflush(stdout) || ferror(stdout);
}

/* Prints the events of one run until there is none, or, following, until it has ended. */
static enum demon_rc print_run(struct demon_ctl *ctl, const struct demon_run_id *run,
			       struct demon_reader *reader, struct demon_err *err)
{
	bool follow = demon_args_has(&ctl->args, "follow");
	const struct demon_event *ev;
	enum demon_rc rc;

	for (;;) {
		rc = demon_reader_next(reader, follow ? FOLLOW_MS : 0, &ev, err);
		if (rc == DEMON_NOTFOUND && follow)
			continue;
		if (rc)
			return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
		if (memcmp(ev->run_origin, run->origin, DEMON_ORIGIN_LEN) != 0)
			continue;
		if ((rc = print_event(&ctl->settings, ev, err)))
			return rc;
		if (follow && (output_broken() || is_terminal(ev)))
			return DEMON_OK;
	}
}

enum demon_rc demon_command_runs_events(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(close_reader) struct demon_reader *reader = NULL;
	struct demon_filter filter = {0};
	struct demon_run_id run;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_run_find(ctl->store, ctl->settings.tenant.value, ctl->words[0], &run, err)))
		return rc;
	filter.tenant_id = run.tenant_id;
	filter.run_id = run.run_id;
	if ((rc = demon_reader_open(ctl->store, &filter, &reader, err)))
		return rc;
	return print_run(ctl, &run, reader, err);
}

/* The last lines, as a ring. */
struct tail {
	char **lines; /* owned */
	size_t cap;
	size_t count; /* ever added */
};

static void tail_done(struct tail *t)
{
	for (size_t i = 0; t->lines && i < t->cap; i++)
		free(t->lines[i]);
	free((void *)t->lines);
}

static enum demon_rc tail_add(struct tail *t, struct demon_buf *line, struct demon_err *err)
{
	char **slot = &t->lines[t->count++ % t->cap];

	free(*slot);
	*slot = demon_buf_take(line);
	return *slot ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory for a line");
}

static void tail_print(const struct tail *t)
{
	size_t first = t->count > t->cap ? t->count - t->cap : 0;

	for (size_t i = first; i < t->count; i++)
		demon_out_line(t->lines[i % t->cap]);
}

/* Reads to the present end of the log, keeping the last lines, and prints them. */
static enum demon_rc print_tail(const struct demon_settings *s, struct demon_reader *reader,
				size_t limit, struct demon_err *err)
{
	demon_cleanup(tail_done) struct tail t = {.cap = limit};
	const struct demon_event *ev;
	enum demon_rc rc;

	t.lines = demon_calloc(limit, sizeof(*t.lines));
	if (!t.lines)
		return demon_err_set(err, DEMON_NOMEM, "no memory for %zu lines", limit);
	while ((rc = demon_reader_next(reader, 0, &ev, err)) == DEMON_OK) {
		DEMON_BUF(line, 0);

		if ((rc = format_event(s, ev, &line, err)) || (rc = tail_add(&t, &line, err)))
			return rc;
	}
	if (rc != DEMON_NOTFOUND)
		return rc;
	tail_print(&t);
	return DEMON_OK;
}

static enum demon_rc check_type(const char *type, struct demon_err *err)
{
	const char *star = type ? strchr(type, '*') : NULL;

	if (star && star[1])
		return demon_err_set(err, DEMON_USAGE,
				     "option '--type': '%.80s': '*' may stand at the end only",
				     type);
	return DEMON_OK;
}

enum demon_rc demon_command_events_tail(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(close_reader) struct demon_reader *reader = NULL;
	bool follow = demon_args_has(&ctl->args, "follow");
	const struct demon_event *ev;
	int64_t limit = TAIL_LINES;
	int64_t last = 0;
	struct demon_filter filter = {
	    .type = demon_args_get(&ctl->args, "type"),
	    .run_id = demon_args_get(&ctl->args, "run"),
	};
	enum demon_rc rc;

	if ((rc = demon_args_number(&ctl->args, "limit", 1, TAIL_MAX, &limit, err)) ||
	    (rc = check_type(filter.type, err)) || (rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_last_seq(ctl->store, &last, err)))
		return rc;
	if (filter.run_id)
		filter.tenant_id = ctl->settings.tenant.value;
	if (!filter.run_id && !filter.type && last > limit)
		filter.after_seq = last - limit;
	if ((rc = demon_reader_open(ctl->store, &filter, &reader, err)) ||
	    (rc = print_tail(&ctl->settings, reader, (size_t)limit, err)))
		return rc;
	while (follow && !output_broken()) {
		rc = demon_reader_next(reader, FOLLOW_MS, &ev, err);
		if (rc == DEMON_NOTFOUND)
			continue;
		if (rc || (rc = print_event(&ctl->settings, ev, err)))
			return rc;
	}
	return DEMON_OK;
}

/* demon_write_fn: to stdout when there is no file. */
static enum demon_rc write_export(void *ctx, const char *bytes, size_t len, struct demon_err *err)
{
	struct demon_new_file *file = ctx;

	if (file->path)
		return demon_new_file_add(file, bytes, len, err);
	if (fwrite(bytes, 1, len, stdout) != len)
		return demon_err_sys(err, DEMON_IO, errno, "cannot write to stdout");
	return DEMON_OK;
}

/* An export over the database, or over what SQLite keeps beside it, would destroy it. */
static enum demon_rc refuse_own_file(const char *db, const char *to, struct demon_err *err)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock", ".key"};
	struct stat target;

	if (stat(to, &target))
		return DEMON_OK;
	for (size_t i = 0; i < demon_count(suffixes); i++) {
		DEMON_BUF(path, 0);
		struct stat own;

		demon_buf_fmt(&path, "%s%s", db, suffixes[i]);
		if (stat(path.data, &own) == 0 && own.st_dev == target.st_dev &&
		    own.st_ino == target.st_ino)
			return demon_err_set(err, DEMON_USAGE,
					     "option '--to': '%s' belongs to the database", to);
	}
	return DEMON_OK;
}

enum demon_rc demon_command_export(struct demon_ctl *ctl, struct demon_err *err)
{
	DEMON_NEW_FILE(file);
	const char *to = demon_args_get(&ctl->args, "to");
	int64_t events = 0;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (to && (rc = refuse_own_file(ctl->settings.db.value, to, err))) ||
	    (to && (rc = demon_new_file_begin(&file, to, err))) ||
	    (rc = demon_export(ctl->store, write_export, &file, &events, err)) ||
	    (to && (rc = demon_new_file_commit(&file, err))))
		return rc;
	demon_out_note(&ctl->settings, "%" PRId64 " events exported", events);
	return DEMON_OK;
}

/* demon_read_fn over a descriptor. */
static enum demon_rc read_import(void *ctx, char *bytes, size_t cap, size_t *ret_len,
				 struct demon_err *err)
{
	const int *fd = ctx;
	ssize_t n;

	do {
		n = read(*fd, bytes, cap);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return demon_err_sys(err, DEMON_IO, errno, "cannot read the lines");
	*ret_len = (size_t)n;
	return DEMON_OK;
}

static void close_p(const int *fd)
{
	if (*fd > STDERR_FILENO)
		(void)close(*fd);
}

enum demon_rc demon_command_import(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(close_p) int fd = -1;
	const struct demon_settings *s = &ctl->settings;
	struct demon_imported done = {0};
	enum demon_rc rc;

	if ((rc = demon_file_open(ctl->words[0], &fd, NULL, err)) ||
	    (rc = demon_ctl_open(ctl, true, err)) ||
	    (rc = demon_import(ctl->store, read_import, &fd, &done, err)))
		return rc;
	if (s->json)
		return demon_out_json(s,
				      json_pack("{s:I,s:I}", "added", (json_int_t)done.added,
						"lines", (json_int_t)done.lines),
				      err);
	demon_out_field("lines", "%" PRId64, done.lines);
	demon_out_field("added", "%" PRId64, done.added);
	return DEMON_OK;
}
