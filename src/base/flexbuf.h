/* FlexBuffers, as far as options of operators need them: numbers of a map, by key. */
#ifndef SGS_FLEXBUF_H
#define SGS_FLEXBUF_H

#include "base/base.h"

/* Whether the bytes are a map; trusts nothing. */
bool sgs_flex_is_map(sgs_span s);
/* *v stays as it is where the map has no such key, or no number there; then false. */
bool sgs_flex_number(sgs_span s, const char *key, double *v);

#endif
