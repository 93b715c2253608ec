/* Observers (RFC 7641 §4). The hard thing: one that does not acknowledge is forgotten, but not while a newer
 * notification can take the place of the one that it missed. */
#include <stdlib.h>

#include "tools/member/private.h"

enum {
    OBSERVERS_MAX = 64,
    CONFIRMABLE_EVERY = 8, /* notifications: is the observer still there (RFC 7641 §4.5) */
};

static bool same_token(struct cg_token a, struct cg_token b) {
    return cg_slice_equal(cg_slice_of(a.bytes, a.len), cg_slice_of(b.bytes, b.len));
}

struct cg_fleet_observer *cg_fleet_find_observer(struct cg_fleet_member *member, const struct cg_addr *from,
                                                 struct cg_token token) {
    for (struct cg_fleet_observer *o = member->observers; o != NULL; o = o->next)
        if (same_token(o->token, token) && cg_addr_equal(&o->from, from)) return o;
    return NULL;
}

void cg_fleet_forget(struct cg_fleet *fleet, struct cg_fleet_member *member, struct cg_fleet_observer *observer) {
    for (struct cg_fleet_waiting *w = member->confirmables, *next; w != NULL; w = next) {
        next = w->next;
        if (w->observer == observer) cg_fleet_drop(fleet, w);
    }
    struct cg_fleet_observer **at = &member->observers;
    while (*at != observer) at = &(*at)->next;
    *at = observer->next;
    member->observers_len--;
    free(observer->protection);
    free(observer);
}

bool cg_fleet_observe(struct cg_fleet_member *member, const struct cg_addr *from, struct cg_token token,
                      const struct cg_shield_request *protection) {
    struct cg_fleet_observer *known = cg_fleet_find_observer(member, from, token);
    if (known != NULL && protection == NULL) return true;
    if (known != NULL) { /* renewed: notifications answer the latest registration */
        *known->protection = *protection;
        return true;
    }
    if (member->observers_len == OBSERVERS_MAX) return false;
    struct cg_fleet_observer *observer = calloc(1, sizeof *observer);
    if (observer == NULL) return false;
    if (protection != NULL) {
        observer->protection = malloc(sizeof *protection);
        if (observer->protection == NULL) {
            free(observer);
            return false;
        }
        *observer->protection = *protection;
    }
    observer->from = *from;
    observer->token = token;
    observer->next = member->observers;
    member->observers = observer;
    member->observers_len++;
    return true;
}

/* In an acknowledgement it has the request's Message ID, which nobody resets. */
void cg_fleet_registered(struct cg_fleet_member *member, const struct cg_addr *from, struct cg_token token,
                         const struct cg_fleet_head *head) {
    struct cg_fleet_observer *observer = cg_fleet_find_observer(member, from, token);
    if (observer == NULL || !head->has_observe) return;
    observer->mid = head->mid;
    observer->has_mid = head->type != CG_ACK;
}

uint32_t cg_fleet_next_observe(struct cg_fleet_member *member) {
    return member->observe = (member->observe + 1) & 0xffffff;
}

/* The unacknowledged notification of this observer, if there is one. */
static struct cg_fleet_waiting *find_unacknowledged(const struct cg_fleet_member *member,
                                                    const struct cg_fleet_observer *observer) {
    struct cg_fleet_waiting *w = member->confirmables;
    while (w != NULL && w->observer != observer) w = w->next;
    return w;
}

/* A notification that was not acknowledged is replaced by the new one, which goes on with its retransmissions
 * (RFC 7641 §4.5.2). */
static void notify(const struct cg_fleet_arrival *in, struct cg_fleet_observer *observer,
                   const struct cg_resource_response *response) {
    struct cg_fleet_member *member = in->member;
    struct cg_fleet_waiting *old = find_unacknowledged(member, observer);
    observer->notified++;
    bool confirmable = old != NULL || observer->notified % CONFIRMABLE_EVERY == 0;
    struct cg_fleet_head head = {.type = confirmable ? CG_CON : CG_NON,
                                 .mid = cg_fleet_mid(member),
                                 .token = observer->token,
                                 .has_observe = true,
                                 .observe = cg_fleet_next_observe(member)};
    observer->mid = head.mid;
    observer->has_mid = true;
    struct cg_slice datagram =
        cg_fleet_protect(in->fleet, member, observer->protection, cg_fleet_build(in->fleet, &head, response));
    if (datagram.len == 0) return;
    struct cg_fleet_waiting *fresh =
        cg_fleet_transmit(in, &observer->from, datagram, confirmable, in->now_us + cg_fleet_hold_us(in));
    if (fresh != NULL && fresh->confirmable) fresh->observer = observer;
    if (old == NULL) return;
    if (fresh != NULL && fresh->confirmable) {
        fresh->tries = old->tries;
        fresh->timeout_us = old->timeout_us;
    }
    cg_fleet_drop(in->fleet, old);
}

void cg_fleet_notify_all(const struct cg_fleet_arrival *in) {
    struct cg_resource_response response;
    cg_resource_light(&response, in->fleet->options, &in->member->light);
    for (struct cg_fleet_observer *o = in->member->observers; o != NULL; o = o->next) notify(in, o, &response);
}
