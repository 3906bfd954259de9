/* SPDX-License-Identifier: MIT */
/*
 * screen - a picture is written over the one before, line by line, in one write; what the old
 * lines had to the right and below is erased behind it. So no line is ever blank in between.
 */
#include "client/screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/defs.h"
#include "client/output.h"

/* The alternate screen without a cursor; and back. */
#define SCREEN_ENTER "\x1b[?1049h\x1b[?25l\x1b[2J"
#define SCREEN_LEAVE "\x1b[0m\x1b[?25h\x1b[?1049l"
/* To the first place; lines longer than the terminal are cut by it, but only while we write. */
#define SCREEN_BEGIN "\x1b[H\x1b[?7l"
#define SCREEN_END   "\x1b[J\x1b[?7h"
#define SCREEN_EOL   "\x1b[K"

bool screen_possible(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
}

int screen_enter(struct screen *s, struct err *err)
{
    if (s->entered)
        return 0;
    if (tcgetattr(STDIN_FILENO, &s->before) == 0) {
        struct termios keys = s->before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        keys.c_cc[VMIN] = 0; /* a Ctrl-C takes back what was typed before it was read */
        keys.c_cc[VTIME] = 0;
        s->keys = tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
    }
    s->entered = true;
    return output_write(STDOUT_FILENO, SCREEN_ENTER, strlen(SCREEN_ENTER), err);
}

void screen_leave(struct screen *s)
{
    struct err ignored = ERR_INIT;
    if (!s->entered)
        return;
    s->entered = false;
    (void)output_write(STDOUT_FILENO, SCREEN_LEAVE, strlen(SCREEN_LEAVE), &ignored);
    if (s->keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
}

static size_t screen_count_lines(const char *text, size_t len)
{
    size_t lines = 0;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    return lines;
}

void screen_render(struct buf *b, const char *text, size_t len, size_t rows)
{
    size_t lines = screen_count_lines(text, len);
    /* the row behind the last line is where the cursor rests */
    size_t shown = rows > 2 && lines > rows - 1 ? rows - 2 : lines;
    buf_puts(b, SCREEN_BEGIN);
    for (size_t i = 0; i < shown; i++) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;
        buf_append(b, text, n);
        buf_puts(b, SCREEN_EOL "\n");
        text += n + (end != NULL);
        len -= n + (end != NULL);
    }
    if (lines > shown)
        buf_printf(b, "… %zu more lines" SCREEN_EOL "\n", lines - shown);
    buf_puts(b, SCREEN_END);
}

int screen_draw(const struct buf *text, struct err *err)
{
    struct winsize size = {0};
    struct buf out = BUF_INIT;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        size.ws_row = 0;
    screen_render(&out, (const char *)text->data, text->len, size.ws_row);
    out.failed |= text->failed;
    int r = output_flush(STDOUT_FILENO, &out, err);
    buf_done(&out);
    return r;
}
