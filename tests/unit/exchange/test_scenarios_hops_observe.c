/* Next hops that observe for us (GCP §8.1.1, §8.2.1): one registration for all who are behind each. */
#include "exchange/scenario.h"

#define HOP      "192.0.2.1"
#define FAR      "'targets':[{'next_hop':'coap://" HOP "/floor'}],'timeout':10"
#define MIXED    "'targets':[{'group':'coap://224.0.1.187/base'},{'next_hop':'coap://" HOP "/floor'}],'timeout':10"
#define REGISTER "CON GET /floor timeout:9 observe:0 16:10"
#define CANCEL   "CON GET /floor timeout:9 observe:1 16:10"
#define A        "248:822081440a000005" /* coap://10.0.0.5 */
#define B        "248:822081440a000006"

static void watch_far(void) {
    gateway_serves("/far", FAR);
    client_streams("alice", "GET /far observe:0");
    member_hears(HOP, REGISTER);
    member_answers(HOP, "ACK");
    member_answers(HOP, "NON 2.05 observe:1 max-age:3600 " A " on");
    client_gets("alice", "10.0.0.5 2.05 on");
}

/* The cancellation is acknowledged, and what is kept to repeat it has its time. */
static void leave(void) {
    client_leaves("alice");
    member_hears(HOP, CANCEL);
    member_answers(HOP, "ACK");
    time_passes(120);
}

static void all_who_are_behind_it_are_observed_at_once(void **state) {
    (void)state;
    watch_far();
    member_answers(HOP, "NON 2.05 observe:2 max-age:3600 " B " off");
    client_gets("alice", "10.0.0.6 2.05 off");
    time_passes(100);
    member_answers(HOP, "NON 2.05 observe:3 max-age:3600 " A " off");
    client_gets("alice", "10.0.0.5 2.05 off");
    leave();
}

static void each_one_has_an_order_of_its_own(void **state) {
    (void)state;
    watch_far();
    member_answers(HOP, "NON 2.05 observe:9 max-age:3600 " A " new");
    member_answers(HOP, "NON 2.05 observe:8 max-age:3600 " A " old");
    member_answers(HOP, "NON 2.05 observe:7 max-age:3600 " B " first");
    client_gets("alice", "10.0.0.5 2.05 new", "10.0.0.6 2.05 first");
    leave();
}

static void a_confirmable_notification_says_that_we_are_there(void **state) {
    (void)state;
    watch_far();
    member_answers(HOP, "CON 2.05 observe:2 max-age:3600 " A " off");
    member_hears(HOP, "ACK");
    client_gets("alice", "10.0.0.5 2.05 off");
    leave();
    member_answers_to(REGISTER, HOP, "CON 2.05 observe:3 max-age:3600 " A " on"); /* it has missed that */
    member_hears(HOP, "RST");
}

static void it_ends_with_the_last_who_is_observed(void **state) {
    (void)state;
    watch_far();
    time_passes(20);
    member_answers(HOP, "NON 4.04 " A);
    client_gets("alice", "10.0.0.5 4.04", "deadline");
    member_hears(HOP, CANCEL);
    member_answers(HOP, "ACK");
    time_passes(120);
}

static void where_nobody_is_observed_it_ends_in_time(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_streams("alice", "GET /far observe:0");
    member_hears(HOP, REGISTER);
    member_answers(HOP, "2.05 " A " on");
    time_passes(10);
    client_gets("alice", "10.0.0.5 2.05 on", "deadline");
    member_hears(HOP, "NON GET timeout:0"); /* it may be observed for us by now */
}

static void who_leaves_before_anybody_answers_stops_it_early(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_streams("alice", "GET /far observe:0");
    member_hears(HOP, REGISTER);
    member_answers(HOP, "ACK");
    client_leaves("alice");
    member_hears(HOP, "NON GET timeout:0");
}

static void it_is_registered_once_more_where_one_behind_it_is_stale(void **state) {
    (void)state;
    gateway_serves("/far", FAR ",'leisure':5");
    client_streams("alice", "GET /far observe:0");
    member_hears(HOP, REGISTER);
    member_answers(HOP, "2.05 observe:1 " A " on"); /* for 60 s */
    client_gets("alice", "10.0.0.5 2.05 on");
    time_passes(60 + 5 + 15 + 5); /* until then the next hop asks it */
    nothing_is_sent();
    time_passes(4.5);
    member_hears(HOP, REGISTER);
    member_answers(HOP, "ACK");
    member_answers(HOP, "NON 2.05 observe:0 " A " on"); /* it has begun anew, and counts anew */
    client_gets("alice", "10.0.0.5 2.05 on");
    leave();
}

/* An answer for somebody else is none to that. */
static void a_registration_that_is_lost_is_repeated(void **state) {
    (void)state;
    watch_far();
    time_passes(3606);
    member_hears(HOP, REGISTER);
    member_answers(HOP, "NON 2.05 observe:2 max-age:3600 " B " on");
    client_gets("alice", "10.0.0.6 2.05 on");
    time_passes(3);
    member_hears(HOP, REGISTER);
    member_answers(HOP, "ACK");
    leave();
}

static void repeats_in_vain(void) {
    for (int i = 0; i < 4; i++) member_hears(HOP, REGISTER);
}

static void one_that_is_gone_ends_it(void **state) {
    (void)state;
    watch_far();
    time_passes(3606);
    member_hears(HOP, REGISTER);
    time_passes(100);
    repeats_in_vain();
    client_gets("alice", "rejected 192.0.2.1 next-hop-silent", "deadline");
    member_hears(HOP, "NON GET timeout:0"); /* whatever it still has of that */
}

static void one_that_is_gone_is_told_and_asked_anew_where_others_are_observed(void **state) {
    (void)state;
    gateway_serves("/both", MIXED);
    client_streams("alice", "GET /both observe:0");
    group_hears("NON GET /base observe:0");
    member_hears(HOP, REGISTER);
    member_answers_to("NON GET /base observe:0", "127.1.0.1", "NON 2.05 observe:1 max-age:14400 near");
    member_answers_to(REGISTER, HOP, "2.05 observe:1 max-age:14400 " A " far");
    client_gets("alice", "127.1.0.1 2.05 near", "10.0.0.5 2.05 far");
    member_answers_to(REGISTER, HOP, "NON 5.03"); /* it has ended there, whoever may be observed (RFC 7641 §4.2) */
    time_passes(15);
    nothing_is_sent();
    time_passes(5);
    member_hears(HOP, REGISTER); /* on another token */
    member_answers(HOP, "2.05 observe:0 max-age:14400 " A " again");
    client_gets("alice", "10.0.0.5 2.05 again");
    client_leaves("alice");
    group_hears("NON GET /base observe:1");
    member_hears(HOP, CANCEL);
    member_answers(HOP, "ACK");
    time_passes(120);
}

static void what_refuses_the_first_request_is_final(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_streams("alice", "GET /far observe:0");
    member_hears(HOP, REGISTER);
    member_answers(HOP, "4.04 there is nothing");
    client_gets("alice", "problem next-hop-refused");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(all_who_are_behind_it_are_observed_at_once),
        scenario(each_one_has_an_order_of_its_own),
        scenario(a_confirmable_notification_says_that_we_are_there),
        scenario(it_ends_with_the_last_who_is_observed),
        scenario(where_nobody_is_observed_it_ends_in_time),
        scenario(who_leaves_before_anybody_answers_stops_it_early),
        scenario(it_is_registered_once_more_where_one_behind_it_is_stale),
        scenario(a_registration_that_is_lost_is_repeated),
        scenario(one_that_is_gone_ends_it),
        scenario(one_that_is_gone_is_told_and_asked_anew_where_others_are_observed),
        scenario(what_refuses_the_first_request_is_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
