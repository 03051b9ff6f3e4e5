#include "readers.h"

#include "handle.h"

/* An idle connection, or NULL when the caller is to open one. The pool is locked. */
static struct demon_db *take_idle(struct demon_pool *pool)
{
	while (!pool->idle_count && pool->open_count == DEMON_READERS_MAX)
		(void)pthread_cond_wait(&pool->returned, &pool->lock);
	if (pool->idle_count)
		return pool->idle[--pool->idle_count];
	pool->open_count++;
	return NULL;
}

enum demon_rc demon_store_borrow(struct demon_store *store, struct demon_loan *ret_loan,
				 struct demon_err *err)
{
	struct demon_pool *pool = &store->pool;
	struct demon_db *db;
	enum demon_rc rc;

	(void)pthread_mutex_lock(&pool->lock);
	db = take_idle(pool);
	(void)pthread_mutex_unlock(&pool->lock);
	if (!db && (rc = demon_db_open(store->path, DEMON_DB_READER, false, &db, err))) {
		(void)pthread_mutex_lock(&pool->lock);
		pool->open_count--;
		(void)pthread_cond_signal(&pool->returned);
		(void)pthread_mutex_unlock(&pool->lock);
		return rc;
	}
	*ret_loan = (struct demon_loan){store, db};
	return DEMON_OK;
}

void demon_store_return(struct demon_loan *loan)
{
	struct demon_pool *pool;

	if (!loan->store)
		return;
	pool = &loan->store->pool;
	(void)pthread_mutex_lock(&pool->lock);
	pool->idle[pool->idle_count++] = loan->db;
	(void)pthread_cond_signal(&pool->returned);
	(void)pthread_mutex_unlock(&pool->lock);
	*loan = (struct demon_loan){0};
}
