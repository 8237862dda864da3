/* Fixed graph -> operation records.  Each op's lower() asks for its operands and emits records; where the bytes lie is
 * decided later by the memory planner, so operands name buffers, not addresses.
 *
 *   program.h  what the steps below pass on: records over numbered buffers
 *   lower.c    walks the graph, calls op->lower
 *   views.c    reshape, concat, slice, transpose: windows of one buffer where possible
 *   fuse.c     record pairs into one: residual add, second 8-bit output (never changes a bit: ARITHMETIC.md 7)
 *   inplace.c  lifetimes, buffers in each other's place;  plan.c  offsets
 *   move.c     slices, transposes, repetitions as copies of windows
 *   pack.c     weights into the packed layout
 *   emit.c     the image bytes
 *   (src/compile.c is the stage: sgs_compile)
 */
#ifndef SGS_LOWER_H
#define SGS_LOWER_H

#include "compile/program.h"
#include "ops/op.h"
#include "runtime/kernels.h"

/* The fixed graph as records, one element; p is zeroed first.  Buffers of graph inputs and outputs are the caller's: a
 * value that is both, or two outputs of one value, get a COPY.  On failure the diagnostic names the layer. */
sgs_status sgs_lower(sgs_program *p, sgs_graph *g, sgs_diag *d);
/* The same without views: every value lies in a buffer of its own, every record does one thing.  For the fixed simulator. */
sgs_status sgs_lower_plain(sgs_program *p, sgs_graph *g, sgs_diag *d);

typedef struct sgs_lowering sgs_lowering;

/* Constants that an operator makes up while it is lowered are values with id -1.
 *
 * Operand of a value as [n][h][w][c]: rank 4 as it is, rank r < 4 right-aligned, higher ranks folded into n.  In the
 * record, ref.index holds the buffer number until the plan fixes space and offset. */
ipu_ref sgs_lower_ref(sgs_lowering *l, const sgs_value *v);
/* For operators that walk a value's axes in their own way: bytes from one index of each axis to the next, and a window
 * from byte `off` of the value on.  Strides of axes with one element do not count. */
void sgs_lower_strides(sgs_lowering *l, const sgs_value *v, int64_t stride[SGS_MAX_RANK]);
ipu_ref sgs_lower_window(sgs_lowering *l, const sgs_value *v, int64_t off, const int64_t dim[4],
                         const int64_t stride[4]);
/* Constant bytes (already packed) appended to the const section; equal bytes are shared. */
ipu_ref sgs_lower_const(sgs_lowering *l, ipu_type t, const void *data, int64_t count);
/* Emits a record (copied).  `layer`: whose cost and name it carries. */
sgs_status sgs_lower_emit(sgs_lowering *l, const ipu_rec *rec, const sgs_node *layer, int64_t mac, sgs_diag *d);
/* A buffer between two records of one node: the shape and type of a window, dense. */
ipu_ref sgs_lower_temp(sgs_lowering *l, const ipu_ref *like);
/* A COPY; equal shapes and types. */
sgs_status sgs_lower_copy(sgs_lowering *l, const ipu_ref *y, const ipu_ref *x, const sgs_node *layer, sgs_diag *d);
/* Emits a record that works along the channels, operand 0 the layer's result and those after it its first inputs, along this axis of the values instead:
 * between copies where it is not the last.  Along the others an input may reach farther than the result. */
sgs_status sgs_lower_along(sgs_lowering *l, ipu_rec *rec, const sgs_node *layer, int axis, int operands, sgs_diag *d);
/* Movement of elements, as COPY records (move.c).  For index i of y's axis k, i < count[k]: y at to[k] + i is x at from[axis[k]] + i * step[k];
 * axis -1: the same element of x again.  x's axes that no axis of y walks stand at from[].  step < 0 walks backwards. */
typedef struct sgs_move {
    const sgs_value *y, *x;
    int64_t to[SGS_MAX_RANK], count[SGS_MAX_RANK], from[SGS_MAX_RANK], step[SGS_MAX_RANK];
    int axis[SGS_MAX_RANK];
} sgs_move;
/* All of y, axis by axis from x. */
void sgs_move_whole(sgs_move *m, const sgs_value *y, const sgs_value *x);
sgs_status sgs_lower_move(sgs_lowering *l, const sgs_node *n, const sgs_move *m, sgs_diag *d);
/* n's output, operand 0, from its input 0, operand 1, as the nest goes over them (strides in bytes). */
struct sgs_nest;
sgs_status sgs_lower_walk(sgs_lowering *l, const sgs_node *n, const struct sgs_nest *over, sgs_diag *d);
/* n's output is its input 0 from byte `off` on, walked with those strides (in bytes, negative ones too): a view of it where possible, else
 * copies. */
sgs_status sgs_lower_seen(sgs_lowering *l, const sgs_node *n, int64_t off, const int64_t *stride, sgs_diag *d);
/* .lower of concat and of reshape (views.c). */
sgs_status sgs_lower_concat(sgs_lowering *l, const sgs_node *n, sgs_diag *d);
sgs_status sgs_lower_reshape(sgs_lowering *l, const sgs_node *n, sgs_diag *d);
/* sgs_fail naming the node. */
sgs_status sgs_lower_fail(sgs_lowering *l, const sgs_node *n, sgs_diag *d, const char *fmt, ...) SGS_PRINTF(4, 5);

/* The head of a record: SGS_REC(IPU_CONV_U8, conv). */
#define SGS_REC(kind, family)                                                                                          \
    {                                                                                                                  \
        (kind), IPU_NREF_##family, sizeof(ipu_##family)                                                                \
    }

/* ---- pack.c: constants as kernels read them ---- */

/* w S4, S8 or S16 [co][kh][kw][ci] -> the packed layout of ipu_conv.w. */
ipu_ref sgs_pack_conv(sgs_lowering *l, sgs_type t, const void *w, int64_t co, int64_t taps, int64_t ci);
/* w S4, S8 or S16 [taps][c] -> ipu_depthwise.w. */
ipu_ref sgs_pack_depthwise(sgs_lowering *l, sgs_type t, const void *w, int64_t taps, int64_t c);
/* count elements, zeros up to a multiple of 16. */
ipu_ref sgs_pack_array(sgs_lowering *l, ipu_type t, const void *data, int64_t count);

/* ---- sums.c: weighted sums of integers (convolution, depthwise, fully connected), ARITHMETIC.md 4 and 5 ---- */

typedef struct sgs_sums {
    const sgs_value *x, *w, *bias, *y; /* bias may be NULL */
    int64_t co, taps, ci;              /* outputs; products of one sum are taps x ci */
    int64_t step_o, step_tap, step_c;  /* w's index is o*step_o + tap*step_tap + c*step_c */
    int64_t group;                     /* outputs that read the same ci channels */
    /* results of sgs_sums_make, one per output: */
    void *folded; /* S32 or S64: bias - sum(zero * w) */
    float *mult;
    int32_t shift;
} sgs_sums;
/* The kernels that add them up. */
static inline ipu_kind sgs_sums_conv(const sgs_sums *s)
{
    return s->x->type != SGS_U8 ? IPU_CONV_S16 : s->w->type == SGS_S4 ? IPU_CONV_U8S4 : IPU_CONV_U8;
}
static inline ipu_kind sgs_sums_depthwise(const sgs_sums *s)
{
    return s->x->type != SGS_U8 ? IPU_DEPTHWISE_S16 : s->w->type == SGS_S4 ? IPU_DEPTHWISE_U8S4 : IPU_DEPTHWISE_U8;
}
/* Proves that the sums fit and computes the results. */
sgs_status sgs_sums_make(sgs_lowering *l, const sgs_node *n, sgs_sums *s, sgs_diag *d);
/* Constant operands for outputs [first, first + count): bias, mult. */
ipu_ref sgs_sums_bias(sgs_lowering *l, const sgs_sums *s, int64_t first, int64_t count);
ipu_ref sgs_sums_mult(sgs_lowering *l, const sgs_sums *s, int64_t first, int64_t count);
/* x's zero points for channels [first, first + count), in x's type: what a pixel outside reads. */
ipu_ref sgs_lower_zeros(sgs_lowering *l, const sgs_value *x, int64_t first, int64_t count);
/* A window on some channels of an operand. */
ipu_ref sgs_ref_channels(ipu_ref r, int64_t first, int64_t count);
/* The same window with axis 0..3 (n, h, w, c) as its channels, the others in their order; and back.  What comes out may be the source of a
 * COPY alone, unless it has one channel. */
ipu_ref sgs_ref_turned(ipu_ref r, int axis);
ipu_ref sgs_ref_turned_back(ipu_ref r, int axis);

/* Scale and zero point of channel c; 1 and 0 without quantization. */
static inline double sgs_scale(const sgs_value *v, int64_t c)
{
    return v->quant ? (double)v->quant->scale[v->quant->n > 1 ? c : 0] : 1;
}
static inline int32_t sgs_zero(const sgs_value *v, int64_t c)
{
    return v->quant ? v->quant->zero[v->quant->n > 1 ? c : 0] : 0;
}
static inline bool sgs_one_scale(const sgs_value *v)
{
    return !v->quant || v->quant->n == 1;
}
/* S16 and U8, the types of activations. */
static inline bool sgs_is_activation(const sgs_value *v)
{
    return v->type == SGS_U8 || v->type == SGS_S16;
}
sgs_arena *sgs_lower_arena(sgs_lowering *l);

/* The multipliers and ranges of ARITHMETIC.md, from a fixed value's quantization. */
float sgs_mult(double num, double den); /* f32(num / den) */
/* Section 3 with a fused sgs_act; y has one zero point, and one scale unless act is NONE or RELU. */
ipu_out sgs_out_range(const sgs_value *y, int act, float lo, float hi);

#endif
