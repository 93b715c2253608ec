/* Who is asked again, when and how (rounds/silence.h), as conversations. Group members are 127.1.0.x. */
#include "exchange/scenario.h"

#define REPAIR        ",'repair':{'unicast':true}"
#define ALL           "'membership':'complete','members':"
#define TWO           ALL "['127.1.0.1','127.1.0.2']"
#define THREE         ALL "['127.1.0.1','127.1.0.2','127.1.0.3']"
#define ONE_ELSEWHERE ALL "['127.1.0.1','127.1.0.2',{'address':'127.1.0.3','multicast':false}]"

/* The second group request (RFC 10020 §3.1.3) */

static void many_silent_ones_are_asked_by_the_group_once_more(void **state) { /* R48 */
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':0.5,'timeout':8" REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.2", "2.05 on");
    time_passes(0.499);
    nothing_is_sent();
    time_passes(0.001);
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 off");
    time_passes(0.499);
    nothing_is_sent();
    time_passes(0.001);
    member_hears("127.1.0.3", "CON GET /base");
    member_answers("127.1.0.3", "2.05 dim");
    client_gets("alice", "127.1.0.2 2.05 on", "127.1.0.1 2.05 off", "127.1.0.3 by unicast 2.05 dim", "all");
}

static void who_answers_both_group_requests_is_one_answer(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':0.5,'timeout':8,'finish':'deadline'" REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.2", "2.05 on");
    time_passes(0.5);
    group_hears("NON GET /base");
    member_answers("127.1.0.2", "2.05 on");
    member_answers("127.1.0.1", "2.05 off");
    member_answers("127.1.0.3", "2.05 off");
    time_passes(7.5);
    client_gets("alice", "127.1.0.2 2.05 on", "127.1.0.1 2.05 off", "127.1.0.3 2.05 off", "deadline duplicates:1");
}

static void a_single_silent_member_is_asked_at_once(void **state) { /* R6, R48 */
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':0.5,'timeout':8" REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.2", "2.05 on");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(0.5);
    member_hears("127.1.0.3", "CON GET /base");
    member_answers("127.1.0.3", "2.05 off");
    client_gets("alice", "127.1.0.2 2.05 on", "127.1.0.1 2.05 on", "127.1.0.3 by unicast 2.05 off", "all");
}

static void fewer_than_an_eighth_are_asked_by_unicast(void **state) {
    (void)state;
    gateway_serves("/lamps", ALL "['127.1.0.1','127.1.0.2','127.1.0.3','127.1.0.4','127.1.0.5','127.1.0.6','127.1.0.7',"
                                 "'127.1.0.8','127.1.0.9','127.1.0.10','127.1.0.11','127.1.0.12','127.1.0.13',"
                                 "'127.1.0.14','127.1.0.15','127.1.0.16','127.1.0.17'],'leisure':0.5" REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    static const char *const awake[] = {"127.1.0.3",  "127.1.0.4",  "127.1.0.5",  "127.1.0.6",  "127.1.0.7",
                                        "127.1.0.8",  "127.1.0.9",  "127.1.0.10", "127.1.0.11", "127.1.0.12",
                                        "127.1.0.13", "127.1.0.14", "127.1.0.15", "127.1.0.16", "127.1.0.17"};
    for (size_t i = 0; i < sizeof awake / sizeof *awake; i++) member_answers(awake[i], "2.05");
    time_passes(0.5);
    member_hears("127.1.0.1", "CON GET /base");
    member_hears("127.1.0.2", "CON GET /base");
    client_leaves("alice");
}

static void what_may_not_be_repeated_goes_to_the_group_once(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':0.5,'timeout':8" REPAIR);
    client_asks("alice", "POST /lamps toggle");
    group_hears("NON POST /base toggle");
    time_passes(8);
    nothing_is_sent();
    client_gets("alice", "missing 127.1.0.1", "missing 127.1.0.2", "missing 127.1.0.3", "deadline");
}

static void without_repair_it_goes_to_the_group_once(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':0.5,'timeout':8");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    time_passes(8);
    nothing_is_sent();
    client_gets("alice", "missing 127.1.0.1", "missing 127.1.0.2", "missing 127.1.0.3", "deadline");
}

/* All of them would begin to answer in blocks once more. */
static void where_answers_come_in_blocks_it_goes_to_the_group_once(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':0.5,'timeout':8" REPAIR);
    client_asks("alice", "GET /lamps/log");
    group_hears("NON GET /base/log");
    member_answers("127.1.0.1", "2.05 2:0/1/16 sixteen_bytes_1.");
    member_hears("127.1.0.1", "CON GET /base/log 2:1/0/16");
    member_answers("127.1.0.1", "2.05 2:1/0/16 end");
    time_passes(0.5);
    member_hears("127.1.0.2", "CON GET /base/log");
    member_hears("127.1.0.3", "CON GET /base/log");
    client_leaves("alice");
}

/* It would undo what was done in between. */
static void an_overtaken_command_goes_to_the_group_once(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':0.5,'timeout':8" REPAIR);
    client_asks("alice", "PUT /lamps on");
    group_hears("NON PUT /base on");
    member_answers("127.1.0.1", "2.04");
    client_asks("bob", "PUT /lamps off");
    group_hears("NON PUT /base off");
    member_answers("127.1.0.1", "2.04");
    member_answers("127.1.0.2", "2.04");
    member_answers("127.1.0.3", "2.04");
    client_gets("bob", "127.1.0.1 2.04", "127.1.0.2 2.04", "127.1.0.3 2.04", "all");
    time_passes(0.5);
    member_hears("127.1.0.2", "CON PUT /base on");
    member_hears("127.1.0.3", "CON PUT /base on");
    client_leaves("alice");
}

static void a_command_goes_to_the_group_twice(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':0.5,'timeout':8" REPAIR);
    client_asks("alice", "PUT /lamps on");
    group_hears("NON PUT /base on");
    member_answers("127.1.0.1", "2.04");
    time_passes(0.5);
    group_hears("NON PUT /base on");
    member_answers("127.1.0.2", "2.04");
    member_answers("127.1.0.3", "2.04");
    client_gets("alice", "127.1.0.1 2.04", "127.1.0.2 2.04", "127.1.0.3 2.04", "all");
}

/* Half of the time is left for asking; before leisure is over a second request would be too early. */
static void where_leisure_is_too_long_they_are_asked_by_unicast(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':5,'timeout':8" REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(4);
    member_hears("127.1.0.2", "CON GET /base");
    member_hears("127.1.0.3", "CON GET /base");
    client_leaves("alice");
}

/* After 1.5 s 1.75 are left that are not for asking by unicast: less than leisure. */
static void half_of_the_time_that_is_left_is_for_unicast(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':2,'timeout':5" REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(2);
    group_hears("NON GET /base");
    time_passes(1.499);
    nothing_is_sent();
    time_passes(0.001);
    member_hears("127.1.0.2", "CON GET /base");
    member_hears("127.1.0.3", "CON GET /base");
    time_passes(1.5);
    client_gets("alice", "127.1.0.1 2.05 on", "missing 127.1.0.2 asleep", "missing 127.1.0.3 asleep", "deadline");
}

/* Members belong to no target. */
static void a_second_request_goes_to_all_targets(void **state) {
    (void)state;
    gateway_serves("/floors", "'targets':[{'group':'coap://224.0.1.187/east'},{'group':'coap://224.0.1.188/west'}],"
                              "'leisure':0.5,'timeout':8," TWO REPAIR);
    client_asks("alice", "GET /floors");
    group_hears("NON GET /east");
    group_hears("NON GET /west");
    time_passes(0.5);
    group_hears("NON GET /east");
    group_hears("NON GET /west");
    client_leaves("alice");
}

/* NSTART is 1: it waits for another client's turn, a quarter of the time that is left at the most. */
static void whose_turn_comes_too_late_goes_to_the_group_once(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':0.5,'timeout':4.5" REPAIR);
    gateway_serves("/others", "'timeout':9,'leisure':8");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    client_asks("bob", "GET /others");
    group_hears("NON GET /base");
    time_passes(1.499);
    nothing_is_sent();
    time_passes(0.001);
    member_hears("127.1.0.2", "CON GET /base");
    member_hears("127.1.0.3", "CON GET /base");
    client_leaves("alice");
    client_leaves("bob");
}

static void nobody_heard_the_first_one(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE ",'leisure':0.5,'timeout':8" REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    time_passes(0.5);
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    member_answers("127.1.0.2", "2.05 on");
    member_answers("127.1.0.3", "2.05 on");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 2.05 on", "127.1.0.3 2.05 on", "all");
}

static void configured_members_of_an_open_group_are_asked_too(void **state) {
    (void)state;
    gateway_serves("/lamps", "'members':['127.1.0.1','127.1.0.2','127.1.0.3'],'leisure':0.5,'timeout':4" REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.9", "2.05 new");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(0.5);
    group_hears("NON GET /base");
    member_answers("127.1.0.2", "2.05 on");
    time_passes(0.5);
    member_hears("127.1.0.3", "CON GET /base");
    client_leaves("alice");
}

/* Members out of reach */

static void who_hears_no_group_request_is_asked_from_the_start(void **state) { /* R7 */
    (void)state;
    gateway_serves("/lamps", ONE_ELSEWHERE);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_hears("127.1.0.3", "CON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    member_answers("127.1.0.3", "2.05 off");
    member_answers("127.1.0.2", "2.05 on");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.3 by unicast 2.05 off", "127.1.0.2 2.05 on", "all");
}

/* It has not had it, so nothing is done twice. */
static void whatever_the_method(void **state) { /* R7 */
    (void)state;
    gateway_serves("/lamps", ONE_ELSEWHERE REPAIR ",'leisure':0.5");
    client_asks("alice", "POST /lamps toggle");
    group_hears("NON POST /base toggle");
    member_hears("127.1.0.3", "CON POST /base toggle");
    member_answers("127.1.0.1", "2.04");
    member_answers("127.1.0.3", "2.04");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.04", "127.1.0.3 by unicast 2.04", "missing 127.1.0.2", "deadline");
    nothing_is_sent();
}

static void where_one_is_in_reach_nothing_is_cast(void **state) { /* R6 */
    (void)state;
    gateway_serves("/lamps", ALL "['127.1.0.1',{'address':'127.1.0.2','multicast':false}]");
    client_asks("alice", "PUT /lamps on");
    member_hears("127.1.0.1", "CON PUT /base on");
    member_hears("127.1.0.2", "CON PUT /base on");
    nothing_is_sent();
    member_answers("127.1.0.1", "2.04");
    member_answers("127.1.0.2", "2.04");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "127.1.0.2 by unicast 2.04", "all");
}

static void others_of_an_open_group_are_cast_to_all_the_same(void **state) {
    (void)state;
    gateway_serves("/lamps", "'members':[{'address':'127.1.0.2','multicast':false}]");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_hears("127.1.0.2", "CON GET /base");
    member_answers("127.1.0.2", "2.05 on");
    member_answers("127.1.0.7", "2.05 on");
    time_passes(2);
    client_gets("alice", "127.1.0.2 by unicast 2.05 on", "127.1.0.7 2.05 on", "deadline");
}

static void where_none_can_be_asked_it_is_said(void **state) {
    (void)state;
    gateway_serves("/lamps", ALL "['127.1.0.1',{'address':'127.1.0.2','multicast':false}]");
    nothing_can_be_sent();
    client_asks("alice", "GET /lamps");
    client_gets("alice", "problem cannot-emit");
}

/* They count for no second request. */
static void who_is_out_of_reach_is_no_reason_to_cast_again(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE_ELSEWHERE ",'leisure':0.5,'timeout':4" REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_hears("127.1.0.3", "CON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(0.5);
    member_hears("127.1.0.2", "CON GET /base");
    client_leaves("alice");
}

/* What is known of members */

static void all_answer_at_once(unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        client_asks("bob", "GET /lamps");
        group_hears("NON GET /base");
        member_answers("127.1.0.1", "2.05 on");
        member_answers("127.1.0.2", "2.05 on");
        client_gets("bob", "127.1.0.1 2.05 on", "127.1.0.2 2.05 on", "all");
        time_passes(1);
    }
}

/* By its own answer times something was lost, since the other one has answered. */
static void who_is_late_for_itself_is_asked_before_leisure_is_over(void **state) { /* R48 */
    (void)state;
    gateway_serves("/lamps", TWO ",'leisure':5,'timeout':20" REPAIR);
    all_answer_at_once(9);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(0.04);
    nothing_is_sent();
    time_passes(0.2);
    member_hears("127.1.0.2", "CON GET /base");
    member_answers("127.1.0.2", "2.05 off");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 by unicast 2.05 off", "all");
}

/* Then it is the request that was lost, or all is slower than it was. */
static void where_nobody_answers_leisure_is_waited_for(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO ",'leisure':5,'timeout':20" REPAIR);
    all_answer_at_once(9);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    time_passes(4.9);
    nothing_is_sent();
    member_answers("127.1.0.1", "2.05 on");
    time_passes(0.09);
    member_hears("127.1.0.2", "CON GET /base");
    client_leaves("alice");
}

static void the_second_answers_by_unicast_only(void) {
    client_asks("bob", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(0.5);
    member_hears("127.1.0.2", "CON GET /base");
    member_answers("127.1.0.2", "2.05 off");
    client_gets("bob", "127.1.0.1 2.05 on", "127.1.0.2 by unicast 2.05 off", "all");
    time_passes(1);
}

static void who_never_hears_the_group_is_asked_from_the_start(void **state) { /* R7 */
    (void)state;
    gateway_serves("/lamps", TWO ",'leisure':0.5,'timeout':20" REPAIR);
    for (unsigned i = 0; i < 4; i++) the_second_answers_by_unicast_only(); /* by the first it is known */
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_hears("127.1.0.2", "CON GET /base");
    member_answers("127.1.0.2", "2.05 off");
    member_answers_to("NON GET /base", "127.1.0.2", "2.05 off");
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.2 by unicast 2.05 off", "127.1.0.1 2.05 on", "all duplicates:1");
    client_asks("carol", "GET /lamps"); /* an answer to the group took it back */
    group_hears("NON GET /base");
    nothing_is_sent();
    client_leaves("carol");
}

/* It may hear it after all, and would do it twice. */
static void what_is_learnt_of_reach_counts_for_what_may_be_repeated(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO ",'leisure':0.5,'timeout':20" REPAIR);
    for (unsigned i = 0; i < 4; i++) the_second_answers_by_unicast_only(); /* by the first it is known */
    client_asks("alice", "POST /lamps toggle");
    group_hears("NON POST /base toggle");
    nothing_is_sent();
    client_leaves("alice");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(many_silent_ones_are_asked_by_the_group_once_more),
        scenario(who_answers_both_group_requests_is_one_answer),
        scenario(a_single_silent_member_is_asked_at_once),
        scenario(fewer_than_an_eighth_are_asked_by_unicast),
        scenario(what_may_not_be_repeated_goes_to_the_group_once),
        scenario(without_repair_it_goes_to_the_group_once),
        scenario(where_answers_come_in_blocks_it_goes_to_the_group_once),
        scenario(an_overtaken_command_goes_to_the_group_once),
        scenario(a_command_goes_to_the_group_twice),
        scenario(where_leisure_is_too_long_they_are_asked_by_unicast),
        scenario(half_of_the_time_that_is_left_is_for_unicast),
        scenario(a_second_request_goes_to_all_targets),
        scenario(whose_turn_comes_too_late_goes_to_the_group_once),
        scenario(nobody_heard_the_first_one),
        scenario(configured_members_of_an_open_group_are_asked_too),
        scenario(who_hears_no_group_request_is_asked_from_the_start),
        scenario(whatever_the_method),
        scenario(where_one_is_in_reach_nothing_is_cast),
        scenario(others_of_an_open_group_are_cast_to_all_the_same),
        scenario(where_none_can_be_asked_it_is_said),
        scenario(who_is_out_of_reach_is_no_reason_to_cast_again),
        scenario(who_is_late_for_itself_is_asked_before_leisure_is_over),
        scenario(where_nobody_answers_leisure_is_waited_for),
        scenario(who_never_hears_the_group_is_asked_from_the_start),
        scenario(what_is_learnt_of_reach_counts_for_what_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
