#include "ir/ir.h"

static const struct {
    const char *name, *word;
    int bytes;
} types[SGS_TYPE_COUNT] = {
    [SGS_F32] = { "f32", "float32", 4 }, [SGS_F64] = { "f64", "float64", 8 }, [SGS_S64] = { "s64", "int64", 8 }, [SGS_S32] = { "s32", "int32", 4 },
    [SGS_S16] = { "s16", "int16", 2 }, [SGS_S8] = { "s8", "int8", 1 },   [SGS_U8] = { "u8", "uint8", 1 },   [SGS_BOOL] = { "bool", "bool", 1 },
    [SGS_U16] = { "u16", "uint16", 2 }, [SGS_F16] = { "f16", "float16", 2 }, [SGS_S4] = { "s4", "int4", 1 },
};

int sgs_type_bytes(sgs_type t)
{
    return (unsigned)t < SGS_TYPE_COUNT ? types[t].bytes : 0;
}

int sgs_type_bits(sgs_type t)
{
    return t == SGS_S4 ? 4 : 8 * sgs_type_bytes(t);
}

const char *sgs_type_word(sgs_type t)
{
    return (unsigned)t < SGS_TYPE_COUNT ? types[t].word : "?";
}

const char *sgs_type_name(sgs_type t)
{
    return (unsigned)t < SGS_TYPE_COUNT ? types[t].name : "?";
}
