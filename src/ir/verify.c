/* Is the graph what every pass and stage may rely on?  The first culprit is named. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"
#include "ops/op.h"

typedef struct checker {
    sgs_graph *g;
    sgs_diag *d;
    sgs_arena *arena;  /* scratch */
    sgs_value **known; /* by id: graph inputs, constants seen, outputs of the nodes so far */
    const char **name; /* of all known values */
    int nname, cap;
} checker;

static sgs_status SGS_PRINTF(3, 4) wrong(checker *c, const char *layer, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sgs_fail(c->d, SGS_E_INTERNAL, "%s", text);
    sgs_fail_at(c->d, c->g->file, 0, layer);
    return SGS_E_INTERNAL;
}

static const char *dims_text(checker *c, sgs_type type, int rank, const int64_t *dim)
{
    char s[256];
    int n = snprintf(s, sizeof s, "%s[", sgs_type_name(type));
    for (int i = 0; i < rank; i++)
        n += snprintf(s + n, sizeof s - (size_t)n, "%s%lld", i ? "," : "", (long long)dim[i]);
    return sgs_format(c->arena, "%s]", s);
}

/* ---- one value ------------------------------------------------------------------------------- */

static sgs_status check_dims(checker *c, const sgs_value *v)
{
    int64_t count = 1;
    if ((unsigned)v->type >= SGS_TYPE_COUNT)
        return wrong(c, sgs_value_label(c->g, v), "the value has no type (%d)", (int)v->type);
    if (v->rank < 0 || v->rank > SGS_MAX_RANK)
        return wrong(c, sgs_value_label(c->g, v), "the value has rank %d; expected 0 to %d", v->rank, SGS_MAX_RANK);
    for (int i = 0; i < v->rank; i++)
        if (!sgs_mul64(count, v->dim[i], &count) || count > SGS_MAX_ELEMENTS)
            return wrong(c, sgs_value_label(c->g, v), "dim %d is %lld: negative, or more than 2^40 elements", i,
                         (long long)v->dim[i]);
    return SGS_OK;
}

static bool zero_fits(sgs_type t, int32_t z)
{
    if (t == SGS_U8)
        return z >= 0 && z <= 255;
    if (t == SGS_S8)
        return z >= -128 && z <= 127;
    if (t == SGS_S4)
        return z >= -8 && z <= 7;
    if (t == SGS_S16)
        return z >= -32768 && z <= 32767;
    return t == SGS_U16 ? z >= 0 && z <= 65535 : true;
}

static sgs_status check_quant(checker *c, const sgs_value *v)
{
    const sgs_quant *q = v->quant;
    const char *label = sgs_value_label(c->g, v);
    if (!q)
        return SGS_OK;
    if (q->axis < -1 || q->axis >= v->rank)
        return wrong(c, label, "quantization runs along axis %d of a value of rank %d", q->axis, v->rank);
    int64_t expected = q->axis < 0 ? 1 : v->dim[q->axis];
    if (q->n != expected)
        return wrong(c, label, "quantization has %d scales; expected %lld", q->n, (long long)expected);
    if (q->nrange < 0 || q->nrange > 1)
        if (q->axis < 0 ? !v->rank || q->nrange != v->dim[v->rank - 1] : q->nrange != q->n)
            return wrong(c, label, "quantization keeps %d ranges; expected none, one, or one per channel", q->nrange);
    for (int i = 0; i < q->n; i++) {
        if (!isfinite(q->scale[i]) || q->scale[i] <= 0)
            return wrong(c, label, "scale %d is %g; expected a finite number above 0", i, (double)q->scale[i]);
        if (!zero_fits(v->type, q->zero[i]))
            return wrong(c, label, "zero point %d is %d, outside %s", i, (int)q->zero[i], sgs_type_name(v->type));
    }
    return SGS_OK;
}

static bool push_name(checker *c, const char *name)
{
    if (c->nname == c->cap) {
        int cap = c->cap ? 2 * c->cap : 1024;
        const char **more = SGS_NEW_N(c->arena, const char *, cap);
        if (c->nname)
            memcpy(more, c->name, (size_t)c->nname * sizeof *more);
        c->name = more;
        c->cap = cap;
    }
    c->name[c->nname++] = name;
    return true;
}

/* Enters a value that exists from here on. */
static sgs_status enter(checker *c, sgs_value *v)
{
    if (v->id < 0 || v->id >= c->g->nvalue)
        return wrong(c, NULL, "value id %d was never handed out (%d were)", v->id, c->g->nvalue);
    if (c->known[v->id])
        return wrong(c, sgs_value_label(c->g, v), "two values have the id %d", v->id);
    c->known[v->id] = v;
    SGS_TRY(check_dims(c, v));
    SGS_TRY(check_quant(c, v));
    for (int i = 0; i < v->nname; i++)
        push_name(c, v->name[i]);
    return SGS_OK;
}

/* ---- one node -------------------------------------------------------------------------------- */

static sgs_status check_input(checker *c, const char *label, int slot, sgs_value *v)
{
    if (v->id >= 0 && v->id < c->g->nvalue && c->known[v->id] == v)
        return SGS_OK;
    if (v->constant && v->def)
        return wrong(c, label, "input %d, %s, is a constant and yet has a producer", slot, sgs_value_label(c->g, v));
    if (v->constant)
        return enter(c, v);
    if (v->def)
        return wrong(c, label, "input %d, %s, is used before it is made by %s", slot, sgs_value_label(c->g, v),
                     sgs_node_label(c->g, v->def));
    return wrong(c, label, "input %d, %s, is neither an input of the graph, nor a constant, nor made by a node", slot,
                 sgs_value_label(c->g, v));
}

static sgs_status check_attrs(checker *c, const char *label, const sgs_node *n)
{
    if (n->op->attr_bytes && !n->attr)
        return wrong(c, label, "%s has no attributes", n->op->name);
    for (const sgs_attr *a = n->op->attr; a && a->name; a++) {
        const char *base = n->attr;
        if (a->kind == SGS_ATTR_INTS && a->count_offset != SGS_ALL) {
            int64_t count = *(const int64_t *)(base + a->count_offset);
            if (count < 0 || count > a->max)
                return wrong(c, label, "%s of %s has %lld numbers; at most %d fit", a->name, n->op->name,
                             (long long)count, a->max);
        }
        if (a->kind == SGS_ATTR_ENUM) {
            int64_t v = *(const int64_t *)(base + a->offset), count = 0;
            while (a->names[count])
                count++;
            if (v < 0 || v >= count)
                return wrong(c, label, "%s of %s is %lld; expected 0 to %lld", a->name, n->op->name, (long long)v,
                             (long long)count - 1);
        }
        if (a->kind == SGS_ATTR_FLOAT && isnan(*(const float *)(const void *)(base + a->offset)))
            return wrong(c, label, "%s of %s is not a number", a->name, n->op->name);
    }
    return SGS_OK;
}

static sgs_status check_outputs(checker *c, const char *label, sgs_node *n)
{
    if (n->nout != n->op->nout)
        return wrong(c, label, "%s makes %d outputs, found %d", n->op->name, n->op->nout, n->nout);
    sgs_tensor *t = SGS_NEW_N(c->arena, sgs_tensor, n->nout + 1);
    sgs_status s = n->op->infer ? n->op->infer(c->g, n, t, c->d) : wrong(c, label, "%s has no shape rule", n->op->name);
    if (s != SGS_OK) {
        sgs_fail_at(c->d, c->g->file, 0, label);
        return s;
    }
    for (int i = 0; i < n->nout; i++) {
        sgs_value *v = n->out[i];
        SGS_TRY(enter(c, v));
        if (v->def != n || v->constant)
            return wrong(c, label, "output %d, %s, is not marked as made here", i, sgs_value_label(c->g, v));
        if (!sgs_type_fits(v, t[i].type) || v->rank != t[i].rank ||
            memcmp(v->dim, t[i].dim, (size_t)v->rank * sizeof v->dim[0]))
            return wrong(c, label, "output %d is %s; its inputs give %s", i, dims_text(c, v->type, v->rank, v->dim),
                         dims_text(c, t[i].type, t[i].rank, t[i].dim));
    }
    return SGS_OK;
}

static sgs_status check_node(checker *c, sgs_node *n)
{
    const char *label = sgs_node_label(c->g, n);
    const int least = n->op->nin_min, most = n->op->nin_max;
    if (n->nin < least)
        return wrong(c, label, "%s takes at least %d input%s, found %d", n->op->name, least, least == 1 ? "" : "s", n->nin);
    if (most >= 0 && n->nin > most)
        return wrong(c, label, "%s takes at most %d input%s, found %d", n->op->name, most, most == 1 ? "" : "s", n->nin);
    for (int i = 0; i < n->nin; i++) {
        if (n->in[i])
            SGS_TRY(check_input(c, label, i, n->in[i]));
        else if (i < n->op->nin_min)
            return wrong(c, label, "input %d of %s is missing", i, n->op->name);
    }
    SGS_TRY(check_attrs(c, label, n));
    return check_outputs(c, label, n);
}

/* ---- the graph ------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static sgs_status check_names(checker *c)
{
    if (c->nname)
        qsort(c->name, (size_t)c->nname, sizeof *c->name, by_text);
    for (int i = 1; i < c->nname; i++)
        if (!strcmp(c->name[i - 1], c->name[i]))
            return wrong(c, c->name[i], "two values have the name '%s'", c->name[i]);
    return SGS_OK;
}

static sgs_status check_graph(checker *c)
{
    sgs_graph *g = c->g;
    for (int i = 0; i < g->nin; i++) {
        if (g->in[i]->def || g->in[i]->constant)
            return wrong(c, sgs_value_label(g, g->in[i]), "an input of the graph has a producer or data");
        SGS_TRY(enter(c, g->in[i]));
    }
    for (sgs_node *n = g->first; n; n = n->next) {
        if (n->next ? n->next->prev != n : g->last != n)
            return wrong(c, sgs_node_label(g, n), "the list of nodes is broken behind this node");
        SGS_TRY(check_node(c, n));
    }
    for (int i = 0; i < g->nout; i++)
        SGS_TRY(check_input(c, "the graph's output list", i, g->out[i]));
    return check_names(c);
}

/* ---- the users that the graph keeps ---------------------------------------------------------- */

static bool is_listed(const sgs_users *kept, const sgs_node *n, int i)
{
    const sgs_use *use = &n->use[i];
    return use->node == n && (use->prev ? use->prev->next : sgs_first_use(kept, n->in[i])) == use;
}

static int length(const sgs_use *use)
{
    int n = 0;
    for (; use; use = use->next)
        n++;
    return n;
}

/* All slots of the graph stand in the lists of their values, and the lists hold no more than these. */
static sgs_status check_users(checker *c)
{
    const sgs_graph *g = c->g;
    const sgs_users *now = sgs_users_of(c->g, c->arena);
    for (sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && !(n->use && is_listed(g->users, n, i)))
                return wrong(c, sgs_node_label(c->g, n), "input %d changed behind the back of the users that are kept", i);
    for (int id = 0; id < g->nvalue; id++) {
        const sgs_value v = { .id = id };
        const int kept = sgs_user_count(g->users, &v), listed = length(sgs_first_use(g->users, &v));
        const int outputs = sgs_output_count(now, &v), all = sgs_user_count(now, &v);
        if (kept != all || listed + outputs != all || sgs_output_count(g->users, &v) != outputs)
            return wrong(c, NULL, "%%%d: users %d, of them outputs of the graph %d; kept are %d", id, all, outputs, kept);
    }
    return SGS_OK;
}

sgs_status sgs_graph_verify(sgs_graph *g, sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    if (!a)
        abort();
    checker c = { .g = g, .d = d, .arena = a, .known = SGS_NEW_N(a, sgs_value *, g->nvalue + 1) };
    sgs_status s = check_graph(&c);
    if (s == SGS_OK && g->users)
        s = check_users(&c);
    sgs_arena_free(a);
    return s;
}
