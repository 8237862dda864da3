/* TensorFlow's GraphDef. */
#include "graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sgs_import_options o = { .frontend = &sgs_frontend_tensorflow, .memory_limit = (int64_t)64 << 20 };
    fuzz_look("/nonexistent/fuzz.pb", (sgs_span){ data, size }, &o);
    return fuzz_import("/nonexistent/fuzz.pb", (sgs_span){ data, size }, &o);
}
