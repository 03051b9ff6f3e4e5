/* Appends an event to a store, and reads it back as a subscriber would. */
#include <demon/store.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const struct demon_err *err)
{
	fprintf(stderr, "embed: %s\n", err->msg);
	return demon_rc_exit(err->rc);
}

int main(int argc, char **argv)
{
	struct demon_options options = {.create = true, .node_id = "embed"};
	struct demon_draft draft = {.type = "app.invoice.paid:v1",
				    .ritual_id = "invoices",
				    .run_id = "i-2026-0042",
				    .data = "{\"amount\": 120.50, \"currency\": \"EUR\"}"};
	struct demon_filter filter = {.type = "app.*"};
	const struct demon_event *event;
	struct demon_reader *reader;
	struct demon_receipt receipt;
	struct demon_store *store;
	struct demon_err err;

	if (demon_open(argc > 1 ? argv[1] : "embed.db", &options, &store, &err))
		return fail(&err);
	if (demon_append(store, &draft, 1, &receipt, &err))
		return fail(&err); /* nothing was written */
	printf("durable as event %lld\n", (long long)receipt.seq);

	filter.after_seq = receipt.seq - 1;
	if (demon_reader_open(store, &filter, &reader, &err) ||
	    demon_reader_next(reader, 1000, &event, &err)) /* waits for up to a second */
		return fail(&err);
	printf("%s %s\n", event->type, event->payload);
	demon_reader_close(reader);
	demon_close(store);
	return EXIT_SUCCESS;
}
