#include "ops/dnnl.h"

#include <float.h>
#include <math.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/util.h"

extern void omp_set_num_threads(int n); /* oneDNN's threads are OpenMP's */

#define MAX_ARGS 5

/* What a node keeps between runs. */
typedef struct state {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arg[MAX_ARGS];
    int narg;
    float *weights;            /* reordered copy, or NULL when the source's order was right */
    size_t scratch;            /* bytes that the primitive works in while it runs */
} state;

static _Atomic(dnnl_engine_t) shared_engine;

static sgs_status failed(dnnl_status_t s, const char *what, sgs_diag *d)
{
    sgs_status code = s == dnnl_out_of_memory ? SGS_E_LIMIT : s == dnnl_unimplemented ? SGS_E_UNSUPPORTED : SGS_E_INTERNAL;
    return sgs_fail(d, code, "float evaluation failed in %s: oneDNN status %d", what, (int)s);
}

#define DNNL_TRY(what, expr)                    \
    do {                                        \
        dnnl_status_t dnnl_s_ = (expr);         \
        if (dnnl_s_ != dnnl_success)            \
            return failed(dnnl_s_, what, d);    \
    } while (0)

static sgs_status engine(dnnl_engine_t *e, sgs_diag *d)
{
    omp_set_num_threads(1);
    *e = atomic_load(&shared_engine);
    if (*e)
        return SGS_OK;
    DNNL_TRY("engine", dnnl_engine_create(e, dnnl_cpu, 0));
    dnnl_engine_t none = NULL;
    if (!atomic_compare_exchange_strong(&shared_engine, &none, *e)) {
        dnnl_engine_destroy(*e);
        *e = none;
    }
    return SGS_OK;
}

static void destroy(void *p)
{
    state *s = p;
    for (int i = 0; i < s->narg; i++)
        dnnl_memory_destroy(s->arg[i].memory);
    if (s->primitive)
        dnnl_primitive_destroy(s->primitive);
    free(s->weights);
    free(s);
}

static state *keep(sgs_eval_state *st)
{
    st->p = calloc(1, sizeof(state));
    st->destroy = st->p ? destroy : NULL;
    return st->p;
}

static sgs_status add_arg(state *s, int which, const dnnl_memory_desc_t *md, void *data, dnnl_engine_t e, sgs_diag *d)
{
    DNNL_TRY("memory", dnnl_memory_create(&s->arg[s->narg].memory, md, e, data));
    s->arg[s->narg++].arg = which;
    return SGS_OK;
}

/* Buffers may move between runs; weights and bias do not. */
static sgs_status set_buffers(state *s, const void *x, void *y, void *scratch, sgs_diag *d)
{
    for (int i = 0; i < s->narg; i++) {
        const int which = s->arg[i].arg;
        void *p = which == DNNL_ARG_SRC ? (void *)(uintptr_t)x : which == DNNL_ARG_DST ? y : which == DNNL_ARG_SCRATCHPAD ? scratch : NULL;
        if (p)
            DNNL_TRY("memory", dnnl_memory_set_data_handle(s->arg[i].memory, p));
    }
    return SGS_OK;
}

static sgs_status run_primitive(state *s, sgs_diag *d)
{
    dnnl_engine_t e;
    dnnl_stream_t stream;
    SGS_TRY(engine(&e, d));
    DNNL_TRY("stream", dnnl_stream_create(&stream, e, dnnl_stream_default_flags));
    dnnl_status_t r = dnnl_primitive_execute(s->primitive, stream, s->narg, s->arg);
    if (r == dnnl_success)
        r = dnnl_stream_wait(stream);
    dnnl_stream_destroy(stream);
    return r == dnnl_success ? SGS_OK : failed(r, "execution", d);
}

static sgs_status execute(state *s, const void *x, void *y, sgs_diag *d)
{
    void *scratch = s->scratch ? aligned_alloc(64, (s->scratch + 63) / 64 * 64) : NULL;
    if (s->scratch && !scratch)
        return sgs_fail(d, SGS_E_LIMIT, "no memory for %zu bytes that an operator works in", s->scratch);
    sgs_status r = set_buffers(s, x, y, scratch, d);
    if (r == SGS_OK)
        r = run_primitive(s, d);
    free(scratch);
    return r;
}

/* ---- descriptors ------------------------------------------------------------------------------------------------------- */

/* An NHWC tensor: oneDNN names its dimensions N,C,H,W. */
static dnnl_status_t picture(dnnl_memory_desc_t *md, const sgs_tensor *t)
{
    dnnl_dims_t dims = { t->dim[0], t->dim[3], t->dim[1], t->dim[2] };
    return dnnl_memory_desc_init_by_tag(md, 4, dims, dnnl_f32, dnnl_nhwc);
}

static sgs_status activation(dnnl_primitive_attr_t *attr, const sgs_conv_attr *a, sgs_diag *d)
{
    dnnl_post_ops_t ops;
    float lo, hi;
    DNNL_TRY("attributes", dnnl_primitive_attr_create(attr));
    DNNL_TRY("attributes", dnnl_primitive_attr_set_fpmath_mode(*attr, dnnl_fpmath_mode_strict)); /* whatever the environment says */
    /* The library's own scratchpad belongs to the thread that made the primitive; another one may run it or destroy it. */
    DNNL_TRY("attributes", dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user));
    if (a->act == SGS_ACT_NONE)
        return SGS_OK;
    sgs_act_range(a->act, a->lo, a->hi, &lo, &hi);
    DNNL_TRY("attributes", dnnl_post_ops_create(&ops));
    lo = lo < -FLT_MAX ? -FLT_MAX : lo;
    hi = hi > FLT_MAX ? FLT_MAX : hi;
    dnnl_status_t r = lo == 0.0f && hi == FLT_MAX ? dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f)
                                                  : dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_clip, lo, hi);
    if (r == dnnl_success)
        r = dnnl_primitive_attr_set_post_ops(*attr, ops);
    dnnl_post_ops_destroy(ops);
    return r == dnnl_success ? SGS_OK : failed(r, "attributes", d);
}

static sgs_status make_primitive(state *s, const_dnnl_op_desc_t op, const sgs_conv_attr *a, dnnl_primitive_desc_t *pd, sgs_diag *d)
{
    static const sgs_conv_attr plain;
    dnnl_engine_t e;
    dnnl_primitive_attr_t attr;
    SGS_TRY(engine(&e, d));
    SGS_TRY(activation(&attr, a ? a : &plain, d));
    dnnl_status_t r = dnnl_primitive_desc_create(pd, op, attr, e, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (r != dnnl_success)
        return failed(r, "choosing an implementation", d);
    r = dnnl_primitive_create(&s->primitive, *pd);
    if (r != dnnl_success)
        return failed(r, "making a primitive", d);
    const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(*pd, dnnl_query_scratchpad_md, 0);
    s->scratch = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    return s->scratch ? add_arg(s, DNNL_ARG_SCRATCHPAD, scratch, NULL, e, d) : SGS_OK;
}

/* ---- weights ------------------------------------------------------------------------------------------------------------ */

static sgs_status reorder(dnnl_memory_t from, const dnnl_memory_desc_t *from_md, dnnl_memory_t to, const dnnl_memory_desc_t *to_md, dnnl_engine_t e, sgs_diag *d)
{
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t p;
    DNNL_TRY("reordering weights", dnnl_reorder_primitive_desc_create(&pd, from_md, e, to_md, e, NULL));
    dnnl_status_t r = dnnl_primitive_create(&p, pd);
    dnnl_primitive_desc_destroy(pd);
    if (r != dnnl_success)
        return failed(r, "reordering weights", d);
    dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };
    dnnl_stream_t stream;
    r = dnnl_stream_create(&stream, e, dnnl_stream_default_flags);
    if (r == dnnl_success) {
        r = dnnl_primitive_execute(p, stream, 2, args);
        dnnl_stream_wait(stream);
        dnnl_stream_destroy(stream);
    }
    dnnl_primitive_destroy(p);
    return r == dnnl_success ? SGS_OK : failed(r, "reordering weights", d);
}

/* The weights in the order the implementation wants. */
static sgs_status add_weights(state *s, dnnl_primitive_desc_t pd, const dnnl_memory_desc_t *own, void *data, sgs_diag *d)
{
    dnnl_engine_t e;
    SGS_TRY(engine(&e, d));
    const dnnl_memory_desc_t *want = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (dnnl_memory_desc_equal(want, own))
        return add_arg(s, DNNL_ARG_WEIGHTS, own, data, e, d);
    size_t bytes = dnnl_memory_desc_get_size(want);
    s->weights = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!s->weights)
        return sgs_fail(d, SGS_E_LIMIT, "no memory for weights");
    dnnl_memory_t from;
    DNNL_TRY("memory", dnnl_memory_create(&from, own, e, data));
    sgs_status r = add_arg(s, DNNL_ARG_WEIGHTS, want, s->weights, e, d);
    if (r == SGS_OK)
        r = reorder(from, own, s->arg[s->narg - 1].memory, want, e, d);
    dnnl_memory_destroy(from);
    return r;
}

static sgs_status add_operands(state *s, const dnnl_memory_desc_t *x, const dnnl_memory_desc_t *y, const dnnl_memory_desc_t *b, void *bias, sgs_diag *d)
{
    dnnl_engine_t e;
    SGS_TRY(engine(&e, d));
    SGS_TRY(add_arg(s, DNNL_ARG_SRC, x, NULL, e, d));
    SGS_TRY(add_arg(s, DNNL_ARG_DST, y, NULL, e, d));
    return bias ? add_arg(s, DNNL_ARG_BIAS, b, bias, e, d) : SGS_OK;
}

/* ---- convolution -------------------------------------------------------------------------------------------------------- */

static sgs_status conv_descriptors(const sgs_dnnl_conv *c, dnnl_memory_desc_t *x, dnnl_memory_desc_t *y, dnnl_memory_desc_t *w, dnnl_memory_desc_t *b,
                                   sgs_diag *d)
{
    dnnl_dims_t bias = { c->wdim[0] * c->wdim[1] };
    DNNL_TRY("shapes", picture(x, c->x));
    DNNL_TRY("shapes", picture(y, c->y));
    DNNL_TRY("shapes", dnnl_memory_desc_init_by_strides(w, 5, c->wdim, dnnl_f32, c->wstride));
    DNNL_TRY("shapes", dnnl_memory_desc_init_by_tag(b, 1, bias, dnnl_f32, dnnl_x));
    return SGS_OK;
}

/* One descriptor serves both: oneDNN's types are the same. */
static dnnl_status_t conv_operation(const sgs_dnnl_conv *c, const dnnl_memory_desc_t *x, const dnnl_memory_desc_t *w, const dnnl_memory_desc_t *b,
                                    const dnnl_memory_desc_t *y, dnnl_convolution_desc_t *op)
{
    const sgs_conv_attr *a = c->attr;
    dnnl_dims_t strides = { a->stride[0], a->stride[1] }, dilates = { a->dilation[0] - 1, a->dilation[1] - 1 };
    dnnl_dims_t before = { a->pad[0], a->pad[1] }, after = { a->pad[2], a->pad[3] };
    if (c->transposed)
        return dnnl_dilated_deconvolution_forward_desc_init(op, dnnl_forward_inference, dnnl_deconvolution_direct, x, w, b, y, strides, dilates, before, after);
    return dnnl_dilated_convolution_forward_desc_init(op, dnnl_forward_inference, dnnl_convolution_direct, x, w, b, y, strides, dilates, before, after);
}

static sgs_status conv_build(const sgs_dnnl_conv *c, state *s, sgs_diag *d)
{
    dnnl_memory_desc_t x, y, w, b, any;
    dnnl_convolution_desc_t op;
    dnnl_primitive_desc_t pd;
    SGS_TRY(conv_descriptors(c, &x, &y, &w, &b, d));
    DNNL_TRY("shapes", dnnl_memory_desc_init_by_tag(&any, 5, c->wdim, dnnl_f32, dnnl_format_tag_any));
    DNNL_TRY("shapes", conv_operation(c, &x, &any, c->bias ? &b : NULL, &y, &op));
    SGS_TRY(make_primitive(s, &op, c->attr, &pd, d));
    sgs_status r = add_weights(s, pd, &w, c->w->data, d);
    dnnl_primitive_desc_destroy(pd);
    SGS_TRY(r);
    return add_operands(s, &x, &y, &b, c->bias ? c->bias->data : NULL, d);
}

sgs_status sgs_dnnl_run_conv(const sgs_dnnl_conv *c, sgs_eval_state *st, sgs_diag *d)
{
    if (!st->p && !keep(st))
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    state *s = st->p;
    if (!s->primitive)
        SGS_TRY(conv_build(c, s, d));
    return execute(s, c->x->data, c->y->data, d);
}

/* ---- fully connected ------------------------------------------------------------------------------------------------------ */

static sgs_status fc_build(const sgs_tensor *in, bool bias, const sgs_tensor *y, const sgs_conv_attr *a, state *s, sgs_diag *d)
{
    int64_t co = in[1].dim[0], ci = in[1].dim[1], rows = sgs_tensor_count(y) / co;
    dnnl_dims_t xd = { rows, ci }, wd = { co, ci }, yd = { rows, co }, bd = { co };
    dnnl_memory_desc_t x, w, any, out, b;
    dnnl_inner_product_desc_t op;
    dnnl_primitive_desc_t pd;
    DNNL_TRY("shapes", dnnl_memory_desc_init_by_tag(&x, 2, xd, dnnl_f32, dnnl_ab));
    DNNL_TRY("shapes", dnnl_memory_desc_init_by_tag(&w, 2, wd, dnnl_f32, dnnl_ab));
    DNNL_TRY("shapes", dnnl_memory_desc_init_by_tag(&any, 2, wd, dnnl_f32, dnnl_format_tag_any));
    DNNL_TRY("shapes", dnnl_memory_desc_init_by_tag(&out, 2, yd, dnnl_f32, dnnl_ab));
    DNNL_TRY("shapes", dnnl_memory_desc_init_by_tag(&b, 1, bd, dnnl_f32, dnnl_x));
    DNNL_TRY("shapes", dnnl_inner_product_forward_desc_init(&op, dnnl_forward_inference, &x, &any, bias ? &b : NULL, &out));
    SGS_TRY(make_primitive(s, &op, a, &pd, d));
    sgs_status r = add_weights(s, pd, &w, in[1].data, d);
    dnnl_primitive_desc_destroy(pd);
    SGS_TRY(r);
    return add_operands(s, &x, &out, &b, bias ? in[2].data : NULL, d);
}

sgs_status sgs_dnnl_run_fc(const sgs_tensor *in, bool bias, sgs_tensor *y, const sgs_conv_attr *a, sgs_eval_state *st, sgs_diag *d)
{
    if (sgs_tensor_count(y) == 0)
        return SGS_OK;
    if (!st->p && !keep(st))
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    state *s = st->p;
    if (!s->primitive)
        SGS_TRY(fc_build(in, bias, y, a, s, d));
    return execute(s, in[0].data, y->data, d);
}

/* ---- pooling ---------------------------------------------------------------------------------------------------------------- */

static sgs_status pool_build(const sgs_tensor *x, const sgs_tensor *y, const sgs_pool_attr *a, bool max, state *s, sgs_diag *d)
{
    dnnl_memory_desc_t in, out;
    dnnl_pooling_v2_desc_t op;
    dnnl_primitive_desc_t pd;
    dnnl_dims_t kernel = { a->kernel[0], a->kernel[1] }, strides = { a->stride[0], a->stride[1] };
    dnnl_dims_t before = { a->pad[0], a->pad[1] }, after = { a->pad[2], a->pad[3] };
    dnnl_dims_t between = { a->dilation[0] ? a->dilation[0] - 1 : 0, a->dilation[1] ? a->dilation[1] - 1 : 0 };
    dnnl_alg_kind_t alg = max ? dnnl_pooling_max : a->count_pad ? dnnl_pooling_avg_include_padding : dnnl_pooling_avg_exclude_padding;
    DNNL_TRY("shapes", picture(&in, x));
    DNNL_TRY("shapes", picture(&out, y));
    DNNL_TRY("shapes", dnnl_pooling_v2_forward_desc_init(&op, dnnl_forward_inference, alg, &in, &out, strides, kernel, between, before, after));
    SGS_TRY(make_primitive(s, &op, NULL, &pd, d));
    dnnl_primitive_desc_destroy(pd);
    return add_operands(s, &in, &out, NULL, NULL, d);
}

sgs_status sgs_dnnl_run_pool(const sgs_tensor *x, sgs_tensor *y, const sgs_pool_attr *a, bool max, sgs_eval_state *st, sgs_diag *d)
{
    if (!st->p && !keep(st))
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    state *s = st->p;
    if (!s->primitive)
        SGS_TRY(pool_build(x, y, a, max, s, d));
    return execute(s, x->data, y->data, d);
}

/* ---- identity ---------------------------------------------------------------------------------------------------------------- */

static const char *isa_name(dnnl_cpu_isa_t isa)
{
    switch (isa) {
    case dnnl_cpu_isa_sse41: return "sse41";
    case dnnl_cpu_isa_avx: return "avx";
    case dnnl_cpu_isa_avx2: return "avx2";
    case dnnl_cpu_isa_avx2_vnni: return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core: return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni: return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16: return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx: return "avx512_core_amx";
    default: return "generic";
    }
}

const char *sgs_dnnl_identity(void)
{
    static _Thread_local char text[64];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d %s", v->major, v->minor, v->patch, isa_name(dnnl_get_effective_cpu_isa()));
    return text;
}

/* ---- sums of squares ---- */

sgs_status sgs_dnnl_add_squares(const float *x, int64_t rows, int64_t n, float *s, sgs_diag *d)
{
    dnnl_engine_t e;
    SGS_TRY(engine(&e, d)); /* it sets the number of threads */
    const dnnl_status_t r = dnnl_sgemm('T', 'N', n, n, rows, 1, x, n, x, n, 1, s, n);
    return r == dnnl_success ? SGS_OK
                             : sgs_fail(d, SGS_E_INTERNAL, "float evaluation failed in %s: oneDNN status %d", "a covariance", (int)r);
}
