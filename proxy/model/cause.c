/* The words for causes: what users' scripts compare with. */
#include "model/cause.h"

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
