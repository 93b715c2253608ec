/* The other side of the group: a process that is all members of a group at once, each with a source address of its own
 * (127.1.0.1 and following). It answers every group request at once, and sends bursts to where it is told. */
#ifndef CG_BENCH_PEER_H
#define CG_BENCH_PEER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "wire/addr.h"
#include "wire/msg.h"

#define BENCH_GROUP        "224.0.1.187"
#define BENCH_FIRST_MEMBER 0x7f010001u /* 127.1.0.1, host byte order */

enum { BENCH_RECEIVE_BUFFER = 64 << 20 };

/* In memory that both processes see. */
struct bench_peer_state {
    _Atomic uint32_t answers;   /* that the next group request gets */
    _Atomic uint32_t bytes;     /* of each, CoAP header and all */
    _Atomic uint32_t spread_us; /* they come one by one, evenly, over this time; 0: all at once */
    _Atomic uint32_t heard;     /* group requests, so far */
    _Atomic uint32_t answered;  /* of those */
    _Atomic uint32_t hold;      /* answering waits while this is set */
    _Atomic uint64_t heard_ns;  /* CLOCK_MONOTONIC: when the last group request was read */
    _Atomic uint64_t sent_ns;   /* before the last answer to it was sent */
};

struct bench_peer {
    pid_t pid;
    int orders, done;
    struct bench_peer_state *state;
    uint16_t group_port;
    uint16_t port; /* that all answers come from */
};

struct bench_order {
    struct cg_token token;
    uint16_t port; /* on 127.0.0.1 */
    uint32_t answers;
    uint32_t bytes;     /* of each answer */
    uint32_t spread_us; /* as above */
};

/* Forks; start it before anything that must not be in two processes. */
void bench_peer_start(struct bench_peer *peer);
void bench_peer_stop(struct bench_peer *peer);
/* How group requests are answered from now on. */
void bench_peer_set(struct bench_peer *peer, uint32_t answers, uint32_t bytes);
/* Waits until that many group requests have been heard, or answered, since the start; false: not within ten seconds. */
bool bench_peer_wait_heard(const struct bench_peer *peer, uint32_t heard);
bool bench_peer_wait(const struct bench_peer *peer, uint32_t answered);
/* Sends a burst and waits until it is sent. */
void bench_peer_burst(const struct bench_peer *peer, const struct bench_order *order);
/* The same in two halves: in between it comes. */
void bench_peer_begin_burst(const struct bench_peer *peer, const struct bench_order *order);
void bench_peer_end_burst(const struct bench_peer *peer);

#endif
