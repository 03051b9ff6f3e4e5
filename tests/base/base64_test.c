#include "support/test.h"

#include "base/base64.h"

#include <stdio.h>

static const char *const vectors[][3] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+", "-__-"},
};

static void texts_become_the_bytes_that_they_stand_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct demon_buf out = {.data = demon_buf_empty};

		assert_true(demon_base64_read(vectors[i][1], strlen(vectors[i][1]), &out));
		assert_string_equal(out.data, vectors[i][0]);
		demon_buf_clear(&out);
		assert_true(demon_base64url_read(vectors[i][2], strlen(vectors[i][2]), &out));
		assert_string_equal(out.data, vectors[i][0]);
		demon_buf_clear(&out);
		demon_base64url(&out, vectors[i][0], strlen(vectors[i][0]));
		assert_string_equal(out.data, vectors[i][2]);
		demon_buf_done(&out);
	}
}

static void what_is_not_quite_one_is_refused(void **state)
{
	static const char *const padded[] = {
	    "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm9v\n", "Zm-v", "=", "Zm8=Zm8="};
	static const char *const plain[] = {"Z", "Zh", "Zm9", "Zg==", "Zm9vY", "Zm+v", "Zm/v", " "};

	(void)state;
	for (size_t i = 0; i < sizeof(padded) / sizeof(padded[0]); i++) {
		struct demon_buf out = {.data = demon_buf_empty};

		if (demon_base64_read(padded[i], strlen(padded[i]), &out))
			fail_msg("'%s' was taken", padded[i]);
		demon_buf_done(&out);
	}
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		struct demon_buf out = {.data = demon_buf_empty};

		if (demon_base64url_read(plain[i], strlen(plain[i]), &out))
			fail_msg("'%s' was taken", plain[i]);
		demon_buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_become_the_bytes_that_they_stand_for),
	    cmocka_unit_test(what_is_not_quite_one_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
