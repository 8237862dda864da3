/* make_program IMAGE KERNELS.c: the hand-made network through fusion, planner and writers, for tests of what other
 * machines and compilers make of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program_maker.h"

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    image_maker m = { .separate = 1 };
    maker_network_build(&m);
    sgs_program p = program_of(&m);
    sgs_plan_result plan;
    sgs_buf image = { 0 }, kernels = { 0 };
    sgs_diag d = { 0 };
    char stem[256];
    const char *slash = strrchr(argv[2], '/');
    snprintf(stem, sizeof stem, "%s", slash ? slash + 1 : argv[2]);
    if (strrchr(stem, '.'))
        *strrchr(stem, '.') = 0;
    sgs_program_fuse(&p);
    sgs_emit_kernels(&p, stem, &kernels);
    bool bad = image_of(&p, &plan, &image) || sgs_file_write(argv[1], image.p, image.n, &d) ||
               sgs_file_write(argv[2], kernels.p, kernels.n, &d);
    if (bad)
        fprintf(stderr, "%s\n", d.text);
    sgs_buf_free(&image);
    sgs_buf_free(&kernels);
    sgs_program_free(&p);
    free(m.io.p);
    free(m.ops.p);
    free(m.consts.p);
    free(m.cost.p);
    return bad;
}
