/* OpenIPU runtime: runs an offline image (.img) on integers alone.
 *
 * Freestanding C11: the core uses memcpy, memmove and memset and nothing else from outside; it neither
 * allocates, nor prints, nor keeps state of its own.  The calling loop:
 *
 *     ipu_model m;
 *     if (ipu_load(&m, image, image_bytes, &ipu_kernels_c) != IPU_OK) ...
 *     void *arena = ...;                      // ipu_arena_size(&m) bytes, IPU_ALIGN-aligned
 *     ipu_run(&m, arena, in, out, NULL);      // as often as you like
 *
 * The image stays the caller's and must outlive the model; it is only read and may lie in flash
 * (IPU_ALIGN-aligned).  Same image, same input: same output bytes on every machine, with every kernel
 * table and any number of threads (docs/ARITHMETIC.md).                                               */
#ifndef OPENIPU_IPU_H
#define OPENIPU_IPU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPU_ALIGN 64      /* alignment of images and arenas, bytes */
#define IPU_MAX_RANK 6
#define IPU_MAX_IO 64     /* most inputs, and most outputs, of an image */
#define IPU_MAX_BATCH 10  /* most sizes of a batch that an image lists */

typedef enum ipu_status {
    IPU_OK = 0,
    IPU_E_ARG,       /* null or misaligned argument: nothing was written */
    IPU_E_FOREIGN,   /* not an OpenIPU image at all */
    IPU_E_VERSION,   /* an image of another format version (ipu_image_version tells which) */
    IPU_E_FEATURE,   /* needs a feature bit that this build does not know */
    IPU_E_IMAGE,     /* truncated or damaged: a structure or a bound is wrong */
    IPU_E_HASH,      /* ipu_verify: the content does not match its hash */
    IPU_E_KERNEL,    /* the kernel table lacks a kernel that the image needs */
    IPU_E_VALUE      /* ipu_run: NaN or infinity in a float input, an index of IPU_U16 beyond its table; outputs are undefined */
} ipu_status;

typedef enum ipu_type { IPU_U8, IPU_S8, IPU_S16, IPU_U16, IPU_S32, IPU_S64, IPU_F32, IPU_TYPE_COUNT } ipu_type;

/* Pixel or data format of an input or output, as in the manual's input_formats. */
typedef enum ipu_format {
    IPU_FMT_RAW,     /* RAWDATA_*: `type` says which */
    IPU_FMT_RGB, IPU_FMT_BGR, IPU_FMT_GRAY, IPU_FMT_RGBA, IPU_FMT_BGRA, IPU_FMT_NV12, IPU_FMT_COUNT
} ipu_format;

typedef struct ipu_tensor {
    const char *name;        /* NUL-terminated, inside the image */
    ipu_type type;
    ipu_format format;       /* what the board gives, input_formats of the manual */
    ipu_format training;     /* training_input_formats: what a preprocess script returns on the desk */
    int nchw;                /* 4-D, and dim is N, C, H, W; else channels are last */
    int rank;
    int32_t dim[IPU_MAX_RANK]; /* of a picture what the network sees: height, width, 3 channels or 1 */
    int width_align, height_align; /* of pictures, as below; 0 elsewhere */
    size_t bytes;            /* size of the caller's buffer; dense and row-major, of pictures as below */
    int axis;                /* dimension the scales run along, or -1: one scale for all */
    int nscale;              /* 0: not quantized */
    const float *scale;      /* real = (q - zero) * scale */
    const int32_t *zero;
} ipu_tensor;

/* A picture's buffer, one of `dim`'s pictures behind the other.  W and H: width and height up to the next multiple of width_align, height_align;
 * what lies there beyond the picture may be anything.
 *   RGB, BGR      H rows of W pixels of 3 bytes in that order;  nchw: three planes of H rows of W bytes
 *   GRAY          H rows of W bytes
 *   RGBA, BGRA    H rows of W pixels of 4 bytes in that order, of which the last is not read
 *   NV12          H rows of W bytes Y, then H / 2 rows of W / 2 pairs U, V, also where nchw is set; W and H are even.  A network of GRAY reads Y alone */

typedef struct ipu_kernels ipu_kernels;   /* one row per operation; see runtime/kernels.h */

extern const ipu_kernels ipu_kernels_c;   /* the normative C kernels, complete on every machine */

/* CPU feature bits; ipu_host_cpu() in ipu_host.h detects them.  On a microcontroller, which has no such thing, IPU_CPU_DSP is right everywhere: it counts
 * where the compiler's flags (-mcpu=cortex-m4, ...) allow these instructions. */
enum {
    IPU_CPU_AVX2 = 1 << 0,
    IPU_CPU_AVXVNNI = 1 << 1,
    IPU_CPU_AVX512VNNI = 1 << 2,   /* AVX-512 F, BW, VL, DQ and VNNI together */
    IPU_CPU_AVX512VBMI = 1 << 3,   /* counts beside it */
    IPU_CPU_NEON = 1 << 8,
    IPU_CPU_DOTPROD = 1 << 9,
    IPU_CPU_I8MM = 1 << 10,
    IPU_CPU_DSP = 1 << 11,         /* 32-bit ARM: SMLAD and its like */
    IPU_CPU_RVV = 1 << 16          /* RISC-V V 1.0 */
};
/* The fastest complete table that uses only the features in cpu_mask.  Never NULL.  Kernels for x86-64, AArch64 and RISC-V's V take up to
 * 384 KiB of stack, the C kernels and those of IPU_CPU_DSP less than 2 KiB. */
const ipu_kernels *ipu_kernels_for(uint32_t cpu_mask);

/* A loaded image.  Contents private; copyable; no resources to free. */
typedef struct ipu_model {
    const uint8_t *image;
    size_t bytes;
    const ipu_kernels *kernels;
} ipu_model;

/* Proves the image's structure and every bound once, so that ipu_run need not look again.
 * On failure *m is zeroed.  `kernels` must outlive the model. */
ipu_status ipu_load(ipu_model *m, const void *image, size_t bytes, const ipu_kernels *kernels);

/* Recomputes the content hash (SHA-256) over the whole image: IPU_OK or IPU_E_HASH. */
ipu_status ipu_verify(const ipu_model *m);

/* Format version found at `image` and the one this build reads; 0 when the file is foreign. */
uint32_t ipu_image_version(const void *image, size_t bytes);
uint32_t ipu_runtime_version(void);

size_t ipu_arena_size(const ipu_model *m);
int ipu_input_count(const ipu_model *m);
int ipu_output_count(const ipu_model *m);
/* i out of range: IPU_E_ARG, *t untouched. */
ipu_status ipu_input(const ipu_model *m, int i, ipu_tensor *t);
ipu_status ipu_output(const ipu_model *m, int i, ipu_tensor *t);

/* Optional parallel-for: run() calls fn(arg, begin, end) on pieces that cover [0, n) exactly once, from any
 * threads, and returns when all are done. */
typedef struct ipu_parallel {
    void (*run)(void *user, void (*fn)(void *arg, int begin, int end), void *arg, int n);
    void *user;
} ipu_parallel;

/* One inference of one element.  in[i], out[i]: `bytes` of ipu_input(i), ipu_output(i), caller's memory, aligned to
 * the element size, not overlapping each other or the arena.  arena: ipu_arena_size bytes, IPU_ALIGN-aligned, its
 * contents need not be kept between runs; one arena per concurrent run.  par may be NULL. */
ipu_status ipu_run(const ipu_model *m, void *arena, const void *const in[], void *const out[], const ipu_parallel *par);

/* Told after each record of the image, counted from 0, by the caller's thread: what a profiler hangs its clock on. */
typedef struct ipu_observer {
    void (*done)(void *user, uint32_t record);
    void *user;
} ipu_observer;
/* As ipu_run; watch may be NULL. */
ipu_status ipu_run_observed(const ipu_model *m, void *arena, const void *const in[], void *const out[], const ipu_parallel *par,
                            const ipu_observer *watch);

/* Several elements with one call; the results are those of ipu_run for each. */
typedef enum ipu_batch_mode {
    IPU_N_BUF,   /* every element has buffers of its own; any number of them up to size[0] */
    IPU_ONE_BUF  /* elements lie one behind the other in one buffer, stacked in the highest dimension; one of the sizes */
} ipu_batch_mode;
typedef struct ipu_batch {
    ipu_batch_mode mode;
    int count;                /* of sizes; IPU_N_BUF: 1 */
    int size[IPU_MAX_BATCH];
} ipu_batch;
/* What the image was compiled for; without a batch IPU_N_BUF, 1. */
ipu_status ipu_batches(const ipu_model *m, ipu_batch *b);
/* As ipu_run, for n elements; the arena is that of one.  IPU_N_BUF: in[e * inputs + i] and out[e * outputs + i] are the buffers of element e;
 * IPU_ONE_BUF: in[i] and out[i] hold n * bytes, element e from e * bytes on.  IPU_E_ARG where the image does not take n elements.
 * Takes 1 KiB of stack beside that of ipu_run. */
ipu_status ipu_run_batch(const ipu_model *m, void *arena, int n, const void *const in[], void *const out[], const ipu_parallel *par);

/* A short English phrase for a status; never NULL. */
const char *ipu_status_text(ipu_status s);

#ifdef __cplusplus
}
#endif
#endif
