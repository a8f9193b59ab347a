/* config_undef.h -- ends what config_def.h began.
 * SPDX-License-Identifier: MIT */
#undef CONFIG_FIELD
#undef CONFIG_INT
#undef CONFIG_REAL
#undef CONFIG_BOOL
#undef CONFIG_CHOICE
#undef CONFIG_SHARED_CHOICE
#undef CONFIG_ENUM
#undef CONFIG_NO_ENUM
#undef CONFIG_TEXT
#undef CONFIG_PART
#undef CONFIG_PART_END
#undef CONFIG_AS_ENUMS
#undef CONFIG_AS_SHARED_ENUMS
#undef CONFIG_AS_STRUCT
#undef CONFIG_AS_TABLE
#undef CONFIG_OF
