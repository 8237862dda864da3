/* The ini as the quantizer wants it. */
#include "config/config.h"
#include "preprocess/preprocess.h"
#include "quant/quantize.h"

static sgs_type raw_type(sgs_data_format f)
{
    return f == SGS_FMT_RAW_U8    ? SGS_U8
           : f == SGS_FMT_RAW_S16 ? SGS_S16
           : f == SGS_FMT_RAW_U16 ? SGS_U16
                                  : SGS_F32;
}

static bool is_bgr(sgs_data_format f)
{
    return f == SGS_FMT_BGR || f == SGS_FMT_BGRA;
}

/* mean and std of the ini are R, G, B; the network's channel 0 is blue when it was trained on BGR.  What the model
 * takes as integers has no scale. */
static sgs_qinput describe_input(const sgs_input_config *in, const sgs_value *v)
{
    sgs_qinput q = { .image = !sgs_format_raw(in->training),
                     .type = raw_type(in->input),
                     .scaled = in->quantize && v->type == SGS_F32,
                     .swap = sgs_channels_reversed(in->training, in->input),
                     .channel_axis = in->nchw ? 1 : 3 };
    for (int k = 0; k < 3 && q.image; k++) {
        const int from = is_bgr(in->training) ? 2 - k : k;
        q.mean[k] = in->mean[in->nmean == 3 ? from : 0];
        q.std[k] = in->std[in->nstd == 3 ? from : 0];
    }
    return q;
}

sgs_qoptions sgs_qoptions_from(const sgs_config *c, sgs_graph *g)
{
    sgs_qinput *in = SGS_NEW_N(g->arena, sgs_qinput, c->nin + 1);
    sgs_qoutput *out = SGS_NEW_N(g->arena, sgs_qoutput, c->nout + 1);
    for (int k = 0; k < c->nin; k++)
        in[k] = describe_input(&c->in[k], g->in[k]);
    for (int k = 0; k < c->nout; k++)
        out[k] = (sgs_qoutput){ raw_type(c->out[k].format), c->out[k].dequantize };
    return (sgs_qoptions){ .in = in,
                           .out = out,
                           .conv_format = (int)c->conv_format,
                           .tensor_arrays = c->tensor_arrays,
                           .ntensor_arrays = c->ntensor_arrays,
                           .ini = c->file,
                           .tensor_arrays_line = sgs_config_line(c, SGS_KEY_TENSOR_ARRAYS) };
}
