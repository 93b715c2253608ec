/* All simulated members of one process, and their side of CoAP's message layer (RFC 7252 §4, §5.2, §8; RFC 7641; RFC
 * 10020): deduplication, acknowledgements, retransmission, observers, suppression, and the faults of --loss, --delay
 * and the like. It has no socket and no clock: the caller brings datagrams and the time and takes datagrams away. One
 * thread. */
#ifndef CG_TOOLS_MEMBER_FLEET_H
#define CG_TOOLS_MEMBER_FLEET_H

#include "tools/member/options.h"
#include "tools/member/shield.h"

struct cg_fleet;

struct cg_fleet_port {
    void *ctx;
    /* Sends one datagram from the member's own address. What the network would lose may be lost. Must not call back. */
    void (*send)(void *ctx, uint32_t member, const struct cg_addr *to, struct cg_slice datagram);
};

struct cg_fleet_counts {
    uint64_t received;   /* datagrams, once for each member that heard one */
    uint64_t requests;   /* taken up, duplicates not counted */
    uint64_t sent;       /* datagrams */
    uint64_t lost;       /* by --loss, both directions */
    uint64_t overloaded; /* datagrams not sent because too many were waiting */
};

/* All are borrowed and must outlive the fleet. `shield`: the members' keys, NULL for plain ones. Equal seeds make equal
 * fleets, but for what keys make. NULL: out of memory. */
struct cg_fleet *cg_fleet_new(const struct cg_member_options *options, uint64_t seed, struct cg_shield *shield,
                              const struct cg_fleet_port *port);
void cg_fleet_free(struct cg_fleet *fleet);

/* A datagram that came to the member's own address, at monotonic time `now_us`. */
void cg_fleet_receive(struct cg_fleet *fleet, uint32_t member, const struct cg_addr *from, struct cg_slice datagram,
                      uint64_t now_us);
/* A datagram that came to the group with this index (of the options): every member hears it. */
void cg_fleet_receive_group(struct cg_fleet *fleet, size_t group, const struct cg_addr *from, struct cg_slice datagram,
                            uint64_t now_us);

/* Sends what is due. Returns when to be called again at the latest; UINT64_MAX: not before something comes in. */
uint64_t cg_fleet_run(struct cg_fleet *fleet, uint64_t now_us);

struct cg_fleet_counts cg_fleet_counts(const struct cg_fleet *fleet);

#endif
