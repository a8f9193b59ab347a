/* test_walk.c -- `test_walk SCENARIO [all]`: fault injection over one scenario, see walk.h; `test_walk
 * reached SOURCE_FOLDER`: every OpenCL call that the device's sources name is made by some scenario. The last
 * line counts: points walked, and what was wrong.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/walk.h"

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define PATIENCE_MS  120000  /* a child silent for so long hangs */
#define PREPARING_MS 1200000 /* until its first words: it may have to compile every kernel */
#define POCL         "/etc/OpenCL/vendors/pocl.icd"

static char folder[256];

const char *walk_folder(void)
{
    return folder;
}

const char *walk_path(const char *name)
{
    static char paths[4][400];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
    return paths[turn];
}

/* The layer must be named before the loader is first used; the loader loads it at the first call. */
static const cl_layer *load_layer(void)
{
    cl_uint count;
    clGetPlatformIDs(0, NULL, &count);
    void *library = dlopen(CL_LAYER_PATH, RTLD_NOW);
    const cl_layer *layer = library ? dlsym(library, "cl_layer_control") : NULL;
    for (int i = 0; layer && i < layer->calls; ++i)
        if (strcmp(layer->name(i), "clGetPlatformIDs") == 0 && layer->uses(i) > 0) return layer;
    return NULL;
}

static const scenario *find(const char *name)
{
    for (int i = 0; i < scenario_count; ++i)
        if (strcmp(scenarios[i].name, name) == 0) return &scenarios[i];
    fprintf(stderr, "no scenario '%s'\n", name);
    exit(EXIT_FAILURE);
}

/* ---- The parent -------------------------------------------------------------------------------- */

typedef struct tally {
    int points, walked, errors, absorbed, unreached, crashes, unclear, ignored, leaks, broken;
    int current;        /* the point being walked; -1: none */
    char text[300];     /* of the current one */
    bool done, started; /* the child has said its last and its first words */
} tally;

static void count_verdict(tally *t, const char *line)
{
    static const char *const words[] = { "error",   "absorbed", "unreached", "unclear",
                                         "ignored", "leak",     "broken" };
    int *counts[] = {
        &t->errors, &t->absorbed, &t->unreached, &t->unclear, &t->ignored, &t->leaks, &t->broken
    };
    char word[32];
    int index, at = 0;
    if (sscanf(line, "end %d %31s %n", &index, word, &at) < 2) return;
    for (int i = 0; i < 7; ++i) {
        if (strcmp(word, words[i]) != 0) continue;
        ++*counts[i];
        if (i >= 3) printf("%s: %s: %s\n", t->text, word, line + at);
    }
    if (getenv("FAULTS_VERBOSE")) printf("%s: %s\n", t->text, line + 4);
    t->current = -1;
}

static void take_line(tally *t, char *line)
{
    int at = 0;
    t->started = true;
    if (sscanf(line, "points %d", &t->points) == 1) return;
    if (sscanf(line, "begin %d %n", &t->current, &at) >= 1 && at) {
        snprintf(t->text, sizeof t->text, "%s", line + at);
        ++t->walked;
    } else if (strncmp(line, "end ", 4) == 0) {
        count_verdict(t, line);
    } else if (strncmp(line, "unprepared ", 11) == 0) {
        printf("cannot be prepared: %s\n", line + 11);
    } else if (strcmp(line, "done") == 0) {
        t->done = true;
    }
}

static pid_t start_child(const char *name, bool all, int from, int *out)
{
    int ends[2];
    if (pipe(ends) != 0) exit(EXIT_FAILURE);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char first[32], descriptor[32];
        close(ends[0]);
        /* Compilers' complaints about builds that are made to fail. */
        if (!freopen(walk_path("output.log"), "w", stdout)) _exit(127);
        dup2(STDOUT_FILENO, STDERR_FILENO);
        snprintf(first, sizeof first, "%d", from);
        snprintf(descriptor, sizeof descriptor, "%d", ends[1]);
        execl("/proc/self/exe", "test_walk", "child", name, all ? "all" : "some", first, descriptor, folder,
              (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *out = ends[0];
    return child;
}

/* Whole lines as they come; false when the child fell silent. */
static bool listen_to(tally *t, int in)
{
    char buffer[8192];
    size_t used = 0;
    for (;;) {
        struct pollfd p = { .fd = in, .events = POLLIN };
        if (poll(&p, 1, t->started ? PATIENCE_MS : PREPARING_MS) == 0) return false;
        ssize_t more = read(in, buffer + used, sizeof buffer - 1 - used);
        if (more <= 0) return true;
        used += (size_t)more;
        buffer[used] = 0;
        char *line = buffer, *end;
        while ((end = strchr(line, '\n')) != NULL) {
            *end = 0;
            take_line(t, line);
            line = end + 1;
        }
        used -= (size_t)(line - buffer);
        memmove(buffer, line, used + 1);
    }
}

static void show_log(void)
{
    char command[500];
    snprintf(command, sizeof command, "tail -n 60 '%s'", walk_path("output.log"));
    if (system(command) != 0) printf("its output is lost\n");
}

static int walk(const char *name, bool all)
{
    tally t = { .current = -1 };
    for (int from = 0; !t.done;) {
        int in, status = 0, before = t.walked;
        t.current = -1;
        t.started = false;
        pid_t child = start_child(name, all, from, &in);
        bool spoke = listen_to(&t, in);
        if (!spoke) kill(child, SIGKILL);
        close(in);
        waitpid(child, &status, 0);
        if (t.done) break;
        if (t.current >= 0) {
            ++t.crashes;
            printf("%s: %s (status %#x)\n", t.text, spoke ? "crash" : "hang", (unsigned)status);
        }
        show_log();
        if (t.walked == before) { /* it did not get as far as a point */
            ++t.broken;
            break;
        }
        from += t.walked - before;
        if (from >= t.points) break;
    }
    printf("faults %s: %d points of %d, %d ended in an error, %d absorbed, %d not reached; %d crashes, %d "
           "unclear "
           "messages, %d ignored, %d leaks, %d left broken\n",
           name, t.walked, t.points, t.errors, t.absorbed, t.unreached, t.crashes, t.unclear, t.ignored,
           t.leaks, t.broken);
    return t.crashes || t.unclear || t.ignored || t.leaks || t.broken || !t.walked ? EXIT_FAILURE
                                                                                   : EXIT_SUCCESS;
}

/* ---- Main -------------------------------------------------------------------------------------- */

static void set_up(void)
{
    const char *base = getenv("TMPDIR");
    /* Thousands of checkpoints are flushed to the disk; a disk in memory makes that cheap. */
    if (!(base && *base)) base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    /* One driver, so that points are the same everywhere; another may be chosen from outside. */
    if (access(POCL, R_OK) == 0) setenv("OCL_ICD_VENDORS", POCL, 0);
    snprintf(folder, sizeof folder, "%s/dalle-cl-faults-XXXXXX", base);
    if (!mkdtemp(folder)) abort();
}

void walk_choose_cache(const scenario *s)
{
    static char shared[600];
    char cache[700];
    const char *base = getenv("DALLE_CL_CACHE");
    if (!*shared) snprintf(shared, sizeof shared, "%s", base && *base ? base : folder);
    snprintf(cache, sizeof cache, "%s%s%s", shared, s->empties ? "/faults-" : "", s->empties ? s->name : "");
    setenv("DALLE_CL_CACHE", cache, 1);
}

static int child_main(char **argv, const cl_layer *layer)
{
    const scenario *s = find(argv[2]);
    snprintf(folder, sizeof folder, "%s", argv[6]);
    walk_choose_cache(s);
    int status = walk_child(layer, s, strcmp(argv[3], "all") == 0, atoi(argv[4]), atoi(argv[5]));
    fflush(NULL);
    _exit(status); /* leaks have been looked for */
}

int main(int argc, char **argv)
{
    setenv("OPENCL_LAYERS", CL_LAYER_PATH, 1);
    if (argc < 2) return EXIT_FAILURE;
    bool child = argc == 7;
    if (!child) set_up();
    const cl_layer *layer = load_layer();
    if (!layer) {
        printf("skipped: this OpenCL loader loads no layers (ocl-icd does), or there is no platform\n");
        return EXIT_SKIPPED;
    }
    if (child) return child_main(argv, layer);
    bool reaching = argc == 3 && strcmp(argv[1], "reached") == 0;
    int status = reaching ? reached(layer, argv[2])
                          : walk(find(argv[1])->name, argc == 3 && strcmp(argv[2], "all") == 0);
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", folder);
    return status;
}
