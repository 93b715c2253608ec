/* OSCORE (RFC 8613) and Group OSCORE (RFC 10021), bytes in, bytes out: no sockets, no clock, no threads. For users of
 * the library this is <castgate/oscore.h>, and the manual page castgate-oscore(3) is where to start; then context.h
 * (keys and members), seal.h, open.h, echo.h; msg.h for CoAP messages. C++ programs include this header and no other.
 */
#ifndef CG_OSCORE_OSCORE_H
#define CG_OSCORE_OSCORE_H

/* What the headers below take from elsewhere, which C++ has read without extern "C". */
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "oscore/binding.h"
#include "oscore/context.h"
#include "oscore/echo.h"
#include "oscore/open.h"
#include "oscore/option.h"
#include "oscore/seal.h"

#ifdef __cplusplus
}
#endif

#endif
