/* step.c -- runs a command and always comes back within a number of seconds.
 *     kit-step SECONDS OUTPUT COMMAND [ARGUMENT]...
 * What the command prints goes to the file OUTPUT. Standard output gets one line: how it ended, seconds, MiB at most.
 *     ok | skipped | failed-N | crashed-SIGNAL | late | flood | stopped | missing
 * Past its time the command is asked to end, then it and all its descendants are killed; one that no signal ends,
 * because a driver holds it in the kernel, is left behind. The exit status is 0 for ok and skipped, else 1.
 * It is linked statically and needs nothing of the machine; /proc, where there is one, finds what left its group.
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SKIPPED = 77, MISSING = 126, OUTPUT_LIMIT = 64 << 20, MOST_PROCESSES = 32768 };
/* Seconds for a clean end, and after that for the kill to show. */
static const double GRACE = 2, GIVE_UP = 2;

typedef struct command {
    pid_t id;
    int output;
    int status; /* as wait gives it */
    bool ended;
    long most_kib;
} command;

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int number)
{
    asked_to_stop = number;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

/* The parent of a process, or 0. A name may hold anything, so what is read stands behind its last bracket. */
static pid_t parent_of(pid_t id)
{
    char path[64], text[1024];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)id);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    const ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return 0;
    text[length] = 0;
    const char *end = strrchr(text, ')');
    if (!end || sscanf(end + 1, " %*c %d", &parent) != 1) return 0;
    return (pid_t)parent;
}

static int list_processes(pid_t *id, int most)
{
    int count = 0;
    DIR *folder = opendir("/proc");
    if (!folder) return 0;
    for (struct dirent *e = readdir(folder); e && count < most; e = readdir(folder)) {
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9') id[count++] = (pid_t)atol(e->d_name);
    }
    closedir(folder);
    return count;
}

static bool descends(pid_t id)
{
    const pid_t self = getpid();
    for (int depth = 0; depth < 64 && id > 1; ++depth) {
        id = parent_of(id);
        if (id == self) return true;
    }
    return false;
}

/* Orphans become children of this process, so whoever left the group is still found. */
static void signal_all(const command *c, int number)
{
    static pid_t id[MOST_PROCESSES];
    kill(-c->id, number);
    const int count = list_processes(id, MOST_PROCESSES);
    for (int i = 0; i < count; ++i) {
        if (descends(id[i])) kill(id[i], number);
    }
}

/* Collects whoever has ended. False when there are no children left. */
static bool reap(command *c)
{
    struct rusage usage;
    int status;
    for (;;) {
        const pid_t id = wait4(-1, &status, WNOHANG, &usage);
        if (id <= 0) return id == 0;
        if (id == c->id) {
            c->ended = true;
            c->status = status;
        }
        if (usage.ru_maxrss > c->most_kib) c->most_kib = usage.ru_maxrss;
    }
}

static void wait_all(command *c, double until)
{
    while (reap(c) && now() < until) nap();
}

static void end_all(command *c)
{
    if (!c->ended) {
        signal_all(c, SIGTERM);
        const double until = now() + GRACE;
        while (reap(c) && !c->ended && now() < until) nap();
    }
    const double until = now() + GIVE_UP;
    while (reap(c) && now() < until) {
        signal_all(c, SIGKILL);
        nap();
    }
}

static _Noreturn void become(char **arguments, const command *c)
{
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Where memory runs out, the kernel takes this one and not who watches it. */
    const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file >= 0 && write(file, "900", 3) < 0) perror("oom_score_adj");
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0)
        dup2(nothing, 0);
    else
        close(0);
    dup2(c->output, 1);
    dup2(c->output, 2);
    signal(SIGPIPE, SIG_DFL);
    execvp(arguments[0], arguments);
    dprintf(2, "cannot run '%s': %s\n", arguments[0], strerror(errno));
    _exit(MISSING);
}

static const char *watch(command *c, double until)
{
    for (;;) {
        struct stat s;
        reap(c);
        if (c->ended) return NULL;
        if (asked_to_stop) return "stopped";
        if (now() >= until) return "late";
        if (fstat(c->output, &s) == 0 && S_ISREG(s.st_mode) && s.st_size > OUTPUT_LIMIT) return "flood";
        nap();
    }
}

static void how_it_ended(const command *c, const char *word, char *text, size_t size)
{
    if (word)
        snprintf(text, size, "%s", word);
    else if (WIFSIGNALED(c->status))
        snprintf(text, size, "crashed-%s", sigabbrev_np(WTERMSIG(c->status)));
    else if (WEXITSTATUS(c->status) == 0)
        snprintf(text, size, "ok");
    else if (WEXITSTATUS(c->status) == SKIPPED)
        snprintf(text, size, "skipped");
    else if (WEXITSTATUS(c->status) == MISSING)
        snprintf(text, size, "missing");
    else
        snprintf(text, size, "failed-%d", WEXITSTATUS(c->status));
}

static void prepare(void)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i)
        sigaction(signals[i], &(struct sigaction){ .sa_handler = on_signal }, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

int main(int count, char **arguments)
{
    char *end = NULL, text[64];
    const double seconds = count > 1 ? strtod(arguments[1], &end) : -1;
    if (count < 4 || end == arguments[1] || *end || !(seconds >= 0)) {
        fprintf(stderr, "usage: kit-step SECONDS OUTPUT COMMAND [ARGUMENT]...\n");
        return 2;
    }
    command c = { .output = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666) };
    if (c.output < 0) {
        fprintf(stderr, "cannot write '%s': %s\n", arguments[2], strerror(errno));
        return 2;
    }
    prepare();
    const double began = now();
    c.id = fork();
    if (c.id == 0) become(arguments + 3, &c);
    if (c.id < 0) {
        fprintf(stderr, "cannot start '%s': %s\n", arguments[3], strerror(errno));
        return 2;
    }
    const char *word = watch(&c, began + seconds);
    const double took = now() - began;
    end_all(&c);
    wait_all(&c, now());
    how_it_ended(&c, word, text, sizeof text);
    printf("%s %.2f %ld\n", text, took, c.most_kib >> 10);
    return strcmp(text, "ok") == 0 || strcmp(text, "skipped") == 0 ? 0 : 1;
}
