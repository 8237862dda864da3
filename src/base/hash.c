#include "base/hash.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define SHA __attribute__((target("sha,sse4.1")))

static int has_sha(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 19)) /* SSE4.1 */
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}

/* The instructions take the state as the words A B E F and C D G H, each from its high end. */
typedef struct state {
    __m128i abef, cdgh;
} state;

SHA static inline void four_rounds(state *s, __m128i kw)
{
    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, kw);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(kw, 0x0e));
}

SHA static void block(state *s, const uint8_t *p)
{
    const __m128i big = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const state before = *s;
    __m128i w[4];
    for (int g = 0; g < 4; g++)
        w[g] = _mm_shuffle_epi8(_mm_loadu_si128((const void *)(p + 16 * g)), big);
    for (int g = 0; g < 16; g++) {
        __m128i *now = &w[g & 3];
        if (g >= 4) {
            const __m128i last = w[(g + 3) & 3], sum = _mm_sha256msg1_epu32(*now, w[(g + 1) & 3]);
            *now = _mm_sha256msg2_epu32(_mm_add_epi32(sum, _mm_alignr_epi8(last, w[(g + 2) & 3], 4)), last);
        }
        four_rounds(s, _mm_add_epi32(*now, _mm_loadu_si128((const void *)(ipu_sha256_k + 4 * g))));
    }
    s->abef = _mm_add_epi32(s->abef, before.abef);
    s->cdgh = _mm_add_epi32(s->cdgh, before.cdgh);
}

SHA static void blocks(uint32_t h[8], const uint8_t *p, size_t n)
{
    state s = { _mm_set_epi32((int)h[0], (int)h[1], (int)h[4], (int)h[5]),
                _mm_set_epi32((int)h[2], (int)h[3], (int)h[6], (int)h[7]) };
    uint32_t abef[4], cdgh[4];
    for (; n; n--, p += 64)
        block(&s, p);
    _mm_storeu_si128((void *)abef, s.abef);
    _mm_storeu_si128((void *)cdgh, s.cdgh);
    for (int i = 0; i < 2; i++) {
        h[i] = abef[3 - i];
        h[4 + i] = abef[1 - i];
        h[2 + i] = cdgh[3 - i];
        h[6 + i] = cdgh[1 - i];
    }
}

#else

static int has_sha(void)
{
    return 0;
}

static void blocks(uint32_t h[8], const uint8_t *p, size_t n)
{
    (void)h, (void)p, (void)n;
}
#endif

void sgs_sha256_add(ipu_sha256 *s, const void *data, size_t n)
{
    const size_t whole = s->bytes & 63 || !has_sha() ? 0 : n / 64;
    if (whole) {
        blocks(s->h, data, whole);
        s->bytes += whole * 64;
    }
    ipu_sha256_add(s, (const uint8_t *)data + whole * 64, n - whole * 64);
}
