/* SPDX-License-Identifier: MIT */
/*
 * append - the least a durable record can cost: 4 KiB at the end of a file, fdatasync, again.
 *
 *     append FILE COUNT
 *
 * Prints the median of one in microseconds, as JSON.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

enum { APPEND_BYTES = 4096 };

static int append_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static char block[APPEND_BYTES] = {1};
    size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    uint64_t *took = calloc(count + 1, sizeof(*took));
    if (!count || !took)
        errx(2, "append FILE COUNT");
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        err(1, "%s", argv[1]);
    for (size_t i = 0; i < count; i++) {
        uint64_t began = clock_awake();
        if (write(fd, block, sizeof(block)) != sizeof(block) || fdatasync(fd) < 0)
            err(1, "%s", argv[1]);
        took[i] = clock_awake() - began;
    }
    qsort(took, count, sizeof(*took), append_compare);
    printf("{\"p50_us\": %.1f, \"p99_us\": %.1f}\n", (double)took[count / 2] / 1e3,
           (double)took[count - 1 - count / 100] / 1e3);
    return 0;
}
