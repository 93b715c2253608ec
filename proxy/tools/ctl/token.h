/* The token that castgatectl shows. Never an argument: arguments are everybody's to read. */
#ifndef CG_TOOLS_CTL_TOKEN_H
#define CG_TOOLS_CTL_TOKEN_H

#include "settings/secret.h"
#include "tools/ctl/options.h"

/* One line, NUL behind it. Empty where nobody has said where it is, none of the usual places has one, and there is a
 * client certificate. CG_E_BAD_REQUEST with a sentence. */
int cg_ctl_token_read(struct cg_secret_text *token, const struct cg_ctl_options *options,
                      char error[CG_CTL_ERROR_MAX]) CG_MUST_CHECK;

#endif
