/* Challenges. The hard thing: a challenge proves that its member has not acted on that request, and nothing about any
 * other one, so it is answered once. */
#include "rounds/challenge.h"

#include "rounds/asks.h"

#include <utlist.h>

enum { ECHOES_MAX = 1024 /* of a round at once */ };

static struct cg_ask *retry_to(const struct cg_round *round, const struct cg_addr *to) {
    struct cg_ask *ask;
    DL_FOREACH2(round->repair.asks, ask, next_of_owner) {
        if (ask->echo_len > 0 && cg_addr_equal(&ask->leg.sending.to, to)) return ask;
    }
    return NULL;
}

/* Who had acknowledged a retry and has started again since does not answer that one any more: what observes has months
 * for that. */
static bool is_retrying(struct cg_round *round, const struct cg_addr *to) {
    struct cg_ask *ask = retry_to(round, to);
    bool is_over = ask != NULL && ask->rests && ask->leg.shares != NULL;
    if (is_over) cg_asks_end_one(round, ask);
    return ask != NULL && !is_over;
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

void cg_challenge_forget(struct cg_round *round) {
    if (round->repair.challenged != NULL) memset(round->repair.challenged, 0, cg_member_set_size(round->mapping));
}

/* NULL: it has none, or no memory. */
static const struct cg_share *take_share(struct cg_round *round, struct cg_slice who) {
    struct cg_share *share = cg_share_of(&round->repair.shares, &round->arena, who, round->config->limits.answer);
    if (share == NULL || share->echoes_left == 0) return NULL;
    share->echoes_left--;
    return share;
}

/* A member that has come since the round began is in no list of it; what must not be done twice is then not done. */
static bool may_retry(struct cg_round *round, const struct cg_member *member) {
    if (member == NULL) return cg_round_may_repeat(round);
    return !was_challenged_by(round, member) && note_challenge(round, member);
}

/* The share of who may have it retried; NULL: nobody. */
static const struct cg_share *share_of_retry(struct cg_round *round, const struct cg_addr *to,
                                             struct cg_slice identity) {
    const struct cg_member *member = cg_who_of_identity(round->mapping, identity);
    cg_tally_note_reached(&round->tally, member);
    if (round->repair.running >= ECHOES_MAX || is_retrying(round, to)) return NULL;
    const struct cg_share *share = take_share(round, identity);
    return share != NULL && may_retry(round, member) ? share : NULL;
}

void cg_challenge_take(struct cg_part *part, const struct cg_arrival *challenge) {
    struct cg_round *round = part->round;
    struct cg_problem ignored = {0}; /* it is one silent member more */
    if (round->closed) return;       /* to its cancellation: who has started again observes nothing */
    const struct cg_share *share = share_of_retry(round, &challenge->from, challenge->opened->identity);
    if (share == NULL) return;
    struct cg_ask *ask = cg_asks_new(part, &challenge->from, share->who, &ignored);
    if (ask == NULL) return;
    if (cg_ask_take_challenge(ask, challenge->opened)) {
        cg_ask_go(cg_round_engine(round), ask);
    } else {
        cg_ask_give_up(cg_round_engine(round), ask);
    }
}
