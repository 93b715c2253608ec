/* Warming. The hard thing: none of it may be in anybody's way. Of each security group one request runs at a time, of
 * all a few; each waits while a client waits for the same group, and is broken off when one comes to wait for it. And
 * nothing here walks more than some thousand members a turn. */
#include "jobs/warming.h"

#include "base/container.h"
#include "base/log.h"
#include "jobs/own.h"
#include "legs/cast.h"
#include "legs/engine.h"
#include "model/excerpt.h"
#include "model/mapping.h"
#include "reply/sink.h"

#include <stdlib.h>

enum {
    AT_ONCE = 4,         /* requests */
    LOOKED_AT = 4096,    /* members a turn */
    EXPECTED_MAX = 1024, /* of a request: further ones are the next one's */
    JITTER_US = 4000000, /* before the first request of a security group */
    PAUSE_US = 500000,   /* about, before the next one, and while it is not its turn */
    YIELD_US = 100000,   /* how often a running one looks whether somebody waits */
    NEXT_TURN_US = 1000,
    RETRY_US = 10000000, /* where nothing went out: twice as long each time */
    RETRIES_APART = 5,   /* so often: some five minutes */
    LATE_S = 1,          /* answers, after leisure, for their way */
    ASKING_S = 30,       /* for whoever is asked by unicast */
};

/* One security group; by name, over reloads. */
struct visitor {
    UT_hash_handle hh;
    char name[CG_NAME_MAX + 1];
    struct cg_warming *warming;
    struct cg_timer timer; /* when it goes on; while its request runs: when to look whether somebody waits */
    struct cg_sink sink;
    struct cg_config *excerpt; /* a reference, of the request that runs; NULL: none does */
    struct cg_ticket ticket;
    uint64_t renewals; /* of the protector, when it was begun last */
    size_t visit;      /* where it is: of the security group's */
    size_t member;     /* and of its members the first that is not looked at yet */
    size_t next_member;
    unsigned failures; /* requests in a row that did not go out */
    bool gave_way;
    bool starts_over;
};

struct cg_warming {
    struct cg_gateway *gateway;
    struct visitor *visitors; /* uthash head */
    unsigned running;
    bool closed;
};

static struct cg_engine *engine_of(const struct visitor *visitor) {
    return cg_gateway_engine(visitor->warming->gateway);
}

/* When. */

static void go_on_after(struct visitor *visitor, uint64_t us) {
    struct cg_engine *engine = engine_of(visitor);
    if (!visitor->warming->closed) cg_engine_set_timer(engine, &visitor->timer, cg_engine_now(engine) + us);
}

static uint64_t up_to(const struct visitor *visitor, uint64_t us) {
    const struct cg_port *port = cg_gateway_port(visitor->warming->gateway);
    uint32_t random;
    port->random(port->ctx, &random, sizeof random);
    return us * random / UINT32_MAX;
}

static void go_on_soon(struct visitor *visitor) { go_on_after(visitor, PAUSE_US + up_to(visitor, PAUSE_US)); }

static void try_again_later(struct visitor *visitor) {
    unsigned times = visitor->failures < RETRIES_APART ? visitor->failures : RETRIES_APART;
    visitor->failures++;
    go_on_after(visitor, ((uint64_t)RETRY_US << times) + up_to(visitor, RETRY_US));
}

static void start_over(struct visitor *visitor) {
    visitor->visit = visitor->member = 0;
    visitor->failures = 0;
    visitor->starts_over = false;
    go_on_after(visitor, up_to(visitor, JITTER_US));
}

/* Where. */

/* NULL: the settings do not have it warmed. */
static const struct cg_security_keys *group_of(const struct visitor *visitor) {
    const struct cg_config *config = cg_gateway_config(visitor->warming->gateway);
    const struct cg_security_keys *group;
    HASH_FIND_STR(config->security_groups_by_name, visitor->name, group);
    return group != NULL && group->warm ? group : NULL;
}

static const struct cg_visits *visits_of(const struct cg_warming *warming, const struct cg_security_keys *group) {
    return cg_visits_of(cg_gateway_config(warming->gateway), group);
}

static bool is_last(const struct visitor *visitor, const struct cg_security_keys *group) {
    return visitor->visit + 1 == visits_of(visitor->warming, group)->count;
}

static bool is_cold(const struct cg_mapping *mapping, const struct cg_member *member) {
    return cg_protector_is_cold(mapping->protector, member->identity);
}

/* Of the next members those that are cold: how many. */
static size_t choose(struct visitor *visitor, const struct cg_visit *visit, const struct cg_member **chosen) {
    const struct cg_mapping *mapping = visit->mapping;
    size_t count = 0, at = visitor->member;
    for (; at < mapping->member_count && at - visitor->member < LOOKED_AT && count < EXPECTED_MAX; at++) {
        if (is_cold(mapping, &mapping->members[at])) chosen[count++] = &mapping->members[at];
    }
    visitor->next_member = at;
    return count;
}

/* False: that was all. */
static bool advance(struct visitor *visitor, const struct cg_security_keys *group) {
    const struct cg_visits *visits = visits_of(visitor->warming, group);
    const struct cg_mapping *mapping = visits->list[visitor->visit].mapping;
    visitor->member = visitor->next_member;
    if (visitor->member < mapping->member_count) return true;
    visitor->member = 0;
    return ++visitor->visit < visits->count;
}

/* The end of a request. */

static void log_request(const struct visitor *visitor) {
    const struct cg_mapping *mapping = &visitor->excerpt->mappings[0];
    size_t cold = 0;
    for (size_t i = 0; i < mapping->member_count; i++) cold += is_cold(mapping, &mapping->members[i]);
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, "warming");
    cg_log_str(&line, "security_group", visitor->name);
    cg_log_str(&line, "group", mapping->targets[0].uri);
    cg_log_u64(&line, "members", mapping->member_count);
    cg_log_u64(&line, "cold", cold);
    cg_log_end(&line);
}

static void on_over(struct visitor *visitor, const struct cg_problem *problem) {
    const struct cg_security_keys *group = group_of(visitor);
    bool is_out = problem->err == CG_OK || problem->err == CG_E_NO_ANSWER;
    if (visitor->gave_way) {
        go_on_soon(visitor);
    } else if (!is_out) {
        try_again_later(visitor);
    } else {
        log_request(visitor);
        visitor->failures = 0;
        if (group != NULL && advance(visitor, group)) go_on_soon(visitor);
    }
}

static void forget_request(struct visitor *visitor) {
    cg_config_unref(visitor->excerpt);
    visitor->excerpt = NULL;
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    struct visitor *visitor = CG_CONTAINER(sink, struct visitor, sink);
    (void)view, (void)ending;
    bool told = how != CG_SINK_LEFT && !visitor->starts_over;
    cg_engine_clear_timer(engine_of(visitor), &visitor->timer);
    if (told) on_over(visitor, problem);
    if (!told && !visitor->warming->closed) start_over(visitor);
    forget_request(visitor);
    visitor->warming->running--;
}

static const struct cg_sink_ops sink_ops = {.end = on_end};

/* A request. */

/* NULL: no memory. */
static struct cg_config *make_excerpt(const struct visitor *visitor, const struct cg_security_keys *group,
                                      const struct cg_member *const *members, size_t count) {
    const struct cg_visit *visit = &visits_of(visitor->warming, group)->list[visitor->visit];
    struct cg_config *excerpt = cg_excerpt_new(cg_gateway_config(visitor->warming->gateway), visit->mapping);
    if (excerpt == NULL) return NULL;
    cg_excerpt_aim(excerpt, visit->target);
    excerpt->mappings[0].repair_unicast = is_last(visitor, group);
    if (cg_excerpt_expect(excerpt, members, count) && cg_mapping_index(excerpt)) return excerpt;
    cg_config_unref(excerpt);
    return NULL;
}

/* False: there is no room for it now. */
static bool open_exchange(struct visitor *visitor) {
    const struct cg_mapping *mapping = &visitor->excerpt->mappings[0];
    const struct cg_own own = {
        .excerpt = visitor->excerpt,
        .timeout_s = (uint32_t)mapping->leisure + LATE_S + (mapping->repair_unicast ? ASKING_S : 0),
    };
    struct cg_problem ignored = {0};
    return cg_own_open(visitor->warming->gateway, &own, &visitor->ticket, &ignored) == CG_OK;
}

static void begin(struct visitor *visitor, const struct cg_security_keys *group, const struct cg_member *const *members,
                  size_t count) {
    struct cg_gateway *gateway = visitor->warming->gateway;
    visitor->excerpt = make_excerpt(visitor, group, members, count);
    if (visitor->excerpt == NULL || !open_exchange(visitor)) {
        forget_request(visitor);
        go_on_soon(visitor);
        return;
    }
    visitor->warming->running++;
    visitor->gave_way = false;
    visitor->sink = (struct cg_sink){.ops = &sink_ops};
    go_on_after(visitor, YIELD_US);
    cg_gateway_start(gateway, visitor->ticket, &visitor->sink, cg_gateway_now(gateway));
}

/* Time. */

static bool must_wait(const struct visitor *visitor, const struct cg_visit *visit) {
    const struct cg_warming *warming = visitor->warming;
    return warming->running >= AT_ONCE || !cg_own_has_room(warming->gateway) ||
           cg_cast_is_waited_for(engine_of(visitor), visit->target);
}

static void step(struct visitor *visitor, const struct cg_security_keys *group) {
    const struct cg_visit *visit = &visits_of(visitor->warming, group)->list[visitor->visit];
    const struct cg_member *members[EXPECTED_MAX];
    if (must_wait(visitor, visit)) {
        go_on_soon(visitor);
        return;
    }
    size_t count = choose(visitor, visit, members);
    if (count > 0) {
        begin(visitor, group, members, count);
    } else if (advance(visitor, group)) {
        go_on_after(visitor, NEXT_TURN_US);
    }
}

static void give_way(struct visitor *visitor) {
    const struct cg_target *target = &visitor->excerpt->mappings[0].targets[0];
    visitor->gave_way = cg_cast_is_waited_for(engine_of(visitor), target);
    if (visitor->gave_way) {
        cg_gateway_finish(visitor->warming->gateway, visitor->ticket);
    } else {
        go_on_after(visitor, YIELD_US);
    }
}

static void on_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct visitor *visitor = CG_CONTAINER(timer, struct visitor, timer);
    const struct cg_security_keys *group = group_of(visitor);
    (void)engine;
    if (visitor->excerpt != NULL) {
        give_way(visitor);
    } else if (group != NULL && visitor->visit < visits_of(visitor->warming, group)->count) {
        step(visitor, group);
    }
}

/* Who. */

static struct visitor *new_visitor(struct cg_warming *warming, const char *name) {
    struct visitor *visitor = calloc(1, sizeof *visitor);
    if (visitor == NULL) return NULL;
    visitor->warming = warming;
    visitor->timer.due = on_due;
    memcpy(visitor->name, name, strlen(name) + 1); /* checked when the settings were read */
    HASH_ADD_STR(warming->visitors, name, visitor);
    if (CG_HASH_HAS(hh, visitor)) return visitor;
    free(visitor);
    return NULL;
}

/* NULL: no memory; its members stay as they are until the next look. */
static struct visitor *visitor_of(struct cg_warming *warming, const char *name) {
    struct visitor *visitor;
    HASH_FIND_STR(warming->visitors, name, visitor);
    return visitor != NULL ? visitor : new_visitor(warming, name);
}

static void look_at(struct cg_warming *warming, const struct cg_security_keys *group) {
    const struct cg_visits *visits = visits_of(warming, group);
    if (!group->warm || visits->count == 0) return;
    uint64_t renewals = visits->list[0].mapping->protector->renewals;
    struct visitor *visitor = visitor_of(warming, group->name);
    if (visitor == NULL || visitor->renewals == renewals) return;
    visitor->renewals = renewals;
    if (visitor->excerpt == NULL) {
        start_over(visitor);
    } else {
        visitor->starts_over = true;
        cg_gateway_finish(warming->gateway, visitor->ticket);
    }
}

void cg_warming_look(struct cg_warming *warming) {
    const struct cg_config *config = cg_gateway_config(warming->gateway);
    for (size_t i = 0; i < config->security_group_count && !warming->closed; i++)
        look_at(warming, &config->security_groups[i]);
}

/* Life. */

struct cg_warming *cg_warming_new(struct cg_gateway *gateway) {
    struct cg_warming *warming = calloc(1, sizeof *warming);
    if (warming != NULL) warming->gateway = gateway;
    return warming;
}

void cg_warming_close(struct cg_warming *warming) {
    struct visitor *visitor, *next;
    if (warming == NULL) return;
    warming->closed = true;
    HASH_ITER(hh, warming->visitors, visitor, next) {
        cg_engine_clear_timer(engine_of(visitor), &visitor->timer);
        if (visitor->excerpt != NULL) cg_gateway_abandon(warming->gateway, visitor->ticket);
    }
}

void cg_warming_free(struct cg_warming *warming) {
    if (warming == NULL) return;
    struct visitor *visitor, *next;
    HASH_ITER(hh, warming->visitors, visitor, next) {
        HASH_DEL(warming->visitors, visitor);
        free(visitor);
    }
    free(warming);
}
