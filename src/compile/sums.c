/* Bias, multipliers and shift of weighted integer sums, with the proof that every sum fits (ARITHMETIC.md 4 and 5). */
#include <string.h>

#include "compile/lower.h"

static int64_t weight(const sgs_value *w, int64_t i)
{
    return w->type == SGS_S16 ? ((const int16_t *)sgs_const_data(w))[i] : ((const int8_t *)sgs_const_data(w))[i];
}

static int64_t bias_of(const sgs_sums *s, int64_t o)
{
    if (!s->bias)
        return 0;
    return s->bias->type == SGS_S64 ? ((const int64_t *)sgs_const_data(s->bias))[o] : ((const int32_t *)sgs_const_data(s->bias))[o];
}

/* What one output adds up: sizes of its weights, alone and with zero points. */
typedef struct totals {
    int64_t abs;   /* sum |w| */
    int64_t reach; /* sum |w| * max(z, 255 - z) */
    int64_t zero;  /* sum w * z */
} totals;

static totals add_up(const sgs_sums *s, int64_t o)
{
    totals t = { 0 };
    for (int64_t k = 0; k < s->taps; k++)
        for (int64_t c = 0; c < s->ci; c++) {
            int64_t w = weight(s->w, o * s->step_o + k * s->step_tap + c * s->step_c), size = w < 0 ? -w : w;
            int64_t z = sgs_zero(s->x, o / s->group * s->ci + c);
            t.abs += size;
            t.reach += size * (z > 255 - z ? z : 255 - z);
            t.zero += w * z;
        }
    return t;
}

/* The scale that x's integers count in: the largest where there are several (the weights hold the rest). */
static double input_scale(const sgs_value *x)
{
    double s = sgs_scale(x, 0);
    for (int i = 1; x->quant && i < x->quant->n; i++)
        s = (double)x->quant->scale[i] > s ? (double)x->quant->scale[i] : s;
    return s;
}

static sgs_status check_types(sgs_lowering *l, const sgs_node *n, const sgs_sums *s, sgs_diag *d)
{
    const bool four = s->x->type == SGS_U8 && s->w->type == SGS_S4;
    sgs_type w = four ? SGS_S4 : s->x->type == SGS_U8 ? SGS_S8 : SGS_S16, b = s->x->type == SGS_U8 ? SGS_S32 : SGS_S64;
    if (!sgs_is_activation(s->x) || !sgs_is_activation(s->y))
        return sgs_lower_fail(l, n, d, "expected uint8 or int16 in and out, found %s and %s", sgs_type_word(s->x->type),
                              sgs_type_word(s->y->type));
    if (!s->w->constant || s->w->type != w || !s->w->quant)
        return sgs_lower_fail(l, n, d, "expected quantized constant weights of type %s for %s input", sgs_type_word(w),
                              sgs_type_word(s->x->type));
    if (s->bias && (!s->bias->constant || s->bias->type != b))
        return sgs_lower_fail(l, n, d, "expected a constant bias of type %s", sgs_type_word(b));
    if (s->x->quant && s->x->quant->n > 1 && s->x->quant->n != s->co / s->group * s->ci)
        return sgs_lower_fail(l, n, d, "the input's scales do not run along its channels");
    if ((s->w->quant->n > 1 && s->w->quant->n != s->co) ||
        (s->y->quant && s->y->quant->n > 1 && s->y->quant->n != s->co))
        return sgs_lower_fail(l, n, d, "scales of weights or output do not run along the %lld output channels",
                              (long long)s->co);
    int64_t act = ((const sgs_conv_attr *)n->attr)->act;
    if (!sgs_one_scale(s->y) && act != SGS_ACT_NONE && act != SGS_ACT_RELU)
        return sgs_lower_fail(l, n, d, "an activation with an upper bound needs one scale for all output channels");
    if (s->y->type == SGS_U8)
        for (int i = 1; s->y->quant && i < s->y->quant->n; i++)
            if (s->y->quant->zero[i] != s->y->quant->zero[0])
                return sgs_lower_fail(l, n, d, "output channels have different zero points");
    return SGS_OK;
}

static int64_t size_of(int64_t v)
{
    return v < 0 ? -v : v;
}

static sgs_status make_s32(sgs_lowering *l, const sgs_node *n, sgs_sums *s, sgs_diag *d)
{
    int32_t *bias = s->folded = SGS_NEW_N(sgs_lower_arena(l), int32_t, s->co);
    for (int64_t o = 0; o < s->co; o++) {
        totals t = add_up(s, o);
        int64_t folded = bias_of(s, o) - t.zero;
        if (size_of(bias_of(s, o)) + t.reach > INT32_MAX || size_of(folded) + 255 * t.abs > INT32_MAX)
            return sgs_lower_fail(l, n, d, "the sum of output channel %lld may leave 32 bits", (long long)o);
        bias[o] = (int32_t)folded;
    }
    return SGS_OK;
}

static sgs_status make_s64(sgs_lowering *l, const sgs_node *n, sgs_sums *s, sgs_diag *d)
{
    int64_t *bias = s->folded = SGS_NEW_N(sgs_lower_arena(l), int64_t, s->co), most = 0;
    for (int64_t o = 0; o < s->co; o++) {
        bias[o] = bias_of(s, o);
        if (size_of(bias[o]) >= (int64_t)1 << 62)
            return sgs_lower_fail(l, n, d, "the bias of output channel %lld leaves 62 bits", (long long)o);
        int64_t bound = size_of(bias[o]) + 32768 * add_up(s, o).abs;
        most = bound > most ? bound : most;
    }
    while ((most >> s->shift) + 1 > INT32_MAX)
        s->shift++;
    return SGS_OK;
}

sgs_status sgs_sums_make(sgs_lowering *l, const sgs_node *n, sgs_sums *s, sgs_diag *d)
{
    SGS_TRY(check_types(l, n, s, d));
    s->shift = 0;
    SGS_TRY(s->x->type == SGS_U8 ? make_s32(l, n, s, d) : make_s64(l, n, s, d));
    s->mult = SGS_NEW_N(sgs_lower_arena(l), float, s->co);
    double unit = (double)((int64_t)1 << s->shift);
    for (int64_t o = 0; o < s->co; o++)
        s->mult[o] = (float)(input_scale(s->x) * sgs_scale(s->w, o) / sgs_scale(s->y, o) * unit);
    return SGS_OK;
}

ipu_ref sgs_sums_bias(sgs_lowering *l, const sgs_sums *s, int64_t first, int64_t count)
{
    ipu_type t = s->x->type == SGS_U8 ? IPU_S32 : IPU_S64;
    return sgs_pack_array(l, t, (const uint8_t *)s->folded + first * ipu_type_bytes(t), count);
}

ipu_ref sgs_sums_mult(sgs_lowering *l, const sgs_sums *s, int64_t first, int64_t count)
{
    return sgs_pack_array(l, IPU_F32, s->mult + first, count);
}

ipu_ref sgs_lower_zeros(sgs_lowering *l, const sgs_value *x, int64_t first, int64_t count)
{
    bool u8 = x->type == SGS_U8;
    uint8_t *zero = sgs_alloc_n(sgs_lower_arena(l), (size_t)count, u8 ? 1 : 2); /* S16: 0 */
    for (int64_t c = 0; u8 && c < count; c++)
        zero[c] = (uint8_t)sgs_zero(x, first + c);
    return sgs_lower_const(l, u8 ? IPU_U8 : IPU_S16, zero, count);
}

/* Axis `from` of a window moves to place `to`; those between make room. */
static ipu_ref moved(ipu_ref r, int from, int to)
{
    int32_t dim[4] = { r.n, r.h, r.w, r.c }, stride[4] = { r.img, r.row, r.pix, r.step };
    const int32_t d = dim[from], s = stride[from];
    for (int i = from; i != to; i += to > from ? 1 : -1) {
        dim[i] = dim[i + (to > from ? 1 : -1)];
        stride[i] = stride[i + (to > from ? 1 : -1)];
    }
    dim[to] = d;
    stride[to] = s;
    r.n = dim[0], r.h = dim[1], r.w = dim[2], r.c = dim[3];
    r.img = stride[0], r.row = stride[1], r.pix = stride[2], r.step = stride[3];
    r.step = r.c == 1 ? ipu_type_bytes(r.type) : r.step;
    return r;
}

ipu_ref sgs_ref_turned(ipu_ref r, int axis)
{
    return moved(r, axis, 3);
}

ipu_ref sgs_ref_turned_back(ipu_ref r, int axis)
{
    return moved(r, 3, axis);
}

ipu_ref sgs_ref_channels(ipu_ref r, int64_t first, int64_t count)
{
    r.off += (uint32_t)(first * r.step);
    r.c = (int32_t)count;
    return r;
}
