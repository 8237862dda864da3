/* Inputs as a board gives them: the last thing that happens to a fixed-point graph. */
#include <string.h>

#include "preprocess/preprocess.h"
#include "quant/model.h"

/* A node that makes y of x, in front of all others. */
static void put_first(sgs_graph *g, const sgs_op *op, sgs_value *x, sgs_value *y, const void *attr)
{
    sgs_node *n = sgs_node_new(g, g->first, op, 1, &x, attr);
    sgs_node_set_out(g, n, 1, &y);
}

/* The picture is the first of the board's rows, pixels, channels. */
static void cut_out(sgs_graph *g, sgs_value *board, sgs_value *picture)
{
    sgs_slice_attr a = { .n = 4 };
    for (int i = 0; i < 4; i++) {
        a.size[i] = picture->dim[i];
        a.step[i] = 1;
    }
    put_first(g, &sgs_op_slice, board, picture, &a);
}

/* Of brightness and colours, or of brightness alone, what the network sees. */
static void decode(sgs_graph *g, const sgs_input_config *in, sgs_value *board, sgs_value *picture)
{
    static const sgs_perm_attr to_planes = { 4, { 0, 3, 1, 2 } };
    sgs_value *pixels = picture;
    if (in->nchw) {
        const int64_t dim[4] = { picture->dim[0], picture->dim[2], picture->dim[3], picture->dim[1] };
        pixels = sgs_value_new(g, SGS_U8, 4, dim);
        pixels->quant = sgs_quant_new(g, picture->quant->n > 1 ? 3 : -1, picture->quant->n);
        memcpy(pixels->quant->scale, picture->quant->scale, (size_t)picture->quant->n * sizeof *picture->quant->scale);
        memcpy(pixels->quant->zero, picture->quant->zero, (size_t)picture->quant->n * sizeof *picture->quant->zero);
        put_first(g, &sgs_op_transpose, pixels, picture, &to_planes);
    }
    const sgs_nv12_attr a = { { pixels->dim[1], pixels->dim[2] } };
    if (pixels->dim[3] == 1)
        cut_out(g, board, pixels);
    else
        put_first(g, &sgs_op_nv12, board, pixels, &a);
}

sgs_status sgs_frame_images(sgs_graph *g, const sgs_config *ini, sgs_diag *d)
{
    for (int i = 0; i < ini->nin; i++) {
        const sgs_input_config *in = &ini->in[i];
        sgs_value *board = g->in[i];
        if (!sgs_board_framed(in))
            continue;
        sgs_value *picture = sgs_value_like(g, board);
        picture->quant = board->quant;
        SGS_TRY(sgs_board_check(ini, i, picture->dim, d));
        sgs_board_dims(in, picture->dim, board->dim);
        board->quant = NULL;
        sgs_replace_uses(g, board, picture);
        if (in->input == SGS_FMT_NV12)
            decode(g, in, board, picture);
        else
            cut_out(g, board, picture);
    }
    return SGS_OK;
}
