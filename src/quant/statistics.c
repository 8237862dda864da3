#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "quant/quantize.h"
#include "sim/session.h"

enum { HASH = 32, KEPT_BYTES = 40 << 20 };

/* The inputs of a sample in a row. */
typedef struct kept {
    uint8_t hash[HASH];
    uint8_t *bytes;
} kept;

/* By value id, as sgs_range. */
typedef struct sums {
    sgs_exact *sum, *square; /* [channels] */
} sums;

struct sgs_statistics {
    sgs_graph *g;
    size_t input_bytes;
    sgs_observer now;  /* the sample that runs */
    ipu_sha256 arrays; /* over its inputs */
    uint8_t *first;    /* the inputs of its first run */
    bool ran;
    sgs_range *range; /* by value id, all samples; sums and squares stand in `sums` */
    sums *sums;
    int64_t *pixels, *step; /* by value id: of one run, and which of them a histogram counts */
    uint8_t (*hash)[HASH];  /* [count] */
    int count, room;
    kept kept[SGS_MOST_KEPT]; /* in order */
    int nkept, most_kept;
};

static void measure(sgs_statistics *s, const sgs_value *v)
{
    const int64_t channels = s->now.channels[v->id];
    s->pixels[v->id] = channels && sgs_value_count(v) ? sgs_value_count(v) / channels : 1;
    s->step[v->id] = channels && sgs_value_count(v) ? sgs_observed_step(v) : 1;
}

sgs_statistics *sgs_statistics_new(sgs_graph *g, bool histograms)
{
    sgs_statistics *s = SGS_NEW(g->arena, sgs_statistics);
    s->g = g;
    for (int i = 0; i < g->nin; i++)
        s->input_bytes += (size_t)sgs_value_bytes(g->in[i]);
    s->most_kept = (int)(KEPT_BYTES / (s->input_bytes + 1));
    s->most_kept = s->most_kept < SGS_LEAST_KEPT  ? SGS_LEAST_KEPT
                   : s->most_kept > SGS_MOST_KEPT ? SGS_MOST_KEPT
                                                  : s->most_kept;
    sgs_observer_init(&s->now, g, histograms);
    s->range = SGS_NEW_N(g->arena, sgs_range, g->nvalue + 1);
    s->sums = SGS_NEW_N(g->arena, sums, g->nvalue + 1);
    s->pixels = SGS_NEW_N(g->arena, int64_t, g->nvalue + 1);
    s->step = SGS_NEW_N(g->arena, int64_t, g->nvalue + 1);
    for (int i = 0; i < g->nin; i++)
        measure(s, g->in[i]);
    for (const sgs_node *n = g->first; n; n = n->next)
        measure(s, n->out[0]);
    s->first = sgs_alloc(g->arena, s->input_bytes + 1);
    ipu_sha256_init(&s->arrays);
    return s;
}

static void start(sgs_statistics *s, int id, int64_t channels)
{
    sgs_range *r = &s->range[id];
    r->channels = channels;
    r->lo = SGS_NEW_N(s->g->arena, float, channels + 1);
    r->hi = SGS_NEW_N(s->g->arena, float, channels + 1);
    s->sums[id].sum = SGS_NEW_N(s->g->arena, sgs_exact, channels + 1);
    s->sums[id].square = SGS_NEW_N(s->g->arena, sgs_exact, channels + 1);
}

static void empty(sgs_range *r, sums *x)
{
    for (int64_t c = 0; c < r->channels; c++) {
        r->lo[c] = INFINITY;
        r->hi[c] = -INFINITY;
        x->sum[c] = x->square[c] = (sgs_exact){ 0 };
    }
    r->count = 0;
    r->fractions = false;
    sgs_histogram_clear(&r->bins);
}

/* The place of a value of that many channels. */
static sgs_range *room_for(sgs_statistics *s, int id, int64_t channels)
{
    sgs_range *r = &s->range[id];
    if (!r->channels) {
        start(s, id, channels);
        empty(r, &s->sums[id]);
    }
    return r;
}

void sgs_statistics_clear(sgs_statistics *s)
{
    sgs_statistics_drop_sample(s);
    for (int i = 0; i < s->g->nvalue; i++)
        empty(&s->range[i], &s->sums[i]);
    s->count = s->nkept = 0;
}

/* ---- a sample ---- */

static void watch(void *user, const sgs_node *n, const sgs_tensor *out)
{
    sgs_statistics *s = user;
    sgs_observe(&s->now, n->out[0], out[0].data);
}

void sgs_statistics_watch(sgs_statistics *s, sgs_session *session)
{
    sgs_session_watch(session, watch, s);
}

void sgs_statistics_inputs(sgs_statistics *s, sgs_session *session)
{
    uint8_t *to = s->first;
    for (int i = 0; i < s->g->nin; i++) {
        const void *data = sgs_session_data(session, s->g->in[i]);
        const size_t n = (size_t)sgs_value_bytes(s->g->in[i]);
        sgs_observe(&s->now, s->g->in[i], data);
        sgs_sha256_add(&s->arrays, data, n);
        if (!s->ran)
            memcpy(to, data, n);
        to += n;
    }
    s->ran = true;
}

const sgs_value *sgs_statistics_bad(const sgs_statistics *s)
{
    return s->now.bad;
}

void sgs_statistics_drop_sample(sgs_statistics *s)
{
    sgs_observer_clear(&s->now);
    ipu_sha256_init(&s->arrays);
    s->ran = false;
}

/* Zero has no sign here, as which of the two came first must not matter. */
static void widen(sgs_range *r, int64_t c, float lo, float hi)
{
    r->lo[c] = fminf(r->lo[c], lo) + 0.0f;
    r->hi[c] = fmaxf(r->hi[c], hi) + 0.0f;
}

static void fold(sgs_statistics *s, int id)
{
    const sgs_range *from = &s->now.range[id];
    sgs_range *to = room_for(s, id, from->channels);
    for (int64_t c = 0; c < from->channels; c++) {
        widen(to, c, from->lo[c], from->hi[c]);
        sgs_exact_add(&s->sums[id].sum[c], from->sum[c]);
        sgs_exact_add(&s->sums[id].square[c], from->square[c]);
    }
    to->count += from->count;
    to->fractions |= from->fractions;
    sgs_histogram_merge(&to->bins, s->g->arena, &from->bins);
}

static void note(sgs_statistics *s, const uint8_t hash[HASH])
{
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        uint8_t(*more)[HASH] = sgs_alloc_n(s->g->arena, (size_t)s->room, HASH);
        if (s->count)
            memcpy(more, s->hash, (size_t)s->count * HASH);
        s->hash = more;
    }
    memcpy(s->hash[s->count++], hash, HASH);
}

/* Those with the smallest hashes stay, in their order. */
static void keep(sgs_statistics *s, const uint8_t hash[HASH], const uint8_t *bytes)
{
    int at = s->nkept;
    while (at > 0 && memcmp(hash, s->kept[at - 1].hash, HASH) < 0)
        at--;
    if (at == s->most_kept)
        return;
    s->nkept += s->nkept < s->most_kept;
    const kept last = s->kept[s->nkept - 1]; /* its memory serves again */
    uint8_t *room = last.bytes ? last.bytes : sgs_alloc(s->g->arena, s->input_bytes + 1);
    memmove(&s->kept[at + 1], &s->kept[at], (size_t)(s->nkept - 1 - at) * sizeof *s->kept);
    s->kept[at].bytes = room;
    memcpy(s->kept[at].hash, hash, HASH);
    memcpy(s->kept[at].bytes, bytes, s->input_bytes);
}

void sgs_statistics_end_sample(sgs_statistics *s)
{
    uint8_t hash[HASH];
    if (s->ran) {
        for (int i = 0; i < s->g->nvalue; i++)
            if (s->now.range[i].count)
                fold(s, i);
        ipu_sha256_end(&s->arrays, hash);
        note(s, hash);
        keep(s, hash, s->first);
    }
    sgs_statistics_drop_sample(s);
}

/* ---- what they say ---- */

int sgs_statistics_count(const sgs_statistics *s)
{
    return s->count;
}

static float *copy(sgs_graph *g, const float *from, int64_t n)
{
    float *to = SGS_NEW_N(g->arena, float, n);
    memcpy(to, from, (size_t)n * sizeof *to);
    return to;
}

sgs_range *sgs_statistics_ranges(const sgs_statistics *s)
{
    sgs_range *range = SGS_NEW_N(s->g->arena, sgs_range, s->g->nvalue + 1);
    memcpy(range, s->range, (size_t)s->g->nvalue * sizeof *range);
    for (int i = 0; i < s->g->nvalue; i++) {
        sgs_range *r = &range[i];
        if (!r->channels)
            continue;
        r->lo = copy(s->g, r->lo, r->channels); /* the quantizer ends some */
        r->hi = copy(s->g, r->hi, r->channels);
        r->sum = SGS_NEW_N(s->g->arena, double, r->channels);
        r->square = SGS_NEW_N(s->g->arena, double, r->channels);
        for (int64_t c = 0; c < r->channels; c++) {
            r->sum[c] = sgs_exact_value(&s->sums[i].sum[c]);
            r->square[c] = sgs_exact_value(&s->sums[i].square[c]);
        }
    }
    return range;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, HASH);
}

static void sort_hashes(const sgs_statistics *s)
{
    qsort(s->hash, (size_t)s->count, HASH, by_bytes);
}

void sgs_statistics_hash(const sgs_statistics *s, uint8_t hash[HASH])
{
    ipu_sha256 h;
    ipu_sha256_init(&h);
    if (s->count)
        sort_hashes(s);
    sgs_sha256_add(&h, s->hash, (size_t)s->count * HASH);
    ipu_sha256_end(&h, hash);
}

int sgs_statistics_repeated(const sgs_statistics *s)
{
    int n = 0;
    if (s->count)
        sort_hashes(s);
    for (int i = 1; i < s->count; i++)
        n += !memcmp(s->hash[i - 1], s->hash[i], HASH);
    return n;
}

int sgs_statistics_kept(const sgs_statistics *s)
{
    return s->nkept;
}

sgs_span sgs_statistics_sample(const sgs_statistics *s, int k)
{
    return (sgs_span){ s->kept[k].bytes, s->input_bytes };
}

/* ---- bytes out ---- */

/* Of a value; lo, hi, sum, square of its channels follow, then what both sides count. */
typedef struct head {
    int64_t id, channels, count;
    int32_t fractions, exponent;
    int32_t first[2], bins[2]; /* of each side: what is not empty begins and how many there are */
} head;

static void trim(const uint64_t *side, int32_t *first, int32_t *bins)
{
    int from = 0, to = side ? SGS_BINS : 0;
    while (from < to && !side[from])
        from++;
    while (to > from && !side[to - 1])
        to--;
    *first = to > from ? from : 0;
    *bins = to - from;
}

static void pack_value(const sgs_statistics *s, int id, sgs_buf *out)
{
    const sgs_range *r = &s->range[id];
    const size_t n = (size_t)r->channels;
    head h = { id, r->channels, r->count, r->fractions, r->bins.exponent, { 0 }, { 0 } };
    for (int k = 0; k < 2; k++)
        trim(r->bins.side[k], &h.first[k], &h.bins[k]);
    if (!h.bins[0] && !h.bins[1])
        h.exponent = 0;
    sgs_buf_add(out, &h, sizeof h);
    sgs_buf_add(out, r->lo, n * sizeof *r->lo);
    sgs_buf_add(out, r->hi, n * sizeof *r->hi);
    sgs_buf_add(out, s->sums[id].sum, n * sizeof(sgs_exact));
    sgs_buf_add(out, s->sums[id].square, n * sizeof(sgs_exact));
    for (int k = 0; k < 2; k++)
        if (h.bins[k])
            sgs_buf_add(out, r->bins.side[k] + h.first[k], (size_t)h.bins[k] * sizeof(uint64_t));
}

/* Number of samples; their hashes in order; the samples that are kept; every value that was seen, by id. */
void sgs_statistics_pack(const sgs_statistics *s, sgs_buf *out)
{
    const int64_t n = s->count;
    sgs_buf_add(out, &n, sizeof n);
    if (s->count)
        sort_hashes(s);
    sgs_buf_add(out, s->hash, (size_t)s->count * HASH);
    for (int i = 0; i < s->nkept; i++)
        sgs_buf_add(out, s->kept[i].bytes, s->input_bytes);
    for (int i = 0; i < s->g->nvalue; i++)
        if (s->range[i].count)
            pack_value(s, i, out);
}

/* ---- bytes in: all is looked at before anything is added ---- */

/* The next n elements of that size, or NULL; unaligned. */
static const uint8_t *take(sgs_span *from, int64_t n, size_t each)
{
    if (n < 0 || (uint64_t)n > from->n / each)
        return NULL;
    const uint8_t *p = from->p;
    from->p += (size_t)n * each;
    from->n -= (size_t)n * each;
    return p;
}

typedef struct value_bytes {
    head h;
    const uint8_t *lo, *hi, *sum, *square, *side[2];
} value_bytes;

static bool find_value(value_bytes *v, sgs_span *from)
{
    const uint8_t *p = take(from, 1, sizeof v->h);
    if (!p)
        return false;
    memcpy(&v->h, p, sizeof v->h);
    const int64_t n = v->h.channels;
    return (v->lo = take(from, n, sizeof(float))) && (v->hi = take(from, n, sizeof(float))) &&
           (v->sum = take(from, n, sizeof(sgs_exact))) && (v->square = take(from, n, sizeof(sgs_exact))) &&
           (v->side[0] = take(from, v->h.bins[0], sizeof(uint64_t))) &&
           (v->side[1] = take(from, v->h.bins[1], sizeof(uint64_t)));
}

static float float_at(const uint8_t *p, int64_t i)
{
    float x;
    memcpy(&x, p + (size_t)i * sizeof x, sizeof x);
    return x;
}

static sgs_exact exact_at(const uint8_t *p, int64_t i)
{
    sgs_exact x;
    memcpy(&x, p + (size_t)i * sizeof x, sizeof x);
    return x;
}

static uint64_t count_at(const uint8_t *p, int64_t i)
{
    uint64_t x;
    memcpy(&x, p + (size_t)i * sizeof x, sizeof x);
    return x;
}

/* What that many samples can add up to. */
static bool good_sum(const sgs_exact *x, int64_t samples)
{
    for (size_t i = 0; i < sizeof x->digit / sizeof *x->digit; i++)
        if (x->digit[i] < -samples * SGS_EXACT_DIGIT || x->digit[i] > samples * SGS_EXACT_DIGIT)
            return false;
    return true;
}

static bool good_channels(const value_bytes *v, int64_t samples, float *most)
{
    for (int64_t c = 0; c < v->h.channels; c++) {
        const float lo = float_at(v->lo, c), hi = float_at(v->hi, c);
        const sgs_exact sum = exact_at(v->sum, c), square = exact_at(v->square, c);
        if (!(lo <= hi) || !isfinite(lo) || !isfinite(hi) || !good_sum(&sum, samples) || !good_sum(&square, samples))
            return false;
        *most = fmaxf(*most, fmaxf(-lo, hi));
    }
    return true;
}

/* Every element that is counted has a bin, and the bins are those of this range. */
static bool good_bins(const sgs_statistics *s, const value_bytes *v, bool binned, float most)
{
    const int64_t pixels = s->pixels[v->h.id], step = s->step[v->h.id];
    uint64_t left = (uint64_t)(v->h.count / pixels * ((pixels + step - 1) / step) * v->h.channels);
    if (!binned)
        return !v->h.bins[0] && !v->h.bins[1];
    for (int k = 0; k < 2; k++) {
        if (v->h.first[k] < 0 || v->h.first[k] > SGS_BINS - v->h.bins[k])
            return false;
        for (int i = 0; i < v->h.bins[k]; i++) {
            const uint64_t n = count_at(v->side[k], i);
            if (n > left)
                return false;
            left -= n;
        }
    }
    return !left && v->h.exponent == sgs_histogram_exponent(most);
}

static bool good_value(const sgs_statistics *s, const value_bytes *v, int64_t samples)
{
    float most = 0;
    int64_t elements, all;
    const int64_t id = v->h.id;
    if (id < 0 || id >= s->g->nvalue || v->h.channels < 1 || v->h.channels != s->now.channels[id] || v->h.count < 1 ||
        v->h.count % s->pixels[id] || (v->h.fractions | 1) != 1)
        return false;
    return sgs_add64(v->h.count, s->range[id].count, &elements) && sgs_mul64(elements, v->h.channels, &all) &&
           good_channels(v, samples, &most) && good_bins(s, v, s->now.binned && s->now.binned[id], most);
}

static bool good(const sgs_statistics *s, sgs_span from, int64_t samples)
{
    int64_t last = -1;
    while (from.n) {
        value_bytes v;
        if (!find_value(&v, &from) || v.h.id <= last || !good_value(s, &v, samples))
            return false;
        last = v.h.id;
    }
    return true;
}

static void add_value(sgs_statistics *s, const value_bytes *v)
{
    sgs_range *r = room_for(s, (int)v->h.id, v->h.channels);
    for (int64_t c = 0; c < v->h.channels; c++) {
        const sgs_exact sum = exact_at(v->sum, c), square = exact_at(v->square, c);
        widen(r, c, float_at(v->lo, c), float_at(v->hi, c));
        sgs_exact_merge(&s->sums[v->h.id].sum[c], &sum);
        sgs_exact_merge(&s->sums[v->h.id].square[c], &square);
    }
    r->count += v->h.count;
    r->fractions |= v->h.fractions != 0;
    uint64_t side[2][SGS_BINS] = { { 0 } };
    sgs_histogram bins = { v->h.exponent, { NULL } };
    for (int k = 0; k < 2; k++)
        if (v->h.bins[k]) {
            memcpy(&side[k][v->h.first[k]], v->side[k], (size_t)v->h.bins[k] * sizeof(uint64_t));
            bins.side[k] = side[k];
        }
    sgs_histogram_merge(&r->bins, s->g->arena, &bins);
}

static bool in_order(const uint8_t *hash, int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        if (memcmp(hash + (i - 1) * HASH, hash + i * HASH, HASH) > 0)
            return false;
    return true;
}

sgs_status sgs_statistics_merge(sgs_statistics *s, sgs_span bytes, sgs_diag *d)
{
    int64_t n = 0;
    const uint8_t *p = take(&bytes, 1, sizeof n);
    if (p)
        memcpy(&n, p, sizeof n);
    const uint8_t *hash = p && n > 0 && n <= SGS_MOST_SAMPLES - s->count ? take(&bytes, n, HASH) : NULL;
    const int64_t nkept = n < s->most_kept ? n : s->most_kept;
    const uint8_t *inputs = hash ? take(&bytes, nkept * (int64_t)s->input_bytes, 1) : NULL;
    if (!inputs || !in_order(hash, n) || !good(s, bytes, n))
        return sgs_fail(d, SGS_E_DATA, "these are not the statistics of this model");
    for (int64_t i = 0; i < n; i++)
        note(s, hash + i * HASH);
    for (int64_t i = 0; i < nkept; i++)
        keep(s, hash + i * HASH, inputs + (size_t)i * s->input_bytes);
    while (bytes.n) {
        value_bytes v;
        find_value(&v, &bytes);
        add_value(s, &v);
    }
    return SGS_OK;
}
