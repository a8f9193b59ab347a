/* cmd_pack.c -- `dalle-cl pack`: runs become one folder that `generate` needs, and nothing else.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "data/dataset_paths.h"
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "models/kinds.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool print_json(const char *out, const pack_report *made, error *err)
{
    json_t *o = json_pack("{s:o, s:I}", "model", json_tree_string(out), "bytes", (json_int_t)made->bytes);
    const char *key;
    json_t *value;
    json_object_foreach(made->figures, key, value)
    {
        json_tree_put(&o, key, json_incref(value));
    }
    char *text = json_tree_text(o, JSON_COMPACT, "the result as JSON", err);
    if (text) puts(text);
    free(text);
    return text != NULL;
}

static bool is_packed(const pack_report *made, const model_kind *k)
{
    for (int i = 0; i < made->count; ++i)
        if (made->at[i].kind == k) return true;
    return false;
}

/* What a part does without one that would build on it. */
static void print_missing(const pack_report *made, const model_kind *part)
{
    for (int i = 0; part->without && model_kinds[i]; ++i)
        if (kinds_needs(model_kinds[i], part) && !is_packed(made, model_kinds[i])) {
            printf("  no %s: %s\n", model_kinds[i]->title, part->without);
            return;
        }
}

/* Of the last part that is good for something; others may stand beside it. */
static void print_use(const char *out, const pack_report *made)
{
    const char *const *use = NULL;
    for (int i = 0; i < made->count; ++i)
        if (made->at[i].kind->use[0]) use = made->at[i].kind->use;
    if (use) printf("%s: dalle-cl %s -m %s %s\n", use[0], use[1], out, use[2]);
}

static void print_people(const char *out, const char *stored, const pack_report *made)
{
    printf("%s: %.2f MB as %s\n", out, (double)made->bytes * 1e-6, stored);
    for (int i = 0; i < made->count; ++i) {
        const struct packed_part *p = &made->at[i];
        char parameters[32];
        cli_grouped(p->parameters, parameters);
        printf("  %s: %s parameters%s%s\n", p->kind->title, parameters, *p->tell ? "; " : "", p->tell);
    }
    for (int i = 0; i < made->count; ++i) print_missing(made, made->at[i].kind);
    print_use(out, made);
}

/* Interrupted, it leaves no half of a file; a folder that is not finished has no model.json. */
static void guard(const char *out)
{
    char path[400], temporary[432];
    cli_catch_interrupts();
    cli_interrupt_ends("stopped; what is in '%s' is no whole model", out);
    for (int i = 0; model_kinds[i]; ++i)
        for (int n = 0; n < kinds_most(model_kinds[i]); ++n) {
            char name[PART_NAME];
            snprintf(path, sizeof path, "%s/%s.safetensors", out, part_name(model_kinds[i], n, name));
            file_atomic_name(path, temporary, sizeof temporary);
            cli_interrupt_removes(temporary);
        }
}

static bool no_calibration(const error *why)
{
    fprintf(stderr,
            "note: the model will not say that it is unsure of a caption: %s; --data names the pictures that "
            "tell, "
            "--known-captions 0 wants none\n",
            why->message);
    return true;
}

/* What is wrong with a data set, rather than with the device. */
static bool of_files(const error *e)
{
    return e->code == ERROR_USAGE || e->code == ERROR_IO || e->code == ERROR_FORMAT;
}

static void print_limits(const calibration *known)
{
    printf("drew %lld known captions, %lld of them right: above %.3g nats a token it will say that it is "
           "unsure\n",
           (long long)known->drawn, (long long)known->right, known->limit);
    if (known->sure != 0)
        printf("  and of those that are ranked where the CLIP is less than %.3g sure even of the best\n",
               known->sure);
    if (known->known > 0)
        printf("  kept %lld captions, to draw those that are near one that it does not know\n",
               (long long)known->known);
}

/* Measures how unsure the model is of captions that it knows.  The run's own data set, if it cannot be used
 * any more, costs the model only that. */
static bool calibrate(const cli_call *call, device *d, const struct packed_part *p, const char *data,
                      int64_t *bytes, error *err)
{
    const char *out = cli_text(call, "output");
    int64_t captions = cli_int(call, "known-captions");
    calibration known;
    error why = { 0 };
    if (!p->kind->calibrate || captions == 0) return true;
    cli_interrupt_ends("stopped; '%s' is packed, but how unsure it is of known captions was not measured",
                       out);
    bool ok = p->kind->calibrate(d, p->run, out, data, captions, &known, &why);
    if (!ok && !data && of_files(&why)) return no_calibration(&why);
    if (!ok) {
        *err = why;
        return error_prefix(err, "'%s' is packed, but how unsure it is of known captions was not measured",
                            out);
    }
    *bytes += known.bytes;
    if (!cli_flag(call, "quiet") && !cli_flag(call, "json")) print_limits(&known);
    return true;
}

static bool pack(const cli_call *call, device *d, const pack_request *r, const char *data, error *err)
{
    pack_report made;
    if (!pack_parts(d, r, &made, err)) return false;
    bool ok = true;
    for (int i = 0; ok && i < made.count; ++i) ok = calibrate(call, d, &made.at[i], data, &made.bytes, err);
    if (ok && cli_flag(call, "json"))
        ok = print_json(r->out, &made, err);
    else if (ok && !cli_flag(call, "quiet"))
        print_people(r->out, cli_text(call, "storage"), &made);
    pack_report_free(&made);
    return ok;
}

static bool run_pack(const cli_call *call, error *err)
{
    if (!cli_require(call, "output", err)) return false;
    const char *runs[PARTS_MAX + 1] = { NULL };
    char *data;
    pack_request r = { .runs = runs,
                       .out = cli_text(call, "output"),
                       .type = strcmp(cli_text(call, "storage"), "f16") == 0 ? DTYPE_F16 : DTYPE_F32,
                       .force = cli_flag(call, "force") };
    for (int i = 0; i < cli_argument_count(call); ++i) runs[i] = cli_argument(call, i);
    if (!cli_lines(call, "data", &data, err)) return false;
    bool ok = !data || dataset_paths_check((const char *const *)&data, 1, err);
    device *d = NULL;
    if (ok) guard(r.out);
    ok = ok && (d = device_open(cli_text(call, "device"), err)) && pack(call, d, &r, data, err);
    device_close(d);
    free(data);
    return ok;
}

static const cli_option options[] = {
    { "output", 'o', CLI_FOLDER, "FOLDER", NULL, 0, 0, "the model's folder" },
    { "data", 0, CLI_LIST, "FILE", NULL, 0, 0,
      "pictures with captions that the model knows, as for train; otherwise what its run learnt" },
    { "known-captions", 0, CLI_INT, "N", "200", 0, 100000,
      "how many of their captions to draw, to know later which are unsure; 0 = none" },
    { "storage", 0, CLI_TEXT, "f16|f32", "f16", 0, 0, "how parameters are stored" },
    { "force", 0, CLI_FLAG, NULL, NULL, 0, 0, "pack parts that were not trained together" },
};

/* "DVAE_RUN [PRIOR_RUN]", with what builds on a kind behind it; "|" parts models that share nothing. */
static void add_arguments(char *text, size_t room)
{
    for (int i = 0; model_kinds[i]; ++i) {
        const model_kind *k = model_kinds[i];
        if (!k->open) continue;
        size_t used = strlen(text), from = used;
        bool built = k->needs && k->needs->kind;
        snprintf(text + used, room - used, "%s%s%s_RUN%s",
                 used == 0 ? ""
                 : built   ? " "
                           : " | ",
                 built ? "[" : "", k->name, built ? "]" : "");
        if (kinds_most(k) > 1) {
            used = strlen(text);
            snprintf(text + used, room - used, " [%s_RUN]", k->name);
        }
        for (char *at = text + from; *at; ++at) *at = (char)toupper((unsigned char)*at);
    }
}

static void fill(cli_command *c)
{
    char arguments[600] = "", packing[4000] = "";
    int most = 0;
    add_arguments(arguments, sizeof arguments);
    for (int i = 0; model_kinds[i]; ++i) {
        most += kinds_most(model_kinds[i]);
        size_t used = strlen(packing);
        if (model_kinds[i]->packing)
            snprintf(packing + used, sizeof packing - used, "\n%s", model_kinds[i]->packing);
    }
    c->arguments = cli_lasting_text("%s", arguments);
    c->text = cli_lasting_text("%s%s", c->text, packing);
    c->most = most < PARTS_MAX ? most : PARTS_MAX;
}

const cli_command cmd_pack = {
    .name = "pack",
    .summary = "put trained parts into one folder that generate needs and nothing else",
    .least = 1,
    .example = "dalle-cl pack runs/dvae runs/prior -o models/mine",
    .text =
        "Takes each run's parameters, averaged where there are averages. Name a run's best.safetensors or\n"
        "checkpoint.safetensors for another than is taken of it. A packed model may be named for its first\n"
        "part that is still to come, as often as it has parts, or that part's .safetensors for it alone.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_pack,
    .fill = fill,
};
