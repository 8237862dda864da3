/* The frameworks by the platforms of the command lines. */
#include "import/caffe.h"

sgs_status sgs_frontend_of(sgs_platform platform, const sgs_frontend **f, sgs_diag *d)
{
    static const sgs_frontend *const of[] = { [SGS_ONNX] = &sgs_frontend_onnx,
                                              [SGS_CAFFE] = &sgs_frontend_caffe,
                                              [SGS_TFLITE] = &sgs_frontend_tflite,
                                              [SGS_TENSORFLOW] = &sgs_frontend_tensorflow };
    *f = (size_t)platform < sizeof of / sizeof *of ? of[platform] : NULL;
    return *f ? SGS_OK : sgs_fail(d, SGS_E_USAGE, "expected a platform, found number %d", (int)platform);
}
