/* Remembering. The hard thing is what an answer proves about its address: where nothing is verified, no more than that
 * somebody wrote it, unless it came to a request that went there, or somebody there has answered one before. */
#include "rounds/remember.h"

#include "model/follow.h"
#include "model/heard.h"

static bool is_configured_there(const struct cg_member *member, const struct cg_addr *from) {
    return member != NULL && member->addr.port == from->port && cg_addr_same_host(&member->addr, from);
}

static enum cg_heard_trust trust_in(const struct cg_round *round, const struct cg_arrival *arrival) {
    const struct cg_endpoint *endpoint;
    if (arrival->opened->identity.len > 0 || arrival->via == CASTGATE_VIA_UNICAST) return CG_HEARD_PROVEN;
    endpoint = cg_endpoint_find(cg_round_engine(round), &arrival->from);
    return endpoint != NULL && endpoint->genuine ? CG_HEARD_PROVEN : CG_HEARD_ONLY;
}

static void note_heard(struct cg_round *round, const struct cg_member *member, const struct cg_arrival *arrival,
                       enum cg_heard_trust trust) {
    struct cg_heards *heards = round->rounds->heards;
    bool is_followed = heards != NULL && cg_follow_is_open(round->mapping);
    if (!is_followed || is_configured_there(member, &arrival->from)) return;
    const struct cg_heard_answer answer = {
        .stats = round->mapping->stats, .from = arrival->from, .identity = arrival->opened->identity, .trust = trust};
    cg_heard_note(heards, &answer, cg_round_engine(round)->now_us);
}

/* Of strangers that have proven nothing there would be as many as somebody likes to make up. */
static void note_known(struct cg_round *round, const struct cg_member *member, const struct cg_arrival *arrival,
                       enum cg_heard_trust trust) {
    bool is_genuine = member != NULL || trust == CG_HEARD_PROVEN;
    if (round->rounds->knowns == NULL || !is_genuine) return;
    const struct cg_known_answer answer = {.mapping = round->mapping,
                                           .identity = arrival->opened->identity,
                                           .kid = arrival->opened->kid,
                                           .from = arrival->from,
                                           .via = arrival->via,
                                           .request = arrival->request,
                                           .after_us = arrival->ms * UINT64_C(1000)};
    cg_known_note(round->rounds->knowns, &answer, cg_round_engine(round)->now_us);
}

void cg_round_remember(struct cg_round *round, const struct cg_member *member, const struct cg_arrival *arrival) {
    if (round->mapping->is_unsaved || arrival->via == CASTGATE_VIA_NEXT_HOP) return; /* nobody else reaches it there */
    const enum cg_heard_trust trust = trust_in(round, arrival);
    note_heard(round, member, arrival, trust);
    note_known(round, member, arrival, trust);
}
