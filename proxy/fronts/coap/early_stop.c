/* One pass over the options. The hard thing is what clients put in by themselves: Uri-Host and Uri-Port, of the address
 * that they were told to ask, name nothing. */
#include "fronts/coap/early_stop.h"

#include "fronts/coap/options.h"

static bool is_zero(struct cg_slice value) { return value.len <= 4 && cg_uint_parse(value) == 0; }

static bool names_something(uint16_t number, const struct cg_option_numbers *numbers) {
    return number != CG_OPT_URI_HOST && number != CG_OPT_URI_PORT && cg_coap_option_is_target(numbers, number);
}

bool cg_is_early_stop(const struct cg_coap_message *request, const struct cg_option_numbers *numbers) {
    const struct cg_msg msg = {.options = request->options};
    struct cg_opt_iter iter;
    struct cg_opt option;
    unsigned zeros = 0, others = 0;
    if (request->code != CG_GET) return false;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &option)) {
        if (names_something(option.number, numbers)) return false;
        if (option.number == numbers->multicast_timeout) ++*(is_zero(option.value) ? &zeros : &others);
    }
    return zeros == 1 && others == 0;
}
