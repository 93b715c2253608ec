/* CRIs as GCP uses them: "scheme and authority given, nothing else" for Reply-From (draft-ietf-core-href), and whole
 * CRIs for Proxy-Cri. */
#ifndef CG_WIRE_CRI_H
#define CG_WIRE_CRI_H

#include "base/buf.h"
#include "wire/addr.h"
#include "wire/uri.h"

#define CG_CRI_ADDR_MAX 64 /* bytes that cg_cri_emit_addr ever needs */

/* [scheme-id, [host-ip, ?port]] for coap and an address that has a family; the default port 5683 is left out (CRI
 * normal form, RFC 7252 default). Zones stay local and are never emitted. Returns the length. */
size_t cg_cri_emit_addr(uint8_t to[CG_CRI_ADDR_MAX], const struct cg_addr *addr);

/* Where a proxy is reached by its clients. */
enum cg_cri_scheme { CG_CRI_HTTP, CG_CRI_HTTPS, CG_CRI_COAP, CG_CRI_COAPS, CG_CRI_COAP_TCP, CG_CRI_COAPS_TCP };

static inline bool cg_cri_scheme_is_coap(enum cg_cri_scheme scheme) { return scheme >= CG_CRI_COAP; }

struct cg_cri_origin {
    enum cg_cri_scheme scheme;
    struct cg_slice host; /* lower case, IPv6 in brackets */
    uint16_t port;        /* 0: the scheme's own, which is left out when it is written, too */
};

/* The Reply-From of a proxy that stands in for a server below a path of its own: a CRI that reaches the proxy, and the
 * CRI reference [true, [segment, …]], both appended. `path` is raw and empty or begins with '/'; `marker` and `name`
 * are two segments more, as they are. False, with nothing appended: no memory, or a segment that CRIs have no text for.
 */
bool cg_cri_emit_stand_in(struct cg_buf *to, const struct cg_cri_origin *origin, struct cg_slice path,
                          struct cg_slice marker, struct cg_slice name) CG_MUST_CHECK;

/* The scheme of that scheme number (draft-ietf-core-href, "CRI Scheme Numbers"). False: it is none of CoAP's. */
bool cg_scheme_by_number(uint32_t number, enum cg_scheme *scheme);

/* A full CRI with scheme coap, coaps, …, host-ip or host-name, with or without port, path and query, no fragment:
 * appended to `text` as the equivalent URI (draft-ietf-core-href §6.1 "Converting CRI (references) to URI
 * (references)"), then to be parsed with cg_uri_parse. Exactly one CBOR item, definite lengths, nothing behind it. No
 * userinfo, no percent-encoded text (PET), no zone-id, no dot segments. CG_E_BAD_URI, CG_E_PROXYING for a scheme-id
 * that is none of CoAP's; CG_E_NO_MEMORY when `text` has no room; the text is then as before. */
int cg_cri_parse(struct cg_slice cbor, struct cg_buf *text) CG_MUST_CHECK;

#endif
