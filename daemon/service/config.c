/* SPDX-License-Identifier: MIT */
#include "daemon/service/config.h"

#include <errno.h>
#include <grp.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/defs.h"
#include "base/limits.h"
#include "base/parse.h"
#include "base/printable.h"

void config_init(struct config *c)
{
    *c = (struct config){
        .socket_mode = 0600,
        .socket_group = (gid_t)-1,
        .queued_per_uid = LIMIT_QUEUED_PER_UID,
        .grace_ms = LIMIT_TERM_GRACE_MS,
        .log_level = LOG_INFO,
    };
    list_init(&c->groups);
}

void config_done(struct config *c)
{
    list_for_each_safe (it, &c->groups) {
        struct config_group *group = container_of(it, struct config_group, node);
        list_remove(it);
        free(group->name);
        free(group);
    }
}

enum { CONFIG_GROUP_BYTES_MAX = 1 << 20 }; /* a group with all its members */

static int config_u32(const char *value, uint32_t max, uint32_t *ret, struct err *err)
{
    uint64_t n;
    if (parse_u64(value, &n) < 0 || n > max)
        return err_set(err, -EINVAL, "\"%s\" must be a number up to %u", value, max);
    *ret = (uint32_t)n;
    return 0;
}

static int config_socket_mode(struct config *c, const char *value, struct err *err)
{
    char *end;
    unsigned long mode = strtoul(value, &end, 8);
    if (*value == '\0' || *end != '\0' || mode > 0777)
        return err_set(err, -EINVAL, "\"%s\" must be an octal mode like 0660", value);
    c->socket_mode = (mode_t)mode;
    return 0;
}

/* May ask a directory service over the network: never on the loop (reload.c). */
static int config_socket_group(struct config *c, const char *value, struct err *err)
{
    struct group group, *found = NULL;
    for (size_t size = 1024; !found; size *= 2) {
        _cleanup_(defs_freep) char *strings = malloc(size);
        if (!strings)
            return err_set(err, -ENOMEM, "out of memory");
        int r = getgrnam_r(value, &group, strings, size, &found);
        if (found)
            c->socket_group = found->gr_gid;
        else if (r != ERANGE || size >= CONFIG_GROUP_BYTES_MAX)
            return err_set(err, -EINVAL, "there is no group \"%s\" on this machine", value);
    }
    return 0;
}

static int config_queued(struct config *c, const char *value, struct err *err)
{
    return config_u32(value, UINT32_MAX, &c->queued_per_uid, err);
}

static int config_running(struct config *c, const char *value, struct err *err)
{
    return config_u32(value, UINT32_MAX, &c->running_per_uid, err);
}

static int config_grace(struct config *c, const char *value, struct err *err)
{
    uint64_t ns;
    if (parse_duration(value, &ns) < 0 || ns / 1000000 > UINT32_MAX)
        return err_set(err, -EINVAL, "\"%s\" must be a duration like 10s", value);
    c->grace_ms = (uint32_t)(ns / 1000000);
    return 0;
}

static int config_log_level(struct config *c, const char *value, struct err *err)
{
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(value, names[i]) == 0) {
            c->log_level = LOG_ERR + (int)i;
            return 0;
        }
    }
    return err_set(err, -EINVAL, "\"%s\" must be error, warning, notice, info or debug", value);
}

static const struct config_key {
    const char *section;
    const char *name;
    int (*set)(struct config *, const char *value, struct err *);
} config_keys[] = {
    {"control", "socket-mode", config_socket_mode},
    {"control", "socket-group", config_socket_group},
    {"limits", "queued", config_queued},
    {"limits", "running", config_running},
    {"commands", "grace", config_grace},
    {"log", "level", config_log_level},
};

static int config_slots(const char *value, uint32_t *ret, struct err *err)
{
    uint64_t n;
    if (parse_u64(value, &n) < 0 || n > LIMIT_GROUP_SLOTS)
        return err_set(err, -EINVAL, "\"%s\" must be a number from 1 to %u", value,
                       LIMIT_GROUP_SLOTS);
    if (n == 0)
        return err_set(err, -EINVAL,
                       "a group has at least 1 slot: to start nothing, pause it with aioctl "
                       "group pause");
    *ret = (uint32_t)n;
    return 0;
}

static int config_group(struct config *c, const char *group, const char *name,
                        const char *value, struct err *err)
{
    uint32_t slots = 0;
    if (strcmp(name, "slots") != 0)
        return err_set(err, -EINVAL, "a group has no \"%s\", only slots", name);
    if (*group == '\0' || strlen(group) > LIMIT_NAME_BYTES)
        return err_set(err, -EINVAL, "a group's name has 1 to %u bytes", LIMIT_NAME_BYTES);
    if (!printable_check(group, strlen(group)))
        return err_set(err, -EINVAL, "a group's name holds no control characters");
    int r = config_slots(value, &slots, err);
    if (r < 0)
        return r;
    struct config_group *g = calloc(1, sizeof(*g));
    if (!g || !(g->name = strdup(group))) {
        free(g);
        return err_set(err, -ENOMEM, "out of memory");
    }
    g->slots = slots;
    list_push_back(&c->groups, &g->node);
    return 0;
}

/* ---- the file ---- */

/* inih reads lines of 200 bytes and section names of 50, cuts what is longer, and goes on after
 * an error. So lines are read here, whole; inih gets those it can hold and splits them. */
enum { CONFIG_SECTION_MAX = LIMIT_NAME_BYTES + 16 };

struct config_reading {
    struct config *config; /* borrowed */
    FILE *file;            /* borrowed */
    char *line;            /* owned: getline(3)'s */
    size_t cap;
    int number; /* of the line that was read last */
    char section[CONFIG_SECTION_MAX + 1];
    struct err first; /* the first thing that was wrong */
    int first_number; /* the line it is in */
};

static void config_wrong(struct config_reading *reading, const struct err *err)
{
    if (reading->first.code)
        return;
    reading->first = *err;
    reading->first_number = reading->number;
}

static const char config_no_form[] = "neither [section] nor name = value";

static int config_section_line(struct config_reading *reading, const char *line,
                               struct err *err)
{
    const char *end = strchr(line, ']');
    size_t len = end ? (size_t)(end - line - 1) : 0;
    if (!end)
        return err_set(err, -EINVAL, "%s", config_no_form);
    if (len > CONFIG_SECTION_MAX)
        return err_set(err, -EINVAL, "a section's name has at most %d bytes",
                       CONFIG_SECTION_MAX);
    memcpy(reading->section, line + 1, len);
    reading->section[len] = '\0';
    return 0;
}

/* The line that was read, from its first character, without its end and without a comment. */
static char *config_trim(struct config_reading *reading)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some editors begin a file with it */
    char *line = reading->line;
    if (reading->number == 1 && strncmp(line, mark, sizeof(mark) - 1) == 0)
        line += sizeof(mark) - 1;
    line += strspn(line, " \t");
    for (char *c = line; *c; c++)
        if (*c == ';' && (c == line || c[-1] == ' ' || c[-1] == '\t'))
            *c = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    return *line == '#' ? line + strlen(line) : line;
}

/* inih's reader, as fgets(3): one line of at most num bytes. What it need not see is a blank
 * line to it. Of a section it only has to know that it begins: its name is kept here. */
static char *config_next_line(char *str, int num, void *stream)
{
    struct config_reading *reading = stream;
    struct err err = ERR_INIT;
    if (getline(&reading->line, &reading->cap, reading->file) < 0)
        return NULL;
    reading->number++;
    const char *line = config_trim(reading);
    if (*line == '[')
        config_section_line(reading, line, &err);
    else if (*line && !strpbrk(line, "=:"))
        err_set(&err, -EINVAL, "%s", config_no_form);
    else if (strlen(line) >= (size_t)num - 1)
        err_set(&err, -EINVAL, "a setting has at most %d bytes", num - 2);
    if (err.code)
        config_wrong(reading, &err);
    snprintf(str, (size_t)num, "%s\n", err.code ? "" : *line == '[' ? "[section]" : line);
    return str;
}

static int config_setting(void *user, const char *unused, const char *name, const char *value)
{
    static const char group[] = "group ";
    struct config_reading *reading = user;
    const char *section = reading->section;
    struct err err = ERR_INIT;
    const struct config_key *key = NULL;
    (void)unused;
    for (size_t i = 0; i < sizeof(config_keys) / sizeof(config_keys[0]); i++)
        if (strcmp(section, config_keys[i].section) == 0 &&
            strcmp(name, config_keys[i].name) == 0)
            key = &config_keys[i];
    if (key)
        key->set(reading->config, value, &err);
    else if (strncmp(section, group, sizeof(group) - 1) == 0)
        config_group(reading->config, section + sizeof(group) - 1, name, value, &err);
    else
        err_set(&err, -EINVAL, "there is no setting \"%s\" in [%s]", name, section);
    if (err.code)
        config_wrong(reading, &err);
    return err.code == 0;
}

int config_read(struct config *ret, const char *path, bool must_exist, struct err *err)
{
    struct config_reading reading = {.config = ret, .file = fopen(path, "re")};
    if (!reading.file && errno == ENOENT && !must_exist)
        return 0;
    if (!reading.file)
        return err_errno(err, -errno, "%s", path);
    ret->found = true;
    int r = ini_parse_stream(config_next_line, &reading, config_setting, &reading);
    int read_error = ferror(reading.file) ? errno : 0;
    fclose(reading.file);
    free(reading.line);
    if (read_error)
        return err_errno(err, -read_error, "%s", path);
    if (reading.first.code)
        return err_set(err, reading.first.code, "%s:%d: %s", path, reading.first_number,
                       reading.first.msg);
    return r == 0 ? 0 : err_set(err, -EINVAL, "%s: cannot be read as INI", path);
}
