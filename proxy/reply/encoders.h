/* The encoders that this gateway has: built in and loaded. A front chooses among them for each request. */
#ifndef CG_REPLY_ENCODERS_H
#define CG_REPLY_ENCODERS_H

#include <stddef.h>

#include "castgate/plugin.h"

struct cg_encoder_list {
    const struct castgate_plugin *const *plugins; /* first: the default */
    size_t count;
};

#endif
