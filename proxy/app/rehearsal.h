/* What a start would refuse or leave out, found without one: for who checks settings that are good in themselves. */
#ifndef CG_APP_REHEARSAL_H
#define CG_APP_REHEARSAL_H

#include "settings/settings.h"

/* Loads the plugins, makes what comes of the keys and reads the files of TLS, as the user that it runs as may; nothing
 * is kept, bound or written. Takes the keys out of the snapshot, as a start does. CG_E_FORMAT: `mistakes` says what is
 * wrong. CG_E_NO_MEMORY. */
int cg_rehearse(struct cg_config *config, struct cg_mistakes *mistakes) CG_MUST_CHECK;

#endif
