#include <math.h>
#include <string.h>

#include "quant/quantize.h"

enum { SOME = 1 << 15 }; /* elements of a tensor that a run counts */

/* Channels of each value by id; 0: never observed. */
static int64_t *channels_of(const sgs_graph *g)
{
    int64_t *n = SGS_NEW_N(g->arena, int64_t, g->nvalue + 1);
    for (int i = 0; i < g->nin; i++)
        n[g->in[i]->id] = g->in[i]->rank ? g->in[i]->dim[g->in[i]->rank - 1] : 1;
    for (const sgs_node *node = g->first; node; node = node->next)
        n[node->out[0]->id] = node->out[0]->rank ? node->out[0]->dim[node->out[0]->rank - 1] : 1;
    return n;
}

/* Values that a convolution may get in 8 bits with a range of our choice. */
static bool *binned_of(const sgs_graph *g)
{
    bool *binned = SGS_NEW_N(g->arena, bool, g->nvalue + 1);
    for (const sgs_node *n = g->first; n; n = n->next)
        if (sgs_is_conv(n) && n->in[0]->def)
            binned[n->in[0]->id] = true;
    return binned;
}

/* A pixel may have more than SOME channels. */
static int64_t most_counted(const sgs_observer *o)
{
    int64_t most = 0;
    for (int i = 0; i < o->g->nvalue; i++)
        most = o->channels[i] > most ? o->channels[i] : most;
    return most + SOME;
}

void sgs_observer_init(sgs_observer *o, sgs_graph *g, bool histograms)
{
    o->g = g;
    o->channels = channels_of(g);
    o->binned = histograms ? binned_of(g) : NULL;
    o->range = SGS_NEW_N(g->arena, sgs_range, g->nvalue + 1);
    o->some = histograms ? SGS_NEW_N(g->arena, float, most_counted(o)) : NULL;
    o->bad = NULL;
}

static void empty(sgs_range *r)
{
    for (int64_t c = 0; c < r->channels; c++) {
        r->lo[c] = INFINITY;
        r->hi[c] = -INFINITY;
        r->sum[c] = r->square[c] = 0;
    }
    r->count = 0;
    r->fractions = false;
    sgs_histogram_clear(&r->bins);
}

static void start(sgs_range *r, sgs_graph *g, int64_t channels)
{
    r->channels = channels;
    r->lo = SGS_NEW_N(g->arena, float, channels + 1);
    r->hi = SGS_NEW_N(g->arena, float, channels + 1);
    r->sum = SGS_NEW_N(g->arena, double, channels + 1);
    r->square = SGS_NEW_N(g->arena, double, channels + 1);
    empty(r);
}

enum { LANES = 32 };

/* What is kept of some neighbouring channels while a tensor is read. */
typedef struct lanes {
    float lo[LANES], hi[LANES];
    double sum[LANES], square[LANES];
} lanes;

/* One pixel's elements: a loop that a compiler makes vectors of.  Channel by channel, the order is that of the pixels.
 */
static inline void add_pixel(lanes *l, const float *p, int n)
{
    for (int c = 0; c < n; c++) {
        const float x = p[c];
        const double wide = (double)x;
        l->lo[c] = x < l->lo[c] ? x : l->lo[c];
        l->hi[c] = x > l->hi[c] ? x : l->hi[c];
        l->sum[c] += wide;
        l->square[c] += wide * wide;
    }
}

static void add_pixels(lanes *l, const float *p, int64_t pixels, int64_t step, int n)
{
    if (n == LANES)
        for (int64_t i = 0; i < pixels; i++)
            add_pixel(l, p + i * step, LANES);
    else
        for (int64_t i = 0; i < pixels; i++)
            add_pixel(l, p + i * step, n);
}

/* Channels c to c + n of the tensor at p. */
static void add_channels(sgs_range *r, const float *p, int64_t pixels, int64_t c, int n)
{
    lanes l;
    for (int k = 0; k < n; k++) {
        l.lo[k] = r->lo[c + k], l.hi[k] = r->hi[c + k];
        l.sum[k] = r->sum[c + k], l.square[k] = r->square[c + k];
    }
    add_pixels(&l, p + c, pixels, r->channels, n);
    for (int k = 0; k < n; k++) {
        r->lo[c + k] = l.lo[k], r->hi[c + k] = l.hi[k];
        r->sum[c + k] = l.sum[k], r->square[c + k] = l.square[k];
    }
}

/* Squares of floats are finite as doubles. */
static bool is_finite(const sgs_range *r)
{
    double zero = 0;
    for (int64_t c = 0; c < r->channels; c++)
        zero += r->square[c] * 0;
    return zero == 0;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static float largest(const sgs_range *r)
{
    float lo = 0, hi = 0;
    sgs_range_all(r, &lo, &hi);
    return fmaxf(-lo, hi);
}

/* Every so many pixels one counts, so that a run counts about SOME elements: no divisor of their number, or columns of
 * a picture would be left out. */
int64_t sgs_observed_step(const sgs_value *v)
{
    const int64_t channels = v->rank ? v->dim[v->rank - 1] : 1, pixels = sgs_value_count(v) / channels;
    int64_t step = (pixels * channels + SOME - 1) / SOME;
    while (step > 1 && common_divisor(step, pixels) > 1)
        step++;
    return step;
}

static void add_bins(sgs_observer *o, sgs_range *r, const sgs_value *v, const float *p)
{
    const int64_t step = sgs_observed_step(v), pixels = sgs_value_count(v) / r->channels;
    const float most = largest(r);
    if (step == 1) {
        sgs_histogram_count(&r->bins, o->g->arena, p, pixels * r->channels, most);
        return;
    }
    int64_t n = 0;
    for (int64_t i = 0; i < pixels; i += step, n += r->channels)
        memcpy(o->some + n, p + i * r->channels, (size_t)r->channels * sizeof *p);
    sgs_histogram_count(&r->bins, o->g->arena, o->some, n, most);
}

void sgs_observe(sgs_observer *o, sgs_value *v, const void *data)
{
    const int64_t channels = v->rank ? v->dim[v->rank - 1] : 1, count = sgs_value_count(v);
    sgs_range *r = &o->range[v->id];
    const float *p = data;
    if (v->type != SGS_F32 || !count)
        return;
    if (!r->channels)
        start(r, o->g, channels);
    for (int64_t c = 0; c < channels; c += LANES)
        add_channels(r, p, count / channels, c, channels - c < LANES ? (int)(channels - c) : LANES);
    r->count += count / channels;
    for (int64_t i = 0; i < count && !v->def && !r->fractions; i++)
        r->fractions = p[i] != rintf(p[i]);
    if (!is_finite(r))
        o->bad = o->bad ? o->bad : v;
    else if (o->binned && o->binned[v->id])
        add_bins(o, r, v, p);
}

void sgs_observer_clear(sgs_observer *o)
{
    for (int i = 0; i < o->g->nvalue; i++)
        empty(&o->range[i]);
    o->bad = NULL;
}

void sgs_range_all(const sgs_range *r, float *lo, float *hi)
{
    for (int64_t c = 0; c < r->channels; c++) {
        *lo = r->lo[c] < *lo ? r->lo[c] : *lo;
        *hi = r->hi[c] > *hi ? r->hi[c] : *hi;
    }
}
