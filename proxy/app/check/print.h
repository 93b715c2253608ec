/* What --check has to say, on stdout: before the request, and after it. */
#ifndef CG_APP_CHECK_PRINT_H
#define CG_APP_CHECK_PRINT_H

#include "app/check/findings.h"

void cg_print_mapping(const struct cg_findings *findings);
void cg_print_outlet(const struct cg_findings *findings, const struct cg_outlet *outlet);
void cg_print_findings(const struct cg_findings *findings);

#endif
