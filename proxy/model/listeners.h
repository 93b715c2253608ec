/* The gateway's own doors, so that it never asks itself. */
#ifndef CG_MODEL_LISTENERS_H
#define CG_MODEL_LISTENERS_H

#include "model/config.h"

/* Whether one of the listeners, of any front, is at this address and port; one at all addresses is at those that are
 * this host's own (`is_own`). */
bool cg_listeners_have(const struct cg_config *config, const struct cg_addr *addr, bool is_own);

#endif
