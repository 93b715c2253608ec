/* Gives every mapping of a snapshot the protector that its "security" names. */
#ifndef CG_IO_PROTECTORS_H
#define CG_IO_PROTECTORS_H

#include "core/config.h"

/* Before the gateway takes the snapshot in. */
void cg_protectors_attach(struct cg_config *config);

#endif
