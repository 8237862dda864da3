/* 8-bit convolution and fully connected with AVX2, exactly: both sides widened to 16 bits for vpmaddwd (vpmaddubsw
 * would saturate).  An accumulator holds two partial sums for each of four output channels; they meet at the end. */
#include "avx2.h"
#include "conv.h"

typedef struct conv_store {
    f256_out out, sum, out2;
    __m256 m_conv, m_add, m_y2;
    __m256i zero, zero1; /* zero points of the convolution and of y, which y2 starts from */
} conv_store;

static conv_store conv_store_of(const conv_job *j)
{
    const ipu_conv *r = j->r;
    conv_store s = { .out = f256_out_of(&r->out), .sum = f256_out_of(&r->sum), .out2 = f256_out_of(&r->out2) };
    s.m_conv = _mm256_set1_ps(r->m_conv);
    s.m_add = _mm256_set1_ps(r->m_add);
    s.m_y2 = _mm256_set1_ps(r->m_y2);
    s.zero = _mm256_set1_epi32(r->out.zero);
    s.zero1 = _mm256_set1_epi32(j->add ? r->sum.zero : r->out.zero);
    return s;
}

/* Four bytes as words, twice in each half. */
IPU_INLINE __m256i conv_words(int32_t four)
{
    const __m256i widen =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 1, -1, 2, -1, 3, -1, 0, -1, 1, -1, 2, -1, 3, -1));
    return _mm256_shuffle_epi8(_mm256_set1_epi32(four), widen);
}

IPU_INLINE int32_t conv_four(const uint8_t *q)
{
    int32_t v;
    memcpy(&v, q, 4);
    return v;
}

/* acc[P][4] += w (16 output channels, four input channels) * x[P] */
IPU_INLINE void conv_step(__m256i *acc, const __m256i *x, const int8_t *w, const int P)
{
    IPU_UNROLL for (int v = 0; v < 4; v++)
    {
        const __m256i wv = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(w + 16 * v)));
        IPU_UNROLL for (int i = 0; i < P; i++) acc[4 * i + v] =
            _mm256_add_epi32(acc[4 * i + v], _mm256_madd_epi16(x[i], wv));
    }
}

IPU_INLINE void conv_sum(const conv_job *j, const conv_tile *t, const int8_t *w, __m256i *acc, const int P)
{
    const ipu_conv *r = j->r;
    const int32_t whole = 4 * (t->inside ? j->full + (j->tail != 0) : j->full);
    const uint8_t *q[4];
    __m256i x[4];

    for (int32_t ky = 0; ky < r->kh; ky++)
        for (int32_t kx = 0; kx < r->kw; kx++) {
            const ptrdiff_t off = (ptrdiff_t)ky * r->dy * r->x.row + (ptrdiff_t)kx * r->dx * r->x.pix;
            if (t->inside)
                for (int i = 0; i < P; i++)
                    q[i] = j->x + (t->x[i] + off);
            else
                conv_tap(j, t, P, ky, kx, q);
            for (int32_t k = 0; k < whole; k += 4, w += 64) {
                for (int i = 0; i < P; i++)
                    x[i] = conv_words(conv_four(q[i] + k));
                conv_step(acc, x, w, P);
            }
            if (j->tail && !t->inside) {
                for (int i = 0; i < P; i++)
                    x[i] = conv_words(conv_bytes(q[i] + whole, j->tail));
                conv_step(acc, x, w, P);
                w += 64;
            }
        }
}

IPU_INLINE void conv_put(uint8_t *y, int type, int32_t co, const __m256i *v, int n)
{
    if (type == IPU_U8)
        s256_put_u8(y + co, v, n);
    else
        s256_put_s16(y + 2 * (ptrdiff_t)co, v, n);
}

/* Pixel i of the tile: from sums to y and, where asked for, the residual and y2. */
IPU_INLINE void conv_finish(const conv_job *j, const conv_store *s, const conv_tile *t, int i, int32_t co,
                            const __m256i *acc, int n)
{
    __m256i v[2], a[2];

    for (int h = 0; h < 2; h++) {
        const __m256i two = _mm256_hadd_epi32(acc[2 * h], acc[2 * h + 1]);
        const __m256i sum = _mm256_add_epi32(_mm256_permute4x64_epi64(two, 0xd8),
                                             _mm256_loadu_si256((const __m256i *)(const void *)(j->bias + co + 8 * h)));
        v[h] = f256_requant(sum, _mm256_loadu_ps(j->mult + co + 8 * h), &s->out);
    }
    if (j->add) {
        s256_get_s16(j->add + t->add[i] + 2 * (ptrdiff_t)co, n, a);
        for (int h = 0; h < 2; h++)
            v[h] =
                f256_store(_mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(v[h], s->zero)), s->m_conv),
                                         _mm256_mul_ps(_mm256_cvtepi32_ps(a[h]), s->m_add)),
                           &s->sum);
    }
    conv_put(j->y + t->y[i], j->r->y.type, co, v, n);
    if (j->y2) {
        for (int h = 0; h < 2; h++)
            v[h] = f256_requant(_mm256_sub_epi32(v[h], s->zero1), s->m_y2, &s->out2);
        s256_put_u8(j->y2 + t->y2[i] + co, v, n);
    }
}

IPU_INLINE void conv_tile_of(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const int P)
{
    const int32_t left = j->r->y.c - co;
    __m256i acc[4 * 4];

    for (int i = 0; i < 4 * P; i++)
        acc[i] = _mm256_setzero_si256();
    conv_sum(j, t, j->w + co / CONV_LANES * j->block, acc, P);
    for (int i = 0; i < P; i++)
        conv_finish(j, s, t, i, co, acc + 4 * i, left < CONV_LANES ? left : CONV_LANES);
}

static __attribute__((noinline)) void conv_tile_2(const conv_job *j, const conv_store *s, const conv_tile *t,
                                                  int32_t co)
{
    conv_tile_of(j, s, t, co, 2);
}

static __attribute__((noinline)) void conv_tile_1(const conv_job *j, const conv_store *s, const conv_tile *t,
                                                  int32_t co)
{
    conv_tile_of(j, s, t, co, 1);
}

static void conv_rows(const conv_job *j, const conv_store *s, int32_t y0, int32_t y1)
{
    conv_tile t;

    for (int32_t co = 0; co < j->r->y.c; co += CONV_LANES) {
        conv_walk k = conv_walk_from(j, y0);
        int64_t left = (int64_t)(y1 - y0) * j->r->y.w;
        for (; left >= 2; left -= 2) {
            conv_fill(j, &t, 2, &k);
            conv_tile_2(j, s, &t, co);
        }
        if (left) {
            conv_fill(j, &t, 1, &k);
            conv_tile_1(j, s, &t, co);
        }
    }
}

static void conv_rows_narrow(const conv_job *j, const conv_store *s, int32_t y0, int32_t y1)
{
    conv_narrow k;
    conv_job one = conv_narrow_start(j, &k);

    for (int32_t row = y0; row < y1; row++) {
        conv_narrow_next(j, &k, &one, row);
        conv_rows(&one, s, 0, 1);
    }
}

IPU_KERNEL(ipu_conv_u8_avx2)
{
    const conv_job j = conv_start(rec, p);
    const conv_store s = conv_store_of(&j);

    if (conv_is_narrow(j.r))
        conv_rows_narrow(&j, &s, y0, y1);
    else
        conv_rows(&j, &s, y0, y1);
}
