/* unet.h -- the U-Net of guided diffusion (arXiv 2105.05233, "ADM"), as GLIDE (2112.10741) and DALL-E 2
 * (2204.06125) use it: residual blocks with group normalisation that timesteps scale and shift, blocks that
 * go down and up, attention over a picture's own places with a context's put before them.
 * B batch, S pixels a side, C channels, T context positions.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UNCLIP_UNET_H
#define DALLE_CL_MODELS_UNCLIP_UNET_H

#include "host/nn/nn.h"

enum { UNET_LEVELS = 8 };
typedef struct unet_config {
    int64_t in, out;  /* channels of input and output */
    int64_t size;     /* S */
    int64_t channels; /* of the first level; the timestep's embedding has four times as many */
    int64_t depth;    /* residual blocks of a level */
    int levels;
    int64_t mult[UNET_LEVELS]; /* channels of a level, as multiples of the first's */
    int attentions;
    int64_t attention[UNET_LEVELS]; /* sizes (pixels a side) that have attention; none: convolution only */
    int64_t head;                   /* channels of an attention head */
    int64_t groups;                 /* of group normalisation: 32 where that divides */
    int64_t context;                /* width of the context's positions; 0: none */
    double dropout;
    bool recompute; /* each block again in the backward pass */
} unet_config;
/* "1,2,3,4" or "32,16,8", or "" for none; how many there are, or -1: no such list, or too long. */
int unet_list(const char *text, int64_t out[UNET_LEVELS]);
bool unet_check(const unet_config *c, const char *kind, error *err);

typedef struct unet unet; /* weights; in the graph's memory */
unet *unet_declare(graph *g, const unet_config *c);

/* What attention sees besides the picture. */
typedef struct unet_context {
    tensor *states; /* [B,T,Cc] */
    tensor *valid;  /* I32 [B]: those from there on are not seen; NULL: all are */
} unet_context;
/* x [B,S,S,in], time F32 [B], embedding [B,4 channels] added to the timestep's (NULL: none), context (NULL:
 * none) -> [B,S,S,out], zero at the start of training.  `random` drives dropout and may be NULL. */
tensor *unet_apply(graph *g, const unet_config *c, const unet *w, tensor *x, tensor *time, tensor *embedding,
                   const unet_context *context, tensor *random);

#endif
