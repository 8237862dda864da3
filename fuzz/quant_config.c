/* quant_config.yaml: any bytes are read or refused, with a message; what is read is what its header says. */
#include <stdlib.h>
#include <string.h>

#include "config/quant_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tree(const sgs_tree *t)
{
    const bool holds = t->kind == SGS_TREE_LIST || t->kind == SGS_TREE_DICT;
    if (t->kind == SGS_TREE_ARRAY || t->kind == SGS_TREE_OTHER || !t->line)
        abort();
    for (size_t i = 0; holds && i < t->list->n; i++) {
        check_tree(&t->list->item[i]);
        if (t->kind == SGS_TREE_DICT && i % 2 == 0 && t->list->item[i].kind != SGS_TREE_TEXT)
            abort();
    }
}

static void check_config(const sgs_quant_config *q)
{
    const bool four = q->mixed[0] == 4 && q->mixed[1] == 8, eight = q->mixed[0] == 8 && q->mixed[1] == 16;
    if (q->retrain_line && (q->retrain_iter_num < 1 || q->retrain_iter_num > 1000000))
        abort();
    if (q->device_line && strcmp(q->device, "cpu") && strncmp(q->device, "cuda", 4))
        abort();
    if ((q->mixed_line && !four && !eight) || (q->rate_line && !(q->mp_rate >= 0.25 && q->mp_rate <= 1)))
        abort();
    for (int i = 0; i < q->preset.n; i++)
        if (!q->use_preset || !q->preset.param[i].name[0] || q->preset.param[i].data)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgs_diag d = { 0 };
    sgs_tree t;
    sgs_quant_config *q;
    sgs_arena *a = sgs_arena_new();
    const bool yaml = sgs_yaml_parse(&t, a, "fuzz", (sgs_span){ data, size }, &d) == SGS_OK;
    if (yaml)
        check_tree(&t);
    else if (!d.text[0])
        abort();
    sgs_arena_free(a);
    if (sgs_quant_config_parse(&q, "fuzz", (sgs_span){ data, size }, &d) != SGS_OK)
        return 0;
    if (!yaml)
        abort();
    check_config(q);
    sgs_quant_config_free(q);
    return 0;
}
