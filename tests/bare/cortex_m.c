/* A Cortex-M program around the harness: start-up, text and exit by semihosting.  The linker script says where things
 * lie. */
#include "harness.h"

extern uint8_t bss_begin[], bss_end[], stack_end[], memory_begin[], memory_end[];
extern const uint8_t image_begin[], image_end[], inputs_begin[];
#ifdef BARE_KERNELS /* a table: ipu_kernels_c, or the list of an image's own */
extern const ipu_kernels BARE_KERNELS;
#define KERNELS &BARE_KERNELS
#else
#define KERNELS ipu_kernels_for(IPU_CPU_DSP)
#endif
void start(void);

/* All that the core wants from outside. */
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *t = to;
    for (const uint8_t *f = from; n; n--)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if (t <= f)
        return memcpy(to, from, n);
    while (n--)
        t[n] = f[n];
    return to;
}

void *memset(void *to, int value, size_t n)
{
    for (uint8_t *t = to; n; n--)
        *t++ = (uint8_t)value;
    return to;
}

static void semihost(uint32_t operation, uintptr_t argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register uintptr_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *text)
{
    semihost(0x04, (uintptr_t)text); /* SYS_WRITE0 */
}

/* SysTick at the board's 1 MHz: under QEMU's -icount shift=0, where an instruction takes 1 ns, thousands of instructions. */
static volatile uint32_t *const systick = (volatile uint32_t *)0xe000e010;

static uint32_t thousands(void)
{
    return 0xffffff - systick[2];
}

static void leave(int failed)
{
    semihost(0x18, failed ? 0x20023 : 0x20026); /* SYS_EXIT: run-time error, application exit */
    for (;;)
        ;
}

static void fault(void)
{
    print("fault\n");
    leave(1);
}

void start(void)
{
    for (uint8_t *p = bss_begin; p < bss_end; p++)
        *p = 0;
#ifdef __ARM_FP
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20; /* CPACR: the FPU */
    __asm__ volatile("dsb\n isb" ::: "memory");
    print("hard float\n");
#else
    print("soft float\n");
#endif
    systick[1] = 0xffffff;
    systick[2] = 0;
    systick[0] = 1;
    harness h = { .image = image_begin,
                  .image_bytes = (size_t)(image_end - image_begin),
                  .inputs = inputs_begin,
                  .memory = memory_begin,
                  .memory_bytes = (size_t)(memory_end - memory_begin),
                  .kernels = KERNELS,
                  .print = print,
                  .clock = thousands };
    leave(harness_run(&h));
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)stack_end, (uintptr_t)start, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,     (uintptr_t)fault, (uintptr_t)fault,
};
