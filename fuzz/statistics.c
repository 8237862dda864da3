/* Statistics of a small model: what is taken packs again and adds up, what is refused changes nothing.  Input that does
 * not begin with a number of samples is a list of changes to good statistics: pairs of a place among their words, and
 * the word to put there. */
#include <stdlib.h>
#include <string.h>

#include "quant/quantize.h"
#include "sim/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char text[] = "input %0 \"x\" f32[1,2,2,2]\n"
                           "const %1 f32[2,1,1,2] = seed(1)\n"
                           "%2 \"a\" f32[1,2,2,2] = conv %0, %1 {stride=[1,1], dilation=[1,1], groups=1, act=relu}\n"
                           "%3 \"b\" f32[1,2,2,2] = conv %2, %1 {stride=[1,1], dilation=[1,1], groups=1}\n"
                           "output %3\n";

static void must(bool good)
{
    if (!good)
        abort();
}

static sgs_graph *model(void)
{
    sgs_graph *g;
    sgs_diag d = { 0 };
    must(sgs_graph_parse(&g, "fuzz", (sgs_span){ (const uint8_t *)text, sizeof text - 1 }, &d) == SGS_OK);
    return g;
}

/* Of two samples. */
static sgs_buf good_statistics(void)
{
    sgs_graph *g = model();
    sgs_session *session;
    sgs_diag d = { 0 };
    sgs_buf b = { 0 };
    sgs_statistics *s = sgs_statistics_new(g, true);
    must(sgs_session_new(&session, g, false, &d) == SGS_OK);
    sgs_statistics_watch(s, session);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 8; i++)
            ((float *)sgs_session_data(session, g->in[0]))[i] = (float)(i * (3 - 5 * k)) / 7;
        sgs_statistics_inputs(s, session);
        must(sgs_session_run(session, &d) == SGS_OK);
        sgs_statistics_end_sample(s);
    }
    sgs_statistics_pack(s, &b);
    sgs_session_free(session);
    sgs_graph_free(g);
    return b;
}

static void try_bytes(sgs_span bytes)
{
    sgs_graph *g = model();
    sgs_diag d = { 0 };
    sgs_buf before = { 0 }, after = { 0 };
    sgs_statistics *s = sgs_statistics_new(g, true), *again = sgs_statistics_new(g, true);
    if (sgs_statistics_merge(s, bytes, &d) == SGS_OK) {
        sgs_statistics_pack(s, &before);
        must(sgs_statistics_merge(again, (sgs_span){ (const uint8_t *)before.p, before.n }, &d) == SGS_OK);
        sgs_statistics_pack(again, &after);
        must(before.n == after.n && !memcmp(before.p, after.p, before.n));
        must(sgs_statistics_merge(s, (sgs_span){ (const uint8_t *)before.p, before.n }, &d) == SGS_OK);
        sgs_statistics_ranges(s);
    }
    must(sgs_statistics_count(s) || !sgs_statistics_kept(s));
    sgs_buf_free(&before);
    sgs_buf_free(&after);
    sgs_graph_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static sgs_buf good;
    static uint8_t *bad;
    if (!good.n) {
        good = good_statistics();
        bad = malloc(good.n);
        try_bytes((sgs_span){ (const uint8_t *)good.p, good.n });
    }
    if (n >= 8 && !memcmp(data + 1, "\0\0\0\0\0\0", 7)) {
        try_bytes((sgs_span){ data, n });
        return 0;
    }
    memcpy(bad, good.p, good.n);
    for (; n >= 8; data += 8, n -= 8) {
        uint32_t at;
        memcpy(&at, data, 4);
        memcpy(bad + (size_t)(at % (good.n / 4)) * 4, data + 4, 4);
    }
    try_bytes((sgs_span){ bad, good.n });
    return 0;
}
