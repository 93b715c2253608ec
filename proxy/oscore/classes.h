/* Which options travel inside and which outside (RFC 8613 §4.1; RFC 8768, RFC 9175 and the drafts for newer ones). */
#ifndef CG_OSCORE_CLASSES_H
#define CG_OSCORE_CLASSES_H

#include "oscore/context.h"
#include "wire/msg.h"

enum { CG_OPT_PROXY_CRI = 235, CG_OPT_PROXY_SCHEME_NUMBER = 239 };

/* The OSCORE option's value. CG_E_BAD_OPTION: it occurs twice, or there is no payload; CG_E_BAD_REQUEST: there is none.
 */
int cg_oscore_find_option(const struct cg_msg *msg, struct cg_slice *value) CG_MUST_CHECK;

/* Whether the message is a part of an OSCORE message that a proxy has cut (outer Block1 of a request, Block2 of a
 * response; RFC 8613 §4.1.3.4.2): anything but block 0 with none behind it. */
bool cg_oscore_is_fragment(const struct cg_msg *msg);

/* Class U only: stays outside, in clear, where proxies may change it. Everything else, unknown options too, is class E:
 * it travels inside, and what a proxy put outside under its number is discarded. Between a client and its proxy only
 * what says where the message itself goes to is class U, and Hop-Limit where it comes (`msg`: what is protected, or
 * was).
 */
bool cg_oscore_option_is_outer(const struct cg_oscore_context *context, const struct cg_msg *msg, uint16_t number);

/* 0.02, 2.04; with Observe 0.05, 2.05 (RFC 8613 §4.1.3.5, §4.2). */
uint8_t cg_oscore_outer_code(const struct cg_msg *plain);

/* Append the outer options with the OSCORE option among them, or the inner options, to a message that was begun. A
 * Proxy-Uri is split: scheme and authority outside, path and query inside (RFC 8613 §4.1.3.3). CG_E_PROTECT: `plain`
 * has an OSCORE option already; CG_E_BAD_URI, CG_E_NO_MEMORY. Lack of room shows at cg_msg_end. */
int cg_oscore_put_outer(const struct cg_oscore_context *context, const struct cg_msg *plain, struct cg_slice option,
                        struct cg_msg_writer *to) CG_MUST_CHECK;
int cg_oscore_put_inner(const struct cg_oscore_context *context, const struct cg_msg *plain,
                        struct cg_msg_writer *to) CG_MUST_CHECK;

/* Puts together what a server goes on with: class U options from outside, all others from inside; where both have a
 * number, the one inside counts. */
void cg_oscore_merge_request(const struct cg_oscore_context *context, const struct cg_msg *outer,
                             const struct cg_msg *inner, struct cg_msg_writer *to);
/* What a client goes on with: the options from inside, and nothing that anybody on the path could have added. Outer
 * options that a hop consumes are read from the outer message. A notification's Observe gets the three lowest bytes of
 * the response's Partial IV (RFC 8613 §4.1.3.5.2). */
void cg_oscore_put_response(const struct cg_msg *inner, struct cg_slice piv, struct cg_msg_writer *to);

#endif
