/* Members one by one. The hard thing: a member may be more than one of these at a time, so the first that fits is it.
 */
#include "app/check/verdict.h"

#include <stdio.h>

#include "model/cause.h"
#include "wire/msg.h"

bool cg_verdict_stays_on_link(const struct cg_addr *group) {
    if (group->family == CG_FAMILY_IPV4) return group->ip[0] == 224 && group->ip[1] == 0 && group->ip[2] == 0;
    return (group->ip[1] & 0x0f) <= 2;
}

bool cg_verdict_is_elsewhere(const struct cg_findings *findings, const struct cg_silent *silent) {
    if (findings->unicast || silent->way.interface == 0) return false;
    for (size_t i = 0; i < findings->outlet_count; i++) {
        const struct cg_outlet *outlet = &findings->outlets[i];
        if (outlet->has_interface && outlet->by.index == silent->way.interface) return false;
    }
    return true;
}

const char *cg_verdict_of_code(uint8_t code) {
    switch (code) {
    case CG_CODE(4, 1): return "they want to know who asks: protection, or an Echo value (RFC 9175)";
    case CG_CODE(4, 2): return "they do not understand an option of the request";
    case CG_CODE(4, 3): return "they do not let this gateway do that";
    case CG_CODE(4, 4): return "they have nothing at the path";
    case CG_CODE(4, 5): return "there is something at the path, but no GET";
    case CG_CODE(4, 6): return "they have it in no form that was asked for";
    default: return "see what they say";
    }
}

static enum cg_verdict_kind verdict_of_way(const struct cg_findings *findings, const struct cg_silent *silent) {
    const struct cg_outlet *outlet = &findings->outlets[0];
    if (findings->unicast || !silent->way.routed || outlet->target->hops != 1) return CG_VERDICT_NONE;
    return cg_verdict_stays_on_link(&outlet->group) ? CG_VERDICT_LINK_GROUP : CG_VERDICT_HOPS;
}

static bool is_secured(const struct cg_findings *findings) { return findings->mapping->security == CG_SECURITY_GROUP; }

static enum cg_verdict_kind verdict_of_word(const struct cg_findings *findings, const struct cg_silent *silent) {
    bool is_answer = silent->said && silent->word.reason[0] == '\0';
    if (silent->said && !is_answer) return CG_VERDICT_KEYS;
    if (is_answer && silent->word.code >= CG_CODE(4, 0)) return CG_VERDICT_REFUSES;
    if (is_answer && silent->probe.to.port != findings->outlets[0].group.port) return CG_VERDICT_PORT;
    if (is_answer) return CG_VERDICT_HEARS_UNICAST;
    return is_secured(findings) ? CG_VERDICT_KEYS : CG_VERDICT_MUTE;
}

static enum cg_verdict_kind verdict_of_error(const struct cg_silent *silent) {
    switch (silent->probe.why) {
    case CG_UNREACHABLE_PORT: return silent->other_port != 0 ? CG_VERDICT_OTHER_PORT : CG_VERDICT_NOT_LISTENING;
    case CG_UNREACHABLE_PROHIBITED: return CG_VERDICT_PROHIBITED;
    case CG_UNREACHABLE_HOST: return silent->way.routed ? CG_VERDICT_UNREACHABLE : CG_VERDICT_ABSENT;
    case CG_UNREACHABLE_SOMEHOW: return CG_VERDICT_UNREACHABLE;
    }
    return CG_VERDICT_NONE;
}

static enum cg_verdict_kind verdict_of_silence(const struct cg_silent *silent) {
    if (silent->neighbour == CG_NEIGHBOUR_PRESENT) return CG_VERDICT_DROPPED;
    if (silent->neighbour == CG_NEIGHBOUR_ABSENT) return CG_VERDICT_ABSENT;
    return silent->way.routed ? CG_VERDICT_SILENT : CG_VERDICT_NONE;
}

static enum cg_verdict_kind verdict_of(const struct cg_findings *findings, const struct cg_silent *silent) {
    if (cg_verdict_is_elsewhere(findings, silent)) return CG_VERDICT_NONE;
    enum cg_verdict_kind by_way = verdict_of_way(findings, silent);
    if (by_way != CG_VERDICT_NONE) return by_way;
    switch (silent->probe.result) {
    case CG_PROBE_PONG: return silent->asked ? verdict_of_word(findings, silent) : CG_VERDICT_NONE;
    case CG_PROBE_ICMP: return verdict_of_error(silent);
    case CG_PROBE_SILENT: return verdict_of_silence(silent);
    case CG_PROBE_NOT_SENT: return CG_VERDICT_UNREACHABLE;
    }
    return CG_VERDICT_NONE;
}

/* "member a", "member a (and 2 more)" */
struct who {
    char text[CG_NAME_MAX + CG_ADDR_TEXT_MAX + 40];
    const struct cg_silent *first;
};

static bool find_who(const struct cg_findings *findings, enum cg_verdict_kind kind, struct who *who) {
    unsigned count = 0;
    for (size_t i = 0; i < findings->silent_count; i++) {
        if (verdict_of(findings, &findings->silent[i]) != kind) continue;
        if (count++ == 0) who->first = &findings->silent[i];
    }
    if (count == 0) return false;
    int len = snprintf(who->text, sizeof who->text, "member %s", who->first->name);
    if (count > 1) snprintf(who->text + len, sizeof who->text - (size_t)len, " (and %u more)", count - 1);
    return true;
}

#define SAY(...) snprintf(text, size, __VA_ARGS__)

static void tell_way(enum cg_verdict_kind kind, const struct cg_findings *findings, const struct who *who, char *text,
                     size_t size) {
    char group[CG_ADDR_TEXT_MAX];
    cg_addr_emit_ip(&findings->outlets[0].group, group);
    if (kind == CG_VERDICT_HOPS) {
        SAY("%s is behind a router, but the hop limit is 1: set \"hops\" to 1 more than the routers between "
            "(group.hops, or the mapping's).",
            who->text);
    } else {
        SAY("%s is behind a router, and no router passes on %s, a group of the link: choose another group.", who->text,
            group);
    }
}

static void tell_keys(const struct who *who, char *text, size_t size) {
    const struct cg_silent *first = who->first;
    char word[112] = "says nothing to the same request by unicast", code[5];
    if (first->said && first->word.code != 0) {
        cg_code_text(first->word.code, code);
        snprintf(word, sizeof word, "answers the same request by unicast with %s, unprotected", code);
    } else if (first->said) {
        snprintf(word, sizeof word, "answers the same request by unicast with what is rejected as %s",
                 first->word.reason);
    }
    SAY("%s is up, but %s: its keys are others than those here, older or newer ones or another group's. Compare its "
        "key file's gid and Master Secret, and whether the last rekey reached it.",
        who->text, word);
}

static void tell_word(enum cg_verdict_kind kind, const struct cg_findings *findings, const struct who *who, char *text,
                      size_t size) {
    char code[5];
    cg_code_text(who->first->word.code, code);
    const char *name = findings->mapping->name;
    unsigned group_port = findings->outlets[0].group.port, own_port = who->first->probe.to.port;
    switch (kind) {
    case CG_VERDICT_REFUSES:
        SAY("%s answers %s to the same request (%s) by unicast: %s. Errors are not sent to a group. Ask for a resource "
            "that members have: --check %s/PATH, or in the mapping's group URI.",
            who->text, code, findings->path, cg_verdict_of_code(who->first->word.code), name);
        break;
    case CG_VERDICT_PORT:
        SAY("%s answers the same request by unicast at port %u, while the group request goes to port %u: the port of "
            "the mapping's group URI is wrong, or the member has joined at another one.",
            who->text, own_port, group_port);
        break;
    case CG_VERDICT_HEARS_UNICAST:
        SAY("%s answers the same request by unicast (%s), so the group request does not reach it, or its answer was "
            "lost: has it joined the group, does a firewall on it drop multicast, does a switch between them snoop "
            "without a querier?",
            who->text, code);
        break;
    default:
        SAY("%s answers a CoAP ping by unicast, but not the request (%s), by unicast either: does it serve the path, "
            "and does it serve this gateway?",
            who->text, findings->path);
    }
}

static void tell_absence(enum cg_verdict_kind kind, const struct who *who, char *text, size_t size) {
    const struct cg_probe *probe = &who->first->probe;
    switch (kind) {
    case CG_VERDICT_OTHER_PORT:
        SAY("nothing listens at port %u of %s, but something that speaks CoAP does at its port %u: the wrong port.",
            (unsigned)probe->to.port, who->text, (unsigned)who->first->other_port);
        break;
    case CG_VERDICT_NOT_LISTENING:
        SAY("nothing listens at port %u of %s: its program does not run, or the port is wrong (%s).",
            (unsigned)probe->to.port, who->text, probe->what);
        break;
    case CG_VERDICT_PROHIBITED:
        SAY("a firewall on the way to %s refuses what this host sends it, a firewall on the member itself most likely: "
            "%s.",
            who->text, probe->what);
        break;
    case CG_VERDICT_DROPPED:
        SAY("a firewall on %s, most likely: its host is there on the link, but takes no CoAP from here, not even a "
            "ping by unicast. Let UDP to port %u in there.",
            who->text, (unsigned)probe->to.port);
        break;
    case CG_VERDICT_ABSENT:
        SAY("%s is not there: no host on the link says that it has this address. It is off, on another network, or has "
            "another address.",
            who->text);
        break;
    case CG_VERDICT_SILENT:
        SAY("%s is silent to a CoAP ping by unicast, too: it is off, or a firewall on it or on the way drops UDP.",
            who->text);
        break;
    default: SAY("%s cannot be reached by unicast either: %s.", who->text, probe->what);
    }
}

#undef SAY

static const enum cg_cause causes[CG_VERDICT_COUNT] = {
    [CG_VERDICT_LINK_GROUP] = CG_CAUSE_NEVER_REACHED,
    [CG_VERDICT_HOPS] = CG_CAUSE_NEVER_REACHED,
    [CG_VERDICT_KEYS] = CG_CAUSE_WRONG_KEY,
    [CG_VERDICT_REFUSES] = CG_CAUSE_REFUSED,
    [CG_VERDICT_PORT] = CG_CAUSE_NEVER_REACHED,
    [CG_VERDICT_HEARS_UNICAST] = CG_CAUSE_NEVER_REACHED,
    [CG_VERDICT_MUTE] = CG_CAUSE_ANSWER_LOST,
    [CG_VERDICT_OTHER_PORT] = CG_CAUSE_NOT_LISTENING,
    [CG_VERDICT_NOT_LISTENING] = CG_CAUSE_NOT_LISTENING,
    [CG_VERDICT_PROHIBITED] = CG_CAUSE_NEVER_REACHED,
    [CG_VERDICT_DROPPED] = CG_CAUSE_ASLEEP,
    [CG_VERDICT_ABSENT] = CG_CAUSE_ASLEEP,
    [CG_VERDICT_UNREACHABLE] = CG_CAUSE_NEVER_REACHED,
    [CG_VERDICT_SILENT] = CG_CAUSE_ASLEEP,
};

/* The word of replies for the same. */
static void add_cause(enum cg_verdict_kind kind, const struct who *who, char *text, size_t size) {
    bool is_stale = kind == CG_VERDICT_KEYS && who->first->said && who->first->word.code == CG_CODE(4, 1);
    size_t len = strlen(text);
    snprintf(text + len, size - len, " Replies call it %s.",
             cg_cause_names[is_stale ? CG_CAUSE_STALE_KEY : causes[kind]]);
}

bool cg_verdict_tell(const struct cg_findings *findings, enum cg_verdict_kind kind, char *text, size_t size) {
    struct who who;
    if (!find_who(findings, kind, &who)) return false;
    if (kind <= CG_VERDICT_HOPS) {
        tell_way(kind, findings, &who, text, size);
    } else if (kind == CG_VERDICT_KEYS) {
        tell_keys(&who, text, size);
    } else if (kind <= CG_VERDICT_MUTE) {
        tell_word(kind, findings, &who, text, size);
    } else {
        tell_absence(kind, &who, text, size);
    }
    add_cause(kind, &who, text, size);
    return true;
}
