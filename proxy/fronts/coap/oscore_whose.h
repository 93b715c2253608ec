/* Whether a client has protected a request for the gateway itself. */
#ifndef CG_FRONTS_COAP_OSCORE_WHOSE_H
#define CG_FRONTS_COAP_OSCORE_WHOSE_H

#include "fronts/coap/peer.h"

/* The client whose context it names, for the gateway to open; nothing of it is verified. NULL: it is not protected, of
 * no client, or for somebody else. */
const struct cg_client *cg_oscore_whose(const struct cg_config *config, const struct cg_coap_peer *peer,
                                        const struct cg_coap_message *message);

#endif
