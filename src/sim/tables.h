/* An analysis (sgs.h) as text: for people, for programs. */
#ifndef SGS_TABLES_H
#define SGS_TABLES_H

#include "base/base.h"

void sgs_analysis_show(const sgs_analysis *a, int top, const sgs_log *log);
/* Numbers that JSON does not have are null: SQNR of what is equal or was not compared. */
void sgs_analysis_json(const sgs_analysis *a, sgs_buf *out);
/* A line a layer behind one of names; empty: not compared; inf: equal. */
void sgs_analysis_tsv(const sgs_analysis *a, sgs_buf *out);

#endif
