/* Protobuf wire format, read in place.  No schema: the callers know the field numbers. */
#ifndef SGS_PROTO_H
#define SGS_PROTO_H

#include "base/base.h"

#define SGS_PROTO_DEPTH 64 /* nested messages a reader may follow */

typedef enum sgs_wire { SGS_WIRE_VARINT = 0, SGS_WIRE_64 = 1, SGS_WIRE_BYTES = 2, SGS_WIRE_32 = 5 } sgs_wire;

typedef struct sgs_field {
    uint32_t number;
    sgs_wire wire;
    uint64_t value;        /* VARINT, 64, 32: the raw bits */
    sgs_span bytes;        /* BYTES: inside the message */
} sgs_field;

/* Takes the next field off the front of *msg.  *end true (and no field) when the message is used up.  Refuses what no writer makes: group
 * tags, field number 0, varints longer than 10 bytes, lengths past the end. */
sgs_status sgs_proto_next(sgs_span *msg, sgs_field *f, bool *end, sgs_diag *d);

/* Numbers of a repeated scalar field, packed or not, appended to a growable list. */
typedef struct sgs_ints {
    int64_t *v;
    int64_t n, cap;
} sgs_ints;
typedef struct sgs_floats {
    float *v;
    int64_t n, cap;
} sgs_floats;
sgs_status sgs_proto_ints(sgs_arena *a, const sgs_field *f, sgs_ints *out, sgs_diag *d);
sgs_status sgs_proto_floats(sgs_arena *a, const sgs_field *f, sgs_floats *out, sgs_diag *d);
/* Doubles as their bits. */
sgs_status sgs_proto_doubles(sgs_arena *a, const sgs_field *f, sgs_ints *out, sgs_diag *d);

/* The wire type a field must have, or an error that names the field. */
sgs_status sgs_proto_want(const sgs_field *f, sgs_wire wire, const char *name, sgs_diag *d);
/* A string field as NUL-terminated arena memory; a NUL inside ends it. */
char *sgs_proto_string(sgs_arena *a, const sgs_field *f);
float sgs_bits_f32(uint32_t bits);
double sgs_bits_f64(uint64_t bits);

#endif
