/* The way of a datagram to the leg whose token it carries. The hard thing: anybody can send anything, and each datagram
 * is still accounted for (legs/account.h): what bears the token of a running request shows in that request's reply, as
 * an answer or as a rejection with its reason; all else has a counter. */
#include "base/check.h"
#include "legs/tap.h"

void cg_engine_send_empty(struct cg_engine *engine, const struct cg_addr *to, enum cg_type type, uint16_t mid) {
    uint8_t bytes[4];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, type, CG_EMPTY, mid, (struct cg_token){0});
    int len = cg_msg_end(&writer);
    CG_CHECK(len == sizeof bytes);
    struct cg_route route = {.to = *to};
    struct cg_problem ignored = {0}; /* the peer repeats its message when this one is lost */
    int err = cg_port_emit(engine->port, &route, cg_slice_of(bytes, sizeof bytes), &ignored);
    (void)err;
}

static void reset(struct cg_engine *engine, const struct cg_datagram *datagram, const struct cg_msg *msg) {
    bool is_due = msg->type == CG_CON && cg_reach_may_hear(engine, &datagram->from);
    if (is_due) cg_engine_send_empty(engine, &datagram->from, CG_RST, msg->mid);
}

/* Notifications that nobody wants. What is protected says outside that it is one, too (RFC 8613 §4.1.3.5). */

static bool is_notification(const struct cg_msg *msg) {
    struct cg_slice ignored;
    return cg_msg_find(msg, CG_OPT_OBSERVE, &ignored);
}

/* RFC 7641 §3.6: its sender takes us off its list, whether it wants an acknowledgement or not. */
static void reset_notification(struct cg_engine *engine, const struct cg_datagram *datagram, const struct cg_msg *msg) {
    bool is_due =
        msg->type == CG_NON && cg_reach_may_hear(engine, &datagram->from) && cg_resets_take(engine, &datagram->from);
    if (is_due) cg_engine_send_empty(engine, &datagram->from, CG_RST, msg->mid);
    reset(engine, datagram, msg);
}

static bool is_unwanted(const struct cg_leg *leg, const struct cg_msg *msg) {
    return leg->request->cancels && is_notification(msg);
}

/* As long as the cancellation is under way nobody can have missed it. */
static void turn_away(struct cg_engine *engine, struct cg_leg *leg, const struct cg_datagram *datagram,
                      const struct cg_msg *msg) {
    bool is_out = leg->sending.request != 0;
    cg_account_say(engine, CG_FATE_UNWANTED);
    reset_notification(engine, datagram, msg);
    if (is_out) cg_leg_tell_stray(engine, leg, &datagram->from);
}

/* No answer to the request whose token it bears, for the reason `err`. */
static void refuse(struct cg_engine *engine, struct cg_leg *leg, const struct cg_datagram *datagram,
                   const struct cg_msg *msg, int err) {
    const struct cg_opened said = {.code = err == CG_E_CODE ? msg->code : CG_EMPTY};
    cg_leg_tell_refused(engine, leg, &datagram->from, &said, cg_err_info(err)->slug);
    reset(engine, datagram, msg);
}

static bool takes(struct cg_leg *leg, const struct cg_token_entry *token, const struct cg_datagram *datagram,
                  const struct cg_msg *msg, struct cg_sending **sending) {
    *sending = leg == NULL ? NULL : cg_leg_sending_of(leg, token, msg);
    return *sending != NULL && leg->kind->fits(leg, *sending, datagram, msg) == CG_OK;
}

/* Who has asked there on the token first, if it fits, then whom it was made for. NULL, too, for a token that nobody can
 * know yet. */
static struct cg_leg *running_leg(struct cg_engine *engine, const struct cg_datagram *datagram,
                                  const struct cg_msg *msg, struct cg_sending **sending) {
    struct cg_token_entry *entry = cg_token_find(engine, &msg->token);
    if (entry == NULL) return NULL;
    struct cg_leg *sharer = cg_endpoint_sharer(engine, &datagram->from, entry);
    if (takes(sharer, entry, datagram, msg, sending)) return sharer;
    *sending = entry->leg == NULL ? NULL : cg_leg_sending_of(entry->leg, entry, msg);
    return *sending != NULL ? entry->leg : NULL;
}

/* Responses */

static void hand_on(struct cg_engine *engine, struct cg_leg *leg, struct cg_sending *sending,
                    const struct cg_datagram *datagram, const struct cg_msg *msg) {
    int err = leg->kind->fits(leg, sending, datagram, msg);
    if (err < 0) {
        refuse(engine, leg, datagram, msg, err);
    } else {
        cg_leg_receive(engine, leg, sending, datagram, msg);
    }
}

static void count_stray(struct cg_engine *engine, const struct cg_datagram *datagram, const struct cg_msg *msg) {
    struct cg_stats *late = cg_token_late(engine, &msg->token);
    if (late != NULL && is_notification(msg)) {
        cg_account_say(engine, CG_FATE_UNWANTED);
        return;
    }
    if (late != NULL) {
        late->late++;
        if (!cg_token_is_settled(engine, &msg->token)) cg_engine_sign(engine, &datagram->from, CG_SIGN_LATE);
    }
    cg_account_say(engine, late != NULL ? CG_FATE_LATE : CG_FATE_UNKNOWN_TOKEN);
}

static void receive_response(struct cg_engine *engine, const struct cg_datagram *datagram, const struct cg_msg *msg) {
    struct cg_sending *sending;
    struct cg_leg *leg = running_leg(engine, datagram, msg, &sending);
    if (leg != NULL) CG_TAP(engine, received, leg, datagram);
    if (leg != NULL && is_unwanted(leg, msg)) {
        turn_away(engine, leg, datagram, msg);
    } else if (leg != NULL) {
        cg_account_say(engine, CG_FATE_LATE); /* unless somebody still waits for it */
        hand_on(engine, leg, sending, datagram, msg);
    } else {
        count_stray(engine, datagram, msg);
        if (is_notification(msg)) {
            reset_notification(engine, datagram, msg);
        } else {
            reset(engine, datagram, msg);
        }
    }
}

/* Everything else */

/* A message of this type and code, or no message at all, that is no response. */
static void receive_other(struct cg_engine *engine, const struct cg_datagram *datagram, const struct cg_msg *msg,
                          bool malformed) {
    struct cg_sending *sending;
    struct cg_leg *leg = running_leg(engine, datagram, msg, &sending);
    if (leg != NULL) {
        CG_TAP(engine, received, leg, datagram);
        refuse(engine, leg, datagram, msg, malformed ? CG_E_FORMAT : CG_E_CODE);
        return;
    }
    enum cg_fate of_code = cg_code_is_request(msg->code) ? CG_FATE_REQUEST : CG_FATE_BAD_CODE;
    cg_account_say(engine, malformed ? CG_FATE_MALFORMED : of_code);
    reset(engine, datagram, msg); /* this socket serves nobody */
}

static void receive_empty(struct cg_engine *engine, const struct cg_datagram *datagram, const struct cg_msg *msg) {
    if (msg->type == CG_ACK || msg->type == CG_RST) {
        bool is_ours = cg_signs_hear(engine, &datagram->from, msg->mid, msg->type) ||
                       cg_endpoint_hear(engine, &datagram->from, msg->mid, msg->type);
        if (is_ours) cg_account_say(engine, CG_FATE_ACKNOWLEDGEMENT);
    } else {
        cg_account_say(engine, CG_FATE_REQUEST); /* a ping */
        reset(engine, datagram, msg);
    }
}

void cg_engine_receive(struct cg_engine *engine, const struct cg_datagram *datagram) {
    if (datagram->arrival_us > engine->now_us) engine->now_us = datagram->arrival_us;
    engine->totals->datagrams++;
    cg_account_begin(engine, CG_FATE_STRAY_EMPTY);
    struct cg_msg msg;
    bool malformed = cg_msg_parse(&msg, datagram->bytes) < 0;
    if (msg.type == CG_RST && msg.code != CG_EMPTY) malformed = true; /* RFC 7252 §4.2, §4.3: a Reset is empty */
    if (!malformed && msg.code == CG_EMPTY) {
        receive_empty(engine, datagram, &msg);
    } else if (!malformed && cg_code_is_response(msg.code)) {
        receive_response(engine, datagram, &msg);
    } else {
        receive_other(engine, datagram, &msg, malformed);
    }
    cg_account_end(engine);
}
