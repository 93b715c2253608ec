/* The end. The hard thing is its order: first no new requests, then the running exchanges with their replies, at most
 * five seconds of that, and only then the sockets; and a disk that does not answer must not make it longer. */
#include <stdlib.h>
#include <unistd.h>

#include "app/program.h"
#include "base/check.h"
#include "base/log.h"

enum {
    END_POLL_MS = 20,
    END_PATIENCE_US = 4500000,
    EARLY_FINISH_US = 4000000,
    END_MS = 4800,
};

void cg_program_init_end(struct cg_program *program) {
    CG_CHECK(uv_timer_init(&program->loop.uv, &program->ending) == 0);
    CG_CHECK(uv_timer_init(&program->loop.uv, &program->deadline) == 0);
    program->ending.data = program;
}

static void on_thread_done(void *ctx) {
    struct cg_program *program = ctx;
    if (--program->threads == 0) uv_close((uv_handle_t *)&program->deadline, NULL);
}

/* Every number that was given is durable, and what a disk still does cannot be stopped. */
static void on_deadline(uv_timer_t *timer) {
    (void)timer;
    cg_log(CG_LOG_WARNING, "stopping",
           "a disk has not answered in time: what is left is left to it; no number is lost");
    cg_log_last_words("", 0);
    _exit(EXIT_SUCCESS);
}

void cg_program_close(struct cg_program *program) {
    uv_close((uv_handle_t *)&program->ending, NULL);
    uv_close((uv_handle_t *)&program->reload.retry, NULL);
    cg_notify_close(&program->notify);
    cg_expiry_close(&program->expiry);
    cg_warming_close(program->warming);
    cg_reactions_close(program->reactions);
    cg_discoveries_close(program->discoveries);
    program->is_closing = true;
    cg_manage_stop(program->manage);
    cg_app_catalogue_forget(program);
    cg_claims_close(&program->claims);
    cg_client_claims_close(&program->client_claims);
    cg_fronts_close(program);
    cg_inbound_free(program->inbound);
    program->inbound = NULL;
    program->threads = 6;
    cg_control_close(program->control, on_thread_done, program);
    cg_keeper_close(program->keeper, on_thread_done, program);
    cg_protectors_close(&program->protectors, on_thread_done, program);
    cg_worker_close(program->worker, on_thread_done, program);
    cg_worker_close(program->disk, on_thread_done, program);
    cg_app_groups_close(&program->groups, on_thread_done, program);
    cg_names_close(program->names);
    cg_hop_connections_close(program->hops);
    cg_loop_close(&program->loop);
}

static void on_ending(uv_timer_t *timer) {
    struct cg_program *program = timer->data;
    uint64_t passed_us = cg_loop_now_us() - program->stopped_us;
    if (passed_us >= EARLY_FINISH_US && !program->finished_early) {
        program->finished_early = true;
        cg_gateway_finish_all(program->loop.gateway);
    }
    const struct cg_gateway *gateway = program->loop.gateway;
    bool runs = cg_gateway_running(gateway) > 0 || cg_gateway_is_cancelling(gateway);
    bool done = !runs && cg_fronts_are_idle(program) && cg_manage_is_idle(program->manage);
    if (done || passed_us >= END_PATIENCE_US) cg_program_close(program);
}

void cg_program_stop(struct cg_program *program) {
    if (program->stopped_us != 0) return;
    program->stopped_us = cg_loop_now_us();
    cg_log(CG_LOG_INFO, "stopping", "%zu exchanges are running", cg_gateway_running(program->loop.gateway));
    cg_notify_stopping(&program->notify, "ending; exchanges that run: %zu", cg_gateway_running(program->loop.gateway));
    cg_warming_close(program->warming);
    cg_manage_stop(program->manage);
    cg_gateway_stop(program->loop.gateway);
    cg_fronts_stop(program);
    CG_CHECK(uv_timer_start(&program->ending, on_ending, 0, END_POLL_MS) == 0);
    CG_CHECK(uv_timer_start(&program->deadline, on_deadline, END_MS, 0) == 0);
}
