#include "http_server.h"

#include "test.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS_MAX 256

struct http_server {
	int fd;
	int stop; /* eventfd: readable when it is being closed */
	int port;
	http_server_fn *answer;
	void *ctx;
	pthread_t thread;
	pthread_mutex_t lock;
	char *requests[REQUESTS_MAX]; /* under the lock */
	size_t count;                 /* under the lock */
};

/* False: nothing will come any more. */
static bool wait_readable(const struct http_server *s, int fd)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = s->stop, .events = POLLIN}};

	return poll(fds, 2, -1) > 0 && !fds[1].revents;
}

/* Whether @p text is a whole request. */
static bool is_whole(const char *text)
{
	const char *body = strstr(text, "\r\n\r\n");
	const char *length = strcasestr(text, "\r\nContent-Length:");

	if (!body)
		return false;
	return !length || strlen(body + 4) >= strtoul(length + 17, NULL, 10);
}

static char *read_request(const struct http_server *s, int fd)
{
	size_t room = (size_t)1 << 20;
	char *text = calloc(1, room);
	size_t len = 0;

	while (text && !is_whole(text)) {
		ssize_t n = 0;

		if (wait_readable(s, fd))
			n = recv(fd, text + len, room - 1 - len, 0);
		if (n <= 0) {
			free(text);
			return NULL;
		}
		len += (size_t)n;
	}
	return text;
}

static void serve(struct http_server *s, int fd)
{
	char *text = read_request(s, fd);
	struct http_peer peer = {.server = s, .fd = fd, .request = text, .ctx = s->ctx};

	if (!text)
		return;
	(void)pthread_mutex_lock(&s->lock);
	if (s->count < REQUESTS_MAX)
		s->requests[s->count++] = text;
	peer.number = s->count;
	(void)pthread_mutex_unlock(&s->lock);
	s->answer(&peer);
}

static void *listen_thread(void *ctx)
{
	struct http_server *s = ctx;
	int fd;

	while (wait_readable(s, s->fd)) {
		if ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) < 0)
			continue;
		serve(s, fd);
		(void)close(fd);
	}
	return NULL;
}

struct http_server *http_server_open(http_server_fn *answer, void *ctx)
{
	struct http_server *s = calloc(1, sizeof(*s));
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	assert_non_null(s);
	s->answer = answer;
	s->ctx = ctx;
	s->stop = eventfd(0, EFD_CLOEXEC);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->stop >= 0 && s->fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(s->fd, 64), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &len), 0);
	s->port = ntohs(address.sin_port);
	(void)pthread_mutex_init(&s->lock, NULL);
	assert_int_equal(pthread_create(&s->thread, NULL, listen_thread, s), 0);
	return s;
}

void http_server_close(struct http_server *s)
{
	uint64_t one = 1;

	if (!s)
		return;
	(void)!write(s->stop, &one, sizeof(one));
	(void)pthread_join(s->thread, NULL);
	for (size_t i = 0; i < s->count; i++)
		free(s->requests[i]);
	(void)close(s->fd);
	(void)close(s->stop);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

int http_server_port(const struct http_server *s)
{
	return s->port;
}

const char *http_server_url(const struct http_server *s, const char *path)
{
	static char buffers[16][512];
	static size_t next;
	char *out = buffers[next++ % (sizeof(buffers) / sizeof(buffers[0]))];

	(void)snprintf(out, sizeof(buffers[0]), "http://127.0.0.1:%d%s", s->port, path);
	return out;
}

size_t http_server_count(struct http_server *s)
{
	size_t count;

	(void)pthread_mutex_lock(&s->lock);
	count = s->count;
	(void)pthread_mutex_unlock(&s->lock);
	return count;
}

const char *http_server_request(struct http_server *s, size_t number)
{
	const char *text = NULL;

	(void)pthread_mutex_lock(&s->lock);
	if (number >= 1 && number <= s->count)
		text = s->requests[number - 1];
	(void)pthread_mutex_unlock(&s->lock);
	if (!text)
		fail_msg("there was no request %zu", number);
	return text;
}

bool http_peer_send(struct http_peer *peer, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		struct pollfd fds[] = {{.fd = peer->fd, .events = POLLOUT},
				       {.fd = peer->server->stop, .events = POLLIN}};
		ssize_t n;

		if (poll(fds, 2, -1) < 0 || fds[1].revents)
			return false;
		n = send(peer->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

bool http_peer_say(struct http_peer *peer, const char *fmt, ...)
{
	char *text;
	va_list args;
	bool sent;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		return false;
	sent = http_peer_send(peer, text, (size_t)len);
	free(text);
	return sent;
}

bool http_peer_answer(struct http_peer *peer, int status, const char *fields, const char *body)
{
	return http_peer_say(peer,
			     "HTTP/1.1 %d Words\r\n%sContent-Length: %zu\r\nConnection: close\r\n"
			     "\r\n%s",
			     status, fields, strlen(body), body);
}

bool http_peer_wait(struct http_peer *peer, int ms)
{
	struct pollfd fds[] = {{.fd = peer->fd, .events = POLLRDHUP},
			       {.fd = peer->server->stop, .events = POLLIN}};

	return poll(fds, 2, ms) != 0;
}
