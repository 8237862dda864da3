/* Levels as recipes.  L1 and L2 have one each.  L3 has clips where they surely help.  L4 and L5 begin with that and try
 * more: a recipe is kept when it is better on samples of the calibration, in fixed point as a board runs it. */
#include "quant/refine.h"

#include "base/log.h"

#define LARGE 1e10 /* multiplications: larger networks are spared what needs many trials */

typedef struct search {
    const sgs_making *m;
    sgs_arena *a;
    sgs_trials *t;
    sgs_recipe best;
    sgs_noise *noise; /* of best */
    double last;      /* dB of the last trial */
} search;

/* ---- L1 to L3 ---- */

static sgs_recipe first_recipe(const sgs_making *m)
{
    const bool chooses = m->ini->conv_format == SGS_CONV_DEFAULT;
    return (sgs_recipe){ .search = m->level >= 2, .correct = m->level >= 2, .harm = chooses ? m->weighed.harm : NULL };
}

static bool has_clips(const sgs_making *m)
{
    for (int i = 0; i < m->g->nvalue && m->weighed.clip; i++)
        if (m->weighed.clip[i].cuts)
            return true;
    return false;
}

static const sgs_log silent; /* of models that are only looked at */

/* Makes the model of a recipe and looks at it. */
static sgs_status look(search *s, const sgs_recipe *recipe, const char *what, sgs_judges who, sgs_noise **noise,
                       sgs_diag *d)
{
    sgs_graph *fixed;
    SGS_TRY(sgs_make_by(&fixed, s->m, recipe, &silent, d));
    const sgs_status status = sgs_trial_measure(s->t, what, fixed, who, noise, d);
    sgs_graph_free(fixed);
    return status;
}

/* L3's choice: two models, with clips and without. */
static void try_clips(search *s)
{
    sgs_noise *with = NULL, *without = NULL;
    sgs_diag d = { 0 };
    sgs_recipe r = s->best;
    r.clip = s->m->weighed.clip;
    if (look(s, &r, "try clips", SGS_ALL_JUDGE, &with, &d) != SGS_OK ||
        look(s, &s->best, "try clips", SGS_ALL_JUDGE, &without, &d) != SGS_OK) {
        sgs_log_line(s->m->log, "8 bits that end before the largest numbers: not tried (%s)", d.text);
        return;
    }
    const bool better = sgs_noise_surely_less(with, without);
    sgs_log_line(s->m->log,
                 "8 bits that end before the largest numbers: %.1f dB instead of %.1f dB on %d of the samples%s",
                 sgs_noise_output_db(with), sgs_noise_output_db(without), sgs_noise_samples(with),
                 better ? "" : ", which is not clear enough: ranges stay whole");
    if (better)
        s->best = r;
}

/* ---- one trial ---- */

#define LEAST_GAIN 0.05 /* dB: less is chance */
/* Of scales for single channels: the ranges know the samples that judge, so that these cannot show what it costs when
 * others reach farther, which a channel's scale has less room for than a tensor's. */
#define SCALES_GAIN 3.0

static double least_gain(const search *s, const sgs_recipe *r)
{
    return r->equalize && !s->best.equalize ? SCALES_GAIN : LEAST_GAIN;
}

/* Whether `recipe` is better than the best, which it then is; one that cannot be made or run is not. */
static bool attempt(search *s, sgs_recipe recipe, const char *what)
{
    sgs_diag d = { 0 };
    sgs_noise *noise = NULL;
    if (look(s, &recipe, what, SGS_OTHERS_JUDGE, &noise, &d) != SGS_OK) {
        sgs_log_line(s->m->log, "  %s: not tried (%s)", what, d.text);
        return false;
    }
    s->last = sgs_noise_db(noise);
    const bool better = !s->noise || sgs_noise_better(noise, s->noise, least_gain(s, &recipe));
    sgs_log_line(s->m->log, "  %s: %.2f dB%s", what, s->last, better ? "" : ", not kept");
    if (!better)
        return false;
    s->best = recipe;
    s->noise = noise;
    return true;
}

/* The recipe with biases in sequence, where the network is small enough for them. */
static bool attempt_in_sequence(search *s, sgs_recipe recipe, const char *what)
{
    sgs_graph *fixed;
    sgs_diag d = { 0 };
    recipe.correct = true;
    recipe.given = NULL;
    sgs_status status = sgs_make_by(&fixed, s->m, &recipe, &silent, &d);
    if (status == SGS_OK)
        status = sgs_means_given(s->t, fixed, &recipe.given, s->a, &d);
    sgs_graph_free(fixed);
    if (status == SGS_OK)
        return attempt(s, recipe, what);
    sgs_log_line(s->m->log, "  %s: not tried (%s)", what, d.text);
    return false;
}

/* ---- L4 ---- */

static void try_fast(search *s)
{
    sgs_recipe r = s->best;
    r.even = true;
    attempt(s, r, "scales for each channel of 16 bits");
    r = s->best, r.even = r.equalize = true;
    attempt(s, r, "scales for each channel");
    r = s->best, r.weigh = true;
    attempt(s, r, "errors of weights weighed by what they meet");
    r = s->best, r.search = r.weigh = false;
    attempt(s, r, "the largest weights");
    r = s->best, r.correct = false;
    attempt(s, r, "no corrected biases");
}

/* ---- L5 ---- */

#define STRICTEST 64
#define STRICTER 1.5 /* from one round to the next */
#define MOST_SAME 3
/* dB: what a network that decides is to reach, and one whose numbers are used; 5 and 1 more than what bits.c estimates
 * by */
#define DECISION 30.0
#define NUMBERS 36.0

static double target(const sgs_graph *g)
{
    return sgs_gives_numbers(g) ? NUMBERS : DECISION;
}

/* With weights rounded one after the other where that is possible. */
static void round_in_turn(search *s)
{
    sgs_recipe r = s->best;
    sgs_diag d = { 0 };
    if (sgs_factors_measure(s->t, &r.factor, s->a, &d) != SGS_OK) {
        sgs_log_line(s->m->log, "  weights rounded in turn: not tried (%s)", d.text);
        return;
    }
    r.correct = true;
    attempt(s, r, "weights rounded in turn");
    attempt_in_sequence(s, r, "weights rounded in turn, biases in sequence");
}

static bool is_large(const sgs_graph *g)
{
    double work = 0;
    for (const sgs_node *n = g->first; n; n = n->next)
        work += sgs_is_conv(n) ? sgs_multiplications(n) : 0;
    return work > LARGE;
}

/* Scales for channels go together with what else is done, so they are tried again beside it. */
static void try_slow(search *s)
{
    static const struct {
        int mixture;
        const char *what;
    } scales[] = { { 0, "each tensor's own scales for channels" },
                   { 1, "scales by what channels reach" },
                   { 2, "scales by that and a little by weights" } };
    attempt_in_sequence(s, s->best, "biases in sequence");
    round_in_turn(s);
    if (is_large(s->m->g)) {
        sgs_log_line(s->m->log, "  the network is large: no more is tried");
        return;
    }
    sgs_recipe r = s->best;
    r.even = true;
    if (!s->best.even)
        attempt(s, r, "scales for each channel of 16 bits");
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        r = s->best;
        if (r.equalize && r.mixture == scales[i].mixture)
            continue;
        r.even = r.equalize = true;
        r.mixture = scales[i].mixture;
        attempt_in_sequence(s, r, scales[i].what);
    }
    r = s->best;
    r.weigh = !r.weigh || !r.search;
    r.search = true;
    attempt_in_sequence(s, r,
                        r.weigh ? "errors of weights weighed by what they meet" : "errors of weights not weighed");
}

/* Bits chosen anew, for the noise that this recipe leaves and not that of one scale a tensor.  While the network is
 * below its target each round bears less. */
static void choose_bits_again(search *s)
{
    sgs_recipe r = s->best;
    sgs_graph *fixed;
    sgs_diag d = { 0 };
    r.harm = NULL;
    r.given = NULL;
    if (!s->best.harm || sgs_make_by(&fixed, s->m, &r, &silent, &d) != SGS_OK)
        return;
    const sgs_weigh_options o = { .fixed = fixed, .saving = s->m->saving, .threads = s->m->threads, .log = s->m->log };
    r.harm = sgs_weigh(s->m->statistics, s->m->g, s->m->range, &o).harm;
    sgs_graph_free(fixed);
    const bool in_sequence = s->best.given != NULL;
    int same = 0; /* rounds that changed nothing: all that may be wide is */
    for (r.strict = 1; r.harm && r.strict <= STRICTEST && same < MOST_SAME && sgs_noise_db(s->noise) < target(s->m->g);
         r.strict *= STRICTER) {
        const double before = s->last;
        if (in_sequence)
            attempt_in_sequence(s, r, "bits chosen for it");
        else
            attempt(s, r, "bits chosen for it");
        same = s->last == before ? same + 1 : 0;
    }
}

sgs_recipe sgs_refine(const sgs_making *m, sgs_arena *a)
{
    search s = { .m = m, .a = a, .best = first_recipe(m) };
    sgs_diag d = { 0 };
    const bool clips = has_clips(m);
    if (m->level < 4 && !clips)
        return s.best;
    if (sgs_trials_new(&s.t, m, a, &d) != SGS_OK) {
        sgs_log_warning(m->log, "L%d could try nothing (%s): the model is that of L2", m->level, d.text);
        return s.best;
    }
    if (clips)
        try_clips(&s);
    if (m->level < 4)
        return s.best;
    sgs_log_line(m->log, "SQNR on samples that judge:");
    if (!attempt(&s, s.best, "as L3"))
        return s.best;
    s.best.stretch = sgs_trials_stretch(s.t);
    try_fast(&s);
    if (m->level < 5)
        return s.best;
    try_slow(&s);
    choose_bits_again(&s);
    return s.best;
}
