/* One fleet of simulated members, bytes in and bytes out, with a clock of the test's own. */
#ifndef FAKE_FLEET_H
#define FAKE_FLEET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "tools/member/fleet.h"
#include "tools/member/resource.h"

enum { SENT_MAX = 4096, SECOND = 1000000 };

struct sent {
    uint32_t member;
    struct cg_addr to;
    struct cg_msg msg;
    bool malformed;
    size_t len;
    uint8_t *bytes;
};

/* The fleet, what it has sent, and the time. */
struct world {
    struct cg_member_options options;
    struct cg_fleet_port port;
    struct cg_fleet *fleet;
    struct sent sent[SENT_MAX];
    size_t len;
    uint64_t now;
    struct cg_addr client;
};

extern struct world w;

void forget_sent(void);

#define START(...)                                                                                                     \
    start((const char *const[]){"castgate-member", "--plain", __VA_ARGS__},                                            \
          sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) + 2)

void start(const char *const *argv, size_t argc);
int stop(void **state); /* the end of each test */
#define fleet_test(test) cmocka_unit_test_teardown(test, stop)

struct request {
    enum cg_type type;
    uint8_t code; /* 0: GET */
    uint16_t mid;
    uint8_t token;
    const char *path;
    const char *query;
    const char *payload;
    int observe;     /* -1 stands for 0, so that 0 means none */
    int no_response; /* -1 stands for 0 */
    int block2;      /* -1 stands for 0 */
    int block1;      /* -1 stands for 0 */
    const char *tag; /* Request-Tag; NULL: none */
    int accept;      /* -1 stands for 0 */
    uint16_t extra;  /* an empty option with this number */
    struct cg_slice etag;
};

void run_to(uint64_t when);
void run_now(void);
struct cg_slice emit(const struct request *r, uint8_t *to, size_t cap);

#define CAST(...)        cast(&(struct request){.type = CG_NON, __VA_ARGS__})
#define ASK(member, ...) ask(member, &(struct request){.type = CG_CON, __VA_ARGS__})

void cast(const struct request *request);
/* By unicast; the last thing that the member said at once. */
const struct cg_msg *ask(uint32_t member, const struct request *request);
void say_empty(uint32_t member, enum cg_type type, uint16_t mid);

void assert_payload(const struct cg_msg *msg, const char *text);
uint32_t option(const struct cg_msg *msg, uint16_t number); /* UINT32_MAX: none */

#endif
