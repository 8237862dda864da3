/* A foreign TFLite model -> sgs_model.  Tensors are numbers in the file; here each has a name that no other has, its
 * own where that is free.
 *
 * A quantized tensor is read as the real numbers that it stands for.  A range of its scale that an activation could
 * have left (0 to 6, say) may be all that the file says of a ReLU6: what the operator computes beyond is cut off.  Any
 * other range is what somebody observed.  With keep_quant every result is rounded to its scale's steps, and ends where
 * they do. */
#include <string.h>

#include "base/log.h"
#include "import/tflite_model.h"
#include "openipu/ipu.h"
#include "ops/util.h"

/* ---- operators ---- */

static sgs_status read_operands(sgs_lite_model *m, sgs_fb_table t, int slot, int *n, const char *const **out)
{
    const sgs_fb_vector v = sgs_fb_vec(&m->t.f, t, slot, 4);
    SGS_TRY(sgs_tfl_spend(&m->t, v.n, 3 * sizeof(char *)));
    const char **list = SGS_NEW_N(m->o->a, const char *, v.n + 1);
    for (uint32_t i = 0; i < v.n; i++) {
        const int64_t k = sgs_fb_vec_int(&m->t.f, v, i, 4);
        if (k < -1 || k >= m->ntensor)
            return sgs_fail(m->t.d, SGS_E_FORMAT, "damaged file: an operator refers to tensor %lld, the file has %d",
                            (long long)k, m->ntensor);
        list[i] = k < 0 ? "" : m->tensor[k].name;
        SGS_TRY(sgs_tfl_spend(&m->t, strlen(list[i]) + 1, 1)); /* looked up by it */
        if (k >= 0 && slot == 2)
            m->tensor[k].made = true;
    }
    *n = (int)v.n;
    *out = list;
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

/* Custom options are bytes that the operator's importer reads. */
static void read_custom(sgs_lite_model *m, sgs_fb_table t, sgs_source_node *s)
{
    const sgs_fb_vector v = sgs_fb_vec(&m->t.f, t, 5, 1);
    sgs_src_attr *a = SGS_NEW(m->o->a, sgs_src_attr);
    *a = (sgs_src_attr){ .name = "custom_options", .kind = SGS_SRC_STRING, .s = { m->t.f.data.p + v.pos, v.n } };
    s->nattr = 1;
    s->attr = a;
}

/* A quantized LSTM lists its inner tensors; the fifth is what goes into the projection, and its scale says how far that
 * reaches. */
static sgs_status read_hidden(sgs_lite_model *m, sgs_fb_table t, sgs_source_node *s)
{
    enum { HIDDEN = 4 };
    const sgs_fb_vector inner = sgs_fb_vec(&m->t.f, t, 8, 4);
    const int64_t k = inner.n > HIDDEN ? sgs_fb_vec_int(&m->t.f, inner, HIDDEN, 4) : -1;
    if (m->t.f.error || k < 0 || k >= m->ntensor || !strstr(s->op, "LSTM") || !sgs_lite_has_grid(&m->tensor[k]))
        return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
    const sgs_lite_extent e = sgs_lite_reach(&m->tensor[k]);
    sgs_src_attr *a = SGS_NEW_N(m->o->a, sgs_src_attr, s->nattr + 2);
    memcpy(a, s->attr, (size_t)s->nattr * sizeof *a);
    a[s->nattr] = (sgs_src_attr){ .name = "hidden_lo", .kind = SGS_SRC_FLOAT, .f = e.lo };
    a[s->nattr + 1] = (sgs_src_attr){ .name = "hidden_hi", .kind = SGS_SRC_FLOAT, .f = e.hi };
    s->attr = a;
    s->nattr += 2;
    return SGS_OK;
}

/* Subgraphs come as their numbers: each is read once, when all that is read before has been. */
static sgs_status ask_for_bodies(sgs_lite_model *m, const sgs_source_node *s, const sgs_tfl_schema *schema)
{
    sgs_src_attr *a = (sgs_src_attr *)(uintptr_t)s->attr;
    for (int i = 0; i < s->nattr; i++) {
        if (schema->field[i].kind != 'g')
            continue;
        if (a[i].i < 0 || a[i].i >= m->nsubgraph)
            return sgs_fail(m->t.d, SGS_E_FORMAT, "damaged file: %s has subgraph %lld, the file has %u", s->op,
                            (long long)a[i].i, m->nsubgraph);
        sgs_src_body **b = &m->body[a[i].i];
        if (!*b) {
            *b = SGS_NEW(m->o->a, sgs_src_body);
            m->waiting[m->nwaiting++] = (uint32_t)a[i].i;
        }
        a[i].kind = SGS_SRC_BODY;
        a[i].body = *b;
    }
    return SGS_OK;
}

static sgs_status read_operator(sgs_lite_model *m, uint32_t i, sgs_source_node *s)
{
    const sgs_fb_table t = sgs_fb_vec_table(&m->t.f, m->t.operators, i);
    sgs_tfl_code code;
    SGS_TRY(sgs_tfl_code_of(&m->t, t, &code));
    *s = (sgs_source_node){ .domain = "", .name = "", .opset = SGS_LITE_OPSET };
    const char *name = code.custom ? NULL : sgs_tfl_name(code.builtin);
    if (!name && !code.custom)
        return sgs_fail(m->t.d, SGS_E_FORMAT, "damaged file: there is no TFLite operator %d", code.builtin);
    s->op = code.custom ? sgs_format(m->o->a, "custom:%s", code.custom) : name;
    SGS_TRY(read_operands(m, t, 1, &s->nin, &s->in));
    SGS_TRY(read_operands(m, t, 2, &s->nout, &s->out));
    if (code.schema) {
        SGS_TRY(sgs_tfl_options(&m->t, t, code.schema, s));
        SGS_TRY(ask_for_bodies(m, s, code.schema));
        return read_hidden(m, t, s);
    }
    if (code.custom)
        read_custom(m, t, s);
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

static sgs_status read_operators(sgs_lite_model *m, sgs_source_node **list, int *n)
{
    sgs_source_node *s;
    SGS_TRY(sgs_tfl_spend(&m->t, m->t.operators.n, sizeof *s));
    for (uint32_t i = 0; i < m->t.operators.n; i++) {
        SGS_TRY(sgs_lite_add(m, list, n, sizeof *s, &s));
        SGS_TRY(read_operator(m, i, s));
    }
    return SGS_OK;
}

/* ---- states ---- */

/* Layers that have states give what these become, where someone asks for it. */
static sgs_status give_states(sgs_lite_model *m, uint32_t i, sgs_source_node *s)
{
    const sgs_fb_vector v = sgs_fb_vec(&m->t.f, sgs_fb_vec_table(&m->t.f, m->t.operators, i), 1, 4);
    const char **out = NULL;
    for (uint32_t k = 0; k < v.n && s->nout <= SGS_TFL_STATES; k++) {
        const int64_t at = sgs_fb_vec_int(&m->t.f, v, k, 4);
        const char *next = at < 0 ? "" : sgs_lite_next(m, &m->tensor[at]);
        if (!next[0])
            continue;
        if (!out) {
            SGS_TRY(sgs_tfl_spend(&m->t, v.n + SGS_TFL_STATES, sizeof *out));
            out = SGS_NEW_N(m->o->a, const char *, v.n + SGS_TFL_STATES);
            for (uint32_t j = 0; j < v.n + SGS_TFL_STATES; j++)
                out[j] = j < (uint32_t)s->nout ? s->out[j] : "";
        }
        out[SGS_TFL_STATES + k] = next;
        sgs_map_set(&m->by_name, next, &m->tensor[at]);
    }
    s->nout = out ? (int)v.n + SGS_TFL_STATES : s->nout;
    s->out = out ? out : s->out;
    return SGS_OK;
}

/* States that the configuration keeps are inputs. */
static sgs_status read_kept(sgs_lite_model *m)
{
    sgs_source_tensor *info;
    for (int i = 0; i < m->ntensor; i++) {
        if (m->tensor[i].input || !sgs_lite_is_kept(m, &m->tensor[i]))
            continue;
        SGS_TRY(sgs_lite_add(m, &m->o->in, &m->o->nin, sizeof *info, &info));
        sgs_lite_describe(&m->tensor[i], m->o->opt->input_shapes != NULL, info);
        m->tensor[i].input = true;
    }
    return SGS_OK;
}

/* ---- inputs, outputs ---- */

/* An output that is an input too, or another output, takes a name of its own and a node that changes nothing. */
static sgs_status pass_on(sgs_lite_model *m, const sgs_lite_tensor *x, const char **made)
{
    sgs_source_node *s;
    SGS_TRY(sgs_lite_add(m, &m->o->node, &m->o->nnode, sizeof *s, &s));
    const char *name = x->name, **ends = SGS_NEW_N(m->o->a, const char *, 2);
    for (int k = 2; sgs_map_get(&m->by_name, name); k++)
        name = sgs_format(m->o->a, "%s#%d", x->name, k);
    ends[0] = x->name;
    ends[1] = name;
    sgs_map_set(&m->by_name, name, (void *)(uintptr_t)x);
    *s = (sgs_source_node){ .op = "DEQUANTIZE",
                            .domain = "",
                            .name = "",
                            .opset = SGS_LITE_OPSET,
                            .nin = 1,
                            .nout = 1,
                            .in = ends,
                            .out = ends + 1 };
    *made = name;
    return SGS_OK;
}

static sgs_status read_ends(sgs_lite_model *m, int slot, sgs_source_tensor **list, int *n)
{
    const sgs_fb_vector v = sgs_fb_vec(&m->t.f, m->t.subgraph, slot, 4);
    SGS_TRY(sgs_tfl_spend(&m->t, v.n, sizeof **list + sizeof *m->o->node));
    for (uint32_t i = 0; i < v.n; i++) {
        sgs_lite_tensor *x = &m->tensor[sgs_fb_vec_int(&m->t.f, v, i, 4)];
        sgs_source_tensor *info;
        SGS_TRY(sgs_lite_add(m, list, n, sizeof *info, &info));
        sgs_lite_describe(x, m->o->opt->input_shapes != NULL, info);
        if (slot == 2 && (x->input || x->output))
            SGS_TRY(pass_on(m, x, &info->name));
        x->input = x->input || slot == 1;
        x->output = x->output || slot == 2;
    }
    return SGS_OK;
}

static sgs_status read_inner(sgs_lite_model *m)
{
    m->o->inner = SGS_NEW_N(m->o->a, sgs_source_tensor, m->ntensor + 1);
    for (int i = 0; i < m->ntensor; i++)
        if (m->tensor[i].made)
            sgs_lite_describe(&m->tensor[i], false, &m->o->inner[m->o->ninner++]);
    return SGS_OK;
}

/* A result's shape that comes at run time cannot say anything else than the file says of the result. */
static sgs_status settle_shape(sgs_lite_model *m, sgs_source_node *s)
{
    static const struct {
        const char *op;
        int input, first, count; /* the dimensions of the result that the input has; count 0: all */
    } table[] = { { "TRANSPOSE_CONV", 0, 0, 0 },
                  { "RESHAPE", 1, 0, 0 },
                  { "BROADCAST_TO", 1, 0, 0 },
                  { "RESIZE_BILINEAR", 1, 1, 2 },
                  { "RESIZE_NEAREST_NEIGHBOR", 1, 1, 2 } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const int k = table[i].input;
        const sgs_lite_tensor *x = k < s->nin ? sgs_map_get(&m->by_name, s->in[k]) : NULL,
                              *y = s->nout ? sgs_map_get(&m->by_name, s->out[0]) : NULL;
        const int count = y && table[i].count ? table[i].count : y ? y->t.rank : 0;
        if (strcmp(s->op, table[i].op) || !x || !x->input || !y || y->free_shape || table[i].first + count > y->t.rank)
            continue;
        const char **in = SGS_NEW_N(m->o->a, const char *, s->nin), *name = sgs_format(m->o->a, "%s#shape", y->name);
        memcpy(in, s->in, (size_t)s->nin * sizeof *in);
        in[k] = name;
        s->in = in;
        sgs_source_const *c;
        SGS_TRY(sgs_lite_add(m, &m->o->init, &m->o->ninit, sizeof *c, &c));
        *c = (sgs_source_const){ name, sgs_const_ints(m->o->im.g, y->t.dim + table[i].first, count) };
        sgs_log_line(m->o->opt->log, "%s '%s' has the shape that the file gives it, whatever its input '%s' says",
                     s->op, y->name, x->name);
    }
    return SGS_OK;
}

/* ---- bodies ---- */

static sgs_status read_body_ends(sgs_lite_model *m, int slot, const char ***list, int *n)
{
    const sgs_fb_vector v = sgs_fb_vec(&m->t.f, m->t.subgraph, slot, 4);
    SGS_TRY(sgs_tfl_spend(&m->t, v.n, sizeof **list));
    *list = SGS_NEW_N(m->o->a, const char *, v.n + 1);
    for (uint32_t i = 0; i < v.n; i++) {
        sgs_lite_tensor *x = &m->tensor[sgs_fb_vec_int(&m->t.f, v, i, 4)];
        (*list)[(*n)++] = x->name;
        x->input = x->input || slot == 1;
    }
    return SGS_OK;
}

static sgs_status read_body(sgs_lite_model *m, uint32_t number)
{
    sgs_src_body *b = m->body[number];
    sgs_source_const *init = NULL;
    SGS_TRY(sgs_tfl_enter(&m->t, number));
    SGS_TRY(sgs_lite_read_tensors(m));
    SGS_TRY(read_operators(m, &b->node, &b->nnode));
    SGS_TRY(read_body_ends(m, 1, &b->in, &b->nin));
    SGS_TRY(read_body_ends(m, 2, &b->out, &b->nout));
    SGS_TRY(sgs_lite_read_constants(m, &init, &b->ninit));
    b->init_name = SGS_NEW_N(m->o->a, const char *, b->ninit + 1);
    b->init = SGS_NEW_N(m->o->a, sgs_value *, b->ninit + 1);
    for (int i = 0; i < b->ninit; i++) {
        b->init_name[i] = init[i].name;
        b->init[i] = init[i].value;
    }
    return SGS_OK;
}

/* ---- which subgraph ---- */

typedef struct signature {
    const char *key;
    uint32_t subgraph;
} signature;

static sgs_status read_signatures(sgs_lite_model *m, signature **list, int *n)
{
    const sgs_fb_vector v = sgs_fb_vec(&m->t.f, m->t.root, 7, 4);
    SGS_TRY(sgs_tfl_spend(&m->t, v.n, sizeof **list));
    *list = SGS_NEW_N(m->o->a, signature, v.n + 1);
    for (uint32_t i = 0; i < v.n; i++) {
        const sgs_fb_table t = sgs_fb_vec_table(&m->t.f, v, i);
        (*list)[(*n)++] = (signature){ sgs_fb_string(&m->t.f, t, 2), (uint32_t)sgs_fb_int(&m->t.f, t, 4, 4, false, 0) };
    }
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

static const char *listed(sgs_lite_model *m, const signature *s, int n)
{
    sgs_buf b = { 0 };
    for (int i = 0; i < n; i++)
        sgs_buf_printf(&b, "%s'%.100s'", i ? ", " : "", s[i].key);
    const char *text = sgs_strndup(m->o->a, b.p ? b.p : "none", b.p ? b.n : 4);
    sgs_buf_free(&b);
    return text;
}

/* The one asked for by its signature, else the first. */
static sgs_status choose_subgraph(sgs_lite_model *m, uint32_t count, uint32_t *chosen)
{
    const char *asked = m->o->opt->signature;
    signature *s;
    int n = 0, found = -1;
    SGS_TRY(read_signatures(m, &s, &n));
    for (int i = 0; i < n && found < 0; i++)
        if (asked ? !strcmp(s[i].key, asked) : s[i].subgraph == 0)
            found = i;
    if (asked && found < 0) {
        sgs_fail(m->t.d, SGS_E_USAGE, "--signature: the model has no signature '%s', it has %s", asked,
                 listed(m, s, n));
        return SGS_E_USAGE;
    }
    *chosen = found < 0 ? 0 : s[found].subgraph;
    if (*chosen >= count)
        return sgs_fail(m->t.d, SGS_E_FORMAT, "damaged file: signature '%s' is subgraph %u, the file has %u",
                        s[found].key, *chosen, count);
    if (n > 1 && !asked)
        sgs_log_line(m->o->opt->log, "of the model's signatures %s '%s' is read; --signature NAME chooses another",
                     listed(m, s, n), found < 0 ? "" : s[found].key);
    else if (count > 1 && !asked)
        sgs_log_line(m->o->opt->log, "of the model's %u subgraphs the first is read", count);
    return SGS_OK;
}

/* Also those that nothing uses: a file with one that does not fit is no good file. */
static sgs_status check_buffers(sgs_lite_model *m)
{
    for (uint32_t i = 0; i < m->t.buffers.n && !m->t.f.error; i++)
        sgs_fb_vec(&m->t.f, sgs_fb_vec_table(&m->t.f, m->t.buffers, i), 0, 1);
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

/* ---- the whole file ---- */

static void say_quantized(const sgs_lite_model *m)
{
    const sgs_log *log = m->o->opt->log;
    int grids = 0;
    for (int i = 0; i < m->ntensor; i++)
        grids += m->tensor[i].quant && m->tensor[i].made;
    if (grids && m->o->opt->keep_quant)
        sgs_log_line(log, "the model is quantized, %d tensors and %d constants: --keep_quant keeps its scales", grids,
                     m->nquantized);
    else if (grids)
        sgs_log_line(log,
                     "the model is quantized, %d tensors and %d constants: read as real numbers, cut where a range may "
                     "be an activation; --keep_quant keeps the scales",
                     grids, m->nquantized);
    else if (m->nquantized)
        sgs_log_line(log, "%d constants are quantized or of half precision: read as float32", m->nquantized);
}

static sgs_status read_all(sgs_lite_model *m)
{
    uint32_t chosen = 0;
    if (!sgs_tfl_is_model(m->t.f.data))
        return sgs_fail(m->t.d, SGS_E_FORMAT, "this is not a TFLite model (no TFL3 mark)");
    SGS_TRY(sgs_tfl_open(&m->t, &m->nsubgraph));
    SGS_TRY(choose_subgraph(m, m->nsubgraph, &chosen));
    SGS_TRY(sgs_tfl_spend(&m->t, m->nsubgraph, sizeof *m->body + sizeof *m->waiting));
    m->body = SGS_NEW_N(m->o->a, sgs_src_body *, m->nsubgraph);
    m->waiting = SGS_NEW_N(m->o->a, uint32_t, m->nsubgraph);
    SGS_TRY(sgs_tfl_enter(&m->t, chosen));
    SGS_TRY(check_buffers(m));
    SGS_TRY(sgs_lite_read_tensors(m));
    SGS_TRY(read_operators(m, &m->o->node, &m->o->nnode));
    for (int i = 0; i < m->o->nnode; i++)
        SGS_TRY(give_states(m, (uint32_t)i, &m->o->node[i]));
    SGS_TRY(read_ends(m, 1, &m->o->in, &m->o->nin));
    SGS_TRY(read_kept(m));
    SGS_TRY(sgs_lite_read_constants(m, &m->o->init, &m->o->ninit));
    for (int i = 0; i < m->o->nnode; i++)
        SGS_TRY(settle_shape(m, &m->o->node[i]));
    SGS_TRY(read_ends(m, 2, &m->o->out, &m->o->nout));
    SGS_TRY(read_inner(m));
    say_quantized(m);
    for (uint32_t i = 0; i < m->nwaiting; i++)
        SGS_TRY(read_body(m, m->waiting[i]));
    return sgs_lite_settle_variables(m);
}

static sgs_status read_model(sgs_model *o, sgs_span file, sgs_diag *d)
{
    sgs_lite_model *m = SGS_NEW(o->a, sgs_lite_model);
    *m = (sgs_lite_model){ .t = { .f = { .data = file }, .a = o->a, .d = d }, .o = o, .by_name = { .a = o->a } };
    o->own = m;
    o->producer = "";
    const sgs_status s = read_all(m);
    m->t.d = NULL;
    return s == SGS_OK ? s : sgs_fail_at(d, o->file, 0, NULL);
}

static const sgs_from *importers(const sgs_family *f)
{
    return f->tflite;
}

const sgs_frontend sgs_frontend_tflite = {
    .name = "TFLite", .read = read_model, .importers = importers, .channels_last = true, .build = sgs_lite_build
};
