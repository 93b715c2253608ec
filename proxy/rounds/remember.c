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

void cg_round_remember(struct cg_round *round, const struct cg_member *member, const struct cg_arrival *arrival) {
    struct cg_heards *heards = round->rounds->heards;
    bool is_followed = heards != NULL && cg_follow_is_open(round->mapping);
    if (!is_followed || is_configured_there(member, &arrival->from)) return;
    const struct cg_heard_answer answer = {.stats = round->mapping->stats,
                                           .from = arrival->from,
                                           .identity = arrival->opened->identity,
                                           .trust = trust_in(round, arrival)};
    cg_heard_note(heards, &answer, cg_round_engine(round)->now_us);
}
