/* replay.c -- runs every target over its corpus, without libFuzzer.
 *     fuzz_replay CORPUS [TARGET [FILE...]]
 * A target runs in a process of its own, which notes where it is: whatever ends it (a sanitizer's finding,
 * the limits of time and memory), the input is known, and the next process goes on behind it.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"
#include "host/base/file.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of one input; a few milliseconds are usual. */
static unsigned seconds(void)
{
    const char *given = getenv("FUZZ_SECONDS");
    int number = given ? atoi(given) : 0;
    return number > 0 ? (unsigned)number : 5;
}

typedef struct target {
    const char *name;
    int (*run)(const uint8_t *data, size_t size);
} target;

#define TARGET(name) int target_##name(const uint8_t *data, size_t size);
#include "tests/fuzz/targets.def" /* made by tests.cmake */
#undef TARGET
#define TARGET(name) { #name, target_##name },
static const target targets[] = {
#include "tests/fuzz/targets.def"
    { NULL, NULL }
};
#undef TARGET

typedef struct corpus {
    char **paths;
    int count;
} corpus;

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static corpus corpus_list(const char *root, const char *name)
{
    corpus c = { 0 };
    char *folder = file_join(root, name);
    struct dirent **entries;
    int count = folder ? scandir(folder, &entries, visible, alphasort) : -1;
    if (count > 0) c.paths = calloc((size_t)count, sizeof *c.paths);
    for (int i = 0; i < count; ++i) {
        if (c.paths) c.paths[c.count++] = file_join(folder, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    free(folder);
    return c;
}

/* Gives the target the input in memory of its very size. */
static void run_one(const target *t, const char *path)
{
    error err = { 0 };
    size_t size = 0;
    char *bytes = file_read(path, &size, &err);
    uint8_t *data = bytes ? malloc(size + !size) : NULL;
    if (!data) {
        fprintf(stderr, "fuzz: %s\n", bytes ? "out of memory" : err.message);
        _exit(1);
    }
    memcpy(data, bytes, size);
    free(bytes);
    alarm(seconds());
    t->run(data, size);
    alarm(0);
    free(data);
}

static void run_from(const target *t, const corpus *c, int first, volatile int *current)
{
    LLVMFuzzerInitialize(NULL, NULL);
    for (int i = first; i < c->count; ++i) {
        *current = i;
        run_one(t, c->paths[i]);
    }
    *current = c->count; /* what ends it now is a leak of one of them */
    exit(0);
}

static void tell(const target *t, const corpus *c, int at, int status)
{
    const char *input = at < c->count ? c->paths[at] : "at the end, after all of them";
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        fprintf(stderr, "fuzz: %s: %s: took more than %u second%s\n", t->name, input, seconds(),
                seconds() == 1 ? "" : "s");
    else
        fprintf(stderr, "fuzz: %s: %s: ended with %s %d\n", t->name, input,
                WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* The number of findings. */
static int run_target(const target *t, const corpus *c)
{
    int found = 0, first = 0;
    volatile int *current =
        mmap(NULL, sizeof *current, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (current == MAP_FAILED) return fprintf(stderr, "fuzz: no memory\n"), 1;
    while (first <= c->count) {
        *current = first;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) run_from(t, c, first, current);
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child) return fprintf(stderr, "fuzz: no process\n"), 1;
        if (status == 0) break;
        tell(t, c, *current, status);
        ++found;
        first = *current + 1;
    }
    munmap((void *)(uintptr_t)current, sizeof *current);
    printf("%-12s %3d inputs%s\n", t->name, c->count, found ? ", with findings" : "");
    return found;
}

int main(int argc, char **argv)
{
    int found = 0, run = 0;
    if (argc < 2) return fprintf(stderr, "usage: %s CORPUS [TARGET [FILE...]]\n", argv[0]), 2;
    for (const target *t = targets; t->name; ++t) {
        if (argc > 2 && strcmp(argv[2], t->name) != 0) continue;
        corpus c = argc > 3 ? (corpus){ argv + 3, argc - 3 } : corpus_list(argv[1], t->name);
        if (c.count == 0) found += (fprintf(stderr, "fuzz: %s has no corpus\n", t->name), 1);
        found += run_target(t, &c);
        ++run;
        for (int i = 0; argc <= 3 && i < c.count; ++i) free(c.paths[i]);
        if (argc <= 3) free(c.paths);
    }
    if (run == 0) return fprintf(stderr, "fuzz: no target '%s'\n", argc > 2 ? argv[2] : ""), 2;
    return found ? 1 : 0;
}
