/* The message layer as a whole: who is remembered, and when something is due. */
#include <stdlib.h>

#include "base/check.h"
#include "fronts/coap/message_inside.h"
#include "fronts/coap/token.h"
#include "wire/transmission.h"

enum {
    MEMORY = 64 << 20,
    REMOTES = 100000,
    ROWS_A_TURN = 2000, /* forgotten */
    DUE_A_TURN = 256,   /* sent again */
    SWEEP_US = 1000000,
    SLICE_US = 1000, /* from one slice to the next, where there is more */
};

_Static_assert(CG_COAP_TOKEN_MAX == CG_EXTENDED_TOKEN_MAX, "tokens that are taken are tokens that are known");

uint64_t cg_coap_messages_now(const struct cg_coap_messages *messages) {
    return messages->host->now_us(messages->host_ctx);
}

void cg_coap_messages_arm(struct cg_coap_messages *messages, uint64_t at_us) {
    if (at_us >= messages->armed_us) return;
    messages->armed_us = at_us;
    messages->host->arm(messages->host_ctx, at_us);
}

/* ---- Whether a peer stays ---- */

void cg_coap_remote_forget(struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    messages->ops->gone(messages->ctx, &remote->peer);
    cg_heap_remove(&messages->deadlines, &remote->due);
    (void)cg_coap_soon_take(&messages->soon, &remote->soon);
    cg_coap_remote_free(&messages->remotes, remote);
}

void cg_coap_remote_settle(struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    if (messages->inside == remote || remote->peer.path.session != NULL) return;
    if (remote->peer.holds > 0 || remote->confirm.count > 0 || remote->soon.until_us != 0) {
        cg_coap_remote_rouse(&messages->remotes, remote);
    } else if (remote->peer.path.proof == CG_COAP_PROVEN &&
               cg_coap_remote_rest(&messages->remotes, remote, cg_coap_messages_now(messages))) {
        cg_coap_messages_arm(messages, remote->rests_until_us);
    } else {
        cg_coap_remote_forget(messages, remote);
    }
}

struct cg_coap_remote *cg_coap_remote_new(struct cg_coap_messages *messages, const struct cg_coap_path *path) {
    struct cg_coap_remote *goes = path->session == NULL ? cg_coap_remotes_first_to_go(&messages->remotes) : NULL;
    if (goes != NULL) cg_coap_remote_forget(messages, goes);
    if (path->session == NULL && cg_coap_remotes_are_full(&messages->remotes)) return NULL;
    struct cg_coap_remote *remote = cg_coap_remotes_add(&messages->remotes, path);
    if (remote == NULL) return NULL;
    remote->peer.layer = &cg_coap_message_layer;
    remote->messages = messages;
    messages->host->random(messages->host_ctx, &remote->mids.next, sizeof remote->mids.next);
    return remote;
}

/* ---- Sessions ---- */

struct cg_coap_peer *cg_coap_messages_begin(struct cg_coap_messages *messages, const struct cg_coap_path *path) {
    CG_CHECK(path->session != NULL);
    struct cg_coap_remote *remote = cg_coap_remote_new(messages, path);
    return remote == NULL ? NULL : &remote->peer;
}

void cg_coap_messages_end(struct cg_coap_peer *peer) {
    struct cg_coap_remote *remote = cg_coap_remote_of(peer);
    CG_CHECK(remote->peer.path.session != NULL && remote->messages->inside != remote);
    cg_coap_remote_forget(remote->messages, remote);
}

/* ---- What is due ---- */

/* When there is more: the earliest deadline, or at once. */
static uint64_t do_due(struct cg_coap_messages *messages, uint64_t now) {
    const struct cg_deadline *first;
    for (unsigned left = DUE_A_TURN; (first = cg_heap_first(&messages->deadlines)) != NULL; left--) {
        if (first->at_us > now) return first->at_us;
        if (left == 0) return now;
        struct cg_coap_remote *remote =
            CG_CONTAINER((struct cg_deadline *)(uintptr_t)first, struct cg_coap_remote, due);
        cg_heap_remove(&messages->deadlines, &remote->due);
        cg_coap_remote_on_due(messages, remote);
    }
    return UINT64_MAX;
}

/* As do_due. */
static uint64_t do_soon(struct cg_coap_messages *messages, uint64_t now) {
    for (unsigned left = DUE_A_TURN; messages->soon != NULL; left--) {
        if (now < messages->soon->until_us) return messages->soon->until_us;
        if (left == 0) return now;
        struct cg_coap_remote *remote = CG_CONTAINER(messages->soon, struct cg_coap_remote, soon);
        cg_coap_remote_send_ahead(messages, remote);
        cg_coap_remote_settle(messages, remote);
    }
    return UINT64_MAX;
}

static uint64_t sweep_remotes(struct cg_coap_messages *messages, uint64_t now) {
    for (unsigned left = ROWS_A_TURN; messages->remotes.resting != NULL; left--) {
        if (now < messages->remotes.resting->rests_until_us) return messages->remotes.resting->rests_until_us;
        if (left == 0) return now;
        cg_coap_remote_forget(messages, messages->remotes.resting);
    }
    return UINT64_MAX;
}

/* Rows are forgotten some at a time, not each as its time is over. */
static uint64_t later(uint64_t at_us, uint64_t now) {
    return at_us > now && at_us < UINT64_MAX ? at_us + SWEEP_US : at_us;
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

void cg_coap_messages_turn(struct cg_coap_messages *messages) {
    const uint64_t now = cg_coap_messages_now(messages);
    messages->armed_us = UINT64_MAX;
    uint64_t next = earlier(do_due(messages, now), do_soon(messages, now));
    next = earlier(next, later(cg_coap_duplicates_sweep(&messages->duplicates, now, ROWS_A_TURN), now));
    next = earlier(next, later(sweep_remotes(messages, now), now));
    if (next != UINT64_MAX) cg_coap_messages_arm(messages, next < now + SLICE_US ? now + SLICE_US : next);
}

/* ---- All of it ---- */

struct cg_coap_messages *cg_coap_messages_new(const struct cg_coap_messages_options *options) {
    struct cg_coap_messages *messages = calloc(1, sizeof *messages);
    if (messages == NULL) return NULL;
    messages->ops = options->ops;
    messages->ctx = options->ctx;
    messages->host = options->host;
    messages->host_ctx = options->host_ctx;
    messages->armed_us = UINT64_MAX;
    cg_heap_init(&messages->deadlines);
    cg_coap_remotes_init(&messages->remotes, options->remotes == 0 ? REMOTES : options->remotes);
    cg_coap_duplicates_init(&messages->duplicates, options->memory == 0 ? MEMORY : options->memory);
    return messages;
}

const struct cg_coap_counters *cg_coap_messages_counters(const struct cg_coap_messages *messages) {
    return &messages->counters;
}

uint64_t cg_coap_messages_forgotten(const struct cg_coap_messages *messages) { return messages->duplicates.forgotten; }

size_t cg_coap_messages_remotes(const struct cg_coap_messages *messages) {
    return HASH_COUNT(messages->remotes.by_path);
}

void cg_coap_messages_free(struct cg_coap_messages *messages) {
    if (messages == NULL) return;
    while (messages->remotes.by_path != NULL) cg_coap_remote_forget(messages, messages->remotes.by_path);
    cg_coap_duplicates_fini(&messages->duplicates);
    cg_coap_shares_fini(&messages->remotes.shares);
    cg_heap_fini(&messages->deadlines);
    free(messages);
}
