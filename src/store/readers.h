/*
 * A pool of read connections.
 *
 * A borrowed connection sees committed data only. One statement is consistent by itself; several
 * that must agree stand in a read transaction (demon_txn_read).
 */
#ifndef DEMON_READERS_H
#define DEMON_READERS_H

#include "db/stmt.h"
#include "db/txn.h"

#include <demon/store.h>

/** A loan; on the stack, through DEMON_READ only. */
struct demon_loan {
	struct demon_store *store; /* NULL: nothing is borrowed */
	struct demon_db *db;
};

/** Declares a guarded loan; fill it with demon_store_borrow. */
#define DEMON_READ(name) demon_cleanup(demon_store_return) struct demon_loan name = {0}

/** Borrows a connection, waiting when all are lent. Any thread. */
enum demon_rc demon_store_borrow(struct demon_store *store, struct demon_loan *ret_loan,
				 struct demon_err *err) demon_must_check;
void demon_store_return(struct demon_loan *loan);

#endif
