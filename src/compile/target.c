#include <string.h>
#include <strings.h>

#include "compile/target.h"
#include "openipu/ipu.h"

/* Every target shares one weight layout today, so their images differ in the header's `target` alone and run
 * everywhere. */
const sgs_target sgs_targets[] = {
    { "CHIP", 0, "any little-endian machine", "all below", 0, IPU_ALIGN },
    { "x86-64", 1, "x86-64 (SSE2)", "AVX2, AVX-VNNI, AVX-512 VNNI, AVX-512 VBMI", 0, IPU_ALIGN },
    { "aarch64", 2, "Armv8-A", "NEON, dotprod, i8mm", 0, IPU_ALIGN },
    { "riscv64", 3, "RV64GC", "RVV", 0, IPU_ALIGN },
    { "cortex-m3", 4, "Armv7-M, no FPU", "", (int64_t)1 << 29, IPU_ALIGN },
    { "cortex-m4", 5, "Armv7E-M", "DSP", (int64_t)1 << 29, IPU_ALIGN },
    { "cortex-m7", 6, "Armv7E-M", "DSP", (int64_t)1 << 29, IPU_ALIGN },
    { "cortex-m33", 7, "Armv8-M Mainline", "DSP", (int64_t)1 << 29, IPU_ALIGN },
    { "cortex-m55", 8, "Armv8.1-M Mainline", "DSP", (int64_t)1 << 29, IPU_ALIGN },
    { NULL, 0, NULL, NULL, 0, 0 },
};

sgs_status sgs_target_find(const char *soc_version, const sgs_target **t, sgs_diag *d)
{
    *t = sgs_targets;
    if (!soc_version)
        return SGS_OK;
    for (; (*t)->name; (*t)++)
        if (!strcasecmp((*t)->name, soc_version))
            return SGS_OK;
    sgs_status s = sgs_fail(
        d, SGS_E_UNSUPPORTED,
        "--soc_version '%s' is not a target: OpenIPU compiles for open instruction sets, not for vendors' chips",
        soc_version);
    char names[256] = "";
    for (const sgs_target *k = sgs_targets + 1; k->name; k++) {
        strncat(names, k->name, sizeof names - strlen(names) - 1);
        strncat(names, k[1].name ? ", " : "", sizeof names - strlen(names) - 1);
    }
    sgs_hint(d, "write --soc_version CHIP (runs everywhere), or one of %s", names);
    return s;
}
