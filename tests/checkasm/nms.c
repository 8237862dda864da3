#include "checkasm.h"

#include <stdio.h>

enum { Y, BOXES, SCORES, ORDER };

static int run(ca *t, int32_t pictures, int32_t classes, int32_t boxes, int32_t most, enum ca_layout layout)
{
    ipu_nms *r = &t->rec.nms;
    ca_begin(t, IPU_NMS, 4, sizeof *r);
    ca_ref(t, Y, IPU_S32, (ca_dims){ 1, 1, pictures * classes * most, 3 }, layout);
    ca_ref(t, BOXES, IPU_S16, (ca_dims){ 1, pictures, boxes, 4 }, layout);
    ca_ref(t, SCORES, IPU_S16, (ca_dims){ 1, pictures, classes, boxes }, layout);
    ca_ref(t, ORDER, IPU_S32, (ca_dims){ 1, pictures, classes, boxes }, layout);
    r->most = most;
    r->centre = ca_chance(t, 50);
    r->overlap = ca_chance(t, 80) ? ca_range(t, 0, IPU_NMS_ONE) : ca_range(t, -IPU_NMS_ONE, 2 * IPU_NMS_ONE);
    r->score = ca_chance(t, 50) ? INT32_MIN : ca_range(t, -33000, 33000);
    ca_place(t, 1u << Y);
    if (ca_chance(t, 70))
        ca_fill_int(t, BOXES, 0, 40);
    else
        ca_fill(t, BOXES, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    ca_fill(t, SCORES, CA_ANY);
    if (ca_chance(t, 20))
        ca_fill(t, ORDER, CA_ANY); /* outside */
    else
        ca_fill_int(t, ORDER, 0, boxes - 1);
    t->ops = 1.0 * pictures * classes * boxes;
    snprintf(t->shape, sizeof t->shape, "%d of %d, %d times", most, boxes, pictures * classes);
    return ca_run(t);
}

void ca_nms(ca *t, ipu_kind kind)
{
    (void)kind;
    for (int i = 0; i < 400; i++) {
        const int32_t boxes = ca_range(t, 1, 30);
        if (!run(t, ca_range(t, 1, 3), ca_range(t, 1, 4), boxes, ca_range(t, 1, boxes),
                 ca_chance(t, 50) ? CA_LOOSE : CA_DENSE))
            return;
    }
}

void ca_nms_bench(ca *t, ipu_kind kind)
{
    (void)kind;
    run(t, 1, 2, 2000, 100, CA_DENSE);
}
