/* The value of the OSCORE option (RFC 8613 §6.1) with the Group Flag (RFC 10021 §4.1), and Partial IVs. */
#ifndef CG_OSCORE_OPTION_H
#define CG_OSCORE_OPTION_H

#include "base/err.h"
#include "base/slice.h"

#define CG_OSCORE_OPTION_MAX     255
#define CG_OSCORE_PIV_MAX        5
#define CG_OSCORE_ID_MAX         7   /* the longest Sender ID: a nonce of 13 bytes, less 6 (RFC 8613 §3.3) */
#define CG_OSCORE_ID_CONTEXT_MAX 241 /* what fits an option beside the rest */
#define CG_OSCORE_NUMBER_MAX     (((uint64_t)1 << 40) - 1) /* RFC 8613 §7.2.1 */

struct cg_oscore_option {
    bool group; /* the Group Flag: protected in group mode */
    bool has_kid;
    bool has_kid_context;
    struct cg_slice piv; /* empty: not present */
    struct cg_slice kid_context;
    struct cg_slice kid;
};

/* Views into `value`. CG_E_BAD_OPTION ("Failed to decode COSE", RFC 8613 §8.2): reserved bits or Partial IV lengths,
 * truncated, bytes behind the end, a Partial IV with needless zeros, flags 0x00 that are written out, longer than 255.
 */
int cg_oscore_option_parse(struct cg_oscore_option *option, struct cg_slice value) CG_MUST_CHECK;

/* The length written to `to`, or CG_E_TOO_BIG when the value would be longer than 255. */
int cg_oscore_option_emit(uint8_t to[CG_OSCORE_OPTION_MAX], const struct cg_oscore_option *option) CG_MUST_CHECK;

/* A Sender Sequence Number as Partial IV: no leading zeros, 0 is one zero byte. The number is at most
 * CG_OSCORE_NUMBER_MAX. */
size_t cg_oscore_piv_emit(uint8_t to[CG_OSCORE_PIV_MAX], uint64_t number);
uint64_t cg_oscore_piv_parse(struct cg_slice piv); /* at most 5 bytes */

#endif
