#include <stdio.h>

#include "base/log.h"

static void text_line(const sgs_log *log, bool warning, const char *fmt, va_list ap)
{
    char text[2048];
    if (!log || !log->line)
        return;
    vsnprintf(text, sizeof text, fmt, ap);
    sgs_make_printable(text);
    log->line(log->user, warning, text);
}

void sgs_log_line(const sgs_log *log, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    text_line(log, false, fmt, ap);
    va_end(ap);
}

void sgs_log_warning(const sgs_log *log, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    text_line(log, true, fmt, ap);
    va_end(ap);
}

void sgs_log_progress(const sgs_log *log, const char *what, int64_t done, int64_t total)
{
    if (log && log->progress)
        log->progress(log->user, what, done, total);
}

void sgs_log_progress_end(const sgs_log *log, const char *what)
{
    sgs_log_progress(log, what, 1, 1);
}
