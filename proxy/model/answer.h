/* What members have said to one request: answers, and what was refused. The nouns that whoever collects them fills in,
 * and whoever makes replies of them reads. */
#ifndef CG_MODEL_ANSWER_H
#define CG_MODEL_ANSWER_H

#include "model/config.h"

/* Somebody's latest answer. Lists are in the order in which each answered first. */
struct cg_answer {
    struct cg_answer *next;
    const struct cg_member *member; /* configured; NULL: not known beforehand */
    struct cg_addr from;            /* where it came from */
    struct cg_slice options;        /* encoded */
    struct cg_slice payload;
    struct cg_slice kid;
    uint32_t ms;
    uint32_t number; /* from 1, in order of first arrival */
    uint8_t code;
    uint8_t verified; /* enum castgate_verified */
    uint8_t via;      /* enum castgate_via */
    bool has_kid;
    bool
        is_notification; /* further ones follow when what it tells of changes: 2.xx with Observe, and it was asked to */
};

struct cg_refusal {
    struct cg_refusal *next;
    struct cg_addr from;
    struct cg_slice kid;
    struct cg_slice gid;
    struct cg_slice diagnostic; /* text of an answer that was not protected (RFC 7252 §5.5.2), its beginning */
    uint8_t code;               /* of such an answer; 0: none */
    const char *reason;         /* static */
};

/* Sets of a mapping's configured members: a bit each, by number. */
static inline bool cg_member_set_has(const uint8_t *set, const struct cg_member *member) {
    return set[member->number / 8] >> member->number % 8 & 1;
}
static inline void cg_member_set_put(uint8_t *set, const struct cg_member *member, bool is_in) {
    uint8_t bit = (uint8_t)(1u << member->number % 8);
    set[member->number / 8] = (uint8_t)((set[member->number / 8] & ~bit) | (is_in ? bit : 0));
}
static inline size_t cg_member_set_size(const struct cg_mapping *mapping) { return (mapping->member_count + 7) / 8; }

#endif
