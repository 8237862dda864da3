#include "quant/model.h"

#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "import/sim.h"
#include "pass/pass.h"
#include "sim/session.h"

#define BITS_LEVEL 2 /* from here on a level chooses between 8 and 16 bits itself */

bool sgs_mode_weighs(const sgs_mode *mode, const sgs_config *c, const sgs_log *log)
{
    const bool clips = mode->level >= SGS_CLIP_LEVEL;
    if (mode->level < BITS_LEVEL)
        return false;
    if (c->conv_format == SGS_CONV_DEFAULT)
        return mode->bits == SGS_BITS_WEIGHED || mode->bits == SGS_BITS_MIXED || (mode->bits == SGS_BITS_8 && clips);
    sgs_log_warning(log, "input_format=%s takes the place of %s's own choice of 8 or 16 bits",
                    sgs_conv_format_name(c->conv_format), mode->name);
    return clips && c->conv_format != SGS_CONV_ALL_INT16;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

const char *sgs_fixed_path(sgs_arena *a, const char *model, const char *out)
{
    const char *base = base_name(model);
    struct stat st;
    bool folder = out && *out && stat(out, &st) == 0 && S_ISDIR(st.st_mode);
    if (out && *out && !folder)
        return out;
    size_t cut = ends_with(base, "_float.sim") ? 10 : ends_with(base, ".sim") ? 4 : 0;
    const char *stem = sgs_strndup(a, base, strlen(base) - cut);
    if (folder)
        return sgs_format(a, "%s%s%s_fixed.sim", out, out[strlen(out) - 1] == '/' ? "" : "/", stem);
    return sgs_format(a, "%.*s%s_fixed.sim", (int)(base - model), model, stem);
}

sgs_status sgs_float_model_check(const sgs_graph *g, const char *path, const sgs_config *ini, sgs_diag *d)
{
    const sgs_meta *meta = sgs_meta_get(g, "sgs.config");
    if (sgs_meta_get(g, "sgs.fixed")) {
        sgs_fail(d, SGS_E_USAGE, "expected a float model, found a fixed-point one");
        return sgs_fail_at(d, path, 0, NULL);
    }
    if (!meta) {
        sgs_fail(d, SGS_E_FORMAT, "the model carries no configuration: it was not written by ConvertTool");
        return sgs_fail_at(d, path, 0, NULL);
    }
    sgs_config *m;
    SGS_TRY(sgs_config_parse(&m, path, meta->data, d));
    const sgs_status s = sgs_config_compare(ini, m, d);
    sgs_config_free(m);
    return s;
}

sgs_status sgs_float_model_read(sgs_graph **g, const char *path, sgs_diag *d)
{
    SGS_TRY(sgs_sim_read(g, path, d));
    const sgs_status s = sgs_spell_out(*g, d);
    if (s == SGS_OK)
        return s;
    sgs_graph_free(*g);
    *g = NULL;
    return s;
}

sgs_status sgs_float_model_read_with(sgs_graph **g, const char *path, const sgs_qoptions *o, sgs_diag *d)
{
    SGS_TRY(sgs_float_model_read(g, path, d));
    const sgs_status s = sgs_import_data(*g, o, d);
    if (s == SGS_OK)
        return s;
    sgs_graph_free(*g);
    *g = NULL;
    return s;
}

sgs_status sgs_float_model_plan(const char *path, const sgs_qoptions *o, sgs_diag *d)
{
    sgs_graph *g;
    SGS_TRY(sgs_float_model_read(&g, path, d));
    const sgs_status s = sgs_quantize_check(g, o, d);
    sgs_graph_free(g);
    return s;
}

void sgs_fixed_mark(sgs_graph *g, const sgs_config *ini, const sgs_mode *mode, const uint8_t list[32])
{
    sgs_buf b = { 0 };
    sgs_buf_printf(&b, "level %s\nevaluator %s\n", mode->name, sgs_session_identity());
    sgs_meta_set(g, "sgs.fixed", b.p, b.n);
    b.n = 0;
    sgs_config_print(ini, &b);
    sgs_meta_set(g, "sgs.config", b.p, b.n);
    b.n = 0;
    const sgs_meta *origin = sgs_meta_get(g, "sgs.provenance");
    if (origin)
        sgs_buf_add(&b, origin->data.p, origin->data.n);
    sgs_buf_printf(&b, "calibration ");
    for (int i = 0; i < 32; i++)
        sgs_buf_printf(&b, "%02x", list[i]);
    sgs_buf_printf(&b, "\n");
    sgs_meta_set(g, "sgs.provenance", b.p, b.n);
    sgs_buf_free(&b);
}
