/* What of a model can be taken, said before anything is converted. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "config/config.h"
#include "import/model.h"
#include "pass/pass.h"
#include "quant/quantize.h"

/* ---- the table of operators ------------------------------------------------------------------------------------ */

typedef struct row {
    const char *op, *domain;
    int count, refused, unfixed;
} row;

typedef struct check {
    const sgs_check_options *o;
    sgs_survey s;
    sgs_graph *g;
    sgs_map row_of; /* label -> the row of its node */
    row *row;
    int nrow;
    sgs_buf fixed; /* what has no fixed-point form, a line each */
    int nfixed;
    sgs_map without; /* their labels */
} check;

static row *find_row(check *c, const sgs_survey_node *n)
{
    for (int i = 0; i < c->nrow; i++)
        if (!strcmp(c->row[i].op, n->op) && !strcmp(c->row[i].domain, n->domain))
            return &c->row[i];
    c->row[c->nrow] = (row){ .op = n->op, .domain = n->domain };
    return &c->row[c->nrow++];
}

static void fill_rows(check *c)
{
    c->row = SGS_NEW_N(c->g->arena, row, c->s.nnode + 1);
    c->row_of.a = c->without.a = c->g->arena;
    for (int i = 0; i < c->s.nnode; i++) {
        row *r = find_row(c, &c->s.node[i]);
        r->count++;
        r->refused += c->s.node[i].why != NULL;
        sgs_map_set(&c->row_of, c->s.node[i].label, r);
    }
}

/* What a network does after its last layers and a board's CPU does better: found boxes are chosen, lists grow and
 * shrink. */
static bool is_postprocessing(const char *op)
{
    static const char *const ops[] = {
        "NonMaxSuppression", "TopK",           "NonZero",        "RoiAlign",   "EfficientNMS_TRT",
        "BatchedNMS_TRT",    "MultiClassNMS",  "NMSRotated",     "MaxRoiPool", "DetectionOutput",
        "YoloBoxOutput",     "SequenceInsert", "SplitToSequence"
    };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (!strcmp(ops[i], op))
            return true;
    return false;
}

static const char *count_text(sgs_arena *a, int bad, int count)
{
    return !bad ? "yes" : bad == count ? "no" : sgs_format(a, "not %d", bad);
}

static void show_rows(check *c)
{
    const sgs_log *log = &c->o->log;
    sgs_arena *a = c->g->arena;
    sgs_log_line(log, "operators:");
    sgs_log_line(log, "  %-28s %6s  %-8s %-8s", "", "count", "float", "fixed");
    for (int i = 0; i < c->nrow; i++) {
        const row *r = &c->row[i];
        const char *name = r->domain[0] ? sgs_format(a, "%s.%s", r->domain, r->op) : r->op;
        const int unfixed = r->refused + r->unfixed < r->count ? r->refused + r->unfixed : r->count;
        sgs_log_line(log, "  %-28s %6d  %-8s %-8s%s", name, r->count, count_text(a, r->refused, r->count),
                     (c->s.unshaped || c->s.weightless) && !r->refused ? "?" : count_text(a, unfixed, r->count),
                     unfixed && is_postprocessing(r->op) ? " post-processing: the board's CPU does it, after the cut"
                                                         : "");
    }
}

/* ---- inputs and outputs ---------------------------------------------------------------------------------------- */

static const char *shape_text(sgs_arena *a, const sgs_source_tensor *v)
{
    sgs_buf b = { 0 };
    if (v->rank < 0)
        return "shape unknown";
    sgs_buf_printf(&b, "[");
    for (int i = 0; i < v->rank; i++)
        if (v->dim[i] >= 0)
            sgs_buf_printf(&b, "%s%lld", i ? ", " : "", (long long)v->dim[i]);
        else
            sgs_buf_printf(&b, "%s%s", i ? ", " : "", v->symbol[i] ? v->symbol[i] : "?");
    sgs_buf_printf(&b, "]");
    const char *text = sgs_strndup(a, b.p, b.n);
    sgs_buf_free(&b);
    return text;
}

/* An output as the model itself has it: channels first, unless the model has them last. */
static sgs_source_tensor own_output(const check *c, int i, bool nchw)
{
    static const int8_t first[] = { 0, 3, 1, 2 }, last[] = { 0, 2, 3, 1 };
    const sgs_value *v = c->g->out[i];
    sgs_source_tensor info = { .name = c->s.out[i], .type = (int)v->type, .rank = v->rank };
    for (int k = 0; k < v->rank; k++)
        info.dim[k] = v->dim[v->rank != 4 || nchw != c->s.channels_last ? k : nchw ? last[k] : first[k]];
    return info;
}

static void show_ends(const check *c, const sgs_import_options *o)
{
    const sgs_log *log = &c->o->log;
    const bool whole = !c->s.nrefused && !c->s.unshaped;
    for (int i = 0; i < c->s.nin; i++) {
        const sgs_source_tensor *v = c->s.in[i];
        sgs_log_line(log, "input   %-24s %-6s %s", v->name,
                     v->type < 0 ? "type not supported" : sgs_type_name((sgs_type)v->type), shape_text(c->g->arena, v));
    }
    for (int i = 0; i < c->s.nout; i++) {
        if (!whole) {
            sgs_log_line(log, "output  %s", c->s.out[i]);
            continue;
        }
        const sgs_source_tensor v = own_output(c, i, o->noutput && o->output_nchw[i]);
        sgs_log_line(log, "output  %-24s %-6s %s", v.name, sgs_type_name((sgs_type)v.type),
                     shape_text(c->g->arena, &v));
    }
}

/* ---- input_config.ini ------------------------------------------------------------------------------------------ */

/* A name as the ini takes it: in quotes where it holds what ends a name there. */
static void add_names(sgs_buf *b, const char *const *name, int n)
{
    for (int i = 0; i < n; i++) {
        const char *quote = strpbrk(name[i], ";,#= ") ? "\"" : "";
        sgs_buf_printf(b, "%s%s%s%s", i ? "," : "", quote, name[i], quote);
    }
}

/* Channels of a picture, channels first or last; 0: no picture. */
static int picture_channels(const sgs_source_tensor *v)
{
    if (v->rank != 4 || (v->type != SGS_F32 && v->type != SGS_U8))
        return 0;
    for (int axis = 1; axis <= 3; axis += 2)
        if (v->dim[axis] == 1 || v->dim[axis] == 3)
            return (int)v->dim[axis];
    return 0;
}

/* Networks of Caffe were trained on pictures as OpenCV reads them. */
static const char *format_of(const check *c, const sgs_source_tensor *v)
{
    const int channels = picture_channels(v);
    return channels == 3       ? c->o->platform == SGS_CAFFE ? "BGR" : "RGB"
           : channels          ? "GRAY"
           : v->type == SGS_U8 ? "RAWDATA_U8_NHWC"
                               : "RAWDATA_F32_NHWC";
}

static void show_list(const sgs_log *log, const char *key, const char *const *item, int n, const char *comment)
{
    sgs_buf b = { 0 };
    for (int i = 0; i < n; i++)
        sgs_buf_printf(&b, "%s%s", i ? "," : "", item[i]);
    sgs_log_line(log, "  %s=%s;%s%s", key, b.p ? b.p : "", comment[0] ? "   # " : "", comment);
    sgs_buf_free(&b);
}

static void show_names(const sgs_log *log, const char *key, const char *const *name, int n)
{
    sgs_buf b = { 0 };
    add_names(&b, name, n);
    sgs_log_line(log, "  %s=%s;", key, b.p ? b.p : "");
    sgs_buf_free(&b);
}

/* Pictures stand first, as raw data takes no mean and std_value. */
static void show_ini(const check *c, const sgs_source_tensor *const *in, int nin, const char *const *out, int nout)
{
    const sgs_log *log = &c->o->log;
    sgs_arena *a = c->g->arena;
    const char **name = SGS_NEW_N(a, const char *, nin + 1), **format = SGS_NEW_N(a, const char *, nin + 1),
               **yes = SGS_NEW_N(a, const char *, nin + nout + 1), **mean = SGS_NEW_N(a, const char *, nin + 1),
               **std = SGS_NEW_N(a, const char *, nin + 1);
    int n = 0, pictures = 0;
    for (int picture = 1; picture >= 0; picture--)
        for (int i = 0; i < nin; i++)
            if ((picture_channels(in[i]) > 0) == picture) {
                name[n] = in[i]->name;
                format[n++] = format_of(c, in[i]);
                pictures += picture;
            }
    for (int i = 0; i < nin + nout; i++)
        yes[i] = "TRUE";
    for (int i = 0; i < pictures; i++) {
        mean[i] = strcmp(format[i], "GRAY") ? "0:0:0" : "0";
        std[i] = "1";
    }
    sgs_log_line(log, "an input_config.ini to start from:");
    sgs_log_line(log, "  [INPUT_CONFIG]");
    show_names(log, "inputs", name, n);
    show_list(log, "training_input_formats", format, n,
              pictures ? "what the network was trained on: RGB, BGR, GRAY" : "");
    show_list(log, "input_formats", format, n, pictures ? "what the board gives" : "");
    show_list(log, "quantizations", yes, n, "");
    if (pictures) {
        show_list(log, "mean", mean, pictures, "R:G:B, as in training");
        show_list(log, "std_value", std, pictures, "");
    }
    sgs_log_line(log, "  [OUTPUT_CONFIG]");
    show_names(log, "outputs", out, nout);
    show_list(log, "dequantizations", yes, nout, "FALSE leaves integers");
}

/* ---- what cannot be taken -------------------------------------------------------------------------------------- */

enum { MOST_SHOWN = 30 };

static void show_refused(const check *c)
{
    int shown = 0;
    sgs_log_line(&c->o->log, "%d of %d nodes cannot be taken:", c->s.nrefused, c->s.nnode);
    for (int i = 0; i < c->s.nnode && shown < MOST_SHOWN; i++)
        if (c->s.node[i].why && ++shown)
            sgs_log_line(&c->o->log, "  %s '%s': %s", c->s.node[i].op, c->s.node[i].label, c->s.node[i].why);
    if (c->s.nrefused > shown)
        sgs_log_line(&c->o->log, "  and %d more", c->s.nrefused - shown);
}

static void note_unfixed(void *user, const sgs_node *n, const char *why)
{
    check *c = user;
    row *r = sgs_map_get(&c->row_of, sgs_node_label(c->g, n));
    if (r) {
        r->unfixed++;
        sgs_map_set(&c->without, sgs_node_label(c->g, n), (void *)(uintptr_t) "it has no fixed-point form");
    }
    if (c->nfixed++ < MOST_SHOWN)
        sgs_buf_printf(&c->fixed, "  %s '%s' %s\n", n->op->name, sgs_node_label(c->g, n), why);
}

static void show_unfixed(const check *c)
{
    if (!c->nfixed)
        return;
    sgs_log_line(&c->o->log, "without fixed-point form:");
    for (const char *p = c->fixed.p, *end; (end = strchr(p, '\n')); p = end + 1)
        sgs_log_line(&c->o->log, "%.*s", (int)(end - p), p);
    if (c->nfixed > MOST_SHOWN)
        sgs_log_line(&c->o->log, "  and %d more", c->nfixed - MOST_SHOWN);
}

/* As a shell takes it. */
static void add_option(sgs_buf *b, const char *option, const char *const *name, int n)
{
    sgs_buf_printf(b, " %s '", option);
    for (int i = 0; i < n; i++) {
        sgs_buf_printf(b, "%s", i ? "," : "");
        for (const char *c = name[i]; *c; c++)
            sgs_buf_printf(b, *c == ',' ? "\\%c" : *c == '\'' ? "'\\%c'" : "%c", *c);
    }
    sgs_buf_printf(b, "'");
}

/* ---- the part that can be taken -------------------------------------------------------------------------------- */

/* Types and shapes of the part's inputs: an import of the part alone. */
static sgs_status survey_part(const check *c, const sgs_import_options *whole, check *part, sgs_diag *d)
{

    sgs_import_options o = { .frontend = whole->frontend,
                           .weight_file = whole->weight_file,
                           .signature = whole->signature,
                           .input_shapes = whole->input_shapes,
                           .input_name = c->s.cut_in,
                           .ninput = c->s.ncut_in,
                           .output_name = c->s.cut_out,
                           .noutput = c->s.ncut_out };

    *part = (check){ .o = c->o };
    return sgs_model_look(&part->g, &part->s, c->o->model_file, &o, d);
}

static void show_extract(const check *c, const sgs_import_options *whole)
{
    sgs_buf b = { 0 };
    sgs_buf_printf(&b, "  sgs extract '%s' -o part.onnx", c->o->model_file);
    if (whole->input_shapes)
        sgs_buf_printf(&b, " --input_shapes %s", whole->input_shapes);
    add_option(&b, "--inputs", c->s.cut_in, c->s.ncut_in);
    add_option(&b, "--outputs", c->s.cut_out, c->s.ncut_out);
    sgs_log_line(&c->o->log, "%s", b.p);
    sgs_buf_free(&b);
}

static void show_part(const check *c, const sgs_import_options *whole)
{
    const sgs_log *log = &c->o->log;
    check part;
    sgs_diag d = { 0 };
    if (!c->s.cut_nodes)
        return;
    sgs_log_line(log, "largest part that can be taken: %d of %d nodes; %s:", c->s.cut_nodes, c->s.nnode,
                 c->o->platform == SGS_ONNX ? "cut it out, or name its outputs in the ini, which cuts too"
                                            : "its inputs and outputs in the ini cut the model there");
    if (c->o->platform == SGS_ONNX)
        show_extract(c, whole);
    if (survey_part(c, whole, &part, &d) != SGS_OK)
        return;
    show_ini(&part, part.s.in, part.s.nin, part.s.out, part.s.nout);
    sgs_graph_free(part.g);
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static sgs_status check_fixed(check *c, sgs_diag *d)
{
    const sgs_pass_options passes = { .log = NULL };
    SGS_TRY(sgs_run_passes(c->g, &passes, d));
    SGS_TRY(sgs_spell_out(c->g, d));
    sgs_quantize_refused(c->g, note_unfixed, c);
    return SGS_OK;
}

static sgs_status verdict(const check *c, sgs_diag *d)
{
    if (c->s.unshaped) {
        sgs_fail(d, SGS_E_MODEL, "%s", c->s.unshaped);
        sgs_fail_at(d, c->o->model_file, 0, NULL);
        sgs_hint(
            d, "give the whole shape, for example --input_shapes 1,3,224,224 (one shape per input, separated by ':')");
        return SGS_E_MODEL;
    }
    if (!c->s.nrefused && c->s.weightless) {
        sgs_log_line(
            &c->o->log,
            "every node can be taken in float; what fixed point takes is known with the weights: --weight_file");
        return SGS_OK;
    }
    if (!c->s.nrefused && !c->nfixed) {
        sgs_log_line(&c->o->log, "every node can be taken, in float and in fixed point");
        return SGS_OK;
    }
    if (c->s.nrefused)
        sgs_fail(d, SGS_E_UNSUPPORTED, "%d of %d nodes cannot be taken", c->s.nrefused, c->s.nnode);
    else
        sgs_fail(d, SGS_E_UNSUPPORTED, "the float model can be made; %d node%s no fixed-point form", c->nfixed,
                 c->nfixed == 1 ? " has" : "s have");
    return sgs_fail_at(d, c->o->model_file, 0, NULL);
}

/* Nodes without fixed-point form are cut off as refused ones are. */
static sgs_status show_fixed_part(const check *c, const sgs_import_options *whole, sgs_diag *d)
{
    sgs_import_options o = *whole;
    check part = { .o = c->o };
    o.without = &c->without;
    o.log = NULL; /* it was said */
    const sgs_status s = sgs_model_look(&part.g, &part.s, c->o->model_file, &o, d);
    if (s == SGS_OK && part.s.cut_nodes)
        show_part(&part, whole);
    else if (s == SGS_OK)
        show_ini(c, c->s.in, c->s.nin, c->s.out, c->s.nout);
    if (part.g)
        sgs_graph_free(part.g);
    return s;
}

static void show_file(const check *c)
{
    const char *opset =
        c->o->platform == SGS_ONNX ? sgs_format(c->g->arena, ", opset %lld", (long long)c->s.opset) : "";
    sgs_log_line(&c->o->log, "%s: %s%s%s%s, %d nodes", c->o->model_file, c->s.framework, opset,
                 c->s.producer[0] ? ", made by " : "", c->s.producer, c->s.nnode);
}

static sgs_status look(check *c, const sgs_import_options *o, sgs_diag *d)
{
    SGS_TRY(sgs_model_look(&c->g, &c->s, c->o->model_file, o, d));
    fill_rows(c);
    show_file(c);
    show_ends(c, o);
    if (!c->s.nrefused && !c->s.unshaped && !c->s.weightless)
        SGS_TRY(check_fixed(c, d));
    show_rows(c);
    if (c->s.nrefused)
        show_refused(c);
    show_unfixed(c);
    if (c->s.nrefused)
        show_part(c, o);
    else if (c->without.n)
        SGS_TRY(show_fixed_part(c, o, d));
    else
        show_ini(c, c->s.in, c->s.nin, c->s.out, c->s.nout);
    return verdict(c, d);
}

static sgs_status with_config(check *c, const sgs_config *i, sgs_diag *d)
{
    sgs_import_options o = i ? sgs_import_options_from(i) : (sgs_import_options){ 0 };
    o.input_shapes = c->o->input_shapes;
    o.weight_file = c->o->weight_file;
    o.signature = c->o->signature;
    SGS_TRY(sgs_frontend_of(c->o->platform, &o.frontend, d));
    o.log = &c->o->log;
    const sgs_status s = look(c, &o, d);
    sgs_buf_free(&c->fixed);
    if (c->g)
        sgs_graph_free(c->g);
    return s;
}

sgs_status sgs_check(const sgs_check_options *o, sgs_diag *d)
{
    check c = { .o = o };
    sgs_config *i = NULL;
    if (!o->model_file)
        return sgs_fail(d, SGS_E_USAGE, "expected model_file");
    if (o->input_config)
        SGS_TRY(sgs_config_read(&i, o->input_config, d));
    const sgs_status s = with_config(&c, i, d);
    if (i)
        sgs_config_free(i);
    return s;
}
