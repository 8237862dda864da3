#include "ir/ir.h"

static const struct {
    const char *name;
    int bytes;
} types[SGS_TYPE_COUNT] = {
    [SGS_F32] = { "f32", 4 }, [SGS_F64] = { "f64", 8 }, [SGS_S64] = { "s64", 8 }, [SGS_S32] = { "s32", 4 },
    [SGS_S16] = { "s16", 2 }, [SGS_S8] = { "s8", 1 },   [SGS_U8] = { "u8", 1 },   [SGS_BOOL] = { "bool", 1 },
    [SGS_U16] = { "u16", 2 }, [SGS_F16] = { "f16", 2 },
};

int sgs_type_bytes(sgs_type t)
{
    return (unsigned)t < SGS_TYPE_COUNT ? types[t].bytes : 0;
}

const char *sgs_type_name(sgs_type t)
{
    return (unsigned)t < SGS_TYPE_COUNT ? types[t].name : "?";
}
