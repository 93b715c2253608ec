/* The first-day failures. The hard thing is to say only what is known, the likeliest first: a hint that is there every
 * time is read by nobody, so each has a condition of its own, they stand in the order in which one explains the others
 * away, and the general advice comes only where no condition holds. */
#include "app/check/hints.h"

#include <stdarg.h>
#include <stdio.h>

#include "app/check/verdict.h"

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

static double seconds(uint64_t us) { return (double)us / 1e6; }

/* The request did not go out */

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

static void no_interface(struct hints *hints, const struct cg_outlet *outlet) {
    struct cg_buf names;
    char mend[192];
    if (outlet->problem.err == 0 || outlet->group.family == CG_FAMILY_NONE) return;
    mend_interface(mend, sizeof mend, outlet, outlet->target->interface);
    cg_buf_init(&names, 0);
    put_others(&names, outlet);
    if (!names.failed)
        CAUSE(hints,
              "%sinterfaces that are up and could carry it: %s. Set group.interface, or the mapping's \"interface\".",
              mend, names.data);
    cg_buf_fini(&names);
}

static void not_sent(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    for (size_t i = 0; i < findings->outlet_count; i++) no_interface(hints, &findings->outlets[i]);
    if (findings->problem.err == CG_E_EMIT && strstr(findings->problem.detail, "firewall") != NULL)
        CAUSE(hints, "a firewall on this host lets the request not out: let UDP to the group's address and port out.");
    if (findings->problem.err != CG_E_STORE) return;
    hint(hints,
         "a protected request takes numbers from the state folder %s, which one process has at a time. Beside a "
         "running gateway that is asked by its control socket, control.sock in that folder, by its user or root.",
         findings->config->state);
}

/* What this host drops */

static void full_buffer(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (findings->group.kernel_drops == 0) return;
    CAUSE(hints,
          "the kernel dropped %u datagrams because the receive buffer was full: it asks for %u bytes. Raise "
          "group.receive_buffer (and net.core.rmem_max, where it got less), or the members' leisure.",
          findings->group.kernel_drops, findings->config->group.receive_buffer);
}

static void reverse_path(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    for (size_t i = 0; i < findings->outlet_count && findings->drops.reverse_path > 0; i++) {
        const struct cg_outlet *outlet = &findings->outlets[i];
        if (!outlet->has_interface || !outlet->link.strict_reverse_path) continue;
        CAUSE(hints,
              "the reverse path filter of this host dropped %llu datagrams meanwhile: their sources are routed by "
              "another interface than %s. Add a route to the members' network, or loosen it: sysctl -w "
              "net.ipv4.conf.%s.rp_filter=2",
              (unsigned long long)findings->drops.reverse_path, outlet->by.name, outlet->by.name);
        return;
    }
}

/* *first: one of them, and why. */
static unsigned count_martians(const struct cg_findings *findings, const struct cg_sighting **first,
                               const char **what) {
    unsigned count = 0;
    for (size_t i = 0; i < findings->tap.count; i++) {
        const struct cg_sighting *seen = &findings->tap.list[i];
        const char *why;
        char name[IF_NAMESIZE];
        bool own_link = if_indextoname(seen->interface, name) != NULL && strcmp(name, "lo") == 0;
        if (own_link || !cg_evidence_is_martian(&seen->from, &why)) continue;
        if (count == 0) *first = seen, *what = why;
        count += seen->count;
    }
    return count;
}

static void martians(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_sighting *first;
    const char *what;
    char from[CG_ADDR_TEXT_MAX];
    unsigned count = count_martians(findings, &first, &what);
    if (count == 0) return;
    cg_addr_emit(&first->from, from);
    CAUSE(hints,
          "%u datagrams came from addresses that none may come from, as from %s, which is %s: this host drops them. "
          "What sends them has a wrong source address.",
          count, from, what);
}

static void checksums(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (findings->drops.checksums == 0) return;
    CAUSE(hints,
          "%llu datagrams came with a wrong UDP checksum, and this host dropped them: what sends them, or a device on "
          "the way, miscounts.",
          (unsigned long long)findings->drops.checksums);
}

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
        hint(hints, "its rules cannot be read %s.",
             findings->as_root ? "here: there is neither nft nor iptables-save, or they may not"
                               : "as this user; run --check as root to see them");
    }
}

static uint64_t lost_in_host(const struct cg_findings *findings) {
    const struct cg_sighting *first;
    const char *what;
    uint64_t explained = findings->group.received + findings->drops.reverse_path + findings->group.kernel_drops +
                         findings->drops.checksums + count_martians(findings, &first, &what);
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

/* The wrong interface */

/* Members that the routing table has behind another interface. */
static void members_elsewhere(struct hints *hints) {
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

static void no_multicast(struct hints *hints, const struct cg_outlet *outlet) {
    if (!outlet->has_interface || outlet->link.multicast || outlet->link.loopback || hints->findings->unicast) return;
    CAUSE(hints,
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

static void route_elsewhere(struct hints *hints, const struct cg_outlet *outlet) {
    char by[IF_NAMESIZE], group[CG_ADDR_TEXT_MAX];
    if (!outlet->has_interface || outlet->link.loopback || outlet->route == 0 || outlet->route == outlet->by.index ||
        hints->findings->group.rejected > 0)
        return;
    cg_addr_emit_ip(&outlet->group, group);
    hint(hints,
         "the settings send by %s, while this host's routing table has %s for %s. Right if the members are behind %s; "
         "else set \"interface\": \"%s\".",
         outlet->by.name, name_of(outlet->route, by), group, outlet->by.name, by);
}

/* The wrong source */

static bool is_other_source(const struct cg_silent *member, const struct cg_outlet *outlet) {
    return member->way.interface == outlet->by.index && member->source.family != CG_FAMILY_NONE &&
           member->source.family == outlet->source.family && !cg_addr_same_host(&member->source, &outlet->source);
}

static void tell_other_source(struct hints *hints, const struct cg_outlet *outlet, const struct cg_silent *member) {
    char used[CG_ADDR_TEXT_MAX], right[CG_ADDR_TEXT_MAX];
    cg_addr_emit_ip(&outlet->source, used);
    cg_addr_emit_ip(&member->source, right);
    CAUSE(hints,
          "the wrong source: the request left from %s, but unicast to member %s leaves from %s: its answer goes to %s "
          "and may not find the way. Set group.address to %s%s.",
          used, member->name, right, used, right,
          hints->findings->config->group.address.family == CG_FAMILY_NONE ? "" : ", or leave it out");
}

static void wrong_source(struct hints *hints, const struct cg_outlet *outlet) {
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
    CAUSE(hints,
          "the wrong source: group.address is %s, an address of %s, while the request left by %s: answers to it may "
          "not find the way. Leave group.address out.",
          used, owner, outlet->by.name);
}

/* Answers that were no good, or too late */

static void rejections(struct hints *hints) {
    static const struct {
        const char *reason, *hint;
    } known[] = {
        {"unknown-sender", "of another security group, or of a member that the keys here do not know: compare the key "
                           "files, and whether a rekey reached everybody"},
        {"verification-failed", "not to be verified: the members' keys differ from those here, or somebody changed the "
                                "answers"},
        {"unprotected", "without protection: the members cannot open what these keys protect (old keys, another "
                        "group's), or have none and are a plain group"},
        {"replayed", "replays of earlier ones"},
        {"evicted", "of members that the last rekey left out"},
        {"bad-option",
         "with an option that the gateway does not understand and may not pass on (RFC 7252 5.7), or with "
         "OSCORE on a plain mapping: mend the member, or the mapping's \"security\""},
        {"bad-block", "in blocks that do not fit together (RFC 7959)"},
        {"blocks-incomplete", "in blocks of which some did not come: raise \"timeout\", or the members' block size"},
        {"blocks-unsafe", "in blocks, which may not be asked for again with this method"},
        {"unproven-address", "in blocks, from an address that is no configured member's and does not answer a ping: "
                             "configure it, or add its range to group.prefixes"},
        {"outer-blocks",
         "fragments of protected messages, which are not put together: members are to use inner blocks"},
        {"wrong-source", "from another address than the one that was asked: a member with several addresses, or an "
                         "address translation between"},
        {"bad-code", "with a code that no response has"},
        {"too-many-failures", "not verified any more, after too many that could not be"},
        {"too-large", "larger than limits.answer"},
    };
    const struct cg_check_result *group = &hints->findings->group;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct cg_check_kind *first;
        uint32_t count = cg_check_result_rejected(group, known[i].reason, &first);
        if (count > 0)
            CAUSE(hints, "%u answers were rejected, the first from %s: %s.", count, first->from, known[i].hint);
    }
    if (group->rejected > 0 && hints->causes == 0)
        hint(hints, "%u answers were rejected: \"rejected\" says why.", group->rejected);
}

static void refusals(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    for (size_t i = 0; i < findings->group.kind_count; i++) {
        const struct cg_check_kind *kind = &findings->group.kinds[i];
        char code[5];
        if (kind->reason[0] != '\0' || kind->code < CG_CODE(4, 0)) continue;
        cg_code_text(kind->code, code);
        hint(hints, "%u members answer %s, such as %s: %s.", kind->count, code, kind->from,
             cg_verdict_of_code(kind->code));
    }
}

static void over_time(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_check_result *group = &findings->group;
    if (group->over_time == 0) return;
    CAUSE(hints,
          "%u of %u answers came after the mapping's timeout of %g s, the last after %.1f s: its clients miss them. "
          "Members may take up to %g s to answer a group (\"leisure\"): raise \"timeout\" above that.",
          group->over_time, group->answered, seconds(findings->mapping->timeout_us), group->latest_ms / 1e3,
          findings->mapping->leisure);
}

/* RFC 7252 §8.2: each after a random part of its leisure. */
static void short_timeout(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_mapping *mapping = findings->mapping;
    if (!mapping->has_timeout || findings->unicast || findings->group.over_time > 0) return;
    if (seconds(mapping->timeout_us) >= mapping->leisure) return;
    hint(hints,
         "the mapping's timeout of %g s is below its members' leisure of %g s, in which each answers at a random time: "
         "clients may miss answers. Raise \"timeout\", or configure members with less leisure and say so in "
         "\"leisure\".",
         seconds(mapping->timeout_us), mapping->leisure);
}

static void challenges(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    uint32_t count = findings->group.fates[CG_FATE_CHALLENGE];
    if (count == 0 || findings->group.missing + (findings->group.answered == 0) == 0) return;
    CAUSE(hints,
          "members wanted the request again with an Echo value (%u times), as they do when they or this gateway have "
          "started anew, and not all have answered that one in time. Ask once more; if it stays so, unicast to them "
          "is lost.",
          count);
}

static void strangers(struct hints *hints) {
    const struct cg_check_result *group = &hints->findings->group;
    if (group->strangers == 0 || group->missing == 0) return;
    hint(hints,
         "%u answers came from addresses that are no configured member's, while %u members are missing: are the "
         "addresses in the settings right?",
         group->strangers, group->missing);
}

/* Something came, and nobody has answered with it. */
static void strays(struct hints *hints) {
    const struct cg_check_result *group = &hints->findings->group;
    if (group->answered > 0 || group->rejected > 0) return;
    if (group->fates[CG_FATE_LATE] > 0)
        CAUSE(hints, "%u answers came too late, after this check had listened for %u s: raise \"leisure\".",
              group->fates[CG_FATE_LATE], (unsigned)hints->findings->listened_s);
    if (group->fates[CG_FATE_UNKNOWN_TOKEN] > 0 && !hints->findings->beside)
        CAUSE(hints, "%u answers came with a token of no request: members must return the request's (RFC 7252 5.3.1).",
              group->fates[CG_FATE_UNKNOWN_TOKEN]);
    if (group->fates[CG_FATE_MALFORMED] > 0 && !hints->findings->beside)
        CAUSE(hints, "%u datagrams came that are no CoAP: does something else use the port?",
              group->fates[CG_FATE_MALFORMED]);
}

/* What happens behind this host */

static void snooping(struct hints *hints, const struct cg_outlet *outlet) {
    if (!outlet->has_interface || outlet->link.bridge[0] == 0 || !outlet->link.snoops || outlet->link.queries ||
        hints->findings->unicast)
        return;
    CAUSE(hints,
          "bridge %s of this host snoops IGMP and MLD, and is no querier. Without another querier, ports forget that "
          "there are members: echo 1 > /sys/class/net/%s/bridge/multicast_querier",
          outlet->link.bridge, outlet->link.bridge);
}

/* That it hears unicast only says something where nothing else says why. */
static bool is_explained(const struct hints *hints, int verdict) {
    return hints->causes > 0 && (verdict == CG_VERDICT_HEARS_UNICAST || verdict == CG_VERDICT_MUTE);
}

/* Silent members, by what each was found to be. */
static void verdicts(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    for (int verdict = CG_VERDICT_NONE + 1; verdict < CG_VERDICT_COUNT; verdict++) {
        char text[768];
        if (is_explained(hints, verdict) ||
            !cg_verdict_tell(findings, (enum cg_verdict_kind)verdict, text, sizeof text))
            continue;
        if (verdict == CG_VERDICT_HEARS_UNICAST && findings->outlet_count > 0) snooping(hints, &findings->outlets[0]);
        CAUSE(hints, "%s", text);
    }
}

static void core(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (!findings->core_asked || findings->core.answered == 0) return;
    CAUSE(hints,
          "%u members answer a request for the group's " CG_CHECK_CORE_PATH ", and none for %s: they have nothing "
          "there, and errors are not sent to a group. Ask for a resource that they have: --check %s/PATH, or in the "
          "mapping's group URI.",
          findings->core.answered, findings->path, findings->mapping->name);
}

static void hops(struct hints *hints, const struct cg_outlet *outlet) {
    const struct cg_findings *findings = hints->findings;
    char group[CG_ADDR_TEXT_MAX];
    if (!outlet->has_interface || outlet->link.loopback || outlet->target->hops != 1 || findings->unicast) return;
    if (findings->silent_count > 0 || cg_verdict_stays_on_link(&outlet->group) || hints->causes > 0) return;
    cg_addr_emit_ip(&outlet->group, group);
    CAUSE(hints,
          "the hop limit is 1, so the request stays on %s's link, while %s may have members further away: set \"hops\" "
          "to 1 more than the routers between (group.hops, or the mapping's).",
          outlet->by.name, group);
}

/* Where this host has nothing to show. */
static void switches(struct hints *hints, const struct cg_outlet *outlet) {
    const struct cg_findings *findings = hints->findings;
    bool something = findings->group.received > 0 || findings->tap.total > 0;
    if (!outlet->has_interface || outlet->link.loopback || findings->unicast || hints->causes > 0 || something) return;
    const char *version = outlet->group.family == CG_FAMILY_IPV4 ? "igmp" : "icmp6";
    hint(hints,
         "the request left by %s and %s. If members are there, look at what is between: a switch that snoops %s and "
         "hears no querier drops multicast after some minutes. To see one: tcpdump -ni %s %s shows a query at least "
         "every 125 s.",
         outlet->by.name, findings->tapped ? "nothing came back" : "no answer reached the gateway",
         outlet->group.family == CG_FAMILY_IPV4 ? "IGMP" : "MLD", outlet->by.name, version);
}

static void small_buffer(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_check_facts *facts = &findings->facts;
    bool ipv6 = findings->outlet_count > 0 && findings->outlets[0].group.family == CG_FAMILY_IPV6;
    uint32_t asked = findings->config->group.receive_buffer, got = ipv6 ? facts->buffer_v6 : facts->buffer_v4;
    if (got == 0 || got >= asked) return;
    hint(hints,
         "the receive buffer is %u bytes rather than %u, so a burst of answers may be lost: sysctl -w "
         "net.core.rmem_max=%u, or give the process CAP_NET_ADMIN.",
         got, asked, asked);
}

static void blindness(struct hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (findings->tapped) return;
    hint(hints, "%s to see what arrives at the interfaces, before a firewall does.",
         findings->as_root ? "give this root CAP_NET_RAW (a container: --cap-add NET_RAW)" : "run --check as root");
}

/* The order */

static void each_outlet(struct hints *hints, void (*rule)(struct hints *hints, const struct cg_outlet *outlet)) {
    for (size_t i = 0; i < hints->findings->outlet_count; i++) rule(hints, &hints->findings->outlets[i]);
}

static void nobody_answered(struct hints *hints) {
    each_outlet(hints, loopback);
    core(hints);
    each_outlet(hints, snooping);
    each_outlet(hints, route_elsewhere);
    each_outlet(hints, hops);
    each_outlet(hints, switches);
    blindness(hints);
}

static void somebody_is_silent(struct hints *hints) {
    reverse_path(hints);
    martians(hints);
    checksums(hints);
    firewall(hints);
    members_elsewhere(hints);
    each_outlet(hints, no_multicast);
    each_outlet(hints, wrong_source);
    rejections(hints);
    strays(hints);
    answers_elsewhere(hints);
    challenges(hints);
    strangers(hints);
    verdicts(hints);
    if (hints->findings->group.answered == 0) nobody_answered(hints);
}

void cg_hints_put(struct cg_buf *to, const struct cg_findings *findings) {
    struct hints hints = {.to = to, .findings = findings};
    if (findings->problem.err < 0) {
        not_sent(&hints);
        return;
    }
    full_buffer(&hints);
    over_time(&hints);
    if (findings->group.answered == 0 || findings->group.missing > 0) {
        somebody_is_silent(&hints);
    } else {
        rejections(&hints);
    }
    refusals(&hints);
    short_timeout(&hints);
    small_buffer(&hints);
}
