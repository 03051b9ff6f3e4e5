/*
 * demonctl doctor: every check with its remedy.
 */
#include "base/bytes.h"
#include "base/json.h"
#include "command.h"
#include "db/db.h"
#include "domain/admin/freeze.h"
#include "domain/notify/delivery.h"
#include "out.h"
#include "store/liveness.h"
#include "store/readers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define DISK_LOW_BYTES ((uint64_t)256 << 20)
#define CLOCK_SLACK_MS 1000

/* What a check found. */
struct finding {
	const char *check;
	bool ok;
	char text[384];
	const char *remedy; /* what to do when it is not ok */
};

struct doctor {
	struct demon_ctl *ctl;
	struct demon_table table;
	size_t failed;
};

static enum demon_rc report(struct doctor *d, const struct finding *f, struct demon_err *err)
{
	const struct demon_settings *s = &d->ctl->settings;

	d->failed += !f->ok;
	if (s->json)
		return demon_out_json(s,
				      json_pack("{s:s,s:b,s:s*,s:s}", "check", f->check, "ok",
						f->ok, "remedy", f->ok ? NULL : f->remedy, "text",
						f->text),
				      err);
	demon_table_cell(&d->table, f->check);
	demon_table_cell(&d->table, f->ok ? "ok" : "failed");
	demon_table_cell(&d->table, f->text);
	if (!f->ok) {
		demon_table_cell(&d->table, "");
		demon_table_cell(&d->table, "");
		demon_table_cell(&d->table, f->remedy);
	}
	return DEMON_OK;
}

/* Opening a store checks the schema too. */
static enum demon_rc check_open(struct doctor *d, bool *ret_open, struct demon_err *err)
{
	struct finding f = {.check = "database"};
	struct demon_err why = {0};
	enum demon_rc rc = demon_ctl_open(d->ctl, false, &why);

	if (rc == DEMON_DENIED) {
		*err = why;
		return rc;
	}
	f.ok = *ret_open = rc == DEMON_OK;
	f.remedy = rc == DEMON_NOTFOUND  ? "run a ritual, or name the database with --db"
		   : rc == DEMON_NEWER   ? "use a newer version of this program"
		   : rc == DEMON_CORRUPT ? "keep the file; restore from a backup or another node"
		   : rc == DEMON_BUSY    ? "find out who holds the database, or try again"
					 : "see the message";
	if (f.ok)
		(void)snprintf(f.text, sizeof(f.text),
			       "'%.200s' opens; its schema is as it should be",
			       d->ctl->settings.db.value);
	else
		(void)snprintf(f.text, sizeof(f.text), "%.380s", why.msg);
	*d->ctl->hint = '\0';
	return report(d, &f, err);
}

static enum demon_rc check_integrity(struct doctor *d, struct demon_err *err)
{
	struct finding f = {.check = "integrity",
			    .remedy = "keep the file; restore from a backup or another node"};
	struct demon_err why = {0};
	DEMON_READ(loan);
	enum demon_rc rc;

	if ((rc = demon_store_borrow(d->ctl->store, &loan, &why)) == DEMON_OK)
		rc = demon_db_integrity(loan.db, true, &why);
	f.ok = rc == DEMON_OK;
	(void)snprintf(f.text, sizeof(f.text), "%.380s",
		       f.ok ? "SQLite's quick check finds nothing" : why.msg);
	return report(d, &f, err);
}

static enum demon_rc check_library(struct doctor *d, struct demon_err *err)
{
	struct finding f = {.check = "sqlite", .ok = true};
	bool defect = demon_db_library_has_wal_reset_defect(demon_db_library_number());

	(void)snprintf(f.text, sizeof(f.text), "SQLite %s%s", demon_db_library_version(),
		       defect
			   ? " has the WAL-reset defect (3.7.0 to 3.51.2); avoided: every write "
			     "and checkpoint of demon is made under FILE.lock; do not write with "
			     "other programs"
			   : "");
	return report(d, &f, err);
}

/* The folder of @p path in @p out. */
static void folder_of(const char *path, struct demon_buf *out)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		demon_buf_char(out, '.');
	else
		demon_buf_add(out, path, slash == path ? 1 : (size_t)(slash - path));
}

static enum demon_rc check_disk(struct doctor *d, struct demon_err *err)
{
	struct finding f = {.check = "disk", .remedy = "free some space, or move the database"};
	DEMON_BUF(folder, 0);
	struct statvfs v;
	uint64_t bytes;

	folder_of(d->ctl->settings.db.value, &folder);
	if (statvfs(folder.data, &v)) {
		(void)snprintf(f.text, sizeof(f.text), "cannot look at the disk of '%.200s'",
			       folder.data);
		return report(d, &f, err);
	}
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	f.ok = bytes >= DISK_LOW_BYTES;
	(void)snprintf(f.text, sizeof(f.text), "%" PRIu64 " MiB free in '%.200s'", bytes >> 20,
		       folder.data);
	return report(d, &f, err);
}

static enum demon_rc check_permissions(struct doctor *d, struct demon_err *err)
{
	struct finding f = {.check = "permissions",
			    .ok = true,
			    .remedy = "chmod go-w FILE and its folder; chmod 600 FILE.key"};
	const char *db = d->ctl->settings.db.value;
	DEMON_BUF(key, 0);
	struct stat st;

	(void)snprintf(f.text, sizeof(f.text), "nobody else may change the files");
	demon_buf_fmt(&key, "%s.key", db);
	if (stat(db, &st) == 0 && st.st_mode & S_IWOTH) {
		f.ok = false;
		(void)snprintf(f.text, sizeof(f.text), "everybody may write to '%.200s'", db);
	} else if (stat(key.data, &st) == 0 && st.st_mode & (S_IRWXG | S_IRWXO)) {
		f.ok = false;
		(void)snprintf(f.text, sizeof(f.text), "others may read '%.200s'", key.data);
	}
	return report(d, &f, err);
}

static void close_reader(struct demon_reader *const *reader)
{
	demon_reader_close(*reader);
}

static enum demon_rc check_clock(struct doctor *d, struct demon_err *err)
{
	struct finding f = {.check = "clock", .remedy = "set the clock; run an NTP client"};
	demon_cleanup(close_reader) struct demon_reader *reader = NULL;
	const struct demon_env *env = demon_env_real();
	struct demon_filter filter = {0};
	const struct demon_event *ev;
	char newest[DEMON_RFC3339_LEN + 1];
	int64_t last = 0;
	enum demon_rc rc;

	if ((rc = demon_last_seq(d->ctl->store, &last, err)))
		return rc;
	f.ok = true;
	(void)snprintf(f.text, sizeof(f.text), "there is no event yet");
	if (last) {
		filter.after_seq = last - 1;
		if ((rc = demon_reader_open(d->ctl->store, &filter, &reader, err)) ||
		    (rc = demon_reader_next(reader, 0, &ev, err)))
			return rc;
		demon_rfc3339(ev->recorded_at, newest);
		f.ok = env->now(env->ctx) + CLOCK_SLACK_MS >= ev->recorded_at;
		(void)snprintf(f.text, sizeof(f.text), "the clock is %s the newest event, of %s",
			       f.ok ? "not before" : "before", newest);
	}
	return report(d, &f, err);
}

static enum demon_rc check_daemon(struct doctor *d, struct demon_err *err)
{
	struct finding f = {.check = "daemon", .ok = true};

	(void)snprintf(f.text, sizeof(f.text), "%s",
		       demon_store_claimed_elsewhere(d->ctl->store, 0)
			   ? "demond holds this node"
			   : "no demond holds this node: runs end with the process that started "
			     "them");
	return report(d, &f, err);
}

/* The first freeze that holds, and how many there are. */
struct freezes {
	size_t count;
	struct demon_err first;
};

static enum demon_rc see_freeze(void *ctx, const struct demon_register_row *row,
				struct demon_err *err)
{
	struct freezes *freezes = ctx;
	char since[DEMON_RFC3339_LEN + 1];
	bool node = strcmp(row->tenant, DEMON_TENANT_ALL) == 0;

	(void)err;
	demon_rfc3339(row->ts, since);
	if (!freezes->count++)
		(void)demon_err_set(&freezes->first, DEMON_DENIED,
				    "%s%.64s is frozen by %.100s "
				    "since %s",
				    node ? "the node" : "tenant ", node ? "" : row->tenant, row->by,
				    since);
	return DEMON_OK;
}

/* A freeze is somebody's will, and no fault of the node; it is told all the same. */
static enum demon_rc check_freeze(struct doctor *d, struct demon_err *err)
{
	struct finding f = {.check = "freeze", .ok = true};
	struct freezes freezes = {0};
	enum demon_rc rc;

	{
		DEMON_READ(loan);

		if ((rc = demon_store_borrow(d->ctl->store, &loan, err)) ||
		    (rc = demon_freeze_list(loan.db, see_freeze, &freezes, err)))
			return rc;
	}
	if (!freezes.count)
		(void)snprintf(f.text, sizeof(f.text), "nothing is frozen");
	else if (freezes.count == 1)
		(void)snprintf(f.text, sizeof(f.text), "%.300s", freezes.first.msg);
	else
		(void)snprintf(f.text, sizeof(f.text), "%.300s, and %zu more", freezes.first.msg,
			       freezes.count - 1);
	return report(d, &f, err);
}

/* What was given up waits for somebody; what is still to be sent does not. */
static enum demon_rc check_notifications(struct doctor *d, struct demon_err *err)
{
	struct finding f = {.check = "notifications",
			    .remedy = "demonctl notifications list; then retry or drop them"};
	int64_t counts[DEMON_DELIVERY_STATES];
	enum demon_rc rc;

	{
		DEMON_READ(loan);

		if ((rc = demon_store_borrow(d->ctl->store, &loan, err)) ||
		    (rc = demon_deliveries_count(loan.db, counts, err)))
			return rc;
	}
	f.ok = counts[DEMON_DELIVERY_DEAD] == 0;
	(void)snprintf(f.text, sizeof(f.text), "%lld given up, %lld to be sent",
		       (long long)counts[DEMON_DELIVERY_DEAD],
		       (long long)counts[DEMON_DELIVERY_DUE]);
	return report(d, &f, err);
}

static enum demon_rc check_all(struct doctor *d, struct demon_err *err)
{
	bool open = false;
	enum demon_rc rc;

	if ((rc = check_open(d, &open, err)) || (rc = check_library(d, err)))
		return rc;
	if (!open)
		return DEMON_OK;
	if ((rc = check_integrity(d, err)) || (rc = check_disk(d, err)) ||
	    (rc = check_permissions(d, err)) || (rc = check_clock(d, err)) ||
	    (rc = check_freeze(d, err)) || (rc = check_notifications(d, err)))
		return rc;
	return check_daemon(d, err);
}

enum demon_rc demon_command_doctor(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"CHECK", "RESULT", "FINDING", NULL};
	struct doctor d = {.ctl = ctl, .table = demon_table_begin(&ctl->settings, heads, 1)};
	enum demon_rc rc = check_all(&d, err);

	if (rc == DEMON_OK)
		rc = demon_table_print(&d.table, err);
	demon_table_done(&d.table);
	if (rc == DEMON_OK && d.failed)
		return demon_err_set(err, DEMON_FAILED, "%zu check%s failed", d.failed,
				     d.failed == 1 ? "" : "s");
	return rc;
}
