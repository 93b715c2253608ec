/* A tap that keeps what it hears (legs/tap.h), and the same told again to the rounds of another gateway, whose own legs
 * say nothing: nothing is sealed, sent, received or opened there. */
#ifndef CG_TEST_RECORDING_H
#define CG_TEST_RECORDING_H

#include "exchange/fake_world.h"
#include "legs/tap.h"

struct recorded;

struct recording {
    struct cg_tap tap;
    struct cg_engine *engine; /* that it listens to */
    struct recorded *first, **last;
    const struct cg_leg *legs[256]; /* by number, in the order in which they began; freed ones, too */
    size_t leg_count;
};

void recording_init(struct recording *recording);
void recording_listen(struct recording *recording, struct cg_engine *engine);
/* Something that happens above the boundary, at that time, and is done again when it is told; NULL: time passes. */
void recording_add(struct recording *recording, uint64_t at_us, void (*act)(const char *who, const char *what),
                   const char *who, const char *what);
void recording_fini(struct recording *recording);

/* Of the mappings of a gateway that is told a recording: it never finishes. */
extern struct cg_protector mute_protector;

/* Tells `world`, which has started, all of it, each thing at its time. */
void recording_tell(const struct recording *recording, struct world *world);

#endif
