/* Inputs as their formats describe them, without a model: sgs_describe_input, sgs_to_input_format. */
#include <string.h>

#include "preprocess/preprocess.h"
#include "sim/results.h"
#include "sim/simulator.h"

sgs_status sgs_input_config_of(const sgs_io_info *t, sgs_input_config *in, sgs_diag *d)
{
    *in = (sgs_input_config){ .name = t->name,
                              .training = sgs_format_find(t->training_format),
                              .input = sgs_format_find(t->format),
                              .quantize = true,
                              .width_align = t->width_align,
                              .height_align = t->height_align,
                              .nchw = !strcmp(t->layout, "NCHW") };
    if (in->training == SGS_FMT_COUNT || in->input == SGS_FMT_COUNT)
        return sgs_fail(d, SGS_E_USAGE, "input '%s': expected formats of input_config.ini, found %s and %s", t->name,
                        t->training_format, t->format);
    if (sgs_format_raw(in->input))
        return SGS_OK;
    const int step = in->input == SGS_FMT_NV12 ? 2 : 1, channels = sgs_format_channels(in->training);
    if (t->rank != 4 || t->dim[in->nchw ? 1 : 3] != channels || in->width_align < 1 || in->height_align < 1 ||
        in->width_align > SGS_MAX_ALIGNMENT || in->height_align > SGS_MAX_ALIGNMENT || in->width_align % step ||
        in->height_align % step)
        return sgs_fail(d, SGS_E_USAGE, "input '%s': expected a picture of %d channel%s, and its alignments", t->name,
                        channels, channels == 1 ? "" : "s");
    return SGS_OK;
}

static void dims_of(const sgs_io_info *t, int64_t dim[8])
{
    for (int i = 0; i < t->rank; i++)
        dim[i] = t->dim[i];
}

sgs_status sgs_describe_input(sgs_io_info *t, sgs_diag *d)
{
    sgs_input_config in;
    int64_t dim[8], board[4];
    SGS_TRY(sgs_input_config_of(t, &in, d));
    dims_of(t, dim);
    t->array_rank = t->rank;
    memcpy(t->array_dim, t->dim, sizeof t->dim);
    if (sgs_format_raw(in.input))
        return SGS_OK;
    if (!sgs_board_dims(&in, dim, board))
        return sgs_fail(d, SGS_E_LIMIT, "input '%s' has 2 GiB or more", t->name);
    t->array_rank = 4;
    t->bytes = 1;
    for (int i = 0; i < 4; i++) {
        t->array_dim[i] = (int32_t)board[i];
        t->bytes *= (size_t)board[i];
    }
    return SGS_OK;
}

sgs_status sgs_to_input_format(const sgs_io_info *t, const void *picture, size_t bytes, void *array, sgs_diag *d)
{
    sgs_input_config in;
    int64_t dim[8];
    SGS_TRY(sgs_input_config_of(t, &in, d));
    dims_of(t, dim);
    const size_t want = sgs_format_raw(in.input) ? t->bytes : (size_t)sgs_io_count(t);
    if (bytes != want)
        return sgs_fail(d, SGS_E_DATA, "input '%s': expected a picture of %zu bytes, found %zu", t->name, want, bytes);
    if (!sgs_format_raw(in.input))
        sgs_to_board(&in, dim, picture, array);
    else if (bytes)
        memcpy(array, picture, bytes);
    return SGS_OK;
}
