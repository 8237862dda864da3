/* show_sdk_info: versions, targets, this machine. */
#include <inttypes.h>

#include "base/log.h"
#include "compile/target.h"
#include "openipu/ipu_host.h"

static void show_machine(const sgs_log *log)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } feature[] = {
        { IPU_CPU_AVX2, "AVX2" }, { IPU_CPU_AVXVNNI, "AVX-VNNI" }, { IPU_CPU_AVX512VNNI, "AVX-512 VNNI" },
        { IPU_CPU_NEON, "NEON" }, { IPU_CPU_DOTPROD, "dotprod" },  { IPU_CPU_I8MM, "i8mm" },
    };
    const uint32_t cpu = ipu_host_cpu();
    sgs_buf b = { 0 };
    for (size_t i = 0; i < sizeof feature / sizeof *feature; i++)
        if (cpu & feature[i].bit)
            sgs_buf_printf(&b, "%s%s", b.n ? ", " : "", feature[i].name);
    sgs_log_line(log, "this machine: %s", b.n ? b.p : "C kernels only");
    sgs_buf_free(&b);
}

sgs_status sgs_show_info(const sgs_log *log)
{
    sgs_log_line(log, "OpenIPU " SGS_VERSION ", image format %" PRIu32, ipu_runtime_version());
    sgs_log_line(log, "frameworks: onnx");
    sgs_log_line(log, "targets for --soc_version (left out: %s):", sgs_targets[0].name);
    sgs_log_line(log, "  %-12s %-28s %s", "name", "runs on", "own kernels for");
    for (const sgs_target *t = sgs_targets; t->name; t++)
        sgs_log_line(log, "  %-12s %-28s %s", t->name, t->baseline, t->fast[0] ? t->fast : "-");
    show_machine(log);
    return SGS_OK;
}

sgs_status sgs_check_soc_version(const char *soc_version, sgs_diag *d)
{
    const sgs_target *target;
    return sgs_target_find(soc_version, &target, d);
}
