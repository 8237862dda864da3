/* Which framework a test's model is of, by its name; of Caffe the weights lie beside it, NAME.caffemodel, or are not
 * there. */
#ifndef TESTS_MODEL_FILE_H
#define TESTS_MODEL_FILE_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "import/model.h"

static inline sgs_status model_file(const char *path, sgs_import_options *o, sgs_diag *d)
{
    static char weights[4096];
    const char *dot = strrchr(path, '.');
    const bool caffe = dot && !strcmp(dot, ".prototxt"), lite = dot && !strcmp(dot, ".tflite"),
               graphdef = dot && !strcmp(dot, ".pb");
    if (caffe)
        snprintf(weights, sizeof weights, "%.*s.caffemodel", (int)(dot - path), path);
    o->weight_file = caffe && access(weights, R_OK) == 0 ? weights : NULL;
    return sgs_frontend_of(caffe      ? SGS_CAFFE
                           : lite     ? SGS_TFLITE
                           : graphdef ? SGS_TENSORFLOW
                                      : SGS_ONNX,
                           &o->frontend, d);
}

#endif
