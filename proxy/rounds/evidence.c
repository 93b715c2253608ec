/* Evidence. The hard thing: most of it is hearsay. An unprotected error, an ICMP message or a refused answer may come
 * from anybody who hears the request, so they name a cause and change nothing else. */
#include "rounds/evidence.h"

#include "legs/signs.h"

enum { REVIEW_HOLDS_US = 100000 };

static bool is_secured(const struct cg_round *round) { return round->mapping->security == CG_SECURITY_GROUP; }

/* Noting */

/* Signs by number: of the list, or of the only one that was asked, who may be in none. */
static size_t room_of(const struct cg_round *round) {
    size_t count = round->mapping->member_count;
    return round->only != NULL && round->only->number >= count ? round->only->number + (size_t)1 : count;
}

static bool is_awaited(const struct cg_round *round, const struct cg_member *member) {
    if (round->only != NULL) return member == round->only;
    return member->number < round->mapping->member_count && &round->mapping->members[member->number] == member;
}

void cg_evidence_note(struct cg_round *round, const struct cg_member *member, uint32_t signs) {
    uint32_t **of = &round->evidence.of;
    if (member == NULL || signs == 0 || !is_awaited(round, member)) return;
    if (*of == NULL) *of = cg_arena_zalloc(&round->arena, room_of(round) * sizeof **of);
    if (*of != NULL) (*of)[member->number] |= signs;
}

/* Refusals */

/* What a member says that cannot open the request (RFC 8613 §8.2). The codes of a replay and of a context that it lacks
 * are the same; its text may tell. */
static uint32_t sign_of_plain_error(const struct cg_opened *opened) {
    static const char replay[] = "Replay";
    bool is_replay =
        opened->payload.len >= sizeof replay - 1 && memcmp(opened->payload.data, replay, sizeof replay - 1) == 0;
    switch (opened->code) {
    case CG_CODE(4, 1): return is_replay ? CG_SIGN_REPLAY : CG_SIGN_OTHER_EPOCH;
    case CG_CODE(4, 0):
    case CG_CODE(4, 2): return CG_SIGN_UNREADABLE;
    default: return CG_SIGN_REFUSED;
    }
}

uint32_t cg_evidence_of_refusal(const struct cg_opened *opened, const char *reason) {
    if (reason == cg_err_info(CG_E_EVICTED)->slug) return CG_SIGN_EVICTED;
    if (reason == cg_err_info(CG_E_VERIFY)->slug) return CG_SIGN_UNREADABLE;
    if (reason == cg_err_info(CG_E_SENDER)->slug) {
        return opened->is_other_epoch ? CG_SIGN_OTHER_EPOCH : CG_SIGN_UNREADABLE;
    }
    if (reason == cg_err_info(CG_E_UNPROTECTED)->slug) return sign_of_plain_error(opened);
    return strcmp(reason, "blocks-incomplete") == 0 ? CG_SIGN_PART : CG_SIGN_REFUSED;
}

void cg_evidence_note_refusal(struct cg_round *round, const struct cg_addr *from, const struct cg_opened *opened,
                              const char *reason) {
    struct cg_who who = {.member = round->only};
    if (round->only == NULL) cg_who_decide(&who, round->mapping, from, opened->identity);
    cg_evidence_note(round, who.member, cg_evidence_of_refusal(opened, reason));
}

void cg_evidence_note_challenge(struct cg_round *round, const struct cg_arrival *challenge) {
    const struct cg_member *of_identity = cg_who_of_identity(round->mapping, challenge->opened->identity);
    cg_evidence_note(round, round->only != NULL ? round->only : of_identity, CG_SIGN_CHALLENGE);
}

/* Looking */

bool cg_evidence_address(const struct cg_round *round, const struct cg_member *member, struct cg_addr *at) {
    if (round->only == member) {
        *at = round->only_at;
    } else if (!cg_protector_find(round->mapping->protector, member, at)) {
        return false;
    }
    *at = cg_port_addr(cg_round_engine(round)->port, round->parts[0].target->interface, at);
    return at->family != CG_FAMILY_NONE;
}

static uint32_t signs_of_keys(const struct cg_round *round, const struct cg_member *member) {
    struct cg_protector *protector = round->mapping->protector;
    if (!is_secured(round) || protector->ops->standing == NULL) return 0;
    switch (protector->ops->standing(protector, member->identity)) {
    case CG_STANDING_NONE: return CG_SIGN_EVICTED;
    case CG_STANDING_PROVEN: return CG_SIGN_HOLDS_KEYS;
    case CG_STANDING_MEMBER: break;
    }
    return 0;
}

static void review(struct cg_round *round, const struct cg_member *member) {
    const struct cg_engine *engine = cg_round_engine(round);
    uint32_t signs = signs_of_keys(round, member);
    struct cg_addr at;
    if (cg_evidence_address(round, member, &at)) {
        signs |= cg_signs_since(engine, &at, round->sent_us);
        signs |= cg_signs_of_probe(engine, &at, round->mapping->protector, CG_PROBE_REST_US);
    }
    cg_evidence_note(round, member, signs);
}

/* Thousands may end with the same round, and its members be thousands, too. */
static bool was_just_reviewed(struct cg_round *round) {
    struct cg_evidence *evidence = &round->evidence;
    uint64_t now_us = cg_round_engine(round)->now_us;
    if (evidence->reviewed_us != 0 && now_us - evidence->reviewed_us < REVIEW_HOLDS_US) return true;
    evidence->reviewed_us = now_us;
    return false;
}

void cg_evidence_review(struct cg_round *round) {
    size_t count;
    const struct cg_member *members = cg_mapping_awaited(round->mapping, round->only, &count);
    if (round->sent_us == 0 || cg_tally_missing(&round->tally) == 0 || was_just_reviewed(round)) return;
    for (size_t i = 0; i < count; i++) {
        if (!cg_tally_has_seen(&round->tally, &members[i])) review(round, &members[i]);
    }
}

uint32_t cg_evidence_common(const struct cg_round *round) { return is_secured(round) ? CG_SIGN_SECURED : 0; }
