/* Probes. The hard thing: a probe is to tell something before the deadline and must change nothing. So it is the same
 * request only where that is safe (GET, FETCH) and repair does not make it already; then, and elsewhere, a CoAP ping
 * (RFC 7252 §4.3), which orders nothing and is answered by whoever is there. */
#include "rounds/probe.h"

#include "base/container.h"
#include "rounds/evidence.h"
#include "rounds/wake.h"

enum {
    PROBES_MAX = 8,    /* of a round */
    LEAST_US = 100000, /* shorter than that nobody can be expected to answer */
    LAST_WORDS = 3,    /* the request, a ping, the same ping again */
};

struct cg_probe {
    struct cg_round *round;
    const struct cg_member *member;
    struct cg_addr at;
    struct cg_ask *ask; /* NULL: none is under way */
};

/* What asks tell. */

static struct cg_probe *probe_of(const struct cg_leg *leg) { return leg->owner; }

/* Remembered for the requests of the next minute, too. */
static void note(struct cg_probe *probe, uint32_t signs) {
    cg_evidence_note(probe->round, probe->member, signs);
    cg_signs_end_probe(cg_round_engine(probe->round), &probe->at, signs);
}

static void end_ask(struct cg_probe *probe) {
    struct cg_ask *ask = probe->ask;
    probe->ask = NULL;
    if (ask != NULL) cg_ask_end(cg_round_engine(probe->round), ask);
}

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) { cg_signs_note_asked(engine, &leg->sending.to); }

static void hear(struct cg_engine *engine, struct cg_probe *probe, enum cg_sign sign) {
    cg_account_say(engine, CG_FATE_PROBE);
    note(probe, sign);
    end_ask(probe);
}

static void on_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    bool is_error = arrival->opened->code >= CG_CODE(4, 0);
    hear(engine, probe_of(leg), is_error ? CG_SIGN_DECLINES : CG_SIGN_ANSWERS_UNICAST);
}

/* Whoever had the group request has challenged that one. */
static void on_challenge(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *challenge) {
    (void)challenge;
    hear(engine, probe_of(leg), CG_SIGN_ANSWERS_UNICAST);
}

/* What would be in `rejected` if it were an answer is none; of keys it tells all the same. */
static void on_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    uint32_t signs = cg_evidence_of_refusal(opened, reason);
    (void)from;
    cg_account_say(engine, CG_FATE_PROBE);
    note(probe_of(leg), signs == CG_SIGN_REFUSED || signs == CG_SIGN_PART ? CG_SIGN_ANSWERS_UNICAST : signs);
}

static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    (void)engine, (void)problem;
    probe_of(leg)->ask = NULL;
}

static bool is_wanted(const struct cg_leg *leg) { return cg_round_is_wanted(probe_of(leg)->round); }

static const struct cg_leg_ops probe_ops = {
    .sent = on_sent,
    .answer = on_answer,
    .challenge = on_challenge,
    .refused = on_refused,
    .ended = on_ended,
    .is_wanted = is_wanted,
};

/* Who is asked, and what. */

/* Repair asks itself; POST and the like may have been acted on; what a client has protected is its own. */
static bool may_ask(const struct cg_round *round) {
    const struct cg_mapping *mapping = round->mapping;
    bool is_safe = (CG_METHOD_BIT(round->method) & CG_METHODS_SAFE) != 0;
    return is_safe && !cg_round_observes(round) && round->only == NULL && !mapping->repair_unicast &&
           mapping->security != CG_SECURITY_RELAY;
}

static bool was_seen(const struct cg_probe *probe) {
    const struct cg_round *round = probe->round;
    const uint32_t nothing = CG_SIGN_ASKED | CG_SIGN_PINGED | CG_SIGN_HOLDS_KEYS;
    uint32_t signs = round->evidence.of == NULL ? 0 : round->evidence.of[probe->member->number];
    return ((signs | cg_signs_since(cg_round_engine(round), &probe->at, round->sent_us)) & ~nothing) != 0;
}

static void ask(struct cg_probe *probe) {
    struct cg_round *round = probe->round;
    struct cg_leg_order order = cg_part_order(&round->parts[0]);
    struct cg_problem ignored = {0};
    order.ops = &probe_ops;
    order.owner = probe;
    probe->ask = cg_ask_new(cg_round_engine(round), &order, &probe->at, probe->member->identity, &ignored);
    if (probe->ask != NULL) cg_ask_go(cg_round_engine(round), probe->ask);
}

/* The request is given up for it: one thing at a time is under way to an endpoint (RFC 7252 §4.7). */
static void ping(struct cg_probe *probe) {
    struct cg_engine *engine = cg_round_engine(probe->round);
    if (was_seen(probe) || cg_tally_has_seen(&probe->round->tally, probe->member)) return;
    end_ask(probe);
    uint32_t link = cg_send_link(engine, probe->round->parts[0].target->interface, &probe->at);
    (void)cg_signs_ping(engine, &probe->at, link);
}

static void begin_with(struct cg_round *round, const struct cg_member *member) {
    struct cg_probe *probe = &round->probing.list[round->probing.count];
    *probe = (struct cg_probe){.round = round, .member = member};
    bool is_silent =
        round->only == member ? !cg_tally_has_seen(&round->tally, member) : cg_tally_is_silent(&round->tally, member);
    if (!is_silent || !cg_evidence_address(round, member, &probe->at) || was_seen(probe)) return;
    if (!cg_signs_begin_probe(cg_round_engine(round), &probe->at, round->mapping->protector, CG_PROBE_REST_US)) return;
    round->probing.count++;
    if (may_ask(round)) {
        ask(probe);
    } else {
        ping(probe);
    }
}

static void begin(struct cg_round *round) {
    size_t count;
    const struct cg_member *members = cg_mapping_awaited(round->mapping, round->only, &count);
    round->probing.list = cg_arena_zalloc(&round->arena, (PROBES_MAX + 1) * sizeof *round->probing.list);
    for (size_t i = 0; round->probing.list != NULL && i < count && round->probing.count < PROBES_MAX; i++) {
        begin_with(round, &members[i]);
    }
}

static void go_on(struct cg_round *round) {
    for (size_t i = 0; i < round->probing.count; i++) ping(&round->probing.list[i]);
}

/* Time. */

static void set_timer(struct cg_round *round, uint64_t at_us) {
    struct cg_engine *engine = cg_round_engine(round);
    if (at_us + LEAST_US > round->probing.until_us) return;
    cg_engine_set_timer(engine, &round->probing.timer, at_us);
}

/* Each time half of what is left. */
static void probe_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, probing.timer);
    const char *rule;
    if (!cg_round_is_wanted(round) || cg_round_is_finished(round, &rule)) return;
    if (round->probing.words++ == 0) {
        begin(round);
    } else {
        go_on(round);
    }
    bool has_more = round->probing.count > 0 && round->probing.words < LAST_WORDS;
    if (has_more) set_timer(round, engine->now_us + (round->probing.until_us - engine->now_us) / 2);
}

void cg_probe_plan(struct cg_round *round, uint64_t shortest_us) {
    const struct cg_mapping *mapping = round->mapping;
    bool is_shown = mapping->member_count > 0 || round->only != NULL;
    if (!mapping->repair_probe || !is_shown || round->only_is_stranger || shortest_us == 0) return;
    uint64_t leisure_us = cg_mapping_leisure_us(mapping), half_us = shortest_us / 2;
    uint64_t after_us = leisure_us < half_us ? leisure_us : half_us;
    if (!may_ask(round)) after_us = shortest_us / 4 * 3; /* repair has asked by then */
    round->probing.timer.due = probe_due;
    round->probing.until_us = round->sent_us + shortest_us;
    set_timer(round, round->sent_us + after_us);
}

void cg_probe_end(struct cg_round *round) {
    cg_engine_clear_timer(cg_round_engine(round), &round->probing.timer);
    for (size_t i = 0; i < round->probing.count; i++) end_ask(&round->probing.list[i]);
}
