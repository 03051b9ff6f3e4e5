/*
 * demon-expr: compiles and evaluates jq programs for the pool that started it (domain/expr).
 *
 *	demon-expr BYTES     of address space, at most
 *
 * Descriptor 0 is a stream socket to the pool; the rest is as worker.h says. Nothing but this
 * program meets libjq, which runs what strangers wrote: it may use up time and memory, and die.
 * So there is a limit of memory, a timer that answers and ends the process wherever it is, and no
 * way to open a file. A thread waits for the pool to hang up, since a death signal would come with
 * the end of the thread that started the worker, not with that of its process.
 */
#include "main.h"

#include "unit.h"
#include "value.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define POOL     0
#define STACK    ((size_t)64 * 1024) /* of the thread that waits */
#define BODY_MAX ((size_t)64 * 1024 * 1024)
#define GROWN    4 /* a worker that keeps a 4th of its memory after an answer is replaced */

static size_t memory;

static void send_all(const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = send(POOL, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		at += n;
		len -= (size_t)n;
	}
}

/* Async-signal-safe. */
static _Noreturn void answer_and_end(enum demon_expr_say say)
{
	struct demon_expr_answer answer = {.magic = DEMON_EXPR_MAGIC, .say = say, .last = 1};

	send_all(&answer, sizeof(answer));
	_exit(0);
}

void main_out_of_memory(void *unused)
{
	(void)unused;
	answer_and_end(DEMON_EXPR_FULL);
}

static void time_is_up(int sig)
{
	(void)sig;
	answer_and_end(DEMON_EXPR_LATE);
}

static void set_timer(uint32_t ms)
{
	struct itimerval timer = {.it_value = {.tv_sec = ms / 1000}};

	timer.it_value.tv_usec = (suseconds_t)(ms % 1000) * 1000;
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

/* A process that keeps much, from a leak or in fragments, would fail the next expression. */
static bool has_grown(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.arena + info.hblkhd > memory / GROWN;
}

static void answer(enum demon_expr_say say, const struct demon_buf *body)
{
	struct demon_expr_answer head = {.magic = DEMON_EXPR_MAGIC, .say = say};

	set_timer(0);
	head.last = has_grown();
	head.len = body ? (uint32_t)body->len : 0;
	send_all(&head, sizeof(head));
	if (body)
		send_all(body->data, body->len);
	if (head.last)
		_exit(0);
}

static void refuse(const char *why, size_t len)
{
	DEMON_BUF(say, 0);

	demon_buf_add(&say, why, len < DEMON_EXPR_SAY_MAX ? len : DEMON_EXPR_SAY_MAX);
	answer(DEMON_EXPR_REFUSED, &say);
}

static void compile(const struct demon_expr_request *request, const char *program)
{
	DEMON_BUF(say, 0);
	jq_state *jq = unit_compile(program, &say);

	if (!jq) {
		refuse(say.data, say.len);
		return;
	}
	if (request->ask == DEMON_EXPR_COMPILE)
		unit_keep(&request->part, jq);
	else
		jq_teardown(&jq);
	answer(DEMON_EXPR_DONE, NULL);
}

/* The only result of the program, or an invalid one with why. @p input is stolen. */
static jv run(jq_state *jq, jv input)
{
	jv result;
	jv more;

	jq_start(jq, input, 0);
	result = jq_next(jq);
	if (!jv_is_valid(result))
		return jv_invalid_has_msg(jv_copy(result))
			   ? result
			   : (jv_free(result),
			      jv_invalid_with_msg(jv_string("there is no result")));
	more = jq_next(jq);
	if (jv_is_valid(more)) {
		jv_free(result);
		jv_free(more);
		return jv_invalid_with_msg(jv_string("there is more than one result"));
	}
	if (jv_invalid_has_msg(jv_copy(more))) {
		jv_free(result);
		return more;
	}
	jv_free(more);
	return result;
}

/* True: @p out has the value; false: the words of a refusal, or too much. @p result is stolen. */
static bool write_result(jv result, struct demon_buf *out)
{
	const char *why;
	bool good = jv_is_valid(result);

	if (good) {
		why = value_write(result, out);
		jv_free(result);
	} else {
		jv error = jv_invalid_get_msg(result);

		why = NULL;
		value_write_error(error, DEMON_EXPR_SAY_MAX, out);
		jv_free(error);
	}
	if (why) {
		demon_buf_clear(out);
		demon_buf_str(out, why);
	}
	return good && !why;
}

static void evaluate(const struct demon_expr_request *request, const char *text)
{
	DEMON_BUF(out, request->output_max);
	jq_state *jq = unit_find(&request->part);
	bool good;
	jv input;

	if (!jq) {
		answer(DEMON_EXPR_MISSING, NULL);
		return;
	}
	input = jv_parse_sized(text, (int)request->len);
	if (!jv_is_valid(input)) {
		static const char why[] = "the input or the variables are not JSON";

		jv_free(input);
		refuse(why, sizeof(why) - 1);
		return;
	}
	good = write_result(run(jq, input), &out);
	/* frees what it holds: a crash in that is to be this expression's, not the next one's */
	jq_start(jq, jv_null(), 0);
	if (good && out.rc == DEMON_TOOBIG)
		answer(DEMON_EXPR_LONG, NULL);
	else if (out.rc == DEMON_NOMEM)
		main_out_of_memory(NULL);
	else if (good)
		answer(DEMON_EXPR_DONE, &out);
	else
		refuse(out.data, out.len);
}

static void receive_all(void *bytes, size_t len)
{
	char *at = bytes;

	while (len) {
		ssize_t n = recv(POOL, at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		at += n;
		len -= (size_t)n;
	}
}

static void serve(struct demon_buf *body)
{
	struct demon_expr_request request;
	char *to;

	receive_all(&request, sizeof(request));
	if (request.magic != DEMON_EXPR_MAGIC || request.len > BODY_MAX)
		_exit(2);
	demon_buf_clear(body);
	to = demon_buf_room(body, request.len);
	if (!to)
		main_out_of_memory(NULL);
	receive_all(to, request.len);
	to[request.len] = '\0';
	set_timer(request.timeout_ms);
	if (request.ask == DEMON_EXPR_EVAL)
		evaluate(&request, to);
	else
		compile(&request, to);
}

static void *wait_for_hang_up(void *unused)
{
	struct pollfd p = {.fd = POOL};

	(void)unused;
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static bool start_waiting(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;
	sigset_t old;
	bool done;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	done = pthread_create(&thread, &attr, wait_for_hang_up, NULL) == 0;
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return done;
}

static bool limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit wanted = {.rlim_cur = most, .rlim_max = most};

	return setrlimit(what, &wanted) == 0;
}

static bool set_up(void)
{
	struct sigaction alarm = {.sa_handler = time_is_up};

	return limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_AS, memory) &&
	       start_waiting() && limit(RLIMIT_NOFILE, 3) && sigaction(SIGALRM, &alarm, NULL) == 0;
}

int main(int argc, char **argv)
{
	DEMON_BUF(body, 0);
	struct demon_expr_answer ready = {.magic = DEMON_EXPR_MAGIC, .say = DEMON_EXPR_READY};

	if (argc == 2 && argv[1][strspn(argv[1], "0123456789")] == '\0')
		memory = strtoul(argv[1], NULL, 10);
	if (memory == 0) {
		(void)fputs(
		    "demon-expr is started by demonctl and demond, to evaluate expressions\n",
		    stderr);
		return 2;
	}
	if (!set_up()) {
		ready.say = DEMON_EXPR_NOT_STARTED;
		ready.sys = errno;
		send_all(&ready, sizeof(ready));
		return 2;
	}
	send_all(&ready, sizeof(ready));
	for (;;)
		serve(&body);
}
