/* A state folder of a test's own, its store, and the clocks that the store goes by. */
#ifndef FAKE_STATE_H
#define FAKE_STATE_H

#include <sqlite3.h>

#include "store/sqlite.h"

struct side {
    char top[64];    /* emptied and removed at the end */
    char folder[80]; /* the state folder */
    char other[80];
    struct cg_sqlite_options options;
    struct cg_store_backend *store; /* NULL: closed */
    struct cg_store_range range;
    struct cg_store_failure failure;
};

extern const struct cg_sender_id key_1, key_2, key_3;
extern int64_t fake_clock_ms; /* Unix time */
extern uint64_t fake_timer_us;
extern bool can_mount; /* set by make_namespace */

int setup_nothing(void **state); /* no store yet */
int setup_state(void **state);   /* a store with key_1 claimed, open */
int teardown_state(void **state);
#define state_test(test) cmocka_unit_test_setup_teardown(test, setup_state, teardown_state)
#define bare_test(test)  cmocka_unit_test_setup_teardown(test, setup_nothing, teardown_state)

/* A mount namespace of the test's own, where that is allowed: sets can_mount. */
void make_namespace(void);

void shell(const char *format, ...) CG_PRINTF(1, 2);
void init_state(struct side *side);
void open_store(struct side *side);
void close_store(struct side *side);
int reserve(struct side *side, const struct cg_sender_id *sender, uint64_t count);
int claim(struct side *side, const struct cg_sender_id *sender);
int check_store(struct side *side);

/* Reserves. Each time that a key is first used after the store was opened its numbers go on a burst further: `first`
 * leaves these bursts out. And no number may come that came before. */
void expect_range(struct side *side, const struct cg_sender_id *sender, uint64_t first, uint64_t count);
void expect_refusal(struct side *side, const struct cg_sender_id *sender, enum cg_store_refusal refusal,
                    const char *part);

/* As an administrator with the sqlite3 program would. */
int run_sql(const struct side *side, const char *sql);
/* And who adds up the sum over all fields again, as only a test does. */
void change_fields(const struct side *side, const char *sql);

#endif
