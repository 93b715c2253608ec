/* What a round that observes (watch.h) keeps of each who has answered. */
#ifndef CG_ROUNDS_WATCHED_H
#define CG_ROUNDS_WATCHED_H

#include <stdbool.h>

#include "model/allowance.h"

struct cg_held_answer;
struct cg_part;

struct cg_watched {
    uint64_t heard_us;             /* it said so last that it sends notifications, ... */
    uint64_t stale_us;             /* ... which is too long ago from then on; */
    uint32_t grace_us;             /* and so long after that it is registered once more */
    uint8_t misses;                /* registrations since it was heard */
    uint8_t quiet;                 /* registrations in a row that it has answered, and said nothing by itself */
    bool is_observed;              /* its latest answer is a notification, so others follow */
    bool is_held_back;             /* it is in the list of those whose latest is told later */
    struct cg_allowance allowance; /* of notifications that are told */
    struct cg_held_answer *next_held_back;
    struct cg_part *hop; /* whose next hop it is behind; NULL: it is no next hop's */
};

#endif
