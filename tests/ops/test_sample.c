/* Sampling against a naive host that sorts and draws the same uniforms; the distribution of the draws;
 * and that a picture's tokens do not depend on its batch.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

#include <stdlib.h>

typedef struct candidate {
    double logit, weight;
    int index;
} candidate;

static int by_logit(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->logit != y->logit) return x->logit < y->logit ? 1 : -1;
    return x->index - y->index;
}

static int by_index(const void *a, const void *b)
{
    return ((const candidate *)a)->index - ((const candidate *)b)->index;
}

/* The token, and in *margin how far the nearest decision was from going the other way. */
static int naive(const float *logits, int columns, const float *settings, double uniform, double *margin)
{
    candidate *c = malloc((size_t)columns * sizeof *c);
    *margin = 1.0;
    for (int i = 0; i < columns; ++i) c[i] = (candidate){ (double)logits[i], 0, i };
    qsort(c, (size_t)columns, sizeof *c, by_logit);
    int kept = columns, found = c[0].index;
    if (settings[0] > 0.0f) {
        if (settings[1] >= 1.0f && settings[1] < (float)columns) kept = (int)settings[1];
        double whole = 0.0, run = 0.0;
        for (int i = 0; i < kept; ++i)
            whole += c[i].weight = exp((c[i].logit - c[0].logit) / (double)settings[0]);
        if (settings[2] < 1.0f) {
            double target = (double)settings[2] * whole;
            int nucleus = 0;
            while (nucleus < kept && (nucleus == 0 || run < target)) {
                run += c[nucleus++].weight;
                *margin = fmin(*margin, fabs(run - target) / whole);
            }
            kept = nucleus;
            whole = run;
        }
        qsort(c, (size_t)kept, sizeof *c, by_index);
        run = 0.0;
        found = -1;
        for (int i = 0; i < kept; ++i) {
            run += c[i].weight;
            *margin = fmin(*margin, fabs(run - uniform * whole) / whole);
            if (found < 0 && run > uniform * whole) found = c[i].index;
        }
    }
    free(c);
    return found;
}

typedef struct sampler {
    rig r;
    tensor *logits, *settings, *random, *position, *ids;
} sampler;

static sampler sampler_open(int shape, int64_t rows, int64_t columns)
{
    sampler s = { .r = rig_open(shape) };
    s.logits = rig_input(&s.r, "logits", DTYPE_F32, RIG_DIM(rows, columns));
    s.settings = rig_input(&s.r, "settings", DTYPE_F32, RIG_DIM(4));
    s.random = rig_input(&s.r, "random", DTYPE_I32, RIG_DIM(4));
    s.position = rig_input(&s.r, "position", DTYPE_I32, RIG_DIM(1));
    s.ids = op_sample(s.logits, s.settings, s.random, s.position);
    graph_keep(s.ids);
    rig_compile(&s.r);
    return s;
}

static void sampler_draw(sampler *s, const float *settings, int32_t first, int32_t position, int32_t *ids)
{
    rig_write(s->settings, settings);
    rig_write(s->random, (int32_t[]){ 7, 9, 3, first });
    rig_write(s->position, &position);
    rig_run(&s->r);
    rig_read(s->ids, ids);
}

static const float all_settings[][4] = {
    { 0, 0, 1, 0 },     { 1, 0, 1, 0 },        { 0.7f, 5, 1, 0 },
    { 1, 1, 1, 0 },     { 1, 0, 0.9f, 0 },     { 2, 0, 0.5f, 0 },
    { 1, 0, 0, 0 },     { 1.5f, 20, 0.8f, 0 }, { 1, 1000000, 0.999f, 0 },
    { 0.01f, 0, 1, 0 }, { 1, 40, 0.3f, 0 },
};

/* levels > 0: logits take so many values only, so that there are ties everywhere. */
static int check_against_naive(int shape, int columns, int levels)
{
    enum { ROWS = 8 }; /* several work-groups at once */
    sampler s = sampler_open(shape, ROWS, columns);
    float *x = malloc((size_t)(ROWS * columns) * sizeof *x);
    rig_fill(x, ROWS * columns, 3, -4.0f, 4.0f);
    for (int i = 0; levels && i < ROWS * columns; ++i) x[i] = roundf(x[i] / 8.0f * (float)levels);
    rig_write(s.logits, x);
    int wrong = 0, compared = 0;
    uint32_t stream = philox_stream(s.ids->from->name);
    for (size_t k = 0; k < sizeof all_settings / sizeof *all_settings; ++k)
        for (int position = 0; position < 6; ++position) {
            int32_t ids[ROWS];
            sampler_draw(&s, all_settings[k], 4, position, ids);
            for (int row = 0; row < ROWS; ++row) {
                philox p = { 7 | (uint64_t)9 << 32, 3, stream + 4 + (uint32_t)row };
                double margin, uniform = (double)philox_uniform(&p, (uint32_t)position);
                int wanted = naive(x + row * columns, columns, all_settings[k], uniform, &margin);
                if (margin < 2e-6) continue;
                ++compared;
                if (ids[row] == wanted) continue;
                if (wrong++ < 5)
                    fprintf(stderr,
                            "sample %d columns, %d levels, settings %g %g %g: %d, not %d (margin %g)\n",
                            columns, levels, (double)all_settings[k][0], (double)all_settings[k][1],
                            (double)all_settings[k][2], ids[row], wanted, margin);
            }
        }
    if (compared < 100) ++wrong;
    free(x);
    rig_close(&s.r);
    return wrong;
}

/* 4,000 pictures draw from one distribution over 8 tokens: chi-square, 7 degrees of freedom. */
static int check_distribution(void)
{
    enum { ROWS = 4000, CLASSES = 8 };
    sampler s = sampler_open(0, ROWS, CLASSES);
    float x[CLASSES], *all = malloc(ROWS * sizeof x);
    int32_t *ids = malloc(ROWS * sizeof *ids);
    double counts[CLASSES] = { 0 }, whole = 0.0, chi = 0.0;
    for (int i = 0; i < CLASSES; ++i) whole += exp((double)(x[i] = 0.3f * (float)(i % 5)));
    for (int row = 0; row < ROWS; ++row) memcpy(all + row * CLASSES, x, sizeof x);
    rig_write(s.logits, all);
    sampler_draw(&s, all_settings[1], 0, 11, ids);
    for (int row = 0; row < ROWS; ++row) counts[ids[row]] += 1.0;
    for (int i = 0; i < CLASSES; ++i) {
        double expected = ROWS * exp((double)x[i]) / whole;
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    if (chi > 31) fprintf(stderr, "sample: chi-square is %g, for 7 degrees of freedom\n", chi);
    free(all);
    free(ids);
    rig_close(&s.r);
    return chi > 31;
}

static int check_batch(int shape)
{
    enum { ROWS = 5, COLUMNS = 300 };
    float x[ROWS * COLUMNS];
    int32_t together[ROWS], alone;
    rig_fill(x, ROWS * COLUMNS, 9, -2.0f, 2.0f);
    sampler s = sampler_open(shape, ROWS, COLUMNS), one = sampler_open(shape, 1, COLUMNS);
    rig_write(s.logits, x);
    sampler_draw(&s, all_settings[7], 100, 8, together);
    int wrong = 0;
    for (int row = 0; row < ROWS; ++row) {
        rig_write(one.logits, x + row * COLUMNS);
        sampler_draw(&one, all_settings[7], 100 + row, 8, &alone);
        wrong += alone != together[row];
    }
    if (wrong) fprintf(stderr, "sample: %d of %d pictures depend on their batch\n", wrong, ROWS);
    rig_close(&s.r);
    rig_close(&one.r);
    return wrong;
}

static sampler into_open(int shape, int64_t rows, int64_t pictures, int64_t length, int64_t columns,
                         tensor **history, tensor **entropies)
{
    sampler s = { .r = rig_open(shape) };
    s.logits = rig_input(&s.r, "logits", DTYPE_F32, RIG_DIM(rows, columns));
    s.settings = rig_input(&s.r, "settings", DTYPE_F32, RIG_DIM(4));
    s.random = rig_input(&s.r, "random", DTYPE_I32, RIG_DIM(4));
    s.position = rig_input(&s.r, "position", DTYPE_I32, RIG_DIM(1));
    s.ids = rig_state(&s.r, "token", DTYPE_I32, RIG_DIM(rows));
    *history = rig_state(&s.r, "history", DTYPE_I32, RIG_DIM(length, pictures));
    *entropies = rig_state(&s.r, "entropies", DTYPE_F32, RIG_DIM(length, pictures));
    op_sample_into(s.logits, s.settings, s.random, s.position, s.ids, *history, *entropies);
    rig_compile(&s.r);
    return s;
}

static double entropy_of(const float *logits, int columns)
{
    double most = -INFINITY, whole = 0.0, entropy = 0.0;
    for (int i = 0; i < columns; ++i) most = fmax(most, (double)logits[i]);
    for (int i = 0; i < columns; ++i) whole += exp((double)logits[i] - most);
    for (int i = 0; i < columns; ++i) {
        double p = exp((double)logits[i] - most) / whole;
        if (p > 0.0) entropy -= p * log(p);
    }
    return entropy;
}

/* Whether row `position` of the entropies is that of every `apart`-th row of the logits. */
static bool entropies_are(tensor *entropies, int position, const float *logits, int rows, int apart,
                          int columns)
{
    float kept[64];
    rig_read(entropies, kept);
    bool right = true;
    for (int row = 0; row < rows; ++row) {
        double wanted = entropy_of(logits + row * apart * columns, columns);
        right = right && fabs((double)kept[position * rows + row] - wanted) < 1e-4;
    }
    return right;
}

/* One that is certain, one that knows nothing, one of two equal ones; -infinity is no more than very
 * unlikely. */
static int check_entropy(int shape)
{
    enum { ROWS = 4, COLUMNS = 50 };
    float x[ROWS * COLUMNS], kept[ROWS];
    int32_t ids[ROWS];
    for (int i = 0; i < ROWS * COLUMNS; ++i) x[i] = i / COLUMNS == 1 ? 3.0f : -40.0f;
    x[7] = 60.0f;
    x[2 * COLUMNS + 5] = x[2 * COLUMNS + 49] = 90.0f;
    for (int i = 0; i < COLUMNS; ++i) x[3 * COLUMNS + i] = i < 4 ? 1.0f : -INFINITY;
    const double wanted[ROWS] = { 0.0, log(COLUMNS), log(2.0), log(4.0) };
    tensor *history, *entropies;
    sampler s = into_open(shape, ROWS, ROWS, 1, COLUMNS, &history, &entropies);
    rig_write(s.logits, x);
    sampler_draw(&s, all_settings[8], 0, 0, ids);
    rig_read(entropies, kept);
    int wrong = 0;
    for (int row = 0; row < ROWS; ++row) wrong += !(fabs((double)kept[row] - wanted[row]) < 1e-5);
    if (wrong) fprintf(stderr, "sample: %d of %d plain entropies are wrong\n", wrong, ROWS);
    rig_close(&s.r);
    return wrong;
}

/* op_sample_into draws the same and keeps every token in its place; one outside the history is only the
 * last. */
static int check_into(int shape)
{
    enum { ROWS = 3, COLUMNS = 40, LENGTH = 4 };
    float x[ROWS * COLUMNS];
    rig_fill(x, ROWS * COLUMNS, 11, -2.0f, 2.0f);
    tensor *history, *entropies;
    sampler plain = sampler_open(shape, ROWS, COLUMNS),
            s = into_open(shape, ROWS, ROWS, LENGTH, COLUMNS, &history, &entropies);
    rig_write(s.logits, x);
    rig_write(plain.logits, x);
    int32_t wanted[LENGTH * ROWS] = { 0 }, kept[LENGTH * ROWS] = { 0 }, last[ROWS], drawn[ROWS];
    rig_write(history, kept);
    int wrong = 0;
    for (int position = -1; position <= LENGTH; ++position) {
        sampler_draw(&plain, all_settings[1], 4, position, drawn);
        sampler_draw(&s, all_settings[1], 4, position, last);
        wrong += memcmp(drawn, last, sizeof last) != 0;
        if (position >= 0 && position < LENGTH) memcpy(wanted + position * ROWS, drawn, sizeof drawn);
    }
    rig_read(history, kept);
    wrong += memcmp(kept, wanted, sizeof kept) != 0;
    for (int position = 0; position < LENGTH; ++position)
        wrong += !entropies_are(entropies, position, x, ROWS, 1, COLUMNS);
    if (wrong) fprintf(stderr, "sample: drawn into a history, %d of %d times otherwise\n", wrong, LENGTH + 3);
    rig_close(&plain.r);
    rig_close(&s.r);
    return wrong;
}

/* Guidance draws what the plain operator draws from the combined logits; all are multiples of 1/32, so that
 * no rounding stands between the two. */
static int check_guided(int shape, int columns)
{
    enum { ROWS = 3 };
    static const float guidance[] = { 0.0f, 1.0f, 2.5f, -1.0f, 7.0f };
    float *pairs = malloc((size_t)(2 * ROWS * columns) * sizeof *pairs),
          *combined = malloc((size_t)(ROWS * columns) * sizeof *combined);
    rig_fill(pairs, 2 * ROWS * columns, 13, -4.0f, 4.0f);
    for (int i = 0; i < 2 * ROWS * columns; ++i) pairs[i] = roundf(16.0f * pairs[i]) / 16.0f;
    tensor *history, *entropies;
    sampler plain = sampler_open(shape, ROWS, columns),
            s = into_open(shape, 2 * ROWS, ROWS, 2, columns, &history, &entropies);
    rig_write(s.logits, pairs);
    int wrong = 0;
    for (size_t g = 0; g < sizeof guidance / sizeof *guidance; ++g)
        for (size_t k = 0; k < sizeof all_settings / sizeof *all_settings; ++k) {
            int32_t wanted[ROWS], drawn[2 * ROWS], kept[2 * ROWS];
            float settings[4] = { all_settings[k][0], all_settings[k][1], all_settings[k][2], guidance[g] };
            for (int i = 0; i < ROWS * columns; ++i) {
                const float *x = pairs + i / columns * 2 * columns + i % columns;
                combined[i] = x[columns] + guidance[g] * (x[0] - x[columns]);
            }
            rig_write(plain.logits, combined);
            sampler_draw(&plain, settings, 4, 1, wanted);
            sampler_draw(&s, settings, 4, 1, drawn);
            rig_read(history, kept);
            for (int i = 0; i < 2 * ROWS; ++i) wrong += drawn[i] != wanted[i / 2];
            wrong += memcmp(kept + ROWS, wanted, sizeof wanted) != 0;
            wrong += !entropies_are(entropies, 1, pairs, ROWS, 2, columns);
        }
    if (wrong)
        fprintf(stderr, "sample: with guidance, %d tokens of %d columns are otherwise\n", wrong, columns);
    free(pairs);
    free(combined);
    rig_close(&plain.r);
    rig_close(&s.r);
    return wrong;
}

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_sample(in[0], in[1], in[2], in[3]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    for (int64_t row = 0; row < out[0].count; ++row)
        for (int64_t i = 1; i < in[0].last; ++i)
            if (in[0].v[row * in[0].last + i] > in[0].v[row * in[0].last + (int64_t)out[0].v[row]])
                out[0].v[row] = (double)i;
}

static const double cold[] = { 0, 0, 1, 0 };

static const op_case cases[] = {
    { .name = "largest",
      .in = { { 2, { 5, 37 }, OP_FIXED },
              { 1, { 4 }, OP_CONTROL, .values = cold },
              { 1, { 4 }, OP_INTEGER, 3, 3 },
              { 1, { 1 }, OP_INTEGER, 2, 2 } } },
    { .name = "logits",
      .in = { { 3, { 5, 1, 37 }, OP_FIXED },
              { 1, { 4 }, OP_CONTROL, .values = cold },
              { 1, { 4 }, OP_INTEGER, 3, 3 },
              { 1, { 1 }, OP_INTEGER, 2, 2 } },
      .fails = "logits must be [B,V]" },
};

int main(void)
{
    int wrong = check_distribution();
    for (int shape = 0; shape < RIG_SHAPES; ++shape) {
        wrong += check_against_naive(shape, 37, 0) + check_against_naive(shape, 37, 5);
        if (!getenv("DALLE_CL_TINY"))
            wrong += check_against_naive(shape, 1003, 0) + check_against_naive(shape, 1003, 9) +
                     check_guided(shape, 300);
        wrong += check_batch(shape) + check_into(shape) + check_guided(shape, 37) + check_entropy(shape);
    }
    int status = op_check_main(&(op_test){ "sample", build, reference, OP_CASES(cases) });
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
