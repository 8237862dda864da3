/* What an addition of 16 bits reads and makes has one scale, along a chain too, unless the scales were far apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "quant/quantize.h"

enum { CHANNELS = 4, SIDE = 3 };

/* x -> conv a, b, c;  d = a + b;  e = d + c;  y = conv of e */
typedef struct net {
    sgs_graph *g;
    sgs_range range[32];
} net;

static sgs_value *node(net *t, const sgs_op *op, int nin, sgs_value *const *in, const void *attr, float reach)
{
    sgs_node *n = sgs_node_new(t->g, NULL, op, nin, in, attr);
    sgs_value *y = sgs_value_new(t->g, SGS_F32, 4, (int64_t[]){ 1, SIDE, SIDE, CHANNELS });
    sgs_range *r = &t->range[y->id];
    sgs_node_set_out(t->g, n, 1, &y);
    *r = (sgs_range){ .channels = 1, .count = 100, .fractions = true };
    r->lo = SGS_NEW(t->g->arena, float);
    r->hi = SGS_NEW(t->g->arena, float);
    r->sum = SGS_NEW(t->g->arena, double);
    r->square = SGS_NEW(t->g->arena, double);
    r->lo[0] = -reach;
    r->hi[0] = reach;
    return y;
}

static sgs_value *conv(net *t, sgs_value *x, float reach)
{
    const sgs_conv_attr a = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };
    const int64_t dim[4] = { CHANNELS, 1, 1, CHANNELS }, channels = CHANNELS;
    const float w[CHANNELS * CHANNELS] = { 1, 0.5f, 0.25f }, b[CHANNELS] = { 0.125f };
    sgs_value *in[3] = { x, sgs_const_new(t->g, SGS_F32, 4, dim, w, true), sgs_const_new(t->g, SGS_F32, 1, &channels, b, true) };
    return node(t, &sgs_op_conv, 3, in, &a, reach);
}

static sgs_value *add(net *t, sgs_value *a, sgs_value *b, float reach)
{
    return node(t, &sgs_op_add, 2, (sgs_value *[]){ a, b }, NULL, reach);
}

/* reach: of a to e. */
static void quantized(net *t, const float reach[5], int format)
{
    sgs_diag d = { 0 };
    const sgs_qinput in = { .type = SGS_F32 };
    const sgs_qoutput out = { SGS_F32, false };
    const sgs_qoptions o = { .in = &in, .out = &out, .conv_format = format };
    *t = (net){ .g = sgs_graph_new("made.onnx") };
    sgs_value *x = sgs_value_new(t->g, SGS_F32, 4, (int64_t[]){ 1, SIDE, SIDE, CHANNELS });
    t->g->in = SGS_NEW(t->g->arena, sgs_value *), t->g->in[0] = x, t->g->nin = 1;
    t->range[x->id] = (sgs_range){ 0 };
    sgs_value *a = conv(t, x, reach[0]), *b = conv(t, x, reach[1]), *c = conv(t, x, reach[2]), *s = add(t, a, b, reach[3]), *e = add(t, s, c, reach[4]), *y = conv(t, e, 1);
    t->g->out = SGS_NEW(t->g->arena, sgs_value *), t->g->out[0] = y, t->g->nout = 1;
    assert_int_equal(sgs_quantize(t->g, t->range, &o, &d), SGS_OK);
}

/* Scales of both operands and the result of addition i. */
static void scales(const net *t, int i, float *to)
{
    for (const sgs_node *n = t->g->first; n; n = n->next)
        if (n->op == &sgs_op_add && i-- == 0) {
            to[0] = n->in[0]->quant->scale[0];
            to[1] = n->in[1]->quant->scale[0];
            to[2] = n->out[0]->quant->scale[0];
            assert_int_equal(n->out[0]->type, SGS_S16);
            return;
        }
    fail_msg("no addition");
}

static void assert_scale(float scale, float reach)
{
    assert_float_equal(scale, reach / 32767, reach * 1e-9f);
}

static void one_scale_along_a_chain(void **state)
{
    (void)state;
    net t;
    float s[3];
    quantized(&t, (float[]){ 1, 3, 2, 4, 5 }, SGS_CONV_DEFAULT);
    for (int i = 0; i < 2; i++) {
        scales(&t, i, s);
        for (int k = 0; k < 3; k++)
            assert_scale(s[k], 5);
    }
    sgs_graph_free(t.g);
}

static void far_ones_keep_theirs(void **state)
{
    (void)state;
    net t;
    float s[3];
    quantized(&t, (float[]){ 1, 3, 100, 4, 100 }, SGS_CONV_DEFAULT);
    scales(&t, 0, s);
    for (int k = 0; k < 3; k++)
        assert_scale(s[k], 4);
    scales(&t, 1, s);
    assert_scale(s[0], 4);
    assert_scale(s[1], 100);
    assert_scale(s[2], 100);
    sgs_graph_free(t.g);
}

/* The last convolution reads e in 16 bits: e may not lose more than one of them. */
static void words_bear_less(void **state)
{
    (void)state;
    net t;
    float s[3];
    quantized(&t, (float[]){ 1, 1, 6, 1, 2 }, SGS_CONV_ALL_INT16);
    scales(&t, 1, s);
    assert_scale(s[2], 2);
    assert_scale(s[1], 6);
    sgs_graph_free(t.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(one_scale_along_a_chain), cmocka_unit_test(far_ones_keep_theirs), cmocka_unit_test(words_bear_less) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
