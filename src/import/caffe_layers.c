#include "import/caffe_layers.h"

#include <string.h>

#include "base/log.h"
#include "import/caffe_schema.h"

/* ---- include and exclude ------------------------------------------------------------------------------------------ */

static bool lists(const sgs_text_message *m, const char *field, const char *s)
{
    for (const sgs_text_value *v = m ? sgs_text_find(m->first, field) : NULL; v; v = sgs_text_find(v->next, field))
        if (!strcmp(v->s, s))
            return true;
    return false;
}

static int64_t number(const sgs_text_message *m, const char *field, int64_t absent)
{
    const sgs_text_value *v = m ? sgs_text_find(m->first, field) : NULL;
    return v ? v->i : absent;
}

static bool rule_holds(const sgs_text_message *rule, const sgs_text_message *state)
{
    const int64_t level = number(state, "level", 0);
    if (number(rule, "phase", CAFFE_TEST) != CAFFE_TEST || number(rule, "min_level", level) > level || number(rule, "max_level", level) < level)
        return false;
    for (const sgs_text_value *v = sgs_text_find(rule->first, "stage"); v; v = sgs_text_find(v->next, "stage"))
        if (!lists(state, "stage", v->s))
            return false;
    for (const sgs_text_value *v = sgs_text_find(rule->first, "not_stage"); v; v = sgs_text_find(v->next, "not_stage"))
        if (lists(state, "stage", v->s))
            return false;
    return true;
}

static bool any_holds(const sgs_text_message *layer, const char *field, const sgs_text_message *state)
{
    for (const sgs_text_value *v = sgs_text_find(layer->first, field); v; v = sgs_text_find(v->next, field))
        if (rule_holds(v->m, state))
            return true;
    return false;
}

/* The network's own state may name a level and stages; the phase is TEST. */
static sgs_status is_there(const sgs_model *o, const sgs_text_message *layer, const sgs_text_message *state, bool *there, sgs_diag *d)
{
    const sgs_text_value *in = sgs_text_find(layer->first, "include"), *out = sgs_text_find(layer->first, "exclude");
    if (in && out) {
        sgs_fail(d, SGS_E_MODEL, "a layer has include rules or exclude rules, not both");
        return sgs_fail_at(d, o->file, out->line, NULL);
    }
    *there = in ? any_holds(layer, "include", state) : !any_holds(layer, "exclude", state);
    return SGS_OK;
}

/* ---- attributes ------------------------------------------------------------------------------------------------------ */

static sgs_status no_room(sgs_diag *d)
{
    return sgs_fail(d, SGS_E_LIMIT, "the network exceeds the memory limit");
}

static int count_values(const sgs_text_message *m)
{
    int n = 0;
    for (const sgs_text_value *v = m->first; v; v = v->next)
        n += v->field->kind == SGS_TEXT_MESSAGE ? count_values(v->m) : 1;
    return n;
}

static int count_of(const sgs_text_value *v)
{
    int n = 0;
    for (const char *name = v->field->name; v; v = sgs_text_find(v->next, name))
        n++;
    return n;
}

/* All values of a repeated field as one list. */
static sgs_status list_attr(sgs_arena *a, const sgs_text_value *v, sgs_src_attr *to, sgs_diag *d)
{
    const int n = count_of(v);
    int64_t *ints = sgs_try_alloc(a, (size_t)n * sizeof *ints);
    float *floats = sgs_try_alloc(a, (size_t)n * sizeof *floats);
    if (!ints || !floats)
        return no_room(d);
    to->kind = v->field->kind == SGS_TEXT_FLOAT ? SGS_SRC_FLOATS : SGS_SRC_INTS;
    to->n = n;
    to->ints = ints;
    to->floats = floats;
    for (int i = 0; i < n; i++, v = sgs_text_find(v->next, v->field->name)) {
        ints[i] = v->i;
        floats[i] = (float)v->f;
    }
    return SGS_OK;
}

static sgs_status add_attrs(sgs_caffe_layer *l, sgs_arena *a, const char *prefix, const sgs_text_message *m, sgs_diag *d);

static sgs_status add_attr(sgs_caffe_layer *l, sgs_arena *a, const char *name, const sgs_text_value *v, sgs_diag *d)
{
    if (v->field->kind == SGS_TEXT_MESSAGE)
        return add_attrs(l, a, name, v->m, d);
    sgs_src_attr *to = &l->attr[l->nattr++];
    *to = (sgs_src_attr){ .name = name, .i = v->i, .f = (float)v->f };
    if (v->field->many)
        return list_attr(a, v, to, d);
    to->kind = v->field->kind == SGS_TEXT_FLOAT ? SGS_SRC_FLOAT : v->field->kind == SGS_TEXT_STRING ? SGS_SRC_STRING : SGS_SRC_INT;
    if (v->s)
        to->s = (sgs_span){ (const uint8_t *)v->s, strlen(v->s) };
    return SGS_OK;
}

/* Of a repeated message the second is "name[1]", and so on. */
static sgs_status add_attrs(sgs_caffe_layer *l, sgs_arena *a, const char *prefix, const sgs_text_message *m, sgs_diag *d)
{
    const sgs_text_field *done = NULL;
    int place = 0;
    for (const sgs_text_value *v = m->first; v; v = v->next) {
        const bool message = v->field->kind == SGS_TEXT_MESSAGE;
        if (v->field->many && !message && sgs_text_find(m->first, v->field->name) != v)
            continue; /* a list stands where its first value does */
        place = message && v->field == done ? place + 1 : 0;
        done = v->field;
        const char *name = place ? sgs_format(a, "%s.%s[%d]", prefix, v->field->name, place) : sgs_format(a, "%s.%s", prefix, v->field->name);
        SGS_TRY(add_attr(l, a, name, v, d));
    }
    return SGS_OK;
}

static sgs_status layer_attrs(sgs_caffe_layer *l, sgs_arena *a, const sgs_text_message *m, sgs_diag *d)
{
    l->attr = sgs_try_alloc(a, ((size_t)count_values(m) + 16) * sizeof *l->attr); /* 16: those of an older kind are added */
    if (!l->attr)
        return no_room(d);
    for (const sgs_text_value *v = m->first; v; v = v->next)
        if (v->field->kind == SGS_TEXT_MESSAGE && strcmp(v->field->name, "include") && strcmp(v->field->name, "exclude") && strcmp(v->field->name, "layer"))
            SGS_TRY(add_attrs(l, a, v->field->name, v->m, d));
    return SGS_OK;
}

/* ---- V0 -------------------------------------------------------------------------------------------------------------------- */

static const struct v0_type {
    const char *old, *type, *param;
} v0_types[] = {
    { "conv", "Convolution", "convolution_param" },
    { "pool", "Pooling", "pooling_param" },
    { "innerproduct", "InnerProduct", "inner_product_param" },
    { "lrn", "LRN", "lrn_param" },
    { "concat", "Concat", "concat_param" },
    { "relu", "ReLU", "" },
    { "sigmoid", "Sigmoid", "" },
    { "tanh", "TanH", "" },
    { "bnll", "BNLL", "" },
    { "dropout", "Dropout", "" },
    { "flatten", "Flatten", "" },
    { "split", "Split", "" },
    { "softmax", "Softmax", "" },
    { "softmax_loss", "SoftmaxWithLoss", "" },
    { "euclidean_loss", "EuclideanLoss", "" },
    { "hinge_loss", "HingeLoss", "" },
    { "infogain_loss", "InfogainLoss", "" },
    { "multinomial_logistic_loss", "MultinomialLogisticLoss", "" },
    { "accuracy", "Accuracy", "" },
    { "data", "Data", "" },
    { "images", "ImageData", "" },
    { "window_data", "WindowData", "" },
    { "hdf5_data", "HDF5Data", "" },
    { "hdf5_output", "HDF5Output", "" },
    { "padding", "padding", "padding" },
};

/* What a field of the old kind is called now. */
static const char *v0_field(const char *name)
{
    return !strcmp(name, "biasterm") ? "bias_term" : !strcmp(name, "kernelsize") ? "kernel_size" : name;
}

static sgs_status v0_attr(sgs_caffe_layer *l, sgs_arena *a, const char *param, const sgs_text_value *v, sgs_diag *d)
{
    static const char *const lists_now[] = { "pad", "kernel_size", "stride" };
    const char *name = v0_field(v->field->name);
    SGS_TRY(add_attr(l, a, sgs_format(a, "%s.%s", param, name), v, d));
    sgs_src_attr *to = &l->attr[l->nattr - 1];
    for (int i = 0; i < 3 && !strcmp(param, "convolution_param"); i++)
        if (!strcmp(name, lists_now[i])) {
            int64_t *one = SGS_NEW(a, int64_t);
            *one = to->i;
            *to = (sgs_src_attr){ .name = to->name, .kind = SGS_SRC_INTS, .n = 1, .ints = one };
        }
    return SGS_OK;
}

static sgs_status upgrade_v0(sgs_caffe_layer *l, sgs_arena *a, const sgs_text_message *m, sgs_diag *d)
{
    const sgs_text_value *name = sgs_text_find(m->first, "name"), *type = sgs_text_find(m->first, "type");
    const struct v0_type *t = v0_types, *end = v0_types + sizeof v0_types / sizeof *v0_types;
    l->name = name ? name->s : "";
    l->type = type ? type->s : "";
    while (t < end && strcmp(t->old, l->type))
        t++;
    if (t == end)
        return SGS_OK; /* refused by its name */
    l->type = t->type;
    for (const sgs_text_value *v = m->first; v; v = v->next)
        if (t->param[0] && v != name && v != type)
            SGS_TRY(v0_attr(l, a, t->param, v, d));
    return SGS_OK;
}

static const sgs_src_attr *find_attr(const sgs_caffe_layer *l, const char *name)
{
    for (int i = 0; i < l->nattr; i++)
        if (!strcmp(l->attr[i].name, name))
            return &l->attr[i];
    return NULL;
}

/* A padding layer becomes the padding of the convolutions behind it. */
static void fold_padding(sgs_arena *a, sgs_caffe_layer *list, int n)
{
    for (int i = 0; i < n; i++) {
        const sgs_src_attr *pad = strcmp(list[i].type, "padding") ? NULL : find_attr(&list[i], "padding.pad");
        bool used = pad && list[i].nbottom == 1 && list[i].ntop == 1;
        for (int k = i + 1; k < n && used; k++) {
            sgs_caffe_layer *l = &list[k];
            if (l->nbottom < 1 || strcmp(l->bottom[0], list[i].top[0]))
                continue;
            used = !strcmp(l->type, "Convolution") && !find_attr(l, "convolution_param.pad");
            if (!used)
                break;
            int64_t *one = SGS_NEW(a, int64_t);
            *one = pad->i;
            l->bottom[0] = list[i].bottom[0];
            l->attr[l->nattr++] = (sgs_src_attr){ .name = "convolution_param.pad", .kind = SGS_SRC_INTS, .n = 1, .ints = one };
        }
        if (used)
            list[i].role = SGS_CAFFE_SWALLOWS;
    }
}

/* ---- all ------------------------------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *type, const char *const *list)
{
    while (*list && strcmp(*list, type))
        list++;
    return *list != NULL;
}

static sgs_caffe_role role_of(const char *type)
{
    static const char *const data[] = { "Input", "Data", "ImageData", "WindowData", "HDF5Data", "MemoryData", "DummyData", "AnnotatedData", "VideoData", NULL };
    static const char *const ends[] = { "Accuracy", "SoftmaxWithLoss", "HDF5Output", "DetectionEvaluate", NULL };
    const size_t n = strlen(type);
    if (is_one_of(type, data))
        return SGS_CAFFE_GIVES;
    if (!strcmp(type, "Silence"))
        return SGS_CAFFE_SWALLOWS;
    return is_one_of(type, ends) || (n > 4 && !strcmp(type + n - 4, "Loss")) ? SGS_CAFFE_ENDS : SGS_CAFFE_COMPUTES;
}

static sgs_status names_of(sgs_arena *a, const sgs_text_message *m, const char *field, const char ***list, int *n, sgs_diag *d)
{
    const sgs_text_value *v = sgs_text_find(m->first, field);
    *n = v ? count_of(v) : 0;
    *list = sgs_try_alloc(a, ((size_t)*n + 1) * sizeof **list);
    if (!*list)
        return no_room(d);
    for (int i = 0; v; v = sgs_text_find(v->next, field))
        (*list)[i++] = v->s;
    return SGS_OK;
}

static sgs_status make_layer(sgs_model *o, const sgs_text_value *v, sgs_caffe_layer *l, sgs_diag *d)
{
    const bool old = !strcmp(v->field->name, "layers");
    const sgs_text_value *name = sgs_text_find(v->m->first, "name"), *type = sgs_text_find(v->m->first, "type"),
                         *v0 = sgs_text_find(v->m->first, "layer");
    *l = (sgs_caffe_layer){ .name = name ? name->s : "", .type = !type ? "" : old ? sgs_caffe_v1_types[type->i] : type->s, .line = v->line };
    SGS_TRY(names_of(o->a, v->m, "bottom", &l->bottom, &l->nbottom, d));
    SGS_TRY(names_of(o->a, v->m, "top", &l->top, &l->ntop, d));
    SGS_TRY(layer_attrs(l, o->a, v->m, d));
    if (old && v0)
        SGS_TRY(upgrade_v0(l, o->a, v0->m, d));
    if (!l->type[0]) {
        sgs_fail(d, SGS_E_MODEL, "the layer has no type");
        return sgs_fail_at(d, o->file, l->line, l->name[0] ? l->name : NULL);
    }
    if (v->m->unknown)
        sgs_log_line(o->opt->log, "layer '%s': line %d: %s is not known and not read", l->name, v->m->unknown_line, v->m->unknown);
    l->role = role_of(l->type);
    return SGS_OK;
}

sgs_status sgs_caffe_layers(sgs_model *o, const sgs_text_message *net, sgs_caffe_layer **list, int *n, sgs_diag *d)
{
    const sgs_text_value *now = sgs_text_find(net->first, "layer"), *old = sgs_text_find(net->first, "layers"),
                         *state = sgs_text_find(net->first, "state");
    const int most = now ? count_of(now) : old ? count_of(old) : 0;
    *n = 0;
    if (now && old) {
        sgs_fail(d, SGS_E_MODEL, "a network has 'layer' or, in older files, 'layers', not both");
        return sgs_fail_at(d, o->file, old->line > now->line ? old->line : now->line, NULL);
    }
    *list = sgs_try_alloc(o->a, ((size_t)most + 1) * sizeof **list);
    if (!*list)
        return no_room(d);
    for (const sgs_text_value *v = now ? now : old; v; v = sgs_text_find(v->next, v->field->name)) {
        bool there = false;
        SGS_TRY(is_there(o, v->m, state ? state->m : NULL, &there, d));
        if (there)
            SGS_TRY(make_layer(o, v, &(*list)[(*n)++], d));
    }
    fold_padding(o->a, *list, *n);
    return SGS_OK;
}
