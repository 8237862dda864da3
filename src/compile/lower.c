/* Fixed graph -> program.  Every value gets a place: a buffer, an offset and a stride per dimension.  Backwards over
 * the graph, values that only feed a concatenation or a reshape are put where its result lies; forwards, each op emits
 * its records, and what could not be put in place is copied. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compile/lower.h"

typedef struct place {
    bool set;
    int buffer;
    int64_t off, stride[SGS_MAX_RANK];
} place;

typedef struct const_span {
    uint32_t off;
    int64_t bytes;
} const_span;

struct sgs_lowering {
    sgs_program *p;
    sgs_graph *g;
    place *at; /* by value id */
    int record_cap, buffer_cap;
    const_span *consts;
    int nconst, const_cap;
    bool plain;        /* no views: every value lies in a buffer of its own */
    const char *limit; /* the first size that the image cannot express; reported by sgs_lower_emit */
};

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

static place dense_at(const sgs_value *v, int buffer, int64_t off)
{
    place at = { .set = true, .buffer = buffer, .off = off };
    int64_t stride = sgs_type_bytes(v->type);
    for (int i = v->rank - 1; i >= 0; i--) {
        at.stride[i] = stride;
        stride *= v->dim[i];
    }
    return at;
}

static bool is_dense(const sgs_value *v, const place *at)
{
    place dense = dense_at(v, at->buffer, at->off);
    for (int i = 0; i < v->rank; i++)
        if (v->dim[i] != 1 && at->stride[i] != dense.stride[i])
            return false;
    return true;
}

static place new_place(sgs_lowering *l, const sgs_value *v)
{
    return dense_at(v, new_buffer(l, IPU_ARENA, 0, sgs_value_bytes(v)), 0);
}

static place *place_of(sgs_lowering *l, const sgs_value *v)
{
    place *at = l->at + v->id;
    if (!at->set)
        *at = new_place(l, v);
    return at;
}

/* Made by a record of this graph and not yet given a place. */
static bool placeable(const sgs_lowering *l, const sgs_value *v)
{
    return v->def && !v->data && !l->at[v->id].set;
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
static void fold_leading(sgs_lowering *l, const sgs_value *v, const place *at, int64_t *n, int64_t *img)
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

/* [n][h][w][c] from byte `off` of a buffer on.  Strides of axes with one element are made canonical, so that equal
 * windows are equal bytes. */
static ipu_ref window_at(sgs_lowering *l, const sgs_value *v, int buffer, int64_t off, const int64_t dim[4],
                         const int64_t stride[4])
{
    int64_t step = dim[3] == 1 ? sgs_type_bytes(v->type) : stride[3], pix = dim[2] == 1 ? dim[3] * step : stride[2];
    int64_t row = dim[1] == 1 ? dim[2] * pix : stride[1], img = dim[0] == 1 ? dim[1] * row : stride[0];
    return (ipu_ref){ .space = IPU_ARENA,
                      .type = (uint8_t)type_of(v->type),
                      .index = (uint16_t)buffer,
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

static ipu_ref window(sgs_lowering *l, const sgs_value *v, const place *at)
{
    int64_t dim[4] = { 1, 1, 1, 1 }, stride[4] = { 0 };
    for (int i = 0; i < 3 && i < v->rank; i++) {
        dim[3 - i] = v->dim[v->rank - 1 - i];
        stride[3 - i] = at->stride[v->rank - 1 - i];
    }
    fold_leading(l, v, at, &dim[0], &stride[0]);
    return window_at(l, v, at->buffer, at->off, dim, stride);
}

ipu_ref sgs_lower_ref(sgs_lowering *l, const sgs_value *v)
{
    if (!v->data)
        return window(l, v, place_of(l, v));
    place at = dense_at(v, 0, 0);
    ipu_ref flat = sgs_lower_const(l, type_of(v->type), v->data, sgs_value_count(v)), r = window(l, v, &at);
    r.space = IPU_CONST;
    r.off = flat.off;
    return r;
}

void sgs_lower_strides(sgs_lowering *l, const sgs_value *v, int64_t stride[SGS_MAX_RANK])
{
    place at = v->data ? dense_at(v, 0, 0) : *place_of(l, v);
    memcpy(stride, at.stride, sizeof at.stride);
}

ipu_ref sgs_lower_window(sgs_lowering *l, const sgs_value *v, int64_t off, const int64_t dim[4],
                         const int64_t stride[4])
{
    if (!v->data) {
        const place *at = place_of(l, v);
        return window_at(l, v, at->buffer, at->off + off, dim, stride);
    }
    ipu_ref flat = sgs_lower_const(l, type_of(v->type), v->data, sgs_value_count(v));
    ipu_ref r = window_at(l, v, 0, flat.off + off, dim, stride);
    r.space = IPU_CONST;
    return r;
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

ipu_ref sgs_lower_const(sgs_lowering *l, ipu_type t, const void *data, int64_t count)
{
    sgs_program *p = l->p;
    int32_t each = ipu_type_bytes(t);
    int64_t bytes = count * each;
    ipu_ref r = { .space = IPU_CONST, .type = (uint8_t)t, .n = 1, .h = 1, .w = 1, .c = narrow(l, count), .step = each };
    r.img = r.row = r.pix = narrow(l, bytes);
    for (int i = 0; i < l->nconst; i++) {
        if (l->consts[i].bytes == bytes && !memcmp(p->consts.p + l->consts[i].off, data, (size_t)bytes)) {
            r.off = l->consts[i].off;
            return r;
        }
    }
    sgs_buf_align(&p->consts, IPU_ALIGN);
    if ((int64_t)p->consts.n + bytes > UINT32_MAX)
        out_of_limits(l, "the constants are larger than 4 GiB");
    if (l->limit)
        return r;
    r.off = (uint32_t)p->consts.n;
    sgs_buf_add(&p->consts, data, (size_t)bytes);
    l->consts = grown(p->arena, l->consts, l->nconst, &l->const_cap, sizeof *l->consts);
    l->consts[l->nconst++] = (const_span){ r.off, bytes };
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
    p->record[p->nrecord++] = (sgs_record){ copy, sgs_node_label(l->g, layer), mac };
    return SGS_OK;
}

sgs_status sgs_lower_copy(sgs_lowering *l, const ipu_ref *y, const ipu_ref *x, const sgs_node *layer, sgs_diag *d)
{
    ipu_copy r = { .head = SGS_REC(IPU_COPY, copy), .y = *y, .x = *x };
    return sgs_lower_emit(l, &r.head, layer, 0, d);
}

/* ---- concatenation
 * ------------------------------------------------------------------------------------------------------------ */

static int axis_of(const sgs_node *n)
{
    const sgs_axis_attr *a = n->attr;
    return (int)(a->axis < 0 ? a->axis + n->out[0]->rank : a->axis);
}

/* The window of input i in the result's place. */
static place part_of(sgs_lowering *l, const sgs_node *n, int i)
{
    place at = *place_of(l, n->out[0]);
    int axis = axis_of(n);
    for (int j = 0; j < i; j++)
        at.off += n->in[j]->dim[axis] * at.stride[axis];
    return at;
}

/* Can an operand hold the view?  Its channels lie side by side, and its leading axes as if they were one. */
static bool is_window(const sgs_value *v, const place *at)
{
    int64_t n = 1, img = 0;
    if (v->rank && v->dim[v->rank - 1] != 1 && at->stride[v->rank - 1] != sgs_type_bytes(v->type))
        return false;
    for (int i = v->rank - 4; i >= 0; i--) {
        if (v->dim[i] == 1)
            continue;
        if (n != 1 && at->stride[i] != n * img)
            return false;
        img = n == 1 ? at->stride[i] : img;
        n *= v->dim[i];
    }
    return true;
}

static void place_parts(sgs_lowering *l, const sgs_node *n)
{
    for (int i = 0; i < n->nin; i++) {
        place part = part_of(l, n, i);
        if (placeable(l, n->in[i]) && is_window(n->in[i], &part))
            l->at[n->in[i]->id] = part;
    }
}

static bool same_place(const sgs_value *v, const place *a, const place *b)
{
    if (!a->set || a->buffer != b->buffer || a->off != b->off)
        return false;
    for (int i = 0; i < v->rank; i++)
        if (v->dim[i] != 1 && a->stride[i] != b->stride[i])
            return false;
    return true;
}

static sgs_status lower_concat(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    int axis = axis_of(n);
    int64_t done = 0;
    for (int i = 0; i < n->nin; done += n->in[i++]->dim[axis]) {
        place part = part_of(l, n, i);
        if (same_place(n->in[i], l->at + n->in[i]->id, &part))
            continue;
        sgs_move m;
        sgs_move_whole(&m, n->out[0], n->in[i]);
        m.count[axis] = n->in[i]->dim[axis];
        m.to[axis] = done;
        SGS_TRY(sgs_lower_move(l, n, &m, d));
    }
    return SGS_OK;
}

/* ---- slice
 * ------------------------------------------------------------------------------------------------------------------------ */

/* The result as a view of what it was cut from. */
static bool view_slice(sgs_lowering *l, const sgs_node *n)
{
    const sgs_slice_attr *a = n->attr;
    const sgs_value *x = n->in[0], *y = n->out[0];
    if (l->plain || x->data || l->at[y->id].set)
        return false;
    place at = *place_of(l, x);
    for (int i = 0; i < y->rank; i++) {
        if (a->step[i] < 0 && y->dim[i] > 1)
            return false;
        at.off += a->start[i] * at.stride[i];
        at.stride[i] *= y->dim[i] > 1 ? a->step[i] : 1;
    }
    if (!is_window(y, &at))
        return false;
    l->at[y->id] = at;
    return true;
}

static sgs_status lower_slice(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    return view_slice(l, n) ? SGS_OK : n->op->lower(l, n, d);
}

/* ---- reshape
 * -----------------------------------------------------------------------------------------------------------------------
 */

static void place_reshaped(sgs_lowering *l, const sgs_node *n)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    const place *at = l->at + y->id;
    if (at->set && placeable(l, x) && is_dense(y, at))
        l->at[x->id] = dense_at(x, at->buffer, at->off);
}

/* A gap on either side is copied away with the dims of that side. */
static sgs_status copy_reshaped(sgs_lowering *l, const sgs_node *n, const place *from, const place *to, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    place as_y = dense_at(y, from->buffer, from->off), as_x = dense_at(x, to->buffer, to->off), middle;
    if (is_dense(x, from)) {
        ipu_ref ry = window(l, y, to), rx = window(l, y, &as_y);
        return sgs_lower_copy(l, &ry, &rx, n, d);
    }
    if (is_dense(y, to)) {
        ipu_ref ry = window(l, x, &as_x), rx = window(l, x, from);
        return sgs_lower_copy(l, &ry, &rx, n, d);
    }
    middle = new_place(l, y);
    SGS_TRY(copy_reshaped(l, n, from, &middle, d));
    return copy_reshaped(l, n, &middle, to, d);
}

static sgs_status lower_reshape(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    if (x->data) {
        ipu_ref rx = sgs_lower_const(l, type_of(x->type), x->data, sgs_value_count(x)), ry = sgs_lower_ref(l, y);
        place as_y = dense_at(y, 0, 0);
        ipu_ref shape = window(l, y, &as_y);
        shape.space = IPU_CONST;
        shape.off = rx.off;
        return sgs_lower_copy(l, &ry, &shape, n, d);
    }
    place *from = place_of(l, x), *to = l->at + y->id;
    if (!to->set && is_dense(x, from) && !l->plain) {
        *to = dense_at(y, from->buffer, from->off);
        return SGS_OK;
    }
    to = place_of(l, y);
    if (from->buffer == to->buffer && from->off == to->off && is_dense(x, from) && is_dense(y, to))
        return SGS_OK;
    return copy_reshaped(l, n, from, to, d);
}

/* ---- the graph's inputs and outputs
 * -------------------------------------------------------------------------------------------------- */

static void place_inputs(sgs_lowering *l)
{
    for (int i = 0; i < l->g->nin; i++)
        l->at[l->g->in[i]->id] = dense_at(l->g->in[i], new_buffer(l, IPU_INPUT, i, 0), 0);
}

/* The buffer number of output i is nin + i. */
static void place_outputs(sgs_lowering *l)
{
    for (int i = 0; i < l->g->nout; i++) {
        const sgs_value *v = l->g->out[i];
        int buffer = new_buffer(l, IPU_OUTPUT, i, 0);
        if (placeable(l, v))
            l->at[v->id] = dense_at(v, buffer, 0);
    }
}

/* Outputs that could not be made in place: inputs, constants, one value given twice. */
static sgs_status copy_outputs(sgs_lowering *l, sgs_diag *d)
{
    for (int i = 0; i < l->g->nout; i++) {
        const sgs_value *v = l->g->out[i];
        place to = dense_at(v, l->g->nin + i, 0);
        if (same_place(v, l->at + v->id, &to))
            continue;
        ipu_ref y = window(l, v, &to), x = sgs_lower_ref(l, v);
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
                        sgs_type_name(v->type));
    if (sgs_value_count(v) < 1)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "'%s' has no elements", sgs_value_label(l->g, v));
    return SGS_OK;
}

static sgs_status check_node(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && !n->in[i]->data)
            SGS_TRY(check_value(l, n->in[i], d));
    for (int i = 0; i < n->nout; i++)
        SGS_TRY(check_value(l, n->out[i], d));
    return SGS_OK;
}

static sgs_status lower_node(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    sgs_status s = check_node(l, n, d);
    if (s == SGS_OK && n->op == &sgs_op_concat)
        s = lower_concat(l, n, d);
    else if (s == SGS_OK && n->op == &sgs_op_reshape)
        s = lower_reshape(l, n, d);
    else if (s == SGS_OK && n->op == &sgs_op_slice)
        s = lower_slice(l, n, d);
    else if (s == SGS_OK && n->op->lower)
        s = n->op->lower(l, n, d);
    else if (s == SGS_OK)
        s = sgs_lower_fail(l, n, d, "this operator has no form on integers");
    if (s != SGS_OK)
        sgs_fail_at(d, NULL, 0, sgs_node_label(l->g, n));
    return s;
}

static sgs_status lower_graph(sgs_program *p, sgs_graph *g, bool plain, sgs_diag *d)
{
    *p = (sgs_program){ .arena = sgs_arena_new() };
    if (!p->arena)
        return sgs_fail(d, SGS_E_LIMIT, "no memory");
    sgs_lowering l = { .p = p, .g = g, .at = SGS_NEW_N(p->arena, place, g->nvalue + 1), .plain = plain };
    for (int i = 0; i < g->nin; i++)
        SGS_TRY(check_value(&l, g->in[i], d));
    place_inputs(&l);
    place_outputs(&l);
    for (const sgs_node *n = plain ? NULL : g->last; n; n = n->prev) {
        if (n->op == &sgs_op_concat)
            place_parts(&l, n);
        else if (n->op == &sgs_op_reshape)
            place_reshaped(&l, n);
    }
    for (const sgs_node *n = g->first; n; n = n->next)
        SGS_TRY(lower_node(&l, n, d));
    SGS_TRY(copy_outputs(&l, d));
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
