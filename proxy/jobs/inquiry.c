/* Asking. The hard thing is to know when all is heard: a group has no end but its members' leisure, and after that
 * those whose lists come in blocks, or who were silent, may still be asked. */
#include "jobs/inquiry.h"

#include "base/container.h"
#include "legs/cast.h"
#include "legs/engine.h"

enum {
    LOOK_US = 100000,  /* how often it is looked whether somebody waits, or there is nothing more to hear */
    LATE_US = 1000000, /* answers, after leisure, for their way */
};

static struct cg_inquiry *inquiry_of(struct cg_sink *sink) { return CG_CONTAINER(sink, struct cg_inquiry, sink); }

static struct cg_engine *engine_of(const struct cg_inquiry *inquiry) { return cg_gateway_engine(inquiry->gateway); }

static uint64_t now_of(const struct cg_inquiry *inquiry) { return cg_gateway_now(inquiry->gateway); }

static void look_again(struct cg_inquiry *inquiry) {
    cg_engine_set_timer(engine_of(inquiry), &inquiry->timer, now_of(inquiry) + LOOK_US);
}

/* What comes */

static int on_begin(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    struct cg_inquiry *inquiry = inquiry_of(sink);
    (void)problem;
    inquiry->patient_until = view->now_us + cg_mapping_leisure_us(view->mapping) + LATE_US;
    inquiry->is_busy = true; /* until somebody has looked */
    return CG_OK;
}

static bool has_room(struct cg_sink *sink, enum cg_sink_word word) {
    (void)sink, (void)word;
    return true;
}

static int on_answer(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer,
                     struct cg_problem *problem) {
    struct cg_inquiry *inquiry = inquiry_of(sink);
    (void)view, (void)problem;
    inquiry->has_heard = true;
    inquiry->ops->answer(inquiry, answer);
    return CG_OK;
}

static int on_beginning(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *first,
                        struct cg_problem *problem) {
    struct cg_inquiry *inquiry = inquiry_of(sink);
    (void)view, (void)problem;
    inquiry->has_heard = true;
    inquiry->ops->beginning(inquiry, first);
    return CG_OK;
}

static uint64_t on_look(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    bool is_collecting = view->summary.ended_by[0] == '\0'; /* at its end all that is under way is given up */
    (void)problem;
    if (is_collecting) inquiry_of(sink)->is_busy = view->is_busy;
    return UINT64_MAX;
}

/* Its end */

static bool is_out(const struct cg_inquiry *inquiry) { return inquiry->patient_until != UINT64_MAX; }

/* The time was over while somebody might still have answered. */
static bool was_short(const struct cg_inquiry *inquiry, const struct cg_view *view) {
    bool is_by_time = strcmp(view->summary.ended_by, "deadline") == 0;
    return inquiry->is_busy || (is_by_time && now_of(inquiry) < inquiry->patient_until);
}

static enum cg_inquiry_end end_of(const struct cg_inquiry *inquiry, const struct cg_view *view,
                                  const struct cg_problem *problem) {
    bool has_failed = problem->err < 0 && problem->err != CG_E_NO_ANSWER;
    if (inquiry->gave_way) return CG_INQUIRY_GAVE_WAY;
    if (has_failed) return is_out(inquiry) ? CG_INQUIRY_CUT : CG_INQUIRY_FAILED;
    return inquiry->was_told || was_short(inquiry, view) ? CG_INQUIRY_CUT : CG_INQUIRY_HEARD_ALL;
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    struct cg_inquiry *inquiry = inquiry_of(sink);
    const struct cg_problem none = {0};
    (void)ending;
    cg_engine_clear_timer(engine_of(inquiry), &inquiry->timer);
    inquiry->runs = false;
    if (how == CG_SINK_LEFT) {
        inquiry->ops->over(inquiry, CG_INQUIRY_CUT, NULL, &none);
    } else {
        inquiry->ops->over(inquiry, end_of(inquiry, view, problem), view, problem);
    }
}

static const struct cg_sink_ops sink_ops = {
    .begin = on_begin,
    .has_room = has_room,
    .answer = on_answer,
    .beginning = on_beginning,
    .look = on_look,
    .end = on_end,
};

/* Whether it goes on */

static const struct cg_target *target_of(const struct cg_inquiry *inquiry) {
    return &inquiry->excerpt->mappings[0].targets[0];
}

static bool is_in_the_way(const struct cg_inquiry *inquiry) {
    return !inquiry->has_heard && cg_cast_is_waited_for(engine_of(inquiry), target_of(inquiry));
}

static void on_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_inquiry *inquiry = CG_CONTAINER(timer, struct cg_inquiry, timer);
    (void)engine;
    if (is_in_the_way(inquiry)) {
        inquiry->gave_way = true;
        cg_gateway_finish(inquiry->gateway, inquiry->ticket);
    } else if (now_of(inquiry) >= inquiry->patient_until && !inquiry->is_busy) {
        cg_gateway_finish(inquiry->gateway, inquiry->ticket);
    } else {
        cg_sink_wake(&inquiry->sink);
        look_again(inquiry);
    }
}

bool cg_inquiry_has_room(const struct cg_inquiry *inquiry) {
    return cg_own_has_room(inquiry->gateway) && !cg_cast_is_waited_for(engine_of(inquiry), target_of(inquiry));
}

bool cg_inquiry_begin(struct cg_inquiry *inquiry, const struct cg_own *own, struct cg_problem *problem) {
    if (cg_own_open(inquiry->gateway, own, &inquiry->ticket, problem) < 0) return false;
    inquiry->sink = (struct cg_sink){.ops = &sink_ops};
    inquiry->timer.due = on_due;
    inquiry->patient_until = UINT64_MAX;
    inquiry->is_busy = inquiry->has_heard = inquiry->gave_way = inquiry->was_told = false;
    inquiry->runs = true;
    look_again(inquiry);
    cg_gateway_start(inquiry->gateway, inquiry->ticket, &inquiry->sink, now_of(inquiry));
    return true;
}

void cg_inquiry_finish(struct cg_inquiry *inquiry) {
    if (!inquiry->runs) return;
    inquiry->was_told = true;
    cg_gateway_finish(inquiry->gateway, inquiry->ticket);
}

void cg_inquiry_abandon(struct cg_inquiry *inquiry) {
    if (inquiry->runs) cg_gateway_abandon(inquiry->gateway, inquiry->ticket);
}
