/*
 * Lists of commits.
 */
#include "base.h"
#include "history.h"
#include "store/readers.h"

#include <string.h>

DEMON_SQL(sql_newest, "SELECT n FROM graph_commits WHERE graph = :graph ORDER BY ts DESC, n DESC "
		      "LIMIT :limit OFFSET :skip");
DEMON_SQL(sql_touches, "SELECT c.n, t.chain, t.position FROM graph_touches t JOIN graph_commits c "
		       "ON c.chain = t.chain AND c.position = t.position WHERE t.graph = :graph "
		       "AND t.node = :node");
DEMON_SQL(sql_payload, "SELECT payload FROM log_events WHERE seq = :seq");

/* A list that is being handed out. */
struct list {
	struct demon_db *db;
	const struct demon_graph_log_filter *filter;
	demon_graph_log_fn *fn;
	void *ctx;
	size_t passed; /* commits that were met */
};

static bool is_over(const struct list *list)
{
	return list->filter->limit && list->passed >= list->filter->skip + list->filter->limit;
}

/* --- one commit ---------------------------------------------------------------------------- */

static enum demon_rc read_texts(struct demon_db *db, int64_t seq, struct demon_buf *author,
				struct demon_buf *message, struct demon_graph_log_row *row,
				struct demon_err *err)
{
	static const char *const keys[] = {"author", "message"};
	struct demon_json_span metadata;
	struct demon_json_span v[2];
	bool found;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_payload);

	demon_bind_i64(&q, ":seq", seq);
	if ((rc = demon_step(&q, &found, err)) || !found || demon_col_is_null(&q, 0))
		return rc;
	metadata = demon_json_member(demon_col_str(&q, 0), demon_col_len(&q, 0), "metadata");
	demon_json_members(metadata.at, metadata.len, keys, v, 2);
	if (demon_json_span_str(v[0], author))
		row->author = author->data;
	if (demon_json_span_str(v[1], message))
		row->message = message->data;
	return author->rc ? demon_buf_rc(author, err) : demon_buf_rc(message, err);
}

static enum demon_rc give(const struct list *list, const struct demon_graph_commit *c,
			  struct demon_err *err)
{
	int64_t numbers[DEMON_GRAPH_PARENTS_MAX];
	struct demon_graph_id parents[DEMON_GRAPH_PARENTS_MAX];
	struct demon_graph_log_row row = {
	    .parents = parents, .generation = c->generation, .ts = c->ts};
	struct demon_graph_commit p;
	DEMON_BUF(author, 0);
	DEMON_BUF(message, 0);
	enum demon_rc rc = demon_graph_commit_parents(list->db, c, numbers, &row.parent_count, err);

	for (size_t i = 0; i < row.parent_count && !rc; i++) {
		rc = demon_graph_commit_by_number(list->db, numbers[i], &p, err);
		memcpy(parents[i].bytes, p.id, sizeof(p.id));
	}
	memcpy(row.id.bytes, c->id, sizeof(c->id));
	if (rc || (rc = read_texts(list->db, c->seq, &author, &message, &row, err)))
		return rc;
	return list->fn(list->ctx, &row, err);
}

/* Hands a commit out, unless it is one of those that are to be skipped. */
static enum demon_rc meet(struct list *list, const struct demon_graph_commit *c,
			  struct demon_err *err)
{
	return list->passed++ < list->filter->skip ? DEMON_OK : give(list, c, err);
}

/* --- all, and those of a node -------------------------------------------------------------- */

static enum demon_rc give_newest(struct list *list, int64_t graph, struct demon_err *err)
{
	struct demon_graph_commit c;
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, list->db, &sql_newest);

	demon_bind_i64(&q, ":graph", graph);
	demon_bind_i64(&q, ":limit", list->filter->limit ? (int64_t)list->filter->limit : -1);
	demon_bind_i64(&q, ":skip", (int64_t)list->filter->skip);
	while (!(rc = demon_step(&q, &row, err)) && row)
		if ((rc = demon_graph_commit_by_number(list->db, demon_col_i64(&q, 0), &c, err)) ||
		    (rc = give(list, &c, err)))
			return rc;
	return rc;
}

static int newest_first(const void *a, const void *b)
{
	const struct demon_graph_commit *x = a;
	const struct demon_graph_commit *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? 1 : -1;
	if (x->generation != y->generation)
		return x->generation < y->generation ? 1 : -1;
	return memcmp(x->id, y->id, sizeof(x->id));
}

static int children_first(const void *a, const void *b)
{
	const struct demon_graph_commit *x = a;
	const struct demon_graph_commit *y = b;

	if (x->generation != y->generation)
		return x->generation < y->generation ? 1 : -1;
	return newest_first(a, b);
}

static enum demon_rc give_touching(struct list *list, const struct demon_graph_commit *from,
				   struct demon_err *err)
{
	demon_cleanup(demon_graph_reached_done) struct demon_graph_reached reached = {0};
	demon_cleanup(demon_graph_commits_done) struct demon_graph_commits found = {0};
	struct demon_graph_commit c;
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, list->db, &sql_touches);

	if ((rc = demon_graph_reached_add(list->db, &reached, from->chain, from->position, err)))
		return rc;
	demon_bind_i64(&q, ":graph", from->graph);
	demon_bind_str(&q, ":node", list->filter->node);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		if (demon_graph_reached_get(&reached, demon_col_i64(&q, 1)) < demon_col_i64(&q, 2))
			continue;
		if ((rc = demon_graph_commit_by_number(list->db, demon_col_i64(&q, 0), &c, err)) ||
		    (rc = demon_graph_commits_add(&found, &c, err)))
			return rc;
	}
	if (rc)
		return rc;
	if (found.count)
		qsort(found.at, found.count, sizeof(*found.at),
		      list->filter->order == DEMON_GRAPH_TOPOLOGICAL ? children_first
								     : newest_first);
	for (size_t i = 0; i < found.count && !is_over(list) && !rc; i++)
		rc = meet(list, &found.at[i], err);
	return rc;
}

/* --- what a commit descends from ----------------------------------------------------------- */

/* A heap of commits, the newest on top; of equals, the one that came first. */
struct queue {
	struct queued {
		struct demon_graph_commit c;
		uint64_t turn;
	} * at; /* owned */
	size_t count;
	size_t room;
	uint64_t turns;
	unsigned char *seen; /* owned: bits by number; parents have smaller ones */
};

static void queue_done(struct queue *q)
{
	free(q->at);
	free(q->seen);
}

static bool before(const struct queued *a, const struct queued *b)
{
	return a->c.ts != b->c.ts ? a->c.ts > b->c.ts : a->turn < b->turn;
}

static enum demon_rc push(struct queue *q, const struct demon_graph_commit *c,
			  struct demon_err *err)
{
	struct queued new = {*c, q->turns++};
	size_t i = q->count;

	if (q->count == q->room) {
		size_t room = q->room ? 2 * q->room : 64;
		void *larger = demon_realloc(q->at, room, sizeof(*q->at));

		if (!larger)
			return demon_err_set(err, DEMON_NOMEM, "no memory for a history");
		q->at = larger;
		q->room = room;
	}
	q->count++;
	for (; i > 0 && before(&new, &q->at[(i - 1) / 2]); i = (i - 1) / 2)
		q->at[i] = q->at[(i - 1) / 2];
	q->at[i] = new;
	return DEMON_OK;
}

static struct demon_graph_commit pop(struct queue *q)
{
	struct demon_graph_commit top = q->at[0].c;
	struct queued last = q->at[--q->count];
	size_t i = 0;

	for (size_t child = 1; child < q->count; child = 2 * i + 1) {
		if (child + 1 < q->count && before(&q->at[child + 1], &q->at[child]))
			child++;
		if (!before(&q->at[child], &last))
			break;
		q->at[i] = q->at[child];
		i = child;
	}
	q->at[i] = last;
	return top;
}

/* True the first time that it is asked about a number. */
static bool first_sight(unsigned char *seen, int64_t n)
{
	unsigned char bit = (unsigned char)(1U << (n & 7));
	bool first = !(seen[n >> 3] & bit);

	seen[n >> 3] |= bit;
	return first;
}

static enum demon_rc give_by_time(struct list *list, const struct demon_graph_commit *from,
				  struct demon_err *err)
{
	demon_cleanup(queue_done) struct queue q = {0};
	int64_t parents[DEMON_GRAPH_PARENTS_MAX];
	size_t n;
	enum demon_rc rc;

	q.seen = demon_calloc((size_t)(from->n >> 3) + 1, 1);
	if (!q.seen)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a history");
	if ((rc = push(&q, from, err)))
		return rc;
	while (q.count && !is_over(list)) {
		struct demon_graph_commit c = pop(&q);
		struct demon_graph_commit p;

		if ((rc = meet(list, &c, err)) ||
		    (rc = demon_graph_commit_parents(list->db, &c, parents, &n, err)))
			return rc;
		for (size_t i = 0; i < n; i++)
			if (first_sight(q.seen, parents[i]) &&
			    ((rc = demon_graph_commit_by_number(list->db, parents[i], &p, err)) ||
			     (rc = push(&q, &p, err))))
				return rc;
	}
	return DEMON_OK;
}

/* Numbers in a row of memory, as a stack. */
struct stack {
	int64_t *at; /* owned */
	size_t count;
	size_t room;
	uint32_t
	    *children; /* owned: by number, how many children are still to come; 0: not reached */
};

static void stack_done(struct stack *s)
{
	free(s->at);
	free(s->children);
}

static enum demon_rc stack_push(struct stack *s, int64_t n, struct demon_err *err)
{
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		void *larger = demon_realloc(s->at, room, sizeof(*s->at));

		if (!larger)
			return demon_err_set(err, DEMON_NOMEM, "no memory for a history");
		s->at = larger;
		s->room = room;
	}
	s->at[s->count++] = n;
	return DEMON_OK;
}

static enum demon_rc parents_of(struct list *list, int64_t n, struct demon_graph_commit *c,
				int64_t *parents, size_t *count, struct demon_err *err)
{
	enum demon_rc rc = demon_graph_commit_by_number(list->db, n, c, err);

	return rc ? rc : demon_graph_commit_parents(list->db, c, parents, count, err);
}

/* How many children each has, one more than there are. */
static enum demon_rc count_children(struct list *list, struct stack *s, struct demon_err *err)
{
	int64_t parents[DEMON_GRAPH_PARENTS_MAX];
	struct demon_graph_commit c;
	size_t n;
	enum demon_rc rc = DEMON_OK;

	while (s->count && !rc) {
		if ((rc = parents_of(list, s->at[--s->count], &c, parents, &n, err)))
			return rc;
		for (size_t i = 0; i < n && !rc; i++) {
			uint32_t *children = &s->children[parents[i]];

			if (*children == 0)
				rc = stack_push(s, parents[i], err);
			*children += *children == 0 ? 2 : 1;
		}
	}
	return rc;
}

/* As git does: of those whose children have all been shown, the one that became so last. */
static enum demon_rc give_topological(struct list *list, const struct demon_graph_commit *from,
				      struct demon_err *err)
{
	demon_cleanup(stack_done) struct stack s = {0};
	int64_t parents[DEMON_GRAPH_PARENTS_MAX];
	struct demon_graph_commit c;
	size_t n;
	enum demon_rc rc;

	s.children = demon_calloc((size_t)from->n + 1, sizeof(*s.children));
	if (!s.children)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a history");
	s.children[from->n] = 1;
	if ((rc = stack_push(&s, from->n, err)) || (rc = count_children(list, &s, err)) ||
	    (rc = stack_push(&s, from->n, err)))
		return rc;
	while (s.count && !is_over(list)) {
		if ((rc = parents_of(list, s.at[--s.count], &c, parents, &n, err)) ||
		    (rc = meet(list, &c, err)))
			return rc;
		for (size_t i = 0; i < n; i++)
			if (--s.children[parents[i]] == 1 && (rc = stack_push(&s, parents[i], err)))
				return rc;
	}
	return DEMON_OK;
}

/* --- from outside -------------------------------------------------------------------------- */

enum demon_rc demon_graph_log(struct demon_store *store, const struct demon_graph_scope *scope,
			      const struct demon_graph_log_filter *filter, demon_graph_log_fn *fn,
			      void *ctx, struct demon_err *err)
{
	struct list list = {.filter = filter, .fn = fn, .ctx = ctx};
	struct demon_graph_commit from;
	int64_t graph;
	enum demon_rc rc;
	DEMON_READ(loan);
	DEMON_TXN(tx);

	if ((rc = demon_graph_scope_check(scope, err)) ||
	    (rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_txn_read(&tx, loan.db, err)))
		return rc;
	list.db = loan.db;
	if (!filter->from) {
		if (filter->node || filter->order == DEMON_GRAPH_TOPOLOGICAL)
			return demon_err_set(err, DEMON_INVALID,
					     "a list of this kind needs a commit to go from");
		if ((rc = demon_graph_number(loan.db, scope, &graph, err)))
			return rc;
		return give_newest(&list, graph, err);
	}
	if ((rc = demon_graph_commit_find(loan.db, scope, filter->from, &from, err)))
		return rc;
	if (filter->node)
		return give_touching(&list, &from, err);
	return filter->order == DEMON_GRAPH_TOPOLOGICAL ? give_topological(&list, &from, err)
							: give_by_time(&list, &from, err);
}
