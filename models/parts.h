/* parts.h -- trained parts on disk, and opening them.
 *
 * A part is found in a packed model folder,
 *     model.json  dvae.cfg  dvae.safetensors  prior.cfg  prior.safetensors  tokenizer.model  words.txt
 * or in the folder of the run that trained it (config.cfg, best.safetensors or for a prior
 * checkpoint.safetensors, tokenizer.model, words.txt), where the averaged parameters are taken; a checkpoint file in
 * a run's folder may be named instead of the folder.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PARTS_H
#define DALLE_CL_MODELS_PARTS_H

#include "data/tokenizer.h"
#include "data/words.h"
#include "host/train/checkpoint.h"
#include "models/dvae/codec.h"
#include "models/prior/prior.h"

/* Where a part lies; paths to be freed with part_files_free. */
typedef struct part_files {
    char *config, *weights, *tokenizer, *words;
    bool run; /* a run's folder */
} part_files;
/* `part` is "dvae" or "prior".  A folder that holds neither form is an error that says what is there. */
bool part_files_find(const char *folder, const char *part, part_files *out, error *err);
void part_files_free(part_files *files);

typedef struct dvae_part {
    dvae_config config;
    store *store;
    dvae_codec *codec;
    char hash[65]; /* SHA-256 of the file of its parameters */
    checkpoint_metadata metadata;
} dvae_part;
dvae_part *dvae_part_open(device *d, const char *folder, codec_parts parts, int64_t batch, error *err);
void dvae_part_close(dvae_part *p);

typedef struct prior_part {
    prior_config config;
    prior_shape shape;
    store *store;
    prior_sampler *sampler;
    int64_t batch;
    tokenizer *tokenizer;
    words *words; /* of the training captions; NULL if the folder has no list */
    checkpoint_metadata metadata;
} prior_part;
prior_part *prior_part_open(device *d, const char *folder, const prior_shape *shape, error *err);
void prior_part_close(prior_part *p);
/* Makes the sampler draw `batch` pictures at once, building graphs if that is new. */
bool prior_part_prepare(prior_part *p, int64_t batch, error *err);
/* A caption as [text_tokens] ids with -1 behind its end; too long is cut, *cut says by how many tokens. */
bool prior_part_tokens(const prior_part *p, const char *caption, int32_t *ids, int *cut, error *err);

/* The words of a caption that the positions have no room for, from the one that the cut falls into, as the tokenizer
 * spells them; *lost is NULL if all are read, else to be freed. */
bool prior_part_lost(const prior_part *p, const char *caption, char **lost, error *err);

/* Cuts or pads `count` ids to `positions`, -1 where none is. */
void text_positions(const int32_t *ids, int count, int64_t positions, int32_t *out);

/* The parts of runs as one folder that drawing needs, and nothing else. */
typedef struct pack_request {
    const char *dvae_run, *prior_run; /* prior_run NULL: a folder that only encodes and decodes */
    const char *out;
    dtype type; /* how parameters are stored */
    bool force; /* although the prior learned another dVAE's tokens */
} pack_request;
typedef struct pack_report {
    int64_t dvae_parameters, prior_parameters; /* prior_parameters 0: no prior */
    int64_t side, tokens_side, codes, text_tokens;
    int64_t bytes; /* of all files */
} pack_report;
bool pack_parts(device *d, const pack_request *r, pack_report *made, error *err);
/* The same, never forced. */
bool pack_model(device *d, const char *dvae_run, const char *prior_run, const char *out, dtype type,
                error *err);

#endif
