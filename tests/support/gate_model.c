#include "gate_model.h"

static const double fractions[] = {0.5, 0.9};

struct model_gate *model_last(struct model *m)
{
	return m->opened ? &m->gate[m->opened - 1] : NULL;
}

static demon_time now_of(const struct model *m)
{
	return m->now > m->last ? m->now : m->last;
}

static void wrote(struct model *m)
{
	m->last = now_of(m);
	m->wrote = true;
}

static demon_time warning_of(const struct model_gate *gate)
{
	if (gate->warned >= 2)
		return INT64_MAX;
	return gate->requested +
	       (demon_time)(fractions[gate->warned] * (double)(gate->expires - gate->requested));
}

static demon_time level_end(const struct model *m, const struct model_gate *gate)
{
	int64_t ms = m->terms.levels ? m->terms.level[gate->level - 1].ms : 0;

	return ms ? gate->since + ms : INT64_MAX;
}

static bool goes_on(const struct model *m, const struct model_gate *gate)
{
	return gate->level < (int64_t)m->terms.levels || gate->repeats < m->terms.repeat;
}

demon_time model_next(const struct model *m, const struct model_gate *gate)
{
	demon_time times[] = {gate->expires, warning_of(gate), level_end(m, gate),
			      gate->until ? gate->until : INT64_MAX};
	demon_time next = times[0];

	for (size_t i = 1; i < sizeof(times) / sizeof(*times); i++)
		next = times[i] < next ? times[i] : next;
	return next;
}

static void decide(struct model *m, struct model_gate *gate, enum demon_gate_state state,
		   bool by_system)
{
	gate->state = state;
	gate->by_system = by_system;
	gate->decided = now_of(m);
}

static void climb(struct model *m, struct model_gate *gate)
{
	if (gate->level == (int64_t)m->terms.levels) {
		gate->level = 1;
		gate->repeats++;
	} else {
		gate->level++;
	}
	gate->since = now_of(m);
	wrote(m);
}

/* What time has brought. */
static void catch_up(struct model *m, struct model_gate *gate)
{
	demon_time now = now_of(m);

	while (gate->state == DEMON_GATE_PENDING) {
		bool deadline = now >= gate->expires;

		if (!deadline && now < level_end(m, gate)) {
			if (now < warning_of(gate))
				return;
			gate->warned++;
			wrote(m);
			continue;
		}
		m->fired++;
		if (!deadline && goes_on(m, gate))
			climb(m, gate);
		else
			decide(m, gate, DEMON_GATE_DENIED, true);
		wrote(m);
	}
}

/* The time of the step that waits. */
static bool is_over(const struct model *m, const struct model_gate *gate)
{
	return gate->until && now_of(m) >= gate->until;
}

/* Roles go by the name to the letter. */
static bool holds(const struct model *m, const struct model_vote *v, unsigned roles)
{
	return !v->upper && (m->held[v->person] & roles);
}

static bool is_known(const struct model *m, const struct model_vote *v)
{
	if (v->auth == DEMON_AUTH_TOKEN)
		return v->role >= DEMON_ROLE_APPROVER;
	return (m->allowed >> v->person & 1) || (v->auth == DEMON_AUTH_LINK && holds(m, v, ~0U));
}

static bool is_listed(const struct model *m, const struct model_gate *gate,
		      const struct model_vote *v)
{
	const struct model_terms *t = &m->terms;
	unsigned roles = t->roles;

	if (!t->approvers && !t->roles && !t->levels)
		return true;
	for (size_t i = 0; i < t->levels; i++)
		if (gate->repeats || (int64_t)i < gate->level)
			roles |= t->level[i].roles;
	return (t->approvers >> v->person & 1) || holds(m, v, roles);
}

static bool may(const struct model *m, const struct model_gate *gate, const struct model_vote *v)
{
	const struct model_terms *t = &m->terms;

	if (v->auth < t->auth || !is_known(m, v))
		return false;
	if (!t->self && (v->person == t->requester || v->person == t->starter))
		return false;
	if (v->want == DEMON_GATE_OVERRIDDEN) {
		const struct model_level *level = t->levels ? &t->level[gate->level - 1] : NULL;

		if (!level || !level->override || !holds(m, v, level->roles))
			return false;
	} else if (!is_listed(m, gate, v)) {
		return false;
	}
	return v->want == DEMON_GATE_DENIED || !m->frozen;
}

static unsigned bits(unsigned n)
{
	unsigned count = 0;

	for (; n; n &= n - 1)
		count++;
	return count;
}

static void count_vote(struct model *m, struct model_gate *gate, const struct model_vote *v,
		       struct model_answer *a)
{
	unsigned one = 1U << v->person;

	if (v->nonce >= 0)
		m->nonces[v->nonce] = true;
	if (v->want == DEMON_GATE_OVERRIDDEN) {
		a->have = a->need = 1;
	} else {
		unsigned *set = v->want == DEMON_GATE_GRANTED ? &gate->granted : &gate->denied;

		*set |= one;
		a->have = bits(*set);
		a->need = v->want == DEMON_GATE_GRANTED ? m->terms.quorum : m->terms.denials;
	}
	wrote(m);
	a->decided = a->have >= a->need;
	if (a->decided)
		decide(m, gate, v->want, false);
}

static void judge(struct model *m, struct model_gate *gate, const struct model_vote *v,
		  struct model_answer *a)
{
	unsigned one = 1U << v->person;
	bool granted = gate->granted & one;
	bool denied = gate->denied & one;

	if (is_over(m, gate)) {
		a->rc = DEMON_CONFLICT;
	} else if (!may(m, gate, v)) {
		a->rc = DEMON_DENIED;
	} else if (v->seen == 2) {
		a->rc = DEMON_CONFLICT;
	} else if (v->want == DEMON_GATE_GRANTED ? denied : granted) {
		a->rc = DEMON_CONFLICT;
	} else if (v->want == DEMON_GATE_OVERRIDDEN && denied) {
		a->rc = DEMON_CONFLICT;
	} else if (v->want == DEMON_GATE_GRANTED ? granted : denied) {
		a->noop = true;
	} else if (v->nonce >= 0 && m->nonces[v->nonce]) {
		a->rc = DEMON_DENIED;
	} else {
		count_vote(m, gate, v, a);
	}
}

struct model_answer model_vote(struct model *m, const struct model_vote *v)
{
	struct model_answer a = {.rc = DEMON_OK, .told = true};
	struct model_gate *gate;

	m->wrote = false;
	if (v->want != DEMON_GATE_GRANTED && !v->note) {
		a.rc = DEMON_INVALID;
		a.told = false;
		return a;
	}
	if (v->tenant == 2) {
		a.rc = DEMON_DENIED;
		a.told = false;
		return a;
	}
	a.round = v->round ? v->round : (int64_t)m->opened;
	if (a.round < 1 || a.round > (int64_t)m->opened) {
		a.rc = DEMON_NOTFOUND;
		a.told = false;
		return a;
	}
	gate = &m->gate[a.round - 1];
	catch_up(m, gate);
	if (gate->state == DEMON_GATE_PENDING)
		judge(m, gate, v, &a);
	else if (gate->state == v->want)
		a.noop = true;
	else
		a.rc = DEMON_CONFLICT;
	a.state = gate->state;
	return a;
}

void model_tick(struct model *m)
{
	m->wrote = false;
	if (m->opened)
		catch_up(m, model_last(m));
}

enum demon_rc model_escalate(struct model *m)
{
	struct model_gate *gate = model_last(m);
	struct model before = *m;

	m->wrote = false;
	if (!gate)
		return DEMON_NOTFOUND;
	catch_up(m, gate);
	if (gate->state != DEMON_GATE_PENDING || !m->terms.levels || !goes_on(m, gate)) {
		*m = before; /* who is refused has written nothing */
		m->wrote = false;
		return DEMON_CONFLICT;
	}
	climb(m, gate);
	return DEMON_OK;
}

enum demon_rc model_cancel(struct model *m, bool *ret_changed)
{
	struct model_gate *gate = model_last(m);

	m->wrote = false;
	*ret_changed = m->end == MODEL_OPEN;
	if (m->end != MODEL_OPEN)
		return m->end == MODEL_CANCELED ? DEMON_OK : DEMON_CONFLICT;
	if (gate && gate->state == DEMON_GATE_PENDING)
		decide(m, gate, DEMON_GATE_DENIED, true);
	m->end = MODEL_CANCELED;
	wrote(m);
	return DEMON_OK;
}

static void open_round(struct model *m)
{
	demon_time now = now_of(m);

	m->gate[m->opened++] = (struct model_gate){
	    .state = DEMON_GATE_PENDING,
	    .requested = now,
	    .since = now,
	    .expires = now + m->terms.ttl,
	    .until = m->terms.limit ? now + m->terms.limit : 0,
	    .level = 1,
	};
	wrote(m);
}

/* The step's own time is up, and nobody has decided in it. */
static bool times_out(struct model *m, struct model_gate *gate)
{
	if (gate->state != DEMON_GATE_PENDING || !is_over(m, gate))
		return false;
	decide(m, gate, DEMON_GATE_DENIED, true);
	m->end = MODEL_FAILED;
	wrote(m);
	return true;
}

void model_execute(struct model *m)
{
	m->wrote = false;
	while (m->end == MODEL_OPEN) {
		struct model_gate *gate = model_last(m);

		if (!gate) {
			open_round(m);
			continue;
		}
		if (times_out(m, gate))
			return;
		catch_up(m, gate);
		if (gate->state == DEMON_GATE_PENDING)
			return;
		if (gate->state == DEMON_GATE_DENIED && !m->terms.caught)
			m->end = MODEL_DENIED;
		else if (m->opened == m->terms.rounds)
			m->end = MODEL_COMPLETED;
		else
			open_round(m);
		wrote(m);
	}
}

const char *model_status(struct model *m)
{
	static const char *const ends[] = {"Running", "Completed", "Denied", "Canceled", "Failed"};
	const struct model_gate *gate = model_last(m);

	if (m->end == MODEL_OPEN && gate && gate->state == DEMON_GATE_PENDING)
		return "AwaitingApproval";
	return ends[m->end];
}
