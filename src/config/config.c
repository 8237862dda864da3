/* What the settings mean: a table of keys, read downwards; each row's function fills its part of sgs_config or says
 * what is wrong. The numbers in the comments are DECISIONS'. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/config.h"
#include "config/ini.h"

#define NAMES_MAX 2048 /* characters of all names of a side (16) */

static const char *const format_names[SGS_FMT_COUNT] = {
    "RGB",
    "BGR",
    "GRAY",
    "RGBA",
    "BGRA",
    "YUV_NV12",
    "RAWDATA_U8_NHWC",
    "RAWDATA_S16_NHWC",
    "RAWDATA_F32_NHWC",
    "RAWDATA_U16_NHWC",
};
static const char *const layout_names[] = { "NHWC", "NCHW" };
static const char *const truth_names[] = { "FALSE", "TRUE" };
static const char *const conv_names[] = { "", "ALL_UINT8", "ALL_INT16", "CONV2D_INT16", "DEPTHWISE_INT16" };

#define BIT(f) (1u << (f))
#define RAW_MASK (BIT(SGS_FMT_RAW_U8) | BIT(SGS_FMT_RAW_S16) | BIT(SGS_FMT_RAW_F32) | BIT(SGS_FMT_RAW_U16))
#define COLOUR_MASK (BIT(SGS_FMT_RGB) | BIT(SGS_FMT_BGR) | BIT(SGS_FMT_RGBA) | BIT(SGS_FMT_BGRA) | BIT(SGS_FMT_NV12))
#define TRAINING_MASK (BIT(SGS_FMT_RGB) | BIT(SGS_FMT_BGR) | BIT(SGS_FMT_GRAY) | RAW_MASK)
#define INPUT_MASK (COLOUR_MASK | BIT(SGS_FMT_GRAY) | RAW_MASK)
#define OUTPUT_MASK (BIT(SGS_FMT_RAW_U8) | BIT(SGS_FMT_RAW_S16) | BIT(SGS_FMT_RAW_F32))

/* Which input_formats a training format may have; the others: only itself. */
static const unsigned allowed_input[SGS_FMT_COUNT] = {
    [SGS_FMT_RGB] = COLOUR_MASK,
    [SGS_FMT_BGR] = COLOUR_MASK,
    [SGS_FMT_GRAY] = BIT(SGS_FMT_GRAY) | BIT(SGS_FMT_NV12),
    [SGS_FMT_RAW_U8] = BIT(SGS_FMT_RAW_U8),
    [SGS_FMT_RAW_S16] = BIT(SGS_FMT_RAW_S16),
    [SGS_FMT_RAW_F32] = BIT(SGS_FMT_RAW_F32),
    [SGS_FMT_RAW_U16] = BIT(SGS_FMT_RAW_U16),
};

const char *sgs_format_name(sgs_data_format f)
{
    return (unsigned)f < SGS_FMT_COUNT ? format_names[f] : "?";
}

sgs_data_format sgs_format_find(const char *name)
{
    int f = 0;
    while (f < SGS_FMT_COUNT && strcmp(format_names[f], name))
        f++;
    return (sgs_data_format)f;
}

const char *sgs_conv_format_name(sgs_conv_format f)
{
    return (unsigned)f <= SGS_CONV_DEPTHWISE_INT16 ? conv_names[f] : "?";
}

/* One key being read: its value as a list, and where complaints go. */
typedef struct reader {
    const sgs_ini *ini;
    sgs_config *c;
    const sgs_ini_key *key;
    sgs_ini_entry list; /* n == 0 when absent or empty */
    bool present;
    sgs_diag *d;
} reader;

/* ---- complaints ------------------------------------------------------------------------------------------------ */

static sgs_status bad(const reader *r, const char *fmt, ...) SGS_PRINTF(2, 3);
static sgs_status bad(const reader *r, const char *fmt, ...)
{
    char text[1200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sgs_fail(r->d, SGS_E_CONFIG, "%s: %s", r->key->key, text);
    const int section = sgs_ini_section_line(r->ini, r->key->section);
    sgs_fail_at(r->d, r->c->file, r->list.line ? r->list.line : section, NULL);
    return SGS_E_CONFIG;
}

static sgs_status missing(const reader *r, const char *what)
{
    sgs_status s =
        bad(r, r->present ? "expected %s, found nothing behind '='" : "expected %s, found no such key", what);
    sgs_hint(r->d, "add %s = ...; to [%s]", r->key->key, r->key->section);
    return s;
}

/* "'a', 'b', ..." of the inputs or outputs the list belongs to, short enough for a message. */
static const char *name_list(const reader *r, bool outputs)
{
    const int n = outputs ? r->c->nout : r->c->nin;
    sgs_buf b = { 0 };
    for (int i = 0; i < n && b.n < 300; i++)
        sgs_buf_printf(&b, "%s'%.100s'", i ? ", " : "", outputs ? r->c->out[i].name : r->c->in[i].name);
    if (n && b.n >= 300)
        sgs_buf_printf(&b, ", ...");
    const char *text = sgs_strdup(r->c->arena, b.p ? b.p : "");
    sgs_buf_free(&b);
    return text;
}

static sgs_status expect_count(const reader *r, int n, const char *of, const char *names)
{
    if (r->list.n == n)
        return SGS_OK;
    return bad(r, "expected %d %s, one for each %s (%s), found %d", n, n == 1 ? "entry" : "entries", of, names,
               r->list.n);
}

/* ---- entries --------------------------------------------------------------------------------------------------- */

/* Entry i as one of the names the mask allows. */
static sgs_status choose(const reader *r, int i, const char *const *names, int n, unsigned mask, int *found)
{
    const char *text = r->list.item[i].text, *allowed[16];
    sgs_buf list = { 0 };
    int k = 0;
    for (int j = 0; j < n; j++) {
        if (!(mask & BIT(j)))
            continue;
        if (!strcasecmp(names[j], text)) {
            *found = j;
            sgs_buf_free(&list);
            return SGS_OK;
        }
        sgs_buf_printf(&list, "%s%s", k ? ", " : "", names[j]);
        allowed[k++] = names[j];
    }
    sgs_status s = bad(r, "expected one of %s, found '%.80s'%s", list.p, text,
                       r->list.n > 1 ? sgs_format(r->c->arena, " as entry %d", i + 1) : "");
    const char *near = sgs_nearest(text, allowed, k);
    for (int j = 0; j < k && text[0] && text[1]; j++)
        near = near ? near : strcasestr(allowed[j], text) ? allowed[j] : NULL;
    if (near)
        sgs_hint(r->d, "did you mean %s?", near);
    sgs_buf_free(&list);
    return s;
}

static sgs_status parse_number(const reader *r, const char *text, size_t n, float *v)
{
    char copy[64] = "", *end = copy;
    if (n && n < sizeof copy && strspn(text, "0123456789+-.eE") >= n) {
        memcpy(copy, text, n);
        *v = strtof(copy, &end);
    }
    if (end == copy || *end || !isfinite(*v))
        return bad(r, "expected a number, found '%.*s'", n < 80 ? (int)n : 80, text);
    return SGS_OK;
}

/* "127.5" or "123.7:116.3:103.5" (R:G:B). */
static sgs_status parse_triple(const reader *r, const char *text, bool gray, int *n, float v[3])
{
    const char *p = text;
    for (*n = 0;; p++) {
        const size_t len = strcspn(p, ":");
        const size_t lead = strspn(p, " \t");
        size_t used = len;
        while (used > lead && strchr(" \t", p[used - 1]))
            used--;
        if (*n == 3 || lead > used)
            break;
        SGS_TRY(parse_number(r, p + lead, used - lead, &v[(*n)++]));
        p += len;
        if (!*p)
            break;
    }
    if (*p || (gray ? *n != 1 : *n != 1 && *n != 3))
        return bad(r, "expected %s, found '%.80s'",
                   gray ? "one number for a GRAY input" : "one number or three (R:G:B)", text);
    return SGS_OK;
}

static sgs_status parse_names(const reader *r, const char ***names)
{
    const char **name = SGS_NEW_N(r->c->arena, const char *, r->list.n);
    size_t total = r->list.n ? (size_t)r->list.n - 1 : 0;
    for (int i = 0; i < r->list.n; i++) {
        name[i] = r->list.item[i].text;
        total += strlen(name[i]);
        if (!name[i][0])
            return bad(r, "expected a name, found nothing as entry %d of %d", i + 1, r->list.n);
    }
    if (total > NAMES_MAX)
        return bad(r, "expected at most %d characters of names, found %zu", NAMES_MAX, total);
    *names = name;
    return SGS_OK;
}

static sgs_status expect_distinct(const reader *r, const char *const *name)
{
    for (int i = 0; i < r->list.n; i++)
        for (int j = 0; j < i; j++)
            if (!strcmp(name[i], name[j]))
                return bad(r, "expected different names, found '%.200s' twice", name[i]);
    return SGS_OK;
}

/* "a,b" in one pair of quotes: a list, unless the key that has as many entries as there are names has one. */
static sgs_status take_names(reader *r, const char *const *partner, const char ***names)
{
    sgs_ini_entry whole = r->list, list;
    SGS_TRY(sgs_ini_relist(r->ini, &whole, &list, r->d));
    bool one = false;
    for (int i = 0; list.n > 1 && partner[i] && !one; i++) {
        const sgs_ini_entry *e = sgs_ini_get(r->ini, r->key->section, partner[i]);
        one = e && e->n == 1 && !e->item[0].quoted;
    }
    r->list = one ? whole : list;
    SGS_TRY(parse_names(r, names));
    if (r->list.n > IPU_MAX_IO)
        return bad(r, "expected at most %d names, found %d", IPU_MAX_IO, r->list.n);
    return expect_distinct(r, *names);
}

/* ---- [INPUT_CONFIG] -------------------------------------------------------------------------------------------- */

static sgs_status read_inputs(reader *r)
{
    static const char *const partner[] = { "input_formats", "training_input_formats", "input_layouts", NULL };
    if (!r->list.n)
        return missing(r, "the names of the model's inputs");
    const char **name;
    SGS_TRY(take_names(r, partner, &name));
    sgs_config *c = r->c;
    c->nin = r->list.n;
    c->in = SGS_NEW_N(c->arena, sgs_input_config, c->nin);
    for (int i = 0; i < c->nin; i++)
        c->in[i] = (sgs_input_config){ .name = name[i], .training = SGS_FMT_COUNT, .quantize = true };
    return SGS_OK;
}

static sgs_status read_training(reader *r)
{
    if (!r->list.n)
        return SGS_OK; /* read_formats fills them in */
    SGS_TRY(expect_count(r, r->c->nin, "input", name_list(r, false)));
    for (int i = 0; i < r->c->nin; i++) {
        int f;
        SGS_TRY(choose(r, i, format_names, SGS_FMT_COUNT, TRAINING_MASK, &f));
        r->c->in[i].training = (sgs_data_format)f;
    }
    return SGS_OK;
}

/* Without training_input_formats the board's format tells, where it can. */
static sgs_status default_training(const reader *r, sgs_input_config *in)
{
    switch (in->input) {
    case SGS_FMT_RGBA:
        in->training = SGS_FMT_RGB;
        return SGS_OK;
    case SGS_FMT_BGRA:
        in->training = SGS_FMT_BGR;
        return SGS_OK;
    case SGS_FMT_NV12:
        break;
    default:
        in->training = in->input;
        return SGS_OK;
    }
    sgs_status s = bad(r, "YUV_NV12 for '%.200s' needs training_input_formats, found no such key", in->name);
    sgs_hint(r->d, "add training_input_formats = RGB, BGR or GRAY, one for each input");
    return s;
}

static sgs_status expect_raw_last(const reader *r)
{
    const sgs_input_config *raw = NULL;
    for (int i = 0; i < r->c->nin; i++) {
        const sgs_input_config *in = &r->c->in[i];
        if (sgs_format_raw(in->input)) {
            raw = in;
        } else if (raw) {
            sgs_status s = bad(r, "expected RAWDATA inputs at the end, found '%.200s' (%s) before '%.200s' (%s)",
                               raw->name, sgs_format_name(raw->input), in->name, sgs_format_name(in->input));
            sgs_hint(r->d, "reorder inputs and every list that goes with it; the model's own order does not matter");
            return s;
        }
    }
    return SGS_OK;
}

static sgs_status expect_allowed(const reader *r, int i)
{
    const sgs_input_config *in = &r->c->in[i];
    int f;
    const sgs_status s = choose(r, i, format_names, SGS_FMT_COUNT, allowed_input[in->training], &f);
    if (s == SGS_OK || !r->d)
        return s;
    r->d->hint[0] = 0; /* the name is right; it does not fit */
    sgs_hint(r->d, "'%.200s' has training_input_formats=%s", in->name, sgs_format_name(in->training));
    return s;
}

static sgs_status read_formats(reader *r)
{
    if (!r->list.n)
        return missing(r, "the formats of the inputs on the board");
    SGS_TRY(expect_count(r, r->c->nin, "input", name_list(r, false)));
    for (int i = 0; i < r->c->nin; i++) {
        sgs_input_config *in = &r->c->in[i];
        int f;
        SGS_TRY(choose(r, i, format_names, SGS_FMT_COUNT, INPUT_MASK, &f));
        in->input = (sgs_data_format)f;
        if (in->training == SGS_FMT_COUNT)
            SGS_TRY(default_training(r, in));
        SGS_TRY(expect_allowed(r, i));
    }
    return expect_raw_last(r);
}

/* FALSE: the integers go in as they are, so there must be integers (13). */
static sgs_status read_quantizations(reader *r)
{
    if (!r->list.n)
        return SGS_OK;
    SGS_TRY(expect_count(r, r->c->nin, "input", name_list(r, false)));
    for (int i = 0; i < r->c->nin; i++) {
        sgs_input_config *in = &r->c->in[i];
        int t;
        SGS_TRY(choose(r, i, truth_names, 2, 3, &t));
        in->quantize = t;
        if (!t && (!sgs_format_raw(in->input) || in->input == SGS_FMT_RAW_F32))
            return bad(r,
                       "expected TRUE for '%.200s', found FALSE: %s is always quantized; only RAWDATA_U8, S16 and U16 "
                       "go in as they are",
                       in->name, sgs_format_name(in->input));
    }
    return SGS_OK;
}

static int image_inputs(const sgs_config *c)
{
    int n = 0;
    while (n < c->nin && !sgs_format_raw(c->in[n].input))
        n++;
    return n;
}

/* One set for each input that is not RAWDATA; those stand first (15). */
static sgs_status expect_sets(const reader *r, const char *example)
{
    const int images = image_inputs(r->c);
    if (r->list.n && !images)
        return bad(r, "expected no such key, as all inputs are RAWDATA, found %d %s", r->list.n,
                   r->list.n == 1 ? "entry" : "entries");
    if (!r->list.n && images) {
        sgs_status s = bad(r, "expected %d %s, as '%.200s' is an image (%s), found %s", images,
                           images == 1 ? "entry" : "entries", r->c->in[0].name, sgs_format_name(r->c->in[0].input),
                           r->present ? "nothing behind '='" : "no such key");
        sgs_hint(r->d, "write %s where the training did not normalize", example);
        return s;
    }
    if (r->list.n != images)
        return bad(r, "expected %d %s, one for each input that is not RAWDATA (of %s), found %d", images,
                   images == 1 ? "entry" : "entries", name_list(r, false), r->list.n);
    return SGS_OK;
}

static bool old_mean(const reader *r)
{
    return sgs_ini_get(r->ini, r->key->section, "mean_red") || sgs_ini_get(r->ini, r->key->section, "mean_green") ||
           sgs_ini_get(r->ini, r->key->section, "mean_blue");
}

static sgs_status read_mean(reader *r)
{
    if (!r->present && old_mean(r))
        return SGS_OK; /* read_mean_colour */
    SGS_TRY(expect_sets(r, "mean = 0"));
    for (int i = 0; i < r->list.n; i++) {
        sgs_input_config *in = &r->c->in[i];
        SGS_TRY(parse_triple(r, r->list.item[i].text, in->training == SGS_FMT_GRAY, &in->nmean, in->mean));
    }
    return SGS_OK;
}

/* mean_red, mean_green, mean_blue of older files: all three, in place of mean. */
static sgs_status read_mean_colour(reader *r)
{
    if (!old_mean(r))
        return SGS_OK;
    if (sgs_ini_get(r->ini, r->key->section, "mean"))
        return r->present ? bad(r, "expected either mean or mean_red, mean_green and mean_blue, found both") : SGS_OK;
    if (!r->list.n)
        return missing(r, "all of mean_red, mean_green and mean_blue");
    SGS_TRY(expect_sets(r, "mean = 0"));
    const int colour = r->key->key[5] == 'r' ? 0 : r->key->key[5] == 'g' ? 1 : 2;
    for (int i = 0; i < r->list.n; i++) {
        sgs_input_config *in = &r->c->in[i];
        const char *text = r->list.item[i].text;
        SGS_TRY(parse_number(r, text, strlen(text), &in->mean[colour]));
        in->nmean = in->training == SGS_FMT_GRAY ? 1 : 3;
        if (in->nmean == 1 && in->mean[colour] != in->mean[0])
            return bad(r, "expected one mean for the GRAY input '%.200s', found different ones", in->name);
    }
    return SGS_OK;
}

static sgs_status read_std(reader *r)
{
    SGS_TRY(expect_sets(r, "std_value = 1"));
    for (int i = 0; i < r->list.n; i++) {
        sgs_input_config *in = &r->c->in[i];
        SGS_TRY(parse_triple(r, r->list.item[i].text, in->training == SGS_FMT_GRAY, &in->nstd, in->std));
        for (int k = 0; k < in->nstd; k++) {
            if (in->std[k] > 0)
                continue;
            sgs_status s = bad(r, "expected numbers above 0, found '%.80s'", r->list.item[i].text);
            sgs_hint(r->d, "the picture is divided by std_value: write 1 where the training did not normalize");
            return s;
        }
    }
    return SGS_OK;
}

static sgs_status parse_alignment(const reader *r, int i, int *align)
{
    const char *text = r->list.item[i].text;
    const sgs_input_config *in = &r->c->in[i];
    char *end;
    errno = 0;
    const long v = strtol(text, &end, 10);
    if (end == text || *end || errno || v < 1 || v > SGS_MAX_ALIGNMENT)
        return bad(r, "expected a whole number from 1 to 65536 for '%.200s', found '%.80s'", in->name, text);
    if (in->input == SGS_FMT_NV12 && v % 2)
        return bad(r, "expected an even number for the YUV_NV12 input '%.200s', found %ld", in->name, v);
    if (sgs_format_raw(in->input) && v != 1)
        return bad(r, "expected 1 for the RAWDATA input '%.200s', found %ld", in->name, v);
    *align = (int)v;
    return SGS_OK;
}

static sgs_status read_alignment(reader *r)
{
    const bool width = r->key->key[6] == 'w';
    if (r->list.n)
        SGS_TRY(expect_count(r, r->c->nin, "input", name_list(r, false)));
    for (int i = 0; i < r->c->nin; i++) {
        sgs_input_config *in = &r->c->in[i];
        int *align = width ? &in->width_align : &in->height_align;
        *align = in->input == SGS_FMT_NV12 ? 2 : 1;
        if (r->list.n)
            SGS_TRY(parse_alignment(r, i, align));
    }
    return SGS_OK;
}

static sgs_status read_input_layouts(reader *r)
{
    if (!r->list.n)
        return SGS_OK;
    SGS_TRY(expect_count(r, r->c->nin, "input", name_list(r, false)));
    for (int i = 0; i < r->c->nin; i++) {
        sgs_input_config *in = &r->c->in[i];
        int t;
        SGS_TRY(choose(r, i, layout_names, 2, 3, &t));
        in->nchw = t;
        if (t && (in->input == SGS_FMT_RGBA || in->input == SGS_FMT_BGRA))
            return bad(r, "expected NHWC for the %s input '%.200s', found NCHW", sgs_format_name(in->input), in->name);
    }
    return SGS_OK;
}

/* ---- [OUTPUT_CONFIG] ------------------------------------------------------------------------------------------- */

static sgs_status read_outputs(reader *r)
{
    static const char *const partner[] = { "dequantizations", "output_formats", "output_layouts", NULL };
    if (!r->list.n)
        return missing(r, "the names of the model's outputs");
    const char **name;
    SGS_TRY(take_names(r, partner, &name));
    sgs_config *c = r->c;
    c->nout = r->list.n;
    c->out = SGS_NEW_N(c->arena, sgs_output_config, c->nout);
    for (int i = 0; i < c->nout; i++)
        c->out[i] = (sgs_output_config){ .name = name[i], .dequantize = true };
    return SGS_OK;
}

static sgs_status read_dequantizations(reader *r)
{
    if (r->list.n)
        SGS_TRY(expect_count(r, r->c->nout, "output", name_list(r, true)));
    for (int i = 0; i < r->c->nout; i++) {
        int t = 1;
        if (r->list.n)
            SGS_TRY(choose(r, i, truth_names, 2, 3, &t));
        r->c->out[i].dequantize = t;
        r->c->out[i].format = t ? SGS_FMT_RAW_F32 : SGS_FMT_RAW_S16;
    }
    return SGS_OK;
}

static sgs_status read_output_formats(reader *r)
{
    if (!r->list.n)
        return SGS_OK;
    SGS_TRY(expect_count(r, r->c->nout, "output", name_list(r, true)));
    for (int i = 0; i < r->c->nout; i++) {
        sgs_output_config *out = &r->c->out[i];
        int f;
        SGS_TRY(choose(r, i, format_names, SGS_FMT_COUNT, OUTPUT_MASK, &f));
        out->format = (sgs_data_format)f;
        if (out->format == SGS_FMT_RAW_F32 && !out->dequantize)
            return bad(r, "expected dequantizations=TRUE for '%.200s' with RAWDATA_F32_NHWC, found FALSE", out->name);
    }
    return SGS_OK;
}

static sgs_status read_output_layouts(reader *r)
{
    if (!r->list.n)
        return SGS_OK;
    SGS_TRY(expect_count(r, r->c->nout, "output", name_list(r, true)));
    for (int i = 0; i < r->c->nout; i++) {
        int t;
        SGS_TRY(choose(r, i, layout_names, 2, 3, &t));
        r->c->out[i].nchw = t;
    }
    return SGS_OK;
}

/* ---- [CONV_CONFIG] --------------------------------------------------------------------------------------------- */

static sgs_status read_conv_format(reader *r)
{
    if (!r->list.n)
        return SGS_OK;
    if (r->list.n != 1)
        return bad(r, "expected one entry, found %d", r->list.n);
    int f = 0;
    SGS_TRY(choose(r, 0, conv_names, 5, 0x1e, &f));
    r->c->conv_format = (sgs_conv_format)f;
    return SGS_OK;
}

static sgs_status read_tensor_arrays(reader *r)
{
    if (!r->list.n)
        return SGS_OK;
    SGS_TRY(parse_names(r, &r->c->tensor_arrays));
    r->c->ntensor_arrays = r->list.n;
    return SGS_OK;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */

#define IN "INPUT_CONFIG"
#define OUT "OUTPUT_CONFIG"
#define CONV "CONV_CONFIG"

/* Read downwards: a row may rely on the rows above it.  `names`: quotes round the whole value are looked at by the row
 * itself. */
static const struct row {
    const char *section, *key;
    sgs_status (*read)(reader *r);
    bool names;
} rows[] = {
    { IN, "inputs", read_inputs, true },
    { IN, "training_input_formats", read_training, false },
    { IN, "input_formats", read_formats, false },
    { IN, "quantizations", read_quantizations, false },
    { IN, "mean", read_mean, false },
    { IN, "mean_red", read_mean_colour, false },
    { IN, "mean_green", read_mean_colour, false },
    { IN, "mean_blue", read_mean_colour, false },
    { IN, "std_value", read_std, false },
    { IN, "input_width_alignment", read_alignment, false },
    { IN, "input_height_alignment", read_alignment, false },
    { IN, "input_layouts", read_input_layouts, false },
    { OUT, "outputs", read_outputs, true },
    { OUT, "dequantizations", read_dequantizations, false },
    { OUT, "output_formats", read_output_formats, false },
    { OUT, "output_layouts", read_output_layouts, false },
    { CONV, "input_format", read_conv_format, false },
    { CONV, "tensor_arrays", read_tensor_arrays, false },
};
#define NROWS SGS_KEY_COUNT
_Static_assert(sizeof rows / sizeof rows[0] == NROWS, "a row for each sgs_config_key");

int sgs_config_line(const sgs_config *c, sgs_config_key key)
{
    if (c->line[key])
        return c->line[key];
    return key < SGS_KEY_OUTPUTS ? c->line[SGS_KEY_INPUTS] : key < SGS_KEY_CONV_FORMAT ? c->line[SGS_KEY_OUTPUTS] : 0;
}

sgs_status sgs_config_fail(const sgs_config *c, sgs_config_key key, sgs_status code, sgs_diag *d, const char *fmt, ...)
{
    char text[1200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sgs_fail(d, code, "%s: %s", rows[key].key, text);
    sgs_fail_at(d, c->file, sgs_config_line(c, key), NULL);
    return code;
}

static sgs_status read_row(const sgs_ini *ini, sgs_config *c, int i, sgs_diag *d)
{
    const sgs_ini_entry *e = sgs_ini_get(ini, rows[i].section, rows[i].key);
    c->line[i] = e ? e->line : 0;
    reader r = { .ini = ini, .c = c, .key = &ini->known[i], .present = e != NULL, .d = d };
    if (e && rows[i].names)
        r.list = *e;
    else if (e)
        SGS_TRY(sgs_ini_relist(ini, e, &r.list, d));
    return rows[i].read(&r);
}

static sgs_status parse(sgs_config *c, sgs_span text, sgs_diag *d)
{
    sgs_ini_key known[NROWS];
    for (int i = 0; i < NROWS; i++)
        known[i] = (sgs_ini_key){ rows[i].section, rows[i].key };
    sgs_ini ini = { .file = c->file, .arena = c->arena, .known = known, .nknown = NROWS };
    SGS_TRY(sgs_ini_parse(&ini, text, d));
    for (int i = 0; i < NROWS; i++)
        SGS_TRY(read_row(&ini, c, i, d));
    return SGS_OK;
}

sgs_status sgs_config_parse(sgs_config **c, const char *file, sgs_span text, sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    *c = SGS_NEW(a, sgs_config);
    (*c)->arena = a;
    (*c)->file = sgs_strdup(a, file);
    sgs_status s = parse(*c, text, d);
    if (s != SGS_OK) {
        sgs_arena_free(a);
        *c = NULL;
    }
    return s;
}

sgs_status sgs_config_read(sgs_config **c, const char *path, sgs_diag *d)
{
    sgs_file f;
    SGS_TRY(sgs_file_open(&f, path, d));
    sgs_status s = sgs_config_parse(c, path, f.data, d);
    sgs_file_close(&f);
    return s;
}

void sgs_config_free(sgs_config *c)
{
    if (c)
        sgs_arena_free(c->arena);
}
