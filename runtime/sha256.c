#include "mem.h"
#include "sha256.h"

const uint32_t ipu_sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* One round.  The state does not move: what the standard calls a stands at v[a], the others behind it in a ring. */
static inline void step(uint32_t v[8], int a, uint32_t kw)
{
    const uint32_t A = v[a], B = v[(a + 1) & 7], C = v[(a + 2) & 7], E = v[(a + 4) & 7], F = v[(a + 5) & 7], G = v[(a + 6) & 7];
    const uint32_t t = v[(a + 7) & 7] + (ror(E, 6) ^ ror(E, 11) ^ ror(E, 25)) + (G ^ (E & (F ^ G))) + kw;
    v[(a + 3) & 7] += t;
    v[(a + 7) & 7] = t + (ror(A, 2) ^ ror(A, 13) ^ ror(A, 22)) + ((A & B) | (C & (A | B)));
}

static void compress(uint32_t h[8], const uint8_t *p)
{
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
    }
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i += 8) {
        step(v, 0, ipu_sha256_k[i] + w[i]);
        step(v, 7, ipu_sha256_k[i + 1] + w[i + 1]);
        step(v, 6, ipu_sha256_k[i + 2] + w[i + 2]);
        step(v, 5, ipu_sha256_k[i + 3] + w[i + 3]);
        step(v, 4, ipu_sha256_k[i + 4] + w[i + 4]);
        step(v, 3, ipu_sha256_k[i + 5] + w[i + 5]);
        step(v, 2, ipu_sha256_k[i + 6] + w[i + 6]);
        step(v, 1, ipu_sha256_k[i + 7] + w[i + 7]);
    }
    for (int i = 0; i < 8; i++)
        h[i] += v[i];
}

void ipu_sha256_init(ipu_sha256 *s)
{
    static const uint32_t first[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    memcpy(s->h, first, sizeof first);
    s->bytes = 0;
}

void ipu_sha256_add(ipu_sha256 *s, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (; n >= 64 && !(s->bytes & 63); p += 64, n -= 64, s->bytes += 64)
        compress(s->h, p);
    while (n) {
        size_t at = (size_t)(s->bytes & 63), k = 64 - at < n ? 64 - at : n;
        memcpy(s->block + at, p, k);
        s->bytes += k;
        p += k;
        n -= k;
        if (at + k == 64)
            compress(s->h, s->block);
    }
}

void ipu_sha256_end(ipu_sha256 *s, uint8_t out[32])
{
    uint64_t bits = s->bytes * 8;
    ipu_sha256_add(s, "\x80", 1);
    while ((s->bytes & 63) != 56)
        ipu_sha256_add(s, "", 1);
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    ipu_sha256_add(s, length, 8);
    for (int i = 0; i < 32; i++)
        out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}
