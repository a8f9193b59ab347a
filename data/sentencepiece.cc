// sentencepiece.cc -- C++ because the library is: calls libsentencepiece and catches what it throws.
// SPDX-License-Identifier: MIT
#include "data/sentencepiece.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#include <string>
#include <vector>

struct bpe_model {
    sentencepiece::SentencePieceProcessor processor;
    int byte_tokens[256];
};

namespace
{

class caption_iterator : public sentencepiece::SentenceIterator
{
  public:
    caption_iterator(const char *const *captions, int64_t count) : captions_(captions), count_(count)
    {
        load();
    }
    bool done() const override
    {
        return index_ >= count_;
    }
    void Next() override
    {
        ++index_;
        load();
    }
    const std::string &value() const override
    {
        return value_;
    }
    sentencepiece::util::Status status() const override
    {
        return {};
    }

  private:
    void load()
    {
        if (!done()) value_ = captions_[index_];
    }
    const char *const *captions_;
    int64_t count_, index_ = 0;
    std::string value_;
};

// Runs `work`, which returns a message or "", and turns exceptions into messages as well.
template <typename Work> bool guarded(char *message, size_t size, Work work) noexcept
{
    try {
        std::string problem = work();
        if (problem.empty()) return true;
        std::snprintf(message, size, "%s", problem.c_str());
    } catch (const std::bad_alloc &) {
        std::snprintf(message, size, "%s", SENTENCEPIECE_NO_MEMORY);
    } catch (const std::exception &e) {
        std::snprintf(message, size, "%s", e.what());
    } catch (...) {
        std::snprintf(message, size, "the library failed without saying why");
    }
    return false;
}

std::string problem_of(const sentencepiece::util::Status &status)
{
    return status.ok() ? std::string() : std::string("sentencepiece: ") + status.ToString();
}

char *copy_of(const std::string &text)
{
    char *copy = static_cast<char *>(std::malloc(text.size() + 1));
    if (!copy) throw std::bad_alloc();
    std::memcpy(copy, text.c_str(), text.size() + 1);
    return copy;
}

} // namespace

bool sentencepiece_train(const char *const *captions, int64_t count, int vocabulary, bool exact, char **model,
                         size_t *bytes, char *message, size_t size)
{
    return guarded(message, size, [&]() -> std::string {
        size_t longest = 4192; // the library drops longer captions silently
        for (int64_t i = 0; i < count; ++i) longest = std::max(longest, std::strlen(captions[i]) + 1);
        caption_iterator iterator(captions, count);
        std::string trained;
        auto status =
            sentencepiece::SentencePieceTrainer::Train({ { "model_type", "bpe" },
                                                         { "vocab_size", std::to_string(vocabulary) },
                                                         { "hard_vocab_limit", exact ? "true" : "false" },
                                                         { "byte_fallback", "true" },
                                                         { "character_coverage", "1.0" },
                                                         { "normalization_rule_name", "nmt_nfkc_cf" },
                                                         { "unk_id", "0" },
                                                         { "bos_id", "-1" },
                                                         { "eos_id", "-1" },
                                                         { "pad_id", "-1" },
                                                         { "max_sentence_length", std::to_string(longest) },
                                                         { "num_threads", "1" },
                                                         { "minloglevel", "3" } },
                                                       &iterator, &trained);
        if (!status.ok()) return problem_of(status);
        *model = copy_of(trained);
        *bytes = trained.size();
        return {};
    });
}

bpe_model *sentencepiece_load(const void *model, size_t bytes, char *message, size_t size)
{
    bpe_model *result = nullptr;
    guarded(message, size, [&]() -> std::string {
        auto loaded = std::make_unique<bpe_model>();
        std::string content(static_cast<const char *>(model), bytes);
        auto status = loaded->processor.LoadFromSerializedProto(content);
        if (!status.ok()) return problem_of(status);
        std::fill_n(loaded->byte_tokens, 256, -1);
        for (int id = 0; id < loaded->processor.GetPieceSize(); ++id) {
            unsigned value;
            if (loaded->processor.IsByte(id) &&
                std::sscanf(loaded->processor.IdToPiece(id).c_str(), "<0x%2X>", &value) == 1 && value < 256)
                loaded->byte_tokens[value] = id;
        }
        result = loaded.release();
        return {};
    });
    return result;
}

void sentencepiece_destroy(bpe_model *model)
{
    delete model;
}

int sentencepiece_count(const bpe_model *model)
{
    return model->processor.GetPieceSize();
}

const char *sentencepiece_piece(const bpe_model *model, int id)
{
    return model->processor.IdToPiece(id).c_str();
}

float sentencepiece_score(const bpe_model *model, int id)
{
    return model->processor.GetScore(id);
}

int sentencepiece_unknown(const bpe_model *model)
{
    return model->processor.unk_id();
}

int sentencepiece_byte(const bpe_model *model, unsigned char byte)
{
    return model->byte_tokens[byte];
}

int sentencepiece_find(const bpe_model *model, const char *text, size_t length)
{
    const auto &p = model->processor;
    int id = p.PieceToId({ text, length });
    return p.IsUnknown(id) || p.IsControl(id) || p.IsByte(id) ? -1 : id;
}

int sentencepiece_encode(const bpe_model *model, const char *text, int32_t **ids, char *message, size_t size)
{
    int count = -1;
    guarded(message, size, [&]() -> std::string {
        std::vector<int> tokens;
        auto status = model->processor.Encode(text, &tokens);
        if (!status.ok()) return problem_of(status);
        *ids = static_cast<int32_t *>(std::malloc((tokens.size() + 1) * sizeof(int32_t)));
        if (!*ids) throw std::bad_alloc();
        std::copy(tokens.begin(), tokens.end(), *ids);
        count = static_cast<int>(tokens.size());
        return {};
    });
    return count;
}

// The library's normalizer is not public in this version.  An encoding, however, cuts the normalized
// text into pieces and drops nothing: put together, with byte tokens as their bytes, they are that text.
char *sentencepiece_normalize(const bpe_model *model, const char *text, char *message, size_t size)
{
    char *normalized = nullptr;
    guarded(message, size, [&]() -> std::string {
        std::vector<std::string> pieces;
        auto status = model->processor.Encode(text, &pieces);
        if (!status.ok()) return problem_of(status);
        std::string whole;
        for (const auto &piece : pieces) {
            unsigned value;
            if (model->processor.IsByte(model->processor.PieceToId(piece)) &&
                std::sscanf(piece.c_str(), "<0x%2X>", &value) == 1)
                whole.push_back(static_cast<char>(value));
            else
                whole += piece;
        }
        normalized = copy_of(whole);
        return {};
    });
    return normalized;
}

char *sentencepiece_decode(const bpe_model *model, const int32_t *ids, int count, char *message, size_t size)
{
    char *text = nullptr;
    guarded(message, size, [&]() -> std::string {
        std::string decoded;
        auto status = model->processor.Decode(std::vector<int>(ids, ids + count), &decoded);
        if (!status.ok()) return problem_of(status);
        text = copy_of(decoded);
        return {};
    });
    return text;
}
