/* A request among those of clients. The hard thing: both its exchange and its timer may end last, whoever drops it, so
 * it is freed by the last of them; and what it sent is told from all that the gateway sends by its mapping, of which
 * there is only one. */
#include "app/check/trial.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/check/sink.h"
#include "base/check.h"
#include "base/container.h"
#include "exchange/gateway.h"
#include "legs/tap.h"
#include "model/mapping.h"

enum { STRAGGLERS_MS = 200 /* after the end of collecting */ };

struct cg_trial {
    struct cg_loop *loop;
    struct cg_config *config; /* a reference; its only mapping is the trial's */
    struct cg_ticket ticket;
    struct cg_check_sink heard;
    struct cg_check_result result;
    struct cg_totals before;
    uint64_t drops_before;
    struct cg_trial_ear *ear; /* NULL: it does not hear what is sent */
    uv_timer_t stragglers;
    void (*done)(void *ctx, struct cg_check_result *result); /* NULL: dropped, or said */
    void *ctx;
    unsigned uses; /* the exchange, the timer */
};

/* What is sent. */

struct cg_trial_ear {
    struct cg_tap tap;
    struct cg_trial *trial;
};

static void on_sent(struct cg_tap *tap, const struct cg_leg *leg) {
    const struct cg_trial *trial = CG_CONTAINER(tap, struct cg_trial_ear, tap)->trial;
    struct cg_check_result *result = &CG_CONTAINER(tap, struct cg_trial_ear, tap)->trial->result;
    const struct cg_mapping *mapping = &trial->config->mappings[0];
    if (leg->mapping != mapping || result->sending_count == CG_CHECK_SENT_MAX) return;
    struct cg_slice datagram = cg_buf_slice(&leg->sending.datagram);
    struct cg_check_sending *sending = &result->sendings[result->sending_count++];
    sending->target = (uint32_t)(leg->target - mapping->targets);
    sending->to = leg->sending.to;
    if (datagram.len > CG_CHECK_SENDING_MAX) datagram.len = CG_CHECK_SENDING_MAX;
    cg_buf_put_slice(&sending->bytes, datagram);
}

static void listen_in(struct cg_trial *trial) {
    trial->ear = calloc(1, sizeof *trial->ear);
    if (trial->ear == NULL) return;
    *trial->ear = (struct cg_trial_ear){.tap = {.sent = on_sent}, .trial = trial};
    cg_tap_add(cg_gateway_engine(trial->loop->gateway), &trial->ear->tap);
}

static void listen_no_more(struct cg_trial *trial) {
    if (trial->ear == NULL) return;
    cg_tap_remove(cg_gateway_engine(trial->loop->gateway), &trial->ear->tap);
    free(trial->ear);
    trial->ear = NULL;
}

/* The end */

static void drop_use(struct cg_trial *trial) {
    if (--trial->uses > 0) return;
    cg_check_result_fini(&trial->result);
    cg_config_unref(trial->config);
    free(trial);
}

static void on_timer_closed(uv_handle_t *handle) { drop_use(handle->data); }

static void close_timer(struct cg_trial *trial) {
    if (!uv_is_closing((uv_handle_t *)&trial->stragglers)) uv_close((uv_handle_t *)&trial->stragglers, on_timer_closed);
}

static void count_meanwhile(struct cg_trial *trial) {
    const struct cg_totals *now = cg_gateway_totals(trial->loop->gateway), *before = &trial->before;
    struct cg_check_result *result = &trial->result;
    result->received = (uint32_t)(now->datagrams - before->datagrams);
    for (size_t i = 0; i < CG_FATE_COUNT; i++) result->fates[i] = (uint32_t)(now->fates[i] - before->fates[i]);
    result->kernel_drops = (uint32_t)(cg_group_socket_kernel_drops(trial->loop->group) - trial->drops_before);
}

static void on_stragglers(uv_timer_t *timer) {
    struct cg_trial *trial = timer->data;
    void (*done)(void *ctx, struct cg_check_result *result) = trial->done;
    trial->done = NULL;
    if (trial->loop->group != NULL) count_meanwhile(trial);
    done(trial->ctx, &trial->result);
    close_timer(trial);
}

/* Where the gateway goes, the engine does too: nothing of it may be touched then. */
static void on_over(void *ctx, enum cg_sink_end how) {
    struct cg_trial *trial = ctx;
    if (how != CG_SINK_LEFT) listen_no_more(trial);
    if (trial->done != NULL && how != CG_SINK_LEFT)
        CG_CHECK(uv_timer_start(&trial->stragglers, on_stragglers, STRAGGLERS_MS, 0) == 0);
    drop_use(trial);
}

/* The beginning */

static struct cg_trial *new_trial(struct cg_loop *loop, const struct cg_check_order *order) {
    struct cg_trial *trial = calloc(1, sizeof *trial);
    if (trial == NULL) return NULL;
    trial->loop = loop;
    trial->uses = 2;
    trial->config = cg_check_snapshot(cg_gateway_config(loop->gateway), order);
    cg_check_result_init(&trial->result);
    CG_CHECK(uv_timer_init(&loop->uv, &trial->stragglers) == 0);
    trial->stragglers.data = trial;
    return trial;
}

static struct cg_slice place_of(struct cg_arena *arena, const struct cg_mapping *mapping, struct cg_slice rest) {
    struct cg_buf path;
    cg_buf_init(&path, 0);
    cg_buf_put_str(&path, mapping->path);
    bool good = cg_mapping_normal_path(&path, rest) == CG_OK;
    if (path.len == 0) cg_buf_put_u8(&path, '/');
    struct cg_slice kept = !good || path.failed ? CG_SLICE_NONE : cg_arena_copy(arena, cg_buf_slice(&path));
    cg_buf_fini(&path);
    return kept;
}

static bool fill_request(struct cg_trial *trial, const struct cg_check_order *order) {
    struct cg_gateway *gateway = trial->loop->gateway;
    struct cg_request *request = cg_gateway_request(gateway, trial->ticket);
    struct cg_arena *arena = cg_gateway_arena(gateway, trial->ticket);
    const struct cg_mapping *mapping = &trial->config->mappings[0];
    request->method = CG_GET;
    request->proof = CG_PROOF_OPERATOR;
    request->host = mapping->host == NULL ? CG_SLICE_NONE : cg_slice_str(mapping->host);
    request->path = place_of(arena, mapping, order->rest);
    if (order->query.len > 0) request->query = cg_arena_copy(arena, order->query);
    request->has_timeout = true;
    request->timeout_s = cg_check_listens(order);
    return request->path.len > 0 && request->query.len == order->query.len;
}

static bool begin(struct cg_trial *trial, const struct cg_check_order *order, struct cg_problem *problem) {
    struct cg_gateway *gateway = trial->loop->gateway;
    if (trial->config == NULL) return cg_problem_no_memory(problem) == CG_OK;
    if (cg_gateway_new_exchange(gateway, &trial->ticket, problem) < 0) return false;
    cg_gateway_use_config(gateway, trial->ticket, trial->config);
    if (!fill_request(trial, order)) {
        cg_problem_set(problem, CG_E_BAD_URI, "the path is no path of a URI, or there is no memory for it");
        cg_gateway_abandon(gateway, trial->ticket);
        return false;
    }
    trial->before = *cg_gateway_totals(gateway);
    trial->drops_before = cg_group_socket_kernel_drops(trial->loop->group);
    listen_in(trial);
    uint64_t patience_us = order->only == NULL && order->mapping->has_timeout ? order->mapping->timeout_us : 0;
    cg_check_sink_init(&trial->heard, &trial->result, patience_us, on_over, trial);
    trial->result.digest = cg_check_digest(order->mapping);
    cg_gateway_start(gateway, trial->ticket, &trial->heard.sink, cg_loop_now_us());
    return true;
}

struct cg_trial *cg_trial_begin(struct cg_loop *loop, const struct cg_check_order *order,
                                void (*done)(void *ctx, struct cg_check_result *result), void *ctx,
                                struct cg_problem *problem) {
    struct cg_trial *trial = new_trial(loop, order);
    if (trial == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    trial->done = done;
    trial->ctx = ctx;
    if (begin(trial, order, problem)) return trial;
    close_timer(trial);
    drop_use(trial);
    return NULL;
}

void cg_trial_hurry(struct cg_trial *trial) { cg_gateway_finish(trial->loop->gateway, trial->ticket); }

void cg_trial_drop(struct cg_trial *trial) {
    trial->done = NULL;
    listen_no_more(trial);
    cg_gateway_abandon(trial->loop->gateway, trial->ticket);
    close_timer(trial);
}

static void find_groups(const struct cg_mapping *mapping, struct cg_check_facts *facts) {
    for (size_t i = 0; i < mapping->target_count && i < CG_CHECK_SENT_MAX; i++) {
        const struct cg_target *target = &mapping->targets[i];
        facts->groups[i] = cg_target_group(target);
        if (facts->groups[i].family == CG_FAMILY_NONE && facts->why[0] == '\0')
            snprintf(facts->why, sizeof facts->why, "%s", target->resolved->why);
    }
}

void cg_check_facts(const struct cg_loop *loop, const struct cg_mapping *mapping, struct cg_check_facts *facts) {
    const struct cg_group_socket *group = loop->group;
    *facts = (struct cg_check_facts){
        .port_v4 = cg_group_socket_port(group, CG_FAMILY_IPV4),
        .port_v6 = cg_group_socket_port(group, CG_FAMILY_IPV6),
        .buffer_v4 = cg_group_socket_buffer(group, CG_FAMILY_IPV4),
        .buffer_v6 = cg_group_socket_buffer(group, CG_FAMILY_IPV6),
        .malformed = (uint32_t)cg_gateway_totals(loop->gateway)->fates[CG_FATE_MALFORMED],
    };
    if (mapping != NULL) find_groups(mapping, facts);
}
