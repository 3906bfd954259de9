/* SPDX-License-Identifier: MIT */
/*
 * fuzz_main - runs a fuzz target over every file of the directories given, once. The name of
 * the file is printed first, so that a crash names its input. Fails if there was no file.
 */
#include <dirent.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "tests/fuzz/fuzz.h"

static bool fuzz_run_file(const char *path)
{
    struct buf b = BUF_INIT;
    FILE *file = fopen(path, "re");
    if (!file) {
        perror(path);
        return false;
    }
    size_t n = 1;
    while (n > 0 && buf_reserve(&b, BUFSIZ) == 0) {
        n = fread(b.data + b.len, 1, BUFSIZ, file);
        b.len += n;
    }
    bool good = buf_ok(&b) && !ferror(file);
    fclose(file);
    fprintf(stderr, "%s: %zu bytes\n", path, b.len);
    if (good) {
        uint8_t *exact = malloc(b.len ? b.len : 1); /* so that reading past its end is seen */
        good = exact != NULL;
        if (exact && b.len)
            memcpy(exact, b.data, b.len);
        if (exact)
            LLVMFuzzerTestOneInput(exact, b.len);
        free(exact);
    }
    buf_done(&b);
    return good;
}

/* Returns how many files were run, or -1. */
static int fuzz_run_directory(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        perror(path);
        return -1;
    }
    int files = 0;
    const struct dirent *entry;
    while (files >= 0 && (entry = readdir(dir)) != NULL) {
        struct buf name = BUF_INIT;
        if (entry->d_name[0] == '.')
            continue;
        buf_printf(&name, "%s/%s", path, entry->d_name);
        const char *text = buf_cstr(&name);
        files = text && fuzz_run_file(text) ? files + 1 : -1;
        buf_done(&name);
    }
    closedir(dir);
    return files;
}

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++) {
        int n = fuzz_run_directory(argv[i]);
        if (n < 0)
            return 1;
        files += n;
    }
    fprintf(stderr, "%d files\n", files);
    return files > 0 ? 0 : 1;
}
