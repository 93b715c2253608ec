/* What this host did with the request and its answers. The hard thing: a datagram that was dropped is told of once, by
 * whatever explains it best, so a firewall is blamed for what nothing else accounts for. */
#include "app/check/hint.h"

#include <stdio.h>

/* ---- The request did not go out ---- */

void cg_hint_not_sent(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    cg_hint_each_outlet(hints, cg_hint_no_interface);
    if (findings->problem.err == CG_E_EMIT && strstr(findings->problem.detail, "firewall") != NULL)
        CG_HINT_CAUSE(
            hints,
            "a firewall on this host does not let the request out: let UDP to the group's address and port out.");
    if (findings->problem.err != CG_E_STORE || strstr(findings->problem.detail, "is missing") != NULL) return;
    cg_hint(hints,
            "a protected request takes numbers from the state folder %s, which one process has at a time. Beside a "
            "running gateway that is asked by its control socket, control.sock in that folder, by its user or root.",
            findings->config->state);
}

/* ---- What this host drops ---- */

void cg_hint_full_buffer(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (findings->group.kernel_drops == 0) return;
    CG_HINT_CAUSE(hints,
                  "the kernel dropped %u datagrams because the receive buffer was full: it asks for %u bytes. Raise "
                  "group.receive_buffer (and net.core.rmem_max, where it got less), or the members' leisure.",
                  findings->group.kernel_drops, findings->config->group.receive_buffer);
}

void cg_hint_reverse_path(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    for (size_t i = 0; i < findings->outlet_count && findings->drops.reverse_path > 0; i++) {
        const struct cg_outlet *outlet = &findings->outlets[i];
        if (!outlet->has_interface || !outlet->link.strict_reverse_path) continue;
        CG_HINT_CAUSE(
            hints,
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

void cg_hint_martians(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_sighting *first;
    const char *what;
    char from[CG_ADDR_TEXT_MAX];
    unsigned count = count_martians(findings, &first, &what);
    if (count == 0) return;
    cg_addr_emit(&first->from, from);
    CG_HINT_CAUSE(
        hints,
        "%u datagrams came from addresses that none may come from, as from %s, which is %s: this host drops them. "
        "What sends them has a wrong source address.",
        count, from, what);
}

void cg_hint_checksums(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (findings->drops.checksums == 0) return;
    CG_HINT_CAUSE(
        hints,
        "%llu datagrams came with a wrong UDP checksum, and this host dropped them: what sends them, or a device on "
        "the way, miscounts.",
        (unsigned long long)findings->drops.checksums);
}

static void explain_firewall(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    uint16_t fixed = findings->config->group.port;
    if (fixed != 0) {
        cg_hint(
            hints,
            "the firewall must let UDP to port %u in: answers come from the members' own addresses, so it cannot tell "
            "that they belong to a request.",
            (unsigned)fixed);
    } else {
        cg_hint(hints, "answers come from the members' own addresses, so a firewall cannot tell that they belong to a "
                       "request: set group.port to a port of your choice and let UDP to it in.");
    }
    if (findings->has_rules && findings->rules.len > 0) {
        cg_hint(hints, "rules of this host that drop:");
        cg_hint_quote(hints, findings->rules);
    } else if (!findings->has_rules) {
        cg_hint(hints, "its rules cannot be read %s.",
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

void cg_hint_firewall(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    uint64_t lost = lost_in_host(findings);
    bool failed = self_test_failed(findings);
    if (lost > 0) {
        CG_HINT_CAUSE(
            hints,
            "a firewall on this host: %u datagrams for the gateway's port arrived here, %llu of them were dropped "
            "before the gateway could read them.",
            findings->tap.total, (unsigned long long)lost);
    }
    if (failed) {
        CG_HINT_CAUSE(hints,
                      "a firewall on this host: a datagram from this host's own address to the gateway's port did not "
                      "arrive. Unasked UDP is dropped.");
    }
    if (lost > 0 || failed) explain_firewall(hints);
}

/* ---- What may be, and what cannot be seen ---- */

void cg_hint_small_buffer(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_check_facts *facts = &findings->facts;
    bool ipv6 = findings->outlet_count > 0 && findings->outlets[0].group.family == CG_FAMILY_IPV6;
    uint32_t asked = findings->config->group.receive_buffer, got = ipv6 ? facts->buffer_v6 : facts->buffer_v4;
    if (got == 0 || got >= asked) return;
    cg_hint(hints,
            "the receive buffer is %u bytes rather than %u, so a burst of answers may be lost: sysctl -w "
            "net.core.rmem_max=%u, or give the process CAP_NET_ADMIN.",
            got, asked, asked);
}

void cg_hint_blindness(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (findings->tapped) return;
    cg_hint(hints, "%s to see what arrives at the interfaces, before a firewall does.",
            findings->as_root ? "give this root CAP_NET_RAW (a container: --cap-add NET_RAW)" : "run --check as root");
}
