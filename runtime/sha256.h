/* SHA-256 (FIPS 180-4), for content hashes.  The toolchain uses it for provenance too. */
#ifndef IPU_SHA256_H
#define IPU_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct ipu_sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
} ipu_sha256;

extern const uint32_t ipu_sha256_k[64]; /* the rounds' constants */

void ipu_sha256_init(ipu_sha256 *s);
void ipu_sha256_add(ipu_sha256 *s, const void *data, size_t n);
void ipu_sha256_end(ipu_sha256 *s, uint8_t out[32]);

#endif
