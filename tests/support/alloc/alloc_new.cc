// alloc_new.cc -- operator new, steered for the C++ shim: while one of our calls into it runs, and when this
// program's own code asks.  libsentencepiece and the protocol buffers in it do not survive a refusal of their
// own requests (they end the process), so those are left alone.
// SPDX-License-Identifier: MIT
#include "tests/support/alloc/alloc_fault.h"

#include "data/sentencepiece.h"

#include <cstdlib>
#include <new>

extern "C" void *__real_malloc(size_t bytes);
extern "C" void __real_free(void *block);
extern "C" const char __executable_start, etext; // the linker's

namespace
{

thread_local bool inside;

struct scope {
    scope()
    {
        inside = true;
    }
    ~scope()
    {
        inside = false;
    }
};

bool is_ours(const void *caller)
{
    return caller >= &__executable_start && caller < &etext;
}

void *take(size_t bytes, const void *caller)
{
    if (bytes == 0) bytes = 1;
    return inside && is_ours(caller) ? alloc_fault_malloc(bytes) : __real_malloc(bytes);
}

void *take_or_throw(size_t bytes, const void *caller)
{
    void *block = take(bytes, caller);
    if (!block) throw std::bad_alloc();
    return block;
}

void give(void *block)
{
    if (inside) alloc_fault_forget(block);
    __real_free(block);
}

} // namespace

void *operator new(size_t bytes)
{
    return take_or_throw(bytes, __builtin_return_address(0));
}

void *operator new[](size_t bytes)
{
    return take_or_throw(bytes, __builtin_return_address(0));
}

void *operator new(size_t bytes, const std::nothrow_t &) noexcept
{
    return take(bytes, __builtin_return_address(0));
}

void *operator new[](size_t bytes, const std::nothrow_t &) noexcept
{
    return take(bytes, __builtin_return_address(0));
}

void operator delete(void *block) noexcept
{
    give(block);
}

void operator delete[](void *block) noexcept
{
    give(block);
}

void operator delete(void *block, size_t) noexcept
{
    give(block);
}

void operator delete[](void *block, size_t) noexcept
{
    give(block);
}

// Each function of the shim, called by our C, with the steering around it.
#define STEERED(type, name, parameters, arguments) \
    extern "C" type __real_##name parameters; \
    extern "C" type __wrap_##name parameters; \
    extern "C" type __wrap_##name parameters \
    { \
        scope steered; \
        return __real_##name arguments; \
    }

STEERED(bool, sentencepiece_train,
        (const char *const *captions, int64_t count, int vocabulary, bool exact, char **model, size_t *bytes,
         char *message, size_t size),
        (captions, count, vocabulary, exact, model, bytes, message, size))
STEERED(bpe_model *, sentencepiece_load, (const void *model, size_t bytes, char *message, size_t size),
        (model, bytes, message, size))
STEERED(void, sentencepiece_destroy, (bpe_model * model), (model))
STEERED(int, sentencepiece_count, (const bpe_model *model), (model))
STEERED(const char *, sentencepiece_piece, (const bpe_model *model, int id), (model, id))
STEERED(float, sentencepiece_score, (const bpe_model *model, int id), (model, id))
STEERED(int, sentencepiece_unknown, (const bpe_model *model), (model))
STEERED(int, sentencepiece_find, (const bpe_model *model, const char *text, size_t length),
        (model, text, length))
STEERED(int, sentencepiece_encode,
        (const bpe_model *model, const char *text, int32_t **ids, char *message, size_t size),
        (model, text, ids, message, size))
STEERED(char *, sentencepiece_normalize,
        (const bpe_model *model, const char *text, char *message, size_t size), (model, text, message, size))
STEERED(char *, sentencepiece_decode,
        (const bpe_model *model, const int32_t *ids, int count, char *message, size_t size),
        (model, ids, count, message, size))
