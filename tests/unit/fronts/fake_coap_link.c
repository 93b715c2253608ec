/* A message layer with nothing real around it. The hard thing is only that what came is gone after the call: it is put
 * where the sanitizer sees whoever reads it later. */
#include "fake_coap_link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/container.h"

static struct fake_link *the_link; /* of the transport, which is told a path only */

static int send_datagram(const struct cg_coap_path *path, struct cg_slice datagram) {
    struct fake_link *link = the_link;
    if (link->send_result != CG_OK) return link->send_result;
    assert_true(link->sent_count < FAKE_LINK_SENT_MAX && datagram.len <= CG_COAP_DATAGRAM_ROOM);
    struct fake_datagram *sent = &link->sent[link->sent_count++];
    sent->len = datagram.len;
    sent->to = path->from;
    memcpy(sent->bytes, datagram.data, datagram.len);
    return CG_OK;
}

static size_t tell_room(const struct cg_coap_path *path) {
    (void)path;
    return the_link->room == 0 ? CG_COAP_DATAGRAM_ROOM : the_link->room;
}

static const struct cg_coap_transport_ops transport_ops = {
    .scheme = CG_CRI_COAP, .send = send_datagram, .room = tell_room};

static uint64_t tell_now(void *ctx) { return ((struct fake_link *)ctx)->now_us; }

static void make_random(void *ctx, void *bytes, size_t len) {
    (void)ctx;
    memset(bytes, 0x7f, len);
}

static void note_armed(void *ctx, uint64_t at_us) { ((struct fake_link *)ctx)->armed_us = at_us; }

static const struct cg_coap_host host = {.now_us = tell_now, .random = make_random, .arm = note_armed};

static void on_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct fake_link *link = ctx;
    const struct cg_coap_message response = {
        .code = CG_CODE(2, 5), .token = request->message.token, .payload = cg_slice_str("hi")};
    link->requests++;
    link->peer = peer;
    link->request = *request;
    assert_true(cg_coap_token_set(&link->token, request->message.token));
    if (link->does == FAKE_FRONT_PROVES) cg_coap_peer_prove(peer);
    if (link->does == FAKE_FRONT_HOLDS || link->does == FAKE_FRONT_PROVES || link->does == FAKE_FRONT_EXPECTS)
        cg_coap_peer_hold(peer);
    if (link->does == FAKE_FRONT_EXPECTS) cg_coap_peer_expect(peer);
    if (link->does == FAKE_FRONT_IGNORES) cg_coap_peer_ignore(peer);
    if (link->does == FAKE_FRONT_ANSWERS || link->does == FAKE_FRONT_ANSWERS_TWICE)
        cg_coap_peer_answer(peer, &response);
    if (link->does == FAKE_FRONT_ANSWERS_TWICE) assert_int_equal(cg_coap_peer_send(peer, &response, CG_NON), CG_OK);
}

static void note_token(struct fake_link *link, struct cg_slice token) {
    assert_true(cg_coap_token_set(&link->token, token));
}

static void on_lost(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    struct fake_link *link = ctx;
    (void)peer;
    link->lost++;
    note_token(link, token);
}

static void on_acknowledged(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    struct fake_link *link = ctx;
    (void)peer;
    link->acknowledged++;
    note_token(link, token);
}

static void on_gone(void *ctx, struct cg_coap_peer *peer) {
    struct fake_link *link = ctx;
    link->gone++;
    if (link->peer == peer) link->peer = NULL;
}

static const struct cg_coap_peer_ops ops = {
    .request = on_request, .lost = on_lost, .acknowledged = on_acknowledged, .gone = on_gone};

struct fake_link *fake_link_new(const struct cg_coap_messages_options *options) {
    struct fake_link *link = calloc(1, sizeof *link);
    assert_non_null(link);
    struct cg_coap_messages_options all = *options;
    all.ops = &ops;
    all.host = &host;
    all.ctx = all.host_ctx = link;
    link->now_us = 1000000;
    link->sent = calloc(FAKE_LINK_SENT_MAX, sizeof *link->sent);
    link->transport = (struct cg_coap_transport){.ops = &transport_ops, .listen = &link->listen};
    link->proof = CG_COAP_PROVEN;
    link->from = "192.0.2.1:4000";
    link->to = "192.0.2.9:5683";
    link->messages = cg_coap_messages_new(&all);
    assert_non_null(link->messages);
    assert_non_null(link->sent);
    the_link = link;
    return link;
}

void fake_link_free(struct fake_link *link) {
    cg_coap_messages_free(link->messages);
    free(link->copy);
    free(link->sent);
    free(link);
}

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 0), CG_OK);
    return addr;
}

struct cg_coap_path fake_link_path(struct fake_link *link) {
    return (struct cg_coap_path){
        .transport = &link->transport, .from = address(link->from), .to = address(link->to), .proof = link->proof};
}

static void bring(struct fake_link *link, struct cg_slice datagram, enum cg_coap_reached reached) {
    const struct cg_coap_path path = fake_link_path(link);
    free(link->copy);
    link->copy = malloc(datagram.len + (datagram.len == 0));
    assert_non_null(link->copy);
    if (datagram.len > 0) memcpy(link->copy, datagram.data, datagram.len);
    cg_coap_messages_take(link->messages, &path, reached, cg_slice_of(link->copy, datagram.len));
}

void fake_link_bring(struct fake_link *link, struct cg_slice datagram) { bring(link, datagram, CG_COAP_BY_UNICAST); }

void fake_link_bring_to_group(struct fake_link *link, struct cg_slice datagram) {
    bring(link, datagram, CG_COAP_BY_MULTICAST);
}

void fake_link_message(struct fake_link *link, enum cg_type type, unsigned code, uint16_t mid, struct cg_slice token) {
    const struct cg_envelope envelope = {.type = (uint8_t)type, .code = (uint8_t)code, .mid = mid, .token = token};
    uint8_t bytes[CG_COAP_DATAGRAM_ROOM];
    int len = cg_envelope_emit(&envelope, bytes, sizeof bytes);
    assert_true(len > 0);
    fake_link_bring(link, cg_slice_of(bytes, (size_t)len));
}

void fake_link_pass(struct fake_link *link, uint64_t us) {
    const uint64_t end_us = link->now_us + us;
    while (link->armed_us != 0 && link->armed_us <= end_us) {
        if (link->armed_us > link->now_us) link->now_us = link->armed_us;
        link->armed_us = 0;
        cg_coap_messages_turn(link->messages);
    }
    link->now_us = end_us;
}

struct cg_envelope fake_link_last(const struct fake_link *link) {
    struct cg_envelope last;
    assert_true(link->sent_count > 0);
    const struct fake_datagram *sent = &link->sent[link->sent_count - 1];
    assert_int_equal(cg_envelope_parse(&last, cg_slice_of(sent->bytes, sent->len)), CG_OK);
    return last;
}
