/* Every sample leaves a sketch: means of 8 x 8 parts (of arrays that are no pictures, of 64 stretches).  Two are nearly
 * the same when their sketches differ by less than a fiftieth of what all sketches vary by. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "preprocess/preprocess.h"

#define GRID 8
#define PARTS (GRID * GRID)
#define NEAR 0.02     /* root of the mean square of the difference, against the standard deviation of all */
#define MANY 0.5      /* share of the samples that must repeat others for a warning */
#define COMPARED 1000 /* samples that are compared, the first ones: pairs are many */

struct sgs_variety {
    int n; /* samples begun */
    int room;
    float (*sketch)[PARTS]; /* [room]; sums of several inputs lie in one */
};

sgs_variety *sgs_variety_new(sgs_arena *a, int samples)
{
    sgs_variety *v = SGS_NEW(a, sgs_variety);
    v->room = samples < COMPARED ? samples : COMPARED;
    v->sketch = sgs_alloc_n(a, (size_t)v->room + 1, sizeof *v->sketch);
    return v;
}

/* Element i of [height][width][channels] or, with `planes`, [channels][height][width]. */
static int part_of(int64_t i, int64_t height, int64_t width, int64_t channels, bool planes)
{
    const int64_t pixel = planes ? i % (height * width) : i / channels, y = pixel / width, x = pixel % width;
    return (int)(y * GRID / height * GRID + x * GRID / width);
}

void sgs_variety_add(sgs_variety *v, int sample, const sgs_want *w, const void *data)
{
    int64_t count = 1;
    for (int i = 0; i < w->rank; i++)
        count *= w->dim[i];
    if (sample >= v->room || w->type != SGS_F32 || !count)
        return;
    v->n = sample + 1;
    const bool picture = w->rank == 4 && w->dim[0] == 1, planes = picture && w->dim[1] < w->dim[3];
    const float *x = data;
    double sum[PARTS] = { 0 };
    int64_t many[PARTS] = { 0 };
    for (int64_t i = 0; i < count; i++) {
        const int p = picture
                          ? part_of(i, w->dim[planes ? 2 : 1], w->dim[planes ? 3 : 2], planes ? 1 : w->dim[3], planes)
                          : (int)(i * PARTS / count);
        sum[p] += (double)x[i];
        many[p]++;
    }
    for (int p = 0; p < PARTS; p++)
        v->sketch[sample][p] += many[p] ? (float)(sum[p] / (double)many[p]) : 0;
}

static double spread(const sgs_variety *v)
{
    double sum = 0, square = 0, n = (double)v->n * PARTS;
    for (int i = 0; i < v->n; i++)
        for (int p = 0; p < PARTS; p++) {
            sum += (double)v->sketch[i][p];
            square += (double)v->sketch[i][p] * (double)v->sketch[i][p];
        }
    return fmax(square / n - sum / n * (sum / n), 0);
}

static bool alike(const float *a, const float *b, double most)
{
    double square = 0;
    for (int p = 0; p < PARTS && square <= most * PARTS; p++)
        square += ((double)a[p] - (double)b[p]) * ((double)a[p] - (double)b[p]);
    return square <= most * PARTS;
}

void sgs_variety_say(const sgs_variety *v, const sgs_samples *s, const sgs_log *log)
{
    const double most = NEAR * NEAR * spread(v);
    int again = 0, first = 0, second = 0;
    for (int i = 1; i < v->n; i++)
        for (int k = 0; k < i; k++)
            if (alike(v->sketch[i], v->sketch[k], most)) {
                first = again ? first : k;
                second = again ? second : i;
                again++;
                break;
            }
    if (v->n < 2 || again <= MANY * v->n)
        return;
    sgs_log_warning(log,
                    "%d of %d pictures are nearly the same as an earlier one after preprocessing ('%.200s' and "
                    "'%.200s', to begin with): "
                    "ranges are learned from what differs; take pictures of every kind the camera will see",
                    again, v->n, sgs_samples_path(s, first, 0), sgs_samples_path(s, second, 0));
}
