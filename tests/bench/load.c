/* SPDX-License-Identifier: MIT */
/*
 * load - as many submits as a connection takes, so cheaply that the client is not what is measured.
 *
 *     load aiod SOCKET …       submits to aiod's control socket
 *     load beanstalk PORT …    puts to beanstalkd on 127.0.0.1
 *
 * Every request is the same bytes but for its number, made once. WINDOW of them are outstanding;
 * each time answers come, as many new requests leave in one write. Prints one line of JSON.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "proto/pack.h"
#include "proto/scan.h"

enum {
    LOAD_READ_BYTES = 256 * 1024,
    LOAD_MSGID_AT = 3,     /* in a request, behind 94 00 ce */
    LOAD_NIL = 0xc0,       /* of MessagePack */
    LOAD_WAIT_IDS = 40000, /* that one request may name: LIMIT_SELECTED, and some room */
};

struct load {
    const char *group;
    const char *cwd;
    char *const *argv; /* the command; its environment is ours */
    int argc;
    double sleep; /* instead of a command: sleep(SECONDS), if not negative */
    size_t bytes; /* of a job's body, for beanstalkd */
    size_t count;
    size_t window;
    bool wait;    /* until all are done */
    size_t parts; /* also say how long each part of the count took */
    /* state */
    int fd;
    bool beanstalk;
    struct buf request;
    struct buf out; /* as many requests as the window has */
    struct buf in;
    struct scan scan;
    size_t scanned;
    size_t sent, answered;
    uint64_t first_id, last_id;
    uint64_t *sent_at; /* by number modulo window */
    uint32_t *took_ns; /* each */
    uint64_t *part_ns;
};

/* ---- requests ---- */

static void load_pack_command(struct load *l, struct buf *b)
{
    size_t n = 0;
    while (environ[n])
        n++;
    pack_map(b, 3);
    pack_text(b, "argv");
    pack_array(b, (size_t)l->argc);
    for (int i = 0; i < l->argc; i++)
        pack_text(b, l->argv[i]);
    pack_text(b, "cwd");
    pack_text(b, l->cwd);
    pack_text(b, "env");
    pack_array(b, n);
    for (size_t i = 0; i < n; i++)
        pack_text(b, environ[i]);
}

/* [0, msgid, "submit", [{function, group, args}]] with a msgid of fixed width. */
static void load_pack_submit(struct load *l, struct buf *b)
{
    static const uint8_t head[] = {0x94, 0x00, 0xce, 0, 0, 0, 0};
    buf_append(b, head, sizeof(head));
    pack_text(b, "submit");
    pack_array(b, 1);
    pack_map(b, 3);
    pack_text(b, "function");
    pack_text(b, l->sleep >= 0 ? "sleep" : "exec");
    pack_text(b, "group");
    pack_text(b, l->group);
    pack_text(b, "args");
    if (l->sleep >= 0) {
        pack_map(b, 1);
        pack_text(b, "seconds");
        pack_double(b, l->sleep);
    } else {
        load_pack_command(l, b);
    }
}

static void load_make_request(struct load *l)
{
    struct buf *b = &l->request;
    if (!l->beanstalk) {
        load_pack_submit(l, b);
    } else {
        buf_printf(b, "put 1000 0 60 %zu\r\n", l->bytes);
        for (size_t i = 0; i < l->bytes; i++)
            buf_append(b, &"abcdefghijklmnopqrstuvwxyz"[i % 26], 1);
        buf_puts(b, "\r\n");
    }
    for (size_t i = 0; i < l->window; i++)
        buf_append(&l->out, b->data, b->len);
    if (!buf_ok(b) || !buf_ok(&l->out))
        errx(1, "out of memory");
}

static void load_number(uint8_t *request, uint32_t msgid)
{
    for (int i = 0; i < 4; i++)
        request[LOAD_MSGID_AT + i] = (uint8_t)(msgid >> (24 - 8 * i));
}

static void load_write(struct load *l, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(l->fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            err(1, "send");
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* Fills the window: one write. */
static void load_send(struct load *l)
{
    size_t room = l->window - (l->sent - l->answered);
    size_t n = l->count - l->sent < room ? l->count - l->sent : room;
    uint64_t now = clock_awake();
    for (size_t i = 0; i < n; i++) {
        if (!l->beanstalk)
            load_number(l->out.data + i * l->request.len, (uint32_t)(l->sent + i + 1));
        l->sent_at[(l->sent + i) % l->window] = now;
    }
    l->sent += n;
    load_write(l, l->out.data, n * l->request.len);
}

/* ---- answers ---- */

/* They come in the order of the requests, from both: all are of one kind. */
static void load_answered(struct load *l)
{
    uint64_t now = clock_awake();
    l->took_ns[l->answered] = (uint32_t)(now - l->sent_at[l->answered % l->window]);
    l->answered++;
    if (l->parts && l->answered % (l->count / l->parts) == 0)
        l->part_ns[l->answered / (l->count / l->parts)] = now;
}

/* One answer of [1, msgid, nil, {"id": n}]; its end is where the scanner found it. */
static void load_take_response(struct load *l, const uint8_t *bytes, size_t len)
{
    static const uint8_t sizes[4] = {2, 3, 5, 9}; /* of uint 8, 16, 32, 64 */
    size_t msgid = bytes[2] < 0x80 ? 1 : sizes[bytes[2] & 3];
    const uint8_t *at = bytes + 2 + msgid; /* the error */
    if (len < 9 || at[0] != LOAD_NIL)
        errx(1, "a submit was refused");
    at += 5; /* the id */
    uint64_t id = at[0];
    if (id >= 0x80) {
        size_t n = sizes[at[0] & 3] - 1u;
        id = 0;
        for (size_t i = 1; i <= n; i++)
            id = id << 8 | at[i];
    }
    l->first_id = l->first_id ? l->first_id : id;
    l->last_id = id;
    load_answered(l);
}

static size_t load_take_aiod(struct load *l)
{
    size_t begin = 0;
    while (l->scanned < l->in.len) {
        struct err error = ERR_INIT;
        size_t used = 0;
        int r =
            scan_feed(&l->scan, l->in.data + l->scanned, l->in.len - l->scanned, &used, &error);
        l->scanned += used;
        if (r < 0)
            errx(1, "%s", error.msg);
        if (r != SCAN_DONE)
            break;
        load_take_response(l, l->in.data + begin, l->scanned - begin);
        begin = l->scanned;
    }
    l->scanned -= begin;
    return begin;
}

static size_t load_take_beanstalk(struct load *l)
{
    size_t begin = 0;
    const uint8_t *end;
    while ((end = memchr(l->in.data + begin, '\n', l->in.len - begin))) {
        if (memcmp(l->in.data + begin, "INSERTED ", 9) != 0)
            errx(1, "refused: %.*s", (int)(l->in.len - begin),
                 (const char *)l->in.data + begin);
        begin = (size_t)(end - l->in.data) + 1;
        load_answered(l);
    }
    return begin;
}

static void load_receive(struct load *l)
{
    if (buf_reserve(&l->in, LOAD_READ_BYTES) < 0)
        errx(1, "out of memory");
    ssize_t n = recv(l->fd, l->in.data + l->in.len, LOAD_READ_BYTES, 0);
    if (n <= 0)
        err(1, "the connection was closed");
    l->in.len += (size_t)n;
    buf_consume(&l->in, l->beanstalk ? load_take_beanstalk(l) : load_take_aiod(l));
}

/* ---- waiting for the ends ---- */

/* Asks for the end of all from first to last, and reads the answer. */
static void load_wait_for(struct load *l, uint64_t first, uint64_t last)
{
    char range[64];
    struct buf b = BUF_INIT;
    snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)first,
             (unsigned long long)last);
    pack_array(&b, 4);
    pack_uint(&b, 0);
    pack_uint(&b, 1);
    pack_text(&b, "wait");
    pack_array(&b, 1);
    pack_map(&b, 1);
    pack_text(&b, "ids");
    pack_array(&b, 1);
    pack_text(&b, range);
    load_write(l, b.data, b.len);
    buf_done(&b);
    buf_clear(&l->in);
    for (int r = SCAN_MORE; r == SCAN_MORE;) {
        struct err error = ERR_INIT;
        size_t used;
        if (buf_reserve(&l->in, LOAD_READ_BYTES) < 0)
            errx(1, "out of memory");
        ssize_t n = recv(l->fd, l->in.data + l->in.len, LOAD_READ_BYTES, 0);
        if (n <= 0)
            err(1, "the connection was closed");
        r = scan_feed(&l->scan, l->in.data + l->in.len, (size_t)n, &used, &error);
        l->in.len += (size_t)n;
    }
    if (l->in.data[3] != LOAD_NIL) /* [1, 1, error, result] */
        errx(1, "a wait was refused");
}

/* Nobody waits for most of them, as in life: their outcomes are recorded together. Waits for the
 * last one, then for whatever is left. */
static void load_wait(struct load *l)
{
    load_wait_for(l, l->last_id, l->last_id);
    for (uint64_t first = l->first_id; first <= l->last_id; first += LOAD_WAIT_IDS)
        load_wait_for(l, first,
                      first + LOAD_WAIT_IDS - 1 < l->last_id ? first + LOAD_WAIT_IDS - 1
                                                             : l->last_id);
}

/* ---- the connection ---- */

static int load_connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        err(1, "%s", path);
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(1, "%s", path);
    return fd;
}

static int load_connect_tcp(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(1, "port %s", port);
    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
    return fd;
}

/* ---- the report ---- */

static int load_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void load_report(struct load *l, uint64_t began, uint64_t ended)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    qsort(l->took_ns, l->count, sizeof(*l->took_ns), load_compare);
    printf(
        "{\"seconds\": %.6f, \"count\": %zu, \"request_bytes\": %zu, \"client_cpu_s\": %.6f, "
        "\"p50_us\": %.1f, \"p99_us\": %.1f, \"first_id\": %llu, \"last_id\": %llu",
        (double)(ended - began) / 1e9, l->count, l->request.len,
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
        l->took_ns[l->count / 2] / 1e3, l->took_ns[l->count - 1 - l->count / 100] / 1e3,
        (unsigned long long)l->first_id, (unsigned long long)l->last_id);
    if (l->parts) {
        printf(", \"parts_s\": [");
        l->part_ns[0] = began;
        for (size_t i = 1; i <= l->parts; i++)
            printf("%s%.6f", i > 1 ? ", " : "",
                   (double)(l->part_ns[i] - l->part_ns[i - 1]) / 1e9);
        printf("]");
    }
    printf("}\n");
}

static void load_options(struct load *l, int argc, char **argv)
{
    int option;
    *l = (struct load){.group = "default", .cwd = "/", .sleep = -1, .count = 1, .window = 1};
    while ((option = getopt(argc, argv, "+n:w:g:d:s:b:p:W")) != -1) {
        switch (option) {
        case 'n':
            l->count = strtoul(optarg, NULL, 10);
            break;
        case 'w':
            l->window = strtoul(optarg, NULL, 10);
            break;
        case 'g':
            l->group = optarg;
            break;
        case 'd':
            l->cwd = optarg;
            break;
        case 's':
            l->sleep = strtod(optarg, NULL);
            break;
        case 'b':
            l->bytes = strtoul(optarg, NULL, 10);
            break;
        case 'p':
            l->parts = strtoul(optarg, NULL, 10);
            break;
        case 'W':
            l->wait = true;
            break;
        default:
            errx(2, "load [-n COUNT] [-w WINDOW] [-g GROUP] [-d CWD] [-s SECONDS] [-b BYTES] "
                    "[-p PARTS] [-W] aiod SOCKET|beanstalk PORT [COMMAND…]");
        }
    }
    if (argc - optind < 2 || !l->count || !l->window)
        errx(2, "where to?");
    l->beanstalk = strcmp(argv[optind], "beanstalk") == 0;
    l->argv = argv + optind + 2;
    l->argc = argc - optind - 2;
}

int main(int argc, char **argv)
{
    struct load l;
    load_options(&l, argc, argv);
    l.fd =
        l.beanstalk ? load_connect_tcp(argv[optind + 1]) : load_connect_unix(argv[optind + 1]);
    scan_init(&l.scan);
    l.sent_at = calloc(l.window, sizeof(*l.sent_at));
    l.took_ns = calloc(l.count, sizeof(*l.took_ns));
    l.part_ns = calloc(l.parts + 2, sizeof(*l.part_ns));
    if (!l.sent_at || !l.took_ns || !l.part_ns)
        errx(1, "out of memory");
    load_make_request(&l);
    uint64_t began = clock_awake();
    while (l.answered < l.count) {
        if (l.sent < l.count)
            load_send(&l);
        load_receive(&l);
    }
    if (l.wait)
        load_wait(&l);
    load_report(&l, began, clock_awake());
    return 0;
}
