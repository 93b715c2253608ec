/* Challenges. The hard thing: a challenge proves that its member has not acted on that request, and nothing about any
 * other one, so it is answered once. */
#include "rounds/challenge.h"

#include "rounds/asks.h"

#include <utlist.h>

enum { ECHOES_MAX = 1024 /* of a round at once */ };

static bool is_retrying(const struct cg_round *round, const struct cg_addr *to) {
    const struct cg_ask *ask;
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (ask->echo_len > 0 && cg_addr_equal(&ask->leg.sending.to, to)) return true;
    }
    return false;
}

static bool was_challenged_by(const struct cg_round *round, const struct cg_member *member) {
    return round->repair.challenged != NULL && cg_member_set_has(round->repair.challenged, member);
}

/* False: out of memory. */
static bool note_challenge(struct cg_round *round, const struct cg_member *member) {
    uint8_t **set = &round->repair.challenged;
    if (*set == NULL) *set = cg_arena_zalloc(&round->arena, cg_member_set_size(round->mapping));
    if (*set == NULL) return false;
    cg_member_set_put(*set, member, true);
    return true;
}

static bool take_share(struct cg_round *round, struct cg_slice who) {
    struct cg_share *share = cg_share_of(&round->repair.shares, &round->arena, who, round->config->limits.answer);
    if (share == NULL || share->echoes_left == 0) return false;
    share->echoes_left--;
    return true;
}

/* A member that has come since the round began is in no list of it; what must not be done twice is then not done. */
static bool may_retry(struct cg_round *round, const struct cg_addr *to, struct cg_slice identity) {
    const struct cg_member *member = cg_who_of_identity(round->mapping, identity);
    cg_tally_note_reached(&round->tally, member);
    if (round->repair.running >= ECHOES_MAX || is_retrying(round, to)) return false;
    if (!take_share(round, identity)) return false;
    if (member == NULL) return cg_round_may_repeat(round);
    return !was_challenged_by(round, member) && note_challenge(round, member);
}

void cg_challenge_take(struct cg_part *part, const struct cg_arrival *challenge) {
    struct cg_round *round = part->round;
    struct cg_problem ignored = {0}; /* it is one silent member more */
    if (!may_retry(round, &challenge->from, challenge->opened->identity)) return;
    struct cg_ask *ask = cg_asks_new(part, &challenge->from, CG_SLICE_NONE, &ignored);
    if (ask == NULL) return;
    if (cg_ask_take_challenge(ask, challenge->opened)) {
        cg_ask_go(cg_round_engine(round), ask);
    } else {
        cg_ask_give_up(cg_round_engine(round), ask);
    }
}
