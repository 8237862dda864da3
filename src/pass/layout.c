/* layout: transposes move until they meet their inverse.
 *
 *   sink    f(T(a), T(b), const)  ->  T(f'(a, b, const'))     where f commutes with a transposition (op->permute)
 *   sink    reshape(T(a))         ->  T'(reshape'(a))     where the reshape merges and splits what lies together in a too
 *   raise   T(f(T'(a), b))        ->  f'(a, T(b))             where that leaves fewer transposes
 *   fc      fc(reshape(T(x)), w)  ->  fc(reshape(x), w')      w' = columns of w in the order of x
 *
 * The output value of f becomes the output of the new transpose, so its users and names stay; when the transpose later
 * goes, its names go to the value before it: the same tensor, moved to channel-last. */
#include <string.h>

#include "pass/rewrite.h"

typedef struct perm {
    int n;
    int64_t at[SGS_MAX_RANK];
} perm;

static const int64_t *axes_of(const sgs_node *transpose)
{
    return ((const sgs_perm_attr *)transpose->attr)->perm;
}

static perm perm_of(const sgs_node *transpose)
{
    perm p = { .n = transpose->in[0]->rank };
    memcpy(p.at, axes_of(transpose), sizeof p.at);
    return p;
}

static perm inverse(const perm *p)
{
    perm q = { .n = p->n };
    for (int i = 0; i < p->n; i++)
        q.at[p->at[i]] = i;
    return q;
}

static bool same(const perm *p, const perm *q)
{
    return p->n == q->n && !memcmp(p->at, q->at, (size_t)p->n * sizeof p->at[0]);
}

static bool is_transpose(const sgs_node *n)
{
    return n && n->op == &sgs_op_transpose;
}

static bool is_transpose_by(const sgs_node *n, const perm *p)
{
    if (!is_transpose(n))
        return false;
    perm q = perm_of(n);
    return same(&q, p);
}

static bool moves_nothing(const int64_t *p, const sgs_value *x)
{
    return sgs_keeps_order(p, x->rank, x->dim);
}

/* ---- two transposes -------------------------------------------------------------------------- */

static bool compose(sgs_rewriter *r, sgs_node *n)
{
    sgs_node *first = is_transpose(n) ? n->in[0]->def : NULL;
    if (!is_transpose(first))
        return false;
    sgs_perm_attr *a = n->attr;
    const int64_t *p = axes_of(first);
    for (int i = 0; i < a->n; i++)
        a->perm[i] = p[a->perm[i]];
    sgs_node_set_in(r->g, n, 0, first->in[0]);
    return true;
}

static bool is_identity(const sgs_node *transpose)
{
    const int64_t *p = axes_of(transpose);
    for (int i = 0; i < transpose->in[0]->rank; i++)
        if (p[i] != i)
            return false;
    return true;
}

static bool drop_identity(sgs_rewriter *r, sgs_node *n)
{
    return is_transpose(n) && is_identity(n) && sgs_forward(r, n->out[0], n->in[0]);
}

/* Someone else transposes the same value by p, before n or behind it. */
static bool has_twin(sgs_rewriter *r, const sgs_node *n, const perm *p)
{
    for (const sgs_use *u = sgs_first_use(r->g->users, n->in[0]); u; u = u->next)
        if (u->node != n && is_transpose_by(u->node, p))
            return true;
    return false;
}

/* The same value transposed the same way twice. */
static bool share(sgs_rewriter *r, sgs_node *n)
{
    if (!is_transpose(n))
        return false;
    perm p = perm_of(n);
    if (!has_twin(r, n, &p))
        return false;
    for (sgs_node *other = n->prev; other && other != n->in[0]->def; other = other->prev)
        if (is_transpose_by(other, &p) && other->in[0] == n->in[0])
            return sgs_forward(r, n->out[0], other->out[0]);
    return false;
}

/* ---- how an input of f follows --------------------------------------------------------------- */

typedef enum follow {
    STAYS,    /* one number for all: no axis to move */
    CANCELS,  /* it is transposed by the same permutation: the value before that */
    RESHAPES, /* constant, or its axes of more than one element keep their order */
    MOVES     /* needs a transpose of its own */
} follow;

/* v's dims seen at f's rank: ones in front. */
static void dims_at_rank(const sgs_value *v, int rank, int64_t dim[SGS_MAX_RANK])
{
    for (int i = 0; i < rank; i++)
        dim[i] = i < rank - v->rank ? 1 : v->dim[i - (rank - v->rank)];
}

/* What becomes of input v of f when f's result is no longer transposed by p (of f's rank). */
static follow how(const sgs_value *v, const perm *p, const perm *back)
{
    int64_t dim[SGS_MAX_RANK];
    if (v->rank < p->n && sgs_value_count(v) == 1)
        return STAYS;
    if (is_transpose_by(v->def, p))
        return CANCELS;
    dims_at_rank(v, p->n, dim);
    return v->constant || sgs_keeps_order(back->at, p->n, dim) ? RESHAPES : MOVES;
}

/* A moved constant becomes one at once: as a transpose it would look like one to cancel, and sink and raise would chase each other. */
static sgs_value *folded(sgs_rewriter *r, sgs_value *v)
{
    bool did;
    if (v && v->def->in[0]->constant)
        r->status = sgs_fold_node(r->g, v->def, &did, r->d);
    return r->status == SGS_OK ? v : NULL;
}

/* Input v of f for the untransposed f'. */
static sgs_value *untransposed(sgs_rewriter *r, sgs_node *f, sgs_value *v, const perm *p)
{
    perm back = inverse(p);
    int64_t dim[SGS_MAX_RANK], moved[SGS_MAX_RANK];
    follow h = how(v, p, &back);
    if (h == STAYS)
        return v;
    if (h == CANCELS)
        return v->def->in[0];
    dims_at_rank(v, p->n, dim);
    for (int i = 0; i < p->n; i++)
        moved[i] = dim[back.at[i]];
    if (sgs_keeps_order(back.at, p->n, dim))
        return v->rank == p->n && !memcmp(moved, dim, (size_t)p->n * sizeof *dim)
                   ? v
                   : sgs_put_reshape(r, f, v, p->n, moved, NULL);
    sgs_value *from = v;
    bool own = v->constant && sgs_used_only_by(r, v, f); /* f goes, and nobody else needs the constant as it was */
    if (v->rank < p->n)
        v = folded(r, sgs_put_reshape(r, f, v, p->n, dim, NULL));
    v = v ? folded(r, sgs_put_transpose(r, f, v, back.at, NULL)) : NULL;
    if (v && own)
        sgs_value_take_names(r->g, v, from);
    return v;
}

static bool commutes(const sgs_node *f, int rank)
{
    if (!f || !f->op->permute || f->nout != 1 || f->out[0]->rank != rank)
        return false;
    for (int i = 0; i < f->nin; i++)
        if (!f->in[i] || f->in[i]->rank > rank || f->in[i]->quant)
            return false;
    return true;
}

/* f' before f, on inputs that are not transposed by p.  NULL when f's attributes cannot follow, or status is set. */
static sgs_value *put_untransposed(sgs_rewriter *r, sgs_node *f, const perm *p)
{
    void *attr = NULL;
    if (f->attr) {
        attr = sgs_alloc(r->g->arena, f->op->attr_bytes);
        memcpy(attr, f->attr, f->op->attr_bytes);
    }
    if (!f->op->permute(f, p->at, p->n, attr))
        return NULL;
    sgs_value **in = SGS_NEW_N(r->g->arena, sgs_value *, f->nin);
    for (int i = 0; i < f->nin; i++) {
        in[i] = untransposed(r, f, f->in[i], p);
        if (!in[i])
            return NULL;
    }
    sgs_value *y = sgs_put(r, f, f->op, f->nin, in, attr, NULL);
    if (y)
        y->def->name = f->name;
    return y;
}

/* ---- down ------------------------------------------------------------------------------------ */

/* The permutation by which some input is transposed while all others follow at no cost. */
static bool common_perm(const sgs_node *f, perm *p)
{
    for (int i = 0; i < f->nin; i++) {
        if (!is_transpose(f->in[i]->def) || f->in[i]->rank != f->out[0]->rank)
            continue;
        *p = perm_of(f->in[i]->def);
        perm back = inverse(p);
        bool all = true;
        for (int k = 0; k < f->nin && all; k++)
            all = how(f->in[k], p, &back) != MOVES;
        if (all)
            return true;
    }
    return false;
}

static bool sink(sgs_rewriter *r, sgs_node *f)
{
    perm p;
    if (!f->op->permute || f->nout != 1 || !commutes(f, f->out[0]->rank) || !common_perm(f, &p))
        return false;
    sgs_value *y = put_untransposed(r, f, &p);
    if (!y)
        return r->status != SGS_OK;
    sgs_put_transpose(r, f, y, p.at, f->out[0]);
    sgs_node_remove(r->g, f);
    return true;
}

/* ---- down through a reshape -------------------------------------------------------------------- */

/* A reshape merges and splits runs of neighbouring axes: pieces of equal count.  Axes of one element stand in none. */
typedef struct pieces {
    int n, lead;                                 /* the result begins with `lead` axes of one element */
    int from[SGS_MAX_RANK], to[SGS_MAX_RANK];    /* axes of the reshape's input: [from, to) */
    int first[SGS_MAX_RANK], last[SGS_MAX_RANK]; /* axes of its result */
} pieces;

static bool cut(const sgs_value *t, const sgs_value *y, pieces *c)
{
    int i = 0, k = 0;
    c->n = 0;
    while (k < y->rank && y->dim[k] == 1)
        k++;
    c->lead = k;
    while (i < t->rank) {
        int from = i, first = k;
        int64_t have = t->dim[i++], want = 1;
        if (have == 1)
            continue;
        while (have != want) {
            if (want < have && k < y->rank)
                want *= y->dim[k++];
            else if (want > have && i < t->rank)
                have *= t->dim[i++];
            else
                return false;
        }
        c->from[c->n] = from;
        c->to[c->n] = i;
        c->first[c->n] = first;
        c->last[c->n++] = k;
    }
    if (c->n)
        c->last[c->n - 1] = y->rank;
    return c->n > 0;
}

/* The axes of x, in x's order, as axes of t = T(x), those of one element apart; returns how many. */
static int walk_x(const sgs_value *t, const perm *p, int *axis)
{
    perm back = inverse(p);
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if (t->dim[back.at[i]] != 1)
            axis[n++] = (int)back.at[i];
    return n;
}

static int piece_of(const pieces *c, int axis)
{
    for (int i = 0; i < c->n; i++)
        if (axis >= c->from[i] && axis < c->to[i])
            return i;
    return -1;
}

/* The pieces in x's order; false unless each one's axes lie side by side in x.  *sorted: and in the reshape's order. */
static bool order_in_x(const sgs_value *t, const perm *p, const pieces *c, int *order, bool *sorted)
{
    int axis[SGS_MAX_RANK], n = walk_x(t, p, axis), found = 0;
    bool seen[SGS_MAX_RANK] = { false };
    *sorted = true;
    for (int i = 0; i < n; i++) {
        int mine = piece_of(c, axis[i]);
        bool more = found && order[found - 1] == mine;
        if (!more && seen[mine])
            return false;
        if (!more)
            order[found++] = mine;
        else if (axis[i] < axis[i - 1])
            *sorted = false;
        seen[mine] = true;
    }
    return true;
}

/* x with the axes of each piece in the reshape's order: what the transpose did inside the pieces. */
static sgs_value *sort_inside(sgs_rewriter *r, sgs_node *before, const sgs_node *t, const perm *p, const pieces *c, const int *order)
{
    int64_t axes[SGS_MAX_RANK];
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if (t->out[0]->dim[i] == 1)
            axes[n++] = p->at[i];
    for (int i = 0; i < c->n; i++)
        for (int k = c->from[order[i]]; k < c->to[order[i]]; k++)
            if (t->out[0]->dim[k] != 1)
                axes[n++] = p->at[k];
    return sgs_put_transpose(r, before, t->in[0], axes, NULL);
}

static bool in_order(const int *order, int n)
{
    for (int i = 0; i < n; i++)
        if (order[i] != i)
            return false;
    return true;
}

/* reshape(T(x)) -> T'(reshape'(x)): the pieces stand in x's order, and T' brings them into the result's. */
static bool sink_through_reshape(sgs_rewriter *r, sgs_node *n)
{
    sgs_node *t = n->op == &sgs_op_reshape ? n->in[0]->def : NULL;
    sgs_value *y = n->out[0];
    pieces c;
    int order[SGS_MAX_RANK], rank = 0;
    int64_t dim[SGS_MAX_RANK], axes[SGS_MAX_RANK];
    bool sorted;
    if (!is_transpose(t) || y->quant || !sgs_value_count(y) || !cut(t->out[0], y, &c))
        return false;
    perm p = perm_of(t);
    if (!order_in_x(t->out[0], &p, &c, order, &sorted) || in_order(order, c.n))
        return false;
    for (int k = 0; k < c.lead; k++) {
        axes[k] = rank;
        dim[rank++] = 1;
    }
    for (int i = 0; i < c.n; i++)
        for (int k = c.first[order[i]]; k < c.last[order[i]]; k++) {
            axes[k] = rank;
            dim[rank++] = y->dim[k];
        }
    sgs_value *x = sorted ? t->in[0] : sort_inside(r, n, t, &p, &c, order);
    x = x ? sgs_put_reshape(r, n, x, rank, dim, NULL) : NULL;
    if (!x)
        return true;
    x->def->name = n->name;
    sgs_put_transpose(r, n, x, axes, y);
    sgs_node_remove(r->g, n);
    return true;
}

/* ---- up -------------------------------------------------------------------------------------- */

/* All users of v, and there are some, are transposes by q. */
static bool all_transposed_by(sgs_rewriter *r, const sgs_value *v, const perm *q)
{
    bool any = false;
    if (sgs_is_graph_output(r, v))
        return false;
    for (const sgs_use *u = sgs_first_use(r->g->users, v); u; u = u->next) {
        if (u->node->out[0]->def != u->node) /* gone */
            continue;
        if (!is_transpose_by(u->node, q))
            return false;
        any = true;
    }
    return any;
}

/* Raising the transpose behind f takes that one away, and those before f that it cancels; some inputs may need a new
 * one.  It must leave fewer, or sink and raise could chase each other. */
static bool raise_is_worth_it(sgs_rewriter *r, const sgs_node *f, const perm *p)
{
    perm back = inverse(p);
    int made = 0, gone = 1;
    for (int i = 0; i < f->nin; i++) {
        follow h = how(f->in[i], p, &back);
        made += h == MOVES;
        /* A constant's transpose is folded away: it costs nothing. */
        gone += h == CANCELS && !f->in[i]->def->in[0]->constant && sgs_used_only_by(r, f->in[i], f);
    }
    return made < gone;
}

static bool raise(sgs_rewriter *r, sgs_node *n)
{
    sgs_node *f = is_transpose(n) ? n->in[0]->def : NULL;
    if (!commutes(f, n->out[0]->rank) || is_identity(n))
        return false;
    perm q = perm_of(n), p = inverse(&q);
    if (!all_transposed_by(r, f->out[0], &q) || !raise_is_worth_it(r, f, &p))
        return false;
    sgs_value *old = f->out[0], *y = put_untransposed(r, f, &p);
    if (!y)
        return r->status != SGS_OK;
    for (sgs_node *user = f->next; user && sgs_first_use(r->g->users, old); user = user->next) {
        if (!is_transpose(user) || user->in[0] != old)
            continue;
        sgs_node_set_in(r->g, user, 0, y);
        for (int i = 0; i < y->rank; i++)
            ((sgs_perm_attr *)user->attr)->perm[i] = i;
        /* What cannot be forwarded, a second output of the graph, stays: a transpose by 0,1,2,... */
        sgs_forward(r, user->out[0], y);
    }
    sgs_hand_names(r->g, y, old, p.at);
    return true;
}

/* ---- into the weights of an fc --------------------------------------------------------------- */

/* w[o][k], k counting t = transpose(x) row by row behind its first axes, becomes w'[o][k'], k' counting x. */
static sgs_value *permuted_columns(sgs_rewriter *r, const sgs_value *w, const sgs_value *x, const perm *p, int from)
{
    int64_t stride[SGS_MAX_RANK] = { 0 }, index[SGS_MAX_RANK] = { 0 }, step = 1, columns = w->dim[1];
    int64_t *source = SGS_NEW_N(r->g->arena, int64_t, columns + 1); /* k of each k' */
    for (int i = p->n - 1; i >= from; i--) {
        stride[i] = step;
        step *= x->dim[i];
    }
    for (int64_t k = 0; k < columns; k++) {
        int64_t to = 0;
        for (int i = from; i < p->n; i++)
            to += index[i] * stride[p->at[i]];
        source[to] = k;
        for (int i = p->n - 1; i >= from && ++index[i] == x->dim[p->at[i]]; i--)
            index[i] = 0;
    }
    sgs_value *v = sgs_const_new(r->g, SGS_F32, 2, w->dim, NULL, true);
    const float *row = sgs_const_data(w);
    float *to = (float *)(uintptr_t)sgs_const_data(v);
    for (int64_t o = 0; o < w->dim[0]; o++, row += columns, to += columns)
        for (int64_t k = 0; k < columns; k++)
            to[k] = row[source[k]];
    return v;
}

/* The first axes that reshape and transpose both leave alone: rows of the fc.  -1: the columns mix with them. */
static int first_column_axis(const sgs_value *t, const perm *p, int64_t columns)
{
    int64_t count = 1;
    int from = p->n;
    while (from > 0 && count < columns)
        count *= t->dim[--from];
    if (count != columns)
        return -1;
    while (from > 0 && t->dim[from - 1] == 1)
        from--;
    for (int i = 0; i < from; i++)
        if (p->at[i] != i)
            return -1;
    return from;
}

static bool permute_fc(sgs_rewriter *r, sgs_node *n)
{
    sgs_node *flat = n->op == &sgs_op_fc && sgs_is_const_f32(n->in[1]) ? n->in[0]->def : NULL;
    sgs_node *t = flat && flat->op == &sgs_op_reshape ? flat->in[0]->def : NULL;
    if (!is_transpose(t))
        return false;
    perm p = perm_of(t);
    int from = first_column_axis(t->out[0], &p, n->in[1]->dim[1]);
    if (from < 0)
        return false;
    const bool keeps = sgs_keeps_order(p.at, p.n, t->in[0]->dim);
    sgs_value *w = keeps ? n->in[1] : permuted_columns(r, n->in[1], t->in[0], &p, from);
    if (!keeps && sgs_used_only_by(r, n->in[1], n))
        sgs_value_take_names(r->g, w, n->in[1]);
    if (sgs_used_only_by(r, flat->out[0], n))
        sgs_value_swallow(r->g, n->out[0], flat->out[0]);
    sgs_value *x = sgs_put_reshape(r, n, t->in[0], flat->out[0]->rank, flat->out[0]->dim, NULL);
    if (x)
        x->def->name = flat->name;
    sgs_node_set_in(r->g, n, 0, x);
    sgs_node_set_in(r->g, n, 1, w);
    return true;
}

/* ---- last: what moves no element is a reshape, and a reshape is opaque to the rules above ---- */

static bool trivial(sgs_rewriter *r, sgs_node *n)
{
    if (n->op != &sgs_op_transpose || !moves_nothing(axes_of(n), n->in[0]))
        return false;
    sgs_value *y = n->out[0];
    sgs_put_reshape(r, n, n->in[0], y->rank, y->dim, y);
    n->prev->name = n->name;
    sgs_node_remove(r->g, n);
    return true;
}

sgs_status sgs_pass_layout(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule moves[] = { compose, drop_identity, share, permute_fc, sink, sink_through_reshape, raise, NULL };
    static const sgs_rule last[] = { trivial, NULL };
    SGS_TRY(sgs_rewrite(g, moves, changed, d));
    SGS_TRY(sgs_rewrite(g, last, changed, d));
    return *changed ? sgs_pass_fold_const(g, changed, d) : SGS_OK;
}
