/* One request in every way it can go, as conversations (scenario.h). Group members are 127.1.0.x. */
#include "exchange/scenario.h"

#define THREE_MEMBERS "'membership':'complete','members':['127.1.0.1','127.1.0.2','127.1.0.3']"

static void an_open_group_answers_until_time_is_up(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps/status?unit=C");
    group_hears("NON GET /base/status?unit=C");
    member_answers("127.1.0.1", "2.05 on");
    member_answers("127.1.0.2", "4.04 no status here");
    client_gets_nothing("alice");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 4.04 no status here", "deadline");
}

static void the_last_member_that_is_known_ends_it(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE_MEMBERS);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.3", "2.05 on");
    member_answers("127.1.0.1", "2.05 off");
    client_gets_nothing("alice");
    member_answers("127.1.0.2", "2.05 dim");
    client_gets("alice", "127.1.0.3 2.05 on", "127.1.0.1 2.05 off", "127.1.0.2 2.05 dim", "all");
}

static void nobody_is_there(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE_MEMBERS);
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    time_passes(2);
    client_gets("alice", "missing 127.1.0.1", "missing 127.1.0.2", "missing 127.1.0.3", "deadline");
}

static void there_is_no_such_path(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /doors");
    client_gets("alice", "problem not-found");
    nothing_is_sent();
}

static void the_network_is_down(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    nothing_can_be_sent();
    client_asks("alice", "GET /lamps");
    client_gets("alice", "problem cannot-emit");
}

static void two_groups_are_asked_at_once(void **state) {
    (void)state;
    gateway_serves("/floors", "'targets':[{'group':'coap://224.0.1.187/east'},{'group':'coap://224.0.1.188/west'}]");
    client_asks("alice", "GET /floors/t");
    group_hears("NON GET /east/t");
    group_hears("NON GET /west/t");
    member_answers_to("NON GET /west/t", "127.1.0.2", "2.05 19");
    member_answers_to("NON GET /east/t", "127.1.0.1", "2.05 21");
    time_passes(2);
    client_gets("alice", "127.1.0.2 2.05 19", "127.1.0.1 2.05 21", "deadline");
}

static void who_wants_no_answers_gets_none(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "PUT /lamps no-response:26 on");
    group_hears("NON PUT /base no-response:26 on");
    client_gets("alice", "all");
}

static void a_confirmable_answer_is_acknowledged(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "CON 2.05 on");
    member_hears("127.1.0.1", "ACK");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 on", "deadline");
}

/* Late, twice, and from nobody */

static void a_late_answer_is_no_answer(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    time_passes(1.999);
    member_answers("127.1.0.1", "2.05 in time");
    time_passes(0.001);
    client_gets("alice", "127.1.0.1 2.05 in time", "deadline");
    member_answers("127.1.0.2", "CON 2.05 late");
    member_hears("127.1.0.2", "RST");
}

static void the_latest_of_a_members_answers_counts(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 20");
    member_repeats("127.1.0.1");
    member_answers("127.1.0.1", "2.05 21");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 21", "deadline duplicates:2");
}

static void an_answer_to_another_request_crosses_over_to_nobody(void **state) {
    (void)state;
    gateway_has("'group':{'nstart':2}");
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps/a");
    client_asks("bob", "GET /lamps/b");
    group_hears("NON GET /base/a");
    group_hears("NON GET /base/b");
    member_answers_to("NON GET /base/b", "127.1.0.1", "2.05 b");
    member_answers_to("NON GET /base/a", "127.1.0.1", "2.05 a");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 a", "deadline");
    client_gets("bob", "127.1.0.1 2.05 b", "deadline");
}

/* Sharing one group request */

static void equal_requests_are_one_for_the_group(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    client_asks("bob", "GET /lamps");
    group_hears("NON GET /base");
    nothing_is_sent();
    member_answers("127.1.0.1", "2.05 on");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 on", "deadline");
    client_gets("bob", "127.1.0.1 2.05 on", "deadline joined:1");
}

static void who_joins_later_has_time_of_his_own(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    time_passes(0.03);
    client_asks("bob", "GET /lamps");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(1.97);
    client_gets("alice", "127.1.0.1 2.05 on", "deadline");
    member_answers("127.1.0.2", "2.05 after alice has gone");
    time_passes(0.03);
    client_gets("bob", "127.1.0.1 2.05 on", "127.1.0.2 2.05 after alice has gone", "deadline joined:31");
}

static void the_impatient_of_two_goes_first(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps timeout:5");
    client_asks("bob", "GET /lamps timeout:1");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(1);
    client_gets("bob", "127.1.0.1 2.05 on", "deadline joined:1");
    member_answers("127.1.0.2", "2.05 off");
    time_passes(4);
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 2.05 off", "deadline");
}

static void nobody_joins_after_the_first_answer(void **state) {
    (void)state;
    gateway_has("'group':{'nstart':2}");
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    client_asks("bob", "GET /lamps");
    time_passes(0.05); /* others may come who ask the same */
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 still on");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 on", "deadline");
    client_gets("bob", "127.1.0.1 2.05 still on", "deadline");
}

static void whoever_asks_after_a_change_sees_it(void **state) {
    (void)state;
    gateway_has("'group':{'nstart':3}");
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    client_asks("bob", "PUT /lamps on");
    client_asks("carol", "GET /lamps");
    group_hears("NON GET /base");
    group_hears("NON PUT /base on");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(2);
    client_gets("alice", "deadline");
    client_gets("bob", "deadline");
    client_gets("carol", "127.1.0.1 2.05 on", "deadline");
}

static void unsafe_requests_are_never_shared(void **state) {
    (void)state;
    gateway_has("'group':{'nstart':2}");
    gateway_serves("/lamps", "");
    client_asks("alice", "POST /lamps toggle");
    client_asks("bob", "POST /lamps toggle");
    group_hears("NON POST /base toggle");
    group_hears("NON POST /base toggle");
    time_passes(2);
    client_gets("alice", "deadline");
    client_gets("bob", "deadline");
}

static void one_of_two_leaves(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    client_asks("bob", "GET /lamps");
    group_hears("NON GET /base");
    client_leaves("alice");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(2);
    client_gets("bob", "127.1.0.1 2.05 on", "deadline joined:1");
    client_gets_nothing("alice");
}

static void the_last_who_leaves_ends_it(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    client_leaves("alice");
    member_answers("127.1.0.1", "CON 2.05 on"); /* nobody's any more */
    member_hears("127.1.0.1", "RST");
}

/* NSTART: one group request at a time, until somebody answers. */
static void a_second_request_waits_for_its_turn(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps/a");
    client_asks("bob", "GET /lamps/b");
    group_hears("NON GET /base/a");
    nothing_is_sent();
    time_passes(0.5);
    member_answers("127.1.0.1", "2.05 a");
    group_hears("NON GET /base/b");
    member_answers("127.1.0.1", "2.05 b");
    time_passes(1.5);
    client_gets("alice", "127.1.0.1 2.05 a", "deadline");
    time_passes(0.5);
    client_gets("bob", "127.1.0.1 2.05 b", "deadline"); /* its time began with its turn */
}

/* Asking one member */

static void the_only_member_is_asked_by_unicast(void **state) {
    (void)state;
    gateway_serves("/door", "'membership':'complete','members':['127.1.0.1']");
    client_asks("alice", "GET /door/state");
    member_hears("127.1.0.1", "CON GET /base/state");
    member_answers("127.1.0.1", "2.05 closed");
    client_gets("alice", "127.1.0.1 by unicast 2.05 closed", "all");
}

static void the_only_member_takes_its_time(void **state) {
    (void)state;
    gateway_serves("/door", "'membership':'complete','timeout':30,'members':['127.1.0.1']");
    client_asks("alice", "POST /door open");
    member_hears("127.1.0.1", "CON POST /base open");
    time_passes(3); /* the first was lost */
    member_hears("127.1.0.1", "CON POST /base open");
    member_answers("127.1.0.1", "ACK");
    time_passes(20);
    nothing_is_sent();
    member_answers("127.1.0.1", "CON 2.04");
    member_hears("127.1.0.1", "ACK");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "all");
}

static void the_silent_are_asked_once_more(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE_MEMBERS ",'leisure':1.5,'repair':{'unicast':true}");
    client_asks("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.2", "2.05 on");
    time_passes(1);
    member_hears("127.1.0.1", "CON GET /base");
    member_hears("127.1.0.3", "CON GET /base");
    member_answers("127.1.0.3", "2.05 off");
    member_answers("127.1.0.1", "RST");
    client_gets_nothing("alice");
    time_passes(1);
    client_gets("alice", "127.1.0.2 2.05 on", "127.1.0.3 by unicast 2.05 off", "missing 127.1.0.1 not-listening",
                "deadline");
}

static void what_may_not_happen_twice_is_not_repaired(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE_MEMBERS ",'leisure':0.5,'repair':{'unicast':true}");
    client_asks("alice", "POST /lamps toggle");
    group_hears("NON POST /base toggle");
    member_answers("127.1.0.1", "2.04");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.04", "missing 127.1.0.2", "missing 127.1.0.3", "deadline");
    nothing_is_sent();
}

static void a_challenge_is_met_and_not_shown(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    gateway_holds_keys("/lamps");
    client_asks("alice", "PUT /lamps on");
    group_hears("NON PUT /base keys:1 on");
    member_answers("127.1.0.1", "2.04");
    member_answers("127.1.0.2", "4.01 echo:fresh?");
    member_hears("127.1.0.2", "CON PUT /base echo:fresh? keys:1 on");
    member_answers("127.1.0.2", "2.04 done");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.04", "127.1.0.2 by unicast 2.04 done", "deadline");
}

/* Answers in blocks */

static void a_large_answer_comes_in_blocks(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE_MEMBERS);
    client_asks("alice", "GET /lamps/log");
    group_hears("NON GET /base/log");
    member_answers("127.1.0.1", "2.05 etag:1 2:0/1/16 0123456789abcdef");
    member_answers("127.1.0.2", "2.05 small");
    member_answers("127.1.0.3", "2.05 small, too");
    client_gets_nothing("alice");
    member_hears("127.1.0.1", "CON GET /base/log 2:1/0/16");
    member_answers("127.1.0.1", "2.05 etag:1 2:1/1/16 ghijklmnopqrstuv");
    member_hears("127.1.0.1", "CON GET /base/log 2:2/0/16");
    member_answers("127.1.0.1", "2.05 etag:1 2:2/0/16 wxyz");
    client_gets("alice", "127.1.0.2 2.05 small", "127.1.0.3 2.05 small, too",
                "127.1.0.1 2.05 0123456789abcdefghijklmnopqrstuvwxyz", "all");
}

static void blocks_of_two_representations_make_none(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE_MEMBERS);
    client_asks("alice", "GET /lamps/log");
    group_hears("NON GET /base/log");
    member_answers("127.1.0.1", "2.05 etag:1 2:0/1/16 0123456789abcdef");
    member_hears("127.1.0.1", "CON GET /base/log 2:1/0/16");
    member_answers("127.1.0.1", "2.05 etag:2 2:1/0/16 ghij");
    member_hears("127.1.0.1", "CON GET /base/log 2:0/0/16");
    member_answers("127.1.0.1", "RST");
    time_passes(2);
    client_gets("alice", "rejected 127.1.0.1 blocks-incomplete", "missing 127.1.0.1 answer-lost", "missing 127.1.0.2",
                "missing 127.1.0.3", "deadline");
}

static void a_stranger_in_blocks_proves_its_address_first(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_asks("alice", "GET /lamps/log");
    group_hears("NON GET /base/log");
    member_answers("127.1.0.9", "2.05 2:0/1/16 0123456789abcdef");
    member_hears("127.1.0.9", "CON"); /* a ping */
    member_answers("127.1.0.9", "RST");
    member_hears("127.1.0.9", "CON GET /base/log 2:1/0/16");
    member_answers("127.1.0.9", "2.05 2:1/0/16 ghij");
    time_passes(2);
    client_gets("alice", "127.1.0.9 2.05 0123456789abcdefghij", "deadline");
}

/* Streams */

static void a_stream_hears_each_answer_as_it_comes(void **state) {
    (void)state;
    gateway_serves("/lamps", THREE_MEMBERS);
    client_streams("alice", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 2.05 on");
    member_answers("127.1.0.1", "2.05 off");
    client_gets("alice", "127.1.0.1 2.05 off");
    member_answers("127.1.0.2", "2.05 on");
    client_gets("alice", "127.1.0.2 2.05 on");
    time_passes(2);
    client_gets("alice", "missing 127.1.0.3", "deadline duplicates:1");
}

static void a_slow_stream_gets_every_answer(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_streams("slow", "GET /lamps");
    client_streams("quick", "GET /lamps");
    group_hears("NON GET /base");
    client_stops_reading("slow");
    member_answers("127.1.0.1", "2.05 1");
    member_answers("127.1.0.2", "2.05 2");
    member_answers("127.1.0.2", "2.05 3");
    client_gets("quick", "127.1.0.1 2.05 1", "127.1.0.2 2.05 2", "127.1.0.2 2.05 3");
    client_gets_nothing("slow");
    time_passes(2);
    client_gets("quick", "deadline duplicates:1 joined:1");
    client_gets_nothing("slow"); /* it may still read on for a minute */
    client_reads_on("slow");
    client_gets("slow", "127.1.0.1 2.05 1", "127.1.0.2 2.05 2", "127.1.0.2 2.05 3", "deadline duplicates:1");
}

static void a_stream_that_nobody_reads_is_cut(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    client_streams("alice", "GET /lamps");
    group_hears("NON GET /base");
    client_stops_reading("alice");
    member_answers("127.1.0.1", "2.05 on");
    time_passes(61.9);
    client_gets_nothing("alice");
    time_passes(0.1);
    client_gets("alice", "cut");
}

/* Keys and what is relayed */

static void who_waits_goes_out_under_the_new_keys(void **state) {
    (void)state;
    gateway_serves("/lamps", "");
    gateway_holds_keys("/lamps");
    client_asks("alice", "GET /lamps/a");
    client_asks("bob", "GET /lamps/b");
    group_hears("NON GET /base/a keys:1");
    keys_change();
    member_answers("127.1.0.1", "2.05 a"); /* to what went out before: it counts */
    group_hears("NON GET /base/b keys:2");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 a", "deadline");
    client_gets("bob", "deadline");
}

static void nothing_is_retransmitted_under_old_keys(void **state) {
    (void)state;
    gateway_serves("/door", "'membership':'complete','timeout':30,'members':['127.1.0.1']");
    gateway_holds_keys("/door");
    client_asks("alice", "GET /door");
    member_hears("127.1.0.1", "CON GET /base keys:1");
    keys_change();
    time_passes(3);
    member_hears("127.1.0.1", "CON GET /base keys:2");
    member_answers("127.1.0.1", "2.05 closed");
    client_gets("alice", "127.1.0.1 by unicast 2.05 closed", "all");
}

static void what_a_client_protected_passes_as_it_is(void **state) {
    (void)state;
    gateway_serves("/sealed", "'security':'relay'");
    gateway_relays("/sealed");
    client_asks("alice", "POST /sealed oscore:190503474d3111 sealed by alice");
    group_hears("NON POST oscore:190503474d3111 sealed by alice");
    member_answers("127.1.0.1", "2.04 oscore:0812 sealed by a member");
    member_answers("127.1.0.2", "4.01"); /* for the client alone to judge */
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.04 sealed by a member", "127.1.0.2 4.01", "deadline");
}

/* What is inside may not be the same, and members answer whom they know. */
static void what_clients_protected_is_never_shared(void **state) {
    (void)state;
    gateway_has("'group':{'nstart':2}");
    gateway_serves("/sealed", "'security':'relay'");
    gateway_relays("/sealed");
    client_asks("alice", "FETCH /sealed oscore:190503474d3111 sealed");
    client_asks("bob", "FETCH /sealed oscore:190503474d3111 sealed");
    group_hears("NON FETCH oscore:190503474d3111 sealed");
    group_hears("NON FETCH oscore:190503474d3111 sealed");
    member_answers("127.1.0.1", "2.05 oscore:0812 for bob");
    time_passes(2);
    client_gets("alice", "deadline");
    client_gets("bob", "127.1.0.1 2.05 for bob", "deadline");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(an_open_group_answers_until_time_is_up),
        scenario(the_last_member_that_is_known_ends_it),
        scenario(nobody_is_there),
        scenario(there_is_no_such_path),
        scenario(the_network_is_down),
        scenario(two_groups_are_asked_at_once),
        scenario(who_wants_no_answers_gets_none),
        scenario(a_confirmable_answer_is_acknowledged),
        scenario(a_late_answer_is_no_answer),
        scenario(the_latest_of_a_members_answers_counts),
        scenario(an_answer_to_another_request_crosses_over_to_nobody),
        scenario(equal_requests_are_one_for_the_group),
        scenario(who_joins_later_has_time_of_his_own),
        scenario(the_impatient_of_two_goes_first),
        scenario(nobody_joins_after_the_first_answer),
        scenario(whoever_asks_after_a_change_sees_it),
        scenario(unsafe_requests_are_never_shared),
        scenario(one_of_two_leaves),
        scenario(the_last_who_leaves_ends_it),
        scenario(a_second_request_waits_for_its_turn),
        scenario(the_only_member_is_asked_by_unicast),
        scenario(the_only_member_takes_its_time),
        scenario(the_silent_are_asked_once_more),
        scenario(what_may_not_happen_twice_is_not_repaired),
        scenario(a_challenge_is_met_and_not_shown),
        scenario(a_large_answer_comes_in_blocks),
        scenario(blocks_of_two_representations_make_none),
        scenario(a_stranger_in_blocks_proves_its_address_first),
        scenario(a_stream_hears_each_answer_as_it_comes),
        scenario(a_slow_stream_gets_every_answer),
        scenario(a_stream_that_nobody_reads_is_cut),
        scenario(who_waits_goes_out_under_the_new_keys),
        scenario(nothing_is_retransmitted_under_old_keys),
        scenario(what_a_client_protected_passes_as_it_is),
        scenario(what_clients_protected_is_never_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
