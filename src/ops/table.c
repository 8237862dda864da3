/* Every operator family, one row each: add a family here and in meson.build. */
#include <string.h>

#include "ops/op.h"

/* Rows stand in alphabetical order. */
#define FAMILIES(X) \
    X(argmax) \
    X(arith) \
    X(attention) \
    X(batchnorm) \
    X(blocks) \
    X(caffe_arith) \
    X(caffe_move) \
    X(caffe_pool) \
    X(caffe_recur) \
    X(caffe_window) \
    X(clamp) \
    X(compare) \
    X(concat) \
    X(contrib) \
    X(control) \
    X(conv) \
    X(cumsum) \
    X(deal) \
    X(deconv) \
    X(depthwise) \
    X(detection) \
    X(detect) \
    X(dropout) \
    X(einsum) \
    X(expand) \
    X(fakequant) \
    X(fc) \
    X(flow) \
    X(gather) \
    X(gridsample) \
    X(index) \
    X(layernorm) \
    X(lite) \
    X(litemove) \
    X(literecur) \
    X(lut) \
    X(matmul) \
    X(mod) \
    X(nms) \
    X(nv12) \
    X(norm) \
    X(pad) \
    X(pool) \
    X(prelu) \
    X(qdq) \
    X(quantize) \
    X(recurrent) \
    X(reduce) \
    X(reshape) \
    X(resize) \
    X(roialign) \
    X(roipool) \
    X(round) \
    X(sequence) \
    X(shape) \
    X(slice) \
    X(softmax) \
    X(spelled) \
    X(tfrecur) \
    X(topk) \
    X(transpose) \
    X(unpool)

#define X(family) extern const sgs_family sgs_family_##family;
FAMILIES(X)
#undef X

const sgs_family *const sgs_families[] = {
#define X(family) &sgs_family_##family,
    FAMILIES(X)
#undef X
    NULL,
};

const sgs_op *sgs_op_at(int i)
{
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_op *const *op = (*f)->ops; *op; op++)
            if (i-- == 0)
                return *op;
    return NULL;
}

const sgs_op *sgs_op_find(const char *name)
{
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_op *const *op = (*f)->ops; *op; op++)
            if (!strcmp((*op)->name, name))
                return *op;
    return NULL;
}
