/* A gateway with a fake clock and a fake port: what it sends is kept in a list, what fronts hear is kept in the call.
 */
#ifndef CG_TEST_FAKE_WORLD_H
#define CG_TEST_FAKE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builtin.h"
#include "exchange/exchange.h"
#include "reply/fields.h"
#include "reply/reply.h"

#define SECOND 1000000ull

struct emission {
    struct cg_route route;
    uint8_t *bytes; /* owned by the world */
    size_t len;
    uint64_t at_us;
    struct cg_msg msg; /* parsed from bytes */
};

/* One client request and what became of it. */
struct call {
    struct world *world;
    struct cg_ticket ticket;
    const struct castgate_encoder *encoder;
    bool any_form; /* the client names no encoder */
    unsigned replies, problems;
    struct cg_problem problem;
    struct cg_reply reply; /* body is not kept: see text */
    char *text;            /* the body, NUL-terminated, or NULL; the world's */
    size_t text_len;
    char fields[5120];      /* "Name: value\n" each, of a member's own reply */
    struct cg_outq *stream; /* a reference, when the reply streams */
};

struct world {
    struct cg_port port;
    struct cg_config *config;
    struct cg_gateway *gateway;
    struct emission *sent;
    size_t sent_count, sent_cap;
    uint64_t now_us;
    uint64_t kernel_drops;
    uint64_t random_state;
    int emit_error; /* 0: emissions succeed */
    unsigned wakes;
    unsigned link_questions;
    bool probes;        /* silent members are asked why they are; before world_start */
    struct text *texts; /* of all calls */
};

/* Most tests have a world of their own (cmocka's fixtures): *state is one that has not started, and whatever is left of
 * it when the test has ended goes with it. */
int world_setup(void **state);
int world_teardown(void **state);
#define world_test(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

/* Two mappings, "lamps" (/lamps) and "pair" (/pair, two targets), open to everybody, timeout 2 s. Change them through
 * `config` before the world starts: with the first thing that happens in it, or where the gateway itself is needed
 * earlier, by world_start. */
void world_init(struct world *world);
void world_start(struct world *world);
void world_fini(struct world *world);
void world_renew(struct world *world); /* from the beginning, for tests that go through several */

/* What a running call waits for. */
struct cg_round *world_round(struct world *world, const struct call *call);
struct cg_mapping *world_mapping(struct world *world, const char *name);
/* Gives the mapping `count` members 127.1.0.1:5683 and so on, membership complete. Before world_start. */
void world_add_members(struct world *world, struct cg_mapping *mapping, unsigned count);

/* Starts GET `path`, for a reply as JSON; the test may change the request, and the call's encoder, between `world_new`
 * and `world_go`. */
struct cg_request *world_new(struct world *world, struct call *call, const char *path);
void world_go(struct world *world, struct call *call);
void world_get(struct world *world, struct call *call, const char *path);
/* As the reader of a stream: takes what is queued. */
const char *call_take(struct call *call);
void call_fini(struct call *call); /* the reader of a stream has all it wants; before the world's end */

void world_run(struct world *world);                     /* at the present time */
void world_advance(struct world *world, uint64_t by_us); /* step by step, as the loop would */

struct cg_addr address(const char *text);
struct answer {
    enum cg_type type;
    uint8_t code;
    uint16_t mid;
    const char *payload;
    const struct cg_opts *options;
};
/* Answers emission `index` from `from`. */
void world_answer_as(struct world *world, size_t index, const char *from, struct answer answer);
void world_answer(struct world *world, size_t index, const char *from, const char *payload); /* NON 2.05 */
void world_deliver(struct world *world, const char *from, const void *bytes, size_t len);

#endif
