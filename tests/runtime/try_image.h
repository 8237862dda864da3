/* Loads bytes as an image and, when they pass and promise little work, runs them: for damaged images.  All memory has
 * its exact size, so that a sanitizer sees every access beyond it. */
#ifndef TEST_TRY_IMAGE_H
#define TEST_TRY_IMAGE_H

#include "openipu/ipu.h"

typedef enum tried { TRIED_REFUSED, TRIED_TOO_LARGE, TRIED_RAN } tried;
tried try_image(const uint8_t *data, size_t bytes, const ipu_kernels *kernels);

#endif
