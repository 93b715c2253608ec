/* A gateway for nobody but a check: the same sockets and protectors as in service, without listeners. The hard thing is
 * to wait in it for one thing at a time, whatever else its loop does meanwhile. */
#include "app/check/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/protectors.h"
#include "base/check.h"
#include "base/container.h"
#include "io/names.h"

enum {
    NAMES_PATIENCE_MS = 10000,
    REPLY_MARGIN_MS = 30000,
};

struct own {
    struct cg_check_bench bench;
    struct cg_config *config;
    const struct cg_mapping *mapping;
    struct cg_loop loop;
    struct cg_protectors protectors;
    struct cg_names *names;
    uv_timer_t timer;
    struct cg_trial *trial; /* NULL: none runs */
    struct cg_check_result *result;
    bool timed_out;
};

/* Waiting */

static void on_time(uv_timer_t *timer) { ((struct own *)timer->data)->timed_out = true; }

typedef bool (*done_fn)(const struct own *own);

static void wait_until(struct own *own, done_fn done, uint64_t most_ms) {
    own->timed_out = false;
    uv_update_time(&own->loop.uv);
    CG_CHECK(uv_timer_start(&own->timer, on_time, most_ms, 0) == 0);
    while (!done(own) && !own->timed_out) uv_run(&own->loop.uv, UV_RUN_ONCE);
    uv_timer_stop(&own->timer);
}

/* Whoever is tired of waiting still gets to see what came. */
static void on_signal(void *ctx, int number) {
    struct own *own = ctx;
    if (number == SIGHUP) return;
    own->bench.interrupted = true;
    if (own->trial != NULL) cg_trial_hurry(own->trial);
}

static bool names_are_known(const struct own *own) {
    for (size_t i = 0; i < own->mapping->target_count; i++) {
        if (cg_target_group(&own->mapping->targets[i]).family == CG_FAMILY_NONE) return own->bench.interrupted;
    }
    return true;
}

/* Requests */

static bool has_result(const struct own *own) { return own->trial == NULL; }

static void on_done(void *ctx, struct cg_check_result *result) {
    struct own *own = ctx;
    cg_check_result_take(own->result, result);
    own->trial = NULL;
}

static bool run(struct cg_check_bench *bench, const struct cg_check_order *order, struct cg_check_result *result,
                struct cg_problem *problem) {
    struct own *own = CG_CONTAINER(bench, struct own, bench);
    own->result = result;
    own->trial = cg_trial_begin(&own->loop, order, on_done, own, problem);
    if (own->trial == NULL) return false;
    wait_until(own, has_result, 3000 * (uint64_t)cg_check_listens(order) + REPLY_MARGIN_MS);
    if (own->trial == NULL) return true;
    cg_trial_drop(own->trial);
    own->trial = NULL;
    cg_problem_set(problem, CG_E_INTERNAL, "the request did not end in time");
    return false;
}

static bool facts(struct cg_check_bench *bench, struct cg_check_facts *facts, struct cg_problem *problem) {
    struct own *own = CG_CONTAINER(bench, struct own, bench);
    (void)problem;
    uv_run(&own->loop.uv, UV_RUN_NOWAIT); /* what has come is the gateway's to read first */
    cg_check_facts(&own->loop, own->mapping, facts);
    return true;
}

/* The end */

static void free_own(struct own *own) {
    cg_protectors_fini(&own->protectors);
    cg_names_free(own->names);
    free(own);
}

static void close_own(struct cg_check_bench *bench) {
    struct own *own = CG_CONTAINER(bench, struct own, bench);
    uv_close((uv_handle_t *)&own->timer, NULL);
    cg_protectors_close(&own->protectors, NULL, NULL);
    cg_names_close(own->names);
    cg_loop_close(&own->loop);
    cg_loop_run(&own->loop);
    cg_loop_fini(&own->loop);
    free_own(own);
}

/* The beginning */

static bool port_is_taken(const struct cg_group_settings *group) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(group->port)};
    if (group->port == 0) return false;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool taken = fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof any) != 0;
    if (fd >= 0) close(fd);
    return taken;
}

static void leave_port(struct cg_config *config) {
    if (!port_is_taken(&config->group)) return;
    printf("group.port %u is in use, by a gateway that runs perhaps: this check uses another one.\n",
           (unsigned)config->group.port);
    config->group.port = 0;
}

static bool attach(struct own *own, struct cg_problem *problem) {
    own->names = cg_names_new(&(struct cg_names_options){0});
    if (own->names == NULL) return cg_problem_no_memory(problem) == CG_OK;
    return cg_names_attach(own->names, own->config, problem) == CG_OK &&
           cg_protectors_attach(&own->protectors, own->config, problem) == CG_OK;
}

/* A plain mapping leaves the state folder to whoever may have it. */
static bool open_protectors(struct own *own, struct cg_problem *problem) {
    if (own->mapping->security != CG_SECURITY_GROUP) return true;
    return cg_protectors_open(&own->protectors, &own->loop.uv, own->loop.gateway, own->config, problem) == CG_OK;
}

static bool open_loop(struct own *own, struct cg_problem *problem) {
    if (cg_loop_init(&own->loop, own->config, on_signal, own, problem) < 0) return false;
    CG_CHECK(uv_timer_init(&own->loop.uv, &own->timer) == 0);
    own->timer.data = own;
    cg_names_open(own->names, &own->loop.uv);
    return true;
}

struct cg_check_bench *cg_check_own(struct cg_config *config, const struct cg_mapping *mapping,
                                    struct cg_problem *problem) {
    struct own *own = calloc(1, sizeof *own);
    if (own == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    own->bench = (struct cg_check_bench){.facts = facts, .run = run, .close = close_own};
    own->config = config;
    own->mapping = mapping;
    cg_protectors_init(&own->protectors);
    leave_port(config);
    if (!attach(own, problem) || !open_loop(own, problem)) {
        free_own(own);
        return NULL;
    }
    if (!open_protectors(own, problem)) {
        close_own(&own->bench);
        return NULL;
    }
    if (!names_are_known(own)) wait_until(own, names_are_known, NAMES_PATIENCE_MS);
    return &own->bench;
}
