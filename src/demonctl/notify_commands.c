#include "notify_commands.h"

static const struct demon_opt change_options[] = {
    {.name = "all-tenants", .help = "of the whole node, instead of the one of --tenant"},
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = "reason", .value = "TEXT", .help = "why"},
    {.name = NULL},
};

static const struct demon_opt routes_list_options[] = {
    {.name = "all-tenants", .help = "of every tenant"},
    {.name = NULL},
};

static const struct demon_opt test_options[] = {
    {.name = "all-tenants", .help = "the route of the whole node"},
    {.name = "to", .value = "ADDRESS", .help = "of mails: to this one, not to all of the route"},
    {.name = NULL},
};

static const struct demon_opt list_options[] = {
    {.name = "state", .value = "STATE", .help = "due, sent or dead; default: dead, then due"},
    {.name = "limit", .value = "N", .help = "at most so many of a state; default 50"},
    {.name = NULL},
};

static const struct demon_opt all_options[] = {
    {.name = "all", .help = "all that are dead, instead of those named"},
    {.name = NULL},
};

const struct demon_command demon_routes_commands[] = {
    {.name = "set",
     .summary = "say where notifications go",
     .arguments = "NAME VALUE|@FILE",
     .text = "The value is a mapping in JSON; a FILE may also be YAML, @- is standard input.\n"
	     "docs/notifications.md has its members. A tenant's route takes the place of the\n"
	     "node's route of that name. It takes what happens from now on. Secrets are named,\n"
	     "secret://SCOPE/KEY, and looked up by the daemon when it sends. With --json {name,\n"
	     "tenant, noop}.",
     .examples = "demonctl routes set oncall @oncall.yaml --all-tenants\n"
		 "demonctl routes set chat '{\"kind\":\"slack\",\"url\":\"secret://chat/hook\","
		 "\"events\":[\"approval.requested\"]}'",
     .options = change_options,
     .run = demon_command_routes_set,
     .min_words = 2,
     .max_words = 2,
     .role = DEMON_ROLE_ADMIN,
     .of_tenant = true},
    {.name = "list",
     .summary = "the routes of the tenant and of the node",
     .arguments = "",
     .text = "Those of all tenants have the tenant '*'. With --json {name, tenant, value, by, ts}\n"
	     "a line.",
     .examples = "demonctl routes list\n"
		 "demonctl routes list --all-tenants --json",
     .options = routes_list_options,
     .run = demon_command_routes_list,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = "remove",
     .summary = "take a route away",
     .arguments = "NAME",
     .text = "What was still to be sent by it is given up (see 'notifications').",
     .examples = "demonctl routes remove chat --reason 'moved to the new room'",
     .options = change_options,
     .run = demon_command_routes_remove,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_ADMIN,
     .of_tenant = true},
    {.name = "test",
     .summary = "send a test by a route, now and from here",
     .arguments = "NAME",
     .text = "Once, without the daemon, with the secrets that this process finds. Exit status 1\n"
	     "if it is not taken. At PagerDuty it opens an incident.",
     .examples = "demonctl routes test chat\n"
		 "demonctl routes test mail --to kim@example.org --all-tenants",
     .options = test_options,
     .run = demon_command_routes_test,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_ADMIN,
     .of_tenant = true},
    {.name = NULL},
};

const struct demon_command demon_notifications_commands[] = {
    {.name = "list",
     .summary = "what was given up, and what is still to be sent",
     .arguments = "",
     .text = "The newest first. With --json {key, state, topic, tenantId, runId, gateId, route,\n"
	     "routeTenant, recipient, attempts, createdAt, nextAt, endedAt, status, error} a line.",
     .examples = "demonctl notifications list\n"
		 "demonctl notifications list --state sent --limit 10 --json",
     .options = list_options,
     .run = demon_command_notifications_list,
     .role = DEMON_ROLE_OPERATOR},
    {.name = "show",
     .summary = "one notification",
     .arguments = "KEY",
     .examples = "demonctl notifications show 0f2c9e4b7a6d5c3e1b8f9a7d6c5e4f3a",
     .run = demon_command_notifications_show,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_OPERATOR},
    {.name = "retry",
     .summary = "send again what was given up",
     .arguments = "[KEY...]",
     .text = "With the same idempotency key; the daemon sends it. With --json {count}.",
     .examples = "demonctl notifications retry --all\n"
		 "demonctl notifications retry 0f2c9e4b7a6d5c3e1b8f9a7d6c5e4f3a",
     .options = all_options,
     .run = demon_command_notifications_retry,
     .max_words = DEMON_ANY_WORDS,
     .role = DEMON_ROLE_OPERATOR},
    {.name = "drop",
     .summary = "forget what was given up",
     .arguments = "[KEY...]",
     .examples = "demonctl notifications drop --all",
     .options = all_options,
     .run = demon_command_notifications_drop,
     .max_words = DEMON_ANY_WORDS,
     .role = DEMON_ROLE_OPERATOR},
    {.name = NULL},
};
