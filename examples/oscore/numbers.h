/* Sender Sequence Numbers that never come twice with one key, whenever the power goes. */
#ifndef EXAMPLE_NUMBERS_H
#define EXAMPLE_NUMBERS_H

#include <stdint.h>

struct numbers {
    char *file;
    uint64_t next, end; /* what was reserved and is not used yet */
};

/* Of the keys in that file: KEYS.numbers, which must be there. New keys get one that says 0000000000000. */
void numbers_open(struct numbers *numbers, const char *keys);
/* A number that was never used; ends the program if there is none to be had. */
uint64_t numbers_take(struct numbers *numbers);

#endif
