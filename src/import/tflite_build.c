/* A node of a foreign TFLite model by its operator's importer, and what that leaves: activations, ranges, steps. */
#include <string.h>

#include "import/tflite_model.h"
#include "ops/util.h"

/* ---- activations ---- */

/* Operators whose importers take the activation themselves, up to which of the schema's numbers. */
static const struct taking {
    const char *op;
    int most;
} taking[] = {
    { "CONV_2D", SGS_TFL_ACT_RELU6 },
    { "DEPTHWISE_CONV_2D", SGS_TFL_ACT_RELU6 },
    { "FULLY_CONNECTED", SGS_TFL_ACT_RELU6 },
    { "TRANSPOSE_CONV", SGS_TFL_ACT_RELU6 },
    { "LSTM", INT8_MAX },
    { "UNIDIRECTIONAL_SEQUENCE_LSTM", INT8_MAX },
    { "BIDIRECTIONAL_SEQUENCE_LSTM", INT8_MAX },
    { "RNN", INT8_MAX },
    { "UNIDIRECTIONAL_SEQUENCE_RNN", INT8_MAX },
    { "SVDF", INT8_MAX },
};

/* The operator that the node's activation is, where it becomes a node of its own; NULL: there is none. */
static const char *activation_of(const sgs_source_node *n)
{
    static const char *const ops[] = { NULL, "RELU", "RELU_N1_TO_1", "RELU6", "TANH" };
    const int act = sgs_lite_fused(n);
    for (size_t i = 0; i < sizeof taking / sizeof *taking; i++)
        if (!strcmp(n->op, taking[i].op) && act <= taking[i].most)
            return NULL;
    return act > 0 && act < (int)(sizeof ops / sizeof *ops) ? ops[act] : NULL;
}

/* The node without its activation. */
static const sgs_src_attr *plain_attrs(sgs_model *o, const sgs_source_node *n)
{
    sgs_src_attr *a = SGS_NEW_N(o->a, sgs_src_attr, n->nattr + 1);
    for (int i = 0; i < n->nattr; i++) {
        a[i] = n->attr[i];
        if (!strcmp(a[i].name, "fused_activation_function"))
            a[i].i = SGS_TFL_ACT_NONE;
    }
    return a;
}

static sgs_from_fn importer(const char *op)
{
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *r = (*f)->tflite; r && r->op; r++)
            if (!strcmp(r->op, op))
                return r->fn;
    return NULL;
}

/* Output k, made under another name, becomes what the model says; unnamed: within a body. */
static sgs_status finish(sgs_model *o, const sgs_source_node *n, int k, const char *made, bool unnamed, sgs_diag *d)
{
    const char *act = activation_of(n), *after = sgs_format(o->a, "\1a%d", k);
    const sgs_lite_tensor *y = sgs_lite_find(o, n->out[k]);
    const void *attr;
    sgs_value *v = sgs_map_get(&o->im.scope.values, made);
    const sgs_op *limit = sgs_lite_limit(o, n, y, &attr);
    if (!v)
        return SGS_OK;
    if (act) {
        const sgs_source_node a = { .op = act,
                                    .domain = "",
                                    .name = sgs_src_label(n),
                                    .opset = SGS_LITE_OPSET,
                                    .nin = 1,
                                    .nout = 1,
                                    .in = &made,
                                    .out = &after };
        SGS_TRY(importer(act)(&o->im, &a, d));
        v = sgs_map_get(&o->im.scope.values, after);
    }
    if (limit && v->type == SGS_F32)
        SGS_TRY(sgs_emit(&o->im, n, limit, 1, &v, attr, &v, d));
    o->im.unnamed = unnamed;
    const sgs_status s = sgs_src_out(&o->im, n, k, v, d);
    o->im.unnamed = true;
    return s;
}

static sgs_status build_in_steps(sgs_model *o, const sgs_source_node *n, sgs_from_fn fn, sgs_diag *d)
{
    sgs_source_node plain = *n;
    const char **out = SGS_NEW_N(o->a, const char *, n->nout + 1);
    for (int k = 0; k < n->nout; k++)
        out[k] = n->out[k][0] ? sgs_format(o->a, "\1o%d", k) : "";
    plain.out = out;
    plain.name = sgs_src_label(n);
    if (activation_of(n))
        plain.attr = plain_attrs(o, n);
    for (int k = 0; k < n->nout; k++)
        sgs_map_set(&o->im.scope.values, out[k], NULL);
    const bool unnamed = o->im.unnamed;
    o->im.unnamed = true;
    sgs_status s = fn(&o->im, &plain, d);
    for (int k = 0; k < n->nout && s == SGS_OK; k++)
        if (out[k][0])
            s = finish(o, n, k, out[k], unnamed, d);
    o->im.unnamed = unnamed;
    return s;
}

/* Real numbers from outside lie on the grid too; pixels do by themselves. */
static sgs_status round_input(sgs_model *o, const sgs_source_node *n, const char *name, sgs_diag *d)
{
    const sgs_lite_tensor *x = sgs_lite_find(o, name);
    sgs_value *v = x && x->quant ? sgs_map_get(&o->im.scope.values, name) : NULL;
    sgs_fake_quant_attr a;
    if (!v || v->constant || v->def || !sgs_lite_has_grid(x))
        return SGS_OK;
    for (int i = 0; i < o->opt->ninput; i++)
        if (o->opt->input_channels && o->opt->input_channels[i] && !strcmp(o->opt->input_name[i], name))
            return SGS_OK;
    sgs_lite_steps(x, &a);
    SGS_TRY(sgs_emit(&o->im, n, &sgs_op_fake_quant, 1, &v, &a, &v, d));
    sgs_map_set(&o->im.scope.values, name, v);
    return SGS_OK;
}

/* The sizes that the file gives a tensor hold as long as nobody asks for others. */
static sgs_status check_sizes(sgs_model *o, const sgs_source_node *n, sgs_diag *d)
{
    for (int k = 0; k < n->nout && !o->opt->input_shapes; k++) {
        const sgs_lite_tensor *y = sgs_lite_find(o, n->out[k]);
        const sgs_value *v = y ? sgs_map_get(&o->im.scope.values, n->out[k]) : NULL;
        char a[128], b[128];
        if (!v || y->free_shape || !y->t.rank ||
            (v->rank == y->t.rank && !memcmp(v->dim, y->t.dim, (size_t)v->rank * sizeof *v->dim)))
            continue;
        return sgs_src_fail(&o->im, n, d, "its output '%s' is declared %s, its inputs make it %s", y->name,
                            sgs_dims_text(a, sizeof a, y->t.rank, y->t.dim),
                            sgs_dims_text(b, sizeof b, v->rank, v->dim));
    }
    return SGS_OK;
}

sgs_status sgs_lite_build(sgs_model *o, const sgs_source_node *n, sgs_from_fn fn, sgs_diag *d)
{
    bool steps = activation_of(n) != NULL;
    const void *attr;
    for (int k = 0; k < n->nin && o->opt->keep_quant; k++)
        SGS_TRY(round_input(o, n, n->in[k], d));
    for (int k = 0; k < n->nout; k++)
        steps = steps || sgs_lite_limit(o, n, sgs_lite_find(o, n->out[k]), &attr);
    if (!strcmp(n->op, "QUANTIZE"))
        fn = importer("DEQUANTIZE"); /* real numbers on both sides */
    SGS_TRY(steps ? build_in_steps(o, n, fn, d) : fn(&o->im, n, d));
    return check_sizes(o, n, d);
}
