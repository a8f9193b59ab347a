/* fuzz_json.c -- JSON texts: what is read can be written and read again.
 * SPDX-License-Identifier: MIT */
#include "host/base/json_tree.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void read_back(json_t *tree)
{
    error err = { 0 };
    char *text = json_tree_text(json_incref(tree), JSON_COMPACT, "it", &err);
    fuzz_must(text != NULL, "a tree has a text form");
    json_t *again = json_tree_parse(text, strlen(text), "again", &err);
    fuzz_must(again && json_equal(tree, again), "a tree is the same when it is read again");
    json_decref(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error err = { 0 };
    json_tree_problem problem;
    json_t *strict = json_tree_read((const char *)data, size, false, &problem);
    fuzz_must(strict || (problem.line > 0 && problem.byte <= size && *problem.text),
              "a problem has its place");
    json_t *tree = json_tree_parse((const char *)data, size, "input", &err);
    fuzz_must(tree || !strict, "what has no repeats is read with them allowed");
    if (tree)
        read_back(tree);
    else
        fuzz_refused(&err);
    json_decref(strict);
    json_decref(tree);
    return 0;
}
