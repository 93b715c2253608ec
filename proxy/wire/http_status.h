/* CoAP response codes as HTTP statuses (RFC 8075 §7, Table 2) with their reason phrases. */
#ifndef CG_WIRE_HTTP_STATUS_H
#define CG_WIRE_HTTP_STATUS_H

#include "base/slice.h"

/* The status for a member's response code; `has_payload` decides between 200 and 204 for 2.04 and 2.02 as Table 2's
 * notes say. An unknown code maps by its class (RFC 7252 §5.9: 2.xx→200, 4.xx→400, 5.xx→500), what is no response code
 * to 502. */
uint16_t cg_http_status_from_code(uint8_t code, bool has_payload);
const char *cg_http_reason(uint16_t status); /* never NULL */
/* The reason phrase that goes with a member's code: as above, but 4.05 names itself (note 7 of Table 2). */
const char *cg_http_reason_from_code(uint8_t code, bool has_payload);

#endif
