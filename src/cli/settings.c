#include "settings.h"

#include "base/buf.h"
#include "store/subject.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct demon_opt demon_global_options[] = {
    {.name = "db",
     .value = "FILE",
     .source = 'f',
     .help = "the database (DEMON_DB; default DEMON_HOME/demon.db, DEMON_HOME ~/.demon)"},
    {.name = "json", .help = "compact JSON, one document a line, nothing else on stdout"},
    {.name = "tenant", .value = "T", .help = "the tenant (DEMON_TENANT; default 'default')"},
    {.name = "api-url", .value = "URL", .help = "act on a remote node (not in this version)"},
    {.name = "token", .value = "T", .help = "token for the remote node (not in this version)"},
    {.name = "nats-url",
     .value = "URL[,URL...]",
     .help = "NATS servers to mirror to (NATS_URL; not used by this version)"},
    {.name = "nats-creds",
     .value = "FILE",
     .source = 'f',
     .help = "credentials for NATS (not used by this version)"},
    {.name = "quiet", .letter = 'q', .help = "no progress on stderr"},
    {.name = "verbose", .letter = 'v', .help = "more on stderr"},
    {.name = "no-color", .help = "no colour (NO_COLOR); there is none without a terminal"},
    {.name = "version", .help = "print the version and exit"},
    {.name = "help", .letter = 'h', .help = "print help and exit"},
    {.name = NULL},
};

const char *demon_settings_env(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : NULL;
}

static struct demon_setting choose(const struct demon_args *args, const char *option,
				   const char *flag, const char *variable, const char *fallback)
{
	const char *value = demon_args_get(args, option);

	if (value)
		return (struct demon_setting){value, flag};
	value = demon_settings_env(variable);
	if (value)
		return (struct demon_setting){value, variable};
	return (struct demon_setting){fallback, "default"};
}

static enum demon_rc choose_db(const struct demon_args *args, struct demon_settings *s,
			       struct demon_err *err)
{
	DEMON_BUF(path, 0);
	const char *user = demon_settings_env("HOME");

	s->home = (struct demon_setting){demon_settings_env("DEMON_HOME"), "DEMON_HOME"};
	if (!s->home.value && user) {
		demon_buf_fmt(&path, "%s/.demon", user);
		if (!(s->own_home = demon_buf_take(&path)))
			return demon_err_set(err, DEMON_NOMEM, "no memory for a path");
		s->home = (struct demon_setting){s->own_home, "default"};
	}
	s->db = choose(args, "db", "--db", "DEMON_DB", NULL);
	if (s->db.value && !*s->db.value)
		return demon_err_set(err, DEMON_USAGE, "option '--db' needs the name of a file");
	if (s->db.value || !s->home.value)
		return DEMON_OK;
	demon_buf_fmt(&path, "%s/demon.db", s->home.value);
	if (!(s->own_db = demon_buf_take(&path)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a path");
	s->db = (struct demon_setting){s->own_db, s->home.from};
	s->db_in_home = true;
	return DEMON_OK;
}

static enum demon_rc refuse_remote(const struct demon_args *args, struct demon_err *err)
{
	const char *url = demon_settings_env("DEMON_API_URL");

	if (demon_args_has(args, "api-url") || demon_args_has(args, "token"))
		return demon_err_set(err, DEMON_USAGE,
				     "option '--%s': this version works on a database file only",
				     demon_args_has(args, "api-url") ? "api-url" : "token");
	if (url)
		return demon_err_set(err, DEMON_USAGE,
				     "DEMON_API_URL is '%s': this version works on a database file "
				     "only",
				     url);
	return DEMON_OK;
}

enum demon_rc demon_settings_read(const struct demon_args *args,
				  struct demon_settings *ret_settings, struct demon_err *err)
{
	struct demon_settings s = {0};
	const char *terminal = demon_settings_env("TERM");
	enum demon_rc rc;

	s.json = demon_args_has(args, "json");
	s.quiet = demon_args_has(args, "quiet");
	s.verbose = demon_args_has(args, "verbose");
	s.tenant = choose(args, "tenant", "--tenant", "DEMON_TENANT", "default");
	s.nats_url = choose(args, "nats-url", "--nats-url", "NATS_URL", NULL);
	s.nats_creds = choose(args, "nats-creds", "--nats-creds", "NATS_CREDS", NULL);
	s.color = (struct demon_setting){"yes", "terminal"};
	if (demon_args_has(args, "no-color"))
		s.color = (struct demon_setting){"no", "--no-color"};
	else if (demon_settings_env("NO_COLOR"))
		s.color = (struct demon_setting){"no", "NO_COLOR"};
	else if (!isatty(STDOUT_FILENO) || !terminal || strcmp(terminal, "dumb") == 0)
		s.color = (struct demon_setting){"no", "default"};
	if (!demon_id_valid(s.tenant.value))
		return demon_err_set(err, DEMON_USAGE,
				     "tenant '%.80s' (%s) is not valid: 1 to 64 of A-Z a-z 0-9 _ -",
				     s.tenant.value, s.tenant.from);
	if ((rc = refuse_remote(args, err)) == DEMON_OK)
		rc = choose_db(args, &s, err);
	if (rc) {
		demon_settings_done(&s);
		return rc;
	}
	*ret_settings = s;
	return DEMON_OK;
}

void demon_settings_done(struct demon_settings *settings)
{
	free(settings->own_home);
	free(settings->own_db);
	*settings = (struct demon_settings){0};
}

/* Makes the folders above @p path that are missing, as `mkdir -p` does. */
static void make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0777); /* what is wrong with it comes out at the last one */
		*slash = '/';
	}
}

enum demon_rc demon_settings_make_home(const struct demon_settings *settings, struct demon_err *err)
{
	demon_auto_free char *home = NULL;

	if (!settings->db_in_home)
		return DEMON_OK;
	home = demon_strdup(settings->home.value);
	if (!home)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a path");
	make_parents(home);
	if (mkdir(home, 0700) == 0 || errno == EEXIST)
		return DEMON_OK;
	return demon_err_sys(err, DEMON_IO, errno, "cannot make folder '%s'", home);
}
