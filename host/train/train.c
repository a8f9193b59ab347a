/* train.c -- the loop: step, log, evaluate, draw, save, in this order, so that a checkpoint of `step`
 * steps holds all that those steps left behind and a resumed run repeats none of it.  A step's figures are
 * read when the next one has begun, unless something is to be done after it that comes after its figures.
 * SPDX-License-Identifier: MIT */
#include "host/train/train.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "host/base/timing.h"
#include "host/train/checkpoint.h"
#include "host/train/pieces.h"
#include "host/train/progress.h"
#include "host/train/rotate.h"
#include "host/train/run.h"
#include "host/train/share.h"
#include "host/train/tensorboard.h"
#include "host/train/times.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct loop {
    const train_task *task;
    const train_options *options;
    run run;
    progress progress;
    times times;
    tensorboard *events; /* NULL: not asked for */
    int64_t step;        /* steps begun */
    int64_t known;       /* steps whose figures are known: all, or all but the last begun */
    int64_t saved;       /* steps done at the last save; -1: none */
    bool newest;         /* that save is checkpoint.safetensors; false after a fall back to another */
    double best;         /* lowest validation figure; INFINITY: none yet */
    int64_t waited;      /* evaluations since then */
    int64_t bad;         /* skipped steps in a row */
    int64_t skipped;     /* skipped steps in all */
    double seconds;      /* of training before this process */
    train_metrics last_finite;
    int64_t last_finite_step;
    int64_t stepped;        /* steps done by this process */
    bool warned;            /* the task's warning stands */
    bool interrupted, late; /* as all ranks see it */
} loop;

/* Rank 0 has the run's folder, validates and draws. */
static bool leads(const loop *l)
{
    return comm_rank(l->options->comm) == 0;
}

/* ---- Saving and loading ----------------------------------------------------------------------- */

static char *host_state(const loop *l, error *err)
{
    const train_task *t = l->task;
    json_t *own = t->save_state ? t->save_state(t->self) : json_null();
    json_t *best = isfinite(l->best) ? json_real(l->best) : json_null();
    json_t *state = json_pack("{s:o, s:I, s:I, s:I, s:f, s:o}", "best", best, "waited", (json_int_t)l->waited,
                              "bad", (json_int_t)l->bad, "skipped", (json_int_t)l->skipped, "seconds",
                              l->seconds + timing_now() - l->progress.started, "task", own);
    /* 17 digits give every double back exactly. */
    char what[300];
    snprintf(what, sizeof what, "the state of run '%s'", l->options->folder);
    return json_tree_text(state, JSON_COMPACT | JSON_REAL_PRECISION(17), what, err);
}

static bool save_to(const loop *l, const char *path, error *err)
{
    char step[32], *state = host_state(l, err);
    if (!state) return false;
    snprintf(step, sizeof step, "%" PRId64, l->step);
    const checkpoint_text metadata[] = {
        { "format", CHECKPOINT_FORMAT },
        { "program", DALLE_CL_VERSION },
        { "kind", l->task->kind },
        { "step", step },
        { "config", l->options->config_text },
        { "state", state },
    };
    bool ok = checkpoint_save(l->task->store, path, metadata, (int)(sizeof metadata / sizeof *metadata), err);
    free(state);
    return ok;
}

/* Says what survives, after a failure: rank 0 knows. */
static bool with_remedy(const loop *l, error *err)
{
    if (!err || l->saved < 0 || !leads(l)) return false;
    error before = *err;
    const char *remedy =
        before.code == ERROR_IO ? "mend the cause and go on with --resume" : "--resume goes on from there";
    return error_set(err, before.code, "%s; the checkpoint of step %" PRId64 " is whole: %s", before.message,
                     l->saved, remedy);
}

static bool write_save(loop *l, error *err)
{
    int64_t keep = l->options->keep;
    /* Whoever saved this step may have been killed before it removed what is too much. */
    if (l->saved == l->step && l->newest) return rotate_prune(&l->run, l->step - 1, keep, err);
    times_enter(&l->times, TIMES_SAVE);
    if (!run_metrics_sync(&l->run, err)) return false;
    if (l->newest && keep > 1 && !rotate_keep(&l->run, l->saved, err)) return false;
    if (!save_to(l, l->run.checkpoint, err)) return false;
    int64_t before = l->saved;
    l->saved = l->step;
    l->newest = true;
    return rotate_prune(&l->run, before, keep, err);
}

/* Ranks on unlike devices have parted by rounding, so that all go on from what is saved. */
static bool save(loop *l, error *err)
{
    bool again = l->saved == l->step && l->newest;
    if (!again && !share_saved(l->options->comm, l->task->store, err)) return false;
    if (leads(l)) return write_save(l, err) && pieces_dismiss(l->task->store, err);
    if (!pieces_serve(l->task->store, l->options->comm, err)) return false;
    l->saved = l->step;
    return l->newest = true;
}

static bool read_state(loop *l, const char *text, error *err)
{
    const train_task *t = l->task;
    json_t *state = json_tree_parse(text, strlen(text), "its host state", err);
    if (!state) return false;
    const json_t *best = json_object_get(state, "best"), *own = json_object_get(state, "task");
    l->best = json_is_number(best) ? json_number_value(best) : INFINITY;
    l->waited = json_integer_value(json_object_get(state, "waited"));
    l->bad = json_integer_value(json_object_get(state, "bad"));
    l->skipped = json_integer_value(json_object_get(state, "skipped"));
    l->seconds = json_number_value(json_object_get(state, "seconds"));
    bool ok = !t->load_state || t->load_state(t->self, own, err);
    json_decref(state);
    return ok;
}

/* What rank 0 knows of the run is what all know. */
static bool share_state(loop *l, error *err)
{
    if (!l->options->comm) return true;
    char *text = leads(l) ? host_state(l, err) : NULL;
    bool ok = (text || !leads(l)) && share_text(l->options->comm, &text, err) &&
              (leads(l) || read_state(l, text, err));
    free(text);
    return ok;
}

static bool read_metadata(loop *l, const checkpoint_metadata *m, error *err)
{
    const char *format = checkpoint_metadata_get(m, "format"), *kind = checkpoint_metadata_get(m, "kind"),
               *step = checkpoint_metadata_get(m, "step"), *state = checkpoint_metadata_get(m, "state");
    if (!format || (strcmp(format, CHECKPOINT_FORMAT) != 0 && strcmp(format, CHECKPOINT_FORMAT_OLD) != 0))
        return error_set(err, ERROR_FORMAT, "its format is '%s', this program reads '%s'",
                         format ? format : "not stated", CHECKPOINT_FORMAT);
    if (!kind || strcmp(kind, l->task->kind) != 0)
        return error_set(err, ERROR_FORMAT, "it is a checkpoint of '%s', not of '%s'",
                         kind ? kind : "nothing known", l->task->kind);
    char *end = NULL;
    l->step = step ? strtoll(step, &end, 10) : -1;
    if (!end || end == step || *end || l->step < 0 || !state)
        return error_set(err, ERROR_FORMAT, "its metadata holds no step or no state");
    return read_state(l, state, err);
}

static bool restore(loop *l, error *err)
{
    checkpoint_metadata metadata = { 0 };
    char *path = rotate_choose(&l->run, &l->newest, err);
    bool ok = path && checkpoint_load(l->task->store, path, &metadata, err) &&
              (read_metadata(l, &metadata, err) || error_prefix(err, "cannot resume from '%s'", path));
    checkpoint_metadata_free(&metadata);
    free(path);
    if (ok) l->saved = l->known = l->step;
    return ok;
}

/* ---- One step ---------------------------------------------------------------------------------- */

static bool write_line(loop *l, const char *kind, const train_metrics *m, error *err)
{
    char *line = run_metrics_line(kind, l->known, m);
    if (!line) return error_set(err, ERROR_MEMORY, "out of memory for a line of metrics");
    bool ok = run_metrics_write(&l->run, line, err) &&
              (!l->events || tensorboard_figures(l->events, l->known, kind, m, err));
    if (l->options->json && fputs(line, stdout) >= 0) fflush(stdout);
    free(line);
    return ok;
}

static bool is_due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

/* The same, and at the end in any case. */
static bool is_due_or_last(const loop *l, int64_t every)
{
    return is_due(l->step, every) || (every > 0 && l->step == l->options->steps);
}

static bool diverged(const loop *l, error *err)
{
    char figures[400] = "none was finite";
    if (l->last_finite.count) {
        size_t used = (size_t)snprintf(figures, sizeof figures, "at step %" PRId64 ": ", l->last_finite_step);
        train_metrics_text(&l->last_finite, figures + used, sizeof figures - used);
    }
    return error_set(err, ERROR_DIVERGED,
                     "loss or gradients were not finite in %" PRId64 " steps in a row, up to step %" PRId64
                     " (last finite figures: %s); lower the learning rate, or clip harder",
                     l->bad, l->known, figures);
}

/* Counts a skipped step, and ends the run after too many. */
static bool judge(loop *l, const train_metrics *m, error *err)
{
    if (m->finite) {
        l->bad = 0;
        l->last_finite = *m;
        l->last_finite_step = l->known;
        return true;
    }
    ++l->bad;
    ++l->skipped;
    if (l->bad == 1)
        progress_line(&l->progress,
                      "step %" PRId64 ": loss or gradients are not finite; the step was skipped (%" PRId64
                      " so far)",
                      l->known, l->skipped);
    if (l->options->stop_after_bad > 0 && l->bad >= l->options->stop_after_bad) return diverged(l, err);
    return true;
}

static bool write_times(loop *l, double waited, error *err)
{
    return (!l->events ||
            (tensorboard_scalar(l->events, l->known, "time/steps_per_second", times_rate(&l->times), err) &&
             tensorboard_scalar(l->events, l->known, "time/waited_for_data", waited, err))) &&
           times_write(&l->times, l->known, l->task->feed, err);
}

static bool log_step(loop *l, const train_metrics *m, error *err)
{
    const train_task *t = l->task;
    if (!leads(l)) return true;
    if (!is_due(l->known, l->options->log_every) && l->known != l->options->steps && m->finite) return true;
    if (!write_line(l, NULL, m, err)) return false;
    double waited = times_share(&l->times);
    if (!write_times(l, waited, err)) return false;
    if (!l->options->json) progress_report(&l->progress, l->known, m, l->skipped, waited);
    const char *warning = t->warn && m->finite ? t->warn(t->self, m) : NULL;
    /* Said once, until it has passed. */
    if (warning && !l->warned) progress_line(&l->progress, "warning: %s", warning);
    l->warned = warning != NULL;
    return true;
}

static bool validate(loop *l, error *err)
{
    const train_task *t = l->task;
    train_metrics m = { .finite = true };
    if (!t->evaluate(t->self, l->step, &m, err) || !write_line(l, "eval", &m, err)) return false;
    bool better = m.count && m.at[0].value < l->best; /* not-a-number is never better */
    if (better) l->best = m.at[0].value;
    l->waited = better ? 0 : l->waited + 1;
    char figures[300];
    train_metrics_text(&m, figures, sizeof figures);
    progress_line(&l->progress, "step %" PRId64 ": validation %s%s", l->step, figures,
                  better ? " (best so far)" : "");
    /* It, too, never knows more than the metrics: it may be what is left to resume from. */
    return !better || (run_metrics_sync(&l->run, err) && save_to(l, l->run.best, err));
}

static bool evaluate(loop *l, error *err)
{
    const train_task *t = l->task;
    comm *c = l->options->comm;
    train_metrics same = { .finite = true }; /* as rank 0's, which needs the pieces of its group */
    if (!t->evaluate || !is_due_or_last(l, l->options->eval_every)) return true;
    times_enter(&l->times, TIMES_VALIDATE);
    bool ok = leads(l) ? validate(l, err) && pieces_dismiss(t->store, err)
                       : !pieces_serves(t->store, c) ||
                             (t->evaluate(t->self, l->step, &same, err) && pieces_serve(t->store, c, err));
    return ok && share_state(l, err);
}

static bool draw(loop *l, error *err)
{
    const train_task *t = l->task;
    if (!t->draw || !is_due_or_last(l, l->options->sample_every)) return true;
    if (!leads(l)) return pieces_serve(t->store, l->options->comm, err);
    times_enter(&l->times, TIMES_SAMPLE);
    char name[64];
    snprintf(name, sizeof name, "step-%06" PRId64 ".png", l->step);
    char *path = file_join(l->run.samples, name);
    if (!path) return error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", l->run.samples);
    bool ok = t->draw(t->self, l->step, path, err) &&
              (!l->events || tensorboard_picture(l->events, l->step, path, err));
    free(path);
    return ok && pieces_dismiss(t->store, err);
}

static void reached(const loop *l, train_stage stage)
{
    if (l->options->reached) l->options->reached(stage);
}

/* Takes figures until those of the first `steps` steps are known. */
static bool settle(loop *l, int64_t steps, error *err)
{
    const train_task *t = l->task;
    while (l->known < steps) {
        train_metrics m = { .finite = true };
        double asked = timing_now();
        if (!t->end(t->self, l->known, &m, err)) return false;
        times_ended(&l->times, asked);
        ++l->known;
        if (!l->stepped++) {
            reached(l, TRAIN_STEPPED);
            progress_first_step(&l->progress, l->known);
        }
        if (!log_step(l, &m, err) || !judge(l, &m, err)) return false;
    }
    return true;
}

/* Whether something is done between this step and the next: the first step's time is taken. */
static bool is_rest(const loop *l)
{
    const train_options *o = l->options;
    return !l->stepped || l->step == o->steps || is_due(l->step, o->eval_every) ||
           is_due(l->step, o->sample_every) || is_due(l->step, o->save_every);
}

static bool one_step(loop *l, error *err)
{
    const train_task *t = l->task;
    times_begin(&l->times, t->feed);
    if (!t->begin(t->self, l->step, err)) {
        (void)settle(l, l->step, NULL); /* what the step before told is not lost */
        return false;
    }
    times_begun(&l->times, t->feed);
    ++l->step;
    if (!is_rest(l)) return settle(l, l->step - 1, err);
    if (!settle(l, l->step, err) || !evaluate(l, err) || !draw(l, err)) return false;
    bool ok = !is_due(l->step, l->options->save_every) || save(l, err);
    times_enter(&l->times, TIMES_OTHER);
    return ok;
}

/* ---- The run ----------------------------------------------------------------------------------- */

static bool is_interrupted(const loop *l)
{
    return l->options->interrupted && *l->options->interrupted;
}

/* What came after the last line, and that the process ends. */
static bool leave(loop *l, const char *why, error *err)
{
    if (!leads(l)) return true;
    return times_write(&l->times, l->known, l->task->feed, err) &&
           times_write_end(&l->times, l->known, why, err);
}

static bool stop_interrupted(loop *l, error *err)
{
    const train_options *o = l->options;
    if (!settle(l, l->step, err) || !save(l, err) || !leave(l, "interrupted", err)) return false;
    if (o->resume_command)
        return error_set(err, ERROR_INTERRUPTED,
                         "stopped and saved at step %" PRId64 " of %" PRId64 "; go on with: %s", l->step,
                         o->steps, o->resume_command);
    return error_set(err, ERROR_INTERRUPTED,
                     "stopped and saved at step %" PRId64 " of %" PRId64
                     "; go on with: dalle-cl train %s --run %s --resume",
                     l->step, o->steps, l->task->kind, o->folder);
}

static bool out_of_patience(const loop *l)
{
    return l->options->patience > 0 && l->waited >= l->options->patience;
}

static bool out_of_time(const loop *l)
{
    return l->options->minutes > 0 && timing_now() - l->progress.started >= 60.0 * l->options->minutes;
}

/* All ranks stop before the same step. */
static bool look_around(loop *l, error *err)
{
    bool seen[2] = { is_interrupted(l), out_of_time(l) };
    if (!share_any(l->options->comm, seen, 2, err)) return false;
    l->interrupted = seen[0];
    l->late = seen[1];
    return true;
}

static bool go(loop *l, error *err)
{
    while (l->step < l->options->steps && !out_of_patience(l)) {
        if (!look_around(l, err)) return false;
        if (l->late) break;
        if (l->interrupted) return stop_interrupted(l, err);
        if (!one_step(l, err)) return false;
    }
    if (!settle(l, l->step, err) || !save(l, err)) return false;
    char took[32];
    progress_duration(l->seconds + timing_now() - l->progress.started, took);
    const char *why = l->step >= l->options->steps ? "done"
                      : out_of_patience(l)         ? "no better figure for too long: stopped"
                                                   : "time is up: stopped";
    const char *word = l->step >= l->options->steps ? "done" : out_of_patience(l) ? "patience" : "minutes";
    if (!leave(l, word, err)) return false;
    progress_line(&l->progress, "%s after %" PRId64 " steps and %s; saved in %s", why, l->step, took,
                  l->run.folder);
    return true;
}

/* Which process it is that goes on. */
static bool open_times(loop *l, error *err)
{
    const device_info *d = device_get_info(store_device(l->task->store));
    json_t *origin = json_pack("{s:s, s:o, s:o}", "program", DALLE_CL_VERSION, "device",
                               json_tree_string(d->name), "driver", json_tree_string(d->driver));
    const json_t *commit = json_object_get(l->options->about, "commit");
    if (commit) json_tree_put(&origin, "commit", json_string(json_string_value(commit)));
    bool ok =
        origin || error_set(err, ERROR_MEMORY, "out of memory for the times of run '%s'", l->run.folder);
    ok = ok && times_open(&l->times, l->run.folder, err) &&
         times_write_start(&l->times, l->step, origin, err) &&
         (!l->options->tensorboard || (l->events = tensorboard_open(l->run.folder, l->step, err)) != NULL);
    json_decref(origin);
    return ok;
}

static bool open_run(loop *l, error *err)
{
    if (!run_open(&l->run, l->task, l->options, err)) return false;
    if (!l->run.fresh && !restore(l, err)) return false;
    if (!run_metrics_open(&l->run, l->step, err) || !open_times(l, err)) return false;
    l->progress = progress_start(l->options->quiet, l->step, l->options->steps);
    if (!l->run.fresh)
        progress_line(&l->progress, "resuming '%s' at step %" PRId64, l->run.folder, l->step);
    else if (l->options->resume)
        progress_line(&l->progress, "'%s' has no checkpoint yet: starting from the beginning", l->run.folder);
    reached(l, TRAIN_OPENED);
    /* A folder that cannot hold a checkpoint is better found now than after hours. */
    return !l->run.fresh || write_save(l, err);
}

/* Whatever rank 0 starts from is what all start from. */
static bool prepare(loop *l, error *err)
{
    comm *c = l->options->comm;
    store *own = l->task->store;
    if (leads(l) ? !open_run(l, err) || !pieces_dismiss(own, err) : !pieces_serve(own, c, err)) return false;
    int64_t where[3] = { l->step, l->saved, l->newest };
    if (!share_numbers(c, where, 3, err)) return false;
    l->step = l->known = where[0];
    l->saved = where[1];
    l->newest = where[2];
    if (!share_state(l, err) || !share_store(c, own, err)) return false;
    if (leads(l)) return true;
    l->progress = progress_start(true, l->step, l->options->steps);
    reached(l, TRAIN_OPENED);
    return true;
}

bool train_run(const train_task *task, const train_options *options, error *err)
{
    loop l = { .task = task,
               .options = options,
               .saved = -1,
               .best = INFINITY,
               .times = { .file = -1 },
               .run = { .lock = -1, .lines = -1 } };
    bool ok = prepare(&l, err);
    if (ok) {
        ok = go(&l, err);
        progress_end(&l.progress);
        if (!ok && err && err->code != ERROR_INTERRUPTED) {
            if (leads(&l))
                (void)times_write_end(&l.times, l.known, "failed",
                                      NULL); /* as far as it can still be written */
            with_remedy(&l, err);
        }
    }
    tensorboard_close(l.events);
    times_close(&l.times);
    run_close(&l.run);
    return ok;
}
