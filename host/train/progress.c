/* progress.c -- see progress.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/progress.h"

#include "host/base/log.h"
#include "host/base/timing.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

progress progress_start(bool quiet, int64_t first, int64_t total)
{
    return (progress){
        .quiet = quiet || log_get_level() < LOG_NORMAL,
        .terminal = isatty(STDERR_FILENO) != 0,
        .first = first,
        .total = total,
        .started = timing_now(),
        .clock = timing_now(),
        .shown = -1.0,
    };
}

void progress_first_step(progress *p, int64_t done)
{
    p->first = done;
    p->clock = timing_now();
}

void progress_duration(double seconds, char text[32])
{
    long long s = isfinite(seconds) && seconds > 0 && seconds < 1e9 ? (long long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(text, 32, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, 32, "%lld:%02lld", s / 60, s % 60);
}

static int terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

static size_t append(char *text, size_t room, size_t used, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static size_t append(char *text, size_t room, size_t used, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text + used, room - used, format, args);
    va_end(args);
    return length < 0 ? used : used + (size_t)length < room ? used + (size_t)length : room - 1;
}

/* A wait that is worth a word: faster pictures would make the run so much faster. */
static const double MATTERS = 0.03;

static void describe(const progress *p, int64_t done, const train_metrics *m, int64_t skipped, double waited,
                     char *text, size_t room)
{
    size_t used = append(text, room, 0, "step %lld/%lld", (long long)done, (long long)p->total);
    for (int i = 0; i < m->count; ++i) {
        const train_metric *one = &m->at[i];
        if (!one->format) continue;
        /* The format is the model's, a constant such as "%.4f". */
        char value[48];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(value, sizeof value, one->format, one->value);
#pragma GCC diagnostic pop
        used = append(text, room, used, "  %s %s", one->name, value);
    }
    if (skipped) used = append(text, room, used, "  skipped %lld", (long long)skipped);
    if (waited >= MATTERS) used = append(text, room, used, "  waited for data %.0f%%", 100 * waited);
    double seconds = timing_now() - p->started, rate = seconds > 0 ? (double)(done - p->first) / seconds : 0;
    if (rate <= 0) return;
    char left[32];
    progress_duration((double)(p->total - done) / rate, left);
    if (rate >= 1.0)
        append(text, room, used, "  %.1f steps/s  %s left", rate, left);
    else
        append(text, room, used, "  %.1f s/step  %s left", 1.0 / rate, left);
}

void progress_report(progress *p, int64_t done, const train_metrics *m, int64_t skipped, double waited)
{
    if (p->quiet) return;
    double now = timing_now();
    if (p->terminal && done < p->total && now - p->shown < 0.2) return;
    p->shown = now;
    char text[1024];
    describe(p, done, m, skipped, waited, text, sizeof text);
    if (p->terminal) {
        /* The last column stays free: some terminals wrap on filling it. */
        fprintf(stderr, "\r\033[K%.*s", terminal_width() - 1, text);
        p->open = true;
    } else {
        fprintf(stderr, "%s\n", text);
    }
    fflush(stderr);
}

void progress_line(progress *p, const char *format, ...)
{
    if (p->quiet) return;
    va_list args;
    va_start(args, format);
    if (p->open) fputs("\r\033[K", stderr);
    p->open = false;
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    fflush(stderr);
    va_end(args);
}

void progress_end(progress *p)
{
    if (p->open) fputc('\n', stderr);
    p->open = false;
}
