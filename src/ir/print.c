/* The text form, written: docs/ARCHITECTURE.md.  A constant stands before its first use. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"
#include "ops/op.h"

typedef struct printer {
    const sgs_graph *g;
    const sgs_print_options *o;
    sgs_buf *out;
    int *number; /* by id: 1 + the number shown, 0: not yet shown */
    int next;
} printer;

/* ---- atoms ----------------------------------------------------------------------------------- */

static void put(printer *p, const char *s)
{
    sgs_buf_add(p->out, s, strlen(s));
}

/* Names are UTF-8 and stay readable; other data is plain ASCII on paper. */
static void put_quoted(printer *p, const void *data, size_t n, bool name)
{
    const unsigned char *s = data;
    put(p, "\"");
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"' || s[i] == '\\')
            sgs_buf_printf(p->out, "\\%c", s[i]);
        else if (s[i] < 0x20 || s[i] == 0x7f || (s[i] >= 0x80 && !name))
            sgs_buf_printf(p->out, "\\x%02x", s[i]);
        else
            sgs_buf_add(p->out, &s[i], 1);
    }
    put(p, "\"");
}

static void put_string(printer *p, const char *s)
{
    put_quoted(p, s, strlen(s), true);
}

/* The shortest decimal that reads back as the same number; a NaN by its bits. */
static void put_f32(printer *p, float f)
{
    char s[32];
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (isnan(f)) {
        sgs_buf_printf(p->out, "nan(0x%x)", (unsigned)bits);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, (double)f);
        if (strtof(s, NULL) == f)
            break;
    }
    put(p, s);
}

static void put_f64(printer *p, double f)
{
    char s[40];
    uint64_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (isnan(f)) {
        sgs_buf_printf(p->out, "nan(0x%llx)", (unsigned long long)bits);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, f);
        if (strtod(s, NULL) == f)
            break;
    }
    put(p, s);
}

static void put_element(printer *p, sgs_type t, const void *data, int64_t i)
{
    switch (t) {
    case SGS_F32:
        put_f32(p, ((const float *)data)[i]);
        return;
    case SGS_F64:
        put_f64(p, ((const double *)data)[i]);
        return;
    case SGS_S64:
        sgs_buf_printf(p->out, "%lld", (long long)((const int64_t *)data)[i]);
        return;
    case SGS_S32:
        sgs_buf_printf(p->out, "%d", (int)((const int32_t *)data)[i]);
        return;
    case SGS_S16:
        sgs_buf_printf(p->out, "%d", ((const int16_t *)data)[i]);
        return;
    case SGS_S8:
    case SGS_S4:
        sgs_buf_printf(p->out, "%d", ((const int8_t *)data)[i]);
        return;
    case SGS_U8:
    case SGS_BOOL:
        sgs_buf_printf(p->out, "%d", ((const uint8_t *)data)[i]);
        return;
    case SGS_U16:
        sgs_buf_printf(p->out, "%d", ((const uint16_t *)data)[i]);
        return;
    case SGS_F16: /* its bits */
        sgs_buf_printf(p->out, "0x%04x", ((const uint16_t *)data)[i]);
        return;
    case SGS_TYPE_COUNT:
        return;
    }
}

static void put_ints(printer *p, const int64_t *v, int n)
{
    put(p, "[");
    for (int i = 0; i < n; i++)
        sgs_buf_printf(p->out, "%s%lld", i ? "," : "", (long long)v[i]);
    put(p, "]");
}

static void put_floats(printer *p, const float *v, int n)
{
    put(p, "[");
    for (int i = 0; i < n; i++) {
        put(p, i ? "," : "");
        put_f32(p, v[i]);
    }
    put(p, "]");
}

/* ---- values ---------------------------------------------------------------------------------- */

static void put_ref(printer *p, const sgs_value *v)
{
    if (!v) {
        put(p, "_");
        return;
    }
    int shown = v->id;
    if (p->o->renumber) {
        if (!p->number[v->id])
            p->number[v->id] = ++p->next;
        shown = p->number[v->id] - 1;
    }
    sgs_buf_printf(p->out, "%%%d", shown);
}

static void put_quant(printer *p, const sgs_quant *q)
{
    put(p, " @{");
    if (q->axis >= 0) {
        sgs_buf_printf(p->out, "axis=%d, scale=", q->axis);
        put_floats(p, q->scale, q->n);
        put(p, ", zero=[");
        for (int i = 0; i < q->n; i++)
            sgs_buf_printf(p->out, "%s%d", i ? "," : "", (int)q->zero[i]);
        put(p, "]");
    } else {
        put(p, "scale=");
        put_f32(p, q->scale[0]);
        sgs_buf_printf(p->out, ", zero=%d", (int)q->zero[0]);
    }
    if (q->nrange) {
        put(p, ", lo=");
        put_floats(p, q->lo, q->nrange);
        put(p, ", hi=");
        put_floats(p, q->hi, q->nrange);
    }
    if (q->reason) {
        put(p, ", reason=");
        put_string(p, q->reason);
    }
    put(p, "}");
}

/* %1 "name" "alias" ~"swallowed" f32[1,2] @{...} */
static void put_value(printer *p, const sgs_value *v)
{
    put_ref(p, v);
    for (int i = 0; i < v->nname; i++) {
        put(p, " ");
        put_string(p, v->name[i]);
    }
    for (int i = 0; i < v->nswallowed; i++) {
        put(p, " ~");
        put_string(p, v->swallowed[i]);
    }
    sgs_buf_printf(p->out, " %s", sgs_type_name(v->type));
    put_ints(p, v->dim, v->rank);
    if (v->quant)
        put_quant(p, v->quant);
}

static bool all_equal(const sgs_value *v, int64_t count)
{
    size_t each = (size_t)sgs_type_bytes(v->type);
    const char *data = sgs_const_data(v);
    for (int64_t i = 1; i < count; i++)
        if (memcmp(data, data + (size_t)i * each, each))
            return false;
    return count > 1;
}

static void put_const(printer *p, const sgs_value *v)
{
    int64_t count = sgs_value_count(v);
    put(p, "const ");
    put_value(p, v);
    if (all_equal(v, count)) {
        put(p, " = splat(");
        put_element(p, v->type, sgs_const_data(v), 0);
        put(p, ")\n");
        return;
    }
    put(p, " = {");
    bool elide = p->o->max_elements && count > p->o->max_elements;
    for (int64_t i = 0; i < count && !elide; i++) {
        put(p, i ? "," : "");
        put_element(p, v->type, sgs_const_data(v), i);
    }
    put(p, elide ? "...}\n" : "}\n");
}

/* A constant is shown once, before its first user. */
static void put_new_const(printer *p, const sgs_value *v, char *seen)
{
    if (v && v->constant && !seen[v->id]) {
        seen[v->id] = 1;
        put_const(p, v);
    }
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static const void *field(const sgs_node *n, size_t offset)
{
    return (const char *)n->attr + offset;
}

static int ints_count(const sgs_node *n, const sgs_attr *a)
{
    int64_t count = a->count_offset != SGS_ALL ? *(const int64_t *)field(n, a->count_offset) : a->max;
    return count < 0 || count > a->max ? a->max : (int)count;
}

/* Zero is every attribute's default and is not written. */
static bool is_default(const sgs_node *n, const sgs_attr *a)
{
    static const int64_t zero[2 * SGS_MAX_RANK];
    switch (a->kind) {
    case SGS_ATTR_INT:
    case SGS_ATTR_ENUM:
        return !*(const int64_t *)field(n, a->offset);
    case SGS_ATTR_FLOAT:
        return !memcmp(field(n, a->offset), zero, sizeof(float));
    case SGS_ATTR_INTS: {
        int count = ints_count(n, a);
        const int64_t *v = field(n, a->offset);
        if (a->count_offset != SGS_ALL)
            return !count;
        for (int i = 0; i < count; i++)
            if (v[i])
                return false;
        return true;
    }
    }
    return false;
}

static void put_enum(printer *p, const sgs_attr *a, int64_t v)
{
    for (int64_t i = 0; a->names[i]; i++)
        if (i == v) {
            put(p, a->names[i]);
            return;
        }
    sgs_buf_printf(p->out, "%lld", (long long)v);
}

static void put_attr(printer *p, const sgs_node *n, const sgs_attr *a)
{
    switch (a->kind) {
    case SGS_ATTR_INT:
        sgs_buf_printf(p->out, "%lld", (long long)*(const int64_t *)field(n, a->offset));
        return;
    case SGS_ATTR_FLOAT:
        put_f32(p, *(const float *)field(n, a->offset));
        return;
    case SGS_ATTR_INTS:
        put_ints(p, field(n, a->offset), ints_count(n, a));
        return;
    case SGS_ATTR_ENUM:
        put_enum(p, a, *(const int64_t *)field(n, a->offset));
        return;
    }
}

static void put_attrs(printer *p, const sgs_node *n)
{
    const char *before = " {";
    for (const sgs_attr *a = n->op->attr; a && a->name && n->attr; a++) {
        if (is_default(n, a))
            continue;
        sgs_buf_printf(p->out, "%s%s=", before, a->name);
        put_attr(p, n, a);
        before = ", ";
    }
    if (before[0] == ',')
        put(p, "}");
}

static void put_node(printer *p, const sgs_node *n)
{
    for (int i = 0; i < n->nout; i++) {
        put(p, i ? ", " : "");
        put_value(p, n->out[i]);
    }
    sgs_buf_printf(p->out, " = %s", n->op->name);
    for (int i = 0; i < n->nin; i++) {
        put(p, i ? ", " : " ");
        put_ref(p, n->in[i]);
    }
    put_attrs(p, n);
    if (n->name && n->name[0]) {
        put(p, " as ");
        put_string(p, n->name);
    }
    put(p, "\n");
}

void sgs_graph_print_with(const sgs_graph *g, const sgs_print_options *o, sgs_buf *out)
{
    sgs_arena *a = sgs_arena_new();
    if (!a)
        abort();
    printer p = { .g = g, .o = o, .out = out, .number = SGS_NEW_N(a, int, g->nvalue + 1) };
    char *seen = SGS_NEW_N(a, char, g->nvalue + 1);
    for (const sgs_meta *m = g->meta; m; m = m->next) {
        put(&p, "meta ");
        put_string(&p, m->name);
        put(&p, " ");
        put_quoted(&p, m->data.p, m->data.n, false);
        put(&p, "\n");
    }
    for (int i = 0; i < g->nin; i++) {
        put(&p, "input ");
        put_value(&p, g->in[i]);
        put(&p, "\n");
    }
    for (const sgs_node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nin; i++)
            put_new_const(&p, n->in[i], seen);
        put_node(&p, n);
    }
    for (int i = 0; i < g->nout; i++)
        put_new_const(&p, g->out[i], seen);
    for (int i = 0; i < g->nout; i++) {
        put(&p, "output ");
        put_ref(&p, g->out[i]);
        put(&p, "\n");
    }
    sgs_arena_free(a);
}

void sgs_graph_print(const sgs_graph *g, sgs_buf *out)
{
    sgs_graph_print_with(g, &(sgs_print_options){ 0 }, out);
}
