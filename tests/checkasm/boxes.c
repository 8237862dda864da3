/* Boxes: pooled, suppressed, written as rows; anything that a record may say. */
#include "checkasm.h"

#include <stdio.h>

enum { Y, A, B };

/* ---- pooling ---- */

static int pool(ca *t, ipu_kind kind, ca_dims x, ca_dims y, enum ca_layout layout)
{
    ipu_roipool *r = &t->rec.roipool;
    ca_begin(t, kind, 3, sizeof *r);
    ca_ref(t, Y, IPU_S16, y, layout);
    ca_ref(t, A, IPU_S16, x, layout);
    ca_ref(t, B, IPU_S16, (ca_dims){ 1, 1, y.n, 5 }, layout);
    r->shift = ca_range(t, 0, IPU_ROI_SHIFT);
    r->mult = t->bench || ca_chance(t, 80) ? (int32_t)((float)(2 * x.w) / 32767 * (float)(1 << r->shift))
                                           : (int32_t)(ca_random(t) >> 1);
    r->picture_shift = ca_range(t, 0, IPU_ROI_SHIFT);
    r->picture_mult = (int32_t)((float)x.n / 32767 * (float)(1 << r->picture_shift));
    r->m = (float)ca_range(t, 1, 1000) / 500;
    r->out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    ca_fill(t, A, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    ca_fill(t, B, !t->bench && ca_chance(t, 20) ? CA_EXTREME : CA_ANY);
    t->ops = (double)y.n * y.h * y.w * y.c;
    snprintf(t->shape, sizeof t->shape, "%d boxes of %dx%dx%d, %dx%d bins", y.n, x.h, x.w, x.c, y.h, y.w);
    return ca_run(t);
}

void ca_roipool(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 500; i++) {
        const ca_dims x = { ca_range(t, 1, 2), ca_range(t, 1, 7), ca_range(t, 1, 7), ca_range(t, 1, 20) };
        const ca_dims y = { ca_range(t, 1, 4), ca_range(t, 1, 5), ca_range(t, 1, 5), x.c };
        if (!pool(t, kind, x, y, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE))
            return;
    }
}

void ca_roipool_bench(ca *t, ipu_kind kind)
{
    pool(t, kind, (ca_dims){ 1, 38, 50, 512 }, (ca_dims){ 16, 7, 7, 512 }, CA_DENSE);
}

/* ---- choosing ---- */

typedef struct sizes {
    int32_t pictures, boxes, classes, sets;
    enum ca_layout layout;
} sizes;

static sizes some(ca *t)
{
    sizes s = { ca_range(t, 1, 2), ca_range(t, 1, 24), ca_range(t, 1, 4), 1, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE };
    s.sets = ca_chance(t, 30) ? s.classes : 1;
    return s;
}

static int suppress(ca *t, ipu_kind kind, const sizes *s)
{
    ipu_suppress *r = &t->rec.suppress;
    ca_begin(t, kind, 3, sizeof *r);
    ca_ref(t, Y, IPU_S16, (ca_dims){ s->pictures, s->classes, 1, s->boxes }, s->layout);
    ca_ref(t, A, IPU_S16, (ca_dims){ 1, s->pictures, s->boxes, s->classes }, s->layout);
    ca_ref(t, B, IPU_S16, (ca_dims){ s->pictures, s->boxes, s->sets, 4 }, s->layout);
    r->least = ca_chance(t, 50) ? INT16_MIN : ca_range(t, -32768, 32767);
    r->most = ca_range(t, 1, s->boxes + 2);
    r->background = ca_range(t, -1, s->classes);
    r->overlap = ca_range(t, 0, ca_chance(t, 80) ? 1 << IPU_OVERLAP_BITS : 2 << IPU_OVERLAP_BITS);
    r->eta = ca_chance(t, 50) ? 1 << IPU_OVERLAP_BITS : ca_range(t, 0, 1 << IPU_OVERLAP_BITS);
    ca_place(t, 1u << Y);
    ca_fill(t, A, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    ca_fill(t, B, ca_chance(t, 20) ? CA_EXTREME : CA_ANY);
    t->ops = (double)s->pictures * s->boxes * s->classes;
    snprintf(t->shape, sizeof t->shape, "%d classes of %d boxes", s->classes, s->boxes);
    return ca_run(t);
}

void ca_suppress(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 500; i++) {
        const sizes s = some(t);
        if (!suppress(t, kind, &s))
            return;
    }
}

void ca_suppress_bench(ca *t, ipu_kind kind)
{
    suppress(t, kind, &(sizes){ 1, 300, 21, 1, CA_DENSE });
}

/* ---- rows ---- */

static int detect(ca *t, ipu_kind kind, const sizes *s)
{
    ipu_detect *r = &t->rec.detect;
    ca_begin(t, kind, 3, sizeof *r);
    ca_ref(t, Y, IPU_S16, (ca_dims){ 1, 1, s->pictures * ca_range(t, 1, s->boxes * s->classes + 1), 7 }, s->layout);
    ca_ref(t, A, IPU_S16, (ca_dims){ s->pictures, s->classes, 1, s->boxes }, s->layout);
    ca_ref(t, B, IPU_S16, (ca_dims){ s->pictures, s->boxes, s->sets, 4 }, s->layout);
    r->one = (float)ca_range(t, 1, 1000);
    r->m_score = (float)ca_range(t, 1, 1000) / 500;
    r->m_box = (float)ca_range(t, 1, 1000) / 500;
    r->out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    ca_fill(t, A, ca_chance(t, 60) ? CA_EXTREME : CA_ANY); /* the least integer stands for none */
    ca_fill(t, B, ca_chance(t, 20) ? CA_EXTREME : CA_ANY);
    t->ops = (double)s->pictures * s->boxes * s->classes;
    snprintf(t->shape, sizeof t->shape, "%d rows of %d classes of %d boxes", t->rec.detect.y.w, s->classes,
             s->boxes);
    return ca_run(t);
}

void ca_detect(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 500; i++) {
        const sizes s = some(t);
        if (!detect(t, kind, &s))
            return;
    }
}

void ca_detect_bench(ca *t, ipu_kind kind)
{
    detect(t, kind, &(sizes){ 1, 300, 21, 1, CA_DENSE });
}
