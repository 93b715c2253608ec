/* What comes from clients by datagrams: each is an empty message, a request that is new or was there before, or nothing
 * that a client may send. */
#include "base/check.h"
#include "fronts/coap/message_inside.h"
#include "fronts/coap/token.h"
#include "wire/transmission.h"

/* ---- Empty messages ---- */

static void on_reset(struct cg_coap_messages *messages, struct cg_coap_remote *remote, uint16_t mid) {
    struct cg_slice found;
    struct cg_coap_token token;
    messages->counters.resets++;
    if (cg_coap_confirm_is(&remote->confirm, mid)) {
        cg_coap_remote_conclude(messages, remote, CG_COAP_LOST);
    } else if (cg_coap_sent_find(&remote->sent, mid, &found) && cg_coap_token_set(&token, found)) {
        cg_coap_confirm_drop(&remote->confirm, cg_coap_token_slice(&token));
        messages->inside = remote;
        messages->ops->lost(messages->ctx, &remote->peer, cg_coap_token_slice(&token));
        messages->inside = NULL;
        cg_coap_remote_settle(messages, remote);
    }
}

struct arrival {
    struct cg_coap_messages *messages;
    const struct cg_coap_path *path;
    struct cg_coap_remote *remote; /* NULL: it is not known yet */
    enum cg_coap_reached reached;
    size_t size;
    struct cg_envelope envelope;
};

/* A message that has no place here: a Confirmable one is rejected, any other ignored (RFC 7252 §4.2, §4.3); to a group
 * nobody answers (§8.1). */
static void turn_down(struct arrival *arrival) {
    if (arrival->reached == CG_COAP_BY_MULTICAST || arrival->envelope.type != CG_CON) return;
    cg_coap_messages_reject(arrival->messages, arrival->path, arrival->envelope.mid);
}

static void on_empty(struct arrival *arrival) {
    const struct cg_envelope *envelope = &arrival->envelope;
    if (envelope->type == CG_CON || envelope->type == CG_NON) {
        turn_down(arrival);
    } else if (arrival->reached == CG_COAP_BY_UNICAST && arrival->remote != NULL) {
        if (envelope->type == CG_RST) {
            on_reset(arrival->messages, arrival->remote, envelope->mid);
        } else if (cg_coap_confirm_is(&arrival->remote->confirm, envelope->mid)) {
            cg_coap_remote_conclude(arrival->messages, arrival->remote, CG_COAP_CONFIRMED);
        }
    }
}

/* ---- Requests ---- */

static bool is_proven(const struct arrival *arrival) {
    return (arrival->remote != NULL ? arrival->remote->peer.path.proof : arrival->path->proof) == CG_COAP_PROVEN;
}

/* A request that no peer answers for. Whoever has not shown that its address is real gets nothing. */
static void refuse(struct arrival *arrival, uint8_t code) {
    struct cg_coap_messages *messages = arrival->messages;
    const struct cg_envelope *envelope = &arrival->envelope;
    messages->counters.refused++;
    if (arrival->reached == CG_COAP_BY_MULTICAST || !is_proven(arrival)) return;
    uint16_t mid = envelope->mid;
    if (envelope->type == CG_NON) messages->host->random(messages->host_ctx, &mid, sizeof mid);
    const struct cg_coap_message response = {.code = code, .token = envelope->token};
    int len =
        cg_coap_messages_emit(messages, arrival->path, &response, envelope->type == CG_CON ? CG_ACK : CG_NON, mid);
    if (len >= 0) (void)cg_coap_messages_transmit(messages, arrival->path, cg_slice_of(messages->scratch, (size_t)len));
}

/* Of a Non-confirmable request nothing is said twice. */
static void repeat(struct arrival *arrival, const struct cg_coap_seen *seen) {
    arrival->messages->counters.duplicates++;
    if (arrival->envelope.type != CG_CON || arrival->reached == CG_COAP_BY_MULTICAST) return;
    if (seen->reply == CG_COAP_ACKNOWLEDGED) {
        cg_coap_messages_transmit_empty(arrival->messages, arrival->path, CG_ACK, arrival->envelope.mid);
    } else if (seen->answer != NULL) {
        (void)cg_coap_messages_transmit(arrival->messages, arrival->path, cg_slice_of(seen->answer, seen->answer_len));
    }
}

/* Looked at when a request comes: what runs for it goes on. */
static void let_proof_age(const struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    if (remote->proven_until_us == 0 || cg_coap_messages_now(messages) < remote->proven_until_us) return;
    remote->peer.path.proof = CG_COAP_UNPROVEN;
    remote->proven_until_us = 0;
}

/* Nothing more is said to whoever has not shown that its address is real than the front wanted to. */
static void acknowledge(const struct arrival *arrival) {
    struct cg_coap_messages *messages = arrival->messages;
    if (messages->current.is_answered || messages->current.is_ignored || arrival->envelope.type != CG_CON ||
        !is_proven(arrival))
        return;
    messages->current.seen->reply = CG_COAP_ACKNOWLEDGED;
    cg_coap_messages_transmit_empty(messages, &arrival->remote->peer.path, CG_ACK, arrival->envelope.mid);
}

static void hand_on(struct arrival *arrival, struct cg_coap_seen *seen) {
    struct cg_coap_messages *messages = arrival->messages;
    const struct cg_envelope *envelope = &arrival->envelope;
    const struct cg_coap_request request = {.message = {.code = envelope->code,
                                                        .token = envelope->token,
                                                        .options = envelope->options,
                                                        .payload = envelope->payload},
                                            .type = (enum cg_type)envelope->type,
                                            .size = arrival->size,
                                            .reached = arrival->reached};
    messages->counters.requests++;
    messages->current = (struct cg_coap_current){.envelope = envelope, .seen = seen};
    cg_coap_remote_send_ahead(messages, arrival->remote); /* a token may be in use anew from here on */
    messages->inside = arrival->remote;
    messages->ops->request(messages->ctx, &arrival->remote->peer, &request);
    acknowledge(arrival);
    messages->inside = NULL;
    bool is_soon = arrival->remote->soon.until_us != 0;
    bool is_done = (messages->current.is_answered && !is_soon) || arrival->remote->peer.holds == 0;
    if (messages->current.is_ignored || (arrival->remote->peer.path.proof == CG_COAP_UNPROVEN && is_done)) {
        cg_coap_seen_forget(&messages->duplicates, seen);
    } else {
        cg_coap_messages_arm(messages, seen->until_us);
    }
    messages->current = (struct cg_coap_current){0};
    cg_coap_remote_settle(messages, arrival->remote);
}

static void on_new_request(struct arrival *arrival) {
    struct cg_coap_messages *messages = arrival->messages;
    const struct cg_coap_remote *known = arrival->remote;
    if (known == NULL) arrival->remote = cg_coap_remote_new(messages, arrival->path);
    struct cg_coap_seen *seen = NULL;
    if (arrival->remote != NULL) {
        seen = cg_coap_seen_add(&messages->duplicates, arrival->remote->number, arrival->envelope.mid,
                                &arrival->path->from, cg_coap_messages_now(messages));
    }
    if (seen != NULL) {
        hand_on(arrival, seen);
    } else {
        refuse(arrival, CG_CODE(5, 3));
        if (known == NULL && arrival->remote != NULL) cg_coap_remote_forget(messages, arrival->remote);
    }
}

static void on_request(struct arrival *arrival) {
    const struct cg_envelope *envelope = &arrival->envelope;
    struct cg_coap_messages *messages = arrival->messages;
    const struct cg_coap_seen *seen = NULL;
    bool is_confirmable_to_group = arrival->reached == CG_COAP_BY_MULTICAST && envelope->type == CG_CON;
    if (envelope->type == CG_ACK || envelope->type == CG_RST || is_confirmable_to_group) {
        messages->counters.malformed++; /* RFC 7252 §4.2, §8.1 */
        return;
    }
    if (arrival->remote != NULL) {
        let_proof_age(messages, arrival->remote);
        seen = cg_coap_seen_find(&messages->duplicates, arrival->remote->number, envelope->mid,
                                 cg_coap_messages_now(messages));
    }
    if (seen != NULL) {
        repeat(arrival, seen);
    } else {
        on_new_request(arrival);
    }
}

/* ---- Anything ---- */

/* Clients send requests and empty messages: a response can be one to nothing only, and other classes are reserved. */
static void on_other(struct arrival *arrival) {
    arrival->messages->counters.malformed += !cg_code_is_response(arrival->envelope.code);
    turn_down(arrival);
}

static void on_malformed(struct arrival *arrival) {
    arrival->messages->counters.malformed++;
    turn_down(arrival);
}

static void take(struct arrival *arrival, struct cg_slice datagram) {
    struct cg_envelope *envelope = &arrival->envelope;
    int err = cg_envelope_parse(envelope, datagram);
    arrival->size = datagram.len;
    arrival->messages->counters.received++;
    if (err == CG_OK && envelope->code == CG_EMPTY) {
        on_empty(arrival);
    } else if (err == CG_OK && cg_code_is_request(envelope->code)) {
        on_request(arrival);
    } else if (err == CG_E_TOO_BIG && cg_code_is_request(envelope->code) && envelope->type <= CG_NON) {
        refuse(arrival, CG_CODE(4, 0)); /* RFC 8974 §2.2.2 */
    } else if (err == CG_E_FORMAT) {
        on_malformed(arrival);
    } else {
        on_other(arrival);
    }
}

void cg_coap_messages_take(struct cg_coap_messages *messages, const struct cg_coap_path *path,
                           enum cg_coap_reached reached, struct cg_slice datagram) {
    CG_CHECK(path->session == NULL);
    struct arrival arrival = {.messages = messages,
                              .path = path,
                              .remote = cg_coap_remotes_find(&messages->remotes, path),
                              .reached = reached};
    take(&arrival, datagram);
}

void cg_coap_messages_take_from(struct cg_coap_peer *peer, struct cg_slice datagram) {
    struct cg_coap_remote *remote = cg_coap_remote_of(peer);
    struct arrival arrival = {
        .messages = remote->messages, .path = &remote->peer.path, .remote = remote, .reached = CG_COAP_BY_UNICAST};
    take(&arrival, datagram);
}
