/* show_sdk_info: versions, targets, this machine. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/target.h"
#include "openipu/ipu_host.h"
#include "ops/op.h"

static void show_machine(const sgs_log *log)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } feature[] = {
        { IPU_CPU_AVX2, "AVX2" }, { IPU_CPU_AVXVNNI, "AVX-VNNI" }, { IPU_CPU_AVX512VNNI, "AVX-512 VNNI" },
        { IPU_CPU_AVX512VBMI, "AVX-512 VBMI" },
        { IPU_CPU_NEON, "NEON" }, { IPU_CPU_DOTPROD, "dotprod" },  { IPU_CPU_I8MM, "i8mm" },
        { IPU_CPU_RVV, "RVV" },
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
    sgs_log_line(log, "frameworks: onnx, caffe, tflite, tensorflow_graphdef");
    sgs_log_line(log, "targets for --soc_version (left out: %s):", sgs_targets[0].name);
    sgs_log_line(log, "  %-12s %-28s %s", "name", "runs on", "own kernels for");
    for (const sgs_target *t = sgs_targets; t->name; t++)
        sgs_log_line(log, "  %-12s %-28s %s", t->name, t->baseline, t->fast[0] ? t->fast : "-");
    show_machine(log);
    return SGS_OK;
}

/* The lowest opset of ONNX whose form of the operator is understood. */
static int since(const char *op)
{
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *r = (*f)->onnx; r && r->op; r++)
            if (!strcmp(r->op, op))
                return r->since;
    return 0;
}

static const char *const in_float[] = { "folded", "yes", "yes" }, *const in_fixed[] = { "folded", "no", "yes" };

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const sgs_limit *tflite_limit(const char *op)
{
    static const sgs_limit none = { NULL, SGS_IN_FIXED, NULL };
    for (const sgs_limit *l = sgs_tfl_limits; l->op; l++)
        if (!strcmp(l->op, op))
            return l;
    return &none;
}

static void show_caffe(const sgs_log *log)
{
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "# Layers of Caffe");
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "Layers of the older kinds (V0, V1) are read as these.  Split and Dropout do nothing; Data, Input and their like are the network's inputs;");
    sgs_log_line(log, "Accuracy, Silence and losses are left out, as are layers that the rules of the phase TEST exclude.");
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "| layer | float | fixed | limits |");
    sgs_log_line(log, "|---|---|---|---|");
    for (const sgs_limit *l = sgs_caffe_limits; l->op; l++)
        sgs_log_line(log, "| %s | %s | %s | %s |", l->op, in_float[l->reach], in_fixed[l->reach], l->limits ? l->limits : "");
}

/* A line for every importer; what has nothing to be said of it has no limits. */
static void show_tflite(const sgs_log *log)
{
    const char *name[256];
    size_t n = 0;
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *r = (*f)->tflite; r && r->op && n < sizeof name / sizeof *name; r++)
            name[n++] = r->op;
    qsort(name, n, sizeof *name, by_name);
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "# Operators of TFLite");
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "Every version of them; fused activations but SIGN_BIT.  Constants may be float16, int16, int8, uint8 or int4.");
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "| operator | float | fixed | limits |");
    sgs_log_line(log, "|---|---|---|---|");
    for (size_t i = 0; i < n; i++) {
        const sgs_limit *l = tflite_limit(name[i]);
        const bool custom = !strncmp(name[i], "custom:", 7);
        sgs_log_line(log, "| %s | %s | %s | %s |", custom ? name[i] + 7 : name[i], in_float[l->reach], in_fixed[l->reach], l->limits ? l->limits : "");
    }
}

/* Of TensorFlow, by name. */
static void show_tensorflow(const sgs_log *log)
{
    const char *name[512];
    size_t n = 0;
    sgs_buf b = { 0 };
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *r = (*f)->tensorflow; r && r->op && n < sizeof name / sizeof *name; r++)
            if (r->since >= 0)
                name[n++] = r->op;
    qsort(name, n, sizeof *name, by_name);
    for (size_t i = 0; i < n; i++)
        sgs_buf_printf(&b, "%s%s", i ? ", " : "", name[i]);
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "# Operators of TensorFlow");
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "In a frozen GraphDef: Const, Placeholder, calls of functions, Switch and Merge whose predicate is known, loops of frames whose");
    sgs_log_line(log, "end is known, and");
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "%s.", b.p);
    sgs_buf_free(&b);
}

sgs_status sgs_show_operators(const sgs_log *log)
{
    sgs_log_line(log, "# Operators of ONNX");
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "Made by `sgs info --operators`.  `sgs check MODEL` says it of a model's own nodes.");
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "- *folded*: computed when the model is read, from constants and shapes; so is every other operator on constants.");
    sgs_log_line(log, "- Tensors have static shapes of up to 8 dimensions.  float16, uint16 and uint32 are computed in wider types.");
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "*opset*: the lowest whose form of the operator is understood; newer ones are.");
    sgs_log_line(log, "%s", "");
    sgs_log_line(log, "| operator | opset | float | fixed | limits |");
    sgs_log_line(log, "|---|--:|---|---|---|");
    for (const sgs_limit *l = sgs_limits; l->op; l++)
        sgs_log_line(log, "| %s | %d | %s | %s | %s |", l->op, since(l->op), in_float[l->reach], in_fixed[l->reach], l->limits ? l->limits : "");
    show_caffe(log);
    show_tflite(log);
    show_tensorflow(log);
    return SGS_OK;
}

sgs_status sgs_check_soc_version(const char *soc_version, sgs_diag *d)
{
    const sgs_target *target;
    return sgs_target_find(soc_version, &target, d);
}
