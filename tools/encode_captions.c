/* encode_captions.c -- the tokens of captions that end in a NUL each, from the standard input, a line each.
 *     encode_captions TOKENIZER <CAPTIONS
 * An empty line is a caption without tokens, "-" one that is refused.
 * SPDX-License-Identifier: MIT */
#include "data/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

static void print(const tokenizer *t, const char *caption)
{
    error err = { 0 };
    int32_t *ids = NULL;
    int count = tokenizer_encode(t, caption, &ids, &err);
    for (int i = 0; i < count; ++i) printf("%s%d", i ? " " : "", (int)ids[i]);
    if (count < 0) fprintf(stderr, "encode_captions: %s\n", err.message);
    puts(count < 0 ? "-" : "");
    free(ids);
}

int main(int argc, char **argv)
{
    error err = { 0 };
    tokenizer *t = argc == 2 ? tokenizer_open(argv[1], &err) : NULL;
    char *caption = NULL;
    size_t room = 0;
    if (!t) {
        fprintf(stderr, "%s\n", argc == 2 ? err.message : "usage: encode_captions TOKENIZER <CAPTIONS");
        return argc == 2 ? 1 : 2;
    }
    while (getdelim(&caption, &room, '\0', stdin) > 0) print(t, caption);
    free(caption);
    tokenizer_close(t);
    return 0;
}
