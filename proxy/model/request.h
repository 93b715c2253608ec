/* A client's request in the core's own terms, whichever front it came in by. Slices live in the exchange's arena. */
#ifndef CG_MODEL_REQUEST_H
#define CG_MODEL_REQUEST_H

#include "model/config.h"
#include "wire/cri.h"

/* An error with its particulars, as fronts turn it into problem+json or a diagnostic payload. */
struct cg_problem {
    int err;                /* enum cg_err, negative; 0: none */
    uint32_t retry_after;   /* seconds; 0: not said */
    uint32_t allow;         /* CG_METHOD_BIT set for 405; 0: not said */
    size_t at_most;         /* bytes that a request's payload may have, for 413; 0: not said */
    uint32_t least_timeout; /* seconds that Multicast-Timeout must have (GCP §8.1); 0: not said */
    bool ask_timeout;       /* the reply carries Multicast-Timeout: 0 (GCP §3.2.1 step 3) */
    char detail[480];       /* what, where, what to do; printable ASCII; names a file and the commands that mend it */
};

/* Sets the problem and returns err. Bytes of the arguments that are not printable ASCII are replaced. */
int cg_problem_set(struct cg_problem *problem, int err, const char *format, ...) CG_PRINTF(3, 4);
/* Adds to what it says, as far as there is room. */
void cg_problem_add(struct cg_problem *problem, const char *text);
/* CG_E_NO_MEMORY, in the two forms that it has: the system's, and the limit of the settings. */
int cg_problem_no_memory(struct cg_problem *problem);
int cg_problem_memory_full(struct cg_problem *problem);

/* What ends collecting for the client. */
enum cg_finishing {
    CG_FINISH_AS_MAPPING, /* the mapping's finish rule, or the time */
    CG_FINISH_BY_TIME,    /* the time alone: it takes answers as they come, and further ones of the same members */
};

/* What becomes of a request that observes, where as many do as may. */
enum cg_crowding {
    CG_CROWDING_REFUSES,     /* it is refused: CG_E_OVERLOAD */
    CG_CROWDING_SERVES_ONCE, /* it is served as one that does not observe (RFC 7641 §4.1) */
};

/* What a client is known by. */
enum cg_proof {
    CG_PROOF_NONE,
    CG_PROOF_TOKEN,
    CG_PROOF_CERTIFICATE,
    CG_PROOF_PSK,
    CG_PROOF_OSCORE,   /* an OSCORE context that it shares with the gateway */
    CG_PROOF_OPERATOR, /* no client: whoever runs the gateway, by its control socket; needs no grant */
    CG_PROOF_TRIAL, /* somebody tries a mapping by the admin side: as the client, whose grants count, or as nobody, who
                       needs none; what the mapping lets pass, budgets and limits bind it */
    CG_PROOF_ADMIN, /* the same of an administrator and without a client: methods do not bind it, and its mapping need
                       not be in use */
    CG_PROOF_GATEWAY,  /* no client: the gateway asks for itself, and gives way to all clients; needs no grant */
    CG_PROOF_REACTION, /* no client: an alert makes the gateway ask (model/reaction.h), before clients; needs no grant,
                          and what the mapping lets pass, budgets and limits bind it */
};

#define CG_GROUP_ETAG_MAX  8  /* bytes */
#define CG_GROUP_ETAGS_MAX 32 /* of a request; further ones are not looked at */

struct cg_request {
    uint8_t method;                 /* CoAP code */
    const struct cg_client *client; /* NULL: not identified */
    enum cg_proof proof;
    const struct cg_pass *pass; /* of the client's: the token or certificate that it has shown; else NULL */
    const char *reaction;       /* whose request it is, by its name, where an alert makes it; else NULL */
    const char *mapping;        /* that is meant, by its name, whose path `path` begins with; NULL: `path` finds it */
    bool may_be_anonymous;      /* the listener takes anonymous clients */
    bool is_remote;             /* from off this host, as far as is known: nobody relays anonymously then */
    struct cg_addr peer;        /* who connected, for the log; family NONE: unknown */
    struct cg_addr from;        /* whom it counts for where nobody is identified, without port; family NONE: unknown */
    bool head_only;             /* HEAD: as GET, the front drops the body */
    struct cg_slice host;       /* lower case, without port; empty: unknown */
    uint16_t port;              /* that the client has named; 0: its scheme's own */
    enum cg_cri_scheme scheme;  /* of the front that it came in by */
    struct cg_addr reached; /* ours, that it was sent to: its host, where the client names none; family NONE: unknown */
    bool forward;           /* path is a whole target URI without query (cg_uri_emit_normal): model/forward.h */
    struct cg_addr asks;    /* of one that the gateway makes by itself: whoever is there is asked, alone, for what the
                               path says behind the mapping's; family NONE: whom the path means */
    bool discovery;         /* path is /.well-known/core: model/links.h answers it, no exchange does */
    struct cg_slice path;   /* raw, normalised (cg_mapping_normal_path) */
    struct cg_slice query;  /* raw, without '?' */
    struct cg_opts options; /* ascending: Content-Format, Accept, If-Match, ETag, No-Response …; no Uri-*, no Proxy-* */
    struct cg_slice payload;
    enum cg_crowding crowding; /* what becomes of it where it observes and limits.observers do already */
    bool observes; /* its client wants to hear of changes, too (RFC 7641): GET and FETCH; its options have no Observe */
    bool has_timeout;
    uint32_t timeout_s;
    bool needs_timeout; /* only the client may say how long to collect: the mapping's `timeout` is for others */
    enum cg_finishing finishing;  /* of a request to a group; one to a single member ends with its answer */
    uint32_t no_response;         /* RFC 7967 bits that the client asked for; 0 when absent */
    bool is_anew;                 /* it is not to be answered with answers to others (RFC 9111 §5.2.1.4) */
    bool is_unkept;               /* nor may others be answered with what answers it (RFC 9111 §5.2.1.5) */
    struct cg_slice *group_etags; /* of what its client has already (GCP §7.3), 1 to 8 bytes each */
    size_t group_etag_count;
    bool is_strict;              /* members that are missing or fail make it an error (RFC 7240 §4.4) */
    struct cg_slice traceparent; /* valid W3C trace context, or empty */
};

/* What a request with Accept risks in a group, for people: a part of a sentence. */
#define CG_SILENT_ABOUT_ACCEPT "members that cannot give the type which Accept asks them for are silent"

#define CG_ASKED_TYPE_MAX 32
/* The media type that it asks members for, by its option Accept; NULL: none. `text` is where one without a name goes.
 */
const char *cg_request_asked_type(const struct cg_request *request, char text[CG_ASKED_TYPE_MAX]);

/* Whether it has the option; *value, if not NULL, is borrowed. */
bool cg_request_has(const struct cg_request *request, uint16_t option, struct cg_slice *value);

#define CG_REACTION_PREFIX "reaction/"
#define CG_ACCOUNT_MAX     (sizeof CG_REACTION_PREFIX + CG_NAME_MAX) /* with NUL */
/* Whom it counts for in limits: the client's name, "reaction/NAME", or "@192.0.2.4", "@2001:db8::" (the first 64 bits
 * are one host's).
 */
void cg_request_account(const struct cg_request *request, char account[CG_ACCOUNT_MAX]);

/* Whether the client has protected it: it carries an OSCORE option. */
bool cg_request_is_protected(const struct cg_request *request);

#endif
