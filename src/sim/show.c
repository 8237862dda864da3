#include "sim/show.h"
#include "sim/results.h"

#define CONSOLE_NAME 200
#define CONSOLE_SCALES 4

/* real = (q - zero) * scale. */
static void show_scale(const sgs_log *log, const sgs_io_info *t)
{
    if (t->nscale == 1)
        sgs_log_line(log, "    scale: %.9g  zero point: %d", (double)t->scale[0], t->zero[0]);
    else if (t->nscale > 1 && t->nscale <= CONSOLE_SCALES)
        for (int i = 0; i < t->nscale; i++)
            sgs_log_line(log, "    channel %d: scale: %.9g  zero point: %d", i, (double)t->scale[i], t->zero[i]);
    else if (t->nscale)
        sgs_log_line(log, "    scale: one for each of %d channels", t->nscale);
}

void sgs_show_tensor(const sgs_log *log, const char *side, int index, const sgs_io_info *t)
{
    sgs_buf b = { 0 };
    for (int i = 0; i < t->rank; i++)
        sgs_buf_printf(&b, "%s%d", i ? " " : "", t->dim[i]);
    sgs_log_line(log, "  %s %d: %.*s", side, index, CONSOLE_NAME, t->name);
    sgs_log_line(log, "    dtype: %s  layouts: %s  shape: [%s]", sgs_dtype_name(t->dtype), t->layout, b.p ? b.p : "");
    if (t->training_format[0])
        sgs_log_line(log, "    training_input_formats: %s  input_formats: %s", t->training_format, t->format);
    if (t->width_align)
        sgs_log_line(log, "    input_width_alignment: %d  input_height_alignment: %d", t->width_align, t->height_align);
    show_scale(log, t);
    sgs_log_line(log, "    bytes: %zu", t->bytes);
    sgs_buf_free(&b);
}

void sgs_show_batches(const sgs_log *log, const sgs_batches *batch)
{
    sgs_buf b = { 0 };
    for (int i = 0; i < batch->count; i++)
        sgs_buf_printf(&b, "%s%d", i ? ", " : "", batch->size[i]);
    if (batch->one_buf)
        sgs_log_line(log, "  batch: %s elements, stacked in one buffer each; these are of one:", b.p);
    else if (batch->size[0] > 1)
        sgs_log_line(log, "  batch: up to %s elements, each with buffers of its own; these are of one:", b.p);
    sgs_buf_free(&b);
}
