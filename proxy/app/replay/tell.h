/* Tells the rounds of a gateway what legs said to those of another one (recorder/transcript.h). Its mappings have a
 * mute protector, so that nothing comes of its own legs: nothing is sealed, sent, received or opened there.
 *
 * What is told may be anybody's invention: what fits no leg as it is, is not said, and told to whoever tells. */
#ifndef CG_APP_REPLAY_TELL_H
#define CG_APP_REPLAY_TELL_H

#include "app/replay/mute.h"
#include "recorder/transcript.h"

struct cg_puppet;

struct cg_telling {
    struct cg_tap tap;
    struct cg_engine *engine;
    struct cg_mute *mute;
    uint64_t base_us; /* the gateway's time when the transcript begins */
    struct cg_puppet *puppets;
    size_t count, room;
    uint64_t sealings; /* of the mute protector, when casts were held last */
    char admitted_mapping[CG_NAME_MAX + 1];
    uint64_t admitted_timeout_us; /* of the latest request that was let in, until it is told */
    bool has_admitted;
    bool failed; /* no memory */
};

enum cg_told {
    CG_TOLD,
    CG_TOLD_TO_NOBODY, /* its leg has ended */
    CG_TOLD_OTHERWISE, /* the leg, or the request that was let in, is another one, or has not come so far */
};

/* From now on. */
void cg_telling_begin(struct cg_telling *telling, struct cg_engine *engine, struct cg_mute *mute, uint64_t base_us);
void cg_telling_end(struct cg_telling *telling);
/* Before time passes: what its own legs would do then, they do not. */
void cg_telling_hold(struct cg_telling *telling);
/* At its time. */
enum cg_told cg_telling_say(struct cg_telling *telling, const struct cg_said *said) CG_MUST_CHECK;

#endif
