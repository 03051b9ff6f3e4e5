#include "recovery_commands.h"

const struct demon_opt demon_bootstrap_options[] = {
    {.name = "ensure-stream", .help = "make the streams, and put their configuration right"},
    {.name = "verify", .help = "look at the streams and the database"},
    {.name = NULL},
};

const struct demon_opt demon_recover_options[] = {
    {.name = "from-jetstream", .help = "read the three streams of the NATS server"},
    {.name = "to", .value = "DB", .help = "the database to make; it must not exist"},
    {.name = NULL},
};

static const struct demon_opt list_options[] = {
    {.name = "after", .value = "ID", .help = "those that came after this one"},
    {.name = "limit", .value = "N", .help = "at most so many; default 100"},
    {.name = NULL},
};

static const struct demon_opt create_options[] = {
    {.name = "to", .value = "FILE", .help = "the file to make; default: beside the database"},
    {.name = NULL},
};

const struct demon_command demon_backup_commands[] = {
    {.name = "create",
     .summary = "a snapshot of the database while it is in use",
     .arguments = "",
     .text =
	 "One file, and FILE.manifest.json beside it: its SHA-256, the state digest, the heads\n"
	 "of all chains. Writers are not held up. The default name is that of the database with\n"
	 "the time and .backup behind it. With --json {file, bytes, sha256, createdAt, events,\n"
	 "digest}.",
     .examples = "demonctl backup create\n"
		 "demonctl backup create --to /mnt/backup/node.db --json",
     .options = create_options,
     .run = demon_command_backup_create,
     .role = DEMON_ROLE_ADMIN},
    {.name = "verify",
     .summary = "whether a snapshot is what its manifest says",
     .arguments = "FILE",
     .text = "Exit status 7 when it was changed or cut short. With --json as for 'create'.",
     .examples = "demonctl backup verify /mnt/backup/node.db",
     .run = demon_command_backup_verify,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_NONE},
    {.name = NULL},
};

const struct demon_command demon_quarantine_commands[] = {
    {.name = "list",
     .summary = "messages that could not be taken in, the oldest first",
     .arguments = "",
     .text = "They stop nothing behind them, and stay in the stream. At most 10000 are kept here;\n"
	     "then the oldest makes room. With --json {id, arrivedAt, stream, sequence, kind,\n"
	     "reason, subject, bytes, attempts} a line.",
     .examples = "demonctl quarantine list\n"
		 "demonctl quarantine list --after 120 --limit 20 --json",
     .options = list_options,
     .run = demon_command_quarantine_list,
     .role = DEMON_ROLE_VIEWER},
    {.name = "show",
     .summary = "one of them, with its headers and its payload",
     .arguments = "ID",
     .text =
	 "A payload above 64 KiB is in the stream alone. With --json a payload that is no UTF-8\n"
	 "is payloadBase64.",
     .examples = "demonctl quarantine show 7",
     .run = demon_command_quarantine_show,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_OPERATOR},
    {.name = "retry",
     .summary = "read a message again from the stream",
     .arguments = "ID",
     .text =
	 "What cannot be taken in now either comes back under a new id. With --json {id, retry}.",
     .examples = "demonctl quarantine retry 7",
     .run = demon_command_quarantine_retry,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_OPERATOR},
    {.name = "drop",
     .summary = "forget a message here; it stays in the stream",
     .arguments = "ID",
     .text = "With --json {id, retry}.",
     .examples = "demonctl quarantine drop 7",
     .run = demon_command_quarantine_drop,
     .min_words = 1,
     .max_words = 1,
     .role = DEMON_ROLE_ADMIN},
    {.name = NULL},
};
