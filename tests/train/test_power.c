/* test_power.c -- loss of power, and full disks, by what a run does to its files: whatever a disk may hold
 * when power goes, after each call, the run goes on from there bit for bit, and from no step before the last
 * save that was done.
 *
 * A disk holds what was flushed.  Of what was not, it may hold any part: of names made, moved and gone, any
 * of them without the others; of a file's bytes those flushed before, half of the rest, zeros in place of the
 * rest, or all.  A file that was never flushed may be empty under its new name.
 * SPDX-License-Identifier: MIT */
#include "host/base/hash.h"
#include "tests/train/disk.h"
#include "tests/train/regression.h"
#include "tests/train/run_compare.h"
#include "tests/train/scratch.h"

enum { STEPS = 9, SAVE_EVERY = 3, FILES = 128, NAMES = 64, PENDING = 16, STATES = 4000 };

static device *kept;
static char base[256], folder[300], whole[300];

/* ---- The run ---- */

static bool begin_noted(void *self, int64_t step, error *err)
{
    disk_note(step / SAVE_EVERY * SAVE_EVERY); /* the save of this step was done */
    return regression_begin(self, step, err);
}

static bool run_in(const char *where, bool resume, bool noted, error *err)
{
    regression r;
    bool ok = regression_open_on(&r, kept, 0, err);
    if (ok) {
        train_task t = regression_task(&r);
        train_options o = regression_options(&r, where);
        if (noted) t.begin = begin_noted;
        o.resume = resume;
        o.steps = STEPS;
        o.save_every = SAVE_EVERY;
        o.eval_every = 4;
        o.sample_every = 0;
        o.interrupted = NULL;
        ok = train_run(&t, &o, err);
    }
    r.device = NULL;
    regression_close(&r);
    return ok;
}

/* ---- The disk ---- */

typedef struct content {
    const char *bytes;
    size_t size;
} content_of;

typedef struct entry {
    const char *path;
    int64_t file; /* -1: a folder */
} entry;

typedef struct directory {
    int count;
    entry at[NAMES];
} directory;

typedef struct model {
    content_of now[FILES], flushed[FILES];
    directory names;                   /* as flushed */
    const disk_call *pending[PENDING]; /* names made and gone that were not */
    int pending_count;
    int64_t saved; /* steps of the last save that was done; -1: none */
} model;

static int find(const directory *d, const char *path)
{
    for (int i = 0; i < d->count; ++i)
        if (strcmp(d->at[i].path, path) == 0) return i;
    return -1;
}

static void put(directory *d, const char *path, int64_t file)
{
    int at = find(d, path);
    assert_true(d->count < NAMES);
    d->at[at < 0 ? d->count++ : at] = (entry){ path, file };
}

static void take(directory *d, const char *path)
{
    int at = find(d, path);
    if (at >= 0) d->at[at] = d->at[--d->count];
}

static void apply(directory *d, const disk_call *c)
{
    if (c->kind == DISK_UNLINK || c->kind == DISK_RENAME) take(d, c->path);
    if (c->kind == DISK_RENAME || c->kind == DISK_LINK) put(d, c->to, c->file);
    if (c->kind == DISK_MAKE || c->kind == DISK_FOLDER) put(d, c->path, c->file);
}

static bool lies_in(const char *path, const char *parent)
{
    size_t length = strlen(parent);
    return strncmp(path, parent, length) == 0 && path[length] == '/' && !strchr(path + length + 1, '/');
}

static void flush_names(model *m, const char *parent)
{
    int stay = 0;
    for (int i = 0; i < m->pending_count; ++i)
        if (lies_in(m->pending[i]->path, parent))
            apply(&m->names, m->pending[i]);
        else
            m->pending[stay++] = m->pending[i];
    m->pending_count = stay;
}

static void model_call(model *m, const disk_call *c, bool flushes)
{
    switch (c->kind) {
    case DISK_NOTE:
        m->saved = c->file;
        break;
    case DISK_DATA:
        m->now[c->file] = (content_of){ c->bytes, c->size };
        break;
    case DISK_SYNC:
        if (flushes) m->flushed[c->file] = m->now[c->file];
        break;
    case DISK_SYNC_NAMES:
        flush_names(m, c->path);
        break;
    default:
        assert_true(m->pending_count < PENDING);
        m->pending[m->pending_count++] = c;
    }
}

/* ---- What a disk may hold ---- */

typedef enum rest { REST_LOST, REST_HALF, REST_ZEROS, REST_THERE, RESTS } rest;

/* To be freed; *size is set. */
static char *held(const model *m, int64_t file, rest what, size_t *size)
{
    content_of now = m->now[file], flushed = m->flushed[file];
    bool grown = now.size >= flushed.size;
    *size = what == REST_LOST            ? flushed.size
            : what == REST_HALF && grown ? flushed.size + (now.size - flushed.size) / 2
                                         : now.size;
    char *bytes = calloc(*size + 1, 1);
    content_of from = what == REST_LOST || what == REST_ZEROS ? flushed : now;
    size_t known = from.size < *size ? from.size : *size;
    if (known) memcpy(bytes, from.bytes, known);
    return bytes;
}

static bool has_parent(const directory *d, const char *path)
{
    const char *name = strrchr(path, '/');
    for (int i = 0; i < d->count; ++i)
        if (d->at[i].file < 0 && strlen(d->at[i].path) == (size_t)(name - path) &&
            lies_in(path, d->at[i].path))
            return true;
    return strncmp(path, base, (size_t)(name - path)) == 0; /* that stands */
}

static void write_plain(const char *path, const char *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

/* Folders first. */
static void make_disk(const model *m, const directory *d, rest what)
{
    scratch_remove(folder);
    for (int i = 0; i < d->count; ++i)
        if (d->at[i].file < 0 && has_parent(d, d->at[i].path))
            assert_true(file_make_folders(d->at[i].path, NULL));
    for (int i = 0; i < d->count; ++i) {
        if (d->at[i].file < 0 || !has_parent(d, d->at[i].path)) continue;
        size_t size;
        char *bytes = held(m, d->at[i].file, what, &size);
        write_plain(d->at[i].path, bytes, size);
        free(bytes);
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->path, ((const entry *)b)->path);
}

static void hash_disk(const model *m, directory *d, rest what, char hex[65])
{
    hash h;
    hash_start(&h);
    qsort(d->at, (size_t)d->count, sizeof *d->at, by_path);
    for (int i = 0; i < d->count; ++i) {
        size_t size = 0;
        char *bytes = d->at[i].file < 0 ? NULL : held(m, d->at[i].file, what, &size);
        hash_text(&h, d->at[i].path);
        hash_bytes(&h, &size, sizeof size);
        if (size) hash_bytes(&h, bytes, size);
        free(bytes);
    }
    hash_finish(&h, hex);
}

/* ---- Each state once ---- */

typedef struct walk {
    char (*seen)[65];
    int states, lost; /* lost: those from which the run does not go on, or from too far back */
    bool tolerant;    /* counts these, instead of failing */
} walk;

static bool is_new(walk *w, const char *hex)
{
    for (int i = 0; i < w->states; ++i)
        if (strcmp(w->seen[i], hex) == 0) return false;
    assert_true(w->states < STATES);
    strcpy(w->seen[w->states++], hex);
    return true;
}

/* The step of the last whole checkpoint; -1: there is none. */
static int64_t step_held(void)
{
    static const char *const names[] = { "checkpoint", "checkpoint-000006", "checkpoint-000003",
                                         "checkpoint-000000" };
    int64_t step = -1;
    for (int i = 0; i < 4 && step < 0; ++i) {
        char name[64];
        snprintf(name, sizeof name, "%s.safetensors", names[i]);
        if (!file_exists(in(folder, name)) || !checkpoint_verify(in(folder, name), NULL)) continue;
        safetensors *f = safetensors_open(in(folder, name), NULL);
        step = strtoll(safetensors_metadata(f, "step"), NULL, 10);
        safetensors_close(f);
    }
    return step;
}

static void try_disk(walk *w, const model *m, int call, int subset, rest what)
{
    error err = { .code = ERROR_NONE };
    int64_t step = step_held();
    bool far = step < m->saved, goes_on = true;
    if (!w->tolerant || !far) goes_on = run_in(folder, file_exists(in(folder, "run.json")), false, &err);
    w->lost += far || !goes_on;
    if (w->tolerant) return;
    if (far)
        fail_msg("after call %d (names %#x, rest %d) step %lld is there, %lld was saved", call,
                 (unsigned)subset, what, (long long)step, (long long)m->saved);
    if (!goes_on)
        fail_msg("after call %d (names %#x, rest %d): %s", call, (unsigned)subset, what, err.message);
    assert_same_run(folder, whole);
}

static void try_all(walk *w, const model *m, int call)
{
    assert_true(m->pending_count <= 8);
    for (int subset = 0; subset < 1 << m->pending_count; ++subset) {
        directory d = m->names;
        for (int i = 0; i < m->pending_count; ++i)
            if (subset >> i & 1) apply(&d, m->pending[i]);
        for (rest what = 0; what < RESTS; ++what) {
            char hex[65];
            hash_disk(m, &d, what, hex);
            if (!is_new(w, hex)) continue;
            make_disk(m, &d, what);
            try_disk(w, m, call, subset, what);
        }
    }
}

/* Runs once, then walks through what the disk may have held after each call. */
static walk walk_run(bool flushes, bool links, bool tolerant)
{
    error err = { .code = ERROR_NONE };
    walk w = { .seen = calloc(STATES, sizeof *w.seen), .tolerant = tolerant };
    model *m = calloc(1, sizeof *m);
    m->saved = -1;
    scratch_remove(folder);
    disk_watch(base);
    if (!links) disk_refuse_links();
    if (!run_in(folder, false, true, &err)) fail_msg("%s", err.message);
    int count;
    const disk_call *log = disk_log(&count);
    disk_watch_off();
    bool linked = false;
    for (int i = 0; i < count; ++i) linked |= log[i].kind == DISK_LINK;
    assert_true(linked == links);
    for (int i = 0; i < count; ++i) {
        model_call(m, &log[i], flushes);
        try_all(&w, m, i);
    }
    printf("%d calls, %d states of the disk, %d lost\n", count, w.states, w.lost);
    free(m);
    free(w.seen);
    w.seen = NULL;
    return w;
}

static void test_loss_of_power(void **state)
{
    (void)state;
    walk w = walk_run(true, true, false);
    assert_true(w.states > 100);
}

static void test_without_links(void **state)
{
    (void)state;
    walk w = walk_run(true, false, false);
    assert_true(w.states > 100);
}

/* That the walk finds what it looks for: with files that are not flushed before they are renamed, a loss of
 * power loses saves. */
static void test_without_flushing(void **state)
{
    (void)state;
    walk w = walk_run(false, true, true);
    assert_true(w.lost > 0);
}

/* ---- Full disks ---- */

static int count_leftovers(void)
{
    char command[400], answer[32] = "";
    snprintf(command, sizeof command, "find '%s' -name '*.tmp-*' | wc -l", folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(fgets(answer, sizeof answer, pipe));
    pclose(pipe);
    return atoi(answer);
}

/* However a full disk shows itself, and whichever file meets it first. */
static void test_full_disk(void **state)
{
    (void)state;
    int failed = 0, counted = 0;
    for (disk_full how = DISK_FULL_AT_ONCE; how <= DISK_FULL_LAST; ++how) {
        for (int64_t from = 60; from < 160; from += 9) {
            error err = { .code = ERROR_NONE };
            scratch_remove(folder);
            disk_watch(base);
            disk_fill(how, from);
            bool ok = run_in(folder, false, false, &err);
            disk_watch(NULL);
            if (ok) continue; /* it was done before */
            ++failed;
            assert_int_equal(err.code, ERROR_IO);
            if (!strstr(err.message, "No space left on device") ||
                !strstr(err.message, "is whole: mend the cause"))
                fail_msg("%s", err.message);
            bool numbers = strstr(err.message, "; it needs ") && strstr(err.message, " are free there");
            if (strstr(err.message, ".safetensors': ") && !numbers) fail_msg("no numbers: %s", err.message);
            counted += numbers;
            assert_int_equal(count_leftovers(), 0);
            if (step_held() < 0) fail_msg("no whole checkpoint after: %s", err.message);
            if (!run_in(folder, true, false, &err)) fail_msg("%s", err.message);
            assert_same_run(folder, whole);
        }
    }
    printf("%d runs met a full disk, %d in a checkpoint\n", failed, counted);
    assert_true(counted > 10 && failed > counted);
}

int main(void)
{
    error err;
    kept = device_open(NULL, &err);
    if (!kept) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    scratch_make_quick(base);
    snprintf(folder, sizeof folder, "%s/run", base);
    snprintf(whole, sizeof whole, "%s/whole", base);
    if (!run_in(whole, false, false, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_of_power),
        cmocka_unit_test(test_without_links),
        cmocka_unit_test(test_without_flushing),
        cmocka_unit_test(test_full_disk),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(base);
    device_close(kept);
    return failed;
}
