/*
 * Rituals by name: a register of definitions.
 *
 * The name is the id of the ritual. A write puts a definition under its name, or gives the name up;
 * what holds is the greatest write by (clock, origin, hash), whatever the order in which writes
 * arrived, and the others can be listed. Runs keep the definition that they were started with:
 * nothing here changes a run.
 */
#ifndef DEMON_REGISTRY_H
#define DEMON_REGISTRY_H

#include "domain/ritual/definition.h"
#include "store/projection.h"

#include <demon/store.h>

/** A write to the register. Strings are borrowed during the callback; NULL: absent. */
struct demon_ritual_row {
	const char *tenant_id;
	const char *ritual_id;
	bool registered; /* false: the name was given up; then the next five are absent */
	unsigned char definition[DEMON_HASH_LEN]; /* digest */
	const char *version;
	const char *notation;
	const char *title;
	const char *source;
	const char *by; /* who wrote it */
	demon_time ts;
	unsigned char origin[DEMON_ORIGIN_LEN]; /* of the node that wrote it */
	unsigned char hash[DEMON_SHA256_LEN];   /* of the event */
};
typedef enum demon_rc demon_ritual_row_fn(void *ctx, const struct demon_ritual_row *row,
					  struct demon_err *err);

/** How a name is written. Zero members mean the default. */
struct demon_ritual_options {
	const char *tenant_id; /* NULL: "default" */
	const char *source;    /* where the definition came from, e.g. a file name; NULL */
	const char *by;        /* who does it; NULL: not recorded */
	const char *reason;    /* for giving it up; NULL */
};

/**
 * Registers a definition under its ritual id. *ret_new (may be NULL) is false, and nothing is
 * written, when it is what the name stands for already. DEMON_TOOBIG: it does not fit into an
 * event. DEMON_INVALID: an id.
 */
enum demon_rc demon_ritual_register(struct demon_store *store,
				    const struct demon_definition *definition,
				    const struct demon_ritual_options *options, bool *ret_new,
				    struct demon_err *err) demon_must_check;

/** Gives a name up. DEMON_NOTFOUND: it stands for nothing. */
enum demon_rc demon_ritual_unregister(struct demon_store *store, const char *ritual_id,
				      const struct demon_ritual_options *options,
				      struct demon_err *err) demon_must_check;

/**
 * The write that @p name means: "NAME", or "NAME@VERSION" for the greatest write of that version
 * since the name was given up last. @p fn is called once. DEMON_NOTFOUND: there is none.
 */
enum demon_rc demon_ritual_get(struct demon_store *store, const char *tenant_id, const char *name,
			       demon_ritual_row_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** Loads the definition that @p name means, as demon_ritual_get(). *ret_definition is new
 * (demon_definition_free). DEMON_INVALID, DEMON_TOOBIG: what another node wrote is no definition of
 * that ritual. */
enum demon_rc demon_ritual_find(struct demon_store *store, const char *tenant_id, const char *name,
				struct demon_definition **ret_definition, struct demon_err *err)
    demon_must_check;

/** The canonical form of a definition that was registered once, appended to @p out.
 * DEMON_NOTFOUND. */
enum demon_rc demon_ritual_spec(struct demon_store *store,
				const unsigned char digest[DEMON_HASH_LEN], struct demon_buf *out,
				struct demon_err *err) demon_must_check;

/** Which names to list. Zero members mean the default. */
struct demon_ritual_filter {
	const char *tenant_id; /* NULL: "default" */
	const char *after;     /* names behind this one; NULL: from the first */
	size_t limit;          /* 0: all */
};

/** Calls @p fn for what each name stands for, in order of name. */
enum demon_rc demon_ritual_list(struct demon_store *store, const struct demon_ritual_filter *filter,
				demon_ritual_row_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** All writes to a name, the one that holds first. DEMON_NOTFOUND: there is none. */
enum demon_rc demon_ritual_writes(struct demon_store *store, const char *tenant_id,
				  const char *ritual_id, demon_ritual_row_fn *fn, void *ctx,
				  struct demon_err *err) demon_must_check;

/** The projection of ritual.registered and ritual.unregistered: definitions, named_rituals. */
extern const struct demon_projection demon_registry_projection;

#endif
