/* Next hops. The hard thing: whatever comes on the token is the next hop's or some member's behind it, and only
 * Reply-From tells; and who a member is there is its word, so it counts for that next hop's group alone. */
#include "rounds/hops.h"

#include "base/text.h"
#include "legs/ask.h"
#include "legs/connection.h"
#include "legs/early_stop.h"
#include "rounds/casts.h"
#include "rounds/evidence.h"
#include "rounds/hop_options.h"
#include "rounds/hop_watch.h"
#include "rounds/intake.h"
#include "rounds/wake.h"
#include "rounds/watch.h"
#include "wire/cri.h"

enum { KEY_HEAD = 2 /* the target's number, before Reply-From */, REPLY_FROM_MAX = 1034 /* GCP §3 */ };

/* Time */

int cg_hops_check(const struct cg_wish *wish, struct cg_problem *problem) {
    uint32_t ignored;
    for (size_t i = 0; i < wish->mapping->target_count; i++) {
        const struct cg_target *target = &wish->mapping->targets[i];
        if (!cg_target_is_hop(target) || cg_hop_timeout(target, wish->timeout_us, &ignored)) continue;
        problem->least_timeout = target->next_hop.round_trip_s + 1;
        return cg_problem_set(
            problem, CG_E_PROXYING,
            "the next hop %s would have no time to collect answers: Multicast-Timeout must be %u s at "
            "least",
            target->next_hop.uri, (unsigned)problem->least_timeout);
    }
    return CG_OK;
}

/* Failure */

static bool have_all_failed(const struct cg_round *round) {
    size_t i = 0;
    while (i < round->part_count && round->parts[i].state == CG_PART_FAILED) i++;
    return i == round->part_count;
}

/* `said`: with its own word, or nothing. */
static void refuse_word(struct cg_part *part, const struct cg_opened *said, const char *reason) {
    const struct cg_addr from = part->hop_addr;
    part->hop_is_told = true;
    cg_round_refuse(part->round, &from, said, reason);
}

static void refuse(struct cg_part *part, const char *reason) { refuse_word(part, &(struct cg_opened){0}, reason); }

/* It will not answer, or no more; `said` as above. */
static void fail_by_word(struct cg_part *part, const struct cg_problem *problem, const struct cg_opened *said) {
    struct cg_round *round = part->round;
    if (round->state == CG_ROUND_CASTS) {
        cg_casts_fail(part, problem);
        return;
    }
    part->state = CG_PART_FAILED;
    if (have_all_failed(round) && round->tally.answered == 0) {
        round->problem = *problem;
        cg_round_wake_all(round);
    } else {
        refuse_word(part, said, cg_err_info(problem->err)->slug);
    }
}

static void fail(struct cg_part *part, const struct cg_problem *problem) {
    fail_by_word(part, problem, &(struct cg_opened){0});
}

void cg_hops_end_one(struct cg_part *part) {
    struct cg_ask *ask = part->hop;
    part->hop = NULL;
    if (ask != NULL) cg_ask_end(cg_round_engine(part->round), ask);
}

/* The next hop's own word */

static void say_needed_time(struct cg_problem *problem, const struct cg_part *part, uint32_t needed_s) {
    const struct cg_next_hop *next_hop = &part->target->next_hop;
    uint64_t least = (uint64_t)needed_s + next_hop->round_trip_s;
    problem->least_timeout = least < UINT32_MAX ? (uint32_t)least : UINT32_MAX;
    cg_problem_set(problem, CG_E_PROXYING,
                   "the next hop %s has too little time: Multicast-Timeout must be %u s at least", next_hop->uri,
                   (unsigned)problem->least_timeout);
}

static void say_error(struct cg_problem *problem, const struct cg_part *part, const struct cg_opened *said) {
    const struct cg_msg msg = {.options = said->options};
    int err = CG_E_HOP_REFUSED;
    uint32_t needed_s, wait_s;
    if (said->code == cg_err_info(CG_E_PROXYING)->coap_code) {
        uint16_t number = part->round->config->options.multicast_timeout;
        if (cg_msg_find_uint(&msg, number, &needed_s)) {
            say_needed_time(problem, part, needed_s);
            return;
        }
        err = CG_E_PROXYING;
    }
    if (said->code == cg_err_info(CG_E_HOP_LIMIT)->coap_code) err = CG_E_HOP_LIMIT;
    if (said->code == cg_err_info(CG_E_OVERLOAD)->coap_code || said->code == cg_err_info(CG_E_RATE)->coap_code) {
        err = CG_E_OVERLOAD;
        problem->retry_after = cg_msg_find_uint(&msg, CG_OPT_MAX_AGE, &wait_s) ? wait_s : 1;
    }
    size_t len = cg_utf8_valid(said->payload) ? said->payload.len : 0;
    cg_problem_set(problem, err, "the next hop %s says %u.%02u%s%.*s", part->target->next_hop.uri, said->code >> 5u,
                   said->code & 31u, len > 0 ? ": " : "", (int)(len < 200 ? len : 200),
                   len > 0 ? (const char *)said->payload.data : "");
}

/* RFC 9175 §2.3: it wants to see that its client is where it seems to be. */
static bool is_challenge(const struct cg_opened *said, struct cg_opened *challenge) {
    const struct cg_msg msg = {.options = said->options};
    *challenge = (struct cg_opened){.code = said->code};
    return said->code == CG_CODE(4, 1) && cg_msg_find(&msg, CG_OPT_ECHO, &challenge->echo) && challenge->echo.len > 0 &&
           challenge->echo.len <= CG_ECHO_MAX;
}

/* Those behind it are observed no more; the others are. */
static void lose(struct cg_part *part, int err) {
    if (cg_hop_watch_lose(part)) refuse(part, cg_err_info(err)->slug);
}

static void hear_own_word(struct cg_part *part, const struct cg_opened *said) {
    struct cg_problem problem = {0};
    struct cg_opened challenge;
    if (is_challenge(said, &challenge)) {
        cg_ask_answer_challenge(cg_round_engine(part->round), part->hop, &challenge);
    } else if (said->code < CG_CODE(4, 0)) {
        cg_round_refuse(part->round, &part->hop_addr, said, "no-reply-from");
    } else {
        say_error(&problem, part, said);
        if (cg_hop_watch_is_on(part)) { /* RFC 7641 §4.2 */
            lose(part, problem.err);
            return;
        }
        const struct cg_opened word = {.code = said->code, .payload = cg_slice_str(problem.detail)};
        cg_hops_end_one(part);
        fail_by_word(part, &problem, &word);
    }
}

/* Members' answers */

bool cg_hops_find_address(struct cg_slice reply_from, struct cg_addr *addr) {
    struct cg_buf text;
    struct cg_uri uri;
    cg_buf_init(&text, 0);
    bool is_known = cg_cri_parse(reply_from, &text) == CG_OK &&
                    cg_uri_parse(&uri, cg_buf_slice(&text), NULL) == CG_OK && uri.scheme == CG_SCHEME_COAP &&
                    uri.addr.family != CG_FAMILY_NONE;
    if (is_known) *addr = uri.addr;
    cg_buf_fini(&text);
    return is_known;
}

/* (target, Reply-From) */
static struct cg_slice key_of(const struct cg_part *part, struct cg_slice reply_from, uint8_t *key) {
    size_t number = (size_t)(part->target - part->round->mapping->targets);
    key[0] = (uint8_t)(number >> 8u);
    key[1] = (uint8_t)number;
    memcpy(key + KEY_HEAD, reply_from.data, reply_from.len);
    return cg_slice_of(key, KEY_HEAD + reply_from.len);
}

static void hand_on(struct cg_part *part, const struct cg_arrival *arrival, struct cg_slice reply_from) {
    uint8_t key[KEY_HEAD + REPLY_FROM_MAX];
    struct cg_opened opened = *arrival->opened;
    struct cg_arrival of_member = cg_arrival_after(arrival, part->round->sent_us);
    struct cg_who who = {0};
    if (reply_from.len > REPLY_FROM_MAX) {
        cg_round_refuse(part->round, &arrival->from, &opened, cg_err_info(CG_E_BAD_OPTION)->slug);
        return;
    }
    of_member.via = CASTGATE_VIA_NEXT_HOP;
    of_member.opened = &opened;
    if (cg_hops_find_address(reply_from, &of_member.from))
        cg_who_decide(&who, part->round->mapping, &of_member.from, opened.identity);
    if (opened.identity.len == 0 && who.member == NULL) opened.identity = key_of(part, reply_from, key);
    cg_round_take(part, &of_member);
}

/* What legs tell */

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_part *part = leg->owner;
    part->hop_until_us = engine->now_us + (uint64_t)part->hop_s * 1000000;
    cg_casts_note_sent(part);
    cg_watch_sent(part->round);
}

/* A registration could not go out once more. */
static void on_unsent(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    struct cg_part *part = leg->owner;
    (void)engine;
    if (part->round->closed) {
        cg_watch_unsent(part->round);
    } else {
        lose(part, problem->err);
    }
}

/* It has not acknowledged what was sent, however often. */
static void on_rests(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_part *part = leg->owner;
    (void)engine;
    if (cg_round_observes(part->round) && !part->round->closed) lose(part, CG_E_NEXT_HOP);
}

static void on_acknowledged(struct cg_engine *engine, struct cg_leg *leg) {
    (void)engine;
    ((struct cg_part *)leg->owner)->hop_is_heard = true;
}

static bool finds_reply_from(const struct cg_part *part, const struct cg_opened *opened, struct cg_slice *reply_from) {
    const struct cg_msg msg = {.options = opened->options};
    return cg_msg_find(&msg, part->round->config->options.reply_from, reply_from) && reply_from->len > 0;
}

static void on_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct cg_part *part = leg->owner;
    struct cg_slice reply_from;
    (void)engine;
    part->hop_is_heard = true;
    if (part->round->closed) return;
    if (finds_reply_from(part, arrival->opened, &reply_from)) {
        hand_on(part, arrival, reply_from);
    } else {
        hear_own_word(part, arrival->opened);
    }
}

/* Where members' answers are protected, what the next hop says by itself is not. */
static void on_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    struct cg_part *part = leg->owner;
    struct cg_slice ignored;
    bool is_plain = reason == cg_err_info(CG_E_UNPROTECTED)->slug && opened->code != CG_EMPTY;
    (void)engine;
    if (!part->round->closed && is_plain && !finds_reply_from(part, opened, &ignored)) {
        hear_own_word(part, opened);
    } else {
        cg_round_refuse(part->round, from, opened, reason);
    }
}

/* A member's, which nobody can answer from here. */
static void on_challenge(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct cg_part *part = leg->owner;
    (void)engine;
    cg_evidence_note_challenge(part->round, arrival);
    cg_round_refuse(part->round, &arrival->from, arrival->opened, "challenged");
}

/* NULL: it does not listen, or does not want to. */
static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    struct cg_part *part = leg->owner;
    struct cg_problem nobody = {0};
    (void)engine;
    if (problem == NULL) {
        cg_problem_set(&nobody, CG_E_NEXT_HOP, "the next hop %s refuses messages", part->target->next_hop.uri);
        problem = &nobody;
    }
    part->hop = NULL;
    if (cg_hop_watch_is_on(part)) {
        lose(part, problem->err);
    } else {
        fail(part, problem);
    }
}

static bool is_wanted(const struct cg_leg *leg) {
    return leg->request->cancels || cg_round_is_wanted(((const struct cg_part *)leg->owner)->round);
}

static const struct cg_leg_ops hop_ops = {.sent = on_sent,
                                          .answer = on_answer,
                                          .challenge = on_challenge,
                                          .refused = on_refused,
                                          .ended = on_ended,
                                          .unsent = on_unsent,
                                          .rests = on_rests,
                                          .acknowledged = on_acknowledged,
                                          .is_wanted = is_wanted};

/* Beginning and end */

static struct cg_ask *ask_it(struct cg_part *part, struct cg_problem *problem) {
    struct cg_engine *engine = cg_round_engine(part->round);
    struct cg_leg_order order = cg_part_order(part);
    order.ops = &hop_ops;
    order.hands_on = true;
    if (cg_connection_find(engine, &part->target->next_hop, &part->hop_addr, problem) < 0) return NULL;
    return cg_ask_new(engine, &order, &part->hop_addr, CG_SLICE_NONE, problem);
}

static void ask_hop(struct cg_part *part) {
    struct cg_engine *engine = cg_round_engine(part->round);
    struct cg_problem problem = {0};
    struct cg_ask *ask = ask_it(part, &problem);
    if (ask == NULL) {
        fail(part, &problem);
        return;
    }
    ask->patience = CG_ASK_HEARS_MANY;
    part->hop = ask;
    bool is_waited_for = part->hop_s > 0 && part->request->expects_answers;
    if (is_waited_for) part->state = CG_PART_SENT; /* as if: its turn there may take its time */
    cg_ask_go(engine, ask);
}

void cg_hops_begin(struct cg_part *part, uint64_t timeout_us) {
    (void)cg_hop_timeout(part->target, timeout_us, &part->hop_s);
    ask_hop(part);
}

void cg_hops_ask_anew(struct cg_part *part) {
    cg_hops_end_one(part);
    part->hop_is_heard = false;
    ask_hop(part);
}

static bool is_silent(const struct cg_part *part) {
    return part->hop != NULL && part->hop_s > 0 && !part->hop_is_heard && !part->hop_is_told;
}

static bool is_lost(const struct cg_part *part) {
    return part->state == CG_PART_FAILED || (part->hop != NULL && part->hop_is_told);
}

void cg_hops_conclude(struct cg_round *round, struct cg_problem *problem) {
    const struct cg_next_hop *silent = NULL;
    size_t lost = 0;
    for (size_t i = 0; i < round->part_count; i++) {
        struct cg_part *part = &round->parts[i];
        if (is_silent(part)) refuse(part, cg_err_info(CG_E_NEXT_HOP)->slug);
        if (part->hop != NULL && part->hop_is_told) silent = &part->target->next_hop;
        lost += is_lost(part);
    }
    if (silent == NULL || lost < round->part_count || round->tally.answered > 0) return;
    cg_problem_set(problem, CG_E_NEXT_HOP, "the next hop %s has not acknowledged the request", silent->uri);
}

/* Or observes, and has not been told that it need not. */
static bool still_collects(const struct cg_part *part) {
    const struct cg_leg_request *request = part->hop->leg.request;
    bool has_time = cg_round_engine(part->round)->now_us < part->hop_until_us;
    return part->hop_is_heard && !request->cancels && (has_time || request->observes);
}

static void end_early(struct cg_part *part) {
    if (part->hop != NULL && still_collects(part)) cg_early_stop_send(cg_round_engine(part->round), part->hop);
    cg_hops_end_one(part);
}

void cg_hops_end(struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) end_early(&round->parts[i]);
}

void cg_hops_end_unregistered(struct cg_round *round) {
    for (size_t i = 0; i < round->part_count; i++) {
        if (!cg_hop_watch_is_registered(&round->parts[i])) end_early(&round->parts[i]);
    }
}
