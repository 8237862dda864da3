/* All that the core wants from outside: three functions of the C library, or of the board's program.  Declared here, as a freestanding
 * implementation need not have <string.h>; compilers call the same three on their own.                                          */
#ifndef IPU_MEM_H
#define IPU_MEM_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);

#endif
