/* norm=True against norm=False of one picture: per channel, a line is fitted through (byte, normalized value) and
 * compared with (byte - mean) / std_value.  Wrong numbers in the ini are the commonest reason for a model that works as
 * float and fails as fixed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "preprocess/looks.h"

#define TOLERANCE 0.01 /* of the normalized range 255 / std_value; resizing after normalizing rounds differently */

#define PICTURES 4 /* whose colours and rows are looked at, spread evenly */

typedef struct look {
    const sgs_config *c;
    const sgs_samples_options *o;
    const sgs_want *want;
    const sgs_log *log;
    sgs_arena *a;
    void **norm, **raw; /* [nin]: the first picture, dense, f32 and u8; NULL for RAWDATA inputs */
    sgs_looks *looks;   /* [nin] */
    int done;           /* pictures */
} look;

/* ---- some pictures with one norm ---- */

/* Leaves the k-th of n as number k * samples / n. */
static void spread(sgs_arena *a, sgs_samples *s, int n)
{
    const int all = sgs_samples_count(s);
    bool *keep = SGS_NEW_N(a, bool, all + 1);
    for (int k = 0; k < n; k++)
        keep[(int64_t)k * all / n] = true;
    sgs_samples_keep(s, keep);
}

static size_t bytes_of(const sgs_want *w)
{
    size_t bytes = (size_t)sgs_type_bytes(w->type);
    for (int k = 0; k < w->rank; k++)
        bytes *= (size_t)w->dim[k];
    return bytes;
}

static sgs_status take_picture(look *k, const sgs_samples *s, const sgs_array *array, bool norm, bool first,
                               sgs_diag *d)
{
    for (int i = 0; i < k->c->nin; i++) {
        if (sgs_format_raw(k->c->in[i].training))
            continue;
        sgs_want w = k->want[i];
        w.type = norm ? SGS_F32 : SGS_U8;
        void **kept = norm ? &k->norm[i] : &k->raw[i], *data = sgs_alloc(k->a, bytes_of(&w));
        SGS_TRY(sgs_samples_take(s, i, &array[i], &w, data, d));
        *kept = first ? data : *kept;
        const sgs_array *file = &array[k->c->nin + i];
        if (!norm)
            sgs_looks_add(&k->looks[i], &k->c->in[i], &w, data,
                          file->bytes == 4 * 4 * 3 * sizeof(float) ? file->data : NULL);
    }
    return SGS_OK;
}

static sgs_status take_pictures(look *k, bool norm, sgs_diag *d)
{
    sgs_samples_options one = *k->o;
    one.num_process = 1;
    sgs_samples *s;
    SGS_TRY(sgs_samples_open(&s, &one, k->c->nin, norm, d));
    sgs_array *array = SGS_NEW_N(k->a, sgs_array, 2 * k->c->nin);
    if (!norm)
        sgs_samples_files(s);
    const int all = sgs_samples_count(s), n = norm ? 1 : all < PICTURES ? all : PICTURES;
    spread(k->a, s, n);
    sgs_status status = SGS_OK;
    for (int i = 0; i < n && status == SGS_OK; i++) {
        bool end;
        sgs_log_progress(k->log, "look at pictures", k->done++, 1 + PICTURES);
        status = sgs_samples_next(s, array, &end, d);
        if (status == SGS_OK)
            status = take_picture(k, s, array, norm, i == 0, d);
    }
    sgs_samples_close(s);
    return status;
}

/* ---- one channel ---- */

typedef struct channel {
    const uint8_t *raw;
    const float *norm;
    int64_t outer, inner; /* pictures, pixels of one */
    int64_t channels, at; /* which of how many */
    bool nchw;
} channel;

static int64_t channel_index(const channel *k, int64_t i)
{
    return k->nchw ? (i / k->inner * k->channels + k->at) * k->inner + i % k->inner : i * k->channels + k->at;
}

/* norm = slope * raw + offset, least squares; false where the picture has one colour. */
static bool fit(const channel *k, double *slope, double *offset, double *worst)
{
    double n = (double)(k->outer * k->inner), sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (int64_t i = 0; i < k->outer * k->inner; i++) {
        const int64_t at = channel_index(k, i);
        const double x = k->raw[at], y = (double)k->norm[at];
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    const double spread = n * sxx - sx * sx;
    if (spread <= 0)
        return false;
    *slope = (n * sxy - sx * sy) / spread;
    *offset = (sy - *slope * sx) / n;
    *worst = 0;
    for (int64_t i = 0; i < k->outer * k->inner; i++) {
        const int64_t at = channel_index(k, i);
        *worst = fmax(*worst, fabs((double)k->norm[at] - *slope * k->raw[at] - *offset));
    }
    return true;
}

/* ---- one input ---- */

typedef struct fitted {
    bool known, linear, agrees;
    double mean, std;
} fitted;

static fitted look_at(const channel *k, double mean, double std)
{
    fitted f = { .agrees = true };
    double slope, offset, worst;
    f.known = fit(k, &slope, &offset, &worst);
    if (!f.known)
        return f;
    const double range = 255 / std, at0 = -mean / std, at255 = (255 - mean) / std;
    f.linear = worst <= TOLERANCE * fabs(255 * slope) && slope > 0;
    f.agrees = fabs(offset - at0) <= TOLERANCE * range && fabs(255 * slope + offset - at255) <= TOLERANCE * range &&
               worst <= TOLERANCE * range;
    f.std = slope > 0 ? 1 / slope : 0;
    f.mean = -offset * f.std;
    return f;
}

static void warn(const sgs_input_config *in, const char *script, const fitted f[3], int n, const sgs_log *log)
{
    bool linear = true;
    for (int k = 0; k < n; k++)
        linear = linear && f[k].known && f[k].linear;
    if (!linear) {
        sgs_log_warning(log,
                        "%s: with norm=True the picture for input '%.200s' is not (norm=False - mean) / std_value with "
                        "any mean and std_value; a fixed-point model will see other pictures than the float model",
                        script, in->name);
        return;
    }
    sgs_buf mean = { 0 }, std = { 0 };
    for (int k = 0; k < n; k++) { /* R, G, B, as the ini wants it */
        const fitted *at = &f[in->training == SGS_FMT_BGR ? n - 1 - k : k];
        sgs_buf_printf(&mean, "%s%.6g", k ? ":" : "", round(at->mean * 1e3) / 1e3 + 0.0);
        sgs_buf_printf(&std, "%s%.6g", k ? ":" : "", round(at->std * 1e3) / 1e3);
    }
    sgs_log_warning(log,
                    "%s normalizes input '%.200s' with other numbers than the ini: they look like mean=%s; "
                    "std_value=%s; a fixed-point model will see other pictures than the float model",
                    script, in->name, mean.p, std.p);
    sgs_buf_free(&mean);
    sgs_buf_free(&std);
}

static void compare(const sgs_input_config *in, const sgs_want *w, const void *raw, const void *norm,
                    const char *script, const sgs_log *log)
{
    fitted f[3];
    const int n = in->training == SGS_FMT_GRAY ? 1 : 3;
    const int at = in->nchw ? 1 : 3;
    if (w->rank != 4 || w->dim[at] != n)
        return;
    channel k = { .raw = raw, .norm = norm, .channels = n, .nchw = in->nchw, .outer = w->dim[0] };
    k.inner = in->nchw ? w->dim[2] * w->dim[3] : w->dim[1] * w->dim[2];
    bool agrees = true;
    for (int i = 0; i < n; i++) {
        const int colour = in->training == SGS_FMT_BGR ? 2 - i : i;
        k.at = i;
        f[i] = look_at(&k, (double)in->mean[in->nmean == 1 ? 0 : colour], (double)in->std[in->nstd == 1 ? 0 : colour]);
        agrees = agrees && f[i].agrees;
    }
    if (!agrees)
        warn(in, script, f, n, log);
}

static sgs_status preflight(look *k, sgs_diag *d)
{
    sgs_diag why = { 0 };
    SGS_TRY(take_pictures(k, true, d));
    if (take_pictures(k, false, &why) != SGS_OK) {
        sgs_log_warning(k->log, "fixed and offline models need norm=False, which fails: %s%s%s", why.file,
                        why.file[0] ? ": " : "", why.text);
        return SGS_OK;
    }
    for (int i = 0; i < k->c->nin; i++) {
        if (!k->norm[i])
            continue;
        compare(&k->c->in[i], &k->want[i], k->raw[i], k->norm[i], k->o->preprocess, k->log);
        sgs_looks_say(&k->looks[i], &k->c->in[i], k->o->preprocess, k->log);
    }
    return SGS_OK;
}

static bool any_image(const sgs_config *c)
{
    for (int i = 0; i < c->nin; i++)
        if (!sgs_format_raw(c->in[i].training))
            return true;
    return false;
}

sgs_status sgs_preflight(const sgs_config *c, const sgs_samples_options *o, const sgs_want *want, const sgs_log *log,
                         sgs_diag *d)
{
    if (!any_image(c))
        return SGS_OK;
    sgs_arena *a = sgs_arena_new();
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    look k = { .c = c, .o = o, .want = want, .log = log, .a = a };
    k.norm = SGS_NEW_N(a, void *, c->nin);
    k.raw = SGS_NEW_N(a, void *, c->nin);
    k.looks = SGS_NEW_N(a, sgs_looks, c->nin);
    const sgs_status s = preflight(&k, d);
    if (s == SGS_OK)
        sgs_log_progress_end(log, "look at pictures");
    sgs_arena_free(a);
    return s;
}
