/*
 * Messages: what a notice becomes in the format of each kind of route.
 */
#include "support/test.h"

#include "domain/notify/mail.h"
#include "domain/notify/message.h"
#include "domain/notify/signature.h"

#include <stdio.h>

#define KEY "00112233445566778899aabbccddeeff"

struct fixture {
	json_t *value;
	json_t *payload;
	struct demon_event event;
	struct demon_notice notice;
	struct demon_message message;
	json_t *body;
	struct demon_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->payload =
	    json_pack("{s:s,s:s,s:i,s:s}", "requester", "kim@corp.test", "reason",
		      "ship <it>\r\nnow", "round", 2, "expiresAt", "2026-02-01T10:00:00.000Z");
	f->event = (struct demon_event){.ts = INT64_C(1769936400123),
					.tenant_id = "blue",
					.ritual_id = "deploy",
					.run_id = "r-1",
					.gate_id = "prod",
					.run_origin = {0xab}};
	f->notice = (struct demon_notice){.topic = demon_topic_find("approval.requested"),
					  .event = &f->event,
					  .payload = f->payload,
					  .key = KEY,
					  .route = "hook",
					  .node = "edge-1",
					  .base_url = "https://ops.test/demon/"};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_message_done(&f->message);
	json_decref(f->value);
	json_decref(f->payload);
	json_decref(f->body);
	free(f);
	return 0;
}

/* Builds a message by a route; ' stands for ". */
static const char *build(struct fixture *f, const char *route)
{
	char *text = strdup(route);
	struct demon_route r;

	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	json_decref(f->value);
	f->value = json_loads(text, 0, NULL);
	free(text);
	assert_non_null(f->value);
	/* secrets have been filled in: the value is not what can be set */
	demon_route_read(f->value, &r);
	demon_message_done(&f->message);
	assert_ok(demon_message_build(&r, &f->notice, 1769936500999, &f->message, &f->err),
		  &f->err);
	json_decref(f->body);
	f->body = json_loads(f->message.body.data, 0, NULL);
	return f->message.body.data;
}

static const char *field(const struct fixture *f, const char *name)
{
	const char *value = demon_http_fields_get(&f->message.fields, name);

	return value ? value : "(none)";
}

static const char *text_at(const struct fixture *f, const char *key)
{
	const char *text = json_string_value(json_object_get(f->body, key));

	return text ? text : "(none)";
}

static void a_webhook_says_it_all_in_json(void **state)
{
	struct fixture *f = *state;

	(void)build(f, "{'kind':'webhook','url':'https://a.test','events':['approval.requested']}");
	assert_string_equal(text_at(f, "event"), "approval.requested");
	assert_string_equal(text_at(f, "id"), KEY);
	assert_string_equal(text_at(f, "runId"), "r-1");
	assert_string_equal(text_at(f, "runOrigin"), "ab000000000000000000000000000000");
	assert_string_equal(text_at(f, "url"), "https://ops.test/demon/runs/r-1");
	assert_string_equal(text_at(f, "ts"), "2026-02-01T09:00:00.123Z");
	assert_string_equal(text_at(f, "title"), "approval requested: gate prod of deploy");
	assert_contains(text_at(f, "text"), "kim@corp.test asks for an approval: ship <it>\nnow\n");
	assert_true(json_equal(json_object_get(f->body, "data"), f->payload));
	assert_string_equal(field(f, "Content-Type"), "application/json");
	assert_string_equal(field(f, "Idempotency-Key"), KEY);
	assert_string_equal(field(f, "Webhook-Id"), KEY);
	assert_string_equal(field(f, "Webhook-Timestamp"), "1769936500");
	assert_string_equal(field(f, "Webhook-Signature"), "(none)");
}

static void a_webhook_is_signed_over_id_time_and_body(void **state)
{
	struct fixture *f = *state;
	struct demon_buf want = {.data = demon_buf_empty};

	(void)build(f, "{'kind':'webhook','url':'https://a.test','secret':'whsec_c2VjcmV0'}");
	const struct demon_piece body = {f->message.body.data, f->message.body.len};

	assert_ok(demon_signature("secret", KEY, 1769936500, &body, &want, &f->err), &f->err);
	assert_string_equal(field(f, "Webhook-Signature"), want.data);
	demon_buf_done(&want);
}

static void the_signature_is_that_of_the_specification(void **state)
{
	struct fixture *f = *state;
	struct demon_buf out = {.data = demon_buf_empty};
	static const struct demon_piece body = {"{\"test\": 2432232314}", 20};
	static const struct demon_piece none = {"", 0};
	unsigned char mac[32];
	const struct demon_piece data = {"what do ya want for nothing?", 28};
	static const unsigned char rfc4231[32] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
						  0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
						  0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
						  0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};

	assert_ok(demon_hmac_sha256("Jefe", 4, &data, 1, mac, &f->err), &f->err);
	assert_memory_equal(mac, rfc4231, sizeof(mac));
	assert_ok(demon_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
				  "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, &body, &out, &f->err),
		  &f->err);
	assert_string_equal(out.data, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	assert_rc(demon_signature("whsec_!", "i", 1, &none, &out, &f->err), DEMON_INVALID, &f->err);
	demon_buf_done(&out);
}

static void a_webhook_may_have_a_body_of_its_own(void **state)
{
	struct fixture *f = *state;

	(void)build(f, "{'kind':'webhook','templates':{'*':{'body':{'msg':'{{requester}}: "
		       "{{reason}}','n':[1,null,true,'{{round}}']}}}}");
	assert_string_equal(
	    f->message.body.data,
	    "{\"msg\":\"kim@corp.test: ship <it>\\nnow\",\"n\":[1,null,true,\"2\"]}");
}

static void a_chat_gets_one_text_without_links_of_others(void **state)
{
	struct fixture *f = *state;

	(void)build(f, "{'kind':'slack'}");
	assert_contains(text_at(f, "text"), "*approval requested: gate prod of deploy*\n");
	assert_contains(text_at(f, "text"), "ship &lt;it&gt;\nnow");
	assert_contains(text_at(f, "text"), "https://ops.test/demon/runs/r-1");
	assert_int_equal(json_object_size(f->body), 1);
}

static void an_incident_begins_and_ends_under_one_key(void **state)
{
	static const char route[] = "{'kind':'pagerduty','routingKey':'R'}";
	static const char key[] = "ab000000000000000000000000000000/blue/r-1/prod";
	struct fixture *f = *state;
	const json_t *payload;

	(void)build(f, route);
	assert_string_equal(text_at(f, "event_action"), "trigger");
	assert_string_equal(text_at(f, "dedup_key"), key);
	assert_string_equal(text_at(f, "routing_key"), "R");
	payload = json_object_get(f->body, "payload");
	assert_string_equal(json_string_value(json_object_get(payload, "severity")), "warning");
	assert_string_equal(json_string_value(json_object_get(payload, "source")), "edge-1");
	assert_string_equal(json_string_value(json_object_get(payload, "summary")),
			    "approval requested: gate prod of deploy");
	f->notice.topic = demon_topic_find("approval.vote");
	(void)build(f, route);
	assert_string_equal(text_at(f, "event_action"), "acknowledge");
	f->notice.topic = demon_topic_find("approval.decided");
	(void)build(f, route);
	assert_string_equal(text_at(f, "event_action"), "resolve");
	assert_string_equal(text_at(f, "dedup_key"), key);
	f->notice.topic = demon_topic_find("ritual.failed");
	(void)build(f, route);
	assert_string_equal(text_at(f, "dedup_key"), "ab000000000000000000000000000000/blue/r-1");
}

static void a_mail_has_lines_that_nobody_else_can_add_to(void **state)
{
	struct fixture *f = *state;
	const char *mail;

	f->notice.recipient = "lee@corp.test";
	f->notice.link = "https://ops.test/demon/approve#TOKEN";
	json_object_set_new(f->payload, "requester",
			    json_string("x\r\nBcc: evil@corp.test\r\n\r\n.\r\nQUIT\r\n"));
	mail = build(f, "{'kind':'smtp','from':'demon@corp.test','templates':{'*':{'title':"
			"'{{requester}} asks'}}}");
	assert_contains(mail, "From: <demon@corp.test>\r\nTo: <lee@corp.test>\r\nSubject: x  Bcc: "
			      "evil@corp.test    .  QUIT   asks\r\n");
	assert_contains(mail, "\r\nDate: Sun, 1 Feb 2026 09:00:00 +0000\r\n");
	assert_contains(mail, "\r\nMessage-ID: <" KEY "@corp.test>\r\n");
	assert_contains(mail, "\r\nContent-Transfer-Encoding: base64\r\n");
	assert_null(strstr(mail, "\r\nBcc"));
	assert_null(strstr(mail, "\r\n."));
	for (const char *line = mail; *line; line = strchr(line, '\n') + 1)
		assert_true(strcspn(line, "\r") <= 76 && line[strcspn(line, "\r") + 1] == '\n');
}

static void subjects_in_other_scripts_are_encoded_in_pieces(void **state)
{
	struct demon_buf out = {.data = demon_buf_empty};

	(void)state;
	demon_mail_header_text("plain", 9, &out);
	assert_string_equal(out.data, "plain");
	demon_buf_clear(&out);
	demon_mail_header_text("=?evil?=", 9, &out);
	assert_string_equal(out.data, "=?UTF-8?B?PT9ldmlsPz0=?=");
	demon_buf_clear(&out);
	demon_mail_header_text("äöü", 9, &out);
	assert_string_equal(out.data, "=?UTF-8?B?w6TDtsO8?=");
	demon_buf_clear(&out);
	demon_mail_header_text("日本語日本語日本語日本語日本語", 9, &out);
	assert_string_equal(out.data, "=?UTF-8?B?5pel5pys6Kqe5pel5pys6Kqe5pel5pys6Kqe5pel5pys6Kqe"
				      "5pel?=\r\n =?UTF-8?B?5pys6Kqe?=");
	demon_buf_done(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_webhook_says_it_all_in_json),
	    TEST(a_webhook_is_signed_over_id_time_and_body),
	    TEST(the_signature_is_that_of_the_specification),
	    TEST(a_webhook_may_have_a_body_of_its_own),
	    TEST(a_chat_gets_one_text_without_links_of_others),
	    TEST(an_incident_begins_and_ends_under_one_key),
	    TEST(a_mail_has_lines_that_nobody_else_can_add_to),
	    TEST(subjects_in_other_scripts_are_encoded_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
