/* The image and its inputs, linked in. */
    .section .blob, "a"
    .balign 64
    .global image_begin, image_end, inputs_begin
image_begin:
    .incbin IMAGE
image_end:
    .balign 64
inputs_begin:
    .incbin INPUTS
