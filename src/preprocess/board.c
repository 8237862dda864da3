/* The script returns training_input_formats, a board gives input_formats. */
#include "preprocess/preprocess.h"

static bool is_bgr(sgs_data_format f)
{
    return f == SGS_FMT_BGR || f == SGS_FMT_BGRA;
}

bool sgs_channels_reversed(sgs_data_format training, sgs_data_format input)
{
    return !sgs_format_raw(training) && training != SGS_FMT_GRAY && is_bgr(training) != is_bgr(input);
}

void sgs_to_board(sgs_data_format training, sgs_data_format input, bool nchw, const sgs_want *w, void *data)
{
    if (!sgs_channels_reversed(training, input) || w->type != SGS_U8 || w->rank != 4)
        return;
    const int64_t plane = nchw ? w->dim[2] * w->dim[3] : 1;
    const int64_t pixels = w->dim[0] * (nchw ? plane : w->dim[1] * w->dim[2]);
    uint8_t *p = data;
    for (int64_t i = 0; i < pixels; i++) {
        uint8_t *first = p + i / plane * 3 * plane + i % plane, *last = first + 2 * plane;
        const uint8_t keep = *first;
        *first = *last;
        *last = keep;
    }
}
