/* Conversations of clients that take answers as they come, for all of their time: what a finish rule ends for others
 * goes on for them. */
#include "exchange/scenario.h"

#define TWO_MEMBERS "'membership':'complete','members':['127.1.0.1','127.1.0.2']"

static void who_listens_does_so_for_all_of_the_time(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO_MEMBERS);
    client_listens("alice", "GET /lamps timeout:5");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    member_answers("127.1.0.2", "2.05 off");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 2.05 off");
    time_passes(4.5);
    member_answers("127.1.0.3", "2.05 a stranger"); /* all who are known have answered */
    client_gets("alice", "127.1.0.3 2.05 a stranger");
    time_passes(0.5);
    client_gets("alice", "deadline");
}

static void a_finish_rule_ends_it_for_those_who_go_by_it(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO_MEMBERS);
    client_listens("alice", "GET /lamps timeout:5");
    client_asks("bob", "GET /lamps");
    client_asks("carol", "GET /lamps timeout:1");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(1);
    client_gets("carol", "127.1.0.1 2.05 on", "missing 127.1.0.2", "deadline joined:1");
    member_answers("127.1.0.2", "2.05 off");
    client_gets("bob", "127.1.0.1 2.05 on", "127.1.0.2 2.05 off", "all joined:1");
    member_answers("127.1.0.1", "2.05 dim");
    time_passes(4);
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 2.05 off", "127.1.0.1 2.05 dim", "deadline duplicates:1");
}

static void the_silent_are_asked_for_who_listens_although_there_are_enough(void **state) {
    (void)state;
    gateway_serves("/lamps", "'leisure':1,'finish':'quorum:0.5','repair':{'unicast':true}," TWO_MEMBERS);
    client_listens("alice", "GET /lamps timeout:5");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(1);
    member_hears("127.1.0.2", "CON GET /base");
    member_answers("127.1.0.2", "2.05 off");
    time_passes(4);
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 by unicast 2.05 off", "deadline");
}

/* A mapping's timeout is for clients that cannot say one. */
static void who_listens_says_how_long(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_listens("alice", "GET /lamps");
    nothing_is_sent();
    client_gets("alice", "problem multicast-timeout");
}

/* Its answer is all that there is to come. */
static void a_single_member_ends_it_with_its_answer(void **state) {
    (void)state;
    gateway_serves("/lamps", "'stand_in':'members'," TWO_MEMBERS);
    client_listens("alice", "GET /lamps/.member/127.1.0.1:5683 timeout:5");
    member_hears("127.1.0.1", "CON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 by unicast 2.05 on", "all");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(who_listens_does_so_for_all_of_the_time),
        scenario(a_finish_rule_ends_it_for_those_who_go_by_it),
        scenario(the_silent_are_asked_for_who_listens_although_there_are_enough),
        scenario(who_listens_says_how_long),
        scenario(a_single_member_ends_it_with_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
