/* input_config.ini: any bytes are read or refused; what is read prints and reads back to the same settings. */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgs_diag d;
    sgs_config *c = NULL, *again = NULL;
    if (sgs_config_parse(&c, "fuzz.ini", (sgs_span){ data, size }, &d) != SGS_OK)
        return 0;
    sgs_buf once = { 0 }, twice = { 0 };
    sgs_config_print(c, &once);
    if (sgs_config_parse(&again, "fuzz.ini", (sgs_span){ (const uint8_t *)once.p, once.n }, &d) != SGS_OK)
        abort();
    sgs_config_print(again, &twice);
    if (strcmp(once.p, twice.p))
        abort();
    sgs_config_free(c);
    sgs_config_free(again);
    sgs_buf_free(&once);
    sgs_buf_free(&twice);
    return 0;
}
