/* reached.c -- which of the OpenCL calls that the device's sources name are made by some scenario.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/walk.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES 128

typedef struct names {
    char at[NAMES][64];
    int count;
} names;

static void add_name(names *n, const char *name)
{
    for (int i = 0; i < n->count; ++i)
        if (strcmp(n->at[i], name) == 0) return;
    if (n->count == NAMES) abort();
    snprintf(n->at[n->count++], sizeof n->at[0], "%s", name);
}

/* clXxx( outside of strings; comments name calls without a bracket behind them. */
static void add_calls(names *n, const char *line)
{
    bool quoted = false;
    for (const char *at = line; *at; ++at) {
        if (*at == '"' && (at == line || at[-1] != '\\')) quoted = !quoted;
        bool begins = at == line || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (quoted || !begins || strncmp(at, "cl", 2) != 0 || !isupper((unsigned char)at[2])) continue;
        size_t length = 2;
        while (isalnum((unsigned char)at[length])) ++length;
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        if (at[length] == '(') add_name(n, name);
    }
}

static bool read_file(names *n, const char *path)
{
    char line[1024];
    FILE *in = fopen(path, "r");
    if (!in) return false;
    while (fgets(line, sizeof line, in)) add_calls(n, line);
    fclose(in);
    return true;
}

static names calls_in(const char *folder)
{
    names n = { .count = 0 };
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        char path[1024];
        size_t length = strlen(e->d_name);
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (length > 2 && strcmp(e->d_name + length - 2, ".c") == 0 && !read_file(&n, path)) abort();
    }
    if (dir) closedir(dir);
    return n;
}

/* Runs every scenario once, undisturbed. */
static bool run_all(const cl_layer *layer)
{
    layer->reset();
    for (int i = 0; i < scenario_count; ++i) {
        const scenario *s = &scenarios[i];
        error err = { .code = ERROR_NONE };
        walk_choose_cache(s);
        bool ok = (!s->prepare || s->prepare(&err)) && s->run(&err);
        if (s->finish) s->finish();
        if (!ok) {
            printf("%s: %s\n", s->name, err.message);
            return false;
        }
    }
    return true;
}

int reached(const cl_layer *layer, const char *sources)
{
    names n = calls_in(sources);
    int missed = 0;
    if (!run_all(layer)) return EXIT_FAILURE;
    for (int i = 0; i < n.count; ++i) {
        long uses = -1;
        for (int call = 0; call < layer->calls; ++call)
            if (strcmp(layer->name(call), n.at[i]) == 0) uses = layer->uses(call);
        if (uses > 0) continue;
        ++missed;
        printf("%s: %s\n", n.at[i], uses < 0 ? "the layer does not wrap it" : "no scenario makes it");
    }
    printf("faults reached: %d calls are named in the sources, %d are made by no scenario\n", n.count,
           missed);
    return missed || !n.count ? EXIT_FAILURE : EXIT_SUCCESS;
}
