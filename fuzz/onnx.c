/* ONNX; what can be surveyed can be written as a part. */
#include "graph.h"
#include "import/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_part(const char *path, sgs_span model, const sgs_import_options *o)
{
    sgs_survey survey;
    sgs_graph *g;
    sgs_diag d = { 0 };
    sgs_buf b = { 0 };
    if (sgs_model_look_span(&g, &survey, path, model, o, &d) != SGS_OK)
        return;
    sgs_onnx_part p = { .model = model, .s = &survey };
    if (sgs_onnx_write_part(&p, &b, &d) == SGS_E_INTERNAL)
        abort();
    sgs_buf_free(&b);
    sgs_graph_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sgs_import_options o = { .memory_limit = (int64_t)64 << 20 };
    write_part("/nonexistent/fuzz.onnx", (sgs_span){ data, size }, &o);
    return fuzz_import("/nonexistent/fuzz.onnx", (sgs_span){ data, size }, &o);
}
