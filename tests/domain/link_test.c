/*
 * Signed links: what they are good for, and all that they are not.
 */
#include "support/test.h"

#include "base/base64.h"
#include "domain/approval/link.h"
#include "store/key.h"

#include <stdio.h>
#include <sys/stat.h>

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_buf token;
	struct demon_err err;
};

static struct demon_store *open_store(struct fixture *f, const char *name)
{
	const struct demon_options options = {.create = true, .env = &f->clock.env};
	struct demon_store *store = NULL;

	assert_ok(demon_open(test_path(f->dir, name), &options, &store, &f->err), &f->err);
	return store;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = test_dir();
	fake_env_init(&f->clock, 11);
	f->store = open_store(f, "a.db");
	f->token = (struct demon_buf){.data = demon_buf_empty};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_buf_done(&f->token);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static struct demon_link link_to_prod(const struct fixture *f)
{
	return (struct demon_link){.tenant_id = "blue",
				   .run_id = "r-1",
				   .run_origin = {1, 2, 3},
				   .gate_id = "prod",
				   .round = 2,
				   .approver = "kim@corp.test",
				   .expires_at = f->clock.now + 1000};
}

static const char *make(struct fixture *f)
{
	const struct demon_link link = link_to_prod(f);

	demon_buf_clear(&f->token);
	assert_ok(demon_link_make(f->store, &link, &f->token, &f->err), &f->err);
	return f->token.data;
}

static enum demon_rc try(struct fixture *f, const char *token)
{
	struct demon_link link = {.round = 77};
	enum demon_rc rc = demon_link_read(f->store, token, f->clock.now, &link, &f->err);

	if (rc)
		assert_int_equal(link.round, 77);
	return rc;
}

static void what_was_made_is_read_until_its_time_is_over(void **state)
{
	struct fixture *f = *state;
	const struct demon_link made = link_to_prod(f);
	struct demon_link read;

	assert_ok(demon_link_read(f->store, make(f), f->clock.now, &read, &f->err), &f->err);
	assert_string_equal(read.tenant_id, made.tenant_id);
	assert_string_equal(read.run_id, made.run_id);
	assert_memory_equal(read.run_origin, made.run_origin, sizeof(made.run_origin));
	assert_string_equal(read.gate_id, made.gate_id);
	assert_int_equal(read.round, 2);
	assert_string_equal(read.approver, made.approver);
	assert_int_equal(read.expires_at, made.expires_at);
	assert_int_equal(strlen(read.nonce), DEMON_LINK_NONCE_LEN);
	fake_env_advance(&f->clock, 999);
	assert_ok(try(f, f->token.data), &f->err);
	fake_env_advance(&f->clock, 1);
	assert_rc(try(f, f->token.data), DEMON_DENIED, &f->err);
	assert_string_equal(f->err.msg, "the time of this link is over");
}

static void two_links_differ_unless_their_nonce_was_given(void **state)
{
	struct fixture *f = *state;
	char *first = strdup(make(f));
	struct demon_link link = link_to_prod(f);

	assert_string_not_equal(make(f), first);
	free(first);
	memcpy(link.nonce, "00112233445566778899aabbccddeeff", sizeof(link.nonce));
	demon_buf_clear(&f->token);
	assert_ok(demon_link_make(f->store, &link, &f->token, &f->err), &f->err);
	first = strdup(f->token.data);
	demon_buf_clear(&f->token);
	assert_ok(demon_link_make(f->store, &link, &f->token, &f->err), &f->err);
	assert_string_equal(f->token.data, first);
	free(first);
}

static void assert_refused(struct fixture *f, const char *token)
{
	assert_rc(try(f, token), DEMON_DENIED, &f->err);
}

static void no_character_of_a_link_can_be_changed(void **state)
{
	struct fixture *f = *state;
	char *token = strdup(make(f));

	for (size_t i = 0; token[i]; i++) {
		char was = token[i];

		for (int bit = 0; bit < 8; bit++) {
			token[i] = (char)(was ^ (1 << bit));
			if (token[i])
				assert_refused(f, token);
		}
		token[i] = was;
	}
	assert_ok(try(f, token), &f->err);
	for (size_t len = strlen(token); len-- > 0;) {
		token[len] = '\0';
		assert_rc(try(f, token), DEMON_DENIED, &f->err);
	}
	free(token);
}

static void garbage_is_refused_and_makes_no_key(void **state)
{
	static const char *const tokens[] = {"",      ".",       "..", "e30.",
					     ".AAAA", "e30.e30", "%",  "\xff"};
	struct fixture *f = *state;
	char *big = calloc(1, 100001);
	struct stat st;

	memset(big, 'A', 100000);
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		assert_rc(try(f, tokens[i]), DEMON_DENIED, &f->err);
	assert_rc(try(f, big), DEMON_DENIED, &f->err);
	big[50] = '.';
	assert_rc(try(f, big), DEMON_DENIED, &f->err);
	free(big);
	assert_int_equal(stat(test_path(f->dir, "a.db.key"), &st), -1);
}

static void another_node_takes_no_link_of_this_one(void **state)
{
	struct fixture *f = *state;
	struct demon_store *other = open_store(f, "b.db");
	struct demon_link link;

	assert_rc(demon_link_read(other, make(f), f->clock.now, &link, &f->err), DEMON_DENIED,
		  &f->err);
	demon_close(other);
	assert_string_equal(f->err.msg, "this link was made by another node");
}

/* A text with another's signature, or with one for another purpose. */
static void sign_as(struct fixture *f, const char *prefix, const char *text)
{
	unsigned char signature[DEMON_ED25519_SIGNATURE_LEN];
	struct demon_buf whole = {.data = demon_buf_empty};
	struct demon_key key;

	assert_ok(demon_key_load(f->store, &key, &f->err), &f->err);
	demon_buf_fmt(&whole, "%s%s", prefix, text);
	assert_ok(demon_ed25519_sign(key.seed, whole.data, whole.len, signature, &f->err), &f->err);
	demon_buf_clear(&f->token);
	demon_base64url(&f->token, text, strlen(text));
	demon_buf_char(&f->token, '.');
	demon_base64url(&f->token, signature, sizeof(signature));
	demon_buf_done(&whole);
}

static void a_signature_for_something_else_is_none_of_a_link(void **state)
{
	struct fixture *f = *state;
	struct demon_buf text = {.data = demon_buf_empty};

	(void)make(f);
	assert_true(demon_base64url_read(f->token.data, strcspn(f->token.data, "."), &text));
	sign_as(f, "demon-link:v1\n", text.data);
	assert_ok(try(f, f->token.data), &f->err);
	sign_as(f, "", text.data);
	assert_rc(try(f, f->token.data), DEMON_DENIED, &f->err);
	sign_as(f, "demon-head:v1\n", text.data);
	assert_rc(try(f, f->token.data), DEMON_DENIED, &f->err);
	/* well signed, and still no link */
	sign_as(f, "demon-link:v1\n", "{}");
	assert_rc(try(f, f->token.data), DEMON_DENIED, &f->err);
	demon_buf_done(&text);
}

static void what_can_be_no_link_is_not_made(void **state)
{
	struct fixture *f = *state;
	struct demon_link link = link_to_prod(f);

	link.round = 0;
	assert_rc(demon_link_make(f->store, &link, &f->token, &f->err), DEMON_INVALID, &f->err);
	link = link_to_prod(f);
	link.gate_id[0] = ':';
	assert_rc(demon_link_make(f->store, &link, &f->token, &f->err), DEMON_INVALID, &f->err);
	link = link_to_prod(f);
	memcpy(link.approver, "System", sizeof("System"));
	assert_rc(demon_link_make(f->store, &link, &f->token, &f->err), DEMON_INVALID, &f->err);
	link = link_to_prod(f);
	link.nonce[0] = 'x';
	assert_rc(demon_link_make(f->store, &link, &f->token, &f->err), DEMON_INVALID, &f->err);
	assert_int_equal(f->token.len, 0);
}

static void an_address_keeps_the_path_of_the_proxy_before_it(void **state)
{
	static const char *const bases[][2] = {
	    {"https://ops.test", "https://ops.test/approve#T"},
	    {"https://ops.test/", "https://ops.test/approve#T"},
	    {"https://ops.test/tools/demon", "https://ops.test/tools/demon/approve#T"},
	    {"http://127.0.0.1:3000/tools/demon//", "http://127.0.0.1:3000/tools/demon/approve#T"},
	};
	static const char *const bad[] = {"",
					  "ops.test",
					  "ftp://ops.test",
					  "https://",
					  "https:///x",
					  "https://a.test/?q=1",
					  "https://a.test/#x",
					  "https://kim@a.test",
					  "https://a.test/a b",
					  "https://a.test/\r\nX: y"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		assert_ok(demon_link_check_base(bases[i][0], &f->err), &f->err);
		demon_buf_clear(&f->token);
		demon_link_url(bases[i][0], "T", &f->token);
		assert_string_equal(f->token.data, bases[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_rc(demon_link_check_base(bad[i], &f->err), DEMON_INVALID, &f->err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_was_made_is_read_until_its_time_is_over),
	    TEST(two_links_differ_unless_their_nonce_was_given),
	    TEST(no_character_of_a_link_can_be_changed),
	    TEST(garbage_is_refused_and_makes_no_key),
	    TEST(another_node_takes_no_link_of_this_one),
	    TEST(a_signature_for_something_else_is_none_of_a_link),
	    TEST(what_can_be_no_link_is_not_made),
	    TEST(an_address_keeps_the_path_of_the_proxy_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
