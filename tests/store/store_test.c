#include "support/test.h"

#include "support/fork.h"
#include "support/notes.h"

#include "base/fault.h"
#include "base/json.h"
#include "store/jsonl.h"
#include "store/liveness.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char *dir;
	char path[256];
	struct fake_env fake;
	struct demon_options options;
	struct demon_store *store;
	struct demon_err err;
	char *text;
	char *other;
};

static void open_store(struct fixture *f)
{
	assert_ok(demon_store_open(f->path, &f->options, NULL, &f->store, &f->err), &f->err);
}

static void close_store(struct fixture *f)
{
	demon_close(f->store);
	f->store = NULL;
}

static void reopen(struct fixture *f)
{
	close_store(f);
	open_store(f);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = test_dir();
	(void)snprintf(f->path, sizeof(f->path), "%s/demon.db", f->dir);
	fake_env_init(&f->fake, 7);
	f->options = (struct demon_options){.create = true, .env = &f->fake.env, .node_id = "n1"};
	open_store(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)demon_fault_disarm();
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f->text);
	free(f->other);
	free(f);
	return 0;
}

static int64_t last_seq(struct fixture *f)
{
	int64_t seq = -1;

	assert_ok(demon_last_seq(f->store, &seq, &f->err), &f->err);
	return seq;
}

static char *digest(struct demon_store *store, struct demon_err *err)
{
	char *text = NULL;

	assert_ok(demon_digest(store, &text, err), err);
	return text;
}

static void verify(struct fixture *f, int64_t events)
{
	struct demon_verified verified;

	assert_ok(demon_verify(f->store, &verified, &f->err), &f->err);
	assert_int_equal(verified.events, events);
}

static void opening_appends_nothing_and_keeps_the_digest(void **state)
{
	struct fixture *f = *state;

	f->text = digest(f->store, &f->err);
	reopen(f);
	f->other = digest(f->store, &f->err);
	assert_string_equal(f->text, f->other);
	assert_int_equal(last_seq(f), 0);
	verify(f, 0);
}

static void an_appended_event_is_there_after_reopening(void **state)
{
	struct fixture *f = *state;
	struct demon_receipt a;
	struct demon_receipt b;

	assert_ok(note(f->store, "r-1", "one", &a, &f->err), &f->err);
	reopen(f);
	assert_ok(note(f->store, "r-1", "two", &b, &f->err), &f->err);
	assert_int_equal(a.seq, 1);
	assert_int_equal(b.seq, 2);
	assert_int_equal(b.sequence, a.sequence + 1);
	verify(f, 2);
}

static void a_job_that_fails_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct note_job job = {
	    .run_id = "r-1", .text = "x", .count = 3, .ts = f->fake.now, .then = DEMON_CONFLICT};

	assert_rc(demon_store_write(f->store, note_job, &job, &f->err), DEMON_CONFLICT, &f->err);
	assert_int_equal(last_seq(f), 0);
	assert_ok(note(f->store, "r-1", "after", NULL, &f->err), &f->err);
	assert_int_equal(last_seq(f), 1);
	verify(f, 1);
}

static void a_group_is_consecutive_and_whole(void **state)
{
	struct fixture *f = *state;
	struct note_job job = {.run_id = "r-1", .text = "x", .count = 4096, .ts = f->fake.now};

	assert_ok(demon_store_write(f->store, note_job, &job, &f->err), &f->err);
	assert_int_equal(job.receipt.sequence, 4096);
	job.count = 4097;
	assert_rc(demon_store_write(f->store, note_job, &job, &f->err), DEMON_TOOBIG, &f->err);
	verify(f, 4096);
}

/* A group about several runs in turn, long enough for every way of inserting. */
static enum demon_rc mixed_job(struct demon_write *w, void *ctx, struct demon_err *err)
{
	static const size_t turns[] = {1, 7, 8, 9, 128, 129, 2, 1, 300};
	static const char *const runs[] = {"r-1", "r-2", "r-3"};
	static const char payload[] = "{\"event\":\"test.noted:v1\"}";
	size_t *count = ctx;
	struct demon_record records[585];
	struct demon_group group = {DEMON_STREAM_RITUAL,  1000, records,
				    demon_count(records), NULL, 0};
	size_t n = 0;

	for (size_t i = 0; i < demon_count(turns); i++)
		for (size_t k = 0; k < turns[i]; k++)
			records[n++] =
			    (struct demon_record){.type = k % 3 ? "test.noted:v1" : "test.seen:v1",
						  .tenant_id = "default",
						  .ritual_id = "notes",
						  .run_id = runs[i % 3],
						  .gate_id = k % 5 ? NULL : "g-1",
						  .payload = payload,
						  .payload_len = sizeof(payload) - 1};
	if (*count) /* one that is refused after many were written */
		records[*count].run_id = "no run";
	*count = n;
	return demon_write_append(w, &group, NULL, err);
}

static void a_group_about_several_runs_is_whole(void **state)
{
	struct fixture *f = *state;
	size_t count = 0;

	assert_ok(note(f->store, "r-1", "before", NULL, &f->err), &f->err);
	assert_ok(demon_store_write(f->store, mixed_job, &count, &f->err), &f->err);
	assert_int_equal(count, 585);
	assert_int_equal(last_seq(f), 586);
	count = 560;
	assert_rc(demon_store_write(f->store, mixed_job, &count, &f->err), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "no run");
	assert_int_equal(last_seq(f), 586);
	assert_ok(note(f->store, "r-1", "after", NULL, &f->err), &f->err);
	verify(f, 587);
}

static void bad_ids_are_refused_with_their_reason(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {
	    "",         "a.b",
	    "a*",       "a>",
	    "a b",      "a:b",
	    "\xc3\xa9", "01234567890123456789012345678901234567890123456789012345678901234"};

	for (size_t i = 0; i < demon_count(bad); i++) {
		assert_rc(note(f->store, bad[i], "x", NULL, &f->err), DEMON_INVALID, &f->err);
		assert_contains(f->err.msg, "run id");
	}
	assert_int_equal(last_seq(f), 0);
}

static enum demon_rc raw_job(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const char *payload = ctx;
	struct demon_record record = {.type = "test.noted:v1",
				      .tenant_id = "default",
				      .ritual_id = "notes",
				      .run_id = "r-1",
				      .payload = payload,
				      .payload_len = strlen(payload)};
	struct demon_group group = {DEMON_STREAM_RITUAL, 1000, &record, 1, NULL, 0};

	return demon_write_append(w, &group, NULL, err);
}

static void a_payload_that_is_not_canonical_is_refused(void **state)
{
	struct fixture *f = *state;
	char swapped[] = "{\"b\":1,\"a\":2}";
	char list[] = "[]";
	char *big = calloc(1, 600000);

	assert_rc(demon_store_write(f->store, raw_job, swapped, &f->err), DEMON_INVALID, &f->err);
	assert_rc(demon_store_write(f->store, raw_job, list, &f->err), DEMON_INVALID, &f->err);
	memset(big, 'x', 599999);
	assert_rc(demon_store_write(f->store, raw_job, big, &f->err), DEMON_TOOBIG, &f->err);
	free(big);
	assert_int_equal(last_seq(f), 0);
}

/* A group of one, about what the record says. */
static enum demon_rc append_job(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const struct demon_record *record = ctx;
	struct demon_record with = *record;
	struct demon_group group = {DEMON_STREAM_RITUAL, 1000, &with, 1, NULL, 0};

	with.type = "test.noted:v1";
	with.tenant_id = "default";
	with.payload = "{\"event\":\"test.noted:v1\",\"ts\":\"1970-01-01T00:00:01.000Z\"}";
	with.payload_len = strlen(with.payload);
	return demon_write_append(w, &group, NULL, err);
}

static void an_event_may_be_about_a_ritual_and_none_of_its_runs(void **state)
{
	struct fixture *f = *state;
	struct demon_record ritual = {.ritual_id = "notes"};
	struct demon_record gate = {.ritual_id = "notes", .gate_id = "g"};
	struct demon_record nothing = {.run_id = "r-1"};
	struct demon_filter filter = {.after_seq = 1};
	struct demon_verified verified;
	struct demon_reader *reader;
	const struct demon_event *ev;

	assert_rc(demon_store_write(f->store, append_job, &gate, &f->err), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "needs a run id");
	assert_rc(demon_store_write(f->store, append_job, &nothing, &f->err), DEMON_INVALID,
		  &f->err);
	assert_contains(f->err.msg, "needs a ritual id");
	assert_ok(note(f->store, "r-1", "x", NULL, &f->err), &f->err);
	assert_ok(demon_store_write(f->store, append_job, &ritual, &f->err), &f->err);
	assert_ok(note(f->store, "r-1", "x", NULL, &f->err), &f->err);
	assert_ok(demon_reader_open(f->store, &filter, &reader, &f->err), &f->err);
	assert_ok(demon_reader_next(reader, 0, &ev, &f->err), &f->err);
	assert_string_equal(ev->subject, "demon.ritual.v1.default.notes.events");
	assert_null(ev->run_id);
	assert_false(ev->has_run_origin);
	assert_ok(demon_reader_next(reader, 0, &ev, &f->err), &f->err);
	assert_string_equal(ev->run_id, "r-1");
	assert_true(ev->has_run_origin);
	demon_reader_close(reader);
	assert_ok(demon_verify(f->store, &verified, &f->err), &f->err);
	assert_int_equal(verified.events, 3);
}

/* group commit ---------------------------------------------------------------------------- */

#define THREADS 8
#define NOTES   40

typedef enum demon_rc write_fn(struct demon_store *store, demon_job_fn *fn, void *ctx,
			       struct demon_err *err);

struct worker {
	struct fixture *f;
	write_fn *write;
	char run_id[16];
	int64_t last_seq; /* of its last event */
	int good;
	int bad;
};

static void *write_notes(void *ctx)
{
	struct worker *worker = ctx;

	for (int i = 0; i < NOTES; i++) {
		struct demon_err err;
		struct note_job job = {.run_id = worker->run_id,
				       .text = "t",
				       .ts = 1767323045000,
				       .then = i % 4 == 3 ? DEMON_CONFLICT : DEMON_OK};
		enum demon_rc rc;

		if (i % 8 == 7) /* fails before it has changed anything */
			job.run_id = "";
		rc = worker->write(worker->f->store, note_job, &job, &err);

		worker->good += rc == DEMON_OK && job.receipt.seq > worker->last_seq;
		worker->last_seq = rc ? worker->last_seq : job.receipt.seq;
		worker->bad += rc == (i % 8 == 7 ? DEMON_INVALID : DEMON_CONFLICT);
	}
	return NULL;
}

static void share_commits(struct fixture *f, write_fn *const write[2])
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	int good = 0;
	int bad = 0;

	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.f = f, .write = write[i % 2]};
		(void)snprintf(workers[i].run_id, sizeof(workers[i].run_id), "r-%d", i);
		assert_int_equal(pthread_create(&threads[i], NULL, write_notes, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		good += workers[i].good;
		bad += workers[i].bad;
	}
	assert_int_equal(good, THREADS * NOTES * 3 / 4);
	assert_int_equal(bad, THREADS * NOTES / 4);
	assert_int_equal(last_seq(f), good);
	verify(f, good);
}

static void callers_share_commits_and_failures_stay_alone(void **state)
{
	write_fn *const write[] = {demon_store_write, demon_store_write};

	share_commits(*state, write);
}

static void repeatable_jobs_fail_as_alone_as_others(void **state)
{
	write_fn *const write[] = {demon_store_write_repeatable, demon_store_write_repeatable};

	share_commits(*state, write);
}

static void both_kinds_of_jobs_share_commits(void **state)
{
	write_fn *const write[] = {demon_store_write_repeatable, demon_store_write};

	share_commits(*state, write);
}

static void a_failed_commit_is_told_and_writes_nothing(void **state)
{
	struct fixture *f = *state;

	demon_fault_arm(DEMON_FAULT_COMMIT_BEFORE, 1, false);
	assert_rc(note(f->store, "r-1", "x", NULL, &f->err), DEMON_IO, &f->err);
	assert_int_equal(demon_fault_disarm(), 1);
	reopen(f);
	assert_int_equal(last_seq(f), 0);
	assert_ok(note(f->store, "r-1", "x", NULL, &f->err), &f->err);
	verify(f, 1);
}

static void every_failing_point_leaves_a_store_that_goes_on(void **state)
{
	struct fixture *f = *state;
	static const enum demon_fault points[] = {DEMON_FAULT_ALLOC, DEMON_FAULT_APPEND_EVENT,
						  DEMON_FAULT_APPEND_APPLIED};
	int64_t written = 0;

	for (size_t i = 0; i < demon_count(points); i++) {
		for (unsigned n = 1;; n++) {
			unsigned hit;
			enum demon_rc rc;

			demon_fault_arm(points[i], n, false);
			rc = note(f->store, "r-1", "x", NULL, &f->err);
			hit = demon_fault_disarm();
			written += rc == DEMON_OK;
			assert_int_equal(last_seq(f), written);
			if (!hit)
				break;
			if (points[i] != DEMON_FAULT_ALLOC)
				assert_int_not_equal(rc, DEMON_OK);
		}
	}
	verify(f, written);
}

/* identity -------------------------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
	size_t len;
	char *bytes = test_read(from, &len);

	test_write(to, bytes, len);
	free(bytes);
}

static void a_copy_gets_a_new_epoch_and_names_the_chain_before(void **state)
{
	struct fixture *f = *state;
	struct demon_node before;
	struct demon_node after;
	char copy[300];
	struct demon_verified verified;

	assert_ok(note(f->store, "r-1", "x", NULL, &f->err), &f->err);
	demon_node_get(f->store, &before);
	close_store(f);
	(void)snprintf(copy, sizeof(copy), "%s/copy.db", f->dir);
	copy_file(f->path, copy);
	assert_ok(demon_store_open(copy, &f->options, NULL, &f->store, &f->err), &f->err);
	demon_node_get(f->store, &after);
	assert_memory_equal(before.origin, after.origin, DEMON_ORIGIN_LEN);
	assert_memory_not_equal(before.epoch, after.epoch, DEMON_EPOCH_LEN);
	assert_int_equal(last_seq(f), 1);
	assert_ok(note(f->store, "r-1", "y", NULL, &f->err), &f->err);
	assert_ok(demon_verify(f->store, &verified, &f->err), &f->err);
	assert_int_equal(verified.chains, 2);
	close_store(f);
	open_store(f);
	demon_node_get(f->store, &after);
	assert_memory_equal(before.epoch, after.epoch, DEMON_EPOCH_LEN);
}

static void a_database_that_signed_and_lost_its_key_gets_a_new_origin(void **state)
{
	struct fixture *f = *state;
	struct demon_node before;
	struct demon_node after;
	char key[300];

	assert_ok(note(f->store, "r-1", "x", NULL, &f->err), &f->err);
	assert_ok(demon_heads(f->store, true, &f->text, &f->err), &f->err);
	demon_node_get(f->store, &before);
	reopen(f);
	demon_node_get(f->store, &after);
	assert_memory_equal(before.origin, after.origin, DEMON_ORIGIN_LEN);
	(void)snprintf(key, sizeof(key), "%s.key", f->path);
	assert_int_equal(unlink(key), 0);
	reopen(f);
	demon_node_get(f->store, &after);
	assert_memory_not_equal(before.origin, after.origin, DEMON_ORIGIN_LEN);
	assert_ok(note(f->store, "r-2", "y", NULL, &f->err), &f->err);
	verify(f, 2);
}

static void the_key_is_private_and_a_readable_one_is_refused(void **state)
{
	struct fixture *f = *state;
	char key[300];
	struct stat st;

	assert_ok(demon_heads(f->store, true, &f->text, &f->err), &f->err);
	(void)snprintf(key, sizeof(key), "%s.key", f->path);
	assert_int_equal(stat(key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(chmod(key, 0644), 0);
	assert_rc(demon_heads(f->store, true, &f->other, &f->err), DEMON_DENIED, &f->err);
}

static void the_logical_clock_ascends_when_the_wall_clock_falls_back(void **state)
{
	struct fixture *f = *state;

	assert_ok(note(f->store, "r-1", "x", NULL, &f->err), &f->err);
	f->fake.now -= 3600000;
	assert_ok(note(f->store, "r-1", "y", NULL, &f->err), &f->err);
	f->fake.now += 86400000;
	assert_ok(note(f->store, "r-1", "z", NULL, &f->err), &f->err);
	verify(f, 3);
}

/* heads ----------------------------------------------------------------------------------- */

static void heads_find_a_tail_that_was_cut_off(void **state)
{
	struct fixture *f = *state;
	char old[300];
	int64_t checked;

	assert_ok(note(f->store, "r-1", "x", NULL, &f->err), &f->err);
	close_store(f);
	(void)snprintf(old, sizeof(old), "%s/old.db", f->dir);
	copy_file(f->path, old);
	open_store(f);
	assert_ok(note(f->store, "r-1", "y", NULL, &f->err), &f->err);
	assert_ok(demon_heads(f->store, true, &f->text, &f->err), &f->err);
	assert_ok(demon_heads_check(f->store, f->text, strlen(f->text), &checked, &f->err),
		  &f->err);
	assert_int_equal(checked, 1);
	close_store(f);
	assert_ok(demon_store_open(old, &f->options, NULL, &f->store, &f->err), &f->err);
	assert_rc(demon_heads_check(f->store, f->text, strlen(f->text), &checked, &f->err),
		  DEMON_CORRUPT, &f->err);
	assert_contains(f->err.msg, "event 2 is missing");
}

static void a_forged_head_is_refused(void **state)
{
	struct fixture *f = *state;
	char *at;
	int64_t checked;

	assert_ok(note(f->store, "r-1", "x", NULL, &f->err), &f->err);
	assert_ok(demon_heads(f->store, true, &f->text, &f->err), &f->err);
	at = strstr(f->text, "\"signature\":\"") + 13;
	*at = *at == '0' ? '1' : '0';
	assert_rc(demon_heads_check(f->store, f->text, strlen(f->text), &checked, &f->err),
		  DEMON_CORRUPT, &f->err);
	assert_rc(demon_heads_check(f->store, "\n", 1, &checked, &f->err), DEMON_INVALID, &f->err);
}

/* readers --------------------------------------------------------------------------------- */

static void *write_later(void *ctx)
{
	struct fixture *f = ctx;
	struct demon_err err;

	return note(f->store, "r-2", "late", NULL, &err) ? ctx : NULL;
}

static void a_reader_filters_and_waits_for_what_others_commit(void **state)
{
	struct fixture *f = *state;
	struct demon_filter filter = {.run_id = "r-2"};
	struct demon_reader *reader;
	const struct demon_event *ev;
	pthread_t thread;
	void *failed;

	demon_close(f->store);
	f->options = (struct demon_options){.create = true};
	open_store(f);
	assert_ok(note(f->store, "r-1", "x", NULL, &f->err), &f->err);
	assert_ok(note(f->store, "r-2", "y", NULL, &f->err), &f->err);
	assert_ok(demon_reader_open(f->store, &filter, &reader, &f->err), &f->err);
	assert_ok(demon_reader_next(reader, 0, &ev, &f->err), &f->err);
	assert_string_equal(ev->run_id, "r-2");
	assert_contains(ev->payload, "\"text\":\"y\"");
	assert_rc(demon_reader_next(reader, 0, &ev, &f->err), DEMON_NOTFOUND, &f->err);
	assert_int_equal(pthread_create(&thread, NULL, write_later, f), 0);
	assert_ok(demon_reader_next(reader, 20000, &ev, &f->err), &f->err);
	assert_contains(ev->payload, "late");
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	demon_reader_cancel(reader);
	assert_rc(demon_reader_next(reader, 20000, &ev, &f->err), DEMON_CANCELED, &f->err);
	demon_reader_close(reader);
}

static void types_are_found_exactly_and_by_prefix(void **state)
{
	struct fixture *f = *state;
	struct demon_filter filters[] = {{.type = "test.noted:v1"},
					 {.type = "test.*"},
					 {.type = "none.*"},
					 {.type = "none:v1"},
					 {.type = "test.*", .after_seq = 1}};
	static const int expected[] = {2, 2, 0, 0, 1};

	assert_ok(note(f->store, "r-1", "x", NULL, &f->err), &f->err);
	assert_ok(note(f->store, "r-1", "y", NULL, &f->err), &f->err);
	for (size_t i = 0; i < demon_count(filters); i++) {
		struct demon_reader *reader;
		const struct demon_event *ev;
		int n = 0;

		assert_ok(demon_reader_open(f->store, &filters[i], &reader, &f->err), &f->err);
		while (demon_reader_next(reader, 0, &ev, &f->err) == DEMON_OK)
			n++;
		demon_reader_close(reader);
		assert_int_equal(n, expected[i]);
	}
}

/* liveness -------------------------------------------------------------------------------- */

static int claim_from_child(void *ctx)
{
	struct fixture *f = ctx;
	struct demon_store *store;
	struct demon_err err;
	struct demon_options options = {0};
	int rc;

	if (demon_store_open(f->path, &options, NULL, &store, &err))
		return 9;
	rc = demon_store_claim(store, 5, &err) == DEMON_BUSY ? 0 : 1;
	demon_close(store);
	return rc;
}

static void a_claim_excludes_threads_and_processes_until_given_back(void **state)
{
	struct fixture *f = *state;

	assert_ok(demon_store_claim(f->store, 5, &f->err), &f->err);
	assert_rc(demon_store_claim(f->store, 5, &f->err), DEMON_BUSY, &f->err);
	assert_true(demon_store_claimed(f->store, 5));
	assert_int_equal(test_fork(claim_from_child, f), 0);
	demon_store_unclaim(f->store, 5);
	assert_false(demon_store_claimed(f->store, 5));
	assert_ok(demon_store_claim(f->store, 5, &f->err), &f->err);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(opening_appends_nothing_and_keeps_the_digest),
	    T(an_appended_event_is_there_after_reopening),
	    T(a_job_that_fails_leaves_nothing),
	    T(a_group_is_consecutive_and_whole),
	    T(a_group_about_several_runs_is_whole),
	    T(bad_ids_are_refused_with_their_reason),
	    T(a_payload_that_is_not_canonical_is_refused),
	    T(an_event_may_be_about_a_ritual_and_none_of_its_runs),
	    T(callers_share_commits_and_failures_stay_alone),
	    T(repeatable_jobs_fail_as_alone_as_others),
	    T(both_kinds_of_jobs_share_commits),
	    T(a_failed_commit_is_told_and_writes_nothing),
	    T(every_failing_point_leaves_a_store_that_goes_on),
	    T(a_copy_gets_a_new_epoch_and_names_the_chain_before),
	    T(a_database_that_signed_and_lost_its_key_gets_a_new_origin),
	    T(the_key_is_private_and_a_readable_one_is_refused),
	    T(the_logical_clock_ascends_when_the_wall_clock_falls_back),
	    T(heads_find_a_tail_that_was_cut_off),
	    T(a_forged_head_is_refused),
	    T(a_reader_filters_and_waits_for_what_others_commit),
	    T(types_are_found_exactly_and_by_prefix),
	    T(a_claim_excludes_threads_and_processes_until_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
