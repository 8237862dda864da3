#include "ops/tensorflow.h"

#include <string.h>

int sgs_tf_type(int64_t dtype)
{
    static const int8_t types[] = { -1,      SGS_F32, SGS_F32,  SGS_S32, SGS_U8, SGS_S32, SGS_S8,  -1,
                                    -1,      SGS_S64, SGS_BOOL, SGS_S8,  SGS_U8, SGS_S32, SGS_F32, SGS_S32,
                                    SGS_S32, SGS_S32, -1,       SGS_F32, -1,     -1,      SGS_S64, SGS_S64 };
    return dtype >= 0 && dtype < (int64_t)sizeof types ? types[dtype] : -1;
}

sgs_type sgs_tf_type_of(sgs_spell *p, const char *attr, int64_t dtype)
{
    const int64_t given = sgs_sp_int(p, attr, dtype);
    if (sgs_tf_type(given) >= 0)
        return (sgs_type)sgs_tf_type(given);
    sgs_sp_refuse(p, "%s: TensorFlow's type %lld is not supported", attr, (long long)given);
    return SGS_F32;
}

/* ---- pictures ---- */

bool sgs_tf_first(sgs_spell *p)
{
    static const char *const words[] = { "NHWC", "NCHW", NULL };
    int64_t first = 0;
    if (p->status == SGS_OK)
        p->status = sgs_src_choice(p->im, p->s, "data_format", words, &first, p->d);
    return first != 0;
}

sgs_value *sgs_tf_last(sgs_spell *p, sgs_value *x, bool first)
{
    if (p->status == SGS_OK && x->rank != 4)
        sgs_sp_fail(p, "expected a picture of 4 dimensions, found %d", x->rank);
    return p->status == SGS_OK && first ? sgs_sp_transpose(p, x, (const int64_t[]){ 0, 2, 3, 1 }) : x;
}

sgs_value *sgs_tf_back(sgs_spell *p, sgs_value *y, bool first)
{
    return p->status == SGS_OK && first ? sgs_sp_transpose(p, y, (const int64_t[]){ 0, 3, 1, 2 }) : y;
}

void sgs_tf_pair(sgs_spell *p, const char *attr, bool required, bool first, int64_t v[2])
{
    int64_t list[4] = { 1, 1, 1, 1 };
    int n = 0;
    if (p->status == SGS_OK && required && !sgs_src_find(p->s, attr))
        sgs_sp_fail(p, "%s is missing", attr);
    if (p->status == SGS_OK)
        p->status = sgs_src_ints(p->s, attr, list, 4, 4, &n, p->d);
    if (p->status == SGS_OK && (list[0] != 1 || list[first ? 1 : 3] != 1))
        sgs_sp_refuse(p, "%s: expected 1 for the batch and for the channels, found %lld and %lld", attr,
                      (long long)list[0], (long long)list[first ? 1 : 3]);
    v[0] = list[first ? 2 : 1];
    v[1] = list[first ? 3 : 2];
}

static void explicit_pads(sgs_spell *p, bool first, sgs_window2d *w)
{
    int64_t v[8] = { 0 };
    int n = 0;
    const int at = first ? 4 : 2;
    if (p->status == SGS_OK)
        p->status = sgs_src_ints(p->s, "explicit_paddings", v, 8, 8, &n, p->d);
    for (int i = 0; i < 2; i++) {
        w->pad[i] = v[at + 2 * i];
        w->pad[2 + i] = v[at + 2 * i + 1];
    }
}

void sgs_tf_window(sgs_spell *p, const int64_t size[2], bool first, sgs_window2d *w)
{
    enum { SAME, VALID, EXPLICIT };
    static const char *const words[] = { "SAME", "VALID", "EXPLICIT", NULL };
    int64_t how = -1, ignored;
    sgs_tf_pair(p, "strides", true, first, w->stride);
    sgs_tf_pair(p, "dilations", false, first, w->dilation);
    if (p->status == SGS_OK)
        p->status = sgs_src_choice(p->im, p->s, "padding", words, &how, p->d);
    if (p->status == SGS_OK && how < 0)
        sgs_sp_fail(p, "padding is missing");
    for (int i = 0; i < 2 && p->status == SGS_OK; i++) /* ranges first: what follows divides and multiplies */
        p->status = sgs_window((int64_t)1 << 62, w->kernel[i], w->stride[i], w->dilation[i], 0, &ignored,
                               i ? "width" : "height", p->d);
    if (how == EXPLICIT)
        explicit_pads(p, first, w);
    for (int i = 0; i < 2 && p->status == SGS_OK && how == SAME; i++) {
        const int64_t out = (size[i] + w->stride[i] - 1) / w->stride[i];
        int64_t need = (out - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1 - size[i];
        need = need > 0 ? need : 0;
        w->pad[i] = need / 2;
        w->pad[2 + i] = need - need / 2;
    }
}

/* ---- constants ---- */

int sgs_tf_ints(sgs_spell *p, int slot, int64_t *v, int most)
{
    int n = 0;
    sgs_value *x = sgs_sp_in(p, slot);
    if (x && x->rank > 1 && x->constant)
        x = sgs_sp_reshape(p, x, 1, (const int64_t[]){ sgs_value_count(x) });
    if (x && p->status == SGS_OK)
        p->status = sgs_src_const_ints(p->s, x, v, most, &n, p->d);
    return n;
}

int64_t sgs_tf_int(sgs_spell *p, int slot)
{
    int64_t v = 0;
    const int n = sgs_tf_ints(p, slot, &v, 1);
    if (p->status == SGS_OK && n != 1)
        sgs_sp_fail(p, "input %d: expected one integer, found %d", slot, n);
    return v;
}

int sgs_tf_axis(sgs_spell *p, int slot, int rank)
{
    int64_t axis = sgs_tf_int(p, slot);
    if (p->status == SGS_OK)
        p->status = sgs_src_axis(p->im, p->s, &axis, rank, p->d);
    return p->status == SGS_OK ? (int)axis : 0;
}

void sgs_tf_pairs(sgs_spell *p, int slot, int rank, int64_t *before, int64_t *after)
{
    int64_t v[2 * SGS_MAX_RANK] = { 0 };
    char shape[128];
    const sgs_value *x = sgs_sp_in(p, slot);
    if (x && (x->rank != 2 || x->dim[0] != rank || x->dim[1] != 2))
        sgs_sp_fail(p, "input %d: expected %d pairs of integers, found shape %s", slot, rank,
                    sgs_dims_text(shape, sizeof shape, x->rank, x->dim));
    sgs_tf_ints(p, slot, v, 2 * SGS_MAX_RANK);
    for (int i = 0; i < rank; i++) {
        before[i] = v[2 * i];
        after[i] = v[2 * i + 1];
    }
}

sgs_value *sgs_tf_const(sgs_spell *p, sgs_type t, int rank, const int64_t *v, int64_t n)
{
    void *data;
    sgs_value *c = sgs_sp_const(p, t, rank, &n, &data);
    for (int64_t i = 0; c && i < n; i++)
        if (t == SGS_S64)
            ((int64_t *)data)[i] = v[i];
        else
            ((int32_t *)data)[i] = (int32_t)v[i];
    return c;
}
