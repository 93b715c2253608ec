/* Silence. The hard thing: what is asked again may be done again, so whom a request may be repeated to depends on what
 * is proven about the member (RFC 10021 §7). */
#include "rounds/silence.h"

#include "base/container.h"
#include "rounds/asks.h"
#include "rounds/wake.h"

enum { ASKS_AT_ONCE = 32 };

static bool is_silent(const struct cg_round *round, const struct cg_member *member, struct cg_addr *at) {
    return cg_tally_is_silent(&round->tally, member) && cg_protector_find(round->mapping->protector, member, at);
}

static void ask_silent(struct cg_round *round) {
    const struct cg_mapping *mapping = round->mapping;
    struct cg_silent *silent = &round->silent;
    struct cg_problem ignored = {0}; /* it is one silent member more */
    while (silent->next < mapping->member_count && round->repair.running < ASKS_AT_ONCE) {
        const struct cg_member *member = &mapping->members[silent->next++];
        struct cg_addr at;
        if (is_silent(round, member, &at)) cg_asks_member(round, member, &at, &ignored);
    }
}

static void silence_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, repair.timer);
    const char *rule;
    (void)engine;
    round->silent.begun = true;
    bool is_needed = cg_round_is_wanted(round) && !cg_round_is_finished(round, &rule);
    if (is_needed) ask_silent(round);
}

/* When the members' leisure is over, whoever is silent did not hear the request; half of the time is left for asking
 * them at least. */
void cg_silence_plan(struct cg_round *round, uint64_t shortest_us) {
    if (!round->mapping->repair_unicast || !cg_round_may_repeat(round)) return;
    uint64_t leisure_us = (uint64_t)(round->mapping->leisure * 1e6), half_us = shortest_us / 2;
    round->silent.shortest_us = shortest_us;
    round->repair.timer.due = silence_due;
    cg_engine_set_timer(cg_round_engine(round), &round->repair.timer,
                        round->sent_us + (leisure_us < half_us ? leisure_us : half_us));
}

void cg_silence_hasten(struct cg_round *round, uint64_t timeout_us) {
    if (!round->silent.begun && timeout_us < round->silent.shortest_us) cg_silence_plan(round, timeout_us);
}

void cg_silence_end(struct cg_round *round) { cg_engine_clear_timer(cg_round_engine(round), &round->repair.timer); }
