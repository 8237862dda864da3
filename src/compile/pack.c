/* Weights into the packed layouts of runtime/image.h, tails filled with zeros. */
#include <stdlib.h>
#include <string.h>

#include "compile/lower.h"

#define BLOCK 16

static int64_t up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/* Packed elements come from one position each: out[i] = w[from(i)], or zero. */
static ipu_ref add(sgs_lowering *l, sgs_type t, const uint8_t *w, const int64_t *from, int64_t n)
{
    size_t each = t == SGS_S16 ? 2 : 1;
    uint8_t *out = calloc((size_t)n, each);
    if (!out)
        abort();
    for (int64_t i = 0; i < n; i++)
        if (from[i] >= 0)
            memcpy(out + (size_t)i * each, w + (size_t)from[i] * each, each);
    ipu_ref r = sgs_lower_const(l, t == SGS_S16 ? IPU_S16 : IPU_S8, out, n);
    free(out);
    return r;
}

/* The same of four bits, parts of `part` elements that are rows of `row`: rows 2k and 2k + 1 of a part share bytes. */
static ipu_ref add_four(sgs_lowering *l, const uint8_t *w, const int64_t *from, int64_t n, int64_t part, int64_t row)
{
    const int64_t bytes = up(part / row, 2) / 2 * row;
    uint8_t *out = calloc((size_t)(n / part * bytes), 1);
    if (!out)
        abort();
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = i % part / row;
        if (from[i] >= 0)
            out[i / part * bytes + k / 2 * row + i % row] |= (uint8_t)((w[from[i]] & 15) << (k % 2 ? 4 : 0));
    }
    ipu_ref r = sgs_lower_const(l, IPU_U8, out, n / part * bytes);
    free(out);
    return r;
}

ipu_ref sgs_pack_conv(sgs_lowering *l, sgs_type t, const void *w, int64_t co, int64_t taps, int64_t ci)
{
    int64_t group = t == SGS_S16 ? 2 : 4, n = up(co, BLOCK) * taps * up(ci, group), i = 0;
    int64_t *from = malloc((size_t)n * sizeof *from);
    if (!from)
        abort();
    for (int64_t block = 0; block < co; block += BLOCK)
        for (int64_t k = 0; k < taps; k++)
            for (int64_t c = 0; c < ci; c += group)
                for (int64_t o = block; o < block + BLOCK; o++)
                    for (int64_t j = c; j < c + group; j++)
                        from[i++] = o < co && j < ci ? (o * taps + k) * ci + j : -1;
    ipu_ref r = t == SGS_S4 ? add_four(l, w, from, n, n / up(co, BLOCK) * BLOCK, BLOCK * group) : add(l, t, w, from, n);
    free(from);
    return r;
}

ipu_ref sgs_pack_depthwise(sgs_lowering *l, sgs_type t, const void *w, int64_t taps, int64_t c)
{
    int64_t n = taps * up(c, BLOCK), i = 0;
    int64_t *from = malloc((size_t)n * sizeof *from);
    if (!from)
        abort();
    for (int64_t k = 0; k < taps; k++)
        for (int64_t j = 0; j < up(c, BLOCK); j++)
            from[i++] = j < c ? k * c + j : -1;
    ipu_ref r = t == SGS_S4 ? add_four(l, w, from, n, n, up(c, BLOCK)) : add(l, t, w, from, n);
    free(from);
    return r;
}

ipu_ref sgs_pack_array(sgs_lowering *l, ipu_type t, const void *data, int64_t count)
{
    size_t each = (size_t)ipu_type_bytes(t);
    uint8_t *out = calloc((size_t)up(count, BLOCK), each);
    if (!out)
        abort();
    memcpy(out, data, (size_t)count * each);
    ipu_ref r = sgs_lower_const(l, t, out, up(count, BLOCK));
    free(out);
    return r;
}
