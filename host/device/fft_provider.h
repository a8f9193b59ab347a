/* fft_provider.h -- what one way of making Fourier transforms offers to fft.c: "products" (fft_products.c, on
 * matrix products, so on every device), and a library of the backend's.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_FFT_PROVIDER_H
#define DALLE_CL_DEVICE_FFT_PROVIDER_H

#include "host/device/device.h"

typedef struct fft_provider {
    const char *name;
    bool (*supports)(device *d, const fft_desc *desc);
    /* What recording needs, given back by release; NULL: it cannot, with the reason. */
    void *(*plan)(device *d, const fft_desc *desc, error *err);
    bool (*record)(void *state, device_launches *list, const char *label, device_buffer *in,
                   device_buffer *out, error *err);
    void (*release)(void *state);
} fft_provider;

extern const fft_provider fft_products;

/* fft_check.c: transforms random matrices as the plan will and compares all of the result with double
 * precision.  False: it is further off than rounding, or failed. */
bool fft_check(device *d, const fft_desc *desc, const fft_provider *by, void *state, error *err);

#endif
