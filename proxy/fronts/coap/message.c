/* The message layer. The hard thing is what the front does while it hears of something: it may answer, send, give back
 * its last hold or prove the address, so a remote that something is being told about is looked at only afterwards, by
 * `settle`: whether it stays, rests or is forgotten. */
#include "fronts/coap/message.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "fronts/coap/duplicates.h"
#include "fronts/coap/peers.h"
#include "fronts/coap/token.h"
#include "wire/envelope.h"
#include "wire/transmission.h"

enum {
    MEMORY = 64 << 20,
    PEERS = 100000,
    ROWS_A_TURN = 2000, /* forgotten */
    DUE_A_TURN = 256,   /* sent again */
    SWEEP_US = 1000000,
    SLICE_US = 1000,    /* from one slice to the next, where there is more */
    NO_MID_US = 1000000 /* until a Confirmable message is tried again for which there was no Message ID */
};

_Static_assert(CG_COAP_TOKEN_MAX == CG_EXTENDED_TOKEN_MAX, "tokens that are taken are tokens that are known");

/* The request that the front is hearing of. */
struct current {
    const struct cg_envelope *envelope;
    struct cg_coap_seen *seen;
    bool is_answered; /* or is to be soon */
    bool is_ignored;
};

struct cg_coap_messages {
    const struct cg_coap_peer_ops *ops;
    void *ctx;
    const struct cg_coap_host *host;
    void *host_ctx;
    struct cg_coap_peers peers;
    struct cg_coap_duplicates duplicates;
    struct cg_heap deadlines;
    struct cg_coap_soon *soon; /* acknowledgements that wait for their response */
    uint64_t armed_us;
    struct cg_coap_remote *inside; /* whom the front is hearing of: not freed before that is over */
    struct current current;
    struct cg_coap_counters counters;
    uint8_t scratch[CG_COAP_DATAGRAM_ROOM];
};

static uint64_t now_us(const struct cg_coap_messages *messages) { return messages->host->now_us(messages->host_ctx); }

static void arm(struct cg_coap_messages *messages, uint64_t at_us) {
    if (at_us >= messages->armed_us) return;
    messages->armed_us = at_us;
    messages->host->arm(messages->host_ctx, at_us);
}

/* ---- Bytes out ---- */

static size_t room(const struct cg_coap_path *path) {
    const struct cg_coap_transport_ops *ops = path->transport->ops;
    size_t of_transport = ops->room == NULL ? CG_COAP_DATAGRAM_ROOM : ops->room(path);
    return of_transport < CG_COAP_DATAGRAM_ROOM ? of_transport : CG_COAP_DATAGRAM_ROOM;
}

static int transmit(struct cg_coap_messages *messages, const struct cg_coap_path *path, struct cg_slice datagram) {
    int err = path->transport->ops->send(path, datagram);
    messages->counters.sent += err == CG_OK;
    messages->counters.dropped += err != CG_OK;
    return err;
}

static void transmit_empty(struct cg_coap_messages *messages, const struct cg_coap_path *path, enum cg_type type,
                           uint16_t mid) {
    const struct cg_envelope empty = {.type = (uint8_t)type, .code = CG_EMPTY, .mid = mid};
    uint8_t bytes[4];
    int len = cg_envelope_emit(&empty, bytes, sizeof bytes);
    CG_CHECK(len == sizeof bytes);
    (void)transmit(messages, path, cg_slice_of(bytes, sizeof bytes));
}

static void reject(struct cg_coap_messages *messages, const struct cg_coap_path *path, uint16_t mid) {
    messages->counters.rejected++;
    transmit_empty(messages, path, CG_RST, mid);
}

static int emit(struct cg_coap_messages *messages, const struct cg_coap_path *path,
                const struct cg_coap_message *message, enum cg_type type, uint16_t mid) {
    const struct cg_envelope envelope = {.type = (uint8_t)type,
                                         .code = message->code,
                                         .mid = mid,
                                         .token = message->token,
                                         .options = message->options,
                                         .payload = message->payload};
    return cg_envelope_emit(&envelope, messages->scratch, room(path));
}

/* ---- Whether a peer stays ---- */

static void forget(struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    messages->ops->gone(messages->ctx, &remote->peer);
    cg_heap_remove(&messages->deadlines, &remote->due);
    (void)cg_coap_soon_take(&messages->soon, &remote->soon);
    cg_coap_remote_free(&messages->peers, remote);
}

static void settle(struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    if (messages->inside == remote || remote->peer.path.session != NULL) return;
    if (remote->peer.holds > 0 || remote->confirm.count > 0 || remote->soon.until_us != 0) {
        cg_coap_remote_rouse(&messages->peers, remote);
    } else if (remote->peer.path.proof == CG_COAP_PROVEN &&
               cg_coap_remote_rest(&messages->peers, remote, now_us(messages))) {
        arm(messages, remote->rests_until_us);
    } else {
        forget(messages, remote);
    }
}

static const struct cg_coap_layer layer; /* below */

static struct cg_coap_remote *remote_of(struct cg_coap_peer *peer) {
    return CG_CONTAINER(peer, struct cg_coap_remote, peer);
}

static struct cg_coap_remote *new_peer(struct cg_coap_messages *messages, const struct cg_coap_path *path) {
    struct cg_coap_remote *goes = path->session == NULL ? cg_coap_peers_first_to_go(&messages->peers) : NULL;
    if (goes != NULL) forget(messages, goes);
    if (path->session == NULL && cg_coap_peers_are_full(&messages->peers)) return NULL;
    struct cg_coap_remote *remote = cg_coap_peers_add(&messages->peers, path);
    if (remote == NULL) return NULL;
    remote->peer.layer = &layer;
    remote->messages = messages;
    messages->host->random(messages->host_ctx, &remote->mids.next, sizeof remote->mids.next);
    return remote;
}

/* ---- Acknowledgements that wait for their response ---- */

/* NULL: it had to give way. */
static struct cg_coap_seen *seen_of_soon(struct cg_coap_messages *messages, const struct cg_coap_remote *remote) {
    return cg_coap_seen_find(&messages->duplicates, remote->number, remote->soon.mid, now_us(messages));
}

/* It goes without. */
static void send_ahead(struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    if (!cg_coap_soon_take(&messages->soon, &remote->soon)) return;
    struct cg_coap_seen *seen = seen_of_soon(messages, remote);
    if (seen != NULL) seen->reply = CG_COAP_ACKNOWLEDGED;
    transmit_empty(messages, &remote->peer.path, CG_ACK, remote->soon.mid);
}

/* Of those that are not proven nothing is remembered. */
static void remember_answer(struct cg_coap_messages *messages, const struct cg_coap_remote *remote,
                            struct cg_coap_seen *seen, struct cg_slice bytes) {
    if (remote->peer.path.proof == CG_COAP_PROVEN) {
        cg_coap_seen_answered(&messages->duplicates, seen, bytes);
    } else {
        cg_coap_seen_forget(&messages->duplicates, seen);
    }
}

/* Where it gets lost, the client asks again, and gets the same. */
static int send_within(struct cg_coap_messages *messages, struct cg_coap_remote *remote,
                       const struct cg_coap_message *response) {
    int len = emit(messages, &remote->peer.path, response, CG_ACK, remote->soon.mid);
    if (len < 0) return len;
    const struct cg_slice bytes = cg_slice_of(messages->scratch, (size_t)len);
    struct cg_coap_seen *seen = seen_of_soon(messages, remote);
    (void)cg_coap_soon_take(&messages->soon, &remote->soon);
    if (seen != NULL) remember_answer(messages, remote, seen, bytes);
    (void)transmit(messages, &remote->peer.path, bytes);
    settle(messages, remote);
    return CG_OK;
}

static void expect(struct cg_coap_peer *peer) {
    struct cg_coap_remote *remote = remote_of(peer);
    struct cg_coap_messages *messages = remote->messages;
    struct current *current = &messages->current;
    CG_CHECK(messages->inside == remote && current->envelope != NULL && !current->is_answered);
    if (current->envelope->type != CG_CON) return;
    current->is_answered = true;
    arm(messages, cg_coap_soon_put(&messages->soon, &remote->soon, current->envelope->mid, current->envelope->token,
                                   now_us(messages)));
}

static void ignore(struct cg_coap_peer *peer) {
    struct cg_coap_remote *remote = remote_of(peer);
    struct cg_coap_messages *messages = remote->messages;
    if (messages->inside == remote && messages->current.envelope != NULL) {
        CG_CHECK(!messages->current.is_answered);
        messages->current.is_ignored = true;
        return;
    }
    struct cg_coap_seen *seen = remote->soon.until_us == 0 ? NULL : seen_of_soon(messages, remote);
    (void)cg_coap_soon_take(&messages->soon, &remote->soon);
    if (seen != NULL) cg_coap_seen_forget(&messages->duplicates, seen);
    settle(messages, remote);
}

/* ---- Confirmable messages of ours ---- */

static void set_due(struct cg_coap_messages *messages, struct cg_coap_remote *remote, uint64_t at_us) {
    cg_heap_set(&messages->deadlines, &remote->due, at_us);
    arm(messages, at_us);
}

/* The next one goes, where none is under way. */
static void pump(struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    const struct cg_coap_confirmable *first = remote->confirm.first;
    uint64_t now = now_us(messages);
    uint16_t mid;
    uint32_t random;
    if (first == NULL || first->timeout_us != 0) return;
    if (!cg_coap_mid_take(&remote->mids, now, CG_EXCHANGE_LIFETIME_US, &mid)) {
        set_due(messages, remote, now + NO_MID_US);
        return;
    }
    messages->host->random(messages->host_ctx, &random, sizeof random);
    set_due(messages, remote, cg_coap_confirm_launch(&remote->confirm, mid, random, now));
    (void)transmit(messages, &remote->peer.path, cg_coap_confirmable_bytes(first));
}

enum outcome { ACKNOWLEDGED, LOST };

/* The one under way is done with. */
static void conclude(struct cg_coap_messages *messages, struct cg_coap_remote *remote, enum outcome outcome) {
    struct cg_coap_confirmable *message = cg_coap_confirm_pop(&remote->confirm);
    struct cg_slice token = cg_coap_confirmable_token(message);
    cg_heap_remove(&messages->deadlines, &remote->due);
    if (outcome == LOST) cg_coap_confirm_drop(&remote->confirm, token);
    messages->inside = remote;
    (outcome == LOST ? messages->ops->lost : messages->ops->acknowledged)(messages->ctx, &remote->peer, token);
    messages->inside = NULL;
    free(message);
    pump(messages, remote);
    settle(messages, remote);
}

static void on_due(struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    uint64_t again_us;
    const struct cg_coap_confirmable *first = remote->confirm.first;
    if (first == NULL || first->timeout_us == 0) { /* it waited for a Message ID, and may be unwanted by now */
        pump(messages, remote);
    } else if (cg_coap_confirm_again(&remote->confirm, now_us(messages), &again_us)) {
        set_due(messages, remote, again_us);
        messages->counters.retransmissions++;
        (void)transmit(messages, &remote->peer.path, cg_coap_confirmable_bytes(remote->confirm.first));
    } else {
        messages->counters.unacknowledged++;
        conclude(messages, remote, LOST);
    }
}

/* ---- Empty messages that came ---- */

static void on_reset(struct cg_coap_messages *messages, struct cg_coap_remote *remote, uint16_t mid) {
    struct cg_slice found;
    struct cg_coap_token token;
    messages->counters.resets++;
    if (cg_coap_confirm_is(&remote->confirm, mid)) {
        conclude(messages, remote, LOST);
    } else if (cg_coap_sent_find(&remote->sent, mid, &found) && cg_coap_token_set(&token, found)) {
        cg_coap_confirm_drop(&remote->confirm, cg_coap_token_slice(&token));
        messages->inside = remote;
        messages->ops->lost(messages->ctx, &remote->peer, cg_coap_token_slice(&token));
        messages->inside = NULL;
        settle(messages, remote);
    }
}

/* ---- What came ---- */

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
    reject(arrival->messages, arrival->path, arrival->envelope.mid);
}

static void on_empty(struct arrival *arrival) {
    const struct cg_envelope *envelope = &arrival->envelope;
    if (envelope->type == CG_CON || envelope->type == CG_NON) {
        turn_down(arrival);
    } else if (arrival->reached == CG_COAP_BY_UNICAST && arrival->remote != NULL) {
        if (envelope->type == CG_RST) {
            on_reset(arrival->messages, arrival->remote, envelope->mid);
        } else if (cg_coap_confirm_is(&arrival->remote->confirm, envelope->mid)) {
            conclude(arrival->messages, arrival->remote, ACKNOWLEDGED);
        }
    }
}

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
    int len = emit(messages, arrival->path, &response, envelope->type == CG_CON ? CG_ACK : CG_NON, mid);
    if (len >= 0) (void)transmit(messages, arrival->path, cg_slice_of(messages->scratch, (size_t)len));
}

/* Of a Non-confirmable request nothing is said twice. */
static void repeat(struct arrival *arrival, const struct cg_coap_seen *seen) {
    arrival->messages->counters.duplicates++;
    if (arrival->envelope.type != CG_CON || arrival->reached == CG_COAP_BY_MULTICAST) return;
    if (seen->reply == CG_COAP_ACKNOWLEDGED) {
        transmit_empty(arrival->messages, arrival->path, CG_ACK, arrival->envelope.mid);
    } else if (seen->answer != NULL) {
        (void)transmit(arrival->messages, arrival->path, cg_slice_of(seen->answer, seen->answer_len));
    }
}

/* Looked at when a request comes: what runs for it goes on. */
static void let_proof_age(const struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    if (remote->proven_until_us == 0 || now_us(messages) < remote->proven_until_us) return;
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
    transmit_empty(messages, &arrival->remote->peer.path, CG_ACK, arrival->envelope.mid);
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
    messages->current = (struct current){.envelope = envelope, .seen = seen};
    send_ahead(messages, arrival->remote); /* a token may be in use anew from here on */
    messages->inside = arrival->remote;
    messages->ops->request(messages->ctx, &arrival->remote->peer, &request);
    acknowledge(arrival);
    messages->inside = NULL;
    bool is_soon = arrival->remote->soon.until_us != 0;
    bool is_done = (messages->current.is_answered && !is_soon) || arrival->remote->peer.holds == 0;
    if (messages->current.is_ignored || (arrival->remote->peer.path.proof == CG_COAP_UNPROVEN && is_done)) {
        cg_coap_seen_forget(&messages->duplicates, seen);
    } else {
        arm(messages, seen->until_us);
    }
    messages->current = (struct current){0};
    settle(messages, arrival->remote);
}

static void on_new_request(struct arrival *arrival) {
    struct cg_coap_messages *messages = arrival->messages;
    const struct cg_coap_remote *known = arrival->remote;
    if (known == NULL) arrival->remote = new_peer(messages, arrival->path);
    struct cg_coap_seen *seen = NULL;
    if (arrival->remote != NULL) {
        seen = cg_coap_seen_add(&messages->duplicates, arrival->remote->number, arrival->envelope.mid,
                                &arrival->path->from, now_us(messages));
    }
    if (seen != NULL) {
        hand_on(arrival, seen);
    } else {
        refuse(arrival, CG_CODE(5, 3));
        if (known == NULL && arrival->remote != NULL) forget(messages, arrival->remote);
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
        seen = cg_coap_seen_find(&messages->duplicates, arrival->remote->number, envelope->mid, now_us(messages));
    }
    if (seen != NULL) {
        repeat(arrival, seen);
    } else {
        on_new_request(arrival);
    }
}

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
    struct arrival arrival = {
        .messages = messages, .path = path, .remote = cg_coap_peers_find(&messages->peers, path), .reached = reached};
    take(&arrival, datagram);
}

/* ---- Sessions ---- */

struct cg_coap_peer *cg_coap_messages_begin(struct cg_coap_messages *messages, const struct cg_coap_path *path) {
    CG_CHECK(path->session != NULL);
    struct cg_coap_remote *remote = new_peer(messages, path);
    return remote == NULL ? NULL : &remote->peer;
}

void cg_coap_messages_take_from(struct cg_coap_peer *peer, struct cg_slice datagram) {
    struct cg_coap_remote *remote = remote_of(peer);
    struct arrival arrival = {
        .messages = remote->messages, .path = &remote->peer.path, .remote = remote, .reached = CG_COAP_BY_UNICAST};
    take(&arrival, datagram);
}

void cg_coap_messages_end(struct cg_coap_peer *peer) {
    struct cg_coap_remote *remote = remote_of(peer);
    CG_CHECK(remote->peer.path.session != NULL && remote->messages->inside != remote);
    forget(remote->messages, remote);
}

/* ---- The front's side ---- */

static void answer(struct cg_coap_peer *peer, const struct cg_coap_message *response) {
    struct cg_coap_remote *remote = remote_of(peer);
    struct cg_coap_messages *messages = remote->messages;
    struct current *current = &messages->current;
    CG_CHECK(messages->inside == remote && current->envelope != NULL && !current->is_answered);
    const enum cg_type type = current->envelope->type == CG_CON ? CG_ACK : CG_NON;
    uint16_t mid = current->envelope->mid;
    current->is_answered = true;
    if (type == CG_NON && !cg_coap_mid_take(&remote->mids, now_us(messages), CG_NON_LIFETIME_US, &mid)) {
        messages->counters.dropped++;
        return;
    }
    int len = emit(messages, &remote->peer.path, response, type, mid);
    if (len < 0) { /* the client is to hear something */
        const struct cg_coap_message instead = {.code = CG_CODE(5, 0), .token = response->token};
        len = emit(messages, &remote->peer.path, &instead, type, mid);
    }
    CG_CHECK(len >= 0);
    const struct cg_slice bytes = cg_slice_of(messages->scratch, (size_t)len);
    if (type == CG_NON) {
        cg_coap_sent_note(&remote->sent, mid, response->token);
    } else if (remote->peer.path.proof == CG_COAP_PROVEN) { /* of others nothing is remembered */
        cg_coap_seen_answered(&messages->duplicates, current->seen, bytes);
    }
    (void)transmit(messages, &remote->peer.path, bytes);
}

static int send_confirmable(struct cg_coap_messages *messages, struct cg_coap_remote *remote,
                            const struct cg_coap_message *response) {
    int len = emit(messages, &remote->peer.path, response, CG_CON, 0);
    if (len < 0) return len;
    const size_t behind = (size_t)len - response->options.len - response->payload.len - (response->payload.len > 0);
    const struct cg_slice token = cg_slice_of(messages->scratch + behind - response->token.len, response->token.len);
    int err = cg_coap_confirm_put(&remote->confirm, cg_slice_of(messages->scratch, (size_t)len), token);
    if (err < 0) return err;
    pump(messages, remote);
    settle(messages, remote);
    return CG_OK;
}

static int send_once(struct cg_coap_messages *messages, struct cg_coap_remote *remote,
                     const struct cg_coap_message *response) {
    uint16_t mid;
    int len = emit(messages, &remote->peer.path, response, CG_NON, remote->mids.next);
    if (len < 0) return len;
    if (!cg_coap_mid_take(&remote->mids, now_us(messages), CG_NON_LIFETIME_US, &mid)) return CG_E_OVERLOAD;
    int err = transmit(messages, &remote->peer.path, cg_slice_of(messages->scratch, (size_t)len));
    if (err == CG_OK) cg_coap_sent_note(&remote->sent, mid, response->token);
    return err;
}

static int send_message(struct cg_coap_peer *peer, const struct cg_coap_message *response, enum cg_type type) {
    struct cg_coap_remote *remote = remote_of(peer);
    if (type == CG_CON && cg_coap_soon_is(&remote->soon, response->token))
        return send_within(remote->messages, remote, response);
    return (type == CG_CON ? send_confirmable : send_once)(remote->messages, remote, response);
}

static void settle_peer(struct cg_coap_peer *peer) {
    struct cg_coap_remote *remote = remote_of(peer);
    settle(remote->messages, remote);
}

static void prove(struct cg_coap_peer *peer) {
    struct cg_coap_remote *remote = remote_of(peer);
    peer->path.proof = CG_COAP_PROVEN;
    remote->proven_until_us = now_us(remote->messages) + CG_COAP_PROOF_US;
}

static size_t room_of(const struct cg_coap_peer *peer) {
    size_t goes = room(&peer->path);
    return goes < CG_COAP_MESSAGE_MAX ? goes : CG_COAP_MESSAGE_MAX;
}

static const struct cg_coap_layer layer = {.answer = answer,
                                           .expect = expect,
                                           .ignore = ignore,
                                           .send = send_message,
                                           .prove = prove,
                                           .room = room_of,
                                           .settle = settle_peer};

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
    cg_coap_peers_init(&messages->peers, options->peers == 0 ? PEERS : options->peers);
    cg_coap_duplicates_init(&messages->duplicates, options->memory == 0 ? MEMORY : options->memory);
    return messages;
}

/* When there is more: the earliest deadline, or at once. */
static uint64_t do_due(struct cg_coap_messages *messages, uint64_t now) {
    const struct cg_deadline *first;
    for (unsigned left = DUE_A_TURN; (first = cg_heap_first(&messages->deadlines)) != NULL; left--) {
        if (first->at_us > now) return first->at_us;
        if (left == 0) return now;
        struct cg_coap_remote *remote =
            CG_CONTAINER((struct cg_deadline *)(uintptr_t)first, struct cg_coap_remote, due);
        cg_heap_remove(&messages->deadlines, &remote->due);
        on_due(messages, remote);
    }
    return UINT64_MAX;
}

/* As do_due. */
static uint64_t do_soon(struct cg_coap_messages *messages, uint64_t now) {
    for (unsigned left = DUE_A_TURN; messages->soon != NULL; left--) {
        if (now < messages->soon->until_us) return messages->soon->until_us;
        if (left == 0) return now;
        struct cg_coap_remote *remote = CG_CONTAINER(messages->soon, struct cg_coap_remote, soon);
        send_ahead(messages, remote);
        settle(messages, remote);
    }
    return UINT64_MAX;
}

static uint64_t sweep_peers(struct cg_coap_messages *messages, uint64_t now) {
    for (unsigned left = ROWS_A_TURN; messages->peers.resting != NULL; left--) {
        if (now < messages->peers.resting->rests_until_us) return messages->peers.resting->rests_until_us;
        if (left == 0) return now;
        forget(messages, messages->peers.resting);
    }
    return UINT64_MAX;
}

/* Rows are forgotten some at a time, not each as its time is over. */
static uint64_t later(uint64_t at_us, uint64_t now) {
    return at_us > now && at_us < UINT64_MAX ? at_us + SWEEP_US : at_us;
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

void cg_coap_messages_turn(struct cg_coap_messages *messages) {
    const uint64_t now = now_us(messages);
    messages->armed_us = UINT64_MAX;
    uint64_t next = earlier(do_due(messages, now), do_soon(messages, now));
    next = earlier(next, later(cg_coap_duplicates_sweep(&messages->duplicates, now, ROWS_A_TURN), now));
    next = earlier(next, later(sweep_peers(messages, now), now));
    if (next != UINT64_MAX) arm(messages, next < now + SLICE_US ? now + SLICE_US : next);
}

const struct cg_coap_counters *cg_coap_messages_counters(const struct cg_coap_messages *messages) {
    return &messages->counters;
}

uint64_t cg_coap_messages_forgotten(const struct cg_coap_messages *messages) { return messages->duplicates.forgotten; }
size_t cg_coap_messages_peers(const struct cg_coap_messages *messages) { return HASH_COUNT(messages->peers.by_path); }

void cg_coap_messages_free(struct cg_coap_messages *messages) {
    if (messages == NULL) return;
    while (messages->peers.by_path != NULL) forget(messages, messages->peers.by_path);
    cg_coap_duplicates_fini(&messages->duplicates);
    cg_coap_shares_fini(&messages->peers.shares);
    cg_heap_fini(&messages->deadlines);
    free(messages);
}
