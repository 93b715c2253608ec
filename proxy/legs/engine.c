/* The engine: its tables' beginning and end, and time. */
#include "legs/engine.h"

#include "base/container.h"
#include "legs/leg.h"

void cg_engine_init(struct cg_engine *engine, struct cg_config *config, const struct cg_port *port,
                    struct cg_totals *totals) {
    *engine = (struct cg_engine){.port = port, .config = cg_config_ref(config), .totals = totals};
    cg_heap_init(&engine->deadlines);
    cg_slots_init(&engine->legs);
    cg_slots_init(&engine->jobs);
    port->random(port->ctx, &engine->next_mid, sizeof engine->next_mid);
    cg_tokens_init(engine);
    cg_endpoints_init(engine);
    cg_pings_init(engine);
    cg_reach_init(engine);
    cg_resets_init(engine);
    cg_send_budgets_init(engine);
}

void cg_engine_fini(struct cg_engine *engine) {
    cg_legs_fini(engine);
    cg_tokens_fini(engine);
    cg_endpoints_fini(engine);
    cg_pings_fini(engine);
    cg_signs_fini(engine);
    cg_pace_fini(&engine->paces);
    cg_send_budgets_fini(engine);
    cg_heap_fini(&engine->deadlines);
    cg_config_unref(engine->config);
}

void cg_engine_adopt(struct cg_engine *engine, struct cg_config *config) {
    struct cg_config *old = engine->config;
    engine->config = cg_config_ref(config);
    cg_config_unref(old);
    cg_reach_init(engine);
    cg_send_budgets_adopt(engine);
}

static bool purge_paces(struct cg_engine *engine, size_t *rows) {
    return cg_pace_purge(&engine->paces, &engine->config->group, engine->now_us, rows);
}

static bool (*const purges[])(struct cg_engine *engine, size_t *rows) = {cg_endpoints_purge, cg_pings_purge,
                                                                         cg_signs_purge, purge_paces};

void cg_engine_begin_purge(struct cg_engine *engine) { engine->purged = 0; }

bool cg_engine_purge(struct cg_engine *engine, size_t *rows) {
    for (; engine->purged < sizeof purges / sizeof purges[0]; engine->purged++) {
        if (*rows == 0 || purges[engine->purged](engine, rows)) return true;
    }
    return false;
}

void cg_engine_left(struct cg_engine *engine, struct cg_protector *protector) {
    protector->departure = ++engine->departures;
    engine->left(engine);
}

/* Time. */

void cg_engine_set_timer(struct cg_engine *engine, struct cg_timer *timer, uint64_t at_us) {
    const struct cg_deadline *first = cg_heap_first(&engine->deadlines);
    bool becomes_first = first == NULL || at_us < first->at_us;
    cg_heap_set(&engine->deadlines, &timer->deadline, at_us);
    if (becomes_first) engine->port->wake(engine->port->ctx);
}

void cg_engine_clear_timer(struct cg_engine *engine, struct cg_timer *timer) {
    cg_heap_remove(&engine->deadlines, &timer->deadline);
}

void cg_engine_fire(struct cg_engine *engine, uint64_t now_us) {
    struct cg_deadline *first;
    if (now_us > engine->now_us) engine->now_us = now_us;
    while ((first = cg_heap_first(&engine->deadlines)) != NULL && first->at_us <= engine->now_us) {
        cg_heap_remove(&engine->deadlines, first);
        struct cg_timer *timer = CG_CONTAINER(first, struct cg_timer, deadline);
        timer->due(engine, timer);
    }
}

uint64_t cg_engine_next_us(const struct cg_engine *engine) {
    const struct cg_deadline *first = cg_heap_first(&engine->deadlines);
    return first == NULL ? UINT64_MAX : first->at_us;
}
