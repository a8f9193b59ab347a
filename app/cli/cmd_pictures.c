/* cmd_pictures.c -- `dalle-cl data pictures`: pictures with captions out of Debian's packages.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "data/debian_set.h"
#include "host/base/json_tree.h"

#include <stdlib.h>
#include <string.h>

static debian_kind kind_of(const char *word)
{
    if (strcmp(word, "photo") == 0) return DEBIAN_PHOTO;
    return strcmp(word, "drawing") == 0 ? DEBIAN_DRAWING : DEBIAN_MEASURED;
}

static int left_out(const debian_count *c)
{
    return c->unread + c->blank + c->small + c->again + c->linked + c->owned;
}

static bool print_json(const debian_count counts[DEBIAN_SOURCES], error *err)
{
    json_t *list = json_array();
    for (int i = 0; i < DEBIAN_SOURCES; ++i) {
        const debian_source *s = &debian_sources[i];
        const debian_count *c = &counts[i];
        json_tree_add(
            &list,
            json_pack("{s:s, s:s, s:s, s:i, s:b, s:i, s:i, s:i, s:{s:i, s:i, s:i, s:i, s:i, s:i, s:i}}",
                      "source", s->name, "package", s->package, "licence", s->licence, "megabytes",
                      s->megabytes, "installed", c->installed, "pictures", c->pictures, "photos", c->photos,
                      "val", c->held_out, "left_out", "unreadable", c->unread, "blank", c->blank, "small",
                      c->small, "again", c->again, "incomplete", c->linked, "other_licence", c->owned,
                      "other_kind", c->other_kind));
    }
    char *text = json_tree_text(list, JSON_COMPACT, "the sources", err);
    if (text) puts(text);
    free(text);
    return text != NULL;
}

static void count_of(int number, const char *one, const char *many, char text[40])
{
    if (number)
        snprintf(text, 40, "%d%s", number, number == 1 ? one : many);
    else
        snprintf(text, 40, "none%s", one);
}

static void print_counts(const char *out, const debian_count counts[DEBIAN_SOURCES])
{
    debian_count all = { 0 };
    bool absent[DEBIAN_SOURCES], any = false;
    printf("%-10s %8s %8s %6s %8s  %s\n", "source", "pictures", "photos", "val", "left out", "licence");
    for (int i = 0; i < DEBIAN_SOURCES; ++i) {
        const debian_count *c = &counts[i];
        absent[i] = !c->installed;
        any = any || absent[i];
        if (!c->installed) continue;
        printf("%-10s %8d %8d %6d %8d  %s\n", debian_sources[i].name, c->pictures, c->photos, c->held_out,
               left_out(c), debian_sources[i].licence);
        all.pictures += c->pictures;
        all.photos += c->photos;
        all.held_out += c->held_out;
    }
    char photos[40], val[40];
    count_of(all.photos, " a photograph", " photographs", photos);
    count_of(all.held_out, "", "", val);
    printf("%s: %d picture%s, %s, %s for validation\n", out, all.pictures, all.pictures == 1 ? "" : "s",
           photos, val);
    char advice[512];
    debian_source_advice(absent, advice, sizeof advice);
    if (any) printf("there is more: %s\n", advice);
}

static bool print_sources(const char *root, error *err)
{
    printf("%-10s %-24s %6s  %-14s %s\n", "source", "package", "MB", "licence", "holds");
    for (int i = 0; i < DEBIAN_SOURCES; ++i) {
        const debian_source *s = &debian_sources[i];
        bool there;
        if (!debian_source_installed(s, root, &there, err)) return false;
        printf("%-10s %-24s %6d  %-14s %s%s\n", s->name, s->package, s->megabytes, s->licence, s->holds,
               there ? "; installed" : "");
    }
    return true;
}

static bool run_pictures(const cli_call *call, error *err)
{
    if (cli_flag(call, "list")) return print_sources(cli_text(call, "root"), err);
    int sources = 0;
    const char *const *names = cli_list(call, "source", &sources);
    const debian_options options = { .root = cli_text(call, "root"),
                                     .sources = sources ? names : NULL,
                                     .source_count = sources,
                                     .size = (int)cli_int(call, "size"),
                                     .kind = kind_of(cli_text(call, "kind")) };
    debian_count counts[DEBIAN_SOURCES];
    const char *out = cli_text(call, "output");
    if (!debian_build(&options, out, counts, err)) return false;
    if (cli_flag(call, "json")) return print_json(counts, err);
    if (!cli_flag(call, "quiet")) print_counts(out, counts);
    return true;
}

static const cli_option options[] = {
    { "output", 'o', CLI_TAR, "FILE", "pictures.tar", 0, 0, "the tar to write" },
    { "size", 0, CLI_INT, "N", "128", 16, 512,
      "pixels a side of things on white; scenes keep their shape, their short side up to twice that" },
    { "kind", 0, CLI_TEXT, "all|photo|drawing", "all", 0, 0, "photographs or drawings alone" },
    { "source", 0, CLI_LIST, "NAME", NULL, 0, 0,
      "this source; may be given several times (all that are there)" },
    { "root", 0, CLI_TEXT, "FOLDER", "/", 0, 0,
      "where the packages lie: those unpacked with dpkg-deb -x, too" },
    { "list", 0, CLI_FLAG, NULL, NULL, 0, 0,
      "print the sources, with package, size and licence, and write nothing" },
};

const cli_command cmd_data_pictures = {
    .name = "data pictures",
    .summary = "build a set of photographs and drawings with captions from Debian's packages",
    .arguments = "",
    .example = "dalle-cl data pictures --kind photo -o photos.tar",
    .text = "Takes what it finds of the packages that --list names, and says which of them to install. Each\n"
            "picture has several captions where there are, and its KEY.json says its package, licence and\n"
            "author. Variants of one drawing are together in the split train or val. The same packages give\n"
            "the same file, byte for byte.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_pictures,
};
