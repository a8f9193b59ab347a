/* cmd_watch.c -- `dalle-cl watch`: follows a run in a terminal.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "app/report/page.h"
#include "app/report/watch.h"

#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static watch_look look_of(const cli_call *call)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    /* The last column stays free: some terminals wrap on filling it. */
    return (watch_look){ known ? size.ws_col - 1 : 79, !cli_flag(call, "ascii") && watch_utf8() };
}

/* Over the frame before, of so many lines. */
static int redraw(const cli_call *call, const record *r, int before)
{
    watch_look look = look_of(call);
    if (before) printf("\033[%dA\r\033[J", before);
    int lines = watch_frame(stdout, r, &look);
    fflush(stdout);
    return lines;
}

static void pause_for(double seconds)
{
    struct timespec t = { (time_t)floor(seconds), (long)((seconds - floor(seconds)) * 1e9) };
    nanosleep(&t, NULL); /* a signal ends it */
}

static bool is_over(const record *r)
{
    return r->state == RECORD_ENDED || r->state == RECORD_INTERRUPTED || (r->steps && r->step >= r->steps);
}

/* What there is to show of it now; *lines: of the frame on the terminal. */
static bool show(const cli_call *call, const record *r, bool news, int *lines, error *err)
{
    if (cli_flag(call, "json")) return !news || watch_json(stdout, r, err);
    if (isatty(STDOUT_FILENO))
        *lines = redraw(call, r, *lines);
    else if (news)
        watch_line(stdout, r);
    return true;
}

static bool follow(const cli_call *call, record *r, error *err)
{
    bool news = true;
    int lines = 0;
    for (;;) {
        if (!show(call, r, news, &lines, err)) return false;
        if (fflush(stdout) != 0 || ferror(stdout)) return true; /* the caller says so */
        if (cli_flag(call, "once") || is_over(r)) return true;
        pause_for(cli_real(call, "every"));
        if (*cli_interrupted())
            return error_set(err, ERROR_INTERRUPTED, "stopped watching; the run is not touched by that");
        if (!record_update(r, &news, err)) return false;
    }
}

static bool run_watch(const cli_call *call, error *err)
{
    record r;
    if (!record_open(&r, cli_argument(call, 0), err)) return false;
    cli_catch_interrupts();
    cli_catch_closed_pipe();
    bool ok = follow(call, &r, err);
    record_close(&r);
    return ok;
}

/* clang-format off */
static const cli_option options[] = {
    { "once", 0, CLI_FLAG, NULL, NULL, 0, 0, "show how the run stands and end" },
    { "every", 0, CLI_REAL, "SECONDS", "1", 0.1, 3600, "how often to look" },
    { "ascii", 0, CLI_FLAG, NULL, NULL, 0, 0, "no other characters, whatever the locale" },
};
/* clang-format on */

const cli_command cmd_watch = {
    .name = "watch",
    .summary = "follow a run in a terminal",
    .arguments = "RUN",
    .least = 1,
    .most = 1,
    .example = "dalle-cl watch runs/dvae",
    .text =
        "Shows progress, rate, time left, curves, the last validation, where the time goes and the last "
        "sample\n"
        "grid, and ends when the run does. Where the output is no terminal, it writes a line whenever "
        "there is\n"
        "news, with --json an object. The run is only read: any number may watch, also one that has ended.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = run_watch,
};
