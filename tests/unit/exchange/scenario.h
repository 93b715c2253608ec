/* Conversations between clients, the gateway and a group's members, written down as they take place:
 *
 *     gateway_serves("/lamps", "");
 *     client_asks("alice", "GET /lamps/status");
 *     group_hears("NON GET /base/status");
 *     member_answers("127.1.0.1", "2.05 on");
 *     time_passes(2);
 *     client_gets("alice", "127.1.0.1 2.05 on", "deadline");
 *
 * The gateway is the whole core between a fake port and a sink a client: nothing here looks inside. All that is sent
 * and all that clients hear must be said: what is left at the end of the test fails it, and so does what still runs.
 * Whoever fails prints the conversation so far. */
#ifndef CG_TEST_SCENARIO_H
#define CG_TEST_SCENARIO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Of each test (cmocka's fixtures): a gateway that serves nothing yet. */
int scenario_setup(void **state);
int scenario_teardown(void **state);
#define scenario(test) cmocka_unit_test_setup_teardown(test, scenario_setup, scenario_teardown)

/* Before the first client asks: */

/* A mapping at that path, named as it, to coap://224.0.1.187/base: plain, every method, for 2 seconds, for everybody.
 * `settings` (JSON in single quotes) says what is otherwise. */
void gateway_serves(const char *path, const char *settings);
void gateway_has(const char *settings);    /* the same for settings beside the mappings */
void gateway_holds_keys(const char *path); /* a protector of fake_keys.h for that mapping */
void gateway_relays(const char *path);     /* the relay's, which needs 'security': 'relay' */

/* Clients by name: alice, bob and carol are known to the gateway, others are anonymous and may only read. A request as
 * spoken.h has it, its path or a target URI; "timeout:5" is its Multicast-Timeout. */
void client_asks(const char *client, const char *request);    /* for a whole reply */
void client_streams(const char *client, const char *request); /* for each answer as it comes */
void client_listens(const char *client, const char *request); /* the same, for all of its time, which it must say */
void client_leaves(const char *client);
void client_stops_reading(const char *client); /* of a stream: there is no room */
void client_reads_on(const char *client);

/* Members are known by address; without port it is CoAP's. `answer` as spoken.h has it: of the type that fits, unless
 * it says which; "ACK" and "RST" alone are of the request. It answers the latest request that this member has heard. */
void member_answers(const char *member, const char *answer);
/* The latest that was heard as this text. */
void member_answers_to(const char *request, const char *member, const char *answer);
void member_repeats(const char *member); /* the same datagram that it sent last, once more */

void time_passes(double seconds);
void keys_change(void);         /* of all who hold keys */
void gateway_stops(void);       /* and has all end with what they have */
void nothing_can_be_sent(void); /* from now on: the network is down */

/* What everybody has heard since they were last asked. To the group, or to one member by unicast. */
#define group_hears(message)          scenario_heard_by(__FILE__, __LINE__, NULL, message)
#define member_hears(member, message) scenario_heard_by(__FILE__, __LINE__, member, message)
#define nothing_is_sent()             scenario_quiet(__FILE__, __LINE__)
/* One line an answer: "127.1.0.1 2.05 on", or "127.1.0.1 by unicast 2.05 on", "127.1.0.1 from cache for 55 2.05 on"
 * with its Max-Age. At the end "rejected ADDRESS REASON",
 * "missing ADDRESS", and by what it ended with the figures that are not 0 and not in these lines: "deadline", "all
 * late:1 duplicates:2 joined:30". Otherwise "problem" and its slug; "cut" ends a stream that was cut. */
#define client_gets(client, ...)    scenario_got(__FILE__, __LINE__, client, (const char *const[]){__VA_ARGS__, NULL})
#define client_gets_nothing(client) scenario_got(__FILE__, __LINE__, client, (const char *const[]){NULL})

void scenario_heard_by(const char *file, int line, const char *member, const char *message);
void scenario_quiet(const char *file, int line);
void scenario_got(const char *file, int line, const char *client, const char *const *lines);

#endif
