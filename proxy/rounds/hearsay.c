/* Hints. The hard thing: a member that takes a repeated request for a replay says so before it answers the new one, and
 * a complete reply must not look broken for that; but what a forger says of a silent member is to be seen. So hints are
 * counted by whom they are about, and go when that one has answered. */
#include "rounds/hearsay.h"

#include "rounds/evidence.h"
#include "rounds/wake.h"

static struct cg_share *share_of(struct cg_round *round, struct cg_slice identity) {
    if (identity.len == 0) return NULL;
    return cg_share_of(&round->repair.shares, &round->arena, identity, round->config->limits.answer);
}

static bool is_stale(const struct cg_leg *leg) { return leg->sending.request != 0 && cg_leg_is_stale(leg); }

/* Under other keys than those that are to be used now it is made anew by whoever sees that, and that is the one. */
static void follow(struct cg_round *round, struct cg_leg *leg, struct cg_share *share) {
    if (share->hints_left == 0) return;
    if (is_stale(leg) || cg_ask_follow_hint(cg_round_engine(round), cg_ask_of(leg))) share->hints_left--;
}

void cg_hearsay_refuse(struct cg_round *round, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    struct cg_slice identity = cg_ask_of(leg)->identity;
    struct cg_share *share = cg_ask_is_hint(leg, opened, reason) ? share_of(round, identity) : NULL;
    cg_shelf_clear(&round->shelf);
    round->mapping->stats->rejected++;
    cg_evidence_note_refusal(round, from, opened, reason);
    cg_account_say(cg_round_engine(round), CG_FATE_REJECTED);
    if (share == NULL) {
        cg_tally_refuse(&round->tally, from, opened, reason);
    } else {
        share->hints++;
        cg_tally_refuse_hint(&round->tally, from, opened, reason, share->who);
        follow(round, leg, share);
    }
    cg_round_reconsider(round);
}

void cg_hearsay_forget(struct cg_round *round, struct cg_slice identity) {
    struct cg_share *share = NULL;
    if (identity.len > 0) HASH_FIND(hh, round->repair.shares, identity.data, identity.len, share);
    if (share == NULL || share->hints == 0) return;
    cg_tally_withdraw_hints(&round->tally, share->who, share->hints);
    share->hints = 0;
}
