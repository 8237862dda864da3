#include "config/quant_param.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    sgs_params *p;
    sgs_param *e; /* the entry that is read */
    const sgs_tree *lo, *hi;
    bool preset; /* sgs_params_preset: nulls are as good as nothing, and there is no data */
    sgs_diag *d;
} reading;

sgs_status sgs_param_fail_at(const sgs_params *p, const sgs_param *e, sgs_diag *d)
{
    return sgs_fail_at(d, p->file, e->line, NULL);
}

/* ---- fields -------------------------------------------------------------------------------------------------------
 */

static const char *label(const reading *r)
{
    return r->e->name ? sgs_format(r->p->arena, "'%.200s'", r->e->name)
                      : sgs_format(r->p->arena, "entry %lld of the list", (long long)(r->e - r->p->param) + 1);
}

static sgs_status wrong_kind(const reading *r, const char *field, const char *expected, const sgs_tree *found)
{
    sgs_fail(r->d, SGS_E_FORMAT, "%s of %s: expected %s, found %s", field, label(r), expected, sgs_tree_word(found));
    return sgs_param_fail_at(r->p, r->e, r->d);
}

static sgs_status read_name(reading *r, const sgs_tree *t)
{
    if (t->kind != SGS_TREE_TEXT || !t->bytes->n || strlen(t->bytes->p) != t->bytes->n) {
        wrong_kind(r, "name", "a tensor's name", t);
        if (r->preset)
            sgs_hint(r->d, "quotes make any word a name: name: \"126\"");
        return SGS_E_FORMAT;
    }
    r->e->name = t->bytes->p;
    return SGS_OK;
}

static sgs_status read_bit(reading *r, const sgs_tree *t)
{
    if (t->kind != SGS_TREE_WHOLE)
        return wrong_kind(r, "bit", "4, 8 or 16", t);
    if (t->whole != 4 && t->whole != 8 && t->whole != 16 && t->whole != 32 && t->whole != 64) {
        sgs_fail(r->d, SGS_E_FORMAT, "bit of %s: expected 4, 8 or 16, found %lld", label(r), (long long)t->whole);
        return sgs_param_fail_at(r->p, r->e, r->d);
    }
    r->e->bit = (int)t->whole;
    return SGS_OK;
}

static sgs_status not_finite(const reading *r, const char *field, double v)
{
    sgs_fail(r->d, SGS_E_FORMAT, "%s of %s: expected numbers of float32, found %g", field, label(r), v);
    return sgs_param_fail_at(r->p, r->e, r->d);
}

static sgs_status read_data(reading *r, const sgs_tree *t)
{
    if (t->kind == SGS_TREE_NONE)
        return SGS_OK;
    if (t->kind != SGS_TREE_ARRAY)
        return wrong_kind(r, "data", "numbers, in lists or a numpy array", t);
    for (int64_t i = 0; i < t->array->count; i++) {
        const double v = sgs_tree_element(t->array, i);
        if (!isfinite((float)v))
            return not_finite(r, "data", v);
    }
    r->e->data = t->array;
    return SGS_OK;
}

/* Numbers of a list, an array or one alone; *n -1: it is none of them. */
static double *numbers(sgs_arena *a, const sgs_tree *t, int *n)
{
    const bool array = t->kind == SGS_TREE_ARRAY && t->array->rank <= 1, list = t->kind == SGS_TREE_LIST;
    const int64_t count = array ? t->array->count : list ? (int64_t)t->list->n : 1;
    double *v = count <= INT32_MAX ? sgs_try_alloc(a, ((size_t)count + 1) * sizeof *v) : NULL;
    *n = -1;
    for (int64_t i = 0; v && i < count; i++)
        if (array)
            v[i] = sgs_tree_element(t->array, i);
        else if (!sgs_tree_number(list ? &t->list->item[i] : t, &v[i]))
            return NULL;
    *n = v ? (int)count : -1;
    return v;
}

static sgs_status read_range(reading *r)
{
    int nlo, nhi;
    sgs_param *e = r->e;
    if (!r->lo || !r->hi) {
        if (!r->lo && !r->hi)
            return SGS_OK;
        sgs_fail(r->d, SGS_E_FORMAT, "%s has %s; expected min and max, or neither", label(r),
                 r->lo ? "min alone" : "max alone");
        return sgs_param_fail_at(r->p, e, r->d);
    }
    e->lo = numbers(r->p->arena, r->lo, &nlo);
    e->hi = numbers(r->p->arena, r->hi, &nhi);
    if (nlo < 0 || nhi < 0)
        return wrong_kind(r, nlo < 0 ? "min" : "max", "a list of numbers", nlo < 0 ? r->lo : r->hi);
    if (nlo != nhi) {
        sgs_fail(r->d, SGS_E_FORMAT, "%s: expected as many numbers in min as in max, found %d and %d", label(r), nlo,
                 nhi);
        return sgs_param_fail_at(r->p, e, r->d);
    }
    e->n = nlo;
    for (int i = 0; i < nlo; i++) {
        if (!isfinite((float)e->lo[i]) || !isfinite((float)e->hi[i]))
            return not_finite(r, isfinite((float)e->lo[i]) ? "max" : "min",
                              isfinite((float)e->lo[i]) ? e->hi[i] : e->lo[i]);
        if (e->lo[i] > e->hi[i]) {
            sgs_fail(r->d, SGS_E_FORMAT, "%s: min %g is above max %g, number %d of %d", label(r), e->lo[i], e->hi[i],
                     i + 1, nlo);
            return sgs_param_fail_at(r->p, e, r->d);
        }
    }
    return SGS_OK;
}

/* What get_tensor_details says besides may stand in a list made from it. */
static sgs_status read_other(reading *r, const char *key)
{
    static const char *const details[] = { "shape", "dtype", "qtype", "index", "quantization" };
    static const char *const fields[] = { "name", "min", "max", "bit", "data" };
    for (size_t i = 0; i < sizeof details / sizeof *details && !r->preset; i++)
        if (!strcmp(key, details[i]))
            return SGS_OK;
    const char *near = sgs_nearest(key, fields, (int)(sizeof fields / sizeof *fields) - r->preset);
    sgs_fail(r->d, SGS_E_FORMAT, "%s has the unknown field '%.100s'", label(r), key);
    sgs_hint(r->d, "%s%s%sthe fields are name, min, max%s", near ? "did you mean '" : "", near ? near : "",
             near ? "'? " : "", r->preset ? " and bit" : ", bit and data");
    return sgs_param_fail_at(r->p, r->e, r->d);
}

static sgs_status read_field(reading *r, const char *key, const sgs_tree *value)
{
    if (r->preset && value->kind == SGS_TREE_NONE && (!strcmp(key, "min") || !strcmp(key, "max") || !strcmp(key, "bit")))
        return SGS_OK;
    if (!strcmp(key, "bit"))
        return read_bit(r, value);
    if (!strcmp(key, "data") && !r->preset)
        return read_data(r, value);
    if (!strcmp(key, "min"))
        r->lo = value;
    else if (!strcmp(key, "max"))
        r->hi = value;
    else if (strcmp(key, "name"))
        return read_other(r, key);
    return SGS_OK;
}

/* The name first: messages about the others say it. */
static sgs_status read_entry(reading *r, const sgs_tree *t)
{
    r->e->line = (int)t->line;
    if (t->kind != SGS_TREE_DICT)
        return wrong_kind(r, "value", "a dictionary with name, min, max and bit", t);
    for (size_t i = 0; i < t->list->n; i += 2) {
        const sgs_tree *key = &t->list->item[i];
        if (key->kind != SGS_TREE_TEXT)
            return wrong_kind(r, "a key", "a text", key);
        if (!strcmp(key->bytes->p, "name"))
            SGS_TRY(read_name(r, &t->list->item[i + 1]));
    }
    if (!r->e->name) {
        sgs_fail(r->d, SGS_E_FORMAT, "%s has no name", label(r));
        return sgs_param_fail_at(r->p, r->e, r->d);
    }
    for (size_t i = 0; i < t->list->n; i += 2)
        SGS_TRY(read_field(r, t->list->item[i].bytes->p, &t->list->item[i + 1]));
    return read_range(r);
}

/* ---- the list ------------------------------------------------------------------------------------------------------
 */

static int by_name(const void *a, const void *b)
{
    const sgs_param *const *x = a, *const *y = b;
    const int c = strcmp((*x)->name, (*y)->name);
    return c ? c : (*x > *y) - (*x < *y);
}

static sgs_status check_unique(const sgs_params *p, sgs_diag *d)
{
    const sgs_param **sorted = sgs_try_alloc(p->arena, ((size_t)p->n + 1) * sizeof *sorted);
    for (int i = 0; sorted && i < p->n; i++)
        sorted[i] = &p->param[i];
    if (sorted && p->n)
        qsort(sorted, (size_t)p->n, sizeof *sorted, by_name);
    for (int i = 1; sorted && i < p->n; i++)
        if (!strcmp(sorted[i - 1]->name, sorted[i]->name)) {
            sgs_fail(d, SGS_E_FORMAT, "'%.200s' is there twice", sorted[i]->name);
            return sgs_param_fail_at(p, sorted[i], d);
        }
    return SGS_OK;
}

static sgs_status take_list(sgs_params *p, const sgs_tree *t, bool preset, sgs_diag *d)
{
    if (t->kind != SGS_TREE_LIST || t->list->n > INT32_MAX) {
        sgs_fail(d, SGS_E_FORMAT, "%sexpected a list of tensors, found %s", preset ? "PRESET_MIN_MAX_BIT: " : "",
                 sgs_tree_word(t));
        return sgs_fail_at(d, p->file, (int)t->line, NULL);
    }
    sgs_param *e = sgs_try_alloc(p->arena, (t->list->n + 1) * sizeof *e);
    if (!e) {
        sgs_fail(d, SGS_E_LIMIT, "the file needs more memory than one of its size may take");
        return sgs_fail_at(d, p->file, 0, NULL);
    }
    p->param = e;
    for (; p->n < (int)t->list->n; p->n++) {
        reading r = { .p = p, .e = &e[p->n], .preset = preset, .d = d };
        SGS_TRY(read_entry(&r, &t->list->item[p->n]));
    }
    return check_unique(p, d);
}

static sgs_status read_list(sgs_params *p, sgs_span bytes, sgs_diag *d)
{
    sgs_tree t;
    SGS_TRY(sgs_tree_parse(&t, p->arena, p->file, bytes, d));
    return take_list(p, &t, false, d);
}

sgs_status sgs_params_preset(sgs_params *p, const sgs_tree *list, sgs_diag *d)
{
    return take_list(p, list, true, d);
}

static sgs_params *params_new(const char *file, sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    sgs_params *p = a ? SGS_NEW(a, sgs_params) : NULL;
    if (!p)
        sgs_fail(d, SGS_E_LIMIT, "out of memory");
    else
        *p = (sgs_params){ .file = sgs_strdup(a, file), .arena = a };
    return p;
}

sgs_status sgs_params_parse(sgs_params **out, const char *file, sgs_span bytes, sgs_diag *d)
{
    sgs_params *p = *out = params_new(file, d);
    const sgs_status s = p ? read_list(p, bytes, d) : SGS_E_LIMIT;
    if (s != SGS_OK) {
        sgs_params_free(p);
        *out = NULL;
    }
    return s;
}

sgs_status sgs_params_read(sgs_params **out, const char *path, sgs_diag *d)
{
    sgs_file f;
    *out = NULL;
    SGS_TRY(sgs_file_open(&f, path, d));
    const sgs_status s = sgs_params_parse(out, path, f.data, d);
    if (s == SGS_OK)
        (*out)->mapped = f; /* arrays of a pickle lie in it */
    else
        sgs_file_close(&f);
    return s;
}

void sgs_params_free(sgs_params *p)
{
    if (!p)
        return;
    sgs_file_close(&p->mapped);
    sgs_arena_free(p->arena);
}
