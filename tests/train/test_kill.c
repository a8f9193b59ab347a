/* test_kill.c -- SIGKILL at any instant, in the midst of any call of a save too: the run then goes on bit for
 * bit.  The victim is this program itself, started anew, so that no OpenCL state crosses a fork.
 * test_kill [KILLS]: at so many random instants, or $DALLE_CL_KILLS, else 20; $DALLE_CL_SEED repeats them.
 * SPDX-License-Identifier: MIT */
#include "host/base/timing.h"
#include "tests/train/disk.h"
#include "tests/train/regression.h"
#include "tests/train/run_compare.h"
#include "tests/train/scratch.h"

#include <sys/wait.h>

enum {
    BALLAST = 1 << 18,
    STEPS = 30,
    CALLS = 48,   /* of a resumed run, with its first save and most of the second */
    STRETCH = 120 /* calls of some four saves: where one of random instants lies */
};

static int kills_wanted = 20;

/* The victim: killed in call `at` that touches the folder; 0: not. */
static int train(const char *folder, bool resume, int64_t at)
{
    error err = { .code = ERROR_NONE };
    regression r;
    bool ok = regression_open(&r, BALLAST, &err);
    if (ok) {
        train_task t = regression_task(&r);
        train_options o = regression_options(&r, folder);
        o.resume = resume;
        o.steps = STEPS;
        o.save_every = 1;
        o.interrupted = NULL;
        disk_watch(folder);
        disk_kill_at(at);
        ok = train_run(&t, &o, &err);
        disk_watch(NULL);
    }
    if (!ok) fprintf(stderr, "%s\n", err.message);
    regression_close(&r);
    return ok ? 0 : 1;
}

static pid_t start(const char *folder, bool resume, int64_t at)
{
    char call[32];
    snprintf(call, sizeof call, "%lld", (long long)at);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_kill", folder, resume ? "resume" : "new", call, (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    return child;
}

static int wait_for(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static int count_files(const char *folder, const char *pattern)
{
    char command[400], answer[32] = "";
    snprintf(command, sizeof command, "find '%s' -name '%s' | wc -l", folder, pattern);
    FILE *pipe = popen(command, "r");
    assert_non_null(fgets(answer, sizeof answer, pipe));
    pclose(pipe);
    return atoi(answer);
}

static void assert_like(const char *whole, const char *killed)
{
    assert_same_run(whole, killed);
    assert_int_equal(count_files(killed, "*.tmp-*"), 0);
    assert_int_equal(count_files(killed, "checkpoint*.safetensors"), 3);
}

/* Resumes, or begins where there is nothing yet; true if the victim came to the run's end. */
static bool victim_ends(const char *folder, int64_t at, double seconds)
{
    pid_t child = start(folder, file_exists(in(folder, "run.json")), at);
    if (seconds > 0) {
        sleep_ms((long)(seconds * 1e3));
        kill(child, SIGKILL);
    }
    int status = wait_for(child);
    if (status != 0 && status != -SIGKILL) fail_msg("the run cannot go on: status %d", status);
    return status == 0;
}

/* In the first call that touches the folder, then in the second of what resumes, and so on: every call of
 * opening a run and of a save, in which it comes back to each instant with other files there. */
static void test_every_call(void **state)
{
    const char *base = *state;
    char folder[300], whole[300];
    snprintf(folder, sizeof folder, "%s/calls", base);
    snprintf(whole, sizeof whole, "%s/whole", base);
    int killed = 0;
    for (int64_t at = 1; at <= CALLS && !victim_ends(folder, at, 0); ++at) ++killed;
    assert_true(killed >= 40);
    if (!victim_ends(folder, 0, 0)) fail_msg("the run does not end");
    assert_like(whole, folder);
}

/* Killed in its last save, after the new checkpoint had its name and before the oldest was removed: what goes
 * on has nothing left to do but that. */
static void test_one_too_many(void **state)
{
    char whole[300], kept[400];
    snprintf(whole, sizeof whole, "%s/whole", (const char *)*state);
    snprintf(kept, sizeof kept, "%s/checkpoint-%06d.safetensors", whole, STEPS - 3);
    assert_int_equal(link(in(whole, "checkpoint.safetensors"), kept), 0);
    assert_int_equal(count_files(whole, "checkpoint*.safetensors"), 4);
    assert_true(victim_ends(whole, 0, 0));
    assert_int_equal(count_files(whole, "checkpoint*.safetensors"), 3);
    assert_false(file_exists(kept));
}

static uint64_t random_seed(void)
{
    const char *given = getenv("DALLE_CL_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return given ? strtoull(given, NULL, 10) : (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20;
}

/* Every other instant is one of the clock, in the midst of a step as well; the others are calls, which the
 * seed repeats exactly. */
static void test_random_instants(void **state)
{
    const char *base = *state;
    char folder[300], whole[300];
    uint64_t seed = random_seed();
    int killed = 0, runs = 0;
    double began = timing_now();
    snprintf(whole, sizeof whole, "%s/again", base);
    if (!victim_ends(whole, 0, 0)) fail_msg("the run does not end");
    double took = timing_now() - began;
    printf("%d kills: DALLE_CL_KILLS=%d DALLE_CL_SEED=%llu repeats them\n", kills_wanted, kills_wanted,
           (unsigned long long)seed);
    for (uint32_t draw = 0; killed < kills_wanted; ++runs) {
        snprintf(folder, sizeof folder, "%s/random", base);
        for (bool ended = false; !ended; ++draw) {
            philox p = { .seed = seed, .step = draw, .stream = 1 };
            double u = (double)philox_uniform(&p, 0);
            if (killed >= kills_wanted)
                ended = victim_ends(folder, 0, 0);
            else if (draw % 2)
                ended = victim_ends(folder, 0, 0.01 + u * took);
            else
                ended = victim_ends(folder, 1 + (int64_t)(u * STRETCH), 0);
            killed += !ended;
        }
        assert_like(whole, folder);
        scratch_remove(folder);
    }
    printf("killed %d times in %d runs of %d steps\n", killed, runs, STEPS);
}

static void test_one_process_a_folder(void **state)
{
    const char *base = *state;
    char folder[300];
    snprintf(folder, sizeof folder, "%s/whole", base);
    pid_t first = start(folder, false, 0);
    for (int i = 0; i < 3000 && !file_exists(in(folder, "checkpoint.safetensors")); ++i) sleep_ms(10);
    kill(first, SIGSTOP);
    assert_int_equal(wait_for(start(folder, true, 0)), 1);
    kill(first, SIGCONT);
    assert_int_equal(wait_for(first), 0);
    assert_int_equal(count_files(folder, "checkpoint*.safetensors"), 3);
}

int main(int argc, char **argv)
{
    if (argc == 4) return train(argv[1], strcmp(argv[2], "resume") == 0, strtoll(argv[3], NULL, 10));
    if (argc == 2) kills_wanted = atoi(argv[1]);
    bool slow = getenv("DALLE_CL_TINY") != NULL; /* a device that takes long to open */
    if (slow) kills_wanted = 5;
    if (getenv("DALLE_CL_KILLS")) kills_wanted = atoi(getenv("DALLE_CL_KILLS"));
    char base[256];
    scratch_make_quick(base);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_one_process_a_folder,
                                  base), /* its run is what others are compared with */
        cmocka_unit_test_prestate(test_every_call, base),
        cmocka_unit_test_prestate(test_one_too_many, base),
        cmocka_unit_test_prestate(test_random_instants, base),
    };
    if (slow) cmocka_set_skip_filter("test_every_call");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(base);
    return failed;
}
