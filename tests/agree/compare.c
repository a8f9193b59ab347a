/* compare.c -- whether devices agree: compares recordings (recording.h) with a reference.
 *     agree_compare REFERENCE OTHER...
 * Per training step, loss and gradient norm agree to 1e-4; the first gradients to 1e-4 of each tensor's
 * largest element, or of 1e-5 of the model's largest, if that is more: a gradient that is 0 but for
 * rounding (the keys' biases, see host/nn/attention.c) has no digits to agree in.  The parameters, after
 * the steps, agree to 1 % of the length of the whole update.  Likeliest tokens are equal; one that differs
 * passes, and is listed, where the reference's two largest logits lie within 1e-4 of max |logit|: what
 * follows it in its caption is then another drawing and not compared.
 * SPDX-License-Identifier: MIT */
#include "data/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE        1e-4
#define UPDATE_CLOSE 1e-2
#define ROUNDING     1e-5

typedef struct comparison {
    const safetensors *reference, *other;
    const char *path; /* of the other */
    double loss, norm, gradient, update;
    const char *worst; /* gradient's tensor */
    int64_t tokens, near;
    int failures;
} comparison;

__attribute__((format(printf, 2, 3))) static void complain(comparison *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("FAIL %s: ", c->path);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    ++c->failures;
}

/* The larger of the two; not a number wins over all. */
static double larger(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

static const safetensors_tensor *counterpart(comparison *c, const safetensors_tensor *of)
{
    const safetensors_tensor *t = safetensors_find(c->other, of->name);
    if (t && t->type == of->type && t->bytes == of->bytes) return t;
    complain(c, "'%s' %s", of->name, t ? "has another type or size" : "is missing");
    return NULL;
}

/* "prior.gradient.x" under "gradient": "x", else NULL. */
static const char *part_of(const char *name, const char *what)
{
    const char *dot = strchr(name, '.');
    size_t length = strlen(what);
    if (!dot || strncmp(dot + 1, what, length) != 0) return NULL;
    if (dot[1 + length] == 0) return dot + 1 + length;
    return dot[1 + length] == '.' ? dot + 2 + length : NULL;
}

static const safetensors_tensor *sibling(const safetensors *file, const char *name, const char *what,
                                         const char *part)
{
    char full[512];
    snprintf(full, sizeof full, "%.*s.%s%s%s", (int)strcspn(name, "."), name, what, *part ? "." : "", part);
    return safetensors_find(file, full);
}

/* ---- Training ---- */

/* Loss and norm, step by step. */
static double steps(comparison *c, const safetensors_tensor *reference)
{
    const safetensors_tensor *other = counterpart(c, reference);
    double worst = 0;
    for (int64_t i = 0; other && i < reference->bytes / 4; ++i) {
        double wanted = (double)((const float *)reference->data)[i],
               got = (double)((const float *)other->data)[i];
        double e = got == wanted ? 0 : fabs(got - wanted) / fabs(wanted);
        if (!(e <= CLOSE))
            complain(c, "%s, step %lld: %.7g, wanted %.7g (error %.2g > %g)", reference->name, (long long)i,
                     got, wanted, e, CLOSE);
        worst = larger(e, worst);
    }
    return worst;
}

static double most_of(const safetensors_tensor *t)
{
    double most = 0;
    for (int64_t i = 0; i < t->bytes / 4; ++i) most = larger(fabs((double)((const float *)t->data)[i]), most);
    return most;
}

static void gradient(comparison *c, const safetensors_tensor *reference, double floor)
{
    const safetensors_tensor *other = counterpart(c, reference);
    if (!other) return;
    double most = larger(most_of(reference), floor), worst = 0;
    for (int64_t i = 0; i < reference->bytes / 4; ++i) {
        double wanted = (double)((const float *)reference->data)[i];
        worst = larger(fabs((double)((const float *)other->data)[i] - wanted), worst);
    }
    double e = worst > 0 || isnan(worst) ? worst / most : 0;
    if (!(e <= CLOSE)) complain(c, "%s: error %.2g > %g of %.3g", reference->name, e, CLOSE, most);
    if (!c->worst || !(e <= c->gradient)) c->worst = reference->name;
    c->gradient = larger(e, c->gradient);
}

/* A model's first gradients; called once a model, with its loss. */
static void gradients(comparison *c, const safetensors_tensor *loss)
{
    double largest = 0;
    size_t model = strcspn(loss->name, ".") + 1;
    for (int pass = 0; pass < 2; ++pass)
        for (int k = 0; k < safetensors_count(c->reference); ++k) {
            const safetensors_tensor *t = safetensors_at(c->reference, k);
            if (!part_of(t->name, "gradient") || strncmp(t->name, loss->name, model) != 0) continue;
            if (pass == 0)
                largest = larger(most_of(t), largest);
            else
                gradient(c, t, ROUNDING * largest);
        }
    if (!(largest > 0)) complain(c, "%.*s: the largest gradient is %g", (int)model - 1, loss->name, largest);
}

/* All of a model's "after" tensors together; called once a model, with its loss. */
static void update(comparison *c, const safetensors_tensor *loss)
{
    double apart = 0, length = 0;
    size_t model = strcspn(loss->name, ".") + 1;
    for (int k = 0; k < safetensors_count(c->reference); ++k) {
        const safetensors_tensor *after = safetensors_at(c->reference, k);
        const char *part = part_of(after->name, "after");
        if (!part || strncmp(after->name, loss->name, model) != 0) continue;
        const safetensors_tensor *before = sibling(c->reference, after->name, "before", part),
                                 *other = counterpart(c, after),
                                 *other_before = before ? counterpart(c, before) : NULL;
        if (!other || !other_before) continue;
        if (memcmp(before->data, other_before->data, (size_t)before->bytes) != 0)
            complain(c, "'%s' starts from other values", before->name);
        for (int64_t i = 0; i < after->bytes / 4; ++i) {
            double wanted = (double)((const float *)after->data)[i];
            apart += pow((double)((const float *)other->data)[i] - wanted, 2);
            length += pow(wanted - (double)((const float *)before->data)[i], 2);
        }
    }
    double e = apart == 0 ? 0 : sqrt(apart / length);
    if (!(e <= UPDATE_CLOSE) || length == 0)
        complain(c, "%.*s: parameters differ by %.2g > %g of the update's length %.3g", (int)model - 1,
                 loss->name, e, UPDATE_CLOSE, sqrt(length));
    c->update = larger(e, c->update);
}

/* ---- Tokens ---- */

static void token_differs(comparison *c, const safetensors_tensor *tokens, int64_t at, int32_t got)
{
    const char *name = tokens->name;
    const safetensors_tensor *top = sibling(c->reference, name, "top", ""),
                             *second = sibling(c->reference, name, "second", ""),
                             *most = sibling(c->reference, name, "most", ""),
                             *next = sibling(c->reference, name, "other", "");
    int64_t length = tokens->dim[1];
    if (!top || !second || !most || !next) {
        complain(c, "the reference has no logits of '%s'", name);
        return;
    }
    double gap = (double)((const float *)top->data)[at] - (double)((const float *)second->data)[at];
    double relative = gap / (double)((const float *)most->data)[at];
    char text[200];
    snprintf(text, sizeof text,
             "%s: caption %lld, token %lld is %d, not %d; the two largest logits lie %.2g apart", name,
             (long long)(at / length), (long long)(at % length), got, ((const int32_t *)tokens->data)[at],
             relative);
    if (relative <= CLOSE && got == ((const int32_t *)next->data)[at]) {
        printf("note %s: %s\n", c->path, text);
        ++c->near;
    } else {
        complain(c, "%s", text);
    }
}

static void tokens(comparison *c, const safetensors_tensor *reference)
{
    const safetensors_tensor *other = counterpart(c, reference);
    int64_t length = reference->rank == 2 ? reference->dim[1] : 0;
    for (int64_t first = 0; other && length && first < reference->bytes / 4; first += length)
        for (int64_t i = first; i < first + length; ++i) {
            ++c->tokens;
            int32_t got = ((const int32_t *)other->data)[i];
            if (got == ((const int32_t *)reference->data)[i]) continue;
            token_differs(c, reference, i, got);
            break;
        }
}

/* ---- All of it ---- */

static void same_metadata(comparison *c, const char *key)
{
    const char *a = safetensors_metadata(c->reference, key), *b = safetensors_metadata(c->other, key);
    if (!a || !b || strcmp(a, b) != 0)
        complain(c, "'%s' is '%s', the reference's '%s': record both again", key, b ? b : "", a ? a : "");
}

static void compare(comparison *c)
{
    int models = 0;
    same_metadata(c, "kernels");
    same_metadata(c, "what");
    if (c->failures) return;
    for (int k = 0; k < safetensors_count(c->reference); ++k) {
        const safetensors_tensor *t = safetensors_at(c->reference, k);
        if (part_of(t->name, "tokens")) {
            tokens(c, t);
            ++models;
        }
        if (part_of(t->name, "norm")) c->norm = larger(steps(c, t), c->norm);
        if (!part_of(t->name, "loss")) continue;
        c->loss = larger(steps(c, t), c->loss);
        gradients(c, t);
        update(c, t);
        ++models;
    }
    if (!models) complain(c, "no model was compared");
}

static bool compare_files(const char *reference, const char *other)
{
    error err;
    const char *name = strrchr(other, '/');
    safetensors *a = safetensors_open(reference, &err), *b = a ? safetensors_open(other, &err) : NULL;
    comparison c = { .reference = a, .other = b, .path = name ? name + 1 : other };
    if (b) {
        compare(&c);
        printf("%-28s %9.1e %9.1e %9.1e %9.1e %8lld %6lld  %s\n", c.path, c.loss, c.norm, c.gradient,
               c.update, (long long)c.tokens, (long long)c.near, c.worst ? c.worst : "");
    } else {
        printf("FAIL %s\n", err.message);
    }
    safetensors_close(a);
    safetensors_close(b);
    return b && c.failures == 0;
}

int main(int argc, char **argv)
{
    bool ok = true;
    if (argc < 3) {
        fprintf(stderr, "usage: agree_compare REFERENCE OTHER...\n");
        return 2;
    }
    printf("%-28s %9s %9s %9s %9s %8s %6s  %s\n", "largest difference", "loss", "norm", "gradient", "update",
           "tokens", "near", "tensor of that gradient");
    for (int i = 2; i < argc; ++i) ok = compare_files(argv[1], argv[i]) && ok;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
