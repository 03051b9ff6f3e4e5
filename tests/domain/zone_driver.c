/*
 * Lets a script ask the time zones: each line "ZONE SECONDS" is answered by
 * "OFFSET WEEKDAY MINUTE TEXT", or "! message".
 */
#include "domain/ward/zone.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	demon_auto_free char *line = NULL;
	demon_cleanup(demon_zone_free_p) struct demon_zone *zone = NULL;
	char have[DEMON_ZONE_NAME_MAX + 1] = "";
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		char *space = strchr(line, ' ');
		struct demon_err err;
		struct demon_local local;
		char text[DEMON_LOCAL_LEN + 1];

		if (!space)
			return 2;
		*space = '\0';
		if (!zone || strcmp(have, line) != 0) {
			demon_zone_free(demon_take(zone));
			if (demon_zone_open(argc > 1 ? argv[1] : NULL, line, &zone, &err)) {
				(void)printf("! %s\n", err.msg);
				continue;
			}
			(void)snprintf(have, sizeof(have), "%s", line);
		}
		local = demon_zone_local(zone, strtoll(space + 1, NULL, 10) * 1000);
		demon_local_text(&local, text);
		if (printf("%d %d %d %s\n", local.offset, local.weekday, local.minute, text) < 0)
			return 1;
	}
	return 0;
}
