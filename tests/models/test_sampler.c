/* test_sampler.c -- drawing with a cache gives the logits of the whole stream, and picture i depends on
 * model, caption, seed and i only.
 * SPDX-License-Identifier: MIT */
#include "tests/models/small_prior.h"
#include "tests/support/device_or_skip.h"

enum { MOST = 19 };

static device *hardware;

static void whole_stream(store *s, const prior_config *c, const int32_t *text, const int32_t *tokens,
                         float *logits)
{
    error err;
    graph *g = graph_create(s, &err);
    graph_set_trainable(g, false);
    tensor *t = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ 1, TEXT });
    tensor *i = graph_input(g, "image", DTYPE_I32, 2, (int64_t[]){ 1, TOKENS });
    prior_places places = prior_places_input(g, &small_shape);
    prior_weights w = prior_declare(g, c, &small_shape);
    tensor *out =
        prior_image_logits(c, &w, prior_states(g, c, &small_shape, &w, &places, t, i, NULL)); /* [1,N,K] */
    graph_keep(out);
    bool ok = graph_compile(g, 3, "batch", &err) && prior_write_places(&places, &small_shape, &err) &&
              graph_write(t, text, &err) && graph_write(i, tokens, &err) && graph_run(g, &err) &&
              graph_read_f32(out, logits, &err);
    if (!ok) fail_msg("%s", err.message);
    graph_destroy(g);
}

static void compare_logits(const char *const *sets)
{
    error err;
    prior_config c = small_config(sets);
    store *s = store_create(hardware, &err);
    int32_t text[TEXT], real[TOKENS];
    static float cached[TOKENS * CODES], whole[TOKENS * CODES];
    /* So many image tokens are read with the text: rows, parts of them, all but one. */
    static const struct {
        int64_t batch, given;
    } ways[] = { { 1, 0 }, { 3, 0 }, { 1, SIDE }, { 3, 2 * SIDE }, { 2, SIDE + 1 }, { 1, TOKENS - 1 } };
    for (int which = 0; which < 2; ++which) {
        small_text(which, text);
        for (int i = 0; which == 1 && i < TEXT; ++i) text[i] = -1; /* padding alone */
        small_image(which, real);
        whole_stream(s, &c, text, real, whole);
        for (size_t way = 0; way < sizeof ways / sizeof *ways; ++way) {
            int64_t given = ways[way].given;
            prior_sampler *p = prior_sampler_create(s, &c, &small_shape, ways[way].batch, false, &err);
            if (!p || !prior_sampler_logits(p, text, real, given, cached, &err)) fail_msg("%s", err.message);
            prior_sampler_destroy(p);
            float worst = 0, largest = 0;
            for (int64_t i = given * CODES; i < TOKENS * CODES; ++i) {
                worst = fmaxf(worst, fabsf(cached[i] - whole[i]));
                largest = fmaxf(largest, fabsf(whole[i]));
            }
            print_message("layers %lld, %s, window %lld, batch %lld, %lld given: %.1e\n", (long long)c.layers,
                          c.attention == prior_attention_full ? "full" : "sparse", (long long)c.window,
                          (long long)ways[way].batch, (long long)given, (double)(worst / largest));
            assert_true(worst <= 1e-4f * largest && largest > 0.1f);
        }
    }
    store_destroy(s);
}

static void test_cached_logits(void **state)
{
    (void)state;
    compare_logits((const char *const[]){ "layers=1", "window=3", NULL });  /* convolution */
    compare_logits((const char *const[]){ "layers=2", "window=1", NULL });  /* row, convolution of one */
    compare_logits((const char *const[]){ "layers=3", "window=11", NULL }); /* column; wider than the side */
    compare_logits(
        (const char *const[]){ "layers=5", "window=5", "tie_embeddings=yes", "row_reach=2", NULL });
    compare_logits((const char *const[]){ "layers=2", "attention=full", NULL });
}

/* Matrices that 16-bit floats hold exactly give the same bits stored either way. */
static void test_stored_in_half(void **state)
{
    (void)state;
    error err;
    prior_config c = small_config((const char *const[]){ "layers=3", NULL });
    static float logits[2][TOKENS * CODES];
    int32_t text[TEXT], tokens[TOKENS];
    store *s[2];
    prior_sampler *p[2];
    small_text(1, text);
    small_image(2, tokens);
    for (int half = 0; half < 2; ++half) {
        s[half] = store_create(hardware, &err);
        if (half) store_set_weight_type(s[half], DTYPE_F16);
        p[half] = prior_sampler_create(s[half], &c, &small_shape, 2, false, &err);
        if (!p[half]) fail_msg("%s", err.message);
    }
    int stored = 0;
    for (int i = 0; i < store_count(s[1]); ++i) {
        store_entry *e = store_at(s[1], i), *other = store_find(s[0], e->name);
        if (e->kind != STORE_PARAMETER) continue;
        float *values = malloc((size_t)e->count * sizeof *values);
        bool ok =
            values && store_read_f32(s[1], e, values, &err) && store_write_f32(s[0], other, values, &err);
        free(values);
        if (!ok) fail_msg("%s", err.message);
        assert_int_equal(other->type, DTYPE_F32);
        stored += e->type == DTYPE_F16;
    }
    assert_int_equal(stored, 3 * 6 + 2); /* a block's six matrices; the logits' two */
    for (int half = 0; half < 2; ++half) {
        if (!prior_sampler_logits(p[half], text, tokens, 0, logits[half], &err)) fail_msg("%s", err.message);
        prior_sampler_destroy(p[half]);
        store_destroy(s[half]);
    }
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
}

typedef struct drawing {
    store *store;
    prior_config config;
    int32_t text[TEXT];
} drawing;

static drawing drawing_open(void)
{
    error err;
    drawing d = { .store = store_create(hardware, &err),
                  .config = small_config((const char *const[]){ NULL }) };
    small_text(3, d.text);
    return d;
}

static void draw(const drawing *d, int64_t batch, prior_draw how, int32_t *tokens)
{
    error err;
    how.text = d->text;
    prior_sampler *p = prior_sampler_create(d->store, &d->config, &small_shape, batch, false, &err);
    if (!p || !prior_sampler_draw(p, &how, tokens, &err)) fail_msg("%s", err.message);
    for (int64_t i = 0; i < how.count * TOKENS; ++i) assert_in_range(tokens[i], 0, CODES - 1);
    prior_sampler_destroy(p);
}

static void same_pictures(double guidance)
{
    static int32_t all[MOST * TOKENS], some[MOST * TOKENS];
    static const struct {
        int64_t batch, first, count;
    } ways[] = {
        { 1, 0, 1 }, { 1, 4, 3 }, { 3, 0, 3 }, { 4, 0, 16 }, { 16, 0, 1 }, { 16, 3, 16 }, { 5, 18, 1 },
    };
    drawing d = drawing_open();
    prior_draw how = { .seed = 77, .temperature = 1, .top_k = 12, .top_p = 0.95, .guidance = guidance };
    how.count = MOST;
    draw(&d, 16, how, all);
    for (int i = 1; i < MOST; ++i) assert_memory_not_equal(all, all + i * TOKENS, TOKENS * sizeof *all);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; ++w) {
        how.first = ways[w].first;
        how.count = ways[w].count;
        draw(&d, ways[w].batch, how, some);
        assert_memory_equal(some, all + ways[w].first * TOKENS,
                            (size_t)(ways[w].count * TOKENS) * sizeof *some);
    }
    store_destroy(d.store);
}

static void test_same_pictures(void **state)
{
    (void)state;
    same_pictures(1);
    same_pictures(2.5);
}

/* The margin by which `token` is the largest of what guidance makes of the logits with and without the
 * caption. */
static double margin_of(const float *with, const float *without, double guidance, int32_t token)
{
    double others = -INFINITY, own = 0;
    for (int k = 0; k < CODES; ++k) {
        double z = (double)without[k] + guidance * ((double)with[k] - (double)without[k]);
        if (k == token)
            own = z;
        else
            others = fmax(others, z);
    }
    return own - others;
}

/* Every likeliest token with guidance is the largest of the two captions' logits, combined in double
 * precision. */
static void test_guidance(void **state)
{
    (void)state;
    error err;
    static float with[TOKENS * CODES], without[TOKENS * CODES];
    int32_t plain[2 * TOKENS], guided[2 * TOKENS], empty[TEXT];
    drawing d = drawing_open();
    prior_draw how = { .seed = 1, .count = 2, .temperature = 0, .top_p = 1, .guidance = 1 };
    draw(&d, 2, how, plain);
    for (int i = 0; i < TEXT; ++i) empty[i] = -1;
    prior_sampler *p = prior_sampler_create(d.store, &d.config, &small_shape, 1, false, &err);
    if (!p) fail_msg("%s", err.message);
    static const double strengths[] = { 0, 0.5, 3, 20 };
    for (size_t s = 0; s < sizeof strengths / sizeof *strengths; ++s) {
        how.guidance = strengths[s];
        draw(&d, 2, how, guided);
        assert_memory_equal(guided, guided + TOKENS, TOKENS * sizeof *guided);
        assert_memory_not_equal(guided, plain, sizeof guided);
        if (!prior_sampler_logits(p, d.text, guided, 0, with, &err) ||
            !prior_sampler_logits(p, empty, guided, 0, without, &err))
            fail_msg("%s", err.message);
        for (int i = 0; i < TOKENS; ++i)
            assert_true(margin_of(with + i * CODES, without + i * CODES, strengths[s], guided[i]) > -1e-3);
    }
    prior_sampler_destroy(p);
    store_destroy(d.store);
}

/* Nats of the distribution that these logits make. */
static double entropy_of(const float *logits)
{
    double most = -INFINITY, whole = 0, entropy = 0;
    for (int k = 0; k < CODES; ++k) most = fmax(most, (double)logits[k]);
    for (int k = 0; k < CODES; ++k) whole += exp((double)logits[k] - most);
    for (int k = 0; k < CODES; ++k) {
        double p = exp((double)logits[k] - most) / whole;
        entropy -= p > 0 ? p * log(p) : 0;
    }
    return entropy;
}

/* The entropy that comes with a token is that of the caption's own logits, whatever it was drawn with or
 * beside. */
static void test_entropy(void **state)
{
    (void)state;
    error err;
    enum { PICTURES = 5 };
    static float logits[TOKENS * CODES], entropy[PICTURES * TOKENS];
    int32_t tokens[PICTURES * TOKENS];
    drawing d = drawing_open();
    prior_sampler *p = prior_sampler_create(d.store, &d.config, &small_shape, 1, false, &err);
    if (!p) fail_msg("%s", err.message);
    for (int guided = 0; guided < 2; ++guided) {
        prior_draw how = { .seed = 3, .first = 7, .count = PICTURES, .temperature = 0.6, .top_k = 9 };
        how.top_p = 0.9;
        how.guidance = guided ? 3 : 1;
        how.entropy = entropy;
        draw(&d, 2, how, tokens);
        for (int i = 0; i < PICTURES; ++i) {
            if (!prior_sampler_logits(p, d.text, tokens + i * TOKENS, 0, logits, &err))
                fail_msg("%s", err.message);
            for (int j = 0; j < TOKENS; ++j) {
                double wanted = entropy_of(logits + j * CODES);
                assert_true(wanted > 0.1 && fabs((double)entropy[i * TOKENS + j] - wanted) < 1e-3);
            }
        }
    }
    prior_sampler_destroy(p);
    store_destroy(d.store);
}

/* At its two ends guidance is no more than drawing with or without the caption, whatever the settings say. */
static void test_guidance_ends(void **state)
{
    (void)state;
    int32_t plain[3 * TOKENS], other[3 * TOKENS];
    drawing d = drawing_open();
    prior_draw how = { .seed = 9, .count = 3, .temperature = 1, .top_p = 1, .guidance = 1 };
    draw(&d, 3, how, plain);
    d.config.guidance = 4; /* its graphs are built first */
    draw(&d, 3, how, other);
    assert_memory_equal(plain, other, sizeof plain);
    how.guidance = 0;
    draw(&d, 3, how, other);
    assert_memory_not_equal(plain, other, sizeof plain);
    for (int i = 0; i < TEXT; ++i) d.text[i] = -1;
    how.guidance = 1;
    draw(&d, 3, how, plain);
    assert_memory_equal(plain, other, sizeof plain);
    store_destroy(d.store);
}

static bool add_up(void *context, int64_t done, int64_t total)
{
    int64_t *seen = context;
    assert_true(done > seen[0] && done <= total);
    seen[0] = done;
    seen[1] = total;
    return true;
}

/* Pictures that start with a picture's first tokens, read in one pass, go on as that picture did: what is
 * drawn at a place depends on seed and number, not on how the tokens before it came about. */
static void check_given(double guidance)
{
    enum { PICTURES = 5 };
    static const struct {
        int64_t batch, given;
    } ways[] = { { 1, SIDE }, { 4, 2 * SIDE }, { 1, SIDE + 2 }, { 2, TOKENS - 1 } };
    int32_t whole[PICTURES * TOKENS], again[2 * TOKENS];
    float before[PICTURES * TOKENS], after[2 * TOKENS];
    drawing d = drawing_open();
    prior_draw how = { .seed = 21, .count = PICTURES, .temperature = 1, .top_p = 1, .guidance = guidance };
    how.entropy = before;
    draw(&d, 4, how, whole);
    how.entropy = after;
    for (size_t w = 0; w < sizeof ways / sizeof *ways; ++w)
        for (int i = 0; i + 1 < PICTURES; ++i) {
            int64_t seen[2] = { 0 };
            const int32_t *own = whole + i * TOKENS;
            how.first = i;
            how.count = 2;
            how.given = own;
            how.given_count = ways[w].given;
            how.progress = add_up;
            how.context = seen;
            draw(&d, ways[w].batch, how, again);
            assert_memory_equal(again, own, TOKENS * sizeof *own);
            /* The next one starts alike and is drawn anew. */
            assert_memory_equal(again + TOKENS, own, (size_t)how.given_count * sizeof *own);
            assert_int_equal(seen[0], 2 * (TOKENS - how.given_count));
            assert_int_equal(seen[1], seen[0]);
            for (int j = 0; j < TOKENS; ++j) {
                float wanted = j < how.given_count ? 0 : before[i * TOKENS + j];
                assert_true(fabsf(after[j] - wanted) < 1e-3f);
            }
        }
    store_destroy(d.store);
}

static void test_given(void **state)
{
    (void)state;
    check_given(1);
    check_given(2.5);
}

/* How often a kernel was launched, by a profile's table. */
static int launches_of(const char *table, const char *kernel)
{
    int count = 0;
    const char *line = strstr(table, kernel);
    if (line) sscanf(line + strlen(kernel), " %d", &count);
    return count;
}

/* The caption is read once, however many batches are drawn. */
static void test_read_once(void **state)
{
    (void)state;
    error err;
    int32_t tokens[9 * TOKENS];
    drawing d = drawing_open();
    prior_draw how = { .seed = 5, .count = 9, .temperature = 1, .top_p = 1, .guidance = 1 };
    if (!device_profile_start(hardware, &err)) fail_msg("%s", err.message);
    draw(&d, 2, how, tokens);
    char *table = device_profile_report(hardware, &err);
    if (!table) fail_msg("%s", err.message);
    assert_int_equal(launches_of(table, "embedding_padded"), 1);
    assert_int_equal(launches_of(table, "sample"), 5 * TOKENS);
    free(table);
    store_destroy(d.store);
}

/* A profile looks at kernels one by one: the same tokens. */
static void check_joined(double guidance)
{
    error err;
    int32_t joined[3 * TOKENS], apart[3 * TOKENS];
    drawing d = drawing_open();
    prior_draw how = { .seed = 5, .count = 3, .temperature = 1, .top_p = 0.9, .guidance = guidance };
    d.config.guidance = guidance;
    prior_sampler *p = prior_sampler_create(d.store, &d.config, &small_shape, 3, false, &err);
    if (!p) fail_msg("%s", err.message);
    assert_int_equal(prior_sampler_joined(p), device_get_info(hardware)->joins);
    prior_sampler_destroy(p);
    draw(&d, 3, how, joined);
    if (!device_profile_start(hardware, &err)) fail_msg("%s", err.message);
    draw(&d, 3, how, apart);
    char *table = device_profile_report(hardware, &err);
    if (!table) fail_msg("%s", err.message);
    assert_non_null(strstr(table, "attention_decode"));
    free(table);
    assert_memory_equal(joined, apart, sizeof joined);
    store_destroy(d.store);
}

static void test_joined(void **state)
{
    (void)state;
    check_joined(1);
    check_joined(3);
}

static void test_greedy_and_seeds(void **state)
{
    (void)state;
    int32_t greedy[3 * TOKENS], other[3 * TOKENS];
    drawing d = drawing_open();
    prior_draw how = { .seed = 1, .count = 3, .temperature = 0, .top_p = 1, .guidance = 1 };
    draw(&d, 3, how, greedy);
    assert_memory_equal(greedy, greedy + TOKENS, TOKENS * sizeof *greedy);
    assert_memory_equal(greedy, greedy + 2 * TOKENS, TOKENS * sizeof *greedy);

    how = (prior_draw){ .seed = 2, .count = 3, .temperature = 1, .top_k = 1, .top_p = 1, .guidance = 1 };
    draw(&d, 3, how, other);
    assert_memory_equal(greedy, other, sizeof greedy);
    how = (prior_draw){ .seed = 2, .count = 3, .temperature = 1, .top_p = 0, .guidance = 1 };
    draw(&d, 3, how, other);
    assert_memory_equal(greedy, other, sizeof greedy);

    /* Greedy tokens are the largest logits of the path that drew them. */
    error err;
    static float logits[TOKENS * CODES];
    prior_sampler *p = prior_sampler_create(d.store, &d.config, &small_shape, 1, false, &err);
    if (!p || !prior_sampler_logits(p, d.text, greedy, 0, logits, &err)) fail_msg("%s", err.message);
    for (int i = 0; i < TOKENS; ++i)
        for (int k = 0; k < CODES; ++k) assert_true(logits[i * CODES + k] <= logits[i * CODES + greedy[i]]);
    prior_sampler_destroy(p);

    how = (prior_draw){ .seed = 1, .count = 3, .temperature = 1, .top_p = 1, .guidance = 1 };
    draw(&d, 3, how, greedy);
    how.seed = 2;
    draw(&d, 3, how, other);
    assert_memory_not_equal(greedy, other, sizeof greedy);
    how.seed = 1 + (1ull << 32); /* all of the seed counts */
    draw(&d, 3, how, other);
    assert_memory_not_equal(greedy, other, sizeof greedy);
    store_destroy(d.store);
}

static bool stop_at_once(void *context, int64_t done, int64_t total)
{
    (void)total;
    *(int64_t *)context = done;
    return false;
}

static void test_progress_stops(void **state)
{
    (void)state;
    error err = { 0 };
    int64_t seen = -1;
    int32_t tokens[2 * TOKENS];
    drawing d = drawing_open();
    prior_sampler *p = prior_sampler_create(d.store, &d.config, &small_shape, 1, false, &err);
    prior_draw how = {
        .text = d.text, .count = 2, .top_p = 1, .guidance = 1, .progress = stop_at_once, .context = &seen
    };
    /* Sixteen tokens a picture: reported at the end of a picture, and the second is not begun. */
    bool ok = p && prior_sampler_draw(p, &how, tokens, &err);
    assert_true(seen > 0);
    if (!ok) assert_int_equal(err.code, ERROR_INTERRUPTED);
    prior_sampler_destroy(p);
    store_destroy(d.store);
}

int main(void)
{
    hardware = device_or_skip();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cached_logits),
        cmocka_unit_test(test_stored_in_half),
        cmocka_unit_test(test_same_pictures),
        cmocka_unit_test(test_guidance),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_read_once),
        cmocka_unit_test(test_guidance_ends),
        cmocka_unit_test(test_entropy),
        cmocka_unit_test(test_greedy_and_seeds),
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_progress_stops),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(hardware);
    return failed;
}
