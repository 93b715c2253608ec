/* HTTP to a request (RFC 8075, GCP "HTTP-to-CoAP Proxies"): a pure function over what the HTTP front read. */
#ifndef CG_FRONTS_HTTP_FROM_HTTP_H
#define CG_FRONTS_HTTP_FROM_HTTP_H

#include "model/request.h"

struct cg_http_field {
    struct cg_slice name; /* any case */
    struct cg_slice value;
};

/* What the front read; borrowed. */
struct cg_http_message {
    struct cg_slice method;
    struct cg_slice target; /* raw request target, never decoded */
    const struct cg_http_field *fields;
    size_t field_count;
    struct cg_slice body;
};

struct cg_encoder_list {
    const struct castgate_plugin *const *plugins; /* first: the default */
    size_t count;
};

/* Fills *request (client, may_be_anonymous and head_only of HEAD aside, which are set here too except client and
 * may_be_anonymous: those are the front's). `listen`: the listener it came in by, whose address and port Host may name.
 * Errors: 400, 403, 405, 413, 414, 415, 421, 502 with their problem. Mapping, access and timeouts are ADMIT's
 * (exchange/exchange.c). `forward` and `discovery` tell what kind of request it is. *encoder gets the one of
 * `encoders` that Accept chooses. */
int cg_from_http(struct cg_request *request, struct cg_arena *arena, const struct cg_config *config,
                 const struct cg_listen *listen, const struct cg_encoder_list *encoders,
                 const struct castgate_encoder **encoder, const struct cg_http_message *message,
                 struct cg_problem *problem) CG_MUST_CHECK;

/* The Host check alone, for the admin listener as well. `fields` must hold exactly one Host. */
int cg_http_check_host(const struct cg_http_settings *settings, const struct cg_listen *listen,
                       const struct cg_http_message *message, struct cg_slice *host,
                       struct cg_problem *problem) CG_MUST_CHECK;

/* The only field of that name; CG_E_NOT_FOUND when absent, CG_E_BAD_REQUEST when there are several. */
int cg_http_field(const struct cg_http_message *message, const char *name, struct cg_slice *value) CG_MUST_CHECK;

#endif
