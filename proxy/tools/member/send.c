/* Sending, and sending again. The hard thing: an answer that is due at once goes out from a shared buffer; only what
 * has to wait is copied, into one heap for all members. */
#include <stdlib.h>

#include "base/container.h"
#include "tools/member/private.h"

enum {
    /* RFC 7252 §4.8: transmission parameters, with the default values. */
    ACK_TIMEOUT_US = 2000000,
    ACK_SPREAD_US = 1000000, /* ACK_TIMEOUT * (ACK_RANDOM_FACTOR - 1) */
    MAX_RETRANSMIT = 4,
    REORDER_US = 20000,
    CONFIRMABLES_MAX = 64, /* unacknowledged messages a member */
    WAITING_MAX = 1 << 19, /* messages of all members that wait for their time */
};

void cg_fleet_emit(struct cg_fleet *fleet, struct cg_fleet_member *member, const struct cg_addr *to,
                   struct cg_slice datagram) {
    uint32_t index = cg_fleet_index(fleet, member);
    int copies = cg_prng_chance(&member->prng, fleet->options->duplicate) ? 2 : 1;
    while (copies-- > 0) {
        if (cg_prng_chance(&member->prng, fleet->options->loss)) {
            fleet->counts.lost++;
            continue;
        }
        fleet->counts.sent++;
        fleet->port->send(fleet->port->ctx, index, to, datagram);
    }
}

static void unlink_confirmable(struct cg_fleet_member *member, struct cg_fleet_waiting *waiting) {
    struct cg_fleet_waiting **at = &member->confirmables;
    while (*at != waiting) at = &(*at)->next;
    *at = waiting->next;
    member->confirmables_len--;
}

void cg_fleet_drop(struct cg_fleet *fleet, struct cg_fleet_waiting *waiting) {
    if (waiting->confirmable) unlink_confirmable(&fleet->members[waiting->member], waiting);
    cg_heap_remove(&fleet->heap, &waiting->deadline);
    free(waiting);
}

static uint16_t mid_of(const uint8_t *datagram) { return (uint16_t)(datagram[2] << 8 | datagram[3]); }

struct cg_fleet_waiting *cg_fleet_transmit(const struct cg_fleet_arrival *in, const struct cg_addr *to,
                                           struct cg_slice datagram, bool confirmable, uint64_t at_us) {
    struct cg_fleet *fleet = in->fleet;
    struct cg_fleet_member *member = in->member;
    confirmable = confirmable && member->confirmables_len < CONFIRMABLES_MAX;
    if (!confirmable && at_us <= in->now_us) {
        cg_fleet_emit(fleet, member, to, datagram);
        return NULL;
    }
    struct cg_fleet_waiting *waiting = NULL;
    if (fleet->heap.len < WAITING_MAX) waiting = malloc(sizeof *waiting + datagram.len);
    if (waiting == NULL) {
        fleet->counts.overloaded++;
        return NULL;
    }
    *waiting = (struct cg_fleet_waiting){
        .to = *to, .member = cg_fleet_index(fleet, member), .confirmable = confirmable, .len = datagram.len};
    memcpy(waiting->bytes, datagram.data, datagram.len);
    if (confirmable) {
        waiting->mid = mid_of(datagram.data);
        waiting->timeout_us = ACK_TIMEOUT_US + cg_prng_below(&member->prng, ACK_SPREAD_US);
        waiting->next = member->confirmables;
        member->confirmables = waiting;
        member->confirmables_len++;
    }
    cg_heap_set(&fleet->heap, &waiting->deadline, at_us);
    return waiting;
}

void cg_fleet_send_empty(const struct cg_fleet_arrival *in, enum cg_type type, uint16_t mid) {
    struct cg_msg_writer writer;
    uint8_t bytes[8];
    cg_msg_begin(&writer, bytes, sizeof bytes, type, CG_EMPTY, mid, (struct cg_token){0});
    cg_fleet_emit(in->fleet, in->member, in->from, cg_slice_of(bytes, writer.len));
}

uint64_t cg_fleet_hold_us(const struct cg_fleet_arrival *in) {
    const struct cg_member_options *options = in->fleet->options;
    uint64_t span = (uint64_t)(options->delay_max_ms - options->delay_min_ms) * 1000;
    uint64_t hold = (uint64_t)options->delay_min_ms * 1000;
    if (span > 0) hold += cg_prng_below(&in->member->prng, span + 1);
    if (options->reorder) hold += cg_prng_below(&in->member->prng, REORDER_US);
    return hold;
}

/* --- time --- */

static void on_due(struct cg_fleet *fleet, struct cg_fleet_waiting *w, uint64_t now_us) {
    struct cg_fleet_member *member = &fleet->members[w->member];
    if (w->confirmable && w->tries > MAX_RETRANSMIT) { /* nobody there: an observer is forgotten */
        if (w->observer != NULL)
            cg_fleet_forget(fleet, member, w->observer);
        else
            cg_fleet_drop(fleet, w);
        return;
    }
    cg_fleet_emit(fleet, member, &w->to, cg_slice_of(w->bytes, w->len));
    if (!w->confirmable) {
        cg_fleet_drop(fleet, w);
        return;
    }
    cg_heap_set(&fleet->heap, &w->deadline, now_us + (w->timeout_us << w->tries));
    w->tries++;
}

uint64_t cg_fleet_run(struct cg_fleet *fleet, uint64_t now_us) {
    const uint64_t change_us = cg_fleet_change(fleet, now_us);
    for (;;) {
        struct cg_deadline *first = cg_heap_first(&fleet->heap);
        if (first == NULL) return change_us;
        if (first->at_us > now_us) return first->at_us < change_us ? first->at_us : change_us;
        on_due(fleet, CG_CONTAINER(first, struct cg_fleet_waiting, deadline), now_us);
    }
}
