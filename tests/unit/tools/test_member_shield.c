/* What protected members say, honest and not, as a gateway with the real library reads it. R12, R23. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "oscore/oscore.h"
#include "tools/keys/options.h"
#include "tools/member/numbers.h"
#include "tools/member/shield.h"

enum { MEMBERS = 3, ROOM = 4096 };

/* A group file on disk, and its gateway's Security Context. */
struct scene {
    char file[64], numbers[80];
    struct cg_security_group *keys;
    struct cg_oscore_context *gateway;
    struct cg_shield *shield;
    uint8_t request[ROOM];
    struct cg_msg sealed;
    struct cg_oscore_binding binding;
    struct cg_shield_request received;
    uint64_t number;
};

static void write_group_file(const char *file) {
    const char *argv[] = {"castgate-keys", "new", "unused", "--members", "3"};
    struct cg_keys_options options;
    char error[CG_KEYS_ERROR_MAX];
    json_t *document;
    assert_int_equal(cg_keys_options_parse(&options, 5, argv, error), CG_OK);
    assert_int_equal(cg_keyring_new(&document, &options.ring, error), CG_OK);
    assert_int_equal(json_dump_file(document, file, 0), 0);
    json_decref(document);
}

static void make_gateway(struct scene *scene) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    const char *why = "";
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_security_group_load(scene->file, CG_GROUP_FILE_MANAGER, false, &scene->keys, &mistakes), CG_OK);
    cg_mistakes_fini(&mistakes);
    cg_security_group_params(scene->keys, &scene->keys->self, &params, &own);
    assert_int_equal(cg_oscore_context_new(&scene->gateway, &params, &why), CG_OK);
    for (size_t i = 0; i < scene->keys->peer_count; i++) {
        const struct cg_security_party *peer = &scene->keys->peers[i];
        assert_int_equal(cg_oscore_peer_add(scene->gateway, peer->id, peer->cred, CG_OSCORE_WINDOW_NEW, NULL, &why),
                         CG_OK);
    }
}

static int setup(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    strcpy(scene->file, "/tmp/castgate-shield.XXXXXX");
    int fd = mkstemp(scene->file); /* 0600, as key files must be */
    assert_true(fd >= 0);
    close(fd);
    snprintf(scene->numbers, sizeof scene->numbers, "%s.numbers", scene->file);
    write_group_file(scene->file);
    make_gateway(scene);
    *state = scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    cg_shield_free(scene->shield);
    cg_oscore_context_unref(scene->gateway);
    cg_security_group_free(scene->keys);
    unlink(scene->file);
    unlink(scene->numbers);
    free(scene);
    return 0;
}

static void load(struct scene *scene, enum cg_shield_mode mode, bool lost, enum cg_shield_lie lie) {
    char error[256] = "";
    cg_shield_free(scene->shield);
    const struct cg_shield_options options = {
        .keys = scene->file, .numbers = scene->numbers, .count = MEMBERS, .mode = mode, .lie = lie, .lost = lost};
    scene->shield = cg_shield_load(&options, error, sizeof error);
    if (scene->shield == NULL) fail_msg("%s", error);
}

static struct cg_msg plain_message(uint8_t code, const char *payload) {
    static uint8_t bytes[256];
    struct cg_msg msg;
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_NON, code, 7, (struct cg_token){.len = 1, .bytes = {9}});
    cg_msg_put_payload(&writer, cg_slice_str(payload));
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse(&msg, cg_slice_of(bytes, (size_t)len)), CG_OK);
    return msg;
}

/* The gateway asks; member 0 receives. */
static int ask(struct scene *scene) {
    struct cg_msg plain = plain_message(CG_PUT, "on"), opened;
    int len =
        cg_oscore_seal_request(scene->gateway, NULL, scene->number++, &plain, scene->request, ROOM, &scene->binding);
    assert_true(len > 0);
    assert_int_equal(cg_msg_parse(&scene->sealed, cg_slice_of(scene->request, (size_t)len)), CG_OK);
    return cg_shield_open(scene->shield, 0, &scene->sealed, &opened, &scene->received);
}

struct said {
    uint8_t bytes[ROOM];
    int len;
};

static struct cg_slice whole(uint8_t to[256], const char *payload) {
    struct cg_msg msg = plain_message(CG_CODE(2, 4), payload);
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, to, 256, msg.type, msg.code, msg.mid, msg.token);
    cg_msg_put_payload(&writer, msg.payload);
    return cg_slice_of(to, (size_t)cg_msg_end(&writer));
}

static void say(struct scene *scene, struct said *said) {
    uint8_t plain[256];
    said->len = cg_shield_seal(scene->shield, 0, &scene->received, whole(plain, "done"), said->bytes, ROOM);
    assert_true(said->len > 0);
}

static void tell_a_lie(struct scene *scene, struct said *said) {
    uint8_t plain[256];
    said->len = cg_shield_lie(scene->shield, 0, &scene->received, whole(plain, "a lie"), said->bytes, ROOM);
    assert_true(said->len > 0);
}

static int hear(struct scene *scene, const struct said *said, struct cg_oscore_answers *answers) {
    uint8_t room[2 * ROOM + 16];
    struct cg_msg sealed, plain;
    struct cg_oscore_opened opened;
    assert_int_equal(cg_msg_parse(&sealed, cg_slice_of(said->bytes, (size_t)said->len)), CG_OK);
    return cg_oscore_open_response(scene->gateway, &sealed, &scene->binding, answers, room, sizeof room, &plain,
                                   &opened);
}

static void honest_answers_verify(void **state) {
    struct scene *scene = *state;
    for (enum cg_shield_mode mode = CG_SHIELD_GROUP; mode <= CG_SHIELD_PAIRWISE; mode++) {
        struct cg_oscore_answers answers = {0};
        struct said said;
        load(scene, mode, false, CG_SHIELD_HONEST);
        assert_int_equal(ask(scene), CG_OK);
        say(scene, &said);
        assert_int_equal(hear(scene, &said, &answers), CG_OK);
        say(scene, &said); /* as a notification */
        assert_int_equal(hear(scene, &said, &answers), CG_OK);
        assert_int_equal(hear(scene, &said, &answers), CG_E_REPLAY);
    }
}

static void requests_are_verified_R23(void **state) {
    struct scene *scene = *state;
    struct cg_msg opened;
    load(scene, CG_SHIELD_GROUP, false, CG_SHIELD_HONEST);
    assert_int_equal(ask(scene), CG_OK);
    assert_int_equal(cg_shield_open(scene->shield, 0, &scene->sealed, &opened, &scene->received), CG_E_REPLAY);
    scene->request[(size_t)(scene->sealed.payload.data - scene->request)] ^= 1;
    assert_int_equal(cg_shield_open(scene->shield, 1, &scene->sealed, &opened, &scene->received), CG_E_VERIFY);
}

static void lies_are_found_out(void **state) {
    struct scene *scene = *state;
    static const struct {
        enum cg_shield_lie lie;
        int err;
    } rows[] = {{CG_SHIELD_STRANGER, CG_E_UNAUTHORIZED}, {CG_SHIELD_IMPOSTOR, CG_E_VERIFY}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (enum cg_shield_mode mode = CG_SHIELD_GROUP; mode <= CG_SHIELD_PAIRWISE; mode++) {
            struct said said;
            load(scene, mode, false, rows[i].lie);
            assert_int_equal(ask(scene), CG_OK);
            tell_a_lie(scene, &said);
            assert_int_equal(hear(scene, &said, NULL), rows[i].err);
        }
    }
}

static void a_twin_repeats_a_number(void **state) {
    struct scene *scene = *state;
    struct cg_oscore_answers answers = {0};
    struct said first, second;
    load(scene, CG_SHIELD_GROUP, false, CG_SHIELD_TWIN);
    assert_int_equal(ask(scene), CG_OK);
    say(scene, &first);
    tell_a_lie(scene, &second);
    assert_int_equal(hear(scene, &first, &answers), CG_OK);
    assert_int_equal(hear(scene, &second, &answers), CG_E_REPLAY);
}

static void a_lost_window_challenges(void **state) {
    struct scene *scene = *state;
    struct said said;
    load(scene, CG_SHIELD_GROUP, true, CG_SHIELD_HONEST);
    assert_int_equal(ask(scene), CG_E_REPLAY);
    assert_true(scene->received.challenge);
    said.len =
        cg_shield_challenge(scene->shield, 0, &scene->received, CG_NON, 3, scene->sealed.token, said.bytes, ROOM);
    assert_true(said.len > 0);
    assert_int_equal(hear(scene, &said, NULL), CG_OK);
}

static void too_few_members_are_refused(void **state) {
    struct scene *scene = *state;
    char error[256];
    struct cg_shield_options options = {.keys = scene->file, .numbers = scene->numbers, .count = MEMBERS + 1};
    assert_null(cg_shield_load(&options, error, sizeof error));
    assert_non_null(strstr(error, "--count asks for 4"));
    options = (struct cg_shield_options){.keys = "/nowhere", .numbers = scene->numbers, .count = 1};
    assert_null(cg_shield_load(&options, error, sizeof error));
}

/* The Partial IV of what was said; it must have one. */
static uint64_t number_of(const struct said *said) {
    struct cg_msg msg;
    struct cg_slice value;
    struct cg_oscore_option option;
    assert_int_equal(cg_msg_parse(&msg, cg_slice_of(said->bytes, (size_t)said->len)), CG_OK);
    assert_true(cg_msg_find(&msg, CG_OPT_OSCORE, &value));
    assert_int_equal(cg_oscore_option_parse(&option, value), CG_OK);
    assert_true(option.piv.len > 0);
    return cg_oscore_piv_parse(option.piv);
}

/* The program is started again and again, and answers requests that it may have answered before: every answer has a
 * nonce of its own. RFC 8613 §7.5, RFC 10021 §2.6.1. */
static void no_number_comes_twice_over_restarts(void **state) {
    struct scene *scene = *state;
    uint64_t last = 0;
    for (int start = 0; start < 5; start++) {
        load(scene, start % 2 == 0 ? CG_SHIELD_GROUP : CG_SHIELD_PAIRWISE, false, CG_SHIELD_HONEST);
        for (int i = 0; i < 3; i++) {
            struct said said;
            assert_int_equal(ask(scene), CG_OK);
            say(scene, &said);
            uint64_t number = number_of(&said);
            assert_true(number > last);
            assert_true(number < UINT64_C(1) << 31); /* peers with 32 bits exist */
            last = number;
            assert_int_equal(hear(scene, &said, NULL), CG_OK);
        }
    }
}

/* A block ends while the program runs. */
static void numbers_go_on_behind_a_block(void **state) {
    struct scene *scene = *state;
    struct said said;
    load(scene, CG_SHIELD_PAIRWISE, false, CG_SHIELD_HONEST);
    assert_int_equal(ask(scene), CG_OK);
    say(scene, &said);
    uint64_t last = number_of(&said);
    for (int i = 0; i < CG_NUMBERS_BLOCK + 10; i++) {
        say(scene, &said);
        assert_true(number_of(&said) > last);
        last = number_of(&said);
    }
    load(scene, CG_SHIELD_PAIRWISE, false, CG_SHIELD_HONEST);
    assert_int_equal(ask(scene), CG_OK);
    say(scene, &said);
    assert_true(number_of(&said) > last);
}

static void without_numbers_nobody_starts_and_nobody_answers(void **state) {
    struct scene *scene = *state;
    char error[256];
    struct cg_shield_options options = {.keys = scene->file, .numbers = "/nowhere/numbers", .count = 1};
    assert_null(cg_shield_load(&options, error, sizeof error));
    assert_non_null(strstr(error, "/nowhere/numbers: No such file"));
    load(scene, CG_SHIELD_PAIRWISE, false, CG_SHIELD_HONEST);
    assert_int_equal(ask(scene), CG_OK);
    assert_int_equal(unlink(scene->numbers), 0);
    assert_int_equal(mkdir(scene->numbers, 0700), 0);
    uint8_t plain[256], bytes[ROOM];
    for (int i = 0; i < CG_NUMBERS_BLOCK; i++)
        assert_true(cg_shield_seal(scene->shield, 0, &scene->received, whole(plain, "done"), bytes, ROOM) > 0);
    assert_int_equal(cg_shield_seal(scene->shield, 0, &scene->received, whole(plain, "done"), bytes, ROOM), CG_E_STORE);
    assert_int_equal(rmdir(scene->numbers), 0);
    assert_true(cg_shield_seal(scene->shield, 0, &scene->received, whole(plain, "done"), bytes, ROOM) > 0);
}

int main(void) {
#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SCENE(honest_answers_verify),
        WITH_SCENE(requests_are_verified_R23),
        WITH_SCENE(lies_are_found_out),
        WITH_SCENE(a_twin_repeats_a_number),
        WITH_SCENE(a_lost_window_challenges),
        WITH_SCENE(too_few_members_are_refused),
        WITH_SCENE(no_number_comes_twice_over_restarts),
        WITH_SCENE(numbers_go_on_behind_a_block),
        WITH_SCENE(without_numbers_nobody_starts_and_nobody_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
