/* What the multiply-adds of this machine can do at most: loops over registers alone. */
#include <time.h>

#include "openipu/ipu_host.h"
#include "openipu/sgs.h"

#define STEPS 24          /* of a loop's turn: twelve sums, each twice */
#define PIECES 16         /* a thread; short ones, so that each is busy to the end */
#define SAMPLES 20        /* the best counts: others run too */
#define PIECE_SECONDS 1e-4

#if defined(__x86_64__)
#define TWELVE(M) M("0") M("1") M("2") M("3") M("4") M("5") M("6") M("7") M("8") M("9") M("10") M("11")
/* Sums in registers 0 to 11; 12 and 13 are factors, 14 holds what lies between, 15 ones. */
#define LOOP(name, STEP)                                                                                               \
    static void name(long turns)                                                                                       \
    {                                                                                                                  \
        __asm__ volatile("vzeroall\n.p2align 6\n1:\n" TWELVE(STEP) TWELVE(STEP) "dec %0\njnz 1b\nvzeroupper\n"         \
                         : "+r"(turns)                                                                                 \
                         :                                                                                             \
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",    \
                           "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc");                                         \
    }
#define ONE(op, r, sum) op " %%" r "12, %%" r "13, %%" r sum "\n"
#define BYTES_ZMM(s) ONE("vpdpbusd", "zmm", s)
#define BYTES_YMM(s) ONE("%{vex%} vpdpbusd", "ymm", s)
#define WORDS_ZMM(s) ONE("vpdpwssd", "zmm", s)
#define WORDS_YMM(s) ONE("%{vex%} vpdpwssd", "ymm", s)
#define FLOATS_ZMM(s) ONE("vfmadd231ps", "zmm", s)
#define FLOATS_YMM(s) ONE("vfmadd231ps", "ymm", s)
#define ADDED(s) "vpaddd %%ymm14, %%ymm" s ", %%ymm" s "\n"
#define MADDWD(s) ONE("vpmaddwd", "ymm", "14") ADDED(s)
#define MADDUBS(s) ONE("vpmaddubsw", "ymm", "14") "vpmaddwd %%ymm15, %%ymm14, %%ymm14\n" ADDED(s)
LOOP(bytes_zmm, BYTES_ZMM)
LOOP(bytes_ymm, BYTES_YMM)
LOOP(words_zmm, WORDS_ZMM)
LOOP(words_ymm, WORDS_YMM)
LOOP(floats_zmm, FLOATS_ZMM)
LOOP(floats_ymm, FLOATS_YMM)
LOOP(maddwd, MADDWD)
LOOP(maddubs, MADDUBS)
#endif

static void plain(long turns)
{
    int32_t sum[STEPS] = { 0 };
    int16_t a[STEPS] = { 0 }, b[STEPS] = { 0 };
    for (; turns; turns--) {
        __asm__ volatile("" : : "r"(a), "r"(b), "r"(sum) : "memory");
        for (int i = 0; i < STEPS; i++)
            sum[i] += a[i] * b[i];
    }
}

/* Of each kind of numbers the first that a machine has is its fastest exact way. */
static const struct way {
    uint32_t cpu;
    unsigned numbers;
    const char *text;
    void (*loop)(long turns);
    int ops; /* of a step: a multiplication and an addition are two */
} ways[] = {
#if defined(__x86_64__)
    { IPU_CPU_AVX512VNNI, SGS_PEAK_BYTES, "u8 x s8, vpdpbusd zmm", bytes_zmm, 128 },
    { IPU_CPU_AVXVNNI, SGS_PEAK_BYTES, "u8 x s8, vpdpbusd ymm", bytes_ymm, 64 },
    { IPU_CPU_AVX512VNNI, SGS_PEAK_WORDS, "s16 x s16, vpdpwssd zmm", words_zmm, 64 },
    { IPU_CPU_AVXVNNI, SGS_PEAK_WORDS, "s16 x s16, vpdpwssd ymm", words_ymm, 32 },
    { IPU_CPU_AVX2, SGS_PEAK_BYTES | SGS_PEAK_WORDS, "s16 x s16, vpmaddwd ymm", maddwd, 32 },
    { IPU_CPU_AVX2, 0, "u8 x s8 that saturates, vpmaddubsw ymm", maddubs, 64 },
    { IPU_CPU_AVX512VNNI, SGS_PEAK_FLOATS, "f32, vfmadd231ps zmm", floats_zmm, 32 },
    { IPU_CPU_AVX2, SGS_PEAK_FLOATS, "f32, vfmadd231ps ymm", floats_ymm, 16 },
#endif
    { 0, SGS_PEAK_BYTES | SGS_PEAK_WORDS, "s16 x s16, plain C", plain, 2 },
};

typedef struct work {
    const struct way *way;
    long turns;
    clockid_t clock; /* of one thread its processor time, which other programs do not add to */
} work;

static void run_pieces(void *arg, int begin, int end)
{
    const work *w = arg;
    for (int i = begin; i < end; i++)
        w->way->loop(w->turns);
}

static double seconds(const ipu_parallel *par, work *w, int pieces)
{
    struct timespec a, b;
    clock_gettime(w->clock, &a);
    par->run(par->user, run_pieces, w, pieces);
    clock_gettime(w->clock, &b);
    return (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

static double measure(const ipu_parallel *par, const struct way *way, int threads)
{
    work w = { way, 100, threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID };
    while (seconds(par, &w, 1) < PIECE_SECONDS)
        w.turns *= 2;
    const int pieces = threads * PIECES;
    double best = seconds(par, &w, pieces);
    for (int i = 1; i < SAMPLES; i++) {
        const double s = seconds(par, &w, pieces);
        best = s < best ? s : best;
    }
    return (double)w.turns * STEPS * way->ops * pieces / best / 1e9;
}

int sgs_measure_peaks(uint32_t cpu_mask, int threads, sgs_peak *peak, int most)
{
    ipu_parallel par;
    ipu_host_pool *pool = ipu_host_pool_new(threads, &par);
    int n = 0;
    cpu_mask &= ipu_host_cpu();
    for (size_t i = 0; pool && n < most && i < sizeof ways / sizeof *ways; i++)
        if ((ways[i].cpu & cpu_mask) == ways[i].cpu)
            peak[n++] = (sgs_peak){ ways[i].text, ways[i].numbers, measure(&par, ways + i, threads) };
    ipu_host_pool_free(pool);
    return n;
}
