/* A ring a member. The hard thing: there are tens of thousands of members, most of which see little, so a ring begins
 * small and grows only where something in it is still needed. */
#include "tools/member/seen.h"

#include <stdlib.h>
#include <string.h>

struct cg_fleet_seen *cg_fleet_seen_find(const struct cg_fleet_seen_ring *ring, const struct cg_addr *from,
                                         uint16_t mid, uint16_t destination, uint64_t now_us) {
    for (struct cg_fleet_seen *s = ring->list; s < ring->list + ring->len; s++)
        if (s->until_us > now_us && s->mid == mid && s->destination == destination && cg_addr_equal(&s->from, from))
            return s;
    return NULL;
}

/* More room, behind the newest: the ring begins anew with its oldest. False: no memory. */
static bool grow(struct cg_fleet_seen_ring *ring, uint32_t len) {
    struct cg_fleet_seen *list = calloc(len, sizeof *list);
    if (list == NULL) return false;
    for (uint32_t i = 0; i < ring->len; i++) list[i] = ring->list[(ring->next + i) % ring->len];
    free(ring->list);
    *ring = (struct cg_fleet_seen_ring){.list = list, .len = len, .next = ring->len};
    return true;
}

struct cg_fleet_seen *cg_fleet_seen_make(struct cg_fleet_seen_ring *ring, uint32_t max, uint64_t now_us) {
    if (ring->len == 0 && !grow(ring, CG_FLEET_SEEN_LEN)) return NULL;
    if (ring->list[ring->next].until_us > now_us && ring->len < max) (void)grow(ring, 2 * ring->len);
    struct cg_fleet_seen *seen = &ring->list[ring->next];
    ring->next = (ring->next + 1) % ring->len;
    free(seen->reply);
    return seen;
}

void cg_fleet_seen_keep(struct cg_fleet_seen *seen, struct cg_slice reply, uint64_t at_us) {
    if (seen == NULL) return;
    seen->reply = malloc(reply.len);
    if (seen->reply == NULL) return;
    memcpy(seen->reply, reply.data, reply.len);
    seen->reply_len = reply.len;
    seen->reply_at_us = at_us;
}

void cg_fleet_seen_fini(const struct cg_fleet_seen_ring *ring) {
    for (uint32_t i = 0; i < ring->len; i++) free(ring->list[i].reply);
    free(ring->list);
}
