/* Notifications. The hard thing: 24 bits come round again, so which value is newer depends on when the earlier one came
 * as well. */
#include "legs/observe.h"

#include "wire/msg.h"

enum {
    OBSERVE_LEN = 3,             /* RFC 7641 §2 */
    HALF = 1 << 23,              /* of the values */
    OUTDATED_US = 128 * 1000000, /* longer than any notification is under way */
};

void cg_notification_read(const struct cg_opened *opened, struct cg_notification *notification) {
    const struct cg_msg msg = {.options = opened->options};
    struct cg_slice observe = CG_SLICE_NONE;
    bool has_observe = cg_msg_find(&msg, CG_OPT_OBSERVE, &observe) && observe.len <= OBSERVE_LEN;
    bool is_success = opened->code >= CG_CODE(2, 0) && opened->code < CG_CODE(3, 0);
    *notification = (struct cg_notification){.is_observed = has_observe && is_success,
                                             .order = has_observe ? cg_uint_parse(observe) : 0};
    if (!cg_msg_find_uint(&msg, CG_OPT_MAX_AGE, &notification->max_age_s)) {
        notification->max_age_s = CG_OBSERVE_MAX_AGE_S;
    }
}

bool cg_notification_is_newer(uint32_t order, uint64_t now_us, uint32_t before, uint64_t before_us) {
    bool is_ahead = order > before && order - before < HALF;
    bool came_round = order < before && before - order > HALF;
    return is_ahead || came_round || now_us > before_us + OUTDATED_US;
}
