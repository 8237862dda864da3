#!/usr/bin/env python3
import sys
sys.exit("error: torch_calibrator comes with a later version\n  calibrator.py, beside it, makes fixed-point models with --quant_level L1 to L5; CONV2D_INT16 or\n"
         "  ALL_INT16 under [CONV_CONFIG] of the ini gives them more precision")
