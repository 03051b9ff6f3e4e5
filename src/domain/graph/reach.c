#include "reach.h"

DEMON_SQL(sql_start, "SELECT p.chain, p.position FROM graph_commits c JOIN graph_commits p "
		     "ON p.n = c.parent WHERE c.n = :chain");
DEMON_SQL(sql_merges, "SELECT parent_chain, parent_position FROM graph_merges WHERE chain = :chain "
		      "AND position > :after AND position <= :until");

void demon_graph_reached_done(struct demon_graph_reached *r)
{
	free(r->marks);
	free(r->todo);
	*r = (struct demon_graph_reached){0};
}

static struct demon_graph_mark *place_of(const struct demon_graph_reached *r, int64_t chain)
{
	size_t i = (size_t)((uint64_t)chain * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (r->room - 1);

	while (r->marks[i].chain && r->marks[i].chain != chain)
		i = (i + 1) & (r->room - 1);
	return &r->marks[i];
}

int64_t demon_graph_reached_get(const struct demon_graph_reached *r, int64_t chain)
{
	return r->room ? place_of(r, chain)->position : 0;
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a history");
}

static enum demon_rc grow(struct demon_graph_reached *r, struct demon_err *err)
{
	struct demon_graph_reached larger = *r;

	larger.room = r->room ? 2 * r->room : 16;
	larger.marks = demon_calloc(larger.room, sizeof(*larger.marks));
	if (!larger.marks)
		return no_memory(err);
	for (size_t i = 0; i < r->room; i++)
		if (r->marks[i].chain)
			*place_of(&larger, r->marks[i].chain) = r->marks[i];
	free(r->marks);
	*r = larger;
	return DEMON_OK;
}

/* Raises a chain's mark, and notes from where: that stretch is to be looked at. */
static enum demon_rc raise(struct demon_graph_reached *r, int64_t chain, int64_t position,
			   struct demon_err *err)
{
	struct demon_graph_mark *mark;

	if (2 * r->count >= r->room && grow(r, err))
		return err->rc;
	mark = place_of(r, chain);
	if (mark->position >= position)
		return DEMON_OK;
	if (r->todo_count == r->todo_room) {
		size_t room = r->todo_room ? 2 * r->todo_room : 16;
		void *larger = demon_realloc(r->todo, room, sizeof(*r->todo));

		if (!larger)
			return no_memory(err);
		r->todo = larger;
		r->todo_room = room;
	}
	r->count += mark->chain == 0;
	r->todo[r->todo_count++] = (struct demon_graph_stretch){chain, mark->position, position};
	*mark = (struct demon_graph_mark){chain, position};
	return DEMON_OK;
}

/* Raises what the first commit of a chain stands on. */
static enum demon_rc look_at_start(struct demon_db *db, struct demon_graph_reached *r,
				   int64_t chain, struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_start);

	demon_bind_i64(&q, ":chain", chain);
	if ((rc = demon_step(&q, &row, err)) || !row)
		return rc;
	return raise(r, demon_col_i64(&q, 0), demon_col_i64(&q, 1), err);
}

static enum demon_rc look_at_merges(struct demon_db *db, struct demon_graph_reached *r,
				    const struct demon_graph_stretch *stretch,
				    struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_merges);

	demon_bind_i64(&q, ":chain", stretch->chain);
	demon_bind_i64(&q, ":after", stretch->after);
	demon_bind_i64(&q, ":until", stretch->until);
	while (!(rc = demon_step(&q, &row, err)) && row)
		if ((rc = raise(r, demon_col_i64(&q, 0), demon_col_i64(&q, 1), err)))
			return rc;
	return rc;
}

enum demon_rc demon_graph_reached_add(struct demon_db *db, struct demon_graph_reached *r,
				      int64_t chain, int64_t position, struct demon_err *err)
{
	enum demon_rc rc = raise(r, chain, position, err);

	while (r->todo_count && !rc) {
		const struct demon_graph_stretch next = r->todo[--r->todo_count];

		if (next.after == 0)
			rc = look_at_start(db, r, next.chain, err);
		if (!rc)
			rc = look_at_merges(db, r, &next, err);
	}
	return rc;
}
