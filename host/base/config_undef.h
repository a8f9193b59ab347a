/* config_undef.h -- ends what config_def.h began.
 * SPDX-License-Identifier: MIT */
#undef CONFIG_INT
#undef CONFIG_REAL
#undef CONFIG_BOOL
#undef CONFIG_CHOICE
#undef CONFIG_TEXT
#undef CONFIG_AS_STRUCT
#undef CONFIG_AS_TABLE
#undef CONFIG_OF
