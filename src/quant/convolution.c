/* Convolutions, fully connected and depthwise included, in integers: what their weights are made from (weights.c), and what stands in the place of the float ones. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "quant/quantize.h"

/* The board's channel order: float weights with their input channels reversed. */
static const float *swapped(sgs_quantizer *q, const sgs_value *v, const sgs_qweights *w)
{
    const float *from = sgs_const_data(v);
    float *to = SGS_NEW_N(q->g->arena, float, sgs_value_count(v));
    for (int64_t o = 0; o < w->outputs; o++)
        for (int64_t t = 0; t < w->taps; t++)
            for (int64_t i = 0; i < w->inputs; i++)
                to[o * w->step_o + t * w->step_t + i * w->step_i] = from[o * w->step_o + t * w->step_t + (w->inputs - 1 - i) * w->step_i];
    return to;
}

/* ARITHMETIC.md 10: pixels count from a whole zero point, not from the mean; inside the picture the difference is a constant. */
static const float *image_bias(sgs_quantizer *q, const sgs_qinput *in, const sgs_qweights *w)
{
    float *b = SGS_NEW_N(q->g->arena, float, w->outputs);
    for (int64_t o = 0; o < w->outputs; o++) {
        double sum = w->bias ? (double)w->bias[o] : 0;
        for (int64_t t = 0; t < w->taps; t++)
            for (int64_t i = 0; i < w->inputs; i++) {
                int64_t c = o / w->group * w->inputs + i, channels = w->outputs / w->group * w->inputs;
                int64_t k = channels > 1 && in->swap ? channels - 1 - c : c;
                double off = ((double)w->zero[c] - (double)in->mean[k]) / (double)in->std[k];
                sum += (double)w->weights[o * w->step_o + t * w->step_t + i * w->step_i] * off;
            }
        b[o] = (float)sum;
    }
    return b;
}

/* Scales per input channel: the largest counts, the weights absorb the rest. */
static void absorb(sgs_quantizer *q, const sgs_quant *x, sgs_qweights *w)
{
    int64_t channels = w->outputs / w->group * w->inputs;
    float *ratio = SGS_NEW_N(q->g->arena, float, channels);
    int32_t *zero = SGS_NEW_N(q->g->arena, int32_t, channels);
    w->s_x = 0;
    for (int i = 0; i < x->n; i++)
        w->s_x = fmax(w->s_x, (double)x->scale[i]);
    for (int64_t c = 0; c < channels; c++) {
        ratio[c] = (float)((double)x->scale[x->n > 1 ? c : 0] / w->s_x);
        zero[c] = x->zero[x->n > 1 ? c : 0];
    }
    w->ratio = x->n > 1 ? ratio : NULL;
    w->zero = zero;
}

/* Mean of each input channel, in the order of the weights; NULL where calibration saw none. */
static const double *input_means(sgs_quantizer *q, const sgs_value *x, bool swap, int64_t channels)
{
    const sgs_range *r = x->id < q->nrange ? &q->range[x->id] : NULL;
    if (!r || r->channels != channels || !r->count)
        return NULL;
    double *mean = SGS_NEW_N(q->g->arena, double, channels);
    for (int64_t c = 0; c < channels; c++)
        mean[c] = r->sum[swap ? channels - 1 - c : c] / (double)r->count;
    return mean;
}

#define LEAST_ENERGY 1e-6 /* of the liveliest channel's */

/* How much each input channel varies, in the order of the weights; where rounded weights shift the mean, all of it counts. */
static const double *input_energy(sgs_quantizer *q, const sgs_value *x, bool swap, int64_t channels, bool corrected)
{
    const sgs_range *r = x->id < q->nrange ? &q->range[x->id] : NULL;
    if (!r || r->channels != channels || !r->count)
        return NULL;
    double *e = SGS_NEW_N(q->g->arena, double, channels), most = 0;
    for (int64_t c = 0; c < channels; c++) {
        const int64_t k = swap ? channels - 1 - c : c;
        const double mean = r->sum[k] / (double)r->count, square = r->square[k] / (double)r->count;
        e[c] = fmax(corrected ? square - mean * mean : square, 0);
        most = fmax(most, e[c]);
    }
    for (int64_t c = 0; c < channels; c++) /* a channel that calibration saw nothing of may say something yet */
        e[c] = fmax(e[c], most * LEAST_ENERGY);
    return most > 0 ? e : NULL;
}

/* Of the outputs along one axis, the share for which tap k lies inside the input. */
static double share_inside(int64_t out, int64_t in, int64_t stride, int64_t first)
{
    int64_t inside = 0;
    for (int64_t i = 0; i < out; i++)
        inside += i * stride + first >= 0 && i * stride + first < in;
    return (double)inside / (double)out;
}

/* The share of a convolution's outputs along one axis that tap k reaches. */
static double axis_seen(const sgs_node *n, int i, int64_t k)
{
    const sgs_conv_attr *a = n->attr;
    const int64_t x = n->in[0]->dim[1 + i], y = n->out[0]->dim[1 + i], first = k * a->dilation[i] - a->pad[i];
    if (n->op == &sgs_op_deconv) /* input pixels reach outputs */
        return share_inside(x, y, a->stride[i], first) * (double)x / (double)y;
    return share_inside(y, x, a->stride[i], first);
}

const double *sgs_taps_seen(const sgs_node *n, double *seen)
{
    const int64_t *k = n->in[1]->dim, taps = n->op == &sgs_op_fc ? 1 : k[1] * k[2];
    for (int64_t t = 0; t < taps; t++)
        seen[t] = n->op == &sgs_op_fc ? 1 : axis_seen(n, 0, t / k[2]) * axis_seen(n, 1, t % k[2]);
    return seen;
}

static void put_back(sgs_quantizer *q, sgs_node *n, const sgs_qweights *w, const char *reason)
{
    sgs_graph *g = q->g;
    int64_t outputs = w->outputs;
    sgs_value *old = n->in[1], *nw = sgs_const_new(g, w->wide ? SGS_S16 : w->four ? SGS_S4 : SGS_S8, old->rank, old->dim, w->w, false);
    nw->quant = sgs_quant_new(g, n->op == &sgs_op_depthwise ? 3 : 0, (int)outputs);
    memcpy(nw->quant->scale, w->scale, (size_t)outputs * sizeof(float));
    nw->quant->reason = reason;
    sgs_hand_name(q, nw, old);
    sgs_value *nb = sgs_const_new(g, w->wide ? SGS_S64 : SGS_S32, 1, &outputs, w->b, false);
    if (n->nin > 2 && n->in[2])
        sgs_hand_name(q, nb, n->in[2]);
    sgs_value **in = SGS_NEW_N(g->arena, sgs_value *, 3);
    in[0] = n->in[0];
    in[1] = nw;
    in[2] = nb;
    n->in = in;
    n->nin = 3;
}

/* The value of the float graph that x holds: nodes inserted here have none of their own. */
static const sgs_value *float_source(const sgs_value *x)
{
    while (x->def && (x->def->op == &sgs_op_quantize || x->def->name == sgs_ordering))
        x = x->def->in[0];
    return x;
}

/* Where channels have their own scales, none reaches beyond the activation's end: the end of the type is the end (equalize.c). */
static void end_by_type(sgs_quantizer *q, sgs_node *n)
{
    const sgs_conv_attr *old = n->attr;
    if (old->act == SGS_ACT_NONE || old->act == SGS_ACT_RELU)
        return;
    const size_t bytes = n->op == &sgs_op_deconv ? sizeof(sgs_deconv_attr) : sizeof(sgs_conv_attr);
    sgs_conv_attr *a = sgs_alloc_n(q->g->arena, bytes, 1);
    memcpy(a, old, bytes);
    a->act = SGS_ACT_RELU;
    a->lo = a->hi = 0;
    n->attr = a;
}

/* Why convolution n has its bits. */
static const char *reason_of(const sgs_quantizer *q, const sgs_node *n)
{
    const int id = n->out[0]->id;
    const char *chosen = q->reason[id];
    if (q->wide[id])
        return chosen ? chosen : "16 bit: asked for in the ini";
    if (q->four[id])
        return q->four[id] == SGS_FOUR_OWN ? "4 bit: the weights fit" : q->four[id] == SGS_FOUR_CHOSEN ? chosen : "4 bit: imported";
    return sgs_takes_image(q, n) ? "8 bit: reads the image" : chosen ? chosen : "8 bit: default";
}

void sgs_quantize_conv(sgs_quantizer *q, sgs_node *n)
{
    sgs_graph *g = q->g;
    sgs_qweights w;
    const sgs_value *x = n->in[0], *source = float_source(x);
    bool image = sgs_takes_image(q, n);
    const sgs_qinput of = image ? sgs_image_of(q, x) : (sgs_qinput){ 0 }, *in = &of;
    sgs_conv_layout(n, &w);
    w.arena = g->arena;
    w.parts = n->op == &sgs_op_deconv;
    w.wide = q->wide[n->out[0]->id];
    w.four = !w.wide && q->four[n->out[0]->id];
    w.search = q->o->recipe.search;
    w.weights = image && in->swap ? swapped(q, n->in[1], &w) : sgs_const_data(n->in[1]);
    w.bias = n->nin > 2 && n->in[2] ? sgs_const_data(n->in[2]) : NULL;
    absorb(q, x->quant, &w);
    if (image)
        w.bias = image_bias(q, in, &w);
    const sgs_recipe *recipe = &q->o->recipe;
    const int64_t channels = w.outputs / w.group * w.inputs;
    w.seen = sgs_taps_seen(n, SGS_NEW_N(g->arena, double, w.taps));
    if (recipe->correct)
        w.mean = w.given = input_means(q, source, image && in->swap, channels);
    const bool known = n->out[0]->id < q->nfloat;
    if (w.mean && known && recipe->given && recipe->given[n->out[0]->id] && !image)
        w.given = recipe->given[n->out[0]->id];
    if (recipe->weigh)
        w.energy = input_energy(q, source, image && in->swap, channels, w.mean != NULL);
    w.reversed = image && in->swap;
    if (recipe->factor && known && !w.wide && w.mean)
        w.factor = recipe->factor[n->out[0]->id];
    if (recipe->learned && known && !w.wide && recipe->learned[n->out[0]->id].w)
        w.learned = &recipe->learned[n->out[0]->id];
    if (n->out[0]->id < q->nplan && q->own[n->out[0]->id])
        end_by_type(q, n);
    w.w = sgs_alloc_n(g->arena, (size_t)sgs_value_count(n->in[1]), w.wide ? 2 : 1);
    w.b = sgs_alloc_n(g->arena, (size_t)w.outputs, w.wide ? 8 : 4);
    w.scale = SGS_NEW_N(g->arena, float, w.outputs);
    w.imported = sgs_import_weights(q, n->in[1], w.outputs, sgs_most_weight(&w));
    w.threads = q->o->threads;
    if (q->o->kept && known && !w.wide)
        w.kept = sgs_kept_scales_of(q->o->kept, n->out[0]->id, &w);
    sgs_quantize_weights(&w);
    sgs_import_weights_said(q, n->in[1], w.odd, w.outputs);
    if (w.raised)
        sgs_log_line(q->o->log, "%s: weight scale of %d of %lld channels raised so that every sum fits", sgs_node_label(g, n), w.raised, (long long)w.outputs);
    if (recipe->made && known)
        recipe->made[n->out[0]->id] = w;
    put_back(q, n, &w, reason_of(q, n));
}
