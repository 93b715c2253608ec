/* What is recorded at the boundary of legs and rounds is enough to run an exchange once more: the reply is the same,
 * byte by byte, though nothing is sealed, sent or opened. (Every scenario is played once more, too: scenario.h.) */
#include "exchange/recording.h"

#include <stdlib.h>
#include <string.h>

/* One client's request, recorded in one world and told to another. */
static struct show {
    struct world *world; /* where it takes place */
    struct call *call;
    const struct castgate_encoder *encoder;
    uint64_t random_state; /* of the name of the exchange */
    bool is_told;
} show;

static void get(const char *path, const char *nothing) {
    struct world *world = show.world;
    (void)nothing;
    if (show.is_told) {
        world->random_state = show.random_state;
    } else {
        show.random_state = world->random_state;
    }
    assert_non_null(world_new(world, show.call, path));
    show.call->encoder = show.encoder;
    world_go(world, show.call);
}

/* Verifies when it is told to. */
static uint64_t jobs[8];
static size_t job_count;

static int open_later(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                      struct cg_opened *opened) {
    (void)protector, (void)opening, (void)opened;
    jobs[job_count++] = job;
    return CG_PENDING;
}

static struct cg_protector_ops slow_ops;
static struct cg_protector slow = {.ops = &slow_ops};

static void verify(struct world *world, size_t job, const char *payload) {
    struct cg_opened opened = {.code = CG_CODE(2, 5),
                               .payload = cg_slice_str(payload),
                               .verified = CASTGATE_VERIFIED_SOURCE,
                               .has_kid = true,
                               .kid = cg_slice_str("A"),
                               .identity = cg_slice_str("credential of A")};
    cg_engine_opened(cg_gateway_engine(world->gateway), jobs[job], CG_OK, &opened);
    world_run(world);
}

struct fixture {
    struct world world, again;
    struct recording recording;
    struct cg_mute mute;
    struct call call, told;
};

static struct cg_mapping *lamps_of(struct world *world) {
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 3);
    lamps->repair_unicast = true;
    lamps->leisure = 5; /* half the time is shorter */
    return lamps;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    world_init(&f->world);
    world_init(&f->again);
    job_count = 0;
    slow_ops = *cg_protector_none()->ops;
    slow_ops.open = open_later;
    lamps_of(&f->world);
    cg_mute_init(&f->mute);
    lamps_of(&f->again)->protector = &f->mute.protector;
    recording_init(&f->recording);
    show = (struct show){.world = &f->world, .call = &f->call, .encoder = cg_plugin_json.ops.encoder};
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    call_fini(&f->call);
    call_fini(&f->told);
    recording_fini(&f->recording);
    world_fini(&f->world);
    world_fini(&f->again);
    free(f);
    return 0;
}

#define recording_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void begin(struct fixture *f) {
    world_start(&f->world);
    recording_listen(&f->recording, cg_gateway_engine(f->world.gateway));
    recording_add(&f->recording, f->world.now_us, get, "/lamps", "");
    get("/lamps", "");
}

static void tell(struct fixture *f) {
    recording_add(&f->recording, f->world.now_us, NULL, "", "");
    show.world = &f->again;
    show.call = &f->told;
    show.is_told = true;
    world_start(&f->again);
    recording_tell(&f->recording, &f->again, &f->mute);
    assert_int_equal(cg_gateway_running(f->again.gateway), 0);
    assert_int_equal(f->again.sent_count, 0);
}

static void expect_same(const struct fixture *f) {
    assert_int_equal(f->call.replies, 1);
    assert_int_equal(f->told.replies, 1);
    assert_int_equal(f->told.reply.status, f->call.reply.status);
    assert_string_equal(f->told.reply.exchange_id, f->call.reply.exchange_id);
    assert_string_equal(f->told.text, f->call.text);
}

static void the_reply_is_the_same_byte_by_byte(void **state) {
    struct fixture *f = *state;
    begin(f);
    world_advance(&f->world, 12345);
    world_answer(&f->world, 0, "127.1.0.2", "on");
    world_deliver(&f->world, "127.1.0.9", "\x58\xff\x12\x34", 4); /* nobody's */
    world_answer_as(&f->world, 0, "127.1.0.7", (struct answer){.type = CG_NON, .code = CG_CODE(6, 1)});
    world_advance(&f->world, SECOND);
    world_answer(&f->world, 1, "127.1.0.1", "by unicast");
    world_advance(&f->world, SECOND);
    tell(f);
    expect_same(f);
    assert_non_null(strstr(f->told.text, "\"ms\":12,"));
    assert_non_null(strstr(f->told.text, "\"reason\":\"bad-code\""));
    assert_non_null(strstr(f->told.text, "\"via\":\"unicast\""));
    assert_non_null(strstr(f->told.text, "\"missing\":[{"));
}

static void a_stream_is_the_same_byte_by_byte(void **state) {
    struct fixture *f = *state;
    show.encoder = cg_plugin_sse.ops.encoder;
    begin(f);
    world_answer(&f->world, 0, "127.1.0.2", "on");
    world_advance(&f->world, SECOND / 4);
    world_answer(&f->world, 0, "127.1.0.2", "off");
    world_advance(&f->world, 2 * SECOND);
    tell(f);
    assert_string_equal(call_take(&f->told), call_take(&f->call));
    assert_non_null(strstr(f->told.text, "event: summary"));
}

/* Answers that are received in time and still being verified are waited for, as they were. */
static void verification_takes_the_time_that_it_took(void **state) {
    struct fixture *f = *state;
    struct cg_mapping *lamps = world_mapping(&f->world, "lamps");
    lamps->protector = &slow;
    lamps->repair_unicast = world_mapping(&f->again, "lamps")->repair_unicast = false;
    begin(f);
    world_answer(&f->world, 0, "127.1.0.1", "sealed");
    world_answer(&f->world, 0, "127.1.0.2", "sealed");
    world_advance(&f->world, 2 * SECOND + 100000);
    assert_int_equal(f->call.replies, 0);
    verify(&f->world, 1, "one");
    world_advance(&f->world, SECOND);
    tell(f);
    expect_same(f);
    assert_int_equal(f->told.reply.summary.answered, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        recording_test(the_reply_is_the_same_byte_by_byte),
        recording_test(a_stream_is_the_same_byte_by_byte),
        recording_test(verification_takes_the_time_that_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
