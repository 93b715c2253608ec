/* Which options travel inside and which outside (RFC 8613 §4.1; RFC 8768, RFC 9175 and the drafts for newer ones). */
#ifndef CG_OSCORE_CLASSES_H
#define CG_OSCORE_CLASSES_H

#include "oscore/context.h"
#include "wire/msg.h"

enum { CG_OPT_PROXY_CRI = 235, CG_OPT_PROXY_SCHEME_NUMBER = 239 };

/* The OSCORE option's value. CG_E_BAD_OPTION: it occurs twice, or there is no payload; CG_E_BAD_REQUEST: there is none.
 */
int cg_oscore_find_option(const struct cg_msg *msg, struct cg_slice *value) CG_MUST_CHECK;

/* Class U only: stays outside, in clear, where proxies may change it. Everything else, unknown options too, is class E:
 * it travels inside, and what a proxy put outside under its number is discarded. */
bool cg_oscore_option_is_outer(const struct cg_oscore_context *context, uint16_t number);

/* 0.02, 2.04; with Observe 0.05, 2.05 (RFC 8613 §4.1.3.5, §4.2). */
uint8_t cg_oscore_outer_code(const struct cg_msg *plain);

/* Append the outer options with the OSCORE option among them, or the inner options, to a message that was begun. A
 * Proxy-Uri is split: scheme and authority outside, path and query inside (RFC 8613 §4.1.3.3). CG_E_PROTECT: `plain`
 * has an OSCORE option already; CG_E_BAD_URI, CG_E_NO_MEMORY. Lack of room shows at cg_msg_end. */
int cg_oscore_put_outer(const struct cg_oscore_context *context, const struct cg_msg *plain, struct cg_slice option,
                        struct cg_msg_writer *to) CG_MUST_CHECK;
int cg_oscore_put_inner(const struct cg_oscore_context *context, const struct cg_msg *plain,
                        struct cg_msg_writer *to) CG_MUST_CHECK;

/* Puts together what a receiver goes on with: class U options from outside, all others from inside; where both have a
 * number, the one inside counts. `piv` is that of a response: a notification's Observe gets its three lowest bytes (RFC
 * 8613 §4.1.3.5.2); NULL in requests. */
void cg_oscore_merge(const struct cg_oscore_context *context, const struct cg_msg *outer, const struct cg_msg *inner,
                     const struct cg_slice *piv, struct cg_msg_writer *to);

#endif
