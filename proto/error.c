/* SPDX-License-Identifier: MIT */
/*
 * error - looks up PROTO_ERRORS, in all three directions.
 */
#include "proto/error.h"

#include <string.h>

#include "base/defs.h"

static const struct error_row {
    const char *word;
    int err; /* negative errno */
    int exit;
} error_rows[] = {
#define ERROR_ROW(word, errno_, exit, meaning) {word, -(errno_), exit},
    PROTO_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};

/* The last row, "internal", stands for all that have none. */
static const struct error_row *error_find(int err)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(error_rows) - 1 && error_rows[i].err != err)
        i++;
    return &error_rows[i];
}

const char *proto_error_word(int err)
{
    return error_find(err)->word;
}

int proto_error_from_word(const char *word, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(error_rows); i++) {
        if (strlen(error_rows[i].word) == len && !memcmp(error_rows[i].word, word, len))
            return error_rows[i].err;
    }
    return -EPROTO;
}

int proto_error_exit(int err)
{
    return error_find(err)->exit;
}
