/* The image loader and, for what it accepts, the interpreter.  Input that does not begin like an image is a list of
 * changes to a good one: pairs of a place among its header, descriptors and records, and the word to put there; the list's
 * length says which: with a batch of either mode, with pictures, without. */
#include <string.h>

#include "runtime/image.h"
#include "tests/runtime/image_maker.h"
#include "tests/runtime/try_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t *kinds[MAKER_KINDS], bad[1 << 17];
    static size_t length[MAKER_KINDS];
    const size_t kind = size % 8 % MAKER_KINDS; /* what is left of the list behind its pairs */
    if (size < 8)
        return 0;
    if (!kinds[kind])
        kinds[kind] = maker_kind((int)kind, &length[kind]);
    const uint8_t *good = kinds[kind];
    const size_t bytes = length[kind];
    if (!memcmp(data, IPU_IMAGE_MAGIC, 8)) {
        try_image(data, size, &ipu_kernels_c);
        return 0;
    }
    memcpy(bad, good, bytes);
    const ipu_header *h = (const void *)good;
    uint32_t words = (h->ops.off + h->ops.bytes) / 4; /* io and ops lie behind the header */
    for (; size >= 8; data += 8, size -= 8) {
        uint32_t at;
        memcpy(&at, data, 4);
        memcpy(bad + (size_t)(at % words) * 4, data + 4, 4);
    }
    try_image(bad, bytes, &ipu_kernels_c);
    return 0;
}
