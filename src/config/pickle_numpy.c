/* What a pickle calls by name: numpy's arrays, dtypes and numbers, OrderedDict, and what Python 3 writes bytes with for
 * Python 2. */
#include <math.h>
#include <string.h>

#include "config/pickle.h"

typedef enum callable {
    MAKE_ARRAY,
    ARRAY_TYPE,
    MAKE_DTYPE,
    MAKE_NUMBER,
    FROM_BUFFER,
    ENCODE,
    NO_BYTES,
    MAKE_DICT
} callable;

/* ---- names ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *module, *name;
    callable call;
} known[] = {
    { "numpy.core.multiarray", "_reconstruct", MAKE_ARRAY },
    { "numpy._core.multiarray", "_reconstruct", MAKE_ARRAY },
    { "numpy", "ndarray", ARRAY_TYPE },
    { "numpy", "dtype", MAKE_DTYPE },
    { "numpy.core.multiarray", "scalar", MAKE_NUMBER },
    { "numpy._core.multiarray", "scalar", MAKE_NUMBER },
    { "numpy.core.numeric", "_frombuffer", FROM_BUFFER },
    { "numpy._core.numeric", "_frombuffer", FROM_BUFFER },
    { "_codecs", "encode", ENCODE },
    { "__builtin__", "bytes", NO_BYTES },
    { "collections", "OrderedDict", MAKE_DICT },
};

static sgs_status refused(const sgs_pickle *r, const char *module, const char *name)
{
    sgs_fail(r->d, SGS_E_FORMAT, "the pickle holds an object of %.100s.%.100s", module, name);
    sgs_hint(
        r->d,
        "expected lists, dictionaries, texts, numbers and numpy arrays of numbers; nothing of a pickle is ever run");
    return sgs_pickle_at_file(r);
}

sgs_status sgs_pickle_global(sgs_pickle *r, const char *module, const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(module, known[i].module) && !strcmp(name, known[i].name))
            return sgs_pickle_push_object(r, (sgs_pickle_object){ .kind = SGS_PICKLE_CALLABLE, .call = known[i].call });
    return refused(r, module, name);
}

/* ---- numpy ------------------------------------------------------------------------------------------------------- */

/* Bytes, and texts of Python 2, which were bytes. */
static bool is_bytes(const sgs_tree *t)
{
    return t && (t->kind == SGS_TREE_BYTES || t->kind == SGS_TREE_TEXT);
}

/* "f4", "<f4": letter, bytes, byte order. */
static sgs_status make_dtype(sgs_pickle *r, const sgs_tree *name)
{
    static const char *const sizes[] = { ['f'] = "248", ['i'] = "1248", ['u'] = "1248", ['b'] = "1" };
    const char *s = sgs_pickle_is_text(name) ? name->bytes->p : "";
    const char order = s[0] && strchr("<>=|", s[0]) ? *s++ : '=';
    const char letter = s[0];
    const char *size = letter == 'f' || letter == 'i' || letter == 'u' || letter == 'b' ? sizes[(int)letter] : "";
    if (!letter || !s[1] || s[2] || !strchr(size, s[1])) {
        sgs_fail(r->d, SGS_E_FORMAT, "the pickle holds an array of dtype '%.40s'",
                 sgs_pickle_is_text(name) ? name->bytes->p : "?");
        sgs_hint(r->d, "expected numbers: float16, float32, float64, bool, or integers of at most 64 bits");
        return sgs_pickle_at_file(r);
    }
    return sgs_pickle_push_object(r, (sgs_pickle_object){ .kind = SGS_PICKLE_DTYPE,
                                                          .letter = letter,
                                                          .each = s[1] - '0',
                                                          .big_endian = order == '>' });
}

static const sgs_pickle_object *dtype_of(const sgs_tree *t)
{
    return t && sgs_pickle_is(t, SGS_PICKLE_DTYPE) ? t->other : NULL;
}

/* Fills x from shape, type and bytes. */
static sgs_status fill(sgs_pickle *r, struct sgs_tree_array *x, const sgs_tree *shape, const sgs_pickle_object *type,
                       const sgs_tree *bytes)
{
    int64_t count = 1;
    if (!type || !shape || shape->kind != SGS_TREE_LIST || !is_bytes(bytes) || shape->list->n > 8)
        return sgs_pickle_damaged(r, "an array has no shape, dtype or bytes, or more than 8 dimensions");
    for (size_t i = 0; i < shape->list->n; i++) {
        const sgs_tree *n = &shape->list->item[i];
        if (n->kind != SGS_TREE_WHOLE || !sgs_mul64(count, n->whole, &count))
            return sgs_pickle_damaged(r, "an array's shape is no list of whole numbers");
        x->dim[i] = n->whole;
    }
    if (count > (int64_t)(bytes->bytes->n / (size_t)type->each) ||
        (size_t)count * (size_t)type->each != bytes->bytes->n)
        return sgs_pickle_damaged(r, "an array has more or fewer bytes than its shape");
    x->rank = (int)shape->list->n;
    x->count = count;
    x->letter = type->letter;
    x->each = type->each;
    x->big_endian = type->big_endian;
    x->data = (const uint8_t *)bytes->bytes->p;
    return SGS_OK;
}

static sgs_status new_array(sgs_pickle *r, struct sgs_tree_array **x)
{
    *x = sgs_try_alloc(r->a, sizeof **x);
    if (!*x)
        return sgs_pickle_no_memory(r);
    **x = (struct sgs_tree_array){ .rank = 1, .letter = 'f', .each = 8 };
    return sgs_pickle_push(r, (sgs_tree){ .kind = SGS_TREE_ARRAY, .array = *x });
}

/* _frombuffer(bytes, dtype, shape, order) */
static sgs_status from_buffer(sgs_pickle *r, const sgs_tree *arg, size_t n)
{
    struct sgs_tree_array *x;
    if (n != 4 || !sgs_pickle_is_text(&arg[3]))
        return sgs_pickle_damaged(r, "an array has no shape, dtype or bytes, or more than 8 dimensions");
    SGS_TRY(new_array(r, &x));
    x->fortran = arg[3].bytes->p[0] == 'F';
    return fill(r, x, &arg[2], dtype_of(&arg[1]), &arg[0]);
}

/* scalar(dtype, bytes) */
static sgs_status make_number(sgs_pickle *r, const sgs_tree *arg, size_t n)
{
    const sgs_pickle_object *type = n == 2 ? dtype_of(&arg[0]) : NULL;
    if (!type || !is_bytes(&arg[1]) || arg[1].bytes->n != (size_t)type->each)
        return sgs_pickle_damaged(r, "a number of numpy's has no dtype or not its bytes");
    const struct sgs_tree_array x = { .count = 1,
                                      .letter = type->letter,
                                      .each = type->each,
                                      .big_endian = type->big_endian,
                                      .data = (const uint8_t *)arg[1].bytes->p };
    const double v = sgs_tree_element(&x, 0);
    const bool real = type->letter == 'f' || fabs(v) >= 0x1p63;
    return sgs_pickle_push(r, real ? (sgs_tree){ .kind = SGS_TREE_REAL, .real = v }
                                   : (sgs_tree){ .kind = SGS_TREE_WHOLE, .whole = (int64_t)v });
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

/* encode(text, "latin1"): a byte for each character. */
static sgs_status encode(sgs_pickle *r, const sgs_tree *arg, size_t n)
{
    if (n != 2 || !sgs_pickle_is_text(&arg[0]) || !sgs_pickle_is_text(&arg[1]) || strcmp(arg[1].bytes->p, "latin1"))
        return sgs_pickle_damaged(r, "bytes are not written as latin1");
    const struct sgs_tree_bytes *from = arg[0].bytes;
    char *to = sgs_try_alloc(r->a, from->n + 1);
    size_t made = 0;
    if (!to)
        return sgs_pickle_no_memory(r);
    for (size_t i = 0; i < from->n; made++) {
        const uint8_t c = (uint8_t)from->p[i++];
        if (c >= 0x80 && ((c & 0xfc) != 0xc0 || i == from->n))
            return sgs_pickle_damaged(r, "bytes are not written as latin1");
        to[made] = (char)(c < 0x80 ? c : c << 6 | ((uint8_t)from->p[i++] & 0x3f));
    }
    return sgs_pickle_push_view(r, to, made);
}

sgs_status sgs_pickle_reduce(sgs_pickle *r)
{
    const sgs_tree *arg = sgs_pickle_top(r, 1), *what = sgs_pickle_top(r, 2);
    struct sgs_tree_array *x;
    if (!arg || arg->kind != SGS_TREE_LIST || !what || !sgs_pickle_is(what, SGS_PICKLE_CALLABLE))
        return sgs_pickle_damaged(r, "something is called that is no function");
    const callable call = ((const sgs_pickle_object *)what->other)->call;
    const struct sgs_tree_list l = *arg->list;
    r->stack.n -= 2;
    switch (call) {
    case MAKE_ARRAY:
        return new_array(r, &x);
    case MAKE_DTYPE:
        return make_dtype(r, l.n ? &l.item[0] : NULL);
    case MAKE_NUMBER:
        return make_number(r, l.item, l.n);
    case FROM_BUFFER:
        return from_buffer(r, l.item, l.n);
    case ENCODE:
        return encode(r, l.item, l.n);
    case NO_BYTES:
        return sgs_pickle_push_view(r, "", 0);
    case MAKE_DICT:
        return sgs_pickle_gather(r, SGS_TREE_DICT, 0, false);
    case ARRAY_TYPE:
        break;
    }
    return sgs_pickle_damaged(r, "something is called that is no function");
}

/* State of an array: (version, shape, dtype, fortran, bytes); of a dtype: (version, byte order, ...). */
sgs_status sgs_pickle_build(sgs_pickle *r)
{
    const sgs_tree *state = sgs_pickle_top(r, 1), *to = sgs_pickle_top(r, 2);
    if (!state || state->kind != SGS_TREE_LIST || !to)
        return sgs_pickle_damaged(r, "an object has no state");
    const struct sgs_tree_list *l = state->list;
    r->stack.n--;
    if (to->kind == SGS_TREE_ARRAY && l->n == 5) {
        to->array->fortran = l->item[3].kind == SGS_TREE_TRUTH && l->item[3].whole;
        return fill(r, to->array, &l->item[1], dtype_of(&l->item[2]), &l->item[4]);
    }
    if (!sgs_pickle_is(to, SGS_PICKLE_DTYPE) || l->n < 2 || !sgs_pickle_is_text(&l->item[1]))
        return sgs_pickle_damaged(r, "an object has no state");
    ((sgs_pickle_object *)to->other)->big_endian = l->item[1].bytes->p[0] == '>';
    return SGS_OK;
}
