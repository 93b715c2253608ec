/* A transcript of all that a gateway's legs are told, and what was done above them meanwhile; and both once more, for
 * another gateway. */
#ifndef CG_TEST_RECORDING_H
#define CG_TEST_RECORDING_H

#include "app/replay/tell.h"
#include "exchange/fake_world.h"

struct act;

struct recording {
    struct cg_transcript_tap tap;
    struct cg_transcript transcript; /* its times are the world's */
    struct act *first, **last;
};

void recording_init(struct recording *recording);
void recording_listen(struct recording *recording, struct cg_engine *engine);
/* Something that happens above the boundary, at that time, and is done again when it is told; NULL: time passes. */
void recording_add(struct recording *recording, uint64_t at_us, void (*act)(const char *who, const char *what),
                   const char *who, const char *what);
void recording_fini(struct recording *recording);

/* Tells `world`, which has started and whose mappings have the protector of `mute`, all of it, each thing at its time.
 */
void recording_tell(const struct recording *recording, struct world *world, struct cg_mute *mute);

#endif
