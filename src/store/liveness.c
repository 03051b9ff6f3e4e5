#include "liveness.h"

#include "handle.h"

/* Index of @p n among the held numbers, or their count. The lock is held. */
static size_t find(const struct demon_claims *claims, int64_t n)
{
	size_t i = 0;

	while (i < claims->count && claims->held[i] != n)
		i++;
	return i;
}

static enum demon_rc take(struct demon_store *store, int64_t n, struct demon_err *err)
{
	struct demon_claims *claims = &store->claims;
	enum demon_rc rc;

	if (find(claims, n) < claims->count)
		return demon_err_set(err, DEMON_BUSY, "held by another thread");
	if (claims->count == claims->cap) {
		size_t cap = claims->cap ? claims->cap * 2 : 16;
		int64_t *held = demon_realloc(claims->held, cap, sizeof(*held));

		if (!held)
			return demon_err_set(err, DEMON_NOMEM, "no memory for a liveness lock");
		claims->held = held;
		claims->cap = cap;
	}
	if ((rc = demon_lock_alive(store->lock, n, err)))
		return rc;
	claims->held[claims->count++] = n;
	return DEMON_OK;
}

enum demon_rc demon_store_claim(struct demon_store *store, int64_t n, struct demon_err *err)
{
	enum demon_rc rc;

	(void)pthread_mutex_lock(&store->claims.lock);
	rc = take(store, n, err);
	(void)pthread_mutex_unlock(&store->claims.lock);
	return rc;
}

void demon_store_unclaim(struct demon_store *store, int64_t n)
{
	struct demon_claims *claims = &store->claims;
	size_t i;

	(void)pthread_mutex_lock(&claims->lock);
	i = find(claims, n);
	if (i < claims->count) {
		claims->held[i] = claims->held[--claims->count];
		demon_lock_alive_release(store->lock, n);
	}
	(void)pthread_mutex_unlock(&claims->lock);
}

bool demon_store_claimed_elsewhere(struct demon_store *store, int64_t n)
{
	return demon_lock_alive_elsewhere(store->lock, n);
}

bool demon_store_claimed(struct demon_store *store, int64_t n)
{
	bool own;

	(void)pthread_mutex_lock(&store->claims.lock);
	own = find(&store->claims, n) < store->claims.count;
	(void)pthread_mutex_unlock(&store->claims.lock);
	return own || demon_store_claimed_elsewhere(store, n);
}
