/* What the recorder keeps of exchanges: while they run, when they have ended, and only as much as it may. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "recorder/recorder.h"

static int64_t clock_ms(void) { return 1796000000000; } /* 2026-11-30T01:33:20 */

struct fixture {
    struct world world;
    struct cg_recorder *recorder;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    world_init(&f->world);
    f->world.config->recorder.memory = 1 << 20;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    world_fini(&f->world);
    cg_recorder_free(f->recorder);
    free(f);
    return 0;
}

#define recorder_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void start(struct fixture *f) {
    world_start(&f->world);
    f->recorder = cg_recorder_new(&(struct cg_recorder_options){.gateway = f->world.gateway, .clock_ms = clock_ms});
    assert_non_null(f->recorder);
}

/* Two of three answer, one of them with an error. */
static const struct cg_record *run_lamps(struct fixture *f) {
    struct call call;
    world_add_members(&f->world, world_mapping(&f->world, "lamps"), 3);
    start(f);
    world_get(&f->world, &call, "/lamps/state");
    world_advance(&f->world, 12000);
    world_answer(&f->world, 0, "127.1.0.1:5683", "on");
    world_advance(&f->world, 8000);
    world_answer_as(&f->world, 0, "127.1.0.2:5683", (struct answer){.type = CG_NON, .code = CG_CODE(4, 4), .mid = 9});
    world_advance(&f->world, 3 * SECOND);
    assert_int_equal(call.replies, 1);
    return cg_recorder_before(f->recorder, 0);
}

static void an_exchange_that_has_ended_has_its_members_answers(void **state) {
    struct fixture *f = *state;
    const struct cg_record *record = run_lamps(f);
    assert_non_null(record);
    assert_string_equal(record->mapping, "lamps");
    assert_string_equal(record->method, "GET");
    assert_string_equal(record->path, "/lamps/state");
    assert_int_equal(record->outcome, CG_OUTCOME_MISSING);
    assert_int_equal(record->status, 200);
    assert_int_equal(record->answer_count, 2);
    assert_int_equal(record->answers[0].ms, 12);
    assert_int_equal(record->answers[1].ms, 20);
    assert_int_equal(record->answers[1].code, CG_CODE(4, 4));
    assert_int_equal(record->missing_count, 1);
    assert_string_equal(cg_record_text(record, record->missing[0].name), "other");
    assert_int_equal(record->deadline_ms, 2000);
    assert_ptr_equal(cg_recorder_find(f->recorder, record->id), record);
    assert_null(cg_recorder_before(f->recorder, record->number));
}

static void it_can_be_read_as_json(void **state) {
    struct fixture *f = *state;
    const struct cg_record *record = run_lamps(f);
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_record_put_json(&text, record, CG_RECORD_WHOLE);
    cg_buf_put_u8(&text, 0);
    const char *json = (const char *)text.data;
    assert_non_null(strstr(json, "\"outcome\":\"missing\""));
    assert_non_null(strstr(json, "\"begun\":\"2026-11-30T"));
    assert_non_null(strstr(json, "\"code\":\"4.04\""));
    assert_non_null(strstr(json, "\"measured\":{\"datagrams\":"));
    assert_null(strstr(json, "\"dots\""));
    cg_buf_clear(&text);
    cg_record_put_json(&text, record, CG_RECORD_BRIEF);
    cg_buf_put_u8(&text, 0);
    assert_non_null(strstr((const char *)text.data, "\"dots\":[{\"ms\":12,\"via\":\"multicast\",\"failed\":false},"));
    assert_null(strstr((const char *)text.data, "\"answers\":["));
    cg_buf_fini(&text);
}

static size_t count_of(const char *text, const char *part) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++) count++;
    return count;
}

static void the_dots_of_many_answers_are_of_all_the_time(void **state) {
    struct fixture *f = *state;
    static struct cg_record_answer answers[1000];
    struct cg_record record = *run_lamps(f);
    struct cg_buf text;
    for (uint32_t i = 0; i < 1000; i++) answers[i] = (struct cg_record_answer){.ms = i, .code = CG_CODE(2, 5)};
    record.answers = answers;
    record.answer_count = 1000;
    cg_buf_init(&text, 0);
    cg_record_put_json(&text, &record, CG_RECORD_BRIEF);
    cg_buf_put_u8(&text, 0);
    assert_non_null(strstr((const char *)text.data, "\"last_ms\":999,"));
    const char *dots = strstr((const char *)text.data, "\"dots\":[");
    assert_non_null(dots);
    assert_int_equal(count_of(dots, "{\"ms\":"), 256);
    assert_non_null(strstr(dots, "[{\"ms\":0,"));
    assert_non_null(strstr(dots, "{\"ms\":996,"));
    cg_buf_fini(&text);
}

static void a_running_one_shows_what_has_come_so_far(void **state) {
    struct fixture *f = *state;
    struct call call;
    uint32_t place = 0;
    start(f);
    world_get(&f->world, &call, "/lamps");
    world_advance(&f->world, 5000);
    world_answer(&f->world, 0, "127.1.0.1:5683", "on");
    world_run(&f->world);
    struct cg_record *record = cg_recorder_next_running(f->recorder, &place);
    assert_non_null(record);
    assert_int_equal(record->outcome, CG_OUTCOME_RUNNING);
    assert_int_equal(record->answer_count, 1);
    assert_null(cg_recorder_next_running(f->recorder, &place));
    assert_null(cg_recorder_before(f->recorder, 0));
    cg_record_free(record);
}

static void what_was_refused_is_kept_with_its_reason(void **state) {
    struct fixture *f = *state;
    struct call call;
    start(f);
    world_get(&f->world, &call, "/nowhere");
    world_run(&f->world);
    const struct cg_record *record = cg_recorder_before(f->recorder, 0);
    assert_non_null(record);
    assert_int_equal(record->outcome, CG_OUTCOME_REFUSED);
    assert_int_equal(record->problem.err, CG_E_NOT_FOUND);
    assert_int_equal(record->status, 404);
    assert_null(record->tape);
}

static void a_mapping_that_hides_its_members_hides_them_here(void **state) {
    struct fixture *f = *state;
    struct cg_buf text;
    world_mapping(&f->world, "lamps")->anonymise = true;
    const struct cg_record *record = run_lamps(f);
    assert_int_equal(record->answer_count, 2);
    assert_int_equal(record->missing_count, 0);
    assert_int_equal(record->summary.missing, 1);
    cg_buf_init(&text, 0);
    cg_record_put_json(&text, record, CG_RECORD_WHOLE);
    cg_buf_put_u8(&text, 0);
    assert_null(strstr((const char *)text.data, "127.1.0"));
    assert_non_null(strstr((const char *)text.data, "\"member\":\"2\""));
    assert_false(cg_record_has_member(record, "127.1.0.1:5683"));
    cg_buf_fini(&text);
}

static void filters_find_what_they_name(void **state) {
    struct fixture *f = *state;
    const struct cg_record *record = run_lamps(f);
    struct cg_record_filter filter = {.mapping = "lamps", .member = "other", .outcome = CG_OUTCOME_MISSING};
    assert_true(cg_record_fits(record, &filter));
    snprintf(filter.member, sizeof filter.member, "127.1.0.9:5683");
    assert_false(cg_record_fits(record, &filter));
    snprintf(filter.member, sizeof filter.member, "127.1.0.2:5683");
    assert_true(cg_record_fits(record, &filter));
    snprintf(filter.member, sizeof filter.member, "127.1.0.2");
    assert_false(cg_record_fits(record, &filter));
    filter = (struct cg_record_filter){.outcome = CG_OUTCOME_ANSWERED};
    assert_false(cg_record_fits(record, &filter));
    filter = (struct cg_record_filter){.client = "nobody", .outcome = CG_OUTCOME_COUNT};
    assert_false(cg_record_fits(record, &filter));
}

static void the_oldest_go_when_memory_is_used_up(void **state) {
    struct fixture *f = *state;
    f->world.config->recorder.memory = 64 * 1024;
    start(f);
    for (unsigned i = 0; i < 100; i++) {
        struct call call;
        world_get(&f->world, &call, "/lamps");
        world_advance(&f->world, 3 * SECOND);
    }
    size_t kept = 0, bytes = 0;
    uint64_t number = 0;
    for (const struct cg_record *it; (it = cg_recorder_before(f->recorder, number)) != NULL; number = it->number) {
        if (kept == 0) assert_int_equal(it->number, 100);
        bytes += it->size;
        kept++;
    }
    assert_in_range(kept, 1, 99);
    assert_in_range(bytes, 1, 64 * 1024);
    for (const struct cg_record *it = cg_recorder_before(f->recorder, 0); it != NULL;
         it = cg_recorder_older(f->recorder, it))
        kept--;
    assert_int_equal(kept, 0);
}

static void without_memory_nothing_is_kept(void **state) {
    struct fixture *f = *state;
    struct call call;
    f->world.config->recorder.memory = 0;
    start(f);
    world_get(&f->world, &call, "/lamps");
    world_advance(&f->world, 3 * SECOND);
    assert_null(cg_recorder_before(f->recorder, 0));
}

static void who_joins_shares_what_was_sent(void **state) {
    struct fixture *f = *state;
    struct call one, other;
    start(f);
    world_get(&f->world, &one, "/lamps");
    world_get(&f->world, &other, "/lamps");
    world_advance(&f->world, 3 * SECOND);
    const struct cg_record *last = cg_recorder_before(f->recorder, 0);
    const struct cg_record *first = cg_recorder_before(f->recorder, last->number);
    assert_non_null(first);
    assert_ptr_equal(last->tape, first->tape);
    assert_int_equal(last->tape->traffic.sent_to_groups, 1);
}

static void a_datagram_is_kept_as_it_was_sent(void **state) {
    struct fixture *f = *state;
    const struct cg_record *record = run_lamps(f);
    struct cg_tape_datagram datagram;
    struct cg_slice bytes;
    size_t at = 0;
    assert_true(cg_tape_next_datagram(record->tape, &at, &datagram, &bytes));
    assert_int_equal(datagram.direction, CG_DIRECTION_OUT);
    assert_int_equal(bytes.len, f->world.sent[0].len);
    assert_memory_equal(bytes.data, f->world.sent[0].bytes, bytes.len);
    unsigned received = 0;
    while (cg_tape_next_datagram(record->tape, &at, &datagram, &bytes))
        received += datagram.direction == CG_DIRECTION_IN;
    assert_int_equal(received, 2);
}

/* ---- Before anything is sent ---- */

static void a_preview_says_what_will_be_sent_and_sends_nothing(void **state) {
    struct fixture *f = *state;
    struct cg_preview preview;
    struct cg_problem problem = {0};
    struct call call;
    start(f);
    struct cg_request *request = world_new(&f->world, &call, "/pair/state");
    assert_int_equal(cg_preview_request(f->world.gateway, f->world.config, request, &preview, &problem), CG_OK);
    assert_int_equal(preview.target_count, 2);
    assert_int_equal(preview.datagrams, 2);
    assert_int_equal(f->world.sent_count, 0);
    const uint32_t predicted = preview.targets[0].bytes;
    world_go(&f->world, &call);
    world_run(&f->world);
    assert_int_equal(f->world.sent_count, 2);
    assert_int_equal(f->world.sent[0].len, predicted);
    call_fini(&call);
}

static void a_preview_refuses_what_would_be_refused(void **state) {
    struct fixture *f = *state;
    struct cg_preview preview;
    struct cg_problem problem = {0};
    struct call call;
    world_mapping(&f->world, "lamps")->unsafe_methods = false;
    start(f);
    struct cg_request *request = world_new(&f->world, &call, "/lamps");
    request->method = CG_POST;
    assert_int_equal(cg_preview_request(f->world.gateway, f->world.config, request, &preview, &problem), CG_E_UNSAFE);
    request->proof = CG_PROOF_TRIAL;
    problem = (struct cg_problem){0};
    assert_int_equal(cg_preview_request(f->world.gateway, f->world.config, request, &preview, &problem), CG_E_UNSAFE);
    request->proof = CG_PROOF_ADMIN;
    problem = (struct cg_problem){0};
    assert_int_equal(cg_preview_request(f->world.gateway, f->world.config, request, &preview, &problem), CG_OK);
    cg_gateway_abandon(f->world.gateway, call.ticket);
    world_run(&f->world);
}

static void frames_are_counted_as_fragments_are_cut(void **state) {
    (void)state;
    assert_int_equal(cg_frames_6lowpan(0), 1);
    assert_int_equal(cg_frames_6lowpan(56), 1);  /* 25 bytes of headers and 56 are 81 */
    assert_int_equal(cg_frames_6lowpan(57), 2);  /* the first fragment carries 48 of it, the next up to 72 */
    assert_int_equal(cg_frames_6lowpan(120), 2); /* 48 + 72 */
    assert_int_equal(cg_frames_6lowpan(121), 3);
    assert_int_equal(cg_frames_6lowpan(1024), 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        recorder_test(an_exchange_that_has_ended_has_its_members_answers),
        recorder_test(it_can_be_read_as_json),
        recorder_test(the_dots_of_many_answers_are_of_all_the_time),
        recorder_test(a_running_one_shows_what_has_come_so_far),
        recorder_test(what_was_refused_is_kept_with_its_reason),
        recorder_test(a_mapping_that_hides_its_members_hides_them_here),
        recorder_test(filters_find_what_they_name),
        recorder_test(the_oldest_go_when_memory_is_used_up),
        recorder_test(without_memory_nothing_is_kept),
        recorder_test(who_joins_shares_what_was_sent),
        recorder_test(a_datagram_is_kept_as_it_was_sent),
        recorder_test(a_preview_says_what_will_be_sent_and_sends_nothing),
        recorder_test(a_preview_refuses_what_would_be_refused),
        cmocka_unit_test(frames_are_counted_as_fragments_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
