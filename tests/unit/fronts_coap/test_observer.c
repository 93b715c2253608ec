/* Notifications to a client that observes: their numbers, when they are to be acknowledged, and what ends them. The
 * sink alone, before a view that the test makes. */
#include "fronts_coap/fake_listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_US CG_OUTBOX_CONFIRM_US

struct observer {
    struct listener listener;
    struct cg_sink *sink;
    struct cg_request request;
    struct cg_view view;
    struct cg_answer answers[3]; /* of as many members */
    uint8_t options[3][64];
    unsigned wakes;
};

static struct observer *observer;

static void on_wake(struct cg_gateway *gateway, struct cg_ticket ticket) {
    (void)gateway, (void)ticket;
    observer->wakes++;
}

/* It has asked for /lamps, or for the only member there. */
static void begin(struct observer *o, struct world *world, const struct cg_member *member) {
    struct cg_problem problem = {0};
    *o = (struct observer){.wakes = 0};
    observer = o;
    world_run(world); /* so that it knows the time */
    o->request = *listener_new(&o->listener, world, NULL);
    o->request.observes = true;
    o->view = (struct cg_view){.exchange = "0123456789abcdef",
                               .config = world->config,
                               .mapping = world_mapping(world, "lamps"),
                               .member = member,
                               .request = &o->request,
                               .now_us = world->now_us,
                               .expects_answers = true,
                               .summary = {.ended_by = ""}};
    for (size_t i = 0; i < 3; i++) {
        char from[48];
        snprintf(from, sizeof from, "127.1.0.%zu:5683", i + 1);
        o->answers[i] = (struct cg_answer){.from = address(from), .number = (uint32_t)i + 1};
    }
    o->sink = cg_separate_new(&o->listener.to);
    assert_non_null(o->sink);
    o->sink->gateway = world->gateway;
    o->sink->wake = on_wake;
    assert_int_equal(o->sink->ops->begin(o->sink, &o->view, &problem), CG_OK);
}

/* Whatever the sink has allocated goes with its end; the exchange of the listener was never started. */
static void finish(struct observer *o, enum cg_sink_end how, const char *ended_by) {
    struct cg_sink_ending ending = {0};
    struct cg_problem problem = {0};
    o->view.summary.ended_by = ended_by;
    o->sink->ops->end(o->sink, how == CG_SINK_LEFT ? NULL : &o->view, how, &problem, &ending);
    cg_gateway_abandon(o->listener.world->gateway, o->listener.ticket);
    world_run(o->listener.world);
}

static void fini(struct observer *o) { listener_fini(&o->listener); }

static void time_passes(struct observer *o, uint64_t by_us) {
    world_advance(o->listener.world, by_us);
    o->view.now_us = o->listener.world->now_us;
}

/* Member `which` (from 1) says something, which is its latest. */
static struct cg_answer *say(struct observer *o, int which, uint8_t code, const char *payload) {
    struct cg_answer *answer = &o->answers[which - 1];
    struct cg_msg_writer writer = {.data = o->options[which - 1], .cap = sizeof o->options[0]};
    answer->is_notification = code >> 5 == 2;
    answer->code = code;
    answer->payload = cg_slice_str(payload);
    if (answer->is_notification) cg_msg_put_uint(&writer, CG_OPT_OBSERVE, 7); /* its own number: nobody's business */
    cg_msg_put_uint(&writer, CG_OPT_MAX_AGE, 30);
    answer->options = cg_slice_of(o->options[which - 1], (size_t)cg_msg_end(&writer));
    o->view.answers = o->answers;
    for (int i = 0; i < 2; i++) o->answers[i].next = &o->answers[i + 1];
    return answer;
}

static int hand_on(struct observer *o, const struct cg_answer *answer) {
    struct cg_problem problem = {0};
    if (!o->sink->ops->has_room(o->sink, CG_SINK_ANSWER)) return CG_PENDING;
    return o->sink->ops->answer(o->sink, &o->view, answer, &problem);
}

static void tell(struct observer *o, int which, const char *payload) {
    assert_int_equal(hand_on(o, say(o, which, CG_CODE(2, 5), payload)), CG_OK);
}

static uint64_t look(struct observer *o) {
    struct cg_problem problem = {0};
    return o->sink->ops->look(o->sink, &o->view, &problem);
}

/* The Observe value in one line of what was heard; -1: it has none. */
static long order_in(const char *line) {
    const char *at = strstr(line, " 6:");
    const char *end = strchr(line, '\n');
    if (at == NULL || at > end) return -1;
    return at[3] == ' ' ? 0 : strtol(at + 3, NULL, 16);
}

static void test_numbers_rise_whoever_it_is_from(void **state) {
    struct observer o;
    begin(&o, *state, NULL);
    long before = -1;
    for (int i = 0; i < 6; i++) {
        tell(&o, i % 3 + 1, "on");
        const char *heard = listener_take(&o.listener);
        char from[32];
        snprintf(from, sizeof from, " 248:822081447f01000%d", i % 3 + 1);
        assert_memory_equal(heard, "NON 2.05 ", 9);
        assert_non_null(strstr(heard, from));
        assert_non_null(strstr(heard, " 14:1e ")); /* Max-Age as the member says */
        long order = order_in(heard);
        assert_true(order > before);
        assert_true(before < 0 || order == before + 1);
        before = order;
    }
    finish(&o, CG_SINK_LEFT, "");
    fini(&o);
}

/* So that one that follows on the same token is newer to the client, however little is known of the one before. */
static void test_a_later_sequence_begins_above_the_one_before(void **state) {
    struct observer o;
    long last = -1;
    for (int i = 0; i < 3; i++) {
        world_renew(*state);
        begin(&o, *state, NULL);
        time_passes(&o, 5 * SECOND * (unsigned)i);
        struct cg_problem problem = {0};
        assert_int_equal(o.sink->ops->begin(o.sink, &o.view, &problem), CG_OK);
        tell(&o, 1, "on");
        tell(&o, 1, "off");
        const char *heard = listener_take(&o.listener);
        assert_true(order_in(heard) > last);
        last = order_in(heard) + 1;
        finish(&o, CG_SINK_LEFT, "");
        fini(&o);
    }
}

static void test_an_error_is_no_notification(void **state) {
    struct observer o;
    begin(&o, *state, NULL);
    assert_int_equal(hand_on(&o, say(&o, 2, CG_CODE(4, 4), "gone")), CG_OK);
    assert_string_equal(listener_take(&o.listener), "NON 4.04 14:1e " FROM(2) " gone\n");
    finish(&o, CG_SINK_DONE, "deadline");
    assert_string_equal(listener_take(&o.listener), "over\n");
    fini(&o);
}

/* Else it is a notification that the client cannot know what to do with. */
static void test_who_has_not_asked_for_them_gets_none(void **state) {
    struct observer o;
    begin(&o, *state, NULL);
    o.request.observes = false; /* as where there is no room for one more */
    assert_int_equal(o.sink->ops->begin(o.sink, &o.view, &(struct cg_problem){0}), CG_OK);
    tell(&o, 1, "on");
    assert_string_equal(listener_take(&o.listener), "NON 2.05 14:1e " FROM(1) " on\n");
    finish(&o, CG_SINK_DONE, "deadline");
    fini(&o);
}

static void test_a_window_is_acknowledged_as_ever(void **state) {
    struct observer o;
    begin(&o, *state, NULL);
    for (unsigned i = 0; i < CG_OUTBOX_WINDOW_MIN; i++) tell(&o, 1, "on");
    assert_int_equal(o.listener.confirmable, 1);
    assert_int_equal(hand_on(&o, say(&o, 1, CG_CODE(2, 5), "off")), CG_PENDING);
    listener_acknowledges(&o.listener);
    assert_int_equal(o.wakes, 1);
    assert_int_equal(hand_on(&o, &o.answers[0]), CG_OK);
    finish(&o, CG_SINK_LEFT, "");
    fini(&o);
}

/* RFC 7641 §4.5. */
static void test_once_a_day_one_is_to_be_acknowledged(void **state) {
    struct observer o;
    begin(&o, *state, NULL);
    for (int i = 0; i < 3; i++) {
        unsigned before = o.listener.confirmable;
        tell(&o, 1, "on");
        assert_int_equal(o.listener.confirmable, before);
        time_passes(&o, DAY_US);
        tell(&o, 2, "on");
        assert_int_equal(o.listener.confirmable, before + 1);
        listener_acknowledges(&o.listener);
    }
    finish(&o, CG_SINK_LEFT, "");
    fini(&o);
}

static void test_where_nothing_changes_the_state_is_said_again_once_a_day(void **state) {
    struct observer o;
    begin(&o, *state, NULL);
    assert_int_equal(look(&o), UINT64_MAX); /* it has told nothing that could be said again */
    tell(&o, 1, "on");
    assert_int_equal(hand_on(&o, say(&o, 2, CG_CODE(4, 4), "gone")), CG_OK);
    listener_take(&o.listener);
    uint64_t due_us = look(&o);
    assert_true(due_us > o.view.now_us && due_us <= o.view.now_us + DAY_US);
    time_passes(&o, due_us - o.view.now_us - 1);
    assert_int_equal(look(&o), due_us);
    assert_string_equal(listener_take(&o.listener), "");
    time_passes(&o, 1);
    uint64_t next_us = look(&o);
    const char *heard = listener_take(&o.listener);
    assert_memory_equal(heard, "CON 2.05 6:", 11);
    assert_non_null(strstr(heard, FROM(1) " on\n"));
    assert_int_equal(next_us, due_us + DAY_US);
    time_passes(&o, DAY_US); /* it does not answer: the message layer will say so, and nothing more goes */
    assert_int_equal(look(&o), UINT64_MAX);
    assert_string_equal(listener_take(&o.listener), "");
    finish(&o, CG_SINK_LEFT, "");
    fini(&o);
}

/* RFC 7252 §5.2.2: the first is the response to the request; RFC 7641: others follow, at the client's pace. */
static void test_the_first_of_a_single_member_is_the_response(void **state) {
    struct observer o;
    static const struct cg_member member = {.name = "first"};
    begin(&o, *state, &member);
    tell(&o, 1, "on");
    const char *heard = listener_take(&o.listener);
    assert_memory_equal(heard, "CON 2.05 6:", 11); /* as the request was */
    assert_null(strstr(heard, "248:"));            /* it is who was asked */
    for (unsigned i = 1; i < CG_OUTBOX_WINDOW_MIN; i++) tell(&o, 1, "on");
    assert_int_equal(o.listener.confirmable, 1);
    tell(&o, 1, "on");
    assert_int_equal(o.listener.confirmable, 2);
    assert_int_equal(hand_on(&o, say(&o, 1, CG_CODE(2, 5), "off")), CG_PENDING);
    finish(&o, CG_SINK_LEFT, "");
    fini(&o);
}

/* RFC 7641 §4.1: the cancellation is answered as a request without Observe. */
static void test_cancelling_a_single_member_tells_its_last_state(void **state) {
    struct observer o;
    static const struct cg_member member = {.name = "first"};
    begin(&o, *state, &member);
    tell(&o, 1, "on");
    tell(&o, 1, "off");
    listener_take(&o.listener);
    cg_separate_cancel(o.sink, CG_NON);
    finish(&o, CG_SINK_DONE, "client");
    assert_string_equal(listener_take(&o.listener), "NON 2.05 14:1e off\nover\n");
    fini(&o);
}

static void test_cancelling_a_group_ends_it_in_silence(void **state) {
    struct observer o;
    begin(&o, *state, NULL);
    tell(&o, 1, "on");
    listener_take(&o.listener);
    cg_separate_cancel(o.sink, CG_CON);
    finish(&o, CG_SINK_DONE, "client");
    assert_string_equal(listener_take(&o.listener), "over\n");
    fini(&o);
}

/* RFC 7641 §4.2: else the client waits for changes for ever. */
static void test_an_end_that_no_member_has_told_of_is_told(void **state) {
    struct observer o;
    begin(&o, *state, NULL);
    tell(&o, 1, "on");
    listener_take(&o.listener);
    finish(&o, CG_SINK_DONE, "limit");
    assert_string_equal(listener_take(&o.listener), "over 5.03\n");
    fini(&o);
}

static void test_an_end_that_the_last_member_has_told_of_is_silent(void **state) {
    struct observer o;
    begin(&o, *state, NULL);
    tell(&o, 1, "on");
    assert_int_equal(hand_on(&o, say(&o, 1, CG_CODE(4, 4), "gone")), CG_OK);
    listener_take(&o.listener);
    finish(&o, CG_SINK_DONE, "deadline");
    assert_string_equal(listener_take(&o.listener), "over\n");
    fini(&o);
}

static void test_a_large_notification_goes_by_its_first_block(void **state) {
    struct observer o;
    char payload[3001];
    begin(&o, *state, NULL);
    tell(&o, 1, fill_payload(payload, 3000));
    const char *heard = listener_take(&o.listener);
    assert_memory_equal(heard, "NON 2.05 4:", 11);
    assert_true(order_in(heard) >= 0);
    assert_non_null(strstr(heard, " 1024 bytes\n"));
    assert_int_equal(o.listener.kept, 1);
    finish(&o, CG_SINK_LEFT, "");
    fini(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_numbers_rise_whoever_it_is_from),
        world_test(test_a_later_sequence_begins_above_the_one_before),
        world_test(test_an_error_is_no_notification),
        world_test(test_who_has_not_asked_for_them_gets_none),
        world_test(test_a_window_is_acknowledged_as_ever),
        world_test(test_once_a_day_one_is_to_be_acknowledged),
        world_test(test_where_nothing_changes_the_state_is_said_again_once_a_day),
        world_test(test_the_first_of_a_single_member_is_the_response),
        world_test(test_cancelling_a_single_member_tells_its_last_state),
        world_test(test_cancelling_a_group_ends_it_in_silence),
        world_test(test_an_end_that_no_member_has_told_of_is_told),
        world_test(test_an_end_that_the_last_member_has_told_of_is_silent),
        world_test(test_a_large_notification_goes_by_its_first_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
