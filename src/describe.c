/* What an image or a model says of itself. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compile/emit.h"
#include "compile/lower.h"
#include "compile/target.h"
#include "runtime/image.h"
#include "sim/show.h"
#include "sim/simulator.h"

#define CONSOLE_NAME 100

typedef struct description {
    sgs_model_info info; /* first: what sgs_model_info_free is given */
    sgs_simulator *model;
    sgs_arena *arena; /* the model's */
} description;

/* ---- inputs, outputs, sizes ------------------------------------------------------------------------------------ */

static const sgs_io_info *copy_tensors(const description *x, int n,
                                       const sgs_io_info *(*get)(const sgs_simulator *, int))
{
    sgs_io_info *all = SGS_NEW_N(x->arena, sgs_io_info, n + 1);
    for (int i = 0; i < n; i++)
        all[i] = *get(x->model, i);
    return all;
}

static sgs_status take_size(description *x, const char *path, sgs_diag *d)
{
    sgs_file f;
    SGS_TRY(sgs_file_open(&f, path, d));
    x->info.file_bytes = (int64_t)f.data.n;
    sgs_file_close(&f);
    return SGS_OK;
}

static void take_tensors(description *x)
{
    x->info.batch = *sgs_simulator_batches(x->model);
    x->info.kind = sgs_simulator_kind(x->model);
    x->info.ninput = sgs_simulator_inputs(x->model);
    x->info.noutput = sgs_simulator_outputs(x->model);
    x->info.input = copy_tensors(x, x->info.ninput, sgs_simulator_input);
    x->info.output = copy_tensors(x, x->info.noutput, sgs_simulator_output);
}

/* ---- a model: operators and constants -------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sgs_kernel_use *)a)->name, ((const struct sgs_kernel_use *)b)->name);
}

static void take_operators(description *x, const sgs_graph *g)
{
    int nnode = 0, n = 0;
    for (const sgs_node *node = g->first; node; node = node->next)
        nnode++;
    struct sgs_kernel_use *use = SGS_NEW_N(x->arena, struct sgs_kernel_use, nnode + 1);
    for (const sgs_node *node = g->first; node; node = node->next) {
        int i = 0;
        while (i < n && strcmp(use[i].name, node->op->name))
            i++;
        use[i].name = node->op->name;
        use[i].count++;
        n += i == n;
    }
    qsort(use, (size_t)n, sizeof *use, by_name);
    x->info.kernel = use;
    x->info.nkernel = n;
}

static void take_constants(description *x, const sgs_graph *g)
{
    bool *seen = SGS_NEW_N(x->arena, bool, g->nvalue + 1);
    for (const sgs_node *node = g->first; node; node = node->next)
        for (int i = 0; i < node->nin; i++) {
            const sgs_value *v = node->in[i];
            if (!v || !v->constant || seen[v->id])
                continue;
            seen[v->id] = true;
            x->info.const_bytes += (sgs_value_count(v) * sgs_type_bits(v->type) + 7) / 8;
        }
}

/* ---- an image: what its header and its table of costs say ------------------------------------------------------ */

static const char *const kernel_name[IPU_KIND_COUNT] = {
#define X(kind, family, kernel) &#kind[sizeof "IPU_" - 1],
    IPU_KINDS(X)
#undef X
};

static const void *section(const ipu_header *h, ipu_section s)
{
    return (const uint8_t *)h + s.off;
}

static const char *target_name(uint32_t id)
{
    for (const sgs_target *t = sgs_targets; t->name; t++)
        if (t->id == id)
            return t->name;
    return "";
}

static void add_weights(sgs_layer_cost *l, const ipu_rec *r)
{
    const ipu_ref *w = (const ipu_ref *)(const void *)(r + 1) + 2; /* y, x, w */
    if (!ipu_is_conv(r->kind) && !ipu_is_depthwise(r->kind))
        return;
    l->weight_bits = ipu_is_four_bits(r->kind) ? 4 : 8 * ipu_type_bytes(w->type);
    l->weights += (int64_t)w->c * ipu_type_bytes(w->type);
}

static void add_record(sgs_layer_cost *layer, int *n, const char *name, const ipu_rec *r, const ipu_cost *cost)
{
    const char *kernel = kernel_name[r->kind];
    sgs_layer_cost *l = *n ? layer + *n - 1 : NULL;
    if (!l || l->kernel != kernel || strcmp(l->name, name)) {
        l = layer + (*n)++;
        *l = (sgs_layer_cost){ .name = name, .kernel = kernel };
    }
    l->records++;
    l->mac += (int64_t)((uint64_t)cost->mac_hi << 32 | cost->mac_lo);
    l->read += cost->read;
    l->write += cost->write;
    l->constants += cost->weight;
    add_weights(l, r);
}

static void take_records(description *x, const ipu_header *h)
{
    struct sgs_kernel_use *use = SGS_NEW_N(x->arena, struct sgs_kernel_use, IPU_KIND_COUNT);
    sgs_layer_cost *layer = SGS_NEW_N(x->arena, sgs_layer_cost, h->nop + 1);
    const uint8_t *at = section(h, h->ops);
    const ipu_cost *cost = section(h, h->cost);
    const char *consts = section(h, h->consts);
    for (uint32_t i = 0; i < h->nop; i++) {
        const ipu_rec *r = (const ipu_rec *)(const void *)at;
        use[r->kind].count++;
        add_record(layer, &x->info.nlayer, consts + cost[i].name, r, cost + i);
        at += r->bytes;
    }
    for (int k = 0; k < IPU_KIND_COUNT; k++)
        if (use[k].count)
            use[x->info.nkernel++] = (struct sgs_kernel_use){ kernel_name[k], use[k].count };
    for (int i = 0; i < x->info.nlayer; i++)
        x->info.mac += layer[i].mac;
    x->info.kernel = use;
    x->info.layer = layer;
}

/* Of a fixed-point model the records of the image that the compiler makes of it; none where it makes none. */
static void take_program(description *x, sgs_graph *g)
{
    sgs_program p;
    if (sgs_lower(&p, g, NULL) == SGS_OK) {
        sgs_program_fuse(&p);
        sgs_layer_cost *layer = SGS_NEW_N(x->arena, sgs_layer_cost, p.nrecord + 1);
        for (int i = 0; i < p.nrecord; i++) {
            const ipu_cost cost = sgs_record_cost(p.record + i);
            add_record(layer, &x->info.nlayer, sgs_strdup(x->arena, p.record[i].layer), p.record[i].rec, &cost);
            x->info.mac += p.record[i].mac;
        }
        x->info.layer = layer;
    }
    sgs_program_free(&p);
}

static void take_image(description *x, const ipu_model *m)
{
    static const char *const category[] = { "Unknown", "Classification", "Detection" };
    const ipu_header *h = (const ipu_header *)(const void *)m->image;
    x->info.version = h->version;
    x->info.target = target_name(h->target);
    x->info.category = h->category < sizeof category / sizeof *category ? category[h->category] : "";
    x->info.arena_bytes = (int64_t)ipu_arena_size(m);
    x->info.alignment = IPU_ALIGN;
    x->info.const_bytes = h->consts.bytes;
    x->info.provenance = sgs_strndup(x->arena, section(h, h->provenance), h->provenance.bytes);
    take_records(x, h);
}

/* ---- shown ----------------------------------------------------------------------------------------------------- */

static void show_kernels(const sgs_log *log, const sgs_model_info *info)
{
    sgs_buf b = { 0 };
    for (int i = 0; i < info->nkernel; i++)
        sgs_buf_printf(&b, "%s%s %d", i ? ", " : "", info->kernel[i].name, info->kernel[i].count);
    sgs_log_line(log, "%s: %s", info->kind == SGS_OFFLINE ? "kernels" : "operators", b.p ? b.p : "none");
    sgs_buf_free(&b);
}

/* What the weights take, by their bits. */
static void show_weights(const sgs_log *log, const sgs_model_info *info)
{
    sgs_buf b = { 0 };
    for (int bits = 16; bits >= 4; bits /= 2) {
        int64_t bytes = 0;
        int layers = 0;
        for (int i = 0; i < info->nlayer; i++)
            if (info->layer[i].weight_bits == bits) {
                bytes += info->layer[i].weights;
                layers++;
            }
        if (layers)
            sgs_buf_printf(&b, "%s%d bits %" PRId64 " bytes in %d layer%s", b.n ? ", " : "", bits, bytes, layers, layers == 1 ? "" : "s");
    }
    if (b.n)
        sgs_log_line(log, "weights: %s", b.p);
    sgs_buf_free(&b);
}

static void show_layers(const sgs_log *log, const sgs_model_info *info)
{
    sgs_log_line(log, "layers in the order they run, %" PRId64 " multiply-accumulates:", info->mac);
    sgs_log_line(log, "  %14s %6s %12s %12s %12s  %-16s %5s  %s", "MACs", "share", "bytes read", "written", "constants",
                 "kernel", "calls", "layer");
    for (int i = 0; i < info->nlayer; i++) {
        const sgs_layer_cost *l = info->layer + i;
        sgs_log_line(log, "  %14" PRId64 " %5.1f%% %12" PRId64 " %12" PRId64 " %12" PRId64 "  %-16s %5d  %.*s", l->mac,
                     info->mac ? 100.0 * (double)l->mac / (double)info->mac : 0.0, l->read, l->write, l->constants,
                     l->kernel, l->records, CONSOLE_NAME, l->name);
    }
}

static void show_provenance(const sgs_log *log, const char *text)
{
    sgs_log_line(log, "made from:");
    for (const char *p = text; *p;) {
        const size_t n = strcspn(p, "\n");
        sgs_log_line(log, "  %.*s", (int)n, p);
        p += n + (p[n] == '\n');
    }
}

static void show_image(const sgs_log *log, const sgs_model_info *info, const char *path)
{
    sgs_log_line(log, "%s: an offline image, format version %" PRIu32, path, info->version);
    sgs_log_line(log, "target: %s", info->target[0] ? info->target : "one that this program does not know");
    sgs_log_line(log, "category: %s", info->category[0] ? info->category : "one that this program does not know");
    sgs_log_line(log, "image: %" PRId64 " bytes, %" PRId64 " of them constants; aligned to %d", info->file_bytes,
                 info->const_bytes, info->alignment);
    sgs_log_line(log, "arena: %" PRId64 " bytes, aligned to %d; one for each run at a time", info->arena_bytes,
                 info->alignment);
}

static void show(const sgs_log *log, const sgs_model_info *info, const char *path)
{
    if (info->kind == SGS_OFFLINE)
        show_image(log, info, path);
    else
        sgs_log_line(log, "%s: a %s model, %" PRId64 " bytes; constants: %" PRId64 " bytes", path,
                     info->kind == SGS_FLOAT ? "float" : "fixed-point", info->file_bytes, info->const_bytes);
    sgs_log_line(log, "Net:");
    sgs_show_batches(log, &info->batch);
    for (int i = 0; i < info->ninput; i++)
        sgs_show_tensor(log, "input", i, info->input + i);
    for (int i = 0; i < info->noutput; i++)
        sgs_show_tensor(log, "output", i, info->output + i);
    show_kernels(log, info);
    show_weights(log, info);
    if (info->nlayer)
        show_layers(log, info);
    if (info->kind == SGS_OFFLINE)
        show_provenance(log, info->provenance);
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static sgs_status describe(description *x, const char *path, sgs_diag *d)
{
    SGS_TRY(take_size(x, path, d));
    SGS_TRY(sgs_simulator_open_described(&x->model, path, d));
    const sgs_opened m = sgs_simulator_opened(x->model);
    x->arena = m.arena;
    take_tensors(x);
    if (m.image) {
        take_image(x, m.image);
        return SGS_OK;
    }
    take_operators(x, m.g);
    take_constants(x, m.g);
    if (x->info.kind == SGS_FIXED)
        take_program(x, m.g);
    return SGS_OK;
}

sgs_status sgs_describe(const char *path, const sgs_log *log, sgs_model_info **info, sgs_diag *d)
{
    if (info)
        *info = NULL;
    if (!path)
        return sgs_fail(d, SGS_E_USAGE, "expected an image or a model to describe");
    description *x = calloc(1, sizeof *x);
    if (!x)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    const sgs_status s = describe(x, path, d);
    if (s == SGS_OK)
        show(log, &x->info, path);
    if (s == SGS_OK && info)
        *info = &x->info;
    else
        sgs_model_info_free(&x->info);
    return s;
}

void sgs_model_info_free(sgs_model_info *info)
{
    description *x = (description *)info;
    if (!x)
        return;
    sgs_simulator_close(x->model);
    free(x);
}
