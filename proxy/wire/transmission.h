/* Transmission parameters with their default values (RFC 7252 §4.8). */
#ifndef CG_WIRE_TRANSMISSION_H
#define CG_WIRE_TRANSMISSION_H

#include <stdint.h>

#define CG_ACK_TIMEOUT_US       UINT64_C(2000000)
#define CG_MAX_RETRANSMIT       4
#define CG_MAX_TRANSMIT_WAIT_US UINT64_C(93000000)  /* from the first sending of a CON to giving up */
#define CG_EXCHANGE_LIFETIME_US UINT64_C(247000000) /* so long a Message ID is remembered, ... */
#define CG_NON_LIFETIME_US      UINT64_C(145000000) /* ... or so long, of a Non-confirmable message */

#endif
