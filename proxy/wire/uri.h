/* coap URIs (RFC 7252 §6): parse to borrowed views, decide what may be a group, decompose to options, compose again. */
#ifndef CG_WIRE_URI_H
#define CG_WIRE_URI_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/addr.h"
#include "wire/msg.h"

enum cg_scheme {
    CG_SCHEME_COAP,
    CG_SCHEME_COAPS,
    CG_SCHEME_COAP_TCP,
    CG_SCHEME_COAPS_TCP,
    CG_SCHEME_COAP_WS,
    CG_SCHEME_COAPS_WS,
};

/* Lower-case, without "://"; a static string. */
const char *cg_scheme_name(enum cg_scheme scheme);
/* The scheme of that name, in whichever case. False: it is none of those. */
bool cg_scheme_find(struct cg_slice name, enum cg_scheme *scheme);
/* The scheme that an absolute URI begins with, known or not, without the colon; empty: with none (RFC 3986 §3.1). */
struct cg_slice cg_uri_scheme_part(struct cg_slice text);

#define CG_COAP_PORT  5683
#define CG_COAPS_PORT 5684

struct cg_uri {
    enum cg_scheme scheme;
    struct cg_addr
        addr; /* the literal host with the port; family NONE when the host is a name (port is set all the same) */
    struct cg_slice host;  /* as written, without brackets and zone; percent-encoding not resolved */
    struct cg_slice zone;  /* of an IPv6 literal, "%25eth1" (RFC 6874) or the common "%eth1": "eth1"; else empty */
    bool has_port;         /* written out and not empty */
    struct cg_slice path;  /* raw, with the leading '/'; empty when absent */
    struct cg_slice query; /* raw, without '?'; has_query tells "?" from nothing */
    bool has_query;
};

/* Strict RFC 3986 for the schemes above: absolute, no userinfo, no fragment, every percent-encoding well-formed, only
 * allowed characters, port 1 to 65535; a host whose last label is a number must be an IPv4 address in plain dotted
 * form, and one with percent-encoded delimiters or control bytes is none. CG_E_BAD_URI; *why (may be NULL) then points
 * to a static sentence. addr.scope stays 0: the zone is the shell's. */
int cg_uri_parse(struct cg_uri *uri, struct cg_slice text, const char **why) CG_MUST_CHECK;

/* It names a single host by its address: a name may be a group's. */
bool cg_uri_names_host(const struct cg_uri *uri);

/* What a group URI must be (R2, R34, R43): scheme coap; port not 5684; an IP literal must be multicast; an IPv4 literal
 * has no zone; interface- and link-local IPv6 is fine without zone (the mapping's interface decides). A host name
 * passes: the shell resolves and checks it. *why as above. */
int cg_uri_check_group(const struct cg_uri *uri, const char **why) CG_MUST_CHECK;
/* What the URI of a group or of one of its members must be: the same, but for the address. */
int cg_uri_check_target(const struct cg_uri *uri, const char **why) CG_MUST_CHECK;

/* One path segment or query argument with its percent-encoding resolved, appended to `to`; on failure nothing is
 * appended. At most 255 bytes (RFC 7252 §5.10: CG_E_BAD_URI beyond); a bad encoding, a character that RFC 3986 does not
 * allow, and what is not UTF-8 (RFC 7252 §3.2) are CG_E_BAD_URI. "%2F" becomes a '/' inside the segment, as RFC 7252
 * §6.4 means it. */
int cg_uri_decode(struct cg_slice raw, struct cg_buf *to) CG_MUST_CHECK;

enum cg_uri_part { CG_URI_HOST, CG_URI_SEGMENT, CG_URI_ARGUMENT };

/* The way back: the option value or label percent-encoded as that part of a URI needs it (RFC 7252 §6.5). */
void cg_uri_encode(struct cg_buf *to, struct cg_slice value, enum cg_uri_part part);

/* Walks raw segments or arguments: *rest (a copy of the path or query) is cut at the separator and means nothing but
 * what the next call makes of it. False when nothing is left. A path "/" has no segment; "/a/" has "a" and "". A query
 * that is absent has no argument and data NULL; one that is there and empty ("?") has one, empty. */
bool cg_uri_next_segment(struct cg_slice *rest, struct cg_slice *segment);
bool cg_uri_next_argument(struct cg_slice *rest, struct cg_slice *argument);

/* A segment that is "." or "..", also percent-encoded ("%2e"): such requests are refused, never resolved. */
bool cg_uri_is_dot_segment(struct cg_slice segment);
bool cg_uri_has_dot_segment(struct cg_slice path);

/* Decomposition into options (RFC 7252 §6.4): Uri-Path from `path` then `more_path`, Uri-Query from `query` then
 * `more_query`, all raw, as an array in the arena in ascending order. A path that ends in '/' joins one that begins
 * with '/' without an empty segment between. A path is empty or begins with '/'; an absent query has data NULL (see
 * above). Dot segments are refused. CG_E_BAD_URI, CG_E_NO_MEMORY; the options are then none. */
int cg_uri_decompose(struct cg_opts *opts, struct cg_arena *arena, struct cg_slice path, struct cg_slice more_path,
                     struct cg_slice query, struct cg_slice more_query) CG_MUST_CHECK;

/* The URI as text, normalised (RFC 3986 §6.2.2, §6.2.3): lower-case scheme and host, upper-case hex, needless encodings
 * resolved, default port and empty-path differences removed ("coap://h" and "coap://h:5683/" give the same text), RFC
 * 5952 addresses, the zone as "%25zone". */
void cg_uri_emit_normal(struct cg_buf *to, const struct cg_uri *uri);

#endif
