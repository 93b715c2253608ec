#include "rounds/fake_observer.h"

#include <stdio.h>
#include <string.h>

#include "base/container.h"

static struct observer *observer_of(struct cg_sink *sink) { return CG_CONTAINER(sink, struct observer, sink); }

static int on_begin(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    (void)view, (void)problem;
    observer_of(sink)->has_begun = true;
    return CG_OK;
}

static bool on_has_room(struct cg_sink *sink, enum cg_sink_word word) {
    return word == CG_SINK_END || observer_of(sink)->room > 0;
}

static int on_answer(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer,
                     struct cg_problem *problem) {
    struct observer *observer = observer_of(sink);
    char from[CG_ADDR_TEXT_MAX];
    (void)view, (void)problem;
    observer->room--;
    observer->answers++;
    observer->notifications += answer->is_notification;
    cg_addr_emit_ip(&answer->from, from);
    if (observer->len + 64 > sizeof observer->heard) return CG_OK;
    observer->len += (size_t)snprintf(observer->heard + observer->len, 64, "%s %.*s%s;", from, (int)answer->payload.len,
                                      (const char *)answer->payload.data, answer->is_notification ? "" : " alone");
    return CG_OK;
}

static uint64_t on_look(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    (void)view, (void)problem;
    observer_of(sink)->looks++;
    return UINT64_MAX;
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    struct observer *observer = observer_of(sink);
    assert_false(observer->ended);
    observer->ended = true;
    observer->how = how;
    observer->problem = *problem;
    ending->status = 200;
    if (view != NULL) observer->summary = view->summary;
}

static const struct cg_sink_ops ops = {
    .begin = on_begin, .has_room = on_has_room, .answer = on_answer, .look = on_look, .end = on_end};

struct cg_request *observer_new(struct world *world, struct observer *observer, const char *path) {
    struct call call;
    *observer = (struct observer){.sink.ops = &ops, .room = UINT32_MAX};
    struct cg_request *request = world_new(world, &call, path);
    assert_non_null(request);
    observer->ticket = call.ticket;
    request->observes = true;
    request->finishing = CG_FINISH_BY_TIME;
    return request;
}

void observer_go(struct world *world, struct observer *observer) {
    cg_gateway_start(world->gateway, observer->ticket, &observer->sink, world->now_us);
    world_run(world);
}

void observe(struct world *world, struct observer *observer, const char *path) {
    observer_new(world, observer, path);
    observer_go(world, observer);
}

const char *observer_take(struct observer *observer) {
    static char taken[sizeof observer->heard];
    memcpy(taken, observer->heard, observer->len);
    taken[observer->len] = '\0';
    observer->len = 0;
    return taken;
}

static void say(struct world *world, size_t index, const char *from, struct cg_opts options, const char *payload) {
    static uint16_t mid = 1000;
    world_answer_as(
        world, index, from,
        (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .mid = mid++, .payload = payload, .options = &options});
}

static struct cg_slice emit_uint(uint8_t value[4], uint32_t number) {
    size_t len = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (len > 0 || number >> shift != 0) value[len++] = (uint8_t)(number >> shift);
    }
    return cg_slice_of(value, len);
}

void notify_for(struct world *world, size_t index, const char *from, uint32_t order, uint32_t max_age_s,
                const char *payload) {
    uint8_t orders[4], ages[4];
    struct cg_opt options[] = {{.number = CG_OPT_OBSERVE, .value = emit_uint(orders, order)},
                               {.number = CG_OPT_MAX_AGE, .value = emit_uint(ages, max_age_s)}};
    say(world, index, from, (struct cg_opts){.list = options, .count = 2}, payload);
}

void notify(struct world *world, size_t index, const char *from, uint32_t order, const char *payload) {
    notify_for(world, index, from, order, 100000, payload);
}
