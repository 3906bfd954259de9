/* SPDX-License-Identifier: MIT */
#include "daemon/aio/ticks.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"

/* Measured over so long the scale is wrong by a few millionths, then by less. */
enum { TICKS_SOON_MS = 10, TICKS_LATER_MS = 1000 };
/* As far as the two may be apart: so much, when the loop was interrupted between its readings, and
 * a share of the time since the last mark, twice what adjtimex(2) slews by. */
enum { TICKS_OFF_MS = 1, TICKS_OFF_SHARE = 1000 };

void aio_ticks_init(struct aio_ticks *t)
{
    *t = (struct aio_ticks){.trusted = false};
#if defined(__x86_64__)
    static const char path[] =
        "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    char name[16] = "";
    _cleanup_(defs_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);
    t->trusted = n > 0 && strcmp(name, "tsc\n") == 0;
#endif
}

static bool ticks_are_off(const struct aio_ticks *t, uint64_t ticks, uint64_t now_ns)
{
    uint64_t said = aio_ticks_at(t, ticks);
    uint64_t off = said > now_ns ? said - now_ns : now_ns - said;
    return ticks < t->base ||
           off > TICKS_OFF_MS * NSEC_PER_MSEC + (now_ns - t->base_ns) / TICKS_OFF_SHARE;
}

void aio_ticks_mark(struct aio_ticks *t, uint64_t ticks, uint64_t now_ns)
{
    if (!t->trusted)
        return;
    if (t->scale && ticks_are_off(t, ticks, now_ns))
        *t = (struct aio_ticks){.trusted = true};
    t->base = ticks;
    t->base_ns = now_ns;
    if (!t->first_ns) {
        t->first = ticks;
        t->first_ns = now_ns;
    }
    uint64_t enough = (t->scale ? TICKS_LATER_MS : TICKS_SOON_MS) * NSEC_PER_MSEC;
    uint64_t passed_ns = now_ns - t->first_ns;
    if (t->measured_ns >= enough || passed_ns < enough || ticks <= t->first)
        return;
    t->measured_ns = passed_ns;
    t->scale = (uint64_t)(((unsigned __int128)passed_ns << 32) / (ticks - t->first));
}
