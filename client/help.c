/* SPDX-License-Identifier: MIT */
/*
 * help - the list of verbs, one verb, and the words of asyncio beside those of aioctl.
 */
#include "client/help.h"

#include "base/defs.h"
#include "client/commands.h"

/* What exists of asyncio's words here. */
static const struct {
    const char *asyncio;
    const char *here;
} help_words[] = {
    {"event loop", "one single-threaded loop in aiod, cooperative; nothing in it ever blocks"},
    {"coroutine function", "a named template: exec (a command), sleep; aioctl functions"},
    {"coroutine", "a function with its arguments; it becomes a task when it is submitted"},
    {"task", "a coroutine scheduled on the loop: what aioctl submit makes"},
    {"PENDING", "accepted; before its function's first step: it waits for its time or a slot"},
    {"RUNNING", "its body executes now: a step on the loop, or its command's process"},
    {"SUSPENDED", "it hit an await; status says on what, and since when"},
    {"DONE", "ok with a result, failed with an error, or cancelled; never changes afterwards"},
    {"create_task(f(x))", "aioctl submit COMMAND… · aioctl submit --call f x"},
    {"asyncio.run(main())",
     "aioctl run: submit, follow the output, wait, exit with its status"},
    {"await task", "aioctl await ID: waits and prints the result; a failure is exit 1"},
    {"asyncio.wait(tasks)",
     "aioctl wait [ID…] --first|--all --timeout DURATION; cancels nothing"},
    {"task.cancel()", "aioctl cancel ID"},
    {"task.result()", "aioctl result ID; exit 5 while the task is not DONE"},
    {"task.done()", "aioctl is-done ID: exit 0 or 1; the row asyncio of aioctl status ID"},
    {"task.cancelled()", "aioctl is-cancelled ID, likewise"},
    {"task.exception()",
     "aioctl is-failed ID, likewise; error in status ID -o json; await says it on stderr"},
    {"asyncio.sleep(2)", "aioctl run --call sleep 2"},
    {"all_tasks()", "aioctl status --live; aioctl alone shows the newest DONE too"},
    {"Semaphore(4)", "aioctl group new NAME --slots 4; its tasks: aioctl submit -g NAME …"},
};

void help_asyncio(struct buf *b)
{
    enum { COLUMN = 20 }; /* the longest of asyncio's words */
    buf_puts(b, "asyncio's words, and what they are here\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(help_words); i++)
        buf_printf(b, "  %-*s  %s\n", COLUMN, help_words[i].asyncio, help_words[i].here);
}

void help_overview(struct buf *b)
{
    buf_puts(b, "usage: aioctl [OPTION…] [VERB …]\n\n"
                "Tasks for an event loop that outlives the programs which submit them.\n\n");
    for (size_t i = 0; i < commands_n; i++)
        buf_printf(b, "  %-12s  %s\n", commands_all[i]->name, commands_all[i]->summary);
    buf_puts(b, "\naioctl alone is aioctl status. Options of every verb:\n");
    options_help(b, commands_options, commands_noptions);
    buf_puts(
        b,
        "\nFirst steps:\n"
        "  aioctl submit rsync -a src dst    prints the id of the task, and returns\n"
        "  aioctl                            what every task is doing\n"
        "  aioctl logs -f                    the output of the newest one\n"
        "  aioctl run make                   waits, and exits with its status\n"
        "\nExit status: 0 ok, 1 the task failed, 2 usage, 3 nothing matched, 4 no event loop,\n"
        "5 refused or over a limit, 124 timed out.\n"
        "More: aioctl help VERB, aioctl help asyncio\n");
}

void help_command(struct buf *b, const struct command *command)
{
    buf_printf(b, "usage: aioctl %s %s\n\n%s\n", command->name, command->synopsis,
               command->summary);
    if (command->text)
        buf_printf(b, "\n%s\n", command->text);
    if (command->noptions > 0) {
        buf_puts(b, "\n");
        options_help(b, command->options, command->noptions);
    }
    if (command->aliases)
        buf_printf(b, "\nOther names: %s\n", command->aliases);
}
