/* Float graph + observed ranges -> fixed graph.  One file each:
 *
 *   (statistics.h   what calibration saw)
 *   weights.c    scales of weights: the largest, or a search; integer weights and biases with the proof of ARITHMETIC.md 4
 *   kept.c       scales of weights found for one model that serve for the next
 *   (learn.h     learned rounding of one sum)
 *   equalize.c   scales for each channel of what 8-bit convolutions read
 *   even.c       scales for each channel of 16 bits between convolutions
 *   integers.c   integer inputs, whose numbers go in as they are
 *   known.c      comparisons with what no number on the board is
 *   masks.c      what hides elements from a softmax
 *   options.c    what the ini says
 *   dead.c       channels that say nothing
 *   raise.c      which convolutions to give 16 bits, for sgs analyze
 *   (mode.h      what a user asks for: levels, modes)
 *   (mixed.h     which convolutions to give 16 bits where weights may have so many on the average; knapsack.h)
 *   sensitivity.c  what 8 bits at one convolution do to the outputs
 *   clip.c       where 8 bits should end
 *   bits.c       which convolutions take 16 bits
 *   plain.c      integers that stay integers
 *   whole.c      values that hold whole numbers alone
 *   powers.c     powers of two variables
 *   imported.c   ranges, bits and constants that the user brings
 *   tabulate.c   activations behind convolutions: bytes from a table
 *   plan.c       which values are U8, which S16: conv bits, groups that share one quantization
 *   scales.c     scales and zero points of groups, images, single uses
 *   quantize.c   rewrites the graph: QUANTIZE, DEQUANTIZE, constants
 *   convolution.c  what convolutions become
 *   (refine.h    what the levels do: trials, biases in sequence, weights rounded in turn)
 *   (src/calibrate.c, the stage: reads .sim and ini, drives the above, writes _fixed.sim)
 */
#ifndef SGS_QUANTIZE_H
#define SGS_QUANTIZE_H

#include "base/threads.h"
#include "ops/op.h"
#include "quant/statistics.h"

/* ---- clip.c ---- */

#define SGS_CLIP_LEVEL 3   /* from this level on */
/* Where the 8 bits of a value end. */
typedef struct sgs_clip {
    float lo, hi;          /* both 0: not decided here */
    bool cuts;             /* they lie within what was seen */
} sgs_clip;
/* The ends with the least sum of |error|^p (p 2 or 4) over what the histogram counted; never beyond lo and hi, and zero lies within. */
sgs_clip sgs_clip_best(const sgs_histogram *h, float lo, float hi, int p);

/* ---- sensitivity.c ---- */

typedef struct sgs_weigh_options {
    bool clips;            /* are chosen too */
    const sgs_graph *fixed; /* what 8 bits are: a fixed-point model of g; NULL: one scale a tensor, and the largest weights' */
    bool saving;           /* less memory, more time, the same numbers */
    sgs_threads *threads;  /* share the samples; NULL: none do */
    const sgs_log *log;
} sgs_weigh_options;
/* By value id; NULL both, with a warning, where the model is too large for it. */
typedef struct sgs_weighed {
    const double *harm;    /* of a convolution's output: the noise that 8 bits at its input alone, from end to end, bring into the graph's outputs,
                              as a share of their variance, averaged over channels; below 0 where there is none to say */
    const sgs_clip *clip;  /* of a convolution's input: where its 8 bits end; NULL: chosen by no one */
} sgs_weighed;
/* On the samples that the statistics of g kept; range is theirs. */
sgs_weighed sgs_weigh(const sgs_statistics *s, sgs_graph *g, const sgs_range *range, const sgs_weigh_options *o);

/* ---- quantize.c ---------------------------------------------------------------------------------------------------------------- */

/* What the ini says of a graph input or output, reduced to what quantization needs. */
typedef struct sgs_qinput {
    bool image;            /* U8 pixels: real = (pixel - mean[c]) / std[c], c in the network's order */
    float mean[3], std[3];
    bool swap;             /* the board's channels come in the reverse order: RGB <-> BGR */
    int channel_axis;      /* of an image */
    sgs_type type;         /* raw inputs: F32, S16 or U8 */
    bool scaled;           /* raw integers carry a scale (quantizations=TRUE); else scale 1, zero point 0 */
} sgs_qinput;

/* F32: the real value.  U8, S16: as `real` says, the real value rounded and saturated, or the quantized one. */
typedef struct sgs_qoutput {
    sgs_type type;
    bool real;
} sgs_qoutput;

/* How far the channels of a value may reach, on other samples than those seen. */
typedef struct sgs_stretch {
    const float *lo, *hi;  /* [channels]; NULL: nobody says */
} sgs_stretch;

/* Integer weights that were learned (retrain.c), for the very inputs of the recipe that they were learned with. */
typedef struct sgs_learned {
    const int8_t *w;       /* laid out as the weights of the fixed-point convolution */
    const float *scale;    /* by output */
    const int32_t *bias;   /* by output, as the convolution's; NULL: made as those of other weights */
} sgs_learned;

/* What makes integers of numbers, beside the ranges.  Levels below L4 have one each; from L4 on several are tried. */
typedef struct sgs_recipe {
    bool search;           /* the scale of weights is searched, else their largest counts */
    bool correct;          /* the bias takes back what rounded weights add on average */
    bool weigh;            /* in the search an error counts as much as the input that it meets varies */
    bool equalize;         /* what 8-bit convolutions read has a scale for each channel where it may */
    bool even;             /* what lies in 16 bits between convolutions has a scale for each channel */
    const sgs_stretch *stretch; /* of equalize, by value id */
    int mixture;           /* of equalize: 0: each tensor's own choice; 1 + k: candidate k for all (equalize.c) */
    const sgs_clip *clip;  /* by value id (sgs_weighed); NULL: ranges stay whole */
    /* By id of a convolution's output, means of its input's channels in fixed point, which the bias reckons with; NULL, or NULL for one: those of float. */
    const double *const *given;
    /* By id of a convolution's output (factor.c): with it 8-bit weights are rounded one after the other; NULL, or NULL for one: each alone. */
    const float *const *factor;
    const sgs_learned *learned; /* by id of a convolution's output; NULL, or weights NULL for one: they are made here */
    struct sgs_qweights *made;  /* by the same: what its weights were made from is put here, and lives as the graph does; NULL: it is not */
    const double *harm;    /* by value id (sgs_weighed), for the choice of bits; NULL: every convolution has 8 but for what the ini asks */
    const uint8_t *bits;   /* [nbits], by id of a convolution's output: 4, 8 or 16, chosen already, those that read images too; NULL: nothing is */
    int nbits;
    int narrow;            /* the fewer of two numbers of bits that were chosen from; harm is that of these */
    double strict;         /* so much less noise than usual is bearable in that choice; 0: 1 */
} sgs_recipe;

typedef struct sgs_kept_scales sgs_kept_scales;
typedef struct sgs_qoptions {
    sgs_recipe recipe;
    sgs_threads *threads;  /* share the work; NULL: none do */
    sgs_kept_scales *kept; /* of models made before, NULL: none are kept */
    const sgs_qinput *in;  /* [g->nin] */
    const sgs_qoutput *out; /* [g->nout] */
    int conv_format;       /* sgs_conv_format of the ini */
    const char *const *tensor_arrays;
    int ntensor_arrays;
    const struct sgs_params *params; /* config/quant_param.h: what the user brings, or NULL */
    const float *least;    /* by value id: what an imported range holds at least, from ties; NULL: nothing */
    const char *ini;       /* for messages */
    int tensor_arrays_line;
    const sgs_log *log;
} sgs_qoptions;

typedef struct sgs_import sgs_import;

/* Why weights have 4 bits. */
typedef enum sgs_four { SGS_FOUR_NOT, SGS_FOUR_OWN, SGS_FOUR_IMPORTED, SGS_FOUR_CHOSEN } sgs_four; /* OWN: they fit */

typedef struct sgs_quantizer {
    sgs_graph *g;          /* becomes the fixed graph */
    sgs_range *range;      /* by value id of the float graph */
    int nrange;            /* values the float graph had, powers spelled out */
    int nfloat;            /* values it had as it was calibrated */
    int nplan;             /* values when types were planned: what came later has no group */
    const sgs_qoptions *o;
    int *group;            /* plan.c: by value id; parent links of groups that share a quantization */
    sgs_qfixed *kept;      /* by group root: the quantization that the model brings; scale 0: none */
    uint8_t *image;        /* by value id: 1 + index of the image input the value is, as it is or transposed; 0: none */
    uint8_t *ordered;      /* by value id of an image: 1 = its channels are in the network's order already */
    uint8_t *wide;         /* by output value id of a conv: 1 = 16 bit */
    uint8_t *four;         /* the same: an sgs_four; where it is not wide, its weights have 4 bits */
    const char **reason;   /* by output value id of a conv: why these bits */
    const bool *whole;     /* by value id: holds whole numbers alone */
    uint16_t *named;       /* by id of a float constant: how many of the integer constants made of it took its name */
    const sgs_import *import; /* imported.c; NULL: nothing */
    sgs_type *type;        /* by group root: U8 or S16 */
    sgs_quant **quant;     /* by group root */
    sgs_quant **own;       /* equalize.c, even.c: by value id: scales for each channel in the place of the group's; NULL: none */
    uint8_t *fine;         /* tabulate.c: by output value id of a function: 1 = its bytes would be worse from a table; such stay of 16 bits */
    int32_t *first;        /* by input value id of a function whose bytes come from a table: the integer of the first entry */
    sgs_quant **bytes;     /* by id of a value of 16 bits: what 8-bit convolutions read of it; NULL: one scale for its range */
} sgs_quantizer;

/* Before anything is observed: whether g has a fixed-point form and the ini's names fit.  g is used up. */
sgs_status sgs_quantize_check(sgs_graph *g, const sgs_qoptions *o, sgs_diag *d);
/* Calls `refused` for every node that has no fixed-point form whatever the ini says; returns their number. */
int sgs_quantize_refused(sgs_graph *g, void (*refused)(void *user, const sgs_node *n, const char *why), void *user);
/* type[id] of every value of g: what it becomes, weights and biases too.  g is used up; values that end on the way keep what type holds. */
sgs_status sgs_quantize_types(sgs_graph *g, const sgs_qoptions *o, sgs_type *type, sgs_diag *d);
/* Rewrites g; ranges are those of its values. */
sgs_status sgs_quantize(sgs_graph *g, sgs_range *range, const sgs_qoptions *o, sgs_diag *d);

/* What the ini says of the image that v is, the order of its channels included. */
sgs_qinput sgs_image_of(const sgs_quantizer *q, const sgs_value *v);
/* `to` is the constant `from` as integers.  One that several operators read becomes several; a name belongs to one value, the others are NAME#2 ... */
void sgs_hand_name(sgs_quantizer *q, sgs_value *to, const sgs_value *from);

/* ---- scales.c ---- */

/* Of all groups, into q->quant. */
void sgs_choose_scales(sgs_quantizer *q);
sgs_quant *sgs_quant_one(sgs_graph *g, double scale, int32_t zero, float lo, float hi);
/* Range -> scale and zero point; zero is always exact. */
sgs_quant *sgs_quant_for(sgs_graph *g, sgs_type t, float lo, float hi);
/* What the model brings. */
sgs_quant *sgs_kept_quant(sgs_graph *g, sgs_type t, const sgs_qfixed *k);
sgs_quant *sgs_image_quant(sgs_graph *g, const sgs_qinput *in, int axis, int64_t channels);
/* What was observed of v, else what its quantization says; 0 both: nothing. */
void sgs_range_of(const sgs_quantizer *q, const sgs_value *v, float *lo, float *hi);
/* What 8-bit convolutions read of v where nothing else decides: bytes for its own range, as far as the level lets it reach. */
sgs_quant *sgs_own_bytes(sgs_quantizer *q, const sgs_value *v);

/* ---- convolution.c ---- */

/* n, whose input is integers already: its weights and bias become such. */
void sgs_quantize_conv(sgs_quantizer *q, sgs_node *n);
/* seen[taps]: for which share of a convolution's outputs each tap lies inside the input.  Returns seen. */
const double *sgs_taps_seen(const sgs_node *n, double *seen);

/* ---- integers.c ---- */

/* Takes conversions of integer inputs to float away, where nothing else reads those integers: then they are float values, and whole. */
void sgs_integers_as_real(sgs_graph *g, sgs_range *range);

/* ---- known.c ---- */

/* Comparisons that ask for NaN or infinity become what they are on the board, and what they alone decide with them. */
sgs_status sgs_know_finite(sgs_graph *g, sgs_diag *d);

/* ---- plain.c ---- */

/* Integers of the model itself, indices and the like, and truth values: never scaled. */
bool sgs_is_plain(const sgs_value *v);
/* The board's type of such a value of the float model: 16 bits for signed 8, 32 for 64. */
sgs_type sgs_plain_type(sgs_type t);
/* Types of the results, where the inputs of the graph have theirs. */
void sgs_plain_values(sgs_graph *g);
/* Whether n counts with the integers in its slot i. */
bool sgs_takes_indices(const sgs_node *n, int i);
/* Integers that n reads, in the type that it takes there. */
sgs_status sgs_fit_plain(sgs_quantizer *q, sgs_node *n, sgs_diag *d);

/* ---- powers.c ---- */

/* Powers of two variables become functions of one and a product; what is made has a range in a longer list. */
sgs_status sgs_spell_powers(sgs_graph *g, sgs_range **range, sgs_diag *d);

/* ---- whole.c ---- */

/* By value id of a float graph: whether it holds nothing but whole numbers: inputs as far as they were seen (nrange ids), results by what makes them. */
const bool *sgs_whole_values(const sgs_graph *g, const sgs_range *range, int nrange);
/* The smallest power of two, of those down to 2^-15, with which 16 bits reach that far. */
double sgs_whole_scale(double most);

/* ---- masks.c ---- */

/* Ends ranges of what a softmax weighs where nothing has weight any more, and raises constants that hide elements from it to there. */
void sgs_end_masks(sgs_graph *g, sgs_range *range);

/* ---- dead.c ---- */

/* A warning where many channels of convolutions held one number alone. */
void sgs_say_dead(sgs_graph *g, const sgs_range *range, const sgs_log *log);

/* ---- options.c ---- */

struct sgs_config;
/* Of a float graph whose inputs and outputs are the ini's, in its order: L1's recipe, no log.  In the graph's memory; the ini must outlive it. */
sgs_qoptions sgs_qoptions_from(const struct sgs_config *c, sgs_graph *g);

/* ---- bits.c ---- */

/* The level's own choice: widens the convolutions that 8 bits harm most, and notes for each why, or why not. */
void sgs_choose_bits(sgs_quantizer *q);
/* The recipe's choice. */
void sgs_take_bits(sgs_quantizer *q);
/* Whether the outputs are numbers that are used (boxes, landmarks, pictures), and not one row of which the largest counts. */
bool sgs_gives_numbers(const sgs_graph *g);

/* ---- equalize.c ---- */

/* Scales for each channel where only 8-bit convolutions read them, after the groups have theirs: `own` and `bytes`. */
void sgs_equalize(sgs_quantizer *q);
/* Whether the ranges of v's channels, more than one, are what was observed. */
bool sgs_has_channels(const sgs_quantizer *q, const sgs_value *v);
/* Whether n keeps every channel, and what is no part of it is 0. */
bool sgs_keeps_channels(const sgs_node *n);

/* ---- even.c ---- */

/* Scales for each channel of 16 bits between convolutions, after the groups have theirs: `own`. */
void sgs_even(sgs_quantizer *q);

/* ---- imported.c ---- */

/* Finds the tensors that o->params speak of and checks that they fit; *m NULL: there are none.  Of a float graph as it was read. */
sgs_status sgs_import_bind(sgs_graph *g, const sgs_qoptions *o, const sgs_import **m, sgs_diag *d);
/* Values of constants, before anything runs.  o->params must live as long as the graph. */
sgs_status sgs_import_data(sgs_graph *g, const sgs_qoptions *o, sgs_diag *d);
/* While bits are chosen, behind the level's own choice and before the ini's; then a word on those that the ini or the model overruled. */
void sgs_import_bits(sgs_quantizer *q);
void sgs_import_bits_said(sgs_quantizer *q);
/* Tensors of 16 bits, where types are chosen. */
void sgs_import_types(sgs_quantizer *q);
/* In the place of those that were seen; types are known. */
void sgs_import_ranges(sgs_quantizer *q);
/* By output, scales of the integer constant, whose largest number is `most`, that is made of these weights next; NULL: none are brought.  Then how many were unreasonable. */
const float *sgs_import_weights(sgs_quantizer *q, const sgs_value *weights, int64_t outputs, double most);
void sgs_import_weights_said(sgs_quantizer *q, const sgs_value *weights, int64_t odd, int64_t outputs);
/* Whether the user brings ranges of v. */
bool sgs_import_gives_range(const sgs_quantizer *q, const sgs_value *v);
/* The range of a constant operand: *lo and *hi, its numbers' own, change where another is brought. */
void sgs_import_constant(sgs_quantizer *q, const sgs_value *c, float *lo, float *hi);

/* ---- sums.c ---- */

/* One scale for the 16 bits that additions read and make, after the groups have theirs. */
void sgs_share_sums(sgs_quantizer *q);

/* ---- tabulate.c ---- */

/* Whether n, a function behind a convolution that nothing else reads, may give bytes by a table. */
bool sgs_may_tabulate(sgs_quantizer *q, const sgs_users *u, const sgs_node *n);
/* Behind the choice of scales: quantizations of what the tables are read by.  False: some functions are better off without (`fine`), and types
 * and scales want choosing again. */
bool sgs_tabulate(sgs_quantizer *q);
/* The byte of quantization y for the function's value at x. */
uint8_t sgs_byte_at(const sgs_node *n, const sgs_quant *y, double x);

/* ---- plan.c ---- */
sgs_status sgs_plan_types(sgs_quantizer *q, sgs_diag *d);
/* Types alone, once more. */
void sgs_choose_types(sgs_quantizer *q);
/* A convolution takes the board's order of channels into its weights.  Where anything else reads an image in another order than the network's,
 * the channels are put in order first, by a node of this name. */
void sgs_order_images(sgs_graph *g, const sgs_qoptions *o);
extern const char *const sgs_ordering;
int sgs_group_of(sgs_quantizer *q, const sgs_value *v);
/* Number of leading inputs of a node that are activations; the others are weights, bias, tables. */
int sgs_data_inputs(const sgs_node *n);
bool sgs_is_conv(const sgs_node *n);
double sgs_multiplications(const sgs_node *conv);
/* A convolution that counts the image's own pixels; what else reads an image gets a requantized one, a convolution that the recipe gives 16 bits too. */
bool sgs_takes_image(const sgs_quantizer *q, const sgs_node *n);

/* ---- for an operator's .quant: n->in[i] of its data inputs and n->out[0] have the type and quant that they keep ---- */

/* One more input: a constant list, copied. */
sgs_value *sgs_q_append(sgs_quantizer *q, sgs_node *n, sgs_type t, int64_t count, const void *data);

/* ---- weights.c ---- */

/* Weights, bias and their scales of one convolution, made from floats. */
typedef struct sgs_qweights {
    sgs_arena *arena;               /* for what is needed meanwhile */
    int64_t outputs, taps, inputs;  /* per output: taps x inputs weights */
    int64_t step_o, step_t, step_i; /* element strides of the float weights and of w */
    const float *weights, *bias;    /* bias may be NULL */
    const float *ratio;             /* [groups*inputs] by input channel: multiplies the weights (absorbed scales), or NULL */
    const int32_t *zero;            /* by input channel, as ratio; NULL: 0 */
    const double *mean;             /* by input channel, of the real input: the bias takes what rounded weights add on average; NULL: it doesn't */
    const double *given;            /* the same means in fixed point, which meet the rounded weights */
    const float *factor;            /* factor.c: [terms][terms], of a depthwise convolution for each channel; NULL: weights are rounded alone */
    bool reversed;                  /* the input channels are in the reverse order of the float graph's, and of the factor's */
    const double *energy;           /* by input channel: what an error of its weight counts in the search; NULL: all count alike */
    const double *seen;             /* [taps]: share of the outputs for which the tap lies inside the input */
    int64_t group;                  /* outputs per group: input channel of output o is (o / group) * inputs + i */
    double s_x;                     /* scale of the input as the sum sees it */
    bool parts;                     /* sums over any part of the taps must fit: each phase of a transposed convolution has its own */
    bool wide;                      /* 16 bits, else 8 */
    bool four;                      /* or 4 */
    bool search;
    const sgs_learned *learned;     /* take the place of what would be made; NULL: there are none */
    const float *imported;          /* [outputs]: scales that the user brings, or NULL */
    int64_t odd;                    /* out: how many of them are unreasonable */
    void *w;                        /* out: S8, which four bits are in memory too, or S16, laid out as weights */
    void *b;                        /* out: S32 or S64 [outputs] */
    float *scale;                   /* out: [outputs] */
    sgs_threads *threads;           /* share the outputs; NULL: none do */
    double *kept;                   /* [outputs]: of 8 bits the scales before sums must fit, that were found before or are found now, 0: not yet; NULL: kept by no one */
    int raised;                     /* out: channels whose scale was raised for the proof */
} sgs_qweights;
/* The element order of a convolution's weights: outputs, taps, inputs, strides, group. */
void sgs_conv_layout(const sgs_node *n, sgs_qweights *w);
void sgs_quantize_weights(sgs_qweights *q);
/* The largest integer weight. */
double sgs_most_weight(const sgs_qweights *q);
/* Whether the weights of one output, w of q's layout and the largest of size `most`, are whole multiples of a step, `steps` at most: 127 of 8 bits, 7 of 4. */
bool sgs_on_grid(const float *w, const sgs_qweights *q, double most, int steps);

/* ---- kept.c ---- */

/* sgs_qweights.kept from one model of a float graph of n values to the next, by what the scales depend on.  In a. */
sgs_kept_scales *sgs_kept_scales_new(sgs_arena *a, int n);
/* For the 8-bit weights w of the convolution that makes value id there. */
double *sgs_kept_scales_of(sgs_kept_scales *k, int id, const sgs_qweights *w);

#endif
