/* The wrong way out. The hard thing: a host with several interfaces is mostly right about them, so what the routing
 * table has is only a cause where a member is known behind it. */
#include "app/check/hint.h"

#include <stdio.h>

#include "app/check/verdict.h"

static const char *name_of(unsigned interface, char name[IF_NAMESIZE]) {
    if (interface == 0) return "no interface";
    if (if_indextoname(interface, name) == NULL) snprintf(name, IF_NAMESIZE, "#%u", interface);
    return name;
}

static bool is_outlet(const struct cg_findings *findings, unsigned interface) {
    for (size_t i = 0; i < findings->outlet_count; i++) {
        if (findings->outlets[i].has_interface && findings->outlets[i].by.index == interface) return true;
    }
    return false;
}

/* Returns whether there are any. */
static bool put_others(struct cg_buf *names, const struct cg_outlet *outlet) {
    cg_evidence_interfaces(names, outlet->group.family == CG_FAMILY_IPV6 ? CG_FAMILY_IPV6 : CG_FAMILY_IPV4);
    bool are_any = names->len > 0;
    if (!are_any) cg_buf_put_str(names, "none");
    cg_buf_put_u8(names, 0);
    return are_any;
}

/* ---- The interface ---- */

static void mend_interface(char *text, size_t size, const struct cg_outlet *outlet, const char *name) {
    const struct cg_link *link = &outlet->link;
    text[0] = '\0';
    if (name == NULL || link->mtu == 0) return;
    if (!link->up) {
        snprintf(text, size, "bring %s up (ip link set dev %s up), or take another: ", name, name);
    } else if (!link->running) {
        snprintf(text, size, "%s has no carrier: is its cable in, its network joined, the other end up? Else: ", name);
    } else if (outlet->group.family == CG_FAMILY_IPV4) {
        snprintf(text, size, "give %s an IPv4 address (ip addr add … dev %s), or take another: ", name, name);
    }
}

void cg_hint_no_interface(struct cg_hints *hints, const struct cg_outlet *outlet) {
    struct cg_buf names;
    char mend[192];
    if (outlet->problem.err == 0 || outlet->group.family == CG_FAMILY_NONE) return;
    mend_interface(mend, sizeof mend, outlet, outlet->target->interface);
    cg_buf_init(&names, 0);
    bool are_any = put_others(&names, outlet);
    if (!are_any && outlet->target->interface == NULL)
        CG_HINT_CAUSE(hints, "%s.", outlet->problem.detail); /* nobody named one, and it says why none was found */
    else if (!names.failed)
        CG_HINT_CAUSE(
            hints,
            "%sinterfaces that are up and could carry it: %s. Set group.interface, or the mapping's \"interface\".",
            mend, names.data);
    cg_buf_fini(&names);
}

/* Members that the routing table has behind another interface. */
void cg_hint_members_elsewhere(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_silent *first = NULL;
    char by[IF_NAMESIZE], more[32] = "";
    unsigned count = 0;
    for (size_t i = 0; i < findings->silent_count; i++) {
        const struct cg_silent *member = &findings->silent[i];
        if (!cg_verdict_is_elsewhere(findings, member)) continue;
        if (count++ == 0) first = member;
    }
    if (first == NULL) return;
    if (count > 1) snprintf(more, sizeof more, " (and %u more)", count - 1);
    CG_HINT_CAUSE(
        hints,
        "the wrong interface: member %s%s is reached by %s, but the group request left by %s. Set \"interface\": "
        "\"%s\".",
        first->name, more, name_of(first->way.interface, by), findings->outlets[0].by.name, by);
}

void cg_hint_answers_elsewhere(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    char by[IF_NAMESIZE], from[CG_ADDR_TEXT_MAX];
    for (size_t i = 0; i < findings->tap.count && !findings->unicast; i++) {
        const struct cg_sighting *seen = &findings->tap.list[i];
        if (is_outlet(findings, seen->interface)) continue;
        cg_addr_emit(&seen->from, from);
        cg_hint(hints, "answers of %s come in by %s, not by the interface that the request left by.", from,
                name_of(seen->interface, by));
        return;
    }
}

void cg_hint_no_multicast(struct cg_hints *hints, const struct cg_outlet *outlet) {
    if (!outlet->has_interface || outlet->link.multicast || outlet->link.loopback || hints->findings->unicast) return;
    CG_HINT_CAUSE(
        hints,
        "%s is set up without multicast, as tunnels often are: ip link set dev %s multicast on, if its other end "
        "carries it.",
        outlet->by.name, outlet->by.name);
}

/* Known, silent, and all of them on this very interface. */
static bool all_are_here(const struct cg_findings *findings, const struct cg_outlet *outlet) {
    for (size_t i = 0; i < findings->silent_count; i++) {
        if (findings->silent[i].way.interface != outlet->by.index) return false;
    }
    return findings->silent_count > 0;
}

void cg_hint_loopback(struct cg_hints *hints, const struct cg_outlet *outlet) {
    struct cg_buf names;
    if (!outlet->has_interface || !outlet->link.loopback || hints->findings->unicast) return;
    if (!outlet->is_joined)
        CG_HINT_CAUSE(hints, "%s reaches programs on this host only, and none of them has joined the group there.",
                      outlet->by.name);
    if (all_are_here(hints->findings, outlet)) return;
    cg_buf_init(&names, 0);
    if (put_others(&names, outlet) && !names.failed) {
        CG_HINT_CAUSE(hints, "%s reaches programs on this host only. Members elsewhere are reached by one of: %s.",
                      outlet->by.name, names.data);
    }
    cg_buf_fini(&names);
}

void cg_hint_route_elsewhere(struct cg_hints *hints, const struct cg_outlet *outlet) {
    char by[IF_NAMESIZE], group[CG_ADDR_TEXT_MAX];
    if (!outlet->has_interface || outlet->link.loopback || outlet->route == 0 || outlet->route == outlet->by.index ||
        hints->findings->group.rejected > 0)
        return;
    cg_addr_emit_ip(&outlet->group, group);
    cg_hint(
        hints,
        "the settings send by %s, while this host's routing table has %s for %s. Right if the members are behind %s; "
        "else set \"interface\": \"%s\".",
        outlet->by.name, name_of(outlet->route, by), group, outlet->by.name, by);
}

/* ---- The source ---- */

static bool is_other_source(const struct cg_silent *member, const struct cg_outlet *outlet) {
    return member->way.interface == outlet->by.index && member->source.family != CG_FAMILY_NONE &&
           member->source.family == outlet->source.family && !cg_addr_same_host(&member->source, &outlet->source);
}

static void tell_other_source(struct cg_hints *hints, const struct cg_outlet *outlet, const struct cg_silent *member) {
    char used[CG_ADDR_TEXT_MAX], right[CG_ADDR_TEXT_MAX];
    cg_addr_emit_ip(&outlet->source, used);
    cg_addr_emit_ip(&member->source, right);
    CG_HINT_CAUSE(
        hints,
        "the wrong source: the request left from %s, but unicast to member %s leaves from %s: its answer goes to %s "
        "and may not find the way. Set group.address to %s%s.",
        used, member->name, right, used, right,
        hints->findings->config->group.address.family == CG_FAMILY_NONE ? "" : ", or leave it out");
}

void cg_hint_wrong_source(struct cg_hints *hints, const struct cg_outlet *outlet) {
    const struct cg_findings *findings = hints->findings;
    char owner[IF_NAMESIZE], used[CG_ADDR_TEXT_MAX];
    if (!outlet->has_interface || findings->unicast || outlet->link.loopback) return;
    for (size_t i = 0; i < findings->silent_count; i++) {
        if (!is_other_source(&findings->silent[i], outlet)) continue;
        tell_other_source(hints, outlet, &findings->silent[i]);
        return;
    }
    bool is_set = findings->config->group.address.family == outlet->group.family;
    if (!is_set || !cg_evidence_owner(&outlet->source, owner) || strcmp(owner, outlet->by.name) == 0) return;
    cg_addr_emit_ip(&outlet->source, used);
    CG_HINT_CAUSE(
        hints,
        "the wrong source: group.address is %s, an address of %s, while the request left by %s: answers to it may "
        "not find the way. Leave group.address out.",
        used, owner, outlet->by.name);
}
