/* Budgets of interfaces. The hard thing: "in any nine seconds" is more than an average. A bucket that refills lets
 * twice its burst through in one window; so the times of what has left are kept, and the oldest of them says when the
 * next may leave. */
#include "legs/send_budget.h"

#include "legs/engine.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    JITTER_US = 50000,      /* between the time that a turn goes by and the wire: so much longer a datagram counts */
    NO_MEMORY_US = 1000000, /* to look again for room that there was no memory to note */
    LOG_GROWTH = 16,
};

/* What has left. */

static void forget_old(struct cg_send_budget *budget, uint64_t now_us) {
    while (budget->log_count > 0 && budget->log[budget->log_first] + budget->window_us + JITTER_US <= now_us) {
        budget->log_first = (budget->log_first + 1) % budget->log_cap;
        budget->log_count--;
    }
}

static uint64_t left_us(const struct cg_send_budget *budget, uint32_t index) {
    return budget->log[(budget->log_first + index) % budget->log_cap];
}

/* So that using what is held cannot fail. False: no memory. */
static bool reserve(struct cg_send_budget *budget) {
    uint32_t need = budget->log_count + budget->held_count + 1;
    if (need <= budget->log_cap) return true;
    uint32_t cap = need + need / 2 + LOG_GROWTH;
    uint64_t *log = malloc(cap * sizeof *log);
    if (log == NULL) return false;
    for (uint32_t i = 0; i < budget->log_count; i++) log[i] = left_us(budget, i);
    free(budget->log);
    budget->log = log;
    budget->log_cap = cap;
    budget->log_first = 0;
    return true;
}

static void note(struct cg_send_budget *budget, uint64_t now_us) {
    budget->log[(budget->log_first + budget->log_count++) % budget->log_cap] = now_us;
}

/* When one more may leave where `ahead` others go first; 0: now; UINT64_MAX: when what is held has left. */
static uint64_t when(struct cg_send_budget *budget, uint32_t ahead, uint64_t now_us) {
    forget_old(budget, now_us);
    uint64_t taken = (uint64_t)budget->log_count + budget->held_count + ahead;
    if (taken < budget->requests) return 0;
    uint64_t to_expire = taken - budget->requests; /* index of the last that must not count any more */
    if (to_expire >= budget->log_count) return UINT64_MAX;
    return left_us(budget, (uint32_t)to_expire) + budget->window_us + JITTER_US;
}

/* Rows */

static struct cg_send_budgets *budgets_of(struct cg_engine *engine) { return &engine->send_budgets; }

static bool has_waiting(const struct cg_send_budget *budget) {
    return budget->waiting[CG_LANE_GROUPS] != NULL || budget->waiting[CG_LANE_MEMBERS] != NULL;
}

static uint32_t index_of(const struct cg_engine *engine, const char *interface) {
    const struct cg_port *port = engine->port;
    return port->zone == NULL ? 0 : port->zone(port->ctx, interface);
}

uint32_t cg_send_link(const struct cg_engine *engine, const char *interface, const struct cg_addr *to) {
    bool is_said_by_address = to->scope != 0 && (interface == NULL || cg_addr_is_link_local(to));
    return is_said_by_address ? to->scope : index_of(engine, interface);
}

static struct cg_send_budget *find(struct cg_engine *engine, uint32_t link) {
    for (size_t i = 0; link != 0 && i < CG_SEND_BUDGETS_MAX; i++) {
        struct cg_send_budget *budget = &budgets_of(engine)->rows[i];
        if (budget->interface[0] != '\0' && index_of(engine, budget->interface) == link) return budget;
    }
    return NULL;
}

/* Whose turn it is, of two lanes. */
static struct cg_room *first_waiting(const struct cg_send_budget *budget) {
    struct cg_room *room = budget->waiting[budget->next];
    return room != NULL ? room : budget->waiting[CG_LANES - 1 - budget->next];
}

static uint64_t row_due(struct cg_send_budget *budget, uint64_t now_us) {
    if (budget->interface[0] == '\0' || !has_waiting(budget)) return UINT64_MAX;
    uint64_t at_us = when(budget, 0, now_us);
    return at_us == 0 ? now_us : at_us;
}

static void arm(struct cg_engine *engine) {
    struct cg_send_budgets *budgets = budgets_of(engine);
    uint64_t due_us = budgets->released != NULL ? engine->now_us : UINT64_MAX;
    for (size_t i = 0; i < CG_SEND_BUDGETS_MAX; i++) {
        uint64_t at_us = row_due(&budgets->rows[i], engine->now_us);
        if (at_us < due_us) due_us = at_us;
    }
    if (due_us == UINT64_MAX) {
        cg_engine_clear_timer(engine, &budgets->timer);
    } else {
        cg_engine_set_timer(engine, &budgets->timer, due_us);
    }
}

/* Room */

static void hold(struct cg_send_budget *budget, struct cg_room *room) {
    DL_APPEND2(budget->held, room, previous, next);
    budget->held_count++;
    room->budget = budget;
    room->state = CG_ROOM_HELD;
}

static void let_go(struct cg_room *room) {
    struct cg_send_budget *budget = room->budget;
    room->state = CG_ROOM_NONE;
    room->budget = NULL;
    if (budget == NULL) return;
    DL_DELETE2(budget->held, room, previous, next);
    budget->held_count--;
}

static void wait(struct cg_engine *engine, struct cg_send_budget *budget, struct cg_room *room) {
    DL_APPEND2(budget->waiting[room->lane], room, previous, next);
    budget->waiting_count[room->lane]++;
    room->budget = budget;
    room->state = CG_ROOM_WAITS;
    engine->totals->budget_waits++;
    arm(engine);
}

static void wait_no_more(struct cg_engine *engine, struct cg_room *room) {
    struct cg_room **list = room->budget == NULL ? &budgets_of(engine)->released : &room->budget->waiting[room->lane];
    DL_DELETE2(*list, room, previous, next);
    if (room->budget != NULL) room->budget->waiting_count[room->lane]--;
    room->budget = NULL;
    room->state = CG_ROOM_NONE;
}

bool cg_room_take(struct cg_engine *engine, struct cg_room *room, uint32_t link) {
    if (room->state != CG_ROOM_NONE) return room->state == CG_ROOM_HELD;
    struct cg_send_budget *budget = find(engine, link);
    if (budget == NULL) {
        room->state = CG_ROOM_HELD;
    } else if (!has_waiting(budget) && when(budget, 0, engine->now_us) == 0 && reserve(budget)) {
        hold(budget, room);
    } else {
        wait(engine, budget, room);
    }
    return room->state == CG_ROOM_HELD;
}

void cg_room_use(struct cg_engine *engine, struct cg_room *room) {
    if (room->state != CG_ROOM_HELD) return;
    struct cg_send_budget *budget = room->budget;
    let_go(room);
    if (budget == NULL) return;
    note(budget, engine->now_us);
    arm(engine);
}

void cg_room_return(struct cg_engine *engine, struct cg_room *room) {
    if (room->state == CG_ROOM_WAITS) {
        wait_no_more(engine, room);
        arm(engine);
    } else if (room->state == CG_ROOM_HELD) {
        bool was_bound = room->budget != NULL;
        let_go(room);
        if (was_bound) arm(engine);
    }
}

/* Behind so many of its lane. */
static uint64_t when_behind(const struct cg_engine *engine, struct cg_send_budget *budget, enum cg_room_lane lane,
                            uint32_t own) {
    uint32_t others = budget->waiting_count[CG_LANES - 1 - lane];
    uint32_t ahead = own + (others < own + 1 ? others : own + 1);
    uint32_t windows = ahead / budget->requests;
    uint64_t at_us = when(budget, ahead % budget->requests, engine->now_us);
    if (at_us == UINT64_MAX) at_us = engine->now_us + budget->window_us;
    if (windows == 0) return at_us;
    return (at_us == 0 ? engine->now_us : at_us) + windows * budget->window_us;
}

uint64_t cg_room_when(struct cg_engine *engine, enum cg_room_lane lane, uint32_t link) {
    struct cg_send_budget *budget = find(engine, link);
    return budget == NULL ? 0 : when_behind(engine, budget, lane, budget->waiting_count[lane]);
}

uint64_t cg_room_when_again(struct cg_engine *engine, const struct cg_room *room) {
    struct cg_send_budget *budget = room->budget;
    if (budget == NULL || room->state != CG_ROOM_WAITS) return 0;
    return when_behind(engine, budget, room->lane, budget->waiting_count[room->lane] - 1);
}

/* Grants */

static void grant_of(struct cg_engine *engine, struct cg_send_budget *budget) {
    while (has_waiting(budget) && when(budget, 0, engine->now_us) == 0 && reserve(budget)) {
        struct cg_room *room = first_waiting(budget);
        budget->next = CG_LANES - 1 - room->lane;
        wait_no_more(engine, room);
        hold(budget, room);
        room->granted(engine, room);
    }
}

static void grant_released(struct cg_engine *engine) {
    while (budgets_of(engine)->released != NULL) {
        struct cg_room *room = budgets_of(engine)->released;
        wait_no_more(engine, room);
        room->state = CG_ROOM_HELD;
        room->granted(engine, room);
    }
}

static bool lacks_memory(const struct cg_send_budgets *budgets, uint64_t now_us) {
    return budgets->timer.deadline.is_set && budgets->timer.deadline.at_us <= now_us;
}

static void budgets_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_send_budgets *budgets = budgets_of(engine);
    grant_released(engine);
    for (size_t i = 0; i < CG_SEND_BUDGETS_MAX; i++) grant_of(engine, &budgets->rows[i]);
    arm(engine);
    if (lacks_memory(budgets, engine->now_us)) cg_engine_set_timer(engine, timer, engine->now_us + NO_MEMORY_US);
}

/* Settings */

static const struct cg_send_budget_settings *settings_of(const struct cg_engine *engine, const char *interface) {
    const struct cg_group_settings *group = &engine->config->group;
    for (size_t i = 0; i < group->send_budget_count; i++) {
        if (strcmp(group->send_budgets[i].interface, interface) == 0) return &group->send_budgets[i];
    }
    return NULL;
}

/* Who waits goes soon, and from the loop. */
static void free_row(struct cg_send_budgets *budgets, struct cg_send_budget *budget) {
    struct cg_room *room, *next;
    for (int lane = 0; lane < CG_LANES; lane++) {
        DL_FOREACH2(budget->waiting[lane], room, next) room->budget = NULL;
        DL_CONCAT2(budgets->released, budget->waiting[lane], previous, next);
    }
    for (room = budget->held; room != NULL; room = next) {
        next = room->next;
        room->budget = NULL;
    }
    free(budget->log);
    *budget = (struct cg_send_budget){0};
}

static struct cg_send_budget *row_of(struct cg_send_budgets *budgets, const char *interface) {
    struct cg_send_budget *row = NULL;
    for (size_t i = 0; i < CG_SEND_BUDGETS_MAX; i++) {
        struct cg_send_budget *budget = &budgets->rows[i];
        if (strcmp(budget->interface, interface) == 0) return budget;
        if (row == NULL && budget->interface[0] == '\0') row = budget;
    }
    return row;
}

void cg_send_budgets_adopt(struct cg_engine *engine) {
    struct cg_send_budgets *budgets = budgets_of(engine);
    const struct cg_group_settings *group = &engine->config->group;
    for (size_t i = 0; i < CG_SEND_BUDGETS_MAX; i++) {
        struct cg_send_budget *budget = &budgets->rows[i];
        if (budget->interface[0] != '\0' && settings_of(engine, budget->interface) == NULL) free_row(budgets, budget);
    }
    for (size_t i = 0; i < group->send_budget_count; i++) {
        const struct cg_send_budget_settings *settings = &group->send_budgets[i];
        struct cg_send_budget *budget = row_of(budgets, settings->interface);
        strncpy(budget->interface, settings->interface, CG_INTERFACE_MAX);
        budget->requests = settings->requests;
        budget->window_us = (uint64_t)settings->seconds * 1000000;
    }
    arm(engine);
}

void cg_send_budgets_init(struct cg_engine *engine) {
    engine->send_budgets = (struct cg_send_budgets){.timer.due = budgets_due};
    cg_send_budgets_adopt(engine);
}

void cg_send_budgets_fini(struct cg_engine *engine) {
    struct cg_send_budgets *budgets = budgets_of(engine);
    cg_engine_clear_timer(engine, &budgets->timer);
    for (size_t i = 0; i < CG_SEND_BUDGETS_MAX; i++) free(budgets->rows[i].log);
}
