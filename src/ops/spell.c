#include "ops/spell.h"

#include <stdio.h>
#include <string.h>

/* ---- nodes ---- */

static sgs_value *emit(sgs_spell *p, const sgs_op *op, int n, sgs_value *const *in, const void *attr)
{
    sgs_value *y = in[0];
    if (p->status == SGS_OK)
        p->status = sgs_emit(p->im, p->s, op, n, in, attr, &y, p->d);
    return p->status == SGS_OK ? y : in[0];
}

sgs_value *sgs_sp_one(sgs_spell *p, const sgs_op *op, sgs_value *x, const void *attr)
{
    return emit(p, op, 1, &x, attr);
}

sgs_value *sgs_sp_two(sgs_spell *p, const sgs_op *op, sgs_value *a, sgs_value *b)
{
    sgs_value *in[] = { a, b };
    return emit(p, op, 2, in, NULL);
}

sgs_value *sgs_sp_sum(sgs_spell *p, sgs_value *a, sgs_value *b)
{
    return b ? sgs_sp_two(p, &sgs_op_add, a, b) : a;
}

sgs_value *sgs_sp_product(sgs_spell *p, sgs_value *a, sgs_value *b)
{
    return sgs_sp_two(p, &sgs_op_mul, a, b);
}

sgs_value *sgs_sp_weighted(sgs_spell *p, sgs_value *x, sgs_value *w)
{
    return sgs_sp_two(p, &sgs_op_matmul, x, sgs_sp_transpose(p, w, (const int64_t[]){ 1, 0 }));
}

sgs_value *sgs_sp_number(sgs_spell *p, float v)
{
    return sgs_const_new(p->im->g, SGS_F32, 0, NULL, &v, true);
}

sgs_value *sgs_sp_integer(sgs_spell *p, sgs_type t, int64_t v)
{
    const int32_t narrow = (int32_t)v;
    const uint8_t byte = (uint8_t)v;
    const void *at = t == SGS_S64 ? (const void *)&v : t == SGS_S32 ? (const void *)&narrow : (const void *)&byte;
    return sgs_const_new(p->im->g, t, 0, NULL, at, true);
}

sgs_value *sgs_sp_by(sgs_spell *p, const sgs_op *op, sgs_value *x, float v)
{
    return sgs_sp_two(p, op, x, sgs_sp_number(p, v));
}

sgs_value *sgs_sp_reshape(sgs_spell *p, sgs_value *x, int rank, const int64_t *dim)
{
    sgs_shape_attr a = { .n = rank };
    memcpy(a.dim, dim, (size_t)rank * sizeof *dim);
    return sgs_sp_one(p, &sgs_op_reshape, x, &a);
}

sgs_value *sgs_sp_unsqueeze(sgs_spell *p, sgs_value *x, int axis)
{
    int64_t dim[SGS_MAX_RANK + 1];
    if (x->rank == SGS_MAX_RANK)
        sgs_sp_refuse(p, "at most %d dimensions are supported, found %d", SGS_MAX_RANK, x->rank + 1);
    if (p->status != SGS_OK)
        return x;
    for (int i = 0, k = 0; i <= x->rank; i++)
        dim[i] = i == axis ? 1 : x->dim[k++];
    return sgs_sp_reshape(p, x, x->rank + 1, dim);
}

sgs_value *sgs_sp_squeeze(sgs_spell *p, sgs_value *x, int axis)
{
    int64_t dim[SGS_MAX_RANK];
    int n = 0;
    for (int i = 0; i < x->rank; i++)
        if (i != axis)
            dim[n++] = x->dim[i];
    return sgs_sp_reshape(p, x, n, dim);
}

sgs_value *sgs_sp_transpose(sgs_spell *p, sgs_value *x, const int64_t *perm)
{
    sgs_perm_attr a = { .n = x->rank };
    memcpy(a.perm, perm, (size_t)x->rank * sizeof *perm);
    return sgs_sp_one(p, &sgs_op_transpose, x, &a);
}

sgs_value *sgs_sp_slice(sgs_spell *p, sgs_value *x, int axis, int64_t start, int64_t size, int64_t step)
{
    sgs_slice_attr a = sgs_slice_all(x);
    if (p->status != SGS_OK)
        return x;
    a.start[axis] = start;
    a.size[axis] = size;
    a.step[axis] = step;
    return sgs_sp_one(p, &sgs_op_slice, x, &a);
}

sgs_value *sgs_sp_concat(sgs_spell *p, int n, sgs_value *const *list, int axis)
{
    const sgs_axis_attr a = { axis };
    return n == 1 ? list[0] : emit(p, &sgs_op_concat, n, list, &a);
}

sgs_value *sgs_sp_expand(sgs_spell *p, sgs_value *x, const int64_t *dim)
{
    sgs_shape_attr a = { .n = x->rank };
    memcpy(a.dim, dim, (size_t)x->rank * sizeof *dim);
    return memcmp(x->dim, a.dim, (size_t)x->rank * sizeof *dim) ? sgs_sp_one(p, &sgs_op_expand, x, &a) : x;
}

sgs_value *sgs_sp_cast(sgs_spell *p, sgs_value *x, sgs_type t)
{
    const sgs_cast_attr a = { (int64_t)t };
    return x->type == t ? x : sgs_sp_one(p, &sgs_op_cast, x, &a);
}

sgs_value *sgs_sp_reduce(sgs_spell *p, const sgs_op *op, sgs_value *x, int first)
{
    sgs_reduce_attr a = { 0 };
    for (int i = first; i < x->rank; i++)
        a.axis[a.n++] = i;
    return sgs_sp_one(p, op, x, &a);
}

sgs_value *sgs_sp_choose(sgs_spell *p, sgs_value *condition, sgs_value *a, sgs_value *b)
{
    sgs_value *in[] = { condition, a, b };
    for (int i = 1; i < 3; i++) /* constants in 64 bits follow integers that came in with 32 */
        if (in[i]->type == SGS_S64 && in[3 - i]->type == SGS_S32)
            in[i] = sgs_sp_cast(p, in[i], SGS_S32);
    return emit(p, &sgs_op_where, 3, in, NULL);
}

sgs_value *sgs_sp_count(sgs_spell *p, sgs_type t, int64_t n)
{
    void *data;
    sgs_value *v = sgs_sp_const(p, t, 1, &n, &data);
    for (int64_t i = 0; i < n && v; i++)
        if (t == SGS_F32)
            ((float *)data)[i] = (float)i;
        else
            ((int32_t *)data)[i] = (int32_t)i;
    return v;
}

sgs_value *sgs_sp_own(sgs_spell *p, sgs_value *x)
{
    return sgs_sp_reshape(p, x, x->rank, x->dim);
}

sgs_value *sgs_sp_const(sgs_spell *p, sgs_type t, int rank, const int64_t *dim, void **data)
{
    int64_t bytes = sgs_type_bytes(t);
    for (int i = 0; i < rank; i++)
        if (dim[i] < 0 || !sgs_mul64(bytes, dim[i], &bytes))
            bytes = INT64_MAX;
    *data = p->status == SGS_OK && bytes < (int64_t)1 << 32 ? sgs_try_alloc(p->im->g->arena, (size_t)bytes + 1) : NULL;
    if (!*data) {
        sgs_sp_refuse(p, "a constant of %lld bytes exceeds the memory limit", (long long)bytes);
        return NULL;
    }
    return sgs_const_new(p->im->g, t, rank, dim, *data, false);
}

/* ---- other source operators ---- */

enum { MOST_OPERANDS = 8 };

/* The user knows the operator that called, and its name. */
static void name_caller(const sgs_spell *p, const char *callee)
{
    const size_t n = strlen(callee);
    char text[sizeof p->d->text];
    if (!p->d)
        return;
    if (!strncmp(p->d->text, callee, n) && p->d->text[n] == ':') {
        memcpy(text, p->d->text + n, sizeof text - n);
        snprintf(p->d->text, sizeof p->d->text, "%.100s%.*s", p->s->op, (int)sizeof text - 110, text);
    }
    if (p->d->layer[0] == '\1')
        snprintf(p->d->layer, sizeof p->d->layer, "%s", sgs_src_label(p->s));
}

/* Names of ours stay out of the graph. */
void sgs_sp_call_with(sgs_spell *p, const sgs_call *c)
{
    static const char *const name[] = { "\1x0", "\1x1", "\1x2", "\1x3", "\1x4", "\1x5", "\1x6", "\1x7" },
                             *const made[] = { "\1y0", "\1y1", "\1y2" };
    const char *in[MOST_OPERANDS];
    sgs_source_node s = *p->s;
    const bool before = p->im->unnamed;
    s.op = c->op;
    s.nin = c->nin;
    s.nout = c->nout;
    s.in = in;
    s.out = made;
    s.attr = c->attr;
    s.nattr = c->nattr;
    for (int i = 0; i < c->nin; i++) {
        in[i] = c->in[i] ? name[i] : "";
        if (c->in[i])
            sgs_map_set(&p->im->scope.values, name[i], c->in[i]);
    }
    for (int i = 0; i < c->nout; i++)
        sgs_map_set(&p->im->scope.values, made[i], NULL);
    p->im->unnamed = true;
    if (p->status == SGS_OK)
        p->status = sgs_src_importer(c->op, s.opset)(p->im, &s, p->d);
    p->im->unnamed = before;
    if (p->status != SGS_OK)
        name_caller(p, c->op);
    for (int i = 0; i < c->nout; i++)
        c->y[i] = p->status == SGS_OK ? sgs_map_get(&p->im->scope.values, made[i]) : NULL;
}

sgs_value *sgs_sp_call(sgs_spell *p, const char *op, int n, sgs_value *const *in)
{
    sgs_value *y = NULL;
    sgs_sp_call_with(
        p, &(sgs_call){ .op = op, .nin = n, .nout = 1, .in = in, .nattr = p->s->nattr, .attr = p->s->attr, .y = &y });
    return y ? y : in[0];
}

/* ---- the source node ---- */

sgs_value *sgs_sp_in(sgs_spell *p, int i)
{
    sgs_value *v = NULL;
    if (p->status == SGS_OK)
        p->status = sgs_src_in(p->im, p->s, i, &v, p->d);
    return v;
}

int64_t sgs_sp_int(sgs_spell *p, const char *name, int64_t absent)
{
    if (p->status == SGS_OK)
        p->status = sgs_src_int(p->s, name, &absent, p->d);
    return absent;
}

float sgs_sp_float(sgs_spell *p, const char *name, float absent)
{
    if (p->status == SGS_OK)
        p->status = sgs_src_float(p->s, name, &absent, p->d);
    return absent;
}

int64_t sgs_sp_axis(sgs_spell *p, const char *name, int64_t absent, int rank)
{
    int64_t axis = sgs_sp_int(p, name, absent);
    if (p->status == SGS_OK)
        p->status = sgs_src_axis(p->im, p->s, &axis, rank, p->d);
    return axis;
}

bool sgs_sp_wants(const sgs_spell *p, int i)
{
    return i < p->s->nout && p->s->out[i][0];
}

void sgs_sp_out(sgs_spell *p, int i, sgs_value *v)
{
    if (p->status == SGS_OK && sgs_sp_wants(p, i))
        p->status = sgs_src_out(p->im, p->s, i, v, p->d);
}

/* ---- errors ---- */

void sgs_sp_fail(sgs_spell *p, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (p->status == SGS_OK)
        p->status = sgs_src_fail(p->im, p->s, p->d, "%s", text);
}

void sgs_sp_refuse(sgs_spell *p, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (p->status == SGS_OK)
        p->status = sgs_src_refuse(p->im, p->s, p->d, "%s", text);
}
