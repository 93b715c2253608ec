/* Jobs. The hard thing: all that happens in a job happens inside sinks, where nothing may be begun, and its starter may
 * free it at any time; so what comes is only noted, and the job's timer does what follows from it. */
#include "jobs/discovery_job.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/container.h"
#include "legs/engine.h"
#include "model/mapping.h"

enum {
    AT_ONCE = 4,       /* inquiries of a job */
    PAUSE_US = 100000, /* while it is not an inquiry's turn */
    AGAIN_US = 500000, /* after it gave way, or there was no room */
};

static struct cg_engine *engine_of(const struct cg_discovery *job) {
    return cg_gateway_engine(job->discoveries->gateway);
}

static uint64_t now_of(const struct cg_discovery *job) { return cg_gateway_now(job->discoveries->gateway); }

/* Soon, and from the loop. */
static void wake_at(struct cg_discovery *job, uint64_t at_us) {
    if (!job->discoveries->is_closed) cg_engine_set_timer(engine_of(job), &job->timer, at_us);
}

static void wake(struct cg_discovery *job) { wake_at(job, now_of(job)); }

uint32_t cg_job_seconds_left(const struct cg_discovery *job) {
    uint64_t now_us = now_of(job);
    return now_us >= job->deadline_us ? 0 : (uint32_t)((job->deadline_us - now_us + 999999) / 1000000);
}

/* Items */

static void release(struct cg_job_item *item) {
    cg_config_unref(item->inquiry.excerpt);
    item->ops->release(item);
}

static void remove_item(struct cg_job_item *item) {
    DL_DELETE2(item->job->items, item, previous, next);
    release(item);
}

/* On its own, if it still runs. */
static void detach_item(struct cg_job_item *item) {
    struct cg_discovery *job = item->job;
    if (!item->inquiry.runs) {
        remove_item(item);
        return;
    }
    DL_DELETE2(job->items, item, previous, next);
    item->job = NULL;
    cg_inquiry_abandon(&item->inquiry);
}

static void on_answer(struct cg_inquiry *inquiry, const struct cg_answer *answer) {
    struct cg_job_item *item = CG_CONTAINER(inquiry, struct cg_job_item, inquiry);
    if (item->job != NULL) item->ops->answer(item, answer, CG_FINDING_ALL);
}

static void on_beginning(struct cg_inquiry *inquiry, const struct cg_answer *first) {
    struct cg_job_item *item = CG_CONTAINER(inquiry, struct cg_job_item, inquiry);
    if (item->job != NULL) item->ops->answer(item, first, CG_FINDING_BEGINNING);
}

static bool may_be_tried_again(const struct cg_problem *problem) {
    return problem->err == CG_E_OVERLOAD || problem->err == CG_E_RATE;
}

static void fail(struct cg_job_item *item, const struct cg_problem *problem) {
    struct cg_discovery *job = item->job;
    struct cg_problem *first = &job->findings.found.problem;
    if (may_be_tried_again(problem) && job->state == CG_DISCOVERY_RUNS) {
        item->not_before_us = now_of(job) + AGAIN_US;
        return;
    }
    if (first->err == 0) *first = *problem;
    item->ops->left(item, "could not be asked");
    item->is_over = true;
}

static void take_end(struct cg_job_item *item, enum cg_inquiry_end how, const struct cg_view *view,
                     const struct cg_problem *problem) {
    struct cg_discovery *job = item->job;
    switch (how) {
    case CG_INQUIRY_GAVE_WAY: item->not_before_us = now_of(job) + AGAIN_US; break;
    case CG_INQUIRY_FAILED: fail(item, problem); break;
    case CG_INQUIRY_CUT: job->is_cut = true; /* fall through */
    case CG_INQUIRY_HEARD_ALL: item->ops->over(item, how, view); break;
    }
}

static void on_over(struct cg_inquiry *inquiry, enum cg_inquiry_end how, const struct cg_view *view,
                    const struct cg_problem *problem) {
    struct cg_job_item *item = CG_CONTAINER(inquiry, struct cg_job_item, inquiry);
    if (item->job == NULL) {
        release(item);
        return;
    }
    item->job->running--;
    take_end(item, how, view, problem);
    wake(item->job);
}

static const struct cg_inquiry_ops inquiry_ops = {.answer = on_answer, .beginning = on_beginning, .over = on_over};

void cg_job_add(struct cg_discovery *job, struct cg_job_item *item) {
    item->job = job;
    item->inquiry.ops = &inquiry_ops;
    item->inquiry.gateway = job->discoveries->gateway;
    DL_APPEND2(job->items, item, previous, next);
    wake(job);
}

/* Their turn */

static bool may_begin(const struct cg_job_item *item) {
    const struct cg_discovery *job = item->job;
    return job->running < AT_ONCE && now_of(job) >= item->not_before_us && cg_inquiry_has_room(&item->inquiry);
}

static void begin(struct cg_job_item *item) {
    struct cg_own own = {.excerpt = item->inquiry.excerpt};
    struct cg_problem problem = {0};
    item->is_over = !item->ops->next(item, &own);
    if (item->is_over) return;
    if (cg_inquiry_begin(&item->inquiry, &own, &problem)) {
        item->job->running++;
    } else {
        fail(item, &problem);
    }
}

static void turn_items(struct cg_discovery *job) {
    struct cg_job_item *item, *next;
    DL_FOREACH_SAFE(job->items, item, next) {
        if (!item->inquiry.runs && !item->is_over && may_begin(item)) begin(item);
        if (item->is_over && !item->inquiry.runs) remove_item(item);
    }
}

/* The end */

static const char *how_it_ended(const struct cg_discovery *job) {
    bool is_stopping = cg_gateway_is_stopping(job->discoveries->gateway);
    if (job->findings.is_full || is_stopping) return "limit";
    return job->is_cut || job->state == CG_DISCOVERY_ENDS ? "deadline" : "all";
}

static void start_next(struct cg_discoveries *discoveries);

/* Once: what was begun and failed in this same turn has woken it already. */
static void finish(struct cg_discovery *job) {
    struct cg_discoveries *discoveries = job->discoveries;
    job->findings.found.ended_by = how_it_ended(job);
    job->state = CG_DISCOVERY_IS_OVER;
    cg_engine_clear_timer(engine_of(job), &job->timer);
    start_next(discoveries);
    job->done(job->ctx, job);
}

/* What runs ends with what it has; what waits is left out. */
static void end_items(struct cg_discovery *job) {
    struct cg_job_item *item, *next;
    job->state = CG_DISCOVERY_ENDS;
    DL_FOREACH_SAFE(job->items, item, next) {
        if (item->inquiry.runs) {
            cg_inquiry_finish(&item->inquiry);
        } else {
            if (!item->is_over) item->ops->left(item, "was not asked before the time was over");
            remove_item(item);
        }
    }
}

static void go_on(struct cg_discovery *job) {
    bool is_late = now_of(job) >= job->deadline_us || cg_gateway_is_stopping(job->discoveries->gateway);
    if (job->state == CG_DISCOVERY_RUNS && is_late) end_items(job);
    bool surveys = job->state == CG_DISCOVERY_RUNS && cg_survey_turn(job);
    if (surveys) {
        wake(job);
        return;
    }
    turn_items(job);
    if (job->items == NULL) {
        finish(job);
    } else {
        wake_at(job, now_of(job) + PAUSE_US);
    }
}

static void start(struct cg_discovery *job) {
    job->state = CG_DISCOVERY_RUNS;
    job->config = cg_config_ref(cg_gateway_config(job->discoveries->gateway));
    job->deadline_us = now_of(job) + job->seconds * UINT64_C(1000000);
}

static void on_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_discovery *job = CG_CONTAINER(timer, struct cg_discovery, timer);
    (void)engine;
    if (job->state == CG_DISCOVERY_WAITS) start(job);
    go_on(job);
}

static bool is_under_way(const struct cg_discovery *job) {
    return job->state == CG_DISCOVERY_RUNS || job->state == CG_DISCOVERY_ENDS || job->timer.deadline.is_set;
}

static void start_next(struct cg_discoveries *discoveries) {
    struct cg_discovery *job, *first = NULL;
    DL_FOREACH(discoveries->jobs, job) {
        if (is_under_way(job)) return;
        if (first == NULL && job->state == CG_DISCOVERY_WAITS) first = job;
    }
    if (first != NULL) wake(first);
}

/* Jobs */

static const char *copy_text(struct cg_arena *arena, struct cg_slice text) {
    char *copy = cg_arena_alloc(arena, text.len + 1);
    if (copy == NULL) return NULL;
    if (text.len > 0) memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

static bool copy_prefixes(struct cg_discovery *job, const struct cg_discovery_order *order) {
    struct cg_prefix *copy = cg_arena_alloc(&job->arena, (order->prefix_count + 1) * sizeof *copy);
    if (copy == NULL) return false;
    for (size_t i = 0; i < order->prefix_count; i++) copy[i] = order->prefixes[i];
    job->prefixes = copy;
    job->prefix_count = order->prefix_count;
    return true;
}

/* False: no memory. */
static bool take_order(struct cg_discovery *job, const struct cg_discovery_order *order) {
    job->seconds = order->seconds;
    job->done = order->done;
    job->ctx = order->ctx;
    if (order->where != NULL) job->where = copy_text(&job->arena, cg_slice_str(order->where));
    job->filter = cg_arena_copy(&job->arena, order->filter);
    return copy_prefixes(job, order) && job->filter.len == order->filter.len &&
           (order->where == NULL || job->where != NULL);
}

static struct cg_discovery *new_job(struct cg_discoveries *discoveries, const struct cg_discovery_order *order) {
    struct cg_discovery *job = calloc(1, sizeof *job);
    if (job == NULL) return NULL;
    job->discoveries = discoveries;
    job->timer.due = on_due;
    cg_arena_init(&job->arena, SIZE_MAX, NULL);
    cg_findings_init(&job->findings);
    DL_APPEND2(discoveries->jobs, job, previous, next);
    if (take_order(job, order)) return job;
    cg_discovery_free(job);
    return NULL;
}

static int check_room(const struct cg_discoveries *discoveries, struct cg_problem *problem) {
    const struct cg_discovery *job;
    unsigned count = 0;
    DL_FOREACH(discoveries->jobs, job) count += job->state != CG_DISCOVERY_IS_OVER;
    if (discoveries->is_closed || cg_gateway_is_stopping(discoveries->gateway))
        return cg_problem_set(problem, CG_E_STOPPING, "the gateway is stopping");
    if (count < CG_DISCOVERIES_MAX) return CG_OK;
    problem->retry_after = 5;
    return cg_problem_set(problem, CG_E_RATE, "%u discoveries run or wait already; come again later", count);
}

struct cg_discovery *cg_discovery_begin(struct cg_discoveries *discoveries, const struct cg_discovery_order *order,
                                        struct cg_problem *problem) {
    if (check_room(discoveries, problem) < 0 || cg_survey_check(discoveries, order, problem) < 0) return NULL;
    struct cg_discovery *job = new_job(discoveries, order);
    if (job == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    start_next(discoveries);
    return job;
}

const struct cg_found *cg_discovery_found(const struct cg_discovery *discovery) { return &discovery->findings.found; }

void cg_discovery_hurry(struct cg_discovery *discovery) {
    discovery->deadline_us = 0;
    if (discovery->state == CG_DISCOVERY_WAITS) discovery->seconds = 0; /* it asks nobody, so its turn is now */
    if (discovery->state == CG_DISCOVERY_RUNS || discovery->state == CG_DISCOVERY_WAITS) wake(discovery);
}

static void give_up(struct cg_discovery *job) {
    struct cg_job_item *item, *next;
    DL_FOREACH_SAFE(job->items, item, next) detach_item(item);
    if (!job->discoveries->is_closed) cg_engine_clear_timer(engine_of(job), &job->timer);
}

void cg_discovery_free(struct cg_discovery *discovery) {
    if (discovery == NULL) return;
    struct cg_discoveries *discoveries = discovery->discoveries;
    give_up(discovery);
    DL_DELETE2(discoveries->jobs, discovery, previous, next);
    cg_findings_fini(&discovery->findings);
    cg_arena_fini(&discovery->arena);
    cg_config_unref(discovery->config);
    free(discovery);
    if (!discoveries->is_closed) start_next(discoveries);
}

struct cg_discoveries *cg_discoveries_new(struct cg_gateway *gateway, struct cg_protector *plain) {
    struct cg_discoveries *discoveries = calloc(1, sizeof *discoveries);
    if (discoveries != NULL) *discoveries = (struct cg_discoveries){.gateway = gateway, .plain = plain};
    return discoveries;
}

void cg_discoveries_close(struct cg_discoveries *discoveries) {
    struct cg_discovery *job;
    if (discoveries == NULL || discoveries->is_closed) return;
    DL_FOREACH(discoveries->jobs, job) {
        give_up(job);
        if (job->state != CG_DISCOVERY_IS_OVER) job->findings.found.ended_by = "limit";
        job->state = CG_DISCOVERY_IS_OVER;
    }
    discoveries->is_closed = true;
}

void cg_discoveries_free(struct cg_discoveries *discoveries) { free(discoveries); }
