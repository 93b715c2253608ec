/* One request of a discovery, to a group or to one node: begun among those of clients, broken off where it is in their
 * way, and over when there is nothing more to hear. */
#ifndef CG_JOBS_INQUIRY_H
#define CG_JOBS_INQUIRY_H

#include "jobs/own.h"
#include "legs/timer.h"
#include "reply/sink.h"

struct cg_inquiry;

/* How it came out. */
enum cg_inquiry_end {
    CG_INQUIRY_HEARD_ALL, /* there is nothing more to hear */
    CG_INQUIRY_CUT,       /* its time was over before, or it was told to end */
    CG_INQUIRY_GAVE_WAY,  /* to a client: it is to be begun anew */
    CG_INQUIRY_FAILED,    /* it did not go out: *problem */
};

struct cg_inquiry_ops {
    /* A whole answer, or only its beginning. */
    void (*answer)(struct cg_inquiry *inquiry, const struct cg_answer *answer);
    void (*beginning)(struct cg_inquiry *inquiry, const struct cg_answer *first);
    /* It is over, and may be freed or begun anew, though not from here. The view is NULL where there was nothing to
     * look at. */
    void (*over)(struct cg_inquiry *inquiry, enum cg_inquiry_end how, const struct cg_view *view,
                 const struct cg_problem *problem);
};

/* Zero-initialise, then set the first three. Embedded in what it is for. */
struct cg_inquiry {
    const struct cg_inquiry_ops *ops;
    struct cg_gateway *gateway;
    struct cg_config *excerpt; /* a reference, its owner's */
    struct cg_sink sink;
    struct cg_ticket ticket;
    struct cg_timer timer;  /* when to look whether it goes on */
    uint64_t patient_until; /* who has heard the request may still answer; UINT64_MAX: it is not out yet */
    bool runs, is_busy, has_heard, gave_way, was_told;
};

/* Whether it may begin now: no client waits for its group, and there is room for the exchange. */
bool cg_inquiry_has_room(const struct cg_inquiry *inquiry);
/* False, with *problem: it does not begin, and `over` does not come. */
bool cg_inquiry_begin(struct cg_inquiry *inquiry, const struct cg_own *own, struct cg_problem *problem);
/* It ends soon, with what it has. */
void cg_inquiry_finish(struct cg_inquiry *inquiry);
/* Nobody wants to know: `over` comes soon all the same, with CG_INQUIRY_CUT, or when the gateway goes. */
void cg_inquiry_abandon(struct cg_inquiry *inquiry);

#endif
