/* safetensors.c -- reads, checks and writes the safetensors container.
 * SPDX-License-Identifier: MIT */
#include "data/safetensors.h"

#include "host/base/json_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Larger headers are attacks or accidents; the reference implementation has the same limit. */
#define HEADER_LIMIT 100000000
/* Of these headers, though, three bytes, as "{},", take hundreds in memory.  The largest published models
 * have a third as many tensors in all their files. */
#define TENSORS_MOST (1 << 18)
#define ALIGNMENT    64 /* of the data within files we write */

struct safetensors {
    void *map;
    size_t map_size;
    void *copy; /* of the data, when the file keeps it unaligned */
    const unsigned char *data;
    int64_t data_size;
    json_t *header; /* owns names and metadata */
    int count;
    safetensors_tensor *tensors;        /* by offset */
    const safetensors_tensor **by_name; /* sorted */
};

typedef struct type_row {
    const char *name;
    int bytes;
} type_row;

static const type_row types[] = {
    { "F64", 8 }, { "I64", 8 }, { "U64", 8 },  { "F32", 4 },     { "I32", 4 },
    { "U32", 4 }, { "F16", 2 }, { "BF16", 2 }, { "I16", 2 },     { "U16", 2 },
    { "I8", 1 },  { "U8", 1 },  { "BOOL", 1 }, { "F8_E4M3", 1 }, { "F8_E5M2", 1 },
};

static bool format_error(error *err, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool format_error(error *err, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error_setv(err, ERROR_FORMAT, format, args);
    va_end(args);
    return error_prefix(err, "%s", path);
}

static bool map_file(safetensors *file, const char *path, error *err)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return error_set(err, ERROR_IO, "cannot open '%s': %s", path, strerror(errno));
    struct stat info;
    bool good = false;
    if (fstat(descriptor, &info) != 0) {
        error_set(err, ERROR_IO, "cannot read '%s': %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        error_set(err, ERROR_IO, "cannot read '%s': it is not a plain file", path);
    } else if (info.st_size < 10) {
        format_error(err, path, "not a safetensors file: it has only %lld bytes", (long long)info.st_size);
    } else {
        file->map_size = (size_t)info.st_size;
        file->map = mmap(NULL, file->map_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        good = file->map != MAP_FAILED;
        if (!good) {
            file->map = NULL;
            error_set(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "cannot map '%s': %s", path,
                      strerror(errno));
        }
    }
    close(descriptor);
    return good;
}

/* Before anything is made of them: a tensor has an object and two lists, and less than 16 commas. */
static bool check_count(const unsigned char *text, size_t size, const char *path, error *err)
{
    int64_t opened = 0, commas = 0;
    for (size_t i = 0; i < size; ++i) {
        opened += text[i] == '{' || text[i] == '[';
        commas += text[i] == ',';
    }
    if (opened <= 4 * TENSORS_MOST && commas <= 16 * TENSORS_MOST) return true;
    return format_error(err, path, "the header has %lld objects and lists; at most %d tensors can be read",
                        (long long)opened, TENSORS_MOST);
}

static bool read_header(safetensors *file, const char *path, error *err)
{
    const unsigned char *bytes = file->map;
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | bytes[i];
    size_t rest = file->map_size - 8;
    if (length < 2 || length > HEADER_LIMIT || bytes[8] != '{')
        return format_error(err, path, "not a safetensors file: no header of 2 to %d bytes at its start",
                            HEADER_LIMIT);
    if (length > rest)
        return format_error(err, path,
                            "truncated: the header should have %llu bytes, the file ends after %zu",
                            (unsigned long long)length, rest);
    if (!check_count(bytes + 8, (size_t)length, path, err)) return false;
    json_tree_problem problem;
    file->header = json_tree_read((const char *)bytes + 8, (size_t)length, false, &problem);
    if (!file->header && problem.memory)
        return error_set(err, ERROR_MEMORY, "%s: out of memory for a header of %llu bytes", path,
                         (unsigned long long)length);
    if (!file->header)
        return format_error(err, path, "the header is not valid JSON: byte %zu: %s", problem.byte,
                            problem.text);
    if (!json_is_object(file->header)) return format_error(err, path, "the header is not a JSON object");

    file->data = bytes + 8 + length;
    file->data_size = (int64_t)(rest - (size_t)length);
    if (length % 8 == 0 || file->data_size == 0) return true;
    if (posix_memalign(&file->copy, ALIGNMENT, (size_t)file->data_size) != 0) {
        file->copy = NULL;
        return error_set(err, ERROR_MEMORY, "%s: %lld bytes do not fit in memory", path,
                         (long long)file->data_size);
    }
    file->data = memcpy(file->copy, file->data, (size_t)file->data_size);
    return true;
}

static bool check_metadata(const safetensors *file, const char *path, error *err)
{
    json_t *metadata = json_object_get(file->header, "__metadata__"), *value;
    if (!metadata) return true;
    if (!json_is_object(metadata)) return format_error(err, path, "__metadata__ is not an object");
    const char *key;
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value)) return format_error(err, path, "__metadata__ '%.100s' is not text", key);
    }
    return true;
}

/* Bits for which safetensors has no type are what the metadata says, if it says so. */
static bool read_own_type(const safetensors *file, safetensors_tensor *t, const char *path, error *err)
{
    char key[SAFETENSORS_TYPE_KEY];
    t->loadable = dtype_from_name(t->type_name, &t->type);
    const char *own =
        !t->loadable && safetensors_type_key(t->name, key) ? safetensors_metadata(file, key) : NULL;
    dtype type;
    if (!own || !dtype_from_name(own, &type)) return true;
    if (strcmp(dtype_stored_name(type), t->type_name) != 0)
        return format_error(err, path, "tensor '%.100s' is said to hold %s, which is not stored as %s",
                            t->name, own, t->type_name);
    t->loadable = true;
    t->type = type;
    t->type_name = dtype_name(type);
    return true;
}

/* The type's row and the number of bytes the shape asks for. */
static bool read_shape(const safetensors *file, safetensors_tensor *t, const json_t *entry, int *width,
                       int64_t *wanted, const char *path, error *err)
{
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape");
    if (!type || !json_is_array(shape))
        return format_error(err, path, "tensor '%.100s' lacks a dtype or a shape", t->name);
    *width = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; ++i) {
        if (strcmp(types[i].name, type) != 0) continue;
        *width = types[i].bytes;
        t->type_name = types[i].name;
    }
    if (!*width)
        return format_error(err, path, "tensor '%.100s' has the unknown dtype '%.40s'", t->name, type);
    if (!read_own_type(file, t, path, err)) return false;
    size_t rank = json_array_size(shape);
    if (rank > SAFETENSORS_MAX_RANK)
        return format_error(err, path, "tensor '%.100s' has %zu dimensions, at most %d are possible", t->name,
                            rank, SAFETENSORS_MAX_RANK);
    t->rank = (int)rank;
    *wanted = *width;
    for (size_t i = 0; i < rank; ++i) {
        const json_t *dim = json_array_get(shape, i);
        t->dim[i] = json_integer_value(dim);
        if (!json_is_integer(dim) || t->dim[i] < 0)
            return format_error(err, path, "tensor '%.100s': dimension %zu is not a size", t->name, i);
        if (__builtin_mul_overflow(*wanted, t->dim[i], wanted))
            return format_error(err, path, "tensor '%.100s': its shape is larger than any file", t->name);
    }
    return true;
}

static bool read_tensor(const safetensors *file, safetensors_tensor *t, const json_t *entry, const char *path,
                        error *err)
{
    int width = 0;
    int64_t wanted = 0;
    if (!json_is_object(entry)) return format_error(err, path, "entry '%.100s' is not an object", t->name);
    if (!read_shape(file, t, entry, &width, &wanted, path, err)) return false;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return format_error(err, path, "tensor '%.100s' lacks data_offsets [begin, end]", t->name);
    long long begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin)
        return format_error(err, path, "tensor '%.100s' has impossible offsets %lld to %lld", t->name, begin,
                            end);
    if (end > file->data_size)
        return format_error(err, path,
                            "truncated: tensor '%.100s' ends at byte %lld of the data, which has %lld",
                            t->name, end, (long long)file->data_size);
    if (end - begin != wanted)
        return format_error(err, path, "tensor '%.100s' has %lld bytes, its shape and type need %lld",
                            t->name, end - begin, (long long)wanted);
    if (begin % width)
        return format_error(err, path, "tensor '%.100s' begins at byte %lld, which is not a multiple of %d",
                            t->name, begin, width);
    t->data = file->data + begin;
    t->bytes = wanted;
    return true;
}

static int by_offset(const void *a, const void *b)
{
    const safetensors_tensor *x = a, *y = b;
    if (x->data != y->data) return (const char *)x->data < (const char *)y->data ? -1 : 1;
    if ((x->bytes == 0) != (y->bytes == 0)) return x->bytes == 0 ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    const safetensors_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The tensors, sorted by offset, must tile the data: no overlap, no gap, no rest. */
static bool check_tiling(const safetensors *file, const char *path, error *err)
{
    int64_t end = 0;
    for (int i = 0; i < file->count; ++i) {
        const safetensors_tensor *t = &file->tensors[i];
        int64_t begin = (const unsigned char *)t->data - file->data;
        if (begin < end)
            return format_error(err, path, "tensors '%.100s' and '%.100s' overlap", t[-1].name, t->name);
        if (begin > end)
            return format_error(err, path, "%lld bytes before tensor '%.100s' belong to none",
                                (long long)(begin - end), t->name);
        end = begin + t->bytes;
    }
    if (end == file->data_size) return true;
    return format_error(err, path, "%lld bytes after the last tensor belong to none",
                        (long long)(file->data_size - end));
}

static bool read_tensors(safetensors *file, const char *path, error *err)
{
    size_t entries = json_object_size(file->header);
    file->tensors = calloc(entries + 1, sizeof *file->tensors);
    file->by_name = calloc(entries + 1, sizeof *file->by_name);
    if (!file->tensors || !file->by_name)
        return error_set(err, ERROR_MEMORY, "%s: memory ran out while reading %zu tensors", path, entries);
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) continue;
        file->tensors[file->count].name = name;
        if (!read_tensor(file, &file->tensors[file->count], entry, path, err)) return false;
        ++file->count;
    }
    qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, by_offset);
    for (int i = 0; i < file->count; ++i) file->by_name[i] = &file->tensors[i];
    qsort(file->by_name, (size_t)file->count, sizeof *file->by_name, by_name);
    return check_tiling(file, path, err);
}

safetensors *safetensors_open(const char *path, error *err)
{
    safetensors *file = calloc(1, sizeof *file);
    if (!file) return error_null(err, ERROR_MEMORY, "memory ran out while opening '%s'", path);
    if (map_file(file, path, err) && read_header(file, path, err) && check_metadata(file, path, err) &&
        read_tensors(file, path, err))
        return file;
    safetensors_close(file);
    return NULL;
}

void safetensors_close(safetensors *file)
{
    if (!file) return;
    if (file->map) munmap(file->map, file->map_size);
    json_decref(file->header);
    free(file->copy);
    free(file->tensors);
    free(file->by_name);
    free(file);
}

int safetensors_count(const safetensors *file)
{
    return file->count;
}

const safetensors_tensor *safetensors_at(const safetensors *file, int index)
{
    CHECK(index >= 0 && index < file->count, "tensor %d of %d", index, file->count);
    return &file->tensors[index];
}

const safetensors_tensor *safetensors_find(const safetensors *file, const char *name)
{
    safetensors_tensor key = { .name = name };
    const safetensors_tensor *wanted = &key, **found = NULL;
    if (file->count)
        found = bsearch(&wanted, file->by_name, (size_t)file->count, sizeof *file->by_name, by_name);
    return found ? *found : NULL;
}

const char *safetensors_metadata(const safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, "__metadata__"), key));
}
