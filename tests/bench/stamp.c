/* SPDX-License-Identifier: MIT */
/*
 * stamp - a command that says when it began and when it ended, by its own clock: two numbers of
 * CLOCK_MONOTONIC in nanoseconds, the first as soon as it runs, the second as its last deed.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static long long stamp_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(void)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%lld ", stamp_now());
    if (write(STDOUT_FILENO, text, (size_t)n) != n)
        return 1;
    n = snprintf(text, sizeof(text), "%lld\n", stamp_now());
    _exit(write(STDOUT_FILENO, text, (size_t)n) != n);
}
