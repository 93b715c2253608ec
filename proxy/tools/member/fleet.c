/* The message layer of the simulated members: what comes in, and what is said to it. The hard thing: up to tens of
 * thousands of members answer one datagram within a second, so a member at rest costs some hundred bytes and no
 * allocation. */
#include "base/check.h"
#include "base/container.h"
#include "tools/member/private.h"

#include <stdlib.h>

enum {
    EXCHANGE_LIFETIME_S = 247,
    NON_LIFETIME_S = 145,
    PIGGYBACK_MAX_US = 1000000, /* what takes longer is acknowledged at once and answered separately (§5.2.2) */
    SEEN_CON_MAX = 1024,        /* Confirmable ones that were taken up: none gives way before its time below this */
};

#define SECOND_US UINT64_C(1000000)

/* --- messages --- */

struct cg_slice cg_fleet_build(struct cg_fleet *fleet, const struct cg_fleet_head *head,
                               const struct cg_resource_response *response) {
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, fleet->datagram, sizeof fleet->datagram, head->type, response->code, head->mid, head->token);
    if (response->has_etag) cg_msg_put_opt(&writer, CG_OPT_ETAG, cg_slice_of(response->etag, sizeof response->etag));
    if (head->has_observe) cg_msg_put_uint(&writer, CG_OPT_OBSERVE, head->observe);
    if (response->has_format) cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, response->format);
    if (response->has_max_age) cg_msg_put_uint(&writer, CG_OPT_MAX_AGE, response->max_age);
    if (response->has_block2) cg_msg_put_uint(&writer, CG_OPT_BLOCK2, response->block2);
    if (response->has_block1) cg_msg_put_uint(&writer, CG_OPT_BLOCK1, response->block1);
    if (response->has_size2) cg_msg_put_uint(&writer, CG_OPT_SIZE2, response->size2);
    if (response->has_size1) cg_msg_put_uint(&writer, CG_OPT_SIZE1, response->size1);
    cg_msg_put_payload(&writer, response->payload);
    int len = cg_msg_end(&writer);
    CG_CHECK(len > 0);
    return cg_slice_of(fleet->datagram, (size_t)len);
}

struct cg_slice cg_fleet_protect(struct cg_fleet *fleet, const struct cg_fleet_member *member,
                                 struct cg_shield_request *protection, struct cg_slice plain) {
    if (protection == NULL) return plain;
    uint32_t index = cg_fleet_index(fleet, member);
    int len = cg_shield_seal(fleet->shield, index, protection, plain, fleet->sealed, sizeof fleet->sealed);
    if (len < 0) return CG_SLICE_NONE;
    memcpy(fleet->datagram, fleet->sealed, (size_t)len);
    return cg_slice_of(fleet->datagram, (size_t)len);
}

/* --- answering --- */

static bool fails(const struct cg_fleet_arrival *in) {
    const struct cg_member_options *options = in->fleet->options;
    return cg_fleet_index(in->fleet, in->member) >= options->count - options->fail_count;
}

/* RFC 7252 §8.2, RFC 10020 "Response Suppression", RFC 7967 §2. */
static bool is_suppressed(const struct cg_fleet_arrival *in, const struct cg_resource_request *request,
                          const struct cg_resource_response *response) {
    unsigned class = response->code >> 5;
    if (request->has_no_response && (request->no_response & (1u << (class - 1)))) return true;
    if (in->destination == CG_FLEET_UNICAST) return false;
    if (response->nothing) return true;
    if (request->has_no_response || in->fleet->options->answer_errors || fails(in)) return false;
    return class != 2;
}

static void acknowledge(const struct cg_fleet_arrival *in, uint16_t mid, struct cg_fleet_seen *seen) {
    uint8_t ack[] = {0x60, CG_EMPTY, (uint8_t)(mid >> 8), (uint8_t)mid};
    cg_fleet_seen_keep(seen, cg_slice_of(ack, sizeof ack), in->now_us);
    cg_fleet_send_empty(in, CG_ACK, mid);
}

/* Sends the answer as many times as a member that behaves, or misbehaves, would. */
static void send_answer(const struct cg_fleet_arrival *in, const struct cg_fleet_head *head, struct cg_slice datagram,
                        uint64_t at_us) {
    const struct cg_member_options *options = in->fleet->options;
    uint32_t times = options->misbehave == CG_MISBEHAVE_REPEAT ? options->misbehave_number : 1;
    bool garbage = options->misbehave == CG_MISBEHAVE_GARBAGE;
    if (garbage) datagram = cg_fleet_spoil(&in->member->prng, in->fleet->datagram, datagram.len);
    for (uint32_t i = 0; i < times; i++) {
        (void)cg_fleet_transmit(in, in->from, datagram, head->type == CG_CON && !garbage, at_us);
        if (head->type == CG_ACK || i + 1 == times) continue;
        uint16_t mid = cg_fleet_mid(in->member);
        in->fleet->datagram[2] = (uint8_t)(mid >> 8);
        in->fleet->datagram[3] = (uint8_t)mid;
    }
}

static void answer(const struct cg_fleet_arrival *in, const struct cg_msg *msg, struct cg_fleet_seen *seen,
                   struct cg_fleet_head *head, struct cg_resource_response *response) {
    head->type = msg->type == CG_CON ? CG_ACK : CG_NON;
    head->mid = msg->mid;
    head->token = msg->token;
    if (msg->type == CG_NON) head->mid = cg_fleet_mid(in->member);
    cg_fleet_misbehave(in, msg->mid, head, response);
    uint64_t hold = cg_fleet_hold_us(in) + (uint64_t)response->delay_ms * 1000;
    if (head->type == CG_ACK && hold > PIGGYBACK_MAX_US) {
        acknowledge(in, msg->mid, seen);
        head->type = CG_CON;
        head->mid = cg_fleet_mid(in->member);
    }
    cg_fleet_registered(in->member, in->from, msg->token, head);
    struct cg_slice datagram = cg_fleet_protect_answer(in, cg_fleet_build(in->fleet, head, response));
    if (datagram.len == 0) return;
    if (head->type == CG_ACK) cg_fleet_seen_keep(seen, datagram, in->now_us + hold);
    send_answer(in, head, datagram, in->now_us + hold);
    if (in->protection == NULL || in->fleet->options->misbehave != CG_MISBEHAVE_REPEAT_PIV) return;
    head->mid = cg_fleet_mid(in->member);
    response->payload = cg_slice_str("another answer");
    datagram = cg_fleet_lie(in, cg_fleet_build(in->fleet, head, response));
    if (datagram.len > 0) send_answer(in, head, datagram, in->now_us + hold);
}

/* --- receiving --- */

static struct cg_fleet_seen *find_seen(const struct cg_fleet_arrival *in, uint16_t mid) {
    const struct cg_fleet_member *member = in->member;
    if (in->fleet->options->forgets_messages) return NULL;
    struct cg_fleet_seen *seen = cg_fleet_seen_find(&member->taken, in->from, mid, in->destination, in->now_us);
    return seen != NULL ? seen : cg_fleet_seen_find(&member->others, in->from, mid, in->destination, in->now_us);
}

enum fate { REFUSED, TAKEN };

/* NULL: out of memory; then nothing is remembered. */
static struct cg_fleet_seen *remember(const struct cg_fleet_arrival *in, const struct cg_msg *msg, enum fate fate) {
    struct cg_fleet_member *member = in->member;
    bool kept = msg->type == CG_CON && fate == TAKEN;
    struct cg_fleet_seen *seen = kept ? cg_fleet_seen_make(&member->taken, SEEN_CON_MAX, in->now_us)
                                      : cg_fleet_seen_make(&member->others, CG_FLEET_SEEN_LEN, in->now_us);
    if (seen == NULL) return NULL;
    uint64_t lifetime_s = msg->type == CG_CON ? EXCHANGE_LIFETIME_S : NON_LIFETIME_S;
    *seen = (struct cg_fleet_seen){.from = *in->from,
                                   .mid = msg->mid,
                                   .destination = in->destination,
                                   .until_us = in->now_us + lifetime_s * SECOND_US};
    return seen;
}

/* A Reset, but never to a group message (RFC 7252 §8.1). */
static void reject(const struct cg_fleet_arrival *in, uint16_t mid) {
    if (in->destination == CG_FLEET_UNICAST) cg_fleet_send_empty(in, CG_RST, mid);
}

static void on_duplicate(const struct cg_fleet_arrival *in, const struct cg_fleet_seen *seen) {
    if (seen->reply == NULL || in->now_us < seen->reply_at_us) return;
    cg_fleet_emit(in->fleet, in->member, in->from, cg_slice_of(seen->reply, seen->reply_len));
}

static void serve(const struct cg_fleet_arrival *in, const struct cg_resource_request *request, struct cg_token token,
                  struct cg_fleet_head *head, struct cg_resource_response *response) {
    struct cg_fleet *fleet = in->fleet;
    struct cg_fleet_member *member = in->member;
    if (fails(in)) {
        cg_resource_refuse(response, fleet->options->fail_code, "");
        return;
    }
    if (cg_firmware_is_meant(request, fleet->options)) {
        cg_firmware_serve(response, request, in->from, &member->firmware, &fleet->representation);
        return;
    }
    cg_resource_serve(response, request, fleet->options, cg_fleet_index(fleet, member), &member->light,
                      &fleet->representation);
    if (!response->observable || !request->has_observe) return;
    if (request->observe == 0 && cg_fleet_observe(member, in->from, token, in->protection)) {
        head->has_observe = true;
        head->observe = cg_fleet_next_observe(member);
    } else if (request->observe == 1) {
        struct cg_fleet_observer *observer = cg_fleet_find_observer(member, in->from, token);
        if (observer != NULL) cg_fleet_forget(fleet, member, observer);
    }
}

static void on_plain_request(const struct cg_fleet_arrival *in, const struct cg_msg *msg, struct cg_fleet_seen *seen) {
    in->fleet->counts.requests++;
    struct cg_resource_request request;
    struct cg_resource_response response;
    struct cg_fleet_head head = {0};
    int err = cg_resource_parse(&request, msg);
    if (err == CG_E_BAD_OPTION && msg->type == CG_NON) { /* rejected, not answered (§5.4.1) */
        reject(in, msg->mid);
        return;
    }
    if (err != CG_OK)
        cg_resource_refuse(&response, cg_err_info(err)->coap_code, cg_err_info(err)->text);
    else
        serve(in, &request, msg->token, &head, &response);
    if (!is_suppressed(in, &request, &response))
        answer(in, msg, seen, &head, &response);
    else if (msg->type == CG_CON)
        acknowledge(in, msg->mid, seen);
    if (response.changed) cg_fleet_notify_all(in);
}

/* What a server says to a request that it cannot open (RFC 8613 §8.2; the strings are the standard's). */
static void refusal(struct cg_resource_response *response, int err) {
    const char *diagnostic = "";
    switch (err) {
    case CG_E_BAD_OPTION: diagnostic = "Failed to decode COSE"; break;
    case CG_E_UNAUTHORIZED: diagnostic = "Security context not found"; break;
    case CG_E_REPLAY: diagnostic = "Replay detected"; break;
    case CG_E_VERIFY: diagnostic = "Decryption failed"; break;
    case CG_E_BAD_REQUEST: diagnostic = "Protected requests only"; break;
    default: break;
    }
    cg_resource_refuse(response, cg_err_info(err)->coap_code, diagnostic);
    response->has_max_age = true; /* nobody is to keep it */
    response->max_age = 0;
}

/* To a group RFC 10021 §7 recommends silence. */
static bool tells_refusals(const struct cg_fleet_arrival *in) {
    return in->destination == CG_FLEET_UNICAST || in->fleet->options->answer_errors;
}

/* What did not open: a plain error where one may be given, a challenge where the window is lost. */
static void refuse_sealed(const struct cg_fleet_arrival *in, const struct cg_msg *msg, int err) {
    struct cg_fleet *fleet = in->fleet;
    struct cg_fleet_seen *seen = remember(in, msg, REFUSED);
    struct cg_fleet_head head = {.type = msg->type == CG_CON ? CG_ACK : CG_NON, .mid = msg->mid, .token = msg->token};
    if (head.type == CG_NON) head.mid = cg_fleet_mid(in->member);
    struct cg_slice datagram = CG_SLICE_NONE;
    if (in->protection->challenge) {
        int len = cg_shield_challenge(fleet->shield, cg_fleet_index(fleet, in->member), in->protection, head.type,
                                      head.mid, head.token, fleet->datagram, sizeof fleet->datagram);
        if (len > 0) datagram = cg_slice_of(fleet->datagram, (size_t)len);
    } else if (tells_refusals(in)) {
        struct cg_resource_response response;
        refusal(&response, err);
        datagram = cg_fleet_build(fleet, &head, &response);
    }
    if (datagram.len == 0) return;
    if (head.type == CG_ACK) cg_fleet_seen_keep(seen, datagram, in->now_us);
    cg_fleet_emit(fleet, in->member, in->from, datagram);
}

static void on_sealed_request(const struct cg_fleet_arrival *in, const struct cg_msg *msg) {
    struct cg_shield_request protection;
    struct cg_fleet_arrival shielded = *in;
    struct cg_msg plain;
    shielded.protection = &protection;
    int err = cg_shield_open(in->fleet->shield, cg_fleet_index(in->fleet, in->member), msg, &plain, &protection);
    if (err < 0) {
        refuse_sealed(&shielded, msg, err);
        return;
    }
    if (in->destination != CG_FLEET_UNICAST)
        cg_shield_settle(in->fleet->shield, cg_fleet_index(in->fleet, in->member), &protection);
    plain.type = msg->type;
    plain.mid = msg->mid;
    plain.token = msg->token;
    on_plain_request(&shielded, &plain, remember(in, msg, TAKEN));
}

/* Shielded members act on nothing that did not verify (R27). */
static void on_request(const struct cg_fleet_arrival *in, const struct cg_msg *msg) {
    struct cg_fleet_seen *seen = find_seen(in, msg->mid);
    if (seen != NULL) {
        on_duplicate(in, seen);
    } else if (in->fleet->shield == NULL) {
        on_plain_request(in, msg, remember(in, msg, TAKEN));
    } else {
        on_sealed_request(in, msg);
    }
}

static void on_ack_or_reset(const struct cg_fleet_arrival *in, const struct cg_msg *msg) {
    struct cg_fleet_member *member = in->member;
    struct cg_fleet_waiting *w = member->confirmables;
    while (w != NULL && (w->mid != msg->mid || !cg_addr_equal(&w->to, in->from))) w = w->next;
    if (w != NULL) cg_fleet_drop(in->fleet, w);
    if (msg->type == CG_ACK) return;
    struct cg_fleet_observer *o = member->observers;
    while (o != NULL && (!o->has_mid || o->mid != msg->mid || !cg_addr_equal(&o->from, in->from))) o = o->next;
    if (o != NULL) cg_fleet_forget(in->fleet, member, o);
}

static void on_datagram(const struct cg_fleet_arrival *in, struct cg_slice datagram) {
    in->fleet->counts.received++;
    if (cg_prng_chance(&in->member->prng, in->fleet->options->loss)) {
        in->fleet->counts.lost++;
        return;
    }
    struct cg_msg msg;
    if (cg_msg_parse(&msg, datagram) != CG_OK) {
        if (msg.type == CG_CON) reject(in, msg.mid);
    } else if (in->destination != CG_FLEET_UNICAST && msg.type != CG_NON) {
        return; /* group messages are Non-confirmable (RFC 7252 §8.1) */
    } else if (msg.type == CG_ACK || msg.type == CG_RST) {
        on_ack_or_reset(in, &msg);
    } else if (cg_code_is_request(msg.code)) {
        on_request(in, &msg);
    } else if (msg.type == CG_CON) { /* a ping, or a response that nobody waits for */
        reject(in, msg.mid);
    }
}

void cg_fleet_receive(struct cg_fleet *fleet, uint32_t member, const struct cg_addr *from, struct cg_slice datagram,
                      uint64_t now_us) {
    CG_CHECK(member < fleet->options->count);
    struct cg_fleet_arrival in = {fleet, &fleet->members[member], from, CG_FLEET_UNICAST, now_us, NULL};
    on_datagram(&in, datagram);
}

void cg_fleet_receive_group(struct cg_fleet *fleet, size_t group, const struct cg_addr *from, struct cg_slice datagram,
                            uint64_t now_us) {
    for (uint32_t i = 0; i < fleet->options->count; i++) {
        struct cg_fleet_arrival in = {fleet, &fleet->members[i], from, (uint16_t)(group + 1), now_us, NULL};
        on_datagram(&in, datagram);
    }
}

struct cg_fleet_counts cg_fleet_counts(const struct cg_fleet *fleet) {
    return fleet->counts;
}

struct cg_fleet *cg_fleet_new(const struct cg_member_options *options, uint64_t seed, struct cg_shield *shield,
                              const struct cg_fleet_port *port) {
    struct cg_fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) return NULL;
    fleet->members = calloc(options->count, sizeof *fleet->members);
    if (fleet->members == NULL) {
        free(fleet);
        return NULL;
    }
    fleet->options = options;
    fleet->port = port;
    fleet->shield = shield;
    memset(fleet->oversized, 'x', sizeof fleet->oversized);
    cg_heap_init(&fleet->heap);
    cg_buf_init(&fleet->representation, 0);
    struct cg_prng seeds = {seed};
    for (uint32_t i = 0; i < options->count; i++) {
        struct cg_fleet_member *member = &fleet->members[i];
        member->prng.state = cg_prng_next(&seeds);
        member->mid = (uint16_t)cg_prng_next(&member->prng);
        cg_light_init(&member->light);
        cg_firmware_init(&member->firmware);
    }
    return fleet;
}

static void free_member(struct cg_fleet_member *member) {
    for (struct cg_fleet_observer *o = member->observers, *next; o != NULL; o = next) {
        next = o->next;
        free(o->protection);
        free(o);
    }
    cg_fleet_seen_fini(&member->taken);
    cg_fleet_seen_fini(&member->others);
    cg_firmware_fini(&member->firmware);
    free(member->last);
}

void cg_fleet_free(struct cg_fleet *fleet) {
    if (fleet == NULL) return;
    for (struct cg_deadline *d; (d = cg_heap_first(&fleet->heap)) != NULL;)
        cg_fleet_drop(fleet, CG_CONTAINER(d, struct cg_fleet_waiting, deadline));
    cg_heap_fini(&fleet->heap);
    for (uint32_t i = 0; i < fleet->options->count; i++) free_member(&fleet->members[i]);
    free(fleet->members);
    cg_buf_fini(&fleet->representation);
    free(fleet);
}
