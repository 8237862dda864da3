/* Einsum, spelled out: operand after operand, products of matrices over what both have and nobody needs any more,
 * products of elements where there is no such thing; sums over what one operand alone has.  Letters are labels of axes,
 * those of an ellipsis come behind them. */
#include <string.h>

#include "ops/spell.h"

enum { LETTERS = 52, LABELS = LETTERS + SGS_MAX_RANK };

typedef struct axes { /* the labels of a tensor's axes */
    int n;
    int8_t label[SGS_MAX_RANK];
} axes;

typedef struct term {
    sgs_value *v;
    axes a;
} term;

typedef struct einsum {
    sgs_spell *p;
    term *in;
    int nin, hidden; /* hidden: most axes that an ellipsis stands for */
    axes out;
    int64_t dim[LABELS]; /* 0: in no term */
    int count[LABELS];   /* terms that have it; what is done is taken away */
} einsum;

/* ---- sets of labels ---- */

static int place(const axes *a, int label)
{
    for (int i = 0; i < a->n; i++)
        if (a->label[i] == label)
            return i;
    return -1;
}

static void add(sgs_spell *p, axes *a, int label)
{
    if (a->n == SGS_MAX_RANK)
        sgs_sp_refuse(p, "at most %d dimensions are supported, found more on the way", SGS_MAX_RANK);
    else
        a->label[a->n++] = (int8_t)label;
}

static axes joined(sgs_spell *p, const axes *a, const axes *b)
{
    axes all = *a;
    for (int i = 0; i < b->n; i++)
        add(p, &all, b->label[i]);
    return all;
}

static char letter(int label)
{
    return label >= LETTERS ? '.' : (char)(label < 26 ? 'a' + label : 'A' + label - 26);
}

static int label_of(char c)
{
    return c >= 'a' && c <= 'z' ? c - 'a' : c >= 'A' && c <= 'Z' ? c - 'A' + 26 : -1;
}

/* ---- reading the equation ---- */

/* One term up to `end`, whose ellipsis stands for `hidden` axes (negative: there must be none). */
static void read_term(einsum *e, const char *s, const char *end, int hidden, axes *a)
{
    for (; s < end && e->p->status == SGS_OK; s++) {
        if (*s == ' ')
            continue;
        if (label_of(*s) >= 0) {
            add(e->p, a, label_of(*s));
        } else if (end - s >= 3 && !memcmp(s, "...", 3) && hidden >= 0) {
            for (int i = hidden; i > 0; i--)
                add(e->p, a, LETTERS + i - 1);
            hidden = -1;
            s += 2;
        } else {
            sgs_sp_fail(e->p, "equation: expected letters and at most one ellipsis in a term, found '%c'", *s);
        }
    }
}

static int letters_in(const char *s, const char *end)
{
    int n = 0;
    for (; s < end; s++)
        n += label_of(*s) >= 0;
    return n;
}

static void note_sizes(einsum *e, int i)
{
    const term *t = &e->in[i];
    for (int k = 0; k < t->a.n; k++) {
        const int label = t->a.label[k];
        int64_t *size = &e->dim[label];
        if (*size > 1 && t->v->dim[k] != 1 && t->v->dim[k] != *size)
            sgs_sp_fail(e->p, "equation: '%c' stands for %lld and for %lld elements", letter(label), (long long)*size,
                        (long long)t->v->dim[k]);
        *size = *size > 1 ? *size : t->v->dim[k];
        e->count[label] += place(&t->a, label) == k;
    }
}

static void read_input(einsum *e, int i, const char *s, const char *end)
{
    term *t = &e->in[i];
    t->v = sgs_sp_in(e->p, i);
    if (e->p->status != SGS_OK)
        return;
    const int letters = letters_in(s, end), more = t->v->rank - letters,
              hidden = memchr(s, '.', (size_t)(end - s)) ? more : -1;
    if (more < 0 || (hidden < 0 && more))
        sgs_sp_fail(e->p, "equation: term %d names %d dimensions, input %d has %d", i, letters, i, t->v->rank);
    read_term(e, s, end, hidden, &t->a);
    if (e->p->status == SGS_OK)
        note_sizes(e, i);
    e->hidden = hidden > e->hidden ? hidden : e->hidden;
}

/* Without an arrow: what an ellipsis stands for, then the letters that stand once, in alphabetical order, capitals
 * first. */
static void usual_output(einsum *e, const char *s, const char *end)
{
    for (int i = e->hidden; i > 0; i--)
        add(e->p, &e->out, LETTERS + i - 1);
    for (int k = 0; k < LETTERS; k++) {
        const int label = (k + 26) % LETTERS;
        int n = 0;
        for (const char *c = s; c < end; c++)
            n += label_of(*c) == label;
        if (n == 1)
            add(e->p, &e->out, label);
    }
}

static void check_output(einsum *e)
{
    for (int i = 0; i < e->out.n && e->p->status == SGS_OK; i++) {
        const int label = e->out.label[i];
        if (!e->count[label])
            sgs_sp_fail(e->p, "equation: the output's '%c' is in no term", letter(label));
        if (place(&e->out, label) != i)
            sgs_sp_fail(e->p, "equation: '%c' stands twice in the output", letter(label));
    }
}

static const char *find_arrow(const char *s, const char *end)
{
    for (; s + 1 < end; s++)
        if (s[0] == '-' && s[1] == '>')
            return s;
    return NULL;
}

static void read_equation(einsum *e, const char *s, const char *end)
{
    const char *arrow = find_arrow(s, end), *stop = arrow ? arrow : end, *from = s;
    int terms = 1;
    for (const char *c = s; c < stop; c++)
        terms += *c == ',';
    if (terms != e->nin)
        sgs_sp_fail(e->p, "equation: expected a term for each of %d inputs, found %d", e->nin, terms);
    for (int i = 0; i < e->nin && e->p->status == SGS_OK; i++) {
        const char *comma = memchr(from, ',', (size_t)(stop - from)), *to = comma ? comma : stop;
        read_input(e, i, from, to);
        from = to + 1;
    }
    if (e->p->status != SGS_OK)
        return;
    if (arrow)
        read_term(e, arrow + 2, end, e->hidden, &e->out);
    else
        usual_output(e, s, stop);
    check_output(e);
}

/* ---- one term ---- */

static void reshape_to(einsum *e, term *t, const axes *a, const int64_t *dim)
{
    t->v = sgs_sp_reshape(e->p, t->v, a->n, dim);
    t->a = *a;
}

/* All of `order` in this order. */
static void put_in_order(einsum *e, term *t, const axes *order)
{
    int64_t perm[SGS_MAX_RANK] = { 0 };
    bool same = true;
    for (int i = 0; i < order->n; i++) {
        perm[i] = place(&t->a, order->label[i]);
        same = same && perm[i] == i;
    }
    if (!same)
        t->v = sgs_sp_transpose(e->p, t->v, perm);
    t->a = *order;
}

/* An axis is taken away that has one element. */
static void drop_axis(einsum *e, term *t, int k)
{
    t->v = sgs_sp_squeeze(e->p, t->v, k);
    memmove(t->a.label + k, t->a.label + k + 1, (size_t)(t->a.n - k - 1));
    t->a.n--;
}

static void sum_over(einsum *e, term *t, int k)
{
    axes order = { 0 };
    for (int i = 0; i < t->a.n; i++)
        if (i != k)
            add(e->p, &order, t->a.label[i]);
    add(e->p, &order, t->a.label[k]);
    put_in_order(e, t, &order);
    t->v = sgs_sp_reduce(e->p, &sgs_op_reduce_sum, t->v, t->v->rank - 1);
    drop_axis(e, t, t->a.n - 1);
}

/* A label that stands twice: what is off the diagonal counts nothing. */
static void take_diagonal(einsum *e, term *t, int first, int k)
{
    const int64_t n = t->v->dim[k];
    int64_t dim[SGS_MAX_RANK], perm[SGS_MAX_RANK];
    void *data;
    for (int i = 0; i < t->a.n; i++)
        dim[i] = i == first || i == k ? n : 1;
    sgs_value *eye = sgs_sp_const(e->p, SGS_F32, t->a.n, dim, &data);
    if (!eye)
        return;
    memset(data, 0, (size_t)(n * n) * sizeof(float));
    for (int64_t i = 0; i < n; i++)
        ((float *)data)[i * n + i] = 1;
    t->v = sgs_sp_two(e->p, &sgs_op_mul, t->v, eye);
    for (int i = 0; i < t->a.n; i++)
        perm[i] = i < k ? i : i + 1 < t->a.n ? i + 1 : k;
    t->v = sgs_sp_transpose(e->p, t->v, perm);
    t->v = sgs_sp_reduce(e->p, &sgs_op_reduce_sum, t->v, t->a.n - 1);
    memmove(t->a.label + k, t->a.label + k + 1, (size_t)(t->a.n - k - 1));
    t->v = sgs_sp_squeeze(e->p, t->v, --t->a.n);
}

static bool is_needed(const einsum *e, int label)
{
    return place(&e->out, label) >= 0 || e->count[label] > 1;
}

/* No label twice; none of one element that others have more of; none that nobody else needs. */
static void tidy(einsum *e, term *t)
{
    for (int k = t->a.n - 1; k > 0; k--)
        if (place(&t->a, t->a.label[k]) < k && e->p->status == SGS_OK)
            take_diagonal(e, t, place(&t->a, t->a.label[k]), k);
    for (int k = t->a.n - 1; k >= 0 && e->p->status == SGS_OK; k--) {
        const int label = t->a.label[k];
        if (t->v->dim[k] == 1 && e->count[label] > 1) {
            drop_axis(e, t, k);
            e->count[label]--;
        } else if (!is_needed(e, label)) {
            sum_over(e, t, k);
        }
    }
}

/* ---- two terms ---- */

typedef struct meeting { /* axes that both have and that stay, that both have and that end, of one alone */
    axes both, sum, left, right;
} meeting;

static meeting meet(einsum *e, const term *a, const term *b)
{
    meeting m = { 0 };
    for (int i = 0; i < a->a.n; i++) {
        const int label = a->a.label[i];
        const bool shared = place(&b->a, label) >= 0, stays = place(&e->out, label) >= 0 || e->count[label] > 2;
        add(e->p, !shared ? &m.left : stays ? &m.both : &m.sum, label);
    }
    for (int i = 0; i < b->a.n; i++)
        if (place(&a->a, b->a.label[i]) < 0)
            add(e->p, &m.right, b->a.label[i]);
    return m;
}

static int64_t elements(const einsum *e, const axes *a)
{
    int64_t n = 1;
    for (int i = 0; i < a->n; i++)
        n *= e->dim[a->label[i]];
    return n;
}

/* As [both, x, y] of three dimensions. */
static sgs_value *as_matrices(einsum *e, term *t, const meeting *m, const axes *x, const axes *y)
{
    const int64_t dim[3] = { elements(e, &m->both), elements(e, x), elements(e, y) };
    const axes order = joined(e->p, &m->both, x), all = joined(e->p, &order, y);
    put_in_order(e, t, &all);
    return sgs_sp_reshape(e->p, t->v, 3, dim);
}

/* [both, own] with an axis of one element for each of the other's. */
static sgs_value *spread(einsum *e, term *t, const meeting *m, bool left)
{
    const axes order = joined(e->p, &m->both, left ? &m->left : &m->right);
    int64_t dim[SGS_MAX_RANK];
    int n = 0;
    put_in_order(e, t, &order);
    for (int i = 0; i < m->both.n; i++)
        dim[n++] = e->dim[m->both.label[i]];
    for (int i = 0; i < m->left.n; i++)
        dim[n++] = left ? e->dim[m->left.label[i]] : 1;
    for (int i = 0; i < m->right.n; i++)
        dim[n++] = left ? 1 : e->dim[m->right.label[i]];
    return sgs_sp_reshape(e->p, t->v, n, dim);
}

static term product(einsum *e, term a, term b)
{
    const meeting m = meet(e, &a, &b);
    const axes part = joined(e->p, &m.both, &m.left), all = joined(e->p, &part, &m.right);
    term y = { .a = all };
    int64_t dim[SGS_MAX_RANK];
    if (e->p->status != SGS_OK)
        return a;
    for (int i = 0; i < all.n; i++)
        dim[i] = e->dim[all.label[i]];
    if (m.sum.n) {
        sgs_value *in[2] = { as_matrices(e, &a, &m, &m.left, &m.sum), as_matrices(e, &b, &m, &m.sum, &m.right) };
        y.v = sgs_sp_call(e->p, "MatMul", 2, in);
        reshape_to(e, &y, &all, dim);
    } else {
        y.v = sgs_sp_two(e->p, &sgs_op_mul, spread(e, &a, &m, true), spread(e, &b, &m, false));
    }
    for (int i = 0; i < LABELS; i++)
        e->count[i] -= place(&a.a, i) >= 0 && place(&b.a, i) >= 0;
    return y;
}

static sgs_status from_onnx_einsum(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_src_attr *equation = sgs_src_find(s, "equation");
    einsum e = { .p = p, .in = SGS_NEW_N(im->g->arena, term, s->nin + 1), .nin = s->nin };
    if (!equation || equation->kind != SGS_SRC_STRING)
        return sgs_src_fail(im, s, d, "equation is missing: expected a text such as ij,jk->ik");
    read_equation(&e, (const char *)equation->s.p, (const char *)equation->s.p + equation->s.n);
    for (int i = 0; i < e.nin && p->status == SGS_OK; i++)
        tidy(&e, &e.in[i]);
    term y = e.in[0];
    for (int i = 1; i < e.nin && p->status == SGS_OK; i++) {
        y = product(&e, y, e.in[i]);
        if (p->status == SGS_OK)
            tidy(&e, &y);
    }
    if (p->status == SGS_OK)
        put_in_order(&e, &y, &e.out);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_own(p, y.v));
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = { { "Einsum", from_onnx_einsum, 12 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Einsum", from_onnx_einsum, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_einsum = { "einsum", ops, .onnx = onnx, .tensorflow = tensorflow };
