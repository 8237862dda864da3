/* One proved record run by its kernel, in pieces by the threads where that is worth it: for the runtime's records and the fixed simulator's. */
#ifndef IPU_SHARE_H
#define IPU_SHARE_H

#include "kernels.h"

/* p: addresses of the record's operands.  par: NULL or the caller's threads. */
void ipu_run_record(const ipu_rec *rec, ipu_kernel_fn run, void *const p[], const ipu_parallel *par);

#endif
