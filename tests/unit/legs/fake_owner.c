#include "legs/fake_owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"

struct cg_binding {
    unsigned number;
};

/* Keys */

static struct joining *keys_of(struct cg_protector *protector) {
    return CG_CONTAINER(protector, struct joining, protector);
}

static int join_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                     struct cg_binding **binding, struct cg_problem *problem) {
    struct joining *keys = keys_of(protector);
    if (!keys->seals_later) {
        int err = cg_sealing_emit(sealing, out, problem);
        if (err < 0) return err;
    }
    *binding = malloc(sizeof **binding);
    assert_non_null(*binding);
    (*binding)->number = keys->number = ++keys->made;
    keys->joins = sealing->joins == NULL ? 0 : sealing->joins->number;
    keys->seal_job = job;
    return keys->seals_later ? CG_PENDING : CG_OK;
}

static int join_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                     struct cg_opened *opened) {
    struct joining *keys = keys_of(protector);
    keys->opened_with = opening->binding->number;
    keys->open_job = job;
    if (keys->opens_later) return CG_PENDING;
    *opened = (struct cg_opened){.code = opening->msg->code,
                                 .options = opening->msg->options,
                                 .payload = opening->msg->payload,
                                 .verified = CASTGATE_VERIFIED_SOURCE};
    bool challenges = opened->code == CG_CODE(4, 1) && cg_msg_find(opening->msg, CG_OPT_ECHO, &opened->echo);
    (void)challenges;
    return CG_OK;
}

static bool join_is_stale(struct cg_protector *protector, const struct cg_binding *binding) {
    return binding->number <= keys_of(protector)->stale_up_to;
}

static void join_release(struct cg_protector *protector, struct cg_binding *binding) {
    if (binding == NULL) return;
    keys_of(protector)->released++;
    free(binding);
}

static const struct cg_protector_ops join_ops = {
    .name = "join", .seal = join_seal, .open = join_open, .is_stale = join_is_stale, .release = join_release};

/* Hearing */

static struct owner *owner_of(const struct cg_leg *leg) { return leg->owner; }

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) {
    (void)engine;
    owner_of(leg)->sent++;
    owner_of(leg)->told = leg;
}

static void take(struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct owner *owner = owner_of(leg);
    struct cg_slice payload = arrival->opened->payload;
    owner->arrival = *arrival;
    owner->told = leg;
    assert_true(payload.len < sizeof owner->payload);
    if (payload.len > 0) memcpy(owner->payload, payload.data, payload.len);
    owner->payload[payload.len] = '\0';
}

static void on_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct owner *owner = owner_of(leg);
    owner->answers++;
    take(leg, arrival);
    if (owner->ends_at_answer && leg->kind->type == CG_CON) cg_ask_end(engine, cg_ask_of(leg));
}

static void on_challenge(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    owner_of(leg)->challenges++;
    take(leg, arrival);
    if (leg->kind->type == CG_CON) cg_ask_answer_challenge(engine, cg_ask_of(leg), arrival->opened);
}

static void on_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    (void)engine, (void)from, (void)opened;
    owner_of(leg)->refused++;
    snprintf(owner_of(leg)->reason, sizeof owner_of(leg)->reason, "%s", reason);
}

static void note(struct cg_leg *leg, const struct cg_problem *problem) {
    owner_of(leg)->told = leg;
    owner_of(leg)->problem = problem == NULL ? (struct cg_problem){0} : *problem;
}

static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    (void)engine;
    owner_of(leg)->ended++;
    note(leg, problem);
}

static void on_unsent(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    (void)engine;
    owner_of(leg)->unsent++;
    note(leg, problem);
}

static void on_stray(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from) {
    (void)engine, (void)from;
    owner_of(leg)->strays++;
}

static void on_rests(struct cg_engine *engine, struct cg_leg *leg) {
    (void)engine;
    owner_of(leg)->rests++;
}

static bool is_wanted(const struct cg_leg *leg) { return !owner_of(leg)->unwanted; }

static const struct cg_leg_ops ops = {.sent = on_sent,
                                      .answer = on_answer,
                                      .challenge = on_challenge,
                                      .refused = on_refused,
                                      .ended = on_ended,
                                      .unsent = on_unsent,
                                      .stray = on_stray,
                                      .rests = on_rests,
                                      .is_wanted = is_wanted};

/* Beginning */

struct cg_engine *owner_engine(const struct owner *owner) {
    return &owner->world->gateway->engine;
}

/* Observe 0 is empty, and 1 is one byte. */
void owner_init(struct owner *owner, struct world *world) {
    static const uint8_t one = 1;
    static const struct cg_opt cancels = {.number = CG_OPT_OBSERVE, .value = {.data = &one, .len = 1}};
    *owner = (struct owner){.world = world, .keys.protector.ops = &join_ops};
    if (world->gateway == NULL) world_start(world);
    world_run(world); /* the engine knows the time */
    owner->mapping = *world_mapping(world, "lamps");
    owner->mapping.protector = &owner->keys.protector;
    owner->mapping.stats = cg_stats_get(cg_gateway_stats(world->gateway), "lamps");
    owner->observe = (struct cg_opt){.number = CG_OPT_OBSERVE};
    owner->request = (struct cg_leg_request){
        .method = CG_GET, .expects_answers = true, .observes = true, .options = {.list = &owner->observe, .count = 1}};
    owner->cancellation = owner->request;
    owner->cancellation.cancels = true;
    owner->cancellation.options.list = (struct cg_opt *)&cancels;
}

struct cg_leg_order owner_order(struct owner *owner) {
    return (struct cg_leg_order){.ops = &ops,
                                 .owner = owner,
                                 .config = owner->world->config,
                                 .mapping = &owner->mapping,
                                 .target = &owner->mapping.targets[0],
                                 .request = &owner->request};
}

struct cg_cast *owner_cast(struct owner *owner) {
    struct cg_leg_order order = owner_order(owner);
    struct cg_problem problem = {0};
    struct cg_engine *engine = owner_engine(owner);
    struct cg_cast *cast = cg_cast_new(engine, &order, engine->now_us + 4 * SECOND, &problem);
    assert_non_null(cast);
    cg_cast_go(engine, cast);
    return cast;
}

struct cg_ask *owner_try_ask(struct owner *owner, struct cg_leg *shares) {
    struct cg_leg_order order = owner_order(owner);
    struct cg_problem problem = {0};
    struct cg_addr to = address("127.1.0.1");
    order.shares = shares;
    struct cg_ask *ask = cg_ask_new(owner_engine(owner), &order, &to, CG_SLICE_NONE, &problem);
    if (ask != NULL) cg_ask_go(owner_engine(owner), ask);
    return ask;
}

struct cg_ask *owner_ask(struct owner *owner, struct cg_leg *shares) {
    struct cg_ask *ask = owner_try_ask(owner, shares);
    assert_non_null(ask);
    return ask;
}

void notify_as(struct world *world, size_t index, const char *from, enum cg_type type, uint16_t mid,
               const char *payload) {
    static const uint8_t order = 7;
    struct cg_opt observe = {.number = CG_OPT_OBSERVE, .value = cg_slice_of(&order, 1)};
    const struct cg_opts options = {.list = &observe, .count = 1};
    world_answer_as(
        world, index, from,
        (struct answer){.type = type, .code = CG_CODE(2, 5), .mid = mid, .payload = payload, .options = &options});
}

void seal_now(struct owner *owner, struct cg_slice datagram) {
    cg_engine_sealed(owner_engine(owner), owner->keys.seal_job, CG_OK, datagram, &(struct cg_problem){0});
}
