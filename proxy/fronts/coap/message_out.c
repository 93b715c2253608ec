/* What goes to clients by datagrams: empty messages, responses, and those of them that are sent until they are
 * acknowledged (RFC 7252 §4.2). */
#include <utlist.h>

#include "base/check.h"
#include "fronts/coap/message_inside.h"
#include "fronts/coap/token.h"
#include "wire/transmission.h"

enum { NO_MID_US = 1000000 /* until a Confirmable message is tried again for which there was no Message ID */ };

/* ---- Bytes ---- */

static size_t room(const struct cg_coap_path *path) {
    const struct cg_coap_transport_ops *ops = path->transport->ops;
    size_t of_transport = ops->room == NULL ? CG_COAP_DATAGRAM_ROOM : ops->room(path);
    return of_transport < CG_COAP_DATAGRAM_ROOM ? of_transport : CG_COAP_DATAGRAM_ROOM;
}

int cg_coap_messages_transmit(struct cg_coap_messages *messages, const struct cg_coap_path *path,
                              struct cg_slice datagram) {
    int err = path->transport->ops->send(path, datagram);
    messages->counters.sent += err == CG_OK;
    messages->counters.dropped += err != CG_OK;
    return err;
}

void cg_coap_messages_transmit_empty(struct cg_coap_messages *messages, const struct cg_coap_path *path,
                                     enum cg_type type, uint16_t mid) {
    const struct cg_envelope empty = {.type = (uint8_t)type, .code = CG_EMPTY, .mid = mid};
    uint8_t bytes[4];
    int len = cg_envelope_emit(&empty, bytes, sizeof bytes);
    CG_CHECK(len == sizeof bytes);
    (void)cg_coap_messages_transmit(messages, path, cg_slice_of(bytes, sizeof bytes));
}

void cg_coap_messages_reject(struct cg_coap_messages *messages, const struct cg_coap_path *path, uint16_t mid) {
    messages->counters.rejected++;
    cg_coap_messages_transmit_empty(messages, path, CG_RST, mid);
}

int cg_coap_messages_emit(struct cg_coap_messages *messages, const struct cg_coap_path *path,
                          const struct cg_coap_message *message, enum cg_type type, uint16_t mid) {
    const struct cg_envelope envelope = {.type = (uint8_t)type,
                                         .code = message->code,
                                         .mid = mid,
                                         .token = message->token,
                                         .options = message->options,
                                         .payload = message->payload};
    return cg_envelope_emit(&envelope, messages->scratch, room(path));
}

/* ---- Acknowledgements that wait for their response ---- */

/* NULL: it had to give way. */
static struct cg_coap_seen *seen_of_soon(struct cg_coap_messages *messages, const struct cg_coap_remote *remote) {
    return cg_coap_seen_find(&messages->duplicates, remote->number, remote->soon.mid, cg_coap_messages_now(messages));
}

/* It goes without. */
void cg_coap_remote_send_ahead(struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    if (!cg_coap_soon_take(&messages->soon, &remote->soon)) return;
    struct cg_coap_seen *seen = seen_of_soon(messages, remote);
    if (seen != NULL) seen->reply = CG_COAP_ACKNOWLEDGED;
    cg_coap_messages_transmit_empty(messages, &remote->peer.path, CG_ACK, remote->soon.mid);
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
    int len = cg_coap_messages_emit(messages, &remote->peer.path, response, CG_ACK, remote->soon.mid);
    if (len < 0) return len;
    const struct cg_slice bytes = cg_slice_of(messages->scratch, (size_t)len);
    struct cg_coap_seen *seen = seen_of_soon(messages, remote);
    (void)cg_coap_soon_take(&messages->soon, &remote->soon);
    if (seen != NULL) remember_answer(messages, remote, seen, bytes);
    (void)cg_coap_messages_transmit(messages, &remote->peer.path, bytes);
    cg_coap_remote_settle(messages, remote);
    return CG_OK;
}

static void expect(struct cg_coap_peer *peer) {
    struct cg_coap_remote *remote = cg_coap_remote_of(peer);
    struct cg_coap_messages *messages = remote->messages;
    struct cg_coap_current *current = &messages->current;
    CG_CHECK(messages->inside == remote && current->envelope != NULL && !current->is_answered);
    if (current->envelope->type != CG_CON) return;
    current->is_answered = true;
    cg_coap_messages_arm(messages, cg_coap_soon_put(&messages->soon, &remote->soon, current->envelope->mid,
                                                    current->envelope->token, cg_coap_messages_now(messages)));
}

static void ignore(struct cg_coap_peer *peer) {
    struct cg_coap_remote *remote = cg_coap_remote_of(peer);
    struct cg_coap_messages *messages = remote->messages;
    if (messages->inside == remote && messages->current.envelope != NULL) {
        CG_CHECK(!messages->current.is_answered);
        messages->current.is_ignored = true;
        return;
    }
    struct cg_coap_seen *seen = remote->soon.until_us == 0 ? NULL : seen_of_soon(messages, remote);
    (void)cg_coap_soon_take(&messages->soon, &remote->soon);
    if (seen != NULL) cg_coap_seen_forget(&messages->duplicates, seen);
    cg_coap_remote_settle(messages, remote);
}

/* ---- Confirmable messages of ours ---- */

static void set_due(struct cg_coap_messages *messages, struct cg_coap_remote *remote, uint64_t at_us) {
    cg_heap_set(&messages->deadlines, &remote->due, at_us);
    cg_coap_messages_arm(messages, at_us);
}

/* The next one goes, where none is under way. */
static void pump(struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    const struct cg_coap_confirmable *first = remote->confirm.first;
    uint64_t now = cg_coap_messages_now(messages);
    uint16_t mid;
    uint32_t random;
    if (first == NULL || first->timeout_us != 0) return;
    if (!cg_coap_mid_take(&remote->mids, now, CG_EXCHANGE_LIFETIME_US, &mid)) {
        set_due(messages, remote, now + NO_MID_US);
        return;
    }
    messages->host->random(messages->host_ctx, &random, sizeof random);
    set_due(messages, remote, cg_coap_confirm_launch(&remote->confirm, mid, random, now));
    (void)cg_coap_messages_transmit(messages, &remote->peer.path, cg_coap_confirmable_bytes(first));
}

/* The one under way is done with. */
void cg_coap_remote_conclude(struct cg_coap_messages *messages, struct cg_coap_remote *remote,
                             enum cg_coap_outcome outcome) {
    struct cg_coap_confirmable *message = cg_coap_confirm_pop(&remote->confirm);
    struct cg_slice token = cg_coap_confirmable_token(message);
    cg_heap_remove(&messages->deadlines, &remote->due);
    if (outcome == CG_COAP_LOST) cg_coap_confirm_drop(&remote->confirm, token);
    messages->inside = remote;
    (outcome == CG_COAP_LOST ? messages->ops->lost : messages->ops->acknowledged)(messages->ctx, &remote->peer, token);
    messages->inside = NULL;
    free(message);
    pump(messages, remote);
    cg_coap_remote_settle(messages, remote);
}

void cg_coap_remote_on_due(struct cg_coap_messages *messages, struct cg_coap_remote *remote) {
    uint64_t again_us;
    const struct cg_coap_confirmable *first = remote->confirm.first;
    if (first == NULL || first->timeout_us == 0) { /* it waited for a Message ID, and may be unwanted by now */
        pump(messages, remote);
    } else if (cg_coap_confirm_again(&remote->confirm, cg_coap_messages_now(messages), &again_us)) {
        set_due(messages, remote, again_us);
        messages->counters.retransmissions++;
        (void)cg_coap_messages_transmit(messages, &remote->peer.path, cg_coap_confirmable_bytes(remote->confirm.first));
    } else {
        messages->counters.unacknowledged++;
        cg_coap_remote_conclude(messages, remote, CG_COAP_LOST);
    }
}

/* ---- The front's side ---- */

static void answer(struct cg_coap_peer *peer, const struct cg_coap_message *response) {
    struct cg_coap_remote *remote = cg_coap_remote_of(peer);
    struct cg_coap_messages *messages = remote->messages;
    struct cg_coap_current *current = &messages->current;
    CG_CHECK(messages->inside == remote && current->envelope != NULL && !current->is_answered);
    const enum cg_type type = current->envelope->type == CG_CON ? CG_ACK : CG_NON;
    uint16_t mid = current->envelope->mid;
    current->is_answered = true;
    if (type == CG_NON && !cg_coap_mid_take(&remote->mids, cg_coap_messages_now(messages), CG_NON_LIFETIME_US, &mid)) {
        messages->counters.dropped++;
        return;
    }
    int len = cg_coap_messages_emit(messages, &remote->peer.path, response, type, mid);
    if (len < 0) { /* the client is to hear something */
        const struct cg_coap_message instead = {.code = CG_CODE(5, 0), .token = response->token};
        len = cg_coap_messages_emit(messages, &remote->peer.path, &instead, type, mid);
    }
    CG_CHECK(len >= 0);
    const struct cg_slice bytes = cg_slice_of(messages->scratch, (size_t)len);
    if (type == CG_NON) {
        cg_coap_sent_note(&remote->sent, mid, response->token);
    } else if (remote->peer.path.proof == CG_COAP_PROVEN) { /* of others nothing is remembered */
        cg_coap_seen_answered(&messages->duplicates, current->seen, bytes);
    }
    (void)cg_coap_messages_transmit(messages, &remote->peer.path, bytes);
}

static int send_confirmable(struct cg_coap_messages *messages, struct cg_coap_remote *remote,
                            const struct cg_coap_message *response) {
    int len = cg_coap_messages_emit(messages, &remote->peer.path, response, CG_CON, 0);
    if (len < 0) return len;
    const size_t behind = (size_t)len - response->options.len - response->payload.len - (response->payload.len > 0);
    const struct cg_slice token = cg_slice_of(messages->scratch + behind - response->token.len, response->token.len);
    int err = cg_coap_confirm_put(&remote->confirm, cg_slice_of(messages->scratch, (size_t)len), token);
    if (err < 0) return err;
    pump(messages, remote);
    cg_coap_remote_settle(messages, remote);
    return CG_OK;
}

static int send_once(struct cg_coap_messages *messages, struct cg_coap_remote *remote,
                     const struct cg_coap_message *response) {
    uint16_t mid;
    int len = cg_coap_messages_emit(messages, &remote->peer.path, response, CG_NON, remote->mids.next);
    if (len < 0) return len;
    if (!cg_coap_mid_take(&remote->mids, cg_coap_messages_now(messages), CG_NON_LIFETIME_US, &mid))
        return CG_E_OVERLOAD;
    int err = cg_coap_messages_transmit(messages, &remote->peer.path, cg_slice_of(messages->scratch, (size_t)len));
    if (err == CG_OK) cg_coap_sent_note(&remote->sent, mid, response->token);
    return err;
}

static int send_message(struct cg_coap_peer *peer, const struct cg_coap_message *response, enum cg_type type) {
    struct cg_coap_remote *remote = cg_coap_remote_of(peer);
    if (type == CG_CON && cg_coap_soon_is(&remote->soon, response->token))
        return send_within(remote->messages, remote, response);
    return (type == CG_CON ? send_confirmable : send_once)(remote->messages, remote, response);
}

static void settle_peer(struct cg_coap_peer *peer) {
    struct cg_coap_remote *remote = cg_coap_remote_of(peer);
    cg_coap_remote_settle(remote->messages, remote);
}

static void prove(struct cg_coap_peer *peer) {
    struct cg_coap_remote *remote = cg_coap_remote_of(peer);
    peer->path.proof = CG_COAP_PROVEN;
    remote->proven_until_us = cg_coap_messages_now(remote->messages) + CG_COAP_PROOF_US;
}

static size_t room_of(const struct cg_coap_peer *peer) {
    size_t goes = room(&peer->path);
    return goes < CG_COAP_MESSAGE_MAX ? goes : CG_COAP_MESSAGE_MAX;
}

const struct cg_coap_layer cg_coap_message_layer = {.answer = answer,
                                                    .expect = expect,
                                                    .ignore = ignore,
                                                    .send = send_message,
                                                    .prove = prove,
                                                    .room = room_of,
                                                    .settle = settle_peer};
