/* kinds.h -- what every command asks of a kind of model, and the table of kinds.
 *
 * A kind is a folder models/<name>/ and a line of kinds.def.  Its folder holds its settings (config.def,
 * presets/), its graph and `const model_kind <name>_kind`; training, planning, measuring, packing and
 * describing are asked of that, and no other file spells its name (tests/lint/kinds.sh).  A function that is
 * NULL is what a kind does not do; arrays that are NULL are empty.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_KINDS_H
#define DALLE_CL_MODELS_KINDS_H

#include "models/parts.h"
#include "models/request.h"
#include "models/workload.h"

/* A trained part of another kind that training needs: the option --<its name>. */
typedef struct kind_need {
    const model_kind *kind;
    const char *help;
    /* Where a half of that part is enough: the half's fingerprint, and its key in what is packed. */
    const char *half;
    bool (*half_fingerprint)(const model_part *needed, char hex[65], error *err);
} kind_need;

/* A number that a step's shapes need and the settings do not hold, for another part gives it: an option of
 * `plan`. */
typedef struct kind_given {
    const char *name, *value; /* without dashes; the default, as text */
    double low, high;
    const char *help;
} kind_given;

/* Steps and drawings that `bench` measures, in settings of the preset "paper" with `sets` over them. */
enum { KIND_CASE_SETS = 20, KIND_GIVEN = 4 };
typedef struct kind_case {
    const char *name; /* "dvae:paper-256-b1" */
    bool large;       /* shown and measured after those that are not */
    bool drawing;     /* a drawing, not a step */
    const char *sets[KIND_CASE_SETS];
    int64_t given[KIND_GIVEN]; /* in the order of the kind's `given` */
    dtype weights; /* how the layers' matrices are stored: of a drawing; of a step its settings say it, too */
} kind_case;

/* A trained part that turns pictures into tokens, `at_once` of them at a time. */
typedef struct picture_coder {
    void *self;
    int64_t size, side, codes; /* pixels a side; tokens a side; the vocabulary */
    char origin[65];           /* fingerprint of its parameters */
    /* pixels [count][size][size][3] to tokens [count][side][side] */
    bool (*encode)(void *self, const uint8_t *pixels, int64_t count, int32_t *tokens, error *err);
    void (*close)(void *self);
} picture_coder;

/* What drawings of known inputs look like to the model, by which it later says that it is unsure. */
typedef struct calibration {
    int64_t drawn, right;
    double limit; /* nats a token */
    double sure;  /* how sure the part that compares them is of the best drawing at least; 0: there is none */
    int64_t known, bytes; /* captions that were kept with the model, and what they take */
} calibration;

struct model_kind {
    const char *name;     /* of its folder, in commands, files and run.json: "dvae" */
    const char *title;    /* in sentences, "the dVAE 'tiny'", where no word is one to type: "dVAE" */
    const char *what;     /* "a discrete VAE" */
    const char *learns;   /* "pictures to tokens and back" */
    const char *examples; /* of `train`, a line each */
    const char *packing;  /* what the manual says of packing it, sentences in lines; may be NULL */

    /* ---- Settings and training ---- */
    const config_table *settings; /* named as the kind is; `batch` is one of them */
    const kind_need *needs;       /* ends with an empty one; nothing forms a circle */
    /* Learns captions: pictures without one are left out.  A kind that has no PART_TOKENIZER among its files
     * reads them in the tokens of one that it needs. */
    bool captions;
    bool (*train)(const train_request *r, error *err);

    /* ---- Steps on made-up data ---- */
    /* Settings that a preset leaves to the data set, as for one of so many pictures. */
    void (*fit)(void *config, int64_t pictures);
    const kind_given *given; /* ends with an empty one; at most KIND_GIVEN */
    /* `config` and `given` are copied.  The drawing stores the layers' matrices as `type`. */
    workload *(*step)(device *d, const void *config, const int64_t *given, error *err);
    workload *(*drawing)(device *d, const void *config, const int64_t *given, dtype type, error *err);
    const kind_case *cases; /* ends with an empty one */

    /* ---- Trained parts (parts.h) ---- */
    const part_role
        *files;      /* besides settings and parameters; ends with an empty one; at most PART_FURTHER */
    bool takes_last; /* of a run's checkpoints the last one is the model, not the best by validation */
    int most;        /* how many parts of this kind a model may hold; 0: one */
    /* Settings that say how many pixels a side pictures have that it takes from the part before it, and
     * that it makes for the part after it, in the order of the table and of their sizes; NULL: it does
     * not. */
    const char *takes, *makes;
    /* `beside` holds what it needs.  On success `out` is complete, and part_close closes it. */
    bool (*open)(device *d, const char *folder, const part_list *beside, model_part *out, error *err);
    void (*close)(void *self);
    /* Opens one whose pictures' tokens other kinds learn.  On success out->close is to be called. */
    bool (*coder)(device *d, const char *folder, int64_t at_once, picture_coder *out, error *err);
    /* Of a kind that compares pictures with captions: pictures [count][side][side][3] as vectors
     * [count][*size], each 1 long, to be freed. */
    float *(*embed)(const model_part *p, const uint8_t *rgb, int64_t count, int64_t side, int64_t *size,
                    error *err);
    /* A caption as such a vector, to be freed, and what its products with pictures' are multiplied by to be
     * logits of which picture is meant. */
    float *(*embed_caption)(const model_part *p, const char *caption, double *scale, error *err);
    /* Refuses parts that were not trained together. */
    bool (*belongs)(device *d, const model_part *p, const part_list *beside, error *err);
    /* Writes the files that `files` names into a model's folder. */
    bool (*save_files)(const model_part *p, const char *folder, error *err);

    /* ---- What is said of it ---- */
    /* Whether a tensor of a packed part is no parameter, but one that training updates without a gradient. */
    bool (*is_learnt)(const char *tensor);
    /* Adds to what `pack --json` prints; NULL for a part that could have been packed too and was not. */
    void (*figures)(const model_part *p, json_t **to);
    void (*tell)(const model_part *p, char text[PART_TELL]); /* "captions have up to 24 tokens" */
    const char *use[3];  /* what a packed model is good for, the command and its arguments; or NULLs */
    const char *without; /* what it does without those that need it; or NULL */
    /* Adds to what `info` shows of a packed one's settings. */
    void (*describe)(const void *config, json_t **to);
    /* Measures, on a data set (NULL: the one that `run` recorded), how unsure the model in `folder` is of
     * what it knows, and writes that there. */
    bool (*calibrate)(device *d, const char *run, const char *folder, const char *data, int64_t captions,
                      calibration *out, error *err);
};

/* The table: in order, ends with NULL. */
extern const model_kind *const model_kinds[];
int kinds_count(void);
const model_kind *kinds_find(const char *name); /* NULL: none */
/* Their names, cut to the room: "dvae, prior or clip" with `between` ", " and `last` " or ". */
void kinds_list(char *text, size_t room, const char *between, const char *last);
/* Whether kind k cannot be trained without `other`. */
bool kinds_needs(const model_kind *k, const model_kind *other);
/* Whether its parts have a tokenizer of their own. */
bool kinds_has_tokenizer(const model_kind *k);
int kinds_most(const model_kind *k); /* how many a model may hold, at least 1 */
/* A whole number among settings; the key must be one of the table's. */
int64_t kinds_setting(const model_kind *k, const void *config, const char *key);

/* A test builds the program with a kind more. */
#ifndef KINDS_DEF
#define KINDS_DEF "models/kinds.def"
#endif

#define MODEL_KIND(name) extern const model_kind name##_kind;
#include KINDS_DEF
#undef MODEL_KIND

#endif
