/* Plain members in one process behind a network that loses datagrams, each at an address of its own (127.1.0.1 and
 * following), each with its own slowness. They answer group requests and requests to one of them. */
#ifndef CG_BENCH_LOSSY_MEMBERS_H
#define CG_BENCH_LOSSY_MEMBERS_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/peer.h"

enum { BENCH_LOSSY_MAX = 256 };

/* In memory that both processes see. */
struct bench_lossy_state {
    _Atomic uint32_t members;   /* how many answer */
    _Atomic uint32_t loss;      /* of 65536 datagrams, each way */
    _Atomic uint32_t spread_us; /* the last member takes so long for an answer, the others evenly less */
    _Atomic uint32_t exchange;  /* counted up by the client before each */
    _Atomic uint32_t casts;     /* group requests that came, before any loss */
    _Atomic uint32_t asks;      /* requests to one member, before any loss, repeated ones included */
    _Atomic uint32_t lost;      /* of an exchange's first group request: answers that did not come of it */
    _Atomic uint64_t heard_ns;  /* CLOCK_MONOTONIC: when that came */
};

struct bench_lossy {
    pid_t pid;
    struct bench_lossy_state *state;
    uint16_t group_port, port;
};

void bench_lossy_start(struct bench_lossy *lossy); /* forks */
void bench_lossy_stop(struct bench_lossy *lossy);

#endif
