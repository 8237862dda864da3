/* Copy (in any order of axes), clamp, pad. */
#include "checkasm.h"

#include <stdio.h>

enum { Y, X, VALUE };

/* x's axes as y's in some order: the strides of a window are dealt out anew. */
static void permute(ca *t)
{
    ipu_ref *x = &t->rec.copy.x;
    int32_t *dim[4] = { &x->n, &x->h, &x->w, &x->c }, *stride[4] = { &x->img, &x->row, &x->pix, &x->step };

    for (int i = 3; i > 0; i--) {
        const int k = ca_range(t, 0, i);
        const int32_t d = *dim[i], s = *stride[i];
        *dim[i] = *dim[k], *stride[i] = *stride[k];
        *dim[k] = d, *stride[k] = s;
    }
    t->rec.copy.y.n = x->n, t->rec.copy.y.h = x->h, t->rec.copy.y.w = x->w, t->rec.copy.y.c = x->c;
}

/* How x's axes lie to y's: as they are, anyhow, or columns and channels exchanged in pixels without gaps, as where channels are shuffled. */
enum order { STRAIGHT, MIXED, TURNED };

static void turn(ca *t)
{
    ipu_ref *x = &t->rec.copy.x;
    const ipu_ref was = *x;

    x->w = was.c, x->pix = was.step;
    x->c = was.w, x->step = was.pix;
    t->rec.copy.y.w = x->w, t->rec.copy.y.c = x->c;
}

static int copy(ca *t, ca_dims d, int type, enum ca_layout layout, enum order order)
{
    const int32_t step = ipu_type_bytes(type);
    ipu_ref *y = &t->rec.copy.y;

    ca_begin(t, IPU_COPY, 2, sizeof t->rec.copy);
    ca_ref(t, X, type, d, layout);
    ca_ref(t, Y, type, d, layout);
    if (order != STRAIGHT) {
        (order == MIXED ? permute : turn)(t);
        y->pix = step * (y->c + (order == MIXED ? ca_range(t, 0, 3) : 0));
        y->row = y->pix * y->w;
        y->img = y->row * y->h;
    }
    ca_place(t, 1u << Y);
    t->ops = 1.0 * d.n * d.h * d.w * d.c * step;
    snprintf(t->shape, sizeof t->shape, "%d bytes %dx%dx%d%s", step, d.h, d.w, d.c, order == STRAIGHT ? "" : order == MIXED ? " permuted" : " turned");
    return ca_run(t);
}

static int clamp(ca *t, ca_dims d, int type, enum ca_layout layout)
{
    ipu_clamp *r = &t->rec.clamp;
    const int low = type == IPU_U8 ? 0 : -32767, high = type == IPU_U8 ? 255 : 32767;

    ca_begin(t, IPU_CLAMP, 2, sizeof *r);
    ca_ref(t, X, type, d, layout);
    ca_ref(t, Y, type, d, layout);
    if (!t->bench && ca_chance(t, 30))
        ca_in_place(t, X);
    r->lo = ca_chance(t, 50) ? low : ca_range(t, low, high);
    r->hi = ca_chance(t, 50) ? high : ca_range(t, r->lo, high);
    ca_place(t, 1u << Y);
    t->ops = 1.0 * d.n * d.h * d.w * d.c;
    snprintf(t->shape, sizeof t->shape, "%s %dx%dx%d", type == IPU_U8 ? "u8" : "s16", d.h, d.w, d.c);
    return ca_run(t);
}

static int pad(ca *t, ca_dims d, int type, enum ca_layout layout)
{
    ipu_pad *r = &t->rec.pad;

    ca_begin(t, IPU_PAD, 3, sizeof *r);
    r->py = ca_range(t, 0, 3);
    r->px = ca_range(t, 0, 3);
    ca_ref(t, Y, type, (ca_dims){ d.n, d.h + r->py + ca_range(t, 0, 3), d.w + r->px + ca_range(t, 0, 3), d.c }, layout);
    ca_ref(t, X, type, d, layout);
    ca_array(t, VALUE, type, d.c);
    ca_place(t, 1u << Y);
    t->ops = 1.0 * d.n * d.h * d.w * d.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d", d.h, d.w, d.c);
    return ca_run(t);
}

void ca_move(ca *t, ipu_kind kind)
{
    static const int8_t types[] = { IPU_U8, IPU_S16, IPU_F32, IPU_S32 };

    for (int i = 0; i < 900; i++) {
        const ca_dims d = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 6), ca_range(t, 1, 6),
                            i < 130 ? i + 1 : ca_range(t, 1, 130) };
        const enum ca_layout layout = ca_chance(t, 50) ? CA_LOOSE : CA_DENSE;
        const int type = types[ca_range(t, 0, kind == IPU_COPY ? 3 : 1)];
        if (!(kind == IPU_COPY    ? copy(t, d, type, layout, (enum order)ca_range(t, STRAIGHT, TURNED))
              : kind == IPU_CLAMP ? clamp(t, d, type, layout)
                                  : pad(t, d, type, layout)))
            return;
    }
}

void ca_move_bench(ca *t, ipu_kind kind)
{
    const ca_dims d = { 1, 56, 56, 64 };
    if (kind == IPU_COPY && copy(t, d, IPU_U8, CA_DENSE, STRAIGHT) && copy(t, d, IPU_U8, CA_DENSE, MIXED))
        copy(t, (ca_dims){ 1, 784, 2, 58 }, IPU_U8, CA_DENSE, TURNED);
    else if (kind == IPU_CLAMP && clamp(t, d, IPU_U8, CA_DENSE))
        clamp(t, d, IPU_S16, CA_DENSE);
    else if (kind == IPU_PAD)
        pad(t, d, IPU_U8, CA_DENSE);
}
