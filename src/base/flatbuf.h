/* FlatBuffers: a reader that trusts nothing and a writer that lays objects out front to back (every offset points forwards).
 * The format: a table is a list of optional fields found through its vtable; vectors and strings carry their length.       */
#ifndef SGS_FLATBUF_H
#define SGS_FLATBUF_H

#include "base/base.h"

/* ---- reading: every access is checked; the first fault stays in `error` and all later reads give nothing -------------------- */

typedef struct sgs_fb {
    sgs_span data;
    const char *error;         /* NULL: fine so far */
} sgs_fb;

typedef struct sgs_fb_table {
    uint32_t pos, vtable, bytes, vtable_bytes; /* pos 0: absent */
} sgs_fb_table;

typedef struct sgs_fb_vector {
    uint32_t pos, n;           /* first element; n 0 when absent */
} sgs_fb_vector;

sgs_fb_table sgs_fb_root(sgs_fb *f);
int64_t sgs_fb_int(sgs_fb *f, sgs_fb_table t, int slot, int bytes, bool is_signed, int64_t absent);
float sgs_fb_float(sgs_fb *f, sgs_fb_table t, int slot, float absent);
sgs_fb_table sgs_fb_sub(sgs_fb *f, sgs_fb_table t, int slot);
/* Elements of `each` bytes. */
sgs_fb_vector sgs_fb_vec(sgs_fb *f, sgs_fb_table t, int slot, int each);
/* NUL-terminated, inside the data; "" when absent. */
const char *sgs_fb_string(sgs_fb *f, sgs_fb_table t, int slot);
sgs_fb_table sgs_fb_vec_table(sgs_fb *f, sgs_fb_vector v, uint32_t i);
int64_t sgs_fb_vec_int(sgs_fb *f, sgs_fb_vector v, uint32_t i, int bytes);
float sgs_fb_vec_float(sgs_fb *f, sgs_fb_vector v, uint32_t i);

/* ---- writing ------------------------------------------------------------------------------------------------------------------ */

typedef enum sgs_fbk { SGS_FB_8, SGS_FB_32, SGS_FB_64, SGS_FB_FLOAT, SGS_FB_REF } sgs_fbk; /* REF: offset, set later by sgs_fbw_link */

typedef struct sgs_fb_field {
    int slot;
    sgs_fbk kind;
    int64_t i;
    float f;
    size_t at;                 /* out: where the field lies */
} sgs_fb_field;

#define SGS_FB_SLOTS 16

/* Writes vtable and table; sets each field's `at`.  Slots are below SGS_FB_SLOTS.  Returns the table's position. */
size_t sgs_fbw_table(sgs_buf *b, sgs_fb_field *field, int n);
/* The offset field at `at` now points to `target` (behind it). */
void sgs_fbw_link(sgs_buf *b, size_t at, size_t target);
size_t sgs_fbw_string(sgs_buf *b, const char *s);
/* Length and n elements; the first element on a multiple of `align` (4 or more).  data NULL: zeros.  Returns the vector's position. */
size_t sgs_fbw_vector(sgs_buf *b, const void *data, size_t n, size_t each, size_t align);
/* The same without the elements, which the caller adds. */
size_t sgs_fbw_length(sgs_buf *b, size_t n, size_t align);
/* Element i of a vector of offsets at `vector`. */
static inline size_t sgs_fbw_slot(size_t vector, size_t i)
{
    return vector + 4 + 4 * i;
}

#endif
