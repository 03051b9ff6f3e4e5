#include "support/test.h"

#include "base/bytes.h"
#include "domain/admin/token.h"
#include "store/readers.h"
#include "support/exchange.h"

#include <stdio.h>

#define DAY ((int64_t)86400000)

static const struct demon_actor root = {.subject = "root"};

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	char rows[8192];
	struct demon_err err;
};

static struct demon_store *open_store(struct fixture *f, const char *name)
{
	const struct demon_options options = {
	    .create = true, .env = &f->clock.env, .node_id = name};
	struct demon_store *store = NULL;

	assert_ok(demon_open(test_path(f->dir, name), &options, &store, &f->err), &f->err);
	return store;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	f->store = open_store(f, "a.db");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static struct demon_token_secret make(struct fixture *f, const char *subject, const char *tenant,
				      demon_time expires_at)
{
	const struct demon_token_request request = {.subject = subject,
						    .role = DEMON_ROLE_APPROVER,
						    .tenant = tenant,
						    .expires_at = expires_at,
						    .actor = &root};
	struct demon_token_secret secret;

	assert_ok(demon_token_create(f->store, &request, &secret, &f->err), &f->err);
	return secret;
}

static enum demon_rc check_in(struct fixture *f, struct demon_store *store, const char *text,
			      struct demon_bearer *bearer)
{
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(store, &loan, &f->err), &f->err);
	return demon_token_check(loan.db, text, f->clock.now, bearer, &f->err);
}

static enum demon_rc check(struct fixture *f, const char *text)
{
	struct demon_bearer bearer;

	return check_in(f, f->store, text, &bearer);
}

static struct demon_token_secret rotate(struct fixture *f, const char *id, int64_t overlap_ms)
{
	const struct demon_token_change change = {
	    .id = id, .overlap_ms = overlap_ms, .actor = &root};
	struct demon_token_secret secret;

	assert_ok(demon_token_rotate(f->store, &change, &secret, &f->err), &f->err);
	return secret;
}

static bool revoke_in(struct fixture *f, struct demon_store *store, const char *id)
{
	const struct demon_token_change change = {.id = id, .actor = &root, .reason = "lost"};
	bool new = false;

	assert_ok(demon_token_revoke(store, &change, &new, &f->err), &f->err);
	return new;
}

static int64_t last_seq(struct fixture *f)
{
	int64_t seq;

	assert_ok(demon_last_seq(f->store, &seq, &f->err), &f->err);
	return seq;
}

static enum demon_rc add_row(void *ctx, const struct demon_token *token, struct demon_err *err)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->rows);

	(void)err;
	(void)snprintf(f->rows + len, sizeof(f->rows) - len, "%s %s %s %s%s; ", token->id,
		       token->subject, demon_role_name(token->role), token->tenant,
		       token->revoked ? " revoked" : "");
	return DEMON_OK;
}

static const char *list(struct fixture *f)
{
	DEMON_READ(loan);

	f->rows[0] = '\0';
	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	assert_ok(demon_token_list(loan.db, add_row, f, &f->err), &f->err);
	return f->rows;
}

static bool any(struct fixture *f)
{
	bool found;
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	assert_ok(demon_token_any(loan.db, &found, &f->err), &f->err);
	return found;
}

static void a_token_is_its_subject_with_its_role(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret secret = make(f, "kim@corp.test", "blue", 0);
	struct demon_bearer bearer;
	struct demon_actor actor;

	assert_int_equal(strlen(secret.text), DEMON_TOKEN_TEXT_LEN);
	assert_int_equal(strncmp(secret.text, "demon_", 6), 0);
	assert_int_equal(strncmp(secret.text + 6, secret.id, DEMON_TOKEN_ID_LEN), 0);
	assert_ok(check_in(f, f->store, secret.text, &bearer), &f->err);
	actor = demon_bearer_actor(&bearer);
	assert_string_equal(actor.subject, "kim@corp.test");
	assert_int_equal(actor.auth, DEMON_AUTH_TOKEN);
	assert_int_equal(actor.role, DEMON_ROLE_APPROVER);
	assert_string_equal(actor.tenant, "blue");
	secret = make(f, "kim@corp.test", NULL, 0);
	assert_ok(check_in(f, f->store, secret.text, &bearer), &f->err);
	assert_null(demon_bearer_actor(&bearer).tenant);
}

static void the_secret_is_nowhere_in_the_log(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret secret = make(f, "kim", NULL, 0);
	char *lines = exchange_export(f->store);

	assert_null(strstr(lines, strrchr(secret.text, '_') + 1));
	assert_contains(lines, secret.id);
	free(lines);
}

static void what_is_no_known_token_is_refused(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret secret = make(f, "kim", NULL, 0);
	static const char *const bad[] = {"", "demon_", "secret", "demon__",
					  "demon_'; DROP TABLE registers; --"};
	char text[DEMON_TOKEN_TEXT_LEN + 1];
	char long_text[20001];

	for (size_t i = 0; i < demon_count(bad); i++) {
		assert_rc(check(f, bad[i]), DEMON_DENIED, &f->err);
		assert_contains(f->err.msg, "the token is not one");
	}
	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_rc(check(f, long_text), DEMON_DENIED, &f->err);
	/* each digit that differs */
	for (size_t i = 0; i < DEMON_TOKEN_TEXT_LEN; i++) {
		memcpy(text, secret.text, sizeof(text));
		text[i] = text[i] == '1' ? '2' : '1';
		assert_rc(check(f, text), DEMON_DENIED, &f->err);
		assert_null(strstr(f->err.msg, text + 30));
	}
	assert_ok(check(f, secret.text), &f->err);
}

static void a_token_that_has_expired_is_refused(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret secret = make(f, "kim", NULL, f->clock.now + 1000);

	fake_env_advance(&f->clock, 999);
	assert_ok(check(f, secret.text), &f->err);
	fake_env_advance(&f->clock, 1);
	assert_rc(check(f, secret.text), DEMON_DENIED, &f->err);
	assert_string_equal(f->err.msg, "the token expired 2026-01-02T03:04:06.000Z");
}

static void rotation_leaves_the_old_secret_good_until_its_overlap_ends(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret first = make(f, "kim", "blue", 0);
	struct demon_token_secret second = rotate(f, first.id, DAY);
	struct demon_bearer bearer;

	assert_string_equal(first.id, second.id);
	assert_string_not_equal(first.text, second.text);
	assert_ok(check(f, first.text), &f->err);
	assert_ok(check_in(f, f->store, second.text, &bearer), &f->err);
	assert_string_equal(bearer.tenant, "blue");
	fake_env_advance(&f->clock, DAY);
	assert_rc(check(f, first.text), DEMON_DENIED, &f->err);
	assert_contains(f->err.msg, "its overlap ended 2026-01-03T03:04:05.000Z");
	assert_ok(check(f, second.text), &f->err);
}

static void rotation_without_overlap_ends_the_old_secret_at_once(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret first = make(f, "kim", NULL, 0);
	struct demon_token_secret second = rotate(f, first.id, 0);

	assert_rc(check(f, first.text), DEMON_DENIED, &f->err);
	assert_ok(check(f, second.text), &f->err);
}

static void a_second_rotation_ends_the_first_secret(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret first = make(f, "kim", NULL, 0);
	struct demon_token_secret second = rotate(f, first.id, DAY);
	struct demon_token_secret third = rotate(f, first.id, DAY);

	assert_rc(check(f, first.text), DEMON_DENIED, &f->err);
	assert_ok(check(f, second.text), &f->err);
	assert_ok(check(f, third.text), &f->err);
}

static void an_overlap_does_not_outlive_the_token(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret first = make(f, "kim", NULL, f->clock.now + 1000);

	(void)rotate(f, first.id, DAY);
	fake_env_advance(&f->clock, 1000);
	assert_rc(check(f, first.text), DEMON_DENIED, &f->err);
}

static void what_cannot_be_rotated_is_left_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret secret = make(f, "kim", NULL, f->clock.now + 1000);
	struct demon_token_change change = {.id = secret.id, .actor = &root, .overlap_ms = -1};
	struct demon_token_secret unused;

	assert_rc(demon_token_rotate(f->store, &change, &unused, &f->err), DEMON_INVALID, &f->err);
	change.overlap_ms = DEMON_TOKEN_OVERLAP_MAX + 1;
	assert_rc(demon_token_rotate(f->store, &change, &unused, &f->err), DEMON_INVALID, &f->err);
	change.overlap_ms = 0;
	change.expires_at = f->clock.now;
	assert_rc(demon_token_rotate(f->store, &change, &unused, &f->err), DEMON_INVALID, &f->err);
	change.expires_at = 0;
	change.id = "0000000000000000";
	assert_rc(demon_token_rotate(f->store, &change, &unused, &f->err), DEMON_NOTFOUND, &f->err);
	change.id = "' OR 1=1 --";
	assert_rc(demon_token_rotate(f->store, &change, &unused, &f->err), DEMON_NOTFOUND, &f->err);
	change.id = secret.id;
	fake_env_advance(&f->clock, 1000);
	assert_rc(demon_token_rotate(f->store, &change, &unused, &f->err), DEMON_CONFLICT, &f->err);
	(void)revoke_in(f, f->store, secret.id);
	assert_rc(demon_token_rotate(f->store, &change, &unused, &f->err), DEMON_CONFLICT, &f->err);
	assert_int_equal(last_seq(f), 2);
}

static void a_revoked_token_is_refused_and_revoking_again_is_nothing(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret secret = make(f, "kim", NULL, 0);

	assert_true(revoke_in(f, f->store, secret.id));
	assert_rc(check(f, secret.text), DEMON_DENIED, &f->err);
	assert_string_equal(f->err.msg, "the token was revoked");
	assert_false(revoke_in(f, f->store, secret.id));
	assert_int_equal(last_seq(f), 2);
	assert_contains(list(f), " revoked");
}

/* One node revokes what another one rotates later, before they meet. */
static void a_rotation_elsewhere_does_not_bring_a_revoked_token_back(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret first = make(f, "kim", NULL, 0);
	struct demon_token_secret second;
	struct demon_store *b = open_store(f, "b.db");
	char *lines = exchange_export(f->store);
	struct demon_bearer bearer;

	exchange_import(b, lines);
	free(lines);
	exchange_trust(b, f->store);
	exchange_trust(f->store, b);
	assert_true(revoke_in(f, b, first.id));
	fake_env_advance(&f->clock, 5000);
	second = rotate(f, first.id, DAY);
	assert_ok(check(f, second.text), &f->err);
	lines = exchange_export(b);
	exchange_import(f->store, lines);
	free(lines);
	assert_rc(check(f, first.text), DEMON_DENIED, &f->err);
	assert_rc(check(f, second.text), DEMON_DENIED, &f->err);
	assert_contains(f->err.msg, "was revoked");
	assert_contains(list(f), "kim approver  revoked");
	lines = exchange_export(f->store);
	exchange_import(b, lines);
	free(lines);
	assert_rc(check_in(f, b, second.text, &bearer), DEMON_DENIED, &f->err);
	assert_false(revoke_in(f, b, first.id));
	demon_close(b);
}

static void any_token_counts_revoked_ones_too(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret secret;

	assert_false(any(f));
	secret = make(f, "kim", NULL, 0);
	assert_true(any(f));
	(void)revoke_in(f, f->store, secret.id);
	assert_true(any(f));
}

static void tokens_are_listed_without_their_secrets(void **state)
{
	struct fixture *f = *state;
	struct demon_token_secret a = make(f, "kim", NULL, 0);
	struct demon_token_secret b = make(f, "lee", "blue", 0);
	char want[256];
	bool first = strcmp(a.id, b.id) < 0;

	(void)snprintf(want, sizeof(want), "%s %s; %s %s; ", first ? a.id : b.id,
		       first ? "kim approver " : "lee approver blue", first ? b.id : a.id,
		       first ? "lee approver blue" : "kim approver ");
	assert_string_equal(list(f), want);
}

static void what_cannot_be_a_token_is_not_made(void **state)
{
	struct fixture *f = *state;
	static const char *const subjects[] = {"", "system", "System", "kim\n", "a\x1b[2J"};
	struct demon_token_request request = {.role = DEMON_ROLE_VIEWER, .actor = &root};
	struct demon_token_secret secret;

	for (size_t i = 0; i < demon_count(subjects); i++) {
		request.subject = subjects[i];
		assert_rc(demon_token_create(f->store, &request, &secret, &f->err), DEMON_INVALID,
			  &f->err);
	}
	request.subject = "kim";
	request.role = DEMON_ROLE_NONE;
	assert_rc(demon_token_create(f->store, &request, &secret, &f->err), DEMON_INVALID, &f->err);
	request.role = DEMON_ROLE_ADMIN;
	request.tenant = "*";
	assert_rc(demon_token_create(f->store, &request, &secret, &f->err), DEMON_INVALID, &f->err);
	request.tenant = NULL;
	request.expires_at = f->clock.now;
	assert_rc(demon_token_create(f->store, &request, &secret, &f->err), DEMON_INVALID, &f->err);
	assert_int_equal(last_seq(f), 0);
	assert_false(any(f));
}

/* Writes what a careless or hostile node could; in @p form ' stands for " and % for the hash. */
static void write_raw(struct fixture *f, const char *form, const char *hash)
{
	json_t *value;
	struct demon_register_write write = {.kind = DEMON_REGISTER_TOKEN,
					     .tenant = DEMON_TENANT_ALL,
					     .name = "00000000000000aa",
					     .actor = &root};
	DEMON_BUF(text, 0);

	for (; *form; form++) {
		if (*form == '%')
			demon_buf_str(&text, hash);
		else
			demon_buf_char(&text, (char)(*form == '\'' ? '"' : *form));
	}
	assert_non_null(value = json_loads(text.data, 0, NULL));
	write.value = value;
	test_sink_close();
	assert_ok(demon_register_set(f->store, &write, NULL, &f->err), &f->err);
	test_sink_open();
	json_decref(value);
}

static void a_value_that_is_no_token_lets_nobody_in(void **state)
{
	struct fixture *f = *state;
	static const char secret[] = "demon_00000000000000aa_"
				     "00000000000000000000000000000000"
				     "00000000000000000000000000000000";
	static const char *const values[] = {
	    "{}",
	    "{'subject':'kim','role':'admin','createdAt':'2026-01-01T00:00:00Z'}",
	    "{'subject':'system','role':'admin','secretHash':'%'}",
	    "{'subject':'kim','role':'root','secretHash':'%'}",
	    "{'subject':'kim','role':'admin','secretHash':'%','expiresAt':'never'}",
	    "{'subject':'kim','role':'admin','secretHash':'%','expiresAt':7}",
	    "{'subject':'kim','role':'admin','secretHash':'%','tenant':'*'}",
	    "{'subject':'kim','role':'admin','secretHash':'%','tenant':null}",
	    "{'subject':'kim','role':'admin','secretHash':'%','previous':{}}",
	    "{'subject':['kim'],'role':'admin','secretHash':'%'}",
	};
	unsigned char hash[DEMON_HASH_LEN];
	char hex[2 * DEMON_HASH_LEN + 1];

	assert_ok(demon_sha256(strrchr(secret, '_') + 1, 64, hash, &f->err), &f->err);
	demon_hex(hash, sizeof(hash), hex);
	for (size_t i = 0; i < demon_count(values); i++) {
		write_raw(f, values[i], hex);
		assert_rc(check(f, secret), DEMON_DENIED, &f->err);
		assert_string_equal(list(f), "");
	}
	write_raw(f, "{'subject':'kim','role':'admin','secretHash':'%'}", hex);
	assert_ok(check(f, secret), &f->err);
}

int main(void)
{
#define TOKEN_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TOKEN_TEST(a_token_is_its_subject_with_its_role),
	    TOKEN_TEST(the_secret_is_nowhere_in_the_log),
	    TOKEN_TEST(what_is_no_known_token_is_refused),
	    TOKEN_TEST(a_token_that_has_expired_is_refused),
	    TOKEN_TEST(rotation_leaves_the_old_secret_good_until_its_overlap_ends),
	    TOKEN_TEST(rotation_without_overlap_ends_the_old_secret_at_once),
	    TOKEN_TEST(a_second_rotation_ends_the_first_secret),
	    TOKEN_TEST(an_overlap_does_not_outlive_the_token),
	    TOKEN_TEST(what_cannot_be_rotated_is_left_as_it_is),
	    TOKEN_TEST(a_revoked_token_is_refused_and_revoking_again_is_nothing),
	    TOKEN_TEST(a_rotation_elsewhere_does_not_bring_a_revoked_token_back),
	    TOKEN_TEST(any_token_counts_revoked_ones_too),
	    TOKEN_TEST(tokens_are_listed_without_their_secrets),
	    TOKEN_TEST(what_cannot_be_a_token_is_not_made),
	    TOKEN_TEST(a_value_that_is_no_token_lets_nobody_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
