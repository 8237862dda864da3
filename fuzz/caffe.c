/* Caffe: any text and any bytes of weights, a zero byte between them; without the weights it is looked at. */
#include <string.h>

#include "graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    const sgs_span text = { data, end ? (size_t)(end - data) : size },
                   weights = { end ? end + 1 : data + size, end ? size - text.n - 1 : 0 };
    sgs_import_options o = { .memory_limit = (int64_t)64 << 20 };
    sgs_diag d = { 0 };
    fuzz_check(sgs_frontend_of(SGS_CAFFE, &o.frontend, &d), &d);
    fuzz_look("fuzz.prototxt", text, &o);
    o.weight_file = "fuzz.caffemodel";
    o.weights = &weights;
    return fuzz_import("fuzz.prototxt", text, &o);
}
