#include "test.h"

#include "base/buf.h"
#include "random_ritual.h"

/* What is being written. */
struct making {
	struct demon_buf text;
	uint64_t random;
	const char *dir;
	unsigned names;
	bool wild;
};

static unsigned pick(struct making *m, unsigned n)
{
	return (unsigned)(test_random(&m->random) % n);
}

#define TRAIL(name) "${ . + {trail: ((.trail // []) + [\\\"" name "\\\"])} }"

static void make_list(struct making *m, unsigned depth);

/* Members that a task of any kind may have. */
static void make_more(struct making *m)
{
	static const char *const more[] = {
	    "",
	    "",
	    "",
	    ",\"input\":{\"from\":\"${ . + {from: 1} }\"}",
	    ",\"timeout\":{\"after\":{\"seconds\":2}}",
	    ",\"output\":{\"as\":\"${ . + {as: $task.name} }\"}",
	    ",\"if\":\"${ (.trail // [] | length) % 3 != 0 }\",\"then\":\"exit\"",
	    ",\"if\":\"${ (.trail // [] | length) % 7 == 6 }\",\"then\":\"end\"",
	    ",\"export\":{\"as\":\"${ {last: .} }\"}",
	};

	if (m->wild)
		demon_buf_str(&m->text, more[pick(m, demon_count(more))]);
}

static void make_set(struct making *m, unsigned name)
{
	demon_buf_fmt(&m->text, "{\"t%u\":{\"set\":\"" TRAIL("t%u") "\"", name, name);
	if (pick(m, 4) == 0)
		demon_buf_str(&m->text, ",\"if\":\"${ (.trail // [] | length) % 2 == 0 }\"");
	if (pick(m, 4) == 0)
		demon_buf_str(&m->text, ",\"export\":{\"as\":\"${ {seen: (.trail | length)} }\"}");
	demon_buf_str(&m->text, "}}");
}

static void make_exec(struct making *m, unsigned name, bool fails)
{
	const char *idempotent;

	if (m->wild && !fails && pick(m, 4)) {
		demon_buf_fmt(
		    &m->text,
		    "{\"t%u\":{\"call\":\"echo\",\"with\":{\"message\":\"${ .trail | tostring }\"}",
		    name);
		make_more(m);
		demon_buf_str(&m->text, "}}");
		return;
	}
	idempotent = pick(m, 2) ? "true" : "false";
	demon_buf_fmt(&m->text,
		      "{\"t%u\":{\"call\":\"exec\",\"with\":{\"command\":[\"sh\",\"-c\",\"echo "
		      "$DEMON_IDEMPOTENCY_KEY $DEMON_ATTEMPT %s >> %s/ran%s\"],\"idempotent\":%s},"
		      "\"output\":{\"as\":\"${ $input + {trail: (($input.trail // []) + "
		      "[\\\"t%u\\\"])} }\"}}}",
		      name, idempotent, m->dir, fails ? "; exit 3" : "", idempotent, name);
}

static void make_for(struct making *m, unsigned name, unsigned depth)
{
	demon_buf_fmt(&m->text,
		      "{\"t%u\":{\"for\":{\"each\":\"x\",\"in\":\"[range(%u)]\"},\"while\":\"$x < "
		      "2\",\"do\":",
		      name, pick(m, 4));
	make_list(m, depth + 1);
	make_more(m);
	demon_buf_str(&m->text, "}}");
}

static void make_try(struct making *m, unsigned name, unsigned depth)
{
	bool raises = pick(m, 2);

	demon_buf_fmt(&m->text, "{\"t%u\":{\"try\":[", name);
	make_set(m, ++m->names);
	demon_buf_str(&m->text, ",");
	if (raises)
		demon_buf_fmt(&m->text,
			      "{\"t%u\":{\"raise\":{\"error\":{\"type\":\"odd\",\"status\":400,"
			      "\"title\":\"t\"}}}}",
			      ++m->names);
	else
		make_exec(m, ++m->names, true);
	demon_buf_str(&m->text, "],\"catch\":{");
	if (m->wild)
		demon_buf_str(&m->text,
			      pick(m, 2) ? "\"as\":\"x\"," : "\"when\":\"$error.status > 0\",");
	if (m->wild && pick(m, 2))
		demon_buf_str(&m->text,
			      "\"retry\":{\"delay\":\"PT1S\",\"backoff\":{\"exponential\":{}},"
			      "\"jitter\":{\"from\":0,\"to\":2},\"limit\":{\"attempt\":{\"count\":"
			      "2,\"duration\":\"PT2S\"}}},");
	else if (pick(m, 2))
		demon_buf_fmt(&m->text,
			      "\"retry\":{\"delay\":{\"milliseconds\":%u},\"limit\":{\"attempt\":{"
			      "\"count\":%u}}},",
			      1 + pick(m, 3), 1 + pick(m, 2));
	demon_buf_str(&m->text, "\"do\":");
	make_list(m, depth + 1);
	demon_buf_str(&m->text, "}");
	make_more(m);
	demon_buf_str(&m->text, "}}");
}

static void make_switch(struct making *m, unsigned name)
{
	/* both ways lead to the task after the next one, or to the next */
	demon_buf_fmt(&m->text,
		      "{\"t%u\":{\"switch\":[{\"odd\":{\"when\":\"(.trail // [] | length) %% 2 == "
		      "1\",\"then\":\"continue\"}},{\"even\":{\"then\":\"t%u\"}}]}},",
		      name, m->names + 2);
	make_set(m, ++m->names);
	demon_buf_str(&m->text, ",");
	make_set(m, ++m->names);
}

static void make_task(struct making *m, unsigned depth)
{
	unsigned name = ++m->names;

	switch (pick(m, depth < 2 ? 8 : 4)) {
	case 0:
	case 1:
		make_exec(m, name, false);
		break;
	case 2:
		demon_buf_fmt(&m->text, "{\"t%u\":{\"wait\":{\"milliseconds\":%u}", name,
			      m->wild ? pick(m, 5000) : 1 + pick(m, 3));
		make_more(m);
		demon_buf_str(&m->text, "}}");
		break;
	case 3:
		make_set(m, name);
		break;
	case 4:
		make_for(m, name, depth);
		break;
	case 5:
		make_try(m, name, depth);
		break;
	case 6:
		make_switch(m, name);
		break;
	default:
		demon_buf_fmt(&m->text, "{\"t%u\":{\"do\":", name);
		make_list(m, depth + 1);
		make_more(m);
		demon_buf_str(&m->text, "}}");
	}
}

static void make_list(struct making *m, unsigned depth)
{
	unsigned count = 1 + pick(m, 3);

	demon_buf_char(&m->text, '[');
	for (unsigned i = 0; i < count; i++) {
		demon_buf_str(&m->text, i ? "," : "");
		make_task(m, depth);
	}
	demon_buf_char(&m->text, ']');
}

/* The workflow's own. */
static void make_root(struct making *m)
{
	static const char *const more[] = {"", ",\"timeout\":{\"after\":{\"seconds\":9}}",
					   ",\"output\":{\"as\":\"${ {out: .} }\"}",
					   ",\"input\":{\"from\":\"${ . + {trail: []} }\"}"};

	if (m->wild)
		demon_buf_str(&m->text, more[pick(m, demon_count(more))]);
}

char *random_ritual(const char *dir, uint64_t seed, bool wild)
{
	struct making m = {
	    .text = {.data = demon_buf_empty}, .random = seed, .dir = dir, .wild = wild};

	demon_buf_str(&m.text, "{\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"default\","
			       "\"name\":\"random\",\"version\":\"1\"},\"do\":[");
	make_exec(&m, ++m.names, false);
	for (unsigned i = 0; i < 3; i++) {
		demon_buf_char(&m.text, ',');
		make_task(&m, 0);
	}
	demon_buf_char(&m.text, ']');
	make_root(&m);
	demon_buf_char(&m.text, '}');
	assert_int_equal(m.text.rc, DEMON_OK);
	return demon_buf_take(&m.text);
}
