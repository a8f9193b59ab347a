/* scenarios_model.c -- training, checkpoints and drawing as scenarios: see scenarios.h.
 * After a run that failed, its folder holds whole checkpoints only, and resuming it gives what a run without
 * a failure gives.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/scenarios.h"

#include "data/safetensors.h"
#include "app/api/dalle.h"
#include "tests/models/drawings.h"
#include "tests/train/regression.h"

#include <dirent.h>

#define RESUMED 8 /* every so many runs of a preset are resumed */

static void remove_run(const char *folder)
{
    char command[500];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) abort();
}

/* ---- What a run leaves behind ---- */

static const char *inside(const char *folder, const char *name)
{
    static char paths[4][600];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
    return paths[turn];
}

static bool no_leftovers(const char *folder, error *err)
{
    DIR *dir = opendir(folder);
    bool ok = true;
    for (struct dirent *e; dir && ok && (e = readdir(dir)) != NULL;)
        if (strstr(e->d_name, ".tmp-")) ok = error_set(err, ERROR_IO, "'%s' is left over", e->d_name);
    if (dir) closedir(dir);
    return ok;
}

static bool is_whole(const char *folder, const char *name, error *err)
{
    const char *path = inside(folder, name);
    if (!file_exists(path)) return true;
    safetensors *f = safetensors_open(path, err);
    safetensors_close(f);
    return f != NULL;
}

static bool left_whole(const char *folder, error *err)
{
    return no_leftovers(folder, err) && is_whole(folder, "checkpoint.safetensors", err) &&
           is_whole(folder, "best.safetensors", err);
}

static bool same_tensors(const char *a, const char *b, error *err)
{
    safetensors *f = safetensors_open(inside(a, "checkpoint.safetensors"), err);
    safetensors *g = f ? safetensors_open(inside(b, "checkpoint.safetensors"), err) : NULL;
    bool ok = g != NULL;
    if (ok && strcmp(safetensors_metadata(f, "step"), safetensors_metadata(g, "step")) != 0)
        ok = error_set(err, ERROR_FORMAT, "other steps than without a failure");
    for (int i = 0; ok && i < safetensors_count(f); ++i) {
        const safetensors_tensor *t = safetensors_at(f, i), *u = safetensors_find(g, t->name);
        ok = u && t->bytes == u->bytes && memcmp(t->data, u->data, (size_t)t->bytes) == 0;
        if (!ok) error_set(err, ERROR_FORMAT, "'%s' is not what it is without a failure", t->name);
    }
    safetensors_close(f);
    safetensors_close(g);
    return ok;
}

/* ---- A regression on a device that stays open ---- */

static device *kept;

static bool regress(const char *folder, bool resume, error *err)
{
    regression r;
    bool ok = regression_open_on(&r, kept, 0, err);
    if (ok) {
        train_task task = regression_task(&r);
        train_options options = regression_options(&r, folder);
        options.steps = 4; /* the second ends after the third has begun */
        options.save_every = options.eval_every = 3;
        options.sample_every = 0;
        options.resume = resume;
        ok = train_run(&task, &options, err);
    }
    r.device = NULL;
    regression_close(&r);
    return ok;
}

bool scenario_train_prepare(error *err)
{
    const char *whole = walk_path("train-whole");
    remove_run(whole);
    return (kept = device_open(NULL, err)) != NULL && regress(whole, false, err);
}

bool scenario_train(error *err)
{
    remove_run(walk_path("train"));
    return regress(walk_path("train"), false, err);
}

bool scenario_train_check(bool ran, error *err)
{
    const char *folder = walk_path("train");
    if (!left_whole(folder, err)) return false;
    bool started = file_exists(inside(folder, "run.json"));
    return (ran || regress(folder, started, err)) && same_tensors(folder, walk_path("train-whole"), err);
}

void scenario_train_finish(void)
{
    device_close(kept);
    kept = NULL;
}

/* ---- The presets ---- */

static const char *const dvae_sets[] = { "steps=2",        "save_every=1", "batch=2",
                                         "sample_every=2", "accumulate=2", NULL };
static const char *const prior_sets[] = { "steps=2",  "save_every=1",        "batch=2", "sample_every=0",
                                          "layers=1", "text_vocabulary=288", NULL };

static bool train_preset(const char *kind, const char *folder, bool resume, error *err)
{
    bool dvae = kind[0] == 'd';
    train_request r = {
        .preset = resume ? NULL : "tiny", .run = folder, .resume = resume, .quiet = true, .seed = -1
    };
    char data[400], first[400];
    snprintf(data, sizeof data, "%s", walk_path("data.tar"));
    snprintf(first, sizeof first, "%s", walk_path("dvae-whole"));
    if (!resume) {
        r.data = data;
        if (!dvae) r.parts[0] = (train_part){ &dvae_kind, first };
        r.sets = dvae ? dvae_sets : prior_sets;
        while (r.sets[r.set_count]) ++r.set_count;
    }
    return kinds_find(kind)->train(&r, err);
}

/* The data, and the run without a failure; a child after a crash finds them. */
static bool need_whole(const char *kind, error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%s-whole", kind);
    if (!file_exists(walk_path("data.tar"))) drawings_tar(walk_path("data.tar"), DRAWINGS);
    return file_exists(inside(walk_path(name), "checkpoint.safetensors")) ||
           train_preset(kind, walk_path(name), false, err);
}

static bool check_preset(const char *kind, bool ran, int *turn, error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%s-whole", kind);
    const char *folder = walk_path(kind);
    if (!left_whole(folder, err)) return false;
    if (!ran && (*turn)++ % RESUMED) return true;
    bool started = file_exists(inside(folder, "run.json"));
    return (ran || train_preset(kind, folder, started, err)) && same_tensors(folder, walk_path(name), err);
}

bool scenario_dvae_prepare(error *err)
{
    return need_whole("dvae", err);
}

bool scenario_dvae(error *err)
{
    remove_run(walk_path("dvae"));
    return train_preset("dvae", walk_path("dvae"), false, err);
}

bool scenario_dvae_check(bool ran, error *err)
{
    static int turn;
    return check_preset("dvae", ran, &turn, err);
}

bool scenario_prior_prepare(error *err)
{
    return need_whole("dvae", err) && need_whole("prior", err);
}

bool scenario_prior(error *err)
{
    remove_run(walk_path("prior"));
    return train_preset("prior", walk_path("prior"), false, err);
}

bool scenario_prior_check(bool ran, error *err)
{
    static int turn;
    return check_preset("prior", ran, &turn, err);
}

/* ---- Drawing ---- */

static const char *const clip_sets[] = { "steps=2", "batch=2", "sample_every=0", "text_vocabulary=288",
                                         NULL };

static bool need_clip(error *err)
{
    return file_exists(inside(walk_path("clip-whole"), "checkpoint.safetensors")) ||
           train_tiny("clip", walk_path("data.tar"), NULL, walk_path("clip-whole"), clip_sets, err);
}

bool scenario_generate_prepare(error *err)
{
    if (!scenario_prior_prepare(err) || !need_clip(err)) return false;
    device *d = device_open(NULL, err);
    bool ok = d && pack_model(d,
                              (const char *const[]){ walk_path("dvae-whole"), walk_path("prior-whole"),
                                                     walk_path("clip-whole"), NULL },
                              walk_path("model"), DTYPE_F16, err);
    device_close(d);
    return ok;
}

static bool stay(void *context, int done, int total)
{
    (void)context;
    return done <= total;
}

static bool use_model(dalle_model *m, dalle_error *err)
{
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    dalle_pictures *p = NULL;
    uint8_t rgb[DRAWING_BYTES];
    int32_t tokens[64];
    r.caption = "a red square";
    r.count = 2;
    r.of = 3;
    r.progress = r.judging = stay;
    drawing_pixels(1, rgb);
    r.start_rgb = rgb;
    r.start_rows = 5;
    bool ok = (p = dalle_generate(m, &r, err)) && dalle_encode(m, rgb, 1, tokens, err) &&
              dalle_decode(m, tokens, 1, rgb, err);
    dalle_pictures_free(p);
    return ok;
}

bool scenario_generate(error *err)
{
    dalle_error failure = { 0 };
    dalle_model *m = dalle_open(walk_path("model"), NULL, &failure);
    bool ok = m && use_model(m, &failure);
    dalle_close(m);
    return ok || error_set(err, failure.status == 2 ? ERROR_USAGE : ERROR_DEVICE, "%s", failure.message);
}

/* ---- Comparing ---- */

static bool stay_comparing(void *context, int64_t done, int64_t total)
{
    (void)context;
    return done <= total;
}

static bool compare(dalle_model *m, dalle_error *err)
{
    enum { TEXTS = 2, PICTURES = 3 };
    const char *const texts[TEXTS] = { "a red square", "a blue square" };
    uint8_t rgb[PICTURES * DRAWING_BYTES];
    float similarities[PICTURES * TEXTS], probabilities[PICTURES * TEXTS];
    for (int i = 0; i < PICTURES; ++i) drawing_pixels(i, rgb + i * DRAWING_BYTES);
    return dalle_score(m, rgb, PICTURES, DRAWING_SIDE, texts, TEXTS, stay_comparing, NULL, similarities,
                       probabilities, err);
}

bool scenario_clip(error *err)
{
    dalle_error failure = { 0 };
    dalle_model *m = dalle_open_parts(walk_path("model"), NULL, DALLE_CLIP, &failure);
    bool ok = m && compare(m, &failure);
    dalle_close(m);
    return ok || error_set(err, failure.status == 2 ? ERROR_USAGE : ERROR_DEVICE, "%s", failure.message);
}
