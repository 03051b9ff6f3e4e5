#include "approvals.h"

#define APPROVER                                                                         \
	{                                                                                \
		.name = "approver", .value = "WHO",                                      \
		.help = "who decides; with a token its subject does, whatever this says" \
	}
#define ROUND                                                            \
	{                                                                \
		.name = "round", .value = "N",                           \
		.help = "which round of the gate; default: the last one" \
	}
#define SEEN                                                                                 \
	{                                                                                    \
		.name = "seen", .value = "DIGEST",                                           \
		.help = "what was looked at ('seen' of approvals show); another is status 4" \
	}
#define LINK                                                                        \
	{                                                                           \
		.name = "link", .value = "TOKEN",                                   \
		.help = "the token of a link for this gate, which says who decides" \
	}

static const struct demon_opt list_options[] = {
    {.name = "pending", .help = "only gates that nobody has decided"},
    {.name = "run", .value = "RUN", .help = "only gates of this run"},
    {.name = NULL},
};
static const struct demon_opt show_options[] = {ROUND, {.name = NULL}};
static const struct demon_opt grant_options[] = {
    APPROVER, {.name = "note", .value = "TEXT", .help = "what to say about it"},
    ROUND,    SEEN,
    LINK,     {.name = NULL}};
static const struct demon_opt deny_options[] = {
    APPROVER,      {.name = "reason", .value = "TEXT", .help = "why; needed"}, ROUND, SEEN, LINK,
    {.name = NULL}};
static const struct demon_opt override_options[] = {
    APPROVER,
    {.name = "reason", .value = "TEXT", .help = "why; needed"},
    {.name = "note", .value = "TEXT", .help = "the same"},
    ROUND,
    SEEN,
    {.name = NULL}};
static const struct demon_opt escalate_options[] = {
    {.name = "reason", .value = "TEXT", .help = "why; default 'manual'"},
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = NULL}};
static const struct demon_opt link_options[] = {
    {.name = "approver", .value = "WHO", .help = "whom it is for; needed"},
    {.name = "base-url",
     .value = "URL",
     .help = "of the node's pages: prints an address, not a token; default --public-url"},
    {.name = NULL},
};

#define WORDS .arguments = "RUN GATE", .min_words = 2, .max_words = 2, .of_tenant = true

const struct demon_command demon_approvals_commands[] = {
    {.name = "list",
     .summary = "gates, the oldest request first",
     .arguments = "",
     .text = "With --json {runId, gateId, round, state, requester, reason, requestedAt, "
	     "expiresAt,\n"
	     "provisional, ...} a line; state is one of pending, granted, denied, overridden.",
     .examples = "demonctl approvals list --pending\n"
		 "demonctl approvals list --run r-81 --json",
     .options = list_options,
     .run = demon_command_approvals_list,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = "show",
     .summary = "a gate: what it asks for, and who has voted",
     .examples = "demonctl approvals show r-81 prod",
     .options = show_options,
     .run = demon_command_approvals_show,
     .role = DEMON_ROLE_VIEWER,
     WORDS},
    {.name = "why",
     .summary = "why a gate stands as it does: who may decide, who may not, what is next",
     .text = "How many votes it takes, who may still cast one, who is excluded and why, and what\n"
	     "happens when, as the log and this process's settings have it.",
     .examples = "demonctl approvals why r-81 prod",
     .options = show_options,
     .run = demon_command_approvals_why,
     .role = DEMON_ROLE_VIEWER,
     WORDS},
    {.name = "grant",
     .summary = "vote for a gate to be passed",
     .text = "The votes that the gate asks for grant it, and the run goes on. The same again has "
	     "no\n"
	     "effect; a gate that was decided otherwise is status 4, who may not vote status 5.\n"
	     "Without a token APPROVER_ALLOWLIST must have the name.",
     .examples = "demonctl approvals grant r-81 prod --approver kim@example.org\n"
		 "demonctl approvals grant r-81 prod --token \"$(cat kim.token)\" --note checked",
     .options = grant_options,
     .run = demon_command_approvals_grant,
     .role = DEMON_ROLE_APPROVER,
     WORDS},
    {.name = "deny",
     .summary = "vote against it",
     .text = "One denial denies, unless the gate says otherwise. The run ends as Denied, unless\n"
	     "it catches that by name.",
     .examples = "demonctl approvals deny r-81 prod --approver kim@example.org --reason 'not now'",
     .options = deny_options,
     .run = demon_command_approvals_deny,
     .role = DEMON_ROLE_APPROVER,
     WORDS},
    {.name = "override",
     .summary = "pass a gate in an emergency",
     .text = "Only where the level that its chain of escalation has reached allows it, by who "
	     "holds a\n"
	     "role of that level, and with a reason.",
     .examples =
	 "demonctl approvals override r-81 prod --approver cto@example.org --reason 'site down'",
     .options = override_options,
     .run = demon_command_approvals_override,
     .role = DEMON_ROLE_APPROVER,
     WORDS},
    {.name = "escalate",
     .summary = "take a gate to the next level of its chain",
     .examples = "demonctl approvals escalate r-81 prod --reason 'lead is away'",
     .options = escalate_options,
     .run = demon_command_approvals_escalate,
     .role = DEMON_ROLE_OPERATOR,
     WORDS},
    {.name = "link",
     .summary = "make a link for one approver and this gate",
     .text = "It is good once, for that person, until the gate's deadline, and counts as\n"
	     "authentication 'link'. Only the node that owns the run can make one.",
     .examples = "demonctl approvals link r-81 prod --approver kim@example.org\n"
		 "demonctl approvals link r-81 prod --approver kim@example.org --base-url "
		 "https://ops.example.org/demon",
     .options = link_options,
     .run = demon_command_approvals_link,
     .role = DEMON_ROLE_ADMIN,
     WORDS},
    {.name = NULL},
};
