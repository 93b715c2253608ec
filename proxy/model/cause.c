/* Causes. The hard thing: several things may be seen of one member, so the rules stand in the order in which a request
 * goes its way, and what a member does itself counts before what is seen around it. */
#include "model/cause.h"

#include <stddef.h>

/* The words for causes: what users' scripts compare with. */
const char *const cg_cause_names[CG_CAUSE_COUNT] = {
    [CG_CAUSE_UNKNOWN] = "unknown",
    [CG_CAUSE_NEVER_REACHED] = "never-reached",
    [CG_CAUSE_LATE] = "late",
    [CG_CAUSE_CHALLENGED] = "challenged",
    [CG_CAUSE_STALE_KEY] = "stale-key",
    [CG_CAUSE_WRONG_KEY] = "wrong-key",
    [CG_CAUSE_EVICTED] = "evicted",
    [CG_CAUSE_REFUSED] = "refused",
    [CG_CAUSE_ANSWER_LOST] = "answer-lost",
    [CG_CAUSE_KERNEL_DROP] = "kernel-drop",
    [CG_CAUSE_NOT_LISTENING] = "not-listening",
    [CG_CAUSE_ASLEEP] = "asleep",
};

/* The first of which all signs were seen, and none of the others. */
static const struct {
    uint32_t seen, unseen;
    enum cg_cause cause;
} rules[] = {
    {CG_SIGN_PORT_UNREACHABLE, 0, CG_CAUSE_NOT_LISTENING},
    {CG_SIGN_RESET, 0, CG_CAUSE_NOT_LISTENING},
    {CG_SIGN_EVICTED, 0, CG_CAUSE_EVICTED},
    {CG_SIGN_OTHER_EPOCH, 0, CG_CAUSE_STALE_KEY},
    {CG_SIGN_UNREADABLE, 0, CG_CAUSE_WRONG_KEY},
    {CG_SIGN_REFUSED, 0, CG_CAUSE_REFUSED},
    {CG_SIGN_DECLINES, 0, CG_CAUSE_REFUSED}, /* errors are not sent to a group (RFC 7252 §8.2) */
    {CG_SIGN_CHALLENGE, 0, CG_CAUSE_CHALLENGED},
    {CG_SIGN_LATE, 0, CG_CAUSE_LATE},
    {CG_SIGN_REPLAY, 0, CG_CAUSE_ANSWER_LOST},
    {CG_SIGN_PART, 0, CG_CAUSE_ANSWER_LOST},
    {CG_SIGN_ACKNOWLEDGED, 0, CG_CAUSE_LATE}, /* who answers at once has the answer on it (RFC 7252 §5.2.2) */
    {CG_SIGN_KERNEL_DROP, 0, CG_CAUSE_KERNEL_DROP},
    {CG_SIGN_ANSWERS_UNICAST, 0, CG_CAUSE_NEVER_REACHED},
    {CG_SIGN_NO_WAY, 0, CG_CAUSE_NEVER_REACHED},
    {CG_SIGN_THERE | CG_SIGN_ASKED | CG_SIGN_SECURED, CG_SIGN_HOLDS_KEYS, CG_CAUSE_WRONG_KEY},
    {CG_SIGN_THERE | CG_SIGN_ASKED, 0, CG_CAUSE_ANSWER_LOST},
    {CG_SIGN_HOST_UNREACHABLE, CG_SIGN_THERE, CG_CAUSE_ASLEEP},
    {CG_SIGN_ASKED, CG_SIGN_THERE, CG_CAUSE_ASLEEP},
    {CG_SIGN_PINGED, CG_SIGN_THERE, CG_CAUSE_ASLEEP},
};

enum cg_cause cg_cause_of(uint32_t signs) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if ((signs & rules[i].seen) == rules[i].seen && (signs & rules[i].unseen) == 0) return rules[i].cause;
    }
    return CG_CAUSE_UNKNOWN;
}
