/* An exchange that was recorded is the same when it is played once more from its file, whatever became of it; and a
 * file that somebody has changed is refused, or plays otherwise, and nothing else. */
#include "app/replay/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "exchange/fake_keys.h"
#include "exchange/fake_world.h"
#include "recorder/recorder.h"

static int64_t clock_ms(void) { return 1796000000000; }

struct fixture {
    struct world world;
    struct cg_recorder *recorder;
    struct call call;
    struct fake_keys keys;
    struct cg_mapping *lamps;
    struct cg_buf file, told;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    world_init(&f->world);
    f->world.config->recorder.memory = 4 << 20;
    f->lamps = world_mapping(&f->world, "lamps");
    world_add_members(&f->world, f->lamps, 3);
    f->lamps->members[2].name = "third";
    f->lamps->repair_unicast = true;
    f->lamps->max_answers = 1000;
    fake_keys_init(&f->keys);
    cg_buf_init(&f->file, 0);
    cg_buf_init(&f->told, 0);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    call_fini(&f->call);
    world_fini(&f->world);
    cg_recorder_free(f->recorder);
    cg_buf_fini(&f->file);
    cg_buf_fini(&f->told);
    free(f);
    return 0;
}

#define replay_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void start(struct fixture *f) {
    world_start(&f->world);
    f->recorder = cg_recorder_new(&(struct cg_recorder_options){.gateway = f->world.gateway, .clock_ms = clock_ms});
    assert_non_null(f->recorder);
}

static void begin(struct fixture *f) {
    start(f);
    world_get(&f->world, &f->call, "/lamps/state");
}

static void answer(struct fixture *f, size_t emission, const char *from, uint64_t after_us) {
    world_advance(&f->world, after_us);
    world_answer(&f->world, emission, from, "on");
    world_run(&f->world);
}

static int write_file(struct fixture *f, enum cg_tape_payloads payloads) {
    struct cg_problem problem = {0};
    const struct cg_record *record = cg_recorder_before(f->recorder, 0);
    assert_non_null(record);
    cg_buf_clear(&f->file);
    return cg_recorder_put_transcript(f->recorder, record, payloads, &f->file, &problem);
}

static enum cg_replayed replay(struct fixture *f) {
    cg_buf_clear(&f->told);
    enum cg_replayed replayed = cg_replay_text(cg_buf_slice(&f->file), &f->told);
    cg_buf_put_u8(&f->told, 0);
    return replayed;
}

static const char *told(const struct fixture *f) { return (const char *)f->told.data; }

/* However much of it is shown. */
static void expect_same(struct fixture *f) {
    assert_int_equal(write_file(f, CG_TAPE_SHOWS_PAYLOADS), CG_OK);
    if (replay(f) != CG_REPLAYED_SAME) fail_msg("%s", told(f));
    assert_int_equal(write_file(f, CG_TAPE_HIDES_PAYLOADS), CG_OK);
    if (replay(f) != CG_REPLAYED_SAME) fail_msg("%s", told(f));
    assert_non_null(strstr(told(f), "same as recorded"));
}

static void all_answer(void **state) {
    struct fixture *f = *state;
    begin(f);
    answer(f, 0, "127.1.0.2", 12345);
    answer(f, 0, "127.1.0.1", 0);
    answer(f, 0, "127.1.0.3", 999);
    assert_int_equal(f->call.replies, 1);
    expect_same(f);
    assert_non_null(strstr(told(f), "3 answered, 0 failed, 0 missing, ended by all after 13 ms"));
    assert_non_null(strstr(told(f), "third"));
}

static void one_is_silent_and_answers_by_unicast_and_another_never_does(void **state) {
    struct fixture *f = *state;
    begin(f);
    answer(f, 0, "127.1.0.2", 100);
    world_advance(&f->world, SECOND + SECOND / 5);
    assert_true(f->world.sent_count >= 3);
    const struct cg_addr *asked = &f->world.sent[1].route.to;
    world_answer_as(
        &f->world, 1, asked->ip[3] == 1 ? "127.1.0.1" : "127.1.0.3",
        (struct answer){
            .type = CG_ACK, .code = CG_CODE(2, 5), .mid = f->world.sent[1].msg.mid, .payload = "by unicast"});
    world_advance(&f->world, 2 * SECOND);
    assert_int_equal(f->call.replies, 1);
    expect_same(f);
    assert_non_null(strstr(told(f), "by unicast"));
    assert_non_null(strstr(told(f), "missing: "));
}

static void answers_come_twice_and_late_and_from_strangers(void **state) {
    struct fixture *f = *state;
    begin(f);
    answer(f, 0, "127.1.0.2", 100);
    answer(f, 0, "127.1.0.2", 100);
    answer(f, 0, "127.1.0.7", 100);
    world_answer_as(&f->world, 0, "127.1.0.8", (struct answer){.type = CG_NON, .code = CG_CODE(6, 1), .mid = 77});
    world_answer_as(&f->world, 0, "127.1.0.1", (struct answer){.type = CG_NON, .code = CG_CODE(4, 4), .mid = 78});
    world_advance(&f->world, 4 * SECOND);
    answer(f, 0, "127.1.0.3", 100);
    expect_same(f);
    assert_non_null(strstr(told(f), "rejected: "));
}

static void a_member_challenges(void **state) {
    struct fixture *f = *state;
    const struct cg_opt echo = {.number = CG_OPT_ECHO, .value = cg_slice_str("fresh")};
    const struct cg_opts options = {.list = (struct cg_opt *)&echo, .count = 1};
    f->lamps->protector = &f->keys.protector;
    begin(f);
    world_answer_as(&f->world, 0, "127.1.0.1",
                    (struct answer){.type = CG_NON, .code = CG_CODE(4, 1), .mid = 5, .options = &options});
    world_run(&f->world);
    assert_int_equal(f->world.sent_count, 2);
    world_answer_as(
        &f->world, 1, "127.1.0.1",
        (struct answer){.type = CG_ACK, .code = CG_CODE(2, 5), .mid = f->world.sent[1].msg.mid, .payload = "proven"});
    world_advance(&f->world, 4 * SECOND);
    assert_int_equal(f->call.replies, 1);
    expect_same(f);
}

static void it_could_not_be_sent(void **state) {
    struct fixture *f = *state;
    start(f);
    f->world.emit_error = CG_E_EMIT;
    world_get(&f->world, &f->call, "/lamps");
    world_advance(&f->world, 4 * SECOND);
    expect_same(f);
    assert_non_null(strstr(told(f), "problem: cannot-emit"));
}

static void its_client_has_left(void **state) {
    struct fixture *f = *state;
    begin(f);
    answer(f, 0, "127.1.0.2", 100);
    world_advance(&f->world, SECOND / 2);
    cg_gateway_abandon(f->world.gateway, f->call.ticket);
    world_run(&f->world);
    expect_same(f);
    assert_non_null(strstr(told(f), ", left: 1 answered"));
}

static void what_is_known_of_members_counts(void **state) {
    struct fixture *f = *state;
    begin(f);
    for (unsigned i = 0; i < 6; i++) {
        const size_t latest = f->world.sent_count - 1;
        answer(f, latest, "127.1.0.1", 3000);
        answer(f, latest, "127.1.0.2", 3000);
        answer(f, latest, "127.1.0.3", 3000);
        world_get(&f->world, &f->call, "/lamps/state");
    }
    answer(f, f->world.sent_count - 1, "127.1.0.1", 3000);
    world_advance(&f->world, 4 * SECOND);
    assert_int_equal(write_file(f, CG_TAPE_SHOWS_PAYLOADS), CG_OK);
    cg_buf_put_u8(&f->file, 0);
    assert_non_null(strstr((const char *)f->file.data, "\"known\":{"));
    expect_same(f);
}

static void payloads_are_kept_of_plain_groups_alone(void **state) {
    struct fixture *f = *state;
    begin(f);
    answer(f, 0, "127.1.0.2", 100);
    answer(f, 0, "127.1.0.3", 100);
    world_advance(&f->world, 4 * SECOND);
    assert_int_equal(write_file(f, CG_TAPE_SHOWS_PAYLOADS), CG_OK);
    cg_buf_put_u8(&f->file, 0);
    assert_non_null(strstr((const char *)f->file.data, "\"bytes\":2,\"payload\":\"6f6e\",\"same\":1"));
    assert_int_equal(write_file(f, CG_TAPE_HIDES_PAYLOADS), CG_OK);
    cg_buf_put_u8(&f->file, 0);
    assert_null(strstr((const char *)f->file.data, "6f6e"));
    assert_non_null(strstr((const char *)f->file.data, "\"bytes\":2,\"same\":1"));
    f->lamps->security = CG_SECURITY_GROUP;
    world_get(&f->world, &f->call, "/lamps");
    answer(f, f->world.sent_count - 1, "127.1.0.2", 100);
    world_advance(&f->world, 4 * SECOND);
    f->lamps->security = CG_SECURITY_NONE;
    assert_int_equal(write_file(f, CG_TAPE_SHOWS_PAYLOADS), CG_OK);
    cg_buf_put_u8(&f->file, 0);
    assert_null(strstr((const char *)f->file.data, "6f6e"));
}

static void a_mapping_says_itself_whether_its_payloads_are_kept(void **state) {
    struct fixture *f = *state;
    start(f);
    f->lamps->record_payloads = CG_RECORD_LENGTHS;
    world_get(&f->world, &f->call, "/lamps/state");
    answer(f, 0, "127.1.0.2", 100);
    world_advance(&f->world, 4 * SECOND);
    assert_int_equal(write_file(f, CG_TAPE_SHOWS_PAYLOADS), CG_OK);
    cg_buf_put_u8(&f->file, 0);
    assert_null(strstr((const char *)f->file.data, "6f6e"));
    assert_non_null(strstr((const char *)f->file.data, "\"bytes\":2,\"same\":1"));
}

static void one_that_has_joined_another_says_whose_it_is(void **state) {
    struct fixture *f = *state;
    struct cg_problem problem = {0};
    struct call joined;
    begin(f);
    world_get(&f->world, &joined, "/lamps/state");
    world_advance(&f->world, 4 * SECOND);
    const struct cg_record *record = cg_recorder_before(f->recorder, 0);
    if (!record->has_joined) record = cg_recorder_before(f->recorder, record->number);
    assert_true(record->has_joined);
    assert_int_equal(cg_recorder_put_transcript(f->recorder, record, CG_TAPE_SHOWS_PAYLOADS, &f->file, &problem),
                     CG_E_CONFLICT);
    assert_non_null(strstr(problem.detail, f->call.reply.exchange_id));
    call_fini(&joined);
}

static void one_that_was_refused_has_no_transcript(void **state) {
    struct fixture *f = *state;
    start(f);
    world_get(&f->world, &f->call, "/nowhere");
    world_run(&f->world);
    assert_int_equal(write_file(f, CG_TAPE_SHOWS_PAYLOADS), CG_E_NOT_FOUND);
}

static void too_much_is_not_given_out_in_part(void **state) {
    struct fixture *f = *state;
    f->world.config->recorder.memory = 64 << 10;
    begin(f);
    for (unsigned i = 0; i < 200; i++) answer(f, 0, "127.1.0.2", 100);
    world_advance(&f->world, 4 * SECOND);
    assert_int_equal(write_file(f, CG_TAPE_SHOWS_PAYLOADS), CG_E_CONFLICT);
}

/* ---- Changed files ---- */

static void record_some(struct fixture *f) {
    begin(f);
    answer(f, 0, "127.1.0.2", 100);
    answer(f, 0, "127.1.0.2", 100);
    world_advance(&f->world, 4 * SECOND);
    assert_int_equal(write_file(f, CG_TAPE_SHOWS_PAYLOADS), CG_OK);
    cg_buf_put_u8(&f->file, 0);
    f->file.len--;
}

static void change(struct fixture *f, const char *from, const char *to) {
    char *at = strstr((char *)f->file.data, from);
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

static void what_came_of_it_otherwise_is_told(void **state) {
    struct fixture *f = *state;
    record_some(f);
    change(f, "\"duplicates\":1", "\"duplicates\":2");
    assert_int_equal(replay(f), CG_REPLAYED_OTHERWISE);
    assert_non_null(strstr(told(f), "differs: summary/duplicates was 2 and is 1"));
    assert_non_null(strstr(told(f), "not the same as recorded"));
}

/* In a busy gateway: a turn or two after the answer, or the deadline, that ended it. */
static void the_end_may_have_been_seen_late(void **state) {
    struct fixture *f = *state;
    record_some(f);
    change(f, "\"ms\":2000}", "\"ms\":2025}");
    if (replay(f) != CG_REPLAYED_SAME) fail_msg("%s", told(f));
    change(f, "\"ms\":2025}", "\"ms\":2026}");
    assert_int_equal(replay(f), CG_REPLAYED_OTHERWISE);
    change(f, "\"ms\":2026}", "\"ms\":1999}");
    assert_int_equal(replay(f), CG_REPLAYED_OTHERWISE);
    assert_non_null(strstr(told(f), "differs: summary/ms was 1999 and is 2000"));
}

static void observing_is_not_replayed(void **state) {
    struct fixture *f = *state;
    record_some(f);
    change(f, "\"observes\":false", "\"observes\":true ");
    assert_int_equal(replay(f), CG_REPLAYED_NOT);
    assert_non_null(strstr(told(f), "observes"));
}

static void anything_else_is_refused(void **state) {
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "null",
                                        "{\"transcript\":2}",
                                        "{\"transcript\":1}",
                                        "{\"transcript\":1,\"exchange\":{\"summary\":{}}}"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cg_buf_clear(&f->file);
        cg_buf_put_str(&f->file, texts[i]);
        assert_int_equal(replay(f), CG_REPLAYED_NOT);
        assert_non_null(strstr(told(f), "cannot be replayed: "));
    }
}

/* Each of its bytes is another one in turn: some of these are transcripts all the same. */
static void a_file_with_one_byte_changed_plays_or_is_refused(void **state) {
    struct fixture *f = *state;
    record_some(f);
    for (size_t i = 0; i < f->file.len; i++) {
        const uint8_t byte = f->file.data[i];
        f->file.data[i] = byte >= '0' && byte < '9' ? byte + 1 : '9';
        assert_in_range(replay(f), CG_REPLAYED_SAME, CG_REPLAYED_NOT);
        f->file.data[i] = byte;
    }
}

static void a_file_without_some_of_its_lines_plays_or_is_refused(void **state) {
    struct fixture *f = *state;
    struct cg_buf whole;
    record_some(f);
    whole = f->file;
    for (size_t skipped = 0; skipped < 24; skipped++) {
        size_t line = 0;
        cg_buf_init(&f->file, 0);
        for (size_t i = 0; i < whole.len; i++) {
            if (line != skipped) cg_buf_put_u8(&f->file, whole.data[i]);
            line += whole.data[i] == '\n';
        }
        assert_in_range(replay(f), CG_REPLAYED_SAME, CG_REPLAYED_NOT);
        cg_buf_fini(&f->file);
    }
    f->file = whole;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        replay_test(all_answer),
        replay_test(one_is_silent_and_answers_by_unicast_and_another_never_does),
        replay_test(answers_come_twice_and_late_and_from_strangers),
        replay_test(a_member_challenges),
        replay_test(it_could_not_be_sent),
        replay_test(its_client_has_left),
        replay_test(what_is_known_of_members_counts),
        replay_test(payloads_are_kept_of_plain_groups_alone),
        replay_test(a_mapping_says_itself_whether_its_payloads_are_kept),
        replay_test(one_that_has_joined_another_says_whose_it_is),
        replay_test(one_that_was_refused_has_no_transcript),
        replay_test(too_much_is_not_given_out_in_part),
        replay_test(what_came_of_it_otherwise_is_told),
        replay_test(the_end_may_have_been_seen_late),
        replay_test(observing_is_not_replayed),
        replay_test(anything_else_is_refused),
        replay_test(a_file_with_one_byte_changed_plays_or_is_refused),
        replay_test(a_file_without_some_of_its_lines_plays_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
