#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

sgs_status sgs_fail(sgs_diag *d, sgs_status code, const char *fmt, ...)
{
    if (!d)
        return code;
    memset(d, 0, sizeof *d);
    d->code = code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->text, sizeof d->text, fmt, ap);
    va_end(ap);
    return code;
}

static void place(char *field, size_t n, const char *text)
{
    if (text && !field[0])
        snprintf(field, n, "%s", text);
}

sgs_status sgs_fail_at(sgs_diag *d, const char *file, int line, const char *layer)
{
    if (!d)
        return SGS_E_INTERNAL;
    if (!d->file[0] && file && !d->line)
        d->line = line;
    place(d->file, sizeof d->file, file);
    place(d->layer, sizeof d->layer, layer);
    return d->code;
}

void sgs_hint(sgs_diag *d, const char *fmt, ...)
{
    if (!d || d->hint[0])
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->hint, sizeof d->hint, fmt, ap);
    va_end(ap);
}

int sgs_diag_format(const sgs_diag *d, char *buf, size_t n)
{
    char line[16] = "";
    if (d->line > 0)
        snprintf(line, sizeof line, ":%d", d->line);
    const bool file = d->file[0], layer = d->layer[0], hint = d->hint[0];
    const int length = snprintf(buf, n, "error: %s%s%s%s%s%s%s%s%s\n", d->file, line, file ? ": " : "", layer ? "layer '" : "", d->layer,
                    layer ? "': " : "", d->text, hint ? "\n  " : "", d->hint);
    if (n)
        sgs_make_printable(buf);
    return length;
}

void sgs_free(void *p)
{
    free(p);
}
