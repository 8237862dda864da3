/* The stage fixed -> image: sgs_compile of sgs.h.  The main path is build(); the rest reads options and names files. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "compile/emit.h"
#include "compile/lower.h"
#include "compile/plan.h"
#include "compile/target.h"
#include "config/config.h"
#include "import/sim.h"
#include "preprocess/preprocess.h"

typedef struct compilation {
    const sgs_compile_options *o;
    const sgs_target *target;
    uint32_t category;
    ipu_batch batch;
    sgs_arena *arena;
    sgs_file file;
    sgs_graph *g;
    sgs_config *config; /* NULL: the model carries none */
    sgs_program program;
    sgs_buf image;
    sgs_compile_report report;
} compilation;

/* ---- options --------------------------------------------------------------------------------------------------------
 */

/* One positive number of a batch list; *text moves behind it. */
static bool batch_number(const char **text, long *n)
{
    char *end;
    while (**text == ' ')
        (*text)++;
    if (**text < '0' || **text > '9')
        return false;
    *n = strtol(*text, &end, 10);
    while (*end == ' ')
        end++;
    *text = end;
    return *n > 0 && *n <= INT_MAX && (*end == 0 || *end == ',');
}

/* n_buf takes one number, one_buf 1 to 10 different ones. */
static sgs_status check_batch(const sgs_compile_options *o, ipu_batch *b, sgs_diag *d)
{
    const char *mode = o->batch_mode ? o->batch_mode : "n_buf", *text = o->batch ? o->batch : "1";
    bool one_buf = !strcmp(mode, "one_buf");
    if (!one_buf && strcmp(mode, "n_buf"))
        return sgs_fail(d, SGS_E_USAGE, "expected --batch_mode n_buf or one_buf, found '%s'", mode);
    *b = (ipu_batch){ one_buf ? IPU_ONE_BUF : IPU_N_BUF, 0, { 0 } };
    for (const char *at = text;; at++) {
        long v;
        if (!batch_number(&at, &v))
            return sgs_fail(d, SGS_E_USAGE, "expected positive numbers in --batch, found '%s'", text);
        for (int i = 0; i < b->count; i++)
            if (b->size[i] == v)
                return sgs_fail(d, SGS_E_USAGE, "--batch names %ld twice", v);
        if (b->count == IPU_MAX_BATCH)
            return sgs_fail(d, SGS_E_USAGE, "--batch takes at most 10 sizes, found '%s'", text);
        b->size[b->count++] = (int)v;
        if (!*at)
            break;
    }
    if (!one_buf && b->count > 1) {
        sgs_status s = sgs_fail(d, SGS_E_USAGE, "--batch_mode n_buf takes one number in --batch, found '%s'", text);
        sgs_hint(d, "n_buf runs any size up to that number; for a list of sizes write --batch_mode one_buf");
        return s;
    }
    return SGS_OK;
}

/* one_buf: elements of an input or output lie one behind the other. */
static sgs_status check_stack(const ipu_batch *b, const sgs_image_io *io, int64_t bytes, sgs_diag *d)
{
    if (b->mode != IPU_ONE_BUF)
        return SGS_OK;
    if (!io->rank) {
        sgs_fail(d, SGS_E_UNSUPPORTED, "--batch_mode one_buf: '%s' has no dimension in which elements could be stacked",
                 io->name);
        sgs_hint(d, "write --batch_mode n_buf: then each element has a buffer of its own");
        return SGS_E_UNSUPPORTED;
    }
    int64_t all;
    for (int i = 0; i < b->count; i++)
        if (!sgs_mul64(bytes, b->size[i], &all) || all > UINT32_MAX || !sgs_mul64(io->dim[0], b->size[i], &all) ||
            all > INT32_MAX)
            return sgs_fail(d, SGS_E_LIMIT, "--batch %d: '%s' becomes larger than the 4 GiB an image can describe",
                            b->size[i], io->name);
    return SGS_OK;
}

static const char *const categories[] = { "Unknown", "Classification", "Detection" }; /* by ipu_header.category */

static sgs_status check_category(const char *name, uint32_t *category, sgs_diag *d)
{
    *category = 0;
    if (!name)
        return SGS_OK;
    for (uint32_t i = 0; i < 3; i++) {
        if (!strcmp(name, categories[i])) {
            *category = i;
            return SGS_OK;
        }
    }
    return sgs_fail(d, SGS_E_USAGE, "expected --category Classification, Detection or Unknown, found '%s'", name);
}

static sgs_status check_category_outputs(uint32_t category, int nout, sgs_diag *d)
{
    static const int outputs[] = { 0, 1, 4 };
    if (!category || nout == outputs[category])
        return SGS_OK;
    sgs_status s = sgs_fail(d, SGS_E_USAGE, "--category %s needs a model with %d output%s; this one has %d",
                            categories[category], outputs[category], outputs[category] > 1 ? "s" : "", nout);
    sgs_hint(d, "write --category Unknown, or leave it out");
    return s;
}

/* ---- file names
 * ------------------------------------------------------------------------------------------------------ */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* DECISIONS of the manual: beside the model or in the folder given, "<fixed file name>_sgsimg.img"; else the file
 * given. */
static const char *image_path(compilation *c)
{
    const char *model = c->o->model, *out = c->o->output, *base = base_name(model);
    struct stat st;
    if (!out || !*out)
        return sgs_format(c->arena, "%s_sgsimg.img", model);
    if (stat(out, &st) == 0 && S_ISDIR(st.st_mode))
        return sgs_format(c->arena, "%s%s%s_sgsimg.img", out, out[strlen(out) - 1] == '/' ? "" : "/", base);
    return out;
}

/* ---- the model
 * ----------------------------------------------------------------------------------------------------------- */

static sgs_status read_fixed(compilation *c, sgs_diag *d)
{
    SGS_TRY(sgs_file_open(&c->file, c->o->model, d));
    switch (sgs_sim_kind(c->file.data)) {
    case SGS_FIXED:
        break;
    case SGS_FLOAT:
        sgs_fail(d, SGS_E_MODEL, "expected a fixed-point model, found a float one");
        sgs_hint(d, "run the calibrator on it first and compile its result");
        return SGS_E_MODEL;
    case SGS_OFFLINE:
        return sgs_fail(d, SGS_E_MODEL, "expected a fixed-point model, found an image that is compiled already");
    default:
        break; /* the reader says best what is wrong */
    }
    SGS_TRY(sgs_sim_read_span(&c->g, c->o->model, c->file.data, d));
    const sgs_meta *config = sgs_meta_get(c->g, "sgs.config");
    return config ? sgs_config_parse(&c->config, c->o->model, config->data, d) : SGS_OK;
}

/* ---- inputs and outputs
 * ------------------------------------------------------------------------------------------------------ */

static sgs_status io_type(sgs_type t, ipu_type *r)
{
    switch (t) {
    case SGS_U8:
    case SGS_BOOL:
        *r = IPU_U8;
        return SGS_OK;
    case SGS_S8:
        *r = IPU_S8;
        return SGS_OK;
    case SGS_S16:
        *r = IPU_S16;
        return SGS_OK;
    case SGS_U16:
        *r = IPU_U16;
        return SGS_OK;
    case SGS_S32:
        *r = IPU_S32;
        return SGS_OK;
    case SGS_F32:
        *r = IPU_F32;
        return SGS_OK;
    default:
        return SGS_E_UNSUPPORTED;
    }
}

static ipu_format image_format(sgs_data_format f)
{
    switch (f) {
    case SGS_FMT_RGB:
        return IPU_FMT_RGB;
    case SGS_FMT_BGR:
        return IPU_FMT_BGR;
    case SGS_FMT_GRAY:
        return IPU_FMT_GRAY;
    case SGS_FMT_RGBA:
        return IPU_FMT_RGBA;
    case SGS_FMT_BGRA:
        return IPU_FMT_BGRA;
    case SGS_FMT_NV12:
        return IPU_FMT_NV12;
    default:
        return IPU_FMT_RAW;
    }
}

static const sgs_input_config *input_config(const compilation *c, const sgs_value *v)
{
    for (int i = 0; c->config && i < c->config->nin; i++)
        if (sgs_value_has_name(v, c->config->in[i].name))
            return &c->config->in[i];
    return NULL;
}

static void configure_output(const compilation *c, const sgs_value *v, sgs_image_io *io)
{
    for (int i = 0; c->config && i < c->config->nout; i++)
        if (sgs_value_has_name(v, c->config->out[i].name)) {
            io->name = c->config->out[i].name;
            io->nchw = c->config->out[i].nchw && v->rank == 4;
        }
}

/* An array, of which the network sees v. */
static sgs_status describe(compilation *c, const sgs_value *array, const sgs_value *v, sgs_image_io *io, sgs_diag *d)
{
    io->rank = v->rank;
    io->bytes = sgs_value_bytes(array);
    io->axis = -1;
    if (io_type(v->type, &io->type) != SGS_OK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "'%s' has type %s, which no input or output of an image has", io->name,
                        sgs_type_word(v->type));
    if (v->rank > IPU_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "'%s' has %d dimensions; inputs and outputs of an image have at most %d",
                        io->name, v->rank, IPU_MAX_RANK);
    memcpy(io->dim, v->dim, (size_t)v->rank * sizeof *v->dim);
    if (v->quant) {
        io->axis = v->quant->axis;
        io->nscale = v->quant->n;
        io->scale = v->quant->scale;
        io->zero = v->quant->zero;
    }
    return check_stack(&c->batch, io, io->bytes, d);
}

static sgs_status describe_input(compilation *c, int i, sgs_image_io *io, sgs_diag *d)
{
    const sgs_value *v = c->g->in[i], *seen = v;
    const sgs_input_config *in = input_config(c, v);
    *io = (sgs_image_io){ .name = in ? in->name : sgs_value_label(c->g, v) };
    if (in) {
        SGS_TRY(sgs_board_picture(c->g, i, in, &seen, d));
        io->format = image_format(in->input);
        io->training = image_format(in->training);
        io->nchw = in->nchw && seen->rank == 4;
        io->width_align = in->width_align;
        io->height_align = in->height_align;
        io->framed = sgs_board_framed(in);
    }
    return describe(c, v, seen, io, d);
}

static sgs_status describe_output(compilation *c, int i, sgs_image_io *io, sgs_diag *d)
{
    const sgs_value *v = c->g->out[i];
    *io = (sgs_image_io){ .name = sgs_value_label(c->g, v) };
    configure_output(c, v, io);
    return describe(c, v, v, io, d);
}

/* ---- where the image comes from
 * -------------------------------------------------------------------------------------------------- */

static char *provenance(compilation *c)
{
    uint8_t hash[32];
    char hex[65];
    ipu_sha256 s;
    ipu_sha256_init(&s);
    sgs_sha256_add(&s, c->file.data.p, c->file.data.n);
    ipu_sha256_end(&s, hash);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    const sgs_meta *origin = sgs_meta_get(c->g, "sgs.provenance");
    return sgs_format(c->arena, "tool OpenIPU %s\nmodel %s\n%.*s", SGS_VERSION, hex, origin ? (int)origin->data.n : 0,
                      origin ? (const char *)origin->data.p : "");
}

/* ---- the image
 * --------------------------------------------------------------------------------------------------------------------
 */

static sgs_status emit(compilation *c, sgs_diag *d)
{
    int nin = c->g->nin, nout = c->g->nout;
    sgs_image_io *io = SGS_NEW_N(c->arena, sgs_image_io, nin + nout + 1);
    for (int i = 0; i < nin; i++)
        SGS_TRY(describe_input(c, i, io + i, d));
    for (int i = 0; i < nout; i++)
        SGS_TRY(describe_output(c, i, io + nin + i, d));
    sgs_image_info info = { .target = c->target->id,
                            .category = c->category,
                            .arena = c->report.arena_bytes,
                            .ninput = nin,
                            .noutput = nout,
                            .io = io,
                            .provenance = provenance(c),
                            .batch = c->batch };
    return sgs_emit_image(&c->program, &info, &c->image, d);
}

/* What the runtime would refuse must not leave the compiler. */
static sgs_status prove(compilation *c, sgs_diag *d)
{
    void *copy = sgs_try_alloc(c->arena, c->image.n); /* aligned */
    if (!copy)
        return sgs_fail(d, SGS_E_LIMIT, "no memory for an image of %zu bytes", c->image.n);
    memcpy(copy, c->image.p, c->image.n);
    ipu_model m;
    ipu_status s = ipu_load(&m, copy, c->image.n, &ipu_kernels_c);
    if (s == IPU_OK)
        s = ipu_verify(&m);
    if (s != IPU_OK)
        return sgs_fail(d, SGS_E_INTERNAL, "the runtime refuses the image just made: %s", ipu_status_text(s));
    return SGS_OK;
}

/* What to do about an image or an arena that its target has no room for. */
static sgs_status no_room(sgs_status s, sgs_diag *d)
{
    if (s == SGS_E_LIMIT)
        sgs_hint(d, "give the model smaller inputs when it is converted (--input_shapes), ask for 16 bits in fewer "
                    "layers, or compile for a larger target (--soc_version)");
    return s;
}

static sgs_status build(compilation *c, sgs_diag *d)
{
    sgs_plan_result plan;
    SGS_TRY(read_fixed(c, d));
    SGS_TRY(check_category_outputs(c->category, c->g->nout, d));
    SGS_TRY(sgs_lower(&c->program, c->g, d));
    c->report.const_bytes = (int64_t)c->program.consts.n;
    sgs_program_fuse(&c->program);
    SGS_TRY(no_room(sgs_program_plan(&c->program, c->target->memory ? c->target->memory : UINT32_MAX, &plan, d), d));
    c->report.arena_bytes = plan.arena;
    c->report.arena_lower_bound = plan.lower_bound;
    SGS_TRY(emit(c, d));
    c->report.image_bytes = (int64_t)c->image.n;
    c->report.nop = c->program.nrecord;
    for (int k = 0; k < c->program.nrecord; k++)
        c->report.mac += c->program.record[k].mac;
    if (c->target->memory && c->report.image_bytes + c->report.arena_bytes > c->target->memory)
        return no_room(sgs_fail(d, SGS_E_LIMIT, "image and arena need %lld bytes; target %s has %lld",
                                (long long)(c->report.image_bytes + c->report.arena_bytes), c->target->name,
                                (long long)c->target->memory),
                       d);
    return prove(c, d);
}

static sgs_status check_kernels_file(const char *path, sgs_diag *d)
{
    const char *dot = path ? strrchr(base_name(path), '.') : NULL;
    if (!path || (dot && !strcmp(dot, ".c")))
        return SGS_OK;
    return sgs_fail(d, SGS_E_USAGE, "expected a name that ends in .c for the kernel list, found '%s'", path);
}

static sgs_status write_kernels(compilation *c, sgs_diag *d)
{
    if (!c->o->kernels_file)
        return SGS_OK;
    char *stem = sgs_strdup(c->arena, base_name(c->o->kernels_file));
    *strrchr(stem, '.') = 0;
    sgs_buf text = { 0 };
    sgs_emit_kernels(&c->program, stem, &text);
    sgs_status s = sgs_file_write(c->o->kernels_file, text.p, text.n, d);
    sgs_buf_free(&text);
    return s;
}

static void say(const compilation *c, const char *path)
{
    const sgs_log *log = &c->o->log;
    const sgs_compile_report *r = &c->report;
    if (!log->line)
        return;
    if (!c->o->soc_version)
        log->line(log->user, false,
                  "no --soc_version: compiled for the generic target CHIP, whose images run everywhere");
    log->line(log->user, false,
              sgs_format(c->arena, "%s: %lld bytes, %lld of them constants; %d records, %lld multiply-accumulates",
                         path, (long long)r->image_bytes, (long long)r->const_bytes, r->nop, (long long)r->mac));
    log->line(log->user, false,
              sgs_format(c->arena, "arena: %lld bytes; no plan needs less than %lld", (long long)r->arena_bytes,
                         (long long)r->arena_lower_bound));
}

static sgs_status write_out(compilation *c, char **written, sgs_diag *d)
{
    const char *path = image_path(c);
    SGS_TRY(write_kernels(c, d));
    SGS_TRY(sgs_file_write(path, c->image.p, c->image.n, d));
    say(c, path);
    if (written && !(*written = strdup(path)))
        return sgs_fail(d, SGS_E_LIMIT, "no memory");
    return SGS_OK;
}

static sgs_status check_options(const sgs_compile_options *o, const sgs_target **target, uint32_t *category,
                                ipu_batch *batch, sgs_diag *d)
{
    SGS_TRY(sgs_target_find(o->soc_version, target, d));
    SGS_TRY(check_batch(o, batch, d));
    SGS_TRY(check_category(o->category, category, d));
    return check_kernels_file(o->kernels_file, d);
}

sgs_status sgs_compile_check(const sgs_compile_options *o, const char *input_config, sgs_diag *d)
{
    const sgs_target *target;
    uint32_t category;
    ipu_batch batch;
    SGS_TRY(check_options(o, &target, &category, &batch, d));
    if (!input_config)
        return SGS_OK;
    sgs_config *c;
    SGS_TRY(sgs_config_read(&c, input_config, d));
    sgs_status s = check_category_outputs(category, c->nout, d);
    sgs_config_free(c);
    return s;
}

sgs_status sgs_compile(const sgs_compile_options *o, char **written, sgs_compile_report *r, sgs_diag *d)
{
    compilation c = { .o = o };
    if (written)
        *written = NULL;
    if (!o->model)
        return sgs_fail(d, SGS_E_USAGE, "no model given: --model X_fixed.sim");
    SGS_TRY(check_options(o, &c.target, &c.category, &c.batch, d));
    c.arena = sgs_arena_new();
    sgs_status s = c.arena ? build(&c, d) : sgs_fail(d, SGS_E_LIMIT, "no memory");
    if (s != SGS_OK)
        sgs_fail_at(d, o->model, 0, NULL);
    else
        s = write_out(&c, written, d);
    if (s == SGS_OK && r)
        *r = c.report;
    sgs_program_free(&c.program);
    sgs_buf_free(&c.image);
    sgs_config_free(c.config);
    sgs_graph_free(c.g);
    sgs_file_close(&c.file);
    sgs_arena_free(c.arena);
    return s;
}
