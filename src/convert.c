/* Stage 1: a framework's model and input_config.ini become NAME_float.sim. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "compile/target.h"
#include "config/config.h"
#include "import/onnx.h"
#include "import/sim.h"
#include "pass/pass.h"
#include "runtime/sha256.h"

/* ---- what is asked for ----------------------------------------------------------------------------------------- */

static sgs_status check_options(const sgs_convert_options *o, sgs_diag *d)
{
    const sgs_target *target;
    if (!o->model_file || !o->input_config || !o->output_file)
        return sgs_fail(d, SGS_E_USAGE, "expected model_file, input_config and output_file");
    const size_t n = strlen(o->output_file);
    if (n < 4 || strcmp(o->output_file + n - 4, ".sim"))
        return sgs_fail(d, SGS_E_USAGE, "expected an output file that ends in .sim, found '%s'", o->output_file);
    SGS_TRY(sgs_target_find(o->soc_version, &target, d));
    if (!o->soc_version)
        sgs_log_line(&o->log, "no --soc_version: %s, which runs everywhere", target->name);
    return SGS_OK;
}

static sgs_status later(const sgs_config *c, const char *name, sgs_diag *d, const char *what)
{
    sgs_fail(d, SGS_E_UNSUPPORTED, "'%.200s': %s comes with a later version", name, what);
    sgs_fail_at(d, c->file, c->inputs_line, NULL);
    return SGS_E_UNSUPPORTED;
}

/* The ini's grammar knows more than the tools can do yet. */
static sgs_status check_config(const sgs_config *c, sgs_diag *d)
{
    for (int i = 0; i < c->nin; i++) {
        const sgs_input_config *in = &c->in[i];
        if (in->input == SGS_FMT_NV12 || in->input == SGS_FMT_RGBA || in->input == SGS_FMT_BGRA)
            return later(c, in->name, d, sgs_format(c->arena, "input_formats=%s", sgs_format_name(in->input)));
        if (in->width_align != 1 || in->height_align != 1)
            return later(c, in->name, d, "an alignment other than 1");
    }
    return SGS_OK;
}

/* ---- import ---------------------------------------------------------------------------------------------------- */

static sgs_status import(sgs_graph **g, const sgs_convert_options *o, const sgs_config *c, sgs_diag *d)
{
    const char **in = SGS_NEW_N(c->arena, const char *, c->nin), **out = SGS_NEW_N(c->arena, const char *, c->nout);
    bool *in_nchw = SGS_NEW_N(c->arena, bool, c->nin), *out_nchw = SGS_NEW_N(c->arena, bool, c->nout);
    for (int i = 0; i < c->nin; i++) {
        in[i] = c->in[i].name;
        in_nchw[i] = c->in[i].nchw;
    }
    for (int i = 0; i < c->nout; i++) {
        out[i] = c->out[i].name;
        out_nchw[i] = c->out[i].nchw;
    }
    const sgs_onnx_options options = { .input_shapes = o->input_shapes,
                                       .input_name = in,
                                       .ninput = c->nin,
                                       .input_nchw = in_nchw,
                                       .output_name = out,
                                       .noutput = c->nout,
                                       .output_nchw = out_nchw,
                                       .log = &o->log };
    return sgs_onnx_import(g, o->model_file, &options, d);
}

/* ---- inputs against their formats ------------------------------------------------------------------------------ */

static sgs_status input_fail(const sgs_config *c, int i, sgs_diag *d, const char *expected, const sgs_value *v)
{
    char dims[256] = "";
    for (int k = 0; k < v->rank; k++)
        snprintf(dims + strlen(dims), sizeof dims - strlen(dims), "%s%lld", k ? ", " : "", (long long)v->dim[k]);
    sgs_fail(d, SGS_E_CONFIG, "input '%.200s' is %s (%s): expected %s, found shape [%s], type %s", c->in[i].name,
             sgs_format_name(c->in[i].training), c->in[i].nchw ? "NCHW" : "NHWC", expected, dims,
             sgs_type_name(v->type));
    sgs_fail_at(d, c->file, c->inputs_line, NULL);
    return SGS_E_CONFIG;
}

static sgs_status check_input(const sgs_config *c, int i, const sgs_value *v, sgs_diag *d)
{
    const sgs_input_config *in = &c->in[i];
    if (in->nchw && v->rank != 4) {
        sgs_status s = input_fail(c, i, d, "a 4-dimensional input for input_layouts=NCHW", v);
        sgs_hint(d, "write NHWC in its place: inputs of other ranks stay as they are");
        return s;
    }
    if (sgs_format_raw(in->training))
        return SGS_OK;
    if (v->type != SGS_F32)
        return input_fail(c, i, d, "floating-point pictures", v);
    if (v->rank != 4)
        return input_fail(c, i, d, "4 dimensions", v);
    if (in->training == SGS_FMT_GRAY)
        return v->dim[in->nchw ? 1 : 3] == 1 ? SGS_OK : input_fail(c, i, d, "1 channel", v);
    return v->dim[in->nchw ? 1 : 3] == 3 ? SGS_OK : input_fail(c, i, d, "3 channels", v);
}

static sgs_status check_inputs(const sgs_config *c, const sgs_graph *g, sgs_diag *d)
{
    for (int i = 0; i < c->nin; i++)
        SGS_TRY(check_input(c, i, g->in[i], d));
    return SGS_OK;
}

/* ---- metadata -------------------------------------------------------------------------------------------------- */

/* "name HASH\n": what the result was made from; never a path, never a time. */
static sgs_status add_hash(sgs_buf *b, const char *name, const char *path, sgs_diag *d)
{
    sgs_file f;
    uint8_t hash[32];
    SGS_TRY(sgs_file_open(&f, path, d));
    ipu_sha256 s;
    ipu_sha256_init(&s);
    ipu_sha256_add(&s, f.data.p, f.data.n);
    ipu_sha256_end(&s, hash);
    sgs_file_close(&f);
    sgs_buf_printf(b, "%s ", name);
    for (int i = 0; i < 32; i++)
        sgs_buf_printf(b, "%02x", hash[i]);
    sgs_buf_printf(b, "\n");
    return SGS_OK;
}

static sgs_status add_metadata(sgs_graph *g, const sgs_convert_options *o, const sgs_config *c, sgs_diag *d)
{
    sgs_buf b = { 0 };
    sgs_config_print(c, &b);
    sgs_meta_set(g, "sgs.config", b.p, b.n);
    b.n = 0;
    sgs_buf_printf(&b, "tool openipu " SGS_VERSION "\n");
    sgs_status s = add_hash(&b, "model", o->model_file, d);
    if (s == SGS_OK)
        s = add_hash(&b, "ini", o->input_config, d);
    if (s == SGS_OK)
        sgs_meta_set(g, "sgs.provenance", b.p, b.n);
    sgs_buf_free(&b);
    return s;
}

/* ---- the stage ------------------------------------------------------------------------------------------------- */

static sgs_status finish(sgs_graph *g, const sgs_convert_options *o, const sgs_config *c, sgs_diag *d)
{
    const sgs_pass_options passes = { o->skip_simplify, o->verify, o->dump_after, &o->log };
    SGS_TRY(sgs_run_passes(g, &passes, d));
    SGS_TRY(check_inputs(c, g, d));
    SGS_TRY(add_metadata(g, o, c, d));
    return sgs_sim_write(g, o->output_file, d);
}

static sgs_status convert(const sgs_convert_options *o, const sgs_config *c, sgs_diag *d)
{
    SGS_TRY(check_config(c, d));
    sgs_graph *g;
    SGS_TRY(import(&g, o, c, d));
    sgs_status s = finish(g, o, c, d);
    sgs_graph_free(g);
    return s;
}

sgs_status sgs_convert(const sgs_convert_options *o, sgs_diag *d)
{
    SGS_TRY(check_options(o, d));
    sgs_config *c;
    SGS_TRY(sgs_config_read(&c, o->input_config, d));
    sgs_status s = convert(o, c, d);
    sgs_config_free(c);
    return s;
}
