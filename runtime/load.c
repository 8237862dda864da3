/* Proves an image once: header, sections, inputs and outputs, then each record with its operands.  After ipu_load
 * nothing in the image can make ipu_run touch memory outside the image's constants, the arena, the inputs (read) and
 * the outputs.  Numbers of the file are 32 bits wide and are combined in 64, where no combination here can overflow. */
#include "kernels.h"
#include "load.h"
#include "mem.h"

/* ---- header and sections -------------------------------------------------------------------------------------- */

static int is_ours(const void *image, size_t bytes)
{
    static const char magic[] = IPU_IMAGE_MAGIC;
    const char *p = image;
    for (size_t i = 0; i < sizeof magic - 1; i++)
        if (i >= bytes || p[i] != magic[i])
            return 0;
    return 1;
}

uint32_t ipu_image_version(const void *image, size_t bytes)
{
    uint32_t version = 0;
    if (image && bytes >= sizeof((ipu_header *)0)->magic + sizeof version && is_ours(image, bytes))
        memcpy(&version, (const uint8_t *)image + sizeof((ipu_header *)0)->magic, sizeof version);
    return version;
}

uint32_t ipu_runtime_version(void)
{
    return IPU_IMAGE_VERSION;
}

/* Sections follow each other in this order, so that they cannot overlap. */
static int sections_ok(const ipu_header *h)
{
    const ipu_section s[] = { h->io, h->ops, h->consts, h->provenance, h->cost };
    uint64_t end = h->header_bytes;
    for (size_t i = 0; i < sizeof s / sizeof *s; i++) {
        if (s[i].off % IPU_ALIGN || s[i].off < end)
            return 0;
        end = (uint64_t)s[i].off + s[i].bytes;
    }
    return end <= h->file_bytes && h->io.bytes == (uint64_t)(h->ninput + h->noutput) * sizeof(ipu_io) &&
           h->cost.bytes == (uint64_t)h->nop * sizeof(ipu_cost);
}

static uint32_t header_bytes(const ipu_header *h)
{
    return (uint32_t)(sizeof *h + (h->features & IPU_FEATURE_BATCH ? sizeof(ipu_sizes) : 0));
}

static int sizes_ok(const ipu_sizes *b)
{
    if (b->mode > IPU_ONE_BUF || !b->count || b->count > (b->mode == IPU_N_BUF ? 1 : IPU_MAX_BATCH))
        return 0;
    for (uint32_t i = 0; i < IPU_MAX_BATCH; i++) {
        if (i < b->count ? !b->size[i] || b->size[i] > INT32_MAX : b->size[i])
            return 0;
        for (uint32_t k = 0; k < i && i < b->count; k++)
            if (b->size[k] == b->size[i])
                return 0;
    }
    return 1;
}

static ipu_status header_check(const ipu_header *h, size_t bytes)
{
    if (!is_ours(h, bytes))
        return IPU_E_FOREIGN;
    if (bytes < sizeof *h)
        return ipu_image_version(h, bytes) > IPU_IMAGE_VERSION ? IPU_E_VERSION : IPU_E_IMAGE;
    if (h->version != IPU_IMAGE_VERSION)
        return IPU_E_VERSION;
    if (h->features & ~IPU_FEATURES_KNOWN)
        return IPU_E_FEATURE;
    if (h->header_bytes != header_bytes(h) || h->file_bytes != bytes || h->category > 2 || bytes < h->header_bytes)
        return IPU_E_IMAGE;
    if (ipu_sizes_of(h) && !sizes_ok(ipu_sizes_of(h)))
        return IPU_E_IMAGE;
    if (h->ninput > IPU_MAX_IO || h->noutput > IPU_MAX_IO || !sections_ok(h))
        return IPU_E_IMAGE;
    return IPU_OK;
}

/* ---- names, inputs, outputs ------------------------------------------------------------------------------------ */

static int name_ok(const ipu_header *h, uint32_t name)
{
    const char *p = ipu_at(h, h->consts, 0);
    for (uint32_t i = name; i < h->consts.bytes && i - name < IPU_MAX_NAME; i++)
        if (!p[i])
            return 1;
    return 0;
}

/* An array of n 4-byte numbers in the constants. */
static int words_ok(const ipu_header *h, uint32_t off, uint32_t n)
{
    return off % 4 == 0 && off + (uint64_t)n * 4 <= h->consts.bytes;
}

static int scales_ok(const ipu_header *h, const ipu_io *io)
{
    if (io->axis < -1 || io->axis >= io->rank)
        return 0;
    if (io->nscale && io->nscale != (io->axis < 0 ? 1u : (uint32_t)io->dim[io->axis]))
        return 0;
    if (!words_ok(h, io->scale, io->nscale) || !words_ok(h, io->zero, io->nscale))
        return 0;
    const float *scale = ipu_at(h, h->consts, io->scale);
    for (uint32_t i = 0; i < io->nscale; i++)
        if (!ipu_finite(scale[i]) || !(scale[i] > 0))
            return 0;
    return 1;
}

/* bytes * v; 0 where v is below 1 or the product beyond 4 GiB. */
static uint64_t times(uint64_t bytes, int64_t v)
{
    bytes = v < 1 ? 0 : bytes * (uint64_t)v; /* both below 2^32 */
    return bytes > UINT32_MAX ? 0 : bytes;
}

/* Up to the next multiple; 0 where the alignment is none. */
static int64_t aligned(int32_t v, int32_t to)
{
    const int64_t most = INT32_MAX, up = to < 1 || to > IPU_MAX_ALIGNMENT ? 0 : ((int64_t)v + to - 1) / to * to;
    return up > most ? 0 : up;
}

/* Bytes of pictures as ipu.h lays them out; 0: they are none. */
static uint64_t picture_bytes(const ipu_io *io)
{
    const int first = io->origin & IPU_IO_NCHW ? 1 : 0;
    const int32_t c = io->dim[first ? 1 : 3];
    const int64_t h = aligned(io->dim[1 + first], io->dim[IPU_IO_HEIGHT]),
                  w = aligned(io->dim[2 + first], io->dim[IPU_IO_WIDTH]);
    const int four = io->format == IPU_FMT_RGBA || io->format == IPU_FMT_BGRA, planes = io->format == IPU_FMT_NV12;
    if (io->rank != 4 || io->type != IPU_U8 || (c != 3 && (c != 1 || four)) || (four && first))
        return 0;
    if (planes)
        return h % 2 || w % 2 ? 0 : times(times(times(1, io->dim[0]), h / 2 * 3), w);
    return times(times(times(times(1, io->dim[0]), h), w), four ? 4 : c);
}

static uint64_t buffer_bytes(const ipu_header *h, const ipu_io *io)
{
    if (h->features & IPU_FEATURE_PICTURES && io->format != IPU_FMT_RAW)
        return picture_bytes(io);
    uint64_t bytes = (uint64_t)ipu_type_bytes(io->type);
    for (int i = 0; i < io->rank; i++)
        bytes = times(bytes, io->dim[i]);
    return bytes;
}

static int io_ok(const ipu_header *h, const ipu_io *io)
{
    if (!ipu_type_bytes(io->type) || io->format >= IPU_FMT_COUNT || io->rank > IPU_MAX_RANK ||
        (io->origin & ~IPU_IO_NCHW) >= IPU_FMT_COUNT)
        return 0;
    for (int i = 0; i < io->rank; i++)
        if (io->dim[i] < 1)
            return 0;
    const uint64_t bytes = buffer_bytes(h, io);
    return bytes && bytes == io->bytes && name_ok(h, io->name) && scales_ok(h, io);
}

/* ---- operands ---------------------------------------------------------------------------------------------------- */

/* Bytes that an operand's space has; 0 when there is no such space. */
static uint64_t space_bytes(const ipu_header *h, const ipu_ref *r)
{
    if (r->space != IPU_INPUT && r->space != IPU_OUTPUT && r->index)
        return 0;
    switch (r->space) {
    case IPU_CONST:
        return h->consts.bytes;
    case IPU_ARENA:
        return h->arena_bytes;
    case IPU_INPUT:
        return r->index < h->ninput ? ipu_io_of(h, r->index)->bytes : 0;
    case IPU_OUTPUT:
        return r->index < h->noutput ? ipu_io_of(h, h->ninput + r->index)->bytes : 0;
    default:
        return 0;
    }
}

/* Bytes from the window's first to behind its last.  Below 2^64: each product is below 2^62. */
static uint64_t span(const ipu_ref *r)
{
    return (uint64_t)(r->n - 1) * (uint64_t)r->img + (uint64_t)(r->h - 1) * (uint64_t)r->row +
           (uint64_t)(r->w - 1) * (uint64_t)r->pix + (uint64_t)(r->c - 1) * (uint64_t)r->step +
           (uint64_t)ipu_type_bytes(r->type);
}

static int inside(const ipu_header *h, const ipu_ref *r)
{
    uint64_t bytes = space_bytes(h, r), need = span(r);
    return need <= bytes && r->off <= bytes - need;
}

/* A caller's buffer is aligned for its own type alone. */
static int type_ok(const ipu_header *h, const ipu_ref *r)
{
    if (r->space == IPU_INPUT)
        return r->type == ipu_io_of(h, r->index)->type;
    if (r->space == IPU_OUTPUT)
        return r->type == ipu_io_of(h, h->ninput + r->index)->type;
    return 1;
}

/* Multipliers are plain arrays, finite. */
static int floats_ok(const ipu_header *h, const ipu_ref *r)
{
    if (r->space != IPU_CONST || r->type != IPU_F32)
        return 1;
    if (r->n != 1 || r->h != 1 || r->w != 1)
        return 0;
    const float *p = ipu_at(h, h->consts, r->off);
    for (int32_t i = 0; i < r->c; i++)
        if (!ipu_finite(p[i]))
            return 0;
    return 1;
}

static int ref_ok(const ipu_header *h, const ipu_ref *r, int any_step)
{
    int32_t each = ipu_type_bytes(r->type);
    if (!each || r->n < 1 || r->h < 1 || r->w < 1 || r->c < 1)
        return 0;
    if (r->img < 0 || r->row < 0 || r->pix < 0 || r->step < 0 || (r->step != each && !any_step))
        return 0;
    if (r->off % (uint32_t)each || r->img % each || r->row % each || r->pix % each || r->step % each)
        return 0;
    return inside(h, r) && type_ok(h, r) && floats_ok(h, r);
}

/* Written windows: no element twice, rows apart from each other, so that rows may be made in any order at once. */
static int writable(const ipu_ref *r)
{
    if (r->space != IPU_ARENA && r->space != IPU_OUTPUT)
        return 0;
    uint64_t pixel = (uint64_t)r->c * (uint64_t)r->step;
    uint64_t row = (uint64_t)(r->w - 1) * (uint64_t)r->pix + pixel;
    uint64_t image = (uint64_t)(r->h - 1) * (uint64_t)r->row + row;
    return (r->w == 1 || (uint64_t)r->pix >= pixel) && (r->h == 1 || (uint64_t)r->row >= row) &&
           (r->n == 1 || (uint64_t)r->img >= image) && (int64_t)r->n * r->h <= INT32_MAX;
}

/* ---- a written window against the other operands --------------------------------------------------------------- */

static int same_window(const ipu_ref *a, const ipu_ref *b)
{
    return a->off == b->off && a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c && a->img == b->img &&
           a->row == b->row && a->pix == b->pix && a->step == b->step &&
           ipu_type_bytes(a->type) == ipu_type_bytes(b->type);
}

/* Seen modulo a period the axes whose steps are multiples of it vanish: bytes from the first to behind the last of what
 * is left. */
static uint64_t part(const ipu_ref *r, uint32_t period)
{
    const int32_t axis[4][2] = { { r->n, r->img }, { r->h, r->row }, { r->w, r->pix }, { r->c, r->step } };
    uint64_t bytes = (uint64_t)ipu_type_bytes(r->type);
    for (int i = 0; i < 4; i++)
        if ((uint32_t)axis[i][1] % period)
            bytes += (uint64_t)(axis[i][0] - 1) * (uint64_t)axis[i][1];
    return bytes;
}

/* Windows whose parts of one period lie apart (channel, column or row slices of one buffer) never meet. */
static int interleave(const ipu_ref *a, const ipu_ref *b, uint32_t period)
{
    uint64_t from_a =
        (b->off % period + (uint64_t)period - a->off % period) % period; /* where b's part begins, seen from a's */
    return part(a, period) <= from_a && from_a + part(b, period) <= period;
}

static int apart(const ipu_ref *a, const ipu_ref *b)
{
    const int32_t period[] = { a->pix, a->row, a->img, b->pix, b->row, b->img };
    if (a->off + span(a) <= b->off || b->off + span(b) <= a->off)
        return 1;
    for (size_t i = 0; i < sizeof period / sizeof *period; i++)
        if (period[i] && interleave(a, b, (uint32_t)period[i]))
            return 1;
    return 0;
}

/* The in-place pairs of kernels.h. */
static int may_share(const ipu_rec *rec, int written, int other)
{
    switch (rec->kind) {
    case IPU_ADD_S16:
    case IPU_MUL_S16:
    case IPU_DIV_S16:
    case IPU_MIN_S16:
    case IPU_MAX_S16:
    case IPU_CLAMP:
        return 1;
    case IPU_QUANTIZE:
    case IPU_LUT_S16:
    case IPU_PRELU_S16:
    case IPU_ROUND_S16:
    case IPU_LAYERNORM_S16:
        return other == 1;
    default:
        return ipu_is_conv(rec->kind) && written == 0 && other == IPU_CONV_ADD;
    }
}

static int meets_nothing(const ipu_rec *rec, int written)
{
    const ipu_ref *ref = ipu_refs(rec), *w = ref + written;
    for (int i = 0; i < rec->nref; i++)
        if (i != written && ref[i].space == w->space && ref[i].index == w->index && !apart(w, ref + i) &&
            !(may_share(rec, written, i) && same_window(w, ref + i)))
            return 0;
    return 1;
}

static int written_ok(const ipu_rec *rec, int i)
{
    return writable(ipu_refs(rec) + i) && meets_nothing(rec, i);
}

/* Operands that a record may lack. */
static int optional(const ipu_rec *rec, int i)
{
    if (ipu_is_conv(rec->kind))
        return i == IPU_CONV_ADD || i == IPU_CONV_Y2 || i == IPU_CONV_TABLE;
    if (ipu_is_depthwise(rec->kind))
        return i == IPU_DEPTHWISE_TABLE;
    switch (rec->kind) {
    case IPU_MAXPOOL:
        return i == 2;
    case IPU_RESIZE_NEAREST:
        return i > IPU_RESIZE_IX;
    default:
        return 0;
    }
}

/* Rows and columns that a resize reads lie in x; the family's check proved that iy and ix are S32 arrays. */
static int indices_ok(const ipu_header *h, const ipu_rec *rec)
{
    if (rec->kind != IPU_RESIZE_NEAREST && rec->kind != IPU_RESIZE_S16)
        return 1;
    const ipu_resize *o = (const void *)rec;
    const int32_t *iy = ipu_at(h, h->consts, o->iy.off), *ix = ipu_at(h, h->consts, o->ix.off);
    for (int32_t i = 0; i < o->iy.c; i++)
        if (iy[i] < 0 || iy[i] >= o->x.h)
            return 0;
    for (int32_t i = 0; i < o->ix.c; i++)
        if (ix[i] < 0 || ix[i] >= o->x.w)
            return 0;
    return 1;
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

static const struct {
    uint16_t bytes, nref;
} shape_of[IPU_KIND_COUNT] = {
#define X(kind, family, kernel) [kind] = { sizeof(ipu_##family), IPU_NREF_##family },
    IPU_KINDS(X)
#undef X
};

/* Whether operand i may have any step. */
static int any_step(const ipu_header *h, const ipu_rec *rec, int i)
{
    return i == 1 && (rec->kind == IPU_COPY || (rec->kind == IPU_QUANTIZE && (h->features & IPU_FEATURE_STEPS)));
}

static ipu_status record_check(const ipu_header *h, const ipu_rec *rec, const ipu_kernels *kernels)
{
    if (rec->bytes != shape_of[rec->kind].bytes || rec->nref != shape_of[rec->kind].nref)
        return IPU_E_IMAGE;
    const ipu_ref *ref = ipu_refs(rec);
    for (int i = 0; i < rec->nref; i++)
        if (ref[i].space == IPU_NONE ? !optional(rec, i) : !ref_ok(h, ref + i, any_step(h, rec, i)))
            return IPU_E_IMAGE;
    if (!written_ok(rec, 0))
        return IPU_E_IMAGE;
    if (ipu_is_conv(rec->kind) && ref[IPU_CONV_Y2].space != IPU_NONE && !written_ok(rec, IPU_CONV_Y2))
        return IPU_E_IMAGE;
    if (!kernels->row[rec->kind].run || !kernels->row[rec->kind].check)
        return IPU_E_KERNEL;
    if (!kernels->row[rec->kind].check(rec) || !indices_ok(h, rec))
        return IPU_E_IMAGE;
    return IPU_OK;
}

static ipu_status records_check(const ipu_header *h, const ipu_kernels *kernels)
{
    const ipu_rec *rec = ipu_at(h, h->ops, 0);
    uint32_t left = h->ops.bytes;
    for (uint32_t i = 0; i < h->nop; i++) {
        if (left < sizeof *rec || rec->kind >= IPU_KIND_COUNT || shape_of[rec->kind].bytes > left)
            return IPU_E_IMAGE;
        if (ipu_is_four_bits(rec->kind) && !(h->features & IPU_FEATURE_FOUR_BITS))
            return IPU_E_IMAGE;
        ipu_status s = record_check(h, rec, kernels);
        if (s != IPU_OK)
            return s;
        left -= rec->bytes;
        rec = ipu_rec_next(rec);
    }
    return left ? IPU_E_IMAGE : IPU_OK;
}

/* Whether elements of it can be stacked, and the bytes of a stack counted. */
static int stack_ok(const ipu_sizes *b, const ipu_io *io)
{
    if (!b || b->mode != IPU_ONE_BUF)
        return 1;
    for (uint32_t i = 0; i < b->count; i++)
        if (!io->rank || (uint64_t)io->bytes * b->size[i] > UINT32_MAX ||
            (uint64_t)(uint32_t)io->dim[0] * b->size[i] > INT32_MAX)
            return 0;
    return 1;
}

static ipu_status contents_check(const ipu_header *h, const ipu_kernels *kernels)
{
    for (uint32_t i = 0; i < h->ninput + h->noutput; i++)
        if (!io_ok(h, ipu_io_of(h, i)) || !stack_ok(ipu_sizes_of(h), ipu_io_of(h, i)))
            return IPU_E_IMAGE;
    const ipu_cost *cost = ipu_at(h, h->cost, 0);
    for (uint32_t i = 0; i < h->nop; i++)
        if (!name_ok(h, cost[i].name))
            return IPU_E_IMAGE;
    return records_check(h, kernels);
}

ipu_status ipu_load(ipu_model *m, const void *image, size_t bytes, const ipu_kernels *kernels)
{
    if (!m)
        return IPU_E_ARG;
    *m = (ipu_model){ 0 };
    if (!image || !kernels || (uintptr_t)image % IPU_ALIGN)
        return IPU_E_ARG;
    ipu_status s = header_check(image, bytes);
    if (s == IPU_OK)
        s = contents_check(image, kernels);
    if (s == IPU_OK)
        *m = (ipu_model){ image, bytes, kernels };
    return s;
}

/* ---- questions
 * ------------------------------------------------------------------------------------------------------- */

size_t ipu_arena_size(const ipu_model *m)
{
    return m && m->image ? ipu_head(m)->arena_bytes : 0;
}

int ipu_input_count(const ipu_model *m)
{
    return m && m->image ? (int)ipu_head(m)->ninput : 0;
}

int ipu_output_count(const ipu_model *m)
{
    return m && m->image ? (int)ipu_head(m)->noutput : 0;
}

static void describe(const ipu_header *h, const ipu_io *io, ipu_tensor *t)
{
    *t = (ipu_tensor){ 0 };
    t->name = ipu_at(h, h->consts, io->name);
    t->type = (ipu_type)io->type;
    t->format = (ipu_format)io->format;
    t->training = (ipu_format)(io->origin & ~IPU_IO_NCHW);
    t->nchw = io->origin & IPU_IO_NCHW ? 1 : 0;
    t->rank = io->rank;
    for (int i = 0; i < io->rank; i++)
        t->dim[i] = io->dim[i];
    if (io->format != IPU_FMT_RAW) {
        const int said = h->features & IPU_FEATURE_PICTURES ? 1 : 0;
        t->width_align = said ? io->dim[IPU_IO_WIDTH] : 1;
        t->height_align = said ? io->dim[IPU_IO_HEIGHT] : 1;
    }
    t->bytes = io->bytes;
    t->axis = io->axis;
    t->nscale = (int)io->nscale;
    if (io->nscale) {
        t->scale = ipu_at(h, h->consts, io->scale);
        t->zero = ipu_at(h, h->consts, io->zero);
    }
}

ipu_status ipu_input(const ipu_model *m, int i, ipu_tensor *t)
{
    if (!t || i < 0 || i >= ipu_input_count(m))
        return IPU_E_ARG;
    describe(ipu_head(m), ipu_io_of(ipu_head(m), (uint32_t)i), t);
    return IPU_OK;
}

ipu_status ipu_output(const ipu_model *m, int i, ipu_tensor *t)
{
    if (!t || i < 0 || i >= ipu_output_count(m))
        return IPU_E_ARG;
    describe(ipu_head(m), ipu_io_of(ipu_head(m), ipu_head(m)->ninput + (uint32_t)i), t);
    return IPU_OK;
}

ipu_status ipu_batches(const ipu_model *m, ipu_batch *b)
{
    if (!b || !m || !m->image)
        return IPU_E_ARG;
    *b = (ipu_batch){ IPU_N_BUF, 1, { 1 } };
    const ipu_sizes *sizes = ipu_sizes_of(ipu_head(m));
    if (!sizes)
        return IPU_OK;
    b->mode = (ipu_batch_mode)sizes->mode;
    b->count = (int)sizes->count;
    for (int i = 0; i < b->count; i++)
        b->size[i] = (int)sizes->size[i];
    return IPU_OK;
}
