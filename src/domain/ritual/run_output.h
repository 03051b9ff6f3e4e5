/*
 * What a step writes while it runs, as step.output:v1 events that others can follow.
 *
 * Nothing is written for a step that is over within a quarter of a second: its envelope has it. A
 * piece goes to the log when it is 8 KiB or a quarter of a second old; at most 128 KiB of each
 * stream, then a last piece that says that it was cut. Secrets are taken out; bytes that are no
 * UTF-8 become U+FFFD.
 */
#ifndef DEMON_RUN_OUTPUT_H
#define DEMON_RUN_OUTPUT_H

#include "domain/secret/secret.h"
#include "run_exec.h"

struct demon_run_stream {
	struct demon_redact_stream redact;
	struct demon_buf ready; /* without secrets, not yet in the log */
	size_t told;            /* bytes that are in the log */
	bool cut;
};

/** Zeroed but for exec and redactor, then done. */
struct demon_run_output {
	struct demon_exec *exec;               /* borrowed */
	const struct demon_redactor *redactor; /* borrowed */
	struct demon_run_stream streams[2];    /* stdout, stderr */
	demon_ticks began;                     /* 0: nothing came yet */
	demon_ticks told;
	bool lost; /* an append failed: the rest is in the envelope alone */
};
void demon_run_output_done(struct demon_run_output *o);

/** Takes what the step wrote. */
void demon_run_output_add(struct demon_run_output *o, const char *stream, const char *bytes,
			  size_t len);

/** Tells what has waited long enough. */
void demon_run_output_tick(struct demon_run_output *o);

/** The step is over: tells the rest, if it told anything. */
enum demon_rc demon_run_output_end(struct demon_run_output *o, struct demon_err *err)
    demon_must_check;

#endif
