/* walk_child.c -- chooses the points of a scenario and walks them; see walk.h.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_CODE (-9999) /* no header knows it */
#define RESTED       25      /* points between two undisturbed runs and searches for leaks */

/* Only when built with the leak checker. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

typedef struct point {
    int call;
    long nth, times;
    cl_int code;
} point;

typedef struct points {
    point *at;
    int count, room;
} points;

typedef struct code {
    cl_int code;
    const char *symbol;
    const char *calls; /* " clX clY ", or NULL: all */
    bool lost;         /* and every call after it fails too */
} code;

static const code codes[] = {
    { CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES", NULL, false },
    { CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY", NULL, false },
    { CL_INVALID_VALUE, "CL_INVALID_VALUE", NULL, false },
    { UNKNOWN_CODE, "(-9999)", NULL, false },
    { CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES", NULL, true },
    { CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE",
      " clCreateBuffer clEnqueueReadBuffer clEnqueueWriteBuffer clEnqueueCopyBuffer clEnqueueFillBuffer"
      " clEnqueueMigrateMemObjects clEnqueueNDRangeKernel ",
      false },
    { CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE", " clCreateContext clBuildProgram ", false },
    { CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE", " clBuildProgram clBuildProgram(binary) ",
      false },
    { CL_COMPILE_PROGRAM_FAILURE, "CL_COMPILE_PROGRAM_FAILURE", " clCompileProgram ", false },
    { CL_LINK_PROGRAM_FAILURE, "CL_LINK_PROGRAM_FAILURE", " clLinkProgram ", false },
    { CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE", " clBuildProgram ", false },
    { CL_INVALID_BINARY, "CL_INVALID_BINARY", " clCreateProgramWithBinary clBuildProgram(binary) ", false },
    { CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE", " clCreateBuffer ", false },
    { CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE", " clEnqueueNDRangeKernel ", false },
    { CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST",
      " clWaitForEvents clFinish ", false },
    { CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND", " clGetDeviceIDs ", false },
    { -1001, "CL_PLATFORM_NOT_FOUND_KHR", " clGetPlatformIDs ", false },
};
#define CODES ((int)(sizeof codes / sizeof *codes))

/* ---- Choosing ---------------------------------------------------------------------------------- */

static void add(points *p, point one)
{
    if (p->count == p->room) {
        p->room = p->room ? 2 * p->room : 256;
        p->at = realloc(p->at, (size_t)p->room * sizeof *p->at);
        if (!p->at) abort();
    }
    p->at[p->count++] = one;
}

static bool fits(const code *c, const char *call)
{
    const char *at = c->calls ? strstr(c->calls, call) : NULL;
    return !c->calls || (at && at[-1] == ' ' && at[strlen(call)] == ' ');
}

/* The `turn`-th code, counted around, among those that fit the call. */
static void add_turn(points *p, const cl_layer *layer, int call, long nth, int turn)
{
    int fitting = 0;
    for (int i = 0; i < CODES; ++i) fitting += fits(&codes[i], layer->name(call));
    turn %= fitting;
    for (int i = 0; i < CODES; ++i) {
        if (!fits(&codes[i], layer->name(call)) || turn-- > 0) continue;
        add(p, (point){ call, nth, codes[i].lost ? CL_LAYER_LOST : 1, codes[i].code });
        return;
    }
}

static void add_every_code(points *p, const cl_layer *layer, int call, long nth)
{
    for (int i = 0; i < CODES; ++i)
        if (fits(&codes[i], layer->name(call)))
            add(p, (point){ call, nth, codes[i].lost ? CL_LAYER_LOST : 1, codes[i].code });
}

/* Whether an earlier use came from the same place, `callers` of them looked at. */
static bool is_seen(const cl_layer *layer, int call, long nth, int callers)
{
    for (long i = 1; i < nth; ++i)
        if (layer->place(call, i, callers) == layer->place(call, nth, callers)) return true;
    return false;
}

/* Each with the next code: one use of every place where the call stands, and the last use; and, of `left`
 * points, one use of every way that leads there (evenly taken if these are too many); then others, evenly
 * spread. */
static void choose_spread(points *p, const cl_layer *layer, int call, int left)
{
    long uses = layer->uses(call), ways = 0, way = 0;
    int turn = 0;
    for (long nth = 1; nth <= uses; ++nth) ways += !is_seen(layer, call, nth, 3);
    long each = ways / left + 1, step = uses > left ? uses / left + 1 : 1;
    for (long nth = 1; nth <= uses; ++nth) {
        bool taken = !is_seen(layer, call, nth, 3) && way++ % each == 0;
        if (taken || nth == uses || !is_seen(layer, call, nth, 1) || (ways < left && nth % step == 0))
            add_turn(p, layer, call, nth, turn++);
    }
    /* Few uses: more codes for each. */
    for (int more = 1; uses * more < left && more < CODES; ++more)
        for (long nth = 1; nth <= uses; ++nth) add_turn(p, layer, call, nth, turn++);
}

static points choose(const cl_layer *layer, const scenario *s, bool all)
{
    points p = { 0 };
    int used = 0;
    long every = 0;
    for (int call = 0; call < layer->calls; ++call) {
        used += layer->uses(call) > 0;
        every += 5 * layer->uses(call);
    }
    for (int call = 0; call < layer->calls; ++call) {
        if (!layer->uses(call)) continue;
        if (!all && every > s->most) {
            choose_spread(&p, layer, call, s->most / used + 1);
            continue;
        }
        for (long nth = 1; nth <= layer->uses(call); ++nth) add_every_code(&p, layer, call, nth);
    }
    return p;
}

/* ---- Judging ----------------------------------------------------------------------------------- */

static const char *symbol_of(cl_int wanted)
{
    for (int i = 0; i < CODES; ++i)
        if (codes[i].code == wanted) return codes[i].symbol;
    return "?";
}

/* What the message lacks, or NULL. */
static const char *lacks(const char *message, const char *call, bool lost, cl_int wanted)
{
    static const char *const remedies[] = {
        "lower ", "update ", "choose ", "install ", "remove ", "report "
    };
    char name[64];
    /* What was absorbed at first may end in the error of a later call. */
    snprintf(name, sizeof name, "%.*s", lost ? 2 : (int)strcspn(call, "("), call);
    if (!strstr(message, name) && !strstr(message, "CLBlast")) return "no name of the call";
    /* CLBlast asks for the size of each matrix's buffer, and says in its own code that it got no answer. */
    bool translated = strcmp(call, "clGetMemObjectInfo") == 0 && strstr(message, "CLBLAST_INVALID_MATRIX_");
    if (!strstr(message, symbol_of(wanted)) && !translated) return "no symbol";
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; ++i)
        if (strstr(message, remedies[i])) return NULL;
    return "nothing to try";
}

typedef struct books {
    long alive[CL_LAYER_KINDS];
} books;

static books books_now(const cl_layer *layer)
{
    books b;
    for (int i = 0; i < CL_LAYER_KINDS; ++i) b.alive[i] = layer->alive((cl_layer_kind)i);
    return b;
}

/* False, with the differences as text, if more or less is alive than before. */
static bool same_books(const cl_layer *layer, const books *before, char *text, size_t size)
{
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < CL_LAYER_KINDS; ++i) {
        long more = layer->alive((cl_layer_kind)i) - before->alive[i];
        if (more && used < size)
            used += (size_t)snprintf(text + used, size - used, " %+ld %s", more,
                                     layer->kind_name((cl_layer_kind)i));
    }
    return used == 0;
}

typedef struct walker {
    const cl_layer *layer;
    const scenario *scenario;
    FILE *out;
    books before;
} walker;

/* "end I VERDICT TEXT", the text on one line. */
static void verdict(const walker *w, int index, const char *what, const char *text)
{
    fprintf(w->out, "end %d %s ", index, what);
    for (; *text; ++text) fputc(*text == '\n' ? '|' : *text, w->out);
    fputc('\n', w->out);
    fflush(w->out);
}

static bool run_checked(const walker *w, bool *ran, error *err, error *left)
{
    *ran = w->scenario->run(err);
    w->layer->reset();
    return !w->scenario->check || w->scenario->check(*ran, left);
}

static void walk_point(const walker *w, int index, const point *p)
{
    const char *call = w->layer->name(p->call), *why = NULL, *missing = NULL;
    error err = { .code = ERROR_NONE }, left = { .code = ERROR_NONE };
    char text[1400], leaks[200];
    bool ran;
    w->layer->reset();
    w->layer->fail(p->call, p->nth, p->times, p->code);
    ran = w->scenario->run(&err);
    long failed = w->layer->failed();
    char callers[1024];
    snprintf(callers, sizeof callers, "%s", w->layer->failed_in());
    why = allowed(call, callers);
    w->layer->reset();
    bool whole = !w->scenario->check || w->scenario->check(ran, &left);
    if (!ran)
        missing =
            failed ? lacks(err.message, call, p->times == CL_LAYER_LOST, p->code) : "it failed by itself";
    if (!same_books(w->layer, &w->before, leaks, sizeof leaks))
        verdict(w, index, "leak", leaks);
    else if (!whole)
        verdict(w, index, "broken", left.message);
    else if (missing) {
        snprintf(text, sizeof text, "%s: %s", missing, err.message);
        verdict(w, index, "unclear", text);
    } else if (ran && failed && !why)
        verdict(w, index, "ignored", callers);
    else
        verdict(w, index, !ran ? "error" : failed ? "absorbed" : "unreached", ran && why ? why : err.message);
}

/* An undisturbed run must work as before, and memory must not have been lost on the way. */
static bool rest(const walker *w, int index)
{
    error err = { .code = ERROR_NONE }, left = { .code = ERROR_NONE };
    char leaks[200];
    bool ran, whole = run_checked(w, &ran, &err, &left),
              same = same_books(w->layer, &w->before, leaks, sizeof leaks);
    if (!ran || !whole) {
        verdict(w, index, "broken", ran ? left.message : err.message);
        return false;
    }
    if (!same) verdict(w, index, "leak", leaks);
    if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check()) {
        verdict(w, index, "leak", "host memory; LeakSanitizer's report is above");
        return false;
    }
    return same;
}

static void describe(const walker *w, int index, const point *p)
{
    fprintf(w->out, "begin %d %s, use %ld%s, %s\n", index, w->layer->name(p->call), p->nth,
            p->times == CL_LAYER_LOST ? " and every call after" : "", symbol_of(p->code));
    fflush(w->out);
}

static bool learn(walker *w)
{
    error err = { .code = ERROR_NONE }, left = { .code = ERROR_NONE };
    bool ran, whole = !w->scenario->prepare || w->scenario->prepare(&err);
    if (!whole) {
        fprintf(w->out, "unprepared %s\n", err.message);
        return false;
    }
    /* The first run fills caches; the second is the one that the points are chosen from. */
    for (int turn = 0; turn < 2; ++turn) {
        w->before = books_now(w->layer);
        w->layer->reset();
        w->layer->watch(turn);
        ran = w->scenario->run(&err);
        w->layer->watch(0);
        whole = !w->scenario->check || turn || w->scenario->check(ran, &left);
        if (!ran || !whole) {
            fprintf(w->out, "unprepared %s\n", ran ? left.message : err.message);
            return false;
        }
    }
    return true;
}

int walk_child(const cl_layer *layer, const scenario *s, bool all, int from, int out)
{
    walker w = { .layer = layer, .scenario = s, .out = fdopen(out, "w") };
    if (!w.out || !learn(&w)) return EXIT_FAILURE;
    points p = choose(layer, s, all);
    error left;
    bool good = !s->check || s->check(true, &left);
    w.before = books_now(layer);
    fprintf(w.out, "points %d\n", p.count);
    for (int i = from; good && i < p.count; ++i) {
        describe(&w, i, &p.at[i]);
        walk_point(&w, i, &p.at[i]);
        if ((i % RESTED == RESTED - 1 || i + 1 == p.count) && !rest(&w, i)) return EXIT_FAILURE;
    }
    if (s->finish) s->finish();
    free(p.at);
    fprintf(w.out, "done\n");
    fclose(w.out);
    return EXIT_SUCCESS;
}
