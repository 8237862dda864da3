/* Record pairs into one.  Each rewrite computes the same roundings in the same places (ARITHMETIC.md 7), so outputs
 * keep every bit; what goes is a trip of the intermediate through memory. */
#include <string.h>

#include "compile/lower.h"

/* Who writes and reads a buffer. */
typedef struct use {
    int writers, readers;
    int writer; /* the last record that writes it */
} use;

static void count_uses(const sgs_program *p, use *u)
{
    memset(u, 0, (size_t)p->nbuffer * sizeof *u);
    for (int k = 0; k < p->nrecord; k++) {
        const ipu_ref *ref = sgs_refs(p->record + k);
        for (int i = 0; i < p->record[k].rec->nref; i++) {
            if (ref[i].space != IPU_ARENA)
                continue;
            use *mine = u + ref[i].index;
            if (sgs_ref_written(p->record + k, i)) {
                mine->writers++;
                mine->writer = k;
            } else {
                mine->readers++;
            }
        }
    }
}

static bool same_shape(const ipu_ref *a, const ipu_ref *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c;
}

static void remove_record(sgs_program *p, int k)
{
    memmove(p->record + k, p->record + k + 1, (size_t)(p->nrecord - k - 1) * sizeof *p->record);
    p->nrecord--;
}

static void join(sgs_program *p, sgs_record *into, const sgs_record *gone)
{
    into->layer = sgs_format(p->arena, "%s + %s", into->layer, gone->layer);
    into->mac += gone->mac;
}

/* ---- convolution, then addition -------------------------------------------------------------------------------- */

/* The convolution that makes operand i of addition k and could take the addition over; else -1. */
static int residual_source(const sgs_program *p, const use *u, int k, int i)
{
    const ipu_ref *ref = sgs_refs(p->record + k), *t = ref + i, *other = ref + 3 - i;
    const use *mine = u + t->index;
    if (p->buffer[t->index].space != IPU_ARENA || mine->writers != 1 || mine->readers != 1 || mine->writer > k)
        return -1;
    const sgs_record *r = p->record + mine->writer;
    const ipu_ref *made = sgs_refs(r);
    if (!sgs_conv_record(r) || made[IPU_CONV_ADD].space != IPU_NONE || made[IPU_CONV_Y2].space != IPU_NONE)
        return -1;
    if (made->type != IPU_S16 || memcmp(made, t, sizeof *t) || !same_shape(other, ref) || !same_shape(t, ref))
        return -1;
    return mine->writer;
}

/* The fused record stands where the addition stood: everything it reads is made by then. */
static void fuse_residual(sgs_program *p, int source, int k, int i)
{
    const ipu_arith *add = (const ipu_arith *)(const void *)p->record[k].rec;
    ipu_conv *conv = (ipu_conv *)(void *)p->record[source].rec;
    conv->add = i == 1 ? add->b : add->a;
    conv->m_conv = i == 1 ? add->ma : add->mb;
    conv->m_add = i == 1 ? add->mb : add->ma;
    conv->sum = add->out;
    conv->y = add->y;
    sgs_record fused = p->record[source];
    join(p, &fused, p->record + k);
    p->record[k] = fused;
    remove_record(p, source);
}

static bool fuse_one_residual(sgs_program *p, use *u)
{
    count_uses(p, u);
    for (int k = 0; k < p->nrecord; k++) {
        if (p->record[k].rec->kind != IPU_ADD_S16)
            continue;
        int a = residual_source(p, u, k, 1), b = residual_source(p, u, k, 2);
        if (a < 0 && b < 0)
            continue;
        fuse_residual(p, a > b ? a : b, k, a > b ? 1 : 2); /* the later one: it moves less */
        return true;
    }
    return false;
}

/* ---- convolution or arithmetic, then a clamp ------------------------------------------------------------------------ */

/* The range that record r ends with; NULL where it is no kind that ends with one, or goes through a table. */
static ipu_out *last_range(sgs_record *r)
{
    ipu_conv *conv = (ipu_conv *)(void *)r->rec;
    if (sgs_conv_record(r))
        return conv->y2.space != IPU_NONE || conv->table.space != IPU_NONE ? NULL : conv->add.space != IPU_NONE ? &conv->sum : &conv->out;
    if (r->rec->kind == IPU_ADD_S16 || r->rec->kind == IPU_MUL_S16)
        return &((ipu_arith *)(void *)r->rec)->out;
    return NULL;
}

/* Makes the range that of both, where any number is left; its bounds are whole, so clamping before the rounding gives what clamping behind it does. */
static bool narrow(ipu_out *out, const ipu_clamp *clamp)
{
    float lo = (float)(clamp->lo - out->zero), hi = (float)(clamp->hi - out->zero);
    lo = lo > out->lo ? lo : out->lo;
    hi = hi < out->hi ? hi : out->hi;
    if (lo > hi)
        return false;
    out->lo = lo;
    out->hi = hi;
    return true;
}

/* Whether CLAMP k went into the record that makes what it alone reads. */
static bool fuse_clamp(sgs_program *p, const use *u, int k)
{
    const ipu_clamp *clamp = (const ipu_clamp *)(const void *)p->record[k].rec;
    if (clamp->x.space != IPU_ARENA || p->buffer[clamp->x.index].space != IPU_ARENA)
        return false;
    const use *mine = u + clamp->x.index;
    if (mine->writers != 1 || mine->readers != 1 || mine->writer > k)
        return false;
    sgs_record *source = p->record + mine->writer;
    ipu_out *out = last_range(source);
    if (!out || memcmp(sgs_refs(source), &clamp->x, sizeof clamp->x) || !narrow(out, clamp))
        return false;
    sgs_refs(source)[0] = clamp->y;
    join(p, source, p->record + k);
    remove_record(p, k);
    return true;
}

static bool fuse_one_clamp(sgs_program *p, use *u)
{
    count_uses(p, u);
    for (int k = 0; k < p->nrecord; k++)
        if (p->record[k].rec->kind == IPU_CLAMP && fuse_clamp(p, u, k))
            return true;
    return false;
}

/* ---- convolution, then a change to 8 bits beside it
 * -------------------------------------------------------------------- */

static bool scalar(const sgs_program *p, const ipu_ref *r, void *value)
{
    if (r->space != IPU_CONST || r->n != 1 || r->h != 1 || r->w != 1 || r->c != 1)
        return false;
    memcpy(value, p->consts.p + r->off, 4);
    return true;
}

static bool writes_buffer(const sgs_record *r, int buffer)
{
    const ipu_ref *ref = sgs_refs(r);
    for (int i = 0; i < r->rec->nref; i++)
        if (ref[i].space == IPU_ARENA && ref[i].index == buffer && sgs_ref_written(r, i))
            return true;
    return false;
}

/* The convolution whose whole result QUANTIZE k reads; else -1. */
static int second_output_source(const sgs_program *p, int k, float *m)
{
    const ipu_quantize *q = (const ipu_quantize *)(const void *)p->record[k].rec;
    int32_t zero;
    if (q->x.space != IPU_ARENA || q->x.type != IPU_S16 || q->y.type != IPU_U8 || !scalar(p, &q->mult, m) ||
        !scalar(p, &q->zero, &zero))
        return -1;
    for (int s = k - 1; s >= 0; s--) {
        const ipu_conv *conv = (const ipu_conv *)(const void *)p->record[s].rec;
        if (!writes_buffer(p->record + s, q->x.index))
            continue;
        if (!sgs_conv_record(p->record + s) || memcmp(&conv->y, &q->x, sizeof q->x))
            return -1;
        int32_t its = conv->add.space == IPU_NONE ? conv->out.zero : conv->sum.zero;
        return conv->y2.space == IPU_NONE && its == zero ? s : -1;
    }
    return -1;
}

static bool fuse_one_second_output(sgs_program *p)
{
    for (int k = 0; k < p->nrecord; k++) {
        float m;
        int s = p->record[k].rec->kind == IPU_QUANTIZE ? second_output_source(p, k, &m) : -1;
        if (s < 0)
            continue;
        const ipu_quantize *q = (const ipu_quantize *)(const void *)p->record[k].rec;
        ipu_conv *conv = (ipu_conv *)(void *)p->record[s].rec;
        conv->y2 = q->y;
        conv->m_y2 = m;
        conv->out2 = q->out;
        join(p, p->record + s, p->record + k);
        remove_record(p, k);
        return true;
    }
    return false;
}

/* ---- an input quantized, then turned from planes to pixels ---- */

/* One row after the other, whole. */
static bool is_dense(const ipu_ref *r)
{
    return r->step == ipu_type_bytes(r->type) && r->pix == r->c * r->step && r->row == r->w * r->pix && r->img == r->h * r->row;
}

static int64_t elements(const ipu_ref *r)
{
    return (int64_t)r->n * r->h * r->w * r->c;
}

/* Whether COPY takes all that QUANTIZE makes of an input of floats, with one multiplier, as planes of few channels. */
static bool turns_planes(const sgs_program *p, const ipu_quantize *q, const ipu_copy *copy)
{
    enum { PLANES = 16 };
    const ipu_ref *x = &copy->x;
    return q->head.kind == IPU_QUANTIZE && q->x.type == IPU_F32 && p->buffer[q->x.index].space == IPU_INPUT && q->mult.c == 1 && q->zero.c == 1 && is_dense(&q->x) &&
           is_dense(&q->y) && q->y.off == x->off && x->n == 1 && x->h == 1 && x->c <= PLANES && x->pix == ipu_type_bytes(x->type) && x->step == x->w * x->pix &&
           elements(x) == elements(&q->y);
}

/* Whether the quantization before COPY k took its walk over; the result is cut into rows as the picture was, which threads share. */
static bool fuse_planes(sgs_program *p, const use *u, int k)
{
    const ipu_copy *copy = (const ipu_copy *)(const void *)p->record[k].rec;
    if (copy->head.kind != IPU_COPY || copy->x.space != IPU_ARENA || p->buffer[copy->x.index].space != IPU_ARENA)
        return false;
    const use *mine = u + copy->x.index;
    sgs_record *source = p->record + mine->writer;
    ipu_quantize *q = (ipu_quantize *)(void *)source->rec;
    if (mine->writers != 1 || mine->readers != 1 || mine->writer > k || !turns_planes(p, q, copy))
        return false;
    const int32_t each = (int32_t)sizeof(float), w = copy->x.w % q->y.c ? copy->x.w : q->y.c;
    q->x.n = 1, q->x.h = copy->x.w / w, q->x.w = w, q->x.c = copy->x.c;
    q->x.pix = each, q->x.row = w * each, q->x.step = q->x.img = copy->x.w * each;
    q->y = copy->y;
    q->y.h = q->x.h, q->y.w = w;
    q->y.row = w * q->y.pix, q->y.img = q->y.h * q->y.row;
    join(p, source, p->record + k);
    remove_record(p, k);
    return true;
}

static bool fuse_one_planes(sgs_program *p, use *u)
{
    count_uses(p, u);
    for (int k = 0; k < p->nrecord; k++)
        if (fuse_planes(p, u, k))
            return true;
    return false;
}

/* ---- convolution, then a table of bytes ---- */

/* The parts of a record that a table changes. */
typedef struct tabled {
    ipu_ref *y, *table;
    ipu_out *out;
} tabled;

/* False: no convolution. */
static bool takes_table(const sgs_record *r, tabled *t)
{
    if (sgs_conv_record(r)) {
        ipu_conv *conv = (ipu_conv *)(void *)r->rec;
        *t = (tabled){ &conv->y, &conv->table, &conv->out };
        return conv->add.space == IPU_NONE && conv->y2.space == IPU_NONE;
    }
    ipu_depthwise *depthwise = (ipu_depthwise *)(void *)r->rec;
    *t = (tabled){ &depthwise->y, &depthwise->table, &depthwise->out };
    return ipu_is_depthwise(r->rec->kind);
}

/* The convolution's own clamp and that of the index are one; the integer of the first entry becomes 0. */
static ipu_out index_range(const ipu_out *of, int32_t first)
{
    const float last = (float)(first + IPU_INDEX - 1 - of->zero), from = (float)(first - of->zero);
    const float lo = of->lo > from ? of->lo : from, hi = of->hi < last ? of->hi : last;
    return (ipu_out){ lo < last ? lo : last, hi > from ? hi : from, of->zero - first };
}

static bool fuse_one_table(sgs_program *p, use *u)
{
    count_uses(p, u);
    for (int k = 0; k < p->nrecord; k++) {
        const ipu_lut *lut = (const ipu_lut *)(const void *)p->record[k].rec;
        if (lut->head.kind != IPU_LUT_U8 || lut->x.space != IPU_ARENA || p->buffer[lut->x.index].space != IPU_ARENA)
            continue;
        const use *mine = u + lut->x.index;
        sgs_record *source = p->record + mine->writer;
        tabled t;
        if (mine->writers != 1 || mine->readers != 1 || mine->writer > k || !takes_table(source, &t) ||
            memcmp(t.y, &lut->x, sizeof lut->x))
            continue;
        *t.y = lut->y;
        *t.table = lut->table;
        *t.out = index_range(t.out, lut->first);
        join(p, source, p->record + k);
        remove_record(p, k);
        return true;
    }
    return false;
}

void sgs_program_fuse(sgs_program *p)
{
    use *u = SGS_NEW_N(p->arena, use, p->nbuffer + 1);
    while (fuse_one_planes(p, u))
        ;
    while (fuse_one_table(p, u))
        ;
    while (fuse_one_residual(p, u))
        ;
    while (fuse_one_clamp(p, u))
        ;
    while (fuse_one_second_output(p))
        ;
}
