#include <string.h>

#include "base/hash.h"
#include "compile/emit.h"
#include "runtime/kernels.h"

/* ---- constants: names and scales behind the program's own ----------------------------------------------------------
 */

static uint32_t add_const(sgs_buf *consts, const void *data, size_t n, size_t align)
{
    sgs_buf_align(consts, align);
    uint32_t at = (uint32_t)consts->n;
    sgs_buf_add(consts, data, n);
    return at;
}

static uint32_t add_name(sgs_buf *consts, const char *name)
{
    size_t n = strlen(name);
    if (n >= IPU_MAX_NAME)
        n = IPU_MAX_NAME - 1;
    uint32_t at = add_const(consts, name, n, 1);
    sgs_buf_add(consts, "", 1);
    return at;
}

static bool any_framed(const sgs_image_info *info)
{
    for (int i = 0; i < info->ninput; i++)
        if (info->io[i].framed)
            return true;
    return false;
}

/* `aligned`: pictures say their alignments. */
static sgs_status add_io(sgs_buf *io, sgs_buf *consts, const sgs_image_io *t, bool aligned, sgs_diag *d)
{
    ipu_io e = { .type = (uint8_t)t->type,
                 .format = (uint8_t)t->format,
                 .rank = (uint8_t)t->rank,
                 .origin = (uint8_t)((int)t->training | (t->nchw ? IPU_IO_NCHW : 0)),
                 .axis = -1 };
    int64_t bytes = ipu_type_bytes(t->type);
    for (int i = 0; i < t->rank; i++) {
        if (!sgs_mul64(bytes, t->dim[i], &bytes) || bytes > UINT32_MAX || t->dim[i] > INT32_MAX)
            return sgs_fail(d, SGS_E_LIMIT, "'%s' is larger than the 4 GiB an image can describe", t->name);
        e.dim[i] = (int32_t)t->dim[i];
    }
    if (aligned && t->format != IPU_FMT_RAW) {
        e.dim[IPU_IO_WIDTH] = t->width_align;
        e.dim[IPU_IO_HEIGHT] = t->height_align;
    }
    e.bytes = (uint32_t)(t->framed ? t->bytes : bytes);
    e.name = add_name(consts, t->name);
    if (t->nscale) {
        e.axis = t->nscale > 1 ? t->axis : -1;
        e.nscale = (uint32_t)t->nscale;
        e.scale = add_const(consts, t->scale, (size_t)t->nscale * sizeof *t->scale, 4);
        e.zero = add_const(consts, t->zero, (size_t)t->nscale * sizeof *t->zero, 4);
    }
    sgs_buf_add(io, &e, sizeof e);
    return SGS_OK;
}

/* ---- records and their cost
 * ------------------------------------------------------------------------------------------ */

/* From buffer numbers to the image's spaces. */
static ipu_ref resolve(const sgs_program *p, ipu_ref r)
{
    if (r.space == IPU_NONE)
        return (ipu_ref){ 0 };
    if (r.space == IPU_CONST)
        return r;
    const sgs_buffer *b = p->buffer + r.index;
    r.space = (uint8_t)b->space;
    r.index = (uint16_t)(b->space == IPU_ARENA ? 0 : b->index);
    r.off += b->space == IPU_ARENA ? (uint32_t)b->off : 0;
    return r;
}

static void add_bytes(uint32_t *sum, const ipu_ref *r)
{
    int64_t each = ipu_type_bytes(r->type), n = *sum, k;
    if (sgs_mul64(each, r->n, &k) && sgs_mul64(k, r->h, &k) && sgs_mul64(k, r->w, &k) && sgs_mul64(k, r->c, &k) &&
        sgs_add64(n, k, &n) && n <= UINT32_MAX)
        *sum = (uint32_t)n;
    else
        *sum = UINT32_MAX;
}

ipu_cost sgs_record_cost(const sgs_record *r)
{
    ipu_cost cost = { .mac_lo = (uint32_t)r->mac, .mac_hi = (uint32_t)(r->mac >> 32) };
    for (int i = 0; i < r->rec->nref; i++) {
        const ipu_ref *ref = sgs_refs(r) + i;
        if (ref->space != IPU_NONE)
            add_bytes(ref->space == IPU_CONST ? &cost.weight : sgs_ref_written(r, i) ? &cost.write : &cost.read, ref);
    }
    return cost;
}

static void add_record(const sgs_program *p, const sgs_record *r, sgs_buf *ops, sgs_buf *costs, sgs_buf *consts)
{
    ipu_cost cost = sgs_record_cost(r);
    cost.name = add_name(consts, r->layer);
    size_t at = ops->n;
    sgs_buf_add(ops, r->rec, r->rec->bytes);
    for (int i = 0; i < r->rec->nref; i++) {
        ipu_ref ref = resolve(p, sgs_refs(r)[i]);
        memcpy(ops->p + at + sizeof(ipu_rec) + (size_t)i * sizeof ref, &ref, sizeof ref);
    }
    sgs_buf_add(costs, &cost, sizeof cost);
}

/* ---- the file
 * ---------------------------------------------------------------------------------------------------------- */

typedef struct sections {
    sgs_buf io, ops, consts, provenance, cost;
} sections;

static sgs_status fill(const sgs_program *p, const sgs_image_info *info, sections *s, sgs_diag *d)
{
    sgs_buf_add(&s->consts, p->consts.p, p->consts.n);
    for (int i = 0; i < info->ninput + info->noutput; i++)
        SGS_TRY(add_io(&s->io, &s->consts, info->io + i, any_framed(info), d));
    for (int k = 0; k < p->nrecord; k++)
        add_record(p, p->record + k, &s->ops, &s->cost, &s->consts);
    sgs_buf_add(&s->provenance, info->provenance, strlen(info->provenance));
    int64_t all =
        (int64_t)s->consts.n + (int64_t)s->ops.n + (int64_t)s->cost.n + (int64_t)s->io.n + (int64_t)s->provenance.n;
    if (all > UINT32_MAX - 1024)
        return sgs_fail(d, SGS_E_LIMIT, "the image needs %lld bytes; the format ends at 4 GiB", (long long)all);
    return SGS_OK;
}

static ipu_section place(sgs_buf *out, const sgs_buf *part)
{
    sgs_buf_align(out, IPU_ALIGN);
    ipu_section s = { (uint32_t)out->n, (uint32_t)part->n };
    sgs_buf_add(out, part->p, part->n);
    return s;
}

static bool has_step(const sgs_record *r)
{
    const ipu_ref *x = sgs_refs(r) + 1;
    return r->rec->kind == IPU_QUANTIZE && x->step != ipu_type_bytes(x->type);
}

static uint32_t features_of(const sgs_program *p, const sgs_image_info *info)
{
    uint32_t features = any_framed(info) ? IPU_FEATURE_PICTURES : 0;
    for (int k = 0; k < p->nrecord; k++) {
        if (ipu_is_four_bits(p->record[k].rec->kind))
            features |= IPU_FEATURE_FOUR_BITS;
        else if (has_step(p->record + k))
            features |= IPU_FEATURE_STEPS;
    }
    return features;
}

/* What stands behind the header. */
static void add_batch(const ipu_batch *b, ipu_header *h, sgs_buf *out)
{
    ipu_sizes sizes = { (uint32_t)b->mode, (uint32_t)b->count, { 0 } };
    if (!b->count || (b->count == 1 && b->size[0] == 1))
        return;
    for (int i = 0; i < b->count; i++)
        sizes.size[i] = (uint32_t)b->size[i];
    h->features |= IPU_FEATURE_BATCH;
    h->header_bytes += (uint32_t)sizeof sizes;
    sgs_buf_add(out, &sizes, sizeof sizes);
}

static void assemble(const sgs_program *p, const sgs_image_info *info, const sections *s, sgs_buf *out)
{
    ipu_header h = { .version = IPU_IMAGE_VERSION,
                     .header_bytes = sizeof h,
                     .target = info->target,
                     .features = features_of(p, info),
                     .category = info->category,
                     .arena_bytes = (uint32_t)info->arena,
                     .ninput = (uint32_t)info->ninput,
                     .noutput = (uint32_t)info->noutput,
                     .nop = (uint32_t)p->nrecord };
    memcpy(h.magic, IPU_IMAGE_MAGIC, sizeof h.magic);
    sgs_buf_add(out, &h, sizeof h);
    add_batch(&info->batch, &h, out);
    h.io = place(out, &s->io);
    h.ops = place(out, &s->ops);
    h.consts = place(out, &s->consts);
    h.provenance = place(out, &s->provenance);
    h.cost = place(out, &s->cost);
    h.file_bytes = (uint32_t)out->n;
    memcpy(out->p, &h, sizeof h);
    ipu_sha256 hash;
    ipu_sha256_init(&hash);
    sgs_sha256_add(&hash, out->p, out->n);
    ipu_sha256_end(&hash, h.hash);
    memcpy(out->p, &h, sizeof h);
}

sgs_status sgs_emit_image(const sgs_program *p, const sgs_image_info *info, sgs_buf *out, sgs_diag *d)
{
    if (info->ninput > IPU_MAX_IO || info->noutput > IPU_MAX_IO)
        return sgs_fail(d, SGS_E_LIMIT, "the model has %d inputs and %d outputs; an image takes %d of each",
                        info->ninput, info->noutput, IPU_MAX_IO);
    sections s = { 0 };
    sgs_status status = fill(p, info, &s, d);
    if (status == SGS_OK)
        assemble(p, info, &s, out);
    sgs_buf_free(&s.io);
    sgs_buf_free(&s.ops);
    sgs_buf_free(&s.consts);
    sgs_buf_free(&s.provenance);
    sgs_buf_free(&s.cost);
    return status;
}

/* ---- the kernel list
 * -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *kind, *family, *kernel;
} kinds[IPU_KIND_COUNT] = {
#define X(kind, family, kernel) { #kind, #family, #kernel },
    IPU_KINDS(X)
#undef X
};

/* Of the kinds for which microcontrollers have another kernel: both names without _c and _dsp. */
static const char *const with_dsp[IPU_KIND_COUNT] = {
#define X(kind, family, kernel) [kind] = #kernel,
    IPU_DSP_KINDS(X)
#undef X
};

static bool family_has_dsp(const char *family)
{
    int k = 0;
    while (k < IPU_KIND_COUNT && !(with_dsp[k] && !strcmp(kinds[k].family, family)))
        k++;
    return k < IPU_KIND_COUNT;
}

static void add_kernel(sgs_buf *out, int k)
{
    sgs_buf_printf(out, "        [%s] = { ipu_%s_check, ", kinds[k].kind, kinds[k].family);
    if (with_dsp[k])
        sgs_buf_printf(out, "IPU_C_OR_DSP(%s) },\n", with_dsp[k]);
    else
        sgs_buf_printf(out, "%s },\n", kinds[k].kernel);
}

static void add_identifier(sgs_buf *out, const char *stem)
{
    if (*stem >= '0' && *stem <= '9')
        sgs_buf_add(out, "_", 1);
    for (; *stem; stem++) {
        bool letter =
            (*stem >= 'a' && *stem <= 'z') || (*stem >= 'A' && *stem <= 'Z') || (*stem >= '0' && *stem <= '9');
        sgs_buf_add(out, letter ? stem : "_", 1);
    }
}

void sgs_emit_kernels(const sgs_program *p, const char *stem, sgs_buf *out)
{
    bool used[IPU_KIND_COUNT] = { 0 };
    for (int k = 0; k < p->nrecord; k++)
        used[p->record[k].rec->kind] = true;
    sgs_buf_printf(out,
                   "/* The kernels that one image needs, and no others: pass the table below to ipu_load.\n"
                   " * Link it with OpenIPU's runtime/{load,run,status,verify,sha256}.c and, from runtime/kernels:");
    for (int k = 0, first = 1; k < IPU_KIND_COUNT; k++) {
        bool new_family = used[k];
        for (int j = 0; j < k; j++)
            new_family = new_family && !(used[j] && !strcmp(kinds[j].family, kinds[k].family));
        if (new_family)
            sgs_buf_printf(out, "%s %s.c", first ? "" : ",", kinds[k].family);
        if (new_family && family_has_dsp(kinds[k].family))
            sgs_buf_printf(out, ", %s_dsp.c", kinds[k].family);
        first = first && !new_family;
    }
    sgs_buf_printf(out, ". */\n#include \"runtime/kernels.h\"\n\nextern const ipu_kernels ");
    add_identifier(out, stem);
    sgs_buf_printf(out, ";\nconst ipu_kernels ");
    add_identifier(out, stem);
    sgs_buf_printf(out, " = {\n    .row = {\n");
    for (int k = 0; k < IPU_KIND_COUNT; k++)
        if (used[k])
            add_kernel(out, k);
    sgs_buf_printf(out, "    },\n};\n");
}
