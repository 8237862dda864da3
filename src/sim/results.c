#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/results.h"

#define BEST 5
#define VALUES_PER_LINE 16
#define MOST_DIGITS 18

static const struct {
    const char *name, *npy;
} dtypes[] = {
    [SGS_DT_FLOAT32] = { "float32", "<f4" }, [SGS_DT_UINT8] = { "uint8", "|u1" }, [SGS_DT_INT16] = { "int16", "<i2" },
    [SGS_DT_UINT16] = { "uint16", "<u2" },   [SGS_DT_INT32] = { "int32", "<i4" }, [SGS_DT_BOOL] = { "bool", "|b1" },
};

const char *sgs_dtype_name(sgs_dtype t)
{
    return dtypes[t].name;
}

int64_t sgs_io_count(const sgs_io_info *info)
{
    int64_t n = 1;
    for (int i = 0; i < info->rank; i++)
        n *= info->dim[i];
    return n;
}

static double stored(const sgs_io_info *info, const void *data, int64_t i)
{
    switch (info->dtype) {
    case SGS_DT_FLOAT32:
        return ((const float *)data)[i];
    case SGS_DT_INT16:
        return ((const int16_t *)data)[i];
    case SGS_DT_UINT16:
        return ((const uint16_t *)data)[i];
    case SGS_DT_INT32:
        return ((const int32_t *)data)[i];
    case SGS_DT_UINT8:
    case SGS_DT_BOOL:
        break;
    }
    return ((const uint8_t *)data)[i];
}

double sgs_io_real(const sgs_io_info *info, const void *data, int64_t i)
{
    const double q = stored(info, data, i);
    if (info->nscale < 1)
        return q;
    const int64_t k = info->nscale == 1 ? 0 : i % info->nscale;
    return (q - info->zero[k]) * (double)info->scale[k];
}

static void text_path(const sgs_results *r, const char *category, sgs_buf *path)
{
    sgs_buf_printf(path, "%s/%s_%s_%s.txt", r->folder, category, r->model, r->picture);
}

bool sgs_results_there(const sgs_results *r, const char *category)
{
    sgs_buf path = { 0 };
    text_path(r, category, &path);
    const bool there = access(path.p, F_OK) == 0;
    sgs_buf_free(&path);
    return there;
}

static sgs_status write_text(const sgs_results *r, const char *category, sgs_buf *b, sgs_diag *d)
{
    sgs_buf path = { 0 };
    text_path(r, category, &path);
    sgs_status s = sgs_file_write(path.p, b->p, b->n, d);
    sgs_buf_free(&path);
    return s;
}

/* ---- Unknown --------------------------------------------------------------------------------------------------- */

static void print_shape(sgs_buf *b, const char *what, const sgs_io_info *info)
{
    sgs_buf_printf(b, ",  %s shape:[", what);
    for (int i = 0; i < info->rank; i++)
        sgs_buf_printf(b, "%s%d", i ? " " : "", info->dim[i]);
    sgs_buf_printf(b, "]");
}

/* Integers are given in the shape a board gives them in; our boards pad no output, so it is the original one. */
static void print_tensor(sgs_buf *b, const sgs_io_info *info, const void *data, bool skip_garbage)
{
    sgs_buf_printf(b, "%s Tensor:\n{\ntensor dim:%d", info->name, info->rank);
    print_shape(b, "Original", info);
    if (info->dtype != SGS_DT_FLOAT32 && !skip_garbage) {
        print_shape(b, "Alignment", info);
        sgs_buf_printf(b, "\nThe data are in the alignment shape.");
    }
    sgs_buf_printf(b, "\ntensor data:");
    const int64_t n = sgs_io_count(info);
    for (int64_t i = 0; i < n; i++)
        sgs_buf_printf(b, "%s%.9g", i % VALUES_PER_LINE ? " " : "\n", stored(info, data, i));
    sgs_buf_printf(b, "\n}\n\n");
}

sgs_status sgs_results_unknown(const sgs_results *r, int n, const sgs_io_info *const *info, const void *const *data,
                               sgs_diag *d)
{
    sgs_buf b = { 0 };
    for (int i = 0; i < n; i++)
        print_tensor(&b, info[i], data[i], r->skip_garbage);
    sgs_status s = write_text(r, "unknown", &b, d);
    sgs_buf_free(&b);
    return s;
}

/* ---- Classification -------------------------------------------------------------------------------------------- */

/* The best scores first; of equal ones the lower index. */
static int best_of(const sgs_io_info *info, const void *data, int64_t best[BEST])
{
    const int64_t n = sgs_io_count(info);
    int found = 0;
    for (int64_t i = 0; i < n; i++) {
        const double v = sgs_io_real(info, data, i);
        int at = found < BEST ? found : BEST;
        while (at > 0 && sgs_io_real(info, data, best[at - 1]) < v)
            at--;
        if (at == BEST)
            continue;
        found += found < BEST;
        memmove(best + at + 1, best + at, (size_t)(found - 1 - at) * sizeof *best);
        best[at] = i;
    }
    return found;
}

sgs_status sgs_results_classes(const sgs_results *r, const sgs_io_info *info, const void *data,
                               const char *const *label, int nlabel, sgs_diag *d)
{
    int64_t best[BEST];
    sgs_buf b = { 0 };
    const int n = best_of(info, data, best);
    sgs_buf_printf(&b, "%s\n", r->picture);
    for (int i = 0; i < n; i++)
        sgs_buf_printf(&b, "%lld  %.6f%s%s\n", (long long)best[i], sgs_io_real(info, data, best[i]),
                       label && best[i] < nlabel ? "  " : "", label && best[i] < nlabel ? label[best[i]] : "");
    sgs_status s = write_text(r, "classification", &b, d);
    sgs_buf_free(&b);
    return s;
}

/* ---- Detection ------------------------------------------------------------------------------------------------- */

/* A name of digits alone is a number, as COCO's files have; any other is a string. */
static void print_image_id(sgs_buf *b, const char *picture)
{
    const char *p = picture + strspn(picture, "0");
    const size_t digits = strspn(p, "0123456789");
    if (p + digits > picture && digits <= MOST_DIGITS &&
        (!p[digits] || (p[digits] == '.' && !strchr(p + digits + 1, '.')))) {
        sgs_buf_printf(b, "%.*s", digits ? (int)digits : 1, digits ? p : "0");
        return;
    }
    sgs_buf_printf(b, "\"");
    for (p = picture; *p; p++) {
        if ((uint8_t)*p < ' ')
            sgs_buf_printf(b, "\\u%04x", (unsigned)(uint8_t)*p);
        else
            sgs_buf_printf(b, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    }
    sgs_buf_printf(b, "\"");
}

sgs_status sgs_results_detections(const sgs_results *r, const sgs_detection *box, int n, const int32_t size[2],
                                  sgs_diag *d)
{
    const double h = size[0], w = size[1];
    sgs_buf b = { 0 };
    sgs_buf_add(&b, "", 0);
    for (int i = 0; i < n; i++) {
        sgs_buf_printf(&b, "{\"image_id\":");
        print_image_id(&b, r->picture);
        sgs_buf_printf(&b, ", \"category_id\":%lld, \"bbox\":[%.3f,%.3f,%.3f,%.3f], \"score\":%.6f},\n",
                       (long long)box[i].category, box[i].left * w, box[i].top * h, (box[i].right - box[i].left) * w,
                       (box[i].bottom - box[i].top) * h, box[i].score);
    }
    sgs_status s = write_text(r, "detection", &b, d);
    sgs_buf_free(&b);
    return s;
}

sgs_status sgs_results_drawing(const sgs_results *r, const char *folder, sgs_span png, sgs_diag *d)
{
    sgs_buf path = { 0 };
    sgs_buf_printf(&path, "%s/detection_%s_%s.png", folder, r->model, r->picture);
    sgs_status s = sgs_file_write(path.p, png.p, png.n, d);
    sgs_buf_free(&path);
    return s;
}

/* ---- arrays and bytes ------------------------------------------------------------------------------------------ */

sgs_status sgs_results_bytes(const sgs_results *r, const char *suffix, const void *data, size_t n, sgs_diag *d)
{
    sgs_buf path = { 0 };
    sgs_buf_printf(&path, "%s/%s.%s", r->folder, r->picture, suffix);
    sgs_status s = sgs_file_write(path.p, data, n, d);
    sgs_buf_free(&path);
    return s;
}

/* NPY 1.0: magic, version, length of the header, the header padded so that the data start on 64 bytes. */
sgs_status sgs_results_npy(const sgs_results *r, const char *suffix, const sgs_io_info *info, const void *data,
                           sgs_diag *d)
{
    sgs_buf head = { 0 }, b = { 0 };
    sgs_buf_printf(&head, "{'descr': '%s', 'fortran_order': False, 'shape': (", dtypes[info->dtype].npy);
    for (int i = 0; i < info->array_rank; i++)
        sgs_buf_printf(&head, "%d,%s", info->array_dim[i], i + 1 < info->array_rank ? " " : "");
    sgs_buf_printf(&head, "), }");
    while ((10 + head.n + 1) % 64)
        sgs_buf_add(&head, " ", 1);
    sgs_buf_add(&head, "\n", 1);
    const uint8_t start[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(head.n & 255), (uint8_t)(head.n >> 8) };
    sgs_buf_add(&b, start, sizeof start);
    sgs_buf_add(&b, head.p, head.n);
    sgs_buf_add(&b, data, info->bytes);
    sgs_status s = sgs_results_bytes(r, suffix, b.p, b.n, d);
    sgs_buf_free(&head);
    sgs_buf_free(&b);
    return s;
}
