/* unclip_refused.h -- the part of test_unclip.c about what is refused, and how it is said.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_API_UNCLIP_REFUSED_H
#define DALLE_CL_TESTS_API_UNCLIP_REFUSED_H

#include "data/safetensors.h"
#include "host/base/file.h"
#include "tests/api/unclip_rig.h"

static dalle_error failure;

static UNUSED void is(dalle_kind kind, const char *says)
{
    print_message("%s\n", failure.message);
    assert_int_equal(failure.kind, kind);
    if (!strstr(failure.message, says)) fail_msg("'%s' does not say '%s'", failure.message, says);
    failure = (dalle_error){ 0 };
}

static UNUSED void refused(const dalle_request *r, const char *says)
{
    assert_null(dalle_generate(model, r, &failure));
    is(DALLE_USAGE, says);
}

static UNUSED void test_wrong_requests(void **state)
{
    (void)state;
    uint8_t rgb[DRAWING_BYTES] = { 0 };
    for (int i = 0; i < 17; ++i) {
        dalle_sampling s = DALLE_SAMPLING_DEFAULTS;
        dalle_request r = request(1);
        r.sampling = &s;
        const char *says = NULL;
        if (i == 0) says = "steps of the decoder", s.steps = "101";
        if (i == 1) says = "steps of the decoder", s.steps = "many";
        if (i == 2) says = "steps of the diffusion prior", s.prior_steps = "0";
        if (i == 3) says = "steps of the upsampler", s.upsampler_steps = "2000";
        if (i == 4) says = "dalle-cl train ar-prior", s.prior = "ar";
        if (i == 5) says = "none of a model's two ways", s.prior = "clip";
        if (i == 6) says = "\"ddim\" or \"ddpm\"", s.sampler = "euler";
        if (i == 7) says = "eta 1.5", s.eta = 1.5;
        if (i == 8) says = "eta nan", s.eta = NAN;
        if (i == 9) says = "eta 0.5 is for", s.eta = 0.5, s.sampler = "ddpm";
        if (i == 10) says = "prior_guidance 1e+09", s.prior_guidance = 1e9;
        if (i == 11) says = "guidance 1e+09", r.guidance = 1e9;
        if (i == 12) says = "guidance nan", r.guidance = NAN;
        if (i == 13) says = "choose among tokens", r.top_k = 5;
        if (i == 14) says = "temperature 0.5", r.temperature = 0.5;
        if (i == 15) says = "dalle_inpaint", r.start_rows = 2, r.start_rgb = rgb;
        if (i == 16) says = "DALLE_SAMPLING_DEFAULTS", s.size = 8;
        refused(&r, says);
    }
    dalle_request r = request(2);
    r.of = 1;
    refused(&r, "the best 2 of 1");
    r = request(1);
    r.caption = " ";
    refused(&r, "the caption is empty");
}

static UNUSED void wrong(way *by, const dalle_change *c, const char *says)
{
    assert_null(by(model, c, &failure));
    is(DALLE_USAGE, says);
}

static UNUSED void test_wrong_changes(void **state)
{
    (void)state;
    uint8_t mask[16 * 16] = { 0 };
    dalle_sampling s = DALLE_SAMPLING_DEFAULTS;
    dalle_change c = change(1), none = { .count = 1 };
    wrong(dalle_vary, NULL, "the change is NULL");
    wrong(dalle_vary, &none, "DALLE_CHANGE_DEFAULTS");
    c.rgb = NULL;
    wrong(dalle_vary, &c, "the picture is NULL");
    c = change(0);
    wrong(dalle_vary, &c, "0 pictures");
    c = change(1);
    c.side = 0;
    wrong(dalle_vary, &c, "0 pixels a side");
    c = change(1);
    c.guidance = NAN;
    wrong(dalle_vary, &c, "guidance nan");
    c = change(1);
    c.sampling = &s;
    s.sampler = "ddpm";
    wrong(dalle_vary, &c, "drawn by \"ddim\"");
    c = change(1);
    wrong(dalle_mix, &c, "the other picture is NULL");
    wrong(dalle_edit, &c, "what the picture shows is empty");
    c.from = "a red square";
    wrong(dalle_edit, &c, "what it is to show is empty");
    c.caption = c.from;
    wrong(dalle_edit, &c, "are the same");
    c.caption = "a blue square";
    c.strength = 2;
    wrong(dalle_edit, &c, "strength 2");
    wrong(dalle_inpaint, &c, "the mask is NULL");
    c.mask = mask;
    wrong(dalle_inpaint, &c, "0 pixels a side");
    c.mask_side = 16;
    wrong(dalle_inpaint, &c, "covers nothing");
    memset(mask, 255, sizeof mask);
    wrong(dalle_inpaint, &c, "the whole picture");
    mask[0] = 0;
    wrong(dalle_inpaint, &c, "each of the 8 x 8 pixels");
}

/* Which part a call needs, and how to train it. */
static UNUSED void test_parts(void **state)
{
    (void)state;
    error err;
    dalle_change c = change(1);
    dalle_request r = request(1);
    device *d = device_open(NULL, &err);
    if (!d ||
        !pack_model(d, (const char *const[]){ path_of("clip"), path_of("embed"), NULL }, path_of("undrawn"),
                    DTYPE_F16, &err) ||
        !pack_model(d, (const char *const[]){ path_of("clip"), path_of("decoder"), NULL },
                    path_of("priorless"), DTYPE_F16, &err))
        fail_msg("%s", err.message);
    device_close(d);
    dalle_model *m = opened("undrawn", 0);
    assert_null(dalle_generate(m, &r, &failure));
    is(DALLE_USAGE, "has no decoder");
    assert_null(dalle_vary(m, &c, &failure));
    is(DALLE_USAGE, "dalle-cl train decoder");
    dalle_close(m);
    assert_null(dalle_open_parts(path_of("undrawn"), NULL, DALLE_DECODER, &failure));
    is(DALLE_USAGE, "has no decoder");
    m = opened("priorless", DALLE_DECODER);
    assert_null(dalle_generate(m, &r, &failure));
    is(DALLE_USAGE, "opened without its diffusion prior");
    dalle_pictures_free(made(m, dalle_vary, &c));
    dalle_close(m);
    m = opened("priorless", 0);
    assert_null(dalle_generate(m, &r, &failure));
    is(DALLE_USAGE, "dalle-cl train diffusion-prior");
    uint8_t mask[4] = { 255, 0, 0, 0 };
    c.caption = "a";
    c.mask = mask;
    c.mask_side = 2;
    assert_null(dalle_inpaint(m, &c, &failure));
    is(DALLE_USAGE, "dalle-cl train diffusion-prior");
    dalle_close(m);
}

/* All parameters of a part made halves that are no numbers, in a file that states no checksum any more. */
static UNUSED void damage(const char *name)
{
    char command[600], path[300];
    size_t size, header = 8;
    error err;
    snprintf(command, sizeof command, "rm -rf %s && cp -r %s %s", path_of("damaged"), path_of("model"),
             path_of("damaged"));
    if (system(command) != 0) fail_msg("%s", command);
    snprintf(path, sizeof path, "%s/%s.safetensors", path_of("damaged"), name);
    char *bytes = file_read(path, &size, &err);
    assert_non_null(bytes);
    for (int i = 0; i < 3; ++i) header += (size_t)(uint8_t)bytes[i] << (8 * i);
    char *sum = strstr(bytes + 8, SAFETENSORS_SUM_START);
    assert_true(sum && header < size);
    sum[1] = 'S';
    memset(bytes + header, 0x7e, size - header);
    assert_true(file_write(path, bytes, size, &err));
    free(bytes);
}

/* Numbers that are none are found where they come up, and said by the part's name; nothing is drawn. */
static UNUSED void test_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *file, *says;
    } parts[] = { { "diffusion-prior", "diffusion prior" },
                  { "decoder", "of the decoder gave values that are no numbers" },
                  { "upsampler", "of the upsampler gave values that are no numbers" } };
    for (int i = 0; i < 3; ++i) {
        damage(parts[i].file);
        dalle_request r = request(1);
        dalle_model *m = opened("damaged", 0);
        assert_null(dalle_generate(m, &r, &failure));
        is(DALLE_MODEL, parts[i].says);
        dalle_close(m);
    }
}

/* A part beside another CLIP than the one it was trained with: its file is that of another training. */
static UNUSED void test_other_clip(void **state)
{
    (void)state;
    error err;
    char command[600];
    static const char *const sets[] = { "steps=3", "text_vocabulary=288", "sample_every=0", "seed=9", NULL };
    device *d = device_open(NULL, &err);
    if (!d || !train_with("clip", path_of("data.tar"), NULL, path_of("clip2"), sets, &err) ||
        !pack_model(d, (const char *const[]){ path_of("clip2"), NULL }, path_of("other"), DTYPE_F16, &err))
        fail_msg("%s", err.message);
    device_close(d);
    snprintf(command, sizeof command, "cp -r '%s/model' '%s/mixed' && cp '%s'/other/clip* '%s/mixed/'",
             base.path, base.path, base.path, base.path);
    assert_int_equal(system(command), 0);
    assert_null(dalle_open(path_of("mixed"), NULL, &failure));
    is(DALLE_MODEL, "CLIP");
    snprintf(command, sizeof command, "rm '%s'/mixed/clip.safetensors '%s'/mixed/clip.cfg", base.path,
             base.path);
    assert_int_equal(system(command), 0);
    assert_null(dalle_open(path_of("mixed"), NULL, &failure));
    is(DALLE_USAGE, "has no CLIP");
}

#endif
