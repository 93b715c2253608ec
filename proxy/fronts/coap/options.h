/* Which options of a request this hop understands, and what it does with them (RFC 7252 §5.4, §5.7.1). */
#ifndef CG_FRONTS_COAP_OPTIONS_H
#define CG_FRONTS_COAP_OPTIONS_H

#include "model/config.h"

enum cg_coap_option {
    /* Not understood: nobody here knows the number; or it is repeated, too short or too long; or this method does not
     * have it. RFC 7252 treats all of them alike. */
    CG_COAP_OPTION_UNKNOWN,
    CG_COAP_OPTION_TARGET, /* says where the request goes to */
    CG_COAP_OPTION_HOP,    /* is between the client and us: read here, and not passed on */
    CG_COAP_OPTION_PASSES, /* is for whoever answers */
};

/* What it is in a request with that method. `before`: the number of the option before it, UINT32_MAX where it is the
 * first. */
enum cg_coap_option cg_coap_option_sort(const struct cg_option_numbers *numbers, uint8_t method,
                                        const struct cg_opt *opt, uint32_t before);
/* Whether options of that number say where a request goes to, well or badly. */
bool cg_coap_option_is_target(const struct cg_option_numbers *numbers, uint16_t number);

#endif
