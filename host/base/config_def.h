/* config_def.h -- turns a config.def list into a struct and a table; see config.h.
 * Define exactly one of CONFIG_AS_STRUCT or CONFIG_AS_TABLE (with CONFIG_OF, the struct's type),
 * include this, include the .def file, then include config_undef.h.
 * SPDX-License-Identifier: MIT */
#if defined(CONFIG_AS_STRUCT)
#define CONFIG_INT(key, value, low, high, help)  int64_t key;
#define CONFIG_REAL(key, value, low, high, help) double key;
#define CONFIG_BOOL(key, value, help)            bool key;
#define CONFIG_CHOICE(key, value, choices, help) char key[CONFIG_TEXT_SIZE];
#define CONFIG_TEXT(key, value, help)            char key[CONFIG_TEXT_SIZE];
#elif defined(CONFIG_AS_TABLE)
#define CONFIG_INT(key, value, low, high, help) \
    { CONFIG_TYPE_INT, #key, offsetof(CONFIG_OF, key), #value, (double)(low), (double)(high), NULL, help },
#define CONFIG_REAL(key, value, low, high, help) \
    { CONFIG_TYPE_REAL, #key, offsetof(CONFIG_OF, key), #value, (double)(low), (double)(high), NULL, help },
#define CONFIG_BOOL(key, value, help) \
    { CONFIG_TYPE_BOOL, #key, offsetof(CONFIG_OF, key), #value, 0, 0, NULL, help },
#define CONFIG_CHOICE(key, value, choices, help) \
    { CONFIG_TYPE_CHOICE, #key, offsetof(CONFIG_OF, key), value, 0, 0, choices, help },
#define CONFIG_TEXT(key, value, help) \
    { CONFIG_TYPE_TEXT, #key, offsetof(CONFIG_OF, key), value, 0, 0, NULL, help },
#else
#error "define CONFIG_AS_STRUCT or CONFIG_AS_TABLE before including config_def.h"
#endif
