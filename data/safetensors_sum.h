/* safetensors_sum.h -- how a safetensors file states its own checksum: a text of its metadata, which other
 * readers pass over, with the SHA-256 of all the file's bytes, these 64 digits taken as zeros.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_SAFETENSORS_SUM_H
#define DALLE_CL_DATA_SAFETENSORS_SUM_H

#define SAFETENSORS_SUM       "sha256"
#define SAFETENSORS_SUM_START "\"" SAFETENSORS_SUM "\":\"" /* in text, these quotes would have backslashes */
#define SAFETENSORS_SUM_EMPTY "0000000000000000000000000000000000000000000000000000000000000000"

#endif
