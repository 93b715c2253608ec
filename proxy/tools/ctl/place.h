/* Where the gateway is, and whether a token may go there: without TLS it stays on this host. */
#ifndef CG_TOOLS_CTL_PLACE_H
#define CG_TOOLS_CTL_PLACE_H

#include "tools/ctl/options.h"

/* An origin alone: scheme, host, port; a final slash goes. CG_E_BAD_REQUEST with a sentence. */
struct cg_ctl_place {
    char url[512]; /* without a final slash */
    bool on_loopback;
};
int cg_ctl_place_parse(struct cg_ctl_place *place, const char *url, char error[CG_CTL_ERROR_MAX]) CG_MUST_CHECK;

#endif
