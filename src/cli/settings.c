#include "settings.h"

#include "base/buf.h"
#include "base/json.h"
#include "config_file.h"
#include "domain/approval/link.h"
#include "store/subject.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
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
    {.name = "token", .value = "T", .help = "act as its bearer (DEMON_TOKEN)"},
    {.name = "nats-url",
     .value = "URL[,URL...]",
     .help = "NATS servers: to mirror to, to recover from (NATS_URL)"},
    {.name = "nats-creds",
     .value = "FILE",
     .source = 'f',
     .help = "credentials file for NATS (NATS_CREDS)"},
    {.name = "nats-ca",
     .value = "FILE",
     .source = 'f',
     .help = "authorities of tls:// servers; default: the system's (NATS_CA)"},
    {.name = "nats-cert",
     .value = "FILE",
     .source = 'f',
     .help = "certificate to show to NATS (NATS_CERT)"},
    {.name = "nats-key", .value = "FILE", .source = 'f', .help = "its key (NATS_KEY)"},
    {.name = "nats-domain", .value = "NAME", .help = "domain of JetStream (NATS_DOMAIN)"},
    {.name = "stream-replicas",
     .value = "N",
     .help = "servers that hold each stream that is made; default 1 (DEMON_STREAM_REPLICAS)"},
    {.name = "public-url",
     .value = "URL",
     .help = "address of this node's pages, for messages and links (DEMON_PUBLIC_URL)"},
    {.name = "secrets-file",
     .value = "FILE",
     .source = 'f',
     .help = "secrets as JSON, {\"scope\":{\"key\":\"value\"}}, mode 0600 (DEMON_SECRETS_FILE)"},
    {.name = "secrets-command",
     .value = "WORDS",
     .help = "asked for secrets, with scope and key behind it (DEMON_SECRETS_COMMAND)"},
    {.name = "quiet", .letter = 'q', .help = "no progress on stderr"},
    {.name = "verbose", .letter = 'v', .help = "more on stderr"},
    {.name = "no-color", .help = "no colour (NO_COLOR); there is none without a terminal"},
    {.name = "version", .help = "print the version and exit"},
    {.name = "help", .letter = 'h', .help = "print help and exit"},
    {.name = NULL},
};

static const char *environment(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : NULL;
}

const char *demon_settings_env(const char *name)
{
	const char *value = environment(name);

	return value ? value : demon_config_file_variable(name);
}

static struct demon_setting choose(const struct demon_args *args, const char *option,
				   const char *flag, const char *variable, const char *fallback)
{
	const char *value = demon_args_get(args, option);

	if (value)
		return (struct demon_setting){value, flag};
	value = demon_settings_env(variable);
	if (value)
		return (struct demon_setting){value, environment(variable) ? variable : "--config"};
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

	if (demon_args_has(args, "api-url"))
		return demon_err_set(
		    err, DEMON_USAGE,
		    "option '--api-url': this version works on a database file only");
	if (url)
		return demon_err_set(err, DEMON_USAGE,
				     "DEMON_API_URL is '%s': this version works on a database file "
				     "only",
				     url);
	return DEMON_OK;
}

/* The words of the command; *ret_words is new. */
static enum demon_rc split_words(const char *text, json_t **ret_words, struct demon_err *err)
{
	static const char blanks[] = " \t\n";
	struct demon_err why = {0};
	json_auto_t *words = NULL;

	text += strspn(text, blanks);
	if (*text == '[') {
		if (demon_json_parse(text, strlen(text), &demon_json_payload_limits, ret_words,
				     &why))
			return demon_err_set(err, DEMON_USAGE, "%s", why.msg);
		return DEMON_OK;
	}
	words = json_array();
	while (*text) {
		size_t n = strcspn(text, blanks);
		json_t *word = json_stringn(text, n);

		if (!word)
			return demon_err_set(err, DEMON_USAGE, "a word is not UTF-8");
		if (json_array_append_new(words, word))
			return demon_err_set(err, DEMON_NOMEM, "out of memory");
		text += n;
		text += strspn(text, blanks);
	}
	*ret_words = demon_take(words);
	return DEMON_OK;
}

static enum demon_rc read_command(struct demon_settings *s, struct demon_err *err)
{
	json_auto_t *words = NULL;
	size_t count;
	enum demon_rc rc;

	if ((rc = split_words(s->secrets_command.value, &words, err)))
		return rc;
	count = json_array_size(words);
	if (!count || !json_string_length(json_array_get(words, 0)))
		return demon_err_set(err, DEMON_USAGE, "there is no program in it");
	s->own_command = demon_calloc(count + 1, sizeof(*s->own_command));
	for (size_t i = 0; s->own_command && i < count; i++) {
		const json_t *word = json_array_get(words, i);

		if (!json_is_string(word))
			return demon_err_set(err, DEMON_USAGE, "word %zu is not a string", i + 1);
		s->own_command[i] = demon_strdup(json_string_value(word));
		if (!s->own_command[i])
			return demon_err_set(err, DEMON_NOMEM, "out of memory");
	}
	return s->own_command ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "out of memory");
}

static enum demon_rc choose_secrets(const struct demon_args *args, struct demon_settings *s,
				    struct demon_err *err)
{
	const char *older = demon_settings_env("CONFIG_SECRETS_FILE");

	s->secrets_file =
	    choose(args, "secrets-file", "--secrets-file", "DEMON_SECRETS_FILE", NULL);
	if (!s->secrets_file.value && older)
		s->secrets_file = (struct demon_setting){older, "CONFIG_SECRETS_FILE"};
	s->secrets_command =
	    choose(args, "secrets-command", "--secrets-command", "DEMON_SECRETS_COMMAND", NULL);
	if (s->secrets_file.value && !*s->secrets_file.value)
		return demon_err_set(err, DEMON_USAGE,
				     "option '--secrets-file' needs the name of a file");
	if (s->secrets_command.value && read_command(s, err))
		return demon_err_wrap(err, "command of secrets (%s)", s->secrets_command.from);
	return DEMON_OK;
}

/* What stands before the path is what people type: a proxy's prefix belongs to it. */
static enum demon_rc choose_public_url(const struct demon_args *args, struct demon_settings *s,
				       struct demon_err *err)
{
	s->public_url = choose(args, "public-url", "--public-url", "DEMON_PUBLIC_URL", NULL);
	if (!s->public_url.value || demon_link_check_base(s->public_url.value, err) == DEMON_OK)
		return DEMON_OK;
	err->rc = DEMON_USAGE;
	return demon_err_wrap(err, "%s", s->public_url.from);
}

static enum demon_rc choose_nats(const struct demon_args *args, struct demon_settings *s,
				 struct demon_err *err)
{
	const char *replicas;

	s->nats_url = choose(args, "nats-url", "--nats-url", "NATS_URL", NULL);
	s->nats_creds = choose(args, "nats-creds", "--nats-creds", "NATS_CREDS", NULL);
	s->nats_ca = choose(args, "nats-ca", "--nats-ca", "NATS_CA", NULL);
	s->nats_cert = choose(args, "nats-cert", "--nats-cert", "NATS_CERT", NULL);
	s->nats_key = choose(args, "nats-key", "--nats-key", "NATS_KEY", NULL);
	s->nats_domain = choose(args, "nats-domain", "--nats-domain", "NATS_DOMAIN", NULL);
	s->stream_replicas =
	    choose(args, "stream-replicas", "--stream-replicas", "DEMON_STREAM_REPLICAS", "1");
	replicas = s->stream_replicas.value;
	if (replicas[0] < '1' || replicas[0] > '5' || replicas[1])
		return demon_err_set(err, DEMON_USAGE, "%s: '%.40s' is not a number from 1 to 5",
				     s->stream_replicas.from, replicas);
	if (!s->nats_cert.value != !s->nats_key.value)
		return demon_err_set(err, DEMON_USAGE,
				     "--nats-cert and --nats-key go together: only %s is set",
				     s->nats_cert.value ? "the certificate" : "the key");
	return DEMON_OK;
}

struct demon_nats_server demon_settings_nats(const struct demon_settings *settings)
{
	return (struct demon_nats_server){
	    .urls = settings->nats_url.value,
	    .creds = settings->nats_creds.value,
	    .ca = settings->nats_ca.value,
	    .cert = settings->nats_cert.value,
	    .key = settings->nats_key.value,
	    .domain = settings->nats_domain.value,
	    .replicas = settings->stream_replicas.value[0] - '0',
	};
}

struct demon_secrets_options demon_settings_secrets(const struct demon_settings *settings)
{
	return (struct demon_secrets_options){
	    /* as for single variables: nothing from outside for a program of another user */
	    .environ = getauxval(AT_SECURE) ? NULL : (const char *const *)environ,
	    .file = settings->secrets_file.value,
	    .command = (const char *const *)settings->own_command,
	};
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
	s.token = choose(args, "token", "--token", "DEMON_TOKEN", NULL);
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
	if ((rc = refuse_remote(args, err)) || (rc = choose_db(args, &s, err)) ||
	    (rc = choose_nats(args, &s, err)) || (rc = choose_secrets(args, &s, err)) ||
	    (rc = choose_public_url(args, &s, err))) {
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
	for (char **word = settings->own_command; word && *word; word++)
		free(*word);
	free(settings->own_command);
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
