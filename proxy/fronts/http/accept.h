/* What Accept asks for (RFC 9110 §12.5.1): the form of the whole reply, or else what members are to send. */
#ifndef CG_FRONTS_HTTP_ACCEPT_H
#define CG_FRONTS_HTTP_ACCEPT_H

#include "fronts/http/message.h"
#include "reply/encoders.h"

/* The encoder that Accept prefers; the first when none of them is named. */
const struct castgate_encoder *cg_accept_encoder(const struct cg_http_message *message,
                                                 const struct cg_encoder_list *encoders);

/* Whether Accept wants that encoder's form by its name: not any form, or nothing in particular. */
bool cg_accept_names(const struct cg_http_message *message, const struct castgate_encoder *encoder);

/* The media type, with its parameters, that goes on to the members: the only one that is named, where no encoder fits
 * the request. False when one fits, or there is no such type, or more of them, or a wildcard: CoAP could not say what
 * HTTP says (RFC 8075 §6.1). */
bool cg_accept_for_members(const struct cg_http_message *message, const struct cg_encoder_list *encoders,
                           struct cg_slice *media_type);

#endif
