/* What a round that observes (watch.h) keeps of each who has answered. */
#ifndef CG_ROUNDS_WATCHED_H
#define CG_ROUNDS_WATCHED_H

#include "model/allowance.h"

struct cg_watched {
    bool is_observed; /* its latest answer is a notification, so others follow */
};

#endif
