/* What every leg does. The hard thing: a protector may finish at once, later, or after the leg has ended or has gone on
 * to its next message; so what it promised is a job that names leg and sending, and is ignored when either is gone. */
#include "legs/leg.h"

#include "base/check.h"
#include "legs/outer.h"
#include "legs/tap.h"

#include <stdlib.h>

/* What a promised result of a protector belongs to. */
struct cg_job {
    struct cg_ticket leg;
    uint32_t sending;
    struct cg_addr from;
    uint64_t arrival_us;
    bool owes_ack; /* for a Confirmable answer, once it is verified */
    uint16_t mid;
    struct cg_outer outer;
};

/* Beginning and end. */

bool cg_leg_init(struct cg_engine *engine, struct cg_leg *leg, const struct cg_leg_kind *kind,
                 const struct cg_leg_order *order) {
    if (!cg_slots_add(&engine->legs, leg, &leg->ticket)) return false;
    leg->kind = kind;
    leg->ops = order->ops;
    leg->owner = order->owner;
    leg->timer.due = kind->due;
    leg->config = cg_config_ref(order->config);
    leg->mapping = order->mapping;
    leg->target = order->target;
    leg->request = order->request;
    leg->shares = order->shares;
    leg->hands_on = order->hands_on;
    cg_buf_init(&leg->sending.datagram, CG_DATAGRAM_MAX);
    CG_TAP(engine, begun, leg);
    return true;
}

/* Sendings. */

static void release(const struct cg_leg *leg, struct cg_binding *binding) {
    leg->mapping->protector->ops->release(leg->mapping->protector, binding);
}

static void spend_token(struct cg_engine *engine, struct cg_sending *sending) {
    if (sending->token != NULL) cg_token_spend(engine, sending->token);
    sending->token = NULL;
}

void cg_leg_drop_sending(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_sending *latest = &leg->sending;
    struct cg_binding *binding = latest->binding;
    leg->opening -= latest->opening;
    latest->number = ++leg->numbered; /* first: what the protector delivers as it releases is of the one before */
    latest->binding = NULL;
    latest->request = 0;
    latest->opening = latest->emissions = 0;
    cg_engine_clear_timer(engine, &leg->timer);
    release(leg, binding);
    cg_buf_fini(&latest->datagram);
    cg_buf_init(&latest->datagram, CG_DATAGRAM_MAX);
}

static void drop(struct cg_engine *engine, struct cg_leg *leg, struct cg_sending **link) {
    struct cg_sending *earlier = *link;
    *link = earlier->next; /* first, as above */
    leg->opening -= earlier->opening;
    spend_token(engine, earlier);
    release(leg, earlier->binding);
    free(earlier);
}

void cg_leg_drop_earlier(struct cg_engine *engine, struct cg_leg *leg) {
    for (struct cg_sending **link = &leg->sending.next; *link != NULL;) {
        if ((*link)->opening > 0) {
            link = &(*link)->next;
        } else {
            drop(engine, leg, link);
        }
    }
}

void cg_leg_drop_all(struct cg_engine *engine, struct cg_leg *leg) {
    while (leg->sending.next != NULL) drop(engine, leg, &leg->sending.next);
    spend_token(engine, &leg->sending);
    cg_leg_drop_sending(engine, leg);
}

bool cg_leg_begin_another(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_sending *earlier = malloc(sizeof *earlier);
    if (earlier == NULL) return false;
    cg_engine_clear_timer(engine, &leg->timer);
    cg_buf_fini(&leg->sending.datagram);
    *earlier = leg->sending;
    leg->sending = (struct cg_sending){.next = earlier, .to = earlier->to, .number = ++leg->numbered};
    cg_buf_init(&leg->sending.datagram, CG_DATAGRAM_MAX);
    return true;
}

void cg_leg_take_back(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_sending *earlier = leg->sending.next;
    struct cg_binding *binding = leg->sending.binding;
    CG_CHECK(leg->sending.request == 0 && earlier != NULL);
    cg_engine_clear_timer(engine, &leg->timer);
    spend_token(engine, &leg->sending);
    cg_buf_fini(&leg->sending.datagram);
    leg->sending = *earlier;
    free(earlier);
    release(leg, binding);
}

void cg_leg_start_over(struct cg_engine *engine, struct cg_leg *leg) {
    bool is_out = leg->sending.request != 0;
    if (leg->token == NULL) {
        cg_leg_drop_all(engine, leg);
    } else if (!is_out || !cg_leg_begin_another(engine, leg)) {
        spend_token(engine, &leg->sending);
        cg_leg_drop_sending(engine, leg);
    }
}

struct cg_sending *cg_leg_sending_of(struct cg_leg *leg, const struct cg_token_entry *token, const struct cg_msg *msg) {
    struct cg_sending *latest = NULL;
    for (struct cg_sending *sending = &leg->sending; sending != NULL; sending = sending->next) {
        if (sending->token != token || sending->request == 0) continue;
        if (msg->type != CG_ACK || msg->mid == sending->mid) return sending;
        if (latest == NULL) latest = sending;
    }
    return latest;
}

/* Tokens. */

static struct cg_token_entry *make_token(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_token_entry *token = cg_token_make(engine, leg->mapping->stats);
    if (token != NULL) token->leg = leg;
    return token;
}

static struct cg_token_entry *share_token(struct cg_leg *leg) {
    CG_CHECK(leg->shares->token != NULL); /* it observes */
    leg->shares->token->sharers++;
    return cg_token_hold(leg->shares->token);
}

bool cg_leg_take_token(struct cg_engine *engine, struct cg_leg *leg) {
    bool lasts = leg->request->observes || leg->shares != NULL;
    if (!lasts) {
        leg->sending.token = make_token(engine, leg);
        return leg->sending.token != NULL;
    }
    if (leg->token == NULL) leg->token = leg->shares != NULL ? share_token(leg) : make_token(engine, leg);
    if (leg->token == NULL) return false;
    leg->sending.token = cg_token_hold(leg->token);
    return true;
}

static void give_up_token(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_token_entry *token = leg->token;
    if (token == NULL) return;
    leg->token = NULL;
    if (token->leg == leg) {
        cg_token_disown(token);
    } else {
        token->sharers--;
    }
    cg_token_spend(engine, token);
}

static struct cg_sending *find_sending(struct cg_leg *leg, uint32_t number) {
    struct cg_sending *sending = &leg->sending;
    while (sending != NULL && sending->number != number) sending = sending->next;
    return sending;
}

void cg_leg_fini(struct cg_engine *engine, struct cg_leg *leg) {
    cg_slots_remove(&engine->legs, leg->ticket); /* what the protector still delivers finds nothing */
    cg_leg_drop_all(engine, leg);
    give_up_token(engine, leg);
    cg_buf_fini(&leg->sending.datagram);
    cg_config_unref(leg->config);
}

/* Jobs. */

/* The number that the next CG_PENDING will be known by; 0: out of memory. */
static uint64_t spare_job(struct cg_engine *engine) {
    if (engine->spare_job != NULL) return engine->spare_number;
    struct cg_job *job = calloc(1, sizeof *job);
    struct cg_ticket ticket;
    if (job == NULL || !cg_slots_add(&engine->jobs, job, &ticket)) {
        free(job);
        return 0;
    }
    engine->spare_job = job;
    engine->spare_number = cg_ticket_number(ticket);
    return engine->spare_number;
}

/* What that number stands for from now on. */
static void use_job(struct cg_engine *engine, const struct cg_job *job) {
    *engine->spare_job = *job;
    engine->spare_job = NULL;
}

/* False: stale. */
static bool end_job(struct cg_engine *engine, uint64_t number, struct cg_job *job) {
    struct cg_ticket ticket = cg_ticket_from_number(number);
    struct cg_job *found = cg_slots_get(&engine->jobs, ticket);
    if (found == NULL || found == engine->spare_job) return false;
    *job = *found;
    cg_slots_remove(&engine->jobs, ticket);
    free(found);
    return true;
}

/* NULL: it has ended, or has gone on to its next message and does not wait for this one. */
static struct cg_leg *leg_of(const struct cg_engine *engine, const struct cg_job *job, struct cg_sending **sending) {
    struct cg_leg *leg = cg_slots_get(&engine->legs, job->leg);
    *sending = leg == NULL ? NULL : find_sending(leg, job->sending);
    return *sending == NULL ? NULL : leg;
}

void cg_legs_fini(struct cg_engine *engine) {
    for (uint32_t i = 0; i < engine->jobs.cap; i++) free(engine->jobs.slots[i].item);
    cg_slots_fini(&engine->jobs);
    cg_slots_fini(&engine->legs);
}

/* The way out. */

static void conclude_sealing(struct cg_engine *engine, struct cg_leg *leg, int err, const struct cg_problem *problem) {
    struct cg_problem incomplete = {0};
    if (err == CG_OK) {
        err = cg_sealed_check(&leg->sending.datagram, &incomplete);
        problem = &incomplete;
    }
    leg->kind->sealed(engine, leg, err, problem);
}

static struct cg_binding *latest_binding(const struct cg_sending *sending) {
    while (sending != NULL && sending->binding == NULL) sending = sending->next;
    return sending == NULL ? NULL : sending->binding;
}

/* Of the request before on the same token. */
static struct cg_binding *joined(const struct cg_leg *leg) {
    if (leg->token == NULL) return NULL;
    struct cg_binding *own = latest_binding(leg->sending.next);
    return own != NULL || leg->shares == NULL ? own : latest_binding(&leg->shares->sending);
}

void cg_leg_seal(struct cg_engine *engine, struct cg_leg *leg, struct cg_opts options, struct cg_slice identity) {
    const struct cg_leg_request *request = leg->request;
    struct cg_sending *sending = &leg->sending;
    struct cg_sealing sealing = {
        .mapping = leg->mapping,
        .target = leg->target,
        .type = leg->kind->type,
        .method = request->method,
        .is_for_one = request->is_for_one,
        .mid = sending->mid,
        .token = cg_token_of(sending->token),
        .options = options,
        .payload = request->payload,
        .client = request->client,
        .origin = request->origin,
        .identity = identity,
        .joins = joined(leg),
    };
    struct cg_problem problem = {0};
    struct cg_protector *protector = leg->mapping->protector;
    uint64_t job = spare_job(engine);
    int err = job == 0
                  ? cg_problem_no_memory(&problem)
                  : protector->ops->seal(protector, &sealing, job, &sending->datagram, &sending->binding, &problem);
    if (err == CG_PENDING) {
        use_job(engine, &(struct cg_job){.leg = leg->ticket, .sending = sending->number});
    } else {
        conclude_sealing(engine, leg, err, &problem);
    }
}

void cg_engine_sealed(struct cg_engine *engine, uint64_t number, int err, struct cg_slice datagram,
                      const struct cg_problem *problem) {
    struct cg_job job;
    if (!end_job(engine, number, &job)) return;
    struct cg_sending *sending;
    struct cg_leg *leg = leg_of(engine, &job, &sending);
    if (leg == NULL || sending != &leg->sending) return;
    cg_buf_put_slice(&leg->sending.datagram, datagram);
    conclude_sealing(engine, leg, err, problem);
}

bool cg_leg_is_stale(const struct cg_leg *leg) {
    struct cg_protector *protector = leg->mapping->protector;
    return protector->ops->is_stale != NULL && protector->ops->is_stale(protector, leg->sending.binding);
}

int cg_leg_emit(struct cg_engine *engine, struct cg_leg *leg, const struct cg_route *route,
                struct cg_problem *problem) {
    struct cg_sending *sending = &leg->sending;
    int err = cg_protector_emit(leg->mapping->protector, sending->binding, engine->port, route,
                                cg_buf_slice(&sending->datagram), problem);
    if (err < 0) return err;
    sending->emissions++;
    CG_TAP(engine, emitted, leg, route);
    if (sending->request != 0) return CG_OK;
    sending->request = ++engine->requests;
    sending->sent_us = engine->now_us;
    return CG_OK;
}

/* The way in. */

/* Silence may be kept towards whoever has not proven anything (RFC 7252 §4.2); what is verified is acknowledged,
 * wherever it is from. */
static void pay_acknowledgement(struct cg_engine *engine, const struct cg_job *job, int err,
                                const struct cg_opened *opened) {
    if (!job->owes_ack || err < 0 || opened->verified != CASTGATE_VERIFIED_SOURCE) return;
    cg_engine_send_empty(engine, &job->from, CG_ACK, job->mid);
}

/* Where nothing protects the answer it is among its options already. */
static bool has_outer(const struct cg_leg *leg, const struct cg_opened *opened) {
    return leg->hands_on && opened->verified == CASTGATE_VERIFIED_SOURCE;
}

static void conclude_opening(struct cg_engine *engine, struct cg_leg *leg, const struct cg_sending *sending,
                             const struct cg_job *job, int err, const struct cg_opened *opened) {
    pay_acknowledgement(engine, job, err, opened);
    if (err < 0) {
        cg_leg_tell_refused(engine, leg, &job->from, opened, cg_err_info(err)->slug);
        return;
    }
    struct cg_opened handed_on = *opened;
    struct cg_buf room;
    cg_buf_init(&room, 0);
    if (has_outer(leg, opened) && !cg_outer_add(&job->outer, leg, &handed_on, &room)) {
        cg_buf_fini(&room);
        cg_leg_tell_refused(engine, leg, &job->from, opened, cg_err_info(CG_E_NO_MEMORY)->slug);
        return;
    }
    struct cg_arrival arrival = {.from = job->from,
                                 .request = sending->request,
                                 .sent_us = sending->sent_us,
                                 .arrival_us = job->arrival_us,
                                 .mid = job->mid,
                                 .opened = &handed_on,
                                 .via = leg->kind->via};
    leg->kind->opened(engine, leg, sending, &arrival);
    cg_buf_fini(&room);
}

static bool acknowledge(struct cg_engine *engine, const struct cg_leg *leg, const struct cg_addr *to, uint16_t mid) {
    bool may = leg->kind->may_acknowledge(engine, to);
    if (may) cg_engine_send_empty(engine, to, CG_ACK, mid);
    return may;
}

void cg_leg_receive(struct cg_engine *engine, struct cg_leg *leg, struct cg_sending *sending,
                    const struct cg_datagram *datagram, const struct cg_msg *msg) {
    struct cg_job arrived = {.leg = leg->ticket,
                             .sending = sending->number,
                             .from = datagram->from,
                             .arrival_us = datagram->arrival_us,
                             .mid = msg->mid};
    cg_outer_keep(&arrived.outer, leg, msg);
    if (msg->type == CG_CON) arrived.owes_ack = !acknowledge(engine, leg, &datagram->from, msg->mid);
    struct cg_opening opening = {
        .binding = sending->binding, .from = datagram->from, .msg = msg, .datagram = datagram->bytes};
    struct cg_opened opened = {0};
    struct cg_protector *protector = leg->mapping->protector;
    uint64_t job = spare_job(engine);
    int err = job == 0 ? CG_E_NO_MEMORY : protector->ops->open(protector, &opening, job, &opened);
    if (err == CG_PENDING) {
        sending->opening++;
        leg->opening++;
        CG_TAP(engine, opening, leg);
        cg_account_postpone(engine);
        use_job(engine, &arrived);
    } else {
        conclude_opening(engine, leg, sending, &arrived, err, &opened);
    }
}

void cg_engine_opened(struct cg_engine *engine, uint64_t number, int err, const struct cg_opened *opened) {
    struct cg_job job;
    if (!end_job(engine, number, &job)) return;
    struct cg_account other = engine->account; /* protectors deliver what they have when they are released, too */
    struct cg_sending *sending;
    struct cg_leg *leg = leg_of(engine, &job, &sending);
    cg_account_begin(engine, CG_FATE_LATE);
    if (leg != NULL) {
        sending->opening--;
        leg->opening--;
        conclude_opening(engine, leg, sending, &job, err, opened);
    }
    cg_account_end(engine);
    engine->account = other;
}
