/* A protected member that is observed, bytes in and bytes out: to which request its notifications are bound, under
 * which keys and in which mode, and what ends them. RFC 7641 §3.6, RFC 8613 §4.1.3.5, RFC 10021 §7.3, RFC 10020 §3.7.
 */
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

enum { ROOM = 2048, SECOND = 1000000, MEMBERS = 2 };

struct said {
    uint8_t bytes[ROOM];
    size_t len;
    struct cg_msg msg;
};

struct scene {
    char file[64], numbers[80];
    json_t *before, *after; /* the group, and rekeyed */
    struct cg_oscore_context *gateway, *rekeyed;
    struct cg_shield *shield;
    struct cg_member_options options;
    struct cg_fleet_port port;
    struct cg_fleet *fleet;
    struct cg_addr client;
    uint64_t now, number;
    uint16_t mid;
    struct said said[8]; /* of member 0, the latest first */
    unsigned count;
};

static void on_send(void *ctx, uint32_t member, const struct cg_addr *to, struct cg_slice datagram) {
    struct scene *scene = ctx;
    assert_true(datagram.len <= ROOM && cg_addr_equal(to, &scene->client));
    if (member != 0) return;
    memmove(&scene->said[1], &scene->said[0], 7 * sizeof *scene->said);
    struct said *said = &scene->said[0];
    memcpy(said->bytes, datagram.data, datagram.len);
    said->len = datagram.len;
    scene->count++;
    for (int i = 0; i < 8 && scene->said[i].len > 0; i++) {
        struct cg_slice bytes = cg_slice_of(scene->said[i].bytes, scene->said[i].len);
        assert_int_equal(cg_msg_parse(&scene->said[i].msg, bytes), CG_OK);
    }
}

static char error[CG_KEYS_ERROR_MAX];

static json_t *make_group(void) {
    const char *argv[] = {"castgate-keys", "new", "unused", "--members", "2"};
    struct cg_keys_options options;
    json_t *document;
    assert_int_equal(cg_keys_options_parse(&options, 5, argv, error), CG_OK);
    assert_int_equal(cg_keyring_new(&document, &options.ring, error), CG_OK);
    return document;
}

static json_t *rekeyed(const json_t *document) {
    const struct cg_keyring_options change = {0};
    json_t *after = json_deep_copy(document);
    assert_int_equal(cg_keyring_rekey(after, &change, document, error), CG_OK);
    return after;
}

static struct cg_oscore_context *gateway_of(const json_t *document) {
    struct cg_security_group *keys;
    struct cg_oscore_context *context;
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_security_group_read(document, CG_GROUP_FILE_MANAGER, &keys, &mistakes), CG_OK);
    cg_mistakes_fini(&mistakes);
    cg_security_group_params(keys, &keys->self, &params, &own);
    assert_int_equal(cg_oscore_context_new(&context, &params, NULL), CG_OK);
    for (size_t i = 0; i < keys->peer_count; i++) {
        const struct cg_security_party *peer = &keys->peers[i];
        struct cg_oscore_peer *added;
        assert_int_equal(cg_oscore_peer_add(context, peer->id, peer->cred, CG_OSCORE_WINDOW_NEW, &added, NULL), CG_OK);
    }
    cg_security_group_free(keys);
    return context;
}

static void start_fleet(struct scene *scene, enum cg_shield_mode mode) {
    const char *argv[] = {"castgate-member", "--keys", scene->file, "--count", "2"};
    const struct cg_shield_options shield = {
        .keys = scene->file, .numbers = scene->numbers, .count = MEMBERS, .mode = mode};
    assert_int_equal(cg_member_options_parse(&scene->options, 5, argv, error), CG_OK);
    scene->shield = cg_shield_load(&shield, error, sizeof error);
    if (scene->shield == NULL) fail_msg("%s", error);
    scene->port = (struct cg_fleet_port){.ctx = scene, .send = on_send};
    scene->fleet = cg_fleet_new(&scene->options, 1, scene->shield, &scene->port);
    assert_non_null(scene->fleet);
}

static void stop_fleet(struct scene *scene) {
    cg_fleet_free(scene->fleet);
    cg_shield_free(scene->shield);
}

static struct scene *new_scene(enum cg_shield_mode mode) {
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    strcpy(scene->file, "/tmp/castgate-observed.XXXXXX");
    int fd = mkstemp(scene->file);
    assert_true(fd >= 0);
    close(fd);
    snprintf(scene->numbers, sizeof scene->numbers, "%s.numbers", scene->file);
    scene->before = make_group();
    scene->after = rekeyed(scene->before);
    assert_int_equal(json_dump_file(scene->before, scene->file, 0), 0);
    scene->gateway = gateway_of(scene->before);
    scene->rekeyed = gateway_of(scene->after);
    assert_int_equal(cg_addr_parse(&scene->client, cg_slice_str("127.0.0.1:40000"), 0), CG_OK);
    scene->now = 1000 * (uint64_t)SECOND;
    start_fleet(scene, mode);
    return scene;
}

static int set_up(void **state) {
    *state = new_scene(CG_SHIELD_GROUP);
    return 0;
}

static int set_up_pairwise(void **state) {
    *state = new_scene(CG_SHIELD_PAIRWISE);
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    stop_fleet(scene);
    cg_oscore_context_unref(scene->gateway);
    cg_oscore_context_unref(scene->rekeyed);
    json_decref(scene->before);
    json_decref(scene->after);
    unlink(scene->file);
    unlink(scene->numbers);
    free(scene);
    return 0;
}

enum way { UNICAST, GROUP };
enum observing { REGISTERS, CANCELS, DOES_NOT };

/* GET or, with a payload, PUT /light; the token is the observation's unless it is a PUT. */
static struct cg_oscore_binding ask(struct scene *scene, enum way way, enum observing observing, const char *payload) {
    uint8_t plain_bytes[256], sealed[ROOM];
    struct cg_msg_writer writer;
    struct cg_msg plain;
    struct cg_oscore_binding binding;
    struct cg_token token = {.len = 2, .bytes = {7, payload == NULL ? 1 : 2}};
    cg_msg_begin(&writer, plain_bytes, sizeof plain_bytes, CG_NON, payload == NULL ? CG_GET : CG_PUT, ++scene->mid,
                 token);
    if (observing != DOES_NOT) cg_msg_put_uint(&writer, CG_OPT_OBSERVE, observing == CANCELS);
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str("light"));
    if (payload != NULL) cg_msg_put_payload(&writer, cg_slice_str(payload));
    assert_int_equal(cg_msg_parse(&plain, cg_slice_of(plain_bytes, (size_t)cg_msg_end(&writer))), CG_OK);
    int len = cg_oscore_seal_request(scene->gateway, NULL, scene->number++, &plain, sealed, sizeof sealed, &binding);
    assert_true(len > 0);
    struct cg_slice datagram = cg_slice_of(sealed, (size_t)len);
    if (way == GROUP) {
        cg_fleet_receive_group(scene->fleet, 0, &scene->client, datagram, scene->now);
    } else {
        cg_fleet_receive(scene->fleet, 0, &scene->client, datagram, scene->now);
    }
    (void)cg_fleet_run(scene->fleet, scene->now);
    return binding;
}

/* How often it notified when the light changed. */
static unsigned change(struct scene *scene, const char *to) {
    unsigned before = scene->count, notified = 0;
    (void)ask(scene, UNICAST, DOES_NOT, to);
    for (unsigned i = 0; i < scene->count - before; i++) notified += scene->said[i].msg.token.bytes[1] == 1;
    return notified;
}

/* The latest that it said, to that request and under those keys. */
static int open_latest(struct scene *scene, struct cg_oscore_context *keys, const struct cg_oscore_binding *binding,
                       struct cg_oscore_opened *opened, struct cg_msg *plain) {
    static uint8_t room[2 * ROOM + 16];
    return cg_oscore_open_response(keys, &scene->said[0].msg, binding, NULL, room, sizeof room, plain, opened);
}

static uint64_t assert_notified(struct scene *scene, struct cg_oscore_context *keys,
                                const struct cg_oscore_binding *binding, const char *payload) {
    struct cg_oscore_opened opened;
    struct cg_msg plain;
    struct cg_slice observe;
    assert_int_equal(open_latest(scene, keys, binding, &opened, &plain), CG_OK);
    assert_true(cg_msg_find(&plain, CG_OPT_OBSERVE, &observe));
    assert_true(opened.has_number); /* a Partial IV in each (RFC 8613 §4.1.3.5.2) */
    assert_int_equal(plain.payload.len, strlen(payload));
    assert_memory_equal(plain.payload.data, payload, plain.payload.len);
    return opened.number;
}

static void notifications_answer_the_registration_and_rise(void **state) {
    struct scene *scene = *state;
    struct cg_oscore_binding binding = ask(scene, GROUP, REGISTERS, NULL);
    uint64_t first = assert_notified(scene, scene->gateway, &binding, "off");
    assert_int_equal(change(scene, "on"), 1);
    uint64_t second = assert_notified(scene, scene->gateway, &binding, "on");
    assert_true(second > first);
    assert_int_equal(scene->said[0].msg.code, CG_CODE(2, 5)); /* outside, too */
}

static void they_answer_the_latest_registration_on_the_token(void **state) {
    struct scene *scene = *state;
    struct cg_oscore_opened opened;
    struct cg_msg plain;
    for (int way = UNICAST; way <= GROUP; way++) { /* a follow-up to it alone; a renewal to all */
        struct cg_oscore_binding first = ask(scene, GROUP, REGISTERS, NULL);
        struct cg_oscore_binding second = ask(scene, (enum way)way, REGISTERS, NULL);
        assert_int_equal(change(scene, way == UNICAST ? "a" : "b"), 1); /* one entry in its list */
        (void)assert_notified(scene, scene->gateway, &second, way == UNICAST ? "a" : "b");
        assert_int_equal(open_latest(scene, scene->gateway, &first, &opened, &plain), CG_E_VERIFY);
    }
}

static void a_cancellation_by_either_way_ends_them(void **state) {
    struct scene *scene = *state;
    for (int way = UNICAST; way <= GROUP; way++) {
        (void)ask(scene, GROUP, REGISTERS, NULL);
        struct cg_oscore_binding last = ask(scene, (enum way)way, CANCELS, NULL);
        struct cg_oscore_opened opened;
        struct cg_msg plain;
        struct cg_slice observe;
        assert_int_equal(open_latest(scene, scene->gateway, &last, &opened, &plain), CG_OK);
        assert_false(cg_msg_find(&plain, CG_OPT_OBSERVE, &observe));
        assert_int_equal(change(scene, way == UNICAST ? "a" : "b"), 0);
    }
}

static void a_reset_ends_them(void **state) {
    struct scene *scene = *state;
    (void)ask(scene, GROUP, REGISTERS, NULL);
    assert_int_equal(change(scene, "on"), 1);
    uint16_t mid = scene->said[0].msg.mid;
    const uint8_t reset[] = {0x70, 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    cg_fleet_receive(scene->fleet, 0, &scene->client, cg_slice_of(reset, sizeof reset), scene->now);
    assert_int_equal(change(scene, "off"), 0);
}

static void they_go_on_under_new_keys(void **state) {
    struct scene *scene = *state;
    struct cg_oscore_binding binding = ask(scene, GROUP, REGISTERS, NULL);
    assert_int_equal(json_dump_file(scene->after, scene->file, 0), 0);
    assert_int_equal(cg_shield_reload(scene->shield, error, sizeof error), CG_OK);
    assert_int_equal(change(scene, "on"), 1);
    (void)assert_notified(scene, scene->rekeyed, &binding, "on"); /* the old kid, Partial IV and kid context */
}

static void in_pairwise_mode_where_it_answers_so(void **state) {
    struct scene *scene = *state;
    struct cg_oscore_binding binding = ask(scene, GROUP, REGISTERS, NULL);
    struct cg_oscore_opened opened;
    struct cg_msg plain;
    assert_int_equal(change(scene, "on"), 1);
    assert_int_equal(open_latest(scene, scene->gateway, &binding, &opened, &plain), CG_OK);
    assert_false(opened.group_mode);
}

static void after_a_restart_it_knows_nobody(void **state) {
    struct scene *scene = *state;
    (void)ask(scene, GROUP, REGISTERS, NULL);
    stop_fleet(scene);
    start_fleet(scene, CG_SHIELD_GROUP);
    assert_int_equal(change(scene, "on"), 0);
    struct cg_oscore_binding binding = ask(scene, GROUP, REGISTERS, NULL);
    assert_int_equal(change(scene, "off"), 1);
    (void)assert_notified(scene, scene->gateway, &binding, "off");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(notifications_answer_the_registration_and_rise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_answer_the_latest_registration_on_the_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancellation_by_either_way_ends_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_ends_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_go_on_under_new_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_pairwise_mode_where_it_answers_so, set_up_pairwise, tear_down),
        cmocka_unit_test_setup_teardown(after_a_restart_it_knows_nobody, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
