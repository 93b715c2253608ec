/* The first-day failures. The hard thing is to say only what is known, the likeliest first: a hint that is there every
 * time is read by nobody, so each has a condition of its own, they stand in the order in which one explains the others
 * away, and the general advice comes only where no condition holds. */
#include "app/check/hints.h"

#include <stdarg.h>
#include <stdio.h>

#include "app/check/hint.h"
#include "app/check/verdict.h"
#include "base/text.h"

enum { WRAP = 110, INDENT = 4 };

/* ---- Writing ---- */

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

void cg_hint(struct cg_hints *hints, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_wrapped(hints->to, text);
}

void cg_hint_quote(struct cg_hints *hints, struct cg_slice lines) {
    struct cg_slice line;
    while (cg_next_line(&lines, &line))
        cg_buf_printf(hints->to, "%*s    %.*s\n", INDENT, "", (int)line.len, (const char *)line.data);
}

/* ---- What happens behind this host ---- */

static void snooping(struct cg_hints *hints, const struct cg_outlet *outlet) {
    if (!outlet->has_interface || outlet->link.bridge[0] == 0 || !outlet->link.snoops || outlet->link.queries ||
        hints->findings->unicast)
        return;
    CG_HINT_CAUSE(
        hints,
        "bridge %s of this host snoops IGMP and MLD, and is no querier. Without another querier, ports forget that "
        "there are members: echo 1 > /sys/class/net/%s/bridge/multicast_querier",
        outlet->link.bridge, outlet->link.bridge);
}

/* That it hears unicast only says something where nothing else says why. */
static bool is_explained(const struct cg_hints *hints, int verdict) {
    return hints->causes > 0 && (verdict == CG_VERDICT_HEARS_UNICAST || verdict == CG_VERDICT_MUTE);
}

/* Silent members, by what each was found to be. */
static void verdicts(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    for (int verdict = CG_VERDICT_NONE + 1; verdict < CG_VERDICT_COUNT; verdict++) {
        char text[768];
        if (is_explained(hints, verdict) ||
            !cg_verdict_tell(findings, (enum cg_verdict_kind)verdict, text, sizeof text))
            continue;
        if (verdict == CG_VERDICT_HEARS_UNICAST && findings->outlet_count > 0) snooping(hints, &findings->outlets[0]);
        CG_HINT_CAUSE(hints, "%s", text);
    }
}

static void core(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (!findings->core_asked || findings->core.answered == 0) return;
    CG_HINT_CAUSE(
        hints,
        "%u members answer a request for the group's " CG_CHECK_CORE_PATH ", and none for %s: they have nothing "
        "there, and errors are not sent to a group. Ask for a resource that they have: --check %s/PATH, or in the "
        "mapping's group URI. castgate --discover %s lists what they have.",
        findings->core.answered, findings->path, findings->mapping->name, findings->mapping->name);
}

static void hops(struct cg_hints *hints, const struct cg_outlet *outlet) {
    const struct cg_findings *findings = hints->findings;
    char group[CG_ADDR_TEXT_MAX];
    if (!outlet->has_interface || outlet->link.loopback || outlet->target->hops != 1 || findings->unicast) return;
    if (findings->silent_count > 0 || cg_verdict_stays_on_link(&outlet->group) || hints->causes > 0) return;
    cg_addr_emit_ip(&outlet->group, group);
    CG_HINT_CAUSE(
        hints,
        "the hop limit is 1, so the request stays on %s's link, while %s may have members further away: set \"hops\" "
        "to 1 more than the routers between (group.hops, or the mapping's).",
        outlet->by.name, group);
}

/* Where this host has nothing to show. */
static void switches(struct cg_hints *hints, const struct cg_outlet *outlet) {
    const struct cg_findings *findings = hints->findings;
    bool something = findings->group.received > 0 || findings->tap.total > 0;
    if (!outlet->has_interface || outlet->link.loopback || findings->unicast || hints->causes > 0 || something) return;
    const char *queries = outlet->group.family == CG_FAMILY_IPV4 ? "igmp" : "'ip6[40] == 58 and ip6[48] == 130'";
    cg_hint(hints,
            "the request left by %s and %s. If members are there, look at what is between: a switch that snoops %s and "
            "hears no querier drops multicast after some minutes. To see one: tcpdump -ni %s %s shows a query at least "
            "every 125 s.",
            outlet->by.name, findings->tapped ? "nothing came back" : "no answer reached the gateway",
            outlet->group.family == CG_FAMILY_IPV4 ? "IGMP" : "MLD", outlet->by.name, queries);
}

/* Where nobody knows who should be there, who is there at all is the next question. */
static void anybody(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (hints->causes > 0 || findings->mapping->member_count > 0) return;
    cg_hint(hints, "which CoAP devices are on the link, whatever their groups: castgate --discover %s.",
            findings->outlets[0].group.family == CG_FAMILY_IPV6 ? "coap://[ff02::fd]" : "coap://224.0.1.187");
}

/* ---- The order ---- */

void cg_hint_each_outlet(struct cg_hints *hints, cg_hint_rule_fn *rule) {
    for (size_t i = 0; i < hints->findings->outlet_count; i++) rule(hints, &hints->findings->outlets[i]);
}

static void nobody_answered(struct cg_hints *hints) {
    cg_hint_each_outlet(hints, cg_hint_loopback);
    core(hints);
    cg_hint_each_outlet(hints, snooping);
    cg_hint_each_outlet(hints, cg_hint_route_elsewhere);
    cg_hint_each_outlet(hints, hops);
    cg_hint_each_outlet(hints, switches);
    cg_hint_blindness(hints);
    anybody(hints);
}

static void beyond(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    if (findings->group.missing == 0 || !cg_mapping_has_hop(findings->mapping)) return;
    cg_hint(hints,
            "%u members are missing, and were not pinged from here, as they may be behind a next hop: castgate "
            "--check there tells of those.",
            findings->group.missing);
}

static void somebody_is_silent(struct cg_hints *hints) {
    cg_hint_reverse_path(hints);
    cg_hint_martians(hints);
    cg_hint_checksums(hints);
    cg_hint_firewall(hints);
    cg_hint_members_elsewhere(hints);
    cg_hint_each_outlet(hints, cg_hint_no_multicast);
    cg_hint_each_outlet(hints, cg_hint_wrong_source);
    cg_hint_rejections(hints);
    cg_hint_strays(hints);
    cg_hint_answers_elsewhere(hints);
    cg_hint_challenges(hints);
    cg_hint_strangers(hints);
    verdicts(hints);
    beyond(hints);
    if (hints->findings->group.answered == 0) nobody_answered(hints);
}

void cg_hints_put(struct cg_buf *to, const struct cg_findings *findings) {
    struct cg_hints hints = {.to = to, .findings = findings};
    if (findings->problem.err < 0) {
        cg_hint_not_sent(&hints);
        return;
    }
    cg_hint_full_buffer(&hints);
    cg_hint_over_time(&hints);
    if (findings->group.answered == 0 || findings->group.missing > 0) {
        somebody_is_silent(&hints);
    } else {
        cg_hint_rejections(&hints);
    }
    cg_hint_refusals(&hints);
    cg_hint_short_timeout(&hints);
    cg_hint_small_buffer(&hints);
}
