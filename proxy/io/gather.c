/* The hard thing: a rest is worth its two wake-ups only where more comes meanwhile, and nothing is known but what has
 * come. So it is begun after some wake-ups in a row, and ended by the first rest in which nothing came; in between one
 * look costs less than two datagrams' wake-ups do. */
#include "io/gather.h"

enum { WAKES = 4, WITHIN_US = 2000 /* a rate of 1500 a second or more */, FEW = 4 };

/* Those that come in greater numbers need no gathering. */
static bool come_closely(struct cg_gather *gather, unsigned got, uint64_t now_us) {
    if (got > FEW) {
        gather->wakes = 0;
        return false;
    }
    if (gather->wakes == 0 || now_us - gather->since_us > WITHIN_US) {
        gather->since_us = now_us;
        gather->wakes = 0;
    }
    return ++gather->wakes >= WAKES;
}

bool cg_gather_rests(struct cg_gather *gather, unsigned got, uint64_t now_us) {
    gather->rests = got > 0 && (gather->rests || come_closely(gather, got, now_us));
    if (gather->rests) gather->wakes = 0;
    return gather->rests;
}
