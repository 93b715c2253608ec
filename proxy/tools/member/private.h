/* The inside of a fleet, shared by its own files only: fleet.c receives and answers, send.c sends and knows the time,
 * observe.c keeps observers, change.c has what they observe change, misbehave.c gets things wrong. */
#ifndef CG_TOOLS_MEMBER_PRIVATE_H
#define CG_TOOLS_MEMBER_PRIVATE_H

#include "base/buf.h"
#include "base/heap.h"
#include "tools/member/firmware.h"
#include "tools/member/fleet.h"
#include "tools/member/prng.h"
#include "tools/member/resource.h"
#include "tools/member/seen.h"

enum {
    CG_FLEET_UNICAST = 0, /* a destination; groups have their index + 1 */
    CG_FLEET_OVERSIZED = 60000,
};

struct cg_fleet_observer {
    struct cg_fleet_observer *next;
    struct cg_addr from;
    struct cg_token token;
    struct cg_shield_request *protection; /* owned; NULL: plain */
    bool has_mid;
    uint16_t mid;      /* of the last notification, the response included, for a Reset */
    uint32_t notified; /* how often */
};

/* A message that waits for its time, or to be sent again. */
struct cg_fleet_waiting {
    struct cg_deadline deadline;        /* the heap knows this */
    struct cg_fleet_waiting *next;      /* of the member's unacknowledged ones */
    struct cg_fleet_observer *observer; /* borrowed: a Confirmable notification's; else NULL */
    struct cg_addr to;
    uint32_t member;
    uint16_t mid;
    bool confirmable;
    uint8_t tries; /* transmissions so far */
    uint64_t timeout_us;
    size_t len;
    uint8_t bytes[];
};

struct cg_fleet_member {
    struct cg_prng prng;
    struct cg_light light;
    struct cg_firmware firmware;
    uint16_t mid;
    uint32_t observe; /* the last sequence number */
    uint32_t changes; /* of its light, by itself */
    uint32_t observers_len;
    uint32_t confirmables_len;
    struct cg_fleet_observer *observers;   /* owned */
    struct cg_fleet_waiting *confirmables; /* the heap's too */
    struct cg_fleet_seen_ring
        taken; /* Confirmable requests that were taken up, which are repeated until they are answered */
    struct cg_fleet_seen_ring others; /* the rest, which anybody can send as many of as he likes */
    uint8_t *last;                    /* owned: the last protected answer, to be replayed (--misbehave replay) */
    size_t last_len;
};

struct cg_fleet {
    const struct cg_member_options *options;
    const struct cg_fleet_port *port;
    struct cg_shield *shield; /* NULL: plain members */
    struct cg_fleet_member *members;
    struct cg_heap heap;
    struct cg_buf representation;
    struct cg_fleet_counts counts;
    uint64_t change_us;     /* when the next light changes by itself; 0: not known yet */
    uint32_t change_member; /* whose */
    uint8_t oversized[CG_FLEET_OVERSIZED];
    uint8_t datagram[CG_DATAGRAM_MAX];
    uint8_t sealed[CG_DATAGRAM_MAX];
};

/* What just came in for one member. */
struct cg_fleet_arrival {
    struct cg_fleet *fleet;
    struct cg_fleet_member *member;
    const struct cg_addr *from;
    uint16_t destination;
    uint64_t now_us;
    struct cg_shield_request *protection; /* of the request; NULL: it came plain */
};

/* The header of an answer or notification. */
struct cg_fleet_head {
    enum cg_type type;
    uint16_t mid;
    struct cg_token token;
    bool has_observe;
    uint32_t observe;
};

static inline uint32_t cg_fleet_index(const struct cg_fleet *fleet, const struct cg_fleet_member *member) {
    return (uint32_t)(member - fleet->members);
}

static inline uint16_t cg_fleet_mid(struct cg_fleet_member *member) { return member->mid++; }

/* The message, in the fleet's shared buffer. */
struct cg_slice cg_fleet_build(struct cg_fleet *fleet, const struct cg_fleet_head *head,
                               const struct cg_resource_response *response);
/* As it goes out: sealed when the request was. Empty when it cannot be sealed. */
struct cg_slice cg_fleet_protect(struct cg_fleet *fleet, const struct cg_fleet_member *member,
                                 struct cg_shield_request *protection, struct cg_slice plain);

/* Sends through the faulty network, now. */
void cg_fleet_emit(struct cg_fleet *fleet, struct cg_fleet_member *member, const struct cg_addr *to,
                   struct cg_slice datagram);
/* Sends when it is time; a Confirmable message again until it is acknowledged. Returns what waits, NULL if nothing
 * does. */
struct cg_fleet_waiting *cg_fleet_transmit(const struct cg_fleet_arrival *in, const struct cg_addr *to,
                                           struct cg_slice datagram, bool confirmable, uint64_t at_us);
void cg_fleet_send_empty(const struct cg_fleet_arrival *in, enum cg_type type, uint16_t mid);
void cg_fleet_drop(struct cg_fleet *fleet, struct cg_fleet_waiting *waiting);
/* How long --delay and --reorder hold a message back. */
uint64_t cg_fleet_hold_us(const struct cg_fleet_arrival *in);

struct cg_fleet_observer *cg_fleet_find_observer(struct cg_fleet_member *member, const struct cg_addr *from,
                                                 struct cg_token token);
/* Registers, or renews; false when there is no room: the response is then an ordinary one. */
bool cg_fleet_observe(struct cg_fleet_member *member, const struct cg_addr *from, struct cg_token token,
                      const struct cg_shield_request *protection);
/* Its registration was answered by this message. */
void cg_fleet_registered(struct cg_fleet_member *member, const struct cg_addr *from, struct cg_token token,
                         const struct cg_fleet_head *head);
uint32_t cg_fleet_next_observe(struct cg_fleet_member *member);
void cg_fleet_forget(struct cg_fleet *fleet, struct cg_fleet_member *member, struct cg_fleet_observer *observer);
void cg_fleet_notify_all(const struct cg_fleet_arrival *in);

/* Changes what is due. Returns when the next one is; UINT64_MAX: nothing changes by itself. */
uint64_t cg_fleet_change(struct cg_fleet *fleet, uint64_t now_us);

/* --misbehave: before the answer is built, when it is protected, and when it goes out. */
void cg_fleet_misbehave(const struct cg_fleet_arrival *in, uint16_t request_mid, struct cg_fleet_head *head,
                        struct cg_resource_response *response);
struct cg_slice cg_fleet_protect_answer(const struct cg_fleet_arrival *in, struct cg_slice plain);
/* Under a false identity (shield.h). Empty when it cannot be sealed. */
struct cg_slice cg_fleet_lie(const struct cg_fleet_arrival *in, struct cg_slice plain);
/* Random bytes, or the answer with its end cut off or a few bytes changed; always at least one byte. */
struct cg_slice cg_fleet_spoil(struct cg_prng *prng, uint8_t *datagram, size_t len);

#endif
