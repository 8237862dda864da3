/* SHA-256 of large data: runtime/sha256.h with the instructions for it that some machines have. */
#ifndef SGS_BASE_HASH_H
#define SGS_BASE_HASH_H

#include "runtime/sha256.h"

/* As ipu_sha256_add. */
void sgs_sha256_add(ipu_sha256 *s, const void *data, size_t n);

#endif
