/* dvae_part.c -- see dvae_part.h.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae_part.h"

#include "models/kinds.h"

#include <stdlib.h>

dvae_part *dvae_part_open(device *d, const char *folder, codec_parts parts, int64_t batch, error *err)
{
    part_files files;
    if (!part_files_find(folder, &dvae_kind, &files, err)) return NULL;
    dvae_part *p = calloc(1, sizeof *p);
    bool ok = p ? true : error_set(err, ERROR_MEMORY, "out of memory for a dVAE");
    ok = ok && part_files_config(&files, &p->config, err) && dvae_config_check(&p->config, err) &&
         (p->store = part_store_create(d, err)) &&
         (p->codec = dvae_codec_create(p->store, &p->config, parts, batch, false, err)) &&
         checkpoint_import(p->store, files.weights, files.run || (parts & CODEC_BOTH) != CODEC_BOTH,
                           &p->metadata, err) &&
         request_hash_file(files.weights, p->hash, err);
    part_files_free(&files);
    if (ok) return p;
    dvae_part_close(p);
    return NULL;
}

void dvae_part_close(dvae_part *p)
{
    if (!p) return;
    dvae_codec_destroy(p->codec);
    store_destroy(p->store);
    checkpoint_metadata_free(&p->metadata);
    free(p);
}
