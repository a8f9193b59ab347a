/* alloc_walk.c -- see alloc_walk.h.  The walking is done by a child, so that a crash or a hang ends the
 * child only and is known by the point it was at; another one goes on behind it.
 * SPDX-License-Identifier: MIT */
#include "tests/support/alloc/alloc_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { POINTS_MAX = 60000, TEXT = 1400, HANG_SECONDS = 60, SHOWN = 40, MORE = 8 };

/* What LeakSanitizer offers, if this is a build with it. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
DIR *__real_opendir(const char *path);
int __real_closedir(DIR *folder);

typedef enum outcome {
    NOT_YET,
    FAILED_WELL,
    DID_WITHOUT,
    UNREACHED,
    CRASHED,
    UNCLEAR,
    LEAKED,
    BROKEN,
} outcome;

typedef struct point {
    int64_t n;
    bool onward;
    outcome outcome;
    char text[TEXT];
} point;

/* Shared by parent and child. */
typedef struct board {
    int64_t total, stacks; /* allocations of one run; distinct stacks of theirs */
    int count, at;
    bool ready, ended, leaky; /* the points are chosen; all are walked; the leak checker found something */
    char problem[TEXT];       /* the run fails or leaks with nothing refused */
    point points[POINTS_MAX];
} board;

static struct {
    bool more, onward;
    const char *scene;
    int64_t point;
    int most; /* points of a scene, instead of its own number */
} chosen;

bool alloc_walk_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "--more") == 0) {
            chosen.more = true;
        } else if (strcmp(argv[i], "--onward") == 0) {
            chosen.onward = true;
        } else if (strcmp(argv[i], "--scene") == 0 && i + 1 < argc) {
            chosen.scene = argv[++i];
        } else if (strcmp(argv[i], "--most") == 0 && i + 1 < argc) {
            chosen.most = atoi(argv[++i]);
        } else if (strcmp(argv[i], "--point") == 0 && i + 1 < argc) {
            chosen.point = strtoll(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: %s [--more | --most N] [--scene NAME [--point N [--onward]]]\n", argv[0]);
            return false;
        }
    }
    return true;
}

/* ---- Choosing points --------------------------------------------------------------------------- */

typedef struct call {
    uint64_t stack;
    int64_t n;
} call;

static int by_stack(const void *left, const void *right)
{
    const call *a = left, *b = right;
    if (a->stack != b->stack) return a->stack < b->stack ? -1 : 1;
    return (a->n > b->n) - (a->n < b->n);
}

static int by_n(const void *left, const void *right)
{
    const point *a = left, *b = right;
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    return (int)a->onward - (int)b->onward;
}

static void add(board *b, int limit, int64_t n, bool onward)
{
    if (b->count < limit && b->count < POINTS_MAX)
        b->points[b->count++] = (point){ .n = n, .onward = onward };
}

/* From the calls sorted by stack: the first, or the last, of every stack. */
static void add_ends(board *b, int limit, const call *calls, int64_t count, bool last, bool onward)
{
    int64_t stacks = 0, nth = 0;
    for (int64_t i = 0; i < count; ++i) stacks += i == 0 || calls[i].stack != calls[i - 1].stack;
    int64_t room = limit - b->count, step = room > 0 && stacks > room ? (stacks + room - 1) / room : 1;
    for (int64_t i = 0; i < count; ++i) {
        bool first_of = i == 0 || calls[i].stack != calls[i - 1].stack,
             last_of = i + 1 == count || calls[i].stack != calls[i + 1].stack;
        if (!first_of && !(last && last_of)) continue;
        if (first_of) ++nth;
        if (nth % step == 0 && (last ? last_of && !first_of : first_of)) add(b, limit, calls[i].n, onward);
    }
}

/* Every distinct stack first, then the same with everything after it refused too, then an even spread. */
static void choose(board *b, int most)
{
    int64_t count;
    const uint64_t *stacks = alloc_fault_stacks(&count);
    b->total = count;
    if (chosen.most) most = chosen.most;
    if (chosen.more) most *= MORE;
    int limit = most ? most : POINTS_MAX;
    call *calls = malloc((size_t)count * sizeof *calls + 1);
    if (!calls) abort();
    for (int64_t i = 0; i < count; ++i) calls[i] = (call){ stacks[i], i + 1 };
    if (count) qsort(calls, (size_t)count, sizeof *calls, by_stack);
    for (int64_t i = 0; i < count; ++i) b->stacks += i == 0 || calls[i].stack != calls[i - 1].stack;
    add_ends(b, limit, calls, count, false, false);
    add_ends(b, limit, calls, count, false, true);
    if (limit < POINTS_MAX) add_ends(b, limit, calls, count, true, false);
    int rest = limit - b->count;
    int64_t step = rest > 0 && count > rest ? (count + rest - 1) / rest : 1;
    for (int64_t n = 1; n <= count; n += step) add(b, limit, n, false);
    free(calls);
    qsort(b->points, (size_t)b->count, sizeof *b->points, by_n);
    int kept = 0;
    for (int i = 0; i < b->count; ++i)
        if (!kept || by_n(&b->points[i], &b->points[kept - 1]) != 0) b->points[kept++] = b->points[i];
    b->count = kept;
}

/* ---- One point --------------------------------------------------------------------------------- */

static int open_files(void)
{
    int count = 0;
    DIR *dir = __real_opendir("/proc/self/fd");
    while (dir && readdir(dir)) ++count;
    if (dir) __real_closedir(dir);
    return count;
}

static bool is_clear(const error *err)
{
    static const char *const words[] = {
        "out of memory",         "no memory",           "memory ran out",
        "do not fit in memory",  "Out of memory",       "Cannot allocate memory",
        "CL_OUT_OF_HOST_MEMORY", "Insufficient memory", "Resource temporarily unavailable"
    };
    if (strlen(err->message) < 20) return false; /* nor is it said for what */
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
        if (strstr(err->message, words[i])) return true;
    return false;
}

static void judge(const alloc_scene *scene, point *p, bool ok, const alloc_result *r, int files,
                  const error *err)
{
    char stack[700];
    alloc_stack_text(&r->who, stack, sizeof stack);
    bool without = false;
    for (const char *const *name = scene->may_do_without; name && *name; ++name)
        without = without || alloc_stack_has(&r->who, *name);
    error left = { 0 };
    alloc_stack leaker;
    size_t bytes;
    int64_t alive = alloc_fault_alive(&bytes, &leaker);
    if (!r->fired)
        p->outcome = UNREACHED;
    else if (ok)
        p->outcome = without ? DID_WITHOUT : UNCLEAR;
    else
        p->outcome = is_clear(err) ? FAILED_WELL : UNCLEAR;
    if (p->outcome == UNCLEAR)
        snprintf(p->text, TEXT, "%s%s\n      at %s",
                 ok ? "went on without a word" : "said: ", ok ? "" : err->message, stack);
    if (p->outcome == UNREACHED && !ok) {
        p->outcome = UNCLEAR;
        snprintf(p->text, TEXT, "failed with nothing refused: %s", err->message);
    }
    if (alive || files) {
        char leak[500];
        alloc_stack_text(&leaker, leak, sizeof leak);
        p->outcome = LEAKED;
        snprintf(p->text, TEXT, "left %lld blocks of %zu bytes and %d open files (%s)\n      at %s",
                 (long long)alive, bytes, files, leak, stack);
    }
    if (scene->check && !scene->check(ok, &left)) {
        p->outcome = BROKEN;
        snprintf(p->text, TEXT, "%s (%s)\n      at %s", left.message, ok ? "succeeded" : err->message, stack);
    }
}

static void walk_point(const alloc_scene *scene, point *p)
{
    error err = { 0 };
    if (scene->prepare) scene->prepare();
    int files = open_files();
    alloc_fault_arm(p->n, p->onward);
    bool ok = scene->run(&err);
    alloc_result r = alloc_fault_disarm();
    judge(scene, p, ok, &r, open_files() - files, &err);
}

/* ---- The child --------------------------------------------------------------------------------- */

/* Once to let libraries set up what they keep, once to see all allocations. */
static bool rehearse(const alloc_scene *scene, board *b)
{
    error err = { 0 };
    alloc_stack who;
    size_t bytes;
    for (int pass = 0; pass < 2; ++pass) {
        if (scene->prepare) scene->prepare();
        if (pass) alloc_fault_record();
        bool ok = scene->run(&err);
        alloc_fault_disarm();
        if (ok && (!scene->check || scene->check(true, &err))) continue;
        snprintf(b->problem, TEXT, "fails with nothing refused: %s", err.message);
        return false;
    }
    int64_t alive = alloc_fault_alive(&bytes, &who);
    if (alive) snprintf(b->problem, TEXT, "leaves %lld blocks with nothing refused", (long long)alive);
    return !alive;
}

static void walk(const alloc_scene *scene, board *b)
{
    alloc_fault_trace(getenv("ALLOC_FAULT_TRACE") != NULL);
    if (!rehearse(scene, b)) return;
    if (!b->ready) {
        choose(b, scene->points);
        b->at = 0;
        b->ready = true;
    }
    for (; b->at < b->count; ++b->at) walk_point(scene, &b->points[b->at]);
    if (__lsan_do_recoverable_leak_check) b->leaky = __lsan_do_recoverable_leak_check() != 0;
    b->ended = true;
}

/* What a child says goes to a file, which is shown only when it matters. */
static pid_t start(const alloc_scene *scene, board *b, int output)
{
    static const int deadly[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL };
    fflush(NULL);
    pid_t child = fork();
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it walks for nobody else */
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    /* The test framework's handlers would go on with its own work. */
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; ++i) signal(deadly[i], SIG_DFL);
    alloc_fault_hooks();
    walk(scene, b);
    _exit(b->ended ? 0 : 1);
}

/* Until the child ends, or stays at one point for too long and is ended. */
static int wait_for(pid_t child, const board *b, bool *hung)
{
    int status = 0, at = -1;
    double waited = 0;
    *hung = false;
    while (waitpid(child, &status, WNOHANG) == 0) {
        const volatile int *now = &b->at;
        if (*now != at || !b->ready) waited = 0;
        at = *now;
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
        waited += 0.005;
        if (waited <= HANG_SECONDS) continue;
        *hung = true;
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        break;
    }
    return status;
}

static void last_words(int output, char *text, size_t room)
{
    off_t end = lseek(output, 0, SEEK_END), from = end > (off_t)room - 1 ? end - (off_t)room + 1 : 0;
    ssize_t count = pread(output, text, room - 1, from);
    text[count < 0 ? 0 : count] = '\0';
}

static void blame(board *b, int status, bool hung, int output)
{
    char said[1100];
    point *p = &b->points[b->at];
    last_words(output, said, sizeof said);
    p->outcome = CRASHED;
    if (hung)
        snprintf(p->text, TEXT, "hung for %d seconds; last said:\n%s", HANG_SECONDS, said);
    else
        snprintf(p->text, TEXT, "ended by %s %d; last said:\n%s", WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), said);
    ++b->at;
}

/* ---- The parent -------------------------------------------------------------------------------- */

static const char *const headings[] = {
    "", "", "", "not reached", "crashed", "unclear", "leak", "broken file"
};

static void count_up(const alloc_scene *scene, const board *b, alloc_totals *t)
{
    int shown = 0;
    for (int i = 0; i < b->count; ++i) {
        const point *p = &b->points[i];
        ++t->points;
        t->failed += p->outcome == FAILED_WELL;
        t->did_without += p->outcome == DID_WITHOUT;
        t->unreached += p->outcome == UNREACHED;
        t->crashes += p->outcome == CRASHED;
        t->unclear += p->outcome == UNCLEAR;
        t->leaks += p->outcome == LEAKED;
        t->broken += p->outcome == BROKEN;
        if (p->outcome < CRASHED || ++shown > SHOWN) continue;
        printf("  %s, allocation %lld%s: %s: %s\n", scene->name, (long long)p->n,
               p->onward ? " and all after it" : "", headings[p->outcome], p->text);
    }
    if (shown > SHOWN) printf("  %s: %d more\n", scene->name, shown - SHOWN);
}

static void walk_alone(const alloc_scene *scene)
{
    static board b;
    alloc_fault_hooks();
    alloc_fault_trace(true);
    if (!rehearse(scene, &b)) printf("%s: %s\n", scene->name, b.problem);
    b.points[0] = (point){ .n = chosen.point, .onward = chosen.onward };
    error err = { 0 };
    if (scene->prepare) scene->prepare();
    alloc_fault_arm(chosen.point, chosen.onward);
    bool ok = scene->run(&err);
    alloc_result r = alloc_fault_disarm();
    char stack[1000];
    alloc_stack_text(&r.who, stack, sizeof stack);
    judge(scene, &b.points[0], ok, &r, 0, &err);
    printf("%s %lld: %s%s\n  at %s\n  %s\n", scene->name, (long long)chosen.point,
           ok ? "succeeded" : "failed: ", ok ? "" : err.message, stack, b.points[0].text);
}

void alloc_walk(const alloc_scene *scene, alloc_totals *totals)
{
    if (chosen.scene && strcmp(chosen.scene, scene->name) != 0) return;
    if (chosen.point) {
        walk_alone(scene);
        return;
    }
    board *b = __real_mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FILE *words = tmpfile();
    if (b == MAP_FAILED || !words) abort();
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (!b->ended && !b->problem[0]) {
        bool hung;
        int status = wait_for(start(scene, b, fileno(words)), b, &hung);
        if (b->ended || b->problem[0]) break;
        if (!b->ready || b->at >= b->count) {
            last_words(fileno(words), b->problem, TEXT);
            break;
        }
        blame(b, status, hung, fileno(words));
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (b->problem[0]) {
        printf("  %s: %s\n", scene->name, b->problem);
        ++totals->crashes;
    }
    if (b->leaky) {
        char said[8000];
        last_words(fileno(words), said, sizeof said);
        printf("  %s: the leak checker says:\n%s\n", scene->name, said);
        ++totals->leaks;
    }
    count_up(scene, b, totals);
    printf("%-24s %6lld allocations on %5lld stacks: %5d points, %5.1f s\n", scene->name, (long long)b->total,
           (long long)b->stacks, b->count,
           (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec));
    fflush(stdout);
    fclose(words);
    munmap(b, sizeof *b);
}

int alloc_walk_summary(const alloc_totals *t)
{
    printf("host allocations: %lld points: %lld clear errors, %lld did without, %lld not reached; "
           "%lld crashes, %lld unclear messages, %lld leaks, %lld broken files\n",
           (long long)t->points, (long long)t->failed, (long long)t->did_without, (long long)t->unreached,
           (long long)t->crashes, (long long)t->unclear, (long long)t->leaks, (long long)t->broken);
    return t->crashes || t->unclear || t->leaks || t->broken ? 1 : 0;
}

bool alloc_walk_apart(bool (*work)(error *err), error *err)
{
    error *shared =
        __real_mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) abort();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(work(shared) ? 0 : 1);
    int status = 0;
    waitpid(child, &status, 0);
    *err = *shared;
    munmap(shared, sizeof *shared);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    return err->message[0] ? false : error_set(err, ERROR_DEVICE, "the process ended with status %d", status);
}
