/* large.h -- a few tars that are opened as a large set.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_DATA_LARGE_H
#define DALLE_CL_TESTS_DATA_LARGE_H

#include "tests/data/fixtures.h"

#include "data/dataset.h"

#define LARGE_MOST 150 /* tars */

enum {
    LARGE_PACKED = 1,      /* all are compressed */
    LARGE_EVERY_OTHER = 2, /* every other one is */
    LARGE_PLAIN_TEXT = 4,  /* pictures that are none, and no details */
};

typedef struct large_set {
    room r;
    int flags, count;
    const char *paths[LARGE_MOST];
} large_set;

static UNUSED bool large_is_packed(const large_set *s, int tar)
{
    return s->flags & LARGE_PACKED || (s->flags & LARGE_EVERY_OTHER && tar % 2);
}

/* Writes tar `i` anew, under a temporary name as who makes shards does: sample k is i-k with two captions;
 * every third is of split val, every fifth comes twice. */
static UNUSED void large_write(const large_set *s, int i, int samples)
{
    char made[128], name[64], text[160];
    snprintf(made, sizeof made, "%s.new", s->paths[i]);
    tar_file t = tar_begin(made, large_is_packed(s, i));
    for (int k = 0; k < samples; ++k) {
        snprintf(name, sizeof name, "s/%d-%d.png", i, k);
        if (s->flags & LARGE_PLAIN_TEXT)
            tar_add_text(&t, name, name);
        else
            tar_add_noise(&t, name, 16, 16, (uint32_t)(i * 1000 + k));
        snprintf(name, sizeof name, "s/%d-%d.txt", i, k);
        snprintf(text, sizeof text, "sample %d of tar %d\nanother line\n", k, i);
        tar_add_text(&t, name, text);
        if (s->flags & LARGE_PLAIN_TEXT) continue;
        snprintf(name, sizeof name, "s/%d-%d.json", i, k);
        snprintf(text, sizeof text,
                 "{\"split\":\"%s\",\"group\":\"g%d\",\"keywords\":[\"a\",\"b%d\"],\"repeat\":%d}",
                 k % 3 ? "train" : "val", k, k, k % 5 == 4 ? 2 : 1);
        tar_add_text(&t, name, text);
    }
    tar_end(&t);
    assert_int_equal(rename(made, s->paths[i]), 0);
}

static UNUSED large_set large_create(int tars, int samples, int flags)
{
    large_set s = { .r = room_create(), .flags = flags };
    for (int i = 0; i < tars; ++i) {
        char name[32];
        snprintf(name, sizeof name, "%03d.tar", i);
        s.paths[s.count++] = strdup(at(&s.r, name));
        large_write(&s, i, samples);
    }
    return s;
}

static UNUSED void large_remove(large_set *s)
{
    for (int i = 0; i < s->count; ++i) free((void *)(uintptr_t)s->paths[i]);
    room_remove(&s->r);
}

/* One more tar, of what is not so plain: long and foreign names, two dots, what is left out, a picture
 * without a caption, one that is none, captions far from their pictures, links. */
static UNUSED void large_add_odd(large_set *s, bool packed)
{
    s->paths[s->count] = strdup(at(&s->r, "odd.tar"));
    tar_file t = tar_begin(s->paths[s->count++], packed);
    char name[300];
    tar_add_text(&t, "far.txt", "its picture comes last");
    memset(name, 'n', sizeof name);
    strcpy(name + 250, ".png");
    tar_add_noise(&t, name, 9, 8, 1);
    strcpy(name + 250, ".txt");
    tar_add_text(&t, name, "a long name");
    tar_add_noise(&t, "caf\xc3\xa9/\xe7\x8c\xab.png", 7, 7, 2);
    tar_add_text(&t, "caf\xc3\xa9/\xe7\x8c\xab.txt", "a cat");
    tar_add_noise(&t, "7.input.jpg", 6, 6, 3);
    tar_add_text(&t, "7.outputs.txt", "in two parts");
    tar_add_noise(&t, "./alone.png", 5, 5, 4);
    tar_add_text(&t, "none.png", "<html>");
    tar_add_text(&t, "none.txt", "not a picture");
    tar_add_text(&t, "lost.txt", "no picture");
    tar_add_text(&t, "empty.png", "");
    tar_add_text(&t, "twice.txt", "an old caption");
    tar_add_noise(&t, "twice.png", 4, 4, 5);
    tar_add_text(&t, "twice.txt", "a new caption");
    struct archive_entry *link = archive_entry_new();
    archive_entry_set_pathname(link, "linked.png");
    archive_entry_set_hardlink(link, "twice.png");
    archive_entry_set_filetype(link, AE_IFREG);
    assert_int_equal(archive_write_header(t.tar, link), ARCHIVE_OK);
    archive_entry_free(link);
    tar_add_text(&t, "linked.txt", "another name");
    tar_add_noise(&t, "far.png", 3, 3, 6);
    tar_end(&t);
}

/* And one that is the first two, one behind the other. */
static UNUSED void large_add_joined(large_set *s)
{
    char command[1024];
    s->paths[s->count] = strdup(at(&s->r, "joined.tar"));
    snprintf(command, sizeof command, "cat '%s' '%s' > '%s'", s->paths[0], s->paths[1], s->paths[s->count]);
    assert_int_equal(system(command), 0);
    ++s->count;
}

static UNUSED dataset *large_open(const large_set *s, bool large)
{
    const dataset_options options = { .most_pictures = 2, .resident = !large };
    error err;
    dataset *d = dataset_open_with(s->paths, s->count, &options, &err);
    if (!d) fail_msg("%s", err.message);
    return d;
}

#endif
