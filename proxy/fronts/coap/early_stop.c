/* One pass over the options. The hard thing is that Uri-Host alone names something here: the root of a mapping that has
 * that host. */
#include "fronts/coap/early_stop.h"

#include "fronts/coap/options.h"

static bool is_zero(struct cg_slice value) { return value.len <= 4 && cg_uint_parse(value) == 0; }

bool cg_is_early_stop(const struct cg_coap_message *request, const struct cg_option_numbers *numbers) {
    const struct cg_msg msg = {.options = request->options};
    struct cg_opt_iter iter;
    struct cg_opt option;
    unsigned zeros = 0, others = 0;
    if (request->code != CG_GET) return false;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &option)) {
        if (cg_coap_option_is_target(numbers, option.number)) return false;
        if (option.number == numbers->multicast_timeout) ++*(is_zero(option.value) ? &zeros : &others);
    }
    return zeros == 1 && others == 0;
}
