/* Runs one image on every test machine alike, hosted or bare, and prints a SHA-256 for each output. */
#ifndef TEST_HARNESS_H
#define TEST_HARNESS_H

#include "openipu/ipu.h"

typedef struct harness {
    const void *image;
    size_t image_bytes;
    const uint8_t *inputs; /* all inputs, each starting on a multiple of IPU_ALIGN */
    uint8_t *memory;       /* IPU_ALIGN-aligned: arena and outputs */
    size_t memory_bytes;
    const ipu_kernels *kernels;
    const ipu_parallel *parallel;
    void (*print)(const char *text);
    uint32_t (*clock)(void); /* what ipu_run takes of it is printed; NULL: none */
} harness;

/* Bytes that harness_run needs of memory. */
size_t harness_memory(const ipu_model *m);
/* 0, or 1 after printing what went wrong. */
int harness_run(const harness *h);

#endif
