/* The ini as the importer wants it. */
#include "config/config.h"
#include "import/model.h"

sgs_import_options sgs_import_options_from(const sgs_config *c)
{
    const char **in = SGS_NEW_N(c->arena, const char *, c->nin), **out = SGS_NEW_N(c->arena, const char *, c->nout);
    bool *in_nchw = SGS_NEW_N(c->arena, bool, c->nin), *out_nchw = SGS_NEW_N(c->arena, bool, c->nout);
    int *channels = SGS_NEW_N(c->arena, int, c->nin);
    for (int i = 0; i < c->nin; i++) {
        in[i] = c->in[i].name;
        in_nchw[i] = c->in[i].nchw;
        channels[i] = sgs_format_channels(c->in[i].training);
    }
    for (int i = 0; i < c->nout; i++) {
        out[i] = c->out[i].name;
        out_nchw[i] = c->out[i].nchw;
    }
    return (sgs_import_options){ .input_name = in,
                               .ninput = c->nin,
                               .input_nchw = in_nchw,
                               .input_channels = channels,
                               .output_name = out,
                               .noutput = c->nout,
                               .output_nchw = out_nchw,
                               .ini = c->file,
                               .inputs_line = sgs_config_line(c, SGS_KEY_INPUTS),
                               .outputs_line = sgs_config_line(c, SGS_KEY_OUTPUTS) };
}
