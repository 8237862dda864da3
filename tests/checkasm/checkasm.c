#define _GNU_SOURCE
#include "checkasm.h"
#include "openipu/ipu_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- memory: one mapping an operand and copy, an inaccessible page on either side ---- */

enum { CA_BYTES = 16 << 20 };

struct ca_memory {
    uint8_t *at[CA_OPERANDS][2];
    uint8_t *before[CA_OPERANDS]; /* what a written operand held before the kernels ran */
};

static uint8_t *ca_map(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *m = mmap(NULL, CA_BYTES + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (m == MAP_FAILED || mprotect(m + page, CA_BYTES, PROT_READ | PROT_WRITE)) {
        perror("checkasm: mmap");
        exit(2);
    }
    return m + page;
}

static void ca_map_all(struct ca_memory *m)
{
    for (int i = 0; i < CA_OPERANDS; i++) {
        m->at[i][0] = ca_map();
        m->at[i][1] = ca_map();
        m->before[i] = ca_map();
    }
}

/* ---- random data ---- */

uint32_t ca_random(ca *t)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return (uint32_t)((t->random * 0x2545f4914f6cdd1du) >> 32);
}

int ca_range(ca *t, int lo, int hi)
{
    return lo + (int)(ca_random(t) % (uint32_t)(hi - lo + 1));
}

int ca_chance(ca *t, int percent)
{
    return ca_range(t, 0, 99) < percent;
}

static void ca_random_bytes(ca *t, uint8_t *p, ptrdiff_t n)
{
    for (; n >= 4; n -= 4, p += 4) {
        const uint32_t v = ca_random(t);
        memcpy(p, &v, 4);
    }
    for (; n > 0; n--)
        *p++ = (uint8_t)ca_random(t);
}

/* ---- describing a case ---- */

static ipu_ref *ca_refs(ca *t)
{
    return (ipu_ref *)(void *)((uint8_t *)&t->rec + sizeof(ipu_rec));
}

void ca_begin(ca *t, ipu_kind kind, int nref, size_t bytes)
{
    memset(&t->rec, 0, sizeof t->rec);
    memset(t->operand, 0, sizeof t->operand);
    t->rec.head = (ipu_rec){ .kind = (uint16_t)kind, .nref = (uint16_t)nref, .bytes = (uint32_t)bytes };
    t->in_place = 0;
    t->ops = 0;
    t->shape[0] = 0;
}

void ca_ref(ca *t, int i, int type, ca_dims d, enum ca_layout layout)
{
    const int32_t step = ipu_type_bytes(type);
    ipu_ref r = { .space = IPU_ARENA, .type = (uint8_t)type, .n = d.n, .h = d.h, .w = d.w, .c = d.c, .step = step };

    r.pix = step * (d.c + (layout == CA_LOOSE && ca_chance(t, 60) ? ca_range(t, 0, 37) : 0));
    r.row = r.pix * d.w + step * (layout == CA_LOOSE && ca_chance(t, 60) ? ca_range(t, 0, 70) : 0);
    r.img = r.row * d.h + step * (layout == CA_LOOSE && ca_chance(t, 60) ? ca_range(t, 0, 70) : 0);
    ca_refs(t)[i] = r;
}

void ca_array(ca *t, int i, int type, int32_t count)
{
    ca_ref(t, i, type, (ca_dims){ 1, 1, 1, count }, CA_DENSE);
    ca_refs(t)[i].space = IPU_CONST;
}

void ca_in_place(ca *t, int i)
{
    const ipu_ref *y = ca_refs(t);
    ipu_ref r = *y;

    r.type = ca_refs(t)[i].type;
    ca_refs(t)[i] = r;
    t->in_place = i;
}

static ptrdiff_t ca_extent(const ipu_ref *r)
{
    return (ptrdiff_t)(r->n - 1) * r->img + (ptrdiff_t)(r->h - 1) * r->row + (ptrdiff_t)(r->w - 1) * r->pix +
           (ptrdiff_t)(r->c - 1) * r->step + ipu_type_bytes(r->type);
}

void ca_place(ca *t, uint32_t written)
{
    for (int i = 0; i < t->rec.head.nref; i++) {
        ca_operand *o = &t->operand[i];
        const ipu_ref *r = &ca_refs(t)[i];
        const int at_end = !ca_chance(t, 33), out = written >> i & 1;

        if (r->space == IPU_NONE)
            continue;
        if (t->in_place && i == t->in_place) {
            *o = t->operand[0];
            continue;
        }
        o->extent = ca_extent(r);
        if (o->extent + CA_GUARD > CA_BYTES) {
            fprintf(stderr, "checkasm: case too large\n");
            exit(2);
        }
        o->before = at_end ? CA_GUARD : 0;
        o->bytes = o->extent + CA_GUARD;
        for (int k = 0; k < 2; k++)
            o->at[k] = t->memory->at[i][out ? k : 0] + (at_end ? CA_BYTES - o->extent : 0);
        o->from = o->at[0] - o->before;
        ca_random_bytes(t, o->from, o->bytes);
        if (out) {
            memcpy(o->at[1] - o->before, o->from, (size_t)o->bytes);
            memcpy(t->memory->before[i], o->from, (size_t)o->bytes);
        }
    }
}

typedef union ca_value {
    int64_t s64;
    int32_t s32;
    int16_t s16;
    uint8_t u8;
    float f32;
    uint8_t byte[8];
} ca_value;

static void ca_each(ca *t, int i, ca_value (*make)(ca *t, int type, const void *arg), const void *arg)
{
    const ipu_ref *r = &ca_refs(t)[i];
    for (int32_t n = 0; n < r->n; n++)
        for (int32_t y = 0; y < r->h; y++)
            for (int32_t x = 0; x < r->w; x++)
                for (int32_t c = 0; c < r->c; c++) {
                    const ca_value v = make(t, r->type, arg);
                    memcpy(t->operand[i].at[0] + (ptrdiff_t)n * r->img + (ptrdiff_t)y * r->row + (ptrdiff_t)x * r->pix +
                               (ptrdiff_t)c * r->step,
                           v.byte, (size_t)ipu_type_bytes(r->type));
                }
}

static ca_value ca_pack(int type, int64_t x)
{
    ca_value v = { .s64 = 0 };
    switch (type) {
    case IPU_U8:
    case IPU_S8:
        v.u8 = (uint8_t)x;
        break;
    case IPU_S16:
    case IPU_U16:
        v.s16 = (int16_t)x;
        break;
    case IPU_S32:
        v.s32 = (int32_t)x;
        break;
    case IPU_S64:
        v.s64 = x;
        break;
    default:
        v.f32 = (float)x;
    }
    return v;
}

static ca_value ca_make_extreme(ca *t, int type, const void *arg)
{
    const int64_t lo = type == IPU_U8   ? 0
                       : type == IPU_S8 ? -128
                                        : -32768,
                  hi = type == IPU_U8   ? 255
                       : type == IPU_S8 ? 127
                                        : 32767;
    const int which = ca_range(t, 0, *(const int *)arg);
    return ca_pack(type, which == 0 ? lo : which == 1 ? hi : which == 2 ? lo + 1 : 0);
}

static ca_value ca_make_int(ca *t, int type, const void *arg)
{
    const int64_t *range = arg;
    const uint64_t r = (uint64_t)ca_random(t) << 32 | ca_random(t);
    return ca_pack(type, range[0] + (int64_t)(r % (uint64_t)(range[1] - range[0] + 1)));
}

static ca_value ca_make_float(ca *t, int type, const void *arg)
{
    const float *range = arg;
    return (ca_value){ .f32 = range[0] + (range[1] - range[0]) * ((float)(ca_random(t) >> 8) / 16777216.0f) };
}

void ca_fill(ca *t, int i, enum ca_data data)
{
    const int kinds = ca_range(t, 0, 3); /* 0: all at the low end */
    if (data == CA_EXTREME)
        ca_each(t, i, ca_make_extreme, &kinds);
}

void ca_fill_int(ca *t, int i, int64_t lo, int64_t hi)
{
    const int64_t range[2] = { lo, hi };
    ca_each(t, i, ca_make_int, range);
}

void ca_fill_four_bits(ca *t, int i, enum ca_data data)
{
    static const uint8_t ends[] = { 0x88, 0x77, 0x87, 0x78 };
    const int kinds = ca_range(t, 0, 3); /* 0: all at the low end */
    for (ptrdiff_t k = 0; k < t->operand[i].extent && data == CA_EXTREME; k++)
        t->operand[i].at[0][k] = ends[ca_range(t, 0, kinds)];
}

void ca_fill_float(ca *t, int i, float lo, float hi)
{
    const float range[2] = { lo, hi };
    ca_each(t, i, ca_make_float, range);
}

ipu_out ca_out(ca *t, int type)
{
    int qmin = type == IPU_U8 ? 0 : -32767, qmax = type == IPU_U8 ? 255 : 32767;
    const int zero = type == IPU_U8     ? ca_range(t, 0, 255)
                     : ca_chance(t, 90) ? 0
                                        : ca_range(t, -500, 500); /* the checks allow it */

    if (ca_chance(t, 30))
        qmin = zero;
    if (ca_chance(t, 20))
        qmax = ca_range(t, qmin, qmax);
    return (ipu_out){ .lo = (float)(qmin - zero), .hi = (float)(qmax - zero), .zero = zero };
}

ipu_out ca_index(ca *t)
{
    const int zero = ca_range(t, -200, IPU_INDEX + 200);
    const int least = ca_chance(t, 70) ? 0 : ca_range(t, 0, IPU_INDEX - 1);
    const int most = ca_chance(t, 70) ? IPU_INDEX - 1 : ca_range(t, least, IPU_INDEX - 1);

    return (ipu_out){ .lo = (float)(least - zero), .hi = (float)(most - zero), .zero = zero };
}

/* ---- comparing ---- */

static void ca_addresses(const ca *t, int copy, void **p)
{
    for (int i = 0; i < CA_OPERANDS; i++)
        p[i] = t->operand[i].at[copy];
}

static void ca_print_case(ca *t)
{
    static const char *const type[] = { "u8", "s8", "s16", "u16", "s32", "s64", "f32" };
    const int32_t *word = (const int32_t *)(const void *)(ca_refs(t) + t->rec.head.nref);
    const int words = (int)(t->rec.head.bytes - sizeof(ipu_rec) - t->rec.head.nref * sizeof(ipu_ref)) / 4;

    fprintf(stderr, "%s of table %s, case %d\n", t->kernel, t->table, t->cases);
    for (int i = 0; i < t->rec.head.nref; i++) {
        const ipu_ref *r = &ca_refs(t)[i];
        if (r->space == IPU_NONE)
            continue;
        fprintf(stderr, "  operand %d: %s n %d h %d w %d c %d, img %d row %d pix %d step %d, %s of its page\n", i,
                type[r->type], r->n, r->h, r->w, r->c, r->img, r->row, r->pix, r->step,
                t->operand[i].before ? "at the end" : "at the start");
    }
    fprintf(stderr, "  parameters:");
    for (int i = 0; i < words; i++) {
        float f;
        memcpy(&f, &word[i], 4);
        if (word[i] > -(1 << 20) && word[i] < 1 << 20)
            fprintf(stderr, " %d", word[i]);
        else
            fprintf(stderr, " %g", (double)f);
    }
    fprintf(stderr, "\n");
}

/* Which element of operand i holds byte `at` of its window; 0 when it lies between or around them. */
static int ca_locate(const ipu_ref *r, ptrdiff_t at, ca_dims *d)
{
    if (at < 0)
        return 0;
    for (int32_t n = 0; n < r->n; n++)
        for (int32_t y = 0; y < r->h; y++)
            for (int32_t x = 0; x < r->w; x++) {
                const ptrdiff_t first = (ptrdiff_t)n * r->img + (ptrdiff_t)y * r->row + (ptrdiff_t)x * r->pix;
                const ptrdiff_t c = (at - first) / r->step;
                if (at >= first && c < r->c && (at - first) % r->step < ipu_type_bytes(r->type)) {
                    *d = (ca_dims){ n, y, x, (int32_t)c };
                    return 1;
                }
            }
    return 0;
}

static int ca_fail(ca *t, int i, ptrdiff_t at, const char *what)
{
    ca_dims d;
    ca_print_case(t);
    fprintf(stderr, "  %s: operand %d, byte %td", what, i, at);
    if (ca_locate(&ca_refs(t)[i], at, &d))
        fprintf(stderr, " (n %d, y %d, x %d, c %d)", d.n, d.h, d.w, d.c);
    else
        fprintf(stderr, " (outside the window)");
    fprintf(stderr, ": C %d, kernel %d\n", t->operand[i].at[0][at], t->operand[i].at[1][at]);
    t->failed++;
    return 0;
}

/* Bytes outside the window must be what they were before, in the C kernel's copy. */
static int ca_guards(ca *t, int i)
{
    const ca_operand *o = &t->operand[i];
    const ipu_ref *r = &ca_refs(t)[i];
    uint8_t *expect = t->memory->before[i];

    for (int32_t n = 0; n < r->n; n++)
        for (int32_t y = 0; y < r->h; y++)
            for (int32_t x = 0; x < r->w; x++) {
                const ptrdiff_t first = (ptrdiff_t)n * r->img + (ptrdiff_t)y * r->row + (ptrdiff_t)x * r->pix;
                memcpy(expect + o->before + first, o->at[0] + first, (size_t)r->c * (size_t)r->step);
            }
    for (ptrdiff_t k = 0; k < o->bytes; k++)
        if (expect[k] != o->from[k])
            return ca_fail(t, i, k - o->before, "the C kernel wrote outside its window");
    return 1;
}

static int ca_compare(ca *t)
{
    for (int i = 0; i < t->rec.head.nref; i++) {
        const ca_operand *o = &t->operand[i];
        if (o->at[0] == o->at[1] || (t->in_place && i == t->in_place))
            continue;
        if (!ca_guards(t, i))
            return 0;
        for (ptrdiff_t k = -o->before; k < o->bytes - o->before; k++)
            if (o->at[0][k] != o->at[1][k])
                return ca_fail(t, i, k, "difference");
    }
    return 1;
}

static double ca_now(void)
{
    struct timespec s;
    clock_gettime(CLOCK_MONOTONIC, &s);
    return (double)s.tv_sec + 1e-9 * (double)s.tv_nsec;
}

/* Smallest time of one call, in seconds, over about 60 ms (one call if that takes longer). */
static double ca_time(ca *t, ipu_kernel_fn run, int copy, int32_t rows)
{
    void *p[CA_OPERANDS];
    double best = 1e9, spent = 0;
    int calls = 1;

    ca_addresses(t, copy, p);
    while (spent < 0.06) {
        const double start = ca_now();
        for (int i = 0; i < calls; i++)
            run(&t->rec.head, p, 0, rows);
        const double s = ca_now() - start;
        spent += s;
        best = s / calls < best ? s / calls : best;
        calls = s < 2e-4 ? calls * 2 : calls;
    }
    return best;
}

static void ca_report(ca *t, ipu_kernel_fn c, ipu_kernel_fn run, int32_t rows)
{
    const double a = ca_time(t, c, 0, rows), b = ca_time(t, run, 1, rows);
    printf("%-18s %-8s %-40s C %10.1f us  %9.1f us  %7.1f GOP/s  x%.1f\n", t->kernel, t->table, t->shape, a * 1e6,
           b * 1e6, t->ops / b / 1e9, a / b);
    fflush(stdout);
}

int ca_run(ca *t)
{
    const ipu_kind kind = (ipu_kind)t->rec.head.kind;
    const ipu_kernel_row *c = &ipu_kernels_c.row[kind], *row = &t->kernels->row[kind];
    const ca_operand *y = &t->operand[0];
    const int32_t rows = ca_refs(t)->n * ca_refs(t)->h, cut = ca_chance(t, 50) ? 0 : ca_range(t, 0, rows);
    void *p[CA_OPERANDS];

    t->cases++;
    if (!row->check(&t->rec.head)) {
        ca_print_case(t);
        fprintf(stderr, "  refused by the row's check\n");
        t->failed++;
        return 0;
    }
    if (t->in_place) { /* its data were filled into the first copy */
        memcpy(y->at[1] - y->before, y->from, (size_t)y->bytes);
        memcpy(t->memory->before[0], y->from, (size_t)y->bytes);
    }
    ca_addresses(t, 0, p);
    c->run(&t->rec.head, p, 0, rows);
    ca_addresses(t, 1, p);
    if (cut > 0)
        row->run(&t->rec.head, p, 0, cut);
    if (cut < rows)
        row->run(&t->rec.head, p, cut, rows);
    if (!ca_compare(t))
        return 0;
    if (t->bench)
        ca_report(t, c->run, row->run, rows);
    return 1;
}

/* ---- main ---- */

static const ca_test ca_tests[] = {
    { IPU_CONV_U8, ca_conv, ca_conv_bench },
    { IPU_CONV_S16, ca_conv, ca_conv_bench },
    { IPU_DEPTHWISE_U8, ca_depthwise, ca_depthwise_bench },
    { IPU_DEPTHWISE_S16, ca_depthwise, ca_depthwise_bench },
    { IPU_CONV_U8S4, ca_conv, ca_conv_bench },
    { IPU_DEPTHWISE_U8S4, ca_depthwise, ca_depthwise_bench },
    { IPU_ADD_S16, ca_arith, ca_arith_bench },
    { IPU_MUL_S16, ca_arith, ca_arith_bench },
    { IPU_DIV_S16, ca_arith, ca_arith_bench },
    { IPU_MIN_S16, ca_arith, ca_arith_bench },
    { IPU_MAX_S16, ca_arith, ca_arith_bench },
    { IPU_LUT_S16, ca_unary, ca_unary_bench },
    { IPU_LUT_U8, ca_unary, ca_unary_bench },
    { IPU_PRELU_S16, ca_unary, ca_unary_bench },
    { IPU_ROUND_S16, ca_unary, ca_unary_bench },
    { IPU_MAXPOOL, ca_pool, ca_pool_bench },
    { IPU_AVGPOOL_S16, ca_pool, ca_pool_bench },
    { IPU_SOFTMAX_S16, ca_softmax, ca_softmax_bench },
    { IPU_COPY, ca_move, ca_move_bench },
    { IPU_CLAMP, ca_move, ca_move_bench },
    { IPU_PAD, ca_move, ca_move_bench },
    { IPU_RESIZE_NEAREST, ca_resize, ca_resize_bench },
    { IPU_RESIZE_S16, ca_resize, ca_resize_bench },
    { IPU_QUANTIZE, ca_quantize, ca_quantize_bench },
    { IPU_DEQUANTIZE, ca_quantize, ca_quantize_bench },
    { IPU_REDUCE_SUM_S16, ca_reduce, ca_reduce_bench },
    { IPU_REDUCE_SUM_S32, ca_reduce, ca_reduce_bench },
    { IPU_REDUCE_MAX, ca_reduce, ca_reduce_bench },
    { IPU_REDUCE_MIN, ca_reduce, ca_reduce_bench },
    { IPU_ARGMAX, ca_argmax, ca_argmax_bench },
    { IPU_MATMUL_S16, ca_matmul, ca_matmul_bench },
    { IPU_COMPARE_S16, ca_truth, ca_truth_bench },
    { IPU_LOGIC, ca_truth, ca_truth_bench },
    { IPU_WHERE_S16, ca_truth, ca_truth_bench },
    { IPU_GATHER, ca_gather, ca_gather_bench },
    { IPU_TOPK, ca_topk, ca_topk_bench },
    { IPU_TAKE, ca_topk, ca_topk_bench },
    { IPU_GRIDSAMPLE_S16, ca_gridsample, ca_gridsample_bench },
    { IPU_CHOOSE, ca_truth, ca_truth_bench },
    { IPU_INTEGER, ca_integer, ca_integer_bench },
    { IPU_CONVERT, ca_integer, ca_integer_bench },
    { IPU_TO_INTEGER, ca_integer, ca_integer_bench },
    { IPU_TO_REAL, ca_integer, ca_integer_bench },
    { IPU_SCATTER, ca_scatter, ca_scatter_bench },
    { IPU_CUMSUM, ca_cumsum, ca_cumsum_bench },
    { IPU_LAYERNORM_S16, ca_layernorm, ca_layernorm_bench },
    { IPU_MAXPOOL_INDEX, ca_peaks, ca_peaks_bench },
    { IPU_MOD_S16, ca_mod, ca_mod_bench },
    { IPU_NMS, ca_nms, ca_nms_bench },
    { IPU_ROIPOOL_S16, ca_roipool, ca_roipool_bench },
    { IPU_SUPPRESS, ca_suppress, ca_suppress_bench },
    { IPU_DETECT, ca_detect, ca_detect_bench },
    { IPU_NV12, ca_nv12, ca_nv12_bench },
};

static const char *const ca_names[IPU_KIND_COUNT] = {
#define X(kind, family, kernel) [kind] = &#kind[4],
    IPU_KINDS(X)
#undef X
};

/* Tables by the features they need, weakest first. */
typedef struct ca_table {
    const char *name;
    uint32_t mask;
} ca_table;
static const ca_table ca_tables[] = {
    { "c", 0 },
    { "avx2", IPU_CPU_AVX2 },
    { "avxvnni", IPU_CPU_AVX2 | IPU_CPU_AVXVNNI },
    { "vnni512", IPU_CPU_AVX2 | IPU_CPU_AVX512VNNI },
    { "vbmi512", IPU_CPU_AVX2 | IPU_CPU_AVX512VNNI | IPU_CPU_AVX512VBMI },
    { "neon", IPU_CPU_NEON },
    { "dotprod", IPU_CPU_NEON | IPU_CPU_DOTPROD },
    { "i8mm", IPU_CPU_NEON | IPU_CPU_DOTPROD | IPU_CPU_I8MM },
    { "dsp", IPU_CPU_DSP },
    { "rvv", IPU_CPU_RVV },
};

/* Features whose kernels were built in plain C for this program. */
#ifndef CHECKASM_PORTABLE
#define CHECKASM_PORTABLE 0
#endif

/* Whether a weaker table has the same kernel, and tests it. */
static int ca_repeats(const ca_table *table, ipu_kind kind, ipu_kernel_fn run)
{
    for (const ca_table *t = ca_tables; t < table; t++)
        if (ipu_kernels_for(t->mask)->row[kind].run == run)
            return 1;
    return 0;
}

/* One kernel of one table; returns the number of failures. */
static int ca_one(const ca_test *test, const ca_table *table, int bench, struct ca_memory *memory)
{
    ca t = { .kernels = ipu_kernels_for(table->mask),
             .table = table->name,
             .kernel = ca_names[test->kind],
             .bench = bench,
             .memory = memory };
    const ipu_kernel_row *row = &t.kernels->row[test->kind];

    if (!row->run) {
        printf("%-18s %-8s no kernel\n", t.kernel, t.table);
        return 0;
    }
    if (ca_repeats(table, test->kind, row->run))
        return 0;
    t.random = 0x9e3779b97f4a7c15u + (uint64_t)test->kind;
    if (bench)
        test->bench(&t, test->kind);
    else
        test->check(&t, test->kind);
    if (!bench)
        printf("%-18s %-8s %5d cases: %s\n", t.kernel, t.table, t.cases, t.failed ? "FAILED" : "ok");
    return t.failed;
}

static int ca_usage(void)
{
    fprintf(stderr, "usage: checkasm [--kernel NAME] [--mask c|avx2|avxvnni|vnni512|vbmi512|neon|dotprod|i8mm|dsp|rvv] [--bench]\n"
                    "Compares SIMD kernels with the C kernels; without --mask, every table this CPU can run.\n");
    return 2;
}

/* Every kernel has a test; returns the number of those without. */
static int ca_untested(void)
{
    int without = 0;
    for (int k = 0; k < IPU_KIND_COUNT; k++) {
        size_t i = 0;
        while (i < sizeof ca_tests / sizeof *ca_tests && ca_tests[i].kind != (ipu_kind)k)
            i++;
        if (i < sizeof ca_tests / sizeof *ca_tests)
            continue;
        fprintf(stderr, "%s has no row in ca_tests\n", ca_names[k]);
        without++;
    }
    return without;
}

int main(int argc, char **argv)
{
    const char *kernel = NULL, *mask = NULL;
    int bench = 0, failed = ca_untested(), ran = 0;
    struct ca_memory memory;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--bench"))
            bench = 1;
        else if (!strcmp(argv[i], "--kernel") && i + 1 < argc)
            kernel = argv[++i];
        else if (!strcmp(argv[i], "--mask") && i + 1 < argc)
            mask = argv[++i];
        else
            return ca_usage();
    }
    ca_map_all(&memory);
    for (size_t k = 0; k < sizeof ca_tables / sizeof *ca_tables; k++) {
        if (mask && strcmp(mask, ca_tables[k].name) != 0)
            continue;
        if (ca_tables[k].mask & ~(ipu_host_cpu() | CHECKASM_PORTABLE)) {
            printf("skipped: this CPU cannot run %s\n", ca_tables[k].name);
            if (mask)
                return 77;
            continue;
        }
        for (size_t i = 0; i < sizeof ca_tests / sizeof *ca_tests; i++)
            if (!kernel || !strcasecmp(kernel, ca_names[ca_tests[i].kind])) {
                failed += ca_one(&ca_tests[i], &ca_tables[k], bench, &memory);
                ran++;
            }
    }
    if (!ran)
        return ca_usage();
    return failed != 0;
}
