/* save_quant_param.py: what a fixed-point model is quantized with, as a file that calibration takes again. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/quant_param.h"
#include "import/sim.h"
#include "ir/ir.h"
#include "ops/op.h"
#include "sim/values.h"

typedef struct saving {
    const sgs_save_options *o;
    sgs_arena *arena;
    sgs_graph *g;
    sgs_saved *s;
    int n;
    bool *seen; /* by value id */
    int *read;  /* by value id: the bits with which convolutions count it; 0: none does, or they differ */
} saving;

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

/* Integers that have no name of their own, because they become or were a tensor with one at the model's ends, stand for
 * that one. */
static const sgs_value *integers_of(const sgs_graph *g, const sgs_value *v)
{
    while (v->def && (v->def->op == &sgs_op_dequantize || v->def->op == &sgs_op_quantize) && !v->def->in[0]->nname)
        v = v->def->in[0];
    for (const sgs_node *n = g->first; n && !v->def && !v->quant; n = n->next)
        if (n->op == &sgs_op_quantize && n->in[0] == v)
            v = n->out[0];
    return v;
}

static int64_t most_of(sgs_type t)
{
    return t == SGS_U8 ? 255 : t == SGS_S8 ? 127 : t == SGS_S4 ? 7 : 32767;
}

static int bits_of(sgs_type t)
{
    return sgs_type_bits(t);
}

/* What a convolution reads, before it was brought to the convolution's bits. */
static const sgs_value *operand(const sgs_node *conv)
{
    const sgs_value *x = conv->in[0];
    return x->def && x->def->op == &sgs_op_quantize && !x->nname ? x->def->in[0] : x;
}

static void note_readers(saving *s)
{
    bool *differ = SGS_NEW_N(s->arena, bool, s->g->nvalue + 1);
    s->read = SGS_NEW_N(s->arena, int, s->g->nvalue + 1);
    for (const sgs_node *n = s->g->first; n; n = n->next) {
        if (n->op->qrule != SGS_Q_CONV)
            continue;
        const int id = operand(n)->id, bits = bits_of(n->in[0]->type);
        differ[id] |= s->read[id] && s->read[id] != bits;
        s->read[id] = bits;
    }
    for (int i = 0; i < s->g->nvalue; i++)
        if (differ[i])
            s->read[i] = 0;
}

/* What calibration saw; where that was not kept, all that the scale reaches. */
static void save_range(saving *s, sgs_saved *to, const sgs_value *v)
{
    const sgs_quant *q = v->quant;
    const int n = q->nrange ? q->nrange : q->n;
    const double least = v->type == SGS_U8 ? 0 : -(double)most_of(v->type);
    double *lo = SGS_NEW_N(s->arena, double, n), *hi = SGS_NEW_N(s->arena, double, n);
    for (int i = 0; i < n; i++) {
        lo[i] = q->nrange ? (double)q->lo[i] : (least - q->zero[i]) * (double)q->scale[i];
        hi[i] = q->nrange ? (double)q->hi[i] : ((double)most_of(v->type) - q->zero[i]) * (double)q->scale[i];
    }
    to->n = n;
    to->lo = lo;
    to->hi = hi;
}

static void save_data(saving *s, sgs_saved *to, const sgs_value *v)
{
    const int64_t count = sgs_value_count(v);
    double *data = SGS_NEW_N(s->arena, double, count);
    for (int64_t i = 0; i < count; i++)
        data[i] = sgs_real(v, sgs_const_data(v), i);
    to->rank = v->rank;
    to->dim = v->dim;
    to->data = data;
}

/* Weights that took up the scales of single input channels, or the board's order of them, are not those of the float
 * model in other numbers.  NULL: these did not. */
static const sgs_value *absorbed_by(const sgs_graph *g, const sgs_value *v)
{
    for (const sgs_node *n = g->first; n; n = n->next)
        if (n->op->qrule == SGS_Q_CONV && n->in[1] == v && n->in[0]->quant && n->in[0]->quant->n > 1)
            return n->in[0];
    return NULL;
}

/* An image has the same scales whenever the model is made; those that a level chose for channels are not saved, and
 * the ranges of weights that took them up mean nothing without them. */
static bool has_meaning(const sgs_value *x)
{
    while (x && x->def && (x->def->op == &sgs_op_transpose || x->def->op == &sgs_op_gather))
        x = x->def->in[0];
    return !x || !x->def;
}

static void save_value(saving *s, const sgs_value *named)
{
    if (!named || s->seen[named->id] || !named->nname)
        return;
    s->seen[named->id] = true;
    const sgs_value *v = integers_of(s->g, named);
    if (!v->quant || (v->type != SGS_U8 && v->type != SGS_S8 && v->type != SGS_S4 && v->type != SGS_S16))
        return;
    sgs_saved *to = &s->s[s->n++];
    const sgs_value *x = v->constant ? absorbed_by(s->g, v) : NULL;
    *to = (sgs_saved){ .name = named->name[0], .bit = s->read[named->id] ? s->read[named->id] : bits_of(v->type) };
    if (has_meaning(x))
        save_range(s, to, v);
    if (s->o->data && v->constant && !x)
        save_data(s, to, v);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const sgs_saved *)a)->name, ((const sgs_saved *)b)->name);
}

static void save_all(saving *s)
{
    sgs_graph *g = s->g;
    s->s = SGS_NEW_N(s->arena, sgs_saved, g->nvalue + 1);
    s->seen = SGS_NEW_N(s->arena, bool, g->nvalue + 1);
    note_readers(s);
    for (int i = 0; i < g->nin; i++)
        save_value(s, g->in[i]);
    for (const sgs_node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nin; i++)
            save_value(s, n->in[i]);
        for (int i = 0; i < n->nout; i++)
            save_value(s, n->out[i]);
    }
    if (s->n)
        qsort(s->s, (size_t)s->n, sizeof *s->s, by_name);
}

/* ---- the file ------------------------------------------------------------------------------------------------------
 */

static const char *output_path(saving *s, bool json)
{
    const char *model = s->o->model, *out = s->o->output, *slash = strrchr(model, '/'),
               *base = slash ? slash + 1 : model;
    const size_t n = strlen(base), stem = n > 4 && !strcmp(base + n - 4, ".sim") ? n - 4 : n;
    struct stat st;
    const bool folder = out && stat(out, &st) == 0 && S_ISDIR(st.st_mode);
    if (out && !folder)
        return out;
    if (!folder)
        return sgs_format(s->arena, "%.*s.%s", (int)(base - model + (ptrdiff_t)stem), model, json ? "json" : "pkl");
    return sgs_format(s->arena, "%s%s%.*s.%s", out, out[strlen(out) - 1] == '/' ? "" : "/", (int)stem, base,
                      json ? "json" : "pkl");
}

static sgs_status save(saving *s, const char **path, sgs_diag *d)
{
    const char *mode = s->o->output_mode;
    const bool json = !strcmp(mode, "JSON");
    sgs_buf b = { 0 };
    if (!json && strcmp(mode, "Pickle"))
        return sgs_fail(d, SGS_E_USAGE, "expected --output_mode JSON or Pickle, found '%s'", mode);
    SGS_TRY(sgs_sim_read(&s->g, s->o->model, d));
    if (!sgs_meta_get(s->g, "sgs.fixed")) {
        sgs_fail(d, SGS_E_USAGE, "expected a fixed-point model, found a float one");
        return sgs_fail_at(d, s->o->model, 0, NULL);
    }
    save_all(s);
    *path = output_path(s, json);
    (json ? sgs_saved_json : sgs_saved_pickle)(s->s, s->n, &b);
    const sgs_status status = sgs_file_write(*path, b.p, b.n, d);
    sgs_buf_free(&b);
    return status;
}

sgs_status sgs_save_quant_param(const sgs_save_options *o, char **written, sgs_diag *d)
{
    saving s = { .o = o, .arena = sgs_arena_new() };
    const char *path = NULL;
    if (written)
        *written = NULL;
    if (!s.arena)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    const sgs_status status = save(&s, &path, d);
    if (status == SGS_OK && written)
        *written = strdup(path);
    sgs_graph_free(s.g);
    sgs_arena_free(s.arena);
    return status;
}
