/* Every kernel of a table against the C kernel: same record, same operands, same bytes.
 *
 * A test describes an operation with ca_begin, ca_ref and ca_fill and hands it to ca_run, which runs both kernels, the
 * one under test in two row ranges, and compares everything in and around the windows they write.  Each operand ends
 * where an inaccessible page begins, or begins where one ends. */
#ifndef CHECKASM_H
#define CHECKASM_H

#include "runtime/fixed.h"
#include "runtime/kernels.h"

#include <stddef.h>
#include <stdint.h>

enum { CA_OPERANDS = 9, CA_GUARD = 192 };

typedef struct ca_operand {
    uint8_t *at[2]; /* window of the C kernel, of the kernel under test; one and the same unless it is written */
    uint8_t *from;  /* bytes kept and compared, of at[0]'s copy */
    ptrdiff_t before, bytes, extent;
} ca_operand;

typedef struct ca {
    union {
        ipu_rec head;
        ipu_conv conv;
        ipu_depthwise depthwise;
        ipu_arith arith;
        ipu_pool pool;
        ipu_softmax softmax;
        ipu_copy copy;
        ipu_clamp clamp;
        ipu_quantize quantize;
        ipu_pad pad;
        ipu_lut lut;
        ipu_prelu prelu;
        ipu_round round;
        ipu_resize resize;
        ipu_reduce reduce;
        ipu_argmax argmax;
        ipu_matmul matmul;
        ipu_compare compare;
        ipu_where where;
        ipu_gather gather;
        ipu_topk topk;
        ipu_take take;
        ipu_gridsample gridsample;
        ipu_integer integer;
        ipu_convert convert;
        ipu_scatter scatter;
        ipu_cumsum cumsum;
        ipu_layernorm layernorm;
        ipu_peaks peaks;
        ipu_mod mod;
        ipu_nms nms;
        ipu_roipool roipool;
        ipu_suppress suppress;
        ipu_detect detect;
        ipu_nv12 nv12;
    } rec;
    ca_operand operand[CA_OPERANDS];
    const ipu_kernels *kernels;
    const char *table, *kernel; /* names, for messages */
    uint64_t random;
    int in_place; /* operand in the place of operand 0; 0: none */
    int bench;
    double ops;     /* operations of the case, 2 a multiply-accumulate; for --bench */
    char shape[96]; /* for --bench */
    int cases, failed;
    struct ca_memory *memory;
} ca;

/* Random numbers: all of a test's choices come from here, the seed is fixed. */
uint32_t ca_random(ca *t);
int ca_range(ca *t, int lo, int hi); /* lo <= x <= hi */
int ca_chance(ca *t, int percent);

/* Starts a case: a record with nref operands, all IPU_NONE. */
void ca_begin(ca *t, ipu_kind kind, int nref, size_t bytes);

enum ca_layout { CA_DENSE, CA_LOOSE }; /* LOOSE: random gaps between pixels, rows, images */
typedef struct ca_dims {
    int32_t n, h, w, c;
} ca_dims;
/* Gives operand i a window; written: the kernels write it. */
void ca_ref(ca *t, int i, int type, ca_dims d, enum ca_layout layout);
void ca_array(ca *t, int i, int type, int32_t count); /* a constant array */
/* Operand i, the same window as operand 0, lies in its place: the pairs that runtime/kernels.h allows. */
void ca_in_place(ca *t, int i);
/* Reserves memory for the operands and fills it with random bytes; 1 to nout of them are written. */
void ca_place(ca *t, uint32_t written);

enum ca_data { CA_ANY, CA_EXTREME };
/* Elements of operand i: any values of its type, or the ends of its range (and zero). */
void ca_fill(ca *t, int i, enum ca_data data);
/* An array of bytes, two weights of four bits each: EXTREME: -8 and 7 alone. */
void ca_fill_four_bits(ca *t, int i, enum ca_data data);
void ca_fill_float(ca *t, int i, float lo, float hi);
void ca_fill_int(ca *t, int i, int64_t lo, int64_t hi);

/* An output range for values of a type (U8 or S16), now and then narrowed as by an activation. */
ipu_out ca_out(ca *t, int type);

/* One for results that are indices of a table. */
ipu_out ca_index(ca *t);

/* Compares (or, with --bench, times).  Returns 0 after a difference, which it has printed. */
int ca_run(ca *t);

typedef struct ca_test {
    ipu_kind kind;
    void (*check)(ca *t, ipu_kind kind);
    void (*bench)(ca *t, ipu_kind kind);
} ca_test;

void ca_conv(ca *t, ipu_kind kind);
void ca_conv_bench(ca *t, ipu_kind kind);
void ca_depthwise(ca *t, ipu_kind kind);
void ca_depthwise_bench(ca *t, ipu_kind kind);
void ca_arith(ca *t, ipu_kind kind);
void ca_arith_bench(ca *t, ipu_kind kind);
void ca_unary(ca *t, ipu_kind kind);
void ca_unary_bench(ca *t, ipu_kind kind);
void ca_pool(ca *t, ipu_kind kind);
void ca_pool_bench(ca *t, ipu_kind kind);
void ca_softmax(ca *t, ipu_kind kind);
void ca_softmax_bench(ca *t, ipu_kind kind);
void ca_move(ca *t, ipu_kind kind);
void ca_move_bench(ca *t, ipu_kind kind);
void ca_resize(ca *t, ipu_kind kind);
void ca_resize_bench(ca *t, ipu_kind kind);
void ca_quantize(ca *t, ipu_kind kind);
void ca_quantize_bench(ca *t, ipu_kind kind);
void ca_reduce(ca *t, ipu_kind kind);
void ca_reduce_bench(ca *t, ipu_kind kind);
void ca_argmax(ca *t, ipu_kind kind);
void ca_argmax_bench(ca *t, ipu_kind kind);
void ca_truth(ca *t, ipu_kind kind);
void ca_truth_bench(ca *t, ipu_kind kind);
void ca_gather(ca *t, ipu_kind kind);
void ca_gather_bench(ca *t, ipu_kind kind);
void ca_topk(ca *t, ipu_kind kind);
void ca_topk_bench(ca *t, ipu_kind kind);
void ca_gridsample(ca *t, ipu_kind kind);
void ca_gridsample_bench(ca *t, ipu_kind kind);
void ca_integer(ca *t, ipu_kind kind);
void ca_integer_bench(ca *t, ipu_kind kind);
void ca_scatter(ca *t, ipu_kind kind);
void ca_scatter_bench(ca *t, ipu_kind kind);
void ca_cumsum(ca *t, ipu_kind kind);
void ca_cumsum_bench(ca *t, ipu_kind kind);
void ca_layernorm(ca *t, ipu_kind kind);
void ca_layernorm_bench(ca *t, ipu_kind kind);
void ca_peaks(ca *t, ipu_kind kind);
void ca_peaks_bench(ca *t, ipu_kind kind);
void ca_mod(ca *t, ipu_kind kind);
void ca_mod_bench(ca *t, ipu_kind kind);
void ca_nms(ca *t, ipu_kind kind);
void ca_nms_bench(ca *t, ipu_kind kind);
void ca_roipool(ca *t, ipu_kind kind);
void ca_roipool_bench(ca *t, ipu_kind kind);
void ca_suppress(ca *t, ipu_kind kind);
void ca_suppress_bench(ca *t, ipu_kind kind);
void ca_detect(ca *t, ipu_kind kind);
void ca_nv12(ca *t, ipu_kind kind);
void ca_nv12_bench(ca *t, ipu_kind kind);
void ca_detect_bench(ca *t, ipu_kind kind);
void ca_matmul(ca *t, ipu_kind kind);
void ca_matmul_bench(ca *t, ipu_kind kind);

#endif
