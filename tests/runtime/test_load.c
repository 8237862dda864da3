/* The loader on damaged images: each line of the table breaks one thing and names the status it must get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image_maker.h"
#include "runtime/kernels.h"

/* A table that accepts every record, so that only the loader's own proofs are at work. */
static int accept(const ipu_rec *rec)
{
    return 1;
}

static uint32_t ran; /* records, by the table below */

static void nothing(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1)
{
    ran++;
}

static const ipu_kernels any_kernels = { .row = {
#define X(kind, family, kernel) [kind] = { accept, nothing },
                                             IPU_KINDS(X)
#undef X
                                         } };

/* ---- an image taken apart ---------------------------------------------------------------------------------------- */

typedef struct subject {
    uint8_t *image;
    size_t bytes;
    ipu_header *h;
} subject;

static ipu_rec *record(subject *s, ipu_kind kind, int nth)
{
    uint8_t *p = s->image + s->h->ops.off;
    for (uint32_t i = 0; i < s->h->nop; i++, p += ((ipu_rec *)(void *)p)->bytes)
        if (((ipu_rec *)(void *)p)->kind == kind && nth-- == 0)
            return (ipu_rec *)(void *)p;
    fail_msg("the test image has no such record");
    return NULL;
}

static ipu_ref *operand(subject *s, ipu_kind kind, int nth, int i)
{
    return (ipu_ref *)(void *)(record(s, kind, nth) + 1) + i;
}

static ipu_io *io(subject *s, int i)
{
    return (ipu_io *)(void *)(s->image + s->h->io.off) + i;
}

static void set_word(subject *s, uint32_t const_off, uint32_t bits)
{
    memcpy(s->image + s->h->consts.off + const_off, &bits, 4);
}

/* ---- the damages ----------------------------------------------------------------------------------------------------
 */

#define CONV(i) operand(s, IPU_CONV_U8, 0, i)
#define DAMAGES(X)                                                                                                     \
    X(magic, IPU_E_FOREIGN, s->h->magic[0] = 'o')                                                                      \
    X(older, IPU_E_VERSION, s->h->version = 0)                                                                         \
    X(newer, IPU_E_VERSION, s->h->version = IPU_IMAGE_VERSION + 1)                                                     \
    X(feature, IPU_E_FEATURE, s->h->features = 1u << 31)                                                               \
    X(header_bytes, IPU_E_IMAGE, s->h->header_bytes += 4)                                                              \
    X(file_longer, IPU_E_IMAGE, s->h->file_bytes += 1)                                                                 \
    X(file_shorter, IPU_E_IMAGE, s->bytes -= 1)                                                                        \
    X(category, IPU_E_IMAGE, s->h->category = 3)                                                                       \
    X(inputs_many, IPU_E_IMAGE, s->h->ninput = IPU_MAX_IO + 1)                                                         \
    X(inputs_wrap, IPU_E_IMAGE, s->h->ninput = UINT32_MAX)                                                             \
    X(outputs_more, IPU_E_IMAGE, s->h->noutput += 1)                                                                   \
    X(ops_more, IPU_E_IMAGE, s->h->nop += 1)                                                                           \
    X(ops_fewer, IPU_E_IMAGE, s->h->nop -= 1)                                                                          \
    X(ops_huge, IPU_E_IMAGE, s->h->nop = UINT32_MAX)                                                                   \
    X(section_unaligned, IPU_E_IMAGE, s->h->ops.off += 4)                                                              \
    X(section_header, IPU_E_IMAGE, s->h->io.off = 0)                                                                   \
    X(section_overlap, IPU_E_IMAGE, s->h->consts.off = s->h->ops.off)                                                  \
    X(section_outside, IPU_E_IMAGE, s->h->cost.off = UINT32_MAX - 63)                                                  \
    X(section_wrap, IPU_E_IMAGE, s->h->provenance.bytes = UINT32_MAX)                                                  \
    X(records_short, IPU_E_IMAGE, (s->h->ops.bytes -= 4))                                                              \
    X(io_name, IPU_E_IMAGE, io(s, 0)->name = s->h->consts.bytes)                                                       \
    X(io_type, IPU_E_IMAGE, io(s, 0)->type = IPU_TYPE_COUNT)                                                           \
    X(io_format, IPU_E_IMAGE, io(s, 0)->format = IPU_FMT_COUNT)                                                        \
    X(io_rank, IPU_E_IMAGE, io(s, 0)->rank = IPU_MAX_RANK + 1)                                                         \
    X(io_origin, IPU_E_IMAGE, io(s, 0)->origin = 0x7f)                                                                 \
    X(io_bytes, IPU_E_IMAGE, io(s, 0)->bytes += 1)                                                                     \
    X(io_dim_zero, IPU_E_IMAGE, io(s, 0)->dim[0] = 0)                                                                  \
    X(io_dim_wrap, IPU_E_IMAGE, (io(s, 0)->dim[0] = io(s, 0)->dim[1] = io(s, 0)->dim[2] = 1 << 30))                    \
    X(io_axis, IPU_E_IMAGE, io(s, 0)->axis = 4)                                                                        \
    X(io_axis_low, IPU_E_IMAGE, io(s, 0)->axis = -2)                                                                   \
    X(io_scales, IPU_E_IMAGE, io(s, 0)->nscale = 2)                                                                    \
    X(io_axis_scales, IPU_E_IMAGE, io(s, 0)->axis = 3)                                                                 \
    X(io_scale_far, IPU_E_IMAGE, io(s, 0)->scale = s->h->consts.bytes & ~3u)                                           \
    X(io_scale_odd, IPU_E_IMAGE, io(s, 0)->scale += 1)                                                                 \
    X(io_scale_nan, IPU_E_IMAGE, set_word(s, io(s, 0)->scale, 0x7fc00000))                                             \
    X(io_scale_zero, IPU_E_IMAGE, set_word(s, io(s, 0)->scale, 0))                                                     \
    X(io_zero_far, IPU_E_IMAGE, io(s, 0)->zero = UINT32_MAX - 3)                                                       \
    X(cost_name, IPU_E_IMAGE, *(uint32_t *)(void *)(s->image + s->h->cost.off) = UINT32_MAX)                           \
    X(kind, IPU_E_IMAGE, record(s, IPU_CONV_U8, 0)->kind = IPU_KIND_COUNT)                                             \
    X(four_bits_feature, IPU_E_IMAGE, s->h->features &= ~IPU_FEATURE_FOUR_BITS)                                         \
    X(kind_other, IPU_E_IMAGE, record(s, IPU_CONV_U8, 0)->kind = IPU_COPY)                                             \
    X(nref, IPU_E_IMAGE, record(s, IPU_CONV_U8, 0)->nref -= 1)                                                         \
    X(bytes, IPU_E_IMAGE, record(s, IPU_CONV_U8, 0)->bytes += 4)                                                       \
    X(bytes_zero, IPU_E_IMAGE, record(s, IPU_CONV_U8, 0)->bytes = 0)                                                   \
    X(ref_space, IPU_E_IMAGE, CONV(1)->space = IPU_SPACE_COUNT)                                                        \
    X(ref_none, IPU_E_IMAGE, CONV(1)->space = IPU_NONE)                                                                \
    X(ref_type, IPU_E_IMAGE, CONV(1)->type = IPU_TYPE_COUNT)                                                           \
    X(ref_input, IPU_E_IMAGE, CONV(1)->index = 2)                                                                      \
    X(ref_index, IPU_E_IMAGE, CONV(2)->index = 1)                                                                      \
    X(ref_input_type, IPU_E_IMAGE, (CONV(1)->type = IPU_S8))                                                           \
    X(ref_zero, IPU_E_IMAGE, CONV(1)->c = 0)                                                                           \
    X(ref_negative, IPU_E_IMAGE, CONV(1)->h = -1)                                                                      \
    X(ref_stride_negative, IPU_E_IMAGE, CONV(1)->row = -CONV(1)->row)                                                  \
    X(ref_step, IPU_E_IMAGE, CONV(1)->step = 0)                                                                        \
    X(ref_off, IPU_E_IMAGE, CONV(1)->off += 1)                                                                         \
    X(ref_off_odd, IPU_E_IMAGE, CONV(4)->off += 2)                                                                     \
    X(ref_stride_odd, IPU_E_IMAGE, operand(s, IPU_CONV_S16, 0, 1)->pix += 1)                                           \
    X(ref_wide, IPU_E_IMAGE, CONV(1)->c = INT32_MAX)                                                                   \
    X(ref_wrap, IPU_E_IMAGE, (CONV(1)->n = CONV(1)->img = CONV(1)->h = CONV(1)->row = INT32_MAX))                      \
    X(ref_const_far, IPU_E_IMAGE, CONV(2)->off = s->h->consts.bytes)                                                   \
    X(arena_small, IPU_E_IMAGE, s->h->arena_bytes -= IPU_ALIGN)                                                        \
    X(mult_inf, IPU_E_IMAGE, set_word(s, CONV(4)->off, 0x7f800000))                                                    \
    X(mult_2d, IPU_E_IMAGE, (CONV(4)->w = 2, CONV(4)->c = 16, CONV(4)->pix = 64))                                      \
    X(index_row, IPU_E_IMAGE, set_word(s, operand(s, IPU_RESIZE_S16, 0, IPU_RESIZE_IY)->off, 5))                       \
    X(index_column, IPU_E_IMAGE, set_word(s, operand(s, IPU_RESIZE_S16, 0, IPU_RESIZE_IX)->off + 60, 4))               \
    X(index_negative, IPU_E_IMAGE,                                                                                     \
      set_word(s, operand(s, IPU_RESIZE_NEAREST, 0, IPU_RESIZE_IX)->off + 12, UINT32_MAX))                             \
    X(weights_none, IPU_E_IMAGE, operand(s, IPU_RESIZE_S16, 0, 4)->space = IPU_NONE)                                   \
    X(write_const, IPU_E_IMAGE, (CONV(0)->space = IPU_CONST, CONV(0)->off = 0, CONV(0)->c = 1))                        \
    X(write_input, IPU_E_IMAGE, *CONV(0) = *CONV(1))                                                                   \
    X(write_none, IPU_E_IMAGE, CONV(0)->space = IPU_NONE)                                                              \
    X(write_twice, IPU_E_IMAGE, CONV(0)->row = 0)                                                                      \
    X(write_rows_meet, IPU_E_IMAGE, CONV(0)->row -= 1)                                                                 \
    X(write_y2_const, IPU_E_IMAGE, (*operand(s, IPU_CONV_S16, 2, IPU_CONV_Y2) = *CONV(2)))                             \
    X(write_over_x, IPU_E_IMAGE, operand(s, IPU_MAXPOOL, 0, 0)->off = operand(s, IPU_MAXPOOL, 0, 1)->off)              \
    X(write_near_add, IPU_E_IMAGE, operand(s, IPU_ADD_S16, 0, 1)->off += 2)                                            \
    X(concat_meets, IPU_E_IMAGE,                                                                                       \
      (operand(s, IPU_COPY, 0, 1)[0] = *operand(s, IPU_COPY, 0, 0), operand(s, IPU_COPY, 0, 1)->off += 19))

#define X(name, status, change)                                                                                        \
    static void break_##name(subject *s)                                                                               \
    {                                                                                                                  \
        (void)(change);                                                                                                \
    }
DAMAGES(X)
#undef X

static const struct {
    const char *name;
    ipu_status expected;
    void (*change)(subject *s);
} damage[] = {
#define X(name, status, change) { #name, status, break_##name },
    DAMAGES(X)
#undef X
};

static subject fresh(void)
{
    subject s = { 0 };
    s.image = maker_network(&s.bytes);
    s.h = (ipu_header *)(void *)s.image;
    return s;
}

/* ---- a batch --------------------------------------------------------------------------------------------------- */

static subject with_batch(ipu_sizes sizes)
{
    subject s = { 0 };
    image_maker m = { .sizes = sizes };
    maker_network_build(&m);
    s.image = maker_finish(&m, &s.bytes);
    s.h = (ipu_header *)(void *)s.image;
    return s;
}

static void batches(void **state)
{
    subject s = with_batch((ipu_sizes){ IPU_ONE_BUF, 3, { 4, 1, 9 } });
    ipu_model m;
    ipu_batch b;
    assert_int_equal(s.h->header_bytes, 168);
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    assert_int_equal(ipu_batches(&m, NULL), IPU_E_ARG);
    assert_int_equal(ipu_batches(&m, &b), IPU_OK);
    assert_int_equal(b.mode, IPU_ONE_BUF);
    assert_int_equal(b.count, 3);
    assert_true(b.size[0] == 4 && b.size[1] == 1 && b.size[2] == 9 && b.size[3] == 0);
    free(s.image);
    s = fresh();
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    assert_int_equal(ipu_batches(&m, &b), IPU_OK);
    assert_true(b.mode == IPU_N_BUF && b.count == 1 && b.size[0] == 1);
    free(s.image);
    assert_int_equal(ipu_batches(&(ipu_model){ 0 }, &b), IPU_E_ARG);
}

static void damaged_batches_are_refused(void **state)
{
    static const ipu_sizes bad[] = {
        { 2, 1, { 4 } },           /* no such mode */
        { IPU_ONE_BUF, 0, { 0 } }, /* no size */
        { IPU_ONE_BUF, 11, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } },
        { IPU_N_BUF, 2, { 4, 5 } }, /* one size, the most */
        { IPU_ONE_BUF, 2, { 4, 0 } },
        { IPU_ONE_BUF, 2, { 4, 4 } },
        { IPU_ONE_BUF, 2, { 4, 5, 6 } }, /* something behind the last */
        { IPU_N_BUF, 1, { 1u << 31 } },
        { IPU_ONE_BUF, 1, { 1 << 30 } }, /* more than 4 GiB of a tensor */
    };
    ipu_model m;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        subject s = with_batch((ipu_sizes){ IPU_N_BUF, 1, { 2 } });
        assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
        memcpy(s.h + 1, &bad[i], sizeof bad[i]);
        if (ipu_load(&m, s.image, s.bytes, &any_kernels) != IPU_E_IMAGE)
            fail_msg("batch %zu is taken", i);
        free(s.image);
    }
    subject s = with_batch((ipu_sizes){ IPU_N_BUF, 1, { 2 } });
    s.h->features = IPU_FEATURE_FOUR_BITS; /* then the header is too long */
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_E_IMAGE);
    s.h->features = IPU_FEATURE_BATCH | IPU_FEATURE_FOUR_BITS;
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    s.h->io.off = 128; /* into what stands behind the header */
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_E_IMAGE);
    free(s.image);
}

/* ---- pictures -------------------------------------------------------------------------------------------------- */

static void pictures(void **state)
{
    static const struct {
        int at;
        int32_t v;
    } bad[] = {
        { offsetof(ipu_io, dim[IPU_IO_WIDTH]), 0 },      { offsetof(ipu_io, dim[IPU_IO_WIDTH]), 65538 },
        { offsetof(ipu_io, dim[IPU_IO_HEIGHT]), -4 },    { offsetof(ipu_io, dim[IPU_IO_WIDTH]), 13 }, /* odd */
        { offsetof(ipu_io, dim[IPU_IO_HEIGHT]), 8 },     { offsetof(ipu_io, dim[3]), 4 },
        { offsetof(ipu_io, dim[1]), 13 },                { offsetof(ipu_io, bytes), 287 },
        { offsetof(ipu_io, dim[IPU_IO_HEIGHT]), 65536 },
    };
    subject s = { 0 };
    ipu_model m;
    ipu_tensor t;
    s.image = maker_kind(3, &s.bytes);
    s.h = (ipu_header *)(void *)s.image;
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    assert_int_equal(ipu_input(&m, 0, &t), IPU_OK);
    assert_true(t.format == IPU_FMT_NV12 && t.width_align == 16 && t.height_align == 4 && t.bytes == 288 && t.dim[1] == 9 && t.dim[2] == 13);
    assert_int_equal(ipu_input(&m, 1, &t), IPU_OK);
    assert_true(t.format == IPU_FMT_BGRA && t.bytes == 7 * 16 * 4 && t.dim[3] == 3);
    uint8_t *io = s.image + s.h->io.off;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int32_t keep;
        memcpy(&keep, io + bad[i].at, 4);
        memcpy(io + bad[i].at, &bad[i].v, 4);
        if (ipu_load(&m, s.image, s.bytes, &any_kernels) != IPU_E_IMAGE)
            fail_msg("picture %zu is taken", i);
        memcpy(io + bad[i].at, &keep, 4);
    }
    s.h->features = 0; /* then its dims are its buffer's */
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_E_IMAGE);
    free(s.image);
}

static void other_steps_need_their_feature(void **state)
{
    subject s = fresh();
    ipu_model m;
    ipu_ref *x = NULL;
    for (int k = 0; !x || x->type == x[-1].type || x->c < 2 || x->w < 2; k++) /* one that is not in place */
        x = operand(&s, IPU_QUANTIZE, k, 1);
    x->pix = x->row = x->img = 0;
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    x->step *= 2;
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_E_IMAGE);
    s.h->features |= IPU_FEATURE_STEPS;
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    x->step += 1;
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_E_IMAGE);
    free(s.image);
}

static void damages_are_refused(void **state)
{
    ipu_model m;
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        subject s = fresh();
        assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
        damage[i].change(&s);
        ipu_status found = ipu_load(&m, s.image, s.bytes, &any_kernels);
        if (found != damage[i].expected)
            fail_msg("%s: expected '%s', found '%s'", damage[i].name, ipu_status_text(damage[i].expected),
                     ipu_status_text(found));
        assert_null(m.image);
        free(s.image);
    }
}

static void every_truncation_is_refused(void **state)
{
    subject s = fresh();
    ipu_model m;
    for (size_t n = 0; n < s.bytes; n += n < 512 ? 1 : 97) {
        uint8_t *part = aligned_alloc(IPU_ALIGN, (n + IPU_ALIGN) / IPU_ALIGN * IPU_ALIGN);
        memcpy(part, s.image, n);
        assert_int_equal(ipu_load(&m, part, n, &any_kernels), n < 8 ? IPU_E_FOREIGN : IPU_E_IMAGE);
        free(part);
    }
    free(s.image);
}

static void interleaved_windows_are_fine(void **state)
{
    subject s = fresh(); /* the copy fills channels 0..19 of 40; let it read channels 20..39 of the same buffer */
    ipu_ref *y = operand(&s, IPU_COPY, 0, 0);
    ipu_model m;
    y[1] = y[0];
    y[1].off += 20;
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    s.h->arena_bytes += 64; /* wherever the buffer begins */
    for (int i = 0; i < 64; i++) {
        y[0].off += 1, y[1].off += 1;
        assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    }
    for (int i = 0; i < 39; i++) { /* but a step to either side meets */
        ipu_ref kept = y[1];
        y[1].off += (uint32_t)i - 19;
        assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), i == 19 ? IPU_OK : IPU_E_IMAGE);
        y[1] = kept;
    }
    free(s.image);
}

static void missing_kernel(void **state)
{
    subject s = fresh();
    ipu_model m;
    ipu_kernels less = any_kernels;
    less.row[IPU_SOFTMAX_S16] = (ipu_kernel_row){ 0 };
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &less), IPU_E_KERNEL);
    free(s.image);
}

static void arguments(void **state)
{
    subject s = fresh();
    ipu_model m;
    assert_int_equal(ipu_load(NULL, s.image, s.bytes, &any_kernels), IPU_E_ARG);
    assert_int_equal(ipu_load(&m, NULL, s.bytes, &any_kernels), IPU_E_ARG);
    assert_int_equal(ipu_load(&m, s.image, s.bytes, NULL), IPU_E_ARG);
    assert_int_equal(ipu_load(&m, s.image + 4, s.bytes - 4, &any_kernels), IPU_E_ARG);
    assert_int_equal(ipu_image_version(s.image, s.bytes), IPU_IMAGE_VERSION);
    assert_int_equal(ipu_image_version(s.image, 11), 0);
    assert_int_equal(ipu_image_version("something else", 14), 0);
    free(s.image);
}

/* Behind record k of the image k + 1 have run. */
static void record_done(void *user, uint32_t record)
{
    assert_int_equal(record, *(uint32_t *)user);
    assert_int_equal(ran, ++*(uint32_t *)user);
}

static void an_observer_is_told_of_each_record(void **state)
{
    subject s = fresh();
    ipu_model m;
    uint32_t seen = 0;
    const ipu_observer watch = { record_done, &seen };
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    uint8_t *arena = aligned_alloc(IPU_ALIGN, ipu_arena_size(&m)), *room = calloc(1, 1 << 16);
    const void *const in[] = { room, room };
    void *const out[] = { room, room, room };
    ran = 0;
    assert_int_equal(ipu_run_observed(&m, arena, in, out, NULL, &watch), IPU_OK);
    assert_int_equal(seen, s.h->nop);
    assert_int_equal(ipu_run_observed(&m, NULL, in, out, NULL, &watch), IPU_E_ARG);
    assert_int_equal(seen, s.h->nop);
    free(arena);
    free(room);
    free(s.image);
}

static void questions(void **state)
{
    subject s = fresh();
    ipu_model m;
    ipu_tensor t;
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    assert_int_equal(ipu_input_count(&m), 2);
    assert_int_equal(ipu_output_count(&m), 3);
    assert_int_equal(ipu_input(&m, 2, &t), IPU_E_ARG);
    assert_int_equal(ipu_output(&m, -1, &t), IPU_E_ARG);
    assert_int_equal(ipu_output(&m, 1, &t), IPU_OK);
    assert_string_equal(t.name, "map");
    assert_int_equal(t.type, IPU_F32);
    assert_int_equal(t.bytes, 5 * 4 * 24 * 4);
    assert_int_equal(t.nscale, 0);
    assert_null(t.scale);
    assert_int_equal(ipu_input(&m, 0, &t), IPU_OK);
    assert_int_equal(t.nscale, 1);
    assert_true(t.scale[0] == 1 && t.zero[0] == 0);
    free(s.image);
}

static void hash(void **state)
{
    subject s = fresh();
    ipu_model m;
    assert_int_equal(ipu_load(&m, s.image, s.bytes, &any_kernels), IPU_OK);
    assert_int_equal(ipu_verify(&m), IPU_OK);
    for (size_t i = 0; i < s.bytes; i += 61) {
        s.image[i] ^= 1;
        assert_int_equal(ipu_verify(&m), IPU_E_HASH);
        s.image[i] ^= 1;
    }
    free(s.image);
}

/* Families' own checks: an index inside the table, and nothing beside it. */
static void tables_are_checked(void **state)
{
    enum { SHORT, HIGH, LOW, WORDS, SECOND, COUNT };
    for (int i = 0; i <= COUNT; i++) {
        subject s = fresh();
        ipu_conv *conv = (ipu_conv *)(void *)record(&s, IPU_CONV_U8, 0);
        assert_int_equal(conv->table.c, IPU_INDEX);
        conv->table.c -= i == SHORT;
        conv->out.hi += i == HIGH;
        conv->out.lo -= i == LOW;
        if (i == WORDS)
            conv->y.type = IPU_S16, conv->y.step = 2, conv->y.c /= 2;
        if (i == SECOND)
            conv->y2 = conv->y;
        if (ipu_kernels_c.row[IPU_CONV_U8].check(&conv->head) != (i == COUNT))
            fail_msg("case %d", i);
        free(s.image);
    }
}

/* Two weights a byte, of whole pairs of steps, of taps. */
static void four_bits_are_checked(void **state)
{
    enum { SIGNED, SHORT, PLANES, BYTES, COUNT };
    for (int i = 0; i <= COUNT; i++) {
        subject s = fresh();
        ipu_conv *conv = (ipu_conv *)(void *)record(&s, IPU_CONV_U8S4, 0);
        ipu_depthwise *deep = (ipu_depthwise *)(void *)record(&s, IPU_DEPTHWISE_U8S4, 0);
        assert_int_equal(conv->w.c, 2 * 64); /* 9 channels: 3 steps */
        assert_int_equal(deep->w.c, 5 * 16); /* 9 taps */
        conv->w.type = i == SIGNED ? IPU_S8 : IPU_U8;
        conv->w.c -= i == SHORT;
        deep->w.c -= i == PLANES;
        if (i == BYTES) /* weights of bytes are twice as many */
            deep->head.kind = IPU_DEPTHWISE_U8, deep->w.type = IPU_S8;
        const int ok = ipu_kernels_c.row[IPU_CONV_U8S4].check(&conv->head) && ipu_kernels_c.row[IPU_DEPTHWISE_U8S4].check(&deep->head);
        if (ok != (i == COUNT))
            fail_msg("case %d", i);
        free(s.image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damages_are_refused),
        cmocka_unit_test(tables_are_checked),
        cmocka_unit_test(four_bits_are_checked),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(interleaved_windows_are_fine),
        cmocka_unit_test(other_steps_need_their_feature),
        cmocka_unit_test(missing_kernel),
        cmocka_unit_test(arguments),
        cmocka_unit_test(an_observer_is_told_of_each_record),
        cmocka_unit_test(questions),
        cmocka_unit_test(hash),
        cmocka_unit_test(batches),
        cmocka_unit_test(damaged_batches_are_refused),
        cmocka_unit_test(pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
