/* The knapsack problem, exactly. */
#ifndef SGS_KNAPSACK_H
#define SGS_KNAPSACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

typedef struct sgs_item {
    int64_t value, cost; /* not negative; both sums below 2^52 */
    bool taken;          /* out */
} sgs_item;
/* Takes the items of most value in all that cost `room` together at most.  Returns how much more value there might be:
 * 0, the choice is the best, unless more than `most` partial choices had to be kept (0: 4 million). */
int64_t sgs_knapsack(sgs_item *item, int n, int64_t room, size_t most);

#endif
