#include "support/test.h"

#include "support/notes.h"

#include "base/json.h"
#include "store/jsonl.h"
#include "store/store.h"

#include <stdio.h>

struct fixture {
	char *dir;
	char path[256];
	struct fake_env fake;
	struct demon_options options;
	struct demon_store *store;
	struct demon_err err;
	json_t *vectors;
	struct demon_buf lines; /* the events of the vectors, a line each */
	struct demon_buf out;
};

static const struct demon_json_limits file_limits = {1 << 20, 16};

/* The golden vectors, which no C code has written. */
static void load_vectors(struct fixture *f)
{
	size_t len;
	char *text = test_read(DEMON_TEST_DATA "/format/vectors.json", &len);
	json_t *v;
	size_t i;

	assert_ok(demon_json_parse(text, len, &file_limits, &f->vectors, &f->err), &f->err);
	free(text);
	json_array_foreach(json_object_get(f->vectors, "events"), i, v)
	{
		assert_ok(demon_json_canonical(json_object_get(v, "line"), &f->lines, &f->err),
			  &f->err);
		demon_buf_char(&f->lines, '\n');
	}
	assert_true(i > 5);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = test_dir();
	(void)snprintf(f->path, sizeof(f->path), "%s/demon.db", f->dir);
	fake_env_init(&f->fake, 7);
	f->lines.data = demon_buf_empty;
	f->out.data = demon_buf_empty;
	f->options = (struct demon_options){.create = true, .env = &f->fake.env, .node_id = "n1"};
	assert_ok(demon_store_open(f->path, &f->options, NULL, &f->store, &f->err), &f->err);
	load_vectors(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	demon_close(f->store);
	test_dir_remove(f->dir);
	json_decref(f->vectors);
	demon_buf_done(&f->lines);
	demon_buf_done(&f->out);
	free(f);
	return 0;
}

/* Input from memory, in small pieces. */
struct source {
	const char *text;
	size_t len;
	size_t at;
};

static enum demon_rc read_source(void *ctx, char *bytes, size_t cap, size_t *ret_len,
				 struct demon_err *err)
{
	struct source *s = ctx;
	size_t n = s->len - s->at;

	(void)err;
	if (n > 1000)
		n = 1000;
	assert_true(n <= cap);
	memcpy(bytes, s->text + s->at, n);
	s->at += n;
	*ret_len = n;
	return DEMON_OK;
}

static enum demon_rc write_buf(void *ctx, const char *bytes, size_t len, struct demon_err *err)
{
	demon_buf_add(ctx, bytes, len);
	return demon_buf_rc(ctx, err);
}

static enum demon_rc import(struct fixture *f, const char *text, size_t len, int64_t *added)
{
	struct source source = {text, len, 0};
	struct demon_imported imported;
	enum demon_rc rc = demon_import(f->store, read_source, &source, &imported, &f->err);

	*added = imported.added;
	return rc;
}

static int64_t export(struct fixture *f)
{
	int64_t events;

	demon_buf_clear(&f->out);
	assert_ok(demon_export(f->store, write_buf, &f->out, &events, &f->err), &f->err);
	return events;
}

static void golden_vectors_come_back_bit_for_bit(void **state)
{
	struct fixture *f = *state;
	struct demon_verified verified;
	int64_t added;

	assert_ok(import(f, f->lines.data, f->lines.len, &added), &f->err);
	assert_int_equal(added, json_array_size(json_object_get(f->vectors, "events")));
	assert_int_equal(export(f), added);
	assert_string_equal(f->out.data, f->lines.data);
	assert_ok(demon_verify(f->store, &verified, &f->err), &f->err);
	assert_int_equal(verified.events, added);
}

static void importing_again_has_no_effect(void **state)
{
	struct fixture *f = *state;
	int64_t added;

	assert_ok(import(f, f->lines.data, f->lines.len, &added), &f->err);
	assert_ok(import(f, f->lines.data, f->lines.len, &added), &f->err);
	assert_int_equal(added, 0);
}

static void a_signed_head_of_the_vectors_is_good(void **state)
{
	struct fixture *f = *state;
	json_t *head = json_array_get(json_object_get(f->vectors, "heads"), 0);
	int64_t n;

	assert_ok(import(f, f->lines.data, f->lines.len, &n), &f->err);
	assert_ok(demon_json_canonical(head, &f->out, &f->err), &f->err);
	assert_ok(demon_heads_check(f->store, f->out.data, f->out.len, &n, &f->err), &f->err);
	assert_int_equal(n, 1);
}

static void canonical_vectors_hold(void **state)
{
	struct fixture *f = *state;
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(f->vectors, "canonical"), i, v)
	{
		const char *in = json_string_value(json_object_get(v, "in"));
		json_t *json;

		assert_ok(demon_json_parse(in, strlen(in), &file_limits, &json, &f->err), &f->err);
		demon_buf_clear(&f->out);
		assert_ok(demon_json_canonical(json, &f->out, &f->err), &f->err);
		json_decref(json);
		assert_string_equal(f->out.data, json_string_value(json_object_get(v, "out")));
	}
	assert_true(i > 0);
}

static void any_changed_byte_is_refused_and_nothing_of_its_group_is_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t random = test_seed(11);
	char *copy = malloc(f->lines.len + 1);
	int refused = 0;

	for (int i = 0; i < 400; i++) {
		size_t at = (size_t)(test_random(&random) % f->lines.len);
		int64_t added;
		int64_t line = 0;

		memcpy(copy, f->lines.data, f->lines.len + 1);
		if (copy[at] == '\n')
			continue;
		copy[at] ^= (char)(1 << test_random(&random) % 7);
		if (copy[at] == f->lines.data[at])
			continue;
		for (size_t k = 0; k < at; k++)
			line += copy[k] == '\n';
		assert_int_not_equal(import(f, copy, f->lines.len, &added), DEMON_OK);
		assert_true(added <= line);
		refused++;
	}
	free(copy);
	assert_true(refused > 300);
}

static void what_stands_before_a_refused_group_stays(void **state)
{
	struct fixture *f = *state;
	char *copy = demon_strndup(f->lines.data, f->lines.len);
	char *hash;
	int64_t added;

	/* another hash in the last line */
	for (hash = strstr(copy, "\"hash\":"); strstr(hash + 1, ",\"hash\":");)
		hash = strstr(hash + 1, ",\"hash\":");
	hash[10] = hash[10] == '0' ? '1' : '0';
	assert_rc(import(f, copy, f->lines.len, &added), DEMON_CORRUPT, &f->err);
	free(copy);
	assert_contains(f->err.msg, "line 8: event ritual");
	assert_int_equal(added, 7);
	assert_int_equal(export(f), 7);
}

static void a_gap_a_torn_group_and_a_missing_cause_are_told(void **state)
{
	struct fixture *f = *state;
	const char *second = strchr(f->lines.data, '\n') + 1;
	const char *third = strchr(second, '\n') + 1;
	size_t len = f->lines.len - (size_t)(second - f->lines.data);
	int64_t added;

	assert_rc(import(f, second, len, &added), DEMON_NOTFOUND, &f->err);
	assert_contains(f->err.msg, "the event before is missing");
	assert_int_equal(added, 0);
	assert_rc(import(f, f->lines.data, (size_t)(third - f->lines.data), &added), DEMON_INVALID,
		  &f->err);
	assert_contains(f->err.msg, "not whole");
	assert_rc(import(f, third, 10, &added), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "line 1");
}

static void well_hashed_events_that_are_no_chain_are_refused(void **state)
{
	struct fixture *f = *state;
	struct demon_verified verified;
	json_t *v;
	json_t *line;
	size_t i;
	size_t k;
	int64_t added;

	json_array_foreach(json_object_get(f->vectors, "refused"), i, v)
	{
		demon_buf_clear(&f->out);
		json_array_foreach(json_object_get(v, "lines"), k, line)
		{
			assert_ok(demon_json_canonical(line, &f->out, &f->err), &f->err);
			demon_buf_char(&f->out, '\n');
		}
		assert_rc(import(f, f->out.data, f->out.len, &added), DEMON_INVALID, &f->err);
		assert_ok(demon_verify(f->store, &verified, &f->err), &f->err);
	}
	assert_int_equal(i, 3);
}

static void an_identity_with_another_hash_is_a_conflict(void **state)
{
	struct fixture *f = *state;
	struct demon_store *other;
	char path[300];
	int64_t added;

	/* the same origin and epoch write different events: what a copy of a machine does */
	(void)snprintf(path, sizeof(path), "%s/other.db", f->dir);
	fake_env_init(&f->fake, 7);
	assert_ok(demon_store_open(path, &f->options, NULL, &other, &f->err), &f->err);
	assert_ok(note(f->store, "r-1", "here", NULL, &f->err), &f->err);
	assert_ok(note(other, "r-1", "there", NULL, &f->err), &f->err);
	assert_ok(demon_export(other, write_buf, &f->out, &added, &f->err), &f->err);
	demon_close(other);
	assert_rc(import(f, f->out.data, f->out.len, &added), DEMON_CONFLICT, &f->err);
	assert_int_equal(added, 0);
}

static void an_event_from_tomorrow_waits(void **state)
{
	struct fixture *f = *state;
	int64_t added;

	f->fake.now -= (int64_t)25 * 3600 * 1000;
	assert_rc(import(f, f->lines.data, f->lines.len, &added), DEMON_UNAVAIL, &f->err);
	assert_contains(f->err.msg, "24 h ahead");
	assert_int_equal(added, 0);
}

static void what_another_wrote_under_our_epoch_ends_the_epoch(void **state)
{
	struct fixture *f = *state;
	struct demon_store *other;
	struct demon_node before;
	struct demon_node after;
	char path[300];
	int64_t added;

	(void)snprintf(path, sizeof(path), "%s/other.db", f->dir);
	fake_env_init(&f->fake, 7);
	assert_ok(demon_store_open(path, &f->options, NULL, &other, &f->err), &f->err);
	assert_ok(note(other, "r-1", "there", NULL, &f->err), &f->err);
	assert_ok(demon_export(other, write_buf, &f->out, &added, &f->err), &f->err);
	demon_close(other);
	demon_node_get(f->store, &before);
	assert_ok(import(f, f->out.data, f->out.len, &added), &f->err);
	demon_node_get(f->store, &after);
	assert_memory_not_equal(before.epoch, after.epoch, DEMON_EPOCH_LEN);
	assert_ok(note(f->store, "r-1", "here", NULL, &f->err), &f->err);
	assert_int_equal(export(f), 2);
	assert_contains(f->out.data, "\"continues\"");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(golden_vectors_come_back_bit_for_bit),
	    T(importing_again_has_no_effect),
	    T(a_signed_head_of_the_vectors_is_good),
	    T(canonical_vectors_hold),
	    T(any_changed_byte_is_refused_and_nothing_of_its_group_is_kept),
	    T(a_gap_a_torn_group_and_a_missing_cause_are_told),
	    T(what_stands_before_a_refused_group_stays),
	    T(an_identity_with_another_hash_is_a_conflict),
	    T(well_hashed_events_that_are_no_chain_are_refused),
	    T(an_event_from_tomorrow_waits),
	    T(what_another_wrote_under_our_epoch_ends_the_epoch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
