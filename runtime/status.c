#include "openipu/ipu.h"

const char *ipu_status_text(ipu_status s)
{
    switch (s) {
    case IPU_OK: return "ok";
    case IPU_E_ARG: return "null or misaligned argument";
    case IPU_E_FOREIGN: return "not an OpenIPU image";
    case IPU_E_VERSION: return "image of another format version";
    case IPU_E_FEATURE: return "image needs a feature this runtime does not have";
    case IPU_E_IMAGE: return "damaged image";
    case IPU_E_HASH: return "image content does not match its hash";
    case IPU_E_KERNEL: return "kernel table lacks a kernel this image needs";
    case IPU_E_VALUE: return "NaN or infinity in an input";
    }
    return "unknown status";
}
