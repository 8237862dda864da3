/* Sequences of tensors, which exist while a model is read: where positions and sizes are constants, what is taken from
 * one is what went in. */
#include <string.h>

#include "ops/control.h"
#include "ops/tensorflow.h"

static const sgs_src_list *in_list(sgs_spell *p, int i)
{
    static const sgs_src_list none;
    const sgs_src_list *list = &none;
    if (p->status == SGS_OK)
        p->status = sgs_src_in_list(p->im, p->s, i, &list, p->d);
    return p->status == SGS_OK ? list : &none;
}

static void out_list(sgs_spell *p, const sgs_src_list *list)
{
    if (p->status == SGS_OK)
        p->status = sgs_src_out_list(p->im, p->s, 0, list, p->d);
}

/* Room for n tensors in *item. */
static sgs_src_list *new_list(sgs_spell *p, int64_t n, sgs_value ***item)
{
    sgs_arena *a = p->im->g->arena;
    sgs_src_list *list = sgs_try_alloc(a, sizeof *list);
    *item = n < INT32_MAX ? sgs_try_alloc(a, ((size_t)n + 1) * sizeof **item) : NULL;
    if (!list || !*item) {
        sgs_sp_refuse(p, "a sequence of %lld tensors exceeds the memory limit", (long long)n);
        return NULL;
    }
    *list = (sgs_src_list){ (int)n, *item };
    return list;
}

/* Input i as a place among n + more, negative ones from the end; `none` where it is absent. */
static int place(sgs_spell *p, int i, int n, int more, int none)
{
    int64_t at = none;
    int count = 0;
    sgs_value *v = sgs_src_opt(p->im, p->s, i);
    if (!v || p->status != SGS_OK)
        return none;
    p->status = sgs_src_const_ints(p->s, v, &at, 1, &count, p->d);
    if (p->status == SGS_OK && (at < -n || at >= n + more))
        sgs_sp_fail(p, "position %lld does not lie in a sequence of %d", (long long)at, n);
    return p->status == SGS_OK ? (int)(at < 0 ? at + n : at) : none;
}

static sgs_status from_onnx_sequenceempty(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const sgs_src_list empty;
    return sgs_src_out_list(im, s, 0, &empty, d);
}

static sgs_status from_onnx_sequenceconstruct(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value **item = NULL;
    const sgs_src_list *list = new_list(p, s->nin, &item);
    for (int i = 0; i < s->nin && p->status == SGS_OK; i++)
        item[i] = sgs_sp_in(p, i);
    out_list(p, list);
    return p->status;
}

static sgs_status from_onnx_sequenceinsert(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_src_list *old = in_list(p, 0);
    sgs_value *x = sgs_sp_in(p, 1), **item = NULL;
    const int at = place(p, 2, old->n, 1, old->n);
    const sgs_src_list *list = p->status == SGS_OK ? new_list(p, (int64_t)old->n + 1, &item) : NULL;
    for (int i = 0; list && i <= old->n; i++)
        item[i] = i == at ? x : old->item[i - (i > at)];
    out_list(p, list);
    return p->status;
}

static sgs_status from_onnx_sequenceerase(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_src_list *old = in_list(p, 0);
    if (p->status == SGS_OK && !old->n)
        sgs_sp_fail(p, "the sequence is empty");
    sgs_value **item = NULL;
    const int at = place(p, 1, old->n, 0, old->n - 1);
    const sgs_src_list *list = p->status == SGS_OK ? new_list(p, old->n - 1, &item) : NULL;
    for (int i = 0; list && i < list->n; i++)
        item[i] = old->item[i + (i >= at)];
    out_list(p, list);
    return p->status;
}

static sgs_status from_onnx_sequenceat(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_src_list *list = in_list(p, 0);
    sgs_value *position = sgs_sp_in(p, 1);
    const int at = place(p, 1, list->n, 0, 0);
    if (position && p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_own(p, list->item[at]));
    return p->status;
}

static sgs_status from_onnx_sequencelength(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_src_list *list = in_list(p, 0);
    sgs_sp_out(p, 0, sgs_sp_integer(p, SGS_S64, list->n));
    return p->status;
}

static sgs_status from_onnx_concatfromsequence(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_src_list *list = in_list(p, 0);
    const int64_t fresh = sgs_sp_int(p, "new_axis", 0);
    if (p->status == SGS_OK && !list->n)
        sgs_sp_fail(p, "the sequence is empty");
    if (p->status != SGS_OK)
        return p->status;
    const int64_t axis = sgs_sp_axis(p, "axis", 0, list->item[0]->rank + (fresh != 0));
    sgs_value **part = SGS_NEW_N(im->g->arena, sgs_value *, list->n);
    for (int i = 0; i < list->n; i++)
        part[i] = fresh ? sgs_sp_unsqueeze(p, list->item[i], (int)axis) : list->item[i];
    sgs_sp_out(p, 0, sgs_sp_own(p, sgs_sp_concat(p, list->n, part, (int)axis)));
    return p->status;
}

/* ---- SplitToSequence ---- */

typedef struct parts {
    int64_t n, each;       /* each: of all but the last; or 0 */
    const sgs_value *size; /* one number a part, or NULL */
} parts;

static int64_t number_at(const sgs_value *v, int64_t i)
{
    return v->type == SGS_S64 ? ((const int64_t *)sgs_const_data(v))[i] : ((const int32_t *)sgs_const_data(v))[i];
}

static parts find_parts(sgs_spell *p, const sgs_value *x, int axis)
{
    const sgs_value *split = sgs_src_opt(p->im, p->s, 1);
    parts r = { x->dim[axis], 1, NULL };
    if (!split)
        return r;
    if (!split->constant || (split->type != SGS_S64 && split->type != SGS_S32) || split->rank > 1) {
        sgs_sp_refuse(p, "its sizes '%s' are no constant integers", p->s->in[1]);
        return r;
    }
    if (split->rank == 1)
        return (parts){ split->dim[0], 0, split };
    r.each = number_at(split, 0);
    if (r.each < 1)
        sgs_sp_fail(p, "parts must have 1 or more elements, found %lld", (long long)r.each);
    else
        r.n = x->dim[axis] / r.each + (x->dim[axis] % r.each != 0);
    return r;
}

static sgs_status from_onnx_splittosequence(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), **item = NULL;
    if (p->status != SGS_OK)
        return p->status;
    const int axis = (int)sgs_sp_axis(p, "axis", 0, x->rank);
    const bool keep = sgs_sp_int(p, "keepdims", 1) || sgs_src_opt(im, s, 1);
    const parts r = p->status == SGS_OK ? find_parts(p, x, axis) : (parts){ 0 };
    if (p->status == SGS_OK && (r.n > SGS_SRC_NODES || (im->built += r.n) > SGS_SRC_NODES))
        sgs_sp_refuse(p, "a sequence of %lld tensors is too long: %d are the most in a model", (long long)r.n,
                      SGS_SRC_NODES);
    const sgs_src_list *list = p->status == SGS_OK ? new_list(p, r.n, &item) : NULL;
    int64_t start = 0;
    for (int i = 0; list && i < list->n && p->status == SGS_OK; i++) {
        const int64_t left = x->dim[axis] - start, size = r.size ? number_at(r.size, i) : left < r.each ? left : r.each;
        if (size < 0 || size > left || (r.size && i == list->n - 1 && size != left))
            sgs_sp_fail(p, "part %d of %lld elements does not fit the %lld that are left", i, (long long)size,
                        (long long)left);
        sgs_value *part = sgs_sp_slice(p, x, axis, start, size, 1);
        item[i] = keep ? part : sgs_sp_squeeze(p, part, axis);
        start += size;
    }
    out_list(p, list);
    return p->status;
}

/* ---- SequenceMap ---- */

/* The other inputs are sequences as long as the first one, or tensors that every element sees. */
static void map_inputs(sgs_spell *p, int i, int n, sgs_src_bound *in)
{
    for (int k = 0; k < p->s->nin - p->s->ncaptured && p->status == SGS_OK; k++) {
        in[k] = sgs_src_get(p->im, p->s->in[k]);
        if (in[k].list && in[k].list->n != n)
            sgs_sp_fail(p, "input %d has %d elements, the first one %d", k, in[k].list->n, n);
        else if (in[k].list)
            in[k] = (sgs_src_bound){ in[k].list->item[i], NULL };
    }
}

static sgs_status from_onnx_sequencemap(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_src_list *list = in_list(p, 0);
    sgs_body_run r = { .what = "body", .rounds = true };
    SGS_TRY(p->status);
    SGS_TRY(sgs_src_body_of(im, s, "body", &r.body, d));
    if (r.body->nin != s->nin - s->ncaptured || r.body->nout < s->nout)
        return sgs_src_fail(im, s, d, "a body of %d inputs and %d outputs does not fit %d inputs and %d outputs",
                            r.body->nin, r.body->nout, s->nin - s->ncaptured, s->nout);
    sgs_src_bound *in = SGS_NEW_N(im->g->arena, sgs_src_bound, r.body->nin + 1);
    sgs_value ***item = SGS_NEW_N(im->g->arena, sgs_value **, s->nout + 1);
    const sgs_src_list **made = SGS_NEW_N(im->g->arena, const sgs_src_list *, s->nout + 1);
    r.in = in;
    r.out = SGS_NEW_N(im->g->arena, sgs_src_bound, r.body->nout + 1);
    for (int k = 0; k < s->nout && p->status == SGS_OK; k++)
        made[k] = new_list(p, list->n, &item[k]);
    for (int i = 0; i < list->n && p->status == SGS_OK; i++) {
        r.round = i;
        map_inputs(p, i, list->n, in);
        if (p->status == SGS_OK)
            p->status = sgs_build_body(im, s, &r, d);
        for (int k = 0; k < s->nout && p->status == SGS_OK; k++)
            if (!(item[k][i] = r.out[k].v))
                sgs_sp_fail(p, "output '%s' of its body is a sequence of tensors: expected a tensor", r.body->out[k]);
    }
    for (int k = 0; k < s->nout && p->status == SGS_OK; k++)
        if (s->out[k][0])
            p->status = sgs_src_out_list(im, s, k, made[k], d);
    return p->status;
}

/* ---- TensorFlow's lists, of TensorList and TensorArray: elements that nobody has set are NULL ---- */

/* A tensor array goes by its flow, the last input; a list is the first. */
static const sgs_src_list *list_of(sgs_spell *p)
{
    return in_list(p, strncmp(p->s->op, "TensorArray", 11) ? 0 : p->s->nin - 1);
}

static sgs_status from_tf_reserve(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool array = !strcmp(s->op, "TensorArrayV3"), empty = !strcmp(s->op, "EmptyTensorList");
    const int64_t n = empty ? 0 : sgs_tf_int(p, array ? 0 : 1);
    sgs_value **item;
    if (p->status == SGS_OK && (n < 0 || n > SGS_SRC_NODES))
        sgs_sp_refuse(p, "expected a list of at most %d tensors, found %lld", SGS_SRC_NODES, (long long)n);
    const sgs_src_list *list = p->status == SGS_OK ? new_list(p, n, &item) : NULL;
    for (int i = 0; i < s->nout && p->status == SGS_OK; i++) /* an array's handle and its flow */
        if (s->out[i][0])
            p->status = sgs_src_out_list(im, s, i, list, d);
    return p->status;
}

/* The elements of x along its first axis, where `at` says, or one after another. */
static const sgs_src_list *scattered(sgs_spell *p, const sgs_src_list *old, sgs_value *x, const int64_t *at)
{
    const int64_t n = x->rank ? x->dim[0] : 0;
    sgs_value **item = NULL;
    const sgs_src_list *list = new_list(p, old ? old->n : n, &item);
    for (int i = 0; list && old && i < old->n; i++)
        item[i] = old->item[i];
    for (int64_t i = 0; list && i < n && p->status == SGS_OK; i++) {
        const int64_t to = at ? at[i] : i;
        if (to < 0 || to >= list->n)
            sgs_sp_fail(p, "position %lld does not lie in a list of %d", (long long)to, list->n);
        else
            item[to] = sgs_sp_squeeze(p, sgs_sp_slice(p, x, 0, i, 1, 1), 0);
    }
    return list;
}

/* Constant positions of an input, as many as n. */
static const int64_t *positions(sgs_spell *p, int slot, int64_t n)
{
    int64_t *at = p->status == SGS_OK ? sgs_try_alloc(p->im->g->arena, ((size_t)n + 1) * sizeof *at) : NULL;
    const int count = at ? sgs_tf_ints(p, slot, at, (int)n) : 0;
    if (p->status == SGS_OK && (!at || count != n))
        sgs_sp_fail(p, "expected %lld positions, found %d", (long long)n, count);
    return at;
}

static sgs_status from_tf_unstack(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool array = !strcmp(s->op, "TensorArrayScatterV3");
    const sgs_src_list *old = array ? list_of(p) : NULL;
    sgs_value *x = sgs_sp_in(p, array ? 2 : 0);
    if (x && (x->rank < 1 || x->dim[0] > SGS_SRC_NODES))
        sgs_sp_refuse(p, "expected a tensor of at most %d elements along its first axis", SGS_SRC_NODES);
    const int64_t *at = array ? positions(p, 1, x && x->rank ? x->dim[0] : 0) : NULL;
    if (p->status == SGS_OK)
        out_list(p, scattered(p, old, x, at));
    return p->status;
}

static sgs_status from_tf_set(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool push = !strcmp(s->op, "TensorListPushBack");
    const sgs_src_list *old = list_of(p);
    sgs_value *x = sgs_sp_in(p, push ? 1 : 2), **item = NULL;
    const int64_t at = push ? old->n : sgs_tf_int(p, 1);
    if (p->status == SGS_OK && (at < 0 || at >= old->n + push))
        sgs_sp_fail(p, "position %lld does not lie in a list of %d", (long long)at, old->n);
    const sgs_src_list *list = p->status == SGS_OK ? new_list(p, (int64_t)old->n + push, &item) : NULL;
    for (int i = 0; list && i < list->n; i++)
        item[i] = i == at ? x : old->item[i];
    out_list(p, list);
    return p->status;
}

static sgs_value *element(sgs_spell *p, const sgs_src_list *list, int64_t at)
{
    if (p->status == SGS_OK && (at < 0 || at >= list->n))
        sgs_sp_fail(p, "position %lld does not lie in a list of %d", (long long)at, list->n);
    else if (p->status == SGS_OK && !list->item[at])
        sgs_sp_refuse(p, "element %lld of the list was given no value", (long long)at);
    return p->status == SGS_OK ? list->item[at] : NULL;
}

static sgs_status from_tf_get(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_src_list *list = list_of(p);
    sgs_value *x = element(p, list, sgs_tf_int(p, 1));
    if (x)
        sgs_sp_out(p, 0, sgs_sp_own(p, x));
    return p->status;
}

/* All elements, or those at positions, as one tensor. */
static sgs_status from_tf_stack(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_src_list *list = list_of(p);
    const sgs_value *given = strcmp(s->op, "TensorArrayGatherV3") ? NULL : sgs_sp_in(p, 1);
    const int64_t n = given ? sgs_value_count(given) : list->n;
    if (p->status == SGS_OK && (n < 1 || n > SGS_SRC_NODES))
        sgs_sp_refuse(p, "expected a list of 1 to %d tensors, found %lld", SGS_SRC_NODES, (long long)n);
    const int64_t *at = given ? positions(p, 1, n) : NULL;
    sgs_value **part = p->status == SGS_OK ? sgs_alloc_n(im->g->arena, (size_t)n, sizeof *part) : NULL;
    for (int64_t i = 0; i < n && p->status == SGS_OK; i++) {
        sgs_value *x = element(p, list, at ? at[i] : i);
        part[i] = x ? sgs_sp_unsqueeze(p, x, 0) : NULL;
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_own(p, sgs_sp_concat(p, (int)n, part, 0)));
    return p->status;
}

static sgs_status from_tf_length(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_src_list *list = list_of(p);
    sgs_sp_out(p, 0, sgs_sp_integer(p, SGS_S32, list->n));
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = {
    { "SequenceEmpty", from_onnx_sequenceempty, 11 },
    { "SequenceConstruct", from_onnx_sequenceconstruct, 11 },
    { "SequenceInsert", from_onnx_sequenceinsert, 11 },
    { "SequenceErase", from_onnx_sequenceerase, 11 },
    { "SequenceAt", from_onnx_sequenceat, 11 },
    { "SequenceLength", from_onnx_sequencelength, 11 },
    { "ConcatFromSequence", from_onnx_concatfromsequence, 11 },
    { "SplitToSequence", from_onnx_splittosequence, 11 },
    { "SequenceMap", from_onnx_sequencemap, 17 },
    { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "EmptyTensorList", from_tf_reserve, 0 },
    { "TensorListReserve", from_tf_reserve, 0 },
    { "TensorListFromTensor", from_tf_unstack, 0 },
    { "TensorListGetItem", from_tf_get, 0 },
    { "TensorListSetItem", from_tf_set, 0 },
    { "TensorListPushBack", from_tf_set, 0 },
    { "TensorListStack", from_tf_stack, 0 },
    { "TensorListLength", from_tf_length, 0 },
    { "TensorArrayV3", from_tf_reserve, 0 },
    { "TensorArrayScatterV3", from_tf_unstack, 0 },
    { "TensorArrayReadV3", from_tf_get, 0 },
    { "TensorArrayWriteV3", from_tf_set, 0 },
    { "TensorArrayGatherV3", from_tf_stack, 0 },
    { "TensorArraySizeV3", from_tf_length, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_sequence = { "sequence", ops, .onnx = onnx, .tensorflow = tensorflow };
