/* Members as their genuine answers have shown them: where they are, how soon they answer, how often a group request
 * does not reach them. Kept beside the settings' items (model/member.h), by who somebody is, across reloads and
 * restarts; who has said nothing for long is forgotten.
 *
 * A member is known by its credential where answers are verified, else by its address and port; so one that is in many
 * groups is one entry. Only what is genuine may be noted: a verified answer, one from a configured address, or one to a
 * unicast request. */
#ifndef CG_MODEL_KNOWN_H
#define CG_MODEL_KNOWN_H

#include "base/hash.h"
#include "model/config.h"

struct cg_known; /* an entry; stays where it is until it is forgotten: find it anew in each turn of the loop */
struct cg_knowns;

/* NULL: out of memory. `keep_us`: so long after its last answer an entry is kept; `most`: entries, beyond which the one
 * that was silent longest goes. */
struct cg_knowns *cg_knowns_new(uint64_t keep_us, size_t most);
void cg_knowns_free(struct cg_knowns *knowns);

/* An answer to a request of this mapping. */
struct cg_known_answer {
    const struct cg_mapping *mapping;
    struct cg_slice identity; /* the credential's hash; empty: where nothing is verified */
    struct cg_slice kid;
    struct cg_addr from;
    enum castgate_via via;
    uint64_t after_us; /* the request that it answers had gone out */
};
/* Without memory or room nothing is noted. */
void cg_known_note(struct cg_knowns *knowns, const struct cg_known_answer *answer, uint64_t now_us);
/* A group request of this mapping was out for as long as the member could take, and it has not answered that. */
void cg_known_note_silence(struct cg_knowns *knowns, const struct cg_mapping *mapping, const struct cg_member *member);

/* NULL: it has never answered, as far as is known. */
const struct cg_known *cg_known_find(const struct cg_knowns *knowns, const struct cg_mapping *mapping,
                                     const struct cg_member *member);
/* How long after a group request its silence means that something was lost, by its own answer times; 0: too few of them
 * are known. */
uint64_t cg_known_patience_us(const struct cg_known *known);
/* Group requests have not reached it for several times in a row, while it answered by unicast: it is asked so from the
 * start. */
bool cg_known_is_out_of_reach(const struct cg_known *known);
/* The last answer of it; monotonic µs. */
uint64_t cg_known_last_us(const struct cg_known *known);

#endif
