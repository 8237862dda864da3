/* A scale for each channel of what 8-bit convolutions read, which costs nothing: who makes the channels multiplies each
 * by its own number anyway, and the weights that read them absorb the rest (ARITHMETIC.md 4).  It is the equalization
 * of Nagel et al., "Data-Free Quantization", without a change of the float model: a channel's scale s t[c] has the same
 * effect as dividing the channel by t[c] there.
 *
 * How far to go is a matter of both sides: t = what the channel reaches makes its steps as fine as they can be, and
 * makes the weights of a convolution as different as the channels were.  So a few mixtures of what channels reach (a)
 * and what the weights are that read them (w) are compared, t[c] = a[c]^(1-b) / w[c]^b,        b = 0, 1/4, 1/2, 3/4, 1,
 * and t = 1, by the noise that they bring into the convolutions' results, and the least wins.  A weight counts as a
 * share of the largest product of its output, which may have been scaled itself.  So all but t = 1 come out the same
 * for a network whose channels were scaled and scaled back. */
#include <math.h>

#include "base/sets.h"
#include "quant/quantize.h"

enum { MIXTURES = 5, ALONE = MIXTURES, CANDIDATES };
#define LEAST_RATIO 0x1p-14 /* of the largest scale of a tensor: below, weights would vanish */

#define ROOM 0.25 /* of a channel's reach, where a sample has one pixel of it */

/* Channels of tensors; those that move together are one. */
typedef struct channels {
    sgs_quantizer *q;
    int *first; /* by value id: number of its channel 0; -1: one scale */
    int *part;  /* by value id: number of the first value that must have its zero point */
    int n;
    int *same;       /* sets of channels */
    double *lo, *hi; /* what was seen, with 0 */
    double *w;       /* largest weight that reads it, as a share of its output's largest product */
    double *end;     /* where the activations that make it end */
    double *t;       /* [CANDIDATES][n] */
} channels;

static int64_t last_dim(const sgs_value *v)
{
    return v->rank ? v->dim[v->rank - 1] : 1;
}

/* ---- which tensors ---- */

bool sgs_has_channels(const sgs_quantizer *q, const sgs_value *v)
{
    return v->type == SGS_F32 && v->id < q->nrange && q->range[v->id].channels == last_dim(v) &&
           q->range[v->id].count && !q->range[v->id].given && last_dim(v) > 1 && !q->whole[v->id];
}

static bool reads_bytes(const sgs_quantizer *q, const sgs_node *n)
{
    return sgs_is_conv(n) && !q->wide[n->out[0]->id] && n->in[1]->constant && !n->in[0]->constant &&
           !sgs_takes_image(q, n) && !sgs_import_gives_range(q, n->in[1]);
}

/* The activation of a convolution ends at 0 below, or nowhere; *end: above. */
static bool ends_at_zero(const sgs_node *n, double *end)
{
    const sgs_conv_attr *a = n->attr;
    *end = a->act == SGS_ACT_RELU6 ? 6 : a->act == SGS_ACT_CLIP ? (double)a->hi : INFINITY;
    return a->act != SGS_ACT_CLIP || a->lo == 0;
}

bool sgs_keeps_channels(const sgs_node *n)
{
    if (n->op == &sgs_op_maxpool)
        return true;
    if (n->op != &sgs_op_concat || ((const sgs_axis_attr *)n->attr)->axis != n->out[0]->rank - 1)
        return false;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i]->constant || n->in[i]->rank != n->out[0]->rank)
            return false;
    return true;
}

/* v of a group of bytes is made and read by what has a scale for each channel. */
static bool is_fit(channels *c, const sgs_value *v)
{
    double end;
    const sgs_node *def = v->def;
    if (!def || !sgs_has_channels(c->q, v) || !(sgs_is_conv(def) ? ends_at_zero(def, &end) : sgs_keeps_channels(def)))
        return false;
    for (const sgs_node *n = def->next; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] == v && !(i == 0 && reads_bytes(c->q, n)) &&
                !(sgs_keeps_channels(n) && sgs_group_of(c->q, n->out[0]) == sgs_group_of(c->q, v)))
                return false;
    return true;
}

static void number(channels *c, const sgs_value *v, int part)
{
    c->first[v->id] = c->n;
    c->part[v->id] = part;
    c->n += (int)last_dim(v);
}

/* Groups of bytes as a whole, values of 16 bits alone. */
static void choose_tensors(channels *c)
{
    sgs_quantizer *q = c->q;
    bool *unfit = SGS_NEW_N(q->g->arena, bool, q->nplan + 1);
    for (int i = 0; i < q->g->nin; i++)
        unfit[sgs_group_of(q, q->g->in[i])] = true;
    for (int i = 0; i < q->g->nout; i++)
        unfit[sgs_group_of(q, q->g->out[i])] = true;
    for (const sgs_node *n = q->g->first; n; n = n->next) {
        const int group = sgs_group_of(q, n->out[0]);
        if (q->type[group] == SGS_U8 && !unfit[group])
            unfit[group] = n->nout != 1 || q->image[n->out[0]->id] || q->kept[group].scale > 0 || !is_fit(c, n->out[0]);
    }
    for (const sgs_node *n = q->g->first; n; n = n->next) {
        const int group = sgs_group_of(q, n->out[0]);
        if (q->type[group] == SGS_U8 && !unfit[group])
            number(c, n->out[0], group);
        const sgs_value *x = n->in[0];
        if (reads_bytes(q, n) && x->def && q->type[sgs_group_of(q, x)] == SGS_S16 && c->first[x->id] < 0 &&
            sgs_has_channels(q, x) && !(q->kept[sgs_group_of(q, x)].scale > 0))
            number(c, x, x->id);
    }
}

/* ---- channels ---- */

static void join_moves(channels *c)
{
    for (const sgs_node *n = c->q->g->first; n; n = n->next) {
        const sgs_value *y = n->out[0];
        int to = c->first[y->id];
        for (int i = 0; i < n->nin && to >= 0 && sgs_keeps_channels(n); i++)
            for (int64_t k = 0, from = c->first[n->in[i]->id]; k < last_dim(n->in[i]); k++, to++)
                if (from >= 0 && c->part[n->in[i]->id] == c->part[y->id])
                    sgs_sets_join(c->same, (int)(from + k), to);
    }
    for (int i = 0; i < c->n; i++)
        c->same[i] = sgs_set_of(c->same, i);
}

/* The largest number of one channel is less certain than that of a tensor, and of few pixels a sample most: there new
 * samples reach farther. */
static double room_of(const sgs_value *v)
{
    return 1 + ROOM / sqrt((double)(sgs_value_count(v) / last_dim(v)));
}

static void note_values(channels *c)
{
    for (const sgs_node *n = c->q->g->first; n; n = n->next) {
        const int first = c->first[n->out[0]->id];
        const sgs_range *r = &c->q->range[n->out[0]->id];
        const sgs_stretch *reach =
            c->q->o->recipe.stretch && n->out[0]->id < c->q->nfloat ? &c->q->o->recipe.stretch[n->out[0]->id] : NULL;
        double end = INFINITY, room = room_of(n->out[0]);
        const bool ends = first >= 0 && sgs_is_conv(n) && c->q->type[sgs_group_of(c->q, n->out[0])] == SGS_U8 &&
                          ends_at_zero(n, &end);
        for (int64_t k = 0; first >= 0 && k < r->channels; k++) {
            const int i = sgs_set_of(c->same, first + (int)k);
            c->lo[i] = fmin(c->lo[i], reach && reach->lo ? (double)reach->lo[k] : (double)r->lo[k] * room);
            c->hi[i] = fmax(c->hi[i], reach && reach->hi ? (double)reach->hi[k] : (double)r->hi[k] * room);
            if (ends)
                c->end[i] = fmin(c->end[i], end);
        }
    }
}

static double reach(const channels *c, int i)
{
    return fmax(c->hi[i], -c->lo[i]);
}

/* The most that one product of output o reaches: who has scaled that output, as a channel of its own, has scaled it too. */
static double largest_product(channels *c, const sgs_node *n, const sgs_qweights *w, int64_t o)
{
    double most = 0;
    for (int64_t i = 0; i < w->inputs; i++) {
        const double a = reach(c, sgs_set_of(c->same, c->first[n->in[0]->id] + (int)(o / w->group * w->inputs + i)));
        for (int64_t t = 0; t < w->taps; t++)
            most = fmax(most, a * fabs((double)sgs_const_f32(n->in[1])[o * w->step_o + t * w->step_t + i * w->step_i]));
    }
    return most;
}

static void note_weights(channels *c)
{
    for (const sgs_node *n = c->q->g->first; n; n = n->next) {
        const int first = reads_bytes(c->q, n) ? c->first[n->in[0]->id] : -1;
        sgs_qweights w;
        if (first < 0)
            continue;
        sgs_conv_layout(n, &w);
        for (int64_t o = 0; o < w.outputs; o++) {
            const double most = largest_product(c, n, &w, o);
            for (int64_t t = 0; t < w.taps && most > 0; t++)
                for (int64_t i = 0; i < w.inputs; i++) {
                    const int k = sgs_set_of(c->same, first + (int)(o / w.group * w.inputs + i));
                    const double size =
                        fabs((double)sgs_const_f32(n->in[1])[o * w.step_o + t * w.step_t + i * w.step_i]);
                    c->w[k] = fmax(c->w[k], size / most);
                }
        }
    }
}

/* ---- candidates ---- */

/* A channel that nothing was seen of or nothing reads takes part as the others of its tensor do, so to say: its number
 * is made good later. */
static double mixture(const channels *c, int i, double b)
{
    const double a = reach(c, i), w = c->w[i];
    return a > 0 && w > 0 ? exp2((1 - b) * log2(a) - b * log2(w)) : 0;
}

static void mix(channels *c)
{
    for (int k = 0; k < CANDIDATES; k++)
        for (int i = 0; i < c->n; i++)
            if (c->same[i] == i)
                c->t[k * c->n + i] = k == ALONE ? 1 : mixture(c, i, (double)k / (MIXTURES - 1));
}

/* Ranges of a part with its channels divided by t. */
typedef struct extent {
    double lo, hi, most; /* most: the largest t */
    double scale, zero;
} extent;

static void set_extent(extent *e)
{
    const double range = e->hi - e->lo;
    e->scale = range > 0 ? range / 255 : 1;
    e->zero = fmin(fmax(rint(-e->lo / e->scale), 0), 255);
}

/* Of candidate k, by part. */
static void measure_extents(channels *c, int k, extent *e)
{
    for (int id = 0; id < c->q->nplan; id++)
        e[id] = (extent){ 0 };
    for (int round = 0; round < 2; round++)
        for (const sgs_node *n = c->q->g->first; n; n = n->next) {
            const int id = n->out[0]->id, first = c->first[id];
            extent *x = first >= 0 ? &e[c->part[id]] : NULL;
            for (int64_t j = 0; x && j < last_dim(n->out[0]); j++) {
                const int i = sgs_set_of(c->same, first + (int)j);
                double *t = &c->t[k * c->n + i];
                if (!round) {
                    x->most = fmax(x->most, *t);
                    continue;
                }
                *t = *t > 0 ? fmax(*t, x->most * LEAST_RATIO) : x->most > 0 ? x->most : 1;
                x->lo = fmin(x->lo, c->lo[i] / *t);
                x->hi = fmax(x->hi, c->hi[i] / *t);
            }
        }
    for (int id = 0; id < c->q->nplan; id++)
        set_extent(&e[id]);
}

/* No channel reaches beyond the end of its activation: bytes end there. */
static double scale_of(const channels *c, int i, int k, const extent *e)
{
    return fmin(e->scale * c->t[k * c->n + i], c->end[i] / (255 - fmin(e->zero, 254)));
}

/* ---- noise ---- */

/* The nearest whole number, for magnitudes below 2^51. */
static double nearest(double x)
{
    return x + 0x1.8p52 - 0x1.8p52;
}

/* What brings noise into convolutions by candidate k, of the extents e. */
typedef struct loudness {
    channels *c;
    int k, n;
    const extent *e;
    const sgs_node **conv; /* [n] */
    double *total;         /* by part */
    struct place {
        double *u, *energy; /* by input channel: scales, variances */
        double noise;
    } *place;
} loudness;

static void note_channels(const loudness *l, const sgs_node *n, const struct place *p)
{
    const channels *c = l->c;
    const int first = c->first[n->in[0]->id];
    const sgs_range *r = &c->q->range[n->in[0]->id];
    for (int64_t i = 0; i < last_dim(n->in[0]); i++) {
        const double mean = r->sum[i] / (double)r->count;
        p->u[i] = scale_of(c, c->same[first + i], l->k, &l->e[c->part[n->in[0]->id]]);
        p->energy[i] = fmax(r->square[i] / (double)r->count - mean * mean, 0);
    }
}

/* *sum grows by what output o, whose weights are `from`, loses by steps of the input u and of the weights. */
static void add_output(const sgs_qweights *w, const float *from, const double *u, const double *energy, bool alone, double *sum)
{
    double most = 0;
    for (int64_t i = 0; i < w->inputs; i++)
        for (int64_t t = 0; t < w->taps; t++) {
            const double size = fabs((double)from[t * w->step_t + i * w->step_i]) * u[i];
            most = size > most ? size : most;
        }
    const double step = most / 127;
    const bool counts = step > 0 && !(alone && sgs_on_grid(from, w, most / u[0], 127));
    for (int64_t i = 0; i < w->inputs; i++)
        for (int64_t t = 0; t < w->taps; t++) {
            const double v = (double)from[t * w->step_t + i * w->step_i], scaled = v * u[i];
            const double error = counts ? (scaled - step * nearest(scaled / step)) / u[i] : 0;
            *sum += v * v * u[i] * u[i] / 12 + error * error * energy[i];
        }
}

/* Mean square of what convolution n's result loses, as a share of its own: steps of the input, and weights as the
 * largest scales them. */
static double noise(const loudness *l, const sgs_node *n, const struct place *p)
{
    sgs_qweights w;
    const float *from = sgs_const_data(n->in[1]);
    const sgs_range *ry = &l->c->q->range[n->out[0]->id];
    double sum = 0, own = 0;
    note_channels(l, n, p);
    sgs_conv_layout(n, &w);
    for (int64_t o = 0; o < w.outputs; o++) {
        const int64_t first = o / w.group * w.inputs;
        add_output(&w, from + o * w.step_o, p->u + first, p->energy + first, l->k == ALONE, &sum);
    }
    for (int64_t o = 0; o < ry->channels; o++)
        own += ry->square[o] / (double)ry->count;
    return own > 0 ? sum / own : 0;
}

static sgs_status measure_conv(void *user, int place, int i, sgs_diag *d)
{
    (void)d;
    const loudness *l = user;
    l->place[place].noise = noise(l, l->conv[i], &l->place[place]);
    return SGS_OK;
}

static void add_conv(void *user, int place, int i)
{
    const loudness *l = user;
    l->total[l->c->part[l->conv[i]->in[0]->id]] += l->place[place].noise;
}

/* ---- the choice ---- */

static void add_noise(channels *c, int k, const extent *e, double *total)
{
    sgs_arena *a = c->q->g->arena;
    loudness l = { .c = c, .k = k, .e = e, .total = total };
    int64_t most = 1, all = 0;
    for (const sgs_node *n = c->q->g->first; n; n = n->next, all++)
        most = reads_bytes(c->q, n) && last_dim(n->in[0]) > most ? last_dim(n->in[0]) : most;
    l.conv = SGS_NEW_N(a, const sgs_node *, all + 1);
    for (const sgs_node *n = c->q->g->first; n; n = n->next)
        if (reads_bytes(c->q, n) && c->first[n->in[0]->id] >= 0)
            l.conv[l.n++] = n;
    const sgs_work w = { .n = l.n, .run = measure_conv, .add = add_conv, .user = &l };
    const int places = sgs_places(c->q->o->threads, &w);
    l.place = SGS_NEW_N(a, struct place, places + 1);
    for (int i = 0; i < places; i++)
        l.place[i] = (struct place){ .u = SGS_NEW_N(a, double, most), .energy = SGS_NEW_N(a, double, most) };
    sgs_share(c->q->o->threads, &w, NULL);
}

static sgs_quant *make_quant(channels *c, const sgs_value *v, int k, const extent *e)
{
    const int n = (int)last_dim(v), first = c->first[v->id];
    const sgs_range *r = &c->q->range[v->id];
    sgs_quant *quant = sgs_quant_new(c->q->g, v->rank - 1, n);
    quant->nrange = n;
    quant->lo = SGS_NEW_N(c->q->g->arena, float, n);
    quant->hi = SGS_NEW_N(c->q->g->arena, float, n);
    for (int j = 0; j < n; j++) {
        quant->scale[j] = fmaxf((float)scale_of(c, sgs_set_of(c->same, first + j), k, e), 1e-30f);
        quant->zero[j] = (int32_t)e->zero;
        quant->lo[j] = r->lo[j];
        quant->hi[j] = r->hi[j];
    }
    return quant;
}

static void choose(channels *c)
{
    const int ids = c->q->nplan + 1;
    sgs_arena *a = c->q->g->arena;
    extent *e[CANDIDATES];
    double *total[CANDIDATES];
    for (int k = 0; k < CANDIDATES; k++) {
        e[k] = SGS_NEW_N(a, extent, ids);
        total[k] = SGS_NEW_N(a, double, ids);
        measure_extents(c, k, e[k]);
        if (!c->q->o->recipe.mixture)
            add_noise(c, k, e[k], total[k]);
    }
    for (const sgs_node *n = c->q->g->first; n; n = n->next) {
        sgs_value *v = n->out[0];
        int best = ALONE;
        if (c->first[v->id] < 0)
            continue;
        const int part = c->part[v->id];
        for (int k = 0; k < CANDIDATES; k++)
            if (total[k][part] < total[best][part])
                best = k;
        if (c->q->o->recipe.mixture)
            best = c->q->o->recipe.mixture - 1;
        if (best != ALONE)
            *(c->q->type[sgs_group_of(c->q, v)] == SGS_U8 ? &c->q->own[v->id] : &c->q->bytes[v->id]) =
                make_quant(c, v, best, &e[best][part]);
    }
}

/* A part with channels below 0 and an activation that ends above it keeps one scale: its bytes would end elsewhere. */
static void leave_mixed(channels *c)
{
    bool *below = SGS_NEW_N(c->q->g->arena, bool, c->q->nplan + 1),
         *ends = SGS_NEW_N(c->q->g->arena, bool, c->q->nplan + 1);
    for (const sgs_node *n = c->q->g->first; n; n = n->next)
        for (int64_t j = 0; c->first[n->out[0]->id] >= 0 && j < last_dim(n->out[0]); j++) {
            const int i = sgs_set_of(c->same, c->first[n->out[0]->id] + (int)j), part = c->part[n->out[0]->id];
            below[part] |= c->lo[i] < 0;
            ends[part] |= isfinite(c->end[i]);
        }
    for (const sgs_node *n = c->q->g->first; n; n = n->next)
        if (c->first[n->out[0]->id] >= 0 && below[c->part[n->out[0]->id]] && ends[c->part[n->out[0]->id]])
            c->first[n->out[0]->id] = -1;
}

void sgs_equalize(sgs_quantizer *q)
{
    sgs_arena *a = q->g->arena;
    channels c = { .q = q, .first = SGS_NEW_N(a, int, q->nplan + 1), .part = SGS_NEW_N(a, int, q->nplan + 1) };
    for (int i = 0; i < q->nplan; i++)
        c.first[i] = -1;
    choose_tensors(&c);
    c.same = sgs_sets_new(a, c.n);
    c.lo = SGS_NEW_N(a, double, c.n + 1);
    c.hi = SGS_NEW_N(a, double, c.n + 1);
    c.w = SGS_NEW_N(a, double, c.n + 1);
    c.end = SGS_NEW_N(a, double, c.n + 1);
    c.t = SGS_NEW_N(a, double, (int64_t)c.n *CANDIDATES + 1);
    for (int i = 0; i < c.n; i++)
        c.end[i] = INFINITY;
    join_moves(&c);
    note_values(&c);
    note_weights(&c);
    leave_mixed(&c);
    mix(&c);
    choose(&c);
}
