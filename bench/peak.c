/* peak [THREADS]: what the multiply-adds of this machine can do at most, over registers alone. */
#include <stdio.h>
#include <stdlib.h>

#include "openipu/sgs.h"

int main(int argc, char **argv)
{
    sgs_peak peak[16];
    const int threads = argc > 1 ? atoi(argv[1]) : 1, n = sgs_measure_peaks(UINT32_MAX, threads, peak, 16);
    for (int i = 0; i < n; i++)
        printf("%-42s %8.1f GOP/s\n", peak[i].text, peak[i].gops);
    return 0;
}
