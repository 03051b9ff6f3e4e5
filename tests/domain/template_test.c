/*
 * Templates: what they take, and what values can do to the text around them.
 */
#include "support/test.h"

#include "domain/notify/template.h"

static const char *const names[] = {"reason", "requester", "round"};

static const char *render(const char *text, const char *reason, enum demon_escape escape)
{
	static struct demon_buf out = {.data = demon_buf_empty};
	json_t *values = json_pack("{s:s*,s:i}", "reason", reason, "round", 3);

	demon_buf_clear(&out);
	demon_template_render(text, values, escape, &out);
	json_decref(values);
	assert_int_equal(out.rc, DEMON_OK);
	return out.data;
}

static void names_are_replaced_by_their_values(void **state)
{
	(void)state;
	assert_string_equal(render("why: {{reason}}, {{ round }}", "x", DEMON_ESCAPE_TEXT),
			    "why: x, 3");
	assert_string_equal(render("{{reason}}{{reason}}", "ab", DEMON_ESCAPE_TEXT), "abab");
	assert_string_equal(render("[{{requester}}]", NULL, DEMON_ESCAPE_TEXT), "[]");
	assert_string_equal(render("no names } { }} at all", NULL, DEMON_ESCAPE_TEXT),
			    "no names } { }} at all");
}

static void a_value_is_never_a_template(void **state)
{
	(void)state;
	assert_string_equal(render("{{reason}}", "{{round}}{{", DEMON_ESCAPE_TEXT), "{{round}}{{");
}

static void one_line_stays_one(void **state)
{
	(void)state;
	assert_string_equal(render("{{reason}}", "a\r\nBcc: x\n\x0b\x0c\xc2\x85\xe2\x80\xa8z\tz",
				   DEMON_ESCAPE_LINE),
			    "a  Bcc: x     z z");
	assert_string_equal(render("{{reason}}", "a\r\nb\tc\x1b[31m\x7f", DEMON_ESCAPE_TEXT),
			    "a\nb\tc[31m");
}

static void text_cannot_change_its_direction(void **state)
{
	(void)state;
	assert_string_equal(render("{{reason}}",
				   "a\xe2\x80\xae"
				   "b\xe2\x81\xa6"
				   "c\xef\xbb\xbf",
				   DEMON_ESCAPE_TEXT),
			    "abc");
	assert_string_equal(render("{{reason}}", "ä \xf0\x9f\x9a\x80 日本", DEMON_ESCAPE_LINE),
			    "ä \xf0\x9f\x9a\x80 日本");
}

static void chats_see_no_links_or_mentions_in_values(void **state)
{
	(void)state;
	assert_string_equal(render("<{{reason}}>", "<!channel> & <http://x|y>", DEMON_ESCAPE_CHAT),
			    "<&lt;!channel&gt; &amp; &lt;http://x|y&gt;>");
}

static void long_values_are_cut_between_characters(void **state)
{
	char *text = calloc(1, 200001);
	size_t len;

	(void)state;
	for (size_t i = 0; i < 200000; i++)
		text[i] = i % 2 ? '\xa4' : '\xc3';
	len = strlen(render("{{reason}}{{reason}}{{reason}}", text, DEMON_ESCAPE_TEXT));
	assert_in_range(len, DEMON_TEMPLATE_OUT - 8, DEMON_TEMPLATE_OUT + 16);
	free(text);
}

static void a_template_is_checked_before_it_is_used(void **state)
{
	struct demon_err err;

	(void)state;
	assert_ok(demon_template_check("{{ round }} {{reason}}", names, 3, &err), &err);
	assert_rc(demon_template_check("{{raeson}}", names, 3, &err), DEMON_INVALID, &err);
	assert_string_equal(err.msg, "there is no value '{{raeson}}' (did you mean 'reason'?)");
	assert_rc(demon_template_check("{{reason", names, 3, &err), DEMON_INVALID, &err);
	assert_string_equal(err.msg, "'{{' is not followed by '}}'");
	assert_rc(demon_template_check("{{}}", names, 3, &err), DEMON_INVALID, &err);
	assert_rc(demon_template_check("{{reason round}}", names, 3, &err), DEMON_INVALID, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_replaced_by_their_values),
	    cmocka_unit_test(a_value_is_never_a_template),
	    cmocka_unit_test(one_line_stays_one),
	    cmocka_unit_test(text_cannot_change_its_direction),
	    cmocka_unit_test(chats_see_no_links_or_mentions_in_values),
	    cmocka_unit_test(long_values_are_cut_between_characters),
	    cmocka_unit_test(a_template_is_checked_before_it_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
