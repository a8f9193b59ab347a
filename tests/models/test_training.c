/* test_training.c -- both stages as a user trains them: runs stopped by Ctrl-C or killed, resumed with the
 * kernel cache gone, equal the uninterrupted ones bit for bit; what does not fit together is refused.
 * The program runs itself as the training process.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae_train.h"
#include "models/prior/prior_train.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"
#include "tests/train/run_compare.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static room base;
static char data[100], dvae[100];

/* What makes a step depend on more than its number, if anything is wrong. */
static const char *const dvae_sets[] = { "steps=23",         "batch=3",         "threads=2",
                                         "augment=listing1", "save_every=9",    "sample_every=0",
                                         "eval_every=6",     "image_size=16",   "holdout=0.2",
                                         "quantiser=gumbel", "precision=mixed", "loss_scale_every=4",
                                         "log_every=4",      "accumulate=3",    NULL };
static const char *const prior_sets[] = { "text_vocabulary=300",
                                          "steps=23",
                                          "batch=3",
                                          "threads=2",
                                          "augment=listing2",
                                          "dropout=0.1",
                                          "bpe_dropout=0.2",
                                          "log_every=4",
                                          "save_every=9",
                                          "sample_every=0",
                                          "eval_every=6",
                                          "holdout=0.2",
                                          "keyword_captions=0.5",
                                          "caption_others=0.5",
                                          "caption_templates=builtin",
                                          "caption_shuffle=0.2",
                                          "caption_drop_words=0.2",
                                          "caption_stray_words=0.3",
                                          "schedule=plateau",
                                          "plateau_patience=1",
                                          "precision=paper",
                                          "variance_clip=5",
                                          "rounding=stochastic",
                                          NULL };

/* ---- The training process: self KIND RUN new|resume DATA DVAE ---- */

static int train(char **argv)
{
    error err;
    const char *kind = argv[1];
    bool first = kind[0] == 'd', resume = strcmp(argv[3], "resume") == 0;
    train_request r = {
        .run = argv[2], .resume = resume, .seed = -1, .quiet = true, .interrupted = &stopped
    };
    if (!resume) {
        r.preset = "tiny";
        r.data = argv[4];
        if (!first) r.parts[0] = (train_part){ &dvae_kind, argv[5] };
        r.sets = first ? dvae_sets : prior_sets;
        while (r.sets[r.set_count]) ++r.set_count;
    }
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGINT, &action, NULL);
    if (first ? dvae_train(&r, &err) : prior_train(&r, &err)) return 0;
    fprintf(stderr, "%s\n", err.message);
    return err.code == ERROR_INTERRUPTED ? 3 : 1;
}

static pid_t start(const char *kind, const char *run, bool resume, const char *cache)
{
    pid_t child = fork();
    if (child == 0) {
        if (cache) setenv("DALLE_CL_CACHE", cache, 1);
        execl("/proc/self/exe", "training", kind, run, resume ? "resume" : "new", data, dvae, (char *)NULL);
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

static int64_t lines_of(const char *run)
{
    char *text =
        file_exists(in(run, "metrics.jsonl")) ? file_read(in(run, "metrics.jsonl"), NULL, NULL) : NULL;
    int64_t count = 0;
    for (const char *c = text; c && *c; ++c) count += *c == '\n';
    free(text);
    return count;
}

static bool runs(pid_t child)
{
    siginfo_t info = { 0 };
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

/* Sends the signal once the run has written that many metric lines. */
static int stop_after_lines(pid_t child, const char *run, int64_t lines, int number)
{
    for (int i = 0; i < 60000 && lines_of(run) < lines && runs(child); ++i)
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    kill(child, number);
    return wait_for(child);
}

static void resumes(const char *kind)
{
    char whole[120], broken[120], empty[120];
    snprintf(whole, sizeof whole, "%s/%s-whole", base.path, kind);
    snprintf(broken, sizeof broken, "%s/%s-broken", base.path, kind);
    snprintf(empty, sizeof empty, "%s/%s-cache", base.path, kind);
    assert_int_equal(wait_for(start(kind, whole, false, NULL)), 0);

    int ends[2];
    ends[0] = stop_after_lines(start(kind, broken, false, NULL), broken, 2, SIGINT);
    assert_true(ends[0] == 3 || ends[0] == 0);
    ends[1] = stop_after_lines(start(kind, broken, true, NULL), broken, 5, SIGKILL);
    assert_true(ends[1] == -SIGKILL || ends[1] == 0);
    print_message("%s: interrupted %d, killed %d\n", kind, ends[0] == 3, ends[1] != 0);
    assert_int_equal(wait_for(start(kind, broken, true, empty)), 0);
    assert_same_run(whole, broken);
}

static void test_dvae_resumes(void **state)
{
    (void)state;
    resumes("dvae");
}

static void test_prior_resumes(void **state)
{
    (void)state;
    resumes("prior");
}

/* ---- What is refused, and how it is said ---- */

static error refused(const char *kind, const char *from, const char *with, const char *run,
                     const char *const *sets)
{
    error err = { 0 };
    if (train_tiny(kind, from, with, run, sets, &err)) fail_msg("%s trained in '%s'", kind, run);
    print_message("%s\n", err.message);
    assert_true(strlen(err.message) > 10);
    return err;
}

static const char *path_of(const char *name)
{
    return at(&base, name);
}

static void test_changed_settings(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = { "learning_rate=0.5", NULL };
    train_request r = {
        .run = dvae, .resume = true, .sets = sets, .set_count = 1, .seed = -1, .quiet = true
    };
    assert_false(dvae_train(&r, &err));
    print_message("%s\n", err.message);
    assert_int_equal(error_exit_status(&err), 2);
    assert_says(&err, "learning_rate");
    r = (train_request){ .run = path_of("nothing"), .resume = true, .seed = -1, .quiet = true };
    assert_false(dvae_train(&r, &err));
    assert_says(&err, "nothing");
    err = refused("dvae", data, NULL, dvae, NULL); /* holds a run already */
    assert_says(&err, "--resume");
}

static void test_bad_data(void **state)
{
    (void)state;
    const char *const none[] = { NULL };
    error err = refused("dvae", path_of("no.tar"), NULL, path_of("r1"), none);
    assert_says(&err, "no.tar");
    assert_true(file_make_folders(path_of("bare"), NULL));
    err = refused("dvae", path_of("bare"), NULL, path_of("r1"), none);
    assert_says(&err, "bare");
    copy_cut(data, path_of("cut.tar"), 1500);
    refused("dvae", path_of("cut.tar"), NULL, path_of("r1"), none);
    write_text(path_of("text.tar"), "no tar at all, only text\n");
    err = refused("dvae", path_of("text.tar"), NULL, path_of("r1"), none);
    assert_says(&err, "text.tar");

    drawings_folder(path_of("spoilt"), 3);
    write_text(path_of("spoilt/1.png"), "not a picture");
    write_text(path_of("spoilt/2.png"), "nor is this"); /* one of three would be skipped */
    err = refused("dvae", path_of("spoilt"), NULL, path_of("r2"), none);
    assert_says(&err, "1.png");
    write_text(path_of("file"), "x");
    err = refused("dvae", data, NULL, path_of("file/run"), none);
    assert_says(&err, "file");
}

static void test_parts_that_do_not_fit(void **state)
{
    (void)state;
    error err = refused("prior", data, path_of("bare2"), path_of("p1"), NULL);
    assert_says(&err, "bare2");
    assert_int_equal(error_exit_status(&err), 2);
    err = refused("prior", data, dvae, path_of("p2"), (const char *const[]){ "heads=5", NULL });
    assert_int_equal(error_exit_status(&err), 2);
    train_request r = {
        .preset = "tiny", .data = data, .parts = { { &dvae_kind, dvae } }, .run = path_of("p4"), .seed = -1
    };
    r.quiet = true;
    r.tokenizer = data;
    r.run = path_of("p5");
    assert_false(prior_train(&r, &err));
    print_message("%s\n", err.message);
    assert_says(&err, "data.tar");
}

/* A step size of 1 makes figures that are no numbers; the run ends with a reason, or goes on unharmed. */
static void test_divergence(void **state)
{
    (void)state;
    error err = { 0 };
    const char *const sets[] = { "learning_rate=1",  "clip=0",         "warmup=0",         "steps=40",
                                 "stop_after_bad=5", "sample_every=0", "quantiser=gumbel", NULL };
    bool ok = train_tiny("dvae", data, NULL, path_of("wild"), sets, &err);
    if (!ok) print_message("%s\n", err.message);
    assert_true(ok || err.code == ERROR_DIVERGED);
    safetensors *f = safetensors_open(path_of("wild/checkpoint.safetensors"), &err);
    if (!f) fail_msg("%s", err.message);
    const safetensors_tensor *t = safetensors_find(f, "encoder.input.weight");
    assert_non_null(t);
    for (int64_t i = 0; i < t->bytes / 4; ++i) assert_true(isfinite(((const float *)t->data)[i]));
    safetensors_close(f);
}

/* --init takes parameters over; another size is refused. */
static void test_init(void **state)
{
    (void)state;
    error err;
    const char *const still[] = { "steps=1",        "learning_rate=0", "learning_rate_end=0", "batch=8",
                                  "weight_decay=0", "ema=0",           "sample_every=0",      NULL };
    train_request r = { .preset = "tiny", .data = data, .run = path_of("again"), .init = dvae, .seed = 5 };
    r.quiet = true;
    r.sets = still;
    r.set_count = 7;
    if (!dvae_train(&r, &err)) fail_msg("%s", err.message);
    safetensors *a = safetensors_open(in(dvae, "checkpoint.safetensors"), &err),
                *b = safetensors_open(path_of("again/checkpoint.safetensors"), &err);
    const safetensors_tensor *x = safetensors_find(a, "ema.encoder.input.weight"),
                             *y = safetensors_find(b, "encoder.input.weight");
    assert_non_null(x);
    assert_non_null(y);
    assert_memory_equal(x->data, y->data, (size_t)x->bytes);
    safetensors_close(a);
    safetensors_close(b);
    const char *const wider[] = { "channels=16", NULL };
    r.sets = wider;
    r.set_count = 1;
    r.run = path_of("wider");
    assert_false(dvae_train(&r, &err));
    print_message("%s\n", err.message);
}

/* Figures of validation depend on the model and the pictures, not on how many are looked at together: a rank
 * looks at fewer than a run of one, and its loss is read beside that one's. */
static void validates_alike(const char *batch, const char *accumulate, double figures[3])
{
    error err = { 0 };
    const char *const sets[] = {
        batch,          accumulate,       "steps=1",      "learning_rate=0",

        "eval_every=1", "sample_every=0", "holdout=0.35", "text_vocabulary=300", "ema=0", NULL
    };
    char run[60];
    snprintf(run, sizeof run, "by-%s-%s", batch, accumulate);
    if (!train_tiny("prior", data, dvae, path_of(run), sets, &err)) fail_msg("%s", err.message);
    char *text = file_read(in(path_of(run), "metrics.jsonl"), NULL, &err),
         *line = text ? strstr(text, "\"kind\":\"eval\"") : NULL;
    assert_non_null(line);
    static const char *const names[] = { "\"loss\":", "\"text\":", "\"image\":" };
    for (int i = 0; i < 3; ++i) {
        const char *value = strstr(line, names[i]);
        assert_non_null(value);
        figures[i] = strtod(value + strlen(names[i]), NULL);
    }
    free(text);
}

static void test_validation_is_of_all_tokens(void **state)
{
    (void)state;
    static const char *const batches[][2] = { { "batch=1", "accumulate=1" },
                                              { "batch=3", "accumulate=1" },
                                              { "batch=8", "accumulate=4" } };
    double first[3], other[3];
    validates_alike(batches[0][0], batches[0][1], first);
    print_message("loss %.6f, text %.6f, image %.6f\n", first[0], first[1], first[2]);
    for (int i = 1; i < 3; ++i) {
        validates_alike(batches[i][0], batches[i][1], other);
        for (int k = 0; k < 3; ++k) assert_true(fabs(other[k] - first[k]) <= 2e-5 * first[k]);
    }
}

static int set_up(void **state)
{
    (void)state;
    error err;
    base = room_create();
    snprintf(data, sizeof data, "%s/data.tar", base.path);
    snprintf(dvae, sizeof dvae, "%s/dvae", base.path);
    drawings_tar(data, DRAWINGS);
    const char *const sets[] = { "steps=10", "batch=8", "sample_every=0", NULL };
    if (train_tiny("dvae", data, NULL, dvae, sets, &err)) return 0;
    fprintf(stderr, "%s\n", err.message);
    return -1;
}

static int tear_down(void **state)
{
    (void)state;
    room_remove(&base);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6) return train(argv);
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dvae_resumes),
        cmocka_unit_test(test_prior_resumes),
        cmocka_unit_test(test_changed_settings),
        cmocka_unit_test(test_bad_data),
        cmocka_unit_test(test_parts_that_do_not_fit),
        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_validation_is_of_all_tokens),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
