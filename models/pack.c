/* pack.c -- writes one folder that drawing needs, from the runs that trained its parts.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "models/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = PART_NAME + 16 };

static const char *settings_name(const model_kind *k, int number, char name[NAME_SIZE])
{
    char part[PART_NAME];
    snprintf(name, NAME_SIZE, "%s.cfg", part_name(k, number, part));
    return name;
}

static const char *weights_name(const model_kind *k, int number, char name[NAME_SIZE])
{
    char part[PART_NAME];
    snprintf(name, NAME_SIZE, "%s.safetensors", part_name(k, number, part));
    return name;
}

/* Which of its kind a part of the list is. */
static int number_of(const part_list *list, const model_part *p)
{
    int number = 0;
    for (const model_part *at = list->at; at < p; ++at) number += at->kind == p->kind;
    return number;
}

/* ---- Opening ---- */

static bool has_room(const part_list *list, const model_kind *k)
{
    return k->open && part_list_count(list, k, NULL) < kinds_most(k);
}

/* What a part of this kind needs and the list lacks, or NULL. */
static const model_kind *lacks(const part_list *list, const model_kind *k)
{
    for (const kind_need *n = k->needs; n && n->kind; ++n)
        if (!part_list_find(list, n->kind)) return n->kind;
    return NULL;
}

/* Where a folder's part could be the next but for one that it needs, the error says so. */
static void tell_lacking(const char *folder, const part_list *list, error *err)
{
    for (int i = 0; model_kinds[i]; ++i) {
        const model_kind *k = model_kinds[i], *lacking = lacks(list, k);
        if (!lacking || !has_room(list, k) || !part_is_there(folder, k, NULL)) continue;
        error_set(err, ERROR_USAGE,
                  "'%s' holds %s, which belongs to the %s that it was trained with: name that one's folder "
                  "before it",
                  folder, k->what, lacking->title);
        return;
    }
}

/* The first kind that may be next and that the folder holds.  NULL: none, and err says what the first one
 * lacks, or what is wrong with the one that is there. */
static const model_kind *kind_of(const char *folder, const part_list *list, error *err)
{
    error first = { 0 };
    for (int i = 0; model_kinds[i]; ++i) {
        part_files files;
        error why = { 0 };
        if (!has_room(list, model_kinds[i]) || lacks(list, model_kinds[i])) continue;
        int number = part_list_count(list, model_kinds[i], folder);
        if (part_files_find_number(folder, model_kinds[i], number, &files, &why)) {
            bool again = files.run && number > 0;
            part_files_free(&files);
            if (!again) return model_kinds[i];
            error_set(err, ERROR_USAGE, "'%s' is the run of one %s, and was named before", folder,
                      model_kinds[i]->title);
            return NULL;
        }
        if (first.code == ERROR_NONE || why.code != ERROR_USAGE) first = why;
        if (why.code != ERROR_USAGE) break;
    }
    if (first.code == ERROR_NONE) error_set(&first, ERROR_USAGE, "'%s' is one part too many", folder);
    if (first.code == ERROR_USAGE) tell_lacking(folder, list, &first);
    *err = first;
    return NULL;
}

static bool open_next(device *d, const pack_request *r, const char *folder, part_list *list, error *err)
{
    const model_kind *k = kind_of(folder, list, err);
    if (!k) return false;
    CHECK(list->count < PARTS_MAX, "a model has more than %d parts", PARTS_MAX);
    model_part *p = &list->at[list->count];
    if (!k->open(d, folder, list, p, err)) return false;
    ++list->count;
    return r->force || !k->belongs || k->belongs(d, p, list, err);
}

/* ---- Their order ---- */

static int64_t made_by(const model_part *p)
{
    return kinds_setting(p->kind, p->config, p->kind->makes);
}

/* Several of a kind change places until each makes larger pictures than the one before it. */
static void sort_alike(part_list *list)
{
    for (int i = 0; i < list->count; ++i)
        for (int k = 0; k < i; ++k) {
            model_part *a = &list->at[k], *b = &list->at[i], kept = *a;
            if (a->kind != b->kind || !a->kind->makes || made_by(a) <= made_by(b)) continue;
            *a = *b;
            *b = kept;
        }
}

/* What one part makes is what the next one takes. */
static bool check_chain(const part_list *list, error *err)
{
    const model_part *before = NULL;
    for (int i = 0; model_kinds[i]; ++i)
        for (int n = 0; model_kinds[i]->makes && n < kinds_most(model_kinds[i]); ++n) {
            const model_part *p = part_list_number(list, model_kinds[i], n);
            if (!p) continue;
            int64_t takes = p->kind->takes ? kinds_setting(p->kind, p->config, p->kind->takes) : 0;
            if (before && takes && takes != made_by(before))
                return error_set(
                    err, ERROR_USAGE,
                    "the %s in '%s' enlarges pictures of %lld pixels a side, the %s in '%s', which "
                    "comes before it, makes them of %lld: train one that takes %lld",
                    p->kind->title, p->folder, (long long)takes, before->kind->title, before->folder,
                    (long long)made_by(before), (long long)made_by(before));
            before = p;
        }
    return true;
}

/* ---- What is said of a part ---- */

static bool add_text(checkpoint_metadata *to, const char *key, const char *value)
{
    checkpoint_text *one = &to->at[to->count++];
    one->key = strdup(key);
    one->value = strdup(value);
    return one->key && one->value;
}

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for what a checkpoint says of its training");
}

/* The fingerprints of the parts that it was trained with, under their kinds' names. */
static bool note_needs(const part_list *list, const model_kind *k, checkpoint_metadata *kept, error *err)
{
    char hex[65];
    for (const kind_need *n = k->needs; n && n->kind; ++n) {
        const model_part *needed = part_list_find(list, n->kind);
        if (!checkpoint_fingerprint(needed->store, hex, err)) return false;
        if (!add_text(kept, n->kind->name, hex)) return no_memory(err);
        if (n->half && !n->half_fingerprint(needed, hex, err)) return false;
        if (n->half && !add_text(kept, n->half, hex)) return no_memory(err);
    }
    return true;
}

/* Says how the part was trained: what the run's checkpoint recorded, without the host's own state, and with
 * what. */
static bool describe(const part_list *list, const model_part *p, checkpoint_metadata *kept, error *err)
{
    const checkpoint_metadata *trained = p->metadata;
    size_t room = (size_t)trained->count + 2 * PARTS_MAX + 1;
    *kept = (checkpoint_metadata){ .at = calloc(room, sizeof *kept->at) };
    if (!kept->at) return no_memory(err);
    if (!note_needs(list, p->kind, kept, err)) return false;
    for (int i = 0; i < trained->count; ++i) {
        const char *key = trained->at[i].key;
        if (strcmp(key, "step") != 0 && strcmp(key, "config") != 0 && strcmp(key, "kind") != 0) continue;
        if (!add_text(kept, key, trained->at[i].value)) return no_memory(err);
    }
    return true;
}

/* ---- Writing ---- */

static bool export_part(const model_part *p, int number, const char *folder, dtype type,
                        const checkpoint_metadata *metadata, error *err)
{
    char name[NAME_SIZE], *path = file_join(folder, weights_name(p->kind, number, name));
    if (!path) return error_set(err, ERROR_MEMORY, "out of memory for the path of '%s'", name);
    bool ok = checkpoint_export(p->store, path, false, type, metadata->at, metadata->count, err);
    free(path);
    return ok;
}

static bool write_config(const model_part *p, int number, const char *folder, error *err)
{
    char name[NAME_SIZE], *path = file_join(folder, settings_name(p->kind, number, name));
    char *text = config_format(p->kind->settings, p->config);
    bool ok = text && path ? file_write(path, text, strlen(text), err)
                           : error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    free(text);
    free(path);
    return ok;
}

static json_t *index_entry(const model_part *p, int number)
{
    char config[NAME_SIZE], weights[NAME_SIZE];
    json_t *entry = json_pack("{s:s, s:s}", "config", settings_name(p->kind, number, config), "weights",
                              weights_name(p->kind, number, weights));
    for (const part_role *f = p->kind->files; f && f->role; ++f)
        if (f->indexed) json_tree_put(&entry, f->role, json_string(f->file));
    json_tree_put(&entry, "parameters", json_integer(store_elements(p->store, STORE_PARAMETER)));
    return entry;
}

static bool write_index(const char *folder, const part_list *list, error *err)
{
    json_t *index = json_pack("{s:s, s:i}", "format", "dalle-cl model", "version", 1);
    for (int i = 0; i < list->count; ++i) {
        const model_part *p = &list->at[i];
        int number = number_of(list, p);
        char name[PART_NAME];
        json_tree_put(&index, part_name(p->kind, number, name), index_entry(p, number));
    }
    char *text = json_tree_text(index, JSON_INDENT(2), "model.json", err),
         *path = file_join(folder, "model.json");
    bool ok = text && path ? file_write(path, text, strlen(text), err)
                           : error_set(err, ERROR_MEMORY, "out of memory for model.json");
    free(text);
    free(path);
    return ok;
}

static bool remove_file(const char *folder, const char *name, error *err)
{
    char *path = file_join(folder, name);
    if (!path) return error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
    bool gone = unlink(path) == 0 || errno == ENOENT;
    if (!gone) error_set(err, ERROR_IO, "cannot remove '%s': %s", path, strerror(errno));
    free(path);
    return gone;
}

static bool remove_parts(const char *folder, const part_list *list, const model_kind *k, error *err)
{
    char name[NAME_SIZE];
    bool ok = true;
    for (int n = part_list_count(list, k, NULL); ok && n < kinds_most(k); ++n)
        ok = remove_file(folder, settings_name(k, n, name), err) &&
             remove_file(folder, weights_name(k, n, name), err);
    return ok;
}

/* Files that an earlier pack left and this one may not write would be taken for this one's. */
static bool remove_stale(const char *folder, const part_list *list, error *err)
{
    bool ok = remove_file(folder, "model.json", err);
    for (int i = 0; ok && model_kinds[i]; ++i) {
        const model_kind *k = model_kinds[i];
        bool packed = part_list_find(list, k) != NULL;
        for (const part_role *f = k->files; ok && f && f->role; ++f)
            if (!packed || !f->indexed) ok = remove_file(folder, f->file, err);
        ok = ok && remove_parts(folder, list, k, err);
    }
    return ok;
}

static bool write_part(const pack_request *r, const model_part *p, int number,
                       const checkpoint_metadata *metadata, error *err)
{
    const model_kind *k = p->kind;
    return export_part(p, number, r->out, r->type, metadata, err) && write_config(p, number, r->out, err) &&
           (!k->save_files || k->save_files(p, r->out, err));
}

static bool write_parts(const pack_request *r, const part_list *list, error *err)
{
    checkpoint_metadata metadata[PARTS_MAX] = { 0 };
    bool ok = true;
    for (int i = 0; ok && i < list->count; ++i) ok = describe(list, &list->at[i], &metadata[i], err);
    ok = ok && file_make_folders(r->out, err) && remove_stale(r->out, list, err);
    for (int i = 0; ok && i < list->count; ++i)
        ok = write_part(r, &list->at[i], number_of(list, &list->at[i]), &metadata[i], err);
    ok = ok && write_index(r->out, list, err); /* last: a folder without it was not finished */
    for (int i = 0; i < list->count; ++i) checkpoint_metadata_free(&metadata[i]);
    return ok;
}

/* ---- The report ---- */

static bool add_bytes(const char *folder, const char *name, int64_t *bytes, error *err)
{
    struct stat info;
    char *path = file_join(folder, name);
    if (!path) return error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
    if (stat(path, &info) == 0) *bytes += info.st_size;
    free(path);
    return true;
}

static bool count_bytes(const char *folder, const part_list *list, int64_t *bytes, error *err)
{
    char name[NAME_SIZE];
    *bytes = 0;
    bool ok = add_bytes(folder, "model.json", bytes, err);
    for (int i = 0; ok && i < list->count; ++i) {
        const model_kind *k = list->at[i].kind;
        int number = number_of(list, &list->at[i]);
        ok = add_bytes(folder, settings_name(k, number, name), bytes, err) &&
             add_bytes(folder, weights_name(k, number, name), bytes, err);
        for (const part_role *f = k->files; ok && f && f->role; ++f)
            ok = add_bytes(folder, f->file, bytes, err);
    }
    return ok;
}

/* Whether the kind is packed, or could be beside what is: its figures are then 0. */
static bool is_reported(const part_list *list, const model_kind *k)
{
    for (const kind_need *n = k->needs; n && n->kind; ++n)
        if (part_list_find(list, n->kind)) return true;
    return part_list_find(list, k) != NULL;
}

static void count_parameters(const part_list *list, const model_kind *k, int number, json_t **to)
{
    const model_part *p = part_list_number(list, k, number);
    char name[PART_NAME], key[NAME_SIZE];
    snprintf(key, sizeof key, "%s_parameters", part_name(k, number, name));
    json_tree_put(to, key, json_integer(p ? store_elements(p->store, STORE_PARAMETER) : 0));
}

/* What the kinds say of their parts first, then how many parameters these have. */
static json_t *figures_of(const part_list *list)
{
    json_t *o = json_object();
    for (int counts = 0; counts < 2; ++counts)
        for (int i = 0; model_kinds[i]; ++i) {
            const model_kind *k = model_kinds[i];
            int there = part_list_count(list, k, NULL);
            if (!is_reported(list, k)) continue;
            for (int n = 0; n < (there ? there : 1); ++n)
                if (counts)
                    count_parameters(list, k, n, &o);
                else if (k->figures)
                    k->figures(part_list_number(list, k, n), &o);
        }
    return o;
}

static bool report(const pack_request *r, const part_list *list, pack_report *made, error *err)
{
    *made = (pack_report){ .count = list->count };
    for (int i = 0; i < list->count; ++i) {
        const model_part *p = &list->at[i];
        made->at[i] = (struct packed_part){ .kind = p->kind,
                                            .number = number_of(list, p),
                                            .run = p->folder,
                                            .parameters = store_elements(p->store, STORE_PARAMETER) };
        if (p->kind->tell) p->kind->tell(p, made->at[i].tell);
    }
    if (!count_bytes(r->out, list, &made->bytes, err)) return false;
    made->figures = figures_of(list);
    return made->figures || error_set(err, ERROR_MEMORY, "out of memory for the sizes of '%s'", r->out);
}

bool pack_parts(device *d, const pack_request *r, pack_report *made, error *err)
{
    part_list list = { 0 };
    bool ok = true;
    for (int i = 0; ok && r->runs[i]; ++i) ok = open_next(d, r, r->runs[i], &list, err);
    sort_alike(&list);
    ok = ok && check_chain(&list, err) && write_parts(r, &list, err) && report(r, &list, made, err);
    part_list_close(&list);
    return ok;
}

void pack_report_free(pack_report *r)
{
    json_decref(r->figures);
    r->figures = NULL;
}

bool pack_model(device *d, const char *const *runs, const char *out, dtype type, error *err)
{
    pack_report made;
    if (!pack_parts(d, &(pack_request){ runs, out, type, false }, &made, err)) return false;
    pack_report_free(&made);
    return true;
}
