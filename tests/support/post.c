#include "post.h"

#include "domain/admin/register.h"
#include "runs.h"
#include "store/readers.h"

#include <stdio.h>

#define DSL(tasks)                                                                  \
	"{'document':{'dsl':'1.0.3','namespace':'default','name':'test','version':" \
	"'1'},'do':[" tasks "]}"

static const struct demon_actor kim = {.subject = "kim@corp.test"};

static void answer(struct http_peer *peer)
{
	struct post *f = peer->ctx;
	size_t n = peer->number <= f->answer_count ? peer->number - 1 : f->answer_count - 1;
	const char *text = f->answer_count ? f->answers[n] : "200";
	int status = (int)strtol(text, NULL, 10);
	const char *fields = strchr(text, ' ');

	if (*text)
		(void)http_peer_answer(peer, status, fields ? fields + 1 : "", "ok");
}

int post_set_up(void **state)
{
	static const char *const environ[] = {"SECRET_HOOKS_KEY=s3cr3t-key", NULL};
	const struct demon_secrets_options secrets = {.environ = environ};
	struct post *f = calloc(1, sizeof(*f));
	struct demon_options options = {.create = true, .node_id = "n"};

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	options.env = &f->clock.env;
	f->server = http_server_open(answer, f);
	assert_ok(demon_open(test_path(f->dir, "a.db"), &options, &f->store, &f->err), &f->err);
	assert_ok(demon_secrets_open(&secrets, &f->secrets, &f->err), &f->err);
	assert_ok(demon_planner_open(f->store, &f->planner, &f->err), &f->err);
	f->courier =
	    (struct demon_courier){.store = f->store,
				   .sending = {.env = demon_env_real(), .secrets = f->secrets},
				   .base_url = "https://ops.test/demon"};
	*state = f;
	return 0;
}

int post_tear_down(void **state)
{
	struct post *f = *state;

	demon_planner_close(f->planner);
	demon_secrets_close(f->secrets);
	demon_close(f->store);
	http_server_close(f->server);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

void post_answers(struct post *f, const char *const *answers, size_t count)
{
	memcpy(f->answers, answers, count * sizeof(*answers));
	f->answer_count = count;
}

/* The text with " for ', and the server's address for URL. */
static json_t *json_of(struct post *f, const char *text)
{
	char out[4096];
	size_t len = 0;
	json_t *json;

	for (const char *p = text; *p; p++) {
		assert_true(len < sizeof(out) - 128);
		if (strncmp(p, "URL", 3) == 0) {
			len += (size_t)snprintf(out + len, 128, "%s",
						http_server_url(f->server, "/hook"));
			p += 2;
		} else {
			out[len++] = (char)(*p == '\'' ? '"' : *p);
		}
	}
	out[len] = '\0';
	json = json_loads(out, 0, NULL);
	if (!json)
		fail_msg("no JSON: %s", out);
	return json;
}

void post_route(struct post *f, const char *tenant, const char *name, const char *value)
{
	json_t *json = value ? json_of(f, value) : NULL;
	const struct demon_register_write write = {.kind = DEMON_REGISTER_ROUTE,
						   .tenant = tenant,
						   .name = name,
						   .value = json,
						   .actor = &kim};
	struct demon_route route;
	enum demon_rc rc = json ? demon_route_parse(json, &route, &f->err) : DEMON_OK;

	if (!rc)
		rc = demon_register_set(f->store, &write, NULL, &f->err);
	json_decref(json);
	assert_ok(rc, &f->err);
}

static void run(struct post *f, const char *text, const char *tenant, const char *run_id)
{
	const struct demon_run_options options = {.run_id = run_id, .tenant_id = tenant};
	struct demon_definition *definition = run_definition(text);
	struct demon_run_outcome outcome = {0};
	struct demon_run_id id;

	assert_ok(demon_run_start(f->store, definition, &options, &id, &f->err), &f->err);
	assert_ok(demon_run_execute(f->store, &id, NULL, NULL, &outcome, &f->err), &f->err);
	free(outcome.terminal);
	demon_definition_free(definition);
}

void post_fail_run(struct post *f, const char *tenant, const char *run_id)
{
	run(f, RITUAL(SHELL("a", "exit 3", "", "true")), tenant, run_id);
}

void post_open_gate(struct post *f, const char *run_id, const char *terms)
{
	char text[2048];

	(void)snprintf(text, sizeof(text),
		       DSL("{'ask':{'call':'approval','with':{'gate':'prod','reason':'release',"
			   "'requester':'kim@corp.test'%s}}}"),
		       terms);
	run(f, text, NULL, run_id);
}

size_t post_plan(struct post *f)
{
	size_t all = 0;
	size_t planned;
	bool more = true;

	while (more) {
		assert_ok(demon_planner_look(f->planner, &planned, &more, &f->err), &f->err);
		all += planned;
	}
	return all;
}

static enum demon_rc keep_due(void *ctx, const struct demon_delivery *d, struct demon_err *err)
{
	struct post *f = ctx;

	(void)err;
	assert_true(f->due_count < POST_MAX);
	f->due[f->due_count++] = *d;
	return DEMON_OK;
}

/* Of a route: what is due. */
struct seeking {
	struct post *post;
	struct demon_db *db;
};

static enum demon_rc seek(void *ctx, const char *tenant, const char *route, demon_time next_at,
			  struct demon_err *err)
{
	struct seeking *s = ctx;
	const struct demon_delivery_sought sought = {
	    .route_tenant = tenant, .route = route, .now = s->post->clock.now, .limit = POST_MAX};

	(void)next_at;
	return demon_deliveries_due(s->db, &sought, keep_due, s->post, err);
}

size_t post_due(struct post *f)
{
	DEMON_READ(loan);
	struct seeking s = {.post = f};

	f->due_count = 0;
	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	s.db = loan.db;
	assert_ok(demon_deliveries_routes(loan.db, seek, &s, &f->err), &f->err);
	return f->due_count;
}

void post_deliver(struct post *f, enum demon_delivery_state want)
{
	assert_true(post_due(f) > 0);
	assert_ok(demon_courier_deliver(&f->courier, &f->due[0], &f->delivered, &f->err), &f->err);
	if (f->delivered.state != want)
		fail_msg("it is %s: %s", demon_delivery_state_name(f->delivered.state),
			 f->delivered.sent.text);
}

int64_t post_count(struct post *f, enum demon_delivery_state state)
{
	int64_t counts[DEMON_DELIVERY_STATES];
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	assert_ok(demon_deliveries_count(loan.db, counts, &f->err), &f->err);
	return counts[state];
}

const char *post_field(struct post *f, size_t number, const char *name)
{
	static char value[512];
	const char *at = http_server_request(f->server, number);
	char line[80];

	(void)snprintf(line, sizeof(line), "\r\n%s: ", name);
	at = strcasestr(at, line);
	if (!at)
		return "";
	at += strlen(line);
	(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
	return value;
}

const char *post_body(struct post *f, size_t number)
{
	return strstr(http_server_request(f->server, number), "\r\n\r\n") + 4;
}
