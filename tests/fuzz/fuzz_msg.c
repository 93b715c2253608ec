/* The message codec against libcoap's parser, and against itself: what was parsed and emitted again is the same
 * message.
 *
 * Where libcoap (4.3.1 to 4.3.5) and RFC 7252 §3, which wire/msg.h follows, differ:
 * - libcoap refuses a message for the length of an option that it knows (`lengths` below). That is no format error: RFC
 * 7252 §5.4.3 has such an option treated as unrecognized, which is for whoever looks at that option.
 * - libcoap applies the rules of RFC 8323 to signalling codes (7.xx), over UDP as well, where they are merely reserved.
 * - From 4.3.2 on it takes token lengths 13 and 14 for RFC 8974's extended tokens; to RFC 7252 they are format errors.
 * - An extended option delta of 65536 to 65804 wraps around in libcoap, which takes 65548 for 12; to RFC 7252 §3.1
 * there is no such option number. */
#include "input.h"

#include "wire/msg.h"

/* An emitted message is never longer than what was parsed: the shortest form of each option. */
static void check_round_trip(const struct cg_msg *msg, size_t size) {
    uint8_t *bytes = malloc(size);
    CG_CHECK(bytes != NULL);
    struct cg_msg_writer writer;
    struct cg_opt_iter iter;
    struct cg_opt opt;
    uint16_t last = 0;
    cg_msg_begin(&writer, bytes, size, (enum cg_type)msg->type, msg->code, msg->mid, msg->token);
    cg_opt_iter_init(&iter, msg);
    while (cg_opt_next(&iter, &opt)) {
        struct cg_slice first;
        CG_CHECK(opt.number >= last);
        CG_CHECK(cg_msg_find(msg, opt.number, &first));
        CG_CHECK(opt.number == last || first.data == opt.value.data);
        cg_msg_put_opt(&writer, opt.number, opt.value);
        last = opt.number;
    }
    cg_msg_put_payload(&writer, msg->payload);
    int len = cg_msg_end(&writer);
    CG_CHECK(len >= 0 && (size_t)len <= size);

    struct cg_msg again;
    struct cg_opt_iter other_iter;
    struct cg_opt other;
    struct cg_slice exact = input_exact(cg_slice_of(bytes, (size_t)len));
    CG_CHECK(cg_msg_parse(&again, exact) == CG_OK);
    CG_CHECK(again.type == msg->type && again.code == msg->code && again.mid == msg->mid);
    CG_CHECK(again.token.len == msg->token.len && memcmp(&again.token, &msg->token, sizeof again.token) == 0);
    CG_CHECK(cg_slice_equal(again.payload, msg->payload));
    cg_opt_iter_init(&iter, msg);
    cg_opt_iter_init(&other_iter, &again);
    while (cg_opt_next(&iter, &opt)) {
        CG_CHECK(cg_opt_next(&other_iter, &other));
        CG_CHECK(opt.number == other.number && cg_slice_equal(opt.value, other.value));
    }
    CG_CHECK(!cg_opt_next(&other_iter, &other));
    input_free(exact);
    free(bytes);
}

/* The same bytes as OSCORE's plaintext, which begins with the code. */
static void check_inner(struct cg_slice bytes) {
    struct cg_msg msg;
    if (cg_msg_parse_inner(&msg, bytes) < 0) return;
    CG_CHECK(msg.type == 0 && msg.mid == 0 && msg.token.len == 0);
    CG_CHECK(1 + msg.options.len + (msg.payload.len > 0) + msg.payload.len == bytes.len);
}

#ifdef CASTGATE_FUZZ_ORACLE
#include <coap3/coap.h>

static const struct {
    uint16_t number;
    uint16_t least, most;
} lengths[] = {
    {CG_OPT_IF_MATCH, 0, 8},
    {CG_OPT_URI_HOST, 1, 255},
    {CG_OPT_ETAG, 1, 8},
    {CG_OPT_IF_NONE_MATCH, 0, 0},
    {CG_OPT_OBSERVE, 0, 3},
    {CG_OPT_URI_PORT, 0, 2},
    {CG_OPT_LOCATION_PATH, 0, 255},
    {CG_OPT_OSCORE, 0, 255},
    {CG_OPT_URI_PATH, 0, 255},
    {CG_OPT_CONTENT_FORMAT, 0, 2},
    {CG_OPT_MAX_AGE, 0, 4},
    {CG_OPT_URI_QUERY, 1, 255},
    {CG_OPT_HOP_LIMIT, 1, 1},
    {CG_OPT_ACCEPT, 0, 2},
    {CG_OPT_Q_BLOCK1, 0, 3},
    {CG_OPT_LOCATION_QUERY, 0, 255},
    {21, 0, 0}, /* EDHOC, from 4.3.5 on */
    {CG_OPT_BLOCK2, 0, 3},
    {CG_OPT_BLOCK1, 0, 3},
    {CG_OPT_SIZE2, 0, 4},
    {CG_OPT_Q_BLOCK2, 0, 3},
    {CG_OPT_PROXY_URI, 1, 1034},
    {CG_OPT_PROXY_SCHEME, 1, 255},
    {CG_OPT_SIZE1, 0, 4},
    {CG_OPT_ECHO, 1, 40}, /* from 4.3.2 on an empty one passes */
    {CG_OPT_NO_RESPONSE, 0, 1},
    {CG_OPT_REQUEST_TAG, 0, 8},
};

static bool has_length_that_libcoap_refuses(const struct cg_msg *msg) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, msg);
    while (cg_opt_next(&iter, &opt)) {
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            if (opt.number != lengths[i].number) continue;
            if (opt.value.len < lengths[i].least || opt.value.len > lengths[i].most) return true;
        }
    }
    return false;
}

static coap_pdu_t *oracle(void) {
    static coap_pdu_t *pdu;
    if (pdu == NULL) {
        coap_set_log_level((coap_log_t)0);
        pdu = coap_pdu_init((coap_pdu_type_t)0, (coap_pdu_code_t)0, 0, 1 << 20);
        CG_CHECK(pdu != NULL);
    }
    return pdu;
}

static void check_same_content(const struct cg_msg *msg, const coap_pdu_t *pdu) {
    CG_CHECK((unsigned)coap_pdu_get_type(pdu) == msg->type);
    CG_CHECK((unsigned)coap_pdu_get_code(pdu) == msg->code);
    CG_CHECK((uint16_t)coap_pdu_get_mid(pdu) == msg->mid);
    coap_bin_const_t token = coap_pdu_get_token(pdu);
    CG_CHECK(cg_slice_equal(cg_slice_of(token.s, token.length), cg_slice_of(msg->token.bytes, msg->token.len)));
    size_t len = 0;
    const uint8_t *data = NULL;
    if (coap_get_data(pdu, &len, &data) == 0) len = 0;
    CG_CHECK(cg_slice_equal(cg_slice_of(data, len), msg->payload));
    coap_opt_iterator_t theirs;
    struct cg_opt_iter ours;
    struct cg_opt opt;
    cg_opt_iter_init(&ours, msg);
    bool any = coap_option_iterator_init(pdu, &theirs, COAP_OPT_ALL) != NULL;
    while (cg_opt_next(&ours, &opt)) {
        coap_opt_t *their = any ? coap_option_next(&theirs) : NULL;
        CG_CHECK(their != NULL && theirs.number == opt.number);
        CG_CHECK(cg_slice_equal(cg_slice_of(coap_opt_value(their), coap_opt_length(their)), opt.value));
    }
    CG_CHECK(!any || coap_option_next(&theirs) == NULL);
}

/* Anywhere, since the two readers may part before it: two bytes of an extended delta that make it more than 65535. */
static bool may_have_delta_that_wraps(struct cg_slice bytes) {
    for (size_t i = 1; i + 1 < bytes.len; i++) {
        if (bytes.data[i - 1] >> 4 == 14 && (bytes.data[i] << 8 | bytes.data[i + 1]) + 269 > UINT16_MAX) return true;
    }
    return false;
}

static void compare(int err, const struct cg_msg *msg, struct cg_slice bytes) {
    if (bytes.len == 0) return;
    bool extended_token = (bytes.data[0] & 15) == 13 || (bytes.data[0] & 15) == 14;
    if (extended_token || (err == CG_OK && msg->code >> 5 == 7)) return;
    coap_pdu_t *pdu = oracle();
    bool accepted = coap_pdu_parse(COAP_PROTO_UDP, bytes.data, bytes.len, pdu) > 0;
    if (accepted && err < 0) {
        CG_CHECK(may_have_delta_that_wraps(bytes));
    } else if (accepted) {
        check_same_content(msg, pdu);
    } else {
        CG_CHECK(err < 0 || has_length_that_libcoap_refuses(msg));
    }
}
#else
static void compare(int err, const struct cg_msg *msg, struct cg_slice bytes) {
    (void)err;
    (void)msg;
    (void)bytes;
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cg_msg msg;
    struct cg_slice bytes = cg_slice_of(data, size);
    int err = cg_msg_parse(&msg, bytes);
    CG_CHECK(err == CG_OK || err == CG_E_FORMAT);
    if (err == CG_OK) check_round_trip(&msg, size);
    compare(err, &msg, bytes);
    check_inner(bytes);
    return 0;
}
