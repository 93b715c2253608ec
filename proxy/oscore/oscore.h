/* OSCORE (RFC 8613) and Group OSCORE (RFC 10021), bytes in, bytes out: no sockets, no clock, no threads. Start at
 * README.md; then context.h (keys and members), seal.h, open.h, echo.h. */
#ifndef CG_OSCORE_OSCORE_H
#define CG_OSCORE_OSCORE_H

#include "oscore/binding.h"
#include "oscore/context.h"
#include "oscore/echo.h"
#include "oscore/open.h"
#include "oscore/option.h"
#include "oscore/seal.h"

#endif
