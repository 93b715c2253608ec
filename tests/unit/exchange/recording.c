/* The hard thing: what an owner reads of a leg is part of what it was told. So the legs of the gateway that is told are
 * set to what was recorded before each word, and end when the recorded ones did. */
#include "exchange/recording.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "legs/ask.h"
#include "legs/cast.h"
#include "rounds/shape.h"

enum word { ACT, ADMITTED, OPENING, SENT, ANSWER, CHALLENGE, REFUSED, ENDED, UNSENT, STRAY, SIGN };

struct recorded {
    struct recorded *next;
    enum word word;
    uint64_t at_us;
    size_t leg;
    uint64_t request, sent_us; /* of its sending */
    uint32_t opening;
    bool is_proven; /* of an ask: somebody is at its address */
    struct cg_arrival arrival;
    struct cg_opened opened;
    const char *reason; /* static */
    bool has_problem;
    struct cg_problem problem;
    void (*act)(const char *who, const char *what);
    char *who, *what;
    uint8_t *bytes; /* of `opened` */
};

/* Listening */

static struct recording *of_tap(struct cg_tap *tap) { return CG_CONTAINER(tap, struct recording, tap); }

static struct recorded *add(struct recording *recording, enum word word, uint64_t at_us) {
    struct recorded *recorded = calloc(1, sizeof *recorded);
    assert_non_null(recorded);
    recorded->word = word;
    recorded->at_us = at_us;
    *recording->last = recorded;
    recording->last = &recorded->next;
    return recorded;
}

/* The latest: an earlier one may have been at the same address. */
static size_t number_of(const struct recording *recording, const struct cg_leg *leg) {
    size_t number = recording->leg_count;
    while (recording->legs[--number] != leg) assert_true(number > 0);
    return number;
}

static bool is_cast(const struct cg_leg *leg) { return leg->kind->type == CG_NON; }

static struct recorded *add_of(struct cg_tap *tap, enum word word, const struct cg_leg *leg) {
    struct recording *recording = of_tap(tap);
    struct recorded *recorded = add(recording, word, cg_engine_now(recording->engine));
    recorded->leg = number_of(recording, leg);
    recorded->request = leg->sending.request;
    recorded->sent_us = leg->sending.sent_us;
    recorded->opening = leg->opening;
    recorded->is_proven = is_cast(leg) || cg_ask_is_proven(CG_CONTAINER(leg, const struct cg_ask, leg));
    return recorded;
}

static struct cg_slice keep(uint8_t **at, struct cg_slice bytes) {
    if (bytes.len == 0) return bytes;
    memcpy(*at, bytes.data, bytes.len);
    *at += bytes.len;
    return cg_slice_of(*at - bytes.len, bytes.len);
}

static void keep_opened(struct recorded *recorded, const struct cg_opened *opened) {
    size_t len = opened->options.len + opened->payload.len + opened->kid.len + opened->identity.len + opened->gid.len +
                 opened->echo.len;
    uint8_t *at = recorded->bytes = malloc(len + 1);
    assert_non_null(at);
    recorded->opened = *opened;
    recorded->opened.options = keep(&at, opened->options);
    recorded->opened.payload = keep(&at, opened->payload);
    recorded->opened.kid = keep(&at, opened->kid);
    recorded->opened.identity = keep(&at, opened->identity);
    recorded->opened.gid = keep(&at, opened->gid);
    recorded->opened.echo = keep(&at, opened->echo);
}

static void keep_arrival(struct recorded *recorded, const struct cg_arrival *arrival) {
    keep_opened(recorded, arrival->opened);
    recorded->arrival = *arrival;
    recorded->arrival.opened = &recorded->opened;
}

static void on_admitted(struct cg_tap *tap, const struct cg_wish *wish) {
    struct recorded *recorded = add(of_tap(tap), ADMITTED, cg_engine_now(of_tap(tap)->engine));
    recorded->who = strdup(wish->mapping->name);
    recorded->request = wish->timeout_us;
}

static void on_begun(struct cg_tap *tap, const struct cg_leg *leg) {
    struct recording *recording = of_tap(tap);
    assert_true(recording->leg_count < sizeof recording->legs / sizeof *recording->legs);
    recording->legs[recording->leg_count++] = leg;
}

static void on_opening(struct cg_tap *tap, const struct cg_leg *leg) { add_of(tap, OPENING, leg); }

static void on_sent(struct cg_tap *tap, const struct cg_leg *leg) { add_of(tap, SENT, leg); }

static void on_answer(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_arrival *arrival) {
    keep_arrival(add_of(tap, ANSWER, leg), arrival);
}

static void on_challenge(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_arrival *arrival) {
    keep_arrival(add_of(tap, CHALLENGE, leg), arrival);
}

static void on_refused(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    struct recorded *recorded = add_of(tap, REFUSED, leg);
    keep_opened(recorded, opened);
    recorded->arrival.from = *from;
    recorded->reason = reason;
}

static void on_ended(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_problem *problem) {
    struct recorded *recorded = add_of(tap, ENDED, leg);
    recorded->has_problem = problem != NULL;
    if (problem != NULL) recorded->problem = *problem;
}

static void on_unsent(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_problem *problem) {
    struct recorded *recorded = add_of(tap, UNSENT, leg);
    recorded->has_problem = true;
    recorded->problem = *problem;
}

static void on_stray(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_addr *from) {
    add_of(tap, STRAY, leg)->arrival.from = *from;
}

static void on_sign(struct cg_tap *tap, const struct cg_addr *addr, enum cg_sign sign) {
    struct recorded *recorded = add(of_tap(tap), SIGN, cg_engine_now(of_tap(tap)->engine));
    recorded->arrival.from = *addr;
    recorded->request = sign;
}

void recording_init(struct recording *recording) {
    *recording = (struct recording){.tap = {.admitted = on_admitted,
                                            .begun = on_begun,
                                            .opening = on_opening,
                                            .sent = on_sent,
                                            .answer = on_answer,
                                            .challenge = on_challenge,
                                            .refused = on_refused,
                                            .ended = on_ended,
                                            .unsent = on_unsent,
                                            .stray = on_stray,
                                            .sign = on_sign},
                                    .last = &recording->first};
}

void recording_listen(struct recording *recording, struct cg_engine *engine) {
    recording->engine = engine;
    cg_tap_add(engine, &recording->tap);
}

void recording_add(struct recording *recording, uint64_t at_us, void (*act)(const char *who, const char *what),
                   const char *who, const char *what) {
    struct recorded *recorded = add(recording, ACT, at_us);
    recorded->act = act;
    recorded->who = strdup(who);
    recorded->what = strdup(what);
}

void recording_fini(struct recording *recording) {
    for (struct recorded *next; recording->first != NULL; recording->first = next) {
        struct recorded *recorded = recording->first;
        next = recorded->next;
        free(recorded->who);
        free(recorded->what);
        free(recorded->bytes);
        free(recorded);
    }
}

/* Telling */

static int never_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job,
                      struct cg_buf *out, struct cg_binding **binding, struct cg_problem *problem) {
    (void)protector, (void)sealing, (void)job, (void)out, (void)problem;
    *binding = NULL;
    return CG_PENDING;
}

static int never_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                      struct cg_opened *opened) {
    (void)protector, (void)opening, (void)job, (void)opened;
    fail_msg("nothing can have come");
    return CG_PENDING;
}

static void release_nothing(struct cg_protector *protector, struct cg_binding *binding) {
    (void)protector;
    assert_null(binding);
}

static const struct cg_protector_ops mute_ops = {
    .name = "mute", .seal = never_seal, .open = never_open, .release = release_nothing};

struct cg_protector mute_protector = {.ops = &mute_ops};

/* A leg of the gateway that is told. */
struct puppet {
    struct cg_leg *leg;
    struct cg_ticket ticket;
};

struct telling {
    struct cg_tap tap;
    struct cg_engine *engine;
    struct puppet puppets[256];
    size_t puppet_count;
    const struct recorded *admitted; /* the next that is expected */
};

static struct telling *telling_of(struct cg_tap *tap) { return CG_CONTAINER(tap, struct telling, tap); }

static const struct recorded *next_admitted(const struct recorded *recorded) {
    while (recorded != NULL && recorded->word != ADMITTED) recorded = recorded->next;
    return recorded;
}

static void check_admitted(struct cg_tap *tap, const struct cg_wish *wish) {
    struct telling *telling = telling_of(tap);
    assert_non_null(telling->admitted);
    assert_string_equal(wish->mapping->name, telling->admitted->who);
    assert_int_equal(wish->timeout_us, telling->admitted->request);
    telling->admitted = next_admitted(telling->admitted->next);
}

static void take_puppet(struct cg_tap *tap, const struct cg_leg *leg) {
    struct telling *telling = telling_of(tap);
    telling->puppets[telling->puppet_count++] = (struct puppet){.leg = (struct cg_leg *)leg, .ticket = leg->ticket};
}

static void say_nothing(struct cg_tap *tap, const struct cg_leg *leg) {
    (void)tap, (void)leg;
    fail_msg("a leg that is held has spoken");
}

static void end_alone(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_problem *problem) {
    (void)tap, (void)leg, (void)problem; /* for want of memory, or of an address that proves itself, as it did before */
}

static void unsent_alone(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_problem *problem) {
    (void)tap, (void)leg, (void)problem; /* for want of memory, as before */
}

static void hear_sign(struct cg_tap *tap, const struct cg_addr *addr, enum cg_sign sign) {
    (void)tap, (void)addr, (void)sign; /* as it is told */
}

static const struct cg_tap telling_tap = {.sign = hear_sign,
                                          .admitted = check_admitted,
                                          .begun = take_puppet,
                                          .opening = say_nothing,
                                          .sent = say_nothing,
                                          .unsent = unsent_alone,
                                          .ended = end_alone};

static bool lives(const struct telling *telling, const struct puppet *puppet) {
    return cg_slots_get(&telling->engine->legs, puppet->ticket) == puppet->leg;
}

/* Casts give up what is not sealed in time. */
static void hold(struct telling *telling) {
    for (size_t i = 0; i < telling->puppet_count; i++) {
        struct puppet *puppet = &telling->puppets[i];
        if (lives(telling, puppet)) cg_engine_clear_timer(telling->engine, &puppet->leg->timer);
    }
}

static void set(struct cg_leg *leg, const struct recorded *recorded) {
    leg->sending.request = recorded->request;
    leg->sending.sent_us = recorded->sent_us;
    leg->opening = recorded->opening;
    if (!is_cast(leg)) cg_ask_of(leg)->turn.is_stranger = !recorded->is_proven;
}

static void say_sent(struct cg_engine *engine, struct cg_leg *leg) {
    if (is_cast(leg)) {
        struct cg_cast *cast = CG_CONTAINER(leg, struct cg_cast, leg);
        bool is_safe = (CG_METHOD_BIT(leg->request->method) & CG_METHODS_SAFE) != 0;
        cast->state = CG_CAST_SENT;
        cast->renews = false;
        cast->pace->changes += !is_safe;
        cast->changes = cast->pace->changes;
        cg_leg_drop_earlier(engine, leg);
    } else {
        cg_ask_of(leg)->renews = false;
    }
    leg->ops->sent(engine, leg);
}

/* One that observes rests. */
static void say_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    if (!is_cast(leg) && leg->request->observes) {
        struct cg_ask *ask = cg_ask_of(leg);
        ask->answered = ask->observed = ask->rests = true;
    }
    leg->ops->answer(engine, leg, arrival);
}

/* The renewal that it is to be of may have been given up alone. */
static void say_unsent(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    bool *renews = is_cast(leg) ? &CG_CONTAINER(leg, struct cg_cast, leg)->renews : &cg_ask_of(leg)->renews;
    if (!*renews) return;
    *renews = false;
    if (is_cast(leg)) CG_CONTAINER(leg, struct cg_cast, leg)->state = CG_CAST_SENT;
    leg->sending.request = 0; /* the one that is given up */
    if (leg->sending.next != NULL) cg_leg_take_back(engine, leg);
    leg->ops->unsent(engine, leg, problem);
}

static void say_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    leg->ops->ended(engine, leg, problem);
    if (is_cast(leg)) {
        cg_cast_end(engine, CG_CONTAINER(leg, struct cg_cast, leg));
    } else {
        cg_ask_end(engine, cg_ask_of(leg));
    }
}

/* An ask may have been ended by what it said. */
static void hear_group(struct telling *telling, const struct puppet *puppet) {
    if (lives(telling, puppet) && is_cast(puppet->leg))
        cg_cast_heard(telling->engine, CG_CONTAINER(puppet->leg, struct cg_cast, leg));
}

static void say(struct telling *telling, const struct recorded *recorded) {
    assert_true(recorded->leg < telling->puppet_count);
    const struct puppet *puppet = &telling->puppets[recorded->leg];
    struct cg_engine *engine = telling->engine;
    struct cg_leg *leg = puppet->leg;
    if (recorded->word == ENDED && !lives(telling, puppet)) return; /* alone */
    assert_true(lives(telling, puppet));
    set(leg, recorded);
    switch (recorded->word) {
    case SENT: say_sent(engine, leg); break;
    case ANSWER: say_answer(engine, leg, &recorded->arrival); break;
    case CHALLENGE: leg->ops->challenge(engine, leg, &recorded->arrival); break;
    case REFUSED: leg->ops->refused(engine, leg, &recorded->arrival.from, &recorded->opened, recorded->reason); break;
    case ENDED: say_ended(engine, leg, recorded->has_problem ? &recorded->problem : NULL); break;
    case UNSENT: say_unsent(engine, leg, &recorded->problem); break;
    case STRAY:
        if (leg->ops->stray != NULL) leg->ops->stray(engine, leg, &recorded->arrival.from);
        break;
    case OPENING:
    case ACT:
    case ADMITTED:
    case SIGN: break;
    }
    if (recorded->word == ANSWER || recorded->word == CHALLENGE) hear_group(telling, puppet);
}

void recording_tell(const struct recording *recording, struct world *world) {
    struct telling telling = {
        .tap = telling_tap, .engine = cg_gateway_engine(world->gateway), .admitted = next_admitted(recording->first)};
    cg_tap_add(telling.engine, &telling.tap);
    for (const struct recorded *it = recording->first; it != NULL; it = it->next) {
        hold(&telling);
        if (it->at_us > world->now_us) world_advance(world, it->at_us - world->now_us);
        if (it->word == ACT && it->act != NULL) {
            it->act(it->who, it->what);
        } else if (it->word == SIGN) {
            cg_engine_sign(telling.engine, &it->arrival.from, (enum cg_sign)it->request);
        } else if (it->word != ACT && it->word != ADMITTED) {
            say(&telling, it);
        }
        world_run(world);
    }
    assert_null(telling.admitted);
    cg_tap_remove(telling.engine, &telling.tap);
}
