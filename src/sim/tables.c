#include "sim/tables.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { NAME = 40 };

/* ---- for people -------------------------------------------------------------------------------------------------- */

static const char *decibel(char text[16], double db)
{
    snprintf(text, 16, isnan(db) ? "-" : isinf(db) ? "equal" : "%.1f", db);
    return text;
}

/* Names that are too long keep their end, where they differ. */
static const char *short_name(char text[NAME + 4], const char *name)
{
    const size_t n = strlen(name);
    snprintf(text, NAME + 4, "%s%s", n > NAME ? "..." : "", n > NAME ? name + n - (NAME - 3) : name);
    return text;
}

static void show_outputs(const sgs_analysis *a, const sgs_log *log)
{
    char db[16];
    sgs_log_line(log, "SQNR at the outputs, the fixed-point model against the float one, on %d picture%s:", a->samples,
                 a->samples == 1 ? "" : "s");
    for (int i = 0; i < a->noutput; i++)
        sgs_log_line(log, "  %s: %s%s", a->output[i].name, decibel(db, a->output[i].sqnr),
                     isfinite(a->output[i].sqnr) ? " dB" : "");
}

static void show_layer(const sgs_layer_loss *y, const sgs_log *log)
{
    char name[NAME + 4], alone[16], sqnr[16];
    sgs_log_line(log, "%-*s %-10s %4d %8s %5.1f%% | %8s %9.6f %10.4g %8.3f%%", NAME, short_name(name, y->name), y->op,
                 y->bits, decibel(alone, y->alone), 100 * y->share, decibel(sqnr, y->sqnr), y->cosine, y->max_error,
                 100 * y->saturation);
}

static void show_layers(const sgs_analysis *a, int top, const sgs_log *log)
{
    sgs_log_line(log,
                 "what each layer costs: alone in fixed point, seen at the outputs (%d picture%s) | its result in the "
                 "whole fixed-point model",
                 a->layer_samples, a->layer_samples == 1 ? "" : "s");
    sgs_log_line(log, "%-*s %-10s %4s %8s %6s | %8s %9s %10s %9s", NAME, "layer", "op", "bits", "alone dB", "share",
                 "SQNR dB", "cosine", "max error", "saturated");
    for (int i = 0; i < a->nlayer && i < top; i++)
        show_layer(&a->layer[i], log);
    if (a->nlayer > top)
        sgs_log_line(log, "... and %d layers that cost less", a->nlayer - top);
}

static void show_cost(const sgs_analysis *a, const sgs_log *log)
{
    char db[16], expected[16];
    int64_t mac = 0, bytes = 0;
    for (int i = 0; i < a->nraise; i++) {
        mac += a->raise[i].mac;
        bytes += a->raise[i].image_bytes;
    }
    sgs_log_line(log,
                 "16 bits for what reads %d more tensor%s would give about %s dB instead of %s dB, for %.1f %% of the "
                 "multiplications in 16 bits "
                 "and about %lld bytes of image:",
                 a->nraise, a->nraise == 1 ? "" : "s", decibel(expected, a->raise[a->nraise - 1].sqnr),
                 decibel(db, a->sqnr), a->mac ? 100.0 * (double)mac / (double)a->mac : 0.0, (long long)bytes);
    for (int i = 0; i < a->nraise; i++)
        sgs_log_line(log, "  %s (%s): %s dB, %.1f %%, %lld bytes", a->raise[i].tensor, a->raise[i].layers,
                     decibel(db, a->raise[i].sqnr), a->mac ? 100.0 * (double)a->raise[i].mac / (double)a->mac : 0.0,
                     (long long)a->raise[i].image_bytes);
}

static void show_raise(const sgs_analysis *a, const sgs_log *log)
{
    if (!a->nraise) {
        sgs_log_line(log, "no convolution is worth 16 bits: what is lost is not lost in those of 8");
        return;
    }
    show_cost(a, log);
    if (a->raise[a->nraise - 1].sqnr < a->sqnr + a->gain)
        sgs_log_line(log,
                     "16 bits do not win the %g dB asked for: the rest is lost in layers that have them, in the "
                     "picture's own convolution, or "
                     "beyond the ranges that calibration saw (saturated)",
                     a->gain);
    sgs_log_line(log, "to have it, calibrate again with this in the ini:");
    sgs_log_line(log, "[CONV_CONFIG]");
    sgs_log_line(log, "%s", a->conv_config);
}

void sgs_analysis_show(const sgs_analysis *a, int top, const sgs_log *log)
{
    show_outputs(a, log);
    show_layers(a, top, log);
    show_raise(a, log);
}

/* ---- for programs ------------------------------------------------------------------------------------------------ */

static void json_text(sgs_buf *b, const char *key, const char *text)
{
    sgs_buf_printf(b, "\"%s\": \"", key);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            sgs_buf_printf(b, "\\%c", *p);
        else if (*p < 32)
            sgs_buf_printf(b, "\\u%04x", *p);
        else
            sgs_buf_add(b, p, 1);
    }
    sgs_buf_printf(b, "\"");
}

static void json_number(sgs_buf *b, const char *key, double v)
{
    if (isfinite(v))
        sgs_buf_printf(b, ", \"%s\": %.9g", key, v);
    else
        sgs_buf_printf(b, ", \"%s\": null", key);
}

static void json_layer(sgs_buf *b, const sgs_layer_loss *y)
{
    json_text(b, "layer", y->name);
    sgs_buf_printf(b, ", \"op\": \"%s\", ", y->op);
    json_text(b, "tensor", y->tensor);
    sgs_buf_printf(b, ", \"bits\": %d, \"weighted\": %s", y->bits, y->weighted ? "true" : "false");
    json_number(b, "sqnr", y->sqnr);
    json_number(b, "cosine", y->cosine);
    json_number(b, "max_error", y->max_error);
    json_number(b, "saturation", y->saturation);
    json_number(b, "alone", y->alone);
    json_number(b, "share", y->share);
    sgs_buf_printf(b, ", \"multiplications\": %lld", (long long)y->mac);
}

static void json_raise(sgs_buf *b, const sgs_raise *r)
{
    json_text(b, "tensor", r->tensor);
    sgs_buf_printf(b, ", ");
    json_text(b, "layers", r->layers);
    sgs_buf_printf(b, ", \"multiplications\": %lld, \"image_bytes\": %lld", (long long)r->mac,
                   (long long)r->image_bytes);
    json_number(b, "expected_sqnr", r->sqnr);
}

void sgs_analysis_json(const sgs_analysis *a, sgs_buf *b)
{
    sgs_buf_printf(b, "{\"pictures\": %d, \"layer_pictures\": %d, \"multiplications\": %lld", a->samples,
                   a->layer_samples, (long long)a->mac);
    json_number(b, "sqnr", a->sqnr);
    sgs_buf_printf(b, ",\n\"outputs\": [");
    for (int i = 0; i < a->noutput; i++) {
        sgs_buf_printf(b, "%s\n  {", i ? "," : "");
        json_text(b, "output", a->output[i].name);
        json_number(b, "sqnr", a->output[i].sqnr);
        sgs_buf_printf(b, "}");
    }
    sgs_buf_printf(b, "],\n\"layers\": [");
    for (int i = 0; i < a->nlayer; i++) {
        sgs_buf_printf(b, "%s\n  {", i ? "," : "");
        json_layer(b, &a->layer[i]);
        sgs_buf_printf(b, "}");
    }
    sgs_buf_printf(b, "],\n\"raise\": [");
    for (int i = 0; i < a->nraise; i++) {
        sgs_buf_printf(b, "%s\n  {", i ? "," : "");
        json_raise(b, &a->raise[i]);
        sgs_buf_printf(b, "}");
    }
    sgs_buf_printf(b, "],\n");
    json_text(b, "conv_config", a->conv_config);
    sgs_buf_printf(b, "}\n");
}

static void tsv_text(sgs_buf *b, const char *text)
{
    for (; *text; text++)
        sgs_buf_add(b, (unsigned char)*text < 32 ? " " : text, 1);
}

static void tsv_number(sgs_buf *b, double v)
{
    if (isnan(v))
        sgs_buf_printf(b, "\t");
    else
        sgs_buf_printf(b, "\t%.9g", v);
}

void sgs_analysis_tsv(const sgs_analysis *a, sgs_buf *b)
{
    sgs_buf_printf(
        b, "layer\ttensor\top\tbits\tweighted\talone\tshare\tsqnr\tcosine\tmax_error\tsaturation\tmultiplications\n");
    for (int i = 0; i < a->nlayer; i++) {
        const sgs_layer_loss *y = &a->layer[i];
        const double number[] = { y->alone, y->share, y->sqnr, y->cosine, y->max_error, y->saturation };
        tsv_text(b, y->name);
        sgs_buf_printf(b, "\t");
        tsv_text(b, y->tensor);
        sgs_buf_printf(b, "\t%s\t%d\t%d", y->op, y->bits, y->weighted);
        for (size_t k = 0; k < sizeof number / sizeof *number; k++)
            tsv_number(b, number[k]);
        sgs_buf_printf(b, "\t%lld\n", (long long)y->mac);
    }
}
