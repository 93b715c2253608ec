/* libmicrohttpd, and what its versions differ in: this is the only file that asks which one it is. Debian 12 has
 * 0.9.75, Debian 13 has 1.0. */
#ifndef CG_FRONTS_HTTP_MHD_H
#define CG_FRONTS_HTTP_MHD_H

#include <microhttpd.h>

/* Heads that two readers may see differently are turned down by itself (head.c). */
enum { CG_MHD_IS_STRICT = MHD_VERSION >= 0x00097701 };

/* Daemons are used by the loop's thread alone. Where later versions are not told so, they keep a new connection until
 * they run next, and a burst of them gets in before any has been counted. */
#if MHD_VERSION >= 0x00097707
#define CG_MHD_FLAGS MHD_USE_NO_THREAD_SAFETY
#else
#define CG_MHD_FLAGS 0
#endif

#endif
