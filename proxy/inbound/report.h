/* What a member's request says, once it is opened: an alert, or why it is none. */
#ifndef CG_INBOUND_REPORT_H
#define CG_INBOUND_REPORT_H

#include "base/buf.h"
#include "model/alert.h"
#include "wire/msg.h"

/* Fills in what the request says of itself (method, path, query, format, payload), with path and query in `text`, which
 * was empty. 0; or the code of the response that says what is wrong with it: 4.05 (no POST, PUT, PATCH or iPATCH: the
 * others change nothing, or there is nothing), 4.02 (an option that it needs understood), 4.13 (one block of several),
 * 5.05 (for somebody else), 4.00, 5.03 (no memory). */
uint8_t cg_report_read(struct cg_alert *alert, const struct cg_msg *request, struct cg_buf *text);

/* Whether its sender has no use for a response with that code (RFC 7967). */
bool cg_report_wants_no(const struct cg_msg *request, uint8_t code);

#endif
