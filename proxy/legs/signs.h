/* What was seen of members' addresses beside answers: acknowledgements, Resets, ICMP, answers that came too late. Kept
 * by address for some minutes, so that a reply can say why somebody is missing (model/cause.h) without asking anew.
 *
 * Whoever knows an address may make all of it up. So nothing is decided by it, and it is kept only of addresses that
 * were asked, but for late answers, whose senders know a token of ours. */
#ifndef CG_LEGS_SIGNS_H
#define CG_LEGS_SIGNS_H

#include "base/hash.h"
#include "model/cause.h"
#include "wire/addr.h"
#include "wire/msg.h"

struct cg_engine;

#define CG_SIGNS_US   UINT64_C(300000000) /* how long anything is remembered */
#define CG_SIGNS_MAX  16384u              /* addresses; */
#define CG_SIGNS_LATE (CG_SIGNS_MAX / 2)  /* beyond, late answers make none */

#define CG_SIGN_KINDS 21 /* bits of enum cg_sign */

struct cg_sign_row {
    struct cg_addr addr;           /* key: with port and zone */
    uint64_t at_us[CG_SIGN_KINDS]; /* when each was seen last; 0: never */
    uint64_t ping_us;              /* when it was pinged first, without an answer so far; 0: not */
    uint16_t ping_mid;
    uint64_t probed_us;   /* when it was last asked only to find out why it is silent; 0: never */
    const void *probe;    /* by whose keys; compared only */
    uint32_t probe_signs; /* what came of that */
    UT_hash_handle hh;
};

struct cg_signs_table {
    struct cg_sign_row *by_addr; /* uthash head */
    struct cg_sign_row *sweep;   /* where purging goes on */
};

/* From below: something was seen there. */
void cg_engine_sign(struct cg_engine *engine, const struct cg_addr *addr, enum cg_sign sign);
/* An empty message from there. True: it answers a ping of cg_signs_ping. */
bool cg_signs_hear(struct cg_engine *engine, const struct cg_addr *from, uint16_t mid, enum cg_type type);

/* From above: a request went there. */
void cg_signs_note_asked(struct cg_engine *engine, const struct cg_addr *addr);
/* Sends a CoAP ping (RFC 7252 §4.3), or the same one again as long as none has answered it. False: no memory, or no
 * room at the interface that it would leave by (cg_send_link). */
bool cg_signs_ping(struct cg_engine *engine, const struct cg_addr *addr, uint32_t link);
/* It has answered as it should: what was seen before is past. */
void cg_signs_forget(struct cg_engine *engine, const struct cg_addr *addr);

/* What was seen there since; of late answers, in the last CG_SIGNS_US. */
uint32_t cg_signs_since(const struct cg_engine *engine, const struct cg_addr *addr, uint64_t since_us);
/* Who asks there anew to find out why it is silent: false where that was asked under the same keys less than
 * `rest_us` ago. */
bool cg_signs_begin_probe(struct cg_engine *engine, const struct cg_addr *addr, const void *keys, uint64_t rest_us);
void cg_signs_end_probe(struct cg_engine *engine, const struct cg_addr *addr, uint32_t signs);
/* Whether it was, so that nobody asks there anew. */
bool cg_signs_was_probed(const struct cg_engine *engine, const struct cg_addr *addr, const void *keys,
                         uint64_t rest_us);
/* What came of the last one, if it was less than `rest_us` ago under these keys, and was seen there since. */
uint32_t cg_signs_of_probe(const struct cg_engine *engine, const struct cg_addr *addr, const void *keys,
                           uint64_t rest_us);

bool cg_signs_purge(struct cg_engine *engine, size_t *rows); /* as cg_endpoints_purge */
void cg_signs_fini(struct cg_engine *engine);

#endif
