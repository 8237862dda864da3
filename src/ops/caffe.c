#include "ops/caffe.h"

#include <string.h>

/* ---- bottoms and tops ---- */

int sgs_caffe_bottoms(const sgs_source_node *s)
{
    return s->nin - s->nparam;
}

void sgs_caffe_expect(sgs_spell *p, int bottoms, int tops)
{
    const int b = sgs_caffe_bottoms(p->s), t = p->s->nout;
    if (b != bottoms)
        sgs_sp_fail(p, "expected %d bottom%s, found %d", bottoms, bottoms == 1 ? "" : "s", b);
    if (t != tops)
        sgs_sp_fail(p, "expected %d top%s, found %d", tops, tops == 1 ? "" : "s", t);
}

void sgs_caffe_rank(sgs_spell *p, const sgs_value *x, int rank)
{
    char shape[128];
    if (x && x->rank != rank)
        sgs_sp_refuse(p, "expected a bottom of %d dimensions, found shape %s", rank, sgs_dims_text(shape, sizeof shape, x->rank, x->dim));
}

/* ---- learned arrays ---- */

enum { FEW = 4096 }; /* elements of an array that is made up */

/* Axes of one element do not count: older files have four dimensions for everything. */
static bool alike(const sgs_value *v, int rank, const int64_t *dim)
{
    int k = 0;
    for (int i = 0; i < rank; i++) {
        if (dim[i] == 1)
            continue;
        while (k < v->rank && v->dim[k] == 1)
            k++;
        if (k == v->rank || v->dim[k++] != dim[i])
            return false;
    }
    while (k < v->rank && v->dim[k] == 1)
        k++;
    return k == v->rank;
}

static sgs_value *made_up(sgs_spell *p, int rank, const int64_t *dim)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        if (!sgs_mul64(count, dim[i], &count) || count > INT32_MAX) {
            sgs_sp_fail(p, "its weights have more than 2147483647 elements");
            return NULL;
        }
    if (count > FEW)
        return sgs_value_new(p->im->g, SGS_F32, rank, dim);
    void *data;
    sgs_value *v = sgs_sp_const(p, SGS_F32, rank, dim, &data);
    for (int64_t i = 0; v && i < count; i++)
        ((float *)data)[i] = 1;
    return v;
}

sgs_value *sgs_caffe_blob(sgs_spell *p, int k, int of, const char *what, int rank, const int64_t *dim)
{
    char expected[128], found[128];
    if (p->status != SGS_OK)
        return NULL;
    if (p->im->weightless) {
        p->im->made_up = true;
        return made_up(p, rank, dim);
    }
    if (p->s->nparam != of) {
        sgs_sp_fail(p, "expected %d array%s of weights, found %d", of, of == 1 ? "" : "s", p->s->nparam);
        if (!p->s->nparam)
            sgs_hint(p->d, "the weight file has no layer '%s': is it that of this network?", p->s->name);
        return NULL;
    }
    sgs_value *v = sgs_sp_in(p, sgs_caffe_bottoms(p->s) + k);
    if (v && !alike(v, rank, dim))
        sgs_sp_fail(p, "%s: expected shape %s, found %s in the weight file", what, sgs_dims_text(expected, sizeof expected, rank, dim),
                    sgs_dims_text(found, sizeof found, v->rank, v->dim));
    return v && p->status == SGS_OK ? sgs_sp_reshape(p, v, rank, dim) : NULL;
}

/* ---- parameters ---- */

bool sgs_caffe_has(const sgs_spell *p, const char *name)
{
    return sgs_src_find(p->s, name) != NULL;
}

int sgs_caffe_ints(sgs_spell *p, const char *name, int64_t *v, int max)
{
    int n = 0;
    if (p->status == SGS_OK)
        p->status = sgs_src_ints(p->s, name, v, max, -1, &n, p->d);
    return n;
}

bool sgs_caffe_flag(sgs_spell *p, const char *name, bool absent)
{
    return sgs_sp_int(p, name, absent) != 0;
}

int sgs_caffe_axis(sgs_spell *p, const char *name, int absent, int rank)
{
    const int64_t axis = sgs_sp_int(p, name, absent);
    if (axis < -rank || axis >= rank) {
        sgs_sp_fail(p, "%s: expected an axis from %d to %d, found %lld", name, -rank, rank - 1, (long long)axis);
        return 0;
    }
    return (int)(axis < 0 ? axis + rank : axis);
}

/* ---- sizes given once or for height and width apart ---- */

void sgs_caffe_read_sizes(sgs_spell *p, const sgs_caffe_sizes *z, int64_t out[2])
{
    int n = 0;
    out[0] = out[1] = z->absent;
    const sgs_src_attr *a = sgs_src_find(p->s, z->both);
    if (a && a->kind == SGS_SRC_INTS)
        n = sgs_caffe_ints(p, z->both, out, 2);
    else if (a)
        out[0] = sgs_sp_int(p, z->both, z->absent), n = 1;
    if (n == 1)
        out[1] = out[0];
    if (n && z->h && (sgs_caffe_has(p, z->h) || sgs_caffe_has(p, z->w)))
        sgs_sp_fail(p, "%s is given once or for height and width, not both", z->both);
    if (z->h) {
        out[0] = sgs_sp_int(p, z->h, out[0]);
        out[1] = sgs_sp_int(p, z->w, out[1]);
    }
}

void sgs_caffe_at_least(sgs_spell *p, const char *what, const int64_t v[2], int64_t least)
{
    for (int i = 0; i < 2; i++)
        if (v[i] < least || v[i] > INT32_MAX)
            sgs_sp_fail(p, "%s: expected %lld or more, found %lld", what, (long long)least, (long long)v[i]);
}

/* ---- operators of ONNX ---- */

sgs_src_attr sgs_caffe_int(const char *name, int64_t v)
{
    return (sgs_src_attr){ .name = name, .kind = SGS_SRC_INT, .i = v };
}

sgs_src_attr sgs_caffe_float(const char *name, float v)
{
    return (sgs_src_attr){ .name = name, .kind = SGS_SRC_FLOAT, .f = v };
}

sgs_src_attr sgs_caffe_list(const char *name, int n, const int64_t *v)
{
    return (sgs_src_attr){ .name = name, .kind = SGS_SRC_INTS, .n = n, .ints = v };
}

enum { NEWEST = 20 }; /* opset */

sgs_value *sgs_caffe_call(sgs_spell *p, const char *op, int n, sgs_value *const *in, int nattr, const sgs_src_attr *attr)
{
    sgs_source_node s = *p->s;
    s.opset = NEWEST;
    s.attr = attr;
    s.nattr = nattr;
    sgs_spell inner = { .im = p->im, .s = &s, .d = p->d, .status = p->status };
    sgs_value *y = sgs_sp_call(&inner, op, n, in);
    p->status = inner.status;
    return y;
}

/* ---- shapes ---- */

sgs_value *sgs_caffe_along(sgs_spell *p, sgs_value *v, const sgs_value *x, int axis)
{
    int64_t dim[SGS_MAX_RANK];
    if (!v || p->status != SGS_OK)
        return v;
    for (int i = 0; i < x->rank; i++)
        dim[i] = i >= axis && i < axis + v->rank ? v->dim[i - axis] : 1;
    return sgs_sp_reshape(p, v, x->rank, dim);
}

sgs_value *sgs_caffe_planes(sgs_spell *p, int64_t n, int64_t c, int64_t each)
{
    const int64_t dim[] = { n, c, 1, 1 };
    void *data;
    sgs_value *v = sgs_sp_const(p, SGS_S32, 4, dim, &data);
    for (int64_t i = 0; v && i < n * c; i++)
        ((int32_t *)data)[i] = (int32_t)(i * each);
    return v;
}
