#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

DEMON_SQL(sql_get, "SELECT label, origin, epoch, former_origin, file_identity, has_signed "
		   "FROM local_node WHERE id = 1");
DEMON_SQL(sql_put, "INSERT INTO local_node (id, label, origin, epoch, file_identity, created_at) "
		   "VALUES (1, :label, :origin, :epoch, :file, :now)");
DEMON_SQL(sql_renew, "UPDATE local_node SET epoch = :epoch, origin = :origin, "
		     "former_origin = :former, file_identity = :file, has_signed = :signed "
		     "WHERE id = 1");
DEMON_SQL(sql_label, "UPDATE local_node SET label = :label WHERE id = 1");

#define FILE_IDENTITY_MAX 160

/*
 * Tells this file from a copy, without opening it. The device is left out: its number changes
 * between boots on some systems.
 */
static enum demon_rc file_identity(const char *path, char out[FILE_IDENTITY_MAX],
				   struct demon_err *err)
{
	struct statx st;
	char host[65] = "";
	ssize_t n;
	int fd;

	if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &st))
		return demon_err_sys(err, DEMON_IO, errno, "cannot look at '%s'", path);
	fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, host, sizeof(host) - 1);
		host[n > 0 ? n : 0] = '\0';
		host[strcspn(host, "\n")] = '\0';
		(void)close(fd);
	}
	DEMON_BUF(text, 0);
	demon_buf_fmt(&text, "%s:%llu:%lld.%09u", host, (unsigned long long)st.stx_ino,
		      (st.stx_mask & STATX_BTIME) ? (long long)st.stx_btime.tv_sec : 0LL,
		      (st.stx_mask & STATX_BTIME) ? st.stx_btime.tv_nsec : 0U);
	if (text.rc || text.len >= FILE_IDENTITY_MAX)
		return demon_err_set(err, DEMON_INTERNAL, "the identity of '%s' is too long", path);
	memcpy(out, text.data, text.len + 1);
	return DEMON_OK;
}

static void new_epoch(const struct demon_env *env, unsigned char epoch[DEMON_EPOCH_LEN])
{
	static const unsigned char zero[DEMON_EPOCH_LEN];

	do
		env->random(env->ctx, epoch, DEMON_EPOCH_LEN);
	while (memcmp(epoch, zero, sizeof(zero)) == 0);
}

/* What the row says. */
struct row {
	bool found;
	bool moved; /* the file is another */
	bool has_signed;
};

static enum demon_rc read_row(struct demon_store *store, const char *file, struct row *ret,
			      struct demon_err *err)
{
	DEMON_STMT(q, store->writer, &sql_get);
	struct demon_node *node = &store->node;
	const char *label;
	enum demon_rc rc;

	*ret = (struct row){0};
	if ((rc = demon_step(&q, &ret->found, err)) || !ret->found)
		return rc;
	label = demon_col_str(&q, 0);
	if (!label || strlen(label) >= sizeof(node->label) ||
	    demon_col_len(&q, 1) != sizeof(node->origin) ||
	    demon_col_len(&q, 2) != sizeof(node->epoch))
		return demon_err_set(err, DEMON_CORRUPT, "table local_node is damaged");
	memcpy(node->label, label, strlen(label) + 1);
	memcpy(node->origin, demon_col_blob(&q, 1), sizeof(node->origin));
	memcpy(node->epoch, demon_col_blob(&q, 2), sizeof(node->epoch));
	store->has_former_origin = demon_col_len(&q, 3) == sizeof(store->former_origin);
	if (store->has_former_origin)
		memcpy(store->former_origin, demon_col_blob(&q, 3), sizeof(store->former_origin));
	ret->moved = strcmp(demon_col_str(&q, 4), file) != 0;
	ret->has_signed = demon_col_i64(&q, 5) != 0;
	return DEMON_OK;
}

/* A new node that was given no label is called as its host. */
static void default_label(char label[256])
{
	if (gethostname(label, 255) || !*label)
		memcpy(label, "node", 5);
	label[255] = '\0';
}

static enum demon_rc insert_row(struct demon_store *store, const char *label, const char *file,
				struct demon_err *err)
{
	DEMON_STMT(q, store->writer, &sql_put);
	char host[256] = "";
	const struct demon_env *env = store->env;
	struct demon_node *node = &store->node;

	if (!label) {
		default_label(host);
		label = host;
	}
	env->random(env->ctx, node->origin, sizeof(node->origin));
	new_epoch(env, node->epoch);
	demon_bind_str(&q, ":label", label);
	demon_bind_blob(&q, ":origin", node->origin, sizeof(node->origin));
	demon_bind_blob(&q, ":epoch", node->epoch, sizeof(node->epoch));
	demon_bind_str(&q, ":file", file);
	demon_bind_i64(&q, ":now", env->now(env->ctx));
	memcpy(node->label, label, strlen(label) + 1);
	return demon_exec(&q, err);
}

static enum demon_rc update_row(struct demon_store *store, const char *file, bool has_signed,
				struct demon_err *err)
{
	DEMON_STMT(q, store->writer, &sql_renew);
	const struct demon_node *node = &store->node;

	demon_bind_blob(&q, ":epoch", node->epoch, sizeof(node->epoch));
	demon_bind_blob(&q, ":origin", node->origin, sizeof(node->origin));
	demon_bind_blob(&q, ":former", store->has_former_origin ? store->former_origin : NULL,
			sizeof(store->former_origin));
	demon_bind_str(&q, ":file", file);
	demon_bind_i64(&q, ":signed", has_signed);
	return demon_exec(&q, err);
}

/* A database that has signed speaks for its origin only with the key beside it. */
static bool key_is_missing(const struct demon_store *store)
{
	DEMON_BUF(path, 0);

	demon_buf_fmt(&path, "%s.key", store->path);
	return path.rc == DEMON_OK && access(path.data, F_OK) != 0;
}

static enum demon_rc set_label(struct demon_store *store, const char *label, struct demon_err *err)
{
	DEMON_STMT(q, store->writer, &sql_label);

	demon_bind_str(&q, ":label", label);
	memcpy(store->node.label, label, strlen(label) + 1);
	return demon_exec(&q, err);
}

/* Under the write lock: looks again, since another process may have been first. */
static enum demon_rc settle(struct demon_store *store, const char *label, const char *file,
			    struct demon_err *err)
{
	DEMON_TXN(tx);
	struct row row;
	enum demon_rc rc;

	if ((rc = demon_txn_begin(&tx, store->writer, store->lock, err)) ||
	    (rc = read_row(store, file, &row, err)))
		return rc;
	if (!row.found) {
		rc = insert_row(store, label, file, err);
	} else if (row.moved || (row.has_signed && key_is_missing(store))) {
		if (row.has_signed && key_is_missing(store)) {
			memcpy(store->former_origin, store->node.origin, DEMON_ORIGIN_LEN);
			store->has_former_origin = true;
			row.has_signed = false;
			store->env->random(store->env->ctx, store->node.origin, DEMON_ORIGIN_LEN);
		}
		new_epoch(store->env, store->node.epoch);
		rc = update_row(store, file, row.has_signed, err);
	}
	if (!rc && label && strcmp(label, store->node.label) != 0)
		rc = set_label(store, label, err);
	return rc ? rc : demon_txn_commit(&tx, err);
}

enum demon_rc demon_identity_load(struct demon_store *store, const char *label,
				  struct demon_err *err)
{
	char file[FILE_IDENTITY_MAX];
	struct row row;
	enum demon_rc rc;

	if (label && (!*label || strlen(label) >= sizeof(store->node.label)))
		return demon_err_set(err, DEMON_INVALID, "a node id has 1 to 255 bytes");
	if ((rc = file_identity(store->path, file, err)) || (rc = read_row(store, file, &row, err)))
		return rc;
	if (row.found && !row.moved && !(row.has_signed && key_is_missing(store)) &&
	    (!label || strcmp(label, store->node.label) == 0))
		return DEMON_OK;
	if ((rc = demon_lock_write(store->lock, store->busy_ms, err)))
		return rc;
	rc = settle(store, label, file, err);
	demon_lock_write_release(store->lock);
	return rc;
}

enum demon_rc demon_identity_new_epoch(struct demon_write *w, struct demon_err *err)
{
	struct demon_store *store = w->store;
	char file[FILE_IDENTITY_MAX];
	enum demon_rc rc;
	struct row row;

	if ((rc = file_identity(store->path, file, err)) || (rc = read_row(store, file, &row, err)))
		return rc;
	(void)pthread_mutex_lock(&store->node_lock);
	new_epoch(store->env, store->node.epoch);
	(void)pthread_mutex_unlock(&store->node_lock);
	demon_belief_forget(store);
	return update_row(store, file, row.has_signed, err);
}
