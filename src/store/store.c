#include "store.h"

#include "db/migrate.h"
#include "handle.h"
#include "identity.h"
#include "subject.h"

static enum demon_rc prepare(struct demon_store *store, const struct demon_options *options,
			     struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = demon_db_open(store->path, DEMON_DB_WRITER, options->create, &store->writer,
				err)) ||
	    (rc = demon_lock_open(store->path, &store->lock, err)) ||
	    (rc = demon_migrate(store->writer, store->lock, store->env, err)))
		return rc;
	return demon_identity_load(store, options->node_id, err);
}

static struct demon_store *allocate(const char *path)
{
	struct demon_store *store = demon_calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->scratch = (struct demon_buf){.data = demon_buf_empty};
	store->extra = (struct demon_buf){.data = demon_buf_empty, .max = DEMON_HEADER_MAX};
	store->belief.memo.ids = (struct demon_buf){.data = demon_buf_empty};
	store->belief.memo.subject =
	    (struct demon_buf){.data = demon_buf_empty, .max = DEMON_SUBJECT_MAX};
	store->queue.last = &store->queue.first;
	store->queue.batch = 1;
	(void)pthread_mutex_init(&store->queue.lock, NULL);
	(void)pthread_mutex_init(&store->pool.lock, NULL);
	(void)pthread_cond_init(&store->pool.returned, NULL);
	(void)pthread_mutex_init(&store->claims.lock, NULL);
	(void)pthread_mutex_init(&store->node_lock, NULL);
	store->path = demon_strdup(path);
	store->sha = demon_sha256_new();
	if (!store->path || !store->sha) {
		demon_close(store);
		return NULL;
	}
	return store;
}

enum demon_rc demon_store_open(const char *path, const struct demon_options *options,
			       const struct demon_projection *const *projections,
			       struct demon_store **ret_store, struct demon_err *err)
{
	struct demon_store *store = allocate(path);
	enum demon_rc rc;

	if (!store)
		return demon_err_set(err, DEMON_NOMEM, "cannot open '%s': out of memory", path);
	store->env = options->env ? options->env : demon_env_real();
	store->busy_ms = options->busy_ms ? options->busy_ms : 10000;
	store->projections = projections;
	if ((rc = prepare(store, options, err))) {
		demon_close(store);
		return rc;
	}
	*ret_store = store;
	return DEMON_OK;
}

/*
 * Leaves the data in the main file, so that a copy of it alone is whole. Another process may be
 * writing; then the WAL is its to fold in.
 */
static void checkpoint(struct demon_store *store)
{
	struct demon_err err;

	if (demon_lock_write(store->lock, 0, &err))
		return;
	if (demon_db_checkpoint(store->writer, &err))
		err.rc = DEMON_OK; /* what is left in the WAL is as durable there */
	demon_lock_write_release(store->lock);
}

void demon_close(struct demon_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->pool.idle_count; i++)
		demon_db_close(store->pool.idle[i]);
	if (store->wrote)
		checkpoint(store);
	demon_db_close(store->writer);
	demon_lock_close(store->lock);
	demon_sha256_free(store->sha);
	demon_buf_done(&store->scratch);
	demon_buf_done(&store->extra);
	demon_buf_done(&store->belief.memo.ids);
	demon_buf_done(&store->belief.memo.subject);
	(void)pthread_mutex_destroy(&store->queue.lock);
	(void)pthread_mutex_destroy(&store->pool.lock);
	(void)pthread_cond_destroy(&store->pool.returned);
	(void)pthread_mutex_destroy(&store->claims.lock);
	(void)pthread_mutex_destroy(&store->node_lock);
	free(store->claims.held);
	free(store->path);
	free(store);
}

const struct demon_env *demon_store_env(const struct demon_store *store)
{
	return store->env;
}

const unsigned char *demon_store_origin(const struct demon_store *store)
{
	return store->node.origin;
}

const char *demon_store_path(const struct demon_store *store)
{
	return store->path;
}

void demon_node_get(struct demon_store *store, struct demon_node *ret_node)
{
	(void)pthread_mutex_lock(&store->node_lock);
	*ret_node = store->node;
	(void)pthread_mutex_unlock(&store->node_lock);
}
