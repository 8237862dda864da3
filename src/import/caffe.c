/* prototxt and caffemodel -> sgs_model. */
#include "import/caffe.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "import/caffe_layers.h"
#include "import/caffe_schema.h"
#include "import/caffe_weights.h"

typedef struct net {
    sgs_model *o;
    const sgs_text_message *text;
    sgs_caffe_layer *layer;
    int nlayer;
    sgs_caffe_weights weights;
    sgs_map version;      /* blob -> the name of what it holds at this point of the file */
    sgs_map taken;        /* every name given */
    sgs_map last;         /* blob -> the layer that writes it last */
    sgs_map read;         /* version -> someone reads it */
    int copies;           /* names that were another's */
} net;

/* A map's value where only the key counts. */
static void *const yes = (void *)(uintptr_t)"";

static sgs_status at(const net *n, int line, const char *layer, sgs_diag *d)
{
    return sgs_fail_at(d, n->o->file, line, layer && layer[0] ? layer : NULL);
}

static sgs_status no_room(sgs_diag *d)
{
    return sgs_fail(d, SGS_E_LIMIT, "the network exceeds the memory limit");
}

/* The name, with a number behind it where it is another's. */
static const char *own_name(net *n, const char *wanted)
{
    const char *name = wanted;
    while (sgs_map_get(&n->taken, name))
        name = sgs_format(n->o->a, "%s#%d", wanted, ++n->copies);
    sgs_map_set(&n->taken, name, yes);
    return name;
}

/* ---- inputs ---------------------------------------------------------------------------------------------------------- */

typedef struct shape {
    int rank;             /* -1: not given */
    int64_t dim[SGS_MAX_RANK];
} shape;

static sgs_status add_input(net *n, const char *name, const shape *s, int line, sgs_diag *d)
{
    sgs_model *o = n->o;
    sgs_source_tensor *in = &o->in[o->nin++];
    *in = (sgs_source_tensor){ .name = name, .type = SGS_F32, .rank = s->rank };
    for (int i = 0; i < s->rank; i++) {
        in->dim[i] = s->dim[i];
        if (s->dim[i] >= 1)
            continue;
        sgs_fail(d, SGS_E_MODEL, "input '%s': expected sizes of 1 or more, found %lld", name, (long long)s->dim[i]);
        return at(n, line, NULL, d);
    }
    if (sgs_map_get(&n->version, name)) {
        sgs_fail(d, SGS_E_MODEL, "two inputs are named '%s'", name);
        return at(n, line, NULL, d);
    }
    sgs_map_set(&n->taken, name, yes);
    sgs_map_set(&n->version, name, (void *)(uintptr_t)name);
    return SGS_OK;
}

static sgs_status shape_from(const net *n, const sgs_text_message *m, shape *s, sgs_diag *d)
{
    s->rank = 0;
    for (const sgs_text_value *v = sgs_text_find(m->first, "dim"); v; v = sgs_text_find(v->next, "dim")) {
        if (s->rank == SGS_MAX_RANK) {
            sgs_fail(d, SGS_E_UNSUPPORTED, "at most %d dimensions are supported", SGS_MAX_RANK);
            return at(n, v->line, NULL, d);
        }
        s->dim[s->rank++] = v->i;
    }
    return SGS_OK;
}

static int count_of(const sgs_text_message *m, const char *field)
{
    int n = 0;
    for (const sgs_text_value *v = sgs_text_find(m->first, field); v; v = sgs_text_find(v->next, field))
        n++;
    return n;
}

/* input: with input_shape, or with four input_dim each. */
static sgs_status net_inputs(net *n, sgs_diag *d)
{
    const int inputs = count_of(n->text, "input"), dims = count_of(n->text, "input_dim"), shapes = count_of(n->text, "input_shape");
    const sgs_text_value *dim = sgs_text_find(n->text->first, "input_dim"), *given = sgs_text_find(n->text->first, "input_shape");
    const bool by_shape = shapes > 0;
    if (by_shape ? shapes != inputs : dims != 0 && dims != 4 * inputs) {
        sgs_fail(d, SGS_E_MODEL, "expected %d %s for %d input%s, found %d", by_shape ? inputs : 4 * inputs, by_shape ? "input_shape" : "input_dim", inputs,
                 inputs == 1 ? "" : "s", by_shape ? shapes : dims);
        return at(n, by_shape ? given->line : dim->line, NULL, d);
    }
    for (const sgs_text_value *v = sgs_text_find(n->text->first, "input"); v; v = sgs_text_find(v->next, "input")) {
        shape s = { .rank = -1 };
        if (by_shape) {
            SGS_TRY(shape_from(n, given->m, &s, d));
            given = sgs_text_find(given->next, "input_shape");
        } else if (dims) {
            for (s.rank = 0; s.rank < 4; dim = sgs_text_find(dim->next, "input_dim"))
                s.dim[s.rank++] = dim->i;
        }
        SGS_TRY(add_input(n, v->s, &s, v->line, d));
    }
    return SGS_OK;
}

static const sgs_src_attr *attr_of(const sgs_caffe_layer *l, const char *name)
{
    for (int i = 0; i < l->nattr; i++)
        if (!strcmp(l->attr[i].name, name))
            return &l->attr[i];
    return NULL;
}

/* Of top k of a layer that gives data: one shape serves all. */
static sgs_status given_shape(const net *n, const sgs_caffe_layer *l, int k, shape *s, sgs_diag *d)
{
    static const char *const sizes[2][4] = { { "memory_data_param.batch_size", "memory_data_param.channels", "memory_data_param.height", "memory_data_param.width" },
                                             { "dummy_data_param.num", "dummy_data_param.channels", "dummy_data_param.height", "dummy_data_param.width" } };
    const char *param = !strcmp(l->type, "Input") ? "input_param" : "dummy_data_param";
    const sgs_src_attr *a = attr_of(l, sgs_format(n->o->a, "%s.shape[%d].dim", param, k));
    a = a ? a : attr_of(l, sgs_format(n->o->a, "%s.shape.dim", param));
    s->rank = -1;
    if (a && a->n > SGS_MAX_RANK) {
        sgs_fail(d, SGS_E_UNSUPPORTED, "at most %d dimensions are supported", SGS_MAX_RANK);
        return at(n, l->line, l->name, d);
    }
    for (int i = 0; a && i < a->n; i++)
        s->dim[i] = a->ints[i];
    if (a)
        s->rank = a->n;
    for (int kind = 0; kind < 2 && !a; kind++)
        for (int i = 0; i < 4 && attr_of(l, sizes[kind][0]) && (kind || k == 0); i++) {
            const sgs_src_attr *size = attr_of(l, sizes[kind][i]);
            s->dim[i] = !size ? 1 : size->kind == SGS_SRC_INT ? size->i : size->ints[k < size->n ? k : 0];
            s->rank = i + 1;
        }
    return SGS_OK;
}

/* What no layer computes with, labels for one, is no input, unless the network calls it so. */
static sgs_status layer_inputs(net *n, const sgs_caffe_layer *l, sgs_diag *d)
{
    for (int k = 0; k < l->ntop; k++) {
        shape s;
        bool wanted = !strcmp(l->type, "Input");
        for (int i = 0; i < n->nlayer && !wanted; i++)
            for (int b = 0; b < n->layer[i].nbottom && n->layer[i].role == SGS_CAFFE_COMPUTES; b++)
                wanted = wanted || !strcmp(n->layer[i].bottom[b], l->top[k]);
        SGS_TRY(given_shape(n, l, k, &s, d));
        if (wanted)
            SGS_TRY(add_input(n, l->top[k], &s, l->line, d));
        else
            sgs_map_set(&n->version, l->top[k], (void *)(uintptr_t)l->top[k]);
    }
    return SGS_OK;
}

/* ---- layers become nodes ------------------------------------------------------------------------------------------- */

static sgs_status unknown_bottom(net *n, const sgs_caffe_layer *l, const char *bottom, sgs_diag *d)
{
    const char **names = sgs_alloc_n(n->o->a, (size_t)n->o->nin + 1, sizeof *names), *near;
    int count = 0;
    for (int i = 0; i < n->o->nin; i++)
        names[count++] = n->o->in[i].name;
    near = sgs_nearest(bottom, names, count);
    for (int i = 0; i < n->nlayer && &n->layer[i] != l && !near; i++)
        near = sgs_nearest(bottom, n->layer[i].top, n->layer[i].ntop);
    sgs_fail(d, SGS_E_MODEL, "%s: its bottom '%s' does not exist: no layer before it makes it", l->type, bottom);
    at(n, l->line, l->name, d);
    if (near)
        sgs_hint(d, "did you mean '%s'?", near);
    return SGS_E_MODEL;
}

static bool in_place(const sgs_caffe_layer *l, const char *top)
{
    for (int i = 0; i < l->nbottom; i++)
        if (!strcmp(l->bottom[i], top))
            return true;
    return false;
}

/* A blob that layers write in place has several versions: the last bears its name, but where that is an input's. */
static sgs_status new_version(net *n, const sgs_caffe_layer *l, const char *top, const char **name, sgs_diag *d)
{
    if (sgs_map_get(&n->version, top) && !in_place(l, top)) {
        sgs_fail(d, SGS_E_MODEL, "%s: its top '%s' is there already: a layer may write over its own bottom alone", l->type, top);
        return at(n, l->line, l->name, d);
    }
    const bool last = sgs_map_get(&n->last, top) == l && !sgs_map_get(&n->taken, top);
    *name = own_name(n, last ? top : sgs_format(n->o->a, "%s@%s", top, l->name));
    sgs_map_set(&n->version, top, (void *)(uintptr_t)*name);
    return SGS_OK;
}

/* The layer's learned arrays stand behind its bottoms. */
static sgs_status add_blobs(net *n, const sgs_caffe_layer *l, sgs_source_node *node, const char **in, sgs_diag *d)
{
    sgs_model *o = n->o;
    const sgs_caffe_blobs *b = sgs_map_get(&n->weights.layer, l->name);
    for (int i = 0; b && i < b->n; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        const char *name = own_name(n, sgs_format(o->a, "%s:%s", l->name, i == 0 ? "weights" : i == 1 ? "bias" : number));
        sgs_value *v = sgs_const_view(o->im.g, b->blob[i], b->blob[i]->rank, b->blob[i]->dim);
        if (!v)
            return no_room(d);
        o->init[o->ninit++] = (sgs_source_const){ .name = name, .value = v };
        in[node->nin++] = name;
    }
    node->nparam = b ? b->n : 0;
    return SGS_OK;
}

static sgs_status add_node(net *n, const sgs_caffe_layer *l, sgs_diag *d)
{
    sgs_model *o = n->o;
    sgs_source_node *node = &o->node[o->nnode];
    const sgs_caffe_blobs *b = sgs_map_get(&n->weights.layer, l->name);
    const char **in = sgs_try_alloc(o->a, ((size_t)l->nbottom + (b ? (size_t)b->n : 0) + 1) * sizeof *in),
               **out = sgs_try_alloc(o->a, ((size_t)l->ntop + 1) * sizeof *out);
    if (!in || !out)
        return no_room(d);
    *node = (sgs_source_node){ .op = l->type, .domain = "", .name = l->name, .opset = 1, .line = l->line, .in = in, .out = out, .attr = l->attr, .nattr = l->nattr };
    for (; node->nin < l->nbottom; node->nin++) {
        in[node->nin] = sgs_map_get(&n->version, l->bottom[node->nin]);
        if (!in[node->nin])
            return unknown_bottom(n, l, l->bottom[node->nin], d);
        sgs_map_set(&n->read, in[node->nin], yes);
    }
    SGS_TRY(add_blobs(n, l, node, in, d));
    for (; node->nout < l->ntop; node->nout++)
        SGS_TRY(new_version(n, l, l->top[node->nout], &out[node->nout], d));
    o->nnode++;
    return SGS_OK;
}

/* What is left of a layer that only training has. */
static sgs_status end_layer(net *n, const sgs_caffe_layer *l, sgs_diag *d)
{
    for (int i = 0; i < l->nbottom; i++) {
        const char *v = sgs_map_get(&n->version, l->bottom[i]);
        if (!v)
            return unknown_bottom(n, l, l->bottom[i], d);
        if (l->role == SGS_CAFFE_SWALLOWS)
            sgs_map_set(&n->read, v, yes);
    }
    for (int i = 0; i < l->ntop; i++) /* a loss that another such layer reads */
        if (!sgs_map_get(&n->version, l->top[i]))
            sgs_map_set(&n->version, l->top[i], (void *)(uintptr_t)l->top[i]);
    sgs_log_line(n->o->opt->log, "layer '%s': %s is left out", l->name, l->type);
    return SGS_OK;
}

static sgs_status add_layers(net *n, sgs_diag *d)
{
    for (int i = 0; i < n->nlayer; i++)
        for (int k = 0; k < n->layer[i].ntop; k++)
            sgs_map_set(&n->last, n->layer[i].top[k], &n->layer[i]);
    for (int i = 0; i < n->nlayer; i++) {
        const sgs_caffe_layer *l = &n->layer[i];
        SGS_TRY(l->role == SGS_CAFFE_COMPUTES ? add_node(n, l, d) : l->role == SGS_CAFFE_GIVES ? layer_inputs(n, l, d) : end_layer(n, l, d));
    }
    return SGS_OK;
}

/* What no layer reads, in the file's order. */
static sgs_status add_outputs(net *n, sgs_diag *d)
{
    sgs_model *o = n->o;
    int most = 1;
    for (int i = 0; i < o->nnode; i++)
        most += o->node[i].nout;
    o->out = sgs_try_alloc(o->a, (size_t)most * sizeof *o->out);
    if (!o->out)
        return no_room(d);
    for (int i = 0; i < o->nnode; i++)
        for (int k = 0; k < o->node[i].nout; k++)
            if (!sgs_map_get(&n->read, o->node[i].out[k]))
                o->out[o->nout++] = (sgs_source_tensor){ .name = o->node[i].out[k], .type = -1, .rank = -1 };
    return SGS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------ */

static sgs_status make_room(net *n, sgs_diag *d)
{
    sgs_model *o = n->o;
    size_t inputs = (size_t)count_of(n->text, "input") + 1, blobs = 1;
    for (int i = 0; i < n->nlayer; i++) {
        const sgs_caffe_blobs *b = sgs_map_get(&n->weights.layer, n->layer[i].name);
        inputs += (size_t)n->layer[i].ntop;
        blobs += b ? (size_t)b->n : 0;
    }
    o->in = sgs_try_alloc(o->a, inputs * sizeof *o->in);
    o->node = sgs_try_alloc(o->a, ((size_t)n->nlayer + 1) * sizeof *o->node);
    o->init = sgs_try_alloc(o->a, blobs * sizeof *o->init);
    return o->in && o->node && o->init ? SGS_OK : no_room(d);
}

/* Weights of which no layer of the network has the name are most likely another network's. */
static sgs_status check_names(const net *n, sgs_diag *d)
{
    int used = 0;
    for (int i = 0; i < n->nlayer; i++)
        used += sgs_map_get(&n->weights.layer, n->layer[i].name) != NULL;
    if (used || !n->weights.n)
        return SGS_OK;
    sgs_fail(d, SGS_E_MODEL, "none of the %d layers with weights is one of the network %s: the first is '%s'", n->weights.n, n->o->file, n->weights.name[0]);
    return sgs_fail_at(d, n->o->opt->weight_file, 0, NULL);
}

static sgs_status read_net(sgs_model *o, sgs_span model, sgs_diag *d)
{
    net n = { .o = o, .version = { .a = o->a }, .taken = { .a = o->a }, .last = { .a = o->a }, .read = { .a = o->a }, .weights = { .layer = { .a = o->a } } };
    sgs_text_message *text;
    o->producer = "";
    o->opset = 1;
    o->im.weightless = !o->opt->weight_file;
    SGS_TRY(sgs_text_parse(o->a, o->file, model, &sgs_caffe_net, &text, d));
    n.text = text;
    SGS_TRY(sgs_caffe_layers(o, text, &n.layer, &n.nlayer, d));
    if (!n.nlayer)
        return sgs_fail(d, SGS_E_FORMAT, "the file holds no layers of a Caffe network");
    if (o->opt->weight_file)
        SGS_TRY(sgs_caffe_read_weights(o, o->opt->weight_file, &n.weights, d));
    if (o->opt->weight_file)
        SGS_TRY(check_names(&n, d));
    SGS_TRY(make_room(&n, d));
    SGS_TRY(net_inputs(&n, d));
    SGS_TRY(add_layers(&n, d));
    return add_outputs(&n, d);
}

static sgs_status read_file(sgs_model *o, sgs_span model, sgs_diag *d)
{
    const sgs_status s = read_net(o, model, d);
    return s == SGS_OK ? s : sgs_fail_at(d, o->file, 0, NULL);
}

static const sgs_from *importers(const sgs_family *f)
{
    return f->caffe;
}

const sgs_frontend sgs_frontend_caffe = { .name = "Caffe", .read = read_file, .importers = importers };
