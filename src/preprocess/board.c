/* The script returns training_input_formats, a board gives input_formats: sizes, and pixels from one to the other. */
#include <stdlib.h>
#include <string.h>

#include "preprocess/preprocess.h"

static bool is_bgr(sgs_data_format f)
{
    return f == SGS_FMT_BGR || f == SGS_FMT_BGRA;
}

static bool has_four(sgs_data_format f)
{
    return f == SGS_FMT_RGBA || f == SGS_FMT_BGRA;
}

bool sgs_channels_reversed(sgs_data_format training, sgs_data_format input)
{
    return !sgs_format_raw(training) && training != SGS_FMT_GRAY && is_bgr(training) != is_bgr(input);
}

/* ---- sizes ----------------------------------------------------------------------------------------------------- */

bool sgs_board_framed(const sgs_input_config *in)
{
    const bool own = has_four(in->input) || in->input == SGS_FMT_NV12;
    return !sgs_format_raw(in->input) && (own || in->width_align > 1 || in->height_align > 1);
}

static int64_t aligned(int64_t v, int to)
{
    return (v + to - 1) / to * to;
}

typedef struct sizes {
    int64_t n, h, w, c; /* of the picture */
    int64_t rows, row;  /* of the board: rows of pixels, pixels of a row */
} sizes;

static sizes sizes_of(const sgs_input_config *in, const int64_t dim[4])
{
    const int first = in->nchw;
    sizes s = { dim[0], dim[1 + first], dim[2 + first], dim[first ? 1 : 3], 0, 0 };
    s.rows = aligned(s.h, in->height_align);
    s.row = aligned(s.w, in->width_align);
    return s;
}

bool sgs_board_dims(const sgs_input_config *in, const int64_t dim[4], int64_t board[4])
{
    const sizes s = sizes_of(in, dim);
    const int64_t planes[4] = { s.n, s.c, s.rows, s.row }, pixels[4] = { s.n, s.rows, s.row, has_four(in->input) ? 4 : s.c },
                  nv12[4] = { s.n, s.rows / 2 * 3, s.row, 1 };
    memcpy(board, in->input == SGS_FMT_NV12 ? nv12 : in->nchw ? planes : pixels, sizeof pixels);
    int64_t bytes = 1;
    for (int i = 0; i < 4; i++)
        if (!sgs_mul64(bytes, board[i], &bytes) || bytes > INT32_MAX)
            return false;
    return true;
}

sgs_status sgs_board_check(const sgs_config *c, int input, const int64_t dim[4], sgs_diag *d)
{
    const sgs_input_config *in = &c->in[input];
    int64_t board[4];
    if (sgs_board_dims(in, dim, board))
        return SGS_OK;
    return sgs_config_fail(c, SGS_KEY_WIDTH, SGS_E_LIMIT, d, "'%.200s' has 2 GiB or more with an alignment of %d x %d",
                           in->name, in->height_align, in->width_align);
}

/* ---- a fixed-point graph's picture ----------------------------------------------------------------------------- */

/* What the first node that reads v makes of it. */
static sgs_value *behind(const sgs_graph *g, const sgs_value *v)
{
    for (const sgs_node *n = g->first; n; n = n->next)
        if (n->nin == 1 && n->in[0] == v)
            return n->out[0];
    return NULL;
}

sgs_status sgs_board_picture(sgs_graph *g, int input, const sgs_input_config *in, const sgs_value **picture,
                             sgs_diag *d)
{
    const sgs_value *v = g->in[input];
    int64_t board[4];
    *picture = v;
    if (!sgs_board_framed(in))
        return SGS_OK;
    const sgs_value *p = behind(g, v);
    if (p && in->nchw && in->input == SGS_FMT_NV12)
        p = behind(g, p);
    *picture = p;
    if (p && p->rank == 4 && v->rank == 4 && v->type == SGS_U8 &&
        p->dim[in->nchw ? 1 : 3] == sgs_format_channels(in->training) && sgs_board_dims(in, p->dim, board) &&
        !memcmp(board, v->dim, sizeof board))
        return SGS_OK;
    return sgs_fail(d, SGS_E_MODEL, "input '%s' is not as large as its configuration says: %s, alignment %d x %d",
                    sgs_value_label(g, v), sgs_format_name(in->input), in->height_align, in->width_align);
}

/* ---- pixels ---------------------------------------------------------------------------------------------------- */

/* Where channel c of pixel y, x of a picture lies, from its first byte on. */
static int64_t place(const sizes *s, bool nchw, int64_t y, int64_t x, int64_t c)
{
    return nchw ? (c * s->h + y) * s->w + x : (y * s->w + x) * s->c + c;
}

static void put_pixels(const sgs_input_config *in, const sizes *s, const uint8_t *from, uint8_t *to)
{
    const bool swap = sgs_channels_reversed(in->training, in->input);
    const int64_t each = has_four(in->input) ? 4 : s->c;
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t y = 0; y < s->h; y++)
            for (int64_t x = 0; x < s->w; x++)
                to[in->nchw ? (c * s->rows + y) * s->row + x : (y * s->row + x) * each + c] =
                    from[place(s, in->nchw, y, x, swap ? s->c - 1 - c : c)];
}

/* ---- YUV_NV12: ARITHMETIC.md 24 -------------------------------------------------------------------------------- */

static void read_colour(const sgs_input_config *in, const sizes *s, const uint8_t *from, int64_t y, int64_t x,
                        int32_t rgb[3])
{
    for (int c = 0; c < 3; c++)
        rgb[c] = from[place(s, in->nchw, y, x, is_bgr(in->training) ? 2 - c : c)];
}

static void put_brightness(const sgs_input_config *in, const sizes *s, const uint8_t *from, uint8_t *to)
{
    int32_t k[3];
    for (int64_t y = 0; y < s->h; y++)
        for (int64_t x = 0; x < s->w; x++) {
            uint8_t *out = to + y * s->row + x;
            if (s->c == 1) {
                *out = from[y * s->w + x];
                continue;
            }
            read_colour(in, s, from, y, x, k);
            *out = (uint8_t)((218 * k[0] + 732 * k[1] + 74 * k[2] + 512) >> 10);
        }
}

/* Of two by two pixels, the last ones again where there are no more. */
static void put_colour(const sgs_input_config *in, const sizes *s, const uint8_t *from, int64_t y, int64_t x,
                       uint8_t uv[2])
{
    int32_t sum[3] = { 0 }, k[3];
    for (int i = 0; i < 4; i++) {
        const int64_t row = y + i / 2 < s->h ? y + i / 2 : y, column = x + i % 2 < s->w ? x + i % 2 : x;
        read_colour(in, s, from, row, column, k);
        for (int c = 0; c < 3; c++)
            sum[c] += k[c];
    }
    const int32_t half = (128 << 12) + (1 << 11), u = (half - 117 * sum[0] - 395 * sum[1] + 512 * sum[2]) >> 12,
                  v = (half + 512 * sum[0] - 465 * sum[1] - 47 * sum[2]) >> 12;
    uv[0] = (uint8_t)(u > 255 ? 255 : u);
    uv[1] = (uint8_t)(v > 255 ? 255 : v);
}

static void put_nv12(const sgs_input_config *in, const sizes *s, const uint8_t *from, uint8_t *to)
{
    put_brightness(in, s, from, to);
    to += s->rows * s->row;
    for (int64_t y = 0; y < s->h; y += 2)
        for (int64_t x = 0; x < s->w; x += 2) {
            uint8_t *uv = to + y / 2 * s->row + x;
            if (s->c == 1)
                uv[0] = uv[1] = 128;
            else
                put_colour(in, s, from, y, x, uv);
        }
}

void sgs_to_board(const sgs_input_config *in, const int64_t dim[4], const void *picture, void *board)
{
    const sizes s = sizes_of(in, dim);
    int64_t all[4], bytes;
    sgs_board_dims(in, dim, all);
    bytes = all[1] * all[2] * all[3];
    memset(board, 0, (size_t)(s.n * bytes));
    for (int64_t i = 0; i < s.n; i++) {
        const uint8_t *from = (const uint8_t *)picture + i * s.c * s.h * s.w;
        uint8_t *to = (uint8_t *)board + i * bytes;
        if (in->input == SGS_FMT_NV12)
            put_nv12(in, &s, from, to);
        else
            put_pixels(in, &s, from, to);
    }
}

sgs_status sgs_samples_board(const sgs_samples *s, int input, const sgs_array *a, const sgs_input_config *in,
                             const sgs_want *want, void *out, sgs_diag *d)
{
    if (sgs_format_raw(in->input))
        return sgs_samples_take(s, input, a, want, out, d);
    size_t bytes = 1;
    for (int i = 0; i < want->rank; i++)
        bytes *= (size_t)want->dim[i];
    void *picture = malloc(bytes + 1);
    if (!picture)
        return sgs_fail(d, SGS_E_LIMIT, "no memory for a picture of %zu bytes", bytes);
    const sgs_status status = sgs_samples_take(s, input, a, want, picture, d);
    if (status == SGS_OK)
        sgs_to_board(in, want->dim, picture, out);
    free(picture);
    return status;
}
