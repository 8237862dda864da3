#include <math.h>
#include <string.h>

#include "quant/quantize.h"

void sgs_observer_init(sgs_observer *o, sgs_graph *g)
{
    o->g = g;
    o->range = SGS_NEW_N(g->arena, sgs_range, g->nvalue + 1);
    o->bad = NULL;
}

static void start(sgs_range *r, sgs_graph *g, int64_t channels)
{
    r->channels = channels;
    r->lo = SGS_NEW_N(g->arena, float, channels + 1);
    r->hi = SGS_NEW_N(g->arena, float, channels + 1);
    r->sum = SGS_NEW_N(g->arena, double, channels + 1);
    for (int64_t c = 0; c < channels; c++) {
        r->lo[c] = INFINITY;
        r->hi[c] = -INFINITY;
    }
}

void sgs_observe(sgs_observer *o, sgs_value *v, const void *data)
{
    int64_t channels = v->rank ? v->dim[v->rank - 1] : 1, count = sgs_value_count(v);
    sgs_range *r = &o->range[v->id];
    const float *p = data;
    if (v->type != SGS_F32 || !count)
        return;
    if (!r->channels)
        start(r, o->g, channels);
    float zero = 0;
    for (int64_t i = 0; i < count; i += channels)
        for (int64_t c = 0; c < channels; c++) {
            float x = p[i + c];
            r->lo[c] = x < r->lo[c] ? x : r->lo[c];
            r->hi[c] = x > r->hi[c] ? x : r->hi[c];
            r->sum[c] += (double)x;
            zero += x * 0.0f; /* NaN and infinity leave their mark */
        }
    r->count += count / channels;
    if (!(zero == 0.0f) && !o->bad)
        o->bad = v;
}

void sgs_range_all(const sgs_range *r, float *lo, float *hi)
{
    for (int64_t c = 0; c < r->channels; c++) {
        *lo = r->lo[c] < *lo ? r->lo[c] : *lo;
        *hi = r->hi[c] > *hi ? r->hi[c] : *hi;
    }
}
