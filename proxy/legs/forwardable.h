/* Which answers may be passed on: RFC 7252 §5.7 for a proxy. */
#ifndef CG_LEGS_FORWARDABLE_H
#define CG_LEGS_FORWARDABLE_H

#include "model/config.h"

/* Whether every option of an answer (encoded, well-formed) may be passed on: the gateway understands it, or it is safe
 * to forward, critical or elective. OSCORE passes only where the client has asked for it (`security` is RELAY). What
 * the blocks of an answer say is not looked at here. */
bool cg_forwardable(struct cg_slice options, enum cg_security security, const struct cg_option_numbers *numbers);

#endif
