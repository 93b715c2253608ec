/* A report as a line of JSON, for whoever reads `castgate --reports`. */
#ifndef CG_APP_REPORT_LINE_H
#define CG_APP_REPORT_LINE_H

#include "base/buf.h"
#include "jobs/reports.h"

/* Appends it, line end included. `age_us`: how long ago it came. */
void cg_report_line(struct cg_buf *to, const struct cg_handed *handed, uint64_t age_us);

#endif
