/* What calibration saw of a float graph: ranges, means, histograms, the samples themselves.  One file each:
 *
 *   exact.c       sums of real numbers, the same in any order
 *   histogram.c   how many elements have which magnitude, the same in any order
 *   observe.c     the tensors of one sample
 *   statistics.c  the sum over samples; as bytes, and bytes added
 *   statfile.c    those bytes in a file, from machine to machine
 *
 * Statistics are a function of the set of samples: whoever ran which, in whatever order they are added, the bytes are
 * the same. */
#ifndef SGS_STATISTICS_H
#define SGS_STATISTICS_H

#include "ops/op.h"
#include "runtime/sha256.h"

/* ---- exact.c
 * ------------------------------------------------------------------------------------------------------------------ */

/* A sum of up to SGS_MOST_SAMPLES doubles, as digits of 40 bits from 2^-92 on: what is smaller is cut off each term,
 * and what is not below 2^68 counts as that.  Whole numbers do not mind the order. */
typedef struct sgs_exact {
    int64_t digit[4];
} sgs_exact;
#define SGS_MOST_SAMPLES ((int64_t)1 << 22)
#define SGS_EXACT_DIGIT ((int64_t)1 << 40)
void sgs_exact_add(sgs_exact *s, double x);
void sgs_exact_merge(sgs_exact *to, const sgs_exact *from);
double sgs_exact_value(const sgs_exact *s);

/* ---- histogram.c
 * ---------------------------------------------------------------------------------------------------------------- */

enum { SGS_BINS = 2048 };

/* Bin i of a side counts i * w <= |x| < (i + 1) * w, w = 2^exponent.  The exponent is the smallest with which all that
 * was counted has a bin (and -126 at least): two neighbours become one when it grows, and nothing tells afterwards that
 * it ever was smaller. */
typedef struct sgs_histogram {
    int exponent;
    uint64_t *side[2]; /* [SGS_BINS] of numbers at or above zero, below zero; NULL: there are none */
} sgs_histogram;
/* The exponent for magnitudes up to `most`, which is finite. */
int sgs_histogram_exponent(float most);
/* Adds n numbers, whose magnitudes are `most` at most. */
void sgs_histogram_count(sgs_histogram *h, sgs_arena *a, const float *x, int64_t n, float most);
void sgs_histogram_merge(sgs_histogram *to, sgs_arena *a, const sgs_histogram *from);
/* No counts left; the memory stays. */
void sgs_histogram_clear(sgs_histogram *h);

/* ---- observe.c
 * ---------------------------------------------------------------------------------------------------------------- */

/* Of one float value, per channel (last dimension). */
typedef struct sgs_range {
    int64_t channels;     /* 0: never seen */
    float *lo, *hi;       /* [channels] */
    double *sum, *square; /* [channels]: of the elements, of their squares */
    int64_t count;        /* elements a channel */
    bool fractions;       /* of an input of the graph: it held others than whole numbers */
    bool given;           /* the user's range stands here: no level ends it elsewhere */
    sgs_histogram bins;   /* of a value that a convolution reads, inputs of the graph excepted */
} sgs_range;

/* One sample: one run or several. */
typedef struct sgs_observer {
    sgs_graph *g;
    const int64_t *channels; /* by value id; 0: never observed */
    const bool *binned;      /* by value id: has a histogram; NULL: none has */
    sgs_range *range;        /* by value id */
    float *some;             /* room for the elements that are counted */
    sgs_value *bad;          /* a value that held NaN or infinity, or NULL */
} sgs_observer;

void sgs_observer_init(sgs_observer *o, sgs_graph *g, bool histograms);
void sgs_observe(sgs_observer *o, sgs_value *v, const void *data);
/* A histogram counts of each run the pixels 0, step, 2 step ...: all where the tensor is small. */
int64_t sgs_observed_step(const sgs_value *v);
/* Forgets what o has seen. */
void sgs_observer_clear(sgs_observer *o);
/* Widens *lo and *hi, which the caller has set, by the ranges of all channels. */
void sgs_range_all(const sgs_range *r, float *lo, float *hi);

/* ---- statistics.c
 * ---------------------------------------------------------------------------------------------------------------- */

/* How many samples keep their inputs: as many as 40 MB hold, but these at least and at most. */
enum { SGS_LEAST_KEPT = 16, SGS_MOST_KEPT = 64 };

struct sgs_session;
typedef struct sgs_statistics sgs_statistics;
/* In g's memory. */
sgs_statistics *sgs_statistics_new(sgs_graph *g, bool histograms);
void sgs_statistics_clear(sgs_statistics *s);

/* From here on the session's runs are observed. */
void sgs_statistics_watch(sgs_statistics *s, struct sgs_session *session);
/* The inputs of a run, before it or after it. */
void sgs_statistics_inputs(sgs_statistics *s, struct sgs_session *session);
/* A value that held NaN or infinity since the last sample ended, or NULL. */
const sgs_value *sgs_statistics_bad(const sgs_statistics *s);
/* What ran since the last call is one sample: it is added, or forgotten. */
void sgs_statistics_end_sample(sgs_statistics *s);
void sgs_statistics_drop_sample(sgs_statistics *s);

int sgs_statistics_count(const sgs_statistics *s);    /* samples */
int sgs_statistics_repeated(const sgs_statistics *s); /* of them, those whose inputs were there before */
/* By value id of the graph; as they are now, until more is added. */
sgs_range *sgs_statistics_ranges(const sgs_statistics *s);
/* Over the hashes of the samples. */
void sgs_statistics_hash(const sgs_statistics *s, uint8_t hash[32]);
/* The inputs of sample k, one behind the other (of its first run); k < what sgs_statistics_kept returns: those with the
 * smallest hashes, or all where there are few. */
int sgs_statistics_kept(const sgs_statistics *s);
sgs_span sgs_statistics_sample(const sgs_statistics *s, int k);

/* All of it as bytes; bytes added.  What is not of this graph, or not whole, is refused and changes nothing. */
void sgs_statistics_pack(const sgs_statistics *s, sgs_buf *out);
sgs_status sgs_statistics_merge(sgs_statistics *s, sgs_span bytes, sgs_diag *d);

/* ---- statfile.c
 * -------------------------------------------------------------------------------------------------------------------
 */

/* docs/CALIBRATION.md has the format. */
sgs_status sgs_statistics_write(const sgs_statistics *s, const char *model, const char *path, sgs_diag *d);
/* Adds the file's statistics, made from the file `model` by the same float library for the same instructions. */
sgs_status sgs_statistics_read(sgs_statistics *s, const char *model, const char *path, sgs_diag *d);

#endif
