/* What a client gets to see of its members: where they are hidden, nothing that leads to them (R19). */
#include "exchange/fake_world.h"

#include <string.h>

static void expect_hidden(const struct call *call) {
    static const char *const told[] = {"127.1.0", "first", "other", "127.9.9.9", "Reply-From"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) assert_null(strstr(call->text, told[i]));
}

static void test_members_are_hidden(void **state) { /* R19 */
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 3);
    lamps->anonymise = true;
    const struct castgate_encoder *const encoders[] = {cg_plugin_json.ops.encoder, cg_plugin_mixed.ops.encoder};
    for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++) {
        assert_non_null(world_new(world, &call, "/lamps"));
        call.encoder = encoders[i];
        world_go(world, &call);
        size_t cast = world->sent_count - 1;
        world_answer(world, cast, "127.1.0.2", "on");
        world_answer(world, cast, "127.1.0.1", "off");
        struct cg_opt unsafe = {.number = 65003};
        struct cg_opts options = {.list = &unsafe, .count = 1};
        struct answer refused = {.type = CG_NON, .code = CG_CODE(2, 5), .mid = 7, .options = &options};
        world_answer_as(world, cast, "127.9.9.9", refused);
        world_advance(world, 2 * SECOND);
        assert_int_equal(call.replies, 1);
        expect_hidden(&call);
    }
    world_get(world, &call, "/lamps");
    world_answer(world, world->sent_count - 1, "127.1.0.2", "on");
    world_advance(world, 2 * SECOND);
    assert_non_null(strstr(call.text, "{\"member\":\"1\",\"from\":null,\"kid\":null,"));
    assert_int_equal(call.reply.summary.missing, 2);
}

/* Who says itself where it is, is as hidden as the others; whatever else it says stays. */
static void test_reply_from_of_a_hidden_member_is_taken_out(void **state) { /* R19 */
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    lamps->anonymise = true;
    struct cg_opt list[] = {{.number = CG_OPT_ETAG, .value = cg_slice_str("e")},
                            {.number = 248, .value = cg_slice_str("at home")},
                            {.number = 248, .value = cg_slice_str("abroad")},
                            {.number = 2053, .value = cg_slice_str("\x08")}};
    struct cg_opts options = {.list = list, .count = 4};
    world_get(world, &call, "/lamps");
    world_answer_as(world, 0, "127.1.0.1",
                    (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = 7, .options = &options});
    world_advance(world, 2 * SECOND);
    assert_non_null(strstr(call.text, "\"options\":{\"4\":[\"65\"],\"2053\":[\"08\"]}"));
}

static int refuse_with_kid(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                           struct cg_opened *opened) {
    (void)protector, (void)opening, (void)job;
    *opened = (struct cg_opened){.has_kid = true, .kid = cg_slice_str("\xee"), .gid = cg_slice_str("\xdd")};
    return CG_E_VERIFY;
}

static void expect_refused(struct world *world, bool anonymise, const char *text) {
    struct call call;
    struct cg_protector_ops ops = *cg_protector_none()->ops;
    struct cg_protector protector = {.ops = &ops};
    ops.open = refuse_with_kid;
    world_renew(world);
    world_mapping(world, "lamps")->protector = &protector;
    world_mapping(world, "lamps")->anonymise = anonymise;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 2 * SECOND);
    assert_non_null(strstr(call.text, text));
}

static void test_a_kid_is_hidden_among_the_rejected_too(void **state) { /* R19 */
    expect_refused(*state, false, "\"rejected\":[{\"from\":\"127.1.0.1:5683\",\"kid\":\"ee\",\"gid\":\"dd\"");
    expect_refused(*state, true, "\"rejected\":[{\"from\":null,\"kid\":null,\"gid\":\"dd\"");
}

static int open_with_kid(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                         struct cg_opened *opened) {
    int err = cg_protector_none()->ops->open(protector, opening, job, opened);
    opened->has_kid = true;
    opened->kid = cg_slice_str("\xee");
    return err;
}

static void expect_kid(struct world *world, bool anonymise, const char *text) {
    struct call call;
    struct cg_protector_ops ops = *cg_protector_none()->ops;
    struct cg_protector protector = {.ops = &ops};
    ops.open = open_with_kid;
    world_renew(world);
    world_mapping(world, "lamps")->protector = &protector;
    world_mapping(world, "lamps")->anonymise = anonymise;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, 2 * SECOND);
    if (strstr(call.text, text) == NULL) fail_msg("no %s in %s", text, call.text);
}

static void test_the_kid_of_a_hidden_member_is_not_shown(void **state) { /* R19 */
    expect_kid(*state, false, "\"from\":\"127.1.0.1:5683\",\"kid\":\"ee\"");
    expect_kid(*state, true, "\"member\":\"1\",\"from\":null,\"kid\":null");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_members_are_hidden),
        world_test(test_reply_from_of_a_hidden_member_is_taken_out),
        world_test(test_a_kid_is_hidden_among_the_rejected_too),
        world_test(test_the_kid_of_a_hidden_member_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
