/*
 * What the Serverless Workflow DSL becomes when it is loaded, and what is refused. How it runs is
 * in run_dsl_test.c; the files in data/rituals/bad have more that is refused.
 */
#include "support/test.h"

#include "base/fault.h"
#include "domain/capsule/capsule.h"
#include "domain/ritual/definition.h"

#include <stdio.h>
#include <string.h>

#define SET "{'set':{'v':1}}"

struct fixture {
	struct demon_definition *definition;
	struct demon_definition *again;
	struct demon_problems problems;
	struct demon_buf text;
	struct demon_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->text = (struct demon_buf){.data = demon_buf_empty};
	*state = f;
	return 0;
}

static void reset(struct fixture *f)
{
	demon_definition_free_p(&f->definition);
	demon_definition_free_p(&f->again);
	f->definition = NULL;
	f->again = NULL;
	demon_problems_done(&f->problems);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	reset(f);
	demon_buf_done(&f->text);
	free(f);
	return 0;
}

/* A document with @p more members beside `do`; ' stands for ". */
static void begin(struct fixture *f, const char *more)
{
	demon_buf_clear(&f->text);
	demon_buf_fmt(&f->text,
		      "{'document':{'dsl':'1.0.3','namespace':'default','name':'t','version':'1'}"
		      "%s%s,'do':[",
		      *more ? "," : "", more);
}

static enum demon_rc end(struct fixture *f)
{
	demon_buf_str(&f->text, "]}");
	assert_int_equal(f->text.rc, DEMON_OK);
	for (size_t i = 0; i < f->text.len; i++)
		if (f->text.data[i] == '\'')
			f->text.data[i] = '"';
	reset(f);
	return demon_definition_load("file", f->text.data, f->text.len, &f->definition,
				     &f->problems, &f->err);
}

static enum demon_rc load(struct fixture *f, const char *more, const char *tasks)
{
	begin(f, more);
	demon_buf_str(&f->text, tasks);
	return end(f);
}

static void accept(struct fixture *f, const char *more, const char *tasks)
{
	assert_ok(load(f, more, tasks), &f->err);
	assert_int_equal(f->problems.count, 0);
}

/* Refused with the one problem @p want, which stands where @p at begins in the text. */
static void refuse(struct fixture *f, const char *more, const char *tasks, const char *at,
		   const char *want)
{
	char plain[256];
	const char *found;
	size_t i = 0;

	assert_rc(load(f, more, tasks), DEMON_INVALID, &f->err);
	assert_null(f->definition);
	if (f->problems.count != 1 || strncmp(f->problems.items[0].text, want, strlen(want)) != 0)
		fail_msg("%s: expected '%s', found %zu problems: '%s'", tasks, want,
			 f->problems.count, f->problems.items[0].text);
	for (; at[i] && i < sizeof(plain) - 1; i++) {
		plain[i] = at[i];
		if (at[i] == '\'')
			plain[i] = '"';
	}
	plain[i] = '\0';
	found = strstr(f->text.data, plain);
	assert_non_null(found);
	assert_int_equal(f->problems.items[0].line, 1);
	assert_int_equal(f->problems.items[0].column, found - f->text.data + 1);
}

static const struct demon_task *task(const struct fixture *f, size_t i)
{
	assert_true(i < f->definition->root.count);
	return &f->definition->root.tasks[i];
}

static void a_loop_may_be_left_from_within_a_list(void **state)
{
	struct fixture *f = *state;

	accept(f, "",
	       "{'poll':{'do':[{'check':{'if':'.done','set':{'v':1},'then':'end'}}]}},"
	       "{'pause':{'wait':'PT1S','then':'poll'}}");
	assert_int_equal(task(f, 1)->next, 0);
	accept(f, "",
	       "{'a':{'try':[{'r':{'raise':{'error':{'type':'t','status':400}}}}],"
	       "'catch':{'errors':{'with':{'status':500}},'do':[{'b':" SET "}]},'then':'a'}}");
	accept(f, "", "{'a':{'if':'.again','set':{'v':1},'then':'a'}}");
	accept(f, "", "{'a':{'switch':[{'x':{'when':'.x','then':'a'}}]}}");
	accept(f, "", "{'a':{'do':[{'b':{'set':{'v':1},'then':'exit'}}]}}");
}

static void a_loop_that_nothing_leaves_is_refused(void **state)
{
	static const char want[] = "tasks go in a circle for ever from 'a' on";
	struct fixture *f = *state;

	refuse(f, "", "{'a':{'set':{'v':1},'then':'a'}}", "{'a'", want);
	refuse(f, "",
	       "{'a':{'switch':[{'x':{'when':'.x','then':'b'}},{'y':{'then':'b'}}]}},"
	       "{'b':{'set':{'v':1},'then':'a'}}",
	       "{'a'", want);
	refuse(f, "", "{'a':{'do':[{'b':{'set':{'v':1},'then':'exit'}}],'then':'a'}}", "{'a'",
	       want);
	refuse(f, "", "{'d':{'do':[{'a':{'wait':'PT1S','then':'a'}}]}}", "{'a'", want);
}

static void what_no_way_leads_to_is_refused(void **state)
{
	static const char want[] = "task 'b' can never be reached";
	struct fixture *f = *state;

	refuse(f, "", "{'a':{'raise':{'error':{'type':'t','status':400}}}},{'b':" SET "}", "{'b'",
	       want);
	refuse(f, "", "{'a':{'switch':[{'x':{'then':'c'}}]}},{'b':" SET "},{'c':" SET "}", "{'b'",
	       want);
	refuse(f, "", "{'a':{'set':{'v':1},'then':'exit'}},{'b':" SET "}", "{'b'", want);
	accept(f, "",
	       "{'a':{'if':'.x','raise':{'error':{'type':'t','status':400}}}},{'b':" SET "}");
	accept(f, "",
	       "{'a':{'switch':[{'x':{'when':'.x','then':'c'}}]}},{'b':" SET "},{'c':" SET "}");
}

static void many_problems_leave_nothing_unsaid_about_broken_lists(void **state)
{
	struct fixture *f = *state;

	begin(f, "");
	for (unsigned i = 0; i < 101; i++)
		demon_buf_fmt(&f->text, "{'t%u':{'set':{'v':1},'oops':1}},", i);
	demon_buf_str(&f->text, "{'d':{'do':[{'a':{'set':{'v':1},'then':'end'}},5]}}");
	assert_rc(end(f), DEMON_INVALID, &f->err);
	assert_int_equal(f->problems.count, 100);
	assert_int_equal(f->problems.dropped, 2);
}

static const struct demon_task *within(const struct demon_task *parent, size_t i)
{
	assert_true(i < parent->count);
	return &parent->tasks[i];
}

static void a_document_has_its_namespace_in_its_id(void **state)
{
	static const char elsewhere[] =
	    "{'document':{'dsl':'1.0.0','namespace':'ops','name':'t',"
	    "'version':'2.1','title':'T','summary':'s','tags':{'a':1},"
	    "'metadata':{}},'evaluate':{'language':'jq','mode':'strict'},"
	    "'do':[{'a':" SET "}";
	struct fixture *f = *state;

	accept(f, "", "{'a':" SET "}");
	assert_string_equal(demon_notation_name(f->definition->notation), "dsl");
	assert_string_equal(f->definition->ritual_id, "t");
	assert_string_equal(f->definition->version, "1");
	assert_null(f->definition->title);
	assert_int_equal(f->definition->root.kind, DEMON_TASK_DO);
	assert_string_equal(f->definition->root.reference, "");
	demon_buf_clear(&f->text);
	demon_buf_str(&f->text, elsewhere);
	assert_ok(end(f), &f->err);
	assert_string_equal(f->definition->ritual_id, "ops_t");
	assert_string_equal(f->definition->version, "2.1");
	assert_string_equal(f->definition->title, "T");
}

static void tasks_follow_each_other_as_then_says(void **state)
{
	struct fixture *f = *state;

	accept(f, "",
	       "{'a':{'set':{'v':1},'then':'c'}},{'b':{'set':{'v':1},'then':'end'}},"
	       "{'c':{'switch':[{'x':{'when':'.x','then':'b'}},{'y':{'when':'.y','then':'exit'}},"
	       "{'z':{'then':'continue'}}]}},{'d':{'set':{'v':1},'then':'continue'}}");
	assert_int_equal(task(f, 0)->next, 2);
	assert_true(task(f, 1)->next == DEMON_NEXT_END);
	assert_int_equal(task(f, 2)->case_count, 3);
	assert_string_equal(task(f, 2)->cases[0].name, "x");
	assert_int_equal(task(f, 2)->cases[0].next, 1);
	assert_true(task(f, 2)->cases[1].next == DEMON_NEXT_EXIT);
	assert_int_equal(task(f, 2)->cases[2].next, 3);
	assert_null(task(f, 2)->cases[2].when.json);
	assert_true(task(f, 3)->next == DEMON_NEXT_EXIT);
	assert_true(f->definition->root.next == DEMON_NEXT_END);
}

static void every_task_is_referred_to_by_its_place(void **state)
{
	const struct demon_task *t;
	struct fixture *f = *state;

	accept(f, "",
	       "{'a/b~c':{'do':[{'x':" SET "}]}},{'loop':{'for':{'in':'[1]'},'do':[{'y':" SET
	       "}]}},"
	       "{'t':{'try':[{'z':" SET "}],'catch':{'do':[{'u':" SET "}]}}}");
	assert_string_equal(task(f, 0)->reference, "/do/0/a~1b~0c");
	assert_string_equal(within(task(f, 0), 0)->reference, "/do/0/a~1b~0c/do/0/x");
	assert_string_equal(within(task(f, 1), 0)->reference, "/do/1/loop/do/0/y");
	t = task(f, 2);
	assert_string_equal(within(t, 0)->reference, "/do/2/t/try/0/z");
	assert_non_null(t->handler);
	assert_int_equal(t->handler->kind, DEMON_TASK_DO);
	assert_string_equal(within(t->handler, 0)->reference, "/do/2/t/catch/do/0/u");
	assert_string_equal(t->call, "try");
}

static void a_policy_is_read_as_a_whole(void **state)
{
	static const char policy[] =
	    "{'when':'$error.status > 1','exceptWhen':'.x','delay':'PT2S','backoff':{'linear':{}},"
	    "'limit':{'attempt':{'count':4,'duration':{'minutes':1}},'duration':'PT1H'},"
	    "'jitter':{'from':{'milliseconds':5},'to':'PT1S'}}";
	char use[512];
	char tasks[512];
	struct fixture *f = *state;

	(void)snprintf(use, sizeof(use), "'use':{'retries':{'r':%s}}", policy);
	(void)snprintf(tasks, sizeof(tasks),
		       "{'a':{'try':[{'x':" SET "}],'catch':{'retry':%s}}},"
		       "{'b':{'try':[{'x':" SET "}],'catch':{'as':'e','retry':'r'}}}",
		       policy);
	begin(f, use);
	demon_buf_str(&f->text, tasks);
	assert_rc(end(f), DEMON_OK, &f->err);
	for (size_t i = 0; i < 2; i++) {
		const struct demon_retry *r = task(f, i)->retry;

		assert_int_equal(r->delay_ms, 2000);
		assert_int_equal(r->backoff, DEMON_BACKOFF_LINEAR);
		assert_int_equal(r->attempts, 4);
		assert_int_equal(r->attempt_limit_ms, 60000);
		assert_int_equal(r->duration_ms, 3600000);
		assert_int_equal(r->jitter_from_ms, 5);
		assert_int_equal(r->jitter_to_ms, 1000);
		assert_true(r->when.expr && r->except_when.expr);
	}
	/* the policy is read where it is used, with the variables of that place, and nowhere else
	 */
	assert_int_equal(f->definition->expr_count, 4);
	assert_string_equal(f->definition->exprs[0].variables[0], "error");
	assert_string_equal(f->definition->exprs[2].variables[0], "e");
}

static void a_policy_without_anything_has_no_limit(void **state)
{
	struct fixture *f = *state;

	accept(f, "", "{'a':{'try':[{'x':" SET "}],'catch':{'retry':{}}}}");
	assert_int_equal(task(f, 0)->retry->attempts, -1);
	assert_int_equal(task(f, 0)->retry->backoff, DEMON_BACKOFF_CONSTANT);
	assert_int_equal(task(f, 0)->retry->duration_ms, 0);
	assert_string_equal(task(f, 0)->catch_as, "error");
	assert_null(task(f, 0)->handler);
}

static void names_of_use_stand_for_what_they_name(void **state)
{
	const struct demon_task *t;
	struct fixture *f = *state;

	accept(
	    f,
	    "'use':{'functions':{'say':{'call':'echo','with':{'message':'a'}}},"
	    "'errors':{'e':{'type':'t','status':418}},'timeouts':{'soon':{'after':'PT9S'}},"
	    "'authentications':{'me':{'bearer':{'token':'secret://x/t'}}},'secrets':['k','s/k']}",
	    "{'a':{'call':'say','with':{'message':'b'},'timeout':'soon'}},{'b':{'call':'say'}},"
	    "{'h':{'call':'http','with':{'method':'get','endpoint':{'uri':'http://x/',"
	    "'authentication':{'use':'me'}}}}},{'r':{'raise':{'error':'e'}}}");
	t = task(f, 0);
	assert_ptr_equal(t->capsule, &demon_capsule_echo);
	assert_string_equal(t->call, "echo");
	assert_string_equal(json_string_value(json_object_get(t->with.json, "message")), "b");
	assert_int_equal(t->timeout.ms, 9000);
	t = task(f, 1);
	assert_string_equal(json_string_value(json_object_get(t->with.json, "message")), "a");
	t = task(f, 2);
	assert_string_equal(json_string_value(json_array_get(t->secrets, 0)),
			    "/endpoint/authentication/bearer/token");
	t = task(f, 3);
	assert_int_equal(json_integer_value(json_object_get(t->with.json, "status")), 418);
	assert_int_equal(json_array_size(f->definition->secrets), 2);
}

static void what_use_stands_for_is_limited_however_often_it_is_named(void **state)
{
	struct fixture *f = *state;

	begin(f, "");
	demon_buf_cut(&f->text, f->text.len - strlen(",'do':["));
	demon_buf_str(&f->text, ",'use':{'functions':{'f':{'call':'echo','with':{'message':'");
	for (unsigned i = 0; i < 300000; i++)
		demon_buf_char(&f->text, 'x');
	demon_buf_str(&f->text, "'}}}},'do':[");
	for (unsigned i = 0; i < 4000; i++)
		demon_buf_fmt(&f->text, "%s{'t%u':{'call':'f','with':{}}}", i ? "," : "", i);
	assert_rc(end(f), DEMON_INVALID, &f->err);
	assert_int_equal(f->problems.count, 1);
	assert_contains(f->err.msg, "what names of `use` stand for comes to more than 16 MiB");
}

static void a_programs_output_is_asked_of_its_run(void **state)
{
	struct fixture *f = *state;

	accept(f, "",
	       "{'a':{'run':{'shell':{'command':'x'},'return':'code'},"
	       "'metadata':{'idempotent':true}}},{'b':{'run':{'script':{'language':'sh',"
	       "'code':'x'}}}}");
	assert_ptr_equal(task(f, 0)->capsule, &demon_capsule_exec);
	assert_string_equal(task(f, 0)->process, "shell");
	assert_string_equal(json_string_value(json_object_get(task(f, 0)->run, "return")), "code");
	assert_true(json_is_true(task(f, 0)->idempotent));
	assert_string_equal(task(f, 1)->process, "script");
	assert_null(task(f, 1)->idempotent);
}

/* What is refused in a task, beside what the files in data/rituals/bad have. */
static const struct {
	const char *tasks;
	const char *at;
	const char *want;
} refused_tasks[] = {
    {"{'a':{'fork':{'branches':[]}}}", "'fork'", "not supported yet: task 'fork'"},
    {"{'a':{'emit':{'event':{}}}}", "'emit'", "not supported yet: task 'emit'"},
    {"{'a':{'listen':{'to':{}}}}", "'listen'", "not supported yet: task 'listen'"},
    {"{'a':{'call':'grpc','with':{}}}", "'grpc'", "not supported yet: call 'grpc'"},
    {"{'a':{'call':'asyncapi'}}", "'asyncapi'", "not supported yet: call 'asyncapi'"},
    {"{'a':{'call':'a2a'}}", "'a2a'", "not supported yet: call 'a2a'"},
    {"{'a':{'call':'mcp'}}", "'mcp'", "not supported yet: call 'mcp'"},
    {"{'a':{'run':{'container':{'image':'x'}}}}", "'container'",
     "not supported yet: key 'container'"},
    {"{'a':{'run':{'workflow':{}}}}", "'workflow'", "not supported yet: key 'workflow'"},
    {"{'a':{'run':{'shel':{}}}}", "'shel'", "unknown key 'shel' (did you mean 'shell'?)"},
    {"{'a':{'cal':'echo'}}", "{'cal'",
     "task: expected one of call, do, for, raise, run, set, switch, try, wait (did you "
     "mean "
     "'call'?)"},
    {"{'a':{'set':{'v':1},'input':{'schema':{'resource':{}}}}}", "'resource'",
     "not supported yet: key 'resource'"},
    {"{'a':{'set':{'v':1},'output':{'schema':{'format':'avro','document':{}}}}}", "'avro'",
     "not supported yet: a schema that is not 'json'"},
    {"{'a':{'set':5}}", "5}", "set: expected a mapping or an expression, found an integer"},
    {"{'a':{'for':{'each':'end','in':'[1]'},'do':[{'b':" SET "}]}}", "'end'",
     "each: expected the name of a variable, found 'end'"},
    {"{'a':{'for':{'each':'x','at':'x','in':'[1]'},'do':[{'b':" SET "}]}}", "{'each'",
     "for: 'each' and 'at' are both 'x'"},
    {"{'a':{'try':[{'b':" SET "}],'catch':{'as':'1e'}}}", "'1e'",
     "as: expected the name of a variable, found '1e'"},
    {"{'a':{'try':[{'b':" SET "}],'catch':{'retry':{'backoff':{'exponential':{'x':3}}}}}}", "{'x'",
     "exponential: expected {}"},
    {"{'a':{'try':[{'b':" SET "}],'catch':{'retry':{'backoff':{}}}}}", "{}",
     "backoff: expected one of constant, linear, exponential"},
    {"{'a':{'try':[{'b':" SET "}],'catch':{'retry':{'jitter':{'from':'PT2S','to':'PT1S'}}}}}",
     "{'from'", "jitter: 'to' is less than 'from'"},
    {"{'a':{'try':[{'b':" SET "}],'catch':{'retry':{'delay':'${ .d }'}}}}", "'${ .d",
     "not supported yet: an expression as delay"},
    {"{'a':{'try':[{'b':" SET "}],'catch':{'errors':{'with':{'status':'503'}}}}}", "'503'",
     "status: expected 100 to 599, found a string"},
    {"{'a':{'try':[{'b':" SET "}],'catch':{'errors':{'with':{'type':'${ .t }'}}}}}", "{'type'",
     "not supported yet: an expression in errors.with"},
    {"{'a':{'raise':{'error':{'type':'t','status':400,'title':5}}}}", "5}",
     "title: expected a string, found an integer"},
    {"{'a':{'set':{'v':1},'timeout':{'after':'PT0S'}}}", "'PT0S'",
     "after: expected a duration above 0"},
    {"{'a':{'try':[{'b':" SET "}],'catch':{'retry':{'limit':{'duration':{'seconds':0}}}}}}",
     "{'seconds'", "duration: expected a duration above 0"},
    {"{'a':{'wait':'5s'}}", "'5s'", "wait: expected a duration"},
    {"{'a':{'set':{'v':1},'metadata':{'idempotent':'yes'}}}", "'yes'",
     "idempotent: expected true or false, found "},
    {"{'a\nb':" SET "}", "'a", "task name: has a control character"},
    {"{'a':{'call':'exec','with':{'command':['x'],'workdr':'${ .x }'}}}", "'workdr'",
     "unknown argument 'workdr' (did you mean 'workdir'?)"},
    {"{'a':{'call':'exec','with':{'command':['x'],'timeout':'${ 5'}}}", "'${ 5'",
     "argument 'timeout': expected seconds"},
};

static void tasks_are_refused_with_their_place(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < demon_count(refused_tasks); i++) {
		char tasks[512];
		size_t n = 0;

		/* a line end in a JSON string is written as an escape */
		for (const char *p = refused_tasks[i].tasks; *p; p++)
			n += (size_t)snprintf(tasks + n, sizeof(tasks) - n,
					      *p == '\n' ? "\\n" : "%c", *p);
		refuse(f, "", tasks, refused_tasks[i].at, refused_tasks[i].want);
	}
}

static void parts_of_the_document_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *more;
		const char *at;
		const char *want;
	} cases[] = {
	    {"'schedule':{}", "'schedule'", "not supported yet: key 'schedule'"},
	    {"'evaluate':{'mode':'loose'}", "'loose'",
	     "not supported yet: mode 'loose', only 'strict' is"},
	    {"'evaluate':{'language':'js'}", "'js'",
	     "not supported yet: language 'js', only 'jq' is"},
	    {"'use':{'extensions':[]}", "'extensions'", "not supported yet: key 'extensions'"},
	    {"'use':{'catalogs':{}}", "'catalogs'", "not supported yet: key 'catalogs'"},
	    {"'use':{'functions':{'f':{'call':'openapi'}}}", "'openapi'",
	     "not supported yet: call 'openapi'"},
	    {"'use':{'functions':{'f':{'run':{},'call':'echo'}}}", "'run'",
	     "not supported yet: key 'run'"},
	    {"'use':{'functions':{'echo':{'call':'exec'}}}", "'echo'",
	     "use.functions: 'echo' is a capsule's name"},
	    {"'use':{'retries':{'r':{'dely':1}}}", "'dely'",
	     "unknown key 'dely' (did you mean 'delay'?)"},
	    {"'use':{'errors':{'e':{'type':'t','status':4}}}", "4}",
	     "status: expected 100 to 599, found another number"},
	    {"'use':{'timeouts':{'t':{'after':'x'}}}", "'x'", "after: expected a duration"},
	    {"'use':{'authentications':{'a':{'digest':{}}}}", "'digest'",
	     "not supported yet: key 'digest'"},
	    {"'use':{'authentications':{'a':{'oauth2':{}}}}", "'oauth2'",
	     "not supported yet: key 'oauth2'"},
	    {"'use':{'authentications':{'a':{'oidc':{}}}}", "'oidc'",
	     "not supported yet: key 'oidc'"},
	    {"'use':{'secrets':['a/b/c']}", "'a/b/c'", "secrets: expected KEY or SCOPE/KEY"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < demon_count(cases); i++)
		refuse(f, cases[i].more, "{'t1':" SET "}", cases[i].at, cases[i].want);
}

static void a_wrong_policy_is_told_once_however_often_it_is_named(void **state)
{
	struct fixture *f = *state;

	refuse(f, "'use':{'retries':{'r':{'dely':1}}}",
	       "{'a':{'try':[{'x':" SET "}],'catch':{'retry':'r'}}},"
	       "{'b':{'try':[{'x':" SET "}],'catch':{'retry':'r'}}}",
	       "'dely'", "unknown key 'dely'");
}

static void ten_thousand_tasks_are_read(void **state)
{
	struct fixture *f = *state;

	begin(f, "");
	for (unsigned i = 0; i < 10000; i++)
		demon_buf_fmt(&f->text, "%s{'t%u':{'set':{'v':1},'then':'t%u'}}", i ? "," : "", i,
			      i == 9999 ? i : i + 1);
	assert_rc(end(f), DEMON_INVALID, &f->err);
	assert_int_equal(f->problems.count, 1);
	assert_contains(f->err.msg, "tasks go in a circle for ever from 't0' on");
	begin(f, "");
	for (unsigned i = 0; i < 10000; i++)
		demon_buf_fmt(&f->text, "%s{'t%u':{'set':{'v':1}}}", i ? "," : "", i);
	assert_ok(end(f), &f->err);
	assert_int_equal(f->definition->root.count, 10000);
	assert_string_equal(task(f, 9999)->reference, "/do/9999/t9999");
}

static void nest(struct fixture *f, unsigned levels)
{
	begin(f, "");
	for (unsigned i = 0; i < levels; i++)
		demon_buf_str(&f->text, "{'d':{'do':[");
	demon_buf_str(&f->text, "{'a':" SET "}");
	for (unsigned i = 0; i < levels; i++)
		demon_buf_str(&f->text, "]}}");
}

static void lists_in_lists_end_at_sixty_levels_of_the_document(void **state)
{
	struct fixture *f = *state;

	nest(f, 18);
	assert_ok(end(f), &f->err);
	nest(f, 20);
	assert_rc(end(f), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "nested deeper than 60 levels");
	nest(f, 1000);
	assert_rc(end(f), DEMON_TOOBIG, &f->err);
	assert_contains(f->err.msg, "more than 100 levels");
	assert_int_equal(f->problems.count, 1);
}

static void lack_of_memory_is_an_error_and_leaks_nothing(void **state)
{
	static const char use[] = "'use':{'functions':{'f':{'call':'echo','with':{'message':'a'}}},"
				  "'retries':{'r':{'when':'.x','delay':'PT1S'}}}";
	static const char tasks[] =
	    "{'a':{'call':'f','with':{'message':'${ .m }'}}},{'b':{'for':{'in':'.l'},'do':[{'c':"
	    "{'set':{'v':['${ $item }']}}}]}},{'t':{'try':[{'x':" SET
	    "}],'catch':{'retry':'r','do':[{'y':" SET "}]}}}";
	struct fixture *f = *state;
	enum demon_rc rc = DEMON_NOMEM;
	unsigned nth = 0;

	begin(f, use);
	demon_buf_str(&f->text, tasks);
	(void)end(f);
	while (rc) {
		reset(f);
		demon_fault_arm(DEMON_FAULT_ALLOC, ++nth, false);
		rc = demon_definition_load("file", f->text.data, f->text.len, &f->definition,
					   &f->problems, &f->err);
		(void)demon_fault_disarm();
		if (rc != DEMON_OK && rc != DEMON_NOMEM)
			fail_msg("allocation %u: %s", nth, f->err.msg);
		assert_true(nth < 10000);
	}
	assert_true(nth > 20);
	assert_int_equal(f->definition->root.count, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_loop_may_be_left_from_within_a_list),
	    TEST(a_loop_that_nothing_leaves_is_refused),
	    TEST(what_no_way_leads_to_is_refused),
	    TEST(many_problems_leave_nothing_unsaid_about_broken_lists),
	    TEST(a_document_has_its_namespace_in_its_id),
	    TEST(tasks_follow_each_other_as_then_says),
	    TEST(every_task_is_referred_to_by_its_place),
	    TEST(a_policy_is_read_as_a_whole),
	    TEST(a_policy_without_anything_has_no_limit),
	    TEST(names_of_use_stand_for_what_they_name),
	    TEST(what_use_stands_for_is_limited_however_often_it_is_named),
	    TEST(a_programs_output_is_asked_of_its_run),
	    TEST(tasks_are_refused_with_their_place),
	    TEST(parts_of_the_document_are_refused_with_their_place),
	    TEST(a_wrong_policy_is_told_once_however_often_it_is_named),
	    TEST(ten_thousand_tasks_are_read),
	    TEST(lists_in_lists_end_at_sixty_levels_of_the_document),
	    TEST(lack_of_memory_is_an_error_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
