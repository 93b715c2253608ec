/* Logins that fail, by where they come from: who tries many is slowed. Only what fails is: a token that is good goes at
 * once, wherever it comes from, so nobody is locked out by those who guess. The memory is fixed. */
#ifndef CG_FRONTS_HTTP_GUESSES_H
#define CG_FRONTS_HTTP_GUESSES_H

#include "model/allowance.h"
#include "model/request.h"

#define CG_GUESSES_BURST    1024.0
#define CG_GUESSES_RATE     64.0 /* a second, beyond that */
#define CG_GUESSES_OF_ONE   32.0 /* source: an IPv4 address, the first 64 bits of an IPv6 address */
#define CG_GUESSES_ONE_RATE 0.5
#define CG_GUESSES_ROWS     512

#define CG_GUESSES_TOLD_US UINT64_C(60000000) /* each source is told of at most so often */

struct cg_guesses_of {
    struct cg_addr from; /* family NONE: nobody */
    struct cg_allowance allowance;
    uint32_t untold;  /* failures since it was told of */
    uint64_t told_us; /* 0: never */
};

struct cg_guesses {
    struct cg_allowance all;
    struct cg_guesses_of rows[CG_GUESSES_ROWS]; /* each in the place of its hash */
    size_t untold;                              /* of those that lost their place before they were told of */
    size_t waiting;                             /* rows with something to tell */
};

void cg_guesses_init(struct cg_guesses *guesses, uint64_t now_us);
/* One more from there, refused as *problem says: CG_E_UNAUTHORIZED stays, or becomes CG_E_RATE with the time to wait.
 * Returns it. */
int cg_guesses_note(struct cg_guesses *guesses, const struct cg_addr *from, uint64_t now_us,
                    struct cg_problem *problem);

/* Who is to be told of by now, the one behind place *place (0 at first): false: nobody more. */
struct cg_guesses_told {
    struct cg_addr from; /* family NONE: several others */
    size_t count;
};
bool cg_guesses_tell(struct cg_guesses *guesses, size_t *place, uint64_t now_us, struct cg_guesses_told *told);

#endif
