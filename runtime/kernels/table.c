#include "runtime/kernels.h"

#define X(kind, family, kernel) [kind] = { ipu_##family##_check, kernel },
const ipu_kernels ipu_kernels_c = { { IPU_KINDS(X) } };
#undef X
