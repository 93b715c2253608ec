/* What a member's resources answer: a request's options and payload in, a response's out. No sockets, no clock, and
 * nothing of the message layer (types, Message IDs, suppression); that is fleet's. */
#ifndef CG_TOOLS_MEMBER_RESOURCE_H
#define CG_TOOLS_MEMBER_RESOURCE_H

#include "base/buf.h"
#include "tools/member/options.h"
#include "wire/msg.h"

enum {
    CG_RESOURCE_PATH_MAX = 256,
    CG_RESOURCE_QUERIES_MAX = 4,
    CG_RESOURCE_ETAGS_MAX = 4,
    CG_LIGHT_MAX = 64,
    CG_SLOW_MS = 2000,
};

/* A request's options, each known to be well-formed and not repeated where it may not be. Slices point into the
 * message. */
struct cg_resource_request {
    uint8_t code;
    char path[CG_RESOURCE_PATH_MAX]; /* segments joined by '/', without a leading one */
    struct cg_slice queries[CG_RESOURCE_QUERIES_MAX];
    size_t queries_len;
    struct cg_slice etags[CG_RESOURCE_ETAGS_MAX];
    size_t etags_len;
    bool has_observe;
    uint32_t observe;
    bool has_accept;
    uint32_t accept;
    bool has_format;
    uint32_t format;
    bool has_block2;
    uint32_t block2;
    bool has_block1;
    uint32_t block1;
    struct cg_slice tag; /* Request-Tag, the first of them; empty: none */
    bool has_no_response;
    uint8_t no_response; /* RFC 7967: bits 2, 8 and 16 are the classes 2, 4 and 5 that are not wanted */
    struct cg_slice payload;
};

struct cg_resource_response {
    uint8_t code;
    bool nothing;    /* nothing useful to say: a group request stays unanswered (RFC 7252 §8.2) */
    bool observable; /* a representation that may be observed */
    bool changed;    /* observers are to be told */
    bool has_etag;
    uint8_t etag[4];
    bool has_format;
    uint16_t format;
    bool has_max_age;
    uint32_t max_age;
    bool has_block2;
    uint32_t block2;
    bool has_block1;
    uint32_t block1;
    bool has_size2;
    uint32_t size2;
    bool has_size1;
    uint32_t size1;
    uint32_t delay_ms;       /* how long the resource takes */
    struct cg_slice payload; /* in the scratch buffer, or static */
};

/* The state that a member's resources have. */
struct cg_light {
    uint8_t len;
    uint8_t text[CG_LIGHT_MAX];
};

void cg_light_init(struct cg_light *light); /* "off" */

/* CG_E_BAD_OPTION: a critical option that is unknown, malformed or repeated (RFC 7252 §5.4); CG_E_PROXYING: a proxy is
 * asked for. An elective option that is not right is ignored. */
int cg_resource_parse(struct cg_resource_request *request, const struct cg_msg *msg) CG_MUST_CHECK;

/* The error as a response with a diagnostic payload (RFC 7252 §5.5.2). */
void cg_resource_refuse(struct cg_resource_response *response, uint8_t code, const char *diagnostic);

/* Serves the member with this index. `scratch` is overwritten and keeps the payload until the next call. */
void cg_resource_serve(struct cg_resource_response *response, const struct cg_resource_request *request,
                       const struct cg_member_options *options, uint32_t member, struct cg_light *light,
                       struct cg_buf *scratch);

/* What is told to observers of /light. */
void cg_resource_light(struct cg_resource_response *response, const struct cg_member_options *options,
                       const struct cg_light *light);

#endif
