/* Levels as recipes.  L1 and L2 have one each.  L3 has clips where they surely help.  L4 and L5 begin with that and try
 * more: a recipe is kept when it is better on samples of the calibration, in fixed point as a board runs it.  Modes do
 * what a level does, with another choice of bits. */
#include "quant/refine.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "quant/mixed.h"

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

/* Whether the ini leaves the choice of bits to the mode, and it is this one. */
static bool chooses(const sgs_making *m, sgs_bits bits)
{
    return m->ini->conv_format == SGS_CONV_DEFAULT && m->mode.bits == bits;
}

/* The same bits for every convolution. */
static void give_all(const sgs_making *m, sgs_recipe *r, uint8_t bits, sgs_arena *a)
{
    r->nbits = m->g->nvalue;
    r->narrow = m->mode.narrow;
    r->bits = memset(SGS_NEW_N(a, uint8_t, r->nbits + 1), bits, (size_t)r->nbits);
}

static sgs_recipe first_recipe(const sgs_making *m, sgs_arena *a)
{
    const bool fits = m->mode.level >= 2;
    sgs_recipe r = { .search = fits, .correct = fits, .harm = chooses(m, SGS_BITS_WEIGHED) ? m->weighed.harm : NULL };
    if (chooses(m, SGS_BITS_16))
        give_all(m, &r, 16, a);
    if (chooses(m, SGS_BITS_MIXED) && m->mode.narrow == 4)
        give_all(m, &r, 4, a);
    return r;
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

/* What was learned is better layer by layer, by samples that it was not learned from. */
static bool is_better(const search *s, const sgs_noise *noise, const sgs_recipe *r)
{
    if (!s->noise)
        return true;
    return r->learned ? sgs_noise_nearer(noise, s->noise) : sgs_noise_better(noise, s->noise, least_gain(s, r));
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
    const bool better = is_better(s, noise, &recipe);
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

/* What 8 bits, and weights of 4 where it has them, do to the outputs with that recipe; NULL: nobody can say. */
static const double *weigh_again(const search *s, const sgs_recipe *recipe)
{
    sgs_recipe r = *recipe;
    sgs_graph *fixed;
    sgs_diag d = { 0 };
    r.harm = NULL;
    r.given = NULL;
    if (sgs_make_by(&fixed, s->m, &r, &silent, &d) != SGS_OK)
        return NULL;
    const sgs_weigh_options o = { .fixed = fixed, .saving = s->m->saving, .threads = s->m->threads, .log = s->m->log };
    const double *harm = sgs_weigh(s->m->statistics, s->m->g, s->m->range, &o).harm;
    sgs_graph_free(fixed);
    return harm;
}

/* Bits chosen anew, for the noise that this recipe leaves and not that of one scale a tensor.  While the network is
 * below its target each round bears less. */
static void choose_bits_again(search *s)
{
    sgs_recipe r = s->best;
    if (!s->best.harm)
        return;
    r.harm = weigh_again(s, &s->best);
    r.given = NULL;
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

/* ---- bits for a number of them on the average ---- */

#define RATES 11      /* 0.50, 0.55, ... 1.00, which the manual walks along; of 4 and 8 bits 0.25 to 0.45 */
#define NEAR_BEST 1.0 /* dB below the best of the curve */

static double rate_at(const sgs_mode *mode, int i)
{
    return ((mode->narrow == 4 ? 25 : 50) + 5 * i) / 100.0;
}

static double decibel(double share)
{
    return -10 * log10(fmax(share, 1e-12));
}

static sgs_recipe with_bits(const search *s, const sgs_mixed *x, const double *harm)
{
    sgs_recipe r = s->best;
    r.bits = x->bits;
    r.nbits = s->m->g->nvalue;
    r.narrow = s->m->mode.narrow;
    r.harm = harm;
    r.given = NULL;
    return r;
}

/* dB of such a model; where nothing can be tried, what adding up says. */
static double measure_mixed(search *s, const sgs_mixed *x, const double *harm)
{
    const sgs_recipe r = with_bits(s, x, harm);
    sgs_noise *noise;
    sgs_diag d = { 0 };
    if (!s->t)
        return decibel(x->harm);
    return look(s, &r, "mp_rate", SGS_OTHERS_JUDGE, &noise, &d) == SGS_OK ? sgs_noise_db(noise) : -(double)INFINITY;
}

/* Choices for ever larger rates, each the best of what was measured up to there. */
typedef struct curve {
    int n;
    double rate[RATES], db[RATES];
    sgs_mixed x[RATES];
} curve;

/* What adding up takes for the best may measure worse than a choice for a smaller rate, which then stays. */
static void add_point(search *s, curve *c, const sgs_mixture *mixture, const double *harm)
{
    const int i = c->n++;
    sgs_mixed *x = &c->x[i];
    *x = sgs_mixture_at(mixture, c->rate[i]);
    const bool same = i && !memcmp(x->bits, x[-1].bits, (size_t)s->m->g->nvalue);
    c->db[i] = same ? c->db[i - 1] : measure_mixed(s, x, harm);
    const bool worse = i && c->db[i] < c->db[i - 1];
    sgs_log_line(s->m->log, "  %.2f: %.2f dB, %d bits for %d of %d convolutions%s", c->rate[i], c->db[i],
                 2 * s->m->mode.narrow, x->wide, x->of,
                 worse ? ": the choice before it stays" : "");
    if (!worse)
        return;
    *x = x[-1];
    c->db[i] = c->db[i - 1];
}

/* Up to `most`. */
static void walk(search *s, curve *c, const sgs_mixture *mixture, const double *harm, double most)
{
    sgs_log_line(s->m->log, "%s at each mp_rate:", s->t ? "SQNR on samples that judge" : "estimated SQNR");
    do {
        c->rate[c->n] = fmin(rate_at(&s->m->mode, c->n), most);
        add_point(s, c, mixture, harm);
    } while (c->rate[c->n - 1] < most);
}

/* The smallest rate that reaches the target; where none does, the smallest that is next to the best, the last. */
static int recommended(const search *s, const curve *c)
{
    const double enough = fmin(target(s->m->g), c->db[c->n - 1] - NEAR_BEST);
    int i = 0;
    while (c->db[i] < enough)
        i++;
    sgs_log_line(s->m->log, "mp_rate %.2f is recommended: the smallest that %s", c->rate[i],
                 c->db[i] >= target(s->m->g) ? "reaches what such a network needs" : "comes within 1 dB of the best");
    return i;
}

/* What weights of 8 bits take away of the harm of those of 4. */
static const double *gain_of_eight(search *s, const double *harm)
{
    sgs_recipe r = s->best;
    give_all(s->m, &r, 8, s->a);
    const double *eight = weigh_again(s, &r);
    double *gain = SGS_NEW_N(s->a, double, s->m->g->nvalue + 1);
    for (int i = 0; eight && i < s->m->g->nvalue; i++)
        gain[i] = fmax(harm[i] - fmax(eight[i], 0), 0);
    return eight ? gain : NULL;
}

/* Of the mode MIXED: the exact choice for the rate that was asked for, or for the one that measuring recommends; the
 * rate, 0: nobody can say. */
static double mix_bits(search *s)
{
    const int narrow = s->m->mode.narrow;
    const double rate = s->m->mode.rate, most = rate > 0 ? rate : narrow == 4 ? 0.45 : 1;
    const double *harm = s->t || narrow == 4 ? weigh_again(s, &s->best) : s->m->weighed.harm;
    const double *gain = harm && narrow == 4 ? gain_of_eight(s, harm) : harm;
    if (!gain)
        return 0; /* a warning said why */
    curve c = { 0 };
    if (!(rate > 0))
        sgs_log_line(s->m->log, "no mp_rate: one is recommended");
    walk(s, &c, sgs_mixture_new(s->m->g, narrow, gain, s->a), harm, most);
    const int at = rate > 0 ? c.n - 1 : recommended(s, &c);
    const sgs_mixed x = c.x[at];
    if (x.missed > 0)
        sgs_log_line(s->m->log, "the choice of bits is within %.2f dB of the best", decibel(x.harm - x.missed) - decibel(x.harm));
    const sgs_recipe r = with_bits(s, &x, harm);
    if (!x.wide)
        sgs_log_line(s->m->log, "  every convolution keeps %d bits", narrow);
    else if (!s->t)
        s->best = r;
    else if (s->best.given)
        attempt_in_sequence(s, r, "bits mixed");
    else
        attempt(s, r, "bits mixed");
    return c.rate[at];
}

/* What Q13 makes at that rate, from what its trials had found (`fast`); its own lines are Q13's to say. */
static search as_q13(const search *fast, sgs_making *quiet, double rate)
{
    search q = *fast;
    *quiet = *fast->m;
    quiet->mode.rate = rate;
    quiet->log = &silent;
    q.m = quiet;
    mix_bits(&q);
    return q;
}

static bool same_bits(const sgs_recipe *a, const sgs_recipe *b)
{
    return a->bits && b->bits ? !memcmp(a->bits, b->bits, (size_t)a->nbits) : a->bits == b->bits;
}

static void attempt_with_bits_of(search *s, const sgs_recipe *other)
{
    sgs_recipe r = s->best;
    r.bits = other->bits;
    r.nbits = other->nbits;
    r.narrow = other->narrow;
    r.harm = other->harm;
    r.given = NULL;
    if (s->best.given)
        attempt_in_sequence(s, r, "Q13's choice of bits");
    else
        attempt(s, r, "Q13's choice of bits");
}

/* ---- learned rounding ---- */

/* Weights alone, with whose biases others do. */
static const sgs_learned *without_biases(const search *s, const sgs_learned *learned)
{
    sgs_learned *alone = SGS_NEW_N(s->a, sgs_learned, s->m->g->nvalue + 1);
    for (int i = 0; i < s->m->g->nvalue; i++)
        alone[i] = (sgs_learned){ .w = learned[i].w, .scale = learned[i].scale };
    return alone;
}

/* Biases that were learned beside the weights are from more samples than those in sequence, but from a part of each. */
static void try_learned(search *s, sgs_recipe r)
{
    r.given = NULL;
    attempt(s, r, "learned weights");
    r.learned = without_biases(s, r.learned);
    attempt_in_sequence(s, r, "learned weights, biases in sequence");
}

static void learn_weights(search *s)
{
    sgs_recipe r = s->best;
    sgs_diag d = { 0 };
    if (!s->m->mode.iterations)
        return;
    if (sgs_retrain(s->t, &s->best, &r.learned, s->a, &d) != SGS_OK)
        sgs_log_line(s->m->log, "  learned weights: not tried (%s)", d.text);
    else if (!r.learned)
        sgs_log_line(s->m->log, "  no layer has weights of 8 or 4 bits that could be learned");
    else
        try_learned(s, r);
}

/* More trials take other recipes, whose harm is mixed to other bits, so Q13's choice may be the better one to learn
 * from: its bits in the recipe at hand, or its model. */
static void start_from_q13(search *s, const search *q)
{
    if (!same_bits(&s->best, &q->best))
        attempt_with_bits_of(s, &q->best);
    if (!sgs_noise_nearer(q->noise, s->noise))
        return;
    sgs_log_line(s->m->log, "  Q13's model is learned from: %.2f dB", sgs_noise_db(q->noise));
    s->best = q->best;
    s->noise = q->noise;
}

/* Trials and layers know the calibration's samples, so what was chosen among more of them has to win clearly. */
#define BEYOND_GAIN 1.0 /* dB */

static void keep_q13(search *s, const search *q)
{
    const bool kept = s->noise == q->noise || !sgs_noise_better(s->noise, q->noise, BEYOND_GAIN);
    sgs_log_line(s->m->log, "  Q13's model: %.2f dB, %skept", sgs_noise_db(q->noise), kept ? "" : "not ");
    s->best = kept ? q->best : s->best;
}

static void learn_beyond_q13(search *s, const search *fast, double rate)
{
    sgs_making quiet;
    const search q = as_q13(fast, &quiet, rate);
    start_from_q13(s, &q);
    learn_weights(s);
    keep_q13(s, &q);
}

sgs_recipe sgs_refine(const sgs_making *m, sgs_arena *a)
{
    search s = { .m = m, .a = a, .best = first_recipe(m, a) };
    sgs_diag d = { 0 };
    const bool clips = has_clips(m);
    if (m->mode.level < 4 && !clips)
        return s.best;
    if (sgs_trials_new(&s.t, m, a, &d) != SGS_OK) {
        sgs_log_warning(m->log, "%s could try nothing (%s): the model is that of L2", m->mode.name, d.text);
        s.t = NULL;
        if (chooses(m, SGS_BITS_MIXED))
            mix_bits(&s);
        return s.best;
    }
    if (clips)
        try_clips(&s);
    if (m->mode.level < 4)
        return s.best;
    sgs_log_line(m->log, "SQNR on samples that judge:");
    if (!attempt(&s, s.best, "as L3"))
        return s.best;
    s.best.stretch = sgs_trials_stretch(s.t);
    try_fast(&s);
    const search fast = s;
    if (m->mode.level >= 5) {
        try_slow(&s);
        choose_bits_again(&s);
    }
    const double rate = chooses(m, SGS_BITS_MIXED) ? mix_bits(&s) : 0;
    if (rate > 0 && m->mode.level >= 5)
        learn_beyond_q13(&s, &fast, rate);
    else
        learn_weights(&s);
    return s.best;
}
