/*
 * Playing one ritual in this process: start, progress on stderr, the terminal event on stdout.
 */
#ifndef DEMON_PLAY_H
#define DEMON_PLAY_H

#include "command.h"
#include "domain/ritual/run.h"

struct demon_play {
	const struct demon_definition *definition;
	struct demon_run_options options;
	bool detach; /* print the run id and leave the rest to the daemon, if there is one */
	const char *save_path; /* file for the result envelope; NULL: none */
	bool save_event;       /* save the whole terminal event instead */
};

/**
 * Starts the run and follows it to its end or first wait. The store is open. DEMON_FAILED,
 * DEMON_DENIED or DEMON_CANCELED when the run ended so; DEMON_FAILED when it stopped before its
 * end; with @p detach only what keeps it from starting is a failure.
 */
enum demon_rc demon_play(struct demon_ctl *ctl, const struct demon_play *play,
			 struct demon_err *err) demon_must_check;

/** True when @p word names a file: it has a '/', ends in .yaml, .yml or .json, or there is one. */
bool demon_play_is_file(const char *word);

/**
 * Loads a definition from a file. The first problem is in @p err; a hint says how to see the
 * others.
 */
enum demon_rc demon_play_load_file(struct demon_ctl *ctl, const char *path,
				   struct demon_definition **ret_definition, struct demon_err *err)
    demon_must_check;

/** Loads the registered ritual that @p name means: NAME or NAME@VERSION. Opens the store. */
enum demon_rc demon_play_load_named(struct demon_ctl *ctl, const char *name,
				    struct demon_definition **ret_definition, struct demon_err *err)
    demon_must_check;

/** Follows a run that another process executes, from behind event @p after_seq: as
 * demon_play_on(). */
enum demon_rc demon_play_follow(struct demon_ctl *ctl, const struct demon_run_id *run,
				int64_t after_seq, struct demon_err *err) demon_must_check;

/** Prints the run's id, and goes on with it here up to its first wait; with @p daemon not: that
 * does. */
enum demon_rc demon_play_detach(struct demon_ctl *ctl, const struct demon_run_id *run, bool claimed,
				bool daemon, struct demon_err *err) demon_must_check;

/** Loads what @p word names: a file, or else a registered ritual. */
enum demon_rc demon_play_load(struct demon_ctl *ctl, const char *word,
			      struct demon_definition **ret_definition, struct demon_err *err)
    demon_must_check;

/** Prints what an event tells a waiting person, if it does, on stderr. @p ctx is a zeroed
 * struct demon_progress with the settings. */
struct demon_progress {
	const struct demon_settings *settings;
	demon_ticks step_began;
};
void demon_play_progress(void *ctx, const char *type, const char *payload, size_t len);

/** What a run's end means for the program's exit; @p terminal may be NULL. */
enum demon_rc demon_play_judge(struct demon_ctl *ctl, const struct demon_run_id *run,
			       const char *status, const char *terminal, struct demon_err *err)
    demon_must_check;

/** Goes on with a run that exists, to its end, as demon_play() does. @p claimed: it was started for
 * this process. */
enum demon_rc demon_play_on(struct demon_ctl *ctl, const struct demon_run_id *run, bool claimed,
			    struct demon_err *err) demon_must_check;

#endif
