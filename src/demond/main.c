/*
 * demond: the daemon of a node.
 *
 * The main thread waits for signals, which are blocked before any other thread starts: SIGTERM and
 * SIGINT end the program before the next step of each run, a second one at once; SIGHUP opens the
 * log file again. Threads end in the order HTTP, workers, notifier, mirror, follower, store.
 */
#include "cli/gates.h"
#include "cli/wards.h"
#include "config.h"
#include "db/db.h"
#include "domain/expr/expr.h"
#include "follower.h"
#include "http/server.h"
#include "log.h"
#include "manual.h"
#include "mirror.h"
#include "notifier.h"
#include "store/liveness.h"
#include "worker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000 /* for steps in flight when asked to end */
#define GLANCE_MS   100   /* between looks at workers and signals */

struct daemon {
	struct demon_config config;
	struct demon_log *log;
	struct demon_store *store;
	struct demon_server *server;
	struct demon_expr *expr;
	struct demon_secrets *secrets;
	struct demon_gate_settings gates;
	struct demon_wards *wards;
	struct demon_workers *workers;
	struct demon_follower *follower;
	struct demon_notifier *notifier;
	struct demon_mirror *mirror;
	sigset_t signals;
};

static void print_options(const struct demon_opt *options)
{
	for (const struct demon_opt *o = options; o->name; o++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "",
			       o->value ? o->value : "");
		(void)printf("  %-28s%s\n", left, o->help);
	}
}

static void print_help(void)
{
	(void)fputs("demond - the daemon of a node: takes up runs, answers on HTTP\n\n"
		    "usage: demond [options]\n\noptions:\n",
		    stdout);
	print_options(demon_config_options);
	(void)fputs("\nglobal options:\n", stdout);
	print_options(demon_global_options);
	(void)fputs(
	    "\nSIGTERM and SIGINT end it before the next step of each run, a second one at\n"
	    "once; SIGHUP opens the log file again.\n\nexamples:\n"
	    "  demond --db node.db --listen 127.0.0.1:0 --log-file demon.log\n"
	    "  demond --print-config\n",
	    stdout);
}

static void log_server(void *ctx, bool fault, const char *text)
{
	if (fault)
		demon_log_write(ctx, DEMON_LOG_ERROR, "not healthy", "error", text, NULL);
	else
		demon_log_write(ctx, DEMON_LOG_DEBUG, "http", "message", text, NULL);
}

static enum demon_rc open_store(struct daemon *d, struct demon_err *err)
{
	const struct demon_settings *s = &d->config.settings;
	struct demon_options options = {.create = true, .node_id = d->config.node_id.value};
	enum demon_rc rc;

	if (!s->db.value)
		return demon_err_set(err, DEMON_USAGE,
				     "no database: HOME is not set, use --db FILE");
	if ((rc = demon_settings_make_home(s, err)) ||
	    (rc = demon_open(s->db.value, &options, &d->store, err)))
		return rc;
	rc = demon_store_claim(d->store, 0, err);
	if (rc == DEMON_BUSY)
		return demon_err_set(err, rc, "another demond holds '%s'", s->db.value);
	return rc;
}

static enum demon_rc start_workers(struct daemon *d, struct demon_err *err)
{
	const struct demon_secrets_options secrets = demon_settings_secrets(&d->config.settings);
	const struct demon_expr_options expr = {.workers = 2, .output_max = DEMON_EXPR_LIST_MAX};
	enum demon_rc rc;

	if ((rc = demon_gate_settings_read(&d->gates, err)) ||
	    (rc = demon_ward_settings_read(&d->wards, err)) ||
	    (rc = demon_secrets_open(&secrets, &d->secrets, err)) ||
	    (rc = demon_expr_open(&expr, &d->expr, err)))
		return rc;
	if (demon_allowlist_is_open(d->gates.allowlist))
		demon_log_write(d->log, DEMON_LOG_WARN,
				"APPROVER_ALLOWLIST is '*': anybody may decide about gates", NULL);
	return demon_workers_start(&(struct demon_workers_options){.store = d->store,
								   .log = d->log,
								   .expr = d->expr,
								   .secrets = d->secrets,
								   .gates = &d->gates.config,
								   .wards = d->wards,
								   .count = d->config.worker_count},
				   &d->workers, err);
}

static enum demon_rc start_notifier(struct daemon *d, struct demon_err *err)
{
	const struct demon_notifier_options options = {.store = d->store,
						       .log = d->log,
						       .secrets = d->secrets,
						       .base_url =
							   d->config.settings.public_url.value};

	return demon_notifier_start(&options, &d->notifier, err);
}

static enum demon_rc start_mirror(struct daemon *d, struct demon_err *err)
{
	const struct demon_settings *s = &d->config.settings;
	const struct demon_mirror_options options = {
	    .store = d->store, .log = d->log, .server = demon_settings_nats(s)};

	return s->nats_url.value ? demon_mirror_start(&options, &d->mirror, err) : DEMON_OK;
}

static enum demon_rc start(struct daemon *d, struct demon_err *err)
{
	const struct demon_config *c = &d->config;
	struct demon_server_options options = {
	    .address = &c->address.any, .address_len = c->address_len, .log = log_server};
	enum demon_level level = c->settings.verbose ? DEMON_LOG_DEBUG : DEMON_LOG_INFO;
	const struct demon_log_options log = {
	    .path = c->log_file.value,
	    .journal = demon_settings_env("JOURNAL_STREAM"),
	    .level = level,
	    .stderr_level = c->settings.quiet ? DEMON_LOG_ERROR : level,
	};
	enum demon_rc rc;

	if ((rc = demon_log_open(&log, &d->log, err)) || (rc = open_store(d, err)) ||
	    (rc = demon_follower_start(d->store, d->log, &d->follower, err)))
		return rc;
	options.log_ctx = d->log;
	if (demon_server_start(d->store, &options, &d->server, err))
		return demon_err_wrap(err, "'%s'", c->listen.value);
	if ((rc = start_workers(d, err)) || (rc = start_notifier(d, err)))
		return rc;
	return start_mirror(d, err);
}

static void announce(const struct daemon *d)
{
	const char *listen = d->config.listen.value;
	char text[128];
	struct demon_node node;

	demon_node_get(d->store, &node);
	(void)snprintf(text, sizeof(text), "listening on http://%.*s:%u",
		       (int)(strrchr(listen, ':') - listen), listen, demon_server_port(d->server));
	demon_log_write(d->log, DEMON_LOG_INFO, text, "db", d->config.settings.db.value, "node",
			node.label, "version", DEMON_VERSION, NULL);
}

/* Waits until asked to end. */
static void wait_for_end(struct daemon *d)
{
	for (;;) {
		struct demon_err err = {0};
		int signal = 0;

		if (sigwait(&d->signals, &signal))
			continue;
		if (signal != SIGHUP) {
			demon_log_write(d->log, DEMON_LOG_INFO, "ending", "signal",
					signal == SIGINT ? "SIGINT" : "SIGTERM", NULL);
			return;
		}
		if (demon_log_reopen(d->log, &err))
			demon_log_write(d->log, DEMON_LOG_ERROR, "log file not opened again",
					"error", err.msg, NULL);
		else
			demon_log_write(d->log, DEMON_LOG_INFO, "log file opened again", NULL);
	}
}

/* True when the workers have ended, false when they should not be waited for any longer. */
static bool wait_for_workers(struct daemon *d)
{
	const struct timespec none = {0};

	for (int waited = 0; waited < PATIENCE_MS; waited += GLANCE_MS) {
		int signal;

		if (demon_workers_ended(d->workers, GLANCE_MS))
			return true;
		if (waited == 10 * GLANCE_MS)
			demon_log_write(d->log, DEMON_LOG_INFO, "waiting for steps in flight",
					NULL);
		signal = sigtimedwait(&d->signals, NULL, &none);
		if (signal == SIGTERM || signal == SIGINT)
			break;
	}
	return false;
}

/* Everything is on disk whenever a step is in flight, so leaving is always safe. */
static void stop(struct daemon *d)
{
	demon_server_stop(demon_take(d->server));
	if (d->workers) {
		demon_workers_stop(d->workers);
		if (!wait_for_workers(d)) {
			demon_follower_stop(demon_take(d->follower));
			demon_log_write(d->log, DEMON_LOG_WARN, "ended with steps in flight", NULL);
			_exit(0);
		}
		demon_workers_free(demon_take(d->workers));
	}
	demon_notifier_free(demon_take(d->notifier));
	demon_mirror_stop(demon_take(d->mirror));
	demon_expr_close(demon_take(d->expr));
	demon_secrets_close(demon_take(d->secrets));
	demon_gate_settings_done(&d->gates);
	demon_wards_close(demon_take(d->wards));
	demon_follower_stop(demon_take(d->follower));
	if (d->store)
		demon_store_unclaim(d->store, 0);
	demon_close(demon_take(d->store));
}

static void block_signals(struct daemon *d)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&d->signals);
	(void)sigaddset(&d->signals, SIGTERM);
	(void)sigaddset(&d->signals, SIGINT);
	(void)sigaddset(&d->signals, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &d->signals, NULL);
}

static enum demon_rc serve(struct daemon *d, struct demon_err *err)
{
	enum demon_rc rc;

	block_signals(d);
	if ((rc = start(d, err)) == DEMON_OK) {
		announce(d);
		wait_for_end(d);
	}
	stop(d);
	if (d->log && rc == DEMON_OK)
		demon_log_write(d->log, DEMON_LOG_INFO, "ended", NULL);
	return rc;
}

static enum demon_rc dispatch(struct daemon *d, const struct demon_args *args,
			      struct demon_err *err)
{
	enum demon_rc rc;

	if (demon_args_has(args, "help")) {
		print_help();
		return DEMON_OK;
	}
	if (demon_args_has(args, "man")) {
		demon_manual(stdout);
		return DEMON_OK;
	}
	if (demon_args_has(args, "version")) {
		(void)printf("demond %s (SQLite %s)\n", DEMON_VERSION, demon_db_library_version());
		return DEMON_OK;
	}
	if (args->word_count)
		return demon_err_set(err, DEMON_USAGE, "unexpected argument '%.64s'",
				     args->words[0]);
	if ((rc = demon_config_read(args, &d->config, err)))
		return rc;
	if (demon_args_has(args, "print-config")) {
		demon_config_print(&d->config, stdout);
		return DEMON_OK;
	}
	return serve(d, err);
}

int main(int argc, char **argv)
{
	const struct demon_opt *tables[] = {demon_config_options, demon_global_options, NULL};
	struct demon_args args = {.tables = tables};
	struct demon_err err = {0};
	struct daemon d = {0};
	enum demon_rc rc;
	int at = 1;

	rc = demon_args_read(&args, argc, argv, &at, false, &err);
	if (rc == DEMON_OK)
		rc = dispatch(&d, &args, &err);
	if (rc && d.log)
		demon_log_write(d.log, DEMON_LOG_ERROR, "cannot start", "error", err.msg, NULL);
	else if (rc)
		(void)fprintf(stderr, "demond: %s\n", err.msg);
	if (rc == DEMON_USAGE)
		(void)fputs("hint: try 'demond --help'\n", stderr);
	demon_log_close(d.log);
	demon_config_done(&d.config);
	demon_args_done(&args);
	return demon_rc_exit(rc);
}
