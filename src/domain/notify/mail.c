#include "mail.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE       76
#define WORD_BYTES 39 /* of text in one encoded word: 52 digits, 12 characters around them */

static bool is_plain(const char *text)
{
	if (strstr(text, "=?"))
		return false;
	for (; *text; text++)
		if (*text < ' ' || *text >= 0x7f)
			return false;
	return true;
}

/* How many bytes of @p text go into the next word: whole characters. */
static size_t word_span(const char *text)
{
	size_t len = strlen(text);

	if (len <= WORD_BYTES)
		return len;
	len = WORD_BYTES;
	while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len ? len : WORD_BYTES;
}

void demon_mail_header_text(const char *text, size_t used, struct demon_buf *out)
{
	if (is_plain(text) && used + strlen(text) <= LINE) {
		demon_buf_str(out, text);
		return;
	}
	for (bool first = true; *text; first = false) {
		size_t n = word_span(text);

		demon_buf_str(out, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
		demon_buf_base64(out, text, n);
		demon_buf_str(out, "?=");
		text += n;
	}
}

static void write_date(demon_time ts, struct demon_buf *out)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(ts / 1000);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm))
		return;
	demon_buf_fmt(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday],
		      tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		      tm.tm_sec);
}

/* base64 in lines: no byte of the text can be taken for a header, a boundary or the end. */
static void write_text(const char *text, struct demon_buf *out)
{
	const size_t bytes = (size_t)LINE / 4 * 3;
	size_t left = strlen(text);

	while (left) {
		size_t n = left < bytes ? left : bytes;

		demon_buf_base64(out, text, n);
		demon_buf_str(out, "\r\n");
		text += n;
		left -= n;
	}
}

void demon_mail_write(const struct demon_mail *mail, struct demon_buf *out)
{
	const char *domain = strchr(mail->from, '@') + 1;

	demon_buf_fmt(out, "From: <%s>\r\nTo: <%s>\r\nSubject: ", mail->from, mail->to);
	demon_mail_header_text(mail->subject, strlen("Subject: "), out);
	demon_buf_str(out, "\r\n");
	write_date(mail->ts, out);
	demon_buf_fmt(out, "Message-ID: <%s@%s>\r\n", mail->key, domain);
	if (mail->thread)
		demon_buf_fmt(out, "References: <%s@%s>\r\n", mail->thread, domain);
	demon_buf_fmt(out, "X-Demon-Event: %s\r\n", mail->topic);
	demon_buf_str(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
			   "Content-Type: text/plain; charset=utf-8\r\n"
			   "Content-Transfer-Encoding: base64\r\n\r\n");
	write_text(mail->text, out);
}
