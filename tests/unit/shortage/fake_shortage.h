/* A shortage of memory in a test's own process: the linker has sent the project's calls of malloc and its kin here, and
 * OpenSSL's come too. */
#ifndef CG_TEST_FAKE_SHORTAGE_H
#define CG_TEST_FAKE_SHORTAGE_H

#include <stdbool.h>

/* First of all, before anything uses OpenSSL. */
void shortage_init(void);

/* The nth allocation from now on fails, and `more` behind it. 0: none does. */
void shortage_order(unsigned nth, unsigned more);
bool shortage_came(void); /* since the latest order */

/* What a test does for itself meanwhile always finds memory, and is not counted. */
void shortage_pause(void);
void shortage_resume(void);

struct shortage_scenario {
    void (*before)(void *ctx);
    void (*act)(void *ctx);   /* while the shortage lasts */
    void (*after)(void *ctx); /* looks whether all is well, cleans up */
};

/* The scenario again and again, until it needs no more allocations than have failed already. How many that were. */
unsigned shortage_every(const struct shortage_scenario *scenario, void *ctx, unsigned more);

#endif
