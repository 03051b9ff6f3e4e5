#include "base.h"

#include "history.h"
#include "store/readers.h"

#include <string.h>

void demon_graph_commits_done(struct demon_graph_commits *list)
{
	free(list->at);
	*list = (struct demon_graph_commits){0};
}

enum demon_rc demon_graph_commits_add(struct demon_graph_commits *list,
				      const struct demon_graph_commit *c, struct demon_err *err)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 8;
		void *larger = demon_realloc(list->at, room, sizeof(*list->at));

		if (!larger)
			return demon_err_set(err, DEMON_NOMEM, "no memory for a history");
		list->at = larger;
		list->room = room;
	}
	list->at[list->count++] = *c;
	return DEMON_OK;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct demon_graph_commit *)a)->id,
		      ((const struct demon_graph_commit *)b)->id, DEMON_HASH_LEN);
}

/* Of each chain that both reach, the last commit that both have. */
static enum demon_rc find_tops(struct demon_db *db, const struct demon_graph_reached *a,
			       const struct demon_graph_reached *b, struct demon_graph_commits *ret,
			       struct demon_err *err)
{
	struct demon_graph_commit top;
	bool found;
	enum demon_rc rc;

	for (size_t i = 0; i < a->room; i++) {
		const struct demon_graph_mark *mark = &a->marks[i];
		int64_t position = mark->chain ? demon_graph_reached_get(b, mark->chain) : 0;

		if (!position)
			continue;
		if (mark->position < position)
			position = mark->position;
		rc = demon_graph_commit_at(db, mark->chain, position, &top, &found, err);
		if (rc)
			return rc;
		if (!found)
			return demon_err_set(err, DEMON_CORRUPT,
					     "graph_commits: a chain has a gap");
		if ((rc = demon_graph_commits_add(ret, &top, err)))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc add_parents(struct demon_db *db, struct demon_graph_reached *r,
				 const struct demon_graph_commit *c, struct demon_err *err)
{
	int64_t parents[DEMON_GRAPH_PARENTS_MAX];
	struct demon_graph_commit p;
	size_t n;
	enum demon_rc rc = demon_graph_commit_parents(db, c, parents, &n, err);

	for (size_t i = 0; i < n && !rc; i++) {
		rc = demon_graph_commit_by_number(db, parents[i], &p, err);
		if (!rc)
			rc = demon_graph_reached_add(db, r, p.chain, p.position, err);
	}
	return rc;
}

/* What all of them have in common is what the tops reach; the best are tops that no other reaches.
 */
static enum demon_rc keep_best(struct demon_db *db, const struct demon_graph_commits *tops,
			       struct demon_graph_commits *ret, struct demon_err *err)
{
	demon_cleanup(demon_graph_reached_done) struct demon_graph_reached below = {0};
	size_t before = ret->count;
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < tops->count && tops->count > 1 && !rc; i++)
		rc = add_parents(db, &below, &tops->at[i], err);
	for (size_t i = 0; i < tops->count && !rc; i++)
		if (!demon_graph_reached_has(&below, &tops->at[i]))
			rc = demon_graph_commits_add(ret, &tops->at[i], err);
	if (!rc && ret->count > before)
		qsort(ret->at + before, ret->count - before, sizeof(*ret->at), by_id);
	return rc;
}

enum demon_rc demon_graph_bases(struct demon_db *db, const struct demon_graph_commit *a,
				const struct demon_graph_commit *b, struct demon_graph_commits *ret,
				struct demon_err *err)
{
	demon_cleanup(demon_graph_reached_done) struct demon_graph_reached of_a = {0};
	demon_cleanup(demon_graph_reached_done) struct demon_graph_reached of_b = {0};
	demon_cleanup(demon_graph_commits_done) struct demon_graph_commits tops = {0};
	enum demon_rc rc;

	if ((rc = demon_graph_reached_add(db, &of_a, a->chain, a->position, err)))
		return rc;
	if (demon_graph_reached_has(&of_a, b))
		return demon_graph_commits_add(ret, b, err);
	if ((rc = demon_graph_reached_add(db, &of_b, b->chain, b->position, err)))
		return rc;
	if (demon_graph_reached_has(&of_b, a))
		return demon_graph_commits_add(ret, a, err);
	if ((rc = find_tops(db, &of_a, &of_b, &tops, err)))
		return rc;
	return keep_best(db, &tops, ret, err);
}

/* --- from outside -------------------------------------------------------------------------- */

/* NOLINTNEXTLINE(readability-function-size): what is asked, of which graph, and whom to tell */
enum demon_rc demon_graph_merge_bases(struct demon_store *store,
				      const struct demon_graph_scope *scope, const char *a,
				      const char *b, demon_graph_id_fn *fn, void *ctx,
				      struct demon_err *err)
{
	demon_cleanup(demon_graph_commits_done) struct demon_graph_commits bases = {0};
	struct demon_graph_commit first;
	struct demon_graph_commit second;
	enum demon_rc rc;
	DEMON_READ(loan);
	DEMON_TXN(tx);

	if ((rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_txn_read(&tx, loan.db, err)) ||
	    (rc = demon_graph_commit_find(loan.db, scope, a, &first, err)) ||
	    (rc = demon_graph_commit_find(loan.db, scope, b, &second, err)) ||
	    (rc = demon_graph_bases(loan.db, &first, &second, &bases, err)))
		return rc;
	for (size_t i = 0; i < bases.count && !rc; i++) {
		struct demon_graph_id id;

		memcpy(id.bytes, bases.at[i].id, sizeof(id.bytes));
		rc = fn(ctx, &id, err);
	}
	return rc;
}

enum demon_rc demon_graph_is_ancestor(struct demon_store *store,
				      const struct demon_graph_scope *scope, const char *a,
				      const char *b, bool *ret, struct demon_err *err)
{
	demon_cleanup(demon_graph_reached_done) struct demon_graph_reached of_b = {0};
	struct demon_graph_commit first;
	struct demon_graph_commit second;
	enum demon_rc rc;
	DEMON_READ(loan);
	DEMON_TXN(tx);

	if ((rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_txn_read(&tx, loan.db, err)) ||
	    (rc = demon_graph_commit_find(loan.db, scope, a, &first, err)) ||
	    (rc = demon_graph_commit_find(loan.db, scope, b, &second, err)) ||
	    (rc = demon_graph_reached_add(loan.db, &of_b, second.chain, second.position, err)))
		return rc;
	*ret = demon_graph_reached_has(&of_b, &first);
	return DEMON_OK;
}
