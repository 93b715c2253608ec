/* All members of a security group: some processes, each with its share of them, every member with a source address of
 * its own. A request makes each seal its answer first; they send when they are let. What comes unprotected is answered
 * unprotected, so that both can be compared. The request's signature is not their concern. */
#ifndef CG_BENCH_SECURE_MEMBERS_H
#define CG_BENCH_SECURE_MEMBERS_H

#include <stdatomic.h>
#include <sys/types.h>

#include "common/group_keys.h"

enum { BENCH_MEMBER_PROCESSES = 4 }; /* a context takes several mappings of memory, a process has 65 530 */

/* In memory that all processes see. */
struct bench_members_state {
    _Atomic uint32_t answers;    /* that a request gets: of the first so many members */
    _Atomic uint32_t bytes;      /* of their payloads */
    _Atomic bool pairwise;       /* else group mode */
    _Atomic bool hold;           /* sealed answers wait while this is set */
    _Atomic uint32_t ready;      /* processes that can answer */
    _Atomic uint32_t sent;       /* answers, so far */
    _Atomic uint32_t signed_len; /* bytes that the last signature was made of */
};

struct bench_members {
    pid_t processes[BENCH_MEMBER_PROCESSES];
    struct bench_members_state *state;
    uint16_t group_port; /* of BENCH_GROUP (peer.h), on lo */
};

/* Forks, and waits until all can answer. */
void bench_members_start(struct bench_members *members, const struct bench_group_keys *keys);
void bench_members_stop(struct bench_members *members);
/* Lets them send and waits until so many answers have been sent since the start. */
void bench_members_let_send(struct bench_members *members, uint32_t sent);

#endif
