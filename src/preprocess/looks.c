/* Two mistakes that leave shape and range as they should be: red and blue exchanged, and an array that was reshaped
 * where its axes should have been transposed.  The first shows beside the file; the second in the rows, as neighbours
 * in a picture are alike. */
#include "preprocess/looks.h"

#include <math.h>
#include <stdlib.h>

#include "base/log.h"

#define PARTS 4
#define COLOURED 4 /* levels by which red and blue differ, root of the mean square: less says nothing */
#define OPPOSITE                                                                                                       \
    (-0.5)      /* correlation of the differences in script and file; 1 where all is well and nothing is cropped */
#define EDGE 16 /* levels from which a step is an edge, whatever its size */
#define INTERLEAVED 0.7 /* three apart against one apart in a plane: above 1 in pictures */
#define PLANES 1.2      /* three apart against one apart in pixels */
#define EQUAL 0.05      /* share by which the three steps within and between pixels of three colours differ at least */

typedef struct view {
    const uint8_t *raw;
    int64_t height, width, row, pixel, plane; /* strides */
} view;

static view view_of(const sgs_input_config *in, const sgs_want *w, const uint8_t *raw)
{
    const int64_t h = w->dim[in->nchw ? 2 : 1], x = w->dim[in->nchw ? 3 : 2];
    return in->nchw ? (view){ raw, h, x, x, 1, h * x } : (view){ raw, h, x, 3 * x, 3, 1 };
}

static double part_mean(const view *v, int channel, int row, int column)
{
    double sum = 0;
    const int64_t y0 = row * v->height / PARTS, y1 = (row + 1) * v->height / PARTS, x0 = column * v->width / PARTS,
                  x1 = (column + 1) * v->width / PARTS;
    for (int64_t y = y0; y < y1; y++)
        for (int64_t x = x0; x < x1; x++)
            sum += v->raw[channel * v->plane + y * v->row + x * v->pixel];
    return sum / (double)((y1 - y0) * (x1 - x0));
}

static void add_colours(sgs_looks *l, const sgs_input_config *in, const view *v, const float *file)
{
    const int red = in->training == SGS_FMT_BGR ? 2 : 0;
    for (int i = 0; i < PARTS * PARTS; i++) {
        const double ours = part_mean(v, red, i / PARTS, i % PARTS) - part_mean(v, 2 - red, i / PARTS, i % PARTS);
        const double theirs = (double)file[3 * i] - (double)file[3 * i + 2];
        l->same += ours * theirs;
        l->ours += ours * ours;
        l->theirs += theirs * theirs;
        l->parts++;
    }
}

/* So that edges, and where rows of a plane meet in one of pixels, do not outweigh the rest. */
static int capped(int step)
{
    return abs(step) < EDGE ? abs(step) : EDGE;
}

/* Of the rows as they lie in memory: of a plane, or of pixels. */
static void add_steps(sgs_looks *l, const sgs_want *w, const uint8_t *raw, int64_t row)
{
    int64_t rows = 1;
    for (int i = 0; i < w->rank; i++)
        rows *= w->dim[i];
    rows /= row;
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x + 3 < row; x++) {
            const uint8_t *p = raw + y * row + x;
            l->step[x % 3] += capped(p[0] - p[1]);
            l->third += capped(p[0] - p[3]);
        }
}

void sgs_looks_add(sgs_looks *l, const sgs_input_config *in, const sgs_want *w, const uint8_t *raw, const float *file)
{
    if (w->rank != 4 || w->dim[0] != 1 || w->dim[in->nchw ? 1 : 3] != 3)
        return;
    const view v = view_of(in, w, raw);
    if (file && v.height >= PARTS && v.width >= PARTS)
        add_colours(l, in, &v, file);
    add_steps(l, w, raw, v.row);
}

static bool reversed(const sgs_looks *l)
{
    const double enough = (double)l->parts * COLOURED * COLOURED;
    return l->parts && l->ours > enough && l->theirs > enough && l->same < OPPOSITE * sqrt(l->ours) * sqrt(l->theirs);
}

static bool mixed_up(const sgs_looks *l, bool nchw)
{
    const double all = l->step[0] + l->step[1] + l->step[2], most = fmax(fmax(l->step[0], l->step[1]), l->step[2]),
                 least = fmin(fmin(l->step[0], l->step[1]), l->step[2]);
    if (nchw)
        return l->third < INTERLEAVED * all;
    return l->third > PLANES * all && most - least < EQUAL * most;
}

void sgs_looks_say(const sgs_looks *l, const sgs_input_config *in, const char *script, const sgs_log *log)
{
    const char *now = sgs_format_name(in->training), *other = in->training == SGS_FMT_BGR ? "RGB" : "BGR";
    if (mixed_up(l, in->nchw)) {
        sgs_log_warning(log,
                        "%s: the picture for input '%.200s' looks like N,H,W,C and N,C,H,W taken for each other: "
                        "np.reshape keeps the order of the elements, np.transpose moves the axes",
                        script, in->name);
        return;
    }
    if (reversed(l))
        sgs_log_warning(
            log,
            "%s: in the picture for input '%.200s' red and blue are exchanged against the files, as "
            "training_input_formats=%s is not what the script returns; if the network was trained so, set it to %s",
            script, in->name, now, other);
}
