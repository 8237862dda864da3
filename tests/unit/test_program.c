/* A lowered program through fusion, planning and the image writer: whatever they change, the outputs keep every bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "program_maker.h"
#include "runtime/load.h"

/* ---- running
 * ------------------------------------------------------------------------------------------------------------ */

typedef struct outputs {
    uint8_t *p[NOUT];
    size_t bytes[NOUT];
} outputs;

static outputs run_image(const void *bytes, size_t n)
{
    uint8_t *image = aligned_alloc(IPU_ALIGN, (n + IPU_ALIGN - 1) / IPU_ALIGN * IPU_ALIGN);
    memcpy(image, bytes, n);
    ipu_model m;
    ipu_tensor t;
    assert_int_equal(ipu_load(&m, image, n, &ipu_kernels_c), IPU_OK);
    assert_int_equal(ipu_verify(&m), IPU_OK);
    void *in[NIN], *arena = aligned_alloc(IPU_ALIGN, ipu_arena_size(&m) + IPU_ALIGN);
    memset(arena, 0xee, ipu_arena_size(&m));
    outputs out;
    for (int i = 0; i < NIN; i++) {
        assert_int_equal(ipu_input(&m, i, &t), IPU_OK);
        in[i] = maker_network_input(i, t.bytes);
    }
    for (int i = 0; i < NOUT; i++) {
        assert_int_equal(ipu_output(&m, i, &t), IPU_OK);
        out.bytes[i] = t.bytes;
        out.p[i] = aligned_alloc(IPU_ALIGN, (t.bytes + IPU_ALIGN) / IPU_ALIGN * IPU_ALIGN);
    }
    assert_int_equal(ipu_run(&m, arena, (const void *const *)in, (void *const *)out.p, NULL), IPU_OK);
    for (int i = 0; i < NIN; i++)
        free(in[i]);
    free(arena);
    free(image);
    return out;
}

static void assert_same(outputs a, outputs b)
{
    for (int i = 0; i < NOUT; i++) {
        assert_int_equal(a.bytes[i], b.bytes[i]);
        assert_memory_equal(a.p[i], b.p[i], a.bytes[i]);
        free(a.p[i]);
        free(b.p[i]);
    }
}

static outputs unplanned(void)
{
    image_maker m = { .separate = 1 };
    maker_network_build(&m);
    size_t n;
    uint8_t *image = maker_finish(&m, &n);
    outputs out = run_image(image, n);
    free(image);
    return out;
}

typedef struct fixture {
    image_maker maker;
    sgs_program p;
} fixture;

static fixture fresh(void)
{
    fixture f = { .maker = { .separate = 1 } };
    maker_network_build(&f.maker);
    f.p = program_of(&f.maker);
    return f;
}

static void drop(fixture *f)
{
    free(f->maker.io.p);
    free(f->maker.ops.p);
    free(f->maker.consts.p);
    free(f->maker.cost.p);
    sgs_buf_free(&f->p.consts);
    sgs_arena_free(f->p.arena);
}

static int count(const sgs_program *p, ipu_kind kind)
{
    int n = 0;
    for (int k = 0; k < p->nrecord; k++)
        n += p->record[k].rec->kind == kind;
    return n;
}

/* ---- tests
 * --------------------------------------------------------------------------------------------------------------- */

static void planning_keeps_every_bit(void **state)
{
    fixture f = fresh();
    uint32_t apart = f.maker.arena;
    sgs_plan_result plan;
    sgs_buf image = { 0 };
    assert_int_equal(image_of(&f.p, &plan, &image), SGS_OK);
    assert_true(plan.arena < apart / 2);
    assert_int_equal(plan.arena, plan.lower_bound);
    int in_place = 0;
    for (int k = 0; k < f.p.nrecord; k++) {
        const ipu_ref *ref = sgs_refs(f.p.record + k);
        in_place += ref[1].space == IPU_ARENA && f.p.buffer[ref[0].index].space == IPU_ARENA &&
                    f.p.buffer[ref[1].index].space == IPU_ARENA &&
                    f.p.buffer[ref[0].index].off == f.p.buffer[ref[1].index].off;
    }
    assert_int_equal(in_place, 3); /* both additions, the clamp; what the change of scale reads is read again later */
    assert_same(unplanned(), run_image(image.p, image.n));
    sgs_buf_free(&image);
    drop(&f);
}

static void fusion_keeps_every_bit(void **state)
{
    fixture f = fresh();
    int records = f.p.nrecord, quantize = count(&f.p, IPU_QUANTIZE), clamp = count(&f.p, IPU_CLAMP);
    assert_int_equal(count(&f.p, IPU_ADD_S16), 2);
    sgs_program_fuse(&f.p);
    assert_int_equal(count(&f.p, IPU_ADD_S16), 1);             /* the other adds one pixel to all */
    assert_int_equal(count(&f.p, IPU_QUANTIZE), quantize - 2); /* two of convolutions; two of inputs and sums stay */
    assert_int_equal(count(&f.p, IPU_CLAMP), clamp - 1);       /* of the addition that a convolution took; the other clamps what a depthwise one made */
    assert_int_equal(f.p.nrecord, records - 4);
    sgs_plan_result plan;
    sgs_buf image = { 0 };
    assert_int_equal(image_of(&f.p, &plan, &image), SGS_OK);
    assert_same(unplanned(), run_image(image.p, image.n));
    sgs_buf_free(&image);
    drop(&f);
}

static void fused_layers_keep_their_names_and_work(void **state)
{
    fixture f = fresh();
    int64_t before = 0, after = 0;
    for (int k = 0; k < f.p.nrecord; k++)
        before += f.p.record[k].mac;
    sgs_program_fuse(&f.p);
    int joined = 0;
    for (int k = 0; k < f.p.nrecord; k++) {
        after += f.p.record[k].mac;
        joined += strstr(f.p.record[k].layer, " + ") != NULL;
    }
    assert_int_equal(before, after);
    assert_int_equal(joined, 3);
    drop(&f);
}

static void a_buffer_read_twice_is_not_fused(void **state)
{
    fixture f = fresh();
    for (int k = 0; k < f.p.nrecord; k++) { /* a + a: both operands are the one value */
        ipu_ref *ref = sgs_refs(f.p.record + k);
        if (f.p.record[k].rec->kind == IPU_ADD_S16 && ref[2].h != 1)
            ref[1] = ref[2];
    }
    sgs_program_fuse(&f.p);
    assert_int_equal(count(&f.p, IPU_ADD_S16), 2);
    drop(&f);
}

static void images_are_deterministic(void **state)
{
    sgs_buf image[2];
    for (int i = 0; i < 2; i++) {
        fixture f = fresh();
        sgs_plan_result plan;
        sgs_program_fuse(&f.p);
        image[i] = (sgs_buf){ 0 };
        assert_int_equal(image_of(&f.p, &plan, &image[i]), SGS_OK);
        drop(&f);
    }
    assert_int_equal(image[0].n, image[1].n);
    assert_memory_equal(image[0].p, image[1].p, image[0].n);
    sgs_buf_free(&image[0]);
    sgs_buf_free(&image[1]);
}

static void kernels_file_lists_what_is_used(void **state)
{
    fixture f = fresh();
    sgs_buf text = { 0 };
    f.p.nrecord = 2; /* a convolution and a pool */
    sgs_emit_kernels(&f.p, "my-net 1", &text);
    assert_non_null(strstr(text.p, "const ipu_kernels my_net_1 = {"));
    assert_non_null(strstr(text.p, "[IPU_CONV_U8] = { ipu_conv_check, IPU_C_OR_DSP(ipu_conv_u8) },"));
    assert_non_null(strstr(text.p, "[IPU_MAXPOOL] = { ipu_pool_check, ipu_maxpool_c },"));
    assert_non_null(strstr(text.p, "runtime/kernels: conv.c, conv_dsp.c, pool.c. */"));
    assert_null(strstr(text.p, "ipu_add_s16"));
    sgs_buf_free(&text);
    drop(&f);
}

/* ---- several elements: each as ipu_run has it ------------------------------------------------------------------- */

#define MOST 4

typedef struct batch_run {
    uint8_t *image;
    ipu_model m;
    void *arena;
    size_t in_bytes[NIN], out_bytes[NOUT];
    uint8_t *in[NIN], *out[NOUT], *want[NOUT]; /* MOST elements, one behind the other */
} batch_run;

static batch_run batch_start(ipu_sizes sizes)
{
    batch_run r = { 0 };
    image_maker maker = { .sizes = sizes };
    ipu_tensor t;
    size_t n;
    maker_network_build(&maker);
    r.image = maker_finish(&maker, &n);
    assert_int_equal(ipu_load(&r.m, r.image, n, &ipu_kernels_c), IPU_OK);
    r.arena = aligned_alloc(IPU_ALIGN, ipu_arena_size(&r.m) + IPU_ALIGN);
    for (int i = 0; i < NIN; i++) {
        assert_int_equal(ipu_input(&r.m, i, &t), IPU_OK);
        r.in_bytes[i] = t.bytes;
        r.in[i] = maker_network_input(i, MOST * t.bytes);
    }
    for (int i = 0; i < NOUT; i++) {
        assert_int_equal(ipu_output(&r.m, i, &t), IPU_OK);
        r.out_bytes[i] = t.bytes;
        r.out[i] = calloc(MOST, t.bytes);
        r.want[i] = calloc(MOST, t.bytes);
    }
    for (size_t k = 0; k < MOST; k++) {
        const void *in[NIN];
        void *out[NOUT];
        for (int i = 0; i < NIN; i++)
            in[i] = r.in[i] + k * r.in_bytes[i];
        for (int i = 0; i < NOUT; i++)
            out[i] = r.want[i] + k * r.out_bytes[i];
        assert_int_equal(ipu_run(&r.m, r.arena, in, out, NULL), IPU_OK);
    }
    assert_memory_not_equal(r.want[0], r.want[0] + r.out_bytes[0], r.out_bytes[0]);
    return r;
}

/* The first n elements are those wanted, the others untouched. */
static void batch_check(batch_run *r, size_t n)
{
    for (int i = 0; i < NOUT; i++) {
        assert_memory_equal(r->out[i], r->want[i], n * r->out_bytes[i]);
        for (size_t k = n * r->out_bytes[i]; k < MOST * r->out_bytes[i]; k++)
            assert_int_equal(r->out[i][k], 0);
        memset(r->out[i], 0, MOST * r->out_bytes[i]);
    }
}

static void batch_end(batch_run *r)
{
    for (int i = 0; i < NIN; i++)
        free(r->in[i]);
    for (int i = 0; i < NOUT; i++) {
        free(r->out[i]);
        free(r->want[i]);
    }
    free(r->arena);
    free(r->image);
}

static void elements_with_buffers_of_their_own(void **state)
{
    batch_run r = batch_start((ipu_sizes){ IPU_N_BUF, 1, { 3 } });
    const void *in[MOST * NIN];
    void *out[MOST * NOUT];
    for (size_t k = 0; k < MOST; k++) {
        for (size_t i = 0; i < NIN; i++)
            in[k * NIN + i] = r.in[i] + k * r.in_bytes[i];
        for (size_t i = 0; i < NOUT; i++)
            out[k * NOUT + i] = r.out[i] + k * r.out_bytes[i];
    }
    for (int n = 1; n <= 3; n++) {
        assert_int_equal(ipu_run_batch(&r.m, r.arena, n, in, out, NULL), IPU_OK);
        batch_check(&r, (size_t)n);
    }
    assert_int_equal(ipu_run_batch(&r.m, r.arena, 0, in, out, NULL), IPU_E_ARG);
    assert_int_equal(ipu_run_batch(&r.m, r.arena, 4, in, out, NULL), IPU_E_ARG);
    assert_int_equal(ipu_run_batch(&r.m, r.arena, 2, NULL, out, NULL), IPU_E_ARG);
    in[2 * NIN] = NULL; /* of the last: nothing runs */
    assert_int_equal(ipu_run_batch(&r.m, r.arena, 3, in, out, NULL), IPU_E_ARG);
    batch_check(&r, 0);
    batch_end(&r);
}

static void elements_in_one_buffer(void **state)
{
    batch_run r = batch_start((ipu_sizes){ IPU_ONE_BUF, 2, { 4, 2 } });
    for (int n = 0; n <= 5; n++) {
        const ipu_status s = ipu_run_batch(&r.m, r.arena, n, (const void *const *)r.in, (void *const *)r.out, NULL);
        assert_int_equal(s, n == 2 || n == 4 ? IPU_OK : IPU_E_ARG);
        batch_check(&r, s == IPU_OK ? (size_t)n : 0);
    }
    void *const nowhere[NOUT] = { NULL };
    assert_int_equal(ipu_run_batch(&r.m, r.arena, 2, (const void *const *)r.in, nowhere, NULL), IPU_E_ARG);
    assert_int_equal(ipu_run_batch(&r.m, r.arena, 2, NULL, (void *const *)r.out, NULL), IPU_E_ARG);
    const uint32_t nan = 0x7fc00000;
    memcpy(r.in[1] + r.in_bytes[1], &nan, sizeof nan); /* in the second element */
    assert_int_equal(ipu_run_batch(&r.m, r.arena, 2, (const void *const *)r.in, (void *const *)r.out, NULL),
                     IPU_E_VALUE);
    batch_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planning_keeps_every_bit),
        cmocka_unit_test(fusion_keeps_every_bit),
        cmocka_unit_test(fused_layers_keep_their_names_and_work),
        cmocka_unit_test(a_buffer_read_twice_is_not_fused),
        cmocka_unit_test(images_are_deterministic),
        cmocka_unit_test(kernels_file_lists_what_is_used),
        cmocka_unit_test(elements_with_buffers_of_their_own),
        cmocka_unit_test(elements_in_one_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
