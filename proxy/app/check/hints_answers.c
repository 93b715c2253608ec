/* Answers that were no good, or too late. The hard thing: "rejected" says what the gateway does about an answer; here
 * stands what somebody has to do about the member. */
#include "app/check/hint.h"
#include "app/check/verdict.h"

static double seconds(uint64_t us) { return (double)us / 1e6; }

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
    {"bad-option", "with an option that the gateway does not understand and may not pass on (RFC 7252 5.7), or with "
                   "OSCORE on a plain mapping: mend the member, or the mapping's \"security\""},
    {"bad-block", "in blocks that do not fit together (RFC 7959)"},
    {"blocks-incomplete", "in blocks of which some did not come: raise \"timeout\", or the members' block size"},
    {"blocks-unsafe", "in blocks, which may not be asked for again with this method"},
    {"unproven-address", "in blocks, from an address that is no configured member's and does not answer a ping: "
                         "configure it, or add its range to group.prefixes"},
    {"outer-blocks", "fragments of protected messages, which are not put together: members are to use inner blocks"},
    {"wrong-source", "from another address than the one that was asked: a member with several addresses, or an "
                     "address translation between"},
    {"bad-code", "with a code that no response has"},
    {"too-many-failures", "not verified any more, after too many that could not be"},
    {"too-large", "larger than limits.answer"},
};

void cg_hint_rejections(struct cg_hints *hints) {
    const struct cg_check_result *group = &hints->findings->group;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct cg_check_kind *first;
        uint32_t count = cg_check_result_rejected(group, known[i].reason, &first);
        if (count > 0)
            CG_HINT_CAUSE(hints, "%u answers were rejected, the first from %s: %s.", count, first->from, known[i].hint);
    }
    if (group->rejected > 0 && hints->causes == 0)
        cg_hint(hints, "%u answers were rejected: \"rejected\" says why.", group->rejected);
}

void cg_hint_refusals(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    for (size_t i = 0; i < findings->group.kind_count; i++) {
        const struct cg_check_kind *kind = &findings->group.kinds[i];
        char code[5];
        if (kind->reason[0] != '\0' || kind->code < CG_CODE(4, 0)) continue;
        cg_code_text(kind->code, code);
        cg_hint(hints, "%u members answer %s, such as %s: %s.", kind->count, code, kind->from,
                cg_verdict_of_code(kind->code));
    }
}

void cg_hint_over_time(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_check_result *group = &findings->group;
    if (group->over_time == 0) return;
    CG_HINT_CAUSE(
        hints,
        "%u of %u answers came after the mapping's timeout of %g s, the last after %.1f s: its clients miss them. "
        "Members may take up to %g s to answer a group (\"leisure\"): raise \"timeout\" above that.",
        group->over_time, group->answered, seconds(findings->mapping->timeout_us), group->latest_ms / 1e3,
        findings->mapping->leisure);
}

/* RFC 7252 §8.2: each after a random part of its leisure. */
void cg_hint_short_timeout(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    const struct cg_mapping *mapping = findings->mapping;
    if (!mapping->has_timeout || cg_mapping_is_by_hops(mapping) || findings->unicast || findings->group.over_time > 0)
        return;
    if (seconds(mapping->timeout_us) >= mapping->leisure) return;
    cg_hint(
        hints,
        "the mapping's timeout of %g s is below its members' leisure of %g s, in which each answers at a random time: "
        "clients may miss answers. Raise \"timeout\", or configure members with less leisure and say so in "
        "\"leisure\".",
        seconds(mapping->timeout_us), mapping->leisure);
}

void cg_hint_challenges(struct cg_hints *hints) {
    const struct cg_findings *findings = hints->findings;
    uint32_t count = findings->group.fates[CG_FATE_CHALLENGE];
    if (count == 0 || findings->group.missing + (findings->group.answered == 0) == 0) return;
    CG_HINT_CAUSE(
        hints,
        "members wanted the request again with an Echo value (%u times), as they do when they or this gateway have "
        "started anew, and not all have answered that one in time. Ask once more; if it stays so, unicast to them "
        "is lost.",
        count);
}

void cg_hint_strangers(struct cg_hints *hints) {
    const struct cg_check_result *group = &hints->findings->group;
    if (group->strangers == 0 || group->missing == 0) return;
    cg_hint(hints,
            "%u answers came from addresses that are no configured member's, while %u members are missing: are the "
            "addresses in the settings right?",
            group->strangers, group->missing);
}

/* Something came, and nobody has answered with it. */
void cg_hint_strays(struct cg_hints *hints) {
    const struct cg_check_result *group = &hints->findings->group;
    if (group->answered > 0 || group->rejected > 0) return;
    if (group->fates[CG_FATE_LATE] > 0)
        CG_HINT_CAUSE(hints, "%u answers came too late, after this check had listened for %u s: raise \"leisure\".",
                      group->fates[CG_FATE_LATE], (unsigned)hints->findings->listened_s);
    if (group->fates[CG_FATE_UNKNOWN_TOKEN] > 0 && !hints->findings->beside)
        CG_HINT_CAUSE(hints,
                      "%u answers came with a token of no request: members must return the request's (RFC 7252 5.3.1).",
                      group->fates[CG_FATE_UNKNOWN_TOKEN]);
    if (group->fates[CG_FATE_MALFORMED] > 0 && !hints->findings->beside)
        CG_HINT_CAUSE(hints, "%u datagrams came that are no CoAP: does something else use the port?",
                      group->fates[CG_FATE_MALFORMED]);
}
