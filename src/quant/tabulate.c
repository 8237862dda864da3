/* Functions behind convolutions whose readers are convolutions of 8 bits: the convolution gives an index of IPU_INDEX values, in 16 bits, and a table
 * the byte for each (ARITHMETIC.md 25).  The index counts where the byte changes: what lies before the first change and behind the last needs no
 * steps.  Its rounding is noise beside that of the bytes: dF/dx times its step, against theirs.  Where that is too much the function stays one of 16 bits,
 * and so do all where bytes shall have a scale for each channel (equalize.c). */
#include <math.h>

#include "quant/quantize.h"
#include "runtime/image.h"

#define GRID 0x1p-6 /* ends lie on it or are those that were seen: chosen again from what was chosen, they stay */
#define MOST_NOISE 0.1 /* beside that of the bytes that each reader would have of 16 bits: 0.4 dB of one tensor */
enum { MOST_STEPS = 1 << 16, SAMPLES = 65 };

bool sgs_may_tabulate(sgs_quantizer *q, const sgs_users *u, const sgs_node *n)
{
    const sgs_value *x = n->in[0];
    return n->op->value && !q->o->recipe.equalize && x->def && sgs_is_conv(x->def) && sgs_user_count(u, x) == 1 &&
           !(q->kept[sgs_group_of(q, x)].scale > 0) && !q->fine[n->out[0]->id];
}

uint8_t sgs_byte_at(const sgs_node *n, const sgs_quant *y, double x)
{
    const double v = n->op->value(n, x) / (double)y->scale[0];
    return (uint8_t)fmin(fmax(rint(fmin(fmax(v, -65536), 65536)) + y->zero[0], 0), 255);
}

/* From one end towards the other as far as the byte stays the same. */
static double shortened(const sgs_node *n, const sgs_quant *y, double end, double other)
{
    const uint8_t byte = sgs_byte_at(n, y, end);
    const double step = other > end ? GRID : -GRID;
    double x = step * ceil(end / step);
    for (int i = 0; i < MOST_STEPS && (other - x) * step > 0 && sgs_byte_at(n, y, x) == byte; i++, x += step)
        end = x;
    return end;
}

/* What is seen of x: its mean, and how far it varies. */
static void moments(const sgs_range *r, double *mean, double *deviation)
{
    double sum = 0, square = 0, count = (double)r->count * (double)r->channels;
    for (int64_t c = 0; c < r->channels; c++) {
        sum += r->sum[c];
        square += r->square[c];
    }
    *mean = sum / count;
    *deviation = sqrt(fmax(square / count - *mean * *mean, 0));
}

/* The noise that the index adds, as a share of that of the bytes: the mean square of the steps between neighbours, x taken as normal. */
static double noise(const sgs_node *n, const sgs_quant *x, const sgs_quant *y, const sgs_range *r)
{
    const double step = (double)x->scale[0];
    double mean, deviation, sum = 0, weight = 0;
    moments(r, &mean, &deviation);
    for (int i = 0; i < SAMPLES; i++) {
        const double z = 8.0 * i / (SAMPLES - 1) - 4, w = exp(-z * z / 2), at = mean + z * deviation;
        const double rise = n->op->value(n, fmin(at + step / 2, (double)x->hi[0])) - n->op->value(n, fmax(at - step / 2, (double)x->lo[0]));
        weight += w;
        if (at > (double)x->lo[0] && at < (double)x->hi[0])
            sum += w * rise * rise;
    }
    return sum / weight / ((double)y->scale[0] * (double)y->scale[0]);
}

static sgs_quant *index_quant(sgs_quantizer *q, const sgs_node *n, const sgs_quant *y, const sgs_range *r)
{
    float lo = 0, hi = 0;
    sgs_range_all(r, &lo, &hi);
    const double from = fmin(shortened(n, y, (double)lo, (double)hi), 0), to = fmax(shortened(n, y, (double)hi, (double)lo), 0);
    sgs_quant *x = sgs_quant_new(q->g, -1, 1);
    x->scale[0] = (float)((to - from) / (IPU_INDEX - 1));
    x->nrange = 1;
    x->lo = SGS_NEW_N(q->g->arena, float, 1);
    x->hi = SGS_NEW_N(q->g->arena, float, 1);
    x->lo[0] = (float)from;
    x->hi[0] = (float)to;
    return x;
}

/* By group: the noise of its bytes against that of those which a convolution would have of the member that it reads, where that is most. */
static const double *shares(sgs_quantizer *q)
{
    double *share = SGS_NEW_N(q->g->arena, double, q->nplan + 1);
    for (const sgs_node *n = q->g->first; n; n = n->next) {
        if (!sgs_is_conv(n) || q->wide[n->out[0]->id] || n->in[0]->constant || sgs_takes_image(q, n))
            continue;
        const int group = sgs_group_of(q, n->in[0]);
        const double ratio = (double)q->quant[group]->scale[0] / (double)sgs_own_bytes(q, n->in[0])->scale[0];
        share[group] = fmax(share[group], ratio * ratio);
    }
    return share;
}

/* False: a table does not serve it.  share: of its bytes. */
static bool tabulated(sgs_quantizer *q, const sgs_node *n, double share)
{
    const sgs_quant *y = q->quant[sgs_group_of(q, n->out[0])];
    const int id = n->in[0]->id;
    const sgs_range *r = &q->range[id];
    if (id >= q->nrange || !r->channels || !r->count)
        return false;
    sgs_quant *x = index_quant(q, n, y, r);
    if (!(x->scale[0] >= 1e-30f) || !(share * (1 + noise(n, x, y, r)) <= 1 + MOST_NOISE)) /* at a pole it is no number */
        return false;
    q->quant[sgs_group_of(q, n->in[0])] = x;
    q->first[id] = (int32_t)rint((double)x->lo[0] / (double)x->scale[0]);
    return true;
}

bool sgs_tabulate(sgs_quantizer *q)
{
    const sgs_users *users = sgs_users_of(q->g, q->g->arena);
    const double *share = shares(q);
    bool all = true;
    for (const sgs_node *n = q->g->first; n; n = n->next)
        if (n->op->value && q->type[sgs_group_of(q, n->out[0])] == SGS_U8 && sgs_may_tabulate(q, users, n) &&
            !tabulated(q, n, share[sgs_group_of(q, n->out[0])])) {
            q->fine[n->out[0]->id] = 1;
            all = false;
        }
    return all;
}
