/* What the host shows an encoder: each item by its index, in any order, and nothing behind the last one. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>

static void (*look)(const struct castgate_host *host, struct castgate_call *call);
static unsigned looks;

static int encode(const struct castgate_host *host, struct castgate_call *call) {
    looks++;
    look(host, call);
    return 0;
}

static const struct castgate_encoder looker = {.media_type = "text/looked", .encode = encode};

static bool is(struct castgate_slice slice, const char *text) {
    return slice.len == strlen(text) && (slice.len == 0 || memcmp(slice.data, text, slice.len) == 0);
}

static void get(struct world *world, struct call *call,
                void (*what)(const struct castgate_host *, struct castgate_call *)) {
    look = what;
    looks = 0;
    assert_non_null(world_new(world, call, "/lamps"));
    call->encoder = &looker;
    world_go(world, call);
}

static void end(struct world *world, struct call *call) {
    world_advance(world, 2 * SECOND);
    assert_int_equal(call->reply.status, 200);
    assert_int_equal(looks, 1);
}

static const size_t orders[][6] = {{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {2, 2, 0, 0, 5, 1}, {3, 0, 5, 4, 1, 1}};
#define ORDERS (sizeof orders / sizeof *orders)

static void look_at_answers(const struct castgate_host *host, struct castgate_call *call) {
    static const char *const payloads[] = {"one", "two", "three", "four"};
    struct castgate_answer answer;
    for (size_t i = 0; i < ORDERS; i++) {
        for (size_t j = 0; j < 6; j++) {
            size_t index = orders[i][j];
            assert_int_equal(host->answer(call, index, &answer), index < 4);
            if (index < 4) assert_true(is(answer.payload, payloads[index]));
        }
    }
}

static void test_answers_are_found_in_any_order(void **state) {
    struct world *world = *state;
    struct call call;
    get(world, &call, look_at_answers);
    world_answer(world, 0, "127.1.0.4", "one");
    world_answer(world, 0, "127.1.0.3", "two");
    world_answer(world, 0, "127.1.0.2", "three");
    world_answer(world, 0, "127.1.0.1", "four");
    end(world, &call);
}

/* Members 0, 2, 3 and 5 are silent. */
static void look_at_missing(const struct castgate_host *host, struct castgate_call *call) {
    static const char *const addresses[] = {"127.1.0.1:5683", "127.1.0.3:5683", "127.1.0.4:5683", "127.1.0.6:5683"};
    struct castgate_missing missing;
    for (size_t i = 0; i < ORDERS; i++) {
        for (size_t j = 0; j < 6; j++) {
            size_t index = orders[i][j];
            assert_int_equal(host->missing(call, index, &missing), index < 4);
            if (index < 4) assert_true(is(missing.from, addresses[index]));
            if (index < 4) assert_true(is(missing.member, index == 0 ? "first" : "other"));
        }
    }
}

static void test_missing_members_are_found_in_any_order(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 6);
    get(world, &call, look_at_missing);
    world_answer(world, 0, "127.1.0.5", "on");
    world_answer(world, 0, "127.1.0.2", "on");
    end(world, &call);
}

static void look_at_rejected(const struct castgate_host *host, struct castgate_call *call) {
    struct castgate_rejected rejected;
    char from[32];
    for (size_t i = 0; i < ORDERS; i++) {
        for (size_t j = 0; j < 6; j++) {
            size_t index = orders[i][j];
            assert_int_equal(host->rejected(call, index, &rejected), index < 5);
            snprintf(from, sizeof from, "127.1.0.%zu:5683", index + 2);
            if (index < 5) assert_true(is(rejected.from, from));
            if (index < 5) assert_true(is(rejected.reason, "max_answers"));
        }
    }
}

static void test_rejected_answers_are_found_in_any_order(void **state) {
    struct world *world = *state;
    struct call call;
    char from[32];
    world_mapping(world, "lamps")->max_answers = 1;
    get(world, &call, look_at_rejected);
    for (int i = 1; i <= 6; i++) {
        snprintf(from, sizeof from, "127.1.0.%d", i);
        world_answer(world, 0, from, "on");
    }
    end(world, &call);
}

static void look_at_a_rich_answer(const struct castgate_host *host, struct castgate_call *call) {
    struct castgate_answer answer;
    assert_true(host->answer(call, 0, &answer));
    assert_true(is(answer.member, "127.1.0.1:5683") && is(answer.from, "127.1.0.1:5683"));
    assert_true(is(answer.media_type, "application/json") && is(answer.etag, "12345678"));
    assert_int_equal(answer.format, 50);
    assert_int_equal(answer.max_age, 7);
    assert_true(answer.has_max_age);
    assert_int_equal(answer.code, CG_CODE(2, 5));
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.ms, 20);
    assert_int_equal(answer.verified, CASTGATE_VERIFIED_NONE);
    assert_int_equal(answer.via, CASTGATE_VIA_MULTICAST);
    assert_false(answer.has_kid);
    assert_true(answer.options.len > 0 && answer.reply_from.len > 0);
    assert_true(host->answer(call, 1, &answer)); /* what is absent */
    assert_int_equal(answer.media_type.len + answer.etag.len + answer.kid.len + answer.payload.len, 0);
    assert_int_equal(answer.format, CASTGATE_FORMAT_NONE);
    assert_int_equal(answer.max_age, 60); /* RFC 7252 §5.10.5 */
    assert_false(answer.has_max_age);
    assert_int_equal(answer.status, 204);
    assert_true(host->answer(call, 2, &answer));
    assert_int_equal(answer.etag.len, 0); /* longer than any ETag (RFC 7252 §5.10.6.1) */
}

static void test_an_answer_shows_what_it_has(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_opt list[] = {{.number = CG_OPT_ETAG, .value = cg_slice_str("12345678")},
                            {.number = CG_OPT_CONTENT_FORMAT, .value = cg_slice_str("\x32")},
                            {.number = CG_OPT_MAX_AGE, .value = cg_slice_str("\x07")}};
    struct cg_opts options = {.list = list, .count = 3};
    get(world, &call, look_at_a_rich_answer);
    world->now_us += 20999;
    world_answer_as(world, 0, "127.1.0.1",
                    (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .payload = "{}", .options = &options});
    world_answer_as(world, 0, "127.1.0.2", (struct answer){.type = CG_NON, .code = CG_CODE(2, 4)});
    list[0].value = cg_slice_str("123456789");
    world_answer_as(world, 0, "127.1.0.3",
                    (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .payload = "{}", .options = &options});
    end(world, &call);
}

static void look_at_a_protected_answer(const struct castgate_host *host, struct castgate_call *call) {
    struct castgate_answer answer;
    assert_true(host->answer(call, 0, &answer));
    assert_int_equal(answer.format, 10001); /* RFC 8613 §11.2 */
    assert_true(is(answer.media_type, "application/oscore"));
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.code, CG_CODE(2, 4));
}

static void test_a_protected_answer_is_application_oscore(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_opt oscore = {.number = CG_OPT_OSCORE, .value = cg_slice_str("\x08\x01")};
    struct cg_opts options = {.list = &oscore, .count = 1};
    world_mapping(world, "lamps")->security = CG_SECURITY_RELAY;
    look = look_at_a_protected_answer;
    looks = 0;
    struct cg_request *request = world_new(world, &call, "/lamps");
    call.encoder = &looker;
    request->options = options;
    request->payload = cg_slice_str("sealed");
    world_go(world, &call);
    world_answer_as(world, 0, "127.1.0.1",
                    (struct answer){.type = CG_NON, .code = CG_CODE(2, 4), .payload = "sealed", .options = &options});
    end(world, &call);
}

static void choose_a_content_type(const struct castgate_host *host, struct castgate_call *call) {
    char longest[300];
    memset(longest, 'x', sizeof longest);
    assert_true(is(host->mapping(call), "lamps"));
    assert_int_equal(host->exchange(call).len, 16);
    host->content_type(call, (struct castgate_slice){.data = longest, .len = sizeof longest});
}

static void test_a_content_type_has_255_bytes(void **state) {
    struct world *world = *state;
    struct call call;
    get(world, &call, choose_a_content_type);
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 2 * SECOND);
    assert_int_equal(strlen(call.reply.content_type), 255);
    end(world, &call);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_answers_are_found_in_any_order),
        world_test(test_missing_members_are_found_in_any_order),
        world_test(test_rejected_answers_are_found_in_any_order),
        world_test(test_an_answer_shows_what_it_has),
        world_test(test_a_protected_answer_is_application_oscore),
        world_test(test_a_content_type_has_255_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
