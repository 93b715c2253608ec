/* What protected members say to requests that they cannot open, and to those that come again: bytes in and bytes out.
 * RFC 8613 §8.2, RFC 10021 §7, RFC 7252 §4.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "oscore/oscore.h"
#include "tools/keys/options.h"
#include "tools/member/fleet.h"

enum { ROOM = 2048, SECOND = 1000000 };

struct scene {
    char file[64], numbers[80];
    json_t *document;
    struct cg_oscore_context *gateway;
    struct cg_shield *shield;
    struct cg_member_options options;
    struct cg_fleet_port port;
    struct cg_fleet *fleet;
    struct cg_addr client;
    uint64_t now, number;
    uint8_t said[ROOM]; /* the last datagram */
    size_t said_len, count;
    struct cg_msg msg;
    uint8_t request[ROOM];
    size_t request_len;
};

static void on_send(void *ctx, uint32_t member, const struct cg_addr *to, struct cg_slice datagram) {
    struct scene *scene = ctx;
    (void)member;
    (void)to;
    assert_true(datagram.len <= ROOM);
    memcpy(scene->said, datagram.data, datagram.len);
    scene->said_len = datagram.len;
    scene->count++;
    assert_int_equal(cg_msg_parse(&scene->msg, cg_slice_of(scene->said, scene->said_len)), CG_OK);
}

static json_t *make_group(void) {
    const char *argv[] = {"castgate-keys", "new", "unused", "--members", "1"};
    struct cg_keys_options options;
    char error[CG_KEYS_ERROR_MAX];
    json_t *document;
    assert_int_equal(cg_keys_options_parse(&options, 5, argv, error), CG_OK);
    assert_int_equal(cg_keyring_new(&document, &options.ring, error), CG_OK);
    return document;
}

/* The gateway of a group file. */
static struct cg_oscore_context *gateway_of(const json_t *document) {
    struct cg_security_group *keys;
    struct cg_oscore_context *context;
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_mistakes mistakes;
    const char *why = "";
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_security_group_read(document, CG_GROUP_FILE_MANAGER, &keys, &mistakes), CG_OK);
    cg_mistakes_fini(&mistakes);
    cg_security_group_params(keys, &keys->self, &params, &own);
    assert_int_equal(cg_oscore_context_new(&context, &params, &why), CG_OK);
    cg_security_group_free(keys);
    return context;
}

static void start(struct scene *scene, const char *more) {
    const char *argv[] = {"castgate-member", "--keys", scene->file, more};
    const struct cg_shield_options shield = {.keys = scene->file, .numbers = scene->numbers, .count = 1};
    char error[CG_MEMBER_ERROR_MAX] = "";
    assert_int_equal(cg_member_options_parse(&scene->options, more == NULL ? 3 : 4, argv, error), CG_OK);
    scene->shield = cg_shield_load(&shield, error, sizeof error);
    if (scene->shield == NULL) fail_msg("%s", error);
    scene->port = (struct cg_fleet_port){.ctx = scene, .send = on_send};
    scene->fleet = cg_fleet_new(&scene->options, 1, scene->shield, &scene->port);
    assert_non_null(scene->fleet);
}

static struct scene *new_scene(const char *more) {
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    strcpy(scene->file, "/tmp/castgate-refusals.XXXXXX");
    int fd = mkstemp(scene->file);
    assert_true(fd >= 0);
    close(fd);
    snprintf(scene->numbers, sizeof scene->numbers, "%s.numbers", scene->file);
    scene->document = make_group();
    assert_int_equal(json_dump_file(scene->document, scene->file, 0), 0);
    scene->gateway = gateway_of(scene->document);
    assert_int_equal(cg_addr_parse(&scene->client, cg_slice_str("127.0.0.1:40000"), 0), CG_OK);
    scene->now = 1000 * SECOND;
    start(scene, more);
    return scene;
}

static int set_up(void **state) {
    *state = new_scene(NULL);
    return 0;
}

static int set_up_telling(void **state) {
    *state = new_scene("--answer-errors");
    return 0;
}

static int set_up_forgetful(void **state) {
    *state = new_scene("--no-deduplication");
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    cg_fleet_free(scene->fleet);
    cg_shield_free(scene->shield);
    cg_oscore_context_unref(scene->gateway);
    json_decref(scene->document);
    unlink(scene->file);
    unlink(scene->numbers);
    free(scene);
    return 0;
}

/* GET /status in group mode. */
static void seal(struct scene *scene, struct cg_oscore_context *as, enum cg_type type, uint16_t mid) {
    static const uint8_t options[] = {0xb6, 's', 't', 'a', 't', 'u', 's'};
    const struct cg_msg plain = {.type = (uint8_t)type,
                                 .code = CG_GET,
                                 .mid = mid,
                                 .token = {.len = 1, .bytes = {9}},
                                 .options = {options, sizeof options}};
    struct cg_oscore_binding binding;
    int len = cg_oscore_seal_request(as, NULL, scene->number++, &plain, scene->request, ROOM, &binding);
    assert_true(len > 0);
    scene->request_len = (size_t)len;
}

enum way { UNICAST, GROUP };

/* Whether the member says something to it. */
static bool send_bytes(struct scene *scene, enum way way) {
    size_t before = scene->count;
    struct cg_slice datagram = cg_slice_of(scene->request, scene->request_len);
    if (way == GROUP) {
        cg_fleet_receive_group(scene->fleet, 0, &scene->client, datagram, scene->now);
    } else {
        cg_fleet_receive(scene->fleet, 0, &scene->client, datagram, scene->now);
    }
    (void)cg_fleet_run(scene->fleet, scene->now);
    return scene->count > before;
}

/* An unprotected error, not to be kept by anybody. */
static void assert_says(const struct scene *scene, enum cg_type type, uint8_t code, const char *diagnostic) {
    struct cg_slice value;
    uint32_t max_age = 1;
    assert_int_equal(scene->msg.type, type);
    assert_int_equal(scene->msg.code, code);
    assert_false(cg_msg_find(&scene->msg, CG_OPT_OSCORE, &value));
    assert_true(cg_msg_find_uint(&scene->msg, CG_OPT_MAX_AGE, &max_age));
    assert_int_equal(max_age, 0);
    assert_true(cg_slice_is(scene->msg.payload, diagnostic));
}

/* The group under another Gid, as after a rekey that the member has missed. */
static void seal_elsewhere(struct scene *scene, const char *key, const char *value, enum cg_type type, uint16_t mid) {
    json_t *other = json_deep_copy(scene->document);
    assert_int_equal(json_object_set_new(json_object_get(other, "common"), key, json_string(value)), 0);
    struct cg_oscore_context *gateway = gateway_of(other);
    seal(scene, gateway, type, mid);
    cg_oscore_context_unref(gateway);
    json_decref(other);
}

/* Flags with a reserved bit: another version of OSCORE. */
static void seal_malformed(struct scene *scene, enum cg_type type, uint16_t mid) {
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, scene->request, ROOM, type, CG_FETCH, mid, (struct cg_token){.len = 1, .bytes = {9}});
    cg_msg_put_opt(&writer, CG_OPT_OSCORE, cg_slice_str("\x89\x01\x11"));
    cg_msg_put_payload(&writer, cg_slice_str("some ciphertext"));
    scene->request_len = (size_t)cg_msg_end(&writer);
}

static void by_unicast_each_failure_has_its_answer(void **state) {
    struct scene *scene = *state;
    seal_elsewhere(scene, "gid", "010203040506", CG_CON, 1);
    assert_true(send_bytes(scene, UNICAST));
    assert_says(scene, CG_ACK, CG_CODE(4, 1), "Security context not found");
    seal_elsewhere(scene, "master_salt", "0102", CG_CON, 2);
    assert_true(send_bytes(scene, UNICAST));
    assert_says(scene, CG_ACK, CG_CODE(4, 0), "Decryption failed");
    seal(scene, scene->gateway, CG_NON, 3);
    scene->request[scene->request_len - 70] ^= 1; /* in the ciphertext */
    assert_true(send_bytes(scene, UNICAST));
    assert_says(scene, CG_NON, CG_CODE(4, 0), "Decryption failed");
    seal_malformed(scene, CG_CON, 4);
    assert_true(send_bytes(scene, UNICAST));
    assert_says(scene, CG_ACK, CG_CODE(4, 2), "Failed to decode COSE");
    seal(scene, scene->gateway, CG_CON, 5);
    assert_true(send_bytes(scene, UNICAST));
    scene->request[3] = 6; /* the same under another Message ID is no retransmission */
    assert_true(send_bytes(scene, UNICAST));
    assert_says(scene, CG_ACK, CG_CODE(4, 1), "Replay detected");
}

/* RFC 10021 §7 recommends it; many members would say the same at once. */
static void to_the_group_nothing_is_said(void **state) {
    struct scene *scene = *state;
    seal_elsewhere(scene, "gid", "010203040506", CG_NON, 1);
    assert_false(send_bytes(scene, GROUP));
    seal_elsewhere(scene, "master_salt", "0102", CG_NON, 2);
    assert_false(send_bytes(scene, GROUP));
    seal_malformed(scene, CG_NON, 3);
    assert_false(send_bytes(scene, GROUP));
    seal(scene, scene->gateway, CG_NON, 4);
    assert_true(send_bytes(scene, GROUP)); /* but it is heard */
}

static void members_that_are_to_tell_errors_tell_the_group_too(void **state) {
    struct scene *scene = *state;
    seal_elsewhere(scene, "gid", "010203040506", CG_NON, 1);
    assert_true(send_bytes(scene, GROUP));
    assert_says(scene, CG_NON, CG_CODE(4, 1), "Security context not found");
    seal_elsewhere(scene, "master_salt", "0102", CG_NON, 2);
    assert_true(send_bytes(scene, GROUP));
    assert_says(scene, CG_NON, CG_CODE(4, 0), "Decryption failed");
    seal_malformed(scene, CG_NON, 3);
    assert_true(send_bytes(scene, GROUP));
    assert_says(scene, CG_NON, CG_CODE(4, 2), "Failed to decode COSE");
}

/* Whoever sends what does not verify makes nobody forget what did. */
static void a_retransmission_is_no_replay(void **state) {
    struct scene *scene = *state;
    uint8_t first[ROOM], answer[ROOM];
    seal(scene, scene->gateway, CG_CON, 7);
    size_t first_len = scene->request_len;
    memcpy(first, scene->request, first_len);
    assert_true(send_bytes(scene, UNICAST));
    size_t answer_len = scene->said_len;
    memcpy(answer, scene->said, answer_len);
    assert_int_equal(scene->msg.type, CG_ACK);
    for (uint16_t i = 0; i < 60; i++) {
        seal_malformed(scene, CG_CON, (uint16_t)(100 + i));
        assert_true(send_bytes(scene, UNICAST));
        seal(scene, scene->gateway, i % 2 == 0 ? CG_CON : CG_NON, (uint16_t)(200 + i));
        assert_true(send_bytes(scene, UNICAST));
    }
    memcpy(scene->request, first, first_len);
    scene->request_len = first_len;
    scene->now += UINT64_C(93) * SECOND; /* MAX_TRANSMIT_WAIT */
    assert_true(send_bytes(scene, UNICAST));
    assert_int_equal(scene->said_len, answer_len);
    assert_memory_equal(scene->said, answer, answer_len);
}

/* What a member says that was answered in vain, and whose replay window is its only memory. */
static void without_memory_of_messages_a_retransmission_is_a_replay(void **state) {
    struct scene *scene = *state;
    seal(scene, scene->gateway, CG_CON, 7);
    assert_true(send_bytes(scene, UNICAST));
    assert_int_equal(scene->msg.code, CG_CODE(2, 4)); /* POST's outer code: it is protected */
    assert_true(send_bytes(scene, UNICAST));
    assert_says(scene, CG_ACK, CG_CODE(4, 1), "Replay detected");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_unicast_each_failure_has_its_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(to_the_group_nothing_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(members_that_are_to_tell_errors_tell_the_group_too, set_up_telling, tear_down),
        cmocka_unit_test_setup_teardown(a_retransmission_is_no_replay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_of_messages_a_retransmission_is_a_replay, set_up_forgetful,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
