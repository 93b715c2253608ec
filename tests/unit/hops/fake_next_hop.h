/* A gateway between a fake clock that is the real one, the connections to a next hop, and that next hop, by TCP on
 * loopback: what it hears is kept, and what it says is the test's. */
#ifndef CG_TEST_FAKE_NEXT_HOP_H
#define CG_TEST_FAKE_NEXT_HOP_H

#include "exchange/fake_world.h"
#include "hops/connections.h"
#include "io/acceptor.h"
#include "io/stream.h"
#include "wire/reliable.h"

#define FAR_ENDS     8
#define FAR_REQUESTS 64

/* One connection, at its other end. */
struct far_end {
    struct stage *stage;
    struct cg_stream *stream; /* NULL: it is closed */
    struct cg_reliable reliable;
    bool has_begun, is_released;
};

struct stage {
    uv_loop_t uv;
    uv_timer_t tick;
    struct world world;
    struct cg_hop_connections *hops;
    struct cg_next_hop *next_hop; /* of the mapping "lamps" */
    struct cg_acceptor *acceptor; /* NULL: nobody listens */
    struct cg_addr addr;
    struct cg_streams *streams;
    struct far_end ends[FAR_ENDS];
    size_t end_count;
    bool says_nothing, answers_no_pings, reads_nothing; /* what the next hop does not do */
    bool releases_at_once;                              /* whatever is connected */
    struct cg_token tokens[FAR_REQUESTS];               /* of requests that it has heard */
    size_t requests, pings, pongs;
};

extern const struct cg_hop_limits patient, hasty;

int stage_setup(void **state); /* patient */
int stage_setup_hasty(void **state);
int stage_teardown(void **state);
#define stage_test(test)       cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)
#define hasty_stage_test(test) cmocka_unit_test_setup_teardown(test, stage_setup_hasty, stage_teardown)

/* A request for the mapping, for so many seconds, or until one member has answered. */
void stage_asks(struct stage *stage, struct call *call, unsigned seconds);
/* Runs until that is so, which it must be in the end. */
void stage_runs_until(struct stage *stage, bool (*is_so)(const struct stage *stage));
void stage_runs_until_told(struct stage *stage, const struct call *call);
void stage_runs(struct stage *stage, unsigned ms);

/* By the connection of that number, from 0: on the token of that request, a member's answer, of 10.0.0.`member`. */
void far_answers(struct stage *stage, size_t end, size_t request, uint8_t member, const char *payload);
void far_writes(struct stage *stage, size_t end, const void *bytes, size_t len);
void far_releases(struct stage *stage, size_t end);
void far_closes(struct stage *stage, size_t end);
void far_stops_listening(struct stage *stage);
void far_listens(struct stage *stage);

#endif
