// language_cld2.cc -- calls libcld2 and catches what it throws.
// SPDX-License-Identifier: MIT
#include "data/language_cld2.h"

#include <cstdint> // the library's headers need these three and do not say so
#include <cstdio>
#include <cstring>

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

namespace
{

CLD2::Language named(const char *name)
{
    return CLD2::GetLanguageFromName(name);
}

} // namespace

const char *cld2_detect(const char *text, size_t size, bool *reliable)
{
    *reliable = false;
    try {
        const CLD2::CLDHints hints = { nullptr, nullptr, CLD2::UNKNOWN_ENCODING, CLD2::UNKNOWN_LANGUAGE };
        CLD2::Language languages[3];
        int percents[3], bytes = 0, valid = 0;
        double scores[3];
        CLD2::Language found =
            CLD2::ExtDetectLanguageSummaryCheckUTF8(text, static_cast<int>(size), true, &hints, 0, languages,
                                                    percents, scores, nullptr, &bytes, reliable, &valid);
        return CLD2::LanguageCode(found);
    } catch (...) {
        return "un"; // out of memory: as good as a text that cannot be told
    }
}

const char *cld2_find(const char *name)
{
    CLD2::Language language = named(name);
    return language == CLD2::UNKNOWN_LANGUAGE ? nullptr : CLD2::LanguageCode(language);
}

bool cld2_is_latin(const char *code)
{
    return CLD2::IsLatnLanguage(named(code));
}
