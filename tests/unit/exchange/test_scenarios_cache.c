/* Conversations with a gateway that keeps answers: what it gives again, for how long, and what it asks all the same. */
#include "exchange/scenario.h"

#include <stdio.h>

#define CACHED "'cache':true,'membership':'complete','members':['127.1.0.1','127.1.0.2']"

static void serve(const char *more) {
    char settings[512];
    snprintf(settings, sizeof settings, CACHED "%s%s", more[0] == '\0' ? "" : ",", more);
    gateway_serves("/lamps", settings);
}

/* Both have answered. */
static void fill(const char *one, const char *other) {
    client_asks("alice", "GET /lamps/status");
    group_hears("NON GET /base/status");
    member_answers("127.1.0.1", one);
    member_answers("127.1.0.2", other);
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 2.05 off", "all");
}

static void what_is_fresh_is_given_again(void **state) {
    (void)state;
    serve("");
    fill("2.05 max-age:30 on", "2.05 off");
    time_passes(10);
    client_asks("bob", "GET /lamps/status");
    client_gets("bob", "127.1.0.1 from cache for 20 2.05 on", "127.1.0.2 from cache for 50 2.05 off", "all");
    client_listens("carol", "GET /lamps/status timeout:5");
    client_gets("carol", "127.1.0.1 from cache for 20 2.05 on", "127.1.0.2 from cache for 50 2.05 off", "all");
}

static void nothing_is_given_when_its_time_is_over(void **state) {
    (void)state;
    serve("");
    fill("2.05 max-age:30 on", "2.05 max-age:30 off");
    time_passes(29.5);
    client_asks("bob", "GET /lamps/status");
    client_gets("bob", "127.1.0.1 from cache for 0 2.05 on", "127.1.0.2 from cache for 0 2.05 off", "all");
    time_passes(0.5);
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status");
    time_passes(2);
    client_gets("bob", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
}

static void max_age_0_is_never_given(void **state) {
    (void)state;
    serve("");
    fill("2.05 max-age:0 on", "2.05 off");
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status");
    member_answers("127.1.0.1", "2.05 dim");
    member_answers("127.1.0.2", "2.05 off");
    client_gets("bob", "127.1.0.1 2.05 dim", "127.1.0.2 2.05 off", "all");
}

/* However long it says. */
static void nothing_is_fresh_for_more_than_a_day(void **state) {
    (void)state;
    serve("");
    fill("2.05 max-age:4294967295 on", "2.05 max-age:4294967295 off");
    time_passes(86399);
    client_asks("bob", "GET /lamps/status");
    client_gets("bob", "127.1.0.1 from cache for 1 2.05 on", "127.1.0.2 from cache for 1 2.05 off", "all");
    time_passes(1);
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status");
    time_passes(2);
    client_gets("bob", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
}

static void other_questions_are_others(void **state) {
    (void)state;
    serve("");
    fill("2.05 on", "2.05 off");
    client_asks("bob", "GET /lamps/status?unit=C");
    group_hears("NON GET /base/status?unit=C");
    time_passes(2);
    client_gets("bob", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
    time_passes(5); /* the group's leisure */
    client_asks("carol", "GET /lamps/status accept:50");
    group_hears("NON GET /base/status accept:50");
    time_passes(7);
    client_gets("carol", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
    client_asks("dave", "FETCH /lamps/status off");
    group_hears("NON FETCH /base/status off");
    time_passes(2);
    client_gets("dave", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
}

/* RFC 8132 §2.3.2. */
static void a_body_is_part_of_the_question(void **state) {
    (void)state;
    serve("");
    client_asks("alice", "FETCH /lamps/status on");
    group_hears("NON FETCH /base/status on");
    member_answers("127.1.0.1", "2.05 on");
    member_answers("127.1.0.2", "2.05 off");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 2.05 off", "all");
    client_asks("bob", "FETCH /lamps/status on");
    client_gets("bob", "127.1.0.1 from cache for 60 2.05 on", "127.1.0.2 from cache for 60 2.05 off", "all");
    client_asks("carol", "FETCH /lamps/status off");
    group_hears("NON FETCH /base/status off");
    time_passes(2);
    client_gets("carol", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
}

/* A command to one of them makes stale what all of them were asked. */
static void several_groups_are_one_question(void **state) {
    (void)state;
    gateway_serves("/floors",
                   CACHED ",'targets':[{'group':'coap://224.0.1.187/east'},{'group':'coap://224.0.1.188/west'}]");
    gateway_serves("/west", "'group':'coap://224.0.1.188/west'");
    client_asks("alice", "GET /floors/status");
    group_hears("NON GET /east/status");
    group_hears("NON GET /west/status");
    member_answers_to("NON GET /east/status", "127.1.0.1", "2.05 on");
    member_answers_to("NON GET /west/status", "127.1.0.2", "2.05 off");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 2.05 off", "all");
    client_asks("bob", "GET /floors/status");
    client_gets("bob", "127.1.0.1 from cache for 60 2.05 on", "127.1.0.2 from cache for 60 2.05 off", "all");
    client_asks("bob", "PUT /west/status on");
    group_hears("NON PUT /west/status on");
    member_answers("127.1.0.2", "2.04");
    time_passes(2);
    client_gets("bob", "127.1.0.2 2.04", "deadline");
    time_passes(7); /* the group's leisure */
    client_asks("carol", "GET /floors/status");
    group_hears("NON GET /east/status");
    group_hears("NON GET /west/status");
    time_passes(2);
    client_gets("carol", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
}

/* It may act before it is heard of, or without. */
static void a_command_by_way_of_a_next_hop_makes_it_stale(void **state) {
    (void)state;
    serve("");
    gateway_serves("/far",
                   "'targets':[{'next_hop':'coap://192.0.2.1','group':'coap://224.0.1.187/base'}],'timeout':10");
    fill("2.05 on", "2.05 off");
    client_asks("bob", "PUT /far/status on");
    member_hears("192.0.2.1", "CON PUT /base/status timeout:9 3:3232342e302e312e313837 16:10 39:636f6170 on");
    member_answers("192.0.2.1", "ACK");
    client_asks("carol", "GET /lamps/status");
    group_hears("NON GET /base/status");
    time_passes(2);
    client_gets("carol", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
    time_passes(10);
    client_gets("bob", "deadline");
}

static void errors_are_answers_too(void **state) {
    (void)state;
    serve("");
    client_asks("alice", "GET /lamps/status");
    group_hears("NON GET /base/status");
    member_answers("127.1.0.1", "2.05 on");
    member_answers("127.1.0.2", "4.04");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 4.04", "all");
    client_asks("bob", "GET /lamps/status");
    client_gets("bob", "127.1.0.1 from cache for 60 2.05 on", "127.1.0.2 from cache for 60 4.04", "all");
}

static void who_is_not_let_in_gets_nothing(void **state) {
    (void)state;
    serve("'clients':['alice']");
    fill("2.05 on", "2.05 off");
    client_asks("bob", "GET /lamps/status");
    client_gets("bob", "problem forbidden");
}

static void what_is_not_cached_is_always_asked(void **state) {
    (void)state;
    gateway_serves("/lamps", "'membership':'complete','members':['127.1.0.1','127.1.0.2']");
    fill("2.05 on", "2.05 off");
    fill("2.05 on", "2.05 off");
}

/* Part of them. */

/* GCP §7.1: it is fresh to the end, so its member has all of the time to say something newer. */
static void what_stays_fresh_waits_for_who_is_silent(void **state) {
    (void)state;
    serve("");
    fill("2.05 on", "2.05 max-age:1 off");
    time_passes(1);
    client_streams("bob", "GET /lamps/status");
    group_hears("NON GET /base/status");
    client_gets_nothing("bob");
    member_answers("127.1.0.2", "2.05 dim");
    client_gets("bob", "127.1.0.2 2.05 dim");
    time_passes(2);
    client_gets("bob", "127.1.0.1 from cache for 57 2.05 on", "deadline");
}

static void who_answers_is_not_given_from_the_cache(void **state) {
    (void)state;
    serve("");
    fill("2.05 on", "2.05 max-age:1 off");
    time_passes(1);
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status");
    member_answers("127.1.0.2", "2.05 off");
    member_answers("127.1.0.1", "2.05 dim");
    client_gets("bob", "127.1.0.2 2.05 off", "127.1.0.1 2.05 dim", "all");
}

static void what_will_be_stale_is_told_at_once(void **state) {
    (void)state;
    serve("");
    fill("2.05 max-age:2 on", "2.05 max-age:1 off");
    time_passes(1);
    client_listens("bob", "GET /lamps/status timeout:5");
    group_hears("NON GET /base/status");
    client_gets("bob", "127.1.0.1 from cache for 1 2.05 on");
    member_answers("127.1.0.1", "2.05 dim");
    client_gets("bob", "127.1.0.1 2.05 dim");
    time_passes(5);
    client_gets("bob", "missing 127.1.0.2", "deadline");
}

/* Whole replies are made at the end. */
static void what_is_stale_at_the_end_is_missing(void **state) {
    (void)state;
    serve("");
    fill("2.05 max-age:2 on", "2.05 max-age:1 off");
    time_passes(1);
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status");
    time_passes(2);
    client_gets("bob", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
}

/* Single members. */

static void what_the_group_was_asked_answers_for_one(void **state) {
    (void)state;
    serve("'stand_in':'members'");
    fill("2.05 on", "2.05 off");
    client_asks("bob", "GET /lamps/.member/127.1.0.2:5683/status");
    client_gets("bob", "127.1.0.2 from cache for 60 2.05 off", "all");
}

static void what_one_was_asked_answers_for_the_group(void **state) {
    (void)state;
    serve("'stand_in':'members'");
    client_asks("alice", "GET /lamps/.member/127.1.0.1:5683/status");
    member_hears("127.1.0.1", "CON GET /base/status");
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 by unicast 2.05 on", "all");
    client_asks("alice", "GET /lamps/.member/127.1.0.2:5683/status");
    member_hears("127.1.0.2", "CON GET /base/status");
    member_answers("127.1.0.2", "2.05 off");
    client_gets("alice", "127.1.0.2 by unicast 2.05 off", "all");
    client_asks("bob", "GET /lamps/status");
    client_gets("bob", "127.1.0.1 from cache for 60 2.05 on", "127.1.0.2 from cache for 60 2.05 off", "all");
}

static void what_is_more_than_a_reply_may_have_is_not_given(void **state) {
    (void)state;
    serve("'max_answers':1,'finish':'all'");
    client_asks("alice", "GET /lamps/status");
    group_hears("NON GET /base/status");
    member_answers("127.1.0.1", "2.05 on");
    member_answers("127.1.0.2", "2.05 off");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 on", "rejected 127.1.0.2 max_answers", "missing 127.1.0.2", "limit");
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status");
    time_passes(2);
    client_gets("bob", "127.1.0.1 from cache for 56 2.05 on", "missing 127.1.0.2", "deadline");
}

/* What changes something. */

static void after_a_command_all_are_asked(void **state) {
    (void)state;
    serve("");
    fill("2.05 on", "2.05 off");
    client_asks("bob", "PUT /lamps/status off");
    group_hears("NON PUT /base/status off");
    member_answers("127.1.0.1", "2.04");
    member_answers("127.1.0.2", "2.04");
    client_gets("bob", "127.1.0.1 2.04", "127.1.0.2 2.04", "all");
    time_passes(0.1);
    client_asks("carol", "GET /lamps/status");
    group_hears("NON GET /base/status");
    member_answers("127.1.0.1", "2.05 off");
    member_answers("127.1.0.2", "2.05 off");
    client_gets("carol", "127.1.0.1 2.05 off", "127.1.0.2 2.05 off", "all");
    client_asks("bob", "GET /lamps/status");
    client_gets("bob", "127.1.0.1 from cache for 59 2.05 off", "127.1.0.2 from cache for 59 2.05 off", "all");
}

/* The group's path, and another mapping's. */
static void a_command_by_another_way_counts(void **state) {
    (void)state;
    serve("");
    gateway_serves("/all", "'group':'coap://224.0.1.188','members':['127.1.0.1']");
    fill("2.05 on", "2.05 off");
    client_asks("bob", "PUT /all off");
    group_hears("NON PUT off");
    member_answers("127.1.0.1", "2.04");
    time_passes(2);
    client_gets("bob", "127.1.0.1 2.04", "deadline");
    client_asks("carol", "GET /lamps/status");
    group_hears("NON GET /base/status");
    time_passes(2);
    client_gets("carol", "127.1.0.2 from cache for 56 2.05 off", "missing 127.1.0.1", "deadline");
}

/* An answer to what was asked before the command, which may not have been carried out yet. */
static void what_was_asked_before_a_command_is_not_kept(void **state) {
    (void)state;
    serve("'leisure':1");
    client_asks("alice", "GET /lamps/status");
    group_hears("NON GET /base/status");
    member_answers("127.1.0.1", "2.05 on");
    client_asks("bob", "PUT /lamps/status off");
    group_hears("NON PUT /base/status off");
    member_answers_to("NON GET /base/status", "127.1.0.2", "2.05 on");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 2.05 on", "all");
    member_answers("127.1.0.1", "2.04");
    member_answers("127.1.0.2", "2.04");
    client_gets("bob", "127.1.0.1 2.04", "127.1.0.2 2.04", "all");
    client_asks("carol", "GET /lamps/status");
    group_hears("NON GET /base/status");
    time_passes(2);
    client_gets("carol", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
}

static void other_keys_are_asked_under(void **state) {
    (void)state;
    serve("");
    gateway_holds_keys("/lamps");
    client_asks("alice", "GET /lamps/status");
    group_hears("NON GET /base/status keys:1");
    member_answers("127.1.0.1", "2.05 on");
    member_answers("127.1.0.2", "2.05 off");
    client_gets("alice", "127.1.0.1 2.05 on", "127.1.0.2 2.05 off", "all");
    keys_change();
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status keys:2");
    time_passes(2);
    client_gets("bob", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
}

/* Entity tags. */

static void what_is_stale_is_asked_about(void **state) {
    (void)state;
    serve("");
    fill("2.05 etag:a max-age:1 on", "2.05 etag:b max-age:1 off");
    time_passes(1);
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status etag:a etag:b");
    member_answers("127.1.0.1", "2.03 etag:a max-age:9");
    member_answers("127.1.0.2", "2.05 etag:c dim");
    client_gets("bob", "127.1.0.1 2.05 on", "127.1.0.2 2.05 dim", "all");
    client_asks("carol", "GET /lamps/status");
    client_gets("carol", "127.1.0.1 from cache for 9 2.05 on", "127.1.0.2 from cache for 60 2.05 dim", "all");
}

/* RFC 10020 §3.2.2. */
static void a_tag_of_two_is_not_asked_about(void **state) {
    (void)state;
    serve("");
    fill("2.05 etag:a max-age:1 on", "2.05 etag:a max-age:1 off");
    time_passes(1);
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status");
    time_passes(2);
    client_gets("bob", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
}

/* It has the tag that the other one was asked about. */
static void who_says_that_anothers_is_valid_is_asked_again(void **state) {
    (void)state;
    serve("");
    fill("2.05 etag:a max-age:1 on", "2.05 max-age:1 off");
    time_passes(1);
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status etag:a");
    member_answers("127.1.0.1", "2.03 etag:a");
    member_answers("127.1.0.2", "2.03 etag:a");
    member_hears("127.1.0.2", "CON GET /base/status");
    member_answers("127.1.0.2", "2.05 etag:a on");
    client_gets("bob", "127.1.0.1 2.05 on", "127.1.0.2 by unicast 2.05 on", "all");
}

/* Once: who insists is taken at its word, which is kept for nobody. */
static void who_says_so_without_a_tag_is_asked_once(void **state) {
    (void)state;
    serve("");
    client_asks("bob", "GET /lamps/status");
    group_hears("NON GET /base/status");
    member_answers("127.1.0.1", "2.03");
    member_hears("127.1.0.1", "CON GET /base/status");
    member_answers("127.1.0.1", "2.03");
    member_answers_to("NON GET /base/status", "127.1.0.2", "2.05 off");
    client_gets("bob", "127.1.0.1 by unicast 2.03", "127.1.0.2 2.05 off", "all");
    client_asks("carol", "GET /lamps/status");
    group_hears("NON GET /base/status");
    time_passes(2);
    client_gets("carol", "127.1.0.2 from cache for 58 2.05 off", "missing 127.1.0.1", "deadline");
}

static void one_member_is_asked_about_its_own(void **state) {
    (void)state;
    serve("'stand_in':'members'");
    fill("2.05 etag:a max-age:1 on", "2.05 etag:b max-age:1 off");
    time_passes(1);
    client_asks("bob", "GET /lamps/.member/127.1.0.2:5683/status");
    member_hears("127.1.0.2", "CON GET /base/status etag:b");
    member_answers("127.1.0.2", "2.03 etag:b");
    client_gets("bob", "127.1.0.2 by unicast 2.05 off", "all");
}

/* What its client asks members itself is between them. */
static void a_clients_own_tags_go_to_the_members(void **state) {
    (void)state;
    serve("");
    fill("2.05 etag:a on", "2.05 etag:b off");
    client_asks("bob", "GET /lamps/status etag:a");
    group_hears("NON GET /base/status etag:a");
    member_answers("127.1.0.1", "2.03 etag:a");
    member_answers("127.1.0.2", "2.05 etag:b off");
    client_gets("bob", "127.1.0.1 2.03", "127.1.0.2 2.05 off", "all");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(what_is_fresh_is_given_again),
        scenario(nothing_is_given_when_its_time_is_over),
        scenario(max_age_0_is_never_given),
        scenario(nothing_is_fresh_for_more_than_a_day),
        scenario(other_questions_are_others),
        scenario(a_body_is_part_of_the_question),
        scenario(several_groups_are_one_question),
        scenario(a_command_by_way_of_a_next_hop_makes_it_stale),
        scenario(errors_are_answers_too),
        scenario(who_is_not_let_in_gets_nothing),
        scenario(what_is_not_cached_is_always_asked),
        scenario(what_stays_fresh_waits_for_who_is_silent),
        scenario(who_answers_is_not_given_from_the_cache),
        scenario(what_will_be_stale_is_told_at_once),
        scenario(what_is_stale_at_the_end_is_missing),
        scenario(what_the_group_was_asked_answers_for_one),
        scenario(what_one_was_asked_answers_for_the_group),
        scenario(what_is_more_than_a_reply_may_have_is_not_given),
        scenario(after_a_command_all_are_asked),
        scenario(a_command_by_another_way_counts),
        scenario(what_was_asked_before_a_command_is_not_kept),
        scenario(other_keys_are_asked_under),
        scenario(what_is_stale_is_asked_about),
        scenario(a_tag_of_two_is_not_asked_about),
        scenario(who_says_that_anothers_is_valid_is_asked_again),
        scenario(who_says_so_without_a_tag_is_asked_once),
        scenario(one_member_is_asked_about_its_own),
        scenario(a_clients_own_tags_go_to_the_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
