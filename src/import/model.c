/* sgs_model_import: the file is read, its inputs get static shapes, the needed nodes are sorted and handed to their families. */
#include "import/model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "import/model_order.h"
#include "ops/util.h"

/* ---- --input_shapes ------------------------------------------------------------------------------------------------------------ */

typedef struct shape {
    int rank;
    int64_t dim[SGS_MAX_RANK];
} shape;

/* A scalar's shape has no sizes: nothing stands between its colons. */
static bool parse_shape(const char **p, bool scalar, shape *s)
{
    s->rank = 0;
    if (scalar && (**p == ':' || !**p))
        return true;
    do {
        char *end;
        errno = 0;
        long long v = strtoll(*p, &end, 10);
        if (end == *p || errno || v < 1 || s->rank == SGS_MAX_RANK)
            return false;
        s->dim[s->rank++] = v;
        *p = end;
    } while (*(*p)++ == ',');
    (*p)--;
    return true;
}

typedef struct layouts {
    bool own_nchw, nchw;    /* the model's, the ini's */
} layouts;

static sgs_status parse_shapes(sgs_model *o, const sgs_source_tensor *const *in, int n, shape *out, sgs_diag *d)
{
    const char *p = o->opt->input_shapes;
    int count = 0;
    for (const char *c = p; c; c = strchr(c, ':') ? strchr(c, ':') + 1 : NULL)
        count++;
    if (count != n) {
        sgs_buf b = { 0 };
        for (int i = 0; i < n; i++)
            sgs_buf_printf(&b, "%s'%s'", i ? ", " : "", in[i]->name);
        sgs_fail(d, SGS_E_USAGE, "--input_shapes %s: expected %d shape%s, one for each of %s, found %d", p, n, n == 1 ? "" : "s", b.p ? b.p : "", count);
        sgs_hint(d, "commas separate the sizes of one input, colons its shape from the next input's: 1,3,224,224:1,10");
        sgs_buf_free(&b);
        return SGS_E_USAGE;
    }
    for (int i = 0; i < n; i++, p++)
        if (!parse_shape(&p, in[i]->rank == 0 || (in[i]->rank < 0 && o->frontend->shapes_by_ini), &out[i]) || (*p != ':' && *p)) {
            sgs_fail(d, SGS_E_USAGE, "--input_shapes %s: expected sizes of 1 or more such as 1,3,224,224:1,10", o->opt->input_shapes);
            return SGS_E_USAGE;
        }
    return SGS_OK;
}

/* ---- shapes of the inputs --------------------------------------------------------------------------------------------------------- */

static sgs_status given_fits(sgs_model *o, const sgs_source_tensor *in, const shape *given, sgs_diag *d)
{
    bool ok = in->rank < 0 || in->rank == given->rank;
    for (int i = 0; i < in->rank && ok; i++)
        ok = in->dim[i] < 0 || in->dim[i] == given->dim[i];
    if (ok)
        return SGS_OK;
    char a[128], b[128];
    sgs_fail(d, SGS_E_USAGE, "--input_shapes gives %s for input '%s'; the model has %s (-1: free)", sgs_dims_text(a, sizeof a, given->rank, given->dim), in->name,
             sgs_dims_text(b, sizeof b, in->rank, in->dim));
    return sgs_fail_at(d, o->file, 0, NULL);
}

/* A free first dimension alone is the batch: one. */
static sgs_status static_shape(sgs_model *o, const sgs_source_tensor *in, const shape *given, shape *out, sgs_diag *d)
{
    if (in->no_tensor) {
        sgs_fail(d, SGS_E_UNSUPPORTED, "input '%s' is a sequence, a map or an optional: expected a tensor", in->name);
        return sgs_fail_at(d, o->file, 0, NULL);
    }
    if (given) {
        *out = *given;
        return given_fits(o, in, given, d);
    }
    out->rank = in->rank;
    if (in->rank > 1 && in->dim[0] < 0)
        sgs_log_line(o->opt->log, "input '%s': its free first dimension, the batch, is 1", in->name);
    for (int i = 0; i < in->rank; i++) {
        out->dim[i] = in->dim[i] < 0 && i == 0 && in->rank > 1 ? 1 : in->dim[i];
        if (out->dim[i] < 0) {
            sgs_fail(d, SGS_E_MODEL, "dimension %d (%s%s%s) of input '%s' is not fixed", i, in->symbol[i] ? "'" : "", in->symbol[i] ? in->symbol[i] : "unnamed",
                     in->symbol[i] ? "'" : "", in->name);
            sgs_fail_at(d, o->file, 0, NULL);
            sgs_hint(d, "give the whole shape, for example --input_shapes 1,3,224,224 (one shape per input, separated by ':')");
            return SGS_E_MODEL;
        }
    }
    if (in->rank < 0) {
        sgs_fail(d, SGS_E_MODEL, "the model gives no shape for input '%s'", in->name);
        sgs_fail_at(d, o->file, 0, NULL);
        sgs_hint(d, "give it with --input_shapes");
        return SGS_E_MODEL;
    }
    return SGS_OK;
}

/* An input of the graph: 4-D ones are channel-last unless the ini says otherwise; the rest of the model sees its own order. */
static sgs_status make_input(sgs_model *o, const sgs_source_tensor *in, const shape *s, layouts l, sgs_diag *d)
{
    static const int8_t orders[2][4] = { { 0, 2, 3, 1 }, { 0, 3, 1, 2 } };
    sgs_graph *g = o->im.g;
    int64_t dim[SGS_MAX_RANK], count = 1;
    bool differ = s->rank == 4 && l.own_nchw != l.nchw;
    if (in->type < 0) {
        sgs_fail(d, SGS_E_UNSUPPORTED, "input '%s' has data type %lld (%s), which is not supported", in->name, (long long)in->data_type, sgs_src_data_type(in->data_type));
        return sgs_fail_at(d, o->file, 0, NULL);
    }
    for (int i = 0; i < s->rank; i++) {
        dim[i] = s->dim[differ ? orders[l.nchw][i] : i];
        if (!sgs_mul64(count, dim[i], &count) || count > (int64_t)1 << 32) {
            char text[128];
            sgs_fail(d, SGS_E_LIMIT, "input '%s' of %s is too large: at most 2^32 elements", in->name, sgs_dims_text(text, sizeof text, s->rank, s->dim));
            return sgs_fail_at(d, o->file, 0, NULL);
        }
    }
    sgs_type t = in->type == SGS_S64 ? SGS_S32 : (sgs_type)in->type;
    sgs_value *v = sgs_value_new(g, t, s->rank, dim), *own = v;
    sgs_value_name(g, v, in->name);
    g->in[g->nin++] = v;
    sgs_source_node here = { .op = "input", .domain = "", .name = "", .nout = 1, .out = &in->name };
    if (differ)
        SGS_TRY((l.own_nchw ? sgs_emit_nchw : sgs_emit_nhwc)(&o->im, &here, v, &own, d));
    sgs_map_set(&o->im.scope.values, in->name, own);
    if (in->narrow)
        sgs_src_set_narrow(&o->im, own, in->narrow);
    return SGS_OK;
}

/* A complaint about a name of the ini stands there. */
static sgs_status at_names(const sgs_model *o, bool output, sgs_diag *d)
{
    const sgs_import_options *opt = o->opt;
    return opt->ini ? sgs_fail_at(d, opt->ini, output ? opt->outputs_line : opt->inputs_line, NULL) : sgs_fail_at(d, o->file, 0, NULL);
}

/* ---- layouts of 4-D inputs and outputs: the model's own, and the ini's ------------------------------------------------------------- */

/* ONNX pictures are N,C,H,W; models that come from channel-last frameworks keep theirs, and their channels then lie last alone. */
static bool picture_is_last(const shape *s, int channels)
{
    return channels && s->rank == 4 && s->dim[1] != channels && s->dim[3] == channels;
}

/* The other way round: what converters of ONNX models leave in a channel-last format. */
static bool picture_is_first(const shape *s, int channels)
{
    return channels && s->rank == 4 && s->dim[1] == channels && s->dim[3] != channels;
}

static void find_layout(sgs_model *o, const char *name, const shape *s, int channels)
{
    if (o->channels_last || !picture_is_last(s, channels))
        return;
    o->channels_last = true;
    sgs_log_line(o->opt->log, "the model takes '%s' as N,H,W,C: its own 4-D inputs and outputs are read as N,H,W,C", name);
}

/* ---- which inputs and outputs -------------------------------------------------------------------------------------------------------- */

static const sgs_source_tensor *find_info(const sgs_source_tensor *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(list[i].name, name))
            return &list[i];
    return NULL;
}

/* An unquoted name ends at `;`, `,` or `#`: does one of the model's go on there? */
static const char *longer_name(const char *const *known, int n, const char *name)
{
    const size_t k = strlen(name);
    for (int i = 0; i < n; i++)
        if (k && !strncmp(known[i], name, k) && strchr(";,# ", known[i][k]) && known[i][k])
            return known[i];
    return NULL;
}

static sgs_status unknown_name(sgs_model *o, bool output, const char *name, sgs_diag *d)
{
    int n = 0, most = o->nin + o->nout;
    for (int i = 0; i < o->nnode; i++)
        most += o->node[i].nout;
    const char **known = sgs_alloc_n(o->a, (size_t)most + 1, sizeof *known);
    for (int i = 0; i < o->nin; i++)
        known[n++] = o->in[i].name;
    for (int i = 0; i < o->nnode; i++)
        for (int k = 0; k < o->node[i].nout; k++)
            known[n++] = o->node[i].out[k];
    const char *near = sgs_nearest(name, known, n), *longer = longer_name(known, n, name);
    sgs_fail(d, SGS_E_CONFIG, "%s '%s' is not a tensor of the model", output ? "output" : "input", name);
    at_names(o, output, d);
    if (longer)
        sgs_hint(d, "the model has '%s': put the name in quotes", longer);
    sgs_buf b = { 0 };
    for (int i = 0; i < o->nin && i < 8; i++)
        if (!sgs_map_get(&o->im.scope.values, o->in[i].name))
            sgs_buf_printf(&b, " '%s'", o->in[i].name);
    sgs_buf_printf(&b, "; outputs:");
    for (int i = 0; i < o->nout && i < 8; i++)
        sgs_buf_printf(&b, " '%s'", o->out[i].name);
    sgs_hint(d, "%s%s%sthe model's inputs:%s", near ? "did you mean '" : "", near ? near : "", near ? "'? " : "", b.p);
    sgs_buf_free(&b);
    return SGS_E_CONFIG;
}

/* Inputs that are no initializers, in the model's order. */
static int real_inputs(sgs_model *o, const sgs_source_tensor **list)
{
    int n = 0;
    for (int i = 0; i < o->nin; i++)
        if (!sgs_map_get(&o->im.scope.values, o->in[i].name))
            list[n++] = &o->in[i];
    return n;
}

static bool made_inside(const sgs_model *o, const char *name)
{
    for (int i = 0; i < o->nnode; i++)
        for (int k = 0; k < o->node[i].nout; k++)
            if (!strcmp(o->node[i].out[k], name))
                return true;
    return false;
}

static bool by_ini(const sgs_model *o)
{
    return o->frontend->shapes_by_ini && o->opt->ninput;
}

/* Type and shape of a tensor inside the model: what its maker gives it, else what the file says of it.  NULL: neither. */
static const sgs_source_tensor *inner_info(sgs_model *o, const char *name)
{
    static const bool as_it_is = true;
    const sgs_import_options opt = { .frontend = o->frontend, .weight_file = o->opt->weight_file, .shapes_alone = true, .input_shapes = o->opt->input_shapes, .output_name = &name, .noutput = 1, .output_nchw = &as_it_is,
                                   .signature = o->opt->signature, .keep_quant = o->opt->keep_quant, .memory_limit = o->opt->memory_limit };
    sgs_graph *g;
    sgs_log_line(o->opt->log, "the model is cut at '%s', which becomes an input", name);
    if (by_ini(o) && o->opt->input_shapes)
        return find_info(o->inner, o->ninner, name);
    if (sgs_model_import(&g, o->file, &opt, NULL) != SGS_OK)
        return find_info(o->inner, o->ninner, name);
    const sgs_value *v = g->out[0];
    sgs_source_tensor *info = SGS_NEW(o->a, sgs_source_tensor);
    *info = (sgs_source_tensor){ .name = name, .type = (int)v->type, .rank = v->rank };
    memcpy(info->dim, v->dim, sizeof info->dim);
    sgs_graph_free(g);
    return info;
}

typedef struct plan {
    const sgs_source_tensor **input;    /* the graph's, in its order */
    const shape **given;            /* from --input_shapes, or NULL */
    int ninput;
    const char *const *output;
    int noutput;
} plan;

/* --input_shapes where it goes by the ini's inputs; a name that is none of the model's is complained of later. */
static sgs_status ini_shapes(sgs_model *o, plan *p, shape *shapes, sgs_diag *d)
{
    for (int i = 0; i < p->ninput; i++)
        if (!p->input[i])
            return SGS_OK;
    SGS_TRY(parse_shapes(o, p->input, p->ninput, shapes, d));
    for (int i = 0; i < p->ninput; i++)
        p->given[i] = &shapes[i];
    return SGS_OK;
}

static sgs_status plan_inputs(sgs_model *o, plan *p, sgs_diag *d)
{
    const sgs_import_options *opt = o->opt;
    const sgs_source_tensor **own = sgs_alloc_n(o->a, (size_t)o->nin + 1, sizeof *own);
    int nown = real_inputs(o, own);
    shape *shapes = sgs_alloc_n(o->a, (size_t)nown + (size_t)opt->ninput + 1, sizeof *shapes);
    if (opt->input_shapes && !by_ini(o))
        SGS_TRY(parse_shapes(o, own, nown, shapes, d));
    p->ninput = opt->ninput ? opt->ninput : nown;
    p->input = sgs_alloc_n(o->a, (size_t)p->ninput + 1, sizeof *p->input);
    p->given = sgs_alloc_n(o->a, (size_t)p->ninput + 1, sizeof *p->given);
    for (int i = 0; i < p->ninput; i++) {
        const char *name = opt->ninput ? opt->input_name[i] : own[i]->name;
        for (int k = 0; k < nown; k++)
            if (!strcmp(own[k]->name, name)) {
                p->input[i] = own[k];
                p->given[i] = opt->input_shapes && !by_ini(o) ? &shapes[k] : NULL;
            }
        if (!p->input[i] && made_inside(o, name))
            p->input[i] = inner_info(o, name);
    }
    return opt->input_shapes && by_ini(o) ? ini_shapes(o, p, shapes, d) : SGS_OK;
}

static const char *input_name(const sgs_model *o, const plan *p, int i)
{
    return o->opt->ninput ? o->opt->input_name[i] : p->input[i]->name;
}

static sgs_status check_inputs(sgs_model *o, const plan *p, sgs_diag *d)
{
    for (int i = 0; i < p->ninput; i++) {
        const char *name = input_name(o, p, i);
        if (p->input[i])
            continue;
        if (!made_inside(o, name))
            return unknown_name(o, false, name, d);
        sgs_fail(d, SGS_E_CONFIG, "input '%s' lies inside the model, behind nodes that cannot be taken, and the file gives no shape for it", name);
        at_names(o, false, d);
        sgs_hint(d, "store shapes in the model first: onnx.shape_inference.infer_shapes");
        return SGS_E_CONFIG;
    }
    return SGS_OK;
}

static sgs_status make_inputs(sgs_model *o, plan *p, sgs_map *stop, sgs_diag *d)
{
    sgs_graph *g = o->im.g;
    shape *s = SGS_NEW_N(o->a, shape, p->ninput + 1);
    SGS_TRY(check_inputs(o, p, d));
    g->in = SGS_NEW_N(o->a, sgs_value *, p->ninput + o->nin + 1);
    for (int i = 0; i < p->ninput; i++) {
        const char *name = p->input[i]->name;
        SGS_TRY(static_shape(o, p->input[i], p->given[i], &s[i], d));
        if (o->opt->ninput && o->opt->input_channels && find_info(o->in, o->nin, name))
            find_layout(o, name, &s[i], o->opt->input_channels[i]);
    }
    for (int i = 0; i < p->ninput; i++) {
        const bool nchw = o->opt->ninput && o->opt->input_nchw && o->opt->input_nchw[i];
        const int channels = o->opt->ninput && o->opt->input_channels ? o->opt->input_channels[i] : 0;
        const bool last = channels ? picture_is_last(&s[i], channels) : o->channels_last && find_info(o->in, o->nin, p->input[i]->name);
        const bool first = o->frontend->channels_last ? picture_is_first(&s[i], channels) : !last;
        SGS_TRY(make_input(o, p->input[i], &s[i], (layouts){ first, nchw }, d));
        sgs_map_set(stop, p->input[i]->name, g->in[i]);
    }
    return SGS_OK;
}

static sgs_status check_output(sgs_model *o, const plan *p, int i, sgs_diag *d)
{
    const char *name = p->output[i];
    const char *problem = find_info(o->in, o->nin, name) ? "is an input of the model: there is nothing to compute" : NULL;
    for (int k = 0; k < i; k++)
        if (!strcmp(p->output[k], name))
            problem = "is listed twice";
    if (problem) {
        sgs_fail(d, o->opt->noutput ? SGS_E_CONFIG : SGS_E_MODEL, "output '%s' %s", name, problem);
        return at_names(o, true, d);
    }
    if (!made_inside(o, name) && !sgs_map_get(&o->im.scope.values, name))
        return unknown_name(o, true, name, d);
    if (!find_info(o->out, o->nout, name))
        sgs_log_line(o->opt->log, "the model is cut at '%s', which becomes an output", name);
    return SGS_OK;
}

static sgs_status plan_outputs(sgs_model *o, plan *p, sgs_diag *d)
{
    const char **names = sgs_alloc_n(o->a, (size_t)o->nout + 1, sizeof *names);
    for (int i = 0; i < o->nout; i++)
        names[i] = o->out[i].name;
    p->output = o->opt->noutput ? o->opt->output_name : names;
    p->noutput = o->opt->noutput ? o->opt->noutput : o->nout;
    if (!p->noutput) {
        sgs_fail(d, SGS_E_MODEL, "the model has no outputs");
        return sgs_fail_at(d, o->file, 0, NULL);
    }
    for (int i = 0; i < p->noutput; i++)
        SGS_TRY(check_output(o, p, i, d));
    return SGS_OK;
}

/* ---- building -------------------------------------------------------------------------------------------------------------------------- */

static sgs_status fail_absent(sgs_model *o, const sgs_source_node *n, const char *name, sgs_diag *d)
{
    if (!find_info(o->in, o->nin, name))
        return sgs_src_fail(&o->im, n, d, "input '%s' does not exist", name);
    sgs_fail(d, SGS_E_CONFIG, "the model's input '%s' is needed, but the configuration does not list it", name);
    at_names(o, false, d);
    sgs_hint(d, "add '%s' to inputs= in input_config.ini", name);
    return SGS_E_CONFIG;
}

static sgs_status build_node(sgs_model *o, const sgs_source_node *n, sgs_diag *d)
{
    const char *absent = sgs_src_absent(&o->im, n);
    return absent ? fail_absent(o, n, absent, d) : sgs_src_build(&o->im, n, d);
}

/* For each tensor the last node that asks for it; of an output, none. */
static void find_last_users(const sgs_model_order *order, const plan *p, sgs_map *last)
{
    for (int i = 0; i < order->n; i++)
        for (int k = 0; k < order->node[i]->nin; k++)
            sgs_map_set(last, order->node[i]->in[k], (void *)(uintptr_t)order->node[i]);
    for (int i = 0; i < p->noutput; i++)
        sgs_map_set(last, p->output[i], NULL);
}

static bool is_named(const sgs_model *o, const sgs_constant *c)
{
    for (size_t i = 0; i < o->im.scope.values.cap; i++) {
        const sgs_value *v = o->im.scope.values.slot[i].value;
        if (v && v->constant == c)
            return true;
    }
    return false;
}

#define LARGE ((int64_t)1 << 16) /* bytes of a constant that are worth a search for others who hold them */

/* Constants that no later node asks for: weights, which lie in the graph in another order now. */
static void let_go(sgs_model *o, const sgs_source_node *n, const sgs_map *last)
{
    for (int k = 0; k < n->nin && !o->im.scope.lists.n; k++) { /* sequences hold tensors without a name */
        sgs_value *v = sgs_map_get(&o->im.scope.values, n->in[k]);
        if (!v || !v->constant || sgs_value_bytes(v) < LARGE || sgs_map_get(last, n->in[k]) != n)
            continue;
        sgs_map_set(&o->im.scope.values, n->in[k], NULL);
        if (!is_named(o, v->constant))
            sgs_const_drop(o->im.g, v);
    }
}

static sgs_status build_nodes(sgs_model *o, const sgs_model_order *order, const plan *p, sgs_diag *d)
{
    sgs_map last = { .a = o->a };
    find_last_users(order, p, &last);
    for (int i = 0; i < order->n; i++) {
        SGS_TRY(build_node(o, order->node[i], d));
        let_go(o, order->node[i], &last);
    }
    return SGS_OK;
}

static bool is_output(const sgs_graph *g, const sgs_value *v)
{
    for (int i = 0; i < g->nout; i++)
        if (g->out[i] == v)
            return true;
    return false;
}

/* A node of its own behind an output that is an input, a constant, or already an output under another name. */
static sgs_status own_value(sgs_model *o, const sgs_source_node *here, sgs_value **v, sgs_diag *d)
{
    sgs_graph *g = o->im.g;
    if ((*v)->def && !is_output(g, *v))
        return SGS_OK;
    sgs_shape_attr same = { .n = (*v)->rank };
    memcpy(same.dim, (*v)->dim, sizeof same.dim);
    sgs_value_drop_name(*v, here->out[0]);
    if (!(*v)->constant)
        return sgs_emit(&o->im, here, &sgs_op_reshape, 1, v, &same, v, d);
    sgs_node *n = sgs_node_new(g, NULL, &sgs_op_reshape, 1, v, &same); /* which sgs_emit would fold */
    SGS_TRY(sgs_infer(g, n, d));
    *v = n->out[0];
    return SGS_OK;
}

static sgs_status fail_sequence(sgs_model *o, const char *name, sgs_diag *d)
{
    sgs_fail(d, SGS_E_UNSUPPORTED, "output '%s' is a sequence of tensors: expected a tensor", name);
    at_names(o, true, d);
    sgs_hint(d, "end the model at the tensors that go into it, or join them: ConcatFromSequence");
    return SGS_E_UNSUPPORTED;
}

static sgs_status make_outputs(sgs_model *o, const plan *p, sgs_diag *d)
{
    sgs_graph *g = o->im.g;
    sgs_users_forget(g); /* they know of no outputs */
    g->out = SGS_NEW_N(o->a, sgs_value *, p->noutput);
    for (int i = 0; i < p->noutput; i++) {
        sgs_value *v = sgs_map_get(&o->im.scope.values, p->output[i]), *named = v;
        if (!v)
            return fail_sequence(o, p->output[i], d);
        sgs_source_node here = { .op = "output", .domain = "", .name = "", .nout = 1, .out = &p->output[i] };
        const bool nchw = o->opt->noutput && o->opt->output_nchw && o->opt->output_nchw[i];
        const bool own_nchw = !o->frontend->channels_last && !(o->channels_last && find_info(o->out, o->nout, p->output[i]));
        if (v->rank == 4 && nchw != own_nchw)
            SGS_TRY((nchw ? sgs_emit_nchw : sgs_emit_nhwc)(&o->im, &here, v, &v, d));
        SGS_TRY(own_value(o, &here, &v, d));
        if (v != named && named->def && !v->nname && !is_output(g, named)) {
            sgs_value_take_names(g, v, named);
        } else {
            sgs_value_name(g, v, p->output[i]);
        }
        g->out[g->nout++] = v;
    }
    return SGS_OK;
}

/* Finite numbers' exponents are not all ones. */
static bool all_finite(const uint8_t *x, int64_t n)
{
    bool other = false;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i * (int64_t)sizeof bits, sizeof bits);
        other |= (bits & 0x7f800000) == 0x7f800000;
    }
    return !other;
}

/* Not-a-number anywhere, or infinity in weights, would spread through everything behind it. */
static sgs_status check_constant(sgs_model *o, const sgs_node *n, const sgs_value *v, sgs_diag *d)
{
    bool weights = n->op->qrule == SGS_Q_CONV || n->op == &sgs_op_batchnorm || n->op == &sgs_op_matmul;
    int64_t count = v->type == SGS_F32 ? sgs_value_count(v) : 0;
    if (all_finite(sgs_constant_source(v->constant), count))
        return SGS_OK;
    for (int64_t i = 0; i < count; i++) {
        float x = sgs_const_f32(v)[i];
        if (isfinite(x) || (isinf(x) && !weights))
            continue;
        sgs_fail(d, SGS_E_MODEL, "constant '%s' holds %s at element %lld", sgs_value_label(o->im.g, v), isnan(x) ? "NaN" : "infinity", (long long)i);
        return sgs_fail_at(d, o->file, 0, sgs_node_label(o->im.g, n));
    }
    return SGS_OK;
}

static sgs_status check_constants(sgs_model *o, sgs_diag *d)
{
    for (const sgs_node *n = o->im.g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && n->in[i]->constant)
                SGS_TRY(check_constant(o, n, n->in[i], d));
    return SGS_OK;
}

static sgs_status register_inits(sgs_model *o, sgs_map *stop, sgs_diag *d)
{
    for (int i = 0; i < o->ninit; i++) {
        const char *name = o->init[i].name;
        if (sgs_map_get(&o->im.scope.values, name)) {
            sgs_fail(d, SGS_E_MODEL, "two initializers are named '%s'", name);
            return sgs_fail_at(d, o->file, 0, NULL);
        }
        sgs_value_name(o->im.g, o->init[i].value, name);
        sgs_map_set(&o->im.scope.values, name, o->init[i].value);
        sgs_map_set(stop, name, o->init[i].value);
    }
    return SGS_OK;
}

/* ---- a survey -------------------------------------------------------------------------------------------------------------------------- */

static void note_refusal(sgs_survey *s, bool *refused, int i, int node, const char *why)
{
    s->node[i].why = why;
    s->nrefused++;
    refused[node] = true;
}

/* A fault within a node, in a graph or a function, has a place of its own. */
static const char *reason(sgs_model *o, const char *label, const sgs_diag *why)
{
    const bool within = why->layer[0] && strcmp(why->layer, label);
    return sgs_format(o->a, "%s%s%s%s", within ? "'" : "", within ? why->layer : "", within ? "': " : "", why->text);
}

/* Every node that can be built is built; of what lies behind a refused one nothing is known. */
static sgs_status survey_nodes(sgs_model *o, const sgs_model_order *order, sgs_survey *s, sgs_diag *d)
{
    bool *refused = sgs_alloc_n(o->a, (size_t)o->nnode + 1, sizeof *refused);
    sgs_map lost = { .a = o->a };
    s->nnode = order->n;
    s->node = sgs_alloc_n(o->a, (size_t)order->n + 1, sizeof *s->node);
    for (int i = 0; i < order->n; i++) {
        const sgs_source_node *n = order->node[i];
        const char *absent = sgs_src_absent(&o->im, n);
        bool behind = s->unshaped != NULL;
        sgs_diag why = { 0 };
        s->node[i] = (sgs_survey_node){ .op = n->op, .domain = n->domain, .label = sgs_src_label(n), .place = (int)(n - o->node) };
        for (int k = 0; k < n->nin; k++)
            behind = behind || sgs_map_get(&lost, n->in[k]);
        if (absent && !behind)
            return fail_absent(o, n, absent, d);
        const char *unwanted = o->opt->without ? sgs_map_get(o->opt->without, s->node[i].label) : NULL;
        if (!sgs_src_importer_of(&o->im, n) || unwanted)
            note_refusal(s, refused, i, (int)(n - o->node), unwanted ? unwanted : "no such operator");
        else if (!behind && build_node(o, n, &why) != SGS_OK)
            note_refusal(s, refused, i, (int)(n - o->node), reason(o, s->node[i].label, &why));
        else if (!behind)
            continue;
        for (int k = 0; k < n->nout; k++)
            sgs_map_set(&lost, n->out[k], o);
    }
    o->refused = refused;
    return SGS_OK;
}

static void survey_cut(sgs_model *o, const sgs_model_order *order, const plan *p, sgs_survey *s)
{
    const char **names = sgs_alloc_n(o->a, (size_t)p->ninput + 1, sizeof *names);
    sgs_model_names in, out;
    for (int i = 0; i < p->ninput; i++)
        names[i] = p->input[i]->name;
    s->cut_nodes = sgs_model_cut(o, order, &(sgs_model_ends){ names, p->ninput, p->output, p->noutput }, &in, &out);
    s->cut_in = in.name, s->ncut_in = in.n;
    s->cut_out = out.name, s->ncut_out = out.n;
}

/* The file says nothing of a shape that the user does. */
static void show_given(sgs_model *o, plan *p)
{
    for (int i = 0; i < p->ninput; i++) {
        sgs_source_tensor *info = SGS_NEW(o->a, sgs_source_tensor);
        if (!p->given[i] || p->input[i]->rank >= 0)
            continue;
        *info = *p->input[i];
        info->rank = p->given[i]->rank;
        memcpy(info->dim, p->given[i]->dim, sizeof info->dim);
        p->input[i] = info;
    }
}

static sgs_status survey(sgs_model *o, const sgs_model_order *order, plan *p, sgs_map *stop, sgs_survey *s, sgs_diag *d)
{
    sgs_diag why = { 0 };
    *s = (sgs_survey){ .framework = o->frontend->name, .producer = o->producer, .file_nodes = o->nnode, .opset = o->opset, .in = p->input, .nin = p->ninput, .out = p->output, .nout = p->noutput };
    const sgs_status inputs = make_inputs(o, p, stop, &why);
    if (inputs == SGS_E_MODEL) {
        s->unshaped = sgs_format(o->a, "%s", why.text);
    } else if (inputs != SGS_OK) {
        *d = why;
        return inputs;
    }
    show_given(o, p);
    s->channels_last = o->channels_last;
    SGS_TRY(survey_nodes(o, order, s, d));
    s->weightless = o->im.made_up;
    if (s->nrefused)
        survey_cut(o, order, p, s);
    if (s->nrefused || s->unshaped)
        return SGS_OK;
    SGS_TRY(make_outputs(o, p, d));
    return check_constants(o, d);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------------------- */

static sgs_status have_weights(const sgs_model *o, sgs_diag *d)
{
    if (!o->im.made_up || o->opt->shapes_alone)
        return SGS_OK;
    sgs_fail(d, SGS_E_USAGE, "the network has weights, and the file that holds them is not given");
    sgs_hint(d, "--weight_file NAME.caffemodel");
    return sgs_fail_at(d, o->file, 0, NULL);
}

static sgs_status import(sgs_model *o, sgs_span model, sgs_survey *look, sgs_diag *d)
{
    sgs_map stop = { .a = o->a };
    sgs_model_order order;
    plan p = { 0 };
    SGS_TRY(o->frontend->read(o, model, d));
    SGS_TRY(register_inits(o, &stop, d));
    SGS_TRY(plan_inputs(o, &p, d));
    SGS_TRY(plan_outputs(o, &p, d));
    for (int i = 0; i < p.ninput; i++)
        sgs_map_set(&stop, input_name(o, &p, i), o);
    SGS_TRY(sgs_model_sort(o, &stop, p.output, p.noutput, &order, d));
    sgs_users_keep(o->im.g); /* each folded constant asks for its own */
    if (look)
        return survey(o, &order, &p, &stop, look, d);
    const char **names = sgs_alloc_n(o->a, (size_t)p.ninput + 1, sizeof *names);
    for (int i = 0; i < p.ninput; i++)
        names[i] = input_name(o, &p, i);
    SGS_TRY(sgs_model_supported(o, &order, &(sgs_model_ends){ names, p.ninput, p.output, p.noutput }, d));
    SGS_TRY(make_inputs(o, &p, &stop, d));
    SGS_TRY(build_nodes(o, &order, &p, d));
    SGS_TRY(have_weights(o, d));
    SGS_TRY(make_outputs(o, &p, d));
    return check_constants(o, d);
}

/* The model is `given`, or (NULL) the file itself. */
static sgs_status import_file(sgs_graph **out, const char *path, const sgs_span *given, const sgs_import_options *opt, sgs_survey *look,
                              sgs_diag *d)
{
    static const sgs_import_options none;
    *out = NULL;
    sgs_span model = given ? *given : (sgs_span){ 0 };
    sgs_graph *g = sgs_graph_new(path);
    sgs_model *o = SGS_NEW(g->arena, sgs_model);
    const sgs_frontend *f = opt && opt->frontend ? opt->frontend : &sgs_frontend_onnx;
    *o = (sgs_model){ .frontend = f, .channels_last = f->channels_last, .im = { .g = g, .framework = f->name, .model = o, .build = f->build, .importers = f->importers, .scope = sgs_src_scope_new(g->arena, NULL), .narrow = { .a = g->arena }, .functions = { .a = g->arena } }, .a = g->arena, .file = g->file, .opt = opt ? opt : &none,
                     .files = { .a = g->arena } };
    sgs_status s = given ? SGS_OK : sgs_graph_map(g, path, &model, d);
    if (s == SGS_OK) {
        o->fair = ((size_t)1 << 29) + SGS_MODEL_GROWTH * model.n;
        sgs_arena_limit(g->arena, o->opt->memory_limit ? (size_t)o->opt->memory_limit : o->fair);
        s = import(o, model, look, d);
        sgs_arena_limit(g->arena, 0);
    }
    if (s != SGS_OK) {
        sgs_fail_at(d, path, 0, NULL);
        sgs_graph_free(g);
        return s;
    }
    *out = g;
    return SGS_OK;
}

sgs_status sgs_model_import(sgs_graph **g, const char *path, const sgs_import_options *o, sgs_diag *d)
{
    return import_file(g, path, NULL, o, NULL, d);
}

sgs_status sgs_model_import_span(sgs_graph **g, const char *path, sgs_span model, const sgs_import_options *o, sgs_diag *d)
{
    return import_file(g, path, &model, o, NULL, d);
}

sgs_status sgs_model_look(sgs_graph **g, sgs_survey *s, const char *path, const sgs_import_options *o, sgs_diag *d)
{
    return import_file(g, path, NULL, o, s, d);
}

sgs_status sgs_model_look_span(sgs_graph **g, sgs_survey *s, const char *path, sgs_span model, const sgs_import_options *o, sgs_diag *d)
{
    return import_file(g, path, &model, o, s, d);
}
