/* Python's pickles, protocols 0 to 5.  A pickle is a program that names functions of Python to call; here nothing is
 * called.  Known by name are those with which numpy writes its arrays and numbers, OrderedDict, and those with which
 * Python 3 writes bytes for Python 2: pickle_numpy.c carries them out, on bytes.  Every other name is refused. */
#include <stdlib.h>
#include <string.h>

#include "config/pickle.h"

#define LINE_MAX_BYTES 320

/* ---- complaints ------------------------------------------------------------------------------------------------- */

sgs_status sgs_pickle_at_file(const sgs_pickle *r)
{
    return sgs_fail_at(r->d, r->file, 0, NULL);
}

sgs_status sgs_pickle_damaged(const sgs_pickle *r, const char *what)
{
    sgs_fail(r->d, SGS_E_FORMAT, "damaged pickle: at byte %lld %s", (long long)(r->opcode - r->start), what);
    return sgs_pickle_at_file(r);
}

sgs_status sgs_pickle_no_memory(const sgs_pickle *r)
{
    sgs_fail(r->d, SGS_E_LIMIT, "the pickle needs more memory than one of its size may take");
    return sgs_pickle_at_file(r);
}

/* ---- stack ------------------------------------------------------------------------------------------------------- */

sgs_status sgs_pickle_push(sgs_pickle *r, sgs_tree t)
{
    return sgs_tree_push(r->a, &r->stack, t) ? SGS_OK : sgs_pickle_no_memory(r);
}

/* The n-th from the top, 1 the last; NULL: there is none, or a mark. */
sgs_tree *sgs_pickle_top(sgs_pickle *r, size_t n)
{
    sgs_tree *t = n <= r->stack.n ? &r->stack.item[r->stack.n - n] : NULL;
    return t && !sgs_pickle_is(t, SGS_PICKLE_MARK) ? t : NULL;
}

/* How many stand above the last mark, which is then taken away with them by whoever asks; SIZE_MAX: there is no mark.
 */
static size_t above_mark(const sgs_pickle *r)
{
    for (size_t n = 0; n < r->stack.n; n++)
        if (sgs_pickle_is(&r->stack.item[r->stack.n - 1 - n], SGS_PICKLE_MARK))
            return n;
    return SIZE_MAX;
}

sgs_status sgs_pickle_push_object(sgs_pickle *r, sgs_pickle_object o)
{
    sgs_pickle_object *p = sgs_try_alloc(r->a, sizeof *p);
    if (!p)
        return sgs_pickle_no_memory(r);
    *p = o;
    return sgs_pickle_push(r, (sgs_tree){ .kind = SGS_TREE_OTHER, .other = p });
}

static sgs_status push_bytes(sgs_pickle *r, sgs_tree_kind kind, const void *p, size_t n)
{
    struct sgs_tree_bytes *b = sgs_try_alloc(r->a, sizeof *b);
    char *copy = b ? sgs_try_alloc(r->a, n + 1) : NULL;
    if (!copy)
        return sgs_pickle_no_memory(r);
    memcpy(copy, p, n);
    copy[n] = 0;
    *b = (struct sgs_tree_bytes){ n, copy };
    return sgs_pickle_push(r, (sgs_tree){ .kind = kind, .bytes = b });
}

/* Bytes stay in the file. */
sgs_status sgs_pickle_push_view(sgs_pickle *r, const void *p, size_t n)
{
    struct sgs_tree_bytes *b = sgs_try_alloc(r->a, sizeof *b);
    if (!b)
        return sgs_pickle_no_memory(r);
    *b = (struct sgs_tree_bytes){ n, p };
    return sgs_pickle_push(r, (sgs_tree){ .kind = SGS_TREE_BYTES, .bytes = b });
}

/* A list, tuple or dictionary of the n last on the stack, which leave it. */
sgs_status sgs_pickle_gather(sgs_pickle *r, sgs_tree_kind kind, size_t n, bool marked)
{
    struct sgs_tree_list *l = sgs_try_alloc(r->a, sizeof *l);
    if (!l)
        return sgs_pickle_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const sgs_tree *t = sgs_pickle_top(r, n - i);
        if (!t)
            return sgs_pickle_damaged(r, "a tuple has too few elements");
        if (!sgs_tree_push(r->a, l, *t))
            return sgs_pickle_no_memory(r);
    }
    if (kind == SGS_TREE_DICT && n % 2)
        return sgs_pickle_damaged(r, "a dictionary ends behind a key");
    r->stack.n -= n + marked;
    return sgs_pickle_push(r, (sgs_tree){ .kind = kind, .list = l });
}

static sgs_status gather_marked(sgs_pickle *r, sgs_tree_kind kind)
{
    const size_t n = above_mark(r);
    return n == SIZE_MAX ? sgs_pickle_damaged(r, "a mark is missing") : sgs_pickle_gather(r, kind, n, true);
}

/* The n last go into the list or dictionary below them. */
static sgs_status extend(sgs_pickle *r, sgs_tree_kind kind, size_t n, bool marked)
{
    const size_t below = n + marked + 1;
    const sgs_tree *to = n != SIZE_MAX ? sgs_pickle_top(r, below) : NULL;
    if (!to || to->kind != kind || (kind == SGS_TREE_DICT && n % 2))
        return sgs_pickle_damaged(r, kind == SGS_TREE_DICT ? "keys and values belong to no dictionary"
                                                : "elements belong to no list");
    for (size_t i = 0; i < n; i++) {
        const sgs_tree *t = sgs_pickle_top(r, n - i);
        if (!t)
            return sgs_pickle_damaged(r, "elements belong to no list");
        if (!sgs_tree_push(r->a, to->list, *t))
            return sgs_pickle_no_memory(r);
    }
    r->stack.n -= n + marked;
    return SGS_OK;
}

/* ---- memo -------------------------------------------------------------------------------------------------------- */

/* Places are numbered from 0 without large gaps by everything that writes pickles. */
static sgs_status put(sgs_pickle *r, uint64_t at)
{
    const sgs_tree *t = sgs_pickle_top(r, 1);
    if (!t || at > (uint64_t)(r->end - r->start))
        return sgs_pickle_damaged(r, "nothing can be remembered");
    while (r->memo.n <= at)
        if (!sgs_tree_push(r->a, &r->memo, (sgs_tree){ .kind = SGS_TREE_OTHER }))
            return sgs_pickle_no_memory(r);
    r->memo.item[at] = *t;
    return SGS_OK;
}

static sgs_status get(sgs_pickle *r, uint64_t at)
{
    const bool known = at < r->memo.n && (r->memo.item[at].kind != SGS_TREE_OTHER || r->memo.item[at].other);
    return known ? sgs_pickle_push(r, r->memo.item[at])
                 : sgs_pickle_damaged(r, "something is asked for that was never remembered");
}

/* ---- bytes of the file ----------------------------------------------------------------------------------------------
 */

static bool little(sgs_pickle *r, int n, uint64_t *v)
{
    *v = 0;
    if (r->end - r->p < n)
        return false;
    for (int i = 0; i < n; i++)
        *v |= (uint64_t)*r->p++ << 8 * i;
    return true;
}

/* A count of `size` bytes, then as many bytes. */
static const uint8_t *counted(sgs_pickle *r, int size, size_t *n)
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
static const uint8_t *line(sgs_pickle *r, size_t *n)
{
    const uint8_t *p = r->p, *close = r->p < r->end ? memchr(p, '\n', (size_t)(r->end - p)) : NULL;
    if (!close)
        return NULL;
    r->p = close + 1;
    *n = (size_t)(close - p) - (close > p && close[-1] == '\r');
    return p;
}

static bool short_line(sgs_pickle *r, char to[LINE_MAX_BYTES])
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

static sgs_status push_whole(sgs_pickle *r, int64_t v)
{
    return sgs_pickle_push(r, (sgs_tree){ .kind = SGS_TREE_WHOLE, .whole = v });
}

static sgs_status fixed_whole(sgs_pickle *r, int n, bool is_signed)
{
    uint64_t v;
    if (!little(r, n, &v))
        return sgs_pickle_damaged(r, "a number is cut off");
    return push_whole(r, is_signed ? (int32_t)v : (int64_t)v);
}

/* Two's complement of any length. */
static sgs_status long_whole(sgs_pickle *r, int size)
{
    size_t n = 0;
    const uint8_t *p = counted(r, size, &n);
    if (!p)
        return sgs_pickle_damaged(r, "a number is cut off");
    uint64_t v = n && p[n - 1] & 0x80 ? UINT64_MAX : 0;
    if (n > 8)
        return sgs_pickle_damaged(r, "a whole number has more than 64 bits");
    for (size_t i = 0; i < n; i++)
        v = (v & ~((uint64_t)255 << 8 * i)) | (uint64_t)p[i] << 8 * i;
    return push_whole(r, (int64_t)v);
}

static sgs_status text_number(sgs_pickle *r, bool real)
{
    char t[LINE_MAX_BYTES], *end;
    if (!short_line(r, t))
        return sgs_pickle_damaged(r, "a number is cut off");
    if (!real && (!strcmp(t, "00") || !strcmp(t, "01")))
        return sgs_pickle_push(r, (sgs_tree){ .kind = SGS_TREE_TRUTH, .whole = t[1] == '1' });
    const double v = real ? strtod(t, &end) : 0;
    const int64_t whole = real ? 0 : strtoll(t, &end, 10);
    if (end == t || (*end && strcmp(end, "L")))
        return sgs_pickle_damaged(r, "something stands where a number should");
    return real ? sgs_pickle_push(r, (sgs_tree){ .kind = SGS_TREE_REAL, .real = v }) : push_whole(r, whole);
}

static sgs_status big_endian_real(sgs_pickle *r)
{
    uint64_t bits;
    double v;
    if (!little(r, 8, &bits))
        return sgs_pickle_damaged(r, "a number is cut off");
    bits = __builtin_bswap64(bits);
    memcpy(&v, &bits, sizeof v);
    return sgs_pickle_push(r, (sgs_tree){ .kind = SGS_TREE_REAL, .real = v });
}

/* ---- texts
 * -------------------------------------------------------------------------------------------------------------- */

static sgs_status counted_text(sgs_pickle *r, int size, sgs_tree_kind kind)
{
    size_t n = 0;
    const uint8_t *p = counted(r, size, &n);
    if (!p)
        return sgs_pickle_damaged(r, "a text is cut off");
    return kind == SGS_TREE_TEXT ? push_bytes(r, kind, p, n) : sgs_pickle_push_view(r, p, n);
}

/* Protocol 0: a line in quotes, or one of Unicode with \uXXXX.  Escapes stand for what is no plain text: names of
 * tensors have none, and arrays are written by protocol 2 and later. */
static sgs_status line_text(sgs_pickle *r, bool quoted)
{
    size_t n = 0;
    const uint8_t *p = line(r, &n);
    if (p && quoted && n >= 2 && (p[0] == '\'' || p[0] == '"') && p[n - 1] == p[0])
        p++, n -= 2;
    else if (quoted)
        p = NULL;
    if (!p)
        return sgs_pickle_damaged(r, "a text is cut off");
    if (memchr(p, '\\', n))
        return sgs_pickle_damaged(r, "a text has escapes; write the pickle with protocol 2 or later");
    return push_bytes(r, SGS_TREE_TEXT, p, n);
}

static sgs_status global_lines(sgs_pickle *r)
{
    char module[LINE_MAX_BYTES], name[LINE_MAX_BYTES];
    if (!short_line(r, module) || !short_line(r, name))
        return sgs_pickle_damaged(r, "a name is cut off");
    return sgs_pickle_global(r, module, name);
}

static sgs_status global_on_stack(sgs_pickle *r)
{
    const sgs_tree *name = sgs_pickle_top(r, 1), *module = sgs_pickle_top(r, 2);
    if (!sgs_pickle_is_text(name) || !sgs_pickle_is_text(module))
        return sgs_pickle_damaged(r, "a name is no text");
    r->stack.n -= 2;
    return sgs_pickle_global(r, module->bytes->p, name->bytes->p);
}

/* ---- opcodes
 * ------------------------------------------------------------------------------------------------------------ */

static sgs_status memo_line(sgs_pickle *r, bool puts)
{
    char t[LINE_MAX_BYTES], *end;
    if (!short_line(r, t))
        return sgs_pickle_damaged(r, "a number is cut off");
    const unsigned long long at = strtoull(t, &end, 10);
    if (end == t || *end)
        return sgs_pickle_damaged(r, "something stands where a number should");
    return puts ? put(r, at) : get(r, at);
}

static sgs_status memo(sgs_pickle *r, int size, bool puts)
{
    uint64_t at;
    if (!little(r, size, &at))
        return sgs_pickle_damaged(r, "a number is cut off");
    return puts ? put(r, at) : get(r, at);
}

static sgs_status skip(sgs_pickle *r, uint64_t n)
{
    if ((uint64_t)(r->end - r->p) < n)
        return sgs_pickle_damaged(r, "the pickle is cut off");
    r->p += n;
    return SGS_OK;
}

static sgs_status again(sgs_pickle *r)
{
    const sgs_tree *t = sgs_pickle_top(r, 1);
    return t ? sgs_pickle_push(r, *t) : sgs_pickle_damaged(r, "nothing is there to take twice");
}

static sgs_status pop(sgs_pickle *r, bool to_mark)
{
    const size_t n = to_mark ? above_mark(r) : 0;
    if (n == SIZE_MAX || !r->stack.n)
        return sgs_pickle_damaged(r, "nothing is there to take away");
    r->stack.n -= n + 1;
    return SGS_OK;
}

static sgs_status unknown(const sgs_pickle *r)
{
    sgs_fail(r->d, SGS_E_FORMAT, "the pickle makes an object, or is damaged: byte 0x%02x at %lld", *r->opcode,
             (long long)(r->opcode - r->start));
    sgs_hint(
        r->d,
        "expected lists, dictionaries, texts, numbers and numpy arrays of numbers; nothing of a pickle is ever run");
    return sgs_pickle_at_file(r);
}

static sgs_status numbers_and_texts(sgs_pickle *r)
{
    switch (*r->opcode) {
    case 'N':
        return sgs_pickle_push(r, (sgs_tree){ 0 });
    case 0x88:
    case 0x89:
        return sgs_pickle_push(r, (sgs_tree){ .kind = SGS_TREE_TRUTH, .whole = *r->opcode == 0x88 });
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

static sgs_status containers(sgs_pickle *r)
{
    switch (*r->opcode) {
    case ']':
    case ')':
        return sgs_pickle_gather(r, SGS_TREE_LIST, 0, false);
    case '}':
        return sgs_pickle_gather(r, SGS_TREE_DICT, 0, false);
    case 'l':
    case 't':
        return gather_marked(r, SGS_TREE_LIST);
    case 'd':
        return gather_marked(r, SGS_TREE_DICT);
    case 0x85:
    case 0x86:
    case 0x87:
        return sgs_pickle_gather(r, SGS_TREE_LIST, *r->opcode - 0x84u, false);
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

static sgs_status step(sgs_pickle *r)
{
    switch (*r->opcode) {
    case 0x80:
        return skip(r, 1); /* the protocol: opcodes say the same */
    case 0x95:
        return skip(r, 8); /* a frame's length */
    case '(':
        return sgs_pickle_push_object(r, (sgs_pickle_object){ .kind = SGS_PICKLE_MARK });
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
        return sgs_pickle_reduce(r);
    case 'b':
        return sgs_pickle_build(r);
    default:
        return containers(r);
    }
}

sgs_status sgs_pickle_parse(sgs_tree *t, sgs_arena *a, const char *file, sgs_span bytes, sgs_diag *d)
{
    sgs_pickle r = {
        .a = a, .file = file, .start = bytes.p, .p = bytes.p, .end = bytes.p + bytes.n, .opcode = bytes.p, .d = d
    };
    while (r.p < r.end && *r.p != '.') {
        r.opcode = r.p++;
        SGS_TRY(step(&r));
    }
    r.opcode = r.p;
    if (r.p == r.end)
        return sgs_pickle_damaged(&r, "the pickle is cut off");
    const sgs_tree *last = r.stack.n == 1 ? sgs_pickle_top(&r, 1) : NULL;
    if (!last)
        return sgs_pickle_damaged(&r, "the pickle ends without one value");
    *t = *last;
    return SGS_OK;
}
