/* OpenIPU runtime on a hosted system: mapped files, CPU detection, a thread pool.  POSIX. */
#ifndef OPENIPU_IPU_HOST_H
#define OPENIPU_IPU_HOST_H

#include "openipu/ipu.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Feature bits (IPU_CPU_*) of this machine. */
uint32_t ipu_host_cpu(void);

/* Maps `path` for reading; *bytes is its length.  NULL with errno set on failure (an empty file: EINVAL). */
const void *ipu_host_map(const char *path, size_t *bytes);
void ipu_host_unmap(const void *image, size_t bytes);

/* A pool of `threads` workers, the caller's thread included (threads <= 1: none is started).  NULL when memory or threads are gone.
 * *par then serves ipu_run; one ipu_run at a time per pool. */
typedef struct ipu_host_pool ipu_host_pool;
ipu_host_pool *ipu_host_pool_new(int threads, ipu_parallel *par);
void ipu_host_pool_free(ipu_host_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
