/* What nobody expects of members, clients and time, as conversations (scenario.h). */
#include "exchange/scenario.h"

#define TWO_MEMBERS "'membership':'complete','members':['127.1.0.1','127.1.0.2']"
#define REPAIR      ",'leisure':0.5,'repair':{'unicast':true}"

/* Answers that are odd */

static void a_stranger_is_heard_and_completes_nothing(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO_MEMBERS);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.9", "2.05 me, too");
    member_answers("127.1.0.1", "2.05 on");
    client_gets_nothing("alice");
    time_passes(2);
    client_gets("alice", "127.1.0.9 2.05 me, too", "127.1.0.1 2.05 on", "missing 127.1.0.2", "deadline");
}

static void a_member_may_answer_from_another_port(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO_MEMBERS);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1:49152", "2.05 on");
    member_answers("127.1.0.2", "2.05 off");
    client_gets("alice", "127.1.0.1:49152 2.05 on", "127.1.0.2 2.05 off", "all");
}

/* Common small devices acknowledge what nobody may acknowledge. */
static void an_acknowledgement_may_carry_an_answer(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "ACK 2.05 on");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 on", "deadline");
}

static void a_reset_of_a_group_request_is_nothing(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "RST");
    member_answers("127.1.0.1", "2.05 after all");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 after all", "deadline");
}

static void what_is_no_answer_is_rejected_and_the_rest_goes_on(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "NON GET");
    member_answers("127.1.0.2", "2.05 65003:ff unsafe");
    member_answers("127.1.0.3", "2.05 65001:ff critical, and safe to forward");
    member_answers("127.1.0.4", "2.05 2:1/1/16 0123456789abcdef");
    time_passes(2);
    client_gets("alice", "127.1.0.3 2.05 critical, and safe to forward", "rejected 127.1.0.1 bad-code",
                "rejected 127.1.0.2 bad-option", "rejected 127.1.0.4 bad-block", "deadline");
}

/* One request to one member */

static void the_only_member_resets(void **state) {
    (void)state;
    gateway_serves("/door", "'membership':'complete','members':['127.1.0.1']");
    client_asks("alice", "GET /door");
    member_hears("127.1.0.1", "CON GET /base");
    member_answers("127.1.0.1", "RST");
    time_passes(2);
    client_gets("alice", "missing 127.1.0.1 not-listening", "deadline");
}

static void the_only_member_never_answers(void **state) {
    (void)state;
    gateway_serves("/door", "'membership':'complete','timeout':100,'max_timeout':100,'members':['127.1.0.1']");
    client_asks("alice", "GET /door");
    member_hears("127.1.0.1", "CON GET /base");
    for (double patience = 3; patience < 48; patience *= 2) { /* ACK_TIMEOUT with its random factor, and twice that */
        nothing_is_sent();
        time_passes(patience);
        member_hears("127.1.0.1", "CON GET /base");
    }
    time_passes(55); /* MAX_RETRANSMIT is 4 */
    client_gets("alice", "missing 127.1.0.1 asleep", "deadline");
}

static void nobody_else_answers_for_the_only_member(void **state) {
    (void)state;
    gateway_serves("/door", "'membership':'complete','members':['127.1.0.1']");
    client_asks("alice", "GET /door");
    member_hears("127.1.0.1", "CON GET /base");
    member_answers_to("CON GET /base", "127.1.0.2", "CON 2.05 open");
    member_hears("127.1.0.2", "RST");
    member_answers("127.1.0.1", "2.05 closed");
    client_gets("alice", "127.1.0.1 by unicast 2.05 closed", "rejected 127.1.0.2 wrong-source", "all");
}

static void requests_to_one_member_go_one_by_one(void **state) {
    (void)state;
    gateway_serves("/door", "'membership':'complete','members':['127.1.0.1']");
    client_asks("alice", "GET /door/a");
    client_asks("bob", "GET /door/b");
    member_hears("127.1.0.1", "CON GET /base/a");
    nothing_is_sent();
    member_answers("127.1.0.1", "2.05 a");
    client_gets("alice", "127.1.0.1 by unicast 2.05 a", "all");
    member_hears("127.1.0.1", "CON GET /base/b");
    member_answers("127.1.0.1", "2.05 b");
    client_gets("bob", "127.1.0.1 by unicast 2.05 b", "all");
}

static void who_challenges_the_echo_itself_is_given_up(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    gateway_holds_keys("/lamps");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base keys:1");
    member_answers("127.1.0.1", "4.01 echo:1");
    member_hears("127.1.0.1", "CON GET /base echo:1 keys:1");
    member_answers("127.1.0.1", "4.01 echo:2");
    time_passes(2);
    client_gets("alice", "deadline");
}

/* It has started again, and again: nothing can come of a block that is asked for twice. */
static void who_challenges_in_the_middle_of_blocks_is_answered(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    gateway_holds_keys("/lamps");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base keys:1");
    member_answers("127.1.0.1", "2.05 2:0/1/16 0123456789abcdef");
    member_hears("127.1.0.1", "CON GET /base 2:1/0/16 keys:1");
    member_answers("127.1.0.1", "4.01 echo:1");
    member_hears("127.1.0.1", "CON GET /base 2:1/0/16 echo:1 keys:1");
    member_answers("127.1.0.1", "4.01 echo:2");
    member_hears("127.1.0.1", "CON GET /base 2:1/0/16 echo:2 keys:1");
    member_answers("127.1.0.1", "2.05 2:1/1/16 ghijklmnopqrstuv");
    member_hears("127.1.0.1", "CON GET /base 2:2/0/16 keys:1");
    member_answers("127.1.0.1", "4.01 echo:3");
    member_hears("127.1.0.1", "CON GET /base 2:2/0/16 echo:3 keys:1");
    member_answers("127.1.0.1", "2.05 2:2/0/16 w");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 0123456789abcdefghijklmnopqrstuvw", "deadline");
}

/* Repair */

static void an_answer_while_being_asked_counts_once(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO_MEMBERS ",'finish':'deadline'" REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(0.5);
    member_hears("127.1.0.2", "CON GET /base");
    member_answers_to("NON GET /base", "127.1.0.2", "2.05 late");
    member_answers_to("CON GET /base", "127.1.0.2", "2.05 later");
    time_passes(1.5);
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 by unicast 2.05 later", "deadline duplicates:1");
}

static void the_silent_are_asked_once_however_many_wait(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO_MEMBERS REPAIR);
    client_asks("alice", "GET /lamps");
    client_asks("bob", "GET /lamps");
    client_streams("carol", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    client_gets("carol", "127.1.0.1 2.05 on");
    time_passes(0.5);
    member_hears("127.1.0.2", "CON GET /base");
    nothing_is_sent();
    member_answers("127.1.0.2", "2.05 off");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 by unicast 2.05 off", "all");
    client_gets("bob", "127.1.0.1 2.05 on", "127.1.0.2 by unicast 2.05 off", "all joined:1");
    client_gets("carol", "127.1.0.2 by unicast 2.05 off", "all joined:1");
}

static void nobody_is_asked_for_a_client_that_left(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO_MEMBERS REPAIR);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    client_leaves("alice");
    time_passes(2);
    nothing_is_sent();
}

static void a_lost_request_for_a_block_is_repeated(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO_MEMBERS ",'timeout':20");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 2:0/1/16 0123456789abcdef");
    member_answers("127.1.0.2", "2.05 off");
    member_hears("127.1.0.1", "CON GET /base 2:1/0/16");
    time_passes(3);
    member_hears("127.1.0.1", "CON GET /base 2:1/0/16");
    member_answers("127.1.0.1", "2.05 2:1/0/16 ghij");
    client_gets("alice", "127.1.0.2 2.05 off", "127.1.0.1 2.05 0123456789abcdefghij", "all");
}

static void a_stream_hears_of_blocks_when_they_are_whole(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO_MEMBERS);
    client_streams("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 2:0/1/16 0123456789abcdef");
    client_gets_nothing("alice");
    member_hears("127.1.0.1", "CON GET /base 2:1/0/16");
    member_answers("127.1.0.1", "2.05 2:1/0/16 ghij");
    client_gets("alice", "127.1.0.1 2.05 0123456789abcdefghij");
    member_answers_to("NON GET /base", "127.1.0.2", "2.05 off");
    client_gets("alice", "127.1.0.2 2.05 off", "all");
}

/* Ends */

static void half_of_the_members_may_be_enough(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO_MEMBERS ",'finish':'quorum:0.5'");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.9", "2.05 a stranger");
    client_gets_nothing("alice");
    member_answers("127.1.0.2", "2.05 on");
    client_gets("alice", "127.1.0.9 2.05 a stranger", "127.1.0.2 2.05 on", "missing 127.1.0.1", "quorum");
}

static void so_many_answers_may_be_enough(void **state) {
    (void)state;
    gateway_serves("/lamps", "'finish':'count:2'");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    client_gets_nothing("alice");
    member_answers("127.1.0.2", "2.05 on");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 2.05 on", "count");
}

static void there_is_a_most_of_answers(void **state) {
    (void)state;
    gateway_serves("/lamps", "'max_answers':2");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    member_answers("127.1.0.2", "2.05 on");
    member_answers("127.1.0.3", "2.05 on");
    member_answers("127.1.0.1", "2.05 off");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 off", "127.1.0.2 2.05 on", "rejected 127.1.0.3 max_answers",
                "limit duplicates:1");
}

static void more_time_than_allowed_is_refused(void **state) {
    (void)state;
    gateway_serves("/lamps", "'max_timeout':5");
    client_asks("alice", "GET /lamps timeout:6");
    client_gets("alice", "problem multicast-timeout");
    nothing_is_sent();
}

static void anonymous_clients_may_not_switch(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("nobody", "PUT /lamps on");
    client_gets("nobody", "problem unauthorized");
    nothing_is_sent();
}

/* Two to the same group, which is silent: the second one's turn does not come. */
static void who_waits_too_long_is_told_so(void **state) {
    (void)state;
    gateway_serves("/lamps", "'timeout':10");
    client_asks("alice", "GET /lamps/a");
    client_asks("bob", "GET /lamps/b timeout:1");
    group_hears("NON GET /base/a");
    time_passes(1.9);
    client_gets_nothing("bob");
    time_passes(0.1);
    client_gets("bob", "problem too-many-requests");
    time_passes(8);
    client_gets("alice", "deadline");
}

static void a_stop_gives_each_what_there_is(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps/a");
    client_streams("bob", "GET /lamps/a");
    client_asks("carol", "GET /lamps/b"); /* its turn has not come */
    group_hears("NON GET /base/a");
    member_answers("127.1.0.1", "CON 4.04");
    member_hears("127.1.0.1", "ACK");
    group_hears("NON GET /base/b");
    client_asks("dave", "GET /lamps/c");
    client_gets("bob", "127.1.0.1 4.04");
    gateway_stops();
    client_gets("alice", "127.1.0.1 4.04", "limit");
    client_gets("bob", "limit joined:1");
    client_gets("carol", "limit");
    client_gets("dave", "problem stopping");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(a_stranger_is_heard_and_completes_nothing),
        scenario(a_member_may_answer_from_another_port),
        scenario(an_acknowledgement_may_carry_an_answer),
        scenario(a_reset_of_a_group_request_is_nothing),
        scenario(what_is_no_answer_is_rejected_and_the_rest_goes_on),
        scenario(the_only_member_resets),
        scenario(the_only_member_never_answers),
        scenario(nobody_else_answers_for_the_only_member),
        scenario(requests_to_one_member_go_one_by_one),
        scenario(who_challenges_the_echo_itself_is_given_up),
        scenario(who_challenges_in_the_middle_of_blocks_is_answered),
        scenario(an_answer_while_being_asked_counts_once),
        scenario(the_silent_are_asked_once_however_many_wait),
        scenario(nobody_is_asked_for_a_client_that_left),
        scenario(a_lost_request_for_a_block_is_repeated),
        scenario(a_stream_hears_of_blocks_when_they_are_whole),
        scenario(half_of_the_members_may_be_enough),
        scenario(so_many_answers_may_be_enough),
        scenario(there_is_a_most_of_answers),
        scenario(more_time_than_allowed_is_refused),
        scenario(anonymous_clients_may_not_switch),
        scenario(who_waits_too_long_is_told_so),
        scenario(a_stop_gives_each_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
