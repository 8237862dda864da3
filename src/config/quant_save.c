/* Lists of tensors as JSON and as a pickle, which Python reads as lists, dictionaries and numpy arrays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/quant_param.h"

/* ---- JSON -----------------------------------------------------------------------------------------------------------
 */

static void json_text(sgs_buf *out, const char *s)
{
    sgs_buf_add(out, "\"", 1);
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            sgs_buf_printf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            sgs_buf_printf(out, "\\u%04x", (unsigned)(unsigned char)*s);
        else
            sgs_buf_add(out, s, 1);
    sgs_buf_add(out, "\"", 1);
}

static void json_number(sgs_buf *out, double v)
{
    char t[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(t, sizeof t, "%.*g", digits, v);
        if (strtod(t, NULL) == v)
            break;
    }
    sgs_buf_printf(out, "%s%s", t, strpbrk(t, ".e") ? "" : ".0");
}

static void json_list(sgs_buf *out, const double *v, int n)
{
    for (int i = 0; i < n; i++) {
        sgs_buf_add(out, i ? ", " : "[", i ? 2 : 1);
        json_number(out, v[i]);
    }
    sgs_buf_add(out, n ? "]" : "[]", n ? 1 : 2);
}

/* Elements from *v on, of the dimensions from k on. */
static void json_array(sgs_buf *out, const sgs_saved *s, int k, const double **v)
{
    if (k == s->rank) {
        json_number(out, *(*v)++);
        return;
    }
    sgs_buf_add(out, "[", 1);
    for (int64_t i = 0; i < s->dim[k]; i++) {
        if (i)
            sgs_buf_add(out, ", ", 2);
        json_array(out, s, k + 1, v);
    }
    sgs_buf_add(out, "]", 1);
}

void sgs_saved_json(const sgs_saved *s, int n, sgs_buf *out)
{
    sgs_buf_add(out, "[", 1);
    for (int i = 0; i < n; i++) {
        const double *v = s[i].data;
        sgs_buf_printf(out, "%s\n  {\n    \"name\": ", i ? "," : "");
        json_text(out, s[i].name);
        if (s[i].n) {
            sgs_buf_printf(out, ",\n    \"min\": ");
            json_list(out, s[i].lo, s[i].n);
            sgs_buf_printf(out, ",\n    \"max\": ");
            json_list(out, s[i].hi, s[i].n);
        }
        sgs_buf_printf(out, ",\n    \"bit\": %d", s[i].bit);
        if (v) {
            sgs_buf_printf(out, ",\n    \"data\": ");
            json_array(out, &s[i], 0, &v);
        }
        sgs_buf_printf(out, "\n  }");
    }
    sgs_buf_printf(out, "\n]\n");
}

/* ---- pickle ---------------------------------------------------------------------------------------------------------
 */

static void little(sgs_buf *out, uint64_t v, int n)
{
    for (int i = 0; i < n; i++) {
        const uint8_t c = (uint8_t)(v >> 8 * i);
        sgs_buf_add(out, &c, 1);
    }
}

static void opcode(sgs_buf *out, const char *op)
{
    sgs_buf_add(out, op, strlen(op));
}

static void pickle_text(sgs_buf *out, const char *s)
{
    opcode(out, "X");
    little(out, strlen(s), 4);
    sgs_buf_add(out, s, strlen(s));
}

static void pickle_real(sgs_buf *out, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    opcode(out, "G");
    little(out, __builtin_bswap64(bits), 8);
}

static void pickle_whole(sgs_buf *out, int64_t v)
{
    if (v >= 0 && v <= INT32_MAX) {
        opcode(out, "J");
        little(out, (uint64_t)v, 4);
    } else {
        opcode(out, "\x8a\x08");
        little(out, (uint64_t)v, 8);
    }
}

static void pickle_list(sgs_buf *out, const double *v, int n)
{
    opcode(out, "](");
    for (int i = 0; i < n; i++)
        pickle_real(out, v[i]);
    opcode(out, "e");
}

/* As numpy writes an array of float64: made empty, then given (version, shape, dtype, order, bytes). */
static void pickle_array(sgs_buf *out, const sgs_saved *s)
{
    int64_t count = 1;
    opcode(out, "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK");
    little(out, 0, 1);
    opcode(out, "\x85"
                "C\x01"
                "btR(K\x01(");
    for (int i = 0; i < s->rank; i++) {
        pickle_whole(out, s->dim[i]);
        count *= s->dim[i];
    }
    opcode(out, "tcnumpy\ndtype\n(X");
    little(out, 2, 4);
    opcode(out, "f8\x89\x88tR(K\x03X");
    little(out, 1, 4);
    opcode(out, "<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK");
    little(out, 0, 1);
    opcode(out, "tb\x89\x8e");
    little(out, (uint64_t)count * 8, 8);
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &s->data[i], sizeof bits);
        little(out, bits, 8);
    }
    opcode(out, "tb");
}

void sgs_saved_pickle(const sgs_saved *s, int n, sgs_buf *out)
{
    opcode(out, "\x80\x04](");
    for (int i = 0; i < n; i++) {
        opcode(out, "}(");
        pickle_text(out, "name");
        pickle_text(out, s[i].name);
        if (s[i].n) {
            pickle_text(out, "min");
            pickle_list(out, s[i].lo, s[i].n);
            pickle_text(out, "max");
            pickle_list(out, s[i].hi, s[i].n);
        }
        pickle_text(out, "bit");
        pickle_whole(out, s[i].bit);
        if (s[i].data) {
            pickle_text(out, "data");
            pickle_array(out, &s[i]);
        }
        opcode(out, "u");
    }
    opcode(out, "e.");
}
