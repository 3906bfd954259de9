/* SPDX-License-Identifier: MIT */
#include "client/ids.h"

#include <string.h>

#include "proto/pack.h"

void ids_pack(struct buf *b, char *const *words, size_t n)
{
    pack_text(b, "ids");
    pack_array(b, n);
    for (size_t i = 0; i < n; i++)
        pack_text(b, words[i]);
}

void ids_pack_one(struct buf *b, const char *word)
{
    pack_text(b, "id");
    pack_text(b, word);
}

bool ids_single(const char *word)
{
    size_t digits = strspn(word, "0123456789");
    return strcmp(word, "all") != 0 && !(digits > 0 && word[digits] == '-');
}
