/* The hard thing: what an owner reads of a leg is part of what it was told. So the legs of the gateway that is told are
 * set to what was recorded before each word, and end when the recorded ones did. */
#include "app/replay/tell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "legs/ask.h"
#include "legs/cast.h"

enum { ROOM = 64 };

/* A leg of the gateway that is told. */
struct cg_puppet {
    struct cg_leg *leg;
    struct cg_ticket ticket;
};

static struct cg_telling *of(struct cg_tap *tap) { return CG_CONTAINER(tap, struct cg_telling, tap); }

static bool is_cast(const struct cg_leg *leg) { return leg->kind->type == CG_NON; }

static struct cg_cast *cast_of(struct cg_leg *leg) { return CG_CONTAINER(leg, struct cg_cast, leg); }

static bool lives(const struct cg_telling *telling, const struct cg_puppet *puppet) {
    return cg_slots_get(&telling->engine->legs, puppet->ticket) == puppet->leg;
}

/* ---- What happens there by itself ---- */

static void on_admitted(struct cg_tap *tap, const struct cg_wish *wish) {
    struct cg_telling *telling = of(tap);
    snprintf(telling->admitted_mapping, sizeof telling->admitted_mapping, "%s", wish->mapping->name);
    telling->admitted_timeout_us = wish->timeout_us;
    telling->has_admitted = true;
}

static bool has_room(struct cg_telling *telling) {
    if (telling->count < telling->room) return true;
    const size_t room = telling->room == 0 ? ROOM : 2 * telling->room;
    struct cg_puppet *puppets = realloc(telling->puppets, room * sizeof *puppets);
    if (puppets == NULL) return false;
    telling->puppets = puppets;
    telling->room = room;
    return true;
}

static void on_begun(struct cg_tap *tap, const struct cg_leg *leg) {
    struct cg_telling *telling = of(tap);
    if (!has_room(telling)) {
        telling->failed = true;
        return;
    }
    telling->puppets[telling->count++] = (struct cg_puppet){.leg = (struct cg_leg *)leg, .ticket = leg->ticket};
}

void cg_telling_begin(struct cg_telling *telling, struct cg_engine *engine, struct cg_mute *mute, uint64_t base_us) {
    *telling = (struct cg_telling){
        .tap = {.admitted = on_admitted, .begun = on_begun}, .engine = engine, .mute = mute, .base_us = base_us};
    cg_tap_add(engine, &telling->tap);
}

void cg_telling_end(struct cg_telling *telling) {
    cg_tap_remove(telling->engine, &telling->tap);
    free(telling->puppets);
}

/* Casts give up what is not sealed in time; asks wait for it. Those that have ended are not looked at again. */
void cg_telling_hold(struct cg_telling *telling) {
    if (telling->sealings == telling->mute->sealings) return;
    telling->sealings = telling->mute->sealings;
    for (size_t i = 0; i < telling->count; i++) {
        const struct cg_puppet *puppet = &telling->puppets[i];
        if (lives(telling, puppet) && is_cast(puppet->leg)) cg_engine_clear_timer(telling->engine, &puppet->leg->timer);
    }
}

/* ---- What is told ---- */

static uint64_t then(const struct cg_telling *telling, int64_t us) { return telling->base_us + (uint64_t)us; }

static void set(const struct cg_telling *telling, struct cg_leg *leg, const struct cg_said *said) {
    leg->sending.request = said->request;
    leg->sending.sent_us = said->request == 0 && said->sent_us == 0 ? 0 : then(telling, said->sent_us);
    leg->opening = said->opening;
    if (!is_cast(leg)) cg_ask_of(leg)->turn.is_stranger = !said->is_proven;
}

static bool is_safe(const struct cg_leg *leg) { return (CG_METHOD_BIT(leg->request->method) & CG_METHODS_SAFE) != 0; }

static enum cg_told say_sent(struct cg_engine *engine, struct cg_leg *leg) {
    if (!is_cast(leg)) {
        cg_ask_of(leg)->renews = false;
        leg->ops->sent(engine, leg);
        return CG_TOLD;
    }
    struct cg_cast *cast = cast_of(leg);
    if (cast->state == CG_CAST_SENT) return CG_TOLD_OTHERWISE;
    cast->state = CG_CAST_SENT;
    cast->renews = false;
    cast->pace->changes += !is_safe(leg);
    cast->changes = cast->pace->changes;
    cg_leg_drop_earlier(engine, leg);
    leg->ops->sent(engine, leg);
    return CG_TOLD;
}

/* One that observes rests. */
static void say_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    if (!is_cast(leg) && leg->request->observes) {
        struct cg_ask *ask = cg_ask_of(leg);
        ask->answered = ask->observed = ask->rests = true;
    }
    leg->ops->answer(engine, leg, arrival);
}

static struct cg_problem problem_of(const struct cg_said *said) {
    struct cg_problem problem = {.retry_after = said->retry_after};
    cg_problem_set(&problem, said->err, "%.*s", (int)said->why.len, (const char *)said->why.data);
    return problem;
}

/* The renewal that it is to be of may have been given up alone. */
static enum cg_told say_unsent(struct cg_engine *engine, struct cg_leg *leg, const struct cg_said *said) {
    const struct cg_problem problem = problem_of(said);
    bool *renews = is_cast(leg) ? &cast_of(leg)->renews : &cg_ask_of(leg)->renews;
    if (!*renews || leg->ops->unsent == NULL || said->err >= 0) return CG_TOLD_TO_NOBODY;
    *renews = false;
    if (is_cast(leg)) cast_of(leg)->state = CG_CAST_SENT;
    leg->sending.request = 0; /* the one that is given up */
    if (leg->sending.next != NULL) cg_leg_take_back(engine, leg);
    leg->ops->unsent(engine, leg, &problem);
    return CG_TOLD;
}

/* A cast that is out ends with its round, without a word. */
static enum cg_told say_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_said *said) {
    const struct cg_problem problem = problem_of(said);
    if (is_cast(leg) && (said->err >= 0 || cast_of(leg)->state == CG_CAST_SENT)) return CG_TOLD_OTHERWISE;
    leg->ops->ended(engine, leg, said->err < 0 ? &problem : NULL);
    if (is_cast(leg)) {
        cg_cast_end(engine, cast_of(leg));
    } else {
        cg_ask_end(engine, cg_ask_of(leg));
    }
    return CG_TOLD;
}

/* An ask may have been ended by what it said. */
static void hear_group(struct cg_telling *telling, const struct cg_puppet *puppet) {
    if (lives(telling, puppet) && is_cast(puppet->leg)) cg_cast_heard(telling->engine, cast_of(puppet->leg));
}

static enum cg_told say_arrival(struct cg_telling *telling, const struct cg_puppet *puppet,
                                const struct cg_said *said) {
    struct cg_leg *leg = puppet->leg;
    const struct cg_arrival arrival = {.from = said->addr,
                                       .request = said->answered,
                                       .sent_us = then(telling, said->answered_us),
                                       .arrival_us = then(telling, said->arrival_us),
                                       .mid = said->mid,
                                       .opened = &said->opened,
                                       .via = leg->kind->via};
    if (is_cast(leg) && cast_of(leg)->state != CG_CAST_SENT && !cast_of(leg)->renews) return CG_TOLD_OTHERWISE;
    if (said->opened.verified == CASTGATE_VERIFIED_SOURCE)
        cg_mute_note(telling->mute, said->opened.identity, &said->addr);
    if (said->word == CG_WORD_ANSWER) {
        say_answer(telling->engine, leg, &arrival);
    } else {
        leg->ops->challenge(telling->engine, leg, &arrival);
    }
    hear_group(telling, puppet);
    return CG_TOLD;
}

static enum cg_told say_stray(struct cg_engine *engine, struct cg_leg *leg, const struct cg_said *said) {
    if (leg->ops->stray != NULL) leg->ops->stray(engine, leg, &said->addr);
    return CG_TOLD;
}

static enum cg_told say_acknowledged(struct cg_engine *engine, struct cg_leg *leg) {
    if (leg->ops->acknowledged == NULL) return CG_TOLD_OTHERWISE;
    cg_ask_of(leg)->observed = leg->request->observes;
    cg_ask_of(leg)->rests = true;
    leg->ops->acknowledged(engine, leg);
    return CG_TOLD;
}

/* What its owner does to it follows by itself. */
static enum cg_told say_rests(struct cg_engine *engine, struct cg_leg *leg) {
    if (is_cast(leg)) return CG_TOLD_OTHERWISE;
    if (cg_ask_of(leg)->rests) return CG_TOLD;
    cg_ask_rest(engine, cg_ask_of(leg));
    return CG_TOLD;
}

static enum cg_told say_of_leg(struct cg_telling *telling, const struct cg_said *said) {
    if (said->leg >= telling->count) return CG_TOLD_OTHERWISE;
    const struct cg_puppet puppet = telling->puppets[said->leg]; /* more may begin, elsewhere in memory */
    struct cg_engine *engine = telling->engine;
    struct cg_leg *leg = puppet.leg;
    if (!lives(telling, &puppet)) return CG_TOLD_TO_NOBODY;
    if (is_cast(leg) != said->is_cast) return CG_TOLD_OTHERWISE;
    set(telling, leg, said);
    switch (said->word) {
    case CG_WORD_SENT: return say_sent(engine, leg);
    case CG_WORD_ANSWER:
    case CG_WORD_CHALLENGE: return say_arrival(telling, &puppet, said);
    case CG_WORD_REFUSED: leg->ops->refused(engine, leg, &said->addr, &said->opened, said->reason); break;
    case CG_WORD_ENDED: return say_ended(engine, leg, said);
    case CG_WORD_UNSENT: return say_unsent(engine, leg, said);
    case CG_WORD_STRAY: return say_stray(engine, leg, said);
    case CG_WORD_RESTS: return say_rests(engine, leg);
    case CG_WORD_ACKNOWLEDGED: return say_acknowledged(engine, leg);
    case CG_WORD_OPENING:
    case CG_WORD_ADMITTED:
    case CG_WORD_BEGUN:
    case CG_WORD_SIGN:
    case CG_WORD_COUNT: break;
    }
    return CG_TOLD;
}

/* It was let in there, too, for the same. */
static enum cg_told check_admitted(struct cg_telling *telling, const struct cg_said *said) {
    bool is_same = telling->has_admitted && said->timeout_us == telling->admitted_timeout_us &&
                   cg_slice_is(said->mapping, telling->admitted_mapping);
    telling->has_admitted = false;
    return is_same ? CG_TOLD : CG_TOLD_OTHERWISE;
}

static enum cg_told check_begun(const struct cg_telling *telling, const struct cg_said *said) {
    return said->leg < telling->count ? CG_TOLD : CG_TOLD_OTHERWISE;
}

enum cg_told cg_telling_say(struct cg_telling *telling, const struct cg_said *said) {
    switch (said->word) {
    case CG_WORD_ADMITTED: return check_admitted(telling, said);
    case CG_WORD_BEGUN: return check_begun(telling, said);
    case CG_WORD_SIGN: cg_engine_sign(telling->engine, &said->addr, said->sign); return CG_TOLD;
    default: return say_of_leg(telling, said);
    }
}
