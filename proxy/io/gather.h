/* When it pays to leave a socket alone for a moment, so that what comes one by one is taken several at a time: waking
 * up costs more than an answer does. Nothing but counting; whoever owns the socket has the clock and the timer. */
#ifndef CG_IO_GATHER_H
#define CG_IO_GATHER_H

#include <stdbool.h>
#include <stdint.h>

enum { CG_GATHER_REST_US = 1000 }; /* what a datagram waits at most */

/* All zero: nothing has come yet. */
struct cg_gather {
    uint64_t since_us; /* monotonic: of the first of `wakes` */
    unsigned wakes;    /* for little each, that followed each other closely */
    bool rests;        /* what came since was gathered */
};

/* The socket has been emptied: of `got` datagrams, at that time. True: it is to be looked at again after a rest, false:
 * as soon as something comes. */
bool cg_gather_rests(struct cg_gather *gather, unsigned got, uint64_t now_us);

#endif
