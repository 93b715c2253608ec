/* Where answers to a mapping's requests came from lately, beside its settings' addresses: so that a client may ask
 * again there (model/follow.h). Kept by mapping's name across reloads, for CG_HEARD_US at least after the last answer.
 *
 * Whoever hears a plain group request can answer it from made-up addresses. Those that have proven to be somebody's,
 * because an answer was verified or came to a unicast request, have room of their own that no forger gets at; and what
 * comes for one mapping takes no room from another. A verified member is at one address: the latest. */
#ifndef CG_MODEL_HEARD_H
#define CG_MODEL_HEARD_H

#include "base/hash.h"
#include "base/slice.h"
#include "wire/addr.h"

struct cg_stats;
struct cg_heard_mapping;

#define CG_HEARD_US           UINT64_C(300000000)
#define CG_HEARD_OF_MAPPING   16384u /* that have proven nothing */
#define CG_HEARD_MAX          32768u /* of these in all, and as many that have proven themselves */
#define CG_HEARD_HERE         32u    /* mappings that one address is remembered for */
#define CG_HEARD_IDENTITY_MAX 32u    /* bytes: a credential's hash */

enum cg_heard_trust { CG_HEARD_ONLY, CG_HEARD_PROVEN, CG_HEARD_TRUSTS };

struct cg_heard {
    UT_hash_handle hh;     /* the first at its address only: by addr */
    UT_hash_handle by_who; /* verified ones only: of their mapping, by identity */
    struct cg_heard *here; /* the next one at the same address: another mapping's */
    struct cg_addr addr;   /* without zone */
    uint32_t scope;        /* its zone, when it was heard last */
    struct cg_heard_mapping *of;
    enum cg_heard_trust trust;
    uint8_t identity_len; /* 0: nobody has verified it */
    uint8_t identity[CG_HEARD_IDENTITY_MAX];
    uint64_t last_us;
    struct cg_heard *previous, *next; /* of its mapping and trust, the one that was silent longest first */
};

/* Zeroed, nobody was heard. */
struct cg_heards {
    struct cg_heard *by_addr;          /* uthash head: one for each address */
    struct cg_heard_mapping *mappings; /* uthash head */
    struct cg_heard_mapping *sweep;    /* where purging goes on */
    uint32_t count[CG_HEARD_TRUSTS];
};

struct cg_heard_answer {
    const struct cg_stats *stats; /* of the mapping */
    struct cg_addr from;
    struct cg_slice identity; /* who it was verified to be from; empty: nobody has */
    enum cg_heard_trust trust;
};

/* Without memory or room it is not remembered. */
void cg_heard_note(struct cg_heards *heards, const struct cg_heard_answer *answer, uint64_t now_us);
/* The first at this address, whatever the zone; `here` leads to the others. NULL: nobody. */
const struct cg_heard *cg_heard_at(const struct cg_heards *heards, const struct cg_addr *addr);
const char *cg_heard_mapping(const struct cg_heard *heard); /* its name */

/* Forgets who was silent for too long: looks at so many at the most, and counts them down. True: there are more to look
 * at. */
bool cg_heard_purge(struct cg_heards *heards, uint64_t now_us, size_t *rows);
void cg_heard_fini(struct cg_heards *heards);

#endif
