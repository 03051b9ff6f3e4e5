/*
 * Any text is a policy or refused in words; what was accepted decides. Any file is a time zone or
 * damaged; what was read tells a time of day. The first byte says which is tried.
 */
#include "domain/ward/policy.h"

#include "fuzz.h"

#include <string.h>

static void try_zone(const uint8_t *data, size_t size)
{
	static const demon_time times[] = {-5000000000000, 0, 1774746000000, 6000000000000};
	demon_cleanup(demon_zone_free_p) struct demon_zone *zone = NULL;
	struct demon_err err;
	enum demon_rc rc = demon_zone_parse(data, size, &zone, &err);

	fuzz_assert(rc == DEMON_OK || (rc == DEMON_CORRUPT && err.msg[0]));
	for (size_t i = 0; zone && i < demon_count(times); i++) {
		struct demon_local local = demon_zone_local(zone, times[i]);
		char text[DEMON_LOCAL_LEN + 1];

		fuzz_assert(local.minute >= 0 && local.minute < 1440);
		fuzz_assert(local.weekday >= 0 && local.weekday < 7);
		demon_local_text(&local, text);
		fuzz_assert(strlen(text) == DEMON_LOCAL_LEN);
	}
}

static void try_quotas(const struct demon_quota_texts *texts)
{
	json_auto_t *documents = NULL;
	json_auto_t *rules = NULL;
	struct demon_err err = {.rc = DEMON_OK};
	struct demon_quota q;
	enum demon_rc rc = demon_quotas_read(texts, &documents, &rules, &err);

	fuzz_assert(rc == DEMON_OK || err.msg[0]);
	fuzz_assert(!documents == !rules);
	if (!demon_quota_find(json_object_get(documents, "blue"), json_object_get(documents, "*"),
			      "capsule.http", &q))
		return;
	fuzz_assert(q.limit >= 0 && q.limit <= DEMON_QUOTA_LIMIT_MAX);
	fuzz_assert(q.window_s >= 1 && q.window_s <= DEMON_QUOTA_WINDOW_MAX);
}

static void try_schedules(const char *text)
{
	json_auto_t *documents = NULL;
	struct demon_schedules schedules = {.zones = "/nowhere"};
	struct demon_schedule_verdict v = {.result = DEMON_SCHEDULE_NONE};
	struct demon_err err = {.rc = DEMON_OK};
	enum demon_rc rc = demon_schedules_read(text, DEMON_ZONES_LATER, &documents, &err);

	fuzz_assert(rc == DEMON_OK || err.msg[0]);
	schedules.of_node = json_object_get(documents, "*");
	rc = demon_schedule_judge(&schedules, "capsule.echo", 0, &v, &err);
	/* no zone is there, so no rule has ever decided */
	fuzz_assert(rc || v.result == DEMON_SCHEDULE_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size ? demon_strndup((const char *)data + 1, size - 1) : NULL;

	if (!text)
		return 0;
	if (*data == 'z')
		try_zone(data + 1, size - 1);
	else if (*data == 's')
		try_schedules(text);
	else if (*data == 't')
		try_quotas(&(struct demon_quota_texts){.tenants = text});
	else if (*data == 'g')
		try_quotas(&(struct demon_quota_texts){.global = text});
	else
		try_quotas(&(struct demon_quota_texts){.capabilities = text});
	free(text);
	return 0;
}
