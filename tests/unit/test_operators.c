/* test_operators SOURCES: walks the operator table and the list of kernels and names what an operator lacks. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "ops/op.h"
#include "ops/tflite.h"
#include "runtime/kernels.h"

static const char *root;
static int missing;

static void lacks(const char *what, const char *name, const char *part)
{
    fprintf(stderr, "%s %s lacks %s\n", what, name, part);
    missing++;
}

static bool has_file(const char *folder, const char *stem)
{
    char path[1024];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s/%s.c", root, folder, stem);
    return stat(path, &st) == 0;
}

/* All of tests/sim/ir, whose files are read back and compared with LiteRT. */
static sgs_buf read_texts(void)
{
    sgs_buf all = { 0 };
    sgs_file f;
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/sim/ir", root);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".ir"))
            continue;
        snprintf(path, sizeof path, "%s/tests/sim/ir/%s", root, e->d_name);
        if (sgs_file_open(&f, path, NULL) == SGS_OK) {
            sgs_buf_add(&all, f.data.p, f.data.n);
            sgs_file_close(&f);
        }
    }
    if (dir)
        closedir(dir);
    return all;
}

static bool is_tried(const char *texts, const char *name)
{
    char use[128];
    snprintf(use, sizeof use, " = %s ", name);
    return strstr(texts, use) != NULL;
}

static void check_op(const sgs_op *op, const char *texts)
{
    const char *kernel = op->kernel ? op->kernel : op->family;
    if (sgs_op_find(op->name) != op)
        lacks("op", op->name, "a name of its own");
    if (!op->infer)
        lacks("op", op->name, "infer");
    if (!op->eval && !(op->lower && op->qrule == SGS_Q_NONE)) /* the quantizer's own ops are never float */
        lacks("op", op->name, "eval");
    if ((op->attr_bytes > 0) != (op->attr != NULL))
        lacks("op", op->name, "attributes of the size it gives");
    if (!has_file("src/ops", op->family))
        lacks("op", op->name, "its family's file in src/ops");
    if (!kernel[0])
        return;
    if (!has_file("runtime/kernels", kernel))
        lacks("op", op->name, "its kernel's file in runtime/kernels");
    if (op->eval && op->qrule == SGS_Q_NONE)
        lacks("op", op->name, "a rule of quantization");
    if (!op->lower)
        lacks("op", op->name, "lower");
    if (!is_tried(texts, op->name))
        lacks("op", op->name, "a line in tests/sim/ir");
}

static void check_families(const char *texts)
{
    for (const sgs_family *const *f = sgs_families; *f; f++) {
        if (!(*f)->ops)
            continue;
        for (const sgs_op *const *op = (*f)->ops; *op; op++) {
            if (strcmp((*op)->family, (*f)->name))
                lacks("op", (*op)->name, "the name of the family that lists it");
            check_op(*op, texts);
        }
    }
}

static void check_kernels(void)
{
    static const struct {
        const char *kind, *family;
    } list[IPU_KIND_COUNT] = {
#define X(kind, family, kernel) [kind] = { #kind, #family },
        IPU_KINDS(X)
#undef X
    };
    for (int k = 0; k < IPU_KIND_COUNT; k++) {
        if (!ipu_kernels_c.row[k].run || !ipu_kernels_c.row[k].check)
            lacks("kind", list[k].kind, "a C kernel and its check");
        if (!has_file("runtime/kernels", list[k].family))
            lacks("kind", list[k].kind, "its family's file in runtime/kernels");
    }
}

static const sgs_from *rows_of(const sgs_family *f, bool caffe)
{
    return caffe ? f->caffe : f->onnx;
}

static bool has_importer(const char *op, bool caffe)
{
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *r = rows_of(*f, caffe); r && r->op; r++)
            if (!strcmp(r->op, op))
                return true;
    return false;
}

static bool has_limit(const char *op, const sgs_limit *limits)
{
    for (const sgs_limit *l = limits; l->op; l++)
        if (!strcmp(l->op, op))
            return true;
    return false;
}

static void check_limits(const sgs_limit *limits, bool caffe)
{
    for (const sgs_limit *l = limits; l->op; l++) {
        if (!has_importer(l->op, caffe))
            lacks("limit", l->op, "an importer");
        if (l > limits && strcmp(l[-1].op, l->op) >= 0)
            lacks("limit", l->op, "its place in the order");
    }
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *r = rows_of(*f, caffe); r && r->op; r++)
            if (!has_limit(r->op, limits))
                lacks(caffe ? "layer of Caffe" : "operator of ONNX", r->op, "a line in src/ops/limits.c");
}

static bool is_read_from_tflite(const char *op)
{
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *r = (*f)->tflite; r && r->op; r++)
            if (!strcmp(r->op, op))
                return true;
    return false;
}

/* One importer for each operator, a number in the schema, limits of what is read. */
static void check_tflite(void)
{
    for (const sgs_limit *l = sgs_tfl_limits; l->op; l++)
        if (!is_read_from_tflite(l->op))
            lacks("limit", l->op, "an importer");
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *r = (*f)->tflite; r && r->op; r++) {
            int rows = 0;
            for (const sgs_family *const *g = sgs_families; *g; g++)
                for (const sgs_from *s = (*g)->tflite; s && s->op; s++)
                    rows += !strcmp(s->op, r->op);
            if (rows != 1)
                lacks("operator of TFLite", r->op, "an importer alone");
            if (strncmp(r->op, "custom:", 7) && !sgs_tfl_by_name(r->op))
                lacks("operator of TFLite", r->op, "its number in src/ops/tflite.c");
        }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    root = argv[1];
    sgs_buf texts = read_texts();
    check_families(texts.p ? texts.p : "");
    check_kernels();
    check_limits(sgs_limits, false);
    check_limits(sgs_caffe_limits, true);
    check_tflite();
    sgs_buf_free(&texts);
    return missing != 0;
}
