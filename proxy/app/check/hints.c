/* The first-day failures. The hard thing is to say only what is known: a hint that is there every time is read by
 * nobody, so each has a condition of its own, and the general advice comes only where no condition holds. */
#include "app/check/hints.h"

#include <stdarg.h>
#include <stdio.h>

enum { WRAP = 110, INDENT = 4 };

struct hints {
    struct cg_buf *to;
    const struct cg_findings *findings;
    unsigned causes; /* hints that explain the silence */
};

/* Text in lines of at most WRAP columns. */
static void put_wrapped(struct cg_buf *to, const char *text) {
    size_t column = INDENT;
    cg_buf_put_str(to, "  - ");
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (column > INDENT && column + 1 + len > WRAP) {
            cg_buf_printf(to, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            cg_buf_put_u8(to, ' ');
            column++;
        }
        cg_buf_put(to, text, len);
        column += len;
        text += len + strspn(text + len, " ");
    }
    cg_buf_put_u8(to, '\n');
}

static void hint(struct hints *hints, const char *format, ...) CG_PRINTF(2, 3);

static void hint(struct hints *hints, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_wrapped(hints->to, text);
}

#define CAUSE(hints, ...) ((hints)->causes++, hint((hints), __VA_ARGS__))

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

static void put_others(struct cg_buf *names, const struct cg_outlet *outlet) {
    cg_evidence_interfaces(names, outlet->group.family == CG_FAMILY_IPV6 ? CG_FAMILY_IPV6 : CG_FAMILY_IPV4);
    if (names->len == 0) cg_buf_put_str(names, "none");
    cg_buf_put_u8(names, 0);
}

/* The wrong interface */

static void no_interface(struct hints *hints, const struct cg_outlet *outlet) {
    struct cg_buf names;
    if (outlet->problem.err == 0 || outlet->group.family == CG_FAMILY_NONE) return;
    cg_buf_init(&names, 0);
    put_others(&names, outlet);
    if (!names.failed)
        CAUSE(hints,
              "interfaces that are up and could carry it: %s. Set group.interface, or the mapping's \"interface\".",
              names.data);
    cg_buf_fini(&names);
}

/* Known, silent, and all of them on this very interface. */
static bool all_are_here(const struct cg_findings *findings, const struct cg_outlet *outlet) {
    for (size_t i = 0; i < findings->silent_count; i++) {
        if (findings->silent[i].way.interface != outlet->by.index) return false;
    }
    return findings->silent_count > 0;
}

static void loopback(struct hints *hints, const struct cg_outlet *outlet) {
    struct cg_buf names;
    if (!outlet->has_interface || !outlet->link.loopback || hints->findings->unicast) return;
    if (!outlet->is_joined)
        CAUSE(hints, "%s reaches programs on this host only, and none of them has joined the group there.",
              outlet->by.name);
    if (all_are_here(hints->findings, outlet)) return;
    cg_buf_init(&names, 0);
    put_others(&names, outlet);
    if (!names.failed && strcmp((const char *)names.data, "none") != 0) {
        CAUSE(hints, "%s reaches programs on this host only. Members elsewhere are reached by one of: %s.",
              outlet->by.name, names.data);
    }
    cg_buf_fini(&names);
}

/* Members that the routing table has behind another interface. */
static void members_elsewhere(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_silent *first = NULL;
    char by[IF_NAMESIZE], more[32] = "";
    unsigned count = 0;
    for (size_t i = 0; i < findings->silent_count && !findings->unicast; i++) {
        const struct cg_silent *member = &findings->silent[i];
        if (member->way.interface == 0 || is_outlet(findings, member->way.interface)) continue;
        if (count++ == 0) first = member;
    }
    if (first == NULL) return;
    if (count > 1) snprintf(more, sizeof more, " (and %u more)", count - 1);
    CAUSE(hints,
          "the wrong interface: member %s%s is reached by %s, but the group request left by %s. Set \"interface\": "
          "\"%s\".",
          first->name, more, name_of(first->way.interface, by), findings->outlets[0].by.name, by);
}

static void answers_elsewhere(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    char by[IF_NAMESIZE], from[CG_ADDR_TEXT_MAX];
    for (size_t i = 0; i < findings->tap.count && !findings->unicast; i++) {
        const struct cg_sighting *seen = &findings->tap.list[i];
        if (is_outlet(findings, seen->interface)) continue;
        cg_addr_emit(&seen->from, from);
        hint(hints, "answers of %s come in by %s, not by the interface that the request left by.", from,
             name_of(seen->interface, by));
        return;
    }
}

static void route_elsewhere(struct hints *hints, const struct cg_outlet *outlet) {
    char by[IF_NAMESIZE], group[CG_ADDR_TEXT_MAX];
    if (!outlet->has_interface || outlet->link.loopback || outlet->route == 0 || outlet->route == outlet->by.index)
        return;
    cg_addr_emit_ip(&outlet->group, group);
    hint(hints,
         "the settings send by %s, while this host's routing table has %s for %s. Right if the members are behind %s; "
         "else set \"interface\": \"%s\".",
         outlet->by.name, name_of(outlet->route, by), group, outlet->by.name, by);
}

/* What this host drops */

static void put_rules(struct hints *hints) {
    struct cg_slice rest = hints->findings->rules;
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);
        cg_buf_printf(hints->to, "%*s    %.*s\n", INDENT, "", (int)len, (const char *)rest.data);
        rest = cg_slice_of(rest.data + len + (end != NULL), rest.len - len - (end != NULL));
    }
}

static void explain_firewall(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    uint16_t fixed = findings->config->group.port;
    if (fixed != 0) {
        hint(hints,
             "the firewall must let UDP to port %u in: answers come from the members' own addresses, so it cannot tell "
             "that they belong to a request.",
             (unsigned)fixed);
    } else {
        hint(hints, "answers come from the members' own addresses, so a firewall cannot tell that they belong to a "
                    "request: set group.port to a port of your choice and let UDP to it in.");
    }
    if (findings->has_rules && findings->rules.len > 0) {
        hint(hints, "rules of this host that drop:");
        put_rules(hints);
    } else if (!findings->has_rules) {
        hint(hints, "its rules cannot be read as this user; run --check as root to see them.");
    }
}

static uint64_t lost_in_host(const struct cg_findings *findings) {
    uint64_t explained = findings->received + findings->reverse_path_drops + findings->kernel_drops;
    return findings->tapped && findings->tap.total > explained ? findings->tap.total - explained : 0;
}

static bool self_test_failed(const struct cg_findings *findings) {
    for (size_t i = 0; i < findings->outlet_count; i++) {
        if (findings->outlets[i].self_test_done && !findings->outlets[i].self_test_passed) return true;
    }
    return false;
}

static void firewall(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    uint64_t lost = lost_in_host(findings);
    bool failed = self_test_failed(findings);
    if (lost > 0) {
        CAUSE(hints,
              "a firewall on this host: %u datagrams for the gateway's port arrived here, %llu of them were dropped "
              "before the gateway could read them.",
              findings->tap.total, (unsigned long long)lost);
    }
    if (failed) {
        CAUSE(hints, "a firewall on this host: a datagram from this host's own address to the gateway's port did not "
                     "arrive. Unasked UDP is dropped.");
    }
    if (lost > 0 || failed) explain_firewall(hints);
}

static void reverse_path(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    for (size_t i = 0; i < findings->outlet_count && findings->reverse_path_drops > 0; i++) {
        const struct cg_outlet *outlet = &findings->outlets[i];
        if (!outlet->has_interface || !outlet->link.strict_reverse_path) continue;
        CAUSE(hints,
              "the reverse path filter of this host dropped %llu datagrams meanwhile: their sources are routed by "
              "another interface than %s. Add a route to the members' network, or loosen it: sysctl -w "
              "net.ipv4.conf.%s.rp_filter=2",
              (unsigned long long)findings->reverse_path_drops, outlet->by.name, outlet->by.name);
        return;
    }
}

static void buffer(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (findings->kernel_drops > 0) {
        hint(hints, "the kernel dropped %llu datagrams because the receive buffer was full.",
             (unsigned long long)findings->kernel_drops);
    }
    if (findings->buffer_got >= findings->buffer_asked) return;
    hint(hints,
         "the receive buffer is %u bytes rather than %u, so a burst of answers may be lost: sysctl -w "
         "net.core.rmem_max=%u, or give the process CAP_NET_ADMIN.",
         findings->buffer_got, findings->buffer_asked, findings->buffer_asked);
}

/* What happens behind this host */

/* Link-local: routers would not pass it on, whatever the hop limit (RFC 5771 §4, RFC 4291 §2.7). */
static bool stays_on_link(const struct cg_addr *group) {
    if (group->family == CG_FAMILY_IPV4) return group->ip[0] == 224 && group->ip[1] == 0 && group->ip[2] == 0;
    return (group->ip[1] & 0x0f) <= 2;
}

/* A silent member that is known, or none is. */
static bool may_be_routed(const struct cg_findings *findings, const struct cg_silent **routed) {
    *routed = NULL;
    for (size_t i = 0; i < findings->silent_count && *routed == NULL; i++) {
        if (findings->silent[i].way.routed) *routed = &findings->silent[i];
    }
    return *routed != NULL || findings->silent_count == 0;
}

static void hops(struct hints *hints, const struct cg_outlet *outlet) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_silent *routed;
    char group[CG_ADDR_TEXT_MAX];
    if (!outlet->has_interface || outlet->link.loopback || outlet->target->hops != 1 || findings->unicast) return;
    if (!may_be_routed(findings, &routed)) return;
    cg_addr_emit_ip(&outlet->group, group);
    if (routed != NULL && stays_on_link(&outlet->group)) {
        CAUSE(hints,
              "member %s is behind a router, and no router passes on %s, a group of the link: choose another group.",
              routed->name, group);
    } else if (routed != NULL) {
        CAUSE(hints,
              "member %s is behind a router, but the hop limit is 1: set \"hops\" to 1 more than the routers between "
              "(group.hops, or the mapping's).",
              routed->name);
    }
    if (routed != NULL || stays_on_link(&outlet->group) || hints->causes > 0 || findings->tap.total > 0) return;
    CAUSE(hints,
          "the hop limit is 1, so the request stays on %s's link, while %s may have members further away: set \"hops\" "
          "to 1 more than the routers between (group.hops, or the mapping's).",
          outlet->by.name, group);
}

static void snooping(struct hints *hints, const struct cg_outlet *outlet) {
    if (!outlet->has_interface || outlet->link.bridge[0] == 0 || !outlet->link.snoops || outlet->link.queries ||
        hints->findings->unicast)
        return;
    CAUSE(hints,
          "bridge %s of this host snoops IGMP and MLD, and is no querier. Without another querier, ports forget that "
          "there are members: echo 1 > /sys/class/net/%s/bridge/multicast_querier",
          outlet->link.bridge, outlet->link.bridge);
}

/* Answers may have been under way when collecting ended (RFC 7252 §8.2). */
static void leisure(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_mapping *mapping = findings->mapping;
    double listened = (double)mapping->timeout_us / 1e6;
    if (listened >= mapping->leisure || findings->unicast || findings->late > 0) return;
    for (size_t i = 0; i < findings->outlet_count; i++) {
        if (findings->outlets[i].link.loopback && !findings->outlets[i].is_joined) return;
    }
    hint(
        hints,
        "the gateway listened for %g s, while members may take up to %g s to answer a group, each a random time: raise "
        "the mapping's \"timeout\", or configure members with less leisure and say so in \"leisure\".",
        listened, mapping->leisure);
}

/* Servers do not send their errors to a group (RFC 7252 §8.2), and the request is for the group URI alone. */
static void nothing_there(struct hints *hints) {
    if (hints->findings->unicast || hints->findings->received > 0) return;
    hint(hints,
         "members that have nothing at the path of the mapping's group URI do not answer a group: write a resource "
         "there that they have.");
}

static void pings(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    unsigned alive = 0;
    const char *name = NULL;
    for (size_t i = 0; i < findings->silent_count; i++) {
        if (findings->silent[i].probe.result != CG_PROBE_PONG) continue;
        if (alive++ == 0) name = findings->silent[i].name;
    }
    if (alive == 0 || findings->unicast || hints->causes > 0) return;
    CAUSE(hints,
          "%u of the silent members, such as %s, answer a CoAP ping by unicast: they are up, but the group request "
          "does not reach them or they do not answer it. Have they joined the group, is the port right, do they serve "
          "the path%s?",
          alive, name, findings->mapping->security == CG_SECURITY_GROUP ? ", have they the same keys" : "");
}

static void icmp(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    for (size_t i = 0; i < findings->silent_count; i++) {
        const struct cg_silent *member = &findings->silent[i];
        if (member->probe.result != CG_PROBE_ICMP) continue;
        CAUSE(hints, "member %s cannot be reached by unicast either: %s.", member->name, member->probe.what);
        return; /* "silent" lists them all */
    }
}

/* Where this host has nothing to show. */
static void switches(struct hints *hints, const struct cg_outlet *outlet) {
    const struct cg_findings *findings = hints->findings;
    if (!outlet->has_interface || outlet->link.loopback || findings->unicast || hints->causes > 0) return;
    const char *version = outlet->group.family == CG_FAMILY_IPV4 ? "igmp" : "icmp6";
    hint(hints,
         "the request left by %s and %s. If members are there, look at what is between: a switch that snoops %s and "
         "hears no querier drops multicast after some minutes. To see one: tcpdump -ni %s %s shows a query at least "
         "every 125 s.",
         outlet->by.name, findings->tapped ? "nothing came back" : "no answer reached the gateway",
         outlet->group.family == CG_FAMILY_IPV4 ? "IGMP" : "MLD", outlet->by.name, version);
}

/* Refused answers */

static void rejections(struct hints *hints) {
    static const struct {
        const char *reason, *hint;
    } known[] = {
        {"unknown-sender", "answers came from a security group or member that the keys here do not know: compare the "
                           "key files, and whether a rekey reached everybody."},
        {"verification-failed",
         "answers could not be verified: the members' keys differ from those here, or somebody changed the answers."},
        {"unprotected",
         "members answered without protection: they have no keys for this group, or are set up as a plain group."},
        {"replayed", "answers were replays of earlier ones."},
        {"evicted", "answers came from members that the last rekey left out."},
    };
    const struct cg_findings *findings = hints->findings;
    for (size_t i = 0; i < sizeof known / sizeof *known && findings->first_rejection != NULL; i++) {
        if (strcmp(findings->first_rejection, known[i].reason) == 0) CAUSE(hints, "%s", known[i].hint);
    }
}

static void not_sent(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    for (size_t i = 0; i < findings->outlet_count; i++) no_interface(hints, &findings->outlets[i]);
    if (findings->problem.err != CG_E_STORE) return;
    hint(hints,
         "a protected request takes numbers from the state folder %s, which one process has at a time. While a gateway "
         "runs, ask the gateway itself (curl); plain mappings can be checked meanwhile.",
         findings->config->state);
}

static void silence(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    members_elsewhere(hints);
    reverse_path(hints);
    firewall(hints);
    answers_elsewhere(hints);
    bool explained = hints->causes > 0;
    pings(hints);
    icmp(hints);
    if (!explained) leisure(hints);
    if (findings->answered > 0) return;
    for (size_t i = 0; i < findings->outlet_count; i++) loopback(hints, &findings->outlets[i]);
    for (size_t i = 0; i < findings->outlet_count; i++) {
        const struct cg_outlet *outlet = &findings->outlets[i];
        hops(hints, outlet);
        snooping(hints, outlet);
        if (findings->rejected == 0) route_elsewhere(hints, outlet);
        if (findings->rejected == 0) switches(hints, outlet);
    }
    if (!findings->tapped)
        hint(hints, "run --check as root to see what arrives at the interfaces, before a firewall does.");
    if (findings->late > 0) hint(hints, "%u answers came too late: raise the mapping's \"timeout\".", findings->late);
    if (!explained) nothing_there(hints);
}

void cg_hints_put(struct cg_buf *to, const struct cg_findings *findings) {
    struct hints hints = {.to = to, .findings = findings};
    if (findings->problem.err < 0) {
        not_sent(&hints);
        return;
    }
    rejections(&hints);
    if (findings->answered == 0 || findings->missing > 0) silence(&hints);
    buffer(&hints);
}
