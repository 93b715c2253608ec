/* The reply to a request for one member (model/stand_in.h): its answer, as HTTP has it (RFC 8075 §7). Accept may name
 * an encoder, whose reply it then is, with that one answer. */
#ifndef CG_REPLY_OWN_H
#define CG_REPLY_OWN_H

#include "reply/reply.h"
#include "reply/view.h"

/* Whether that is what the client is to get: there is one, and it has asked for no other form. */
bool cg_own_is_wanted(const struct cg_reply_to *to, const struct cg_view *view);
/* Returns the status, or 0 with *problem set. */
unsigned cg_own_reply(const struct cg_reply_to *to, const struct cg_view *view, struct cg_problem *problem);

#endif
