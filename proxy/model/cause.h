/* Why a member that was waited for has not answered: the words of a reply's `missing[].cause`. What was seen of the
 * member decides; where several things were, the one that comes first on a request's way (model/cause.c). */
#ifndef CG_MODEL_CAUSE_H
#define CG_MODEL_CAUSE_H

#include <stdint.h>

enum cg_cause {
    CG_CAUSE_UNKNOWN,
    CG_CAUSE_NEVER_REACHED, /* the group request did not get there, though the member is there */
    CG_CAUSE_LATE,          /* it answers, and takes longer than was waited */
    CG_CAUSE_CHALLENGED,    /* it wants to see that the request is fresh (Echo), and that was not settled in time */
    CG_CAUSE_STALE_KEY,     /* it has the keys of another epoch */
    CG_CAUSE_WRONG_KEY,     /* what is protected for the group it cannot open, or its answers do not verify */
    CG_CAUSE_EVICTED,       /* its credential is not in the group's present epoch */
    CG_CAUSE_REFUSED,       /* its answer came, and was refused: the reason is in `rejected` */
    CG_CAUSE_ANSWER_LOST,   /* it has had the request, and what it answered did not arrive */
    CG_CAUSE_KERNEL_DROP,   /* this host dropped datagrams meanwhile */
    CG_CAUSE_NOT_LISTENING, /* its host says that nothing listens at its port */
    CG_CAUSE_ASLEEP,        /* not a word from it, by multicast or unicast */
    CG_CAUSE_COUNT
};

extern const char *const cg_cause_names[CG_CAUSE_COUNT];

#endif
