/* What castgate-keys add, rekey and finish do in a folder of keys. */
#ifndef CG_TOOLS_KEYS_CHANGE_H
#define CG_TOOLS_KEYS_CHANGE_H

#include "tools/keys/options.h"

/* 0, or -1 after it has said on stderr why not; then the folder is as it was, or, where that is said, completed by the
 * next command. */
int cg_keys_change(const struct cg_keys_options *options);

#endif
