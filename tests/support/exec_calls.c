#include "exec_calls.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEARD_MAX ((size_t)1024 * 1024)

static demon_time fixed_now(void *ctx)
{
	(void)ctx;
	return 1767323045678; /* 2026-01-02T03:04:05.678Z */
}

static demon_ticks mono(void *ctx)
{
	struct exec_calls *f = ctx;

	if (f->speed)
		return demon_env_real()->mono(NULL) * f->speed;
	return f->ticks += f->leap;
}

int exec_calls_set_up(void **state)
{
	struct exec_calls *f = calloc(1, sizeof(*f));
	static unsigned number;

	assert_non_null(f);
	f->dir = test_dir();
	f->env = *demon_env_real();
	f->env.now = fixed_now;
	(void)snprintf(f->key, sizeof(f->key), "%s", EXEC_KEY);
	(void)snprintf(f->key, 17, "%08lx%08x", (unsigned long)getpid(), number++);
	f->key[16] = EXEC_KEY[16];
	*state = f;
	return 0;
}

int exec_calls_tear_down(void **state)
{
	struct exec_calls *f = *state;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
	json_decref(f->with);
	json_decref(f->input);
	json_decref(f->envelope);
	demon_buf_done(&f->problems);
	demon_buf_done(&f->text);
	demon_buf_done(&f->heard);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

void exec_leap(struct exec_calls *f, int64_t ms)
{
	f->leap = ms * 1000;
	f->speed = 0;
	f->env.mono = mono;
	f->env.ctx = f;
}

void exec_speed(struct exec_calls *f, int64_t speed)
{
	f->speed = speed;
	f->env.mono = mono;
	f->env.ctx = f;
}

void exec_set(json_t **member, const char *json)
{
	json_error_t error;

	json_decref(*member);
	*member = json ? json_loads(json, 0, &error) : NULL;
	if (json && !*member)
		fail_msg("%s: %s", json, error.text);
}

static void note(void *ctx, const char *pointer, bool at_key, const char *text)
{
	struct exec_calls *f = ctx;

	demon_buf_fmt(&f->problems, "%s|%s|%s\n", pointer, at_key ? "key" : "value", text);
}

const char *exec_problems(struct exec_calls *f, const struct demon_capsule *capsule,
			  const char *with)
{
	exec_set(&f->with, with);
	demon_buf_clear(&f->problems);
	capsule->check(f->with, note, f);
	return f->problems.len ? f->problems.data : "";
}

static void hear(void *ctx, const char *stream, const char *bytes, size_t len)
{
	struct exec_calls *f = ctx;

	f->heard_bytes += len;
	if (f->heard.len + len > HEARD_MAX)
		return;
	demon_buf_fmt(&f->heard, "%s:", stream);
	demon_buf_add(&f->heard, bytes, len);
}

static bool canceled(void *ctx)
{
	struct exec_calls *f = ctx;

	f->asked++;
	if (f->cancel_word && f->heard.len && strstr(f->heard.data, f->cancel_word))
		return true;
	return f->cancel_at && f->asked >= f->cancel_at;
}

void exec_call(struct exec_calls *f, const struct demon_capsule *capsule)
{
	const struct demon_call call = {.env = &f->env,
					.with = f->with,
					.input = f->input,
					.tenant_id = "blue",
					.ritual_id = "greet",
					.run_id = "r-1",
					.step_name = "Say hello",
					.idempotency_key = f->key,
					.attempt = 2,
					.limit_ms = f->limit_ms,
					.output = hear,
					.canceled = canceled,
					.ctx = f};

	json_decref(f->envelope);
	f->envelope = NULL;
	f->asked = 0;
	f->heard_bytes = 0;
	demon_buf_clear(&f->heard);
	assert_ok(capsule->run(&call, &f->envelope, &f->err), &f->err);
	demon_buf_clear(&f->text);
	assert_ok(demon_json_canonical(f->envelope, &f->text, &f->err), &f->err);
	assert_ok(demon_buf_rc(&f->text, &f->err), &f->err);
	assert_true(f->text.len < (size_t)400 * 1024);
}

void exec_run(struct exec_calls *f, const struct demon_capsule *capsule, const char *with)
{
	assert_string_equal(exec_problems(f, capsule, with), "");
	exec_call(f, capsule);
}

void exec_script(struct exec_calls *f, const char *script, const char *more)
{
	json_t *command = json_pack("[s,s,s]", "/bin/sh", "-c", script);
	char *text = json_dumps(command, 0);
	char with[8192];

	(void)snprintf(with, sizeof(with), "{\"command\":%s,\"workdir\":\"%s\"%s}", text, f->dir,
		       more ? more : "");
	free(text);
	json_decref(command);
	exec_run(f, &demon_capsule_exec, with);
}

const json_t *exec_at(const struct exec_calls *f, const char *path)
{
	const json_t *value = f->envelope;
	char copy[256];
	char *rest = copy;
	char *key;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	while ((key = strsep(&rest, ".")))
		value = json_object_get(value, key);
	if (!value)
		fail_msg("no '%s' in %s", path, f->text.data);
	return value;
}

const char *exec_text(const struct exec_calls *f, const char *path)
{
	return json_string_value(exec_at(f, path));
}

json_int_t exec_number(const struct exec_calls *f, const char *path)
{
	return json_integer_value(exec_at(f, path));
}

void exec_success(const struct exec_calls *f)
{
	if (!json_is_true(exec_at(f, "result.success")))
		fail_msg("expected a success: %s", f->text.data);
}

void exec_failure(const struct exec_calls *f, const char *code, const char *message)
{
	if (!json_is_false(exec_at(f, "result.success")))
		fail_msg("expected a failure: %s", f->text.data);
	assert_string_equal(exec_text(f, "result.error.code"), code);
	assert_contains(exec_text(f, "result.error.message"), message);
}

pid_t exec_pid(const struct exec_calls *f, const char *file)
{
	char *text = test_read(test_path(f->dir, file), NULL);
	pid_t pid = (pid_t)strtol(text, NULL, 10);

	free(text);
	assert_true(pid > 1);
	return pid;
}

void exec_await(const struct exec_calls *f, const char *file)
{
	struct stat st;

	for (int i = 0; stat(test_path(f->dir, file), &st) != 0 || st.st_size == 0; i++) {
		assert_true(i < 3000);
		(void)poll(NULL, 0, 10);
	}
}

bool exec_is_alive(pid_t pid)
{
	char path[64];
	char text[512] = "";
	const char *state;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	(void)!fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	state = strrchr(text, ')');
	return state && state[1] && state[2] != 'Z' && state[2] != 'X';
}

static bool has_key(const struct exec_calls *f, long pid)
{
	char path[64];
	DEMON_BUF(text, 0);
	char *room;
	size_t n;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%ld/environ", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while ((room = demon_buf_room(&text, 65536)) && (n = fread(room, 1, 65536, file)) > 0)
		text.len += n;
	(void)fclose(file);
	return memmem(text.data, text.len, f->key, strlen(f->key)) != NULL;
}

void exec_nothing_left(const struct exec_calls *f, pid_t pid)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	assert_non_null(dir);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's */
	while ((entry = readdir(dir))) {
		long n = strtol(entry->d_name, NULL, 10);

		if (n > 0 && n != getpid() && exec_is_alive((pid_t)n) &&
		    (n == pid || has_key(f, n))) {
			(void)closedir(dir);
			fail_msg("process %ld was left behind", n);
		}
	}
	(void)closedir(dir);
}
