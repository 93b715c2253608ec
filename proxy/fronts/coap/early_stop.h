/* The Early Stop Request (GCP §5.1.3): a client wants no further responses on its token. */
#ifndef CG_FRONTS_COAP_EARLY_STOP_H
#define CG_FRONTS_COAP_EARLY_STOP_H

#include "fronts/coap/peer.h"

/* Its form, whether or not anything runs on the token: GET with one Multicast-Timeout of 0 that names nothing, neither
 * a proxy's target nor a path of ours. Never a request for "/". */
bool cg_is_early_stop(const struct cg_coap_message *request, const struct cg_option_numbers *numbers);

#endif
