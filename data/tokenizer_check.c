/* tokenizer_check.c -- walks the protocol buffer and the normalizer's double-array trie, whose indices
 * the library follows unchecked: a damaged file would crash it.
 * SPDX-License-Identifier: MIT */
#include "data/tokenizer_check.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Fields of sentencepiece_model.proto. */
enum { MODEL_PIECES = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3, MODEL_TESTS = 4, MODEL_DENORMALIZER = 5 };
enum { PIECE_TYPE = 3, PIECE_USER_DEFINED = 4, TRAINER_MODEL_TYPE = 3, TRAINER_BPE = 2, NORMALIZER_MAP = 2 };

enum { PIECES_MOST = 1 << 20 }; /* each takes the library a hundred bytes, however few it has in the file */

typedef struct message {
    const unsigned char *at, *end;
} message;

typedef struct field {
    uint64_t number, value; /* value: of varints */
    message content;        /* of length-delimited fields */
} field;

static bool read_varint(message *m, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && m->at < m->end; shift += 7) {
        unsigned char byte = *m->at++;
        *value |= (uint64_t)(byte & 0x7fu) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

/* False at the end and, leaving m->at before it, at anything malformed. */
static bool next_field(message *m, field *f)
{
    uint64_t tag, length = 0;
    message rest = *m;
    *f = (field){ 0 };
    if (!read_varint(&rest, &tag) || tag > UINT32_MAX)
        return false; /* the library would take 32 bits of it */
    f->number = tag >> 3;
    switch (tag & 7) {
    case 0:
        if (!read_varint(&rest, &f->value)) return false;
        break;
    case 1:
        length = 8;
        break;
    case 2:
        if (!read_varint(&rest, &length)) return false;
        break;
    case 5:
        length = 4;
        break;
    default:
        return false;
    }
    if (length > (uint64_t)(rest.end - rest.at)) return false;
    f->content = (message){ rest.at, rest.at + length };
    *m = (message){ rest.at + length, rest.end };
    return true;
}

static uint32_t unit_at(const unsigned char *bytes, size_t index)
{
    const unsigned char *b = bytes + 4 * index;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Map: size of the trie, its 32-bit units, replacement texts each with a NUL.  A unit without the top
 * bit is a node: its children lie in one block of 256 units, and bit 8 says that child 0 is a value, the
 * place of a replacement. */
static bool map_is_sound(message map)
{
    size_t size = (size_t)(map.end - map.at);
    if (size == 0) return true;
    if (size <= 4) return false;
    size_t trie = unit_at(map.at, 0), units = trie / 4;
    if (trie >= size - 4 || trie % 4 || units == 0 || map.end[-1] != 0) return false;
    size_t texts = size - 4 - trie;
    for (size_t i = 0; i < units; ++i) {
        uint32_t unit = unit_at(map.at + 4, i);
        if (i && unit >> 31) continue;
        size_t base = i ^ (size_t)((unit >> 10) << ((unit & 0x200u) >> 6));
        if ((base | 255u) >= units) return false;
        if ((unit & 0x100u) && (unit_at(map.at + 4, base) & 0x7fffffffu) >= texts) return false;
    }
    return true;
}

static const char *check_part(const field *part)
{
    message m = part->content;
    field f;
    uint64_t model_type = 0;
    while (next_field(&m, &f)) {
        bool normalizer = part->number == MODEL_NORMALIZER || part->number == MODEL_DENORMALIZER;
        if (normalizer && f.number == NORMALIZER_MAP && !map_is_sound(f.content))
            return "its table of characters is damaged";
        /* Of a larger number the library takes 32 bits. */
        if (part->number == MODEL_PIECES && f.number == PIECE_TYPE && (uint32_t)f.value == PIECE_USER_DEFINED)
            return "it has user-defined symbols, which are not supported";
        if (part->number == MODEL_TRAINER && f.number == TRAINER_MODEL_TYPE) model_type = (uint32_t)f.value;
    }
    if (m.at != m.end) return "the file is damaged";
    if (part->number == MODEL_TRAINER && model_type != TRAINER_BPE)
        return "it is a SentencePiece model, but not one of byte-pair encoding (model_type=bpe)";
    return NULL;
}

const char *tokenizer_check(const void *model, size_t bytes)
{
    message m = { model, (const unsigned char *)model + bytes };
    field f;
    bool trainer = false;
    int pieces = 0;
    while (next_field(&m, &f)) {
        if (f.number == MODEL_PIECES && ++pieces > PIECES_MOST)
            return "it has more tokens than any model here can use";
        if (f.number < MODEL_PIECES || f.number > MODEL_DENORMALIZER) continue;
        const char *problem = check_part(&f);
        if (problem) return problem;
        trainer = trainer || f.number == MODEL_TRAINER;
    }
    if (m.at != m.end) return "the file is damaged or of another kind";
    return trainer ? NULL : "the file does not say which kind of model it is";
}

size_t tokenizer_check_untested(void *model, size_t bytes)
{
    unsigned char *to = model;
    message m = { model, to + bytes };
    field f;
    for (const unsigned char *begin = m.at; next_field(&m, &f); begin = m.at) {
        size_t size = (size_t)(m.at - begin);
        if (f.number == MODEL_TESTS) continue;
        memmove(to, begin, size);
        to += size;
    }
    return (size_t)(to - (unsigned char *)model);
}
