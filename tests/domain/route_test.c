/*
 * Values of routes: what they are, and what is wrong with all others.
 */
#include "support/test.h"

#include "domain/notify/route.h"

static json_t *json_of(const char *text)
{
	char *copy = strdup(text);
	json_t *json;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	json = json_loads(copy, 0, NULL);
	if (!json)
		fail_msg("no JSON: %s", copy);
	free(copy);
	return json;
}

/* The message, or "". */
static const char *problem(const char *text)
{
	static struct demon_err err;
	struct demon_route route;
	json_t *value = json_of(text);
	enum demon_rc rc = demon_route_parse(value, &route, &err);

	json_decref(value);
	assert_true(rc == DEMON_OK || rc == DEMON_INVALID);
	return rc ? err.msg : "";
}

static void every_kind_has_its_members(void **state)
{
	static const char *const good[] = {
	    "{'kind':'webhook','url':'https://a.test/x?y=1','events':['approval.requested']}",
	    "{'kind':'webhook','url':'secret://hooks/url','events':['ritual.failed'],"
	    "'secret':'secret://hooks/key','headers':{'X-Team':'ops','Authorization':'Bearer "
	    "secret://hooks/token'},'links':true,'rituals':['deploy'],'timeout':5,'attempts':3,"
	    "'disabled':true,'caFile':'/etc/ca.pem','templates':{'*':{'title':'{{ritual}}',"
	    "'body':{'a':['{{reason}}',1,null]}},'ritual.failed':{'text':'{{error}}'}}}",
	    "{'kind':'slack','url':'secret://slack/hook','events':['approval.decided']}",
	    "{'kind':'pagerduty','routingKey':'secret://pd/key','events':['ritual.failed'],"
	    "'severity':'critical'}",
	    "{'kind':'smtp','url':'smtp://mail.test:587','from':'demon@a.test','to':['ops@a.test'],"
	    "'username':'secret://mail/user','password':'secret://mail/pw','events':"
	    "['approval.requested'],'approvers':true,'links':true}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_string_equal(problem(good[i]), "");
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
	static const char *const bad[][2] = {
	    {"[]", "at '': expected a mapping, found a list"},
	    {"{}", "at '/kind': expected webhook, slack, pagerduty or smtp, found nothing"},
	    {"{'kind':'email'}",
	     "at '/kind': expected webhook, slack, pagerduty or smtp, found 'email'"},
	    {"{'kind':'webhook','events':['ritual.failed']}", "at '': 'url' is missing"},
	    {"{'kind':'webhook','url':'https://a.test'}", "at '': 'events' is missing"},
	    {"{'kind':'webhook','url':'https://a.test','events':[]}",
	     "at '/events': expected 1 to 64 entries, found 0"},
	    {"{'kind':'webhook','url':'https://a.test','events':['ritual.faild']}",
	     "at '/events/0': 'ritual.faild' is no event of notifications (did you mean "
	     "'ritual.failed'?)"},
	    {"{'kind':'webhook','url':'https://a.test','events':['test']}",
	     "at '/events/0': 'test' is no event of notifications"},
	    {"{'kind':'webhook','url':'https://a.test','events':['ritual.failed'],'tiemout':3}",
	     "at '': a route of kind webhook has no 'tiemout' (did you mean 'timeout'?)"},
	    {"{'kind':'slack','url':'https://a.test','events':['ritual.failed'],'secret':'x'}",
	     "at '': a route of kind slack has no 'secret'"},
	    {"{'kind':'webhook','url':'https://a.test','events':['ritual.failed'],'secret':'s3cr'}",
	     "at '/secret': expected the name of a secret, secret://SCOPE/KEY"},
	    {"{'kind':'webhook','url':'https://a.test','events':['ritual.failed'],'headers':"
	     "{'X':'a\\r\\nY: b'}}",
	     "at '/headers/X': 'a  Y: b' is not the value of a header field"},
	    {"{'kind':'webhook','url':'https://a.test','events':['ritual.failed'],'headers':"
	     "{'webhook-signature':'x'}}",
	     "at '/headers': 'webhook-signature' is a field that cannot be set"},
	    {"{'kind':'webhook','url':'https://a.test','events':['ritual.failed'],'templates':"
	     "{'ritual.failed':{'text':'{{eror}}'}}}",
	     "at '/templates/ritual.failed/text': there is no value '{{eror}}' (did you mean "
	     "'error'?)"},
	    {"{'kind':'slack','url':'https://a.test','events':['ritual.failed'],'templates':"
	     "{'*':{'body':{}}}}",
	     "at '/templates/*': 'body' is not title, text or (of a webhook) body"},
	    {"{'kind':'webhook','url':'https://a.test','events':['ritual.failed'],'templates':"
	     "{'*':{'title':'a\\nb'}}}",
	     "at '/templates/*/title': 'a b' is not one short line"},
	    {"{'kind':'webhook','url':'https://a.test','events':['ritual.failed'],'timeout':61}",
	     "at '/timeout': expected a number of seconds from 1 to 60, found an integer"},
	    {"{'kind':'smtp','url':'smtp://m.test','from':'a@b.test','events':['ritual.failed']}",
	     "at '': a route of kind smtp needs 'to' or 'approvers'"},
	    {"{'kind':'smtp','url':'smtp://m.test','from':'a@b.test','to':['x@y.test\\r\\nBcc: "
	     "z@y.test'],'events':['ritual.failed']}",
	     "at '/to/0': 'x@y.test  Bcc: z@y.test' is not a mail address like ops@example.org"},
	    {"{'kind':'smtp','url':'smtp://m.test','from':'a@b.test','to':['x@y.test'],'events':"
	     "['ritual.failed'],'username':'secret://m/u'}",
	     "at '': 'username' and 'password' go together"},
	    {"{'kind':'smtp','url':'smtp://m.test','from':'a@b.test','to':['x@y.test'],'events':"
	     "['ritual.failed'],'username':'secret://m/u','password':'secret://m/p','startTls':"
	     "'never'}",
	     "at '/startTls': a password does not go without TLS"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_string_equal(problem(bad[i][0]), bad[i][1]);
}

static void addresses_are_addresses(void **state)
{
	static const char *const urls[] = {"",
					   "a.test",
					   "ftp://a.test",
					   "https://",
					   "https:///x",
					   "https://kim:pw@a.test",
					   "https://a.test/\\u0000",
					   "https://a.test/a b",
					   "secret://a/b/c",
					   "xsecret://a/b",
					   "smtp://a.test"};
	static const char *const mails[] = {"",      "a",          "@b.test",    "a@",
					    "a@b@c", "a b@c.test", "a@b..c",     "<a@b.test>",
					    "a@.b",  "-f@b.test",  "a,b@c.test", "\xc3\xa4@b.test"};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct demon_err err;
		struct demon_route route;
		json_t *value =
		    json_pack("{s:s,s:s,s:[s]}", "kind", "webhook", "url",
			      strstr(urls[i], "u0000") ? "https://a.test/\x01" : urls[i], "events",
			      "ritual.failed");

		if (demon_route_parse(value, &route, &err) != DEMON_INVALID)
			fail_msg("'%s' was taken", urls[i]);
		json_decref(value);
	}
	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++)
		if (demon_mail_is_address(mails[i]))
			fail_msg("'%s' was taken", mails[i]);
	assert_true(demon_mail_is_address("kim.o'neil+demon@sub.corp.test"));
}

static void a_route_takes_the_events_and_rituals_that_it_names(void **state)
{
	json_t *value = json_of("{'kind':'slack','url':'https://a.test','events':['ritual.failed',"
				"'approval.requested'],'rituals':['deploy']}");
	const struct demon_topic *failed = demon_topic_find("ritual.failed");
	struct demon_route route;
	struct demon_err err;

	(void)state;
	assert_ok(demon_route_parse(value, &route, &err), &err);
	assert_true(demon_route_takes(&route, failed, "deploy"));
	assert_false(demon_route_takes(&route, failed, "other"));
	assert_false(demon_route_takes(&route, failed, NULL));
	assert_false(demon_route_takes(&route, demon_topic_find("ritual.canceled"), "deploy"));
	route.disabled = true;
	assert_false(demon_route_takes(&route, failed, "deploy"));
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_has_its_members),
	    cmocka_unit_test(what_is_wrong_is_said_with_its_place),
	    cmocka_unit_test(addresses_are_addresses),
	    cmocka_unit_test(a_route_takes_the_events_and_rituals_that_it_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
