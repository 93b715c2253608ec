/* Requests that were taken up, for deduplication by source endpoint and Message ID (RFC 7252 §4.5). */
#ifndef CG_TOOLS_MEMBER_SEEN_H
#define CG_TOOLS_MEMBER_SEEN_H

#include "wire/addr.h"

#define CG_FLEET_SEEN_LEN 16 /* requests of one kind a member, to begin with */

struct cg_fleet_seen {
    struct cg_addr from;
    uint16_t mid;
    uint16_t destination; /* whom it was sent to: another endpoint, thus another space of Message IDs */
    uint64_t until_us;    /* 0: empty */
    uint64_t reply_at_us; /* when the reply goes out the first time */
    uint8_t *reply;       /* owned: the ACK to a Confirmable request; NULL: none */
    size_t reply_len;
};

/* Made with the first request. */
struct cg_fleet_seen_ring {
    struct cg_fleet_seen *list; /* owned */
    uint32_t len;
    uint32_t next; /* the oldest, which gives way */
};

/* NULL: it was not seen, or too long ago. */
struct cg_fleet_seen *cg_fleet_seen_find(const struct cg_fleet_seen_ring *ring, const struct cg_addr *from,
                                         uint16_t mid, uint16_t destination, uint64_t now_us);
/* Room for another: beyond `max`, that of the oldest. To be filled in. NULL: out of memory. */
struct cg_fleet_seen *cg_fleet_seen_make(struct cg_fleet_seen_ring *ring, uint32_t max, uint64_t now_us);
/* What a duplicate will be answered with; nothing without memory. `seen` may be NULL. */
void cg_fleet_seen_keep(struct cg_fleet_seen *seen, struct cg_slice reply, uint64_t at_us);
void cg_fleet_seen_fini(const struct cg_fleet_seen_ring *ring);

#endif
