/* Work that is shared: the outputs keep every bit however a pool cuts the items of a record and in whatever order it takes the pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image_maker.h"
#include "openipu/ipu_host.h"

enum { H = 9, W = 7, CI = 65, CO = 163, PIXELS = H * W }; /* three slices of channels, the last not whole; groups of channels not whole */

/* A pool on one thread: pieces of `piece` items, the last first. */
typedef struct pieces {
    int piece, most; /* most: items of the largest task so far */
} pieces;

static void run_backwards(void *user, void (*fn)(void *arg, int begin, int end), void *arg, int n)
{
    pieces *p = user;
    p->most = n > p->most ? n : p->most;
    for (int end = n; end > 0; end -= p->piece)
        fn(arg, end > p->piece ? end - p->piece : 0, end);
}

/* Two convolutions with heavy weights, the second with a residual and a second output; then one of a single pixel. */
static uint8_t *network(ipu_type type, size_t *bytes)
{
    image_maker m = { .seed = 5 };
    ipu_ref x = maker_input(&m, "x", type, H, W, CI), sum = maker_output(&m, "sum", IPU_S16, H, W, CO);
    ipu_ref copy = maker_output(&m, "copy", IPU_U8, H, W, CO), last = maker_output(&m, "last", IPU_U8, 1, 1, CO);
    ipu_ref wide = maker_conv(&m, x, IPU_S16, CO, 3, 1), pixel = x;
    maker_conv(&m, x, IPU_S16, CO, 3, 1);
    ipu_conv *conv = (ipu_conv *)(void *)(m.ops.p + m.ops.n - sizeof *conv);
    conv->add = wide, conv->y = sum, conv->y2 = copy;
    conv->m_conv = 0.5f, conv->m_add = 0.75f, conv->m_y2 = 1.0f / 128;
    conv->sum = (ipu_out){ -32768, 32767, 0 };
    conv->out2 = (ipu_out){ -128, 127, 128 };
    pixel.h = pixel.w = 1;
    maker_conv(&m, pixel, IPU_U8, CO, 3, 1);
    conv = (ipu_conv *)(void *)(m.ops.p + m.ops.n - sizeof *conv);
    conv->y = last;
    return maker_finish(&m, bytes);
}

typedef struct outputs {
    _Alignas(64) int16_t sum[PIXELS * CO];
    _Alignas(64) uint8_t copy[PIXELS * CO];
    _Alignas(64) uint8_t last[CO];
} outputs;

static void run(const uint8_t *image, size_t bytes, uint32_t mask, const ipu_parallel *par, outputs *out)
{
    static _Alignas(64) int16_t x[PIXELS * CI];
    image_maker m = { .seed = 9 };
    ipu_model model;
    memset(out, 0xee, sizeof *out);
    for (int i = 0; i < PIXELS * CI; i++)
        x[i] = (int16_t)maker_random(&m, 65536);
    assert_int_equal(ipu_load(&model, image, bytes, mask ? ipu_kernels_for(mask) : &ipu_kernels_c), IPU_OK);
    void *arena = aligned_alloc(IPU_ALIGN, (ipu_arena_size(&model) + IPU_ALIGN) / IPU_ALIGN * IPU_ALIGN);
    assert_int_equal(ipu_run(&model, arena, (const void *const[]){ x }, (void *const[]){ out->sum, out->copy, out->last }, par), IPU_OK);
    free(arena);
}

static void every_cut(ipu_type type, uint32_t mask)
{
    static outputs whole, cut;
    size_t bytes;
    uint8_t *image = network(type, &bytes);
    run(image, bytes, mask, NULL, &whole);
    for (int piece = 1; piece < 3 * H + 2; piece++) {
        pieces p = { .piece = piece };
        const ipu_parallel par = { run_backwards, &p };
        run(image, bytes, mask, &par, &cut);
        assert_int_equal(p.most, 3 * H);
        assert_memory_equal(&whole, &cut, sizeof whole);
    }
    free(image);
}

static void slices_keep_every_bit(void **state)
{
    (void)state;
    every_cut(IPU_U8, 0);
    every_cut(IPU_S16, 0);
    every_cut(IPU_U8, ipu_host_cpu());
    every_cut(IPU_S16, ipu_host_cpu());
}

static void pools_keep_every_bit(void **state)
{
    static outputs whole, shared;
    size_t bytes;
    uint8_t *image = network(IPU_U8, &bytes);
    (void)state;
    run(image, bytes, ipu_host_cpu(), NULL, &whole);
    for (int threads = 1; threads < 6; threads++) {
        ipu_parallel par;
        ipu_host_pool *pool = ipu_host_pool_new(threads, &par);
        assert_non_null(pool);
        for (int i = 0; i < 50; i++) {
            run(image, bytes, ipu_host_cpu(), &par, &shared);
            assert_memory_equal(&whole, &shared, sizeof whole);
        }
        ipu_host_pool_free(pool);
    }
    free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(slices_keep_every_bit), cmocka_unit_test(pools_keep_every_bit) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
