#include "line.h"

#include "base/cond.h"

#define CONNECT_MS ((int64_t)10000)

static void on_wake(void *ctx)
{
	struct demon_line *line = ctx;

	(void)pthread_mutex_lock(&line->lock);
	line->woken = true;
	(void)pthread_cond_signal(&line->news);
	(void)pthread_mutex_unlock(&line->lock);
}

static enum demon_rc wait_for_link(struct demon_line *line, struct demon_err *err)
{
	struct timespec until = demon_cond_in(CONNECT_MS);
	struct demon_link link;
	bool late = false;

	while (true) {
		line->transport.ops->link(line->transport.ctx, &link);
		if (link.up)
			return DEMON_OK;
		if (late)
			return demon_err_set(err, DEMON_UNAVAIL, "no NATS server answers%s%s",
					     *link.error ? ": " : "", link.error);
		(void)pthread_mutex_lock(&line->lock);
		while (!line->woken && !late)
			late = pthread_cond_timedwait(&line->news, &line->lock, &until) != 0;
		line->woken = false;
		(void)pthread_mutex_unlock(&line->lock);
	}
}

enum demon_rc demon_line_open(struct demon_line *line, const struct demon_settings *settings,
			      struct demon_err *err)
{
	const struct demon_jetstream_options options = {.server = demon_settings_nats(settings),
							.name = "demonctl",
							.wake = on_wake,
							.wake_ctx = line};
	enum demon_rc rc;

	*line = (struct demon_line){0};
	if (!settings->nats_url.value)
		return demon_err_set(err, DEMON_USAGE,
				     "no NATS server was named: --nats-url URL, or NATS_URL");
	(void)pthread_mutex_init(&line->lock, NULL);
	demon_cond_init(&line->news);
	line->made = true;
	rc = demon_jetstream_open(&options, &line->jetstream, &line->transport, err);
	return rc ? rc : wait_for_link(line, err);
}

void demon_line_close(struct demon_line *line)
{
	if (!line->made)
		return;
	demon_jetstream_close(line->jetstream);
	(void)pthread_cond_destroy(&line->news);
	(void)pthread_mutex_destroy(&line->lock);
}
