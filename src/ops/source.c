#include <stdio.h>
#include <string.h>

#include "ops/util.h"

const char *sgs_src_label(const sgs_source_node *s)
{
    return s->name[0] ? s->name : s->nout ? s->out[0] : s->op;
}

/* ---- attributes ------------------------------------------------------------------------------------------------------- */

const sgs_src_attr *sgs_src_find(const sgs_source_node *s, const char *name)
{
    for (int i = 0; i < s->nattr; i++)
        if (!strcmp(s->attr[i].name, name))
            return &s->attr[i];
    return NULL;
}

static sgs_status wrong_kind(const sgs_source_node *s, const sgs_src_attr *a, const char *expected, sgs_diag *d)
{
    static const char *const kinds[] = { "an integer", "a number", "a word", "a list of integers", "a list of numbers", "a list of words", "a tensor", "a graph" };
    sgs_fail(d, SGS_E_MODEL, "%s: attribute %s: expected %s, found %s", s->op, a->name, expected, a->kind < SGS_SRC_OTHER ? kinds[a->kind] : "another kind");
    sgs_fail_at(d, NULL, 0, sgs_src_label(s));
    return SGS_E_MODEL;
}

const char *const sgs_src_data_types[] = { "UNDEFINED", "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL", "FLOAT16", "DOUBLE", "UINT32", "UINT64",
                                           "COMPLEX64", "COMPLEX128", "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "UINT4", "INT4", "FLOAT4E2M1", NULL };

const char *sgs_src_data_type(int64_t t)
{
    return t >= 0 && t < (int64_t)(sizeof sgs_src_data_types / sizeof *sgs_src_data_types) - 1 ? sgs_src_data_types[t] : "unknown";
}

sgs_status sgs_src_int(const sgs_source_node *s, const char *name, int64_t *v, sgs_diag *d)
{
    const sgs_src_attr *a = sgs_src_find(s, name);
    if (a && a->kind != SGS_SRC_INT)
        return wrong_kind(s, a, "an integer", d);
    if (a)
        *v = a->i;
    return SGS_OK;
}

sgs_status sgs_src_float(const sgs_source_node *s, const char *name, float *v, sgs_diag *d)
{
    const sgs_src_attr *a = sgs_src_find(s, name);
    if (a && a->kind != SGS_SRC_FLOAT)
        return wrong_kind(s, a, "a number", d);
    if (a && a->f != a->f) {
        sgs_fail(d, SGS_E_MODEL, "%s: attribute %s is NaN", s->op, name);
        sgs_fail_at(d, NULL, 0, sgs_src_label(s));
        return SGS_E_MODEL;
    }
    if (a)
        *v = a->f;
    return SGS_OK;
}

sgs_status sgs_src_ints(const sgs_source_node *s, const char *name, int64_t *v, int max, int want, int *n, sgs_diag *d)
{
    const sgs_src_attr *a = sgs_src_find(s, name);
    if (!a)
        return SGS_OK;
    if (a->kind != SGS_SRC_INTS)
        return wrong_kind(s, a, "a list of integers", d);
    if ((want >= 0 && a->n != want) || a->n > max) {
        sgs_fail(d, SGS_E_MODEL, "%s: attribute %s: expected %s%d numbers, found %d", s->op, name, want >= 0 ? "" : "at most ", want >= 0 ? want : max, a->n);
        sgs_fail_at(d, NULL, 0, sgs_src_label(s));
        return SGS_E_MODEL;
    }
    if (a->n)
        memcpy(v, a->ints, (size_t)a->n * sizeof *v);
    *n = a->n;
    return SGS_OK;
}

sgs_status sgs_src_const_ints(const sgs_source_node *s, const sgs_value *v, int64_t *out, int max, int *n, sgs_diag *d)
{
    const char *name = v->nname ? v->name[0] : "input";
    const char *problem = !v->constant ? "is known only at run time" : v->type != SGS_S64 && v->type != SGS_S32 ? "does not hold integers"
                          : v->rank > 1 ? "is not a list" : NULL;
    int64_t count = problem ? 0 : sgs_value_count(v);
    const sgs_status code = v->constant ? SGS_E_MODEL : SGS_E_UNSUPPORTED;
    if (problem)
        sgs_fail(d, code, "%s: '%s', which it takes as shape, axes or sizes, %s", s->op, name, problem);
    else if (count > max)
        sgs_fail(d, code, "%s: '%s', which it takes as shape, axes or sizes, holds %lld numbers, %d are the most", s->op, name, (long long)count, max);
    if (problem || count > max) {
        sgs_fail_at(d, NULL, 0, sgs_src_label(s));
        return code;
    }
    for (int64_t i = 0; i < count; i++)
        out[i] = v->type == SGS_S64 ? ((const int64_t *)sgs_const_data(v))[i] : ((const int32_t *)sgs_const_data(v))[i];
    *n = (int)count;
    return SGS_OK;
}

/* In arena memory, behind the place of the node's body; the reader of numbered nodes knows their names better. */
static const char *label(const sgs_import *im, const sgs_source_node *s)
{
    return im->by_number ? NULL : sgs_format(im->g->arena, "%s%s", im->place ? im->place : "", sgs_src_label(s));
}

SGS_PRINTF(5, 0) static sgs_status fail_node(sgs_import *im, const sgs_source_node *s, sgs_status code, sgs_diag *d, const char *fmt, va_list ap)
{
    char text[1200];
    vsnprintf(text, sizeof text, fmt, ap);
    sgs_fail(d, code, "%s: %s", s->op, text);
    sgs_fail_at(d, im->g->file, s->line, label(im, s));
    return code;
}

sgs_status sgs_src_fail(sgs_import *im, const sgs_source_node *s, sgs_diag *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sgs_status st = fail_node(im, s, SGS_E_MODEL, d, fmt, ap);
    va_end(ap);
    return st;
}

sgs_status sgs_src_refuse(sgs_import *im, const sgs_source_node *s, sgs_diag *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sgs_status st = fail_node(im, s, SGS_E_UNSUPPORTED, d, fmt, ap);
    va_end(ap);
    return st;
}

sgs_status sgs_src_choice(sgs_import *im, const sgs_source_node *s, const char *name, const char *const *names, int64_t *v, sgs_diag *d)
{
    const sgs_src_attr *a = sgs_src_find(s, name);
    if (!a)
        return SGS_OK;
    for (int i = 0; names[i] && a->kind == SGS_SRC_STRING; i++)
        if (a->s.n == strlen(names[i]) && !memcmp(a->s.p, names[i], a->s.n)) {
            *v = i;
            return SGS_OK;
        }
    if (a->kind != SGS_SRC_STRING)
        return wrong_kind(s, a, "a word", d);
    sgs_buf known = { 0 };
    for (int i = 0; names[i]; i++)
        if (names[i][0])
            sgs_buf_printf(&known, "%s%s", known.n ? ", " : "", names[i]);
    const sgs_status st = sgs_src_refuse(im, s, d, "%s: expected one of %s, found '%.*s'", name, known.p, a->s.n < 100 ? (int)a->s.n : 100, (const char *)a->s.p);
    sgs_buf_free(&known);
    return st;
}

/* ---- importers ---------------------------------------------------------------------------------------------------- */

/* ONNX's own operators have their bare names, those of other domains "domain.name". */
static bool is_named(const char *row, const char *domain, const char *op)
{
    const size_t n = strlen(domain);
    return n ? !strncmp(row, domain, n) && row[n] == '.' && !strcmp(row + n + 1, op) : !strcmp(row, op);
}

sgs_from_fn sgs_src_importer(const char *op, int opset)
{
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *row = (*f)->onnx; row && row->op; row++)
            if (!strcmp(row->op, op) && opset >= row->since)
                return row->fn;
    return NULL;
}

/* "ai.onnx" is ONNX's own domain by its long name. */
static const char *domain_of(const char *domain)
{
    return strcmp(domain, "ai.onnx") ? domain : "";
}

static sgs_buf function_key(const char *domain, const char *name, const char *overload)
{
    sgs_buf key = { 0 };
    sgs_buf_printf(&key, "%s\n%s\n%s", domain_of(domain), name, overload);
    return key;
}

const sgs_src_function *sgs_src_function_of(const sgs_import *im, const sgs_source_node *s)
{
    if (!im->functions.n)
        return NULL;
    sgs_buf key = function_key(s->domain, s->op, s->overload ? s->overload : "");
    const sgs_src_function *f = sgs_map_get(&im->functions, key.p);
    sgs_buf_free(&key);
    return f;
}

void sgs_src_add_function(sgs_import *im, const sgs_src_function *f)
{
    sgs_buf key = function_key(f->domain, f->name, f->overload);
    sgs_map_set(&im->functions, sgs_strdup(im->g->arena, key.p), (void *)(uintptr_t)f);
    sgs_buf_free(&key);
}

sgs_from_fn sgs_src_importer_of(const sgs_import *im, const sgs_source_node *s)
{
    const char *domain = domain_of(s->domain);
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *row = im->importers(*f); row && row->op; row++)
            if (is_named(row->op, domain, s->op) && s->opset >= row->since)
                return row->fn;
    return sgs_src_function_of(im, s) ? sgs_from_function : NULL;
}

const char *sgs_src_absent(const sgs_import *im, const sgs_source_node *s)
{
    for (int i = 0; i < s->nin; i++) {
        const sgs_src_bound b = sgs_src_get(im, s->in[i]);
        if (s->in[i][0] && !b.v && !b.list)
            return s->in[i];
    }
    return NULL;
}

sgs_status sgs_src_build(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const sgs_from_fn fn = sgs_src_importer_of(im, s);
    const char *absent = sgs_src_absent(im, s);
    if (!fn)
        return sgs_src_refuse(im, s, d, "not supported");
    if (absent)
        return sgs_src_fail(im, s, d, "input '%s' does not exist", absent);
    const sgs_status st = im->build ? im->build(im->model, s, fn, d) : fn(im, s, d);
    if (st != SGS_OK)
        sgs_fail_at(d, im->g->file, s->line, sgs_src_label(s));
    return st;
}

/* ---- what names stand for ---------------------------------------------------------------------------------------------- */

sgs_src_scope sgs_src_scope_new(sgs_arena *a, const sgs_src_scope *around)
{
    return (sgs_src_scope){ .values = { .a = a }, .lists = { .a = a }, .around = around };
}

sgs_src_bound sgs_src_get(const sgs_import *im, const char *name)
{
    for (const sgs_src_scope *in = &im->scope; in; in = in->around) {
        const sgs_src_bound b = { sgs_map_get(&in->values, name), sgs_map_get(&in->lists, name) };
        if (b.v || b.list)
            return b;
    }
    return (sgs_src_bound){ NULL, NULL };
}

void sgs_src_bind(sgs_import *im, const char *name, sgs_src_bound b)
{
    if (b.v || sgs_map_get(&im->scope.values, name))
        sgs_map_set(&im->scope.values, name, b.v);
    if (b.list || sgs_map_get(&im->scope.lists, name))
        sgs_map_set(&im->scope.lists, name, (void *)(uintptr_t)b.list);
}

/* ---- values by slot ---------------------------------------------------------------------------------------------------- */

sgs_value *sgs_src_opt(sgs_import *im, const sgs_source_node *s, int i)
{
    return i < s->nin && s->in[i][0] ? sgs_src_get(im, s->in[i]).v : NULL;
}

sgs_status sgs_src_in_list(sgs_import *im, const sgs_source_node *s, int i, const sgs_src_list **list, sgs_diag *d)
{
    *list = i < s->nin ? sgs_src_get(im, s->in[i]).list : NULL;
    if (!*list)
        return sgs_src_fail(im, s, d, "input %d: expected a sequence of tensors, found %s", i, i < s->nin && s->in[i][0] ? "a tensor" : "nothing");
    return SGS_OK;
}

sgs_status sgs_src_out_list(sgs_import *im, const sgs_source_node *s, int i, const sgs_src_list *list, sgs_diag *d)
{
    if (i >= s->nout || !s->out[i][0])
        return sgs_src_fail(im, s, d, "output %d is missing", i);
    sgs_src_bind(im, s->out[i], (sgs_src_bound){ NULL, list });
    return SGS_OK;
}

sgs_status sgs_src_in(sgs_import *im, const sgs_source_node *s, int i, sgs_value **v, sgs_diag *d)
{
    *v = sgs_src_opt(im, s, i);
    if (*v)
        return SGS_OK;
    if (i >= s->nin || !s->in[i][0])
        return sgs_src_fail(im, s, d, "input %d is missing", i);
    if (sgs_src_get(im, s->in[i]).list)
        return sgs_src_fail(im, s, d, "input '%s' is a sequence of tensors: expected a tensor", s->in[i]);
    return sgs_src_fail(im, s, d, "input '%s' does not exist", s->in[i]);
}

sgs_type sgs_src_type(const sgs_import *im, const sgs_value *v)
{
    char id[16];
    snprintf(id, sizeof id, "%d", v->id);
    const sgs_type *narrow = sgs_map_get(&im->narrow, id);
    return narrow ? *narrow : v->type;
}

void sgs_src_set_narrow(sgs_import *im, const sgs_value *v, const sgs_type *narrow)
{
    sgs_map_set(&im->narrow, sgs_format(im->g->arena, "%d", v->id), (void *)(uintptr_t)narrow);
}

sgs_status sgs_src_out(sgs_import *im, const sgs_source_node *s, int i, sgs_value *v, sgs_diag *d)
{
    if (i >= s->nout || !s->out[i][0])
        return sgs_src_fail(im, s, d, "output %d is missing", i);
    sgs_src_bind(im, s->out[i], (sgs_src_bound){ v, NULL });
    if (!im->by_number && !im->unnamed)
        sgs_value_name(im->g, v, s->out[i]);
    return SGS_OK;
}

/* ---- building --------------------------------------------------------------------------------------------------------- */

/* Float operators work on f32 alone; integers that reach them are a model we cannot take. */
static sgs_status types_ok(const sgs_op *op, int nin, sgs_value *const *in, sgs_diag *d)
{
    for (int i = 0; i < nin && op->float_only; i++)
        if (in[i] && in[i]->type != SGS_F32)
            return sgs_fail(d, SGS_E_UNSUPPORTED, "expected float inputs, found %s", sgs_type_word(in[i]->type));
    return SGS_OK;
}

/* What is wrong with a node of ours follows the operator that the user knows. */
static void name_operator(const sgs_source_node *s, sgs_diag *d)
{
    const size_t n = strlen(s->op);
    char text[sizeof d->text];
    if (!strncmp(d->text, s->op, n) && d->text[n] == ':')
        return;
    memcpy(text, d->text, sizeof text);
    snprintf(d->text, sizeof d->text, "%.100s: %.*s", s->op, (int)sizeof text - 110, text);
}

sgs_status sgs_emit(sgs_import *im, const sgs_source_node *s, const sgs_op *op, int nin, sgs_value *const *in, const void *attr, sgs_value **out,
                    sgs_diag *d)
{
    sgs_status st = im->by_number ? SGS_OK : types_ok(op, nin, in, d); /* .sim files hold fixed-point graphs too */
    if (st == SGS_OK) {
        sgs_node *n = sgs_node_new(im->g, im->before, op, nin, in, attr);
        if (im->place)
            n->name = label(im, s);
        else if (s->name[0])
            n->name = sgs_strdup(im->g->arena, s->name);
        st = sgs_infer(im->g, n, d);
        if (st == SGS_OK) {
            bool folded;
            memcpy(out, n->out, (size_t)op->nout * sizeof *out);
            /* constants are folded as they come: shapes must be numbers before the next node is read */
            st = im->as_is ? SGS_OK : sgs_fold_node(im->g, n, &folded, d);
        }
    }
    if (st != SGS_OK) {
        if (d) {
            d->layer[0] = 0; /* the user's name, not that of a node of ours */
            d->line = s->line;
            name_operator(s, d);
        }
        sgs_fail_at(d, im->g->file, s->line, label(im, s));
    }
    return st;
}

sgs_status sgs_emit_same(sgs_import *im, const sgs_source_node *s, sgs_value *x, sgs_value **out, sgs_diag *d)
{
    sgs_shape_attr a = { .n = x->rank };
    memcpy(a.dim, x->dim, sizeof a.dim);
    return sgs_emit(im, s, &sgs_op_reshape, 1, &x, &a, out, d);
}

sgs_status sgs_emit_nhwc(sgs_import *im, const sgs_source_node *s, sgs_value *nchw, sgs_value **nhwc, sgs_diag *d)
{
    sgs_perm_attr p = { .n = 4, .perm = { 0, 2, 3, 1 } };
    return sgs_emit(im, s, &sgs_op_transpose, 1, &nchw, &p, nhwc, d);
}

sgs_status sgs_emit_nchw(sgs_import *im, const sgs_source_node *s, sgs_value *nhwc, sgs_value **nchw, sgs_diag *d)
{
    sgs_perm_attr p = { .n = 4, .perm = { 0, 3, 1, 2 } };
    return sgs_emit(im, s, &sgs_op_transpose, 1, &nhwc, &p, nchw, d);
}

/* The transposes of rows stand outside of the reshapes: there they meet those of other rows. */
sgs_status sgs_emit_picture(sgs_import *im, const sgs_source_node *s, sgs_value *x, sgs_value **nhwc, sgs_diag *d)
{
    const sgs_perm_attr p = { .n = 3, .perm = { 0, 2, 1 } };
    const sgs_shape_attr high = { .n = 4, .dim = { x->dim[0], 1, x->dim[2], x->dim[1] } };
    if (x->rank == 4)
        return sgs_emit_nhwc(im, s, x, nhwc, d);
    SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, &x, &p, nhwc, d));
    return sgs_emit(im, s, &sgs_op_reshape, 1, nhwc, &high, nhwc, d);
}

sgs_status sgs_emit_unpicture(sgs_import *im, const sgs_source_node *s, sgs_value *nhwc, int rank, sgs_value **y, sgs_diag *d)
{
    const sgs_perm_attr p = { .n = 3, .perm = { 0, 2, 1 } };
    const sgs_shape_attr row = { .n = 3, .dim = { nhwc->dim[0], nhwc->dim[2], nhwc->dim[3] } };
    if (rank == 4)
        return sgs_emit_nchw(im, s, nhwc, y, d);
    SGS_TRY(sgs_emit(im, s, &sgs_op_reshape, 1, &nhwc, &row, y, d));
    return sgs_emit(im, s, &sgs_op_transpose, 1, y, &p, y, d);
}
