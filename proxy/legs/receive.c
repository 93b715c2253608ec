/* The way of a datagram to the cast or ask whose token it carries. The hard thing: anybody can send anything, and each
 * datagram is still accounted for (legs/account.h): what bears the token of a running request shows in that request's
 * reply, as an answer or as a rejection with its reason; all else has a counter. */
#include "legs/ask.h"
#include "base/check.h"
#include "legs/reach.h"

void cg_gateway_send_empty(struct cg_gateway *gateway, const struct cg_addr *to, enum cg_type type, uint16_t mid) {
    uint8_t bytes[4];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, type, CG_EMPTY, mid, (struct cg_token){0});
    int len = cg_msg_end(&writer);
    CG_CHECK(len == sizeof bytes);
    struct cg_route route = {.to = *to};
    struct cg_problem ignored = {0}; /* the peer repeats its message when this one is lost */
    int err = gateway->port->emit(gateway->port->ctx, &route, cg_slice_of(bytes, sizeof bytes), &ignored);
    (void)err;
}

bool cg_gateway_offer_empty(struct cg_gateway *gateway, const struct cg_addr *to, enum cg_type type, uint16_t mid) {
    bool may = cg_reach_may_hear(gateway, to);
    if (may) cg_gateway_send_empty(gateway, to, type, mid);
    return may;
}

static void reset(struct cg_gateway *gateway, const struct cg_datagram *datagram, const struct cg_msg *msg) {
    if (msg->type == CG_CON) (void)cg_gateway_offer_empty(gateway, &datagram->from, CG_RST, msg->mid);
}

/* No answer to the request whose token it bears, for the reason `err`. */
static void refuse(struct cg_gateway *gateway, const struct cg_token_entry *entry, const struct cg_datagram *datagram,
                   const struct cg_msg *msg, int err) {
    const struct cg_opened said = {.code = err == CG_E_CODE ? msg->code : CG_EMPTY};
    if (entry->cast != NULL) {
        cg_cast_refuse(entry->cast, &datagram->from, &said, cg_err_info(err)->slug);
    } else {
        cg_exchange_refuse(entry->ask->exchange, &datagram->from, &said, cg_err_info(err)->slug);
    }
    reset(gateway, datagram, msg);
}

/* NULL, too, for a token that nobody can know yet. */
static struct cg_token_entry *running_request(struct cg_gateway *gateway, const struct cg_msg *msg) {
    struct cg_token_entry *entry = cg_token_find(gateway, &msg->token);
    bool is_out = entry != NULL && (entry->cast == NULL || entry->cast->state == CG_CAST_SENT);
    return is_out ? entry : NULL;
}

/* Responses */

/* RFC 7252 §4.2, §4.3: an acknowledgement is of a Confirmable message, so a group request has none; but common small
 * devices send their answers so. */
static int fits_cast(const struct cg_cast *cast, const struct cg_msg *msg) {
    if (msg->type != CG_ACK) return CG_OK;
    if (msg->mid != cast->mid) return CG_E_MID;
    return cast->config->http.strict ? CG_E_ACK : CG_OK;
}

/* RFC 7252 §5.3.2: from the endpoint that was asked. */
static int fits_ask(const struct cg_ask *ask, const struct cg_datagram *datagram, const struct cg_msg *msg) {
    if (!cg_addr_equal(&datagram->from, &ask->to)) return CG_E_SOURCE;
    return msg->type != CG_ACK || msg->mid == ask->mid ? CG_OK : CG_E_MID;
}

static void hand_on(struct cg_gateway *gateway, struct cg_token_entry *entry, const struct cg_datagram *datagram,
                    const struct cg_msg *msg) {
    int err = entry->cast != NULL ? fits_cast(entry->cast, msg) : fits_ask(entry->ask, datagram, msg);
    if (err < 0) {
        refuse(gateway, entry, datagram, msg, err);
    } else if (entry->cast != NULL) {
        cg_cast_receive(gateway, entry->cast, datagram, msg);
    } else {
        cg_ask_receive(gateway, entry->ask, datagram, msg);
    }
}

static void count_stray(struct cg_gateway *gateway, const struct cg_msg *msg) {
    struct cg_stats *late = cg_token_late(gateway, &msg->token);
    if (late != NULL) late->late++;
    cg_account_say(gateway, late != NULL ? CG_FATE_LATE : CG_FATE_UNKNOWN_TOKEN);
}

static void receive_response(struct cg_gateway *gateway, const struct cg_datagram *datagram, const struct cg_msg *msg) {
    struct cg_token_entry *entry = running_request(gateway, msg);
    if (entry != NULL) {
        cg_account_say(gateway, CG_FATE_LATE); /* unless somebody still waits for it */
        hand_on(gateway, entry, datagram, msg);
    } else {
        count_stray(gateway, msg);
        reset(gateway, datagram, msg);
    }
}

/* Everything else */

/* A message of this type and code, or no message at all, that is no response. */
static void receive_other(struct cg_gateway *gateway, const struct cg_datagram *datagram, const struct cg_msg *msg,
                          bool malformed) {
    struct cg_token_entry *entry = running_request(gateway, msg);
    if (entry != NULL) {
        refuse(gateway, entry, datagram, msg, malformed ? CG_E_FORMAT : CG_E_CODE);
        return;
    }
    enum cg_fate of_code = cg_code_is_request(msg->code) ? CG_FATE_REQUEST : CG_FATE_BAD_CODE;
    cg_account_say(gateway, malformed ? CG_FATE_MALFORMED : of_code);
    reset(gateway, datagram, msg); /* this socket serves nobody */
}

static void receive_empty(struct cg_gateway *gateway, const struct cg_datagram *datagram, const struct cg_msg *msg) {
    if (msg->type == CG_ACK || msg->type == CG_RST) {
        cg_ask_on_empty(gateway, &datagram->from, msg->mid, msg->type);
    } else {
        cg_account_say(gateway, CG_FATE_REQUEST); /* a ping */
        reset(gateway, datagram, msg);
    }
}

void cg_gateway_receive(struct cg_gateway *gateway, const struct cg_datagram *datagram) {
    if (datagram->arrival_us > gateway->now_us) gateway->now_us = datagram->arrival_us;
    gateway->totals.datagrams++;
    cg_account_begin(gateway, CG_FATE_STRAY_EMPTY);
    struct cg_msg msg;
    bool malformed = cg_msg_parse(&msg, datagram->bytes) < 0;
    if (msg.type == CG_RST && msg.code != CG_EMPTY) malformed = true; /* RFC 7252 §4.2, §4.3: a Reset is empty */
    if (!malformed && msg.code == CG_EMPTY) {
        receive_empty(gateway, datagram, &msg);
    } else if (!malformed && cg_code_is_response(msg.code)) {
        receive_response(gateway, datagram, &msg);
    } else {
        receive_other(gateway, datagram, &msg, malformed);
    }
    cg_account_end(gateway);
}
