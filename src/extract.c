/* A part of an ONNX model as a model of its own. */
#include <string.h>

#include "base/base.h"
#include "import/model.h"
#include "import/onnx.h"

/* Length of a path's folder, its slash included. */
static size_t folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash + 1 - path) : 0;
}

static bool same_folder(const char *a, const char *b)
{
    return folder(a) == folder(b) && !memcmp(a, b, folder(a));
}

static sgs_status check_part(const sgs_extract_options *o, const sgs_survey *s, bool external, sgs_diag *d)
{
    for (int i = 0; i < s->nin; i++)
        if (s->in[i]->rank < 0 || s->in[i]->type < 0) {
            sgs_fail(d, SGS_E_MODEL, "type or shape of '%s' is not known", s->in[i]->name);
            sgs_fail_at(d, o->model_file, 0, NULL);
            sgs_hint(d, "store shapes in the model first: onnx.shape_inference.infer_shapes");
            return SGS_E_MODEL;
        }
    if (!external || same_folder(o->model_file, o->output_file))
        return SGS_OK;
    sgs_fail(d, SGS_E_USAGE,
             "the model keeps weights in files beside it; the part, in another folder, would not find them");
    sgs_fail_at(d, o->model_file, 0, NULL);
    const int length = (int)folder(o->model_file);
    sgs_hint(d, "write it to '%.*s'", length ? length : 2, length ? o->model_file : "./");
    return SGS_E_USAGE;
}

static sgs_status write_part(const sgs_extract_options *o, const sgs_graph *g, const sgs_survey *s, sgs_diag *d)
{
    sgs_file f;
    sgs_buf b = { 0 };
    SGS_TRY(sgs_file_open(&f, o->model_file, d));
    sgs_onnx_part p = { .model = f.data, .s = s, .outputs = s->nrefused || s->unshaped ? NULL : g->out };
    sgs_status status = sgs_onnx_write_part(&p, &b, d);
    sgs_file_close(&f);
    if (status == SGS_OK)
        status = check_part(o, s, p.external, d);
    if (status == SGS_OK)
        status = sgs_file_write(o->output_file, b.p, b.n, d);
    sgs_buf_free(&b);
    return status;
}

sgs_status sgs_extract(const sgs_extract_options *o, sgs_diag *d)
{
    if (!o->model_file || !o->output_file)
        return sgs_fail(d, SGS_E_USAGE, "expected model_file and output_file");
    sgs_graph *g = sgs_graph_new("");
    bool *own = SGS_NEW_N(g->arena, bool, o->ninput + o->noutput + 1); /* the model's own layout */
    memset(own, true, (size_t)(o->ninput + o->noutput));
    const sgs_import_options options = { .input_shapes = o->input_shapes,
                                       .input_name = o->input,
                                       .ninput = o->ninput,
                                       .input_nchw = own,
                                       .output_name = o->output,
                                       .noutput = o->noutput,
                                       .output_nchw = own };
    sgs_survey s;
    sgs_graph *looked;
    sgs_status status = sgs_model_look(&looked, &s, o->model_file, &options, d);
    if (status == SGS_OK) {
        status = write_part(o, looked, &s, d);
        sgs_graph_free(looked);
    }
    sgs_graph_free(g);
    return status;
}
