/* Next hops: gateways that are asked in a group's place (GCP §8). */
#include "exchange/scenario.h"

#define HOP        "192.0.2.1"
#define FAR        "'targets':[{'next_hop':'coap://" HOP "/floor','round_trip':2}],'timeout':10"
#define PROXY      "'targets':[{'next_hop':'coap://" HOP "','group':'coap://[ff35::23]:61616/base'}],'timeout':10"
#define MIXED      "'targets':[{'group':'coap://224.0.1.187/base'},{'next_hop':'coap://" HOP "/floor'}],'timeout':10"
#define REPLY_FROM "248:822081440a000005" /* [-1, [h'0a000005']]: coap://10.0.0.5 */

static void the_path_of_a_next_hop_stands_for_its_group(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_asks("alice", "GET /far/status?x=1");
    member_hears(HOP, "CON GET /floor/status?x=1 timeout:8 16:10");
    member_answers(HOP, "ACK");
    member_answers(HOP, "NON 2.05 " REPLY_FROM " on");
    member_answers(HOP, "NON 2.05 248:822081440a000006 off");
    time_passes(10);
    client_gets("alice", "10.0.0.5 2.05 on", "10.0.0.6 2.05 off", "deadline");
}

static void a_forward_proxy_is_told_the_group(void **state) {
    (void)state;
    gateway_serves("/far", PROXY);
    client_asks("alice", "GET /far/status");
    member_hears(HOP, "CON GET /base/status timeout:9 3:5b666633353a3a32335d 7:f0b0 16:10 39:636f6170");
    member_answers(HOP, "2.05 " REPLY_FROM " on");
    time_passes(10);
    client_gets("alice", "10.0.0.5 2.05 on", "deadline");
}

static void a_group_and_a_next_hop_give_one_reply(void **state) {
    (void)state;
    gateway_serves("/both", MIXED);
    client_asks("alice", "GET /both");
    group_hears("NON GET /base");
    member_hears(HOP, "CON GET /floor timeout:9 16:10");
    member_answers_to("CON GET /floor timeout:9 16:10", HOP, "2.05 " REPLY_FROM " far");
    member_answers_to("NON GET /base", "127.1.0.1", "2.05 near");
    time_passes(10);
    client_gets("alice", "10.0.0.5 2.05 far", "127.1.0.1 2.05 near", "deadline");
}

/* RFC 1918 addresses come again behind each next hop. */
static void the_same_address_behind_two_next_hops_is_two_members(void **state) {
    (void)state;
    gateway_serves("/far", "'targets':[{'next_hop':'coap://192.0.2.1/a'},{'next_hop':'coap://192.0.2.2/b'}]");
    client_asks("alice", "GET /far");
    member_hears("192.0.2.1", "CON GET /a timeout:1 16:10");
    member_hears("192.0.2.2", "CON GET /b timeout:1 16:10");
    member_answers("192.0.2.1", "2.05 " REPLY_FROM " a");
    member_answers("192.0.2.2", "2.05 " REPLY_FROM " b");
    time_passes(2);
    client_gets("alice", "10.0.0.5 2.05 a", "10.0.0.5 2.05 b", "deadline");
}

static void who_is_configured_is_missed_and_known(void **state) {
    (void)state;
    gateway_serves("/far", FAR ",'membership':'complete','finish':'all','members':"
                               "[{'name':'a','address':'10.0.0.5'},{'name':'b','address':'10.0.0.6'}]");
    client_asks("alice", "GET /far");
    member_hears(HOP, "CON GET /floor timeout:8 16:10");
    member_answers(HOP, "2.05 " REPLY_FROM " on");
    member_answers(HOP, "NON 2.05 248:822081440a000006 off");
    member_hears(HOP, "NON GET timeout:0"); /* nobody else is expected */
    client_gets("alice", "10.0.0.5 2.05 on", "10.0.0.6 2.05 off", "all");
}

static void a_next_hop_without_time_is_not_asked(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_asks("alice", "GET /far timeout:2");
    client_gets("alice", "problem proxying-not-supported");
}

static void no_time_goes_on_as_no_time(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_asks("alice", "GET /far timeout:0");
    member_hears(HOP, "CON GET /floor timeout:0 16:10");
    client_gets("alice", "deadline");
}

static void who_wants_no_answers_waits_until_it_is_asked(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_asks("alice", "GET /far/a");
    member_hears(HOP, "CON GET /floor/a timeout:8 16:10");
    client_asks("bob", "PUT /far/b no-response:26");
    client_gets_nothing("bob");
    member_answers(HOP, "ACK");
    member_hears(HOP, "CON PUT /floor/b timeout:8 16:10 no-response:26");
    client_gets("bob", "all");
    time_passes(10);
    client_gets("alice", "deadline");
}

static void what_a_next_hop_says_itself_ends_it(void **state) {
    (void)state;
    static const struct {
        const char *says, *problem;
    } cases[] = {
        {"4.04 there is nothing", "problem next-hop-refused"},
        {"4.01", "problem next-hop-refused"},
        {"5.05 timeout:20", "problem proxying-not-supported"},
        {"5.08", "problem hop-limit"},
        {"5.03", "problem overloaded"},
        {"RST", "problem next-hop-silent"},
    };
    gateway_serves("/far", FAR);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        client_asks("alice", "GET /far");
        member_hears(HOP, "CON GET /floor timeout:8 16:10");
        member_answers(HOP, cases[i].says);
        client_gets("alice", cases[i].problem);
    }
}

static void one_that_is_gone_is_told_beside_answers(void **state) {
    (void)state;
    gateway_serves("/both", MIXED);
    client_asks("alice", "GET /both");
    group_hears("NON GET /base");
    member_hears(HOP, "CON GET /floor timeout:9 16:10");
    member_answers_to("NON GET /base", "127.1.0.1", "2.05 near");
    member_answers_to("CON GET /floor timeout:9 16:10", HOP, "RST");
    time_passes(10);
    client_gets("alice", "127.1.0.1 2.05 near", "rejected 192.0.2.1 next-hop-silent", "deadline");
}

static void a_silent_next_hop_is_told(void **state) {
    (void)state;
    gateway_serves("/far", "'targets':[{'next_hop':'coap://" HOP "/floor'}]");
    client_asks("alice", "GET /far");
    member_hears(HOP, "CON GET /floor timeout:1 16:10");
    time_passes(2);
    client_gets("alice", "problem next-hop-silent");
}

static void the_silence_of_those_behind_it_is_none(void **state) {
    (void)state;
    gateway_serves("/far", "'targets':[{'next_hop':'coap://" HOP "/floor'}]");
    client_asks("alice", "GET /far");
    member_hears(HOP, "CON GET /floor timeout:1 16:10");
    member_answers(HOP, "ACK");
    time_passes(2);
    client_gets("alice", "deadline");
}

static void others_do_not_wait_for_a_silent_next_hop(void **state) {
    (void)state;
    gateway_serves("/both", "'targets':[{'next_hop':'coap://" HOP "/floor'},{'group':'coap://224.0.1.187/base'}]");
    client_asks("alice", "GET /both");
    member_hears(HOP, "CON GET /floor timeout:1 16:10");
    group_hears("NON GET /base");
    member_answers("127.1.0.1", "2.05 near");
    client_asks("bob", "PUT /both on"); /* its turn there does not come: NSTART */
    group_hears("NON PUT /base on");
    member_answers_to("NON PUT /base on", "127.1.0.1", "2.04");
    time_passes(2);
    client_gets("alice", "127.1.0.1 2.05 near", "rejected 192.0.2.1 next-hop-silent", "deadline");
    client_gets("bob", "127.1.0.1 2.04", "rejected 192.0.2.1 next-hop-silent", "deadline");
}

static void an_acknowledgement_frees_the_next_turn(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_asks("alice", "GET /far/a");
    member_hears(HOP, "CON GET /floor/a timeout:8 16:10");
    client_asks("bob", "GET /far/b");
    nothing_is_sent();
    member_answers(HOP, "ACK");
    member_hears(HOP, "CON GET /floor/b timeout:8 16:10");
    member_answers(HOP, "ACK");
    member_answers_to("CON GET /floor/a timeout:8 16:10", HOP, "NON 2.05 " REPLY_FROM " a");
    time_passes(10);
    client_gets("alice", "10.0.0.5 2.05 a", "deadline");
    client_gets("bob", "deadline");
}

static void who_leaves_stops_the_next_hop_early(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_asks("alice", "GET /far");
    member_hears(HOP, "CON GET /floor timeout:8 16:10");
    member_answers(HOP, "ACK");
    client_leaves("alice");
    member_hears(HOP, "NON GET timeout:0");
}

static void a_next_hop_may_ask_for_proof_of_the_address(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_asks("alice", "GET /far");
    member_hears(HOP, "CON GET /floor timeout:8 16:10");
    member_answers(HOP, "4.01 echo:proof");
    member_hears(HOP, "CON GET /floor timeout:8 16:10 echo:proof");
    member_answers(HOP, "ACK");
    member_answers(HOP, "NON 2.05 " REPLY_FROM " on");
    time_passes(10);
    client_gets("alice", "10.0.0.5 2.05 on", "deadline");
}

static void what_is_nobodys_answer_is_rejected(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_asks("alice", "GET /far");
    member_hears(HOP, "CON GET /floor timeout:8 16:10");
    member_answers(HOP, "ACK");
    member_answers(HOP, "NON 2.05 whose");
    member_answers(HOP, "NON 2.05 " REPLY_FROM " 2:0/1/16 0123456789abcdef");
    member_answers_to("CON GET /floor timeout:8 16:10", "192.0.2.9", "NON 2.05 " REPLY_FROM " forged");
    time_passes(10);
    client_gets("alice", "rejected 192.0.2.1 no-reply-from", "rejected 10.0.0.5 blocks-incomplete",
                "rejected 192.0.2.9 wrong-source", "deadline");
}

/* By the proxy, as any other request to one member (GCP §3.5). */
static void blocks_of_one_behind_it_are_asked_for_there(void **state) {
    (void)state;
    gateway_serves("/far", PROXY);
    client_asks("alice", "GET /far/status");
    member_hears(HOP, "CON GET /base/status timeout:9 3:5b666633353a3a32335d 7:f0b0 16:10 39:636f6170");
    member_answers(HOP, "ACK");
    member_answers(HOP, "NON 2.05 " REPLY_FROM " 2:0/1/16 0123456789abcdef");
    member_hears(HOP, "CON GET /base/status 3:31302e302e302e35 16:10 2:1/0/16 39:636f6170");
    member_answers(HOP, "2.05 2:1/0/16 whole");
    time_passes(10);
    client_gets("alice", "10.0.0.5 2.05 0123456789abcdefwhole", "deadline");
}

static void what_comes_too_late_is_ignored(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_asks("alice", "GET /far");
    member_hears(HOP, "CON GET /floor timeout:8 16:10");
    member_answers(HOP, "ACK");
    time_passes(10);
    client_gets("alice", "deadline");
    member_answers_to("CON GET /floor timeout:8 16:10", HOP, "NON 2.05 " REPLY_FROM " late");
    nothing_is_sent();
}

static void several_answers_of_one_member_come_as_they_come(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_listens("alice", "GET /far timeout:10");
    member_hears(HOP, "CON GET /floor timeout:8 16:10");
    member_answers(HOP, "2.05 " REPLY_FROM " on");
    client_gets("alice", "10.0.0.5 2.05 on");
    member_answers(HOP, "NON 2.05 " REPLY_FROM " off");
    client_gets("alice", "10.0.0.5 2.05 off");
    time_passes(10);
    client_gets("alice", "deadline duplicates:1");
}

static void a_lost_request_is_repeated_as_it_is(void **state) {
    (void)state;
    gateway_serves("/far", FAR);
    client_asks("alice", "PUT /far on");
    member_hears(HOP, "CON PUT /floor timeout:8 16:10 on");
    time_passes(3);
    member_hears(HOP, "CON PUT /floor timeout:8 16:10 on");
    member_answers(HOP, "ACK");
    member_answers(HOP, "NON 2.04 " REPLY_FROM);
    time_passes(7);
    client_gets("alice", "10.0.0.5 2.04", "deadline");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(the_path_of_a_next_hop_stands_for_its_group),
        scenario(a_forward_proxy_is_told_the_group),
        scenario(a_group_and_a_next_hop_give_one_reply),
        scenario(the_same_address_behind_two_next_hops_is_two_members),
        scenario(who_is_configured_is_missed_and_known),
        scenario(a_next_hop_without_time_is_not_asked),
        scenario(no_time_goes_on_as_no_time),
        scenario(who_wants_no_answers_waits_until_it_is_asked),
        scenario(what_a_next_hop_says_itself_ends_it),
        scenario(one_that_is_gone_is_told_beside_answers),
        scenario(a_silent_next_hop_is_told),
        scenario(the_silence_of_those_behind_it_is_none),
        scenario(others_do_not_wait_for_a_silent_next_hop),
        scenario(an_acknowledgement_frees_the_next_turn),
        scenario(who_leaves_stops_the_next_hop_early),
        scenario(a_next_hop_may_ask_for_proof_of_the_address),
        scenario(what_is_nobodys_answer_is_rejected),
        scenario(blocks_of_one_behind_it_are_asked_for_there),
        scenario(what_comes_too_late_is_ignored),
        scenario(several_answers_of_one_member_come_as_they_come),
        scenario(a_lost_request_is_repeated_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
