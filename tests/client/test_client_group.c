/* SPDX-License-Identifier: MIT */
/*
 * aioctl group against a fake daemon: one request a group, the list, and every misuse.
 */
#include <errno.h>

#include "fixture.h"
#include "proto/pack.h"

static void pack_group(struct buf *b, struct bytes name, unsigned slots, bool paused,
                       const char *from)
{
    pack_map(b, 6);
    pack_text(b, "name");
    pack_text_n(b, name.data, name.len);
    pack_text(b, "slots");
    pack_uint(b, slots);
    pack_text(b, "held");
    pack_uint(b, 3);
    pack_text(b, "waiting");
    pack_uint(b, slots * 10);
    pack_text(b, "paused");
    pack_bool(b, paused);
    pack_text(b, "from");
    pack_text(b, from);
}

static void serve(struct fake *f, const struct rpc_message *m)
{
    struct bytes name = map_text(m->params, "name");
    if (bytes_equal(m->method, "groups")) {
        rpc_write_result(&f->out, m->msgid);
        pack_array(&f->out, 2);
        pack_group(&f->out, (struct bytes){"default", 7}, 4, false, "file");
        pack_group(&f->out, (struct bytes){"a\nb", 3}, 100, true, "command");
    } else if (bytes_equal(name, "nope")) {
        fake_error(f, m->msgid, -ENOENT, "there is no group nope");
    } else if (bytes_equal(name, "taken")) {
        fake_error(f, m->msgid, -EEXIST, "there is a group taken");
    } else {
        rpc_write_result(&f->out, m->msgid);
        pack_group(&f->out, name, 4, map_bool(m->params, "paused", false), "command");
    }
}

static void test_list(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "group", serve), 0);
    assert_int_equal(fixture_run(f, "groups|list|-oid", serve), 0);
    assert_int_equal(fixture_run(f, "group|-ojsonl", serve), 0);
    fixture_check(
        f,
        "GROUP    SLOTS  HELD  WAITING  PAUSED  FROM\n"
        "default      4     3       40  -       file\n"
        "a\\nb       100     3     1000  paused  command\n"
        "default\na\\nb\n"
        "{\"name\":\"default\",\"slots\":4,\"held\":3,\"waiting\":40,\"paused\":false,"
        "\"from\":\"file\"}\n"
        "{\"name\":\"a\\nb\",\"slots\":100,\"held\":3,\"waiting\":1000,\"paused\":true,"
        "\"from\":\"command\"}\n",
        "");
    fixture_check_trace(f, "groups null\ngroups null\ngroups null\n");
}

static void test_changes(void **state)
{
    struct fixture *f = *state;
    static const char *const lines[] = {
        "group|new|convert|--slots|4",
        "group|set|convert|--slots=9",
        "group|pause|a|b",
        "group|resume|--all",
        "group|rm|convert",
        "group|pause|a|-ojson",
        "group|new|x|y|--slots|1|-oid",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(fixture_run(f, lines[i], serve), 0);
    fixture_check(f,
                  "[{\"name\":\"a\",\"slots\":4,\"held\":3,\"waiting\":40,\"paused\":true,"
                  "\"from\":\"command\"}]\nx\ny\n",
                  "");
    fixture_check_trace(f, "group {\"name\":\"convert\",\"slots\":4,\"new\":true}\n"
                           "group {\"name\":\"convert\",\"slots\":9}\n"
                           "group {\"name\":\"a\",\"paused\":true}\n"
                           "group {\"name\":\"b\",\"paused\":true}\n"
                           "groups null\n"
                           "group {\"name\":\"default\",\"paused\":false}\n"
                           "group {\"name\":\"a\\nb\",\"paused\":false}\n"
                           "group {\"name\":\"convert\",\"remove\":true}\n"
                           "group {\"name\":\"a\",\"paused\":true}\n"
                           "group {\"name\":\"x\",\"slots\":1,\"new\":true}\n"
                           "group {\"name\":\"y\",\"slots\":1,\"new\":true}\n");
}

/* One that fails does not keep the others from being done; its status is the first's. */
static void test_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_run(f, "group|pause|nope|a|taken", serve), 3);
    assert_int_equal(fixture_run(f, "group|new|taken|--slots|1", serve), 5);
    fixture_check(f, "",
                  "aioctl: group: there is no group nope\n"
                  "aioctl: group: there is a group taken\n"
                  "aioctl: group: there is a group taken\n");
}

static void test_usage(void **state)
{
    struct fixture *f = *state;
    static const char *const lines[] = {
        "group|start|a",         "group|list|a",    "group|new|a",
        "group|new|--slots|1",   "group|rm",        "group|pause",
        "group|pause|a|--all",   "group|rm|--all",  "group|pause|a|--slots|1",
        "group|set|a|--slots|0", "group|a|-o|wide",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(fixture_run(f, lines[i], NULL), 2);
    fixture_check(
        f, "",
        "aioctl: group: start: it is list, new, set, pause, resume or rm: aioctl help group\n"
        "aioctl: group: list takes no words\n"
        "aioctl: group: how many slots? new NAME --slots N\n"
        "aioctl: group: which group?\n"
        "aioctl: group: which group?\n"
        "aioctl: group: which group?\n"
        "aioctl: group: either names or --all\n"
        "aioctl: group: --all is for pause and resume\n"
        "aioctl: group: --slots is for new and set\n"
        "aioctl: group: --slots: 0 would never start anything: aioctl group pause NAME\n"
        "aioctl: group: --output: \"wide\" is none of table|id|json|jsonl: aioctl help "
        "group\n");
}

#define WITH_FIXTURE(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_list),
        WITH_FIXTURE(test_changes),
        WITH_FIXTURE(test_refused),
        WITH_FIXTURE(test_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
