/* Whom unasked-for messages may reach. The hard thing: the question comes with every datagram of a flood, so answers
 * are kept in a table of fixed size, where a newer host takes an older one's place, and new questions are rationed. */
#include "legs/reach.h"

#include "legs/engine.h"

enum { REMEMBERED_US = 10 * 1000000 };

static bool is_in_prefixes(const struct cg_group_settings *settings, const struct cg_addr *addr) {
    for (size_t i = 0; i < settings->prefix_count; i++) {
        if (cg_prefix_has(&settings->prefixes[i], addr)) return true;
    }
    return false;
}

static bool is_on_link(const struct cg_engine *engine, const char *interface, const struct cg_addr *addr) {
    const struct cg_port *port = engine->port;
    return port->on_link != NULL && port->on_link(port->ctx, interface, addr);
}

bool cg_reach_near(const struct cg_engine *engine, const struct cg_group_settings *settings,
                   const struct cg_target *target, const struct cg_addr *addr) {
    return is_in_prefixes(settings, addr) || is_on_link(engine, target->interface, addr);
}

/* Links */

enum verdict { NO, YES, UNKNOWN };

static bool take_question(struct cg_engine *engine) {
    struct cg_allowance *questions = &engine->reach.questions;
    cg_allowance_fill(questions, CG_REACH_QUESTIONS, CG_REACH_QUESTIONS_RATE, engine->now_us);
    if (questions->left < 1) return false;
    questions->left -= 1;
    return true;
}

static enum verdict is_on_some_link(struct cg_engine *engine, const struct cg_addr *addr) {
    const struct cg_config *config = engine->config;
    for (size_t i = 0; i < config->hosts.interface_count; i++) {
        if (!take_question(engine)) return UNKNOWN;
        if (is_on_link(engine, config->hosts.interfaces[i].name, addr)) return YES;
    }
    return NO;
}

/* What is remembered */

static enum verdict find_out(struct cg_engine *engine, const struct cg_addr *host) {
    const struct cg_config *config = engine->config;
    if (cg_hosts_have(&config->hosts, host) || is_in_prefixes(&config->group, host)) return YES;
    return is_on_some_link(engine, host);
}

static bool may_host_hear(struct cg_engine *engine, const struct cg_addr *host) {
    struct cg_reached *row = &engine->reach.hosts[cg_addr_hash(host) % CG_REACH_HOSTS];
    if (engine->now_us < row->until_us && cg_addr_equal(&row->host, host)) return row->may_hear;
    enum verdict verdict = find_out(engine, host);
    if (verdict == UNKNOWN) return false;
    *row = (struct cg_reached){.host = *host, .until_us = engine->now_us + REMEMBERED_US, .may_hear = verdict == YES};
    return row->may_hear;
}

bool cg_reach_may_hear(struct cg_engine *engine, const struct cg_addr *addr) {
    const struct cg_endpoint *endpoint = cg_endpoint_find(engine, addr);
    if (endpoint != NULL && endpoint->genuine) return true;
    struct cg_addr host = cg_addr_host(addr);
    return !cg_addr_is_multicast(addr) && may_host_hear(engine, &host);
}

void cg_reach_init(struct cg_engine *engine) {
    engine->reach.questions = (struct cg_allowance){.left = CG_REACH_QUESTIONS, .filled_us = engine->now_us};
    memset(engine->reach.hosts, 0, sizeof engine->reach.hosts);
}
