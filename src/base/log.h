/* Lines and progress for the program that called a stage; log and its members may be NULL. */
#ifndef SGS_LOG_H
#define SGS_LOG_H

#include "base/base.h"

void sgs_log_line(const sgs_log *log, const char *fmt, ...) SGS_PRINTF(2, 3);
void sgs_log_warning(const sgs_log *log, const char *fmt, ...) SGS_PRINTF(2, 3);
void sgs_log_progress(const sgs_log *log, const char *what, int64_t done, int64_t total);
/* The end of a short phase: its bar goes, and no line is left. */
void sgs_log_progress_end(const sgs_log *log, const char *what);

#endif
