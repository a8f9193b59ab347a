/* cmd_data_preview.c -- `dalle-cl data preview`: a step's batch as training sees it.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/output.h"
#include "app/cli/sets.h"

#include "models/kinds.h"
#include "models/preview.h"

#include <stdlib.h>

static const model_kind *default_kind(void)
{
    int i = 0;
    while (model_kinds[i] && !model_kinds[i]->train) ++i;
    return model_kinds[i];
}

static bool find_kind(const cli_call *call, const model_kind **k, error *err)
{
    const char *name = cli_text(call, "for");
    char list[200];
    *k = name ? kinds_find(name) : default_kind();
    if (*k && (*k)->train) return true;
    kinds_list(list, sizeof list, ", ", " and ");
    return error_set(err, ERROR_USAGE, "data preview: --for '%s' is no kind of model; there are %s", name,
                     list);
}

static bool write_sheet(const cli_call *call, const image *sheet, const preview_report *made, error *err)
{
    const char *out = cli_text(call, "output");
    void *png;
    size_t size;
    if (!image_encode_png(sheet, &png, &size, err)) return false;
    bool ok = output_write(out, png, size, err);
    free(png);
    if (ok && cli_flag(call, "json"))
        printf("{\"shown\": %lld, \"batch\": %lld, \"size\": %lld, \"epoch\": %lld, \"pictures\": %lld}\n",
               (long long)made->shown, (long long)made->batch, (long long)made->size, (long long)made->epoch,
               (long long)made->pictures);
    else if (ok && !cli_flag(call, "quiet"))
        fprintf(output_talk(out),
                "%s: %lld of the %lld pictures of step %lld, %lld x %lld, in epoch %lld of %lld pictures\n",
                output_name(out), (long long)made->shown, (long long)made->batch,
                (long long)cli_int(call, "step"), (long long)made->size, (long long)made->size,
                (long long)made->epoch, (long long)made->pictures);
    return ok;
}

static bool run_preview(const cli_call *call, error *err)
{
    char *data = sets_lines(call, err);
    train_request train = { .preset = cli_text(call, "preset"), .data = data, .seed = cli_seed(call, -1) };
    train.sets = cli_list(call, "set", &train.set_count);
    preview_request r = { .train = &train,
                          .size = cli_int(call, "size"),
                          .step = cli_int(call, "step"),
                          .most = cli_int(call, "count") };
    image sheet;
    preview_report made;
    bool ok = data && find_kind(call, &r.kind, err) && preview_make(&r, &sheet, &made, err);
    free(data);
    if (!ok) return false;
    ok = write_sheet(call, &sheet, &made, err);
    image_free(&sheet);
    return ok;
}

/* clang-format off */
static const cli_option options[] = {
    { "output", 'o', CLI_PICTURE, "FILE", "sheet.png", 0, 0, "PNG to write; - is standard output" },
    { "for", 0, CLI_TEXT, "KIND", NULL, 0, 0, "whose training: a kind of model; otherwise the first that 'train' has" },
    { "preset", 'p', CLI_TEXT, "NAME", NULL, 0, 0, "settings to start from, as 'train' takes them" },
    { "set", 's', CLI_LIST, "KEY=VALUE", NULL, 0, 0, "change a setting" },
    { "step", 0, CLI_INT, "N", "0", 0, 1000000000, "the batch of which step" },
    { "size", 0, CLI_INT, "N", "0", 0, 4096, "pixels a side; 0 = as the settings say" },
    { "count", 'n', CLI_INT, "N", "64", 0, 65536, "pictures to show at most; 0 = the whole batch" },
};
/* clang-format on */

const cli_command cmd_data_preview = {
    .name = "data preview",
    .summary =
        "a sheet of a training step's pictures, after cutting, resizing and flips, with their captions",
    .arguments = SETS_ARGUMENTS,
    .least = 1,
    .most = -1,
    .example =
        "dalle-cl data preview photos.tar -o sheet.png --preset photo --set augment=listing1 --step 100",
    .text = "With the same preset, settings, seed and sets, in their order and with their weights, as a "
            "training, "
            "the sheet\n"
            "shows what its step gets, pixel for pixel; captions are those that it draws." SETS_TEXT,
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_preview,
};
