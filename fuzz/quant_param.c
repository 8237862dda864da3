/* Quantization parameters, JSON and pickle: any bytes are read or refused; what is read gives, written and read again,
 * the same. */
#include <stdlib.h>
#include <string.h>

#include "config/quant_param.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_all(const sgs_params *p, bool json, sgs_buf *out)
{
    sgs_saved *s = calloc((size_t)p->n + 1, sizeof *s);
    for (int i = 0; i < p->n; i++) {
        const sgs_param *e = &p->param[i];
        s[i] = (sgs_saved){ .name = e->name, .n = e->n, .lo = e->lo, .hi = e->hi, .bit = e->bit ? e->bit : 8 };
    }
    (json ? sgs_saved_json : sgs_saved_pickle)(s, p->n, out);
    free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgs_diag d;
    sgs_params *p, *again;
    if (sgs_params_parse(&p, "fuzz", (sgs_span){ data, size }, &d) != SGS_OK)
        return 0;
    for (int json = 0; json < 2; json++) {
        sgs_buf once = { 0 }, twice = { 0 };
        write_all(p, json, &once);
        if (sgs_params_parse(&again, "again", (sgs_span){ (const uint8_t *)once.p, once.n }, &d) != SGS_OK)
            abort();
        write_all(again, json, &twice);
        if (once.n != twice.n || memcmp(once.p, twice.p, once.n))
            abort();
        sgs_params_free(again);
        sgs_buf_free(&once);
        sgs_buf_free(&twice);
    }
    sgs_params_free(p);
    return 0;
}
