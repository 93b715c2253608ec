/* The gateway of a command. The hard thing: it opens and closes in the order of the one in service, with less. */
#include "app/alone.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "hops/credentials.h"

enum { NAMES_PATIENCE_MS = 10000 };

/* Waiting */

static void on_time(uv_timer_t *timer) { ((struct cg_alone *)timer->data)->timed_out = true; }

void cg_alone_wait(struct cg_alone *alone, bool (*done)(const void *who), const void *who, uint64_t most_ms) {
    alone->timed_out = false;
    uv_update_time(&alone->loop.uv);
    CG_CHECK(uv_timer_start(&alone->timer, on_time, most_ms, 0) == 0);
    while (!done(who) && !alone->timed_out) uv_run(&alone->loop.uv, UV_RUN_ONCE);
    uv_timer_stop(&alone->timer);
}

void cg_alone_wake(struct cg_alone *alone) { uv_stop(&alone->loop.uv); }

static void on_signal(void *ctx, int number) {
    struct cg_alone *alone = ctx;
    if (number == SIGHUP) return;
    alone->interrupted = true;
    alone->hurry(alone->ctx);
}

struct names {
    const struct cg_alone *alone;
    const struct cg_mapping *mappings;
    size_t count;
};

static bool has_groups(const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        if (cg_target_group(&mapping->targets[i]).family == CG_FAMILY_NONE) return false;
    }
    return true;
}

static bool names_are_known(const void *who) {
    const struct names *names = who;
    for (size_t i = 0; i < names->count; i++) {
        if (!has_groups(&names->mappings[i])) return names->alone->interrupted;
    }
    return true;
}

void cg_alone_wait_for_names(struct cg_alone *alone, const struct cg_mapping *mappings, size_t count) {
    const struct names names = {.alone = alone, .mappings = mappings, .count = count};
    if (!names_are_known(&names)) cg_alone_wait(alone, names_are_known, &names, NAMES_PATIENCE_MS);
}

/* The end */

static void free_parts(struct cg_alone *alone) {
    cg_protectors_fini(&alone->protectors);
    cg_names_free(alone->names);
}

void cg_alone_close(struct cg_alone *alone) {
    uv_close((uv_handle_t *)&alone->timer, NULL);
    cg_protectors_close(&alone->protectors, NULL, NULL);
    cg_names_close(alone->names);
    cg_hop_connections_close(alone->hops);
    cg_loop_close(&alone->loop);
    cg_loop_run(&alone->loop);
    cg_loop_fini(&alone->loop);
    cg_hop_connections_free(alone->hops);
    free_parts(alone);
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
    fprintf(stderr, "group.port %u is in use, by a gateway that runs perhaps: another one is used here.\n",
            (unsigned)config->group.port);
    config->group.port = 0;
}

static bool attach(struct cg_alone *alone, struct cg_problem *problem) {
    alone->names = cg_names_new(&(struct cg_names_options){0});
    if (alone->names == NULL) return cg_problem_no_memory(problem) == CG_OK;
    return cg_hop_credentials_load(alone->config, problem) == CG_OK &&
           cg_names_attach(alone->names, alone->config, problem) == CG_OK &&
           cg_protectors_attach(&alone->protectors, alone->config, problem) == CG_OK;
}

static bool open_loop(struct cg_alone *alone, struct cg_problem *problem) {
    if (cg_loop_init(&alone->loop, alone->config, on_signal, alone, problem) < 0) return false;
    CG_CHECK(uv_timer_init(&alone->loop.uv, &alone->timer) == 0);
    alone->timer.data = alone;
    cg_names_open(alone->names, &alone->loop.uv);
    return true;
}

static bool open_hops(struct cg_alone *alone, struct cg_problem *problem) {
    struct cg_loop *loop = &alone->loop;
    alone->hops = cg_hop_connections_open(&loop->uv, cg_gateway_engine(loop->gateway), &cg_hop_usual_limits);
    if (alone->hops == NULL) return cg_problem_no_memory(problem) == CG_OK;
    loop->port.connections = cg_hop_connections_port(alone->hops);
    return true;
}

static bool open_protectors(struct cg_alone *alone, enum cg_alone_keys keys, struct cg_problem *problem) {
    if (keys == CG_ALONE_PLAIN) return true;
    return cg_protectors_open(&alone->protectors, &alone->loop.uv, alone->loop.gateway, alone->config, problem) ==
           CG_OK;
}

bool cg_alone_open(struct cg_alone *alone, struct cg_config *config, enum cg_alone_keys keys, void (*hurry)(void *ctx),
                   void *ctx, struct cg_problem *problem) {
    *alone = (struct cg_alone){.config = config, .hurry = hurry, .ctx = ctx};
    cg_protectors_init(&alone->protectors);
    leave_port(config);
    if (!attach(alone, problem) || !open_loop(alone, problem)) {
        free_parts(alone);
        return false;
    }
    if (open_hops(alone, problem) && open_protectors(alone, keys, problem)) return true;
    cg_alone_close(alone);
    return false;
}
