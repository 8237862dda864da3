#include <math.h>
#include <string.h>

#include "quant/quantize.h"

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

void sgs_observer_init(sgs_observer *o, sgs_graph *g)
{
    o->g = g;
    o->channels = channels_of(g);
    o->range = SGS_NEW_N(g->arena, sgs_range, g->nvalue + 1);
    o->bad = NULL;
}

static void start(sgs_range *r, sgs_graph *g, int64_t channels)
{
    r->channels = channels;
    r->lo = SGS_NEW_N(g->arena, float, channels + 1);
    r->hi = SGS_NEW_N(g->arena, float, channels + 1);
    r->sum = SGS_NEW_N(g->arena, double, channels + 1);
    r->square = SGS_NEW_N(g->arena, double, channels + 1);
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
            r->square[c] += (double)x * (double)x;
            zero += x * 0.0f; /* NaN and infinity leave their mark */
        }
    r->count += count / channels;
    for (int64_t i = 0; i < count && !v->def && !r->fractions; i++)
        r->fractions = p[i] != rintf(p[i]);
    if (!(zero == 0.0f) && !o->bad)
        o->bad = v;
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
}

static void fold(sgs_range *to, const sgs_range *from)
{
    for (int64_t c = 0; c < from->channels; c++) {
        to->lo[c] = fminf(to->lo[c], from->lo[c]);
        to->hi[c] = fmaxf(to->hi[c], from->hi[c]);
        to->sum[c] += from->sum[c];
        to->square[c] += from->square[c];
    }
    to->count += from->count;
    to->fractions |= from->fractions;
}

void sgs_observer_fold(sgs_observer *to, sgs_observer *from)
{
    for (int i = 0; i < from->g->nvalue; i++) {
        sgs_range *f = &from->range[i], *t = &to->range[i];
        if (!f->count)
            continue;
        if (!t->channels)
            start(t, to->g, f->channels);
        fold(t, f);
        empty(f);
    }
    from->bad = NULL;
}

/* For each value that was seen: id, channels, count, fractions; lo, hi, sum, square of each channel. */
void sgs_observer_pack(sgs_observer *o, sgs_buf *out)
{
    for (int i = 0; i < o->g->nvalue; i++) {
        sgs_range *r = &o->range[i];
        const int64_t head[4] = { i, r->channels, r->count, r->fractions };
        if (!r->count)
            continue;
        sgs_buf_add(out, head, sizeof head);
        sgs_buf_add(out, r->lo, (size_t)r->channels * sizeof *r->lo);
        sgs_buf_add(out, r->hi, (size_t)r->channels * sizeof *r->hi);
        sgs_buf_add(out, r->sum, (size_t)r->channels * sizeof *r->sum);
        sgs_buf_add(out, r->square, (size_t)r->channels * sizeof *r->square);
        empty(r);
    }
    o->bad = NULL;
}

static bool take(sgs_span *from, void *to, size_t n)
{
    if (n > from->n)
        return false;
    memcpy(to, from->p, n);
    from->p += n;
    from->n -= n;
    return true;
}

/* One value's part. */
static bool unpack(sgs_observer *o, sgs_span *bytes)
{
    int64_t head[4];
    if (!take(bytes, head, sizeof head) || head[0] < 0 || head[0] >= o->g->nvalue || head[1] < 1 ||
        head[1] != o->channels[head[0]] || head[2] < 1 || (head[3] | 1) != 1)
        return false;
    sgs_range *r = &o->range[head[0]];
    const size_t n = (size_t)head[1];
    if (bytes->n / (sizeof(float) * 2 + sizeof(double) * 2) < n)
        return false;
    if (!r->channels)
        start(r, o->g, head[1]);
    r->count = head[2];
    r->fractions = head[3] != 0;
    return take(bytes, r->lo, n * sizeof *r->lo) && take(bytes, r->hi, n * sizeof *r->hi) &&
           take(bytes, r->sum, n * sizeof *r->sum) && take(bytes, r->square, n * sizeof *r->square);
}

sgs_status sgs_observer_unpack(sgs_observer *o, sgs_span bytes, sgs_diag *d)
{
    while (bytes.n)
        if (!unpack(o, &bytes)) {
            for (int i = 0; i < o->g->nvalue; i++)
                empty(&o->range[i]);
            return sgs_fail(d, SGS_E_DATA, "these are not the statistics of this model");
        }
    return SGS_OK;
}

void sgs_range_all(const sgs_range *r, float *lo, float *hi)
{
    for (int64_t c = 0; c < r->channels; c++) {
        *lo = r->lo[c] < *lo ? r->lo[c] : *lo;
        *hi = r->hi[c] > *hi ? r->hi[c] : *hi;
    }
}
