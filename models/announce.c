/* announce.c -- see announce.h.
 * SPDX-License-Identifier: MIT */
#include "models/announce.h"

#include "host/base/log.h"
#include "models/fit.h"

#include <math.h>

static const double LONG = 3600; /* seconds */

bool announce_run(workload *w, int64_t pictures, const char *beside, int64_t steps, int64_t batch, error *err)
{
    double seconds = 0;
    bool ok = w && workload_ready(w, err) && workload_time(w, &seconds, err);
    workload_destroy(w);
    if (!ok) return false;
    char whole[32];
    fit_duration(seconds * (double)steps, whole);
    log_info("%lld picture%s,%s%s%s %lld steps of %lld: about %s on this device (%.2g s a step)",
             (long long)pictures, pictures == 1 ? "" : "s", beside ? " " : "", beside ? beside : "",
             beside ? "," : "", (long long)steps, (long long)batch, whole, seconds);
    if (seconds * (double)steps > LONG)
        log_info(
            "that is long: --minutes 60 stops and saves after an hour, and --resume goes on from there; or "
            "choose fewer, --set steps=%lld takes an hour",
            (long long)fmax(1, LONG / seconds));
    return true;
}
