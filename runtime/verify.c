/* The content hash of an image: SHA-256 of the file with the hash field itself read as zeros. */
#include "load.h"
#include "sha256.h"

ipu_status ipu_verify(const ipu_model *m)
{
    if (!m || !m->image)
        return IPU_E_ARG;
    static const uint8_t zeros[sizeof((ipu_header *)0)->hash];
    const size_t at = offsetof(ipu_header, hash), behind = at + sizeof zeros;
    uint8_t found[sizeof zeros];
    ipu_sha256 s;
    ipu_sha256_init(&s);
    ipu_sha256_add(&s, m->image, at);
    ipu_sha256_add(&s, zeros, sizeof zeros);
    ipu_sha256_add(&s, m->image + behind, m->bytes - behind);
    ipu_sha256_end(&s, found);
    uint8_t differ = 0;
    for (size_t i = 0; i < sizeof found; i++)
        differ |= found[i] ^ ipu_head(m)->hash[i];
    return differ ? IPU_E_HASH : IPU_OK;
}
