/* Members by their own address, through the forward proxy, as conversations (scenario.h): a client asks again where an
 * answer came from (GCP §3.5), and nobody is asked so who is no member. */
#include "exchange/fake_world.h"
#include "exchange/scenario.h"

#include <stdio.h>

#define LAMPS                                                                                                          \
    "'forward':true,'members':[{'name':'hall','address':'127.1.0.1'},'127.1.0.2',"                                     \
    "{'name':'attic','address':'[fd00::3]:61616'}]"

static void a_member_is_asked_at_its_address(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET coap://127.1.0.1/status?unit=C");
    member_hears("127.1.0.1", "CON GET /status?unit=C");
    nothing_is_sent();
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 by unicast 2.05 on", "all");
}

/* Path and query are the member's own: nothing of the group's URI comes with them, and no segment means anything. */
static void the_uri_is_the_members_own(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "PUT coap://[fd00::3]:61616/ off");
    member_hears("[fd00::3]:61616", "CON PUT off");
    member_answers("[fd00::3]:61616", "2.04");
    client_gets("alice", "[fd00::3]:61616 by unicast 2.04", "all");
    client_asks("alice", "GET coap://127.1.0.2/.member/hall");
    member_hears("127.1.0.2", "CON GET /.member/hall");
    member_answers("127.1.0.2", "4.04");
    client_gets("alice", "127.1.0.2 by unicast 4.04", "all");
}

static void nobody_else_is_asked(void **state) {
    static const char *const requests[] = {
        "GET coap://127.1.0.9/x",          "GET coap://127.1.0.1:9/x", "GET coap://[fd00::3]/x",
        "GET coap://[::ffff:127.1.0.9]/x", "GET coap://0.0.0.0/x",     "GET coap://255.255.255.255/x",
        "GET coap://224.0.1.99/x",         "GET coap://hall/x",        "GET coap://[fd00::3%252]:61617/x",
    };
    (void)state;
    gateway_serves("/lamps", LAMPS);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        client_asks("alice", requests[i]);
        client_gets("alice", "problem forbidden");
        nothing_is_sent();
    }
}

static void an_address_may_be_written_as_ipv6s(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET coap://[::ffff:127.1.0.1]/x");
    member_hears("127.1.0.1", "CON GET /x");
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 by unicast 2.05 on", "all");
}

static void only_members_of_mappings_that_are_open(void **state) {
    (void)state;
    gateway_serves("/closed", "'members':['127.1.0.1']");
    gateway_serves("/hidden", "'group':'coap://224.0.1.188/','forward':true,'anonymise':true,'stand_in':'members',"
                              "'members':['127.1.0.2']");
    client_asks("alice", "GET coap://127.1.0.1/x");
    client_gets("alice", "problem forbidden");
    client_asks("alice", "GET coap://127.1.0.2/x");
    client_gets("alice", "problem forbidden");
    nothing_is_sent();
}

/* The first of the mappings, as the settings have them, that takes the request. */
static void of_several_mappings_the_first_that_takes_it(void **state) {
    (void)state;
    gateway_serves("/bobs", "'group':'coap://224.0.1.188/','forward':true,'clients':['bob'],'members':['127.1.0.1']");
    gateway_serves("/reads", "'group':'coap://224.0.1.189/','forward':true,'methods':['GET'],'members':['127.1.0.1']");
    gateway_serves("/writes", "'group':'coap://224.0.1.190/','forward':true,'max_timeout':7,'members':['127.1.0.1']");
    client_asks("alice", "PUT coap://127.1.0.1/x timeout:7 on");
    member_hears("127.1.0.1", "CON PUT /x on");
    member_answers("127.1.0.1", "2.04");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "all");
    client_asks("alice", "PUT coap://127.1.0.1/x timeout:8 on");
    client_gets("alice", "problem multicast-timeout");
    client_asks("alice", "GET coap://127.1.0.1/x timeout:8");
    member_hears("127.1.0.1", "CON GET /x");
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 by unicast 2.05 on", "all");
}

static void what_the_mapping_refuses_is_refused(void **state) {
    (void)state;
    gateway_serves("/bobs", "'group':'coap://224.0.1.188/','forward':true,'clients':['bob'],'members':['127.1.0.1']");
    gateway_serves("/reads", "'group':'coap://224.0.1.189/','forward':true,'methods':['GET'],'members':['127.1.0.2'],"
                             "'budget':{'requests_per_minute':1}");
    client_asks("alice", "GET coap://127.1.0.1/x"); /* not even that there is one */
    client_gets("alice", "problem forbidden");
    client_asks("alice", "PUT coap://127.1.0.2/x on");
    client_gets("alice", "problem method-not-allowed");
    client_asks("alice", "GET coap://127.1.0.2/x");
    member_hears("127.1.0.2", "CON GET /x");
    member_answers("127.1.0.2", "2.05 on");
    client_gets("alice", "127.1.0.2 by unicast 2.05 on", "all");
    client_asks("alice", "GET coap://127.1.0.2/x");
    client_gets("alice", "problem too-many-requests");
    nothing_is_sent();
}

/* Nobody has to say how long to wait for one answer (GCP §2 is about groups); a client that does is waited for so long.
 */
static void a_time_is_only_a_bound(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS ",'max_timeout':10");
    client_asks("alice", "GET coap://127.1.0.1/x timeout:1");
    member_hears("127.1.0.1", "CON GET /x");
    time_passes(1);
    client_gets("alice", "missing 127.1.0.1 asleep", "deadline");
    client_asks("alice", "GET coap://127.1.0.1/x timeout:0");
    client_gets("alice", "problem multicast-timeout");
    client_asks("alice", "GET coap://127.1.0.2/x");
    member_hears("127.1.0.2", "CON GET /x");
    member_answers("127.1.0.2", "ACK");
    time_passes(9.9);
    client_gets_nothing("alice");
    time_passes(0.1);
    client_gets("alice", "missing 127.1.0.2 late", "deadline");
}

static void silence_is_over_when_a_confirmable_message_is(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS ",'max_timeout':300");
    client_asks("alice", "GET coap://127.1.0.1/x");
    for (int i = 0; i < 5; i++) { /* RFC 7252 §4.2 */
        time_passes(i == 0 ? 0 : 3 << (i - 1));
        member_hears("127.1.0.1", "CON GET /x");
    }
    time_passes(93 - 3 - 6 - 12 - 24);
    client_gets("alice", "missing 127.1.0.1 asleep", "deadline");
}

static void ask_one_that_is_near(void) {
    client_asks("alice", "GET coap://127.1.0.1/x");
    member_hears("127.1.0.1", "CON GET /x");
    member_answers("127.1.0.1", "2.05 at once");
    client_gets("alice", "127.1.0.1 by unicast 2.05 at once", "all");
    client_asks("alice", "GET coap://127.1.0.1/x");
    for (int i = 0; i < 5; i++) {
        time_passes(i == 0 ? 0 : 0.2 * (1 << (i - 1))); /* 100 to 150 ms at first */
        member_hears("127.1.0.1", "CON GET /x");
    }
    nothing_is_sent();
}

/* How near it is says nothing of how long it works, so it is heard as long as one of which nothing is known. */
static void who_is_near_may_be_slow(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS ",'max_timeout':300");
    ask_one_that_is_near();
    time_passes(58);
    client_gets_nothing("alice");
    member_answers("127.1.0.1", "2.05 at last");
    client_gets("alice", "127.1.0.1 by unicast 2.05 at last", "all");
}

static void silence_of_one_that_is_near_is_over_with_the_others(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS ",'max_timeout':300");
    ask_one_that_is_near();
    time_passes(93);
    client_gets("alice", "missing 127.1.0.1 asleep", "deadline");
}

/* A member that knows nothing of the request, as after a restart, will not answer it. */
static void a_reset_is_silence_at_once(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET coap://127.1.0.1/x");
    member_hears("127.1.0.1", "CON GET /x");
    member_answers("127.1.0.1", "RST");
    client_gets("alice", "missing 127.1.0.1 not-listening", "deadline");
}

/* Whatever its mapping's members claim. */
static void the_gateway_never_asks_itself(void **state) {
    static const char *const addresses[] = {"127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:5683", "127.3.2.1:5700"};
    (void)state;
    gateway_has("'http':{'listen':['127.0.0.1:8080']},'admin':{'listen':['127.0.0.1:8081']},"
                "'coap':{'listen':['coap://127.0.0.1',{'address':'coap://0.0.0.0:5700','insecure':true}]}");
    gateway_serves("/lamps", "'forward':true,'members':['127.0.0.1:8080','127.0.0.1:8081','127.0.0.1:5683',"
                             "'127.3.2.1:5700','192.0.2.1:5700']");
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        char request[64];
        snprintf(request, sizeof request, "GET coap://%s/x", addresses[i]);
        client_asks("alice", request);
        client_gets("alice", "problem forbidden");
        nothing_is_sent();
    }
    client_asks("alice", "GET coap://192.0.2.1:5700/x"); /* another host's */
    member_hears("192.0.2.1:5700", "CON GET /x");
    member_answers("192.0.2.1:5700", "2.05 on");
    client_gets("alice", "192.0.2.1:5700 by unicast 2.05 on", "all");
}

/* Reply-From has no zone: the mapping's link is meant. */
static void a_link_local_member(void **state) {
    (void)state;
    gateway_serves("/lamps", "'forward':true,'members':['[fe80::1]:5683','[fe80::2%7]:5683']");
    client_asks("alice", "GET coap://[fe80::1]/x");
    member_hears("fe80::1", "CON GET /x");
    member_answers("fe80::1", "2.05 on");
    client_gets("alice", "[fe80::1] by unicast 2.05 on", "all");
    client_asks("alice", "GET coap://[fe80::1%25lo]/x");
    member_hears("fe80::1", "CON GET /x");
    member_answers("fe80::1", "2.05 on");
    client_gets("alice", "[fe80::1] by unicast 2.05 on", "all");
    client_asks("alice", "GET coap://[fe80::2]/x");
    member_hears("[fe80::2%7]:5683", "CON GET /x");
    member_answers("[fe80::2%7]:5683", "2.05 on");
    client_gets("alice", "[fe80::2%7] by unicast 2.05 on", "all");
    client_asks("alice", "GET coap://[fe80::2%258]/x");
    client_gets("alice", "problem forbidden");
    client_asks("alice", "GET coap://[fe80::1%25eth9]/x");
    client_gets("alice", "problem forbidden");
}

static void it_is_sealed_for_that_member(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    gateway_holds_keys("/lamps");
    client_asks("alice", "GET coap://127.1.0.1/x");
    member_hears("127.1.0.1", "CON GET /x keys:1");
    member_answers("127.1.0.1", "2.05 on");
    client_gets("alice", "127.1.0.1 by unicast 2.05 on", "all");
}

static void large_answers_are_put_together(void **state) {
    (void)state;
    gateway_serves("/lamps", LAMPS);
    client_asks("alice", "GET coap://127.1.0.1/log");
    member_hears("127.1.0.1", "CON GET /log");
    member_answers("127.1.0.1", "2.05 2:0/1/16 0123456789abcdef");
    member_hears("127.1.0.1", "CON GET /log 2:1/0/16");
    member_answers("127.1.0.1", "2.05 2:1/0/16 ghij");
    client_gets("alice", "127.1.0.1 by unicast 2.05 0123456789abcdefghij", "all");
}

/* Members that nobody has configured: */

#define NOBODY_KNOWN "'forward':true"

static void somebody_answers(const char *member) {
    client_asks("bob", "GET /lamps");
    group_hears("NON GET /base");
    member_answers(member, "2.05 on");
    char line[64];
    snprintf(line, sizeof line, "%s 2.05 on", member);
    time_passes(2);
    client_gets("bob", line, "deadline");
}

static void who_has_answered_may_be_asked_again(void **state) {
    (void)state;
    gateway_serves("/lamps", NOBODY_KNOWN);
    client_asks("alice", "GET coap://127.1.0.9/x");
    client_gets("alice", "problem forbidden");
    somebody_answers("127.1.0.9");
    client_asks("alice", "PUT coap://127.1.0.9/x dim");
    member_hears("127.1.0.9", "CON"); /* whoever is there must answer a ping first */
    nothing_is_sent();
    member_answers("127.1.0.9", "RST");
    member_hears("127.1.0.9", "CON PUT /x dim");
    member_answers("127.1.0.9", "2.04");
    client_gets("alice", "127.1.0.9 by unicast 2.04", "all");
    client_asks("alice", "GET coap://127.1.0.9/x"); /* and is known then */
    member_hears("127.1.0.9", "CON GET /x");
    member_answers("127.1.0.9", "2.05 dim");
    client_gets("alice", "127.1.0.9 by unicast 2.05 dim", "all");
}

/* From there somebody else has answered, or nobody. */
static void a_made_up_address_gets_pings_and_nothing_else(void **state) {
    (void)state;
    gateway_serves("/lamps", NOBODY_KNOWN);
    somebody_answers("127.1.0.9");
    client_asks("alice", "GET coap://127.1.0.9/x");
    for (int i = 0; i < 3; i++) {
        time_passes(i == 0 ? 0 : 2 << (i - 1));
        member_hears("127.1.0.9", "CON");
    }
    client_gets_nothing("alice");
    time_passes(8);
    client_gets("alice", "problem no-answer");
    client_asks("alice", "GET coap://127.1.0.9/x timeout:1");
    member_hears("127.1.0.9", "CON");
    time_passes(2);
    member_hears("127.1.0.9", "CON");
    client_gets("alice", "problem no-answer");
    time_passes(10); /* nobody waits any longer */
}

static void nobody_off_the_link_is_asked(void **state) {
    (void)state;
    gateway_serves("/lamps", NOBODY_KNOWN);
    somebody_answers("203.0.113.9");
    client_asks("alice", "GET coap://203.0.113.9/x");
    client_gets("alice", "problem forbidden");
}

static void but_in_a_range_of_the_settings(void **state) {
    (void)state;
    gateway_has("'group':{'prefixes':['203.0.113.0/24']}");
    gateway_serves("/lamps", NOBODY_KNOWN);
    somebody_answers("203.0.113.9");
    client_asks("alice", "GET coap://203.0.113.9/x");
    member_hears("203.0.113.9", "CON");
    member_answers("203.0.113.9", "RST");
    member_hears("203.0.113.9", "CON GET /x");
    member_answers("203.0.113.9", "2.05 on");
    client_gets("alice", "203.0.113.9 by unicast 2.05 on", "all");
}

static void it_is_remembered_for_five_minutes(void **state) {
    (void)state;
    gateway_serves("/lamps", NOBODY_KNOWN);
    somebody_answers("127.1.0.9");
    time_passes(297);
    client_asks("alice", "GET coap://127.1.0.9/x");
    member_hears("127.1.0.9", "CON");
    member_answers("127.1.0.9", "RST");
    member_hears("127.1.0.9", "CON GET /x");
    member_answers("127.1.0.9", "2.05 on");
    client_gets("alice", "127.1.0.9 by unicast 2.05 on", "all");
    time_passes(299); /* from that answer on */
    client_asks("alice", "GET coap://127.1.0.9/x");
    member_hears("127.1.0.9", "CON"); /* nothing went there for long */
    member_answers("127.1.0.9", "RST");
    member_hears("127.1.0.9", "CON GET /x");
    member_answers("127.1.0.9", "2.05 on");
    client_gets("alice", "127.1.0.9 by unicast 2.05 on", "all");
    time_passes(362);
    client_asks("alice", "GET coap://127.1.0.9/x");
    client_gets("alice", "problem forbidden");
}

static void only_whom_an_open_mapping_has_heard(void **state) {
    (void)state;
    gateway_serves("/lamps", "'members':['127.1.0.1'],'finish':'deadline'");
    gateway_serves("/open", "'group':'coap://224.0.1.188/','forward':true");
    client_asks("bob", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.9", "2.05 on");
    time_passes(2);
    client_gets("bob", "127.1.0.9 2.05 on", "missing 127.1.0.1", "deadline");
    client_asks("alice", "GET coap://127.1.0.9/x");
    client_gets("alice", "problem forbidden");
    client_asks("alice", "GET coap://127.1.0.1/x");
    client_gets("alice", "problem forbidden");
}

/* Devices answer from other ports than the one they listen at: who is configured is proven at that one alone. */
static void another_port_of_a_member_is_a_stranger(void **state) {
    (void)state;
    gateway_serves("/lamps", "'forward':true,'members':['127.1.0.1','127.1.0.2']");
    client_asks("bob", "GET /lamps");
    group_hears("NON GET /base");
    member_answers("127.1.0.1:6000", "2.05 on");
    time_passes(2);
    client_gets("bob", "127.1.0.1:6000 2.05 on", "missing 127.1.0.2", "deadline");
    client_asks("alice", "GET coap://127.1.0.1:6000/x");
    member_hears("127.1.0.1:6000", "CON");
    member_answers("127.1.0.1:6000", "RST");
    member_hears("127.1.0.1:6000", "CON GET /x");
    member_answers("127.1.0.1:6000", "2.05 on");
    client_gets("alice", "127.1.0.1:6000 by unicast 2.05 on", "all");
}

/* Whose mapping it is that has heard decides who may. */
static void who_was_heard_is_its_mappings(void **state) {
    (void)state;
    gateway_serves("/lamps", "'forward':true,'clients':['bob']");
    somebody_answers("127.1.0.9");
    client_asks("alice", "GET coap://127.1.0.9/x");
    client_gets("alice", "problem forbidden");
    client_asks("bob", "GET coap://127.1.0.9/x");
    member_hears("127.1.0.9", "CON");
    member_answers("127.1.0.9", "RST");
    member_hears("127.1.0.9", "CON GET /x");
    member_answers("127.1.0.9", "2.05 on");
    client_gets("bob", "127.1.0.9 by unicast 2.05 on", "all");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(a_member_is_asked_at_its_address),
        scenario(the_uri_is_the_members_own),
        scenario(nobody_else_is_asked),
        scenario(an_address_may_be_written_as_ipv6s),
        scenario(only_members_of_mappings_that_are_open),
        scenario(of_several_mappings_the_first_that_takes_it),
        scenario(what_the_mapping_refuses_is_refused),
        scenario(a_time_is_only_a_bound),
        scenario(silence_is_over_when_a_confirmable_message_is),
        scenario(who_is_near_may_be_slow),
        scenario(silence_of_one_that_is_near_is_over_with_the_others),
        scenario(a_reset_is_silence_at_once),
        scenario(the_gateway_never_asks_itself),
        scenario(a_link_local_member),
        scenario(it_is_sealed_for_that_member),
        scenario(large_answers_are_put_together),
        scenario(who_has_answered_may_be_asked_again),
        scenario(a_made_up_address_gets_pings_and_nothing_else),
        scenario(nobody_off_the_link_is_asked),
        scenario(but_in_a_range_of_the_settings),
        scenario(it_is_remembered_for_five_minutes),
        scenario(only_whom_an_open_mapping_has_heard),
        scenario(another_port_of_a_member_is_a_stranger),
        scenario(who_was_heard_is_its_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
