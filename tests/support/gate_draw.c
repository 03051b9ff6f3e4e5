#include "test.h"

#include "gate_draw.h"

#include "base/bytes.h"

#define SECOND ((int64_t)1000)
#define YEAR   (365 * 86400 * SECOND)

const char *const gate_people[2][MODEL_PEOPLE] = {{"ada", "lin", "kim", "max", "eve", "joe"},
						  {"ADA", "LIN", "KIM", "MAX", "EVE", "JOE"}};
const char *const gate_roles[MODEL_ROLES] = {"lead", "head"};

uint64_t gate_draw(uint64_t *random, uint64_t n)
{
	return test_random(random) % n;
}

bool gate_draw_one_in(uint64_t *random, uint64_t n)
{
	return gate_draw(random, n) == 0;
}

int64_t gate_draw_ms(uint64_t *random)
{
	static const int64_t most[] = {3, 100, 7200, 86400, (int64_t)86400 * 3650};

	return (1 +
		(int64_t)gate_draw(random, (uint64_t)most[gate_draw(random, demon_count(most))])) *
	       SECOND;
}

/* What is drawn is drawn in order: a seed means the same whoever has compiled it. */
static void draw_levels(uint64_t *random, struct model_terms *t)
{
	uint64_t most = (uint64_t)(t->ttl < YEAR ? t->ttl / 500 : YEAR / SECOND);

	t->levels = gate_draw_one_in(random, 2) ? 1 + gate_draw(random, MODEL_LEVELS) : 0;
	t->repeat = t->levels ? (int64_t)gate_draw(random, 3) : 0;
	for (size_t i = 0; i < t->levels; i++) {
		t->level[i].roles = 1 + (unsigned)gate_draw(random, 3);
		t->level[i].ms = gate_draw_one_in(random, 4)
				     ? 0
				     : (1 + (int64_t)gate_draw(random, most)) * SECOND;
		t->level[i].override = gate_draw_one_in(random, 2);
	}
}

void gate_draw_terms(uint64_t *random, struct model_terms *t)
{
	t->rounds = 1 + (unsigned)gate_draw(random, MODEL_ROUNDS);
	t->caught = gate_draw_one_in(random, 3);
	t->ttl = gate_draw_ms(random);
	t->limit = gate_draw_one_in(random, 5) ? gate_draw_ms(random) : 0;
	t->quorum = 1 + (unsigned)gate_draw(random, 3);
	t->denials = 1 + (unsigned)gate_draw(random, 3);
	t->approvers =
	    gate_draw_one_in(random, 3) ? 1 + (unsigned)gate_draw(random, GATE_EVERYBODY) : 0;
	t->roles = gate_draw_one_in(random, 4) ? 1 + (unsigned)gate_draw(random, 3) : 0;
	t->self = gate_draw_one_in(random, 3);
	t->requester = (int)gate_draw(random, MODEL_PEOPLE + 1) - 1;
	t->starter = gate_draw_one_in(random, 2) ? (int)gate_draw(random, MODEL_PEOPLE) : -1;
	t->auth = gate_draw_one_in(random, 4)
		      ? (enum demon_auth)gate_draw(random, DEMON_AUTH_SYSTEM)
		      : DEMON_AUTH_DECLARED;
	draw_levels(random, t);
}

struct model_vote gate_draw_vote(uint64_t *random, const struct model *m)
{
	struct model_vote v = {.nonce = -1};

	v.person = (int)gate_draw(random, MODEL_PEOPLE);
	v.upper = gate_draw_one_in(random, 6);
	v.want = gate_draw_one_in(random, 3) ? DEMON_GATE_DENIED : DEMON_GATE_GRANTED;
	v.round = gate_draw_one_in(random, 6) ? (int64_t)gate_draw(random, m->opened + 2) : 0;
	v.note = !gate_draw_one_in(random, 12);
	v.auth = gate_draw_one_in(random, 2)
		     ? m->terms.auth
		     : (enum demon_auth)gate_draw(random, DEMON_AUTH_SYSTEM);
	if (gate_draw_one_in(random, 6))
		v.want = DEMON_GATE_OVERRIDDEN;
	if (v.auth == DEMON_AUTH_TOKEN) {
		v.role = gate_draw_one_in(random, 4)
			     ? (enum demon_role)gate_draw(random, DEMON_ROLE_COUNT)
			     : DEMON_ROLE_APPROVER;
		v.tenant = gate_draw_one_in(random, 8) ? 2 : (int)gate_draw(random, 2);
	}
	if (v.auth == DEMON_AUTH_LINK)
		v.nonce = (int)gate_draw(random, MODEL_NONCES);
	if (gate_draw_one_in(random, 3))
		v.seen = gate_draw_one_in(random, 4) ? 2 : 1;
	return v;
}

static void put_names(struct demon_buf *out, const char *key, unsigned set,
		      const char *const *names, size_t count)
{
	const char *comma = "";

	if (!set)
		return;
	demon_buf_fmt(out, ",'%s':[", key);
	for (size_t i = 0; i < count; i++)
		if (set >> i & 1) {
			demon_buf_fmt(out, "%s'%s'", comma, names[i]);
			comma = ",";
		}
	demon_buf_fmt(out, "]");
}

static void put_gate(const struct model_terms *t, bool ttl, struct demon_buf *out)
{
	demon_buf_fmt(out,
		      "{'ask':{'call':'approval','with':{'gate':'prod','quorum':%u,'denials':%u,"
		      "'allowRequester':%s,'authentication':'%s'",
		      t->quorum, t->denials, t->self ? "true" : "false", demon_auth_name(t->auth));
	put_names(out, "approvers", t->approvers, gate_people[0], MODEL_PEOPLE);
	put_names(out, "roles", t->roles, gate_roles, MODEL_ROLES);
	if (t->requester >= 0)
		demon_buf_fmt(out, ",'requester':'%s'", gate_people[0][t->requester]);
	if (ttl)
		demon_buf_fmt(out, ",'ttl':%lld", (long long)(t->ttl / SECOND));
	demon_buf_fmt(out, "}");
	if (t->limit)
		demon_buf_fmt(out, ",'timeout':{'after':{'seconds':%lld}}",
			      (long long)(t->limit / SECOND));
	demon_buf_fmt(out, "}}");
}

static void put_step(const struct model_terms *t, bool ttl, unsigned n, struct demon_buf *out)
{
	if (!t->caught) {
		demon_buf_fmt(out, "{'b%u':{'do':[", n);
		put_gate(t, ttl, out);
		demon_buf_fmt(out, "]}}");
		return;
	}
	demon_buf_fmt(out, "{'b%u':{'try':[", n);
	put_gate(t, ttl, out);
	demon_buf_fmt(out,
		      "],'catch':{'errors':{'with':{'type':"
		      "'https://demon.example/errors/denied'}},'do':[{'s':{'set':{'v':1}}}]}}}");
}

/* The rounds are those of a loop, or steps that ask for the same gate. */
void gate_draw_ritual(uint64_t *random, const struct model_terms *t, bool ttl,
		      struct demon_buf *out)
{
	static const char *const lists[MODEL_ROUNDS] = {"[1]", "[1,2]", "[1,2,3]"};

	demon_buf_fmt(out, "{'document':{'dsl':'1.0.3','namespace':'default','name':'test',"
			   "'version':'1'},'do':[");
	if (gate_draw_one_in(random, 8)) {
		demon_buf_fmt(out, "{'l':{'for':{'in':'%s'},'do':[", lists[t->rounds - 1]);
		put_step(t, ttl, 0, out);
		demon_buf_fmt(out, "]}}");
	} else {
		for (unsigned i = 0; i < t->rounds; i++) {
			demon_buf_fmt(out, "%s", i ? "," : "");
			put_step(t, ttl, i, out);
		}
	}
	demon_buf_fmt(out, "]}");
}

void gate_draw_rules(const struct model_terms *t, const char *tenant, struct demon_buf *out)
{
	demon_buf_fmt(out, "{'tenants':{'%s':{'gates':{'prod':{'repeat':%lld,'levels':[", tenant,
		      (long long)t->repeat);
	for (size_t i = 0; i < t->levels; i++) {
		demon_buf_fmt(out, "%s{'level':%zu,'timeoutSeconds':%lld,'emergencyOverride':%s",
			      i ? "," : "", i + 1, (long long)(t->level[i].ms / SECOND),
			      t->level[i].override ? "true" : "false");
		put_names(out, "roles", t->level[i].roles, gate_roles, MODEL_ROLES);
		demon_buf_fmt(out, "}");
	}
	demon_buf_fmt(out, "]}}}}}");
	for (char *p = out->data; *p; p++)
		if (*p == '\'')
			*p = '"';
}
