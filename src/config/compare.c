/* An ini against the settings a model was made with. */
#include <stdio.h>
#include <string.h>

#include "config/config.h"

static sgs_status differ(const sgs_config *ini, sgs_config_key key, const char *name, const char *model,
                         const char *here, sgs_diag *d)
{
    sgs_status s = sgs_config_fail(ini, key, SGS_E_CONFIG, d,
                                   "expected %s for '%.200s', as the model was converted, found %s", model, name, here);
    sgs_hint(d, "convert the model again with this ini, or use the one it was converted with");
    return s;
}

static const char *layout_name(bool nchw)
{
    return nchw ? "NCHW" : "NHWC";
}

/* "'a', 'b', ..." */
static const char *names(const sgs_config *c, bool outputs)
{
    const int n = outputs ? c->nout : c->nin;
    sgs_buf b = { 0 };
    for (int i = 0; i < n && b.n < 300; i++)
        sgs_buf_printf(&b, "%s'%.100s'", i ? ", " : "", outputs ? c->out[i].name : c->in[i].name);
    if (b.n >= 300)
        sgs_buf_printf(&b, ", ...");
    const char *text = sgs_strdup(c->arena, b.p ? b.p : "");
    sgs_buf_free(&b);
    return text;
}

static sgs_status compare_names(const sgs_config *ini, const sgs_config *model, bool outputs, sgs_diag *d)
{
    const int n = outputs ? ini->nout : ini->nin;
    bool same = n == (outputs ? model->nout : model->nin);
    for (int i = 0; i < n && same; i++)
        same = !strcmp(outputs ? ini->out[i].name : ini->in[i].name, outputs ? model->out[i].name : model->in[i].name);
    if (same)
        return SGS_OK;
    sgs_status s = sgs_config_fail(ini, outputs ? SGS_KEY_OUTPUTS : SGS_KEY_INPUTS, SGS_E_CONFIG, d,
                                   "expected %s, as the model was converted, found %s", names(model, outputs),
                                   names(ini, outputs));
    sgs_hint(d, "convert the model again with this ini, or use the one it was converted with");
    return s;
}

static sgs_status compare_alignment(const sgs_config *ini, sgs_config_key key, const char *name, int want, int found,
                                    sgs_diag *d)
{
    char texts[2][16];
    snprintf(texts[0], sizeof texts[0], "%d", want);
    snprintf(texts[1], sizeof texts[1], "%d", found);
    return want == found ? SGS_OK : differ(ini, key, name, texts[0], texts[1], d);
}

static sgs_status compare_input(const sgs_config *ini, const sgs_input_config *a, const sgs_input_config *b,
                                sgs_diag *d)
{
    if (a->training != b->training)
        return differ(ini, SGS_KEY_TRAINING, a->name, sgs_format_name(b->training), sgs_format_name(a->training), d);
    if (a->input != b->input)
        return differ(ini, SGS_KEY_FORMATS, a->name, sgs_format_name(b->input), sgs_format_name(a->input), d);
    if (a->nchw != b->nchw)
        return differ(ini, SGS_KEY_LAYOUTS, a->name, layout_name(b->nchw), layout_name(a->nchw), d);
    if (sgs_format_raw(a->input))
        return SGS_OK;
    SGS_TRY(compare_alignment(ini, SGS_KEY_WIDTH, a->name, b->width_align, a->width_align, d));
    return compare_alignment(ini, SGS_KEY_HEIGHT, a->name, b->height_align, a->height_align, d);
}

sgs_status sgs_config_compare(const sgs_config *ini, const sgs_config *model, sgs_diag *d)
{
    SGS_TRY(compare_names(ini, model, false, d));
    SGS_TRY(compare_names(ini, model, true, d));
    for (int i = 0; i < ini->nin; i++)
        SGS_TRY(compare_input(ini, &ini->in[i], &model->in[i], d));
    for (int i = 0; i < ini->nout; i++)
        if (ini->out[i].nchw != model->out[i].nchw)
            return differ(ini, SGS_KEY_OUTPUT_LAYOUTS, ini->out[i].name, layout_name(model->out[i].nchw),
                          layout_name(ini->out[i].nchw), d);
    return SGS_OK;
}
