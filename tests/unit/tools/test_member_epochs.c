/* A member on its own, from its file, and keys that change while it runs: nobody misses anything, nothing is accepted
 * twice. R54, R55. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oscore/oscore.h"
#include "tools/keys/options.h"
#include "tools/member/shield.h"

#include <sys/stat.h>
#include <unistd.h>

enum { ROOM = 4096 };

/* The gateway of one epoch. */
struct gateway {
    struct cg_oscore_context *context;
    uint64_t number;
};

/* What was asked, and what came back. */
struct exchange {
    uint8_t request[ROOM], answer[ROOM];
    struct cg_msg sealed;
    struct cg_oscore_binding binding;
    struct cg_shield_request received;
    int answer_len;
};

struct scene {
    char file[64], numbers[80];
    json_t *before, *after; /* 11, 12, 13; then 11, 13, 14 */
    struct gateway old, new;
    struct cg_shield *shield;
};

static char error[CG_KEYS_ERROR_MAX];

static json_t *make_group(void) {
    const char *argv[] = {"castgate-keys", "new", "unused", "--members", "3", "--addresses", "127.1.0.1"};
    struct cg_keys_options options;
    json_t *document;
    assert_int_equal(cg_keys_options_parse(&options, 7, argv, error), CG_OK);
    assert_int_equal(cg_keyring_new(&document, &options.ring, error), CG_OK);
    return document;
}

static json_t *rekeyed(const json_t *document) {
    const struct cg_keyring_options change = {.members = 1, .evict = {"12"}, .evict_count = 1};
    json_t *after = json_deep_copy(document);
    assert_int_equal(cg_keyring_add(after, &change, error), CG_OK);
    assert_int_equal(cg_keyring_rekey(after, &change, document, error), CG_OK);
    return after;
}

static void make_gateway(struct gateway *gateway, const json_t *document) {
    struct cg_security_group *keys;
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_security_group_read(document, CG_GROUP_FILE_MANAGER, &keys, &mistakes), CG_OK);
    cg_mistakes_fini(&mistakes);
    cg_security_group_params(keys, &keys->self, &params, &own);
    assert_int_equal(cg_oscore_context_new(&gateway->context, &params, NULL), CG_OK);
    for (size_t i = 0; i < keys->peer_count; i++) {
        const struct cg_security_party *peer = &keys->peers[i];
        struct cg_oscore_peer *added;
        assert_int_equal(cg_oscore_peer_add(gateway->context, peer->id, peer->cred, CG_OSCORE_WINDOW_NEW, &added, NULL),
                         CG_OK);
    }
    cg_security_group_free(keys);
}

/* The document's file of that name becomes the scene's. */
static void give(struct scene *scene, json_t *document, const char *wanted) {
    char name[CG_KEYRING_NAME_MAX];
    size_t i = 0;
    while (cg_keyring_file_name(document, i, CG_KEYRING_CURRENT, name) && strcmp(name, wanted) != 0) i++;
    assert_string_equal(name, wanted);
    json_t *file = cg_keyring_file(document, i);
    assert_int_equal(json_dump_file(file, scene->file, 0), 0);
    assert_int_equal(chmod(scene->file, 0600), 0);
    json_decref(file);
}

static int setup(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    strcpy(scene->file, "/tmp/castgate-epochs.XXXXXX");
    int fd = mkstemp(scene->file);
    assert_true(fd >= 0);
    close(fd);
    snprintf(scene->numbers, sizeof scene->numbers, "%s.numbers", scene->file);
    scene->before = make_group();
    scene->after = rekeyed(scene->before);
    make_gateway(&scene->old, scene->before);
    make_gateway(&scene->new, scene->after);
    *state = scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    cg_shield_free(scene->shield);
    cg_oscore_context_unref(scene->old.context);
    cg_oscore_context_unref(scene->new.context);
    json_decref(scene->before);
    json_decref(scene->after);
    unlink(scene->file);
    unlink(scene->numbers);
    free(scene);
    return 0;
}

static struct cg_shield *try_to_load(struct scene *scene, const struct cg_shield_options *more) {
    struct cg_shield_options options = *more;
    options.keys = scene->file;
    options.numbers = scene->numbers;
    return cg_shield_load(&options, error, sizeof error);
}

static void load(struct scene *scene, json_t *document, const char *name, uint32_t count) {
    give(scene, document, name);
    scene->shield = try_to_load(scene, &(const struct cg_shield_options){.count = count});
    if (scene->shield == NULL) fail_msg("%s", error);
}

static void reload(struct scene *scene, json_t *document, const char *name) {
    give(scene, document, name);
    if (cg_shield_reload(scene->shield, error, sizeof error) != CG_OK) fail_msg("%s", error);
}

static struct cg_msg plain_message(uint8_t bytes[256], uint8_t code, struct cg_slice echo) {
    struct cg_msg msg;
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, 256, CG_NON, code, 7, (struct cg_token){.len = 1, .bytes = {9}});
    if (echo.len > 0) cg_msg_put_opt(&writer, CG_OPT_ECHO, echo);
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse(&msg, cg_slice_of(bytes, (size_t)len)), CG_OK);
    return msg;
}

static int receive(struct scene *scene, uint32_t member, struct exchange *exchange) {
    struct cg_msg opened;
    return cg_shield_open(scene->shield, member, &exchange->sealed, &opened, &exchange->received);
}

/* A request from that gateway to all, or with an Echo value, to one member. */
static int ask(struct scene *scene, struct gateway *gateway, uint32_t member, struct exchange *exchange,
               struct cg_oscore_peer *to, struct cg_slice echo) {
    uint8_t bytes[256];
    struct cg_msg plain = plain_message(bytes, CG_GET, echo);
    int len = cg_oscore_seal_request(gateway->context, to, gateway->number++, &plain, exchange->request, ROOM,
                                     &exchange->binding);
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse(&exchange->sealed, cg_slice_of(exchange->request, (size_t)len)), CG_OK);
    return receive(scene, member, exchange);
}

static int ask_all(struct scene *scene, struct gateway *gateway, uint32_t member, struct exchange *exchange) {
    return ask(scene, gateway, member, exchange, NULL, CG_SLICE_NONE);
}

/* As that gateway opens what the member said. */
static int hear(struct gateway *gateway, const struct exchange *exchange, struct cg_slice *echo) {
    static uint8_t room[2 * ROOM + 16];
    struct cg_msg sealed, plain;
    struct cg_oscore_opened opened;
    assert_true(exchange->answer_len > 0);
    assert_int_equal(cg_msg_parse(&sealed, cg_slice_of(exchange->answer, (size_t)exchange->answer_len)), CG_OK);
    int err = cg_oscore_open_response(gateway->context, &sealed, &exchange->binding, NULL, room, sizeof room, &plain,
                                      &opened);
    if (err == CG_OK && echo != NULL) assert_true(cg_oscore_is_challenge(&plain, echo));
    return err;
}

static void answer(struct scene *scene, uint32_t member, struct exchange *exchange) {
    uint8_t bytes[256];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, CG_CODE(2, 5), 8, (struct cg_token){.len = 1, .bytes = {9}});
    struct cg_slice plain = cg_slice_of(bytes, (size_t)cg_msg_end(&writer));
    exchange->answer_len = cg_shield_seal(scene->shield, member, &exchange->received, plain, exchange->answer, ROOM);
}

static void must_answer(struct scene *scene, uint32_t member, struct exchange *exchange, struct gateway *to) {
    answer(scene, member, exchange);
    assert_int_equal(hear(to, exchange, NULL), CG_OK);
}

/* The member challenges first; the same request with its Echo is taken. */
static void prove_freshness(struct scene *scene, struct gateway *gateway, const char *id, struct exchange *exchange) {
    uint8_t kid = (uint8_t)strtoul(id, NULL, 16);
    struct cg_oscore_peer *peer = cg_oscore_peer_find(gateway->context, cg_slice_of(&kid, 1));
    struct cg_slice echo;
    assert_int_equal(ask_all(scene, gateway, 0, exchange), CG_E_REPLAY);
    assert_true(exchange->received.challenge);
    exchange->answer_len = cg_shield_challenge(scene->shield, 0, &exchange->received, CG_NON, 3, exchange->sealed.token,
                                               exchange->answer, ROOM);
    assert_int_equal(hear(gateway, exchange, &echo), CG_OK);
    assert_int_equal(ask(scene, gateway, 0, exchange, peer, echo), CG_OK);
}

static void a_member_of_its_own_challenges_first(void **state) {
    struct scene *scene = *state;
    struct exchange exchange;
    for (int start = 0; start < 2; start++) {
        cg_shield_free(scene->shield);
        load(scene, scene->before, "member-12.json", 1);
        prove_freshness(scene, &scene->old, "12", &exchange);
        must_answer(scene, 0, &exchange, &scene->old);
        assert_int_equal(ask_all(scene, &scene->old, 0, &exchange), CG_OK);
        must_answer(scene, 0, &exchange, &scene->old);
        assert_int_equal(receive(scene, 0, &exchange), CG_E_REPLAY);
    }
    struct cg_addr address = cg_shield_address(scene->shield);
    char text[CG_ADDR_TEXT_MAX];
    (void)cg_addr_emit(&address, text);
    assert_string_equal(text, "127.1.0.2:5683");
}

static void what_is_no_members_file_is_refused(void **state) {
    struct scene *scene = *state;
    static const struct {
        const char *file;
        struct cg_shield_options options;
        const char *message;
    } rows[] = {
        {"gateway.json", {.count = 1}, "is the gateway's"},
        {"member-11.json", {.count = 5}, "--count 5 needs the whole group's"},
        {"member-11.json", {.count = 1, .lie = CG_SHIELD_IMPOSTOR}, "--misbehave impostor needs the whole group's"},
        {"checker.json", {.count = 1}, "is a signature checker's file"},
        {"group.json", {.count = 4}, "has 3 members, --count asks for 4"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        give(scene, scene->before, rows[i].file);
        assert_null(try_to_load(scene, &rows[i].options));
        if (strstr(error, rows[i].message) == NULL) fail_msg("%s", error);
    }
    give(scene, scene->before, "member-11.json");
    assert_int_equal(chmod(scene->file, 0644), 0);
    assert_null(try_to_load(scene, &rows[0].options));
    scene->shield = try_to_load(scene, &(const struct cg_shield_options){.count = 1, .may_be_shared = true});
    assert_non_null(scene->shield);
}

/* Prepared, then activated: every request is answered, under the latest keys. */
static void a_rekey_loses_no_request(void **state) {
    struct scene *scene = *state;
    struct exchange exchange;
    load(scene, scene->before, "group.json", 3);
    assert_int_equal(ask_all(scene, &scene->old, 0, &exchange), CG_OK);
    reload(scene, scene->after, "group.json"); /* while the answer is being made */
    answer(scene, 0, &exchange);
    assert_int_equal(hear(&scene->old, &exchange, NULL), CG_E_UNAUTHORIZED);
    assert_int_equal(hear(&scene->new, &exchange, NULL), CG_OK);
    assert_int_equal(ask_all(scene, &scene->old, 0, &exchange), CG_OK);
    cg_shield_settle(scene->shield, 0, &exchange.received);
    must_answer(scene, 0, &exchange, &scene->new);
    assert_int_equal(ask_all(scene, &scene->new, 0, &exchange), CG_OK);
    must_answer(scene, 0, &exchange, &scene->new);
    assert_int_equal(ask_all(scene, &scene->old, 0, &exchange), CG_OK); /* that one came by unicast */
    assert_int_equal(ask_all(scene, &scene->new, 0, &exchange), CG_OK);
    cg_shield_settle(scene->shield, 0, &exchange.received);
    assert_int_equal(ask_all(scene, &scene->old, 0, &exchange), CG_E_UNAUTHORIZED);
}

/* Its place in the file is another's now; 12 was evicted and has no other keys. */
static void members_are_found_by_their_sender_id(void **state) {
    struct scene *scene = *state;
    struct exchange exchange;
    load(scene, scene->before, "group.json", 3);
    reload(scene, scene->after, "group.json");
    assert_int_equal(ask_all(scene, &scene->new, 2, &exchange), CG_OK);
    must_answer(scene, 2, &exchange, &scene->new);
    assert_int_equal(ask_all(scene, &scene->new, 1, &exchange), CG_E_UNAUTHORIZED);
    assert_int_equal(ask_all(scene, &scene->old, 1, &exchange), CG_OK);
    must_answer(scene, 1, &exchange, &scene->old);
}

static void a_single_member_is_rekeyed_too(void **state) {
    struct scene *scene = *state;
    struct exchange exchange;
    load(scene, scene->before, "member-13.json", 1);
    prove_freshness(scene, &scene->old, "13", &exchange);
    reload(scene, scene->after, "member-13.json");
    assert_int_equal(ask_all(scene, &scene->old, 0, &exchange), CG_OK);
    must_answer(scene, 0, &exchange, &scene->new);
    prove_freshness(scene, &scene->new, "13", &exchange);
    must_answer(scene, 0, &exchange, &scene->new);
}

/* Whom the new file does not know has nothing to say any more, under the old keys neither (RFC 10021 §12.2). */
static void requests_of_the_evicted_are_not_taken(void **state) {
    struct scene *scene = *state;
    struct exchange exchange;
    load(scene, scene->before, "member-13.json", 1);
    struct gateway evicted = {0};
    json_t *swapped = json_deep_copy(scene->before); /* 12 as the one who asks */
    json_t *twelve = json_array_get(json_object_get(swapped, "members"), 1);
    json_t *gateway = json_deep_copy(twelve);
    json_object_del(gateway, "name");
    json_object_del(gateway, "address");
    json_array_remove(json_object_get(swapped, "members"), 1);
    json_object_set_new(swapped, "gateway", gateway);
    make_gateway(&evicted, swapped);
    prove_freshness(scene, &evicted, "13", &exchange);
    reload(scene, scene->after, "member-13.json");
    assert_int_equal(ask_all(scene, &evicted, 0, &exchange), CG_E_UNAUTHORIZED);
    cg_oscore_context_unref(evicted.context);
    json_decref(swapped);
}

static void the_same_keys_again_accept_nothing_again(void **state) {
    struct scene *scene = *state;
    struct exchange exchange;
    const struct cg_keyring_options one_more = {.members = 1};
    load(scene, scene->before, "member-11.json", 1);
    prove_freshness(scene, &scene->old, "11", &exchange);
    assert_int_equal(ask_all(scene, &scene->old, 0, &exchange), CG_OK);
    assert_int_equal(cg_keyring_add(scene->before, &one_more, error), CG_OK); /* somebody joins without a rekey */
    reload(scene, scene->before, "member-11.json");
    assert_int_equal(receive(scene, 0, &exchange), CG_E_REPLAY);
    assert_int_equal(ask_all(scene, &scene->old, 0, &exchange), CG_OK);
    must_answer(scene, 0, &exchange, &scene->old);
}

static void what_cannot_be_read_changes_nothing(void **state) {
    struct scene *scene = *state;
    struct exchange exchange;
    load(scene, scene->before, "group.json", 3);
    give(scene, scene->after, "member-11.json");
    assert_int_not_equal(cg_shield_reload(scene->shield, error, sizeof error), CG_OK);
    assert_non_null(strstr(error, "--count 3 needs the whole group's"));
    assert_int_equal(truncate(scene->file, 20), 0);
    assert_int_not_equal(cg_shield_reload(scene->shield, error, sizeof error), CG_OK);
    assert_int_equal(ask_all(scene, &scene->old, 0, &exchange), CG_OK);
    must_answer(scene, 0, &exchange, &scene->old);
}

int main(void) {
#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SCENE(a_member_of_its_own_challenges_first),
        WITH_SCENE(what_is_no_members_file_is_refused),
        WITH_SCENE(a_rekey_loses_no_request),
        WITH_SCENE(members_are_found_by_their_sender_id),
        WITH_SCENE(a_single_member_is_rekeyed_too),
        WITH_SCENE(requests_of_the_evicted_are_not_taken),
        WITH_SCENE(the_same_keys_again_accept_nothing_again),
        WITH_SCENE(what_cannot_be_read_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
