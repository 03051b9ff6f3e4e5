#include "manual.h"

#include "cli/man.h"
#include "config.h"

void demon_manual(FILE *to)
{
	demon_man_begin(to, &(struct demon_man_page){"demond", "8", "the daemon of a Demon node",
						     DEMON_VERSION});
	demon_man_section(to, "SYNOPSIS");
	demon_man_text(to, "demond [options]");
	demon_man_section(to, "DESCRIPTION");
	demon_man_text(
	    to, "Takes up the runs of its node, keeps their timers and gates, sends\n"
		"notifications and answers on HTTP. One daemon holds a database; demonctl(1)\n"
		"works on the same file at the same time.\n\n"
		"It can be killed at any moment: what was acknowledged is on disk, and\n"
		"runs go on where they stood when it starts again.");
	demon_man_section(to, "OPTIONS");
	demon_man_options(to, demon_config_options);
	demon_man_options(to, demon_global_options);
	demon_man_section(to, "SIGNALS");
	demon_man_item(to, "SIGTERM, SIGINT",
		       "end before the next step of each run; a second one ends at once");
	demon_man_item(to, "SIGHUP", "open the log file again");
	demon_man_section(to, "FILES");
	demon_man_item(to, "FILE.lock", "beside the database FILE: who writes");
	demon_man_item(to, "FILE.key", "beside the database FILE: the key of its origin");
	demon_man_section(to, "SEE ALSO");
	demon_man_text(to, "demonctl(1), nats-server(8)");
}
