/* nv12: N,H,W,3 from a picture as a board gives it: planes of brightness and of colours, each colour for two by two pixels.
 * The quantizer's own: it stands behind inputs of YUV_NV12 in fixed-point models. */
#include "compile/lower.h"
#include "ops/util.h"

static const sgs_attr nv12_attrs[] = { SGS_ATTR_V(sgs_nv12_attr, size, 2), SGS_ATTR_END };

/* ---- shapes ---- */

/* Rows of brightness come first, as many as two thirds; there may be more of them, and longer ones, than the picture has. */
static sgs_status nv12_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_nv12_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    SGS_TRY(sgs_need_rank(x, 4, "input", d));
    if (x->type != SGS_U8 || x->dim[3] != 1 || x->dim[1] % 3 || x->dim[2] % 2 || x->dim[1] / 3 * 2 < a->size[0] || x->dim[2] < a->size[1] || a->size[0] < 1 || a->size[1] < 1)
        return sgs_fail(d, SGS_E_MODEL, "expected bytes of [n,height * 3 / 2,width,1] for a picture of %lld x %lld, found %s of [%lld,%lld,%lld,%lld]", (long long)a->size[0],
                        (long long)a->size[1], sgs_type_word(x->type), (long long)x->dim[0], (long long)x->dim[1], (long long)x->dim[2], (long long)x->dim[3]);
    sgs_shape_like(out, x);
    out->dim[1] = a->size[0];
    out->dim[2] = a->size[1];
    out->dim[3] = 3;
    return SGS_OK;
}

/* ---- lowering: ARITHMETIC.md 24 ---- */

static sgs_status nv12_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    int64_t stride[SGS_MAX_RANK];
    sgs_lower_strides(l, x, stride);
    const int64_t luma[4] = { y->dim[0], y->dim[1], y->dim[2], 1 }, chroma[4] = { y->dim[0], (y->dim[1] + 1) / 2, (y->dim[2] + 1) / 2, 2 };
    const int64_t by_luma[4] = { stride[0], stride[1], stride[2], stride[2] }, by_chroma[4] = { stride[0], stride[1], 2 * stride[2], stride[2] };
    const ipu_nv12 r = { .head = SGS_REC(IPU_NV12, nv12),
                         .y = sgs_lower_ref(l, y),
                         .luma = sgs_lower_window(l, x, 0, luma, by_luma),
                         .chroma = sgs_lower_window(l, x, x->dim[1] / 3 * 2 * stride[1], chroma, by_chroma) };
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- row ---- */

const sgs_op sgs_op_nv12 = {
    .name = "nv12", .family = "nv12", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(sgs_nv12_attr), .attr = nv12_attrs,
    .infer = nv12_infer, .lower = nv12_lower,
};

static const sgs_op *const ops[] = { &sgs_op_nv12, NULL };
const sgs_family sgs_family_nv12 = { "nv12", ops, NULL, NULL, NULL, NULL };
