/* dataset.h -- pictures with captions, from WebDataset tars, folders, tables (CSV), COCO's captions, or
 * several of these: docs/data.md.
 * A tar or folder holds KEY.png (or .jpg, .jpeg) and KEY.txt, the caption, or several, one a line.  It may
 * hold KEY.json with "split" (text), "group" (text), "keywords" (list of text), "captions" (list of text:
 * more of them) and "repeat" (1 to 64: how often an epoch shows the picture).
 *   KEY is the path up to the last dot, in a tar as in a folder, so that "cat.v1.png" and "cat.v2.png" are
 *   two
 * samples.  Where that leaves one picture, one caption, and no other, alike up to the first dot of their
 * names, they are one sample with that key, as WebDataset has it: "7.input.jpg" and "7.outputs.txt".  Beside
 * a whole sample "7.jpg" with "7.txt", a lone "7.depth.png" is left out.  So are, by name, links in a tar
 * that lead to nothing in it, names that come again (the last counts), and a "7.webp" beside "7.jpg".  Hidden
 * files and members with other endings are not looked at; pictures with endings of formats that are not read
 * are samples whose picture cannot be read. Everything but the pictures is read and checked when the set is
 * opened; pictures are read when asked for, those of compressed tars too.  An open set never changes and may
 * be used by any number of threads.
 *   A set of tars is large with more than 100,000 pictures, or where its texts and what compressed tars
 * unpack to have more than 64 MiB.  Then little of it is held in memory: an index file (dataset_build.h),
 * made when it is first opened and mapped, says where samples lie, and all of a sample is read when asked
 * for; of a compressed tar by unpacking it up to there.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_H
#define DALLE_CL_DATA_DATASET_H

#include "data/image.h"

#define DATASET_MAX_CAPTION 8192 /* bytes */
#define DATASET_MAX_REPEAT  64

typedef struct dataset dataset;

typedef struct dataset_sample {
    const char *key;
    const char *caption; /* the first; "" if there is none, which only need_captions = false permits */
    const char *split;   /* "" if not given */
    const char *group;   /* "" if not given */
    const char *const *keywords;
    /* Those of KEY.txt, then those of KEY.json: none empty, all UTF-8, of at most DATASET_MAX_CAPTION bytes,
     * without spaces around; only those of KEY.json may have lines. */
    const char *const *captions;
    int keyword_count, caption_count;
    int repeat;     /* how often a training selection holds it */
    bool captioned; /* there is a KEY.txt, though it may hold nothing but spaces */
    void *memory;   /* of one that dataset_read gave; NULL: the texts are the set's */
} dataset_sample;

/* Paths may have options (dataset_options.h); dataset_paths.h makes them of what people type.
 * `need_captions`: a picture without a caption is an error, one whose caption is empty or cannot be read is
 * left out.  Captions without a picture are left out, and an
 * error where they are more than those with one. */
dataset *dataset_open(const char *const *paths, int count, bool need_captions, error *err);
typedef struct dataset_options {
    bool need_captions;
    bool resident; /* hold the set in memory however large it is, for dataset_at */
    /* Sources that training mixes by weights above 0 (order.h), not by their numbers of samples.  Which of
     * `group_count` groups each path is of, those of a group one after another; and each group's weight.
     * NULL: all are one. */
    const int *groups;
    const double *weights;
    int group_count;
    int64_t most_pictures, most_held; /* what a set that is not large has at most; 0: those limits above */
} dataset_options;
dataset *dataset_open_with(const char *const *paths, int count, const dataset_options *options, error *err);
void dataset_close(dataset *d);

int64_t dataset_count(const dataset *d);
bool dataset_is_large(const dataset *d);
int64_t dataset_uncaptioned(const dataset *d); /* samples without a caption */
/* Sample `index`, in the order of the files.  To be freed with dataset_sample_free. */
bool dataset_read(const dataset *d, int64_t index, dataset_sample *out, error *err);
void dataset_sample_free(dataset_sample *s);
/* The same, borrowed; of a set that is held in memory. */
const dataset_sample *dataset_at(const dataset *d, int64_t index);
int64_t dataset_find(const dataset *d, const char *key); /* or -1 */
/* What is in no sample and looks as if it should be, files and parts of them, each as "name: why"; of several
 * sources as "path: name: why".  Of a large set the first of them, 1,000 at most, and how many there are in
 * all. */
int64_t dataset_left_out(const dataset *d);
int64_t dataset_left_out_total(const dataset *d);
const char *dataset_left_out_at(const dataset *d, int64_t i);
/* How its pictures are read from now on, if not by IMAGE_READING_DEFAULT; before threads read them.  The set
 * keeps colour profiles itself. */
void dataset_set_reading(dataset *d, const image_reading *how);
bool dataset_read_picture(const dataset *d, int64_t index, image *out, error *err);
/* The picture's file as it is, to be freed with free(). */
bool dataset_read_bytes(const dataset *d, int64_t index, void **bytes, size_t *size, error *err);
/* KEY.json as it is, of a set that is held in memory; NULL: there is none. */
const char *dataset_details(const dataset *d, int64_t index);
/* The same of any: *details becomes KEY.json as it is, to be freed with free(); NULL: there is none. */
bool dataset_read_details(const dataset *d, int64_t index, char **details, error *err);
/* The tars and folders that it was opened from, in order; of samples, those of the first come first. */
int dataset_source_count(const dataset *d);
const char *dataset_source_at(const dataset *d, int i);

/* SHA-256 over keys, captions, picture sizes in bytes, and repeats: says in a checkpoint which data made
 * it.  A large set's is over those of its tars. */
void dataset_hash(const dataset *d, char hex[65]);

/* Some samples of a set, in its order.  dataset_selected gives the index of one. */
typedef struct dataset_selection {
    int64_t *index; /* of a set held in memory, else NULL */
    int64_t count;
    struct picks *picks; /* of a large set, else NULL */
    uint64_t seed;       /* what it was chosen by */
} dataset_selection;
int64_t dataset_selected(const dataset_selection *s, int64_t place);

/* Those with `split` (NULL or "" = all; all too, with a line in the log, where the set names no splits).  Of
 * them a `holdout` fraction (0 up to 1; at least one sample if above 0) is set aside, chosen by seed:
 * want_heldout picks it, each sample once, otherwise the rest, each as often in a row as its `repeat` says.
 * Nothing left is an error, which names the splits there are.  Of a large set about that fraction is set
 * aside, chosen by each sample's key and the seed. */
bool dataset_select(const dataset *d, const char *split, double holdout, uint64_t seed, bool want_heldout,
                    dataset_selection *out, error *err);
void dataset_selection_free(dataset_selection *selection);
/* The first few splits there are, as "'train', 'val'"; "" where the set names none. */
void dataset_name_splits(const dataset *d, char *text, size_t size);
/* Leaves out samples without a caption; gives how many places, and in *first the first sample, or -1. */
int64_t dataset_keep_captioned(const dataset *d, dataset_selection *selection, int64_t *first);
/* order[i] = which of the selection comes i-th in this epoch; a Fisher-Yates shuffle drawn from Philox. */
void dataset_shuffle(int64_t count, uint64_t seed, uint32_t epoch, int64_t *order);

/* Texts for training a tokenizer: of each sample, once however often it is repeated, all captions, and after
 * them, if asked, its keywords joined by ", ".  *texts is one block, to be freed with one free().  Of a large
 * set those of DATASET_TEXTS places at most, chosen by the selection's seed, which a line in the log says. */
#define DATASET_TEXTS 100000
bool dataset_captions(const dataset *d, const dataset_selection *selection, bool with_keywords, char ***texts,
                      int64_t *count, error *err);

#endif
