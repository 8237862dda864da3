/* Pictures read where a grid points to: inside, around, and anywhere that a record may say. */
#include "checkasm.h"

#include <limits.h>
#include <stdio.h>

enum { Y, X, GRID };

typedef struct shape {
    ca_dims x;
    int32_t h, w, taps;
    enum ca_layout layout;
} shape;

/* A step of the grid such that its ends lie `times` pictures away. */
static void step(int32_t pixels, float times, int32_t *mult, int32_t *shift)
{
    float m = (float)pixels * times / 4;
    for (*shift = 0; *shift < IPU_GRID_SHIFT && m < 5e8f; ++*shift)
        m *= 2;
    *mult = (int32_t)m;
}

/* Whatever the check lets through. */
static void any_step(ca *t, int32_t *mult, int32_t *shift)
{
    *mult = ca_chance(t, 50) ? INT32_MAX : (int32_t)(ca_random(t) >> 1);
    *shift = ca_range(t, 0, IPU_GRID_SHIFT);
}

static int run(ca *t, ipu_kind kind, const shape *s)
{
    ipu_gridsample *r = &t->rec.gridsample;
    const float times = (float)ca_range(t, 1, 300) / 100;
    ca_begin(t, kind, 3, sizeof *r);
    ca_ref(t, Y, IPU_S16, (ca_dims){ s->x.n, s->h, s->w, s->x.c }, s->layout);
    ca_ref(t, X, IPU_S16, s->x, s->layout);
    ca_ref(t, GRID, IPU_S16, (ca_dims){ s->x.n, s->h, s->w, 2 }, s->layout);
    r->taps = s->taps;
    r->outside = ca_range(t, 0, IPU_GRID_OUTSIDES - 1);
    step(s->x.h, times, &r->my, &r->ky);
    step(s->x.w, times, &r->mx, &r->kx);
    if (!t->bench && ca_chance(t, 20)) {
        any_step(t, &r->my, &r->ky);
        any_step(t, &r->mx, &r->kx);
    }
    r->m = (float)ca_range(t, 1, 1000) / 8e6f;
    r->out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    ca_fill(t, X, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    ca_fill(t, GRID, !t->bench && ca_chance(t, 20) ? CA_EXTREME : CA_ANY);
    t->ops = 2.0 * s->x.n * s->h * s->w * s->x.c * s->taps * s->taps;
    snprintf(t->shape, sizeof t->shape, "%d taps %dx%d of %dx%dx%d", s->taps, s->h, s->w, s->x.h, s->x.w, s->x.c);
    return ca_run(t);
}

void ca_gridsample(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 900; i++) {
        const shape s = { .x = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 7), ca_range(t, 1, 7), ca_range(t, 1, 40) },
                          .h = ca_range(t, 1, 5),
                          .w = ca_range(t, 1, 5),
                          .taps = 1 << i % 3,
                          .layout = ca_chance(t, 50) ? CA_LOOSE : CA_DENSE };
        if (!run(t, kind, &s))
            return;
    }
}

void ca_gridsample_bench(ca *t, ipu_kind kind)
{
    const shape linear = { .x = { 1, 56, 56, 64 }, .h = 56, .w = 56, .taps = 2 };
    const shape cubic = { .x = { 1, 56, 56, 64 }, .h = 56, .w = 56, .taps = 4 };
    if (run(t, kind, &linear))
        run(t, kind, &cubic);
}
