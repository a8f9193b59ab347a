/* image_webp.c -- WebP through libwebp; of an animation the first frame, where it stands on its canvas.
 * SPDX-License-Identifier: MIT */
#include "data/image_codec.h"
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

typedef struct webp_work {
    const image_file *file;
    WebPDemuxer *demux;
    WebPIterator frame;
    bool framed; /* the frame is to be released */
    image_profile *profile;
    uint8_t *rgba; /* of a frame that does not cover its canvas */
    error *err;
} webp_work;

static bool fail(const webp_work *w, VP8StatusCode status)
{
    if (status == VP8_STATUS_OUT_OF_MEMORY)
        return error_set(w->err, ERROR_MEMORY, "%s: no memory to decode this WebP", w->file->name);
    bool cut = status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED;
    return error_set(w->err, ERROR_FORMAT, "%s: cannot decode this WebP: %s", w->file->name,
                     cut                                        ? "the file is cut short"
                     : status == VP8_STATUS_UNSUPPORTED_FEATURE ? "it has a feature that is not supported"
                                                                : "its data is damaged");
}

static bool open_frame(webp_work *w)
{
    const WebPData data = { w->file->bytes, w->file->size };
    WebPDemuxState state;
    w->demux = WebPDemuxPartial(&data, &state);
    if (!w->demux || state != WEBP_DEMUX_DONE)
        return fail(w, state == WEBP_DEMUX_PARSE_ERROR ? VP8_STATUS_BITSTREAM_ERROR
                                                       : VP8_STATUS_NOT_ENOUGH_DATA);
    w->framed = WebPDemuxGetFrame(w->demux, 1, &w->frame);
    return (w->framed && w->frame.complete) || fail(w, VP8_STATUS_NOT_ENOUGH_DATA);
}

static bool open_profile(webp_work *w, int channels)
{
    WebPChunkIterator chunk;
    if (!WebPDemuxGetChunk(w->demux, "ICCP", 1, &chunk)) return true;
    bool done = image_profile_open(&w->profile, w->file, chunk.chunk.bytes, chunk.chunk.size, IMAGE_RGB,
                                   channels, w->err);
    WebPDemuxReleaseChunkIterator(&chunk);
    return done;
}

static bool orient(const webp_work *w, image *out)
{
    WebPChunkIterator chunk;
    if (!WebPDemuxGetChunk(w->demux, "EXIF", 1, &chunk)) return true;
    bool done = image_orient(out, chunk.chunk.bytes, chunk.chunk.size, w->err) ||
                error_prefix(w->err, "%s", w->file->name);
    WebPDemuxReleaseChunkIterator(&chunk);
    return done;
}

/* Into memory of width x height pixels of 3 or 4 bytes. */
static bool decode_frame(const webp_work *w, int channels, uint8_t *into)
{
    WebPDecoderConfig c;
    if (!WebPInitDecoderConfig(&c)) return fail(w, VP8_STATUS_INVALID_PARAM);
    c.output.colorspace = channels == 3 ? MODE_RGB : MODE_RGBA;
    c.output.is_external_memory = 1;
    c.output.u.RGBA.rgba = into;
    c.output.u.RGBA.stride = w->frame.width * channels;
    c.output.u.RGBA.size = (size_t)w->frame.width * (size_t)w->frame.height * (size_t)channels;
    VP8StatusCode status = WebPGetFeatures(w->frame.fragment.bytes, w->frame.fragment.size, &c.input);
    if (status == VP8_STATUS_OK && (c.input.width != w->frame.width || c.input.height != w->frame.height))
        status = VP8_STATUS_BITSTREAM_ERROR;
    if (status == VP8_STATUS_OK) status = WebPDecode(w->frame.fragment.bytes, w->frame.fragment.size, &c);
    WebPFreeDecBuffer(&c.output);
    return status == VP8_STATUS_OK || fail(w, status);
}

static bool read_opaque(const webp_work *w, image *out)
{
    if (!decode_frame(w, 3, out->pixels)) return false;
    if (w->profile) image_profile_apply(w->profile, out->pixels, (size_t)out->width * (size_t)out->height);
    return true;
}

static bool read_transparent(webp_work *w, image *out)
{
    const WebPIterator *f = &w->frame;
    size_t row = (size_t)f->width * 4, wide = (size_t)out->width * 3;
    if (!(w->rgba = malloc(row * (size_t)f->height))) return fail(w, VP8_STATUS_OUT_OF_MEMORY);
    if (!decode_frame(w, 4, w->rgba)) return false;
    for (size_t i = 0; i < (size_t)out->width * (size_t)out->height; ++i)
        memcpy(out->pixels + 3 * i, w->file->how.background, 3);
    for (size_t y = 0; y < (size_t)f->height; ++y) {
        if (w->profile) image_profile_apply(w->profile, w->rgba + y * row, (size_t)f->width);
        image_flatten(w->file, w->rgba + y * row,
                      out->pixels + ((size_t)f->y_offset + y) * wide + 3 * (size_t)f->x_offset,
                      (size_t)f->width);
    }
    return true;
}

/* The file has a frame as large as it says in front. */
static bool fits(const webp_work *w, const image *out)
{
    const WebPIterator *f = &w->frame;
    return (f->width >= 1 && f->height >= 1 && f->x_offset >= 0 && f->y_offset >= 0 &&
            f->x_offset + f->width <= out->width && f->y_offset + f->height <= out->height) ||
           fail(w, VP8_STATUS_BITSTREAM_ERROR);
}

static bool decode(webp_work *w, image *out)
{
    const image_file *file = w->file;
    WebPBitstreamFeatures features;
    VP8StatusCode status = WebPGetFeatures(file->bytes, file->size, &features);
    if (status != VP8_STATUS_OK) return fail(w, status);
    if (!image_allow(file, features.width, features.height, w->err) || !open_frame(w)) return false;
    if (!image_create_any(out, features.width, features.height, w->err))
        return error_prefix(w->err, "%s", file->name);
    bool opaque = w->frame.width == out->width && w->frame.height == out->height && !w->frame.has_alpha;
    return fits(w, out) && open_profile(w, opaque ? 3 : 4) &&
           (opaque ? read_opaque(w, out) : read_transparent(w, out)) && orient(w, out);
}

bool image_webp_decode(const image_file *f, image *out, error *err)
{
    webp_work work = { .file = f, .err = err };
    bool done = decode(&work, out);
    if (work.framed) WebPDemuxReleaseIterator(&work.frame);
    WebPDemuxDelete(work.demux);
    image_profile_close(work.profile);
    free(work.rgba);
    if (!done) image_free(out);
    return done;
}
