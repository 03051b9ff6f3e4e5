#include "admin_commands.h"

static const struct demon_opt create_options[] = {
    {.name = "subject", .value = "WHO", .help = "whoever shows it is this; needed"},
    {.name = "role",
     .value = "ROLE",
     .help = "viewer, operator, approver or admin, each of which may do more; needed"},
    {.name = "expires",
     .value = "TIME",
     .help = "RFC 3339, a date, or 12h, 90d from now; default 90d; 'never'"},
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = "reason", .value = "TEXT", .help = "why"},
    {.name = NULL},
};

static const struct demon_opt rotate_options[] = {
    {.name = "overlap",
     .value = "AGE",
     .help = "how long the secret before stays good: 15m, 24h, 7d; default 24h; 0: not at all"},
    {.name = "expires", .value = "TIME", .help = "of the token from now on; default: as it was"},
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = "reason", .value = "TEXT", .help = "why"},
    {.name = NULL},
};

static const struct demon_opt change_options[] = {
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = "reason", .value = "TEXT", .help = "why"},
    {.name = NULL},
};

const struct demon_opt demon_freeze_options[] = {
    {.name = "reason", .value = "TEXT", .help = "why; needed"},
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = NULL},
};

static const struct demon_opt roles_set_options[] = {
    {.name = "all-tenants", .help = "in all tenants, instead of the one of --tenant"},
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = "reason", .value = "TEXT", .help = "why"},
    {.name = NULL},
};

static const struct demon_opt roles_list_options[] = {
    {.name = "all-tenants", .help = "of every tenant"},
    {.name = NULL},
};

const struct demon_opt demon_audit_options[] = {
    {.name = "since", .value = "TIME", .help = "done at or after: RFC 3339, a date, or 24h, 7d"},
    {.name = "limit", .value = "N", .help = "at most so many; default 100"},
    {.name = NULL},
};

const struct demon_command demon_token_commands[] = {
    {.name = "create",
     .summary = "make a token",
     .arguments = "",
     .text =
	 "It is printed once, alone on stdout, and kept nowhere: only a hash of its secret is.\n"
	 "Whoever shows it (--token, DEMON_TOKEN) is WHO, and may do what ROLE may: in all "
	 "tenants,\n"
	 "or with --tenant T in that one. DEMON_TENANT does not count. With --json {id, token,\n"
	 "subject, role, tenant, expiresAt}.",
     .examples = "demonctl token create --subject kim@example.org --role approver > kim.token\n"
		 "demonctl token create --subject ci --role operator --tenant blue --expires 7d",
     .options = create_options,
     .run = demon_command_token_create,
     .role = DEMON_ROLE_ADMIN},
    {.name = "list",
     .summary = "all tokens, without their secrets",
     .arguments = "",
     .text = "With --json {id, subject, role, tenant, state, createdAt, expiresAt,\n"
	     "previousUntil, by} a line; state is one of active, expired, revoked.",
     .examples = "demonctl token list\n"
		 "demonctl token list --json",
     .run = demon_command_token_list,
     .role = DEMON_ROLE_ADMIN},
    {.name = "rotate",
     .summary = "give a token another secret",
     .arguments = "ID",
     .text = "The new token is printed once. The one before stays good for the overlap, and one\n"
	     "before that not.",
     .examples = "demonctl token rotate 7c3f9a1b2d4e6f80 > kim.token\n"
		 "demonctl token rotate 7c3f9a1b2d4e6f80 --overlap 0 --reason 'it was in a log'",
     .options = rotate_options,
     .run = demon_command_token_rotate,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_ADMIN},
    {.name = "revoke",
     .summary = "end a token, for ever",
     .arguments = "ID",
     .text = "Once more: no effect. With --json {id, noop}.",
     .examples = "demonctl token revoke 7c3f9a1b2d4e6f80 --reason 'kim has left'",
     .options = change_options,
     .run = demon_command_token_revoke,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_ADMIN},
    {.name = NULL},
};

const struct demon_command demon_roles_commands[] = {
    {.name = "set",
     .summary = "give a subject these roles, instead of those it had",
     .arguments = "WHO [ROLE...]",
     .text =
	 "Names of people's roles, such as a gate or a level of escalation asks for: 1 to 64 of\n"
	 "A-Z a-z 0-9 . _ -. In a tenant a subject has those of the tenant and those of all.\n"
	 "Without a ROLE it has none any more. With --json {subject, tenant, roles, noop}.",
     .examples = "demonctl roles set kim@example.org lead dba\n"
		 "demonctl roles set lee@example.org lead --all-tenants --reason 'on call'",
     .options = roles_set_options,
     .run = demon_command_roles_set,
     .min_words = 1,
     .max_words = DEMON_ANY_WORDS,
     .role = DEMON_ROLE_ADMIN,
     .of_tenant = true},
    {.name = "list",
     .summary = "subjects and their roles",
     .arguments = "",
     .text = "Those of the tenant, and those of all tenants ('*'). With --json {subject, tenant,\n"
	     "roles, by, ts} a line.",
     .examples = "demonctl roles list\n"
		 "demonctl roles list --all-tenants --json",
     .options = roles_list_options,
     .run = demon_command_roles_list,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = NULL},
};

static const struct demon_opt trust_options[] = {
    {.name = "key",
     .value = "ID",
     .help = "only if this key is bound to it, 16 hexadecimal digits"},
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = "reason", .value = "TEXT", .help = "why"},
    {.name = NULL},
};

const struct demon_command demon_peers_commands[] = {
    {.name = "list",
     .summary = "other nodes, and whether their word counts here",
     .arguments = "",
     .text = "A label is what a node calls itself; its origin and key are who it is. With --json\n"
	     "{origin, label, trusted, key, firstSeen, lastSeen, changedBy} a line.",
     .examples = "demonctl peers list\n"
		 "demonctl peers list --json",
     .run = demon_command_peers_list,
     .role = DEMON_ROLE_VIEWER},
    {.name = "trust",
     .summary = "let what another node sets count here",
     .arguments = "PEER",
     .text = "PEER is an origin, also of a node not heard of yet, or a label that only one has.\n"
	     "What a node says that is not trusted is in the log, and has no effect here. With\n"
	     "--json {peer, trusted, noop}.",
     .examples = "demonctl peers trust 00112233445566778899aabbccddeeff --reason 'second site'\n"
		 "demonctl peers trust site-b --key 0123456789abcdef",
     .options = trust_options,
     .run = demon_command_peers_trust,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_ADMIN},
    {.name = "revoke",
     .summary = "let it count no more",
     .arguments = "PEER",
     .text = "From now on nothing that PEER has set holds here. With --json {peer, trusted, noop}.",
     .examples = "demonctl peers revoke site-b --reason 'stolen'",
     .options = change_options,
     .run = demon_command_peers_revoke,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_ADMIN},
    {.name = NULL},
};
