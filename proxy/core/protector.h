/* How a group's messages are protected: an internal interface, because protectors hold keys and nonces. The cast asks for a
 * sealed request and for every answer to be opened; both may be finished later (signatures are checked by a thread pool).
 *
 * Ownership: a protector belongs to whoever configured it and outlives every cast that uses it. */
#ifndef CG_CORE_PROTECTOR_H
#define CG_CORE_PROTECTOR_H

#include "core/request.h"

/* Room for what ties answers to their request (kid, Partial IV, kid context of RFC 8613 §5.4): the protector's own data. */
#define CG_BINDING_MAX 96

struct cg_binding {
    uint8_t bytes[CG_BINDING_MAX];
    uint8_t len;
};

/* The request as it would go out unprotected. */
struct cg_sealing {
    const struct cg_mapping *mapping;
    const struct cg_target *target;
    uint8_t type; /* NON for a cast, CON for an ask */
    uint8_t method;
    uint16_t mid;
    struct cg_token token;
    struct cg_opts options; /* ascending */
    struct cg_slice payload;
};

struct cg_opening {
    const struct cg_binding *binding;
    struct cg_addr from;
    const struct cg_msg *msg; /* the parsed outer message */
};

/* What an answer turned out to be. Slices borrow from the datagram or from the protector until the next call. */
struct cg_opened {
    uint8_t code;
    struct cg_slice options; /* encoded, well-formed: wire/msg.h iterates them */
    struct cg_slice payload;
    uint8_t verified;          /* enum castgate_verified */
    bool has_kid;
    struct cg_slice kid;
    struct cg_slice identity;  /* of a verified member (its credential's hash); empty: address and port identify it */
    struct cg_slice gid;       /* of a refused answer, where it could be read */
    uint64_t partial_iv;       /* the order of a member's answers; 0 where there is none */
};

struct cg_protector;

/* Where a result that comes later is to be delivered: cg_gateway_sealed, cg_gateway_opened. */
struct cg_protector_ops {
    const char *name;
    /* Appends the datagram to `out` and fills the binding: CG_OK. CG_PENDING: the protector has copied what it needs and calls
     * cg_gateway_sealed with `job`. Errors: PROTECT, STORE, NO_MEMORY. */
    int (*seal)(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                struct cg_binding *binding, struct cg_problem *problem);
    /* CG_OK with *opened; CG_PENDING: cg_gateway_opened follows with `job`; an error: the answer is refused for that reason. */
    int (*open)(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job, struct cg_opened *opened);
};

struct cg_protector {
    const struct cg_protector_ops *ops;
};

#endif
