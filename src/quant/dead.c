/* Channels that hold one number on every picture. */
#include "base/log.h"
#include "quant/quantize.h"

#define FEWEST 4  /* channels: of fewer, one may well be constant */
#define MANY 0.75 /* share of a layer's channels from which it is worth a warning */

static int64_t dead_channels(const sgs_range *r)
{
    int64_t n = 0;
    for (int64_t c = 0; c < r->channels; c++)
        n += r->lo[c] == r->hi[c];
    return n;
}

void sgs_say_dead(sgs_graph *g, const sgs_range *range, const sgs_log *log)
{
    sgs_buf names = { 0 };
    int layers = 0;
    for (const sgs_node *n = g->first; n; n = n->next) {
        const sgs_range *r = &range[n->out[0]->id];
        const int64_t dead = sgs_is_conv(n) && r->channels >= FEWEST ? dead_channels(r) : 0;
        if (!dead || (double)dead < MANY * (double)r->channels)
            continue;
        layers++;
        if (names.n < 300)
            sgs_buf_printf(&names, "%s%.100s (%lld of %lld)", layers > 1 ? ", " : "", sgs_node_label(g, n),
                           (long long)dead, (long long)r->channels);
    }
    if (layers)
        sgs_log_warning(
            log,
            "in %d layer%s three quarters of the channels or more hold one number on every picture: %s%s; either the "
            "pictures are not "
            "what the network was trained on (channel order, mean, std_value), or those channels are dead "
            "and can be pruned",
            layers, layers == 1 ? "" : "s", names.p, names.n >= 300 ? ", ..." : "");
    sgs_buf_free(&names);
}
