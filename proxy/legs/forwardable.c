/* The options of an answer, as a proxy looks at them. The hard thing: what decides is whether an option is safe to
 * forward, not whether it is critical; and one that is repeated or too long counts as one that is not understood
 * (RFC 7252 §5.4.3, §5.4.5), so a well-known number alone says nothing. */
#include "legs/forwardable.h"

/* The longest value of an unsafe option that the gateway understands in answers; -1: it does not (RFC 7252 §5.4: what
 * belongs into requests only is treated like an unknown option, too). */
static int longest_value(uint16_t number, const struct cg_option_numbers *numbers) {
    if (number == numbers->multicast_timeout) return 4; /* GCP §2 */
    switch (number) {
    case CG_OPT_OBSERVE: return 3; /* RFC 7641 §2 */
    case CG_OPT_MAX_AGE: return 4; /* RFC 7252 §5.10 */
    default: return -1;
    }
}

static bool is_block(uint16_t number) { return number == CG_OPT_BLOCK1 || number == CG_OPT_BLOCK2; }

bool cg_forwardable(struct cg_slice options, enum cg_security security, const struct cg_option_numbers *numbers) {
    struct cg_msg msg = {.options = options};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    uint32_t before = UINT32_MAX; /* none */
    cg_opt_iter_init(&iter, &msg);
    for (; cg_opt_next(&iter, &opt); before = opt.number) {
        if (opt.number == CG_OPT_OSCORE && security != CG_SECURITY_RELAY) return false;
        if (!cg_opt_is_unsafe(opt.number) || is_block(opt.number)) continue;
        if (opt.number == before || (int)opt.value.len > longest_value(opt.number, numbers)) return false;
    }
    return true;
}
