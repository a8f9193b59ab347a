/* stage.c -- see stage.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/stage.h"

#include "models/fit.h"
#include "models/request.h"

#include <string.h>

/* For settings that a preset leaves to the set: here there is none. */
enum { USUAL_PICTURES = 500 };

const char *stage_kind(const cli_call *call, error *err)
{
    const char *kind = cli_argument(call, 0);
    if (strcmp(kind, "dvae") == 0 || strcmp(kind, "prior") == 0) return kind;
    return error_null(err, ERROR_USAGE, "%s: '%s' is neither dvae nor prior", cli_call_command(call)->name,
                      kind);
}

workload *stage_open(const cli_call *call, device *d, int64_t *batch, error *err)
{
    int count;
    train_request r = { .preset = cli_text(call, "preset"), .seed = -1 };
    r.sets = cli_list(call, "set", &count);
    r.set_count = count;
    if (strcmp(cli_argument(call, 0), "dvae") == 0) {
        dvae_config c;
        if (!request_config(&r, &dvae_config_table, &c, err)) return NULL;
        fit_dvae(&c, USUAL_PICTURES, NULL);
        *batch = c.batch;
        return workload_dvae(d, &c, err);
    }
    prior_config c;
    prior_shape shape = { cli_int(call, "side"), cli_int(call, "codes") };
    if (!request_config(&r, &prior_config_table, &c, err)) return NULL;
    fit_prior(&c, USUAL_PICTURES, NULL);
    if (c.text_tokens == 0) c.text_tokens = fit_text_tokens(0);
    *batch = c.batch;
    return workload_prior(d, &c, &shape, err);
}
