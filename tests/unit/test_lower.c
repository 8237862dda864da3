/* Lowering against plain loops over dense arrays, written from ARITHMETIC.md: groups, zero points per channel, views,
 * packing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile/emit.h"
#include "compile/lower.h"
#include "compile/plan.h"

static uint32_t seed;

static int32_t random_in(int32_t lo, int32_t hi)
{
    seed = seed * 1664525u + 1013904223u;
    return lo + (int32_t)((uint64_t)(seed >> 4) * (uint32_t)(hi - lo + 1) >> 28);
}

/* ---- building fixed graphs -----------------------------------------------------------------------------------------
 */

static void set_quant(sgs_graph *g, sgs_value *v, int n, double scale, int32_t zero, int32_t zero_step)
{
    v->quant = sgs_quant_new(g, n > 1 ? v->rank - 1 : -1, n);
    for (int i = 0; i < n; i++) {
        v->quant->scale[i] = (float)(scale * (1 + 0.25 * (n > 1) * (i % 3)));
        v->quant->zero[i] = zero + i * zero_step;
    }
}

static sgs_value *constant(sgs_graph *g, sgs_type t, int rank, const int64_t *dim, int32_t reach)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++)
        n *= dim[i];
    uint8_t *data = sgs_alloc(g->arena, (size_t)n * 8);
    for (int64_t i = 0; i < n; i++) {
        int64_t v = random_in(-reach, reach);
        memcpy(data + i * sgs_type_bytes(t), &v, (size_t)sgs_type_bytes(t));
    }
    return sgs_const_new(g, t, rank, dim, data, false);
}

static sgs_value *node(sgs_graph *g, const sgs_op *op, int nin, sgs_value *const *in, const void *attr, sgs_type t,
                       int rank, const int64_t *dim)
{
    sgs_node *n = sgs_node_new(g, NULL, op, nin, in, attr);
    sgs_value *y = sgs_value_new(g, t, rank, dim);
    sgs_node_set_out(g, n, 1, &y);
    return y;
}

/* ---- the plain loops
 * ------------------------------------------------------------------------------------------------------ */

typedef struct array {
    int64_t dim[4];
    int32_t *q;
} array;

static array new_array(const sgs_value *v)
{
    array a = { { 1, 1, 1, 1 }, NULL };
    for (int i = 0; i < v->rank; i++)
        a.dim[4 - v->rank + i] = v->dim[i];
    a.q = calloc((size_t)sgs_value_count(v), sizeof *a.q);
    return a;
}

static int32_t *at(const array *a, int64_t h, int64_t w, int64_t c)
{
    return a->q + (h * a->dim[2] + w) * a->dim[3] + c;
}

static int64_t get(const sgs_value *v, int64_t i)
{
    switch (v->type) {
    case SGS_S8:
        return ((const int8_t *)sgs_const_data(v))[i];
    case SGS_S16:
        return ((const int16_t *)sgs_const_data(v))[i];
    case SGS_S32:
        return ((const int32_t *)sgs_const_data(v))[i];
    default:
        return ((const int64_t *)sgs_const_data(v))[i];
    }
}

static int32_t store(float g, int32_t qmin, int32_t qmax, int32_t zero)
{
    float lo = (float)(qmin - zero), hi = (float)(qmax - zero);
    return (int32_t)rintf(g < lo ? lo : g > hi ? hi : g) + zero;
}

/* Sections 4 and 5 with the unfolded bias and real differences x - z. */
static array conv(const sgs_value *x, const array *in, const sgs_value *w, const sgs_value *b, const sgs_value *y,
                  const sgs_conv_attr *a)
{
    array out = new_array(y);
    int64_t co = w->dim[0], kh = w->dim[1], kw = w->dim[2], ci = w->dim[3], each = co / a->groups;
    double most = 0, sx = 0;
    for (int64_t o = 0; o < co; o++) {
        double sum = fabs((double)get(b, o));
        for (int64_t i = 0; i < kh * kw * ci; i++)
            sum += 32768 * fabs((double)get(w, o * kh * kw * ci + i));
        most = fmax(most, sum);
    }
    int shift = 0;
    for (; x->type == SGS_S16 && floor(most / exp2(shift)) + 1 > 2147483647.0; shift++)
        ;
    for (int i = 0; i < x->quant->n; i++)
        sx = fmax(sx, (double)x->quant->scale[i]);
    for (int64_t h = 0; h < out.dim[1]; h++)
        for (int64_t v = 0; v < out.dim[2]; v++)
            for (int64_t o = 0; o < co; o++) {
                int64_t acc = get(b, o);
                for (int64_t k = 0; k < kh * kw; k++)
                    for (int64_t c = 0; c < ci; c++) {
                        int64_t iy = h * a->stride[0] - a->pad[0] + k / kw * a->dilation[0],
                                ix = v * a->stride[1] - a->pad[1] + k % kw * a->dilation[1];
                        int64_t from = o / each * ci + c;
                        if (iy >= 0 && iy < in->dim[1] && ix >= 0 && ix < in->dim[2])
                            acc += get(w, (o * kh * kw + k) * ci + c) * (*at(in, iy, ix, from) - sgs_zero(x, from));
                    }
                float m = (float)(sx * (double)w->quant->scale[o] / (double)y->quant->scale[0] * exp2(shift));
                if (shift)
                    acc = (acc + ((int64_t)1 << (shift - 1))) >> shift;
                int32_t zero = y->quant->zero[0], qmin = y->type == SGS_U8 ? 0 : -32767,
                        qmax = y->type == SGS_U8 ? 255 : 32767;
                if (a->act == SGS_ACT_RELU6) {
                    int32_t six = (int32_t)rint(6.0 / (double)y->quant->scale[0]) + zero;
                    qmin = zero > qmin ? zero : qmin, qmax = six < qmax ? six : qmax;
                }
                *at(&out, h, v, o) = store((float)(int32_t)acc * m, qmin, qmax, zero);
            }
    return out;
}

static array maxpool3(const array *in, const sgs_value *y)
{
    array out = new_array(y);
    for (int64_t h = 0; h < out.dim[1]; h++)
        for (int64_t w = 0; w < out.dim[2]; w++)
            for (int64_t c = 0; c < out.dim[3]; c++) {
                int32_t best = -100000;
                for (int64_t k = 0; k < 9; k++) {
                    int64_t iy = h - 1 + k / 3, ix = w - 1 + k % 3;
                    if (iy >= 0 && iy < in->dim[1] && ix >= 0 && ix < in->dim[2] && *at(in, iy, ix, c) > best)
                        best = *at(in, iy, ix, c);
                }
                *at(&out, h, w, c) = best;
            }
    return out;
}

/* ---- one network
 * ------------------------------------------------------------------------------------------------------------ */

typedef struct net {
    sgs_graph *g;
    sgs_value *x, *w1, *b1, *y1, *y2, *both, *w2, *b2, *y3, *turned, *flat, *w3, *b3, *y4, *again;
    sgs_conv_attr c1, c2, c3;
} net;

static sgs_value *weights(sgs_graph *g, sgs_type t, int rank, const int64_t *dim, double scale)
{
    sgs_value *w = constant(g, t, rank, dim, t == SGS_S8 ? 127 : 32767);
    w->quant = sgs_quant_new(g, 0, (int)dim[0]);
    for (int64_t o = 0; o < dim[0]; o++)
        w->quant->scale[o] = (float)(scale * (1 + 0.125 * (double)(o % 5)));
    return w;
}

static net make(void)
{
    seed = 11;
    net t = { .g = sgs_graph_new("made.onnx"),
              .c1 = { { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 2, SGS_ACT_RELU6, 0, 0 },
              .c2 = { { 2, 1 }, { 1, 2 }, { 0, 2, 0, 1 }, 1, SGS_ACT_NONE, 0, 0 },
              .c3 = { { 1, 1 }, { 1, 1 }, { 0 }, 1, SGS_ACT_NONE, 0, 0 } };
    sgs_graph *g = t.g;
    t.x = sgs_value_new(g, SGS_U8, 4, (int64_t[]){ 1, 6, 5, 4 });
    set_quant(g, t.x, 4, 0.02, 100, 9);
    g->in = SGS_NEW(g->arena, sgs_value *), g->in[0] = t.x, g->nin = 1;
    t.w1 = weights(g, SGS_S8, 4, (int64_t[]){ 6, 3, 3, 2 }, 0.01);
    t.b1 = constant(g, SGS_S32, 1, (int64_t[]){ 6 }, 4000);
    t.y1 = node(g, &sgs_op_conv, 3, (sgs_value *[]){ t.x, t.w1, t.b1 }, &t.c1, SGS_U8, 4, (int64_t[]){ 1, 6, 5, 6 });
    set_quant(g, t.y1, 1, 0.025, 30, 0);
    sgs_pool_attr p = { { 3, 3 }, { 1, 1 }, { 1, 1, 1, 1 }, 0, { 0, 0 } };
    t.y2 = node(g, &sgs_op_maxpool, 1, &t.y1, &p, SGS_U8, 4, t.y1->dim);
    t.y2->quant = t.y1->quant;
    sgs_axis_attr last = { 3 };
    t.both =
        node(g, &sgs_op_concat, 3, (sgs_value *[]){ t.y2, t.y1, t.y1 }, &last, SGS_U8, 4, (int64_t[]){ 1, 6, 5, 18 });
    t.both->quant = t.y1->quant;
    t.w2 = weights(g, SGS_S8, 4, (int64_t[]){ 17, 2, 2, 18 }, 0.01);
    t.b2 = constant(g, SGS_S32, 1, (int64_t[]){ 17 }, 20000);
    t.y3 =
        node(g, &sgs_op_conv, 3, (sgs_value *[]){ t.both, t.w2, t.b2 }, &t.c2, SGS_S16, 4, (int64_t[]){ 1, 3, 6, 17 });
    set_quant(g, t.y3, 1, 0.002, 0, 0);
    sgs_perm_attr perm = { 4, { 0, 3, 1, 2 } };
    t.turned = node(g, &sgs_op_transpose, 1, &t.y3, &perm, SGS_S16, 4, (int64_t[]){ 1, 17, 3, 6 });
    t.turned->quant = t.y3->quant;
    sgs_shape_attr flat = { 2, { 1, 306 } }, again = { 3, { 1, 1, 11 } };
    t.flat = node(g, &sgs_op_reshape, 1, &t.turned, &flat, SGS_S16, 2, flat.dim);
    t.flat->quant = t.y3->quant;
    t.w3 = weights(g, SGS_S16, 2, (int64_t[]){ 11, 306 }, 0.0001);
    t.b3 = constant(g, SGS_S64, 1, (int64_t[]){ 11 }, 100000000);
    t.y4 = node(g, &sgs_op_fc, 3, (sgs_value *[]){ t.flat, t.w3, t.b3 }, &t.c3, SGS_S16, 2, (int64_t[]){ 1, 11 });
    set_quant(g, t.y4, 1, 0.1, 0, 0);
    t.again = node(g, &sgs_op_reshape, 1, &t.y4, &again, SGS_S16, 3, again.dim);
    t.again->quant = t.y4->quant;
    g->out = SGS_NEW_N(g->arena, sgs_value *, 3), g->nout = 3;
    g->out[0] = t.again, g->out[1] = g->out[2] = t.y2; /* one in a concatenation too, and twice */
    return t;
}

static sgs_buf compile(const net *t, sgs_program *p)
{
    sgs_diag d = { 0 };
    sgs_plan_result plan;
    sgs_buf image = { 0 };
    if (sgs_lower(p, t->g, &d) != SGS_OK)
        fail_msg("%s", d.text);
    sgs_program_fuse(p);
    assert_int_equal(sgs_program_plan(p, UINT32_MAX, &plan, &d), SGS_OK);
    sgs_image_io io[4] = { { .name = "x", .type = IPU_U8, .rank = 4, .dim = { 1, 6, 5, 4 } },
                           { .name = "y", .type = IPU_S16, .rank = 3, .dim = { 1, 1, 11 } },
                           { .name = "m", .type = IPU_U8, .rank = 4, .dim = { 1, 6, 5, 6 } },
                           { .name = "n", .type = IPU_U8, .rank = 4, .dim = { 1, 6, 5, 6 } } };
    sgs_image_info info = { .arena = plan.arena, .ninput = 1, .noutput = 3, .io = io, .provenance = "" };
    assert_int_equal(sgs_emit_image(p, &info, &image, &d), SGS_OK);
    return image;
}

static array concat3(const array *a, const array *b, const sgs_value *y)
{
    array out = new_array(y);
    for (int64_t i = 0; i < 30; i++)
        for (int64_t c = 0; c < 18; c++)
            out.q[i * 18 + c] = c < 6 ? a->q[i * 6 + c] : b->q[i * 6 + c % 6];
    return out;
}

static array turn(const array *a, const sgs_value *y)
{
    array out = new_array(y);
    for (int64_t c = 0; c < 17; c++)
        for (int64_t i = 0; i < 18; i++)
            out.q[c * 18 + i] = a->q[i * 17 + c];
    return out;
}

static void lowered_network_equals_plain_loops(void **state)
{
    net t = make();
    sgs_program p;
    sgs_buf bytes = compile(&t, &p);
    uint8_t *image = aligned_alloc(IPU_ALIGN, (bytes.n + IPU_ALIGN - 1) / IPU_ALIGN * IPU_ALIGN), in[120], m[180],
            n[180];
    int16_t y[11];
    memcpy(image, bytes.p, bytes.n);
    array x = new_array(t.x);
    for (int i = 0; i < 120; i++)
        x.q[i] = in[i] = (uint8_t)random_in(0, 255);
    array y1 = conv(t.x, &x, t.w1, t.b1, t.y1, &t.c1), y2 = maxpool3(&y1, t.y2), both = concat3(&y2, &y1, t.both);
    array y3 = conv(t.both, &both, t.w2, t.b2, t.y3, &t.c2), turned = turn(&y3, t.turned);
    sgs_value w3 = *t.w3, flat = *t.flat, y4 = *t.y4;
    w3.rank = 4, w3.dim[1] = w3.dim[2] = 1, w3.dim[3] = 306;
    turned.dim[1] = turned.dim[2] = 1, turned.dim[3] = 306;
    array out = conv(&flat, &turned, &w3, t.b3, &y4, &t.c3);

    ipu_model model;
    assert_int_equal(ipu_load(&model, image, bytes.n, &ipu_kernels_c), IPU_OK);
    void *arena = aligned_alloc(IPU_ALIGN, ipu_arena_size(&model) + IPU_ALIGN);
    assert_int_equal(ipu_run(&model, arena, (const void *[]){ in }, (void *[]){ y, m, n }, NULL), IPU_OK);
    int distinct = 0;
    for (int i = 0; i < 11; i++) {
        assert_int_equal(y[i], out.q[i]);
        distinct += i && y[i] != y[i - 1] && abs(y[i]) < 32767;
    }
    assert_true(distinct > 5);
    for (int i = 0; i < 180; i++) {
        assert_int_equal(m[i], y2.q[i]);
        assert_int_equal(n[i], y2.q[i]);
    }
    free(arena);
    free(image);
    array *all[] = { &x, &y1, &y2, &both, &y3, &turned, &out };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]->q);
    sgs_buf_free(&bytes);
    sgs_program_free(&p);
    sgs_graph_free(t.g);
}

/* Two groups, a pool, the copies of one part given twice and of the second output, ... and no copy for reshapes. */
static void views_cost_nothing(void **state)
{
    net t = make();
    sgs_program p;
    assert_int_equal(sgs_lower(&p, t.g, NULL), SGS_OK);
    int copies = 0;
    for (int k = 0; k < p.nrecord; k++)
        copies += p.record[k].rec->kind == IPU_COPY;
    assert_int_equal(
        copies,
        4); /* y2 into the concatenation (it is an output), y1's second part, the transposition, the second output */
    assert_int_equal(p.nrecord, 4 + 5);
    sgs_program_free(&p);
    sgs_graph_free(t.g);
}

static void unfit_layers_are_named(void **state)
{
    net t = make();
    sgs_program p;
    sgs_diag d = { 0 };
    int32_t *bias = (int32_t *)(uintptr_t)sgs_const_data(t.b2);
    bias[3] = INT32_MAX - 5;
    t.y3->def->name = "second";
    assert_int_equal(sgs_lower(&p, t.g, &d), SGS_E_UNSUPPORTED);
    assert_string_equal(d.layer, "second");
    assert_non_null(strstr(d.text, "channel 3"));
    sgs_program_free(&p);
    sgs_graph_free(t.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowered_network_equals_plain_loops),
        cmocka_unit_test(views_cost_nothing),
        cmocka_unit_test(unfit_layers_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
