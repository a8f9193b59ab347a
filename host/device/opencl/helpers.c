/* helpers.c -- the side of the process that is helped; see helpers.h.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/helpers.h"
#include "host/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
    HELPERS_MAX = 7,
    JOBS_EACH = 4,  /* so many more programs are worth one helper more: it needs half a second to begin */
    WAIT_MS = 1000, /* between two looks whether a helper is alive */
    UNSAID_MS = 200 /* for one to say that it has begun what is no longer in the queue */
};

typedef struct job {
    char *file, *kernel, *options;
    program_recipe recipe; /* its texts are the job's own */
    enum { JOB_ASKED, JOB_BUILT, JOB_BINARY, JOB_FAILED, JOB_TAKEN } state;
    int helper; /* who builds it; -1: nobody that said so */
    cl_program built;
    void *binary;
    size_t bytes;
} job;

typedef struct helper {
    pid_t pid;
    int results, binaries; /* -1: it has ended */
} helper;

struct helpers {
    device *device;
    char *program, identity[65];
    int most;
    int jobs[2], texts; /* a pipe and a file in memory; -1: not open */
    int64_t texts_bytes;
    job *asked;
    int count, capacity, settled;
    helper each[HELPERS_MAX];
    int started;
};

/* ---- Beginning and ending -------------------------------------------------------------------- */

static int cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

helpers *helpers_create(device *d)
{
    const char *path = getenv("DALLE_CL_HELPER");
    if (!path || !*path || strcmp(path, "off") == 0 || d->info.kind != DEVICE_CPU) return NULL;
    helpers *h = calloc(1, sizeof *h);
    if (!h || !(h->program = strdup(path))) {
        free(h);
        return NULL;
    }
    h->device = d;
    h->most = cores() - 1 < HELPERS_MAX ? cores() - 1 : HELPERS_MAX;
    h->jobs[0] = h->jobs[1] = h->texts = -1;
    device_key(d, "", "", h->identity);
    return h;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void helper_end(helper *each)
{
    close_fd(&each->results);
    close_fd(&each->binaries);
    if (each->pid <= 0) return;
    kill(each->pid, SIGTERM);
    while (waitpid(each->pid, NULL, 0) < 0 && errno == EINTR) continue;
    each->pid = 0;
}

/* All are sent home: the queue is empty, or nobody wants it any more. */
static void dismiss(helpers *h)
{
    for (int i = 0; i < h->started; ++i) helper_end(&h->each[i]);
    h->started = 0;
    close_fd(&h->jobs[0]);
    close_fd(&h->jobs[1]);
    close_fd(&h->texts);
    h->texts_bytes = 0;
}

static void job_clear(job *j)
{
    if (j->built) clReleaseProgram(j->built);
    free(j->binary);
    free(j->file);
    free(j->kernel);
    free(j->options);
    program_recipe_free(&j->recipe);
    *j = (job){ .state = JOB_TAKEN };
}

void helpers_destroy(helpers *h)
{
    if (!h) return;
    dismiss(h);
    log_progress(NULL);
    for (int i = 0; i < h->count; ++i) job_clear(&h->asked[i]);
    free(h->asked);
    free(h->program);
    free(h);
}

/* ---- Starting a helper ----------------------------------------------------------------------- */

static bool add_files(posix_spawn_file_actions_t *a, const int fds[HELPER_FDS_END])
{
    for (int to = 0; to < HELPER_JOBS; ++to)
        if (posix_spawn_file_actions_addopen(a, to, "/dev/null", O_RDWR, 0) != 0) return false;
    for (int to = HELPER_JOBS; to < HELPER_FDS_END; ++to)
        if (posix_spawn_file_actions_adddup2(a, fds[to], to) != 0) return false;
    return true;
}

/* The process that starts it may have blocked signals to answer them in a thread of its own; a helper just
 * ends. */
static bool hear_signals(posix_spawnattr_t *a)
{
    sigset_t none;
    sigemptyset(&none);
    return posix_spawnattr_setsigmask(a, &none) == 0 &&
           posix_spawnattr_setflags(a, POSIX_SPAWN_SETSIGMASK) == 0;
}

static bool spawn(const helpers *h, helper *each, int results, int binaries)
{
    char index[16];
    snprintf(index, sizeof index, "%d", h->device->info.index);
    const char *arguments[] = { "dalle-cl", DEVICE_HELPER_WORD, index, h->identity, NULL };
    const int fds[HELPER_FDS_END] = { [HELPER_JOBS] = h->jobs[0],
                                      [HELPER_TEXTS] = h->texts,
                                      [HELPER_RESULTS] = results,
                                      [HELPER_BINARIES] = binaries };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions) != 0) return false;
    bool ok = posix_spawnattr_init(&attributes) == 0;
    if (ok) {
        ok = add_files(&actions, fds) && hear_signals(&attributes) &&
             posix_spawn(&each->pid, h->program, &actions, &attributes, (char *const *)arguments, environ) ==
                 0;
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return ok;
}

/* Descriptors that a helper gets must stand above those it finds them at, or one would be put over
 * another. */
static int above(int fd)
{
    if (fd < 0 || fd >= HELPER_FDS_END) return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, HELPER_FDS_END);
    close(fd);
    return higher;
}

static bool open_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) != 0) {
        fds[0] = fds[1] = -1;
        return false;
    }
    fds[0] = above(fds[0]);
    fds[1] = above(fds[1]);
    return fds[0] >= 0 && fds[1] >= 0;
}

static int open_memory(const char *name)
{
    return above(memfd_create(name, MFD_CLOEXEC));
}

static bool start_helper(helpers *h)
{
    int results[2];
    helper *each = &h->each[h->started];
    *each = (helper){ .results = -1, .binaries = -1 };
    bool ok = open_pipe(results);
    each->results = results[0];
    each->binaries = ok ? open_memory("dalle-cl binaries") : -1;
    ok = each->binaries >= 0 && fcntl(each->results, F_SETFL, O_NONBLOCK) == 0 &&
         spawn(h, each, results[1], each->binaries);
    close_fd(&results[1]);
    if (!ok) {
        each->pid = 0;
        helper_end(each);
        return false;
    }
    ++h->started;
    log_verbose("helper %d builds kernels", h->started);
    return true;
}

/* ---- The queue ------------------------------------------------------------------------------- */

static bool open_queue(helpers *h)
{
    if (h->texts >= 0) return true;
    bool ok = open_pipe(h->jobs) && fcntl(h->jobs[0], F_SETFL, O_NONBLOCK) == 0 &&
              fcntl(h->jobs[1], F_SETFL, O_NONBLOCK) == 0 &&
              (h->texts = open_memory("dalle-cl kernels")) >= 0;
    if (!ok) dismiss(h);
    return ok;
}

/* A job that does not get into the queue is built here, when it is wanted. */
static void enqueue(helpers *h, int number)
{
    const program_recipe *r = &h->asked[number].recipe;
    helper_job record = { number, h->texts_bytes, (int64_t)strlen(r->source) + 1,
                          (int64_t)strlen(r->full) + 1 };
    if (pwrite(h->texts, r->source, (size_t)record.source_bytes, record.offset) != record.source_bytes ||
        pwrite(h->texts, r->full, (size_t)record.options_bytes, record.offset + record.source_bytes) !=
            record.options_bytes)
        return;
    h->texts_bytes += record.source_bytes + record.options_bytes;
    ssize_t wrote = write(h->jobs[1], &record, sizeof record);
    (void)wrote;
}

static int job_of(const helpers *h, const char key[65])
{
    for (int i = h->count - 1; i >= 0; --i)
        if (h->asked[i].state != JOB_TAKEN && strcmp(h->asked[i].recipe.key, key) == 0) return i;
    return -1;
}

bool helpers_know(const helpers *h, const program_name *n)
{
    for (int i = h->count - 1; i >= 0; --i) {
        const job *j = &h->asked[i];
        if (j->state != JOB_TAKEN && j->recipe.name.single == n->single &&
            strcmp(j->kernel, n->kernel) == 0 && strcmp(j->options, n->options) == 0 &&
            strcmp(j->file, n->file) == 0)
            return true;
    }
    return false;
}

static bool job_copy(job *j, const program_recipe *r)
{
    const program_name *n = &r->name;
    *j = (job){
        .file = strdup(n->file), .kernel = strdup(n->kernel), .options = strdup(n->options), .helper = -1
    };
    j->recipe.name = (program_name){ j->file, j->kernel, j->options, n->single };
    j->recipe.source = strdup(r->source);
    j->recipe.full = strdup(r->full);
    memcpy(j->recipe.key, r->key, sizeof r->key);
    if (j->file && j->kernel && j->options && j->recipe.source && j->recipe.full) return true;
    job_clear(j);
    return false;
}

bool helpers_ask(helpers *h, const program_recipe *r)
{
    if (job_of(h, r->key) >= 0) return true;
    if (h->count == h->capacity) {
        const int capacity = h->capacity ? 2 * h->capacity : 64;
        job *more = realloc(h->asked, (size_t)capacity * sizeof *more);
        if (!more) return false;
        h->asked = more;
        h->capacity = capacity;
    }
    if (!job_copy(&h->asked[h->count], r)) return false;
    ++h->count;
    if (h->most == 0 || !open_queue(h)) return true;
    enqueue(h, h->count - 1);
    if (h->started < h->most && h->count - h->settled >= JOBS_EACH * (h->started + 1) && !start_helper(h))
        h->most = h->started;
    return true;
}

/* ---- What helpers say ------------------------------------------------------------------------ */

static void settle(helpers *h, job *j, int state)
{
    j->state = state;
    ++h->settled;
    log_progress("building kernels: %d of %d", h->settled, h->count);
}

/* Whether its file has what it says it put there. */
static bool is_there(const helper *each, const helper_result *r)
{
    struct stat file;
    return r->state == HELPER_DONE && r->bytes > 0 && r->offset >= 0 && fstat(each->binaries, &file) == 0 &&
           r->offset <= file.st_size && r->bytes <= file.st_size - r->offset;
}

static void fetch(helpers *h, const helper *each, job *j, const helper_result *r)
{
    j->binary = is_there(each, r) ? malloc((size_t)r->bytes) : NULL;
    j->bytes = j->binary ? (size_t)r->bytes : 0;
    const bool whole =
        j->binary && pread(each->binaries, j->binary, j->bytes, r->offset) == (ssize_t)j->bytes;
    settle(h, j, whole ? JOB_BINARY : JOB_FAILED);
}

static void listen_to(helpers *h, int which)
{
    helper *each = &h->each[which];
    helper_result r;
    ssize_t got = -1;
    while (each->results >= 0 && (got = read(each->results, &r, sizeof r)) == (ssize_t)sizeof r) {
        job *j = r.job >= 0 && r.job < h->count ? &h->asked[r.job] : NULL;
        if (!j || j->state != JOB_ASKED) continue;
        if (r.state == HELPER_BEGUN)
            j->helper = which;
        else
            fetch(h, each, j, &r);
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    log_verbose("helper %d has ended", which + 1);
    helper_end(each);
}

/* Waits so long for the next word of any. */
static void listen_all(helpers *h, int milliseconds)
{
    struct pollfd fds[HELPERS_MAX];
    for (int i = 0; i < h->started; ++i)
        fds[i] = (struct pollfd){ .fd = h->each[i].results, .events = POLLIN };
    if (poll(fds, (nfds_t)h->started, milliseconds) <= 0) return;
    for (int i = 0; i < h->started; ++i)
        if (fds[i].fd >= 0 && fds[i].revents) listen_to(h, i);
}

/* ---- Building -------------------------------------------------------------------------------- */

static void build_here(helpers *h, job *j, error *err)
{
    j->built = program_build(h->device, &j->recipe, err);
    settle(h, j, j->built ? JOB_BUILT : JOB_FAILED);
}

/* Builds the next in the queue.  False: the queue is empty. */
static bool build_next(helpers *h)
{
    helper_job record;
    if (h->jobs[0] < 0 || read(h->jobs[0], &record, sizeof record) != (ssize_t)sizeof record) return false;
    job *j = &h->asked[record.job];
    if (j->state == JOB_ASKED) build_here(h, j, NULL);
    return true;
}

/* Until the job is settled, or nobody seems to work at it.  This process works, too. */
static void await(helpers *h, int number)
{
    int unsaid = 0;
    while (h->asked[number].state == JOB_ASKED) {
        listen_all(h, 0);
        if (h->asked[number].state != JOB_ASKED || build_next(h)) continue;
        const int who = h->asked[number].helper;
        const bool alive = who >= 0 && h->each[who].results >= 0;
        if (!alive && (h->started == 0 || unsaid++ > 0)) return;
        listen_all(h, alive ? WAIT_MS : UNSAID_MS);
    }
}

cl_program helpers_take(helpers *h, const program_recipe *r, error *err)
{
    const int number = job_of(h, r->key);
    if (number < 0) return NULL;
    await(h, number);
    job *j = &h->asked[number];
    if (j->state == JOB_ASKED) build_here(h, j, err);
    cl_program built = j->built;
    j->built = NULL;
    if (j->state == JOB_BINARY) built = program_from_binary(h->device, r, j->binary, j->bytes);
    if (!built && (!err || err->code == ERROR_NONE)) built = program_build(h->device, r, err);
    job_clear(j);
    if (h->settled == h->count) {
        dismiss(h);
        log_progress(NULL);
    }
    return built;
}
