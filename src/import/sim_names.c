#include "import/sim_names.h"

#include <string.h>

static void put32(sgs_buf *b, uint32_t v)
{
    sgs_buf_add(b, &v, 4);
}

static void put_string(sgs_buf *b, const char *s)
{
    put32(b, (uint32_t)strlen(s));
    sgs_buf_add(b, s, strlen(s));
}

static void put_list(sgs_buf *b, const char *const *s, int n)
{
    put32(b, (uint32_t)n);
    for (int i = 0; i < n; i++)
        put_string(b, s[i]);
}

void sgs_names_pack(const sgs_names_tensor *tensor, int ntensor, const sgs_node *const *node, int nnode, sgs_buf *out)
{
    for (int i = 0; i < ntensor; i++)
        put32(out, tensor[i].stand);
    for (int i = 0; i < nnode; i++) {
        put32(out, i + 1 < nnode && node[i + 1] == node[i]);
        put_string(out, node[i]->name ? node[i]->name : "");
    }
    for (int i = 0; i < ntensor; i++) {
        const sgs_value *v = tensor[i].value;
        put_list(out, v ? v->name : NULL, v ? v->nname : 0);
        put_list(out, v ? v->swallowed : NULL, v ? v->nswallowed : 0);
        put_string(out, v && v->quant && v->quant->reason ? v->quant->reason : "");
        put32(out, v && v->quant ? (uint32_t)(v->quant->axis + 1) : 0);
    }
}

static uint32_t get32(sgs_names_reader *r)
{
    uint32_t v = 0;
    if (r->left.n < 4) {
        r->ok = false;
        return 0;
    }
    memcpy(&v, r->left.p, 4);
    r->left.p += 4;
    r->left.n -= 4;
    return v;
}

static const char *get_string(sgs_names_reader *r, sgs_graph *g)
{
    uint32_t n = get32(r);
    if (n > r->left.n) {
        r->ok = false;
        return "";
    }
    const char *s = n ? sgs_strndup(g->arena, (const char *)r->left.p, n) : "";
    r->left.p += n;
    r->left.n -= n;
    return s;
}

static const char **get_list(sgs_names_reader *r, sgs_graph *g, int *n)
{
    uint32_t count = get32(r);
    *n = 0;
    if (count > r->left.n / 4) { /* each string has its length */
        r->ok = false;
        return NULL;
    }
    const char **list = SGS_NEW_N(g->arena, const char *, count + 1);
    while (*n < (int)count && r->ok)
        list[(*n)++] = get_string(r, g);
    return list;
}

sgs_stand sgs_names_stand(sgs_names_reader *r)
{
    const uint32_t v = get32(r);
    return v <= SGS_STAND_NULL ? (sgs_stand)v : SGS_STAND_NONE;
}

void sgs_names_value(sgs_names_reader *r, sgs_graph *g, sgs_value *v)
{
    int n, gone;
    const char **names = get_list(r, g, &n), **swallowed = get_list(r, g, &gone), *reason = get_string(r, g);
    const uint32_t axis = get32(r);
    if (!v || !r->ok)
        return;
    v->name = names;
    v->nname = n;
    v->swallowed = swallowed;
    v->nswallowed = gone;
    if (v->quant && reason[0])
        v->quant->reason = reason;
    if (v->quant && v->quant->n == 1) /* the schema has no "none" */
        v->quant->axis = axis > 0 && axis <= (uint32_t)v->rank ? (int)axis - 1 : -1;
}

const char *sgs_names_node(sgs_names_reader *r, sgs_graph *g, bool *goes_on)
{
    *goes_on = get32(r) == 1;
    const char *s = get_string(r, g);
    return r->ok && s[0] ? s : NULL;
}

/* ---- attributes: in the table's order; numbers as 8 bytes, floats as 4, lists with their length ------------------------------- */

static void put64(sgs_buf *b, int64_t v)
{
    sgs_buf_add(b, &v, 8);
}

void sgs_attrs_pack(const sgs_node *n, sgs_buf *out)
{
    const char *base = n->attr;
    for (const sgs_attr *a = n->op->attr; a && a->name; a++) {
        const int64_t *v = (const void *)(base + a->offset);
        if (a->kind == SGS_ATTR_FLOAT) {
            sgs_buf_add(out, v, 4);
        } else if (a->kind == SGS_ATTR_INTS) {
            int64_t count = a->count_offset == SGS_ALL ? a->max : *(const int64_t *)(const void *)(base + a->count_offset);
            put64(out, count);
            sgs_buf_add(out, v, (size_t)count * 8);
        } else {
            put64(out, *v);
        }
    }
}

static bool take(sgs_span *s, void *to, size_t n)
{
    if (s->n < n)
        return false;
    if (n)
        memcpy(to, s->p, n);
    s->p += n;
    s->n -= n;
    return true;
}

bool sgs_attrs_unpack(const sgs_op *op, sgs_span s, void *attr)
{
    char *base = attr;
    for (const sgs_attr *a = op->attr; a && a->name; a++) {
        int64_t v;
        if (a->kind == SGS_ATTR_FLOAT) {
            if (!take(&s, base + a->offset, 4))
                return false;
            continue;
        }
        if (!take(&s, &v, 8))
            return false;
        if (a->kind != SGS_ATTR_INTS) {
            memcpy(base + a->offset, &v, 8);
            continue;
        }
        if (v < 0 || v > a->max || (a->count_offset == SGS_ALL && v != a->max) || !take(&s, base + a->offset, (size_t)v * 8))
            return false;
        if (a->count_offset != SGS_ALL)
            memcpy(base + a->count_offset, &v, 8);
    }
    return s.n == 0;
}
