#include <math.h>

#include "sim/detections.h"
#include "sim/results.h"

#define ROW 7

/* The innermost dimension; one that is moved behind it, channels of NCHW, is 1 here. */
static int32_t inner(const sgs_io_info *info)
{
    const int last = info->rank - 1;
    return last < 1 ? 0 : info->rank == 4 && info->dim[last] == 1 ? info->dim[last - 1] : info->dim[last];
}

static bool is_rows(int nout, const sgs_io_info *const *out)
{
    return nout == 1 && inner(out[0]) == ROW;
}

static bool is_tail(int nout, const sgs_io_info *const *out)
{
    if (nout != 4 || inner(out[0]) != 4)
        return false;
    const int64_t n = sgs_io_count(out[0]) / 4;
    return sgs_io_count(out[1]) == n && sgs_io_count(out[2]) == n && sgs_io_count(out[3]) == 1;
}

sgs_status sgs_detections_check(int nout, const sgs_io_info *const *out, sgs_diag *d)
{
    if (is_tail(nout, out) || is_rows(nout, out))
        return SGS_OK;
    sgs_buf b = { 0 };
    for (int i = 0; i < nout; i++) {
        sgs_buf_printf(&b, "%s[", i ? ", " : "");
        for (int k = 0; k < out[i]->rank; k++)
            sgs_buf_printf(&b, "%s%d", k ? "," : "", out[i]->dim[k]);
        sgs_buf_printf(&b, "]");
    }
    const sgs_status s = sgs_fail(d, SGS_E_USAGE,
                                  "-c Detection: expected boxes [1,N,4], classes [1,N], scores [1,N] and their number "
                                  "[1], or rows [1,1,N,7], found %.400s",
                                  b.p);
    sgs_buf_free(&b);
    sgs_hint(d, "models that end in a detection tail give these; -c Unknown writes any output");
    return s;
}

int64_t sgs_detections_most(int nout, const sgs_io_info *const *out)
{
    return sgs_io_count(out[0]) / (nout == 1 ? ROW : 4);
}

static int read_rows(const sgs_io_info *out, const void *data, int64_t n, sgs_detection *to)
{
    int found = 0;
    for (int64_t i = 0; i < n; i++) {
        double v[ROW];
        for (int k = 0; k < ROW; k++)
            v[k] = sgs_io_real(out, data, i * ROW + k);
        if (v[0] >= 0) /* rows that are not filled are -1 */
            to[found++] = (sgs_detection){ v[3], v[4], v[5], v[6], v[2], (int64_t)lround(v[1]) };
    }
    return found;
}

int sgs_detections_read(int nout, const sgs_io_info *const *out, const void *const *data, sgs_detection *to)
{
    const int64_t most = sgs_detections_most(nout, out);
    if (nout == 1)
        return read_rows(out[0], data[0], most, to);
    const double said = sgs_io_real(out[3], data[3], 0);
    const int64_t n = said >= (double)most ? most : said > 0 ? (int64_t)lround(said) : 0;
    for (int64_t i = 0; i < n; i++) {
        double box[4];
        for (int k = 0; k < 4; k++)
            box[k] = sgs_io_real(out[0], data[0], i * 4 + k);
        to[i] = (sgs_detection){ box[1],
                                 box[0],
                                 box[3],
                                 box[2],
                                 sgs_io_real(out[2], data[2], i),
                                 1 + (int64_t)lround(sgs_io_real(out[1], data[1], i)) };
    }
    return (int)n;
}
