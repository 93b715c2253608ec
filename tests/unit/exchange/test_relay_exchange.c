/* End to end (RFC 8613 §11): what the client and the members protected passes byte by byte, both ways, and nowhere
 * else. */
#include "exchange/fake_world.h"

#include "fronts/http/from_http.h"
#include "relay/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t sealed[] = {0x00, 0xff, 0x0d, 0x0a, '-', '-', 0xc3, 0x28, 0x00, 0x7f};
static const uint8_t answered[] = {0xff, 0x00, 0x80, '"', '\\', 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x01};

#define OPTION      "\x19\x05\x03GM1\x11" /* Partial IV 5, kid context "GM1", kid 0x11 */
#define OPTION_TEXT "GQUDR00xEQ"

struct fixture {
    struct world world;
    struct cg_relay_services services;
    struct cg_relay *relay;
    struct call call;
};

static void set_up(struct fixture *f) {
    *f = (struct fixture){0};
    world_init(&f->world);
    f->world.config->group.nstart = 2;
    f->relay = cg_relay_new(&f->services);
    assert_non_null(f->relay);
    struct cg_mapping *lamps = world_mapping(&f->world, "lamps");
    lamps->security = CG_SECURITY_RELAY;
    lamps->protector = cg_relay_protector(f->relay);
    world_start(&f->world);
    f->services.engine = cg_gateway_engine(f->world.gateway);
}

static void tear_down(struct fixture *f) {
    call_fini(&f->call);
    world_fini(&f->world);
    cg_relay_free(f->relay);
}

static int setup(void **state) {
    struct fixture *f = malloc(sizeof *f);
    if (f == NULL) return -1;
    set_up(f);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    tear_down(*state);
    free(*state);
    return 0;
}

#define relay_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* A POST as the HTTP front gets it. */
static int post(struct fixture *f, struct call *call, const char *target, const char *accept, const char *oscore) {
    static const struct castgate_plugin *const plugins[] = {&cg_plugin_mixed, &cg_plugin_json};
    static const struct cg_encoder_list encoders = {.plugins = plugins, .count = 2};
    const struct cg_http_field fields[] = {
        {cg_slice_str("Host"), cg_slice_str("localhost")},
        {cg_slice_str("Accept"), cg_slice_str(accept)},
        {cg_slice_str("Content-Type"), cg_slice_str("application/oscore")},
        {cg_slice_str("OSCORE"), cg_slice_str(oscore)},
    };
    const struct cg_http_message message = {.method = cg_slice_str("POST"),
                                            .target = cg_slice_str(target),
                                            .fields = fields,
                                            .field_count = 4,
                                            .body = cg_slice_of(sealed, sizeof sealed)};
    const struct cg_listen listen = {.addr = address("127.0.0.1:8080")};
    struct cg_request *request = world_new(&f->world, call, "");
    assert_non_null(request);
    *request = (struct cg_request){.may_be_anonymous = true};
    const struct cg_http_parts parts = {.request = request,
                                        .arena = cg_gateway_arena(f->world.gateway, call->ticket),
                                        .config = f->world.config,
                                        .listen = &listen,
                                        .encoders = &encoders,
                                        .message = &message,
                                        .problem = &call->problem};
    int err = cg_from_http_head(&parts);
    return err < 0 ? err : cg_from_http_rest(&parts, NULL, &call->encoder);
}

static void check_sent(const struct fixture *f, const char *option, size_t option_len) {
    assert_int_equal(f->world.sent_count, 1);
    const struct cg_msg *msg = &f->world.sent[0].msg;
    assert_int_equal(msg->type, CG_NON);
    assert_int_equal(msg->code, CG_POST);
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, msg);
    assert_true(cg_opt_next(&iter, &opt));
    assert_int_equal(opt.number, CG_OPT_OSCORE);
    assert_true(cg_slice_equal(opt.value, cg_slice_of(option, option_len)));
    assert_false(cg_opt_next(&iter, &opt)); /* no Uri-Path, Uri-Query, Content-Format: those are inside */
    assert_true(cg_slice_equal(msg->payload, cg_slice_of(sealed, sizeof sealed)));
}

/* What a member sends: with so many OSCORE options of that value. */
static void answer_as(struct fixture *f, const char *from, uint8_t code, size_t options, struct cg_slice option,
                      struct cg_slice payload) {
    static uint16_t mid = 1;
    uint8_t bytes[1024];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, code, mid++, f->world.sent[0].msg.token);
    for (size_t i = 0; i < options; i++) cg_msg_put_opt(&writer, CG_OPT_OSCORE, option);
    cg_msg_put_payload(&writer, payload);
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    world_deliver(&f->world, from, bytes, (size_t)len);
}

/* A member's protected answer: 2.04 outside, whatever it is inside. */
static void answer(struct fixture *f, const char *from, const char *option, size_t option_len) {
    answer_as(f, from, CG_CODE(2, 4), 1, cg_slice_of(option, option_len), cg_slice_of(answered, sizeof answered));
}

static const char *find(const struct call *call, const void *bytes, size_t len) {
    return memmem(call->text, call->text_len, bytes, len);
}

/* One part of the reply: its head, and the body untouched behind it. */
static void check_part(const struct call *call, const char *oscore) {
    char head[200];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/oscore\r\nOSCORE: %s\r\n", oscore);
    const char *part = find(call, head, strlen(head));
    if (part == NULL) fail_msg("no %s in %s", head, call->text);
    const char *body = memmem(part, call->text_len - (size_t)(part - call->text), "\r\n\r\n", 4);
    assert_non_null(body);
    assert_memory_equal(body + 4, answered, sizeof answered);
    assert_memory_equal(body + 4 + sizeof answered, "\r\n--", 4);
}

/* R3, R18 */
static void option_and_payload_pass_unchanged(void **state) {
    (void)state;
    static const char *const targets[] = {"/lamps", "/lamps/ignored?and=this", "/lamps/"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct fixture f;
        set_up(&f);
        assert_int_equal(post(&f, &f.call, targets[i], "multipart/mixed", OPTION_TEXT), CG_OK);
        world_go(&f.world, &f.call);
        check_sent(&f, OPTION, sizeof OPTION - 1);
        answer(&f, "127.1.0.1:5683", "", 0);
        answer(&f, "127.1.0.2:5683", "\x08\x12", 2);
        world_answer(&f.world, 0, "127.1.0.3:5683", "not protected");
        world_advance(&f.world, 3 * SECOND);
        assert_int_equal(f.call.replies, 1);
        assert_int_equal(f.call.reply.status, 200);
        assert_int_equal(f.call.reply.summary.answered, 2);
        assert_int_equal(f.call.reply.summary.rejected, 1);
        check_part(&f.call, "AA");
        check_part(&f.call, "CBI");
        assert_null(find(&f.call, "not protected", 13));
        tear_down(&f);
    }
}

static void json_has_option_and_bytes(void **state) {
    struct fixture *f = *state;
    assert_int_equal(post(f, &f->call, "/lamps", "application/json", "AA"), CG_OK);
    world_go(&f->world, &f->call);
    check_sent(f, "", 0);
    answer(f, "127.1.0.2:5683", "\x08\x12", 2);
    world_advance(&f->world, 3 * SECOND);
    assert_int_equal(f->call.replies, 1);
    assert_non_null(strstr(f->call.text, "\"content_type\":\"application/oscore\""));
    assert_non_null(strstr(f->call.text, "\"body_base64\":\"/wCAIlwNCg0KAAE=\""));
    assert_non_null(strstr(f->call.text, "\"options\":{\"9\":[\"0812\"]}"));
    assert_non_null(strstr(f->call.text, "\"kid\":\"12\""));
    assert_non_null(strstr(f->call.text, "\"verified\":\"none\""));
    assert_non_null(strstr(f->call.text, "\"status\":200"));
}

/* Each request has its own protection: two that look the same are two casts, also with a method that may be shared. */
static void relayed_requests_never_share_a_cast(void **state) {
    struct fixture *f = *state;
    struct call calls[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(post(f, &calls[i], "/lamps", "*/*", OPTION_TEXT), CG_OK);
        cg_gateway_request(f->world.gateway, calls[i].ticket)->method = CG_FETCH; /* as CoAP clients may */
        world_go(&f->world, &calls[i]);
    }
    assert_int_equal(f->world.sent_count, 2);
    struct cg_token tokens[2] = {f->world.sent[0].msg.token, f->world.sent[1].msg.token};
    assert_memory_not_equal(tokens[0].bytes, tokens[1].bytes, CG_TOKEN_MAX);
    world_advance(&f->world, 3 * SECOND);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(calls[i].reply.status, 504);
        assert_int_equal(calls[i].problem.err, CG_E_NO_ANSWER);
        call_fini(&calls[i]);
    }
}

/* A request that is protected already is never sealed again, and one that is not is not relayed. */
static void protection_must_fit_the_mapping(void **state) {
    struct fixture *f = *state;
    assert_int_equal(post(f, &f->call, "/pair", "*/*", OPTION_TEXT), CG_OK); /* not a relay */
    world_go(&f->world, &f->call);
    assert_int_equal(f->call.problems, 1);
    assert_int_equal(f->call.problem.err, CG_E_UNAUTHORIZED);
    assert_int_equal(cg_err_info(f->call.problem.err)->http_status, 401);
    call_fini(&f->call);
    struct cg_request *request = world_new(&f->world, &f->call, "/lamps");
    request->method = CG_POST;
    request->payload = cg_slice_str("plain");
    world_go(&f->world, &f->call);
    assert_int_equal(f->call.problems, 1);
    assert_int_equal(f->call.problem.err, CG_E_UNAUTHORIZED);
    assert_int_equal(f->world.sent_count, 0);
}

static void start_json(struct fixture *f) {
    set_up(f);
    assert_int_equal(post(f, &f->call, "/lamps", "application/json", "AA"), CG_OK);
    world_go(&f->world, &f->call);
    check_sent(f, "", 0);
}

static void end_json(struct fixture *f) {
    world_advance(&f->world, 3 * SECOND);
    assert_int_equal(f->call.replies, 1);
}

/* RFC 8613 §8.2: what a member says that cannot open the request is all that the client hears of it. */
static void an_unprotected_error_is_given(void **state) {
    (void)state;
    struct fixture f;
    start_json(&f);
    answer_as(&f, "127.1.0.2:5683", CG_CODE(4, 1), 0, CG_SLICE_NONE, cg_slice_str("Security context not found"));
    end_json(&f);
    assert_int_equal(f.call.reply.summary.answered, 1);
    assert_int_equal(f.call.reply.summary.failed, 1);
    assert_int_equal(f.call.reply.summary.rejected, 0);
    assert_non_null(strstr(f.call.text, "\"code\":\"4.01\""));
    assert_non_null(strstr(f.call.text, "\"status\":403")); /* RFC 8075 §7 */
    assert_non_null(strstr(f.call.text, "Security context not found"));
    assert_non_null(strstr(f.call.text, "\"verified\":\"none\""));
    assert_null(strstr(f.call.text, "application/oscore"));
    tear_down(&f);
}

static void an_unprotected_error_displaces_no_protected_answer(void **state) {
    (void)state;
    struct fixture f;
    start_json(&f);
    answer(&f, "127.1.0.2:5683", "\x08\x12", 2);
    answer_as(&f, "127.1.0.2:5683", CG_CODE(4, 0), 0, CG_SLICE_NONE, cg_slice_str("Decryption failed"));
    answer_as(&f, "127.1.0.3:5683", CG_CODE(5, 3), 0, CG_SLICE_NONE, CG_SLICE_NONE);
    answer(&f, "127.1.0.3:5683", "\x08\x13", 2); /* but is displaced by one */
    end_json(&f);
    assert_int_equal(f.call.reply.summary.answered, 2);
    assert_int_equal(f.call.reply.summary.failed, 0);
    assert_null(strstr(f.call.text, "Decryption failed"));
    assert_non_null(strstr(f.call.text, "\"kid\":\"12\""));
    assert_non_null(strstr(f.call.text, "\"kid\":\"13\""));
    tear_down(&f);
}

/* "Untouched": what a later version of OSCORE means by its bits is between the client and the members. */
static void values_with_reserved_bits_pass(void **state) {
    struct fixture *f = *state;
    assert_int_equal(post(f, &f->call, "/lamps", "application/json", "wQUB"), CG_OK);
    world_go(&f->world, &f->call);
    check_sent(f, "\xc1\x05\x01", 3);
    answer(f, "127.1.0.2:5683", "\x80\x07", 2);
    answer(f, "127.1.0.3:5683", "\x07\x01\x02\x03\x04\x05\x06\x07", 8); /* a reserved length */
    answer(f, "127.1.0.4:5683", "\x40\x12", 2);
    end_json(f);
    assert_int_equal(f->call.reply.summary.answered, 3);
    assert_int_equal(f->call.reply.summary.rejected, 0);
    assert_non_null(strstr(f->call.text, "\"options\":{\"9\":[\"8007\"]}"));
    assert_non_null(strstr(f->call.text, "\"options\":{\"9\":[\"0701020304050607\"]}"));
    assert_non_null(strstr(f->call.text, "\"options\":{\"9\":[\"4012\"]}"));
    assert_null(strstr(f->call.text, "\"kid\":\"")); /* none that can be read */
}

/* RFC 8613 §2: not repeatable, never without a payload, at most 255 bytes. */
static void malformed_protection_is_rejected(void **state) {
    (void)state;
    static const uint8_t long_value[256] = {0x08};
    struct fixture f;
    start_json(&f);
    struct cg_slice some = cg_slice_str("\x08\x12"), body = cg_slice_of(answered, sizeof answered);
    answer_as(&f, "127.1.0.2:5683", CG_CODE(2, 4), 2, some, body);
    answer_as(&f, "127.1.0.3:5683", CG_CODE(2, 4), 1, some, CG_SLICE_NONE);
    answer_as(&f, "127.1.0.4:5683", CG_CODE(2, 4), 1, cg_slice_of(long_value, sizeof long_value), body);
    answer_as(&f, "127.1.0.5:5683", CG_CODE(2, 5), 0, CG_SLICE_NONE, body);
    answer_as(&f, "127.1.0.6:5683", CG_CODE(4, 2), 2, some, body);
    end_json(&f);
    assert_int_equal(f.call.reply.summary.answered, 0);
    assert_int_equal(f.call.reply.summary.rejected, 5);
    assert_non_null(strstr(f.call.text, "\"reason\":\"bad-option\""));
    assert_non_null(strstr(f.call.text, "\"reason\":\"malformed\""));
    assert_non_null(strstr(f.call.text, "\"reason\":\"unprotected\""));
    tear_down(&f);
}

static void expect_bad_request(struct fixture *f, struct cg_opts options, struct cg_slice payload) {
    struct cg_request *request = world_new(&f->world, &f->call, "/lamps");
    request->method = CG_POST;
    request->options = options;
    request->payload = payload;
    world_go(&f->world, &f->call);
    assert_int_equal(f->call.problems, 1);
    assert_int_equal(f->call.problem.err, CG_E_BAD_REQUEST);
    assert_int_equal(f->world.sent_count, 0);
    call_fini(&f->call);
}

static void malformed_requests_are_not_relayed(void **state) {
    struct fixture *f = *state;
    struct cg_opt twice[2] = {{.number = CG_OPT_OSCORE, .value = cg_slice_str("\x09\x01\x11")},
                              {.number = CG_OPT_OSCORE, .value = cg_slice_str("\x09\x02\x11")}};
    expect_bad_request(f, (struct cg_opts){.list = twice, .count = 2}, cg_slice_of(sealed, sizeof sealed));
    expect_bad_request(f, (struct cg_opts){.list = twice, .count = 1}, CG_SLICE_NONE);
}

/* What a listener with "insecure": true takes from anybody does not include what nobody can see into. */
static void nobody_relays_anonymously_from_afar(void **state) {
    struct fixture *f = *state;
    static const struct cg_client known = {.name = "known"};
    assert_int_equal(post(f, &f->call, "/lamps", "*/*", OPTION_TEXT), CG_OK);
    cg_gateway_request(f->world.gateway, f->call.ticket)->is_remote = true;
    world_go(&f->world, &f->call);
    assert_int_equal(f->call.problems, 1);
    assert_int_equal(f->call.problem.err, CG_E_UNAUTHORIZED);
    assert_int_equal(f->world.sent_count, 0);
    call_fini(&f->call);
    struct cg_mapping *lamps = world_mapping(&f->world, "lamps");
    lamps->grants[0].client = &known;
    assert_int_equal(post(f, &f->call, "/lamps", "*/*", OPTION_TEXT), CG_OK);
    cg_gateway_request(f->world.gateway, f->call.ticket)->is_remote = true;
    cg_gateway_request(f->world.gateway, f->call.ticket)->client = &known;
    world_go(&f->world, &f->call);
    check_sent(f, OPTION, sizeof OPTION - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(option_and_payload_pass_unchanged),
        relay_test(json_has_option_and_bytes),
        relay_test(relayed_requests_never_share_a_cast),
        relay_test(protection_must_fit_the_mapping),
        relay_test(nobody_relays_anonymously_from_afar),
        cmocka_unit_test(an_unprotected_error_is_given),
        cmocka_unit_test(an_unprotected_error_displaces_no_protected_answer),
        relay_test(values_with_reserved_bits_pass),
        cmocka_unit_test(malformed_protection_is_rejected),
        relay_test(malformed_requests_are_not_relayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
