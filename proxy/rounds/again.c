/* The second group request. The hard thing: it waits for its group's turn like any other, so it is judged once more
 * when that comes; and what becomes of it is the round's only where it helps. */
#include "rounds/again.h"

#include "rounds/casts.h"
#include "rounds/intake.h"
#include "rounds/wake.h"
#include "rounds/watch.h"

/* Something is decided. */
static void settle(struct cg_round *round) {
    struct cg_engine *engine = cg_round_engine(round);
    if (!round->closed && !cg_again_waits(round)) cg_engine_set_timer(engine, &round->repair.timer, engine->now_us);
}

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) {
    const struct cg_part *part = leg->owner;
    (void)engine;
    settle(part->round);
}

/* Clients count from the first one. */
static void on_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct cg_part *part = leg->owner;
    const struct cg_arrival timed = cg_arrival_after(arrival, part->round->sent_us);
    (void)engine;
    cg_round_take(part, &timed);
}

/* The first one is out, so this is no problem of the round's. */
static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    struct cg_part *part = leg->owner;
    (void)engine;
    (void)problem;
    part->again = NULL;
    settle(part->round);
}

static bool is_overtaken(const struct cg_part *part) { return part->cast == NULL || cg_cast_is_outdated(part->cast); }

static bool is_wanted(const struct cg_leg *leg) {
    const struct cg_part *part = leg->owner;
    return cg_round_is_wanted(part->round) && (leg->sending.request != 0 || !is_overtaken(part));
}

static const struct cg_leg_ops again_ops = {
    .sent = on_sent,
    .answer = on_answer,
    .challenge = cg_casts_challenged,
    .refused = cg_casts_refused,
    .ended = on_ended,
    .is_wanted = is_wanted,
};

static void cast(struct cg_part *part, uint64_t give_up_us) {
    struct cg_engine *engine = cg_round_engine(part->round);
    struct cg_leg_order order = cg_part_order(part);
    struct cg_problem ignored = {0};
    order.ops = &again_ops;
    part->again = cg_cast_new(engine, &order, give_up_us, &ignored);
}

/* They are all made before the first goes, which may be decided at once. */
void cg_again_begin(struct cg_round *round, uint64_t give_up_us) {
    struct cg_engine *engine = cg_round_engine(round);
    if (cg_round_observes(round)) {
        cg_watch_register(round, give_up_us);
        settle(round);
        return;
    }
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_part *part = &round->parts[i];
        if (part->state == CG_PART_SENT && !is_overtaken(part)) cast(part, give_up_us);
    }
    for (size_t i = 0; i < round->part_count; i++) {
        if (round->parts[i].again != NULL) cg_cast_go(engine, round->parts[i].again);
    }
    settle(round);
}

/* One that observes has it go out on the token of the first. */
static const struct cg_cast *again_of(const struct cg_round *round, size_t i) {
    return cg_round_observes(round) ? round->parts[i].cast : round->parts[i].again;
}

bool cg_again_waits(const struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_cast *again = again_of(round, i);
        if (again != NULL && again->leg.sending.request == 0) return true;
    }
    return false;
}

uint64_t cg_again_sent_us(const struct cg_round *round) {
    uint64_t sent_us = 0;
    for (size_t i = 0; i < round->part_count; i++) {
        const struct cg_cast *again = again_of(round, i);
        if (again != NULL && again->leg.sending.sent_us > sent_us) sent_us = again->leg.sending.sent_us;
    }
    return sent_us;
}

void cg_again_end(struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_cast *again = round->parts[i].again;
        round->parts[i].again = NULL;
        if (again != NULL) cg_cast_end(cg_round_engine(round), again);
    }
}
