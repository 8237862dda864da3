/* Python's pickles, protocols 0 to 5.  A pickle is a program that names functions of Python to call; here nothing is
 * called.  Known by name are those with which numpy writes its arrays and numbers, OrderedDict, and those with which
 * Python 3 writes bytes for Python 2: they are carried out by this file, on bytes.  Every other name is refused. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/tree.h"

#define LINE_MAX_BYTES 320

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

/* What stands in `other` of a SGS_TREE_OTHER. */
typedef struct object {
    enum { MARK, CALLABLE, DTYPE } kind;
    callable call;
    char letter; /* of a DTYPE */
    int each;
    bool big_endian;
} object;

typedef struct reader {
    sgs_arena *a;
    const char *file;
    const uint8_t *start, *p, *end, *opcode;
    struct sgs_tree_list stack, memo;
    sgs_diag *d;
} reader;

/* ---- complaints ------------------------------------------------------------------------------------------------- */

static sgs_status at_file(const reader *r)
{
    return sgs_fail_at(r->d, r->file, 0, NULL);
}

static sgs_status damaged(const reader *r, const char *what)
{
    sgs_fail(r->d, SGS_E_FORMAT, "damaged pickle: at byte %lld %s", (long long)(r->opcode - r->start), what);
    return at_file(r);
}

static sgs_status no_memory(const reader *r)
{
    sgs_fail(r->d, SGS_E_LIMIT, "the pickle needs more memory than one of its size may take");
    return at_file(r);
}

static sgs_status refused(const reader *r, const char *module, const char *name)
{
    sgs_fail(r->d, SGS_E_FORMAT, "the pickle holds an object of %.100s.%.100s", module, name);
    sgs_hint(
        r->d,
        "expected lists, dictionaries, texts, numbers and numpy arrays of numbers; nothing of a pickle is ever run");
    return at_file(r);
}

/* ---- stack ------------------------------------------------------------------------------------------------------- */

static sgs_status push(reader *r, sgs_tree t)
{
    return sgs_tree_push(r->a, &r->stack, t) ? SGS_OK : no_memory(r);
}

static bool is_object(const sgs_tree *t, int kind)
{
    return t->kind == SGS_TREE_OTHER && (int)((const object *)t->other)->kind == kind;
}

/* The n-th from the top, 1 the last; NULL: there is none, or a mark. */
static sgs_tree *top(reader *r, size_t n)
{
    sgs_tree *t = n <= r->stack.n ? &r->stack.item[r->stack.n - n] : NULL;
    return t && !is_object(t, MARK) ? t : NULL;
}

/* How many stand above the last mark, which is then taken away with them by whoever asks; SIZE_MAX: there is no mark.
 */
static size_t above_mark(const reader *r)
{
    for (size_t n = 0; n < r->stack.n; n++)
        if (is_object(&r->stack.item[r->stack.n - 1 - n], MARK))
            return n;
    return SIZE_MAX;
}

static sgs_status push_object(reader *r, object o)
{
    object *p = sgs_try_alloc(r->a, sizeof *p);
    if (!p)
        return no_memory(r);
    *p = o;
    return push(r, (sgs_tree){ .kind = SGS_TREE_OTHER, .other = p });
}

static sgs_status push_bytes(reader *r, sgs_tree_kind kind, const void *p, size_t n)
{
    struct sgs_tree_bytes *b = sgs_try_alloc(r->a, sizeof *b);
    char *copy = b ? sgs_try_alloc(r->a, n + 1) : NULL;
    if (!copy)
        return no_memory(r);
    memcpy(copy, p, n);
    copy[n] = 0;
    *b = (struct sgs_tree_bytes){ n, copy };
    return push(r, (sgs_tree){ .kind = kind, .bytes = b });
}

/* Bytes stay in the file. */
static sgs_status push_view(reader *r, const void *p, size_t n)
{
    struct sgs_tree_bytes *b = sgs_try_alloc(r->a, sizeof *b);
    if (!b)
        return no_memory(r);
    *b = (struct sgs_tree_bytes){ n, p };
    return push(r, (sgs_tree){ .kind = SGS_TREE_BYTES, .bytes = b });
}

/* A list, tuple or dictionary of the n last on the stack, which leave it. */
static sgs_status gather(reader *r, sgs_tree_kind kind, size_t n, bool marked)
{
    struct sgs_tree_list *l = sgs_try_alloc(r->a, sizeof *l);
    if (!l)
        return no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const sgs_tree *t = top(r, n - i);
        if (!t)
            return damaged(r, "a tuple has too few elements");
        if (!sgs_tree_push(r->a, l, *t))
            return no_memory(r);
    }
    if (kind == SGS_TREE_DICT && n % 2)
        return damaged(r, "a dictionary ends behind a key");
    r->stack.n -= n + marked;
    return push(r, (sgs_tree){ .kind = kind, .list = l });
}

static sgs_status gather_marked(reader *r, sgs_tree_kind kind)
{
    const size_t n = above_mark(r);
    return n == SIZE_MAX ? damaged(r, "a mark is missing") : gather(r, kind, n, true);
}

/* The n last go into the list or dictionary below them. */
static sgs_status extend(reader *r, sgs_tree_kind kind, size_t n, bool marked)
{
    const size_t below = n + marked + 1;
    const sgs_tree *to = n != SIZE_MAX ? top(r, below) : NULL;
    if (!to || to->kind != kind || (kind == SGS_TREE_DICT && n % 2))
        return damaged(r, kind == SGS_TREE_DICT ? "keys and values belong to no dictionary"
                                                : "elements belong to no list");
    for (size_t i = 0; i < n; i++) {
        const sgs_tree *t = top(r, n - i);
        if (!t)
            return damaged(r, "elements belong to no list");
        if (!sgs_tree_push(r->a, to->list, *t))
            return no_memory(r);
    }
    r->stack.n -= n + marked;
    return SGS_OK;
}

/* ---- memo -------------------------------------------------------------------------------------------------------- */

/* Places are numbered from 0 without large gaps by everything that writes pickles. */
static sgs_status put(reader *r, uint64_t at)
{
    const sgs_tree *t = top(r, 1);
    if (!t || at > (uint64_t)(r->end - r->start))
        return damaged(r, "nothing can be remembered");
    while (r->memo.n <= at)
        if (!sgs_tree_push(r->a, &r->memo, (sgs_tree){ .kind = SGS_TREE_OTHER }))
            return no_memory(r);
    r->memo.item[at] = *t;
    return SGS_OK;
}

static sgs_status get(reader *r, uint64_t at)
{
    const bool known = at < r->memo.n && (r->memo.item[at].kind != SGS_TREE_OTHER || r->memo.item[at].other);
    return known ? push(r, r->memo.item[at]) : damaged(r, "something is asked for that was never remembered");
}

/* ---- bytes of the file ----------------------------------------------------------------------------------------------
 */

static bool little(reader *r, int n, uint64_t *v)
{
    *v = 0;
    if (r->end - r->p < n)
        return false;
    for (int i = 0; i < n; i++)
        *v |= (uint64_t)*r->p++ << 8 * i;
    return true;
}

/* A count of `size` bytes, then as many bytes. */
static const uint8_t *counted(reader *r, int size, size_t *n)
{
    uint64_t count;
    if (!little(r, size, &count) || count > (uint64_t)(r->end - r->p))
        return NULL;
    const uint8_t *p = r->p;
    r->p += count;
    *n = (size_t)count;
    return p;
}

/* The rest of a line, its end taken away; NULL: it does not end. */
static const uint8_t *line(reader *r, size_t *n)
{
    const uint8_t *p = r->p, *close = r->p < r->end ? memchr(p, '\n', (size_t)(r->end - p)) : NULL;
    if (!close)
        return NULL;
    r->p = close + 1;
    *n = (size_t)(close - p) - (close > p && close[-1] == '\r');
    return p;
}

static bool short_line(reader *r, char to[LINE_MAX_BYTES])
{
    size_t n = 0;
    const uint8_t *p = line(r, &n);
    if (!p || n >= LINE_MAX_BYTES)
        return false;
    memcpy(to, p, n);
    to[n] = 0;
    return true;
}

/* ---- numbers --------------------------------------------------------------------------------------------------------
 */

static sgs_status push_whole(reader *r, int64_t v)
{
    return push(r, (sgs_tree){ .kind = SGS_TREE_WHOLE, .whole = v });
}

static sgs_status fixed_whole(reader *r, int n, bool is_signed)
{
    uint64_t v;
    if (!little(r, n, &v))
        return damaged(r, "a number is cut off");
    return push_whole(r, is_signed ? (int32_t)v : (int64_t)v);
}

/* Two's complement of any length. */
static sgs_status long_whole(reader *r, int size)
{
    size_t n = 0;
    const uint8_t *p = counted(r, size, &n);
    if (!p)
        return damaged(r, "a number is cut off");
    uint64_t v = n && p[n - 1] & 0x80 ? UINT64_MAX : 0;
    if (n > 8)
        return damaged(r, "a whole number has more than 64 bits");
    for (size_t i = 0; i < n; i++)
        v = (v & ~((uint64_t)255 << 8 * i)) | (uint64_t)p[i] << 8 * i;
    return push_whole(r, (int64_t)v);
}

static sgs_status text_number(reader *r, bool real)
{
    char t[LINE_MAX_BYTES], *end;
    if (!short_line(r, t))
        return damaged(r, "a number is cut off");
    if (!real && (!strcmp(t, "00") || !strcmp(t, "01")))
        return push(r, (sgs_tree){ .kind = SGS_TREE_TRUTH, .whole = t[1] == '1' });
    const double v = real ? strtod(t, &end) : 0;
    const int64_t whole = real ? 0 : strtoll(t, &end, 10);
    if (end == t || (*end && strcmp(end, "L")))
        return damaged(r, "something stands where a number should");
    return real ? push(r, (sgs_tree){ .kind = SGS_TREE_REAL, .real = v }) : push_whole(r, whole);
}

static sgs_status big_endian_real(reader *r)
{
    uint64_t bits;
    double v;
    if (!little(r, 8, &bits))
        return damaged(r, "a number is cut off");
    bits = __builtin_bswap64(bits);
    memcpy(&v, &bits, sizeof v);
    return push(r, (sgs_tree){ .kind = SGS_TREE_REAL, .real = v });
}

/* ---- numpy
 * ------------------------------------------------------------------------------------------------------------ */

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

static sgs_status global(reader *r, const char *module, const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(module, known[i].module) && !strcmp(name, known[i].name))
            return push_object(r, (object){ .kind = CALLABLE, .call = known[i].call });
    return refused(r, module, name);
}

static bool is_text(const sgs_tree *t)
{
    return t && t->kind == SGS_TREE_TEXT;
}

/* Bytes, and texts of Python 2, which were bytes. */
static bool is_bytes(const sgs_tree *t)
{
    return t && (t->kind == SGS_TREE_BYTES || t->kind == SGS_TREE_TEXT);
}

/* "f4", "<f4": letter, bytes, byte order. */
static sgs_status make_dtype(reader *r, const sgs_tree *name)
{
    static const char *const sizes[] = { ['f'] = "248", ['i'] = "1248", ['u'] = "1248", ['b'] = "1" };
    const char *s = is_text(name) ? name->bytes->p : "";
    const char order = s[0] && strchr("<>=|", s[0]) ? *s++ : '=';
    const char letter = s[0];
    const char *size = letter == 'f' || letter == 'i' || letter == 'u' || letter == 'b' ? sizes[(int)letter] : "";
    if (!letter || !s[1] || s[2] || !strchr(size, s[1])) {
        sgs_fail(r->d, SGS_E_FORMAT, "the pickle holds an array of dtype '%.40s'",
                 is_text(name) ? name->bytes->p : "?");
        sgs_hint(r->d, "expected numbers: float16, float32, float64, bool, or integers of at most 64 bits");
        return at_file(r);
    }
    return push_object(r, (object){ .kind = DTYPE, .letter = letter, .each = s[1] - '0', .big_endian = order == '>' });
}

static const object *dtype_of(const sgs_tree *t)
{
    return t && is_object(t, DTYPE) ? t->other : NULL;
}

/* Fills x from shape, type and bytes. */
static sgs_status fill(reader *r, struct sgs_tree_array *x, const sgs_tree *shape, const object *type,
                       const sgs_tree *bytes)
{
    int64_t count = 1;
    if (!type || !shape || shape->kind != SGS_TREE_LIST || !is_bytes(bytes) || shape->list->n > 8)
        return damaged(r, "an array has no shape, dtype or bytes, or more than 8 dimensions");
    for (size_t i = 0; i < shape->list->n; i++) {
        const sgs_tree *n = &shape->list->item[i];
        if (n->kind != SGS_TREE_WHOLE || !sgs_mul64(count, n->whole, &count))
            return damaged(r, "an array's shape is no list of whole numbers");
        x->dim[i] = n->whole;
    }
    if (count > (int64_t)(bytes->bytes->n / (size_t)type->each) ||
        (size_t)count * (size_t)type->each != bytes->bytes->n)
        return damaged(r, "an array has more or fewer bytes than its shape");
    x->rank = (int)shape->list->n;
    x->count = count;
    x->letter = type->letter;
    x->each = type->each;
    x->big_endian = type->big_endian;
    x->data = (const uint8_t *)bytes->bytes->p;
    return SGS_OK;
}

static sgs_status new_array(reader *r, struct sgs_tree_array **x)
{
    *x = sgs_try_alloc(r->a, sizeof **x);
    if (!*x)
        return no_memory(r);
    **x = (struct sgs_tree_array){ .rank = 1, .letter = 'f', .each = 8 };
    return push(r, (sgs_tree){ .kind = SGS_TREE_ARRAY, .array = *x });
}

/* _frombuffer(bytes, dtype, shape, order) */
static sgs_status from_buffer(reader *r, const sgs_tree *arg, size_t n)
{
    struct sgs_tree_array *x;
    if (n != 4 || !is_text(&arg[3]))
        return damaged(r, "an array has no shape, dtype or bytes, or more than 8 dimensions");
    SGS_TRY(new_array(r, &x));
    x->fortran = arg[3].bytes->p[0] == 'F';
    return fill(r, x, &arg[2], dtype_of(&arg[1]), &arg[0]);
}

/* scalar(dtype, bytes) */
static sgs_status make_number(reader *r, const sgs_tree *arg, size_t n)
{
    const object *type = n == 2 ? dtype_of(&arg[0]) : NULL;
    if (!type || !is_bytes(&arg[1]) || arg[1].bytes->n != (size_t)type->each)
        return damaged(r, "a number of numpy's has no dtype or not its bytes");
    const struct sgs_tree_array x = { .count = 1,
                                      .letter = type->letter,
                                      .each = type->each,
                                      .big_endian = type->big_endian,
                                      .data = (const uint8_t *)arg[1].bytes->p };
    const double v = sgs_tree_element(&x, 0);
    return type->letter == 'f' || fabs(v) >= 0x1p63 ? push(r, (sgs_tree){ .kind = SGS_TREE_REAL, .real = v })
                                                    : push_whole(r, (int64_t)v);
}

/* encode(text, "latin1"): a byte for each character. */
static sgs_status encode(reader *r, const sgs_tree *arg, size_t n)
{
    if (n != 2 || !is_text(&arg[0]) || !is_text(&arg[1]) || strcmp(arg[1].bytes->p, "latin1"))
        return damaged(r, "bytes are not written as latin1");
    const struct sgs_tree_bytes *from = arg[0].bytes;
    char *to = sgs_try_alloc(r->a, from->n + 1);
    size_t made = 0;
    if (!to)
        return no_memory(r);
    for (size_t i = 0; i < from->n; made++) {
        const uint8_t c = (uint8_t)from->p[i++];
        if (c >= 0x80 && ((c & 0xfc) != 0xc0 || i == from->n))
            return damaged(r, "bytes are not written as latin1");
        to[made] = (char)(c < 0x80 ? c : c << 6 | ((uint8_t)from->p[i++] & 0x3f));
    }
    return push_view(r, to, made);
}

/* A callable and its arguments become what it would make. */
static sgs_status reduce(reader *r)
{
    const sgs_tree *arg = top(r, 1), *what = top(r, 2);
    struct sgs_tree_array *x;
    if (!arg || arg->kind != SGS_TREE_LIST || !what || !is_object(what, CALLABLE))
        return damaged(r, "something is called that is no function");
    const callable call = ((const object *)what->other)->call;
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
        return push_view(r, "", 0);
    case MAKE_DICT:
        return gather(r, SGS_TREE_DICT, 0, false);
    case ARRAY_TYPE:
        break;
    }
    return damaged(r, "something is called that is no function");
}

/* State of an array: (version, shape, dtype, fortran, bytes); of a dtype: (version, byte order, ...). */
static sgs_status build(reader *r)
{
    const sgs_tree *state = top(r, 1), *to = top(r, 2);
    if (!state || state->kind != SGS_TREE_LIST || !to)
        return damaged(r, "an object has no state");
    const struct sgs_tree_list *l = state->list;
    r->stack.n--;
    if (to->kind == SGS_TREE_ARRAY && l->n == 5) {
        to->array->fortran = l->item[3].kind == SGS_TREE_TRUTH && l->item[3].whole;
        return fill(r, to->array, &l->item[1], dtype_of(&l->item[2]), &l->item[4]);
    }
    if (!is_object(to, DTYPE) || l->n < 2 || !is_text(&l->item[1]))
        return damaged(r, "an object has no state");
    ((object *)to->other)->big_endian = l->item[1].bytes->p[0] == '>';
    return SGS_OK;
}

/* ---- texts
 * -------------------------------------------------------------------------------------------------------------- */

static sgs_status counted_text(reader *r, int size, sgs_tree_kind kind)
{
    size_t n = 0;
    const uint8_t *p = counted(r, size, &n);
    if (!p)
        return damaged(r, "a text is cut off");
    return kind == SGS_TREE_TEXT ? push_bytes(r, kind, p, n) : push_view(r, p, n);
}

/* Protocol 0: a line in quotes, or one of Unicode with \uXXXX.  Escapes stand for what is no plain text: names of
 * tensors have none, and arrays are written by protocol 2 and later. */
static sgs_status line_text(reader *r, bool quoted)
{
    size_t n = 0;
    const uint8_t *p = line(r, &n);
    if (p && quoted && n >= 2 && (p[0] == '\'' || p[0] == '"') && p[n - 1] == p[0])
        p++, n -= 2;
    else if (quoted)
        p = NULL;
    if (!p)
        return damaged(r, "a text is cut off");
    if (memchr(p, '\\', n))
        return damaged(r, "a text has escapes; write the pickle with protocol 2 or later");
    return push_bytes(r, SGS_TREE_TEXT, p, n);
}

static sgs_status global_lines(reader *r)
{
    char module[LINE_MAX_BYTES], name[LINE_MAX_BYTES];
    if (!short_line(r, module) || !short_line(r, name))
        return damaged(r, "a name is cut off");
    return global(r, module, name);
}

static sgs_status global_on_stack(reader *r)
{
    const sgs_tree *name = top(r, 1), *module = top(r, 2);
    if (!is_text(name) || !is_text(module))
        return damaged(r, "a name is no text");
    r->stack.n -= 2;
    return global(r, module->bytes->p, name->bytes->p);
}

/* ---- opcodes
 * ------------------------------------------------------------------------------------------------------------ */

static sgs_status memo_line(reader *r, bool puts)
{
    char t[LINE_MAX_BYTES], *end;
    if (!short_line(r, t))
        return damaged(r, "a number is cut off");
    const unsigned long long at = strtoull(t, &end, 10);
    if (end == t || *end)
        return damaged(r, "something stands where a number should");
    return puts ? put(r, at) : get(r, at);
}

static sgs_status memo(reader *r, int size, bool puts)
{
    uint64_t at;
    if (!little(r, size, &at))
        return damaged(r, "a number is cut off");
    return puts ? put(r, at) : get(r, at);
}

static sgs_status skip(reader *r, uint64_t n)
{
    if ((uint64_t)(r->end - r->p) < n)
        return damaged(r, "the pickle is cut off");
    r->p += n;
    return SGS_OK;
}

static sgs_status again(reader *r)
{
    const sgs_tree *t = top(r, 1);
    return t ? push(r, *t) : damaged(r, "nothing is there to take twice");
}

static sgs_status pop(reader *r, bool to_mark)
{
    const size_t n = to_mark ? above_mark(r) : 0;
    if (n == SIZE_MAX || !r->stack.n)
        return damaged(r, "nothing is there to take away");
    r->stack.n -= n + 1;
    return SGS_OK;
}

static sgs_status unknown(const reader *r)
{
    sgs_fail(r->d, SGS_E_FORMAT, "the pickle makes an object, or is damaged: byte 0x%02x at %lld", *r->opcode,
             (long long)(r->opcode - r->start));
    sgs_hint(
        r->d,
        "expected lists, dictionaries, texts, numbers and numpy arrays of numbers; nothing of a pickle is ever run");
    return at_file(r);
}

static sgs_status numbers_and_texts(reader *r)
{
    switch (*r->opcode) {
    case 'N':
        return push(r, (sgs_tree){ 0 });
    case 0x88:
    case 0x89:
        return push(r, (sgs_tree){ .kind = SGS_TREE_TRUTH, .whole = *r->opcode == 0x88 });
    case 'I':
    case 'L':
        return text_number(r, false);
    case 'F':
        return text_number(r, true);
    case 'J':
        return fixed_whole(r, 4, true);
    case 'K':
        return fixed_whole(r, 1, false);
    case 'M':
        return fixed_whole(r, 2, false);
    case 0x8a:
        return long_whole(r, 1);
    case 0x8b:
        return long_whole(r, 4);
    case 'G':
        return big_endian_real(r);
    case 'S':
        return line_text(r, true);
    case 'V':
        return line_text(r, false);
    case 'U':
    case 0x8c:
        return counted_text(r, 1, SGS_TREE_TEXT);
    case 'T':
    case 'X':
        return counted_text(r, 4, SGS_TREE_TEXT);
    case 0x8d:
        return counted_text(r, 8, SGS_TREE_TEXT);
    case 'C':
        return counted_text(r, 1, SGS_TREE_BYTES);
    case 'B':
        return counted_text(r, 4, SGS_TREE_BYTES);
    case 0x8e:
    case 0x96:
        return counted_text(r, 8, SGS_TREE_BYTES);
    default:
        return unknown(r);
    }
}

static sgs_status containers(reader *r)
{
    switch (*r->opcode) {
    case ']':
    case ')':
        return gather(r, SGS_TREE_LIST, 0, false);
    case '}':
        return gather(r, SGS_TREE_DICT, 0, false);
    case 'l':
    case 't':
        return gather_marked(r, SGS_TREE_LIST);
    case 'd':
        return gather_marked(r, SGS_TREE_DICT);
    case 0x85:
    case 0x86:
    case 0x87:
        return gather(r, SGS_TREE_LIST, *r->opcode - 0x84u, false);
    case 'a':
        return extend(r, SGS_TREE_LIST, 1, false);
    case 'e':
        return extend(r, SGS_TREE_LIST, above_mark(r), true);
    case 's':
        return extend(r, SGS_TREE_DICT, 2, false);
    case 'u':
        return extend(r, SGS_TREE_DICT, above_mark(r), true);
    default:
        return numbers_and_texts(r);
    }
}

static sgs_status step(reader *r)
{
    switch (*r->opcode) {
    case 0x80:
        return skip(r, 1); /* the protocol: opcodes say the same */
    case 0x95:
        return skip(r, 8); /* a frame's length */
    case '(':
        return push_object(r, (object){ .kind = MARK });
    case '0':
        return pop(r, false);
    case '1':
        return pop(r, true);
    case '2':
        return again(r);
    case 'g':
        return memo_line(r, false);
    case 'h':
        return memo(r, 1, false);
    case 'j':
        return memo(r, 4, false);
    case 'p':
        return memo_line(r, true);
    case 'q':
        return memo(r, 1, true);
    case 'r':
        return memo(r, 4, true);
    case 0x94:
        return put(r, r->memo.n);
    case 'c':
        return global_lines(r);
    case 0x93:
        return global_on_stack(r);
    case 'R':
        return reduce(r);
    case 'b':
        return build(r);
    default:
        return containers(r);
    }
}

sgs_status sgs_pickle_parse(sgs_tree *t, sgs_arena *a, const char *file, sgs_span bytes, sgs_diag *d)
{
    reader r = {
        .a = a, .file = file, .start = bytes.p, .p = bytes.p, .end = bytes.p + bytes.n, .opcode = bytes.p, .d = d
    };
    while (r.p < r.end && *r.p != '.') {
        r.opcode = r.p++;
        SGS_TRY(step(&r));
    }
    r.opcode = r.p;
    if (r.p == r.end)
        return damaged(&r, "the pickle is cut off");
    const sgs_tree *last = r.stack.n == 1 ? top(&r, 1) : NULL;
    if (!last)
        return damaged(&r, "the pickle ends without one value");
    *t = *last;
    return SGS_OK;
}
