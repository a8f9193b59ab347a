/* origin.c -- see origin.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/origin.h"

#include "models/trained_on.h"

#include <stdlib.h>
#include <string.h>

void origin_free(origin *o)
{
    free(o->name);
    *o = (origin){ .name = NULL };
}

/* Before fingerprints were recorded: the dVAE that was used, if its file is still the one.  That it cannot be
 * opened is no error: then nothing is known. */
static bool ask_dvae(device *d, const char *folder, bool packed, origin *o, error *err)
{
    error problem = { 0 };
    dvae_part *p = dvae_part_open(d, folder, CODEC_BOTH, 1, &problem);
    bool ok = p || problem.code != ERROR_MEMORY;
    if (!ok && err) *err = problem;
    if (p && (packed || strcmp(p->hash, o->file) == 0)) ok = checkpoint_fingerprint(p->store, o->hex, err);
    dvae_part_close(p);
    return ok;
}

bool origin_of(device *d, const prior_part *prior, const char *folder, origin *out, error *err)
{
    trained_on t;
    *out = (origin){ .name = NULL };
    if (!trained_on_find(&prior->metadata, folder, ORIGIN_KEY, &t, err)) return false;
    memcpy(out->hex, t.hex, sizeof out->hex);
    trained_on_keep(out->file, json_string_value(json_object_get(t.data, "dvae_parameters")));
    bool ok = !t.name || out->hex[0] || ask_dvae(d, t.name, !t.data, out, err);
    out->name = t.name;
    t.name = NULL;
    trained_on_free(&t);
    if (!ok) origin_free(out);
    return ok;
}

bool origin_check(device *d, const dvae_part *dvae, const char *dvae_folder, const prior_part *prior,
                  const char *prior_folder, error *err)
{
    origin o;
    char hex[65];
    if (!checkpoint_fingerprint(dvae->store, hex, err) || !origin_of(d, prior, prior_folder, &o, err))
        return false;
    bool ok = strcmp(o.hex[0] ? o.hex : o.file, o.hex[0] ? hex : dvae->hash) == 0;
    const char *name = o.name ? o.name : "another dVAE";
    if (!ok && !o.hex[0])
        error_set(
            err, ERROR_MODEL,
            "it cannot be said that the prior '%s' learned the tokens of the dVAE '%s': the one that it was "
            "trained on, '%s', is no longer as it was.  If they belong together, add --force",
            prior_folder, dvae_folder, name);
    else if (!ok)
        error_set(
            err, ERROR_MODEL,
            "the prior '%s' learned the tokens of another dVAE than '%s', whose tokens mean something else: "
            "of "
            "'%s' as it was when that training began.  Name that one, or train a prior on this one; --force "
            "packs them all the same",
            prior_folder, dvae_folder, name);
    origin_free(&o);
    return ok;
}
