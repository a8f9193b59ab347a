/* config_def.h -- turns a config.def list into enums, a struct or a table; see config.h.
 * Define exactly one of CONFIG_AS_ENUMS, CONFIG_AS_SHARED_ENUMS, CONFIG_AS_STRUCT or CONFIG_AS_TABLE (with
 * CONFIG_OF, the struct's type), include this, include the .def file, then include config_undef.h.
 * SPDX-License-Identifier: MIT */

/* A list that several kinds share stands in a .def file of its own and is a struct of its own.  Where a
 * kind's list includes it, between CONFIG_PART(type, name) and CONFIG_PART_END, the kind's struct has its
 * settings as members, and all of them together, too, as the member `name`.  Its choices are lines
 * CONFIG_SHARED_CHOICE, whose enums its own header makes, once, with CONFIG_AS_SHARED_ENUMS. */
#if defined(CONFIG_AS_STRUCT)
#define CONFIG_INT(key, value, low, high, help)    int64_t key;
#define CONFIG_REAL(key, value, low, high, help)   double key;
#define CONFIG_BOOL(key, value, help)              bool key;
#define CONFIG_CHOICE(type, key, value, help, ...) enum type key;
#define CONFIG_SHARED_CHOICE                       CONFIG_CHOICE
#define CONFIG_TEXT(key, value, help)              char key[CONFIG_TEXT_SIZE];
#define CONFIG_PART(type, name) \
    union { \
        type name; \
        struct {
#define CONFIG_PART_END \
    } \
    ; \
    } \
    ;
#elif defined(CONFIG_AS_TABLE)
#define CONFIG_FIELD(type, key, value, low, high, choices, help) \
    { type, #key, offsetof(CONFIG_OF, key), value, (double)(low), (double)(high), choices, help },
#define CONFIG_INT(key, value, low, high, help) \
    CONFIG_FIELD(CONFIG_TYPE_INT, key, CONFIG_WORD(value), low, high, NULL, help)
#define CONFIG_REAL(key, value, low, high, help) \
    CONFIG_FIELD(CONFIG_TYPE_REAL, key, CONFIG_WORD(value), low, high, NULL, help)
#define CONFIG_BOOL(key, value, help) \
    CONFIG_FIELD(CONFIG_TYPE_BOOL, key, CONFIG_WORD(value), 0, 0, NULL, help)
#define CONFIG_CHOICE(type, key, value, help, ...) \
    CONFIG_FIELD(CONFIG_TYPE_CHOICE, key, CONFIG_WORD(value), 0, 0, CONFIG_WORDS(__VA_ARGS__), help)
#define CONFIG_TEXT(key, value, help) CONFIG_FIELD(CONFIG_TYPE_TEXT, key, value, 0, 0, NULL, help)
#define CONFIG_SHARED_CHOICE          CONFIG_CHOICE
#define CONFIG_PART(type, name)
#define CONFIG_PART_END
#elif defined(CONFIG_AS_ENUMS) || defined(CONFIG_AS_SHARED_ENUMS)
#define CONFIG_INT(key, value, low, high, help)
#define CONFIG_REAL(key, value, low, high, help)
#define CONFIG_BOOL(key, value, help)
#define CONFIG_ENUM(type, key, value, help, ...) \
    typedef enum type { CONFIG_ENUMERATORS(type, __VA_ARGS__) } type; \
    _Static_assert(sizeof(type) == sizeof(unsigned), "config.c keeps a choice as an unsigned");
#define CONFIG_NO_ENUM(...)
#if defined(CONFIG_AS_ENUMS)
#define CONFIG_CHOICE        CONFIG_ENUM
#define CONFIG_SHARED_CHOICE CONFIG_NO_ENUM
#else
#define CONFIG_CHOICE        CONFIG_NO_ENUM
#define CONFIG_SHARED_CHOICE CONFIG_ENUM
#endif
#define CONFIG_TEXT(key, value, help)
#define CONFIG_PART(type, name)
#define CONFIG_PART_END
#else
#error "define what config.def is to become, such as CONFIG_AS_TABLE, before including config_def.h"
#endif

/* Two to seven words: as one text, "gumbel|vq", and as enumerators, dvae_quantiser_gumbel. */
#ifndef CONFIG_WORD
#define CONFIG_WORD(word)                          CONFIG_WORD_(word)
#define CONFIG_WORD_(word)                         #word
#define CONFIG_EIGHTH(a, b, c, d, e, f, g, h, ...) h
#define CONFIG_WORDS(...) \
    CONFIG_EIGHTH(__VA_ARGS__, CONFIG_WORDS7, CONFIG_WORDS6, CONFIG_WORDS5, CONFIG_WORDS4, CONFIG_WORDS3, \
                  CONFIG_WORDS2, ) \
    (__VA_ARGS__)
#define CONFIG_WORDS2(a, b)   #a "|" #b
#define CONFIG_WORDS3(a, ...) #a "|" CONFIG_WORDS2(__VA_ARGS__)
#define CONFIG_WORDS4(a, ...) #a "|" CONFIG_WORDS3(__VA_ARGS__)
#define CONFIG_WORDS5(a, ...) #a "|" CONFIG_WORDS4(__VA_ARGS__)
#define CONFIG_WORDS6(a, ...) #a "|" CONFIG_WORDS5(__VA_ARGS__)
#define CONFIG_WORDS7(a, ...) #a "|" CONFIG_WORDS6(__VA_ARGS__)
#define CONFIG_ENUMERATORS(type, ...) \
    CONFIG_EIGHTH(__VA_ARGS__, CONFIG_ENUM7, CONFIG_ENUM6, CONFIG_ENUM5, CONFIG_ENUM4, CONFIG_ENUM3, \
                  CONFIG_ENUM2, ) \
    (type, __VA_ARGS__)
#define CONFIG_ENUM2(type, a, b)   type##_##a, type##_##b
#define CONFIG_ENUM3(type, a, ...) type##_##a, CONFIG_ENUM2(type, __VA_ARGS__)
#define CONFIG_ENUM4(type, a, ...) type##_##a, CONFIG_ENUM3(type, __VA_ARGS__)
#define CONFIG_ENUM5(type, a, ...) type##_##a, CONFIG_ENUM4(type, __VA_ARGS__)
#define CONFIG_ENUM6(type, a, ...) type##_##a, CONFIG_ENUM5(type, __VA_ARGS__)
#define CONFIG_ENUM7(type, a, ...) type##_##a, CONFIG_ENUM6(type, __VA_ARGS__)
#endif
