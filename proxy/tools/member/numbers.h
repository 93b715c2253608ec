/* Sequence numbers of simulated members, which must not come twice with the same keys, however often the program is
 * started, killed or started twice (RFC 8613 §7.2.1, RFC 10021 §2.5.3). */
#ifndef CG_TOOLS_MEMBER_NUMBERS_H
#define CG_TOOLS_MEMBER_NUMBERS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CG_NUMBERS_BLOCK = 4096 };

/* [first, end): every member of a process may use it, since each has a key of its own. */
struct cg_numbers {
    const char *file;    /* borrowed */
    uint64_t first, end; /* 0 before the first block */
};

/* Where the numbers of the keys in that file are kept if nobody says: beside it, NAME.json.numbers. What was prepared
 * (NAME.next.json) is renamed to NAME.json when it is in use, and its numbers go on. False: longer than `cap`. */
bool cg_numbers_name(char *to, size_t cap, const char *keys) CG_MUST_CHECK;

/* Another block, above all that anybody ever had from this file; durable before it returns. A file that is not there is
 * made (mode 0600). `seconds`: since 1970; a copy of the keys without the file must not begin anew, so numbers are
 * never below the seconds since 2026-01-01, which stay below 2^31 for 68 years (there are peers with 32 bits).
 * CG_E_STORE with a sentence in `error`; then nothing was given. */
int cg_numbers_reserve(struct cg_numbers *numbers, int64_t seconds, char *error, size_t error_cap) CG_MUST_CHECK;

#endif
