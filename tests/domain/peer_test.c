#include "support/test.h"

#include "base/bytes.h"
#include "domain/admin/audit.h"
#include "domain/admin/freeze.h"
#include "domain/admin/peer.h"
#include "domain/admin/roles.h"
#include "domain/admin/token.h"
#include "store/readers.h"
#include "store/store.h"
#include "support/exchange.h"

#include <stdio.h>

static const struct demon_actor kim = {.subject = "kim@corp.test"};

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *a;
	struct demon_store *b;
	char b_origin[2 * DEMON_ORIGIN_LEN + 1];
	char rows[4096];
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
	fake_env_init(&f->clock, 11);
	f->a = open_store(f, "a.db");
	f->b = open_store(f, "b.db");
	demon_hex(demon_store_origin(f->b), DEMON_ORIGIN_LEN, f->b_origin);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_close(f->a);
	demon_close(f->b);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* What b holds is told to a. */
static void tell(struct fixture *f)
{
	char *lines = exchange_export(f->b);

	exchange_import(f->a, lines);
	free(lines);
}

static enum demon_rc trust(struct fixture *f, const char *peer, const char *key, bool *ret_new)
{
	const struct demon_peer_request request = {
	    .peer = peer, .key = key, .actor = &kim, .reason = "our second site"};

	return demon_peer_trust(f->a, &request, ret_new, &f->err);
}

static enum demon_rc revoke(struct fixture *f, const char *peer, bool *ret_new)
{
	const struct demon_peer_request request = {.peer = peer, .actor = &kim};

	return demon_peer_revoke(f->a, &request, ret_new, &f->err);
}

static bool frozen(struct fixture *f)
{
	struct demon_freeze freeze;
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(f->a, &loan, &f->err), &f->err);
	assert_ok(demon_frozen(loan.db, "blue", &freeze, &f->err), &f->err);
	return freeze.frozen;
}

static void freeze_at(struct fixture *f, struct demon_store *node, bool freeze)
{
	const struct demon_freeze_request request = {.tenant = "*", .actor = &kim};
	bool new;

	assert_ok(freeze ? demon_freeze(node, &request, &new, &f->err)
			 : demon_thaw(node, &request, &new, &f->err),
		  &f->err);
	assert_true(new);
}

static int64_t last_seq(struct fixture *f)
{
	int64_t seq;

	assert_ok(demon_last_seq(f->a, &seq, &f->err), &f->err);
	return seq;
}

static enum demon_rc add_peer(void *ctx, const struct demon_peer_row *row, struct demon_err *err)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->rows);

	(void)err;
	(void)snprintf(f->rows + len, sizeof(f->rows) - len, "%s%s %s %s", len ? "; " : "",
		       row->trusted ? "trusted" : "not", row->key ? row->key : "-",
		       row->changed_by ? row->changed_by : "-");
	return DEMON_OK;
}

static const char *list(struct fixture *f)
{
	DEMON_READ(loan);

	f->rows[0] = '\0';
	assert_ok(demon_store_borrow(f->a, &loan, &f->err), &f->err);
	assert_ok(demon_peer_list(loan.db, add_peer, f, &f->err), &f->err);
	return f->rows;
}

static enum demon_rc add_act(void *ctx, const struct demon_audit_row *row, struct demon_err *err)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->rows);

	(void)err;
	(void)snprintf(f->rows + len, sizeof(f->rows) - len, "%s%s %s %s %s", len ? "; " : "",
		       row->type, row->name, row->by, row->reason ? row->reason : "-");
	return DEMON_OK;
}

static void what_an_untrusted_node_writes_is_in_the_log_and_without_effect(void **state)
{
	struct fixture *f = *state;
	char mine[65];
	char theirs[65];

	freeze_at(f, f->b, true);
	tell(f);
	exchange_digest(f->a, mine);
	exchange_digest(f->b, theirs);
	assert_string_equal(mine, theirs);
	assert_false(frozen(f));
}

static void trust_makes_it_count_and_revoking_it_takes_that_away(void **state)
{
	struct fixture *f = *state;
	bool new = false;

	freeze_at(f, f->b, true);
	tell(f);
	assert_ok(trust(f, f->b_origin, NULL, &new), &f->err);
	assert_true(new);
	assert_true(frozen(f));
	assert_ok(revoke(f, f->b_origin, &new), &f->err);
	assert_true(new);
	assert_false(frozen(f));
}

static void a_greater_write_of_an_untrusted_node_hides_no_smaller_one(void **state)
{
	struct fixture *f = *state;

	freeze_at(f, f->a, true);
	freeze_at(f, f->b, true);
	fake_env_advance(&f->clock, 1000);
	freeze_at(f, f->b, false);
	tell(f);
	assert_true(frozen(f));
	assert_ok(trust(f, f->b_origin, NULL, NULL), &f->err);
	assert_false(frozen(f));
}

static void a_role_that_an_untrusted_node_gives_is_not_held(void **state)
{
	struct fixture *f = *state;
	const char *lead = "lead";
	const struct demon_roles_request request = {
	    .tenant = "blue", .subject = "eve", .roles = &lead, .count = 1, .actor = &kim};
	bool has = true;
	bool new;
	DEMON_READ(loan);

	assert_ok(demon_roles_set(f->b, &request, &new, &f->err), &f->err);
	tell(f);
	assert_ok(demon_store_borrow(f->a, &loan, &f->err), &f->err);
	assert_ok(demon_roles_has(loan.db, "blue", "eve", "lead", &has, &f->err), &f->err);
	assert_false(has);
	assert_ok(trust(f, f->b_origin, NULL, NULL), &f->err);
	assert_ok(demon_roles_has(loan.db, "blue", "eve", "lead", &has, &f->err), &f->err);
	assert_true(has);
}

static void a_change_of_trust_is_on_record_and_the_same_again_is_none(void **state)
{
	struct fixture *f = *state;
	char want[512];
	int64_t seq;
	bool new = true;
	DEMON_READ(loan);

	assert_ok(trust(f, f->b_origin, NULL, NULL), &f->err);
	seq = last_seq(f);
	assert_ok(trust(f, f->b_origin, NULL, &new), &f->err);
	assert_false(new);
	assert_int_equal(last_seq(f), seq);
	assert_string_equal(list(f), "trusted - kim@corp.test");
	fake_env_advance(&f->clock, 10);
	assert_ok(revoke(f, f->b_origin, NULL), &f->err);
	assert_string_equal(list(f), "not - kim@corp.test");
	f->rows[0] = '\0';
	assert_ok(demon_store_borrow(f->a, &loan, &f->err), &f->err);
	assert_ok(demon_audit_list(loan.db, 0, 10, add_act, f, &f->err), &f->err);
	(void)snprintf(want, sizeof(want),
		       "peer.revoked:v1 %s kim@corp.test -; peer.trusted:v1 %s kim@corp.test "
		       "our second site",
		       f->b_origin, f->b_origin);
	assert_string_equal(f->rows, want);
}

static void who_cannot_be_trusted_is_refused_and_nothing_is_written(void **state)
{
	struct fixture *f = *state;
	char own[2 * DEMON_ORIGIN_LEN + 1];

	demon_hex(demon_store_origin(f->a), DEMON_ORIGIN_LEN, own);
	assert_rc(trust(f, own, NULL, NULL), DEMON_INVALID, &f->err);
	assert_rc(trust(f, "site-b", NULL, NULL), DEMON_NOTFOUND, &f->err);
	assert_rc(revoke(f, f->b_origin, NULL), DEMON_NOTFOUND, &f->err);
	assert_rc(trust(f, f->b_origin, "xyz", NULL), DEMON_INVALID, &f->err);
	assert_rc(trust(f, f->b_origin, "0011223344556677", NULL), DEMON_CONFLICT, &f->err);
	assert_int_equal(last_seq(f), 0);
	assert_string_equal(list(f), "");
}

int main(void)
{
#define PEER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    PEER_TEST(what_an_untrusted_node_writes_is_in_the_log_and_without_effect),
	    PEER_TEST(trust_makes_it_count_and_revoking_it_takes_that_away),
	    PEER_TEST(a_greater_write_of_an_untrusted_node_hides_no_smaller_one),
	    PEER_TEST(a_role_that_an_untrusted_node_gives_is_not_held),
	    PEER_TEST(a_change_of_trust_is_on_record_and_the_same_again_is_none),
	    PEER_TEST(who_cannot_be_trusted_is_refused_and_nothing_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
