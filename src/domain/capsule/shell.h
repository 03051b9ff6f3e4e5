/*
 * `run: shell` and `run: script` of the Serverless Workflow DSL, as calls of exec.
 *
 * A shell's command is given to `sh -c`. A script's interpreter is looked up in PATH by the name of
 * its language; its code is one argument of it, its source a file that it reads. Arguments are the
 * first positional ones, whatever the language ($1, sys.argv[1], process.argv[2]); members of a
 * mapping become NAME=VALUE, in the order of their names. Where a text is wanted, everything else
 * becomes its canonical JSON.
 */
#ifndef DEMON_SHELL_H
#define DEMON_SHELL_H

#include "capsule.h"

/**
 * Looks at @p object as the definition has it: the value of `shell` or `script` (@p process is that
 * word). Pointers are relative to it. What expressions will make is not known yet and is passed
 * over. @p object may be NULL.
 */
void demon_shell_check(const char *process, const json_t *object, demon_argument_problem_fn *report,
		       void *ctx);

/** Looks at `await` and `return` of @p run, the object that holds `shell` or `script`, and at them
 * alone. Pointers are relative to it. */
void demon_shell_check_run(const json_t *run, demon_argument_problem_fn *report, void *ctx);

/**
 * Makes exec's arguments (*ret_with, new) of @p object with its expressions evaluated. @p run may
 * be NULL. There is no limit of time but that of the call. DEMON_INVALID: what an expression has
 * made is no argument; DEMON_NOMEM.
 */
enum demon_rc demon_shell_arguments(const char *process, const json_t *object, const json_t *run,
				    json_t **ret_with, struct demon_err *err) demon_must_check;

/**
 * The task's raw output: what `return` says of @p data, exec's; @p input, the task's, where the
 * process is not awaited. New; NULL: memory ran out. Nothing is changed.
 */
json_t *demon_shell_output(const json_t *run, const json_t *data, const json_t *input)
    demon_must_check;

#endif
