/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defs.h"
#include "client/commands.h"

enum { WORDS_MAX = 16 };

static int fixture_listen(struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int dir = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/s", dir);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = bind(f->listener, (struct sockaddr *)&address, sizeof(address));
    (void)close(dir);
    return r < 0 ? -1 : listen(f->listener, 1);
}

int fixture_setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.listener = -1};
    char top[] = "/tmp/aioctl-test-XXXXXX";
    if (!mkdtemp(top))
        return -1;
    (void)snprintf(f.dir, sizeof(f.dir), "%s/%0120d", top, 0);
    (void)snprintf(f.path, sizeof(f.path), "%s/s", f.dir);
    f.out = memfd_create("out", MFD_CLOEXEC);
    f.err = memfd_create("err", MFD_CLOEXEC);
    *state = &f;
    if (mkdir(f.dir, 0700) < 0 || f.out < 0 || f.err < 0)
        return -1;
    return fixture_listen(&f);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    fake_done(&f->fake);
    (void)close(f->listener);
    (void)close(f->out);
    (void)close(f->err);
    (void)unlink(f->path);
    (void)rmdir(f->dir);
    *strrchr(f->dir, '/') = '\0';
    return rmdir(f->dir);
}

/* The child: aioctl with these words. */
static void fixture_exec(struct fixture *f, const char *line)
{
    char text[256];
    char *argv[WORDS_MAX] = {text};
    int argc = 0;
    int fds[2];
    (void)snprintf(text, sizeof(text), "aioctl|%s", line);
    for (char *word = strtok(text, "|"); word; word = strtok(NULL, "|"))
        argv[argc++] = word;
    if (f->pipe_gone && pipe(fds) == 0) {
        (void)close(fds[0]);
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)close(fds[1]);
        (void)signal(SIGPIPE, SIG_IGN);
    } else {
        (void)dup2(f->out, STDOUT_FILENO);
    }
    (void)dup2(f->err, STDERR_FILENO);
    (void)setenv("AIOD_SOCKET", f->path, 1);
    (void)setenv("AIOD_RECONNECT", f->reconnect ? f->reconnect : "0", 1);
    exit(commands_main(argc, argv));
}

/* One connection after the other, until the command ends. */
static bool fixture_serve(struct fixture *f, int child)
{
    bool good = true;
    struct pollfd fds[] = {{.fd = f->listener, .events = POLLIN},
                           {.fd = child, .events = POLLIN}};
    while (good && poll(fds, 2, -1) > 0 && fds[0].revents) {
        f->fake.closing = false;
        good = fake_serve(&f->fake, accept4(f->listener, NULL, NULL, SOCK_CLOEXEC));
    }
    return good;
}

/* Runs a command; words are separated by "|". Returns its wait status. */
int fixture_run(struct fixture *f, const char *line, fake_handler_fn *handler)
{
    f->fake.handler = handler;
    f->fake.arg = f;
    (void)fflush(NULL);
    f->pid = fork();
    if (f->pid == 0)
        fixture_exec(f, line);
    int child = pidfd_open(f->pid, 0);
    bool good = fixture_serve(f, child);
    int status = -1;
    (void)waitpid(f->pid, &status, 0);
    (void)close(child);
    assert_true(good);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static const char *fixture_text(int fd)
{
    static char text[8192];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

void fixture_check(struct fixture *f, const char *out, const char *err)
{
    assert_string_equal(fixture_text(f->err), err);
    fixture_check_out(f, out);
}

void fixture_check_out(struct fixture *f, const char *out)
{
    assert_string_equal(fixture_text(f->out), out);
}

const char *fixture_said(struct fixture *f)
{
    return fixture_text(f->err);
}

void fixture_check_said(struct fixture *f, const char *first, const char *last)
{
    const char *said = fixture_said(f);
    assert_non_null(strstr(said, first));
    assert_non_null(strstr(said, last));
}

void fixture_check_trace(struct fixture *f, const char *expected)
{
    assert_string_equal(buf_cstr(&f->fake.trace) ? buf_cstr(&f->fake.trace) : "", expected);
}
