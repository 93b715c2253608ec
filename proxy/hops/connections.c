/* The table of next hops that are asked by connections, and their time. The hard thing: the core keeps numbers of what
 * may be gone, so a number is given once only, and what is not there any more is an error like others. */
#include "hops/connections.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "hops/credentials.h"
#include "hops/hop.h"
#include "io/loop.h"

enum { HOPS_MAX = 4096 };

const struct cg_hop_limits cg_hop_usual_limits = {
    .opening_us = 10 * UINT64_C(1000000),
    .pong_us = 10 * UINT64_C(1000000),
    .quiet_us = 45 * UINT64_C(1000000),
    .release_us = 60 * UINT64_C(1000000),
    .rest_us = 500 * UINT64_C(1000),
};

/* ---- Time ---- */

static void on_timer(uv_timer_t *timer);

static void arm(struct cg_hop_connections *all) {
    const struct cg_deadline *first = cg_heap_first(&all->deadlines);
    const uint64_t now = cg_loop_now_us();
    if (all->is_closed || first == NULL) return;
    uv_update_time(all->uv);
    CG_CHECK(uv_timer_start(&all->timer, on_timer, first->at_us > now ? (first->at_us - now) / 1000 + 1 : 0, 0) == 0);
}

static void on_timer(uv_timer_t *timer) {
    struct cg_hop_connections *all = timer->data;
    const uint64_t now = cg_loop_now_us();
    struct cg_deadline *first;
    while ((first = cg_heap_first(&all->deadlines)) != NULL && first->at_us <= now) {
        struct cg_hop_timer *due = CG_CONTAINER(first, struct cg_hop_timer, deadline);
        cg_heap_remove(&all->deadlines, first);
        due->due(due);
    }
    arm(all);
}

void cg_hop_set_timer(struct cg_hop_connections *all, struct cg_hop_timer *timer, uint64_t in_us) {
    cg_heap_set(&all->deadlines, &timer->deadline, cg_loop_now_us() + in_us);
    if (cg_heap_first(&all->deadlines) == &timer->deadline) arm(all);
}

void cg_hop_clear_timer(struct cg_hop_connections *all, struct cg_hop_timer *timer) {
    cg_heap_remove(&all->deadlines, &timer->deadline);
}

static void on_idle(uv_idle_t *idle) {
    struct cg_hop_connections *all = idle->data;
    uv_idle_stop(idle);
    cg_hop_streams_ping(all);
}

void cg_hop_run_soon(struct cg_hop_connections *all) { CG_CHECK(uv_idle_start(&all->idle, on_idle) == 0); }

/* ---- Rows ---- */

void cg_hop_forget(struct cg_hop *hop) {
    struct cg_hop_connections *all = hop->all;
    cg_hop_clear_timer(all, &hop->rest);
    if (CG_HASH_HAS(hh_number, hop)) HASH_DELETE(hh_number, all->by_number, hop);
    if (CG_HASH_HAS(hh, hop)) HASH_DELETE(hh, all->by_key, hop);
    SSL_CTX_free(hop->context);
    free(hop->key);
    free(hop->origin);
    free(hop->host);
    free(hop);
}

/* It has rested, and is forgotten unless somebody asks meanwhile. */
static void on_rested(struct cg_hop_timer *timer) {
    struct cg_hop *hop = CG_CONTAINER(timer, struct cg_hop, rest);
    bool is_needed = hop->way != NULL || hop->former != NULL || cg_connection_is_used(hop->all->engine, &hop->addr);
    if (!is_needed && hop->rests_until_us + hop->all->limits.quiet_us <= cg_loop_now_us()) {
        cg_hop_forget(hop);
    } else {
        cg_hop_set_timer(hop->all, timer, hop->all->limits.quiet_us);
    }
}

static uint32_t next_number(struct cg_hop_connections *all, enum cg_scheme scheme) {
    all->last_number = all->last_number % (CG_ADDR_STREAM - 1) + 1;
    return scheme == CG_SCHEME_COAPS ? all->last_number : all->last_number | CG_ADDR_STREAM;
}

static char *make_key(const struct cg_next_hop *next_hop) {
    const char *credentials = next_hop->credentials_name == NULL ? "" : next_hop->credentials_name;
    size_t size = strlen(next_hop->origin) + 1 + strlen(credentials) + 1;
    char *key = malloc(size);
    if (key != NULL) snprintf(key, size, "%s %s", next_hop->origin, credentials);
    return key;
}

static bool keep_texts(struct cg_hop *hop, const struct cg_next_hop *next_hop) {
    hop->origin = strdup(next_hop->origin);
    hop->host = strdup(next_hop->host);
    return hop->origin != NULL && hop->host != NULL;
}

/* Owns `key`, whatever comes of it. */
static struct cg_hop *new_hop(struct cg_hop_connections *all, const struct cg_next_hop *next_hop, char *key) {
    struct cg_hop *hop = HASH_CNT(hh, all->by_key) < HOPS_MAX ? calloc(1, sizeof *hop) : NULL;
    if (hop == NULL) {
        free(key);
        return NULL;
    }
    hop->all = all;
    hop->key = key;
    hop->addr.connection = next_number(all, next_hop->scheme);
    hop->rest.due = on_rested;
    if (keep_texts(hop, next_hop)) HASH_ADD_KEYPTR(hh, all->by_key, hop->key, strlen(hop->key), hop);
    if (CG_HASH_HAS(hh, hop)) HASH_ADD(hh_number, all->by_number, addr.connection, sizeof hop->addr.connection, hop);
    if (CG_HASH_HAS(hh_number, hop)) return hop;
    cg_hop_forget(hop);
    return NULL;
}

static struct cg_hop *get(struct cg_hop_connections *all, const struct cg_next_hop *next_hop) {
    struct cg_hop *hop;
    char *key = make_key(next_hop);
    if (key == NULL) return NULL;
    HASH_FIND(hh, all->by_key, key, strlen(key), hop);
    if (hop == NULL && !all->is_closed) return new_hop(all, next_hop, key);
    free(key);
    return hop;
}

/* Those of the snapshot that asks: connections that are there keep what they began with. False: there are none, and
 * nothing goes there without. */
static bool take_credentials(struct cg_hop *hop, const struct cg_next_hop *next_hop) {
    const bool is_by_datagrams = next_hop->scheme == CG_SCHEME_COAPS;
    const bool is_protected = is_by_datagrams || next_hop->scheme == CG_SCHEME_COAPS_TCP;
    if (!is_protected) return true;
    if (next_hop->credentials == NULL) return false;
    SSL_CTX_free(hop->context);
    hop->context = cg_hop_credentials_context(next_hop->credentials, is_by_datagrams ? CG_HOP_BY_DTLS : CG_HOP_BY_TLS);
    return hop->context != NULL;
}

static struct cg_hop *hop_at(const struct cg_hop_connections *all, const struct cg_addr *at) {
    struct cg_hop *hop;
    HASH_FIND(hh_number, all->by_number, &at->connection, sizeof at->connection, hop);
    return hop;
}

/* ---- The core's side ---- */

/* A name may stand for another host now: the next connection leads there. */
static void follow(struct cg_hop *hop, const struct cg_addr *at) {
    const uint32_t number = hop->addr.connection;
    if (hop->way != NULL || hop->former != NULL || cg_connection_is_used(hop->all->engine, &hop->addr)) return;
    hop->addr = *at;
    hop->addr.connection = number;
}

static int find(void *ctx, const struct cg_next_hop *next_hop, struct cg_addr *at, struct cg_problem *problem) {
    struct cg_hop_connections *all = ctx;
    struct cg_hop *hop = get(all, next_hop);
    if (hop == NULL) return cg_problem_no_memory(problem);
    if (!take_credentials(hop, next_hop))
        return cg_problem_set(problem, CG_E_HOP_LOST, "the credentials for the next hop %s are not there",
                              next_hop->origin);
    follow(hop, at);
    *at = hop->addr;
    return CG_OK;
}

static int say_gone(struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_HOP_LOST, "the connection to the next hop is closed");
}

static int open_one(void *ctx, const struct cg_addr *at, struct cg_problem *problem) {
    struct cg_hop_connections *all = ctx;
    struct cg_hop *hop = hop_at(all, at);
    return hop == NULL || all->is_closed ? say_gone(problem) : cg_hop_open(hop, problem);
}

static int emit(void *ctx, const struct cg_addr *at, struct cg_slice datagram, struct cg_problem *problem) {
    struct cg_hop *hop = hop_at(ctx, at);
    return hop == NULL ? say_gone(problem) : cg_hop_emit(hop, datagram, problem);
}

/* ---- Figures ---- */

static size_t count_open(const struct cg_hop_connections *all) {
    size_t count = 0;
    for (const struct cg_hop *hop = all->by_key; hop != NULL; hop = hop->hh.next) count += hop->is_open;
    return count;
}

void cg_hop_connections_metrics(const struct cg_hop_connections *all, struct cg_buf *to) {
    const struct cg_hop_figures *figures = &all->figures;
    cg_buf_printf(to,
                  "# HELP castgate_next_hop_connections Connections to next hops that are open.\n"
                  "# TYPE castgate_next_hop_connections gauge\ncastgate_next_hop_connections %zu\n"
                  "# HELP castgate_next_hop_connections_total What became of connections to next hops.\n"
                  "# TYPE castgate_next_hop_connections_total counter\n",
                  count_open(all));
    const struct {
        const char *what;
        uint64_t count;
    } rows[] = {{"opened", figures->opened},
                {"failed", figures->failed},
                {"lost", figures->lost},
                {"released", figures->released},
                {"idle", figures->idle}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cg_buf_printf(to, "castgate_next_hop_connections_total{outcome=\"%s\"} %llu\n", rows[i].what,
                      (unsigned long long)rows[i].count);
}

/* ---- Opening and closing ---- */

struct cg_hop_connections *cg_hop_connections_open(uv_loop_t *uv, struct cg_engine *engine,
                                                   const struct cg_hop_limits *limits) {
    struct cg_hop_connections *all = calloc(1, sizeof *all);
    if (all == NULL) return NULL;
    all->streams = cg_streams_open(uv, &cg_stream_usual_limits);
    if (all->streams == NULL) {
        free(all);
        return NULL;
    }
    all->port = (struct cg_connection_port){.ctx = all, .find = find, .open = open_one, .emit = emit};
    all->limits = *limits;
    all->engine = engine;
    all->uv = uv;
    cg_heap_init(&all->deadlines);
    CG_CHECK(uv_timer_init(uv, &all->timer) == 0 && uv_idle_init(uv, &all->idle) == 0);
    all->timer.data = all->idle.data = all;
    return all;
}

const struct cg_connection_port *cg_hop_connections_port(const struct cg_hop_connections *all) { return &all->port; }

void cg_hop_connections_close(struct cg_hop_connections *all) {
    struct cg_hop *hop, *next;
    if (all == NULL || all->is_closed) return;
    all->is_closed = true;
    HASH_ITER(hh, all->by_key, hop, next) {
        cg_hop_end(hop);
        cg_hop_forget(hop);
    }
    uv_close((uv_handle_t *)&all->timer, NULL);
    uv_close((uv_handle_t *)&all->idle, NULL);
    cg_streams_close(all->streams, NULL, NULL);
}

void cg_hop_connections_free(struct cg_hop_connections *all) {
    if (all == NULL) return;
    cg_heap_fini(&all->deadlines);
    free(all);
}
