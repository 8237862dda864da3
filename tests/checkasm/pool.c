#include "checkasm.h"

#include <stdio.h>

enum { Y, X, MULT };

typedef struct shape {
    ca_dims x;
    int32_t kh, kw, sy, sx, py, px, oh, ow, count_pad;
    int type;
    enum ca_layout layout;
    enum ca_data data;
} shape;

static int run(ca *t, ipu_kind kind, const shape *s)
{
    ipu_pool *r = &t->rec.pool;
    const int average = kind == IPU_AVGPOOL_S16;

    ca_begin(t, kind, 3, sizeof *r);
    ca_ref(t, Y, s->type, (ca_dims){ s->x.n, s->oh, s->ow, s->x.c }, s->layout);
    ca_ref(t, X, s->type, s->x, s->layout);
    if (average)
        ca_array(t, MULT, IPU_F32, s->kh * s->kw + 1);
    r->kh = s->kh, r->kw = s->kw, r->sy = s->sy, r->sx = s->sx, r->py = s->py, r->px = s->px;
    if (average) {
        r->count_pad = s->count_pad;
        r->out = ca_out(t, IPU_S16);
    }
    ca_place(t, 1u << Y);
    ca_fill(t, X, s->data);
    if (average)
        ca_fill_float(t, MULT, 0.1f / (float)(s->kh * s->kw), 1.5f / (float)(s->kh * s->kw));
    t->ops = 1.0 * s->x.n * s->oh * s->ow * s->x.c * s->kh * s->kw;
    snprintf(t->shape, sizeof t->shape, "%dx%d/%d %s %d @%dx%d", s->kh, s->kw, s->sx, s->type == IPU_U8 ? "u8" : "s16",
             s->x.c, s->oh, s->ow);
    return ca_run(t);
}

/* Every window meets x: padding is smaller than the kernel on all sides. */
static shape random_shape(ca *t, ipu_kind kind, int i)
{
    shape s = { .kh = ca_range(t, 1, 5), .kw = ca_range(t, 1, 5), .sy = ca_range(t, 1, 3), .sx = ca_range(t, 1, 3) };

    s.x = (ca_dims){ ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 9), ca_range(t, 1, 9),
                     i < 130 ? i + 1 : ca_range(t, 1, 130) };
    s.py = ca_range(t, 0, s.kh - 1), s.px = ca_range(t, 0, s.kw - 1);
    s.oh = (s.x.h + s.py - 1) / s.sy + 1, s.ow = (s.x.w + s.px - 1) / s.sx + 1; /* the last window starts inside x */
    s.oh = ca_range(t, 1, s.oh), s.ow = ca_range(t, 1, s.ow);
    s.count_pad = ca_chance(t, 50);
    s.type = kind == IPU_AVGPOOL_S16 || ca_chance(t, 50) ? IPU_S16 : IPU_U8;
    s.layout = ca_chance(t, 50) ? CA_LOOSE : CA_DENSE;
    s.data = ca_chance(t, 30) ? CA_EXTREME : CA_ANY;
    return s;
}

void ca_pool(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 900; i++) {
        const shape s = random_shape(t, kind, i);
        if (!run(t, kind, &s))
            return;
    }
}

void ca_pool_bench(ca *t, ipu_kind kind)
{
    const int max = kind == IPU_MAXPOOL;
    const shape global = {
        .x = { 1, 7, 7, 1280 }, .kh = 7, .kw = 7, .sy = 1, .sx = 1, .oh = 1, .ow = 1, .type = IPU_S16
    };
    const shape stem = { .x = { 1, 112, 112, 64 },
                         .kh = 3,
                         .kw = 3,
                         .sy = 2,
                         .sx = 2,
                         .py = 1,
                         .px = 1,
                         .oh = 56,
                         .ow = 56,
                         .type = max ? IPU_U8 : IPU_S16 };
    const shape small = {
        .x = { 1, 28, 28, 8 }, .kh = 2, .kw = 2, .sy = 2, .sx = 2, .oh = 14, .ow = 14, .type = max ? IPU_U8 : IPU_S16
    };
    if (run(t, kind, &global) && run(t, kind, &stem))
        run(t, kind, &small);
}
