/* test_text.c -- what a prior's training makes of captions: variants, templates, the run's files.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/words.h"
#include "models/prior/prior.h"
#include "models/text.h"

enum { BATCH = 4, POSITIONS = 12 };

typedef struct run {
    room at;
    char data[80], folder[80], templates[80];
    training_data *set;
    prior_config config;
} run;

static const dataset *opened; /* by set_up */

/* Six pictures, each with two further captions and two keywords. */
static void make_set(const char *path)
{
    static const char *const json =
        "{\"captions\":[\"further %d\",\"another %d\"],\"keywords\":[\"k\",\"zebra\"]}";
    tar_file t = tar_begin(path, false);
    for (int i = 0; i < 6; ++i) {
        char name[32], text[128];
        snprintf(name, sizeof name, "%d.png", i);
        tar_add_noise(&t, name, 16, 16, (uint32_t)i);
        snprintf(name, sizeof name, "%d.txt", i);
        snprintf(text, sizeof text, "caption %d", i);
        tar_add_text(&t, name, text);
        snprintf(name, sizeof name, "%d.json", i);
        snprintf(text, sizeof text, json, i, i);
        tar_add_text(&t, name, text);
    }
    tar_end(&t);
}

static void set(prior_config *c, const char *assignment)
{
    error err;
    if (!config_assign(&prior_config_table, c, assignment, "test", &err)) fail_msg("%s", err.message);
}

static int set_up(void **state)
{
    static run r;
    error err;
    r = (run){ .at = room_create() };
    snprintf(r.data, sizeof r.data, "%s/set.tar", r.at.path);
    snprintf(r.folder, sizeof r.folder, "%s/run", r.at.path);
    snprintf(r.templates, sizeof r.templates, "%s/ours.txt", r.at.path);
    make_set(r.data);
    const training_data_options options = { .path = r.data,
                                            .split = "",
                                            .size = 16,
                                            .batch = BATCH,
                                            .augment = AUGMENT_NONE,
                                            .flip = AUGMENT_FLIP_OFF,
                                            .threads = 1,
                                            .captions = true };
    r.set = training_data_open(&options, &err);
    if (!r.set) fail_msg("%s", err.message);
    opened = training_data_set(r.set);
    config_defaults(&prior_config_table, &r.config);
    static const char *const always[] = { "text_tokens=12", "text_vocabulary=300", "batch=4",
                                          "bpe_dropout=0" };
    for (size_t i = 0; i < sizeof always / sizeof *always; ++i) set(&r.config, always[i]);
    *state = &r;
    return 0;
}

static int tear_down(void **state)
{
    run *r = *state;
    training_data_close(r->set);
    room_remove(&r->at);
    return 0;
}

static text_source *open_run(run *r, bool resume, error *err)
{
    const train_request request = { .run = r->folder, .resume = resume };
    const text_options options = { .request = &request, .batch = BATCH, .seed = 1 };
    return text_open(&r->config.text, &options, r->set, err);
}

/* The tokens of samples 0 to 3 at `step`, as training or (-1) validation sees them. */
static void tokens_at(text_source *t, int64_t step, int32_t ids[BATCH * POSITIONS])
{
    text_batch b = { 0 };
    assert_true(text_batch_create(&b, t, NULL));
    for (int64_t i = 0; i < BATCH; ++i) assert_true(text_fill(t, &b, i, dataset_at(opened, i), step, NULL));
    memcpy(ids, b.ids, BATCH * POSITIONS * sizeof *ids);
    text_batch_free(&b);
}

static bool same_tokens(text_source *t, int64_t one, int64_t other)
{
    int32_t a[BATCH * POSITIONS], b[BATCH * POSITIONS];
    tokens_at(t, one, a);
    tokens_at(t, other, b);
    return memcmp(a, b, sizeof a) == 0;
}

static void by_default_the_first_caption_is_trained(void **state)
{
    run *r = *state;
    error err;
    text_source *t = open_run(r, false, &err);
    if (!t) fail_msg("%s", err.message);
    for (int step = 0; step < 50; ++step) assert_true(same_tokens(t, -1, step));
    text_close(t);
}

static void captions_vary_in_training_only(void **state)
{
    run *r = *state;
    error err;
    set(&r->config, "caption_others=0.5");
    set(&r->config, "caption_templates=builtin");
    text_source *t = open_run(r, false, &err);
    if (!t) fail_msg("%s", err.message);
    assert_true(same_tokens(t, -1, -1));
    int varied = 0;
    for (int step = 0; step < 50; ++step) {
        assert_true(same_tokens(t, step, step));
        varied += !same_tokens(t, -1, step);
    }
    assert_true(varied > 45);
    text_close(t);
}

/* Words of templates and of all captions count as seen, so that none of them is reported later. */
static void all_words_are_known(void **state)
{
    run *r = *state;
    error err;
    set(&r->config, "caption_templates=builtin");
    text_source *t = open_run(r, false, &err);
    if (!t) fail_msg("%s", err.message);
    char path[128], **unseen;
    snprintf(path, sizeof path, "%s/words.txt", r->folder);
    words *known = words_open(path, &err);
    assert_non_null(known);
    assert_int_equal(
        words_unseen(known, "a picture of another further caption, drawing emoji, nowhere", &unseen, &err),
        1);
    assert_string_equal(unseen[0], "nowhere");
    free(unseen);
    words_destroy(known);
    text_close(t);
}

static void a_run_keeps_its_templates(void **state)
{
    run *r = *state;
    error err;
    char assignment[128];
    assert_true(file_write(r->templates, "# ours\nmy {} there\nhere is {a}\n", 30, &err));
    snprintf(assignment, sizeof assignment, "caption_templates=%s", r->templates);
    set(&r->config, assignment);
    set(&r->config, "caption_template_odds=1");
    text_source *t = open_run(r, false, &err);
    if (!t) fail_msg("%s", err.message);
    int32_t before[20][BATCH * POSITIONS], after[BATCH * POSITIONS];
    for (int step = 0; step < 20; ++step) tokens_at(t, step, before[step]);
    text_close(t);
    /* The file changes; the run goes on with its own. */
    assert_true(file_write(r->templates, "other {}\n", 9, &err));
    t = open_run(r, true, &err);
    if (!t) fail_msg("%s", err.message);
    for (int step = 0; step < 20; ++step) {
        tokens_at(t, step, after);
        assert_memory_equal(before[step], after, sizeof after);
    }
    text_close(t);
    /* A copy that is gone is missed, not replaced. */
    char copy[128];
    snprintf(copy, sizeof copy, "%s/templates.txt", r->folder);
    assert_int_equal(unlink(copy), 0);
    assert_null(open_run(r, true, &err));
    assert_says(&err, "templates.txt");
}

static void mistaken_templates_leave_no_run(void **state)
{
    run *r = *state;
    error err;
    char assignment[128];
    snprintf(assignment, sizeof assignment, "caption_templates=%s", r->templates);
    set(&r->config, assignment);
    assert_null(open_run(r, false, &err));
    assert_says(&err, "caption_templates: ");
    assert_says(&err, "ours.txt");
    assert_true(file_write(r->templates, "{}\nnone\n", 8, &err));
    assert_null(open_run(r, false, &err));
    assert_says(&err, "ours.txt:2: it has no {}");
    assert_false(file_exists(r->folder));
}

static text_source *open_sharing(run *r, const tokenizer *shared, bool resume, error *err)
{
    const train_request request = { .run = r->folder, .resume = resume };
    const text_options options = {
        .request = &request, .shared = shared, .shared_tokens = POSITIONS, .batch = BATCH, .seed = 1
    };
    return text_open(&r->config.text, &options, r->set, err);
}

/* Another part's tokenizer: nothing of it is written, and settings are its. */
static void a_tokenizer_may_be_shared(void **state)
{
    run *r = *state;
    static const char *const others[] = { "caption 1 another further zebra", "k words of another part" };
    char model[128];
    error err;
    snprintf(model, sizeof model, "%s/other.model", r->at.path);
    tokenizer *shared = tokenizer_train(others, 2, 285, model, &err) ? tokenizer_open(model, &err) : NULL;
    if (!shared) fail_msg("%s", err.message);
    set(&r->config, "caption_templates=builtin");
    set(&r->config, "caption_stray_words=0.5");
    set(&r->config, "text_tokens=5");
    int32_t before[BATCH * POSITIONS], *ids;
    for (int resume = 0; resume < 2; ++resume) {
        text_source *t = open_sharing(r, shared, resume, &err);
        if (!t) fail_msg("%s", err.message);
        assert_ptr_equal(text_tokenizer(t), shared);
        assert_int_equal(r->config.text_tokens, POSITIONS);
        assert_int_equal(r->config.text_vocabulary, 285);
        int32_t drawn[BATCH * POSITIONS];
        tokens_at(t, 7, drawn);
        if (resume) assert_memory_equal(drawn, before, sizeof before);
        memcpy(before, drawn, sizeof before);
        tokens_at(t, -1, drawn);
        int count = tokenizer_encode(shared, "caption 2", &ids, &err);
        assert_true(count > 1 && count <= POSITIONS);
        assert_memory_equal(drawn + 2 * POSITIONS, ids, (size_t)count * sizeof *ids);
        free(ids);
        text_close(t);
    }
    snprintf(model, sizeof model, "%s/tokenizer.model", r->folder);
    assert_false(file_exists(model));
    tokenizer_close(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_default_the_first_caption_is_trained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(captions_vary_in_training_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_words_are_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_keeps_its_templates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistaken_templates_leave_no_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tokenizer_may_be_shared, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
