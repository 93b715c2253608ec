/* Clients that observe, by a sink that counts what it hears and keeps the latest of each member; and members that send
 * notifications. */
#ifndef CG_TEST_FAKE_OBSERVER_H
#define CG_TEST_FAKE_OBSERVER_H

#include "exchange/fake_world.h"

struct observer {
    struct cg_sink sink;
    struct cg_ticket ticket;
    char heard[1024]; /* "127.1.0.1 on;" each, as far as there is room */
    size_t len;
    unsigned answers, notifications, looks;
    unsigned room; /* answers that it takes before it is full */
    bool ended, has_begun;
    enum cg_sink_end how;
    struct cg_problem problem;
    struct castgate_summary summary;
};

/* GET `path` with Observe, which the test may change before observer_go. */
struct cg_request *observer_new(struct world *world, struct observer *observer, const char *path);
void observer_go(struct world *world, struct observer *observer);
void observe(struct world *world, struct observer *observer, const char *path);
/* What it has heard since this was last asked. */
const char *observer_take(struct observer *observer);

/* A notification to emission `index`: NON 2.05 with this Observe value, fresh for more than a day. */
void notify(struct world *world, size_t index, const char *from, uint32_t order, const char *payload);
/* The same with Max-Age, and another Message ID each. */
void notify_for(struct world *world, size_t index, const char *from, uint32_t order, uint32_t max_age_s,
                const char *payload);

#endif
