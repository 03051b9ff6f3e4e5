#include "out.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

#define OUT_MAX ((size_t)64 << 20)

void demon_out_line(const char *text)
{
	(void)fputs(text, stdout);
	(void)fputc('\n', stdout);
}

static enum demon_rc print_tree(const struct demon_settings *s, const json_t *doc,
				struct demon_err *err)
{
	DEMON_BUF(text, OUT_MAX);
	enum demon_rc rc =
	    s->json ? demon_json_canonical(doc, &text, err) : demon_json_pretty(doc, &text, err);

	if (rc || (rc = demon_buf_rc(&text, err)))
		return rc;
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	demon_out_line(text.data);
	return DEMON_OK;
}

enum demon_rc demon_out_json(const struct demon_settings *s, json_t *doc_new, struct demon_err *err)
{
	enum demon_rc rc;

	if (!doc_new)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a result");
	rc = print_tree(s, doc_new, err);
	json_decref(doc_new);
	return rc;
}

enum demon_rc demon_out_canonical(const struct demon_settings *s, const char *text, size_t len,
				  struct demon_err *err)
{
	static const struct demon_json_limits limits = {.max_bytes = OUT_MAX, .depth = 128};
	json_t *doc = NULL;
	enum demon_rc rc;

	if (s->json) {
		(void)fwrite(text, 1, len, stdout);
		(void)fputc('\n', stdout);
		return DEMON_OK;
	}
	if ((rc = demon_json_parse(text, len, &limits, &doc, err)))
		return rc;
	return demon_out_json(s, doc, err);
}

void demon_out_field(const char *name, const char *fmt, ...)
{
	DEMON_BUF(raw, 0);
	DEMON_BUF(clean, 0);
	va_list args;

	va_start(args, fmt);
	demon_buf_vfmt(&raw, fmt, args);
	va_end(args);
	demon_out_printable(&clean, raw.data);
	(void)printf("%-16s%s\n", name, clean.data);
}

void demon_out_note(const struct demon_settings *s, const char *fmt, ...)
{
	DEMON_BUF(raw, 0);
	DEMON_BUF(clean, 0);
	va_list args;

	if (s->quiet)
		return;
	va_start(args, fmt);
	demon_buf_vfmt(&raw, fmt, args);
	va_end(args);
	demon_out_printable(&clean, raw.data);
	(void)fprintf(stderr, "%s\n", clean.data);
}

void demon_out_printable(struct demon_buf *out, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		/* C0, DEL, and C1 in its UTF-8 form */
		if (*c < 0x20 || *c == 0x7f) {
			demon_buf_str(out, "\xef\xbf\xbd");
		} else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) {
			demon_buf_str(out, "\xef\xbf\xbd");
			c++;
		} else {
			demon_buf_char(out, (char)*c);
		}
	}
}

const char *demon_out_time(demon_time t)
{
	static char texts[4][DEMON_RFC3339_LEN + 1];
	static unsigned turn;
	char *text = texts[turn++ % 4];

	if (!t)
		return "-";
	demon_rfc3339(t, text);
	return text;
}

void demon_out_duration(struct demon_buf *out, int64_t ms)
{
	int64_t s = ms / 1000;

	if (ms < 1000)
		demon_buf_fmt(out, "%d ms", (int)ms);
	else if (s < 60)
		demon_buf_fmt(out, "%d.%d s", (int)s, (int)(ms % 1000 / 100));
	else if (s < 3600)
		demon_buf_fmt(out, "%d m %d s", (int)(s / 60), (int)(s % 60));
	else if (s < 86400)
		demon_buf_fmt(out, "%d h %d m", (int)(s / 3600), (int)(s / 60 % 60));
	else
		demon_buf_fmt(out, "%lld d %d h", (long long)(s / 86400), (int)(s / 3600 % 24));
}

json_t *demon_out_time_json(demon_time t)
{
	return t ? json_string(demon_out_time(t)) : json_null();
}

const char *demon_out_color(const struct demon_settings *s, const char *status)
{
	static const struct {
		const char *status;
		const char *color;
	} colors[] = {
	    {"Completed", "\033[32m"},        {"ok", "\033[32m"},        {"Failed", "\033[31m"},
	    {"Denied", "\033[31m"},           {"Canceled", "\033[33m"},  {"Waiting", "\033[33m"},
	    {"failed", "\033[31m"},           {"Suspended", "\033[33m"}, {"Frozen", "\033[33m"},
	    {"AwaitingApproval", "\033[33m"},
	};

	if (strcmp(s->color.value, "yes") != 0)
		return "";
	for (size_t i = 0; i < demon_count(colors); i++)
		if (strcmp(colors[i].status, status) == 0)
			return colors[i].color;
	return "";
}

/* Characters of a UTF-8 text. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

struct demon_table demon_table_begin(const struct demon_settings *s, const char *const *heads,
				     size_t status_column)
{
	struct demon_table t = {.settings = s, .heads = heads, .status_column = status_column};

	while (heads[t.columns])
		t.columns++;
	return t;
}

void demon_table_cell(struct demon_table *t, const char *text)
{
	DEMON_BUF(clean, 0);
	char *cell;

	if (t->failed)
		return;
	if (t->count == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		char **grown = demon_realloc((void *)t->cells, cap, sizeof(*grown));

		if (!grown) {
			t->failed = true;
			return;
		}
		t->cells = grown;
		t->cap = cap;
	}
	demon_out_printable(&clean, text && *text ? text : "-");
	cell = demon_buf_take(&clean);
	if (!cell) {
		t->failed = true;
		return;
	}
	t->cells[t->count++] = cell;
}

static void print_row(const struct demon_table *t, const char *const *cells, const size_t *widths,
		      bool head)
{
	for (size_t c = 0; c < t->columns; c++) {
		bool last = c + 1 == t->columns;
		const char *color =
		    c == t->status_column && !head ? demon_out_color(t->settings, cells[c]) : "";
		int pad = last ? 0 : (int)(widths[c] - width(cells[c]) + 2);

		(void)printf("%s%s%s%*s", color, cells[c], *color ? "\033[0m" : "", pad, "");
	}
	(void)fputc('\n', stdout);
}

enum demon_rc demon_table_print(struct demon_table *t, struct demon_err *err)
{
	size_t widths[16] = {0};

	if (t->failed || t->columns > demon_count(widths))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a table");
	if (!t->count || !t->columns)
		return DEMON_OK;
	for (size_t c = 0; c < t->columns; c++)
		widths[c] = width(t->heads[c]);
	for (size_t i = 0; i < t->count; i++)
		if (width(t->cells[i]) > widths[i % t->columns])
			widths[i % t->columns] = width(t->cells[i]);
	print_row(t, t->heads, widths, true);
	for (size_t i = 0; i + t->columns <= t->count; i += t->columns)
		print_row(t, (const char *const *)t->cells + i, widths, false);
	return DEMON_OK;
}

void demon_table_done(struct demon_table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	free((void *)t->cells);
	t->cells = NULL;
	t->count = t->cap = 0;
}
