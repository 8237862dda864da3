/* Which IPU_CPU_* features this machine has and its operating system keeps registers for. */
#include "openipu/ipu_host.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* XCR0: the register state that the system saves on a task switch. */
static uint32_t saved_state(void)
{
    uint32_t eax, edx;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return eax;
}

static int has(uint32_t reg, uint32_t bits)
{
    return (reg & bits) == bits;
}

uint32_t ipu_host_cpu(void)
{
    enum { YMM = 0x6, ZMM = 0xe6 };                   /* XCR0: SSE and AVX; and opmask, both ZMM halves */
    const uint32_t osxsave_avx = 1u << 27 | 1u << 28; /* leaf 1 ecx */
    const uint32_t avx2 = 1u << 5;                    /* leaf 7 ebx */
    const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* leaf 7 ebx: F, DQ, BW, VL */
    const uint32_t vnni512 = 1u << 11;                                 /* leaf 7 ecx */
    const uint32_t vbmi = 1u << 1;                                     /* the same */
    const uint32_t avxvnni = 1u << 4;                                  /* leaf 7.1 eax */
    uint32_t a, b, c, d, mask = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, osxsave_avx) || !has(saved_state(), YMM))
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, avx2))
        return 0;
    mask |= IPU_CPU_AVX2;
    if (has(b, avx512) && has(c, vnni512) && has(saved_state(), ZMM))
        mask |= IPU_CPU_AVX512VNNI | (has(c, vbmi) ? IPU_CPU_AVX512VBMI : 0);
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, avxvnni))
        mask |= IPU_CPU_AVXVNNI;
    return mask;
}

#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

uint32_t ipu_host_cpu(void)
{
    const unsigned long asimd = 1ul << 1, dotprod = 1ul << 20, i8mm = 1ul << 13; /* AT_HWCAP twice, AT_HWCAP2 */
    unsigned long cap = getauxval(AT_HWCAP), cap2 = getauxval(AT_HWCAP2);
    uint32_t mask = 0;
    if (cap & asimd)
        mask |= IPU_CPU_NEON;
    if (cap & dotprod)
        mask |= IPU_CPU_DOTPROD;
    if (cap2 & i8mm)
        mask |= IPU_CPU_I8MM;
    return mask;
}

#elif defined(__riscv) && __riscv_xlen == 64 && defined(__linux__)
#include <sys/auxv.h>

/* The kernel says V of drafts of it too, whose CPUs refuse this vector type: it has bits (tails and masked lanes may be anything) that no draft knew. */
static int has_v1(void)
{
    long type;
    __asm__ volatile(".insn i 0x57, 7, %0, x0, 0xc0\n\t" /* vsetvli type, zero, e8, m1, ta, ma */
                     "csrr %0, 0xc21"                      /* vtype */
                     : "=r"(type));
    return type >= 0;
}

uint32_t ipu_host_cpu(void)
{
    const unsigned long v = 1ul << ('V' - 'A');

    return getauxval(AT_HWCAP) & v && has_v1() ? IPU_CPU_RVV : 0;
}

#elif defined(__ARM_FEATURE_DSP)

uint32_t ipu_host_cpu(void) /* what it was compiled for runs here */
{
    return IPU_CPU_DSP;
}

#else

uint32_t ipu_host_cpu(void)
{
    return 0;
}

#endif
