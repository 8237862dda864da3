/* Scales for each channel undo what was done to channels: a small network is quantized twice, as it is and with channels scaled by powers of two
 * that the next convolutions scale back.  What they compute must be the same integers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "quant/quantize.h"

enum { A = 4, C = 5, SIDE = 6, MOST_CONVS = 4 };

static uint32_t state;

static float uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / (1 << 24) - 0.5f;
}

/* ---- the network -------------------------------------------------------------------------------------------------------
 *
 *   x -> a = relu(conv) -> b = relu(depthwise) ------> concat -> maxpool -> conv -> y
 *                       -> c = conv -> l = leakyrelu ->
 */

/* By channel, what a and b, c and l are multiplied by. */
typedef struct factors {
    float a[A], b[A], c[C];
} factors;

static const factors none = { { 1, 1, 1, 1 }, { 1, 1, 1, 1 }, { 1, 1, 1, 1, 1 } };
static const factors hard = { { 16, 0.0625f, 1, 0.5f }, { 0.25f, 8, 2, 16 }, { 0.0625f, 1, 8, 16, 0.125f } };

typedef struct net {
    sgs_graph *g;
    sgs_range range[32];
} net;

static sgs_value *node(sgs_graph *g, const sgs_op *op, int nin, sgs_value *const *in, const void *attr, int64_t side, int64_t channels)
{
    sgs_node *n = sgs_node_new(g, NULL, op, nin, in, attr);
    sgs_value *y = sgs_value_new(g, SGS_F32, 4, (int64_t[]){ 1, side, side, channels });
    sgs_node_set_out(g, n, 1, &y);
    return y;
}

/* Weights [outputs][inputs], or of a depthwise one [taps][channels]; each times `out` of its output, divided by `in` of its input. */
static sgs_value *conv(sgs_graph *g, sgs_value *x, int64_t inputs, int64_t outputs, bool depthwise, int64_t act, const float *in, const float *out)
{
    const sgs_conv_attr a = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1, .act = act, .pad = { depthwise, depthwise, depthwise, depthwise } };
    const int64_t dim[4] = { depthwise ? 1 : outputs, depthwise ? 3 : 1, depthwise ? 3 : 1, inputs }, n = depthwise ? 9 * inputs : outputs * inputs;
    float w[64], b[16];
    for (int64_t i = 0; i < n; i++) {
        const int64_t o = depthwise ? i % inputs : i / inputs;
        w[i] = uniform() * (out ? out[o] : 1) / (in ? in[i % inputs] : 1);
    }
    for (int64_t o = 0; o < outputs; o++)
        b[o] = uniform() * (out ? out[o] : 1);
    sgs_value *v[3] = { x, sgs_const_new(g, SGS_F32, 4, dim, w, true), sgs_const_new(g, SGS_F32, 1, &outputs, b, true) };
    return node(g, depthwise ? &sgs_op_depthwise : &sgs_op_conv, 3, v, &a, x->dim[1], outputs);
}

/* As if calibration had seen each channel reach somewhere. */
static void see(net *t, const sgs_value *v, bool positive, const float *by)
{
    const int64_t n = v->dim[3];
    sgs_range *r = &t->range[v->id];
    *r = (sgs_range){ .channels = n, .count = 100, .fractions = true };
    r->lo = SGS_NEW_N(t->g->arena, float, n);
    r->hi = SGS_NEW_N(t->g->arena, float, n);
    r->sum = SGS_NEW_N(t->g->arena, double, n);
    r->square = SGS_NEW_N(t->g->arena, double, n);
    for (int64_t c = 0; c < n; c++) {
        const float f = by ? by[c] : 1, reach = (uniform() + 1) * f;
        r->hi[c] = reach;
        r->lo[c] = positive ? 0 : -reach / 2;
        r->sum[c] = 25.0 * (double)reach;
        r->square[c] = 12.5 * (double)reach * (double)reach;
    }
}

static net make_net(const factors *f)
{
    net t = { .g = sgs_graph_new("made.onnx") };
    float both[A + C];
    memcpy(both, f->b, sizeof f->b);
    memcpy(both + A, f->c, sizeof f->c);
    state = 1;
    sgs_value *x = sgs_value_new(t.g, SGS_F32, 4, (int64_t[]){ 1, SIDE, SIDE, 3 });
    t.g->in = SGS_NEW(t.g->arena, sgs_value *), t.g->in[0] = x, t.g->nin = 1;
    sgs_value *a = conv(t.g, x, 3, A, false, SGS_ACT_RELU, NULL, f->a), *b = conv(t.g, a, A, A, true, SGS_ACT_RELU, f->a, f->b),
              *c = conv(t.g, a, A, C, false, SGS_ACT_NONE, f->a, f->c), *l = node(t.g, &sgs_op_leakyrelu, 1, &c, &(sgs_alpha_attr){ 0.25f }, SIDE, C),
              *k = node(t.g, &sgs_op_concat, 2, (sgs_value *[]){ b, l }, &(sgs_axis_attr){ 3 }, SIDE, A + C),
              *m = node(t.g, &sgs_op_maxpool, 1, &k, &(sgs_pool_attr){ .kernel = { 2, 2 }, .stride = { 2, 2 } }, SIDE / 2, A + C),
              *y = conv(t.g, m, A + C, 3, false, SGS_ACT_NONE, both, NULL);
    t.g->out = SGS_NEW(t.g->arena, sgs_value *), t.g->out[0] = y, t.g->nout = 1;
    see(&t, x, false, NULL);
    see(&t, a, true, f->a);
    see(&t, b, true, f->b);
    see(&t, c, false, f->c);
    see(&t, l, false, f->c);
    see(&t, k, false, both);
    see(&t, m, false, both);
    see(&t, y, false, NULL);
    return t;
}

/* ---- what is compared -------------------------------------------------------------------------------------------------- */

static int find_convs(const sgs_graph *g, const sgs_node **found)
{
    int n = 0;
    for (const sgs_node *k = g->first; k; k = k->next)
        if (sgs_is_conv(k))
            found[n++] = k;
    return n;
}

static void quantize(net *t, sgs_recipe recipe, int format)
{
    sgs_diag d = { 0 };
    const sgs_qinput in = { .type = SGS_F32 };
    const sgs_qoutput out = { SGS_F32, false };
    const sgs_qoptions o = { .recipe = recipe, .in = &in, .out = &out, .conv_format = format };
    assert_int_equal(sgs_quantize(t->g, t->range, &o, &d), SGS_OK);
    assert_int_equal(sgs_graph_verify(t->g, &d), SGS_OK);
}

static bool same_constant(const sgs_value *a, const sgs_value *b)
{
    return a->type == b->type && sgs_value_bytes(a) == sgs_value_bytes(b) && !memcmp(sgs_const_data(a), sgs_const_data(b), (size_t)sgs_value_bytes(a));
}

/* How many of the four convolutions have other weights or biases when channels were scaled. */
static int different(net *plain, net *scaled, sgs_recipe recipe, int format)
{
    const sgs_node *p[MOST_CONVS], *s[MOST_CONVS];
    int n = 0;
    *plain = make_net(&none);
    *scaled = make_net(&hard);
    quantize(plain, recipe, format);
    quantize(scaled, recipe, format);
    assert_int_equal(find_convs(plain->g, p), MOST_CONVS);
    assert_int_equal(find_convs(scaled->g, s), MOST_CONVS);
    for (int i = 0; i < MOST_CONVS; i++)
        n += !same_constant(p[i]->in[1], s[i]->in[1]) || !same_constant(p[i]->in[2], s[i]->in[2]);
    return n;
}

static void free_nets(net *plain, net *scaled)
{
    sgs_graph_free(plain->g);
    sgs_graph_free(scaled->g);
}

/* A scale for each channel, those of `scaled` the factors times those of `plain`. */
static void check_scales(const sgs_value *plain, const sgs_value *scaled, const float *factor, int64_t n)
{
    assert_int_equal(plain->quant->n, n);
    assert_int_equal(scaled->quant->n, n);
    for (int64_t c = 0; c < n; c++)
        assert_true(fabs((double)scaled->quant->scale[c] / ((double)plain->quant->scale[c] * (double)factor[c]) - 1) < 1e-6);
}

/* ---- tests ------------------------------------------------------------------------------------------------------------- */

static void one_scale_undoes_nothing(void **s)
{
    (void)s;
    net plain, scaled;
    assert_true(different(&plain, &scaled, (sgs_recipe){ 0 }, SGS_CONV_ALL_UINT8) > 0);
    free_nets(&plain, &scaled);
    assert_true(different(&plain, &scaled, (sgs_recipe){ 0 }, SGS_CONV_ALL_INT16) > 0);
    free_nets(&plain, &scaled);
}

/* Every mixture of ranges and weights; the last candidate is one scale for all. */
static void bytes_undo(void **s)
{
    (void)s;
    for (int mixture = 1; mixture <= 5; mixture++) {
        net plain, scaled;
        const sgs_node *p[MOST_CONVS], *k[MOST_CONVS];
        assert_int_equal(different(&plain, &scaled, (sgs_recipe){ .equalize = true, .mixture = mixture }, SGS_CONV_ALL_UINT8), 0);
        find_convs(plain.g, p);
        find_convs(scaled.g, k);
        check_scales(p[0]->out[0], k[0]->out[0], hard.a, A);
        assert_int_equal(p[0]->out[0]->type, SGS_U8);
        free_nets(&plain, &scaled);
    }
}

static void channels_reach_the_end(void **s)
{
    (void)s;
    net t = make_net(&hard);
    const sgs_node *k[MOST_CONVS];
    quantize(&t, (sgs_recipe){ .equalize = true, .mixture = 1 }, SGS_CONV_ALL_UINT8);
    find_convs(t.g, k);
    const sgs_quant *q = k[0]->out[0]->quant;
    for (int c = 0; c < A; c++) { /* by what channels reach alone, all have the same room, which no number seen exceeds */
        const double steps = (double)q->hi[c] / (double)q->scale[c];
        assert_true(steps <= 255 && fabs(steps - (double)q->hi[0] / (double)q->scale[0]) < 1e-3);
    }
    sgs_graph_free(t.g);
}

static void sixteen_bits_undo(void **s)
{
    (void)s;
    net plain, scaled;
    const sgs_node *p[MOST_CONVS], *k[MOST_CONVS];
    const float *factor[] = { hard.a, hard.b, hard.c };
    const int64_t n[] = { A, A, C };
    assert_int_equal(different(&plain, &scaled, (sgs_recipe){ .even = true }, SGS_CONV_ALL_INT16), 0);
    find_convs(plain.g, p);
    find_convs(scaled.g, k);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(p[i]->out[0]->type, SGS_S16);
        check_scales(p[i]->out[0], k[i]->out[0], factor[i], n[i]);
    }
    free_nets(&plain, &scaled);
}

/* The bend has one ratio of scales before and behind it, to the last bit, and every channel may reach four times as far as it was seen to. */
static void a_bend_keeps_its_ratio(void **s)
{
    (void)s;
    net t = make_net(&hard);
    quantize(&t, (sgs_recipe){ .even = true }, SGS_CONV_ALL_INT16);
    for (const sgs_node *n = t.g->first; n; n = n->next) {
        if (n->op != &sgs_op_leakyrelu)
            continue;
        const sgs_quant *x = n->in[0]->quant, *y = n->out[0]->quant;
        assert_int_equal(x->n, C);
        assert_int_equal(y->n, C);
        for (int c = 0; c < C; c++) {
            assert_true((double)x->scale[c] / (double)y->scale[c] == (double)x->scale[0] / (double)y->scale[0]);
            assert_true(4 * (double)y->hi[c] / (double)y->scale[c] < 32767.5 && -4 * (double)y->lo[c] / (double)y->scale[c] < 32767.5);
        }
    }
    sgs_graph_free(t.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_scale_undoes_nothing), cmocka_unit_test(bytes_undo),
        cmocka_unit_test(channels_reach_the_end),   cmocka_unit_test(sixteen_bits_undo),
        cmocka_unit_test(a_bend_keeps_its_ratio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
