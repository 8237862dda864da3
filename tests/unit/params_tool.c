/* Quantization parameters of files, for tests.
 *
 *   params_tool --each FILE...   "taken" or "refused" of each, a line; 2 where a refusal says nothing
 *   params_tool --json FILE      what was read, written again as JSON; --pickle: as a pickle; to standard output
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/quant_param.h"

static sgs_saved saved(const sgs_param *e)
{
    sgs_saved s = { .name = e->name, .n = e->n, .lo = e->lo, .hi = e->hi, .bit = e->bit };
    double *data = e->data ? calloc((size_t)e->data->count + 1, sizeof *data) : NULL;
    for (int64_t i = 0; data && i < e->data->count; i++)
        data[i] = sgs_tree_element(e->data, i);
    s.data = data;
    s.rank = data ? e->data->rank : 0;
    s.dim = data ? e->data->dim : NULL;
    return s;
}

static int show(const char *file, bool json)
{
    sgs_params *p;
    sgs_diag d = { 0 };
    char text[4096];
    if (sgs_params_read(&p, file, &d) != SGS_OK) {
        sgs_diag_format(&d, text, sizeof text);
        fputs(text, stderr);
        return 1;
    }
    sgs_saved *s = calloc((size_t)p->n + 1, sizeof *s);
    sgs_buf b = { 0 };
    for (int i = 0; s && i < p->n; i++)
        s[i] = saved(&p->param[i]);
    (json ? sgs_saved_json : sgs_saved_pickle)(s, p->n, &b);
    fwrite(b.p, 1, b.n, stdout);
    for (int i = 0; s && i < p->n; i++)
        free((void *)(uintptr_t)s[i].data);
    free(s);
    sgs_buf_free(&b);
    sgs_params_free(p);
    return 0;
}

static bool try_file(const char *file)
{
    sgs_params *p;
    sgs_diag d = { 0 };
    const bool taken = sgs_params_read(&p, file, &d) == SGS_OK;
    sgs_params_free(p);
    printf("%s\n", taken ? "taken" : "refused");
    return taken || (d.text[0] && d.file[0] && d.code != SGS_E_INTERNAL);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--each"))
        return show(argv[2], !strcmp(argv[1], "--json"));
    for (int i = 2; i < argc; i++)
        if (!try_file(argv[i]))
            return 2;
    return 0;
}
