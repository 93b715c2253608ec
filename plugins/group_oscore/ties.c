/* Requests on one token, and who has answered which of them. The hard thing: a member that has taken a later request
 * may still be heard to an earlier one, because the network turns messages round, and then its numbers of before must
 * count; but not for ever, or each further request would make every forgery dearer. */
#include "group_oscore/ties.h"

#include "base/text.h"

#include <stdlib.h>

/* Requests */

struct cg_tied_request *cg_tied_request_new(struct cg_slice identity) {
    struct cg_tied_request *request = calloc(1, sizeof *request);
    if (request == NULL) return NULL;
    request->references = 1;
    request->for_one = identity.len == sizeof request->identity;
    if (request->for_one) memcpy(request->identity, identity.data, sizeof request->identity);
    return request;
}

struct cg_tied_request *cg_tied_request_ref(struct cg_tied_request *request) {
    request->references++;
    return request;
}

void cg_tied_request_unref(struct cg_tied_request *request) {
    if (request == NULL || --request->references > 0) return;
    cg_epoch_unref(request->epoch);
    free(request);
}

static void forget_requests(struct cg_tied_request **list) {
    while (*list != NULL) {
        struct cg_tied_request *request = *list;
        *list = request->older;
        request->older = NULL;
        cg_tied_request_unref(request);
    }
}

static void put_latest(struct cg_tied_request **list, struct cg_tied_request *request) {
    request->older = *list;
    *list = cg_tied_request_ref(request);
    for (int i = 0; i < CG_TIED_REQUESTS && *list != NULL; i++) list = &(*list)->older;
    forget_requests(list);
}

/* Members */

static uint32_t hash_of(struct cg_slice fingerprint) {
    uint32_t hash;
    memcpy(&hash, fingerprint.data, sizeof hash); /* a part of a SHA-256 already */
    return hash;
}

struct cg_tied_member *cg_ties_find(const struct cg_ties *ties, struct cg_slice fingerprint) {
    uint32_t hash = hash_of(fingerprint);
    struct cg_tied_member *member;
    for (uint32_t at = hash; (member = cg_lookup_next(&ties->by_fingerprint, hash, &at)) != NULL;) {
        if (memcmp(member->fingerprint, fingerprint.data, sizeof member->fingerprint) == 0) return member;
    }
    return NULL;
}

static struct cg_tied_member *add_member(struct cg_ties *ties, struct cg_slice fingerprint) {
    struct cg_tied_member *member = calloc(1, sizeof *member);
    if (member == NULL) return NULL;
    if (!cg_lookup_add(&ties->by_fingerprint, hash_of(fingerprint), member)) {
        free(member);
        return NULL;
    }
    memcpy(member->fingerprint, fingerprint.data, sizeof member->fingerprint);
    member->next = ties->members;
    ties->members = member;
    return member;
}

struct cg_tied_member *cg_ties_member(struct cg_ties *ties, struct cg_slice fingerprint) {
    struct cg_tied_member *member = cg_ties_find(ties, fingerprint);
    return member != NULL ? member : add_member(ties, fingerprint);
}

static bool is_heard_to_older(const struct cg_tied_member *member, uint64_t now_us) {
    return member->before != NULL && now_us - member->since_us <= CG_TIED_LATE_US;
}

/* What it was asked alone before the latest that it has answered. */
static void forget_answered(struct cg_tied_member *member, uint64_t now_us) {
    if (is_heard_to_older(member, now_us)) return;
    free(member->before);
    member->before = NULL;
    if (member->alone == NULL) return;
    struct cg_tied_request **at = &member->alone->requests;
    while (*at != NULL && (*at)->number >= member->request) at = &(*at)->older;
    forget_requests(at);
}

static void free_member(struct cg_tied_member *member) {
    if (member->alone != NULL) forget_requests(&member->alone->requests);
    free(member->alone);
    free(member->before);
    free(member);
}

/* Where they are */

uint32_t cg_ties_host_hash(const struct cg_addr *host) {
    struct cg_slice ip = cg_addr_ip(host);
    return cg_fnv(CG_FNV_START, ip.data, ip.len);
}

struct cg_tied_member *cg_ties_next_at(const struct cg_ties *ties, const struct cg_addr *host, uint32_t *at) {
    uint32_t hash = cg_ties_host_hash(host);
    struct cg_tied_member *member;
    while ((member = cg_lookup_next(&ties->by_host, hash, at)) != NULL) {
        if (cg_addr_same_host(&member->alone->at, host)) return member;
    }
    return NULL;
}

/* Without memory some are not found by their address: they are renewed some time. */
static void index_anew(struct cg_ties *ties) {
    cg_lookup_fini(&ties->by_host);
    ties->by_host = (struct cg_lookup){0};
    for (struct cg_tied_member *member = ties->members; member != NULL; member = member->next) {
        if (member->alone == NULL) continue;
        if (!cg_lookup_add(&ties->by_host, cg_ties_host_hash(&member->alone->at), member)) return;
    }
}

/* Nothing is taken out of the index, so it is made anew when half of it is where somebody was before. */
static void move(struct cg_ties *ties, struct cg_tied_member *member, const struct cg_addr *to) {
    bool stays = cg_addr_same_host(&member->alone->at, to);
    member->alone->at = *to;
    if (stays) return;
    bool is_full = ties->by_host.used > 2 * ties->alone_count;
    if (is_full || !cg_lookup_add(&ties->by_host, cg_ties_host_hash(to), member)) index_anew(ties);
}

/* All of them */

struct cg_ties *cg_ties_new(void) {
    struct cg_ties *ties = calloc(1, sizeof *ties);
    if (ties != NULL) ties->references = 1;
    return ties;
}

void cg_ties_unref(struct cg_ties *ties) {
    if (ties == NULL || --ties->references > 0) return;
    while (ties->members != NULL) {
        struct cg_tied_member *member = ties->members;
        ties->members = member->next;
        free_member(member);
    }
    forget_requests(&ties->requests);
    cg_lookup_fini(&ties->by_fingerprint);
    cg_lookup_fini(&ties->by_host);
    cg_forgeries_fini(&ties->forgeries);
    free(ties);
}

static void follow_up(struct cg_ties *ties, struct cg_tied_request *request, uint64_t now_us) {
    struct cg_tied_member *member = cg_ties_member(ties, cg_tied_identity(request));
    if (member == NULL) return;
    if (member->alone == NULL) {
        struct cg_addr at = {0};
        member->alone = calloc(1, sizeof *member->alone);
        if (member->alone == NULL) return;
        ties->alone_count++;
        if (request->epoch != NULL && cg_epoch_expect_address(request->epoch, cg_tied_identity(request), &at))
            move(ties, member, &at);
    }
    put_latest(&member->alone->requests, request);
    forget_answered(member, now_us);
}

/* Most requests are joined by none, and need not be found but by their binding. */
static void list(struct cg_ties *ties, struct cg_tied_request *request, uint64_t now_us) {
    if (request->listed || request->number == 0) return;
    request->listed = true;
    if (request->for_one) {
        follow_up(ties, request, now_us);
    } else {
        put_latest(&ties->requests, request);
    }
}

struct cg_ties *cg_ties_join(struct cg_ties *ties, struct cg_tied_request *earlier, uint64_t now_us) {
    ties->references++;
    list(ties, earlier, now_us);
    return ties;
}

void cg_ties_sent(struct cg_ties *ties, struct cg_tied_request *request, uint64_t now_us) {
    if (request->number == 0) request->number = ++ties->last;
    if (ties->references > 1) list(ties, request, now_us);
}

/* Answers */

const struct cg_oscore_answers *cg_tied_answers(const struct cg_tied_member *member,
                                                const struct cg_tied_request *request, uint64_t now_us) {
    static const struct cg_oscore_answers none;
    if (request->number == member->request) return &member->answers;
    if (request->number > member->request) return &none;
    return is_heard_to_older(member, now_us) ? member->before : NULL;
}

/* What it has answered so far becomes what it had answered before. Without memory it had not. */
static void go_on_to(struct cg_tied_member *member, uint64_t request, uint64_t now_us) {
    if (member->answers.known) {
        if (member->before == NULL) member->before = malloc(sizeof *member->before);
        if (member->before != NULL) {
            *member->before = member->answers;
            member->before->bare = true; /* a response without Partial IV answers one request alone */
        }
    }
    member->request = request;
    member->since_us = now_us;
}

bool cg_ties_accept(struct cg_ties *ties, struct cg_tied_member *member, const struct cg_tied_request *request,
                    const struct cg_oscore_answers *answers, const struct cg_addr *from, uint64_t now_us) {
    if (request->number < member->request) {
        *member->before = *answers;
        return true;
    }
    if (request->number > member->request) go_on_to(member, request->number, now_us);
    member->answers = *answers;
    if (member->alone != NULL) move(ties, member, from);
    forget_answered(member, now_us);
    return false;
}
