/*
 * The command table of demonctl.
 */
#include "admin_commands.h"
#include "approvals.h"
#include "command.h"
#include "graph.h"
#include "notify_commands.h"
#include "policy.h"
#include "recovery_commands.h"

static const struct demon_opt run_options[] = {
    {.name = "input", .value = "JSON|@FILE", .help = "input of the run; @- reads standard input"},
    {.name = "param",
     .value = "KEY=VALUE",
     .many = true,
     .help = "a member of the input, as a string"},
    {.name = "run-id", .value = "ID", .help = "id of the run; default: a new UUID"},
    {.name = "detach", .help = "print the run id; leave the run to the daemon, if there is one"},
    {.name = "save",
     .value = "DIR",
     .source = 'd',
     .help = "write the result envelope to DIR/result.json"},
    {.name = NULL},
};

static const struct demon_opt batch_options[] = {
    {.name = "save",
     .value = "DIR",
     .source = 'd',
     .help = "write each terminal event to DIR/batch-NNN.result.json"},
    {.name = NULL},
};

static const struct demon_opt register_options[] = {
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = NULL},
};

static const struct demon_opt unregister_options[] = {
    {.name = "by", .value = "WHO", .help = "who does it; default: the user of this process"},
    {.name = "reason", .value = "TEXT", .help = "why"},
    {.name = NULL},
};

static const struct demon_opt cancel_options[] = {
    {.name = "reason", .value = "TEXT", .help = "why; default user-request"},
    {.name = "by", .value = "WHO", .help = "who says so; default: the user of this process"},
    {.name = NULL},
};

static const struct demon_opt retry_options[] = {
    {.name = "from", .value = "STEP", .help = "the step to begin with: an id, a name, a reference"},
    {.name = "run-id", .value = "ID", .help = "id of the new run; default: a new one"},
    {.name = "detach", .help = "print the run's id; leave it to the daemon, if there is one"},
    {.name = "reason", .value = "TEXT", .help = "why a suspended run goes on"},
    {.name = "by", .value = "WHO", .help = "who says so; default: the user of this process"},
    {.name = NULL},
};

static const struct demon_opt runs_list_options[] = {
    {.name = "status", .value = "STATUS", .help = "only runs of this status, e.g. Failed"},
    {.name = "ritual", .value = "ID", .help = "only runs of this ritual"},
    {.name = "since", .value = "TIME", .help = "started at or after: RFC 3339, a date, or 24h, 7d"},
    {.name = "limit", .value = "N", .help = "at most so many; default 50"},
    {.name = "cursor", .value = "CURSOR", .help = "go on where an earlier list ended"},
    {.name = NULL},
};

static const struct demon_opt follow_options[] = {
    {.name = "follow", .help = "wait for more, until the run has ended"},
    {.name = NULL},
};

static const struct demon_opt tail_options[] = {
    {.name = "follow", .help = "wait for more"},
    {.name = "type",
     .value = "TYPE",
     .help = "only this type; a '*' at its end stands for the rest"},
    {.name = "run", .value = "ID", .help = "only events of this run"},
    {.name = "limit", .value = "N", .help = "begin with the last N; default 100"},
    {.name = NULL},
};

static const struct demon_opt export_options[] = {
    {.name = "to", .value = "FILE", .source = 'f', .help = "write to FILE instead of stdout"},
    {.name = NULL},
};

static const struct demon_opt heads_options[] = {
    {.name = "sign", .help = "sign this node's own; the first signature makes its key, FILE.key"},
    {.name = NULL},
};

static const struct demon_opt verify_options[] = {
    {.name = "heads",
     .value = "FILE",
     .source = 'f',
     .help = "heads that were kept elsewhere: the log must still hold them"},
    {.name = NULL},
};

static const struct demon_opt bundle_options[] = {
    {.name = "format", .value = "summary|json", .help = "default: summary, json with --json"},
    {.name = NULL},
};

static const struct demon_command rituals_commands[] = {
    {.name = "register",
     .summary = "give definitions a name, so that 'run NAME' works",
     .arguments = "FILE...",
     .text = "The name is the id of the ritual. All files are checked before the first one is\n"
	     "registered. What a name stands for already is left as it is. Runs keep the\n"
	     "definition that they were started with.",
     .examples = "demonctl rituals register deploy.yaml\n"
		 "demonctl rituals register --by kim@example.org rituals/*.yaml",
     .options = register_options,
     .run = demon_command_rituals_register,
     .min_words = 1,
     .max_words = DEMON_ANY_WORDS,
     .role = DEMON_ROLE_OPERATOR,
     .of_tenant = true},
    {.name = "list",
     .summary = "registered rituals, by name",
     .arguments = "",
     .text = "With --json each line is {ritualId, version, definitionDigest, notation, title, by,\n"
	     "ts, source, origin, tenantId, registered}.",
     .examples = "demonctl rituals list\n"
		 "demonctl rituals list --json",
     .run = demon_command_rituals_list,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = "show",
     .summary = "what a name stands for, and every other write to it",
     .arguments = "NAME[@VERSION]",
     .text = "When several nodes have registered one name, the write with the greatest logical\n"
	     "clock holds on all of them; the others are listed.",
     .examples = "demonctl rituals show deploy\n"
		 "demonctl rituals show deploy@1.2 --json",
     .run = demon_command_rituals_show,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = "unregister",
     .summary = "give a name up",
     .arguments = "NAME",
     .text = "Runs that were started go on.",
     .examples = "demonctl rituals unregister deploy --reason 'replaced by rollout'",
     .options = unregister_options,
     .run = demon_command_rituals_unregister,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_OPERATOR,
     .of_tenant = true},
    {.name = NULL},
};

static const struct demon_command runs_commands[] = {
    {.name = "list",
     .summary = "runs, newest first",
     .arguments = "",
     .text = "When there are more runs than asked for, a line on stderr has the cursor for the "
	     "next\npage. With --json each line is {runId, ritualId, status, startedAt, endedAt,\n"
	     "tenantId, ...}.",
     .examples = "demonctl runs list\n"
		 "demonctl runs list --status Failed --since 24h --json",
     .options = runs_list_options,
     .run = demon_command_runs_list,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = "show",
     .summary = "one run and its steps",
     .arguments = "ID",
     .examples = "demonctl runs show r-1\n"
		 "demonctl runs show r-1 --json",
     .run = demon_command_runs_show,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = "events",
     .summary = "the events of one run",
     .arguments = "ID",
     .examples = "demonctl runs events r-1\n"
		 "demonctl runs events r-1 --follow --json",
     .options = follow_options,
     .run = demon_command_runs_events,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = "watch",
     .summary = "follow a run until it ends",
     .arguments = "ID",
     .text =
	 "From its beginning: a line for each step as it ends (name, status, how long it took),\n"
	 "and what it writes meanwhile. Ends as the run does, with the same exit status as 'run',\n"
	 "or when the run is suspended. With --json the events, as they come.",
     .examples = "demonctl runs watch r-1\n"
		 "demonctl runs watch r-1 --json | jq -c .event",
     .run = demon_command_runs_watch,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = "cancel",
     .summary = "end a run",
     .arguments = "ID",
     .text =
	 "Whatever it is at: a step under way is ended within a second, a run that waits never\n"
	 "goes on. Nothing is undone. A run that was canceled before is left as it is; one that\n"
	 "has ended otherwise is exit status 4. With --json {noop, runId, status}.",
     .examples = "demonctl runs cancel r-1\n"
		 "demonctl runs cancel r-1 --reason 'wrong host' --by kim@example.org",
     .options = cancel_options,
     .run = demon_command_runs_cancel,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_OPERATOR,
     .of_tenant = true},
    {.name = "retry",
     .summary = "let a suspended run go on, or try one that has ended again",
     .arguments = "ID",
     .text =
	 "A run that is Suspended goes on: the step that was in flight runs again, with the same\n"
	 "idempotency key; the daemon executes it, or this process if there is none.\n"
	 "A run that has failed or was canceled stays so: a new run begins where it stood before\n"
	 "the step that ended it, or before STEP (an id, a name or a reference), with the same\n"
	 "definition and input, and all that the steps before had come to. Output and exit status\n"
	 "are as for 'run'.",
     .examples = "demonctl runs retry r-1\n"
		 "demonctl runs retry r-1 --from Deploy --detach\n"
		 "demonctl runs retry r-1 --from 17 --run-id r-2",
     .options = retry_options,
     .run = demon_command_runs_retry,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_OPERATOR,
     .of_tenant = true},
    {.name = "tree",
     .summary = "the steps of a run within each other",
     .arguments = "ID",
     .text = "Of a loop the first 19 rounds are shown, and the last. With --json all of them, as\n"
	     "{ritualId, runId, status, durationMs, error, retryOf, steps}, and of each step "
	     "{attempt,\n"
	     "call, durationMs, error, iteration, name, reference, status, stepId, steps}.",
     .examples = "demonctl runs tree r-1\n"
		 "demonctl runs tree r-1 --json",
     .run = demon_command_runs_tree,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = "diff",
     .summary = "where two runs of a ritual went different ways",
     .arguments = "A B",
     .text = "A line for each difference of definition, input, status, outputs, and of steps: '<' "
	     "only\n"
	     "A has it, '>' only B, '!' it ended otherwise or came to something else. Steps are "
	     "the same\n"
	     "when their tasks and rounds are. How long they took is told, and is no difference;\n"
	     "neither are durationMs and timestamp in what calls answer. Exit status 0: none, 1: "
	     "some.\n"
	     "With --json {what, a, b}, for steps also {name, path, changed}, a line.",
     .examples = "demonctl runs diff r-1 r-2\n"
		 "demonctl runs diff r-1 r-2 --json",
     .run = demon_command_runs_diff,
     .min_words = 2,
     .max_words = 2,
     .role = DEMON_ROLE_VIEWER,
     .of_tenant = true},
    {.name = NULL},
};

static const struct demon_command events_commands[] = {
    {.name = "tail",
     .summary = "the last events of the log",
     .arguments = "",
     .text = "With --json each line is an event as docs/format.md says, with its local seq.",
     .examples = "demonctl events tail --limit 20\n"
		 "demonctl events tail --follow --type 'ritual.*' --json",
     .options = tail_options,
     .run = demon_command_events_tail,
     .role = DEMON_ROLE_VIEWER},
    {.name = NULL},
};

static const struct demon_command contracts_commands[] = {
    {.name = "bundle",
     .summary = "print the contracts that are compiled in",
     .arguments = "",
     .examples = "demonctl contracts bundle\n"
		 "demonctl contracts bundle --format json > bundle.json",
     .options = bundle_options,
     .run = demon_command_contracts_bundle},
    {.name = "validate",
     .summary = "check events against their contracts",
     .arguments = "FILE...",
     .text =
	 "A file holds one JSON document or JSON lines, as export writes them; '-' is standard\n"
	 "input. Every line that does not hold is reported.",
     .examples = "demonctl contracts validate events.jsonl\n"
		 "demonctl export | demonctl contracts validate -",
     .run = demon_command_contracts_validate,
     .min_words = 1,
     .max_words = DEMON_ANY_WORDS},
    {.name = "validate-envelope",
     .summary = "check result envelopes",
     .arguments = "FILE",
     .examples = "demonctl contracts validate-envelope result.json",
     .run = demon_command_contracts_envelope,
     .min_words = 1,
     .max_words = 1},
    {.name = NULL},
};

static const struct demon_opt help_options[] = {
    {.name = "man", .help = "the manual page of all commands, for man(1)"},
    {.name = NULL},
};

const struct demon_command demon_commands[] = {
    {.name = "run",
     .summary = "run a ritual",
     .arguments = "FILE|NAME[@VERSION]",
     .text = "A word with a '/', one that ends in .yaml, .yml or .json, and one that is the name\n"
	     "of a file here, is a file; any other is a ritual that was registered.\n"
	     "The run goes on in this process; progress goes to stderr. stdout ends with the\n"
	     "terminal event. A run that fails is exit status 1. With --detach only the run id is\n"
	     "printed: the daemon of the node executes the run, or this process if there is none.",
     .examples = "demonctl run examples/rituals/echo.yaml\n"
		 "demonctl run deploy.yaml --input '{\"version\":\"1.2\"}' --param region=eu\n"
		 "demonctl run deploy.yaml --run-id deploy-1 --save out --json\n"
		 "demonctl run deploy@1.2",
     .options = run_options,
     .run = demon_command_run,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_OPERATOR,
     .of_tenant = true},
    {.name = "batch",
     .summary = "run a list of rituals in order",
     .arguments = "FILE",
     .text =
	 "FILE is a YAML list of 'target: PATH'; paths are relative to the working folder. All\n"
	 "files are checked before the first one runs; the batch stops at the first failure.",
     .examples = "demonctl batch nightly.yaml\n"
		 "demonctl batch nightly.yaml --save results",
     .options = batch_options,
     .run = demon_command_batch,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_OPERATOR,
     .of_tenant = true},
    {.name = "validate",
     .summary = "check rituals without running them",
     .arguments = "FILE...",
     .text = "Every problem is reported as FILE:LINE:COLUMN: text on stderr; with --json as\n"
	     "{file, line, column, text} on stdout. Exit status 1 if there is one.",
     .examples = "demonctl validate deploy.yaml\n"
		 "demonctl validate --json rituals/*.yaml",
     .run = demon_command_validate,
     .min_words = 1,
     .max_words = DEMON_ANY_WORDS},
    {.name = "rituals",
     .summary = "rituals by name",
     .arguments = "",
     .subcommands = rituals_commands},
    {.name = "runs",
     .summary = "look at runs, end them, let them go on",
     .arguments = "",
     .subcommands = runs_commands},
    {.name = "events",
     .summary = "look at the log",
     .arguments = "",
     .subcommands = events_commands},
    {.name = "export",
     .summary = "the whole log as JSON lines",
     .arguments = "",
     .examples = "demonctl export > log.jsonl\n"
		 "demonctl export --to log.jsonl",
     .options = export_options,
     .run = demon_command_export,
     .role = DEMON_ROLE_VIEWER},
    {.name = "import",
     .summary = "take in events from JSON lines",
     .arguments = "FILE|-",
     .text =
	 "Every hash is checked. Events that are here already have no effect. What came before\n"
	 "a line that does not hold stays.",
     .examples = "demonctl import log.jsonl\n"
		 "demonctl --db a.db export | demonctl --db b.db import -",
     .run = demon_command_import,
     .min_words = 1,
     .max_words = 1},
    {.name = "heads",
     .summary = "the last event of every chain",
     .arguments = "",
     .text = "Kept elsewhere, heads show later whether the end of a log was cut off.",
     .examples = "demonctl heads --sign --json > heads.jsonl",
     .options = heads_options,
     .run = demon_command_heads,
     .role = DEMON_ROLE_OPERATOR},
    {.name = "bootstrap",
     .summary = "make and check what a node with NATS needs",
     .arguments = "",
     .text = "Makes the database and the three streams where they are missing, puts the\n"
	     "configuration of streams right, and verifies both. Without options all of it; again\n"
	     "and again without harm. What cannot be changed is status 4. With --json {ok, phase,\n"
	     "text} a line.",
     .examples = "demonctl bootstrap --nats-url nats://127.0.0.1:4222\n"
		 "demonctl bootstrap --verify --nats-url nats://127.0.0.1:4222 --json",
     .options = demon_bootstrap_options,
     .run = demon_command_bootstrap,
     .role = DEMON_ROLE_ADMIN},
    {.name = "backup",
     .summary = "snapshots of the database",
     .arguments = "",
     .subcommands = demon_backup_commands},
    {.name = "recover",
     .summary = "build a database from the streams alone",
     .arguments = "",
     .text =
	 "The new database is a node of its own: it holds what every node wrote, and has a key\n"
	 "and an origin that nobody used before. Copy what is beside the database, like files\n"
	 "of secrets, yourself. Runs that nodes which are gone had begun stay as they were.",
     .examples = "demonctl recover --from-jetstream --to node.db --nats-url nats://127.0.0.1:4222",
     .options = demon_recover_options,
     .run = demon_command_recover,
     .role = DEMON_ROLE_ADMIN},
    {.name = "rebuild",
     .summary = "drop every projection and replay the log",
     .arguments = "",
     .examples = "demonctl rebuild",
     .run = demon_command_rebuild,
     .role = DEMON_ROLE_OPERATOR},
    {.name = "digest",
     .summary = "the state digest, its parts, and the positions it holds at",
     .arguments = "",
     .examples = "demonctl digest\n"
		 "demonctl digest --json",
     .run = demon_command_digest,
     .role = DEMON_ROLE_VIEWER},
    {.name = "verify",
     .summary = "check hash chains, projections, schema and the file",
     .arguments = "",
     .text = "Exit status 7 on any damage; the message names the first one.",
     .examples = "demonctl verify\n"
		 "demonctl verify --heads heads.jsonl --json",
     .options = verify_options,
     .run = demon_command_verify,
     .role = DEMON_ROLE_VIEWER},
    {.name = "contracts",
     .summary = "the contracts of events",
     .arguments = "",
     .subcommands = contracts_commands},
    {.name = "status",
     .summary = "the node on one screen",
     .arguments = "",
     .examples = "demonctl status\n"
		 "demonctl status --json",
     .run = demon_command_status,
     .role = DEMON_ROLE_VIEWER},
    {.name = "doctor",
     .summary = "every health check, with its remedy",
     .arguments = "",
     .text = "Exit status 1 if a check fails. The integrity check is the quick one; 'demonctl\n"
	     "verify' is thorough.",
     .examples = "demonctl doctor\n"
		 "demonctl doctor --json",
     .run = demon_command_doctor,
     .role = DEMON_ROLE_VIEWER},
    {.name = "freeze",
     .summary = "stop new runs and gates, for an incident",
     .arguments = "",
     .text =
	 "Of the whole node, or with --tenant T of that tenant; DEMON_TENANT does not count.\n"
	 "A new run is refused with exit status 5, gates do not proceed, what is under way\n"
	 "goes on. Once more: no effect. With --json {tenant, frozen, noop, by, reason, since}.",
     .examples = "demonctl freeze --reason 'the vault is down'\n"
		 "demonctl freeze --tenant blue --reason INC-4711",
     .options = demon_freeze_options,
     .run = demon_command_freeze,
     .role = DEMON_ROLE_OPERATOR,
     .of_tenant = true},
    {.name = "thaw",
     .summary = "let new runs and gates go on",
     .arguments = "",
     .text = "What 'freeze' has stopped: the node, or with --tenant T that tenant, which stays\n"
	     "frozen as long as the node is.",
     .examples = "demonctl thaw --reason 'the vault is back'\n"
		 "demonctl thaw --tenant blue --reason INC-4711",
     .options = demon_freeze_options,
     .run = demon_command_thaw,
     .role = DEMON_ROLE_OPERATOR,
     .of_tenant = true},
    {.name = "approvals",
     .summary = "gates that wait for people, and their votes",
     .arguments = "",
     .subcommands = demon_approvals_commands},
    {.name = "policy",
     .summary = "how often, and when, capabilities may be used",
     .arguments = "",
     .subcommands = demon_policy_commands},
    {.name = "graph",
     .summary = "graphs: commits, tags, and what they are at any commit",
     .arguments = "",
     .subcommands = demon_graph_commands},
    {.name = "token",
     .summary = "tokens: who may do what",
     .arguments = "",
     .subcommands = demon_token_commands},
    {.name = "roles",
     .summary = "roles of people, such as gates ask for",
     .arguments = "",
     .subcommands = demon_roles_commands},
    {.name = "routes",
     .summary = "where notifications go: webhooks, chats, pagers, mail",
     .arguments = "",
     .subcommands = demon_routes_commands},
    {.name = "notifications",
     .summary = "what could not be sent, and what is still to be",
     .arguments = "",
     .subcommands = demon_notifications_commands},
    {.name = "peers",
     .summary = "other nodes, and which of them are trusted",
     .arguments = "",
     .subcommands = demon_peers_commands},
    {.name = "quarantine",
     .summary = "messages of the streams that could not be taken in",
     .arguments = "",
     .subcommands = demon_quarantine_commands},
    {.name = "audit",
     .summary = "every administrative act, the last one first",
     .arguments = "",
     .text =
	 "Freezes, tokens, roles, policies and other settings, keys, overrides, runs that were\n"
	 "canceled, resumed or tried again, names of rituals. With --json {seq, ts, type, by,\n"
	 "authentication, tenant, name, runId, gateId, reason, value, origin} a line.",
     .examples = "demonctl audit --since 7d\n"
		 "demonctl audit --limit 1000 --json",
     .options = demon_audit_options,
     .run = demon_command_audit,
     .role = DEMON_ROLE_VIEWER},
    {.name = "completion",
     .summary = "a completion script for a shell",
     .arguments = "bash|zsh|fish",
     .examples = "source <(demonctl completion bash)\n"
		 "demonctl completion zsh > ~/.zfunc/_demonctl\n"
		 "demonctl completion fish | source",
     .run = demon_command_completion,
     .min_words = 1,
     .max_words = 1},
    {.name = "help",
     .summary = "help for a command",
     .arguments = "[COMMAND [SUBCOMMAND]]",
     .examples = "demonctl help runs list\n"
		 "demonctl help --man | man -l -",
     .options = help_options,
     .run = demon_command_help,
     .max_words = 2},
    {.name = NULL},
};
