#include "config.h"

#include "base/buf.h"
#include "base/json.h"
#include "cli/config_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define NODE_ID_MAX 64
#define WORKERS_MAX 1024

const struct demon_opt demon_config_options[] = {
    {.name = "listen",
     .value = "ADDR:PORT",
     .help = "address of the HTTP server; default 127.0.0.1:3000; port 0: one that is free"},
    {.name = "log-file",
     .value = "FILE",
     .source = 'f',
     .help = "write the log to FILE as JSON lines; SIGHUP opens it again"},
    {.name = "node-id", .value = "ID", .help = "label of this node; default: the host's name"},
    {.name = "workers",
     .value = "N",
     .help = "runs that are executed at the same time, 1 to 1024; default 64"},
    {.name = "config",
     .value = "FILE",
     .source = 'f',
     .help = "settings as YAML; flags and the environment go before it"},
    {.name = "print-config", .help = "print each setting and where it came from, and exit"},
    {.name = "man", .help = "print the manual page, for man(1), and exit"},
    {.name = NULL},
};

static struct demon_setting choose(const struct demon_args *args, const char *name,
				   const char *flag, const char *fallback)
{
	const char *value = demon_args_get(args, name);

	if (value)
		return (struct demon_setting){value, flag};
	value = demon_config_file_get(name);
	return value ? (struct demon_setting){value, "--config"}
		     : (struct demon_setting){fallback, "default"};
}

static enum demon_rc bad_address(const char *text, struct demon_err *err)
{
	return demon_err_set(err, DEMON_USAGE,
			     "option '--listen': '%.80s' is not ADDRESS:PORT, like 127.0.0.1:3000 "
			     "or [::1]:3000",
			     text);
}

static bool read_port(const char *text, in_port_t *ret_port)
{
	unsigned long port;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	port = strtoul(text, &end, 10);
	if (errno || *end || port > 65535)
		return false;
	*ret_port = htons((in_port_t)port);
	return true;
}

static enum demon_rc read_address(struct demon_config *c, struct demon_err *err)
{
	const char *text = c->listen.value;
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t n = colon ? (size_t)(colon - text) : 0;
	in_port_t port;

	if (!n || n >= sizeof(host) || !read_port(colon + 1, &port))
		return bad_address(text, err);
	if (text[0] == '[' && text[n - 1] == ']') {
		memcpy(host, text + 1, n - 2);
		host[n - 2] = '\0';
	} else {
		memcpy(host, text, n);
		host[n] = '\0';
	}
	if (strcmp(host, "localhost") == 0)
		memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
	if (text[0] != '[' && inet_pton(AF_INET, host, &c->address.v4.sin_addr) == 1) {
		c->address.v4.sin_family = AF_INET;
		c->address.v4.sin_port = port;
		c->address_len = sizeof(c->address.v4);
	} else if (text[0] == '[' && inet_pton(AF_INET6, host, &c->address.v6.sin6_addr) == 1) {
		c->address.v6.sin6_family = AF_INET6;
		c->address.v6.sin6_port = port;
		c->address_len = sizeof(c->address.v6);
	} else {
		return bad_address(text, err);
	}
	return DEMON_OK;
}

static enum demon_rc read_workers(struct demon_config *c, struct demon_err *err)
{
	const char *text = c->workers.value;
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < 1 || n > WORKERS_MAX)
		return demon_err_set(err, DEMON_USAGE,
				     "option '--workers': '%.80s' is not a number from 1 to %d",
				     text, WORKERS_MAX);
	c->worker_count = n;
	return DEMON_OK;
}

static bool is_loopback(const struct demon_config *c)
{
	if (c->address.any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&c->address.v6.sin6_addr);
	return ntohl(c->address.v4.sin_addr.s_addr) >> 24 == 127;
}

static enum demon_rc check(struct demon_config *c, struct demon_err *err)
{
	const char *node = c->node_id.value;
	enum demon_rc rc;

	if (node && (!*node || strlen(node) > NODE_ID_MAX || strpbrk(node, " \t\r\n")))
		return demon_err_set(
		    err, DEMON_USAGE,
		    "option '--node-id': '%.80s' is not 1 to %d characters without "
		    "white space",
		    node, NODE_ID_MAX);
	if ((rc = read_workers(c, err)) || (rc = read_address(c, err)))
		return rc;
	if (!is_loopback(c))
		return demon_err_set(err, DEMON_DENIED,
				     "will not listen on '%s': beyond loopback it would need a "
				     "token, and there is none",
				     c->listen.value);
	return DEMON_OK;
}

enum demon_rc demon_config_read(const struct demon_args *args, struct demon_config *ret_config,
				struct demon_err *err)
{
	struct demon_config c = {0};
	enum demon_rc rc;

	const char *file = demon_args_get(args, "config");

	if ((file && (rc = demon_config_file_open(file, err))) ||
	    (rc = demon_settings_read(args, &c.settings, err)))
		return rc;
	c.listen = choose(args, "listen", "--listen", "127.0.0.1:3000");
	c.log_file = choose(args, "log-file", "--log-file", NULL);
	c.workers = choose(args, "workers", "--workers", "64");
	c.node_id = choose(args, "node-id", "--node-id", NULL);
	if ((rc = check(&c, err))) {
		demon_settings_done(&c.settings);
		return rc;
	}
	*ret_config = c;
	return DEMON_OK;
}

void demon_config_done(struct demon_config *config)
{
	demon_config_file_close();
	demon_settings_done(&config->settings);
}

/* Adds a value without the credentials that stand in its addresses. */
static void add_masked(struct demon_buf *to, const char *value)
{
	const char *scheme;

	while ((scheme = strstr(value, "://"))) {
		size_t host = (size_t)(scheme - value) + 3;
		size_t end = host + strcspn(value + host, ",/");
		size_t at = end;

		while (at > host && value[at - 1] != '@')
			at--;
		demon_buf_add(to, value, host);
		if (at > host)
			demon_buf_str(to, "***@");
		demon_buf_add(to, value + at, end - at);
		value += end;
	}
	demon_buf_str(to, value);
}

/* To @p json, and as a line to @p to unless that is NULL. */
static void print_row(const char *name, const struct demon_setting *v, struct demon_jw *json,
		      FILE *to)
{
	const char *from = v->value ? v->from : "unset";
	struct demon_jw one = demon_jw_object(json, name);
	DEMON_BUF(shown, 0);

	add_masked(&shown, v->value ? v->value : "-");
	demon_jw_str(&one, "from", from);
	demon_jw_str(&one, "value", v->value ? shown.data : NULL);
	demon_jw_end(&one);
	if (to)
		(void)fprintf(to, "%-16s %-32s %s\n", name, shown.data ? shown.data : "", from);
}

void demon_config_print(const struct demon_config *config, FILE *to)
{
	const struct demon_settings *s = &config->settings;
	const struct {
		const char *name;
		const struct demon_setting *setting;
	} rows[] = {
	    {"db", &s->db},
	    {"home", &s->home},
	    {"listen", &config->listen},
	    {"log-file", &config->log_file},
	    {"nats-ca", &s->nats_ca},
	    {"nats-cert", &s->nats_cert},
	    {"nats-creds", &s->nats_creds},
	    {"nats-domain", &s->nats_domain},
	    {"nats-key", &s->nats_key},
	    {"nats-url", &s->nats_url},
	    {"node-id", &config->node_id},
	    {"public-url", &s->public_url},
	    {"secrets-command", &s->secrets_command},
	    {"secrets-file", &s->secrets_file},
	    {"stream-replicas", &s->stream_replicas},
	    {"tenant", &s->tenant},
	    {"workers", &config->workers},
	};
	DEMON_BUF(json, 0);
	struct demon_jw w = demon_jw_begin(&json);

	for (size_t i = 0; i < demon_count(rows); i++)
		print_row(rows[i].name, rows[i].setting, &w, s->json ? NULL : to);
	demon_jw_end(&w);
	if (s->json)
		(void)fprintf(to, "%s\n", json.data);
}
