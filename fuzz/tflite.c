/* Foreign TFLite models, every other one with its own scales. */
#include "graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sgs_import_options o = { .frontend = &sgs_frontend_tflite, .keep_quant = size & 1, .memory_limit = (int64_t)64 << 20 };
    return fuzz_import("/nonexistent/fuzz.tflite", (sgs_span){ data, size }, &o);
}
