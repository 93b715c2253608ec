/* Why a member that was waited for has not answered: the words of a reply's `missing[].cause`. What was seen of the
 * member decides, never what is likely; where several things were, the one that comes first on a request's way
 * (cause.c has the table). */
#ifndef CG_MODEL_CAUSE_H
#define CG_MODEL_CAUSE_H

#include <stdint.h>

#include "model/member.h"

enum cg_cause {
    CG_CAUSE_UNKNOWN,
    CG_CAUSE_NEVER_REACHED, /* the group request did not get there, though the member is there; or nothing does */
    CG_CAUSE_LATE,          /* it answers, and takes longer than was waited */
    CG_CAUSE_CHALLENGED,    /* it wants to see that the request is fresh (Echo), and that was not settled in time */
    CG_CAUSE_STALE_KEY,     /* it has the keys of another epoch */
    CG_CAUSE_WRONG_KEY,     /* what is protected for the group it cannot open, or its answers do not verify */
    CG_CAUSE_EVICTED,       /* its credential is not in the group's present epoch */
    CG_CAUSE_REFUSED,       /* its answer came, and was refused: the reason is in `rejected`; or it refuses, and
                               errors are not sent to a group */
    CG_CAUSE_ANSWER_LOST,   /* it has had the request, and what it answered did not arrive */
    CG_CAUSE_KERNEL_DROP,   /* this host dropped datagrams meanwhile */
    CG_CAUSE_NOT_LISTENING, /* its host says that nothing listens at its port, or what does takes no requests */
    CG_CAUSE_ASLEEP,        /* not a word from it, by multicast or unicast */
    CG_CAUSE_COUNT
};

extern const char *const cg_cause_names[CG_CAUSE_COUNT];

/* What may be seen of a member, beside an answer: bits of a set. Most of it anybody could have made up, so it explains
 * and decides nothing. */
enum cg_sign {
    CG_SIGN_CHALLENGE = 1 << 0,         /* a verified challenge */
    CG_SIGN_EVICTED = 1 << 1,           /* an answer of it, refused as one of somebody who was left out */
    CG_SIGN_OTHER_EPOCH = 1 << 2,       /* refused, under another Gid; or it says that it lacks the request's context */
    CG_SIGN_UNREADABLE = 1 << 3,        /* refused, not to be verified; or it says that it cannot decrypt */
    CG_SIGN_REFUSED = 1 << 4,           /* refused for another reason */
    CG_SIGN_REPLAY = 1 << 5,            /* it says that it has had the request before */
    CG_SIGN_PART = 1 << 6,              /* of an answer in blocks not all came */
    CG_SIGN_LATE = 1 << 7,              /* an answer after the end of collecting, now or not long ago */
    CG_SIGN_ACKNOWLEDGED = 1 << 8,      /* an empty acknowledgement: an answer is to follow */
    CG_SIGN_ANSWERS_UNICAST = 1 << 9,   /* an answer to the same request by unicast, which was only a question */
    CG_SIGN_THERE = 1 << 10,            /* a Reset to a ping: it speaks CoAP */
    CG_SIGN_PORT_UNREACHABLE = 1 << 11, /* ICMP */
    CG_SIGN_HOST_UNREACHABLE = 1 << 12, /* ICMP, or nobody answers for its address on the link */
    CG_SIGN_NO_WAY = 1 << 13,           /* ICMP: no network, prohibited, and the like */
    CG_SIGN_ASKED = 1 << 14,            /* the request went to it by unicast */
    CG_SIGN_PINGED = 1 << 15,           /* a ping did */
    CG_SIGN_HOLDS_KEYS = 1 << 16,       /* of secured groups: an answer of it has verified under the keys in use */
    CG_SIGN_SECURED = 1 << 17,          /* the group is */
    CG_SIGN_KERNEL_DROP = 1 << 18,      /* this host dropped datagrams while the request ran */
    CG_SIGN_RESET = 1 << 19,            /* to a request by unicast: it takes none */
    CG_SIGN_DECLINES = 1 << 20,         /* an error for an answer to the same request by unicast */
};

enum cg_cause cg_cause_of(uint32_t signs);

/* What was seen of a mapping's members. */
struct cg_signs {
    const uint32_t *of; /* by a member's number; NULL: nothing of anybody */
    uint32_t common;    /* of all of them */
};

static inline enum cg_cause cg_cause_of_member(const struct cg_signs *signs, const struct cg_member *member) {
    return cg_cause_of(signs->common | (signs->of == NULL ? 0 : signs->of[member->number]));
}

#endif
