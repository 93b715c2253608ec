/* The files that castgatectl is given. */
#ifndef CG_TOOLS_CTL_DOCUMENT_H
#define CG_TOOLS_CTL_DOCUMENT_H

#include <jansson.h>

#include "base/buf.h"
#include "tools/ctl/options.h"

/* All of it; "-": standard input. CG_E_BAD_REQUEST with a sentence; fini in any case. */
int cg_ctl_file_read(struct cg_buf *text, const char *file, char error[CG_CTL_ERROR_MAX]) CG_MUST_CHECK;
/* The same as JSON, a new reference. NULL with a sentence. */
json_t *cg_ctl_document_read(const char *file, char error[CG_CTL_ERROR_MAX]);

#endif
