/* Lights that change by themselves (--changes), so that there is something to observe. The hard thing: ten thousand of
 * them must not change in the same moment, nor all at once after the process has slept. */
#include <stdio.h>

#include "tools/member/private.h"

static void count_up(struct cg_fleet_member *member) {
    char text[CG_LIGHT_MAX];
    int len = snprintf(text, sizeof text, "%u", (unsigned)++member->changes);
    member->light.len = (uint8_t)len;
    memcpy(member->light.text, text, (size_t)len);
}

static void change_next(struct cg_fleet *fleet, uint64_t now_us) {
    struct cg_fleet_member *member = &fleet->members[fleet->change_member];
    const struct cg_fleet_arrival in = {fleet, member, NULL, CG_FLEET_UNICAST, now_us, NULL};
    fleet->change_member = (fleet->change_member + 1) % fleet->options->count;
    count_up(member);
    cg_fleet_notify_all(&in);
}

uint64_t cg_fleet_change(struct cg_fleet *fleet, uint64_t now_us) {
    const uint64_t period_us = fleet->options->changes_us;
    uint64_t turn_us = period_us / fleet->options->count;
    if (period_us == 0) return UINT64_MAX;
    if (turn_us == 0) turn_us = 1;
    if (fleet->change_us == 0 || now_us - fleet->change_us > period_us) fleet->change_us = now_us + turn_us;
    for (; fleet->change_us <= now_us; fleet->change_us += turn_us) change_next(fleet, now_us);
    return fleet->change_us;
}
