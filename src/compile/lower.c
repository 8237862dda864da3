/* Fixed graph -> program.  Every value gets a place: a buffer, an offset and a stride per dimension.  Backwards over
 * the graph, values that only feed a concatenation or a reshape are put where its result lies; forwards, each op emits
 * its records, and what could not be put in place is copied. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compile/place.h"
#include "ops/util.h"

static sgs_place constant_place(sgs_lowering *l, const sgs_value *v);

static void *grown(sgs_arena *a, void *old, int n, int *cap, size_t each)
{
    if (n < *cap)
        return old;
    *cap = *cap ? 2 * *cap : 64;
    void *now = sgs_alloc_n(a, (size_t)*cap, each);
    if (n)
        memcpy(now, old, (size_t)n * each);
    return now;
}

static void out_of_limits(sgs_lowering *l, const char *what)
{
    l->limit = l->limit ? l->limit : what;
}

sgs_status sgs_lower_fail(sgs_lowering *l, const sgs_node *n, sgs_diag *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sgs_buf text = { 0 };
    char line[1024];
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    sgs_buf_printf(&text, "%s: %s", n->op->name, line);
    sgs_status s = sgs_fail(d, SGS_E_UNSUPPORTED, "%s", text.p);
    sgs_fail_at(d, NULL, 0, sgs_node_label(l->g, n));
    sgs_buf_free(&text);
    return s;
}

sgs_arena *sgs_lower_arena(sgs_lowering *l)
{
    return l->p->arena;
}

/* ---- places
 * -------------------------------------------------------------------------------------------------------------- */

static int new_buffer(sgs_lowering *l, ipu_space space, int index, int64_t bytes)
{
    sgs_program *p = l->p;
    if (p->nbuffer == UINT16_MAX || bytes > UINT32_MAX)
        out_of_limits(l, p->nbuffer == UINT16_MAX ? "the network has more than 65535 buffers"
                                                  : "a tensor is larger than 4 GiB");
    if (l->limit)
        return 0;
    p->buffer = grown(p->arena, p->buffer, p->nbuffer, &l->buffer_cap, sizeof *p->buffer);
    p->buffer[p->nbuffer] = (sgs_buffer){ bytes, space, index, 0 };
    return p->nbuffer++;
}

sgs_place sgs_place_dense(const sgs_value *v, int buffer, int64_t off)
{
    sgs_place at = { .set = true, .buffer = buffer, .off = off };
    int64_t stride = sgs_type_bytes(v->type);
    for (int i = v->rank - 1; i >= 0; i--) {
        at.stride[i] = stride;
        stride *= v->dim[i];
    }
    return at;
}

sgs_place sgs_place_new(sgs_lowering *l, const sgs_value *v)
{
    return sgs_place_dense(v, new_buffer(l, IPU_ARENA, 0, sgs_value_bytes(v)), 0);
}

sgs_place *sgs_place_of(sgs_lowering *l, const sgs_value *v)
{
    sgs_place *at = v->id < 0 ? SGS_NEW(l->p->arena, sgs_place) : l->at + v->id;
    if (!at->set)
        *at = v->constant ? constant_place(l, v) : sgs_place_new(l, v);
    return at;
}

bool sgs_place_same(const sgs_value *v, const sgs_place *a, const sgs_place *b)
{
    if (!a->set || !b->set || a->buffer != b->buffer || a->off != b->off)
        return false;
    for (int i = 0; i < v->rank; i++)
        if (v->dim[i] != 1 && a->stride[i] != b->stride[i])
            return false;
    return true;
}

bool sgs_placeable(const sgs_lowering *l, const sgs_value *v)
{
    return v->def && !v->constant && !l->at[v->id].set;
}

/* ---- operands
 * -------------------------------------------------------------------------------------------------------------- */

static ipu_type type_of(sgs_type t)
{
    switch (t) {
    case SGS_U8:
    case SGS_BOOL:
        return IPU_U8;
    case SGS_S8:
        return IPU_S8;
    case SGS_S16:
        return IPU_S16;
    case SGS_U16:
        return IPU_U16;
    case SGS_S32:
        return IPU_S32;
    case SGS_S64:
        return IPU_S64;
    case SGS_F32:
        return IPU_F32;
    default:
        return IPU_TYPE_COUNT;
    }
}

static int32_t narrow(sgs_lowering *l, int64_t v)
{
    if (v < 0 || v > INT32_MAX)
        out_of_limits(l, "a tensor is larger than 2 GiB");
    return (int32_t)v;
}

/* Dimensions before the last three as one: they must lie as if they were. */
static void fold_leading(sgs_lowering *l, const sgs_value *v, const sgs_place *at, int64_t *n, int64_t *img)
{
    *n = 1;
    *img = 0;
    for (int i = v->rank - 4; i >= 0; i--) {
        if (v->dim[i] == 1)
            continue;
        if (*n == 1)
            *img = at->stride[i];
        else if (at->stride[i] != *n * *img)
            out_of_limits(l, "a view of more than four dimensions has gaps");
        *n *= v->dim[i];
    }
}

/* Strides of axes with one element are made canonical, so that equal windows are equal bytes. */
ipu_ref sgs_place_ref(sgs_lowering *l, sgs_type t, int buffer, int64_t off, const int64_t dim[4],
                      const int64_t stride[4])
{
    int64_t step = dim[3] == 1 ? sgs_type_bytes(t) : stride[3], pix = dim[2] == 1 ? dim[3] * step : stride[2];
    int64_t row = dim[1] == 1 ? dim[2] * pix : stride[1], img = dim[0] == 1 ? dim[1] * row : stride[0];
    return (ipu_ref){ .space = buffer == SGS_CONSTANTS ? IPU_CONST : IPU_ARENA,
                      .type = (uint8_t)type_of(t),
                      .index = (uint16_t)(buffer == SGS_CONSTANTS ? 0 : buffer),
                      .off = (uint32_t)off,
                      .n = narrow(l, dim[0]),
                      .h = narrow(l, dim[1]),
                      .w = narrow(l, dim[2]),
                      .c = narrow(l, dim[3]),
                      .img = narrow(l, img),
                      .row = narrow(l, row),
                      .pix = narrow(l, pix),
                      .step = narrow(l, step) };
}

ipu_ref sgs_place_window(sgs_lowering *l, const sgs_value *v, const sgs_place *at)
{
    int64_t dim[4] = { 1, 1, 1, 1 }, stride[4] = { 0 };
    for (int i = 0; i < 3 && i < v->rank; i++) {
        dim[3 - i] = v->dim[v->rank - 1 - i];
        stride[3 - i] = at->stride[v->rank - 1 - i];
    }
    fold_leading(l, v, at, &dim[0], &stride[0]);
    return sgs_place_ref(l, v->type, at->buffer, at->off, dim, stride);
}

ipu_ref sgs_lower_ref(sgs_lowering *l, const sgs_value *v)
{
    return sgs_place_window(l, v, sgs_place_of(l, v));
}

void sgs_lower_strides(sgs_lowering *l, const sgs_value *v, int64_t stride[SGS_MAX_RANK])
{
    memcpy(stride, sgs_place_of(l, v)->stride, SGS_MAX_RANK * sizeof *stride);
}

ipu_ref sgs_lower_window(sgs_lowering *l, const sgs_value *v, int64_t off, const int64_t dim[4],
                         const int64_t stride[4])
{
    const sgs_place *at = sgs_place_of(l, v);
    return sgs_place_ref(l, v->type, at->buffer, at->off + off, dim, stride);
}

static sgs_place constant_place(sgs_lowering *l, const sgs_value *v)
{
    return sgs_place_dense(v, SGS_CONSTANTS, sgs_lower_const(l, type_of(v->type), sgs_const_data(v), sgs_value_count(v)).off);
}

ipu_ref sgs_lower_temp(sgs_lowering *l, const ipu_ref *like)
{
    const int64_t each = ipu_type_bytes(like->type), row = each * like->c * like->w, img = row * like->h;
    ipu_ref r = *like;
    r.space = IPU_ARENA;
    r.index = (uint16_t)new_buffer(l, IPU_ARENA, 0, img * like->n);
    r.off = 0;
    r.step = (int32_t)each;
    r.pix = narrow(l, each * like->c);
    r.row = narrow(l, row);
    r.img = narrow(l, img);
    return r;
}

/* Of the length and both ends: enough to tell arrays apart, little to read. */
static size_t hash(const uint8_t *data, int64_t bytes)
{
    const int64_t ends = 64;
    uint64_t h = (uint64_t)bytes * 0x9e3779b97f4a7c15u;
    for (int64_t i = 0; i < bytes; i = i == ends - 1 && bytes > 2 * ends ? bytes - ends : i + 1)
        h = (h ^ data[i]) * 0x100000001b3u;
    return (size_t)(h ^ h >> 29);
}

/* The slot of these bytes, or the free one where they would stand. */
static int *const_slot(const sgs_lowering *l, const uint8_t *data, int64_t bytes)
{
    size_t i = hash(data, bytes) & (l->nconst_at - 1);
    for (; l->const_at[i]; i = (i + 1) & (l->nconst_at - 1)) {
        const sgs_const_span *c = &l->consts[l->const_at[i] - 1];
        if (c->bytes == bytes && !memcmp(l->p->consts.p + c->off, data, (size_t)bytes))
            break;
    }
    return &l->const_at[i];
}

static void room_for_const(sgs_lowering *l)
{
    if (2 * ((size_t)l->nconst + 1) < l->nconst_at)
        return;
    l->nconst_at = l->nconst_at ? 2 * l->nconst_at : 64;
    l->const_at = sgs_alloc_n(l->p->arena, l->nconst_at, sizeof *l->const_at);
    for (int i = 0; i < l->nconst; i++)
        *const_slot(l, (const uint8_t *)l->p->consts.p + l->consts[i].off, l->consts[i].bytes) = i + 1;
}

ipu_ref sgs_lower_const(sgs_lowering *l, ipu_type t, const void *data, int64_t count)
{
    sgs_program *p = l->p;
    int32_t each = ipu_type_bytes(t);
    int64_t bytes = count * each;
    ipu_ref r = { .space = IPU_CONST, .type = (uint8_t)t, .n = 1, .h = 1, .w = 1, .c = narrow(l, count), .step = each };
    r.img = r.row = r.pix = narrow(l, bytes);
    room_for_const(l);
    int *slot = const_slot(l, data, bytes);
    if (*slot) {
        r.off = l->consts[*slot - 1].off;
        return r;
    }
    sgs_buf_align(&p->consts, IPU_ALIGN);
    if ((int64_t)p->consts.n + bytes > UINT32_MAX)
        out_of_limits(l, "the constants are larger than 4 GiB");
    if (l->limit)
        return r;
    r.off = (uint32_t)p->consts.n;
    sgs_buf_add(&p->consts, data, (size_t)bytes);
    l->consts = grown(p->arena, l->consts, l->nconst, &l->const_cap, sizeof *l->consts);
    l->consts[l->nconst++] = (sgs_const_span){ r.off, bytes };
    *slot = l->nconst;
    return r;
}

sgs_status sgs_lower_emit(sgs_lowering *l, const ipu_rec *rec, const sgs_node *layer, int64_t mac, sgs_diag *d)
{
    sgs_program *p = l->p;
    if (l->limit)
        return sgs_lower_fail(l, layer, d, "%s: more than an image can express", l->limit);
    if (rec->kind >= IPU_KIND_COUNT || !ipu_kernels_c.row[rec->kind].check(rec)) {
        sgs_lower_fail(l, layer, d, "the kernel does not take the record made for this layer");
        return d ? (d->code = SGS_E_INTERNAL) : SGS_E_INTERNAL;
    }
    p->record = grown(p->arena, p->record, p->nrecord, &l->record_cap, sizeof *p->record);
    ipu_rec *copy = sgs_alloc(p->arena, rec->bytes);
    memcpy(copy, rec, rec->bytes);
    p->record[p->nrecord++] = (sgs_record){ copy, sgs_node_label(l->g, layer), layer, mac };
    return SGS_OK;
}

sgs_status sgs_lower_copy(sgs_lowering *l, const ipu_ref *y, const ipu_ref *x, const sgs_node *layer, sgs_diag *d)
{
    ipu_copy r = { .head = SGS_REC(IPU_COPY, copy), .y = *y, .x = *x };
    return sgs_lower_emit(l, &r.head, layer, 0, d);
}

/* ---- along an axis
 * --------------------------------------------------------------------------------------------------------------------
 */

/* A value of which one axis shall be the channels. */
typedef struct line {
    ipu_ref seen;   /* where it lies */
    ipu_ref memory; /* the same, or dense memory of its own */
    ipu_ref window; /* into memory */
    int axis;       /* of window: the one that shall be the channels */
} line;

/* An axis that is folded with others has no place of its own in a window: such elements are looked at in dense memory,
 * as outer ones, those along the axis and inner ones. */
static line line_of(sgs_lowering *l, const sgs_value *v, int axis)
{
    const int after = v->rank - 1 - axis;
    line x = { .seen = sgs_lower_ref(l, v), .axis = 3 - after };
    x.memory = x.window = x.seen;
    if (v->rank <= 4 || after < 3)
        return x;
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < v->rank; i++)
        *(i < axis ? &outer : &inner) *= i == axis ? 1 : v->dim[i];
    const int64_t each = sgs_type_bytes(v->type), row = v->dim[axis] * inner * each;
    x.memory = x.window = sgs_lower_temp(l, &x.seen);
    x.axis = 2;
    x.window.n = 1, x.window.h = narrow(l, outer), x.window.w = narrow(l, v->dim[axis]), x.window.c = narrow(l, inner);
    x.window.img = narrow(l, outer * row), x.window.row = narrow(l, row), x.window.pix = narrow(l, inner * each);
    return x;
}

static bool is_apart(const line *x)
{
    return x->memory.space != x->seen.space || x->memory.index != x->seen.index;
}

/* v along the axis, as far as the result goes along the others. */
static sgs_status turn_input(sgs_lowering *l, const sgs_node *layer, const sgs_value *v, int axis, const ipu_ref *like,
                             ipu_ref *out, sgs_diag *d)
{
    const line x = line_of(l, v, axis);
    if (is_apart(&x))
        SGS_TRY(sgs_lower_copy(l, &x.memory, &x.seen, layer, d));
    ipu_ref from = sgs_ref_turned(x.window, x.axis);
    from.n = like->n, from.h = like->h, from.w = like->w;
    *out = x.axis == 3 ? from : sgs_lower_temp(l, &from);
    return x.axis == 3 ? SGS_OK : sgs_lower_copy(l, out, &from, layer, d);
}

sgs_status sgs_lower_along(sgs_lowering *l, ipu_rec *rec, const sgs_node *layer, int axis, int operands, sgs_diag *d)
{
    ipu_ref *ref = (ipu_ref *)(void *)(rec + 1);
    const line y = line_of(l, layer->out[0], axis);
    const ipu_ref like = sgs_ref_turned(y.window, y.axis);
    const bool straight = y.axis == 3 || like.c == 1;
    for (int i = 1; i < operands; i++)
        SGS_TRY(turn_input(l, layer, layer->in[i - 1], axis, &like, &ref[i], d));
    ref[0] = straight ? like : sgs_lower_temp(l, &like);
    SGS_TRY(sgs_lower_emit(l, rec, layer, 0, d));
    const ipu_ref back = sgs_ref_turned_back(ref[0], y.axis);
    if (!straight)
        SGS_TRY(sgs_lower_copy(l, &y.window, &back, layer, d));
    return is_apart(&y) ? sgs_lower_copy(l, &y.seen, &y.memory, layer, d) : SGS_OK;
}

/* ---- the graph's inputs and outputs
 * -------------------------------------------------------------------------------------------------- */

static void place_inputs(sgs_lowering *l)
{
    for (int i = 0; i < l->g->nin; i++)
        l->at[l->g->in[i]->id] = sgs_place_dense(l->g->in[i], new_buffer(l, IPU_INPUT, i, 0), 0);
}

/* The buffer number of output i is nin + i. */
static void place_outputs(sgs_lowering *l)
{
    for (int i = 0; i < l->g->nout; i++) {
        const sgs_value *v = l->g->out[i];
        int buffer = new_buffer(l, IPU_OUTPUT, i, 0);
        if (sgs_placeable(l, v))
            l->at[v->id] = sgs_place_dense(v, buffer, 0);
    }
}

/* Outputs that could not be made in place: inputs, constants, one value given twice. */
static sgs_status copy_outputs(sgs_lowering *l, sgs_diag *d)
{
    for (int i = 0; i < l->g->nout; i++) {
        const sgs_value *v = l->g->out[i];
        sgs_place to = sgs_place_dense(v, l->g->nin + i, 0);
        if (sgs_place_same(v, l->at + v->id, &to))
            continue;
        ipu_ref y = sgs_place_window(l, v, &to), x = sgs_lower_ref(l, v);
        const sgs_node *layer = v->def ? v->def : l->g->last;
        if (!layer)
            return sgs_fail(d, SGS_E_UNSUPPORTED, "the model computes nothing");
        SGS_TRY(sgs_lower_copy(l, &y, &x, layer, d));
    }
    return SGS_OK;
}

/* ---- the walk
 * ----------------------------------------------------------------------------------------------------------------------------
 */

static sgs_status check_value(sgs_lowering *l, const sgs_value *v, sgs_diag *d)
{
    if (type_of(v->type) == IPU_TYPE_COUNT)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "'%s' has type %s, which no image holds", sgs_value_label(l->g, v),
                        sgs_type_word(v->type));
    if (sgs_value_count(v) < 1)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "'%s' has no elements", sgs_value_label(l->g, v));
    return SGS_OK;
}

static sgs_status check_values(sgs_lowering *l, sgs_diag *d)
{
    for (int i = 0; i < l->g->nin; i++)
        SGS_TRY(check_value(l, l->g->in[i], d));
    for (const sgs_node *n = l->g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++) {
            sgs_status s = check_value(l, n->out[i], d);
            if (s != SGS_OK) {
                sgs_fail_at(d, NULL, 0, sgs_node_label(l->g, n));
                return s;
            }
        }
    return SGS_OK;
}

static sgs_status lower_node(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    sgs_status s = SGS_OK;
    if (n->op->lower)
        s = n->op->lower(l, n, d);
    else
        s = sgs_lower_fail(l, n, d, "this operator has no form on integers");
    if (s != SGS_OK)
        sgs_fail_at(d, NULL, 0, sgs_node_label(l->g, n));
    return s;
}

/* Of plain lowering: values have buffers of their own. */
static const int *buffers_of_values(const sgs_lowering *l)
{
    int *of = SGS_NEW_N(l->p->arena, int, l->g->nvalue + 1);
    for (int i = 0; i < l->g->nvalue; i++)
        of[i] = l->at[i].set && l->at[i].buffer >= 0 && !l->at[i].off ? l->at[i].buffer : -1;
    return of;
}

static sgs_status lower_graph(sgs_program *p, sgs_graph *g, bool plain, sgs_diag *d)
{
    *p = (sgs_program){ .arena = sgs_arena_new() };
    if (!p->arena)
        return sgs_fail(d, SGS_E_LIMIT, "no memory");
    sgs_lowering l = { .p = p, .g = g, .at = SGS_NEW_N(p->arena, sgs_place, g->nvalue + 1), .plain = plain };
    SGS_TRY(check_values(&l, d));
    place_inputs(&l);
    place_outputs(&l);
    for (const sgs_node *n = plain ? NULL : g->last; n; n = n->prev)
        sgs_views_place(&l, n);
    for (const sgs_node *n = g->first; n; n = n->next)
        SGS_TRY(lower_node(&l, n, d));
    SGS_TRY(copy_outputs(&l, d));
    p->buffer_of = plain ? buffers_of_values(&l) : NULL;
    return l.limit ? sgs_fail(d, SGS_E_LIMIT, "%s: more than an image can express", l.limit) : SGS_OK;
}

sgs_status sgs_lower(sgs_program *p, sgs_graph *g, sgs_diag *d)
{
    return lower_graph(p, g, false, d);
}

sgs_status sgs_lower_plain(sgs_program *p, sgs_graph *g, sgs_diag *d)
{
    return lower_graph(p, g, true, d);
}

void sgs_program_free(sgs_program *p)
{
    sgs_buf_free(&p->consts);
    sgs_arena_free(p->arena);
    *p = (sgs_program){ 0 };
}

/* ---- numbers of ARITHMETIC.md
 * ------------------------------------------------------------------------------------------------------------- */

float sgs_mult(double num, double den)
{
    return (float)(num / den);
}

ipu_out sgs_out_range(const sgs_value *y, int act, float lo, float hi)
{
    double qmin = y->type == SGS_U8 ? 0 : -32767, qmax = y->type == SGS_U8 ? 255 : 32767;
    int32_t zero = y->quant ? y->quant->zero[0] : 0;
    double scale = y->quant ? (double)y->quant->scale[0] : 1, a = 0, b = INFINITY;
    if (act == SGS_ACT_NONE)
        a = -INFINITY;
    else if (act == SGS_ACT_RELU6)
        b = 6;
    else if (act == SGS_ACT_CLIP)
        a = (double)lo, b = (double)hi;
    qmin = fmax(qmin, rint(a / scale) + zero);
    qmax = fmin(qmax, rint(b / scale) + zero);
    return (ipu_out){ (float)(qmin - zero), (float)(qmax - zero), zero };
}
