#include "support/nats.h"

#include "support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	(void)close(fd);
	return ntohs(address.sin_port);
}

static bool answers(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr = {htonl(INADDR_LOOPBACK)},
				      .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	(void)close(fd);
	return good;
}

void nats_start(struct nats_server *server, const char *dir)
{
	const struct timespec moment = {0, 10 * 1000 * 1000};
	char port[16];
	char store[300];
	char log[300];

	if (!server->port)
		server->port = free_port();
	(void)snprintf(server->dir, sizeof(server->dir), "%s", dir);
	(void)snprintf(server->url, sizeof(server->url), "nats://127.0.0.1:%u", server->port);
	(void)snprintf(port, sizeof(port), "%u", server->port);
	(void)snprintf(store, sizeof(store), "%s/jetstream", dir);
	(void)snprintf(log, sizeof(log), "%s/nats.log", dir);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0) {
		(void)execlp("nats-server", "nats-server", "-a", "127.0.0.1", "-p", port, "-js",
			     "-sd", store, "-l", log, (char *)NULL);
		(void)execl("/usr/sbin/nats-server", "nats-server", "-a", "127.0.0.1", "-p", port,
			    "-js", "-sd", store, "-l", log, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && !answers(server->port); i++)
		(void)nanosleep(&moment, NULL);
	assert_true(answers(server->port));
}

void nats_kill(struct nats_server *server)
{
	if (!server->pid)
		return;
	(void)kill(server->pid, SIGKILL);
	(void)waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

void nats_wipe(struct nats_server *server)
{
	char command[400];

	(void)snprintf(command, sizeof(command), "rm -rf '%s/jetstream'", server->dir);
	assert_int_equal(system(command), 0); /* NOLINT: a folder of the test */
}

void nats_pause(const struct nats_server *server, bool paused)
{
	assert_int_equal(kill(server->pid, paused ? SIGSTOP : SIGCONT), 0);
}
