/* SPDX-License-Identifier: MIT */
/*
 * test_store_open - what a store refuses to open, and that it leaves it as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/fixture.h"

static void corrupt(const struct fixture *f, off_t at, const void *bytes, size_t n)
{
    char path[128];
    fixture_path(f, "tasks.db", path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static void delete_file(const struct fixture *f, const char *name)
{
    char path[128];
    fixture_path(f, name, path);
    unlink(path);
}

/* All of a file, to see that it was not touched. */
static struct value *content(const struct fixture *f, const char *name)
{
    char path[128];
    fixture_path(f, name, path);
    size_t size = (size_t)fixture_size(f, name);
    uint8_t *bytes = malloc(size + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, bytes, size), size);
    close(fd);
    struct value *v = value_new(bytes, size);
    free(bytes);
    return v;
}

/* An open that is refused with code and leaves the database alone. */
static void assert_refused(struct fixture *f, int code, const char *word)
{
    struct value *before = content(f, "tasks.db");
    assert_int_equal(fixture_open(f), code);
    assert_int_equal(f->err.code, code);
    assert_non_null(strstr(f->err.msg, "tasks.db"));
    if (!strstr(f->err.msg, word))
        fail_msg("\"%s\" does not say \"%s\"", f->err.msg, word);
    struct value *after = content(f, "tasks.db");
    assert_int_equal(before->len, after->len);
    assert_memory_equal(before->bytes, after->bytes, before->len);
    value_unref(before);
    value_unref(after);
}

static void holder(struct fixture *f, int ready)
{
    if (fixture_open(f) < 0 || write(ready, "1", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void test_locked_by_another_process(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        holder(f, ends[1]);
    char byte, pid[32];
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(fixture_open(f), -EBUSY);
    snprintf(pid, sizeof(pid), "process %d,", (int)child);
    assert_non_null(strstr(f->err.msg, pid));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(fixture_open(f), 0); /* the lock died with it */
    close(ends[0]);
    close(ends[1]);
}

static void test_directory_is_missing(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    struct store_options o = f->options;
    o.dir = "/nonexistent/store";
    struct store *s = NULL;
    assert_int_equal(store_open(&s, &o, &f->err), -ENOENT);
    assert_non_null(strstr(f->err.msg, o.dir));
    assert_null(s);
}

static void test_directory_is_not_writable(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    delete_file(f, "lock");
    assert_int_equal(chmod(f->dir, 0555), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(f->dir, 65534, 65534), 0);
    pid_t child = fork();
    if (child == 0) { /* root may write everywhere */
        if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
            _exit(1);
        int r = fixture_open(f);
        _exit(r == -EACCES && strstr(f->err.msg, f->dir) ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    chmod(f->dir, 0700);
}

static void test_bytes_overwritten(void **state)
{
    struct fixture *f = *state;
    fixture_fill_and_close(f);
    uint8_t junk[4096];
    memset(junk, 0x5a, sizeof(junk));
    corrupt(f, fixture_size(f, "tasks.db") / 4096 / 2 * 4096, junk, sizeof(junk));
    delete_file(f, "clean"); /* as after a crash */
    assert_refused(f, -EUCLEAN, "restore a backup");
}

static int load_nothing(void *ctx, struct store_task *t)
{
    (void)t;
    ++*(unsigned *)ctx;
    return 0;
}

/* After an orderly close nothing is checked; the load finds it. */
static void test_bytes_overwritten_after_a_clean_close(void **state)
{
    struct fixture *f = *state;
    fixture_fill_and_close(f);
    uint8_t junk[4096];
    memset(junk, 0x5a, sizeof(junk));
    corrupt(f, fixture_size(f, "tasks.db") / 4096 / 2 * 4096, junk, sizeof(junk));
    assert_int_equal(fixture_open(f), 0);
    unsigned loaded = 0;
    assert_int_equal(store_load_live(f->store, load_nothing, &loaded, &f->err), -EUCLEAN);
    assert_non_null(strstr(f->err.msg, "tasks.db"));
    assert_true(loaded < 200);
}

static void test_file_cut_short(void **state)
{
    struct fixture *f = *state;
    fixture_fill_and_close(f);
    char path[128];
    fixture_path(f, "tasks.db", path);
    assert_int_equal(truncate(path, fixture_size(f, "tasks.db") / 4096 / 2 * 4096), 0);
    assert_refused(f, -EUCLEAN, "restore a backup");
    assert_int_equal(truncate(path, 100), 0);
    assert_refused(f, -EUCLEAN, "restore a backup");
}

/* The WAL of a crash is neither taken over nor deleted when the database is refused. */
static void crash_child(struct fixture *f)
{
    if (fixture_open(f) < 0 || task_submit(f, 1000) < 0)
        _exit(1);
    _exit(0);
}

static void test_wal_of_a_damaged_database_stays(void **state)
{
    struct fixture *f = *state;
    fixture_fill_and_close(f);
    pid_t child = fork();
    if (child == 0)
        crash_child(f);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    off_t wal = fixture_size(f, "tasks.db-wal");
    assert_true(wal > 0);
    uint8_t junk[4096 * 3];
    memset(junk, 0x5a, sizeof(junk));
    corrupt(f, fixture_size(f, "tasks.db") / 4096 / 2 * 4096, junk, sizeof(junk));
    assert_refused(f, -EUCLEAN, "restore a backup");
    assert_int_equal(fixture_size(f, "tasks.db-wal"), wal);
}

static void test_not_a_database(void **state)
{
    struct fixture *f = *state;
    fixture_fill_and_close(f);
    corrupt(f, 0, "This is not the file you look for", 33);
    assert_refused(f, -EUCLEAN, "restore a backup");
}

static void test_database_of_another_program(void **state)
{
    struct fixture *f = *state;
    fixture_fill_and_close(f);
    fixture_integer(f, "PRAGMA application_id = 77");
    assert_refused(f, -EUCLEAN, "another program");
}

static void test_newer_schema(void **state)
{
    struct fixture *f = *state;
    fixture_fill_and_close(f);
    fixture_integer(f, "PRAGMA user_version = 99");
    assert_refused(f, -ENOTSUP, "newer aiod (schema 99");
}

static void test_instance_without_database(void **state)
{
    struct fixture *f = *state;
    fixture_fill_and_close(f);
    delete_file(f, "tasks.db");
    assert_int_equal(fixture_open(f), -EUCLEAN);
    assert_non_null(strstr(f->err.msg, "tasks.db is missing or empty"));
    assert_false(fixture_has(f, "tasks.db"));
    char path[128];
    fixture_path(f, "tasks.db", path);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_refused(f, -EUCLEAN, "missing or empty");
    delete_file(f, "instance");
    assert_int_equal(fixture_open(f), 0); /* now it is a new one */
    assert_true(store_last_id(f->store) == 0);
}

static void test_database_without_instance(void **state)
{
    struct fixture *f = *state;
    uint8_t instance[STORE_UUID_BYTES];
    memcpy(instance, store_instance(f->store), sizeof(instance));
    fixture_fill_and_close(f);
    delete_file(f, "instance");
    assert_int_equal(fixture_open(f), 0);
    assert_memory_equal(store_instance(f->store), instance, sizeof(instance));
    assert_true(fixture_has(f, "instance"));
}

static void test_database_of_another_instance(void **state)
{
    struct fixture *f = *state;
    fixture_fill_and_close(f);
    fixture_integer(f, "UPDATE meta SET value = randomblob(16) WHERE key = 'instance'");
    assert_refused(f, -EUCLEAN, "another instance");
}

/* The statements that made a database of version 1: this text never changes. */
static const char version_1[] =
    "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE intern (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, uid INTEGER NOT NULL,"
    " hash INTEGER NOT NULL, refs INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;"
    "CREATE INDEX intern_hash ON intern (hash);"
    "CREATE TABLE task (id INTEGER PRIMARY KEY, uid INTEGER NOT NULL, gid INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL DEFAULT 0, grp TEXT NOT NULL, name TEXT,"
    " function TEXT NOT NULL, title TEXT NOT NULL, submitted_ns INTEGER NOT NULL,"
    " due_ns INTEGER NOT NULL, due_clock INTEGER NOT NULL, due_wall_ns INTEGER NOT NULL,"
    " boot_id BLOB, client_pid INTEGER NOT NULL, env INTEGER, creds INTEGER,"
    " attempt INTEGER NOT NULL DEFAULT 0, token BLOB, attempt_boot BLOB, attempt_spawner BLOB,"
    " attempt_ns INTEGER NOT NULL DEFAULT 0,"
    " attempt_boot_ns INTEGER NOT NULL DEFAULT 0, pid INTEGER NOT NULL DEFAULT 0,"
    " start_ticks INTEGER NOT NULL DEFAULT 0, started_ns INTEGER NOT NULL DEFAULT 0,"
    " cancel_ns INTEGER NOT NULL DEFAULT 0, cancel_uid INTEGER NOT NULL DEFAULT 0,"
    " cancel_kill INTEGER NOT NULL DEFAULT 0, ended_ns INTEGER NOT NULL DEFAULT 0,"
    " usage BLOB, result BLOB, args BLOB NOT NULL) STRICT;"
    "CREATE INDEX task_live ON task (outcome) WHERE outcome = 0;"
    "CREATE INDEX task_done ON task (outcome) WHERE outcome <> 0;"
    "CREATE INDEX task_uid ON task (uid, outcome) WHERE outcome <> 0;"
    "CREATE INDEX task_group ON task (grp, outcome) WHERE outcome <> 0;"
    "CREATE INDEX task_name ON task (name, outcome) WHERE outcome <> 0 AND name IS NOT NULL;"
    "INSERT INTO meta VALUES ('instance', x'000102030405060708090a0b0c0d0e0f'), ('last_id', 9);"
    "INSERT INTO intern VALUES (5, 1, 1000, 77, 2, x'91a3413d31');"
    "INSERT INTO task (id, uid, gid, grp, name, function, title, submitted_ns, due_ns, "
    "due_clock,"
    " due_wall_ns, client_pid, env, args) VALUES"
    " (3, 1000, 100, 'convert', 'nap', 'sleep', 'sleep 5', 1001, 0, 0, 0, 42, 5, x'80');"
    "INSERT INTO task (id, uid, gid, outcome, grp, function, title, submitted_ns, due_ns, "
    "due_clock,"
    " due_wall_ns, client_pid, env, args, ended_ns, result) VALUES"
    " (2, 1000, 100, 1, 'default', 'exec', 'true', 1000, 0, 0, 0, 42, 5, zeroblob(20000), 1005,"
    " x'00');"
    "PRAGMA application_id = 1634299748; PRAGMA user_version = 1";

/* In the place of the store's own database, which is closed. */
static void make_version_1(const struct fixture *f)
{
    char path[128];
    sqlite3 *db = NULL;
    delete_file(f, "tasks.db");
    delete_file(f, "instance");
    fixture_path(f, "tasks.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, version_1, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int load_version_1(void *ctx, struct store_task *t)
{
    *(uint64_t *)ctx = t->id;
    assert_true(t->retry_of == 0 && t->retried_as == 0);
    assert_string_equal(t->name, "nap");
    return 0;
}

static void test_upgrade_from_version_1(void **state)
{
    struct fixture *f = *state;
    uint64_t live = 0;
    fixture_close(f);
    make_version_1(f);
    for (int i = 0; i < 2; i++) { /* and once more as it is now */
        assert_int_equal(fixture_open(f), 0);
        assert_true(store_last_id(f->store) == 9);
        assert_int_equal(store_instance(f->store)[15], 15);
        assert_int_equal(store_load_live(f->store, load_version_1, &live, &f->err), 0);
        assert_true(live == 3);
        struct call get = {.op = {.verb = STORE_GET, .id = 2}};
        assert_int_equal(call_run(f, &get), 0);
        assert_int_equal(get.op.rows[0].args->len, 20000);
        assert_int_equal(get.op.rows[0].env->len, 5);
        assert_true(get.op.rows[0].retried_as == 0);
        store_rows_free(&get.op);
        /* by the new index */
        struct call page = {.op = {.verb = STORE_PAGE,
                                   .filter = {.before = UINT64_MAX,
                                              .uid = UINT32_MAX,
                                              .since_ns = 1005,
                                              .until_ns = 1006,
                                              .limit = 10}}};
        assert_int_equal(call_run(f, &page), 0);
        assert_int_equal(page.op.nrows, 1);
        store_rows_free(&page.op);
        fixture_close(f);
        assert_int_equal(fixture_integer(f, "PRAGMA user_version"), 2);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM pragma_quick_check WHERE "
                                            "quick_check <> 'ok'"),
                         0);
    }
    assert_int_equal(fixture_open(f), 0);
}

/* An upgrade is all or nothing: a step that fails leaves version 1, which opens later. */
static void test_upgrade_that_fails(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    make_version_1(f);
    /* the last statement of the step cannot be done */
    fixture_integer(f, "CREATE TABLE group_setting (x)");
    assert_true(fixture_open(f) < 0);
    assert_non_null(strstr(f->err.msg, "tasks.db"));
    assert_int_equal(fixture_integer(f, "PRAGMA user_version"), 1);
    assert_int_equal(
        fixture_integer(f, "SELECT count(*) FROM pragma_table_info('task') WHERE name = "
                           "'retry_of'"),
        0);
    fixture_integer(f, "DROP TABLE group_setting");
    assert_int_equal(fixture_open(f), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_locked_by_another_process),
        TEST(test_directory_is_missing),
        TEST(test_directory_is_not_writable),
        TEST(test_bytes_overwritten),
        TEST(test_bytes_overwritten_after_a_clean_close),
        TEST(test_file_cut_short),
        TEST(test_wal_of_a_damaged_database_stays),
        TEST(test_not_a_database),
        TEST(test_database_of_another_program),
        TEST(test_newer_schema),
        TEST(test_upgrade_from_version_1),
        TEST(test_upgrade_that_fails),
        TEST(test_instance_without_database),
        TEST(test_database_without_instance),
        TEST(test_database_of_another_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
