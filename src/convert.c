/* Stage 1: a framework's model and input_config.ini become NAME_float.sim. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "compile/target.h"
#include "config/config.h"
#include "import/model.h"
#include "import/sim.h"
#include "ops/op.h"
#include "pass/pass.h"
#include "preprocess/preprocess.h"

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

/* --input_arrays and --output_arrays say once more what the ini says. */
static sgs_status check_arrays(const sgs_config *c, const char *option, const char *given, sgs_config_key key,
                               sgs_diag *d)
{
    const bool outputs = key == SGS_KEY_OUTPUTS;
    sgs_buf names = { 0 }, said = { 0 };
    for (int i = 0; i < (outputs ? c->nout : c->nin); i++)
        sgs_buf_printf(&names, "%s%s", i ? "," : "", outputs ? c->out[i].name : c->in[i].name);
    for (const char *p = given; p && *p; p++)
        if (*p != ' ')
            sgs_buf_add(&said, p, 1);
    const bool same = !given || (said.p && !strcmp(said.p, names.p));
    if (!same) {
        sgs_config_fail(c, key, SGS_E_CONFIG, d, "%s says '%.300s', the ini says '%.300s'", option, given, names.p);
        sgs_hint(d, "write the same names in the same order, or leave %s out", option);
    }
    sgs_buf_free(&names);
    sgs_buf_free(&said);
    return same ? SGS_OK : SGS_E_CONFIG;
}

/* ---- import ---------------------------------------------------------------------------------------------------- */

static sgs_status import(sgs_graph **g, const sgs_convert_options *o, const sgs_config *c, sgs_diag *d)
{
    sgs_import_options options = sgs_import_options_from(c);
    options.input_shapes = o->input_shapes;
    options.log = &o->log;
    options.weight_file = o->weight_file;
    options.signature = o->signature;
    options.keep_quant = o->keep_quant;
    SGS_TRY(sgs_frontend_of(o->platform, &options.frontend, d));
    return sgs_model_import(g, o->model_file, &options, d);
}

/* ---- inputs against their formats ------------------------------------------------------------------------------ */

static sgs_status input_fail(const sgs_config *c, int i, sgs_diag *d, const char *expected, const sgs_value *v)
{
    const sgs_input_config *in = &c->in[i];
    char dims[256] = "";
    for (int k = 0; k < v->rank; k++)
        snprintf(dims + strlen(dims), sizeof dims - strlen(dims), "%s%lld", k ? ", " : "", (long long)v->dim[k]);
    return sgs_config_fail(c, c->line[SGS_KEY_TRAINING] ? SGS_KEY_TRAINING : SGS_KEY_FORMATS, SGS_E_CONFIG, d,
                           "%s needs an input of %s, found '%.200s' with shape [%s] (%s), type %s",
                           sgs_format_name(in->training), expected, in->name, dims, in->nchw ? "NCHW" : "NHWC",
                           sgs_type_word(v->type));
}

static sgs_status no_picture(const sgs_config *c, int i, sgs_diag *d, const char *expected, const sgs_value *v)
{
    sgs_status s = input_fail(c, i, d, expected, v);
    sgs_hint(
        d,
        "what is no picture takes RAWDATA_F32_NHWC, RAWDATA_S16_NHWC or RAWDATA_U8_NHWC, without mean and std_value");
    return s;
}

/* A model that takes bytes normalizes them itself. */
static sgs_status check_bytes(const sgs_config *c, int i, const sgs_value *v, sgs_diag *d)
{
    const sgs_input_config *in = &c->in[i];
    if (v->type != SGS_U8)
        return no_picture(c, i, d, "floating-point numbers or bytes", v);
    for (int k = 0; k < 3; k++) {
        const bool mean = k < in->nmean && in->mean[k] != 0;
        if (!mean && (k >= in->nstd || in->std[k] == 1))
            continue;
        sgs_config_fail(
            c, mean ? SGS_KEY_MEAN : SGS_KEY_STD, SGS_E_CONFIG, d,
            "the model takes bytes at '%.200s' and normalizes them itself: expected mean 0 and std_value 1, found %g",
            in->name, (double)(mean ? in->mean[k] : in->std[k]));
        return SGS_E_CONFIG;
    }
    return SGS_OK;
}

/* RAWDATA_U16 is for the indices of embeddings of that many rows and for nothing else. */
#define U16_ROWS 65536

static bool is_embedding(const sgs_node *n, const sgs_value *index)
{
    return n->op == &sgs_op_gather && n->in[1] == index && n->in[0] != index &&
           n->in[0]->dim[((const sgs_axis_attr *)n->attr)->axis] <= U16_ROWS;
}

/* What else reads it. */
static const sgs_node *other_use(const sgs_graph *g, const sgs_value *v)
{
    for (const sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] == v && !is_embedding(n, v))
                return n;
    return NULL;
}

static sgs_status check_indices(const sgs_config *c, sgs_graph *g, int i, sgs_diag *d)
{
    const sgs_value *v = g->in[i];
    const sgs_node *n = other_use(g, v);
    bool integer = v->type == SGS_S32 || v->type == SGS_S64;
    for (int k = 0; k < g->nout; k++)
        integer = integer && g->out[k] != v;
    if (!n && integer)
        return SGS_OK;
    sgs_config_fail(c, SGS_KEY_FORMATS, SGS_E_CONFIG, d,
                    "RAWDATA_U16_NHWC is for integers that are indices of an embedding of at most %d rows, found '%.200s', "
                    "type %s, read by %s (%s)",
                    U16_ROWS, c->in[i].name, sgs_type_word(v->type), n ? sgs_node_label(g, n) : "nothing else",
                    n ? n->op->name : "none");
    sgs_hint(d, "write RAWDATA_S16_NHWC or RAWDATA_F32_NHWC for it");
    return SGS_E_CONFIG;
}

static sgs_status check_input(const sgs_config *c, int i, const sgs_value *v, sgs_diag *d)
{
    const sgs_input_config *in = &c->in[i];
    const int channels = sgs_format_channels(in->training);
    if (in->nchw && v->rank != 4) {
        sgs_config_fail(c, SGS_KEY_LAYOUTS, SGS_E_CONFIG, d,
                        "expected NHWC for '%.200s', as it has %d dimensions, found NCHW", in->name, v->rank);
        sgs_hint(d, "NCHW is for inputs of 4 dimensions; others stay as they are and take NHWC as a placeholder");
        return SGS_E_CONFIG;
    }
    if (!channels)
        return SGS_OK;
    if (v->rank != 4)
        return no_picture(c, i, d, "4 dimensions", v);
    if (v->dim[in->nchw ? 1 : 3] != channels)
        return input_fail(c, i, d, channels == 1 ? "1 channel" : "3 channels", v);
    if (v->type != SGS_F32)
        SGS_TRY(check_bytes(c, i, v, d));
    return sgs_board_check(c, i, v->dim, d);
}

/* NCHW where an output has other ranks: as for inputs. */
static sgs_status check_output(const sgs_config *c, int i, const sgs_value *v, sgs_diag *d)
{
    if (!c->out[i].nchw || v->rank == 4)
        return SGS_OK;
    sgs_config_fail(c, SGS_KEY_OUTPUT_LAYOUTS, SGS_E_CONFIG, d,
                    "expected NHWC for '%.200s', as it has %d dimension%s, found NCHW", c->out[i].name, v->rank,
                    v->rank == 1 ? "" : "s");
    sgs_hint(d, "NCHW is for outputs of 4 dimensions; others stay as they are and take NHWC as a placeholder");
    return SGS_E_CONFIG;
}

static sgs_status check_ends(const sgs_config *c, sgs_graph *g, sgs_diag *d)
{
    for (int i = 0; i < c->nin; i++)
        SGS_TRY(check_input(c, i, g->in[i], d));
    for (int i = 0; i < c->nin; i++)
        if (c->in[i].input == SGS_FMT_RAW_U16)
            SGS_TRY(check_indices(c, g, i, d));
    for (int i = 0; i < c->nout; i++)
        SGS_TRY(check_output(c, i, g->out[i], d));
    return SGS_OK;
}

static void warn_unused(const sgs_config *c, sgs_graph *g, const sgs_log *log)
{
    sgs_users *u = sgs_users_of(g, g->arena);
    for (int i = 0; i < g->nin; i++)
        if (!sgs_user_count(u, g->in[i]))
            sgs_log_warning(log, "no output depends on input '%s'", c->in[i].name);
}

/* ---- metadata -------------------------------------------------------------------------------------------------- */

#define HASHED ((size_t)1 << 20) /* bytes of a file that are in memory at once for their hash */

/* "name HASH\n": what the result was made from; never a path, never a time. */
static sgs_status add_hash(sgs_buf *b, const char *name, sgs_graph *g, const char *path, sgs_diag *d)
{
    sgs_span data;
    size_t part;
    uint8_t hash[32];
    SGS_TRY(sgs_graph_map(g, path, &data, d));
    const bool copied = sgs_arena_loose(g->arena) > data.n / 4; /* else the writer reads it once more */
    ipu_sha256 s;
    ipu_sha256_init(&s);
    for (; data.n; data.p += part, data.n -= part) {
        part = data.n < HASHED ? data.n : HASHED;
        sgs_sha256_add(&s, data.p, part);
        if (copied)
            sgs_graph_forget(g, (sgs_span){ data.p, part });
    }
    ipu_sha256_end(&s, hash);
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
    sgs_status s = add_hash(&b, "model", g, o->model_file, d);
    if (s == SGS_OK && o->weight_file)
        s = add_hash(&b, "weights", g, o->weight_file, d);
    if (s == SGS_OK)
        s = add_hash(&b, "ini", g, o->input_config, d);
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
    SGS_TRY(check_ends(c, g, d));
    warn_unused(c, g, &o->log);
    SGS_TRY(add_metadata(g, o, c, d));
    if (o->skip_simplify)
        sgs_meta_set(g, SGS_UNSIMPLIFIED, "1", 1);
    return sgs_sim_write(g, o->output_file, d);
}

static sgs_status convert(const sgs_convert_options *o, const sgs_config *c, sgs_diag *d)
{
    SGS_TRY(check_arrays(c, "--input_arrays", o->input_arrays, SGS_KEY_INPUTS, d));
    SGS_TRY(check_arrays(c, "--output_arrays", o->output_arrays, SGS_KEY_OUTPUTS, d));
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
