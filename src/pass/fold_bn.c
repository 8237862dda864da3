/* fold-bn: a batch normalization with constant parameters is one multiplication and one addition a channel.  It goes
 * into the convolution before it, or becomes a 1x1 depthwise convolution: none is left. */
#include <math.h>
#include <string.h>

#include "pass/rewrite.h"

typedef struct affine {
    double *scale, *shift;
} affine;

/* y = (x - mean) / sqrt(var + eps) * gamma + beta */
static bool affine_of(sgs_rewriter *r, const sgs_node *n, affine *a)
{
    for (int i = 1; i < 5; i++)
        if (!sgs_is_const_f32(n->in[i]))
            return false;
    const float *gamma = sgs_const_data(n->in[1]), *beta = sgs_const_data(n->in[2]), *mean = sgs_const_data(n->in[3]), *var = sgs_const_data(n->in[4]);
    int64_t channels = sgs_value_count(n->in[1]);
    a->scale = SGS_NEW_N(r->g->arena, double, channels);
    a->shift = SGS_NEW_N(r->g->arena, double, channels);
    for (int64_t i = 0; i < channels; i++) {
        a->scale[i] = (double)gamma[i] / sqrt((double)var[i] + (double)((const sgs_bn_attr *)n->attr)->epsilon);
        a->shift[i] = (double)beta[i] - (double)mean[i] * a->scale[i];
        if (!isfinite(a->scale[i]) || !isfinite(a->shift[i]))
            return false;
    }
    return true;
}

static bool into_conv(sgs_rewriter *r, sgs_node *n)
{
    affine a;
    if (n->op != &sgs_op_batchnorm)
        return false;
    sgs_node *conv = sgs_open_conv(r, n->in[0], n);
    if (!conv || !affine_of(r, n, &a))
        return false;
    return sgs_scale_conv(r, conv, a.scale, a.shift, n->out[0], n->in[2]);
}

static sgs_value *const_of(sgs_rewriter *r, int rank, const int64_t *dim, const double *from)
{
    sgs_value *v = sgs_const_new(r->g, SGS_F32, rank, dim, NULL, true);
    for (int64_t i = 0; i < sgs_value_count(v); i++)
        ((float *)(uintptr_t)sgs_const_data(v))[i] = (float)from[i];
    return v;
}

/* [.., C] seen as a picture: the middle dimensions are its height. */
static void as_picture(const sgs_value *x, int64_t dim[4])
{
    int64_t last = x->dim[x->rank - 1];
    if (x->rank == 4) {
        memcpy(dim, x->dim, 4 * sizeof *dim);
        return;
    }
    dim[0] = x->rank > 1 ? x->dim[0] : 1;
    dim[1] = dim[2] = 1;
    for (int i = 1; i < x->rank - 1; i++)
        dim[1] *= x->dim[i];
    dim[3] = last;
}

static bool into_depthwise(sgs_rewriter *r, sgs_node *n)
{
    affine a;
    if (n->op != &sgs_op_batchnorm || sgs_open_conv(r, n->in[0], n) || !affine_of(r, n, &a))
        return false;
    sgs_value *y = n->out[0], *x = n->in[0];
    int64_t picture[4], wdim[4] = { 1, 1, 1, sgs_value_count(n->in[1]) };
    bool reshaped = x->rank != 4;
    as_picture(x, picture);
    if (reshaped)
        x = sgs_put_reshape(r, n, x, 4, picture, NULL);
    sgs_conv_attr attr = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };
    sgs_value *in[] = { x, const_of(r, 4, wdim, a.scale), const_of(r, 1, &wdim[3], a.shift) };
    sgs_value *z = x ? sgs_put(r, n, &sgs_op_depthwise, 3, in, &attr, reshaped ? NULL : y) : NULL;
    if (z)
        z->def->name = n->name;
    if (z && reshaped)
        sgs_put_reshape(r, n, z, y->rank, y->dim, y);
    sgs_node_remove(r->g, n);
    return true;
}

sgs_status sgs_pass_fold_bn(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { into_conv, into_depthwise, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
