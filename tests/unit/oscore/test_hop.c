/* OSCORE between a client and its proxy (draft-ietf-core-oscore-capable-proxies): what travels inside, and messages
 * that are protected twice. */
#include "fake_group.h"

#include "oscore/classes.h"

enum { ROOM = 1024 };

struct side {
    struct cg_oscore_context *client, *proxy;
    struct cg_oscore_peer *to_proxy, *to_client;
};

static struct cg_oscore_context *make(const char *own, const char *other, struct cg_oscore_peer **peer) {
    const struct cg_oscore_sender_params sender = {.id = cg_slice_str(own)};
    const struct cg_oscore_params params = {.alg_aead = CG_COSE_AES_CCM_16_64_128,
                                            .hkdf = CG_SHA256,
                                            .master_secret = cg_slice_str("sixteen bytes..."),
                                            .hop = true,
                                            .sender = &sender};
    struct cg_oscore_context *context;
    assert_int_equal(cg_oscore_context_new(&context, &params, NULL), CG_OK);
    assert_int_equal(cg_oscore_peer_add(context, cg_slice_str(other), CG_SLICE_NONE, CG_OSCORE_WINDOW_NEW, peer, NULL),
                     CG_OK);
    return context;
}

static int set_up(void **state) {
    static struct side side;
    side.client = make("c", "p", &side.to_proxy);
    side.proxy = make("p", "c", &side.to_client);
    *state = &side;
    return 0;
}

static int tear_down(void **state) {
    struct side *side = *state;
    cg_oscore_context_unref(side->client);
    cg_oscore_context_unref(side->proxy);
    return 0;
}

struct message {
    struct cg_msg msg;
    uint8_t bytes[ROOM];
};

static void compose(struct message *to, uint8_t code, const struct cg_opt *options, size_t count) {
    struct cg_msg_writer writer;
    cg_msg_begin_inner(&writer, to->bytes, sizeof to->bytes, code);
    for (size_t i = 0; i < count; i++) cg_msg_put_opt(&writer, options[i].number, options[i].value);
    cg_msg_put_payload(&writer, cg_slice_str("payload"));
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse_inner(&to->msg, cg_slice_of(to->bytes, (size_t)len)), CG_OK);
    to->msg.type = CG_NON;
}

static bool has(const struct cg_msg *msg, uint16_t number) {
    struct cg_slice value;
    return cg_msg_find(msg, number, &value);
}

static void seal(struct side *side, const struct cg_msg *plain, struct message *sealed) {
    struct cg_oscore_binding binding;
    static uint64_t number;
    int len = cg_oscore_seal_request(side->client, side->to_proxy, number++, plain, sealed->bytes, sizeof sealed->bytes,
                                     &binding);
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse(&sealed->msg, cg_slice_of(sealed->bytes, (size_t)len)), CG_OK);
}

static void open_it(struct side *side, const struct cg_msg *sealed, struct message *plain,
                    struct cg_oscore_opened *opened) {
    assert_int_equal(
        cg_oscore_open_request(side->proxy, sealed, plain->bytes, sizeof plain->bytes, &plain->msg, opened), CG_OK);
}

static void what_is_for_the_proxy_is_inside(void **state) {
    struct side *side = *state;
    static const uint16_t numbers[] = {2, CG_OPT_URI_HOST, CG_OPT_URI_PATH, CG_OPT_HOP_LIMIT, CG_OPT_PROXY_SCHEME};
    struct cg_opt options[5];
    struct message plain, sealed, back;
    struct cg_oscore_opened opened;
    for (size_t i = 0; i < 5; i++) options[i] = (struct cg_opt){numbers[i], cg_slice_str("x")};
    compose(&plain, CG_GET, options, 5);
    seal(side, &plain.msg, &sealed);
    for (size_t i = 0; i < 5; i++) assert_false(has(&sealed.msg, numbers[i]));
    open_it(side, &sealed.msg, &back, &opened);
    assert_true(cg_slice_equal(back.msg.options, plain.msg.options));
}

static void a_host_alone_is_for_whoever_gets_the_message(void **state) {
    struct side *side = *state;
    const struct cg_opt options[] = {{CG_OPT_URI_HOST, cg_slice_str("gw")}, {CG_OPT_URI_PATH, cg_slice_str("a")}};
    struct message plain, sealed, back;
    struct cg_oscore_opened opened;
    compose(&plain, CG_GET, options, 2);
    seal(side, &plain.msg, &sealed);
    assert_true(has(&sealed.msg, CG_OPT_URI_HOST));
    assert_false(has(&sealed.msg, CG_OPT_URI_PATH));
    open_it(side, &sealed.msg, &back, &opened);
    assert_true(cg_slice_equal(back.msg.options, plain.msg.options));
}

/* What somebody on the path puts outside changes nothing: not where it goes, not how long is waited. */
static void what_is_added_outside_does_not_count(void **state) {
    struct side *side = *state;
    const struct cg_opt inside[] = {{CG_OPT_URI_PATH, cg_slice_str("a")}, {CG_OPT_PROXY_SCHEME, cg_slice_str("coap")}};
    struct message plain, sealed, back, changed;
    struct cg_oscore_opened opened;
    struct cg_slice option;
    compose(&plain, CG_GET, inside, 2);
    seal(side, &plain.msg, &sealed);
    assert_true(cg_msg_find(&sealed.msg, CG_OPT_OSCORE, &option));
    const struct cg_opt outside[] = {{2, cg_slice_str("\x09")},
                                     {CG_OPT_URI_HOST, cg_slice_str("elsewhere")},
                                     {CG_OPT_OSCORE, option},
                                     {CG_OPT_PROXY_URI, cg_slice_str("coap://elsewhere")}};
    compose(&changed, sealed.msg.code, outside, 4);
    changed.msg.payload = sealed.msg.payload;
    open_it(side, &changed.msg, &back, &opened);
    assert_true(cg_slice_equal(back.msg.options, plain.msg.options));
}

static void what_is_protected_already_is_protected_once_more(void **state) {
    struct side *side = *state;
    const struct cg_opt options[] = {{CG_OPT_OSCORE, cg_slice_str("\x09\x01m")}, {CG_OPT_URI_PATH, cg_slice_str("a")}};
    struct message plain, sealed, back, response, answer, read;
    struct cg_oscore_opened opened, answered;
    compose(&plain, CG_POST, options, 2);
    seal(side, &plain.msg, &sealed);
    open_it(side, &sealed.msg, &back, &opened);
    assert_true(cg_slice_equal(back.msg.options, plain.msg.options));
    assert_true(cg_slice_equal(back.msg.payload, plain.msg.payload));

    compose(&response, CG_CODE(2, 4), options, 1);
    const struct cg_oscore_reply reply = {.to = side->to_client, .has_number = true, .number = 7};
    int len =
        cg_oscore_seal_response(side->proxy, &reply, &response.msg, answer.bytes, sizeof answer.bytes, &opened.binding);
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse(&answer.msg, cg_slice_of(answer.bytes, (size_t)len)), CG_OK);
    struct cg_oscore_binding binding = opened.binding;
    binding.serial = 0;
    cg_oscore_binding_expect(&binding, side->to_proxy);
    assert_int_equal(cg_oscore_open_response(side->client, &answer.msg, &binding, NULL, read.bytes, sizeof read.bytes,
                                             &read.msg, &answered),
                     CG_OK);
    assert_true(cg_slice_equal(read.msg.options, response.msg.options));
}

#define hop_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        hop_test(what_is_for_the_proxy_is_inside),
        hop_test(a_host_alone_is_for_whoever_gets_the_message),
        hop_test(what_is_added_outside_does_not_count),
        hop_test(what_is_protected_already_is_protected_once_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
