/* The image (.img) as the runtime reads it: docs/IMAGE.md is the text, this its C form.
 *
 * Little-endian, position-independent, mapped and used in place.  Sections start on IPU_ALIGN bytes.  An operation is one
 * record: a head, then its operands (ipu_ref), then its parameters.  The record is the kernel's parameter block; the
 * runtime only adds the operands' addresses.                                                                           */
#ifndef IPU_IMAGE_H
#define IPU_IMAGE_H

#include "openipu/ipu.h"

#define IPU_IMAGE_MAGIC "OpenIPU\n" /* 8 bytes, no NUL */
#define IPU_IMAGE_VERSION 2u

#define IPU_FEATURE_BATCH 1u        /* an ipu_sizes stands behind the header */
#define IPU_FEATURE_PICTURES 2u     /* pictures have alignments, and buffers as their formats say */
#define IPU_FEATURE_FOUR_BITS 4u    /* weights of four bits: IPU_CONV_U8S4, IPU_DEPTHWISE_U8S4 */
#define IPU_FEATURE_STEPS 8u        /* the source of a QUANTIZE may have any step */
#define IPU_FEATURES_KNOWN (IPU_FEATURE_BATCH | IPU_FEATURE_PICTURES | IPU_FEATURE_FOUR_BITS | IPU_FEATURE_STEPS) /* feature bits of this build */
#define IPU_MAX_NAME 65536          /* bytes of a name, its NUL included */

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "images are read in place: a little-endian machine is needed"
#endif

typedef struct ipu_section {
    uint32_t off, bytes;
} ipu_section;

typedef struct ipu_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t header_bytes;   /* with what stands behind it */
    uint32_t file_bytes;
    uint32_t target;         /* row of the target table; 0 = generic */
    uint32_t features;       /* IPU_FEATURE_*: bits the runtime must know */
    uint32_t arena_bytes;
    uint32_t ninput, noutput, nop;
    uint32_t category;       /* 0 Unknown, 1 Classification, 2 Detection */
    ipu_section io;          /* ninput + noutput ipu_io, inputs first */
    ipu_section ops;         /* nop records, back to back */
    ipu_section consts;      /* packed weights, biases, multipliers, tables, names, scales */
    ipu_section provenance;  /* UTF-8 text, "key value\n" lines; never read to run */
    ipu_section cost;        /* nop ipu_cost */
    uint8_t hash[32];        /* SHA-256 of the file with these 32 bytes zero */
} ipu_header;

typedef struct ipu_sizes {
    uint32_t mode, count;    /* ipu_batch_mode */
    uint32_t size[IPU_MAX_BATCH]; /* the first `count` are at least 1 and differ, the others 0 */
} ipu_sizes;

#define IPU_IO_NCHW 0x80
#define IPU_IO_WIDTH 4       /* in dim: the alignment of a picture's width */
#define IPU_IO_HEIGHT 5      /* of its height */
#define IPU_MAX_ALIGNMENT 65536

typedef struct ipu_io {
    uint32_t name;           /* offset in consts of a NUL-terminated string */
    uint8_t type, format, rank;
    uint8_t origin;          /* low 7 bits: the format the network was trained on; IPU_IO_NCHW */
    int32_t dim[IPU_MAX_RANK]; /* of pictures, under IPU_FEATURE_PICTURES, the last two: IPU_IO_WIDTH, IPU_IO_HEIGHT */
    uint32_t bytes;
    int32_t axis;            /* -1: per tensor */
    uint32_t nscale;
    uint32_t scale, zero;    /* offsets in consts: f32[nscale], s32[nscale] */
} ipu_io;

typedef struct ipu_cost {
    uint32_t name;           /* offset in consts: the layer's own name */
    uint32_t mac_lo, mac_hi; /* multiply-accumulates, 64 bits */
    uint32_t read, write;    /* bytes of activations read and written */
    uint32_t weight;         /* bytes of constants read */
} ipu_cost;

typedef enum ipu_space { IPU_NONE, IPU_CONST, IPU_ARENA, IPU_INPUT, IPU_OUTPUT, IPU_SPACE_COUNT } ipu_space;

/* An operand: a window [n][h][w][c] into a space.  Strides in bytes, never negative; step is the element size (channels
 * lie side by side) except for the source of IPU_COPY and, under IPU_FEATURE_STEPS, of IPU_QUANTIZE, which may walk any
 * axis as its c.  A plain array of k elements is
 * n = h = w = 1, c = k. */
typedef struct ipu_ref {
    uint8_t space, type;
    uint16_t index;          /* which input or output; 0 elsewhere */
    uint32_t off;
    int32_t n, h, w, c;
    int32_t img, row, pix, step;
} ipu_ref;

typedef struct ipu_rec {
    uint16_t kind;           /* ipu_kind */
    uint16_t nref;           /* ipu_refs that follow this head */
    uint32_t bytes;          /* of the whole record, a multiple of 4 */
} ipu_rec;

/* Result range of a requantization: q = rne(clamp(real, lo, hi)) + zero; lo and hi are whole numbers, qmin - zero and
 * qmax - zero. */
typedef struct ipu_out {
    float lo, hi;
    int32_t zero;
} ipu_out;

/* Convolution, fully connected (a 1x1 map), residual epilogue.  ARITHMETIC.md 4, 5, 7.
 *   IPU_CONV_U8: x U8, w S8 packed [co/16][kh][kw][ci/4][16 co][4 ci], bias S32[co] with -sum(zero*w) folded in
 *   IPU_CONV_U8S4: the same with weights of four bits, two in each U8 of w: as [co/16][step][16 co][4 ci], steps being [kh][kw][ci/4], of steps 2k and
 *     2k + 1 one in the lower and upper bits of [co/16][k][16 co][4 ci]; after the last of an odd number of steps stand zeros
 *   IPU_CONV_S16: x S16, w S16 packed [co/16][kh][kw][ci/2][16 co][2 ci], bias S64[co]
 *   all: tails of co and ci padded with zero weights; bias, mult padded to a multiple of 16 co.  y U8 or S16.
 * With a table y is U8, table[clamp(conv)], where out is within 0 ... IPU_INDEX - 1, and there is neither residual nor second output.
 * Groups are separate records on channel windows of x and y. */
typedef struct ipu_conv {
    ipu_rec head;            /* nref 9 */
    ipu_ref y, x, w, bias, mult;
    ipu_ref pad;             /* U8 or S16 [ci]: value of a pixel outside x, its zero point per channel */
    ipu_ref add;             /* residual S16, shape of y; IPU_NONE without */
    ipu_ref y2;              /* U8 copy of y, shape of y; IPU_NONE without */
    ipu_ref table;           /* U8[IPU_INDEX]; IPU_NONE without */
    int32_t kh, kw, sy, sx, dy, dx; /* kernel, stride, dilation */
    int32_t py, px;          /* zero rows above, columns left; below and right follow from the shapes */
    int32_t shift;           /* IPU_CONV_S16: rounding right shift of the 64-bit sum; U8: 0 */
    ipu_out out;             /* of the convolution itself; y's unless there is a residual */
    float m_conv, m_add;     /* residual: y = clamp(conv * m_conv + add * m_add) */
    ipu_out sum;
    float m_y2;              /* second output: y2 = clamp((y - zero(y)) * m_y2); zero(y) is sum.zero or out.zero */
    ipu_out out2;
} ipu_conv;

/* Depthwise convolution, one weight plane per channel.
 *   IPU_DEPTHWISE_U8: x U8, w S8 [kh*kw][c], bias S32[c];  IPU_DEPTHWISE_S16: x S16, w S16, bias S64[c]
 *   IPU_DEPTHWISE_U8S4: as U8, weights of four bits: of taps 2k and 2k + 1 one in the lower and upper bits of U8 [(kh*kw + 1)/2][c]
 *   w, bias and mult have c rounded up to a multiple of 16, padded with zeros.  table: as of ipu_conv. */
typedef struct ipu_depthwise {
    ipu_rec head;            /* nref 7 */
    ipu_ref y, x, w, bias, mult, pad, table;
    int32_t kh, kw, sy, sx, dy, dx, py, px;
    int32_t shift;
    ipu_out out;
} ipu_depthwise;

/* S16, ARITHMETIC.md 7.  n, h, w, c of a and of b may each be 1 against y's: it is repeated.
 *   IPU_ADD_S16: y = clamp(a*ma + b*mb), a subtraction with mb < 0;  IPU_MIN_S16, IPU_MAX_S16: of a*ma and b*mb
 *   IPU_MUL_S16: y = clamp(a*b * ma);  IPU_DIV_S16: y = clamp(a/b * ma);  mb 0 */
typedef struct ipu_arith {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, a, b;
    float ma, mb;
    ipu_out out;
} ipu_arith;

/* IPU_MAXPOOL: U8 or S16, same quantization in and out; pixels outside x do not take part.
 * IPU_AVGPOOL_S16: mult f32[kh*kw + 1], indexed by the number of pixels that took part (with count_pad: kh*kw). */
typedef struct ipu_pool {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, x, mult;      /* mult IPU_NONE for max */
    int32_t kh, kw, sy, sx, py, px;
    int32_t count_pad;
    ipu_out out;             /* average only */
} ipu_pool;

/* IPU_SOFTMAX_S16 over c of each pixel.  ARITHMETIC.md 9.  table S16[1025]. */
typedef struct ipu_softmax {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, x, table;
    float m_in, m_out;
    ipu_out out;
} ipu_softmax;

/* IPU_COPY: y[n][h][w][c] = x[n][h][w][c], one type.  x's strides may permute its axes: a transpose is a copy. */
typedef struct ipu_copy {
    ipu_rec head;            /* nref 2 */
    ipu_ref y, x;
} ipu_copy;

/* IPU_CLAMP: y = min(max(x, lo), hi) on integers of one type (ReLU, clip at unchanged scale). */
typedef struct ipu_clamp {
    ipu_rec head;            /* nref 2 */
    ipu_ref y, x;
    int32_t lo, hi;
} ipu_clamp;

/* IPU_QUANTIZE: y = clamp((x - zero) * m), x U8 or S16 or F32 (zero 0), y U8 or S16.
 * IPU_DEQUANTIZE: y F32 = (x - zero) * m, x U8 or S16.  Scales: mult f32[1] or [c], zero s32[1] or [c]. */
typedef struct ipu_quantize {
    ipu_rec head;            /* nref 4 */
    ipu_ref y, x, mult, zero;
    ipu_out out;             /* quantize only */
} ipu_quantize;

/* IPU_PAD: y = x surrounded by `value` pixels (U8 or S16 [c]); top, left in pixels. */
typedef struct ipu_pad {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, x, value;
    int32_t py, px;
} ipu_pad;

/* IPU_LUT_S16: a function of one variable.  ARITHMETIC.md 12.  table S16[2 * IPU_LUT_SIDE]: x >= 0, then x < 0.
 * IPU_LUT_U8: y U8 = table[clamp(x - first)], x S16, table U8[IPU_INDEX].  ARITHMETIC.md 25. */
#define IPU_LUT_BITS 7       /* entries a power of two: 1 << 7 */
#define IPU_LUT_SIDE 1153
#define IPU_INDEX 1024
typedef struct ipu_lut {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, x, table;
    int32_t first;           /* IPU_LUT_S16: 0 */
} ipu_lut;

/* IPU_PRELU_S16: y = clamp(x * (x > threshold ? m : mult)), S16; mult f32[1] or [c].  ARITHMETIC.md 13. */
typedef struct ipu_prelu {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, x, mult;
    int32_t threshold;
    float m;
    ipu_out out;
} ipu_prelu;

/* IPU_ROUND_S16: y = clamp(W(x * scale) * m), S16; W as `mode` says, scale at most 64.  ARITHMETIC.md 14. */
typedef enum ipu_round_mode { IPU_ROUND_DOWN, IPU_ROUND_UP, IPU_ROUND_NEAREST, IPU_ROUND_SIGN, IPU_ROUND_MODES } ipu_round_mode;
typedef struct ipu_round {
    ipu_rec head;            /* nref 2 */
    ipu_ref y, x;
    int32_t mode;
    float scale, m;
    ipu_out out;
} ipu_round;

/* IPU_RESIZE_NEAREST: y[h][w] = x[iy[h]][ix[w]], U8 or S16; wy and wx IPU_NONE, taps 1.
 * IPU_RESIZE_S16, ARITHMETIC.md 15: taps 2 or 4 entries of iy and wy for each row of y, of ix and wx for each column. */
typedef struct ipu_resize {
    ipu_rec head;            /* nref 6 */
    ipu_ref y, x;
    ipu_ref iy, ix;          /* S32: rows and columns of x */
    ipu_ref wy, wx;          /* S16: their weights, in 2^-IPU_RESIZE_BITS */
    int32_t taps;
    float m;                 /* IPU_RESIZE_S16 only, and */
    ipu_out out;
} ipu_resize;
#define IPU_RESIZE_BITS 11
#define IPU_RESIZE_SHIFT 8
#define IPU_RESIZE_TAPS 4    /* at most */

/* IPU_REDUCE_SUM_S16: y = clamp(narrow(sum of x, shift) * m), S16.  IPU_REDUCE_MAX, IPU_REDUCE_MIN: the largest, smallest
 * integer of x, U8, S16 or S32;  IPU_REDUCE_SUM_S32: the lower bits of the sum of x, S32;  of these shift, m and out are 0.  y's n, h, w and c are x's, or 1
 * where the axis is gathered. */
typedef struct ipu_reduce {
    ipu_rec head;            /* nref 2 */
    ipu_ref y, x;
    int32_t shift;
    float m;
    ipu_out out;
} ipu_reduce;

/* IPU_ARGMAX: y S32 [n][h][w][1], the index of the largest (sign 1) or smallest (sign -1) channel of x, U8, S16 or S32; the
 * first of equals, or with `last` the last. */
typedef struct ipu_argmax {
    ipu_rec head;            /* nref 2 */
    ipu_ref y, x;
    int32_t sign, last;
} ipu_argmax;

/* IPU_MATMUL_S16: for each n and w a product of matrices, y[h][c] = clamp(f32(sum over k of a[h][k] * b[k][c]) * m), S16; turned: b[c][k].  k is a's
 * channel and b's h (turned: c); n and w of a and of b may each be 1 against y's: that matrix serves again.  ARITHMETIC.md 16. */
#define IPU_MATMUL_PRODUCTS (1 << 20) /* at most, of one sum */
typedef struct ipu_matmul {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, a, b;
    int32_t turned;
    float m;
    ipu_out out;
} ipu_matmul;

/* Truth values: U8, 0 or 1.  n, h, w, c of the operands may each be 1 against y's.  ARITHMETIC.md 17.
 *   IPU_COMPARE_S16: y = whether a*ma and b*mb are as `mode` says;  IPU_LOGIC: of two truth values; ma, mb 0 */
enum { IPU_COMPARE_LESS, IPU_COMPARE_LESS_EQUAL, IPU_COMPARE_EQUAL, IPU_COMPARE_DIFFERENT, IPU_COMPARE_MODES };
enum { IPU_LOGIC_AND, IPU_LOGIC_OR, IPU_LOGIC_XOR, IPU_LOGIC_MODES };
typedef struct ipu_compare {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, a, b;
    int32_t mode;
    float ma, mb;
} ipu_compare;

/* IPU_WHERE_S16: y = clamp(truth ? a * ma : b * mb), repeated as above.  IPU_CHOOSE: truth ? a : b, any one type; ma, mb and out are 0. */
typedef struct ipu_where {
    ipu_rec head;            /* nref 4 */
    ipu_ref y, truth, a, b;
    float ma, mb;
    ipu_out out;
} ipu_where;

/* IPU_GATHER: y[n][h][w][c] = x[n][index[h]][w][c], any one type; index U8, S16, U16 or S32, an array of y's h entries, anywhere.  Negative
 * entries count from the end; what lies outside is the first or last row. */
typedef struct ipu_gather {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, x, index;
} ipu_gather;

/* IPU_TOPK: the y.c largest (sign 1) or smallest (sign -1) channels of each pixel of x, best first, of equals the first first: y has x's type, U8 or
 * S16, or is S32 and holds their indices, x then U8, S16 or S32. */
typedef struct ipu_topk {
    ipu_rec head;            /* nref 2 */
    ipu_ref y, x;
    int32_t sign;
} ipu_topk;

/* IPU_TAKE: y[n][h][w][c] = x[n][h][w][index[n][h][w][c]], any one type; index S32, as IPU_GATHER's. */
typedef struct ipu_take {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, x, index;
} ipu_take;

/* IPU_GRIDSAMPLE_S16: y[n][h][w] = x[n] where the coordinates grid[n][h][w] = (column, row) point to, S16.  ARITHMETIC.md 18.  taps: 1 nearest, 2 linear,
 * 4 cubic, rows and columns each; my, mx: pixels a step of the grid, in 2^-(IPU_GRID_BITS + ky), 2^-(IPU_GRID_BITS + kx). */
#define IPU_GRID_BITS 14     /* fraction of a coordinate; weights of one axis sum to 1 << 14 */
#define IPU_GRID_SHIFT 30    /* ky and kx at most */
typedef enum ipu_grid_outside { /* a pixel outside x: 0; the nearest inside; mirrored at the outer edges, at the middles of the outermost pixels */
    IPU_GRID_ZEROS, IPU_GRID_BORDER, IPU_GRID_EDGES, IPU_GRID_MIDDLES, IPU_GRID_OUTSIDES
} ipu_grid_outside;
typedef struct ipu_gridsample {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, x, grid;
    int32_t taps, outside;
    int32_t my, ky, mx, kx;
    float m;
    ipu_out out;
} ipu_gridsample;

/* Integers without scale, U8, S16 or S32: y = a op b as `mode` says, a and b of one type, repeated as in IPU_ADD_S16.  y has their type; of a comparison it
 * is U8, 0 or 1.  ARITHMETIC.md 19. */
enum {
    IPU_INTEGER_ADD, IPU_INTEGER_SUB, IPU_INTEGER_MUL, IPU_INTEGER_DIV, IPU_INTEGER_MOD, IPU_INTEGER_REST, IPU_INTEGER_POWER, IPU_INTEGER_MIN,
    IPU_INTEGER_MAX, IPU_INTEGER_LESS, IPU_INTEGER_LESS_EQUAL, IPU_INTEGER_EQUAL, IPU_INTEGER_DIFFERENT, IPU_INTEGER_MODES
};
typedef struct ipu_integer {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, a, b;
    int32_t mode;
} ipu_integer;

/* Between types U8, S16 and S32.  IPU_CONVERT: the lower bits of an integer; m and out are 0.  IPU_TO_INTEGER: x S16, x * m without its fraction.
 * IPU_TO_REAL: y S16 = clamp(x * m).  ARITHMETIC.md 19. */
typedef struct ipu_convert {
    ipu_rec head;            /* nref 2 */
    ipu_ref y, x;
    float m;
    ipu_out out;
} ipu_convert;

/* IPU_SCATTER: y = x, then row index[k] of y is row k of u, or what `mode` makes of both, k growing.  y, x [1][h][1][c], u [1][index.c][1][c], of any one
 * type for IPU_SCATTER_REPLACE, S32 for _ADD, S16 or S32 for _MUL, else U8, S16 or S32; index S32, an array, as IPU_GATHER's.  ARITHMETIC.md 6. */
enum { IPU_SCATTER_REPLACE, IPU_SCATTER_ADD, IPU_SCATTER_MUL, IPU_SCATTER_MAX, IPU_SCATTER_MIN, IPU_SCATTER_MODES };
typedef struct ipu_scatter {
    ipu_rec head;            /* nref 4 */
    ipu_ref y, x, index, u;
    int32_t mode;
    float m;                 /* S16: of a product, else 0 */
    ipu_out out;
} ipu_scatter;

/* IPU_CUMSUM: channel c of y is the sum of the channels of x up to c (reverse: from c on), without c itself where exclusive.  S16: clamp(narrow(sum, shift) * m);
 * S32: the lower bits, shift, m and out are 0.  ARITHMETIC.md 7 and 19. */
typedef struct ipu_cumsum {
    ipu_rec head;            /* nref 2 */
    ipu_ref y, x;
    int32_t exclusive, reverse, shift;
    float m;
    ipu_out out;
} ipu_cumsum;

/* IPU_LAYERNORM_S16: the channels of each pixel, IPU_LAYERNORM_MOST at most, less their mean where centred, divided by the root of the mean of their squares;
 * y = clamp(that * scale + bias), scale and bias f32[1] or [c]; epsilon in the units of n^2 times that mean.  ARITHMETIC.md 20. */
#define IPU_LAYERNORM_MOST 65536
#define IPU_LAYERNORM_EPSILON 0x1p100f /* at most */
typedef struct ipu_layernorm {
    ipu_rec head;            /* nref 4 */
    ipu_ref y, x, scale, bias;
    int32_t centred;
    float epsilon;
    ipu_out out;
} ipu_layernorm;

/* IPU_MAXPOOL_INDEX: y S32, of each window of x, U8 or S16, the place of its largest pixel, of equals the first, as a number of the tensor [n][c][h][w], with
 * by_columns of [n][c][w][h].  ARITHMETIC.md 6. */
typedef struct ipu_peaks {
    ipu_rec head;            /* nref 2 */
    ipu_ref y, x;
    int32_t kh, kw, sy, sx, dy, dx, py, px;
    int32_t by_columns;
} ipu_peaks;

/* IPU_MOD_S16: y = clamp(m * what a / b leaves, of b's sign or, truncated, of a's), S16, operands repeated as in IPU_ADD_S16.  ARITHMETIC.md 7. */
#define IPU_MOD_ONE (1 << 30) /* ma, mb: the larger scale's */
#define IPU_MOD_SHIFT 15
typedef struct ipu_mod {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, a, b;
    int32_t truncated;
    int32_t ma, mb;
    float m;
    ipu_out out;
} ipu_mod;

/* IPU_NMS: y S32 [1][1][w][3], rows of picture, class, box, -1 where no more are chosen; boxes S16 [1][pictures][boxes][4], scores S16 and order S32
 * [1][pictures][classes][boxes].  Of each class at most `most` boxes that score more than `score`; overlap in 1 / IPU_NMS_ONE.  ARITHMETIC.md 21. */
#define IPU_NMS_ONE (1 << 24)
typedef struct ipu_nms {
    ipu_rec head;            /* nref 4 */
    ipu_ref y, boxes, scores, order;
    int32_t most, centre, overlap, score;
} ipu_nms;
/* IPU_ROIPOOL_S16: y[i][h][w] is the largest pixel of bin h, w of box i of x, S16; box [1][1][y.n][5]: picture, x0, y0, x1, y1.  mult, shift: pixels a step of
 * its coordinates; picture_mult, picture_shift: of its first number.  ARITHMETIC.md 22. */
#define IPU_ROI_SHIFT 30
#define IPU_ROI_BINS 4096    /* along an axis, at most */
typedef struct ipu_roipool {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, x, box;
    int32_t mult, shift, picture_mult, picture_shift;
    float m;
    ipu_out out;
} ipu_roipool;

/* IPU_SUPPRESS: y[n][class][0][i] is the score of box i where it stays in its class, else IPU_GONE.  score [1][n][i][class], box [n][i][0 or class][x0, y0, x1, y1],
 * all S16.  overlap, eta in 2^-IPU_OVERLAP_BITS; what scores no more than `least` goes; background: a class that is none.  ARITHMETIC.md 23. */
#define IPU_OVERLAP_BITS 16
#define IPU_GONE INT16_MIN
typedef struct ipu_suppress {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, score, box;
    int32_t least, most, background, overlap, eta;
} ipu_suppress;

/* IPU_DETECT: rows y[0][0][i] = picture, class, score, x0, y0, x1, y1 of what IPU_SUPPRESS left, y.w / score.n of each picture at most, then rows of -1.
 * one: steps of y in 1.  ARITHMETIC.md 23. */
typedef struct ipu_detect {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, score, box;
    float one, m_score, m_box;
    ipu_out out;
} ipu_detect;

/* IPU_NV12: y[n][h][w] = R, G, B of a picture given as a plane of brightness and one of colours, each of which serves two by two pixels; all U8.
 * y [n][h][w][3], luma [n][h][w][1], chroma [n][(h + 1) / 2][(w + 1) / 2][2], U and V.  ARITHMETIC.md 24. */
typedef struct ipu_nv12 {
    ipu_rec head;            /* nref 3 */
    ipu_ref y, luma, chroma;
} ipu_nv12;

/* One line an operation: kind, family (its file, its check), C kernel.  Everything that lists operations includes this. */
#define IPU_KINDS(X)                                   \
    X(IPU_CONV_U8, conv, ipu_conv_u8_c)                \
    X(IPU_CONV_S16, conv, ipu_conv_s16_c)              \
    X(IPU_DEPTHWISE_U8, depthwise, ipu_depthwise_u8_c) \
    X(IPU_DEPTHWISE_S16, depthwise, ipu_depthwise_s16_c) \
    X(IPU_ADD_S16, arith, ipu_add_s16_c)               \
    X(IPU_MAXPOOL, pool, ipu_maxpool_c)                \
    X(IPU_AVGPOOL_S16, pool, ipu_avgpool_s16_c)        \
    X(IPU_SOFTMAX_S16, softmax, ipu_softmax_s16_c)     \
    X(IPU_COPY, copy, ipu_copy_c)                      \
    X(IPU_CLAMP, clamp, ipu_clamp_c)                   \
    X(IPU_QUANTIZE, quantize, ipu_quantize_c)          \
    X(IPU_DEQUANTIZE, quantize, ipu_dequantize_c)      \
    X(IPU_PAD, pad, ipu_pad_c)                         \
    X(IPU_MUL_S16, arith, ipu_mul_s16_c)               \
    X(IPU_DIV_S16, arith, ipu_div_s16_c)               \
    X(IPU_MIN_S16, arith, ipu_min_s16_c)               \
    X(IPU_MAX_S16, arith, ipu_max_s16_c)               \
    X(IPU_LUT_S16, lut, ipu_lut_s16_c)                 \
    X(IPU_PRELU_S16, prelu, ipu_prelu_s16_c)           \
    X(IPU_ROUND_S16, round, ipu_round_s16_c) \
    X(IPU_RESIZE_NEAREST, resize, ipu_resize_nearest_c) \
    X(IPU_RESIZE_S16, resize, ipu_resize_s16_c) \
    X(IPU_REDUCE_SUM_S16, reduce, ipu_reduce_sum_s16_c) \
    X(IPU_REDUCE_MAX, reduce, ipu_reduce_max_c)        \
    X(IPU_REDUCE_MIN, reduce, ipu_reduce_min_c)        \
    X(IPU_ARGMAX, argmax, ipu_argmax_c)                \
    X(IPU_MATMUL_S16, matmul, ipu_matmul_s16_c)        \
    X(IPU_COMPARE_S16, compare, ipu_compare_s16_c)     \
    X(IPU_LOGIC, compare, ipu_logic_c)                 \
    X(IPU_WHERE_S16, where, ipu_where_s16_c)           \
    X(IPU_GATHER, gather, ipu_gather_c)                \
    X(IPU_TOPK, topk, ipu_topk_c)                      \
    X(IPU_TAKE, take, ipu_take_c)                      \
    X(IPU_GRIDSAMPLE_S16, gridsample, ipu_gridsample_s16_c) \
    X(IPU_CHOOSE, where, ipu_choose_c)                 \
    X(IPU_INTEGER, integer, ipu_integer_c)             \
    X(IPU_CONVERT, convert, ipu_convert_c)             \
    X(IPU_TO_INTEGER, convert, ipu_to_integer_c)       \
    X(IPU_TO_REAL, convert, ipu_to_real_c)             \
    X(IPU_SCATTER, scatter, ipu_scatter_c)             \
    X(IPU_CUMSUM, cumsum, ipu_cumsum_c)                \
    X(IPU_LAYERNORM_S16, layernorm, ipu_layernorm_s16_c) \
    X(IPU_REDUCE_SUM_S32, reduce, ipu_reduce_sum_s32_c) \
    X(IPU_MAXPOOL_INDEX, peaks, ipu_maxpool_index_c)   \
    X(IPU_MOD_S16, mod, ipu_mod_s16_c)                 \
    X(IPU_NMS, nms, ipu_nms_c)                         \
    X(IPU_ROIPOOL_S16, roipool, ipu_roipool_s16_c)     \
    X(IPU_SUPPRESS, suppress, ipu_suppress_c)          \
    X(IPU_DETECT, detect, ipu_detect_c)                \
    X(IPU_NV12, nv12, ipu_nv12_c)                      \
    X(IPU_LUT_U8, lut, ipu_lut_u8_c)                   \
    X(IPU_CONV_U8S4, conv, ipu_conv_u8s4_c)            \
    X(IPU_DEPTHWISE_U8S4, depthwise, ipu_depthwise_u8s4_c)

/* Operands of a family's record (struct ipu_<family>).  Operand 0 is written, IPU_CONV_Y2 too; no other ever is. */
enum {
    IPU_NREF_conv = 9,
    IPU_NREF_depthwise = 7,
    IPU_NREF_arith = 3,
    IPU_NREF_pool = 3,
    IPU_NREF_softmax = 3,
    IPU_NREF_copy = 2,
    IPU_NREF_clamp = 2,
    IPU_NREF_quantize = 4,
    IPU_NREF_pad = 3,
    IPU_NREF_lut = 3,
    IPU_NREF_prelu = 3,
    IPU_NREF_round = 2,
    IPU_NREF_resize = 6,
    IPU_NREF_reduce = 2,
    IPU_NREF_argmax = 2,
    IPU_NREF_matmul = 3,
    IPU_NREF_compare = 3,
    IPU_NREF_where = 4,
    IPU_NREF_gather = 3,
    IPU_NREF_topk = 2,
    IPU_NREF_take = 3,
    IPU_NREF_gridsample = 3,
    IPU_NREF_integer = 3,
    IPU_NREF_convert = 2,
    IPU_NREF_scatter = 4,
    IPU_NREF_cumsum = 2,
    IPU_NREF_layernorm = 4,
    IPU_NREF_peaks = 2,
    IPU_NREF_mod = 3,
    IPU_NREF_nms = 4,
    IPU_NREF_roipool = 3,
    IPU_NREF_suppress = 3,
    IPU_NREF_detect = 3,
    IPU_NREF_nv12 = 3,
    IPU_MAX_REF = 9,
    IPU_CONV_ADD = 6,        /* operand numbers of ipu_conv */
    IPU_CONV_Y2 = 7,
    IPU_CONV_TABLE = 8,
    IPU_DEPTHWISE_TABLE = 6, /* of ipu_depthwise */
    IPU_RESIZE_IY = 2,       /* of ipu_resize */
    IPU_RESIZE_IX = 3
};

typedef enum ipu_kind {
#define X(kind, family, kernel) kind,
    IPU_KINDS(X)
#undef X
        IPU_KIND_COUNT
} ipu_kind;

/* Whether the record is an ipu_conv, an ipu_depthwise; whether its weights have four bits. */
static inline int ipu_is_conv(int kind)
{
    return kind == IPU_CONV_U8 || kind == IPU_CONV_S16 || kind == IPU_CONV_U8S4;
}

static inline int ipu_is_depthwise(int kind)
{
    return kind == IPU_DEPTHWISE_U8 || kind == IPU_DEPTHWISE_S16 || kind == IPU_DEPTHWISE_U8S4;
}

static inline int ipu_is_four_bits(int kind)
{
    return kind == IPU_CONV_U8S4 || kind == IPU_DEPTHWISE_U8S4;
}

/* The file's layout does not depend on the compiler: docs/IMAGE.md gives these numbers. */
_Static_assert(sizeof(ipu_header) == 120 && sizeof(ipu_io) == 52 && sizeof(ipu_cost) == 24 && sizeof(ipu_sizes) == 48, "image layout");
_Static_assert(sizeof(ipu_ref) == 40 && sizeof(ipu_rec) == 8 && sizeof(ipu_out) == 12, "image layout");
_Static_assert(sizeof(ipu_conv) == 8 + 9 * 40 + 36 + 12 + 8 + 12 + 4 + 12 && sizeof(ipu_depthwise) == 8 + 7 * 40 + 36 + 12, "image layout");
_Static_assert(sizeof(ipu_arith) == 148 && sizeof(ipu_pool) == 168 && sizeof(ipu_softmax) == 148 && sizeof(ipu_copy) == 88, "image layout");
_Static_assert(sizeof(ipu_clamp) == 96 && sizeof(ipu_quantize) == 180 && sizeof(ipu_pad) == 136 && sizeof(ipu_resize) == 268, "image layout");
_Static_assert(sizeof(ipu_lut) == 132 && sizeof(ipu_prelu) == 148 && sizeof(ipu_round) == 112, "image layout");
_Static_assert(sizeof(ipu_reduce) == 108 && sizeof(ipu_argmax) == 96 && sizeof(ipu_matmul) == 148, "image layout");
_Static_assert(sizeof(ipu_compare) == 140 && sizeof(ipu_where) == 188 && sizeof(ipu_gather) == 128, "image layout");
_Static_assert(sizeof(ipu_topk) == 92 && sizeof(ipu_take) == 128 && sizeof(ipu_gridsample) == 168, "image layout");
_Static_assert(sizeof(ipu_integer) == 132 && sizeof(ipu_convert) == 104 && sizeof(ipu_scatter) == 188 && sizeof(ipu_cumsum) == 116, "image layout");
_Static_assert(sizeof(ipu_layernorm) == 188, "image layout");
_Static_assert(sizeof(ipu_peaks) == 124 && sizeof(ipu_mod) == 156 && sizeof(ipu_nms) == 184, "image layout");
_Static_assert(sizeof(ipu_roipool) == 160 && sizeof(ipu_suppress) == 148 && sizeof(ipu_detect) == 152, "image layout");
_Static_assert(sizeof(ipu_nv12) == 128, "image layout");

#endif
