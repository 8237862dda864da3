#include "quant/mode.h"

#include <string.h>

#include "base/log.h"
#include "config/quant_config.h"

#define DEFAULT_LEVEL 5
#define DEFAULT_ITERATIONS 40

/* ---- levels ----------------------------------------------------------------------------------------------------- */

sgs_status sgs_level_find(const char *quant_level, const sgs_log *log, sgs_mode *mode, sgs_diag *d)
{
    static const char *const names[] = { NULL, "L1", "L2", "L3", "L4", "L5" };
    const char *l = quant_level ? quant_level : names[DEFAULT_LEVEL];
    if ((l[0] != 'L' && l[0] != 'l') || l[1] < '1' || l[1] > '5' || l[2])
        return sgs_fail(d, SGS_E_USAGE, "expected --quant_level L1 to L5, found '%s'", l);
    *mode = (sgs_mode){ .name = names[l[1] - '0'], .level = l[1] - '0' };
    if (!quant_level)
        sgs_log_line(log, "no --quant_level: %s", mode->name);
    return SGS_OK;
}

/* ---- modes ------------------------------------------------------------------------------------------------------ */

static const struct row {
    const char *alias;
    sgs_mode mode;
} rows[] = {
    { NULL, { "Q10", 2, SGS_BITS_16, 8, 0, 0 } },      { "Q1", { "Q11", 2, SGS_BITS_8, 8, 0, 0 } },
    { NULL, { "Q12", 5, SGS_BITS_WEIGHED, 8, 0, 0 } }, { NULL, { "Q13", 4, SGS_BITS_MIXED, 8, 0, 0 } },
    { NULL, { "Q20", 5, SGS_BITS_16, 8, 0, 0 } },      { NULL, { "Q21", 5, SGS_BITS_8, 8, 0, 0 } },
    { "Q2", { "Q22", 5, SGS_BITS_WEIGHED, 8, 0, 0 } }, { NULL, { "Q23", 5, SGS_BITS_MIXED, 8, 0, 0 } },
};

static const struct row *row_of(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(name, rows[i].mode.name) || (rows[i].alias && !strcmp(name, rows[i].alias)))
            return &rows[i];
    return NULL;
}

static sgs_status at(const sgs_quant_config *q, int line, sgs_diag *d)
{
    return sgs_fail_at(d, q->file, line, NULL);
}

/* ---- what the configuration says -------------------------------------------------------------------------------- */

static sgs_status check_device(const sgs_quant_config *q, const sgs_log *log, sgs_diag *d)
{
    if (!q->device_line)
        sgs_log_line(log, "no device: this build has no CUDA, the CPU computes");
    if (!q->device_line || !strcmp(q->device, "cpu"))
        return SGS_OK;
    sgs_fail(d, SGS_E_CONFIG, "device: this build has no CUDA, found '%s'", q->device);
    sgs_hint(d, "write 'cpu' or leave device out");
    return at(q, q->device_line, d);
}

/* The manual's table says 8/16 where its text says [4, 8] for Q13. */
static void choose_pair(const sgs_quant_config *q, const sgs_mode *mode, int pair[2], const sgs_log *log)
{
    pair[0] = q->mixed_line ? q->mixed[0] : 8;
    pair[1] = q->mixed_line ? q->mixed[1] : 16;
    if (!q->mixed_line)
        sgs_log_line(log, "no mixed_precisions: [8, 16]%s",
                     strcmp(mode->name, "Q13")
                         ? ""
                         : ", as the manual's table of modes says; its text about the key says [4, 8]");
}

static bool is_rate(double rate, const int pair[2])
{
    return pair[0] == 4 ? rate >= 0.25 && rate < 0.5 : rate >= 0.5 && rate <= 1;
}

static const char *rates(const int pair[2])
{
    return pair[0] == 4 ? "in [0.25, 0.5) for [4, 8]" : "in [0.5, 1] for [8, 16]";
}

static sgs_status fit_mixed(const sgs_quant_config *q, sgs_mode *mode, const sgs_log *log, sgs_diag *d)
{
    int pair[2];
    choose_pair(q, mode, pair, log);
    if (q->rate_line && !is_rate(q->mp_rate, pair)) {
        sgs_fail(d, SGS_E_CONFIG, "mp_rate: expected a number %s, found %g", rates(pair), q->mp_rate);
        return at(q, q->rate_line, d);
    }
    mode->narrow = pair[0];
    mode->rate = q->rate_line ? q->mp_rate : 0;
    return SGS_OK;
}

/* Other modes have no use for a mixture, which the manual says; a rate that no mode would take is worth a word. */
static void say_unused(const sgs_quant_config *q, const sgs_mode *mode, const sgs_log *log)
{
    const int *pair = q->mixed_line ? q->mixed : (const int[2]){ 8, 16 };
    if (q->rate_line && !is_rate(q->mp_rate, pair))
        sgs_log_warning(log, "%s:%d: mp_rate %g is not %s, as Q13 and Q23 want it; %s does not read it", q->file,
                        q->rate_line, q->mp_rate, rates(pair), mode->name);
    else if (q->rate_line || q->mixed_line)
        sgs_log_line(log, "mixed_precisions and mp_rate are for Q13 and Q23; %s does not read them", mode->name);
}

/* Q20 to Q23 learn weights of 8 and 4 bits. */
static void fit_iterations(const sgs_quant_config *q, sgs_mode *mode, const sgs_log *log)
{
    if (mode->name[1] != '2') {
        if (q->retrain_line)
            sgs_log_line(log, "retrain_iter_num is for Q20 to Q23; %s does not read it", mode->name);
        return;
    }
    mode->iterations = q->retrain_line ? q->retrain_iter_num : DEFAULT_ITERATIONS;
    if (!q->retrain_line)
        sgs_log_line(log, "no retrain_iter_num: %d", DEFAULT_ITERATIONS);
}

sgs_status sgs_mode_find(const char *q_mode, const sgs_quant_config *q, const sgs_log *log, sgs_mode *mode, sgs_diag *d)
{
    const struct row *row = row_of(q_mode);
    if (!row)
        return sgs_fail(d, SGS_E_USAGE, "expected -q Q1, Q10 to Q13, Q2 or Q20 to Q23, found '%s'", q_mode);
    *mode = row->mode;
    if (strcmp(q_mode, mode->name))
        sgs_log_line(log, "-q %s: %s", q_mode, mode->name);
    SGS_TRY(check_device(q, log, d));
    if (mode->bits == SGS_BITS_MIXED)
        SGS_TRY(fit_mixed(q, mode, log, d));
    else
        say_unused(q, mode, log);
    if (q->preset_line && !q->use_preset)
        sgs_log_line(log, "PRESET_MIN_MAX_BIT is not used: use_preset_min_max_bit is not 1");
    fit_iterations(q, mode, log);
    return SGS_OK;
}
