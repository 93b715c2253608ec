/* The gateway's group side with a security group: loop, sockets, core, the pool of signatures, sequence numbers in a
 * store, as they are in the program. Requests come in by a function call, since HTTP is not what is measured. */
#ifndef CG_BENCH_PROTECTED_SIDE_H
#define CG_BENCH_PROTECTED_SIDE_H

#include "common/group_keys.h"
#include "common/peer.h"
#include "common/secure_members.h"
#include "group_oscore/group_oscore.h"
#include "io/crypto_pool.h"
#include "io/loop.h"
#include "io/store_thread.h"
#include "reply/sink.h"

/* Mappings: both of the members' group, with protection and without; and the few of the peer's. */
enum bench_mapping { BENCH_PROTECTED, BENCH_PLAIN, BENCH_FEW, BENCH_MAPPINGS };

struct bench_ask {
    struct cg_sink sink;
    struct bench_protected_side *side;
    enum bench_mapping mapping;
    uint64_t start_ns, end_ns;            /* CLOCK_MONOTONIC; end: the answers were handed on, 0 before */
    void (*ended)(struct bench_ask *ask); /* NULL: nobody asks */
};

struct bench_protected_side {
    struct cg_loop loop;
    struct cg_config *config;
    struct cg_target targets[BENCH_MAPPINGS];
    struct cg_grant grant;
    struct cg_mapping mappings[BENCH_MAPPINGS];
    struct cg_crypto_pool pool;
    struct cg_senders senders;
    struct cg_store_thread *store;
    struct cg_group_services services;
    struct cg_group_oscore *group;
    const struct bench_group_keys *keys;
    uint8_t epoch;       /* how often the keys were set */
    uint64_t emitted_ns; /* when the latest datagram went out */
    int (*emit)(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem);
    char folder[32];
};

/* Must not move afterwards. Members and peer must have been started. */
void bench_side_init(struct bench_protected_side *side, const struct bench_group_keys *keys,
                     const struct bench_members *members, const struct bench_peer *peer);
void bench_side_fini(struct bench_protected_side *side);
/* Makes a new epoch of the same keys, with the first `count` members: nothing is cached for them. */
void bench_side_set_members(struct bench_protected_side *side, uint32_t count);
/* Starts an exchange that ends with so many answers; any other end ends the program. */
void bench_side_ask(struct bench_protected_side *side, struct bench_ask *ask, enum bench_mapping mapping,
                    uint32_t answers);

#endif
