/* The image loader and, for what it accepts, the interpreter.  Seeds: make_image writes a good one. */
#include "tests/runtime/try_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_image(data, size, &ipu_kernels_c);
    return 0;
}
