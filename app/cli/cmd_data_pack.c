/* cmd_data_pack.c -- `dalle-cl data pack`: a set as shards, with tokens beside them if asked.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/sets.h"

#include "host/base/log.h"
#include "models/shards.h"

#include <stdlib.h>
#include <string.h>

/* "1000" samples, or bytes: "500MB", "2GB". */
static bool read_size(const char *text, shard_options *o, error *err)
{
    char *end;
    double number = strtod(text, &end);
    static const struct {
        const char *unit;
        double bytes;
    } units[] = { { "kB", 1e3 }, { "MB", 1e6 }, { "GB", 1e9 } };
    for (size_t i = 0; i < sizeof units / sizeof *units; ++i)
        if (end > text && strcmp(end, units[i].unit) == 0 && number > 0 && number <= 1e6) {
            o->bytes = (int64_t)(number * units[i].bytes);
            return true;
        }
    o->samples = (int64_t)number;
    if (end > text && !*end && number >= 1 && number <= 1e8 && number == (double)o->samples) return true;
    return error_set(
        err, ERROR_USAGE,
        "data pack: --shard-size '%s' is neither a number of samples, such as 1000, nor one of bytes, "
        "such as 500MB",
        text);
}

static int choice(const char *text, const char *const *names)
{
    int i = 0;
    while (strcmp(names[i], text) != 0) ++i;
    return i;
}

static bool read_set(const char *text, shards_options *o, error *err)
{
    static const char *const names[] = { "augment=none", "augment=listing1", "augment=listing2",
                                         "flip=auto",    "flip=no",          "flip=yes" };
    for (int i = 0; i < 6; ++i) {
        if (strcmp(text, names[i]) != 0) continue;
        if (i < 3)
            o->augment = (augment_mode)i;
        else
            o->flip = (augment_flip)(i - 3);
        return true;
    }
    return error_set(
        err, ERROR_USAGE,
        "data pack: --set '%s' is none of augment=none, augment=listing1, augment=listing2, flip=auto, "
        "flip=no, flip=yes",
        text);
}

static bool read_options(const cli_call *call, shards_options *o, error *err)
{
    static const char *const packings[] = { "none", "gzip", "zstd" };
    int count;
    if (!cli_require(call, "output", err)) return false;
    *o = (shards_options){ .shards = { .folder = cli_text(call, "output"),
                                       .packing = (shard_packing)choice(cli_text(call, "compress"), packings),
                                       .replace = cli_flag(call, "force") },
                           .side = cli_int(call, "size"),
                           .tokens = cli_text(call, "tokens"),
                           .copies = cli_int(call, "copies"),
                           .seed = (uint64_t)cli_seed(call, 1),
                           .threads = (int)cli_int(call, "threads"),
                           .interrupted = cli_interrupted(),
                           .tell = sets_meter_tell };
    const char *const *sets = cli_list(call, "set", &count);
    for (int i = 0; i < count; ++i)
        if (!read_set(sets[i], o, err)) return false;
    bool alike = o->augment == AUGMENT_NONE && o->copies > (o->flip == AUGMENT_FLIP_ON ? 2 : 1);
    if (alike)
        return error_set(
            err, ERROR_USAGE,
            "data pack: %lld copies would not all differ; add --set augment=listing2, or ask for %d",
            (long long)o->copies, o->flip == AUGMENT_FLIP_ON ? 2 : 1);
    if (!o->tokens && (count || cli_given(call, "copies")))
        return error_set(err, ERROR_USAGE,
                         "data pack: --copies and --set say how tokens are made; add --tokens, or "
                         "leave them out");
    return read_size(cli_text(call, "shard-size"), &o->shards, err);
}

static void print_report(const cli_call *call, const shards_options *o, const shards_report *made)
{
    if (cli_flag(call, "json")) {
        printf("{\"samples\": %lld, \"shards\": %lld, \"unreadable\": %lld, \"tokens\": %lld, \"copies\": "
               "%lld}\n",
               (long long)made->samples, (long long)made->shards, (long long)made->unreadable,
               (long long)made->tokens, made->tokens ? (long long)o->copies : 0);
        return;
    }
    if (cli_flag(call, "quiet")) return;
    printf("%s: %lld samples in %lld shard%s", o->shards.folder, (long long)made->samples,
           (long long)made->shards, made->shards == 1 ? "" : "s");
    if (made->tokens)
        printf(", with %lld x %lld tokens of each beside them", (long long)o->copies,
               (long long)made->tokens);
    if (made->unreadable)
        printf("; %lld pictures cannot be read and are left out", (long long)made->unreadable);
    putchar('\n');
}

static bool run_pack(const cli_call *call, error *err)
{
    shards_options o;
    shards_report made;
    sets_meter meter = sets_meter_start("pack", "samples");
    if (!read_options(call, &o, err)) return false;
    o.context = &meter;
    dataset *d = sets_open(call, false, err);
    cli_catch_interrupts();
    bool ok = d && shards_pack(d, &o, cli_text(call, "device"), &made, err);
    log_progress(NULL);
    dataset_close(d);
    if (ok)
        print_report(call, &o, &made);
    else if (err->code == ERROR_INTERRUPTED)
        error_set(err, ERROR_INTERRUPTED, "stopped; '%s' holds whole shards of a part of the set",
                  o.shards.folder);
    return ok;
}

/* clang-format off */
static const cli_option options[] = {
    { "output", 'o', CLI_FOLDER, "FOLDER", NULL, 0, 0, "the folder for shards" },
    { "shard-size", 0, CLI_TEXT, "SIZE", "1000", 0, 0, "samples of a shard, or bytes as 500MB" },
    { "compress", 0, CLI_TEXT, "none|gzip|zstd", "none", 0, 0, "how shards are compressed; pictures hardly shrink" },
    { "size", 0, CLI_INT, "N", "0", 0, 16384, "bring larger pictures to this shorter side, as PNG; 0 = files byte for byte" },
    { "tokens", 0, CLI_TEXT, "FOLDER", NULL, 0, 0, "also write the tokens that this model or run makes of the pictures" },
    { "copies", 0, CLI_INT, "N", "1", 1, 1024, "of each picture, cut or flipped anew" },
    { "set", 's', CLI_LIST, "KEY=VALUE", NULL, 0, 0, "augment=none|listing1|listing2 and flip=auto|no|yes, of those copies; otherwise none and auto" },
    { "force", 0, CLI_FLAG, NULL, NULL, 0, 0, "replace shards that are in the folder" },
    { "threads", 0, CLI_INT, "N", "0", 0, 64, "threads that decode; 0 = one for each processor, at most 8" },
};
/* clang-format on */

const cli_command cmd_data_pack = {
    .name = "data pack",
    .summary = "write a set as shards, with its pictures resized, or their tokens beside them, if asked",
    .arguments = SETS_ARGUMENTS,
    .least = 1,
    .most = -1,
    .example = "dalle-cl data pack photos -o shards --size 256\n"
               "dalle-cl data pack photos -o shards --tokens models/demo --copies 4 --set augment=listing2",
    .text = "shard-000000.tar, shard-000001.tar, ...: the same set gives the same bytes, and a shard has its "
            "name\n"
            "only when it is whole. Pictures that cannot be read are left out.\n"
            "With --tokens, shard-000000.safetensors beside each holds its pictures' tokens, [samples, "
            "copies, side,\n"
            "side]. A training that learns tokens reads them there, which is faster than making them from "
            "pixels in\n"
            "every step, and refuses those of another model than its own." SETS_TEXT,
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_pack,
};
