/* Learned rounding of the weights of one sum: the integers, and the scale, with which a sum of fixed-point inputs comes
 * nearest to the same sum in float.  What the layers before have done to the inputs is known, and partly made up for:
 * that is what the two sides of a lesson say. */
#ifndef SGS_LEARN_H
#define SGS_LEARN_H

#include "base/base.h"

enum { SGS_PUPILS = 8 }; /* outputs that learn side by side */

/* What the products of a sum meet. */
typedef struct sgs_lesson {
    int64_t terms; /* products of a sum */
    int64_t rows;  /* sums that are learned from */
    float *gram; /* [2 terms][2 terms]: mean products of the inputs in fixed point, the first half, and in float, their
                    means taken out, over the sums that are learned from */
    const float *held; /* the same over others, which judge */
    double limit;      /* the largest integer */
    int iterations;
    bool part;             /* the products are a part of a sum: its other parts have the same scale, which stays */
    float *h, *d, *factor; /* sgs_lesson_prepare: [terms][terms] each */
} sgs_lesson;
/* Bytes of room that it takes. */
size_t sgs_lesson_room(int64_t terms);
/* False: the inputs never vary, there is nothing to learn. */
bool sgs_lesson_prepare(sgs_lesson *l, void *room);

/* One output. */
typedef struct sgs_pupil {
    const float *wanted; /* [terms]: float weights */
    int8_t *w; /* [terms]: in: those to begin with; out: those that were learned where `learned` says so, else as they
                  were */
    float *scale;         /* the same */
    bool learned;         /* out: they leave less error than those before, on sums that were not learned from too */
    double before, after; /* out: the error on these; equal where nothing was learned */
} sgs_pupil;
size_t sgs_pupils_room(int64_t terms);
void sgs_learn(const sgs_lesson *l, sgs_pupil *pupil, int n, void *room);

#endif
