#include "policy.h"

static const struct demon_opt change_options[] = {
    {.name = "reason", .value = "TEXT", .help = "why"},
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = NULL},
};

static const struct demon_opt check_options[] = {
    {.name = "at",
     .value = "TIME",
     .help = "what would be decided then: RFC 3339, a date, or 90s, 12h from now; default: now"},
    {.name = NULL},
};

const struct demon_command demon_policy_commands[] = {
    {.name = "show",
     .summary = "quotas and schedules that hold for the tenant",
     .arguments = "",
     .text = "What is set in the database comes before what the environment of this process says;\n"
	     "that of a daemon may say something else. With --json {tenant, digest, quotas,\n"
	     "schedules}, each of these {source, node, tenant}; fault: why nothing is allowed.",
     .examples = "demonctl policy show\n"
		 "demonctl policy show --tenant blue --json",
     .run = demon_command_policy_show,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = "set",
     .summary = "set quotas or schedules, instead of those that were set",
     .arguments = "quotas|schedules FILE|JSON",
     .text =
	 "Of the whole node, or with --tenant T of that tenant; DEMON_TENANT does not count.\n"
	 "FILE is JSON or YAML, - is standard input. docs/policy.md has what is in it. Names of\n"
	 "capabilities, days and time zones are checked. With --json {name, tenant, value, noop}.",
     .examples = "demonctl policy set quotas '{\"http\":{\"limit\":9,\"windowSeconds\":30},\n"
		 "    \"*\":{\"limit\":100,\"windowSeconds\":60}}' --reason INC-4711\n"
		 "demonctl policy set schedules schedules.yaml --tenant blue",
     .options = change_options,
     .run = demon_command_policy_set,
     .min_words = 2,
     .max_words = 2,
     .role = DEMON_ROLE_ADMIN,
     .of_tenant = true},
    {.name = "remove",
     .summary = "take quotas or schedules away that were set",
     .arguments = "quotas|schedules",
     .text = "Of the whole node, or with --tenant T of that tenant. What the environment says may\n"
	     "hold again. With --json {name, tenant, noop}.",
     .examples = "demonctl policy remove schedules --tenant blue",
     .options = change_options,
     .run = demon_command_policy_remove,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_ADMIN,
     .of_tenant = true},
    {.name = "check",
     .summary = "what would be decided about a capability, and why",
     .arguments = "CAPABILITY",
     .text = "Nothing is used up and nothing is written. Exit status 5 when it would be denied.\n"
	     "With --json {tenant, capability, at, allowed, asked, reason, source, rule, detail,\n"
	     "limit, windowSeconds, used, remaining, windowStart, windowEnd, localTime,\n"
	     "policyDigest}; remaining is what there is before it is asked for.",
     .examples = "demonctl policy check http\n"
		 "demonctl policy check capsule.exec --tenant blue --at 2026-12-24T18:00:00Z",
     .options = check_options,
     .run = demon_command_policy_check,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = NULL},
};
