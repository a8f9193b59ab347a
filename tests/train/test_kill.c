/* test_kill.c -- SIGKILL at any instant, in mid-save too: the run then goes on bit for bit.
 * The victim is this program itself, started anew, so that no OpenCL state crosses a fork.
 * SPDX-License-Identifier: MIT */
#include "tests/train/regression.h"
#include "tests/train/run_compare.h"
#include "tests/train/scratch.h"

#include <sys/wait.h>

/* Saving some 2 MB after every step takes about as long as the step. */
enum { BALLAST = 1 << 19, STEPS = 30 };

static int train(const char *folder, bool resume)
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
        ok = train_run(&t, &o, &err);
    }
    if (!ok) fprintf(stderr, "%s\n", err.message);
    regression_close(&r);
    return ok ? 0 : 1;
}

static pid_t start(const char *folder, bool resume)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_kill", folder, resume ? "resume" : "new", (char *)NULL);
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

static void kill_after(pid_t child, const char *folder, const char *awaited, long ms)
{
    for (int i = 0; i < 3000 && !file_exists(in(folder, awaited)); ++i) sleep_ms(10);
    sleep_ms(ms);
    kill(child, SIGKILL);
}

static int count_leftovers(const char *folder)
{
    char command[400], answer[32] = "";
    snprintf(command, sizeof command, "find '%s' -name '*.tmp-*' | wc -l", folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(fgets(answer, sizeof answer, pipe));
    pclose(pipe);
    return atoi(answer);
}

static void test_kill(void **state)
{
    const char *base = *state;
    char killed[300], whole[300];
    error err;
    snprintf(killed, sizeof killed, "%s/killed", base);
    snprintf(whole, sizeof whole, "%s/whole", base);
    assert_int_equal(wait_for(start(whole, false)), 0);

    pid_t child = start(killed, false);
    kill_after(child, killed, "run.json", 0);
    assert_int_equal(wait_for(child), -SIGKILL);
    int kills = 1, finished = 0;
    /* Resuming takes some time before its first step; the delays reach from there through the saves. */
    for (long delay = 150; delay < 2000 && !finished; delay += 53) {
        child = start(killed, true);
        kill_after(child, killed, "run.json", delay);
        int status = wait_for(child);
        finished = status == 0;
        kills += status == -SIGKILL;
        assert_true(status == 0 || status == -SIGKILL);
        if (file_exists(in(killed, "checkpoint.safetensors"))) {
            safetensors *file = safetensors_open(in(killed, "checkpoint.safetensors"), &err);
            if (!file) fail_msg("not whole after kill %d: %s", kills, err.message);
            safetensors_close(file);
        }
    }
    if (!finished) assert_int_equal(wait_for(start(killed, true)), 0);
    printf("killed %d times\n", kills);
    assert_same_run(whole, killed);
    assert_int_equal(count_leftovers(killed), 0);
}

static void test_one_process_a_folder(void **state)
{
    const char *base = *state;
    char folder[300];
    snprintf(folder, sizeof folder, "%s/shared", base);
    pid_t first = start(folder, false);
    for (int i = 0; i < 3000 && !file_exists(in(folder, "checkpoint.safetensors")); ++i) sleep_ms(10);
    kill(first, SIGSTOP);
    assert_int_equal(wait_for(start(folder, true)), 1);
    kill(first, SIGCONT);
    assert_int_equal(wait_for(first), 0);
}

int main(int argc, char **argv)
{
    if (argc == 3) return train(argv[1], strcmp(argv[2], "resume") == 0);
    char base[256];
    scratch_make(base);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_kill, base),
        cmocka_unit_test_prestate(test_one_process_a_folder, base),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(base);
    return failed;
}
