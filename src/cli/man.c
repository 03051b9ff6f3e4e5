#include "man.h"

#include <string.h>

/* A text within a line: what roff would read otherwise is escaped. */
static void put(FILE *to, const char *text, size_t n, bool at_start)
{
	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (at_start && i == 0 && (c == '.' || c == '\''))
			(void)fputs("\\&", to);
		if (c == '\\')
			(void)fputs("\\e", to);
		else if (c == '-')
			(void)fputs("\\-", to);
		else if (c == '\'')
			(void)fputs("\\(aq", to);
		else
			(void)fputc(c, to);
	}
}

static void put_all(FILE *to, const char *text)
{
	put(to, text, strlen(text), false);
}

void demon_man_begin(FILE *to, const struct demon_man_page *page)
{
	(void)fprintf(to, ".TH %s %s \"\" \"Demon %s\"\n.nh\n.ad l\n.SH NAME\n", page->name,
		      page->section, page->version);
	put_all(to, page->name);
	(void)fputs(" \\- ", to);
	put_all(to, page->summary);
	(void)fputc('\n', to);
}

void demon_man_section(FILE *to, const char *title)
{
	(void)fprintf(to, ".SH \"%s\"\n", title);
}

void demon_man_part(FILE *to, const char *title)
{
	(void)fputs(".SS \"", to);
	put_all(to, title);
	(void)fputs("\"\n", to);
}

static void each_line(FILE *to, const char *text, const char *empty)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n)
			put(to, text, n, true);
		else
			(void)fputs(empty, to);
		(void)fputc('\n', to);
		text += n + (text[n] == '\n');
	}
}

void demon_man_text(FILE *to, const char *text)
{
	(void)fputs(".PP\n", to);
	each_line(to, text, ".PP");
}

void demon_man_lines(FILE *to, const char *lines)
{
	(void)fputs(".PP\n.nf\n.RS 4\n", to);
	each_line(to, lines, "");
	(void)fputs(".RE\n.fi\n", to);
}

void demon_man_item(FILE *to, const char *what, const char *text)
{
	(void)fputs(".TP\n\\fB", to);
	put_all(to, what);
	(void)fputs("\\fR\n", to);
	put(to, text, strlen(text), true);
	(void)fputc('\n', to);
}

void demon_man_options(FILE *to, const struct demon_opt *options)
{
	for (const struct demon_opt *o = options; o->name; o++) {
		char what[128];

		(void)snprintf(what, sizeof(what), "%c%c%s--%s%s%s%s", o->letter ? '-' : ' ',
			       o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
			       o->value ? " " : "", o->value ? o->value : "",
			       o->many ? " ..." : "");
		demon_man_item(to, what + (o->letter ? 0 : 4), o->help);
	}
}
