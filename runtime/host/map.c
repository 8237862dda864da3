#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openipu/ipu_host.h"

static const void *map_fd(int fd, size_t *bytes)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return NULL;
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        errno = EINVAL;
        return NULL;
    }
    if ((uintmax_t)st.st_size > SIZE_MAX) {
        errno = EFBIG;
        return NULL;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    *bytes = (size_t)st.st_size;
    return p;
}

const void *ipu_host_map(const char *path, size_t *bytes)
{
    *bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    const void *p = map_fd(fd, bytes);
    int kept = errno;
    close(fd);
    errno = kept;
    return p;
}

void ipu_host_unmap(const void *image, size_t bytes)
{
    if (image)
        munmap((void *)(uintptr_t)image, bytes);
}
