/* input_config.ini: what each text is read as, or the exact complaint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

#define ONE "[INPUT_CONFIG]\ninputs=data;\ninput_formats=BGR;\nmean=0;\nstd_value=1;\n"
#define RAW "[INPUT_CONFIG]\ninputs=x\ninput_formats=RAWDATA_S16_NHWC\n"
#define OUT "[OUTPUT_CONFIG]\noutputs=prob;\n"
#define TWO "[INPUT_CONFIG]\ninputs=a,b\n"

#define BEHIND "  entries are separated with ','; a comment behind ';' begins with '#'\n"

#define DATA_SET(tr, fm, mn, sd)                                                                                       \
    "[INPUT_CONFIG]\ninputs='\"data\"';\ntraining_input_formats=" tr ";\ninput_formats=" fm ";\nquantizations=TRUE;\n" \
    "mean=" mn ";\nstd_value=" sd ";\ninput_width_alignment=1;\ninput_height_alignment=1;\ninput_layouts=NHWC;\n"
#define PROB                                                                                                           \
    "[OUTPUT_CONFIG]\noutputs='\"prob\"';\ndequantizations=TRUE;\noutput_formats=RAWDATA_F32_NHWC;\noutput_layouts="   \
    "NHWC;\n"

static const struct good {
    const char *what, *text, *canonical;
} good[] = {
    { "the manual's example",
      "[INPUT_CONFIG]\ninputs= data; # Input node name\ntraining_input_formats=RGB; # "
      "x\ninput_formats=BGR;\nquantizations=TRUE;\n"
      "mean=127.5:127.5:127.5; # Mean value\nstd_value = 255; # s\n[OUTPUT_CONFIG]\noutputs= prob; # "
      "o\ndequantizations=TRUE;\n"
      "[CONV_CONFIG] # optional\ntensor_arrays=conv1-1,conv2-1; # t\n",
      DATA_SET("RGB", "BGR", "127.5:127.5:127.5", "255") PROB
      "[CONV_CONFIG]\ntensor_arrays=\"conv1-1\",\"conv2-1\";\n" },
    { "no semicolons, blanks, lower case, BOM, CRLF, no last newline",
      "\xef\xbb\xbf[input_config]\r\n  Inputs = data  \r\n input_formats = bgr\r\n\r\nquantizations = true\r\nmean = "
      "1\r\nstd_value=2.5e0\r\n"
      "[ OUTPUT_CONFIG ]\r\noutputs=prob",
      DATA_SET("BGR", "BGR", "1", "2.5") PROB },
    { "comments of both kinds, on lines of their own and behind values",
      "; first\n# second\n" ONE "; mean = 3\n" OUT "\n[CONV_CONFIG]\ntensor_arrays=;\n",
      DATA_SET("BGR", "BGR", "0", "1") PROB },
    { "a remark behind a semicolon",
      "[INPUT_CONFIG]\ninputs=data; the only one\ninput_formats=BGR\nmean=0 # none\nstd_value=1\n" OUT,
      DATA_SET("BGR", "BGR", "0", "1") PROB },
    { "blanks from web pages, comments of every kind, sections in pieces",
      "\xe3\x80\x80[INPUT_CONFIG]\ninputs=\xc2\xa0"
      "data\xe3\x80\x80;//here\ninput_formats=BGR;;# x\nmean=0; 0 means none\n"
      "[OUTPUT_CONFIG]\noutputs=prob;\xe8\xbe\x93\xe5\x87\xba\n[INPUT_CONFIG]\nstd_value=1;not divided by anything\n"
      "[CONV_CONFIG]\n",
      DATA_SET("BGR", "BGR", "0", "1") PROB },
    { "everything flattened into one line",
      "[INPUT_CONFIG] inputs=data; input_formats=BGR; mean=0; std_value=1; [OUTPUT_CONFIG] outputs=prob; # end",
      DATA_SET("BGR", "BGR", "0", "1") PROB },
    { "quotes round every list",
      TWO "input_formats='RGB,BGR'\nmean=\"1:2:3,4\"\nstd_value='5','6:7:8'\n[OUTPUT_CONFIG]\noutputs='p'\n"
          "dequantizations=\"true\"\n",
      "[INPUT_CONFIG]\ninputs=\"a\",\"b\";\ntraining_input_formats=RGB,BGR;\ninput_formats=RGB,BGR;\nquantizations="
      "TRUE,TRUE;\n"
      "mean=1:2:3,4;\nstd_value=5,6:7:8;\ninput_width_alignment=1,1;\ninput_height_alignment=1,1;\ninput_layouts=NHWC,"
      "NHWC;\n"
      "[OUTPUT_CONFIG]\noutputs='\"p\"';\ndequantizations=TRUE;\noutput_formats=RAWDATA_F32_NHWC;\noutput_layouts=NHWC;"
      "\n" },
    { "quotes round a name", "[INPUT_CONFIG]\ninputs=\"data\"\ninput_formats='BGR'\nmean=\"0\"\nstd_value=1\n" OUT,
      DATA_SET("BGR", "BGR", "0", "1") PROB },
    { "mean_red, mean_green, mean_blue",
      "[INPUT_CONFIG]\ninputs=data\ninput_formats=BGR\nmean_red=1\nmean_green=2\nmean_blue=3\nstd_value=4:5 : 6\n" OUT,
      DATA_SET("BGR", "BGR", "1:2:3", "4:5:6") PROB },
    { "mean_blue may stand first",
      "[INPUT_CONFIG]\ninputs=data\ninput_formats=GRAY\nmean_blue=2\nmean_green=2\nmean_red=2\nstd_value=1\n" OUT,
      DATA_SET("GRAY", "GRAY", "2", "1") PROB },
    { "RGBA without a training format",
      "[INPUT_CONFIG]\ninputs=data\ninput_formats=RGBA\nmean=0\nstd_value=1\ninput_layouts=NHWC\n" OUT,
      DATA_SET("RGB", "RGBA", "0", "1") PROB },
    { "NV12 aligns to 2",
      "[INPUT_CONFIG]\ninputs=x\ntraining_input_formats=RGB\ninput_formats=YUV_NV12\nmean=0\nstd_value=1\ninput_height_"
      "alignment=16\n" OUT,
      "[INPUT_CONFIG]\ninputs='\"x\"';\ntraining_input_formats=RGB;\ninput_formats=YUV_NV12;\nquantizations=TRUE;"
      "\nmean=0;\nstd_value=1;\n"
      "input_width_alignment=2;\ninput_height_alignment=16;\ninput_layouts=NHWC;\n" PROB },
    { "quotes round the whole list; raw data last, with no mean of its own",
      TWO
      "input_formats=RGB,RAWDATA_U8_NHWC\nquantizations=TRUE,FALSE\nmean=1\nstd_value=2\ninput_layouts=NCHW,NHWC\n"
      "[OUTPUT_CONFIG]\noutputs=\"p, "
      "q\"\ndequantizations=TRUE,FALSE\noutput_formats=RAWDATA_S16_NHWC,RAWDATA_U8_NHWC\noutput_layouts=NHWC,NCHW\n",
      "[INPUT_CONFIG]\ninputs=\"a\",\"b\";\ntraining_input_formats=RGB,RAWDATA_U8_NHWC;\ninput_formats=RGB,RAWDATA_U8_"
      "NHWC;\nquantizations=TRUE,FALSE;\n"
      "mean=1;\nstd_value=2;\ninput_width_alignment=1,1;\ninput_height_alignment=1,1;\ninput_layouts=NCHW,NHWC;\n"
      "[OUTPUT_CONFIG]\noutputs=\"p\",\"q\";\ndequantizations=TRUE,FALSE;\noutput_formats=RAWDATA_S16_NHWC,RAWDATA_U8_"
      "NHWC;\noutput_layouts=NHWC,NCHW;\n" },
    { "quotes protect ; , # and quotes",
      "[INPUT_CONFIG]\ninputs=\"a;b,c#\"\"d\"\ninput_formats=RAWDATA_F32_NHWC\n[OUTPUT_CONFIG]\noutputs='it''s','p,q'"
      "\ndequantizations=TRUE,TRUE\n"
      "[CONV_CONFIG]\ninput_format=ALL_INT16\ntensor_arrays='\"m,n\"'",
      "[INPUT_CONFIG]\ninputs='\"a;b,c#\"\"d\"';\ntraining_input_formats=RAWDATA_F32_NHWC;\ninput_formats=RAWDATA_F32_"
      "NHWC;\nquantizations=TRUE;\n"
      "input_width_alignment=1;\ninput_height_alignment=1;\ninput_layouts=NHWC;\n"
      "[OUTPUT_CONFIG]\noutputs=\"it's\",\"p,q\";\ndequantizations=TRUE,TRUE;\noutput_formats=RAWDATA_F32_NHWC,RAWDATA_"
      "F32_NHWC;\noutput_layouts=NHWC,NHWC;\n"
      "[CONV_CONFIG]\ninput_format=ALL_INT16;\ntensor_arrays='\"m,n\"';\n" },
    { "FALSE leaves S16", RAW "[OUTPUT_CONFIG]\noutputs=p\ndequantizations=FALSE\n",
      "[INPUT_CONFIG]\ninputs='\"x\"';\ntraining_input_formats=RAWDATA_S16_NHWC;\ninput_formats=RAWDATA_S16_NHWC;"
      "\nquantizations=TRUE;\n"
      "input_width_alignment=1;\ninput_height_alignment=1;\ninput_layouts=NHWC;\n"
      "[OUTPUT_CONFIG]\noutputs='\"p\"';\ndequantizations=FALSE;\noutput_formats=RAWDATA_S16_NHWC;\noutput_layouts="
      "NHWC;\n" },
};

static const struct wrong {
    const char *text, *message;
} wrong[] = {
    /* lines */
    { "inputs=a\n", "i.ini:1: expected a section ([INPUT_CONFIG]) before the key 'inputs'\n" },
    { "[INPUT_CONFIG\n", "i.ini:1: expected ']' after the section's name\n" },
    { "\n[INPUTS_CONFIG]\n", "i.ini:2: expected one of the sections [INPUT_CONFIG], [OUTPUT_CONFIG], [CONV_CONFIG], "
                             "found [INPUTS_CONFIG]\n  did you mean [INPUT_CONFIG]?\n" },
    { "[INPUT_CONFIG]\ninputs data\n", "i.ini:2: expected KEY = VALUE or [SECTION], found 'inputs data'\n" },
    { "[INPUT_CONFIG]\ninput=data\n",
      "i.ini:2: unknown key 'input' in [INPUT_CONFIG]; known: inputs, training_input_formats, input_formats, "
      "quantizations, mean, mean_red, mean_green, "
      "mean_blue, std_value, input_width_alignment, input_height_alignment, input_layouts\n  did you mean "
      "'inputs'?\n" },
    { "[OUTPUT_CONFIG]\nmean=0\n", "i.ini:2: unknown key 'mean' in [OUTPUT_CONFIG]; known: outputs, dequantizations, "
                                   "output_formats, output_layouts\n  'mean' belongs to [INPUT_CONFIG]\n" },
    { ONE "mean=1\n", "i.ini:6: 'mean' is set twice; the first time on line 4\n" },
    { "[INPUT_CONFIG]\ninputs=\"a\n", "i.ini:2: a quote (\") is opened but not closed on this line\n" },
    { "[INPUT_CONFIG]\ninputs=\"a\" b\n",
      "i.ini:2: expected ',' or the end of the value after the quoted entry 'a', found 'b'\n" },
    { "\xff\xfe[\0", "i.ini:1: the file is UTF-16; save it as UTF-8\n" },
    { "[INPUT_CONFIG]\ninputs=a\xef\xbc\x8c"
      "b\n",
      "i.ini:2: expected a plain ',', found the full-width '\xef\xbc\x8c' in 'a\xef\xbc\x8c"
      "b'\n" },
    { "[INPUT_CONFIG]\ninputs\xef\xbc\x9d"
      "a\n",
      "i.ini:2: expected a plain '=', found the full-width '\xef\xbc\x9d' in 'inputs\xef\xbc\x9d"
      "a'\n" },
    { "[INPUT_CONFIG]\ninputs=a;b\n",
      "i.ini:2: expected the end of the line or a comment behind ';', found 'b'\n" BEHIND },
    { "[INPUT_CONFIG]\ninputs=a;\ninput_formats=RGB\nmean=123.5;116; 103;\n",
      "i.ini:4: expected the end of the line or a comment behind ';', found '116'\n" BEHIND },
    { "[INPUT_CONFIG]\ninputs=a;\ninput_formats=RGB\nmean=0; -1:2.5e1\n",
      "i.ini:4: expected the end of the line or a comment behind ';', found '-1:2.5e1'\n" BEHIND },
    /* names */
    { "", "i.ini: inputs: expected the names of the model's inputs, found no such key\n  add inputs = ...; to "
          "[INPUT_CONFIG]\n" },
    { "[INPUT_CONFIG]\ninputs=;\n", "i.ini:2: inputs: expected the names of the model's inputs, found nothing behind "
                                    "'='\n  add inputs = ...; to [INPUT_CONFIG]\n" },
    { "[INPUT_CONFIG]\ninputs=a,,b\n", "i.ini:2: inputs: expected a name, found nothing as entry 2 of 3\n" },
    { "[INPUT_CONFIG]\ninputs=a,a\n", "i.ini:2: inputs: expected different names, found 'a' twice\n" },
    { ONE, "i.ini: outputs: expected the names of the model's outputs, found no such key\n  add outputs = ...; to "
           "[OUTPUT_CONFIG]\n" },
    /* formats */
    { "[INPUT_CONFIG]\ninputs=a\n", "i.ini:1: input_formats: expected the formats of the inputs on the board, found no "
                                    "such key\n  add input_formats = ...; to [INPUT_CONFIG]\n" },
    { TWO "input_formats=RGB\n",
      "i.ini:3: input_formats: expected 2 entries, one for each input ('a', 'b'), found 1\n" },
    { TWO "input_formats=RGB,RBG\n", "i.ini:3: input_formats: expected one of RGB, BGR, GRAY, RGBA, BGRA, YUV_NV12, "
                                     "RAWDATA_U8_NHWC, RAWDATA_S16_NHWC, RAWDATA_F32_NHWC, "
                                     "RAWDATA_U16_NHWC, found 'RBG' as entry 2\n  did you mean RGB?\n" },
    { TWO "training_input_formats=RGB,RGBA\n",
      "i.ini:3: training_input_formats: expected one of RGB, BGR, GRAY, RAWDATA_U8_NHWC, RAWDATA_S16_NHWC, "
      "RAWDATA_F32_NHWC, RAWDATA_U16_NHWC, found 'RGBA' as "
      "entry 2\n  did you mean RGB?\n" },
    { "[INPUT_CONFIG]\ninputs=a\ntraining_input_formats=GRAY\ninput_formats=RGB\n",
      "i.ini:4: input_formats: expected one of GRAY, YUV_NV12, found 'RGB'\n"
      "  'a' has training_input_formats=GRAY\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=YUV_NV12\n",
      "i.ini:3: input_formats: YUV_NV12 for 'a' needs training_input_formats, found no such key\n  add "
      "training_input_formats = RGB, BGR or GRAY, one for each input\n" },
    { TWO "input_formats=RAWDATA_F32_NHWC,RGB\n",
      "i.ini:3: input_formats: expected RAWDATA inputs at the end, found 'a' (RAWDATA_F32_NHWC) before 'b' (RGB)\n"
      "  reorder inputs and every list that goes with it; the model's own order does not matter\n" },
    { "[INPUT_CONFIG]\ninputs=a\ntraining_input_formats=RAWDATA_F32_NHWC\ninput_formats=RGB\n",
      "i.ini:4: input_formats: expected one of RAWDATA_F32_NHWC, found 'RGB'\n"
      "  'a' has training_input_formats=RAWDATA_F32_NHWC\n" },
    { "[INPUT_CONFIG]\ninputs=a\ntraining_input_formats=RGB\ninput_formats=GRAY\n",
      "i.ini:4: input_formats: expected one of RGB, BGR, RGBA, BGRA, YUV_NV12, found 'GRAY'\n"
      "  'a' has training_input_formats=RGB\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=NV12\n",
      "i.ini:3: input_formats: expected one of RGB, BGR, GRAY, RGBA, BGRA, YUV_NV12, RAWDATA_U8_NHWC, "
      "RAWDATA_S16_NHWC, "
      "RAWDATA_F32_NHWC, RAWDATA_U16_NHWC, found 'NV12'\n  did you mean YUV_NV12?\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=;\n",
      "i.ini:3: input_formats: expected the formats of the inputs on the "
      "board, found nothing behind '='\n  add input_formats = ...; to "
      "[INPUT_CONFIG]\n" },
    /* quantizations */
    { TWO "input_formats=RGB,RGB\nquantizations=TRUE\n",
      "i.ini:4: quantizations: expected 2 entries, one for each input ('a', 'b'), found 1\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RAWDATA_F32_NHWC\nquantizations=FALSE\n",
      "i.ini:4: quantizations: expected TRUE for 'a', found FALSE: RAWDATA_F32_NHWC is always quantized; only "
      "RAWDATA_U8, "
      "S16 and U16 go in as they are\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nquantizations=YES\n",
      "i.ini:4: quantizations: expected one of FALSE, TRUE, found 'YES'\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nquantizations=FALSE\n",
      "i.ini:4: quantizations: expected TRUE for 'a', found FALSE: RGB is always quantized; only RAWDATA_U8, S16 and "
      "U16 go in as they are\n" },
    /* mean and std_value */
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=\n",
      "i.ini:4: mean: expected 1 entry, as 'a' is an image (RGB), found nothing behind '='\n  write mean = 0 where the "
      "training did not normalize\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=0\n",
      "i.ini:1: std_value: expected 1 entry, as 'a' is an image (RGB), found no such key\n  write std_value = 1 where "
      "the "
      "training did not normalize\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=nan\n", "i.ini:4: mean: expected a number, found 'nan'\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=GRAY\nmean_red=1\nmean_green=2\nmean_blue=1\n",
      "i.ini:5: mean_green: expected one mean for the GRAY input 'a', found different ones\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=0\nstd_value=1:-2:1\n",
      "i.ini:5: std_value: expected numbers above 0, found '1:-2:1'\n  the picture is divided by std_value: write 1 "
      "where "
      "the training did not normalize\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=GRAY\nmean=0\nstd_value=1:1:1\n",
      "i.ini:5: std_value: expected one number for a GRAY input, found '1:1:1'\n" },
    { RAW "std_value=1\n", "i.ini:4: std_value: expected no such key, as all inputs are RAWDATA, found 1 entry\n" },
    { TWO "input_formats=RGB,BGR\nmean=1,0\nstd_value=1\n",
      "i.ini:5: std_value: expected 2 entries, one for each input that is not RAWDATA (of 'a', 'b'), found 1\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nstd_value=1\n",
      "i.ini:1: mean: expected 1 entry, as 'a' is an image (RGB), found no such key\n  write mean = 0 where the "
      "training "
      "did not normalize\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=1:2\n",
      "i.ini:4: mean: expected one number or three (R:G:B), found '1:2'\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=1:2:3:4\n",
      "i.ini:4: mean: expected one number or three (R:G:B), found '1:2:3:4'\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=1,2,3\n",
      "i.ini:4: mean: expected 1 entry, one for each input that is not RAWDATA (of 'a'), found 3\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=1:x:3\n", "i.ini:4: mean: expected a number, found 'x'\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=1e99\n", "i.ini:4: mean: expected a number, found '1e99'\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=GRAY\nmean=1:2:3\n",
      "i.ini:4: mean: expected one number for a GRAY input, found '1:2:3'\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=1\nmean_red=1\n",
      "i.ini:5: mean_red: expected either mean or mean_red, mean_green and mean_blue, found both\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean_red=1\nmean_green=1\nstd_value=1\n",
      "i.ini:1: mean_blue: expected all of mean_red, mean_green and mean_blue, found no such key\n  add mean_blue = "
      "...; "
      "to [INPUT_CONFIG]\n" },
    { "[INPUT_CONFIG]\ninputs=a\ninput_formats=RGB\nmean=0\nstd_value=0\n",
      "i.ini:5: std_value: expected numbers above 0, found '0'\n  the picture is divided by std_value: write 1 where "
      "the training did not normalize\n" },
    { RAW "mean=0\n", "i.ini:4: mean: expected no such key, as all inputs are RAWDATA, found 1 entry\n" },
    { TWO "input_formats=RGB,RAWDATA_F32_NHWC\nmean=1,0\n",
      "i.ini:4: mean: expected 1 entry, one for each input that is not RAWDATA (of 'a', 'b'), found 2\n" },
    /* alignments and layouts */
    { ONE "input_width_alignment=16,16\n",
      "i.ini:6: input_width_alignment: expected 1 entry, one for each input ('data'), found 2\n" },
    { ONE "input_width_alignment=1.5\n",
      "i.ini:6: input_width_alignment: expected a whole number from 1 to 65536 for 'data', found '1.5'\n" },
    { ONE "input_layouts=NHWC,NHWC\n",
      "i.ini:6: input_layouts: expected 1 entry, one for each input ('data'), found 2\n" },
    { ONE "input_width_alignment=0\n",
      "i.ini:6: input_width_alignment: expected a whole number from 1 to 65536 for 'data', found '0'\n" },
    { RAW "input_height_alignment=16\n",
      "i.ini:4: input_height_alignment: expected 1 for the RAWDATA input 'x', found 16\n" },
    { "[INPUT_CONFIG]\ninputs=x\ntraining_input_formats=RGB\ninput_formats=YUV_NV12\nmean=0\nstd_value=1\ninput_width_"
      "alignment=3\n",
      "i.ini:7: input_width_alignment: expected an even number for the YUV_NV12 input 'x', found 3\n" },
    { ONE "input_layouts=NCWH\n",
      "i.ini:6: input_layouts: expected one of NHWC, NCHW, found 'NCWH'\n  did you mean NCHW?\n" },
    { "[INPUT_CONFIG]\ninputs=x\ninput_formats=BGRA\nmean=0\nstd_value=1\ninput_layouts=NCHW\n",
      "i.ini:6: input_layouts: expected NHWC for the BGRA input 'x', found NCHW\n" },
    /* outputs */
    { RAW "[OUTPUT_CONFIG]\noutputs=a,b,a\n", "i.ini:5: outputs: expected different names, found 'a' twice\n" },
    { RAW "[OUTPUT_CONFIG]\n",
      "i.ini:4: outputs: expected the names of the model's outputs, found no such key\n  add outputs "
      "= ...; to [OUTPUT_CONFIG]\n" },
    { RAW OUT "output_formats=RAWDATA_F32_NHWC,RAWDATA_F32_NHWC\n",
      "i.ini:6: output_formats: expected 1 entry, one for each output ('prob'), found 2\n" },
    { RAW OUT "output_layouts=NHWC,NHWC\n",
      "i.ini:6: output_layouts: expected 1 entry, one for each output ('prob'), found 2\n" },
    { RAW OUT "output_layouts=NHCW\n",
      "i.ini:6: output_layouts: expected one of NHWC, NCHW, found 'NHCW'\n  did you mean NHWC?\n" },
    { RAW OUT "dequantizations=maybe\n", "i.ini:6: dequantizations: expected one of FALSE, TRUE, found 'maybe'\n" },
    { RAW OUT "dequantizations=TRUE,TRUE\n",
      "i.ini:6: dequantizations: expected 1 entry, one for each output ('prob'), found 2\n" },
    { RAW OUT "dequantizations=FALSE\noutput_formats=RAWDATA_F32_NHWC\n",
      "i.ini:7: output_formats: expected dequantizations=TRUE for 'prob' with RAWDATA_F32_NHWC, found FALSE\n" },
    { RAW OUT "output_formats=RGB\n",
      "i.ini:6: output_formats: expected one of RAWDATA_U8_NHWC, RAWDATA_S16_NHWC, RAWDATA_F32_NHWC, found 'RGB'\n" },
    /* conv */
    { RAW OUT "[CONV_CONFIG]\ninput_format=INT16\n",
      "i.ini:7: input_format: expected one of ALL_UINT8, ALL_INT16, CONV2D_INT16, DEPTHWISE_INT16, found 'INT16'\n"
      "  did you mean ALL_INT16?\n" },
    { RAW OUT "[CONV_CONFIG]\ninput_format=ALL_INT16,ALL_UINT8\n",
      "i.ini:7: input_format: expected one entry, found 2\n" },
    { RAW OUT "[CONV_CONFIG]\ntensor_arrays=a,,b\n",
      "i.ini:7: tensor_arrays: expected a name, found nothing as entry 2 of 3\n" },
    { RAW OUT "[CONV_CONFIG]\ninput_formats=ALL_INT16\n",
      "i.ini:7: unknown key 'input_formats' in [CONV_CONFIG]; known: input_format, tensor_arrays\n  'input_formats' "
      "belongs to [INPUT_CONFIG]\n" },
};

static sgs_status parse(sgs_config **c, const char *text, size_t n, sgs_diag *d)
{
    return sgs_config_parse(c, "i.ini", (sgs_span){ (const uint8_t *)text, n }, d);
}

static void test_good(void **state)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        sgs_diag d = { 0 };
        sgs_config *c = NULL, *again = NULL;
        sgs_buf once = { 0 }, twice = { 0 };
        if (parse(&c, good[i].text, strlen(good[i].text), &d) != SGS_OK)
            fail_msg("%s: %d: %s", good[i].what, d.line, d.text);
        sgs_config_print(c, &once);
        if (strcmp(once.p, good[i].canonical))
            fail_msg("%s: read as\n%s\ninstead of\n%s", good[i].what, once.p, good[i].canonical);
        if (parse(&again, once.p, once.n, &d) != SGS_OK)
            fail_msg("%s, printed and read: %d: %s", good[i].what, d.line, d.text);
        sgs_config_print(again, &twice);
        assert_string_equal(once.p, twice.p);
        sgs_buf_free(&once);
        sgs_buf_free(&twice);
        sgs_config_free(c);
        sgs_config_free(again);
    }
}

static void test_wrong(void **state)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sgs_diag d = { 0 };
        sgs_config *c = NULL;
        char found[4096];
        if (parse(&c, wrong[i].text, strlen(wrong[i].text), &d) == SGS_OK)
            fail_msg("read without complaint:\n%s\nexpected: %s", wrong[i].text, wrong[i].message);
        assert_int_equal(d.code, SGS_E_CONFIG);
        assert_null(c);
        sgs_diag_format(&d, found, sizeof found);
        if (strcmp(found + strlen("error: "), wrong[i].message))
            fail_msg("%s\ngave:     %s\nexpected: %s", wrong[i].text, found, wrong[i].message);
    }
}

static void test_binary(void **state)
{
    sgs_diag d = { 0 };
    sgs_config *c = NULL;
    assert_int_equal(parse(&c, "[INPUT_CONFIG]\n\0\n", 17, &d), SGS_E_CONFIG);
    assert_string_equal(d.text, "expected a text file, found a zero byte");
    assert_int_equal(d.line, 2);
}

static void test_large(void **state)
{
    sgs_diag d = { 0 };
    sgs_config *c = NULL;
    char *text = malloc((1 << 20) + 1), many[64 + 2 * 4097];
    memset(text, '\n', (1 << 20) + 1);
    assert_int_equal(parse(&c, text, (1 << 20) + 1, &d), SGS_E_CONFIG);
    assert_string_equal(d.text, "expected a text file of at most 1048576 bytes, found 1048577");
    free(text);
    int n = snprintf(many, sizeof many, "[INPUT_CONFIG]\ninputs=");
    for (int i = 0; i < 4097; i++)
        n += snprintf(many + n, sizeof many - (size_t)n, "%sa", i ? "," : "");
    assert_int_equal(parse(&c, many, (size_t)n, &d), SGS_E_CONFIG);
    assert_string_equal(d.text, "expected at most 4096 entries in a list");
    n = snprintf(many, sizeof many, "[INPUT_CONFIG]\ninputs=");
    for (int i = 0; i < 65; i++)
        n += snprintf(many + n, sizeof many - (size_t)n, "%sa%d", i ? "," : "", i);
    assert_int_equal(parse(&c, many, (size_t)n, &d), SGS_E_CONFIG);
    assert_string_equal(d.text, "inputs: expected at most 64 names, found 65");
}

/* 2048 characters of names pass, quotes and blanks not counted; 2049 do not. */
static void test_long_names(void **state)
{
    for (int more = 0; more < 2; more++) {
        char text[4096], name[2049];
        sgs_diag d = { 0 };
        sgs_config *c = NULL;
        memset(name, 'n', sizeof name);
        name[2046 + more] = 0;
        const int n = snprintf(
            text, sizeof text,
            "[INPUT_CONFIG]\ninputs= \"%s\" , b ;\ninput_formats=RAWDATA_F32_NHWC,RAWDATA_F32_NHWC\n" OUT, name);
        assert_int_equal(parse(&c, text, (size_t)n, &d), more ? SGS_E_CONFIG : SGS_OK);
        if (more)
            assert_string_equal(d.text, "inputs: expected at most 2048 characters of names, found 2049");
        sgs_config_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_wrong),
                                        cmocka_unit_test(test_binary), cmocka_unit_test(test_large),
                                        cmocka_unit_test(test_long_names) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
