/* Both models hold most tensors under the user's names: those are compared.  What lies between two of them in the fixed
 * graph, changes of scale and operators that it spells out in others, belongs to the layer that makes the later one. */
#include "sim/layers.h"

#include <math.h>
#include <string.h>

#include "base/map.h"
#include "openipu/ipu_host.h"
#include "preprocess/preprocess.h"
#include "sim/values.h"

/* ---- which value is which ---------------------------------------------------------------------------------------- */

static void add_names(sgs_map *m, const sgs_value *v)
{
    for (int i = 0; i < v->nname; i++)
        sgs_map_set(m, v->name[i], (void *)(uintptr_t)v);
}

static void *named(const sgs_map *m, const sgs_value *v)
{
    void *found = NULL;
    for (int i = 0; i < v->nname && !found; i++)
        found = sgs_map_get(m, v->name[i]);
    return found;
}

static bool same_dims(const sgs_value *a, const sgs_value *b)
{
    return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim);
}

static void find_twins(sgs_layers *l)
{
    sgs_map real = { .a = l->arena };
    l->twin = SGS_NEW_N(l->arena, const sgs_value *, l->fixed->nvalue + 1);
    for (int i = 0; i < l->real->nin; i++)
        l->twin[l->seen[i]->id] = l->real->in[i];
    for (const sgs_node *n = l->real->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++)
            add_names(&real, n->out[i]);
    for (const sgs_node *n = l->fixed->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++) {
            const sgs_value *twin = named(&real, n->out[i]);
            if (twin && same_dims(twin, n->out[i]))
                l->twin[n->out[i]->id] = twin;
        }
}

static bool same_scales(const sgs_value *a, const sgs_value *b)
{
    const sgs_quant *p = a->quant, *q = b->quant;
    return a->type == b->type && p && q && p->n == q->n &&
           (p->n > 1 || (p->scale[0] == q->scale[0] && p->zero[0] == q->zero[0]));
}

static bool moves_only(const sgs_node *n)
{
    return n->op->qrule == SGS_Q_MOVE && !(n->op->computes && n->op->computes(n)) && n->in[0] &&
           same_scales(n->in[0], n->out[0]);
}

static void find_pictures(sgs_layers *l)
{
    l->picture = SGS_NEW_N(l->arena, bool, l->fixed->nvalue + 1);
    for (int i = 0; i < l->fixed->nin; i++)
        l->picture[l->seen[i]->id] = !sgs_format_raw(l->config->in[i].input);
    for (const sgs_node *n = l->fixed->first; n; n = n->next)
        if (n->nin && n->in[0] && l->picture[n->in[0]->id] && moves_only(n))
            l->picture[n->out[0]->id] = true;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* The integers that a result was before it became what the ini asks for. */
static const sgs_value *integers_of(const sgs_value *v)
{
    while (v->def && (v->def->op == &sgs_op_dequantize || v->def->op == &sgs_op_quantize) &&
           v->def->in[0]->type != SGS_F32)
        v = v->def->in[0];
    return v;
}

/* Marks the nodes between v and values that have a twin, and counts them. */
static int mark_part(const sgs_layers *l, const sgs_value *v, bool *in, bool first)
{
    int n = 0;
    if (!v || !v->def || in[v->def->out[0]->id] || (!first && l->twin[v->id]))
        return 0;
    in[v->def->out[0]->id] = true;
    for (int i = 0; i < v->def->nin; i++)
        n += mark_part(l, v->def->in[i], in, false);
    return n + 1;
}

/* `in` is all false, before and after. */
static void take_part(const sgs_layers *l, sgs_layer *y, bool *in)
{
    const int all = mark_part(l, y->fixed, in, true);
    const sgs_node *n = y->fixed->def;
    y->part = SGS_NEW_N(l->arena, const sgs_node *, all + 1);
    y->npart = all;
    y->moves = true;
    for (int i = all; i > 0; n = n->prev) { /* the last first */
        if (!in[n->out[0]->id])
            continue;
        in[n->out[0]->id] = false;
        y->part[--i] = n;
        y->moves = y->moves && moves_only(n);
    }
}

static const sgs_node *conv_of(const sgs_layer *y)
{
    const sgs_node *n = y->fixed->def;
    return n->op == y->node->op && n->op->qrule == SGS_Q_CONV && n->in[1]->constant &&
                   same_dims(n->in[0], y->node->in[0]) && same_dims(n->in[1], y->node->in[1])
               ? n
               : NULL;
}

static void find_layers(sgs_layers *l)
{
    sgs_map fixed = { .a = l->arena };
    int n = 0;
    for (const sgs_node *k = l->fixed->first; k; k = k->next)
        for (int i = 0; i < k->nout; i++)
            add_names(&fixed, k->out[i]);
    for (const sgs_node *k = l->real->first; k; k = k->next)
        n++;
    l->layer = SGS_NEW_N(l->arena, sgs_layer, n + 1);
    for (const sgs_node *k = l->real->first; k; k = k->next) {
        const sgs_value *v = k->out[0], *now = v->type == SGS_F32 ? named(&fixed, v) : NULL,
                        *integers = now ? integers_of(now) : NULL;
        if (!now || !integers->def || !integers->quant || l->twin[now->id] != v ||
            !sgs_fixed_data(l->machine, integers))
            continue;
        sgs_layer *y = &l->layer[l->n++];
        *y = (sgs_layer){
            .node = k, .real = v, .fixed = integers, .alone = SGS_NEW_N(l->arena, double, l->real->nout + 1)
        };
        l->twin[integers->id] = v;
        y->conv = conv_of(y);
        if (y->conv && y->conv->in[0]->type == SGS_U8 && !l->picture[y->conv->in[0]->id])
            y->wide = SGS_NEW_N(l->arena, double, l->real->nout + 1);
    }
    bool *in = SGS_NEW_N(l->arena, bool, l->fixed->nvalue + 1);
    for (int i = 0; i < l->n; i++)
        take_part(l, &l->layer[i], in);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static sgs_status find_seen(sgs_layers *l, sgs_diag *d)
{
    l->seen = SGS_NEW_N(l->arena, const sgs_value *, l->fixed->nin + 1);
    for (int i = 0; i < l->fixed->nin; i++)
        SGS_TRY(sgs_board_picture(l->fixed, i, &l->config->in[i], &l->seen[i], d));
    return SGS_OK;
}

static sgs_status same_ends(const sgs_layers *l, sgs_diag *d)
{
    if (l->real->nin != l->fixed->nin || l->real->nout != l->fixed->nout)
        return sgs_fail(d, SGS_E_USAGE,
                        "expected %d inputs and %d outputs, as the fixed-point model has, found %d and %d",
                        l->fixed->nin, l->fixed->nout, l->real->nin, l->real->nout);
    for (int i = 0; i < l->real->nin; i++)
        if (!same_dims(l->real->in[i], l->seen[i]))
            return sgs_fail(d, SGS_E_USAGE, "input '%s' has another shape in the fixed-point model",
                            sgs_value_label(l->real, l->real->in[i]));
    for (int i = 0; i < l->real->nout; i++)
        if (!same_dims(l->real->out[i], l->fixed->out[i]))
            return sgs_fail(d, SGS_E_USAGE, "output '%s' has another shape in the fixed-point model",
                            sgs_value_label(l->real, l->real->out[i]));
    return SGS_OK;
}

static sgs_status prepare(sgs_layers *l, sgs_diag *d)
{
    SGS_TRY(find_seen(l, d));
    SGS_TRY(same_ends(l, d));
    SGS_TRY(sgs_fixed_new(&l->machine, l->fixed, ipu_kernels_for(ipu_host_cpu()), NULL, d));
    find_twins(l);
    find_pictures(l);
    find_layers(l);
    if (!l->n)
        return sgs_fail(d, SGS_E_USAGE, "no tensor of the float model is in the fixed-point model by that name");
    SGS_TRY(sgs_session_new(&l->session, l->real, true, d));
    const int nout = l->real->nout;
    l->signal = SGS_NEW_N(l->arena, double, nout + 1);
    l->noise = SGS_NEW_N(l->arena, double, nout + 1);
    l->alone_signal = SGS_NEW_N(l->arena, double, nout + 1);
    l->clean = SGS_NEW_N(l->arena, float *, nout + 1);
    for (int i = 0; i < nout; i++)
        l->clean[i] = SGS_NEW_N(l->arena, float, sgs_value_count(l->real->out[i]) + 1);
    return SGS_OK;
}

sgs_status sgs_layers_new(sgs_layers **out, sgs_graph *real, sgs_graph *fixed, const sgs_config *config,
                          sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    *out = NULL;
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    sgs_layers *l = SGS_NEW(a, sgs_layers);
    *l = (sgs_layers){ .arena = a, .real = real, .fixed = fixed, .config = config };
    const sgs_status s = prepare(l, d);
    if (s == SGS_OK)
        *out = l;
    else
        sgs_layers_free(l);
    return s;
}

void sgs_layers_free(sgs_layers *l)
{
    if (!l)
        return;
    sgs_session_free(l->session);
    sgs_fixed_free(l->machine);
    sgs_arena_free(l->arena);
}

/* ---- side by side ------------------------------------------------------------------------------------------------ */

/* Whether element i stands at an end of the integers and its float number lies beyond it, by more than rounding
 * explains. */
static bool is_cut(const sgs_value *v, const void *data, int64_t i, double real)
{
    int32_t least, most;
    const double q = sgs_stored(v->type, data, i);
    const int64_t c = sgs_scale_index(v, i);
    if (!sgs_ends(v->type, &least, &most))
        return false;
    const double want = real / (double)v->quant->scale[c] + v->quant->zero[c];
    return (q <= least && want < least - 0.5) || (q >= most && want > most + 0.5);
}

static void count_layer(sgs_layers *l, sgs_layer *y)
{
    const float *x = sgs_session_data(l->session, y->real);
    const void *q = sgs_fixed_data(l->machine, y->fixed);
    const int64_t n = sgs_value_count(y->real);
    for (int64_t i = 0; i < n; i++) {
        const double a = (double)x[i], b = sgs_real(y->fixed, q, i), e = b - a;
        y->signal += a * a;
        y->power += b * b;
        y->product += a * b;
        y->noise += e * e;
        y->most = fmax(y->most, fabs(e));
        y->cut += is_cut(y->fixed, q, i, a);
    }
    y->count += n;
}

static void count_output(sgs_layers *l, int i)
{
    const sgs_value *v = l->real->out[i], *f = l->fixed->out[i];
    const void *x = v->constant ? sgs_const_data(v) : sgs_session_data(l->session, v), *q = sgs_fixed_output(l->machine, i);
    for (int64_t k = 0; k < sgs_value_count(v); k++) {
        const double a = sgs_stored(v->type, x, k), e = sgs_real(f, q, k) - a;
        l->signal[i] += a * a;
        l->noise[i] += e * e;
    }
}

sgs_status sgs_layers_compare(sgs_layers *l, sgs_diag *d)
{
    SGS_TRY(sgs_session_run(l->session, d));
    SGS_TRY(sgs_fixed_run(l->machine, d));
    for (int i = 0; i < l->n; i++)
        count_layer(l, &l->layer[i]);
    for (int i = 0; i < l->real->nout; i++)
        count_output(l, i);
    return SGS_OK;
}
