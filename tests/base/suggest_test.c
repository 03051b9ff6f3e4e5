#include "support/test.h"

#include "base/base.h"
#include "base/suggest.h"

static const char *const words[] = {"id", "version", "name", "description", "states", "transition"};

static void assert_suggests(const char *word, const char *wanted)
{
	const char *found = demon_suggest(word, words, demon_count(words));

	if (!found != !wanted || (found && strcmp(found, wanted) != 0))
		fail_msg("'%s': expected %s, found %s", word, wanted ? wanted : "nothing",
			 found ? found : "nothing");
}

static void the_nearest_word_is_found(void **state)
{
	(void)state;
	assert_suggests("verison", "version");
	assert_suggests("versoin", "version");
	assert_suggests("stats", "states");
	assert_suggests("state", "states");
	assert_suggests("nmae", "name");
	assert_suggests("VERSION", NULL); /* seven halves are more than two */
	assert_suggests("Version", "version");
	assert_suggests("ID", "id");
	assert_suggests("decsirption", "description");
	assert_suggests("version", "version");
}

static void what_is_far_from_all_words_has_no_neighbour(void **state)
{
	(void)state;
	assert_suggests("", NULL);
	assert_suggests("x", NULL);
	assert_suggests("kubernetes", NULL);
	assert_suggests("na", NULL);
	assert_suggests("transmogrification", NULL);
	assert_null(demon_suggest("name", words, 0));
}

static void the_first_of_equally_near_words_wins(void **state)
{
	static const char *const pair[] = {"cart", "card"};

	(void)state;
	assert_string_equal(demon_suggest("carx", pair, 2), "cart");
	assert_string_equal(demon_suggest("carD", pair, 2), "card");
}

static void long_words_have_no_neighbour(void **state)
{
	static const char *const one[] = {"a"};
	static char word[100001];

	(void)state;
	memset(word, 'a', sizeof(word) - 1);
	assert_null(demon_suggest(word, one, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_nearest_word_is_found),
	    cmocka_unit_test(what_is_far_from_all_words_has_no_neighbour),
	    cmocka_unit_test(the_first_of_equally_near_words_wins),
	    cmocka_unit_test(long_words_have_no_neighbour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
