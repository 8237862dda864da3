/* The simulators of sgs.h: one interface over the float session, the fixed simulator and the runtime. */
#include <stdlib.h>
#include <string.h>

#include "compile/lower.h"
#include "config/config.h"
#include "import/sim.h"
#include "openipu/ipu_host.h"
#include "pass/pass.h"
#include "preprocess/preprocess.h"
#include "sim/fixed.h"
#include "sim/session.h"
#include "sim/simulator.h"

struct sgs_simulator {
    sgs_arena *arena;
    const char *path;
    sgs_kind kind;
    sgs_graph *g;       /* float, fixed */
    sgs_config *config; /* NULL: the model carries none */
    sgs_session *session;
    sgs_fixed *fixed;
    sgs_file image; /* offline */
    ipu_model model;
    void *scratch;
    const ipu_kernels *kernels;
    ipu_host_pool *pool;
    ipu_parallel par;
    int nin, nout;
    sgs_io_info *in, *out;
    void **to, **from; /* where runs find inputs; copies of the outputs */
    void **own;        /* memory for inputs that are copied in: `to`, but for those that are lent */
    sgs_batches batches;
    int batch, room;      /* elements of a run; for which there is room */
    const void **each_in; /* [batch * nin], [batch * nout]: of n_buf */
    void **each_out;
    bool *given, ran, spelled, described;
    const sgs_details *details; /* NULL: not asked for yet */
};

static const char *raw_name(sgs_dtype t)
{
    switch (t) {
    case SGS_DT_UINT8:
        return sgs_format_name(SGS_FMT_RAW_U8);
    case SGS_DT_INT16:
        return sgs_format_name(SGS_FMT_RAW_S16);
    case SGS_DT_UINT16:
        return sgs_format_name(SGS_FMT_RAW_U16);
    default:
        return sgs_format_name(SGS_FMT_RAW_F32);
    }
}

/* ---- inputs and outputs described ------------------------------------------------------------------------------ */

static sgs_status take_dtype(const sgs_simulator *s, const sgs_value *v, sgs_dtype *t, sgs_diag *d)
{
    switch (v->type) {
    case SGS_F32:
        *t = SGS_DT_FLOAT32;
        return SGS_OK;
    case SGS_U8:
        *t = SGS_DT_UINT8;
        return SGS_OK;
    case SGS_S16:
        *t = SGS_DT_INT16;
        return SGS_OK;
    case SGS_U16:
        *t = SGS_DT_UINT16;
        return SGS_OK;
    case SGS_S32:
        *t = SGS_DT_INT32;
        return SGS_OK;
    case SGS_BOOL:
        *t = SGS_DT_BOOL;
        return SGS_OK;
    default:
        return sgs_fail(d, SGS_E_UNSUPPORTED, "'%s' has type %s, which no simulator takes or gives",
                        sgs_value_label(s->g, v), sgs_type_word(v->type));
    }
}

/* An array, of which the network sees v. */
static sgs_status describe(const sgs_simulator *s, const sgs_value *array, const sgs_value *v, sgs_io_info *info,
                           sgs_diag *d)
{
    *info = (sgs_io_info){ .name = sgs_value_label(s->g, array),
                           .rank = v->rank,
                           .array_rank = array->rank,
                           .bytes = (size_t)sgs_value_bytes(array),
                           .training_format = "",
                           .format = "",
                           .layout = "NHWC" };
    for (int i = 0; i < v->rank; i++)
        info->dim[i] = (int32_t)v->dim[i]; /* a .sim file's dims are no larger */
    for (int i = 0; i < array->rank; i++)
        info->array_dim[i] = (int32_t)array->dim[i];
    if (v->quant) {
        info->nscale = v->quant->n;
        info->scale = v->quant->scale;
        info->zero = v->quant->zero;
    }
    return take_dtype(s, v, &info->dtype, d);
}

static const sgs_input_config *config_of(const sgs_config *c, const sgs_value *v)
{
    for (int i = 0; c && i < c->nin; i++)
        if (sgs_value_has_name(v, c->in[i].name))
            return c->in + i;
    return NULL;
}

/* The ini's own name and formats, whichever of its names the model's tensor shows first; without an ini raw data. */
static sgs_status describe_input(sgs_simulator *s, int i, sgs_diag *d)
{
    const sgs_value *v = s->g->in[i], *seen = v;
    const sgs_input_config *in = config_of(s->config, v);
    sgs_io_info *info = s->in + i;
    if (in && s->kind == SGS_FIXED)
        SGS_TRY(sgs_board_picture(s->g, i, in, &seen, d));
    SGS_TRY(describe(s, v, seen, info, d));
    info->training_format = info->format = raw_name(info->dtype);
    if (!in)
        return SGS_OK;
    info->name = in->name;
    info->training_format = sgs_format_name(in->training);
    info->format = sgs_format_name(in->input);
    info->layout = in->nchw && seen->rank == 4 ? "NCHW" : "NHWC";
    info->width_align = sgs_format_raw(in->input) ? 0 : in->width_align;
    info->height_align = sgs_format_raw(in->input) ? 0 : in->height_align;
    return SGS_OK;
}

static void configure_output(const sgs_config *c, const sgs_value *v, sgs_io_info *info)
{
    info->format = raw_name(info->dtype);
    for (int i = 0; c && i < c->nout; i++) {
        const sgs_output_config *out = c->out + i;
        if (!sgs_value_has_name(v, out->name))
            continue;
        info->name = out->name;
        info->format = sgs_format_name(out->format);
        info->layout = out->nchw && v->rank == 4 ? "NCHW" : "NHWC";
        return;
    }
}

static sgs_status describe_graph(sgs_simulator *s, sgs_diag *d)
{
    for (int i = 0; i < s->nin; i++)
        SGS_TRY(describe_input(s, i, d));
    for (int i = 0; i < s->nout; i++) {
        SGS_TRY(describe(s, s->g->out[i], s->g->out[i], s->out + i, d));
        configure_output(s->config, s->g->out[i], s->out + i);
    }
    return SGS_OK;
}

static const char *image_format(ipu_format f, sgs_dtype t)
{
    switch (f) {
    case IPU_FMT_RGB:
        return sgs_format_name(SGS_FMT_RGB);
    case IPU_FMT_BGR:
        return sgs_format_name(SGS_FMT_BGR);
    case IPU_FMT_GRAY:
        return sgs_format_name(SGS_FMT_GRAY);
    case IPU_FMT_RGBA:
        return sgs_format_name(SGS_FMT_RGBA);
    case IPU_FMT_BGRA:
        return sgs_format_name(SGS_FMT_BGRA);
    case IPU_FMT_NV12:
        return sgs_format_name(SGS_FMT_NV12);
    default:
        return raw_name(t);
    }
}

static sgs_status describe_tensor(const ipu_tensor *t, bool input, sgs_io_info *info, sgs_diag *d)
{
    static const int8_t dtype[IPU_TYPE_COUNT] = {
        [IPU_U8] = SGS_DT_UINT8,  [IPU_S8] = -1,  [IPU_S16] = SGS_DT_INT16,  [IPU_U16] = SGS_DT_UINT16,
        [IPU_S32] = SGS_DT_INT32, [IPU_S64] = -1, [IPU_F32] = SGS_DT_FLOAT32
    };
    if (dtype[t->type] < 0)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "'%s' has a type that no simulator takes or gives", t->name);
    *info = (sgs_io_info){ .name = t->name,
                           .dtype = (sgs_dtype)dtype[t->type],
                           .rank = t->rank,
                           .bytes = t->bytes,
                           .training_format = input ? image_format(t->training, (sgs_dtype)dtype[t->type]) : "",
                           .format = image_format(t->format, (sgs_dtype)dtype[t->type]),
                           .layout = t->nchw ? "NCHW" : "NHWC",
                           .width_align = input ? t->width_align : 0,
                           .height_align = input ? t->height_align : 0,
                           .nscale = t->nscale,
                           .scale = t->scale,
                           .zero = t->zero };
    memcpy(info->dim, t->dim, (size_t)t->rank * sizeof *t->dim);
    info->array_rank = info->rank;
    memcpy(info->array_dim, info->dim, sizeof info->dim);
    return input && t->format != IPU_FMT_RAW && t->rank == 4 ? sgs_describe_input(info, d) : SGS_OK;
}

static sgs_status describe_image(sgs_simulator *s, sgs_diag *d)
{
    ipu_tensor t;
    for (int i = 0; i < s->nin; i++) {
        ipu_input(&s->model, i, &t);
        SGS_TRY(describe_tensor(&t, true, s->in + i, d));
    }
    for (int i = 0; i < s->nout; i++) {
        ipu_output(&s->model, i, &t);
        SGS_TRY(describe_tensor(&t, false, s->out + i, d));
    }
    return SGS_OK;
}

/* ---- several elements ------------------------------------------------------------------------------------------ */

static void take_batches(sgs_simulator *s)
{
    ipu_batch b;
    ipu_batches(&s->model, &b);
    s->batches = (sgs_batches){ b.mode == IPU_ONE_BUF, b.count, { 0 } };
    memcpy(s->batches.size, b.size, sizeof b.size);
}

static bool takes(const sgs_batches *b, int n)
{
    bool found = !b->one_buf && n >= 1 && n <= b->size[0];
    for (int i = 0; i < b->count; i++)
        found |= n == b->size[i];
    return found;
}

/* From descriptions of `from` elements to those of `to`. */
static void stack(sgs_io_info *info, int n, int from, int to)
{
    for (int i = 0; i < n; i++) {
        info[i].bytes = info[i].bytes / (size_t)from * (size_t)to;
        if (info[i].rank)
            info[i].dim[0] = info[i].dim[0] / from * to;
        if (info[i].array_rank)
            info[i].array_dim[0] = info[i].array_dim[0] / from * to;
    }
}

static sgs_status make_room(sgs_simulator *s, int n, const sgs_io_info *info, void **p, sgs_diag *d)
{
    for (int i = 0; i < n; i++) {
        void *room = sgs_try_alloc(s->arena, info[i].bytes);
        if (!room)
            return sgs_fail(d, SGS_E_LIMIT, "no memory for the %zu bytes of '%s'", info[i].bytes, info[i].name);
        p[i] = room;
    }
    return SGS_OK;
}

static sgs_status more_room(sgs_simulator *s, sgs_diag *d)
{
    SGS_TRY(make_room(s, s->nin, s->in, s->own, d));
    SGS_TRY(make_room(s, s->nout, s->out, s->from, d));
    s->each_in = SGS_NEW_N(s->arena, const void *, (size_t)s->batch *(size_t)s->nin + 1);
    s->each_out = SGS_NEW_N(s->arena, void *, (size_t)s->batch *(size_t)s->nout + 1);
    s->room = s->batch;
    return SGS_OK;
}

static sgs_status set_batch(sgs_simulator *s, int n, sgs_diag *d)
{
    const int before = s->batch;
    stack(s->in, s->nin, s->batch, n);
    stack(s->out, s->nout, s->batch, n);
    s->batch = n;
    s->ran = false;
    memset(s->given, 0, (size_t)s->nin * sizeof *s->given);
    const sgs_status status = n <= s->room ? SGS_OK : more_room(s, d);
    memcpy(s->to, s->own, (size_t)s->nin * sizeof *s->to);
    if (status != SGS_OK) { /* as it was */
        stack(s->in, s->nin, n, before);
        stack(s->out, s->nout, n, before);
        s->batch = before;
    }
    return status;
}

sgs_status sgs_simulator_set_batch(sgs_simulator *s, int n, sgs_diag *d)
{
    if (takes(&s->batches, n))
        return n == s->batch ? SGS_OK : set_batch(s, n, d);
    sgs_buf b = { 0 };
    for (int i = 0; i < s->batches.count; i++)
        sgs_buf_printf(&b, "%s%d",
                       i                                               ? ", "
                       : s->batches.one_buf || s->batches.size[0] == 1 ? ""
                                                                       : "1 to ",
                       s->batches.size[i]);
    sgs_fail(d, SGS_E_USAGE, "expected a batch of %s, found %d", b.p, n);
    sgs_buf_free(&b);
    return sgs_fail_at(d, s->path, 0, NULL);
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static const char *kind_name(sgs_kind k)
{
    return k == SGS_FLOAT ? "a float model" : k == SGS_FIXED ? "a fixed-point model" : "an offline image";
}

static sgs_status find_kind(sgs_simulator *s, sgs_kind want, sgs_diag *d)
{
    SGS_TRY(sgs_file_open(&s->image, s->path, d));
    s->kind = (sgs_kind)sgs_sim_kind(s->image.data);
    if (s->kind == SGS_KIND_ANY) {
        sgs_fail(d, SGS_E_FORMAT, "expected a .sim model or an .img image of OpenIPU, found another kind of file");
        sgs_hint(d, "convert the model first; simulators run NAME_float.sim, NAME_fixed.sim and NAME.img");
        return SGS_E_FORMAT;
    }
    if (want != SGS_KIND_ANY && want != s->kind)
        return sgs_fail(d, SGS_E_USAGE, "expected %s, found %s", kind_name(want), kind_name(s->kind));
    return SGS_OK;
}

static sgs_status take_machine(sgs_simulator *s, const sgs_simulator_options *o, sgs_diag *d)
{
    const uint32_t here = ipu_host_cpu();
    s->kernels = ipu_kernels_for(o->cpu_mask_set ? o->cpu_mask & here : here);
    if (o->threads < 0 || o->threads > 1024)
        return sgs_fail(d, SGS_E_USAGE, "expected 1 to 1024 threads, found %d", o->threads);
    if (o->threads <= 1 || s->kind == SGS_FLOAT)
        return SGS_OK;
    s->pool = ipu_host_pool_new(o->threads, &s->par);
    return s->pool ? SGS_OK : sgs_fail(d, SGS_E_LIMIT, "cannot start %d threads", o->threads);
}

/* Tables of nin inputs and nout outputs. */
static void make_tables(sgs_simulator *s, int nin, int nout)
{
    s->nin = nin;
    s->nout = nout;
    s->in = SGS_NEW_N(s->arena, sgs_io_info, nin + 1);
    s->out = SGS_NEW_N(s->arena, sgs_io_info, nout + 1);
    s->to = SGS_NEW_N(s->arena, void *, nin + 1);
    s->own = SGS_NEW_N(s->arena, void *, nin + 1);
    s->from = SGS_NEW_N(s->arena, void *, nout + 1);
    s->given = SGS_NEW_N(s->arena, bool, nin + 1);
}

static sgs_status open_sim(sgs_simulator *s, sgs_diag *d)
{
    sgs_file_close(&s->image); /* the reader maps it for itself */
    SGS_TRY(sgs_sim_read(&s->g, s->path, d));
    if (s->spelled)
        SGS_TRY(sgs_spell_out(s->g, d));
    const sgs_meta *config = sgs_meta_get(s->g, "sgs.config");
    if (config)
        SGS_TRY(sgs_config_parse(&s->config, s->path, config->data, d));
    make_tables(s, s->g->nin, s->g->nout);
    SGS_TRY(describe_graph(s, d));
    if (s->described)
        return SGS_OK;
    if (s->kind == SGS_FLOAT)
        SGS_TRY(sgs_session_new(&s->session, s->g, false, d));
    else
        SGS_TRY(sgs_fixed_new(&s->fixed, s->g, s->kernels, s->pool ? &s->par : NULL, d));
    for (int i = 0; i < s->nin; i++)
        s->own[i] = s->to[i] = s->session ? sgs_session_data(s->session, s->g->in[i]) : sgs_fixed_input(s->fixed, i);
    return make_room(s, s->nout, s->out, s->from, d);
}

/* What the runtime's status means to a user. */
static sgs_status load_failed(const sgs_simulator *s, ipu_status status, sgs_diag *d)
{
    if (status == IPU_E_VERSION) {
        sgs_fail(d, SGS_E_FORMAT, "the image has format version %u; this program reads version %u",
                 ipu_image_version(s->image.data.p, s->image.data.n), ipu_runtime_version());
        sgs_hint(d, "compile the fixed-point model again with this program's compiler");
        return SGS_E_FORMAT;
    }
    if (status == IPU_E_IMAGE || status == IPU_E_HASH) {
        sgs_fail(d, SGS_E_FORMAT, "the image is truncated or damaged (%s)", ipu_status_text(status));
        sgs_hint(d, "compile it again, or copy it again");
        return SGS_E_FORMAT;
    }
    return sgs_fail(d, SGS_E_FORMAT, "%s", ipu_status_text(status));
}

static sgs_status open_image(sgs_simulator *s, sgs_diag *d)
{
    ipu_status status = ipu_load(&s->model, s->image.data.p, s->image.data.n, s->kernels);
    if (status == IPU_OK)
        status = ipu_verify(&s->model);
    if (status != IPU_OK)
        return load_failed(s, status, d);
    make_tables(s, ipu_input_count(&s->model), ipu_output_count(&s->model));
    SGS_TRY(describe_image(s, d));
    take_batches(s);
    if (s->described)
        return SGS_OK;
    SGS_TRY(set_batch(s, s->batches.one_buf ? s->batches.size[0] : 1, d));
    s->scratch = sgs_try_alloc(s->arena, ipu_arena_size(&s->model) + 1);
    return s->scratch ? SGS_OK
                      : sgs_fail(d, SGS_E_LIMIT, "no memory for an arena of %zu bytes", ipu_arena_size(&s->model));
}

static sgs_status open_any(sgs_simulator *s, const sgs_simulator_options *o, sgs_diag *d)
{
    SGS_TRY(find_kind(s, o->kind, d));
    SGS_TRY(take_machine(s, o, d));
    return s->kind == SGS_OFFLINE ? open_image(s, d) : open_sim(s, d);
}

typedef enum purpose { TO_RUN, TO_RUN_SPELLED, TO_DESCRIBE } purpose;

static sgs_status open_new(sgs_simulator **out, const char *path, const sgs_simulator_options *o, purpose why,
                           sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    *out = NULL;
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    sgs_simulator *s = SGS_NEW(a, sgs_simulator);
    s->arena = a;
    s->path = sgs_strdup(a, path);
    s->batches = (sgs_batches){ false, 1, { 1 } };
    s->batch = 1;
    s->spelled = why == TO_RUN_SPELLED;
    s->described = why == TO_DESCRIBE;
    const sgs_status status = open_any(s, o, d);
    if (status == SGS_OK) {
        *out = s;
    } else {
        sgs_fail_at(d, path, 0, NULL);
        sgs_simulator_close(s);
    }
    return status;
}

sgs_status sgs_simulator_open(sgs_simulator **out, const char *path, const sgs_simulator_options *o, sgs_diag *d)
{
    static const sgs_simulator_options defaults;
    return open_new(out, path, o ? o : &defaults, TO_RUN, d);
}

sgs_status sgs_simulator_open_spelled(sgs_simulator **out, const char *path, sgs_diag *d)
{
    const sgs_simulator_options o = { .kind = SGS_FLOAT };
    return open_new(out, path, &o, TO_RUN_SPELLED, d);
}

sgs_status sgs_simulator_open_described(sgs_simulator **out, const char *path, sgs_diag *d)
{
    static const sgs_simulator_options defaults;
    return open_new(out, path, &defaults, TO_DESCRIBE, d);
}

void sgs_simulator_close(sgs_simulator *s)
{
    if (!s)
        return;
    sgs_session_free(s->session);
    sgs_fixed_free(s->fixed);
    ipu_host_pool_free(s->pool);
    sgs_config_free(s->config);
    sgs_graph_free(s->g);
    sgs_file_close(&s->image);
    sgs_arena_free(s->arena);
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

sgs_kind sgs_simulator_kind(const sgs_simulator *s)
{
    return s->kind;
}

int sgs_simulator_inputs(const sgs_simulator *s)
{
    return s->nin;
}

int sgs_simulator_outputs(const sgs_simulator *s)
{
    return s->nout;
}

const sgs_batches *sgs_simulator_batches(const sgs_simulator *s)
{
    return &s->batches;
}

const sgs_io_info *sgs_simulator_input(const sgs_simulator *s, int i)
{
    return i >= 0 && i < s->nin ? s->in + i : NULL;
}

const sgs_io_info *sgs_simulator_output(const sgs_simulator *s, int i)
{
    return i >= 0 && i < s->nout ? s->out + i : NULL;
}

sgs_opened sgs_simulator_opened(sgs_simulator *s)
{
    return (sgs_opened){ .arena = s->arena, .path = s->path, .g = s->g, .config = s->config, .session = s->session,
                         .details = &s->details, .image = s->g ? NULL : &s->model, .scratch = s->scratch, .in = s->to,
                         .out = s->from, .par = s->pool ? &s->par : NULL };
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static sgs_status check_input(const sgs_simulator *s, int i, size_t bytes, sgs_diag *d)
{
    if (i < 0 || i >= s->nin)
        return sgs_fail(d, SGS_E_USAGE, "the model has %d inputs; there is no input %d", s->nin, i);
    if (bytes != s->in[i].bytes)
        return sgs_fail(d, SGS_E_DATA, "input '%s': expected %zu bytes, found %zu", s->in[i].name, s->in[i].bytes,
                        bytes);
    return SGS_OK;
}

static void find_input(sgs_simulator *s, int i, void *data)
{
    if (s->to[i] != data && s->session)
        sgs_session_lend(s->session, s->g->in[i], data);
    if (s->to[i] != data && s->fixed)
        sgs_fixed_lend(s->fixed, i, data);
    s->to[i] = data;
    s->given[i] = true;
}

sgs_status sgs_simulator_set_input(sgs_simulator *s, int i, const void *data, size_t bytes, sgs_diag *d)
{
    SGS_TRY(check_input(s, i, bytes, d));
    find_input(s, i, s->own[i]);
    if (bytes)
        memcpy(s->own[i], data, bytes);
    return SGS_OK;
}

sgs_status sgs_simulator_lend_input(sgs_simulator *s, int i, const void *data, size_t bytes, sgs_diag *d)
{
    SGS_TRY(check_input(s, i, bytes, d));
    find_input(s, i, bytes ? (void *)(uintptr_t)data : s->own[i]);
    return SGS_OK;
}

/* n_buf: the buffers of each element, element by element. */
static void find_buffers(sgs_simulator *s)
{
    for (int k = 0; k < s->batch; k++) {
        for (int i = 0; i < s->nin; i++)
            s->each_in[k * s->nin + i] = (const uint8_t *)s->to[i] + s->in[i].bytes / (size_t)s->batch * (size_t)k;
        for (int i = 0; i < s->nout; i++)
            s->each_out[k * s->nout + i] = (uint8_t *)s->from[i] + s->out[i].bytes / (size_t)s->batch * (size_t)k;
    }
}

static ipu_status run_elements(sgs_simulator *s)
{
    const ipu_parallel *par = s->pool ? &s->par : NULL;
    if (s->batches.one_buf)
        return ipu_run_batch(&s->model, s->scratch, s->batch, (const void *const *)s->to, s->from, par);
    find_buffers(s);
    return ipu_run_batch(&s->model, s->scratch, s->batch, s->each_in, s->each_out, par);
}

static sgs_status run_image(sgs_simulator *s, sgs_diag *d)
{
    const ipu_status status = run_elements(s);
    if (status == IPU_E_VALUE)
        return sgs_fail(d, SGS_E_DATA, "an input holds NaN or infinity, or an index beyond the rows it is for");
    return status == IPU_OK ? SGS_OK : sgs_fail(d, SGS_E_INTERNAL, "the runtime: %s", ipu_status_text(status));
}

static sgs_status run_graph(sgs_simulator *s, sgs_diag *d)
{
    SGS_TRY(s->session ? sgs_session_run(s->session, d) : sgs_fixed_run(s->fixed, d));
    for (int i = 0; i < s->nout; i++) {
        const sgs_value *v = s->g->out[i];
        const void *result = s->fixed      ? sgs_fixed_output(s->fixed, i)
                             : v->constant ? sgs_const_data(v)
                                           : sgs_session_data(s->session, v);
        if (s->out[i].bytes)
            memcpy(s->from[i], result, s->out[i].bytes);
    }
    return SGS_OK;
}

static sgs_status not_set(const sgs_simulator *s, int i, sgs_diag *d)
{
    if (s->batches.count > 1 || s->batches.size[0] > 1)
        return sgs_fail(d, SGS_E_USAGE, "input '%s' was not set for a batch of %d", s->in[i].name, s->batch);
    return sgs_fail(d, SGS_E_USAGE, "input '%s' was not set", s->in[i].name);
}

sgs_status sgs_simulator_invoke(sgs_simulator *s, sgs_diag *d)
{
    for (int i = 0; i < s->nin; i++)
        if (!s->given[i])
            return not_set(s, i, d);
    const sgs_status status = s->kind == SGS_OFFLINE ? run_image(s, d) : run_graph(s, d);
    s->ran = status == SGS_OK;
    if (status != SGS_OK)
        sgs_fail_at(d, s->path, 0, NULL);
    return status;
}

const void *sgs_simulator_get_output(const sgs_simulator *s, int i)
{
    return s->ran && i >= 0 && i < s->nout ? s->from[i] : NULL;
}
