/* sampling.c -- see sampling.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/sampling.h"

#include <string.h>

/* In this order: of pictures alone, and then of captions. */
static const cli_option options[] = {
    { "guidance", 'g', CLI_REAL, "G", NULL, 0, 20,
      "how strongly embedding and caption are followed: 1 as learned, more is stricter; otherwise the "
      "model's "
      "default, or 1 where a picture's own noise is drawn again" },
    { "steps", 0, CLI_TEXT, "N", NULL, 0, 0,
      "steps of the decoder: so many of its schedule, spread evenly, or a list as 10,10,3,2,2, so many of "
      "each "
      "part; otherwise the model's default" },
    { "eta", 0, CLI_REAL, "E", NULL, 0, 1, "noise that a step of ddim adds: 0 none, 1 as much as ddpm's" },
    { "upsampler-steps", 0, CLI_TEXT, "N", NULL, 0, 0, "steps of each upsampler, as --steps" },
    { "sampler", 0, CLI_TEXT, "ddim|ddpm", NULL, 0, 0,
      "how the decoder goes back from noise to picture; otherwise the model's default" },
    { "prior", 0, CLI_TEXT, "diffusion|ar", NULL, 0, 0,
      "which of the model's priors makes the caption an embedding; otherwise the first of these that it "
      "has" },
    { "prior-steps", 0, CLI_TEXT, "N", NULL, 0, 0, "steps of the diffusion prior, as --steps" },
    { "prior-guidance", 0, CLI_REAL, "G", NULL, 0, 20,
      "how strongly the prior follows the caption, as --guidance" },
};
enum { OPTIONS = sizeof options / sizeof *options, OF_PICTURES = 4 };

static void add(cli_command *c, const cli_option *from, int count)
{
    c->options = cli_join_options(c->options, c->option_count, from, count);
    c->option_count += count;
}

void sampling_fill(cli_command *c)
{
    add(c, options + 1, OPTIONS - 1);
}

void sampling_fill_caption(cli_command *c)
{
    add(c, options, OPTIONS);
}

void sampling_fill_pictures(cli_command *c)
{
    add(c, options, OF_PICTURES);
}

static bool has(const cli_call *call, const char *name)
{
    const cli_command *c = cli_call_command(call);
    for (int i = 0; i < c->option_count; ++i)
        if (strcmp(c->options[i].name, name) == 0) return cli_given(call, name);
    return false;
}

static const char *text_of(const cli_call *call, const char *name, const char **any)
{
    if (!has(call, name)) return NULL;
    if (any) *any = name;
    return cli_text(call, name);
}

static double real_of(const cli_call *call, const char *name, const char **any)
{
    if (!has(call, name)) return -1;
    if (any) *any = name;
    return cli_real(call, name);
}

dalle_sampling sampling_of(const cli_call *call, const char **any)
{
    dalle_sampling s = DALLE_SAMPLING_DEFAULTS;
    if (any) *any = NULL;
    s.prior = text_of(call, "prior", any);
    s.prior_steps = text_of(call, "prior-steps", any);
    s.steps = text_of(call, "steps", any);
    s.upsampler_steps = text_of(call, "upsampler-steps", any);
    s.sampler = text_of(call, "sampler", any);
    s.eta = real_of(call, "eta", any);
    s.prior_guidance = real_of(call, "prior-guidance", any);
    return s;
}

double sampling_guidance(const cli_call *call)
{
    return real_of(call, "guidance", NULL);
}

unsigned sampling_parts(const cli_call *call, unsigned there)
{
    const char *named = cli_text(call, "prior");
    bool ar = named ? strcmp(named, "ar") == 0 : !(there & DALLE_DIFFUSION_PRIOR) && (there & DALLE_AR_PRIOR);
    return DALLE_DECODER | (ar ? DALLE_AR_PRIOR : DALLE_DIFFUSION_PRIOR);
}
