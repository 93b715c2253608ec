/* What --check has to say, on stdout: before the request, and after it. */
#ifndef CG_APP_CHECK_PRINT_H
#define CG_APP_CHECK_PRINT_H

#include "app/check/emissions.h"
#include "app/check/sink.h"

void cg_print_mapping(const struct cg_mapping *mapping);
void cg_print_outlet(const struct cg_findings *findings, const struct cg_outlet *outlet);
void cg_print_findings(const struct cg_findings *findings, const struct cg_check_sink *heard,
                       const struct cg_emissions *emissions);

#endif
