/*
 * Manual pages, from the same tables as the help: man(7) macros, as text.
 */
#ifndef DEMON_MAN_H
#define DEMON_MAN_H

#include "opt.h"

#include <stdio.h>

/** What a page is about. @c section: "1" or "8". */
struct demon_man_page {
	const char *name;
	const char *section;
	const char *summary;
	const char *version; /* of the program */
};

/** The title, then the section NAME. */
void demon_man_begin(FILE *to, const struct demon_man_page *page);

/** A section, or within one a part, of its own. */
void demon_man_section(FILE *to, const char *title);
void demon_man_part(FILE *to, const char *title);

/** Paragraphs: lines as they are, an empty line between paragraphs. */
void demon_man_text(FILE *to, const char *text);

/** Lines that stay as they are, such as examples. */
void demon_man_lines(FILE *to, const char *lines);

/** A list of options. */
void demon_man_options(FILE *to, const struct demon_opt *options);

/** One item of a list: what, and what it is. */
void demon_man_item(FILE *to, const char *what, const char *text);

#endif
