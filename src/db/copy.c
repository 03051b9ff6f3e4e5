#include "copy.h"

#include "handle.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PAGES 4096 /* a step */

static enum demon_rc make(const char *path, struct demon_err *err)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		return demon_err_sys(err, errno == EEXIST ? DEMON_EXISTS : DEMON_IO, errno,
				     "cannot make '%s'", path);
	(void)close(fd);
	return DEMON_OK;
}

/* The error of @p to, which is no connection of ours. */
static enum demon_rc failed(sqlite3 *to, const char *path, struct demon_err *err)
{
	int code = sqlite3_extended_errcode(to);
	enum demon_rc rc = (code & 0xff) == SQLITE_FULL    ? DEMON_FULL
			   : (code & 0xff) == SQLITE_NOMEM ? DEMON_NOMEM
							   : DEMON_IO;

	return demon_err_set(err, rc, "cannot write '%s': %s", path, sqlite3_errmsg(to));
}

static enum demon_rc copy_pages(struct demon_db *db, sqlite3 *to, const char *path,
				struct demon_err *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", db->sql, "main");
	int code;

	if (!backup)
		return failed(to, path, err);
	do
		code = sqlite3_backup_step(backup, PAGES);
	while (code == SQLITE_OK);
	(void)sqlite3_backup_finish(backup); /* says the same once more */
	return code == SQLITE_DONE ? DEMON_OK : failed(to, path, err);
}

enum demon_rc demon_db_copy(struct demon_db *db, const char *path, struct demon_err *err)
{
	sqlite3 *to = NULL;
	enum demon_rc rc = make(path, err);

	if (rc)
		return rc;
	if (sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
	    sqlite3_exec(to, "PRAGMA synchronous=FULL", NULL, NULL, NULL))
		rc = failed(to, path, err);
	if (!rc)
		rc = copy_pages(db, to, path, err);
	if (sqlite3_close(to) && !rc)
		rc = failed(to, path, err);
	if (rc)
		(void)unlink(path);
	return rc;
}
