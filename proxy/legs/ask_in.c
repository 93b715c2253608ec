/* What comes to asks. The hard thing: an answer may come on the ACK, or separately after an empty ACK, to any of the
 * requests that went out for the same, and must come from the endpoint that was asked; and who is believed for what
 * depends on whether answers are verified. */
#include "legs/ask_inside.h"

#include "base/check.h"
#include "legs/tap.h"
#include "wire/transmission.h"

#include <string.h>

/* Measuring. */

/* Of what was repeated only the first request tells anything: later ones wait long between their datagrams. */
static void measure(struct cg_engine *engine, const struct cg_ask *ask, const struct cg_sending *sending,
                    uint64_t arrival_us) {
    enum cg_rtt_sample kind = sending->emissions == 1 ? CG_RTT_CLEAR : CG_RTT_AT_MOST;
    bool is_first = sending->next == NULL, is_before = arrival_us < sending->sent_us; /* by clocks of two threads */
    if (is_before || (kind == CG_RTT_AT_MOST && !is_first)) return;
    cg_rtt_note(&ask->turn.endpoint->rtt, kind, arrival_us - sending->sent_us, engine->now_us);
}

/* What comes after an acknowledgement has taken the time that the member worked for it, not that of the way. */
static void measure_answer(struct cg_engine *engine, const struct cg_ask *ask, const struct cg_sending *sending,
                           const struct cg_arrival *arrival) {
    bool is_piggybacked = arrival->mid == sending->mid;
    if (ask->acknowledged || (cg_ask_stays(ask) && (ask->answered || !is_piggybacked)))
        return; /* a later one may be it */
    measure(engine, ask, sending, arrival->arrival_us);
}

/* Empty messages. */

static const struct cg_sending *sending_with(const struct cg_turn *turn, uint16_t mid) {
    const struct cg_ask *ask = CG_CONTAINER(turn, struct cg_ask, turn);
    const struct cg_sending *sending = ask->answered ? NULL : &ask->leg.sending; /* its MIDs may come again */
    while (sending != NULL && (sending->token == NULL || sending->mid != mid)) sending = sending->next;
    return sending;
}

bool cg_ask_is_about(const struct cg_turn *turn, uint16_t mid) {
    const struct cg_sending *sending = sending_with(turn, mid);
    return sending != NULL && sending->request != 0;
}

static bool is_to_be_repeated(const struct cg_ask *ask) {
    bool is_out = ask->leg.sending.request != 0;
    return ask->leg.timer.deadline.is_set || (is_out && ask->room.state == CG_ROOM_WAITS);
}

/* By who answers for many: what is observed is registered there. */
static void be_taken(struct cg_engine *engine, struct cg_ask *ask) {
    ask->observed = ask->leg.request->observes;
    cg_leg_drop_earlier(engine, &ask->leg);
}

/* The answer follows; the owner's deadline bounds the wait. */
static void be_acknowledged(struct cg_engine *engine, struct cg_ask *ask, uint16_t mid) {
    bool verifies = ask->leg.mapping->security == CG_SECURITY_GROUP;
    if (ask->acknowledged || !is_to_be_repeated(ask)) return;
    ask->acknowledged = true;
    cg_room_return(engine, &ask->room);
    cg_engine_clear_timer(engine, &ask->leg.timer);
    if (cg_ask_hears_many(ask)) {
        measure(engine, ask, sending_with(&ask->turn, mid), engine->now_us);
        be_taken(engine, ask);
        cg_ask_fall_silent(engine, ask);
        cg_leg_tell_acknowledged(engine, &ask->leg);
    } else if (verifies) {
        cg_engine_set_timer(engine, &ask->leg.timer, engine->now_us + 2 * ask->timeout_us);
    } else {
        measure(engine, ask, sending_with(&ask->turn, mid), engine->now_us);
    }
}

/* It was to be answered, and will not be. */
static void expect_no_answer(struct cg_engine *engine, struct cg_ask *ask) {
    if (ask->observed) {
        cg_ask_rest(engine, ask);
    } else {
        cg_ask_give_up(engine, ask);
    }
}

/* Where answers are verified nobody is believed who only knows a MID: a Reset changes nothing, and an acknowledgement
 * puts the next datagram off, once, and measures nothing. Elsewhere both are what RFC 7252 §4.2 says. */
void cg_ask_hear(struct cg_engine *engine, struct cg_turn *turn, uint16_t mid, enum cg_type type) {
    struct cg_ask *ask = cg_ask_of_turn(turn);
    bool verifies = ask->leg.mapping->security == CG_SECURITY_GROUP;
    if (type == CG_ACK) {
        be_acknowledged(engine, ask, mid);
    } else if (!verifies) {
        expect_no_answer(engine, ask);
    }
}

/* Connections. */

bool cg_ask_is_among(const struct cg_turn *turn, uint64_t requests) {
    const struct cg_sending *sending = &CG_CONTAINER(turn, struct cg_ask, turn)->leg.sending;
    return sending->request != 0 && sending->request <= requests;
}

void cg_ask_reach(struct cg_engine *engine, struct cg_turn *turn, uint64_t requests) {
    struct cg_ask *ask = cg_ask_of_turn(turn);
    if (ask->acknowledged || ask->answered || !cg_ask_is_among(turn, requests)) return;
    ask->acknowledged = true;
    if (!cg_ask_hears_many(ask)) return;
    be_taken(engine, ask);
    cg_leg_tell_acknowledged(engine, &ask->leg);
}

/* What comes back. */

/* RFC 7252 §5.3.2: from the endpoint that was asked. */
int cg_ask_fits(const struct cg_leg *leg, const struct cg_sending *sending, const struct cg_datagram *datagram,
                const struct cg_msg *msg) {
    (void)leg;
    if (!cg_addr_equal(&datagram->from, &sending->to)) return CG_E_SOURCE;
    return msg->type != CG_ACK || msg->mid == sending->mid ? CG_OK : CG_E_MID;
}

bool cg_ask_take_challenge(struct cg_ask *ask, const struct cg_opened *challenge) {
    CG_CHECK(challenge->echo.len <= sizeof ask->echo);
    if (ask->challenges_left == 0) return false;
    ask->challenges_left--;
    memcpy(ask->echo, challenge->echo.data, challenge->echo.len);
    ask->echo_len = (uint8_t)challenge->echo.len;
    if (ask->identity.len == 0) ask->identity = cg_arena_copy(ask->arena, challenge->identity);
    return ask->identity.len == challenge->identity.len;
}

/* The member did not act on the request, which is therefore made again, whether it was for all or for a block (RFC 9175
 * §2.3). One that challenges the Echo itself may have acted on that request; it is given up, unless nothing can come of
 * it. */
void cg_ask_answer_challenge(struct cg_engine *engine, struct cg_ask *ask, const struct cg_opened *challenge) {
    if (cg_ask_take_challenge(ask, challenge)) {
        cg_ask_request_again(engine, ask);
    } else {
        expect_no_answer(engine, ask);
    }
}

/* Who answers for many tells of others on the token while a renewal is under way: that is acknowledged by itself. */
static bool is_of_earlier(const struct cg_ask *ask, const struct cg_sending *sending,
                          const struct cg_arrival *arrival) {
    return cg_ask_hears_many(ask) && ask->observed && arrival->mid != sending->mid;
}

/* What is not out yet is not what was answered. */
static void be_answered(struct cg_engine *engine, struct cg_ask *ask) {
    if (!cg_ask_stays(ask) || ask->renews || !ask->turn.flies) return;
    ask->answered = ask->observed = true;
    cg_ask_take_back(engine, ask);
    cg_leg_drop_earlier(engine, &ask->leg);
    cg_ask_fall_silent(engine, ask);
}

void cg_ask_opened(struct cg_engine *engine, struct cg_leg *leg, const struct cg_sending *sending,
                   const struct cg_arrival *arrival) {
    struct cg_ask *ask = cg_ask_of(leg);
    const struct cg_opened *opened = arrival->opened;
    if (ask->identity.len > 0 && !cg_slice_equal(opened->identity, ask->identity)) {
        cg_leg_tell_refused(engine, leg, &arrival->from, opened, cg_err_info(CG_E_SENDER)->slug);
        return; /* whoever sent that, the member may not have: it is asked on */
    }
    measure_answer(engine, ask, sending, arrival);
    cg_endpoint_prove(engine, ask->turn.endpoint);
    if (opened->echo.len > 0) {
        cg_account_say(engine, CG_FATE_CHALLENGE);
        cg_leg_tell_challenge(engine, leg, arrival);
    } else {
        if (!is_of_earlier(ask, sending, arrival)) be_answered(engine, ask);
        cg_leg_tell_answer(engine, leg, arrival);
    }
}

/* Hints: what the member, or anybody, says unprotected. */

bool cg_ask_is_hint(const struct cg_leg *leg, const struct cg_opened *opened, const char *reason) {
    bool says_why = opened->code == CG_CODE(4, 0) || opened->code == CG_CODE(4, 1) || opened->code == CG_CODE(4, 2);
    return says_why && leg->mapping->security == CG_SECURITY_GROUP && reason == cg_err_info(CG_E_UNPROTECTED)->slug;
}

bool cg_ask_follow_hint(struct cg_engine *engine, struct cg_ask *ask) {
    bool is_on_its_way = ask->leg.sending.request == 0; /* the next is being made */
    bool has_said_all = ask->rests || ask->repeats == CG_MAX_RETRANSMIT;
    if (is_on_its_way || has_said_all || !cg_ask_may_be_renewed(engine, ask)) return false;
    ask->is_doubted = ask->is_prompted = true;
    cg_ask_say_again(engine, ask);
    return true;
}
