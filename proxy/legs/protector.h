/* How a group's messages are protected: an internal interface, because protectors hold keys and nonces. A leg asks
 * for a sealed request and for every answer to be opened; both may be finished later (signatures are checked by a
 * thread pool).
 *
 * Ownership: a protector belongs to whoever configured it and outlives every leg that uses it. */
#ifndef CG_LEGS_PROTECTOR_H
#define CG_LEGS_PROTECTOR_H

#include "model/request.h"
#include "base/slots.h"

/* What ties answers to their request (kid, Partial IV and kid context of RFC 8613 §5.4, and what was accepted already):
 * the protector's own object, made by seal, given back to open, and released when the cast or ask has ended. NULL:
 * none. */
struct cg_binding;

/* The request as it would go out unprotected. */
struct cg_sealing {
    const struct cg_mapping *mapping;
    const struct cg_target *target;
    uint8_t type; /* NON for a cast, CON for an ask */
    uint8_t method;
    bool is_for_one; /* its client means one member alone, not the group */
    uint16_t mid;
    struct cg_token token;
    struct cg_opts options; /* ascending */
    struct cg_slice payload;
    struct cg_slice client;  /* whose request it is, by name; empty: nobody known */
    struct cg_ticket origin; /* the same for all that is sent for one request of a client's */
    struct cg_slice
        identity; /* the one member that it goes to by unicast; empty: the group, or a member known by address only */
    /* Of a further request on the token of an earlier one that may still be answered: an observation that is renewed,
     * cancelled, or followed up by unicast (RFC 7641 §3.3.1, RFC 10020 §3.7). The binding of any earlier one, which
     * stays its owner's: once it has gone out, answers to all requests that are so joined are opened with each of their
     * bindings, also when others are released, the newest request first. What is accepted counts once, whichever it was
     * opened with. The latest three to the group and to each member alone are kept. NULL: none. */
    struct cg_binding *joins;
};

struct cg_opening {
    struct cg_binding *binding;
    struct cg_addr from;
    const struct cg_msg *msg; /* the parsed outer message */
    struct cg_slice datagram; /* its bytes */
};

/* What an answer turned out to be. Slices borrow from the datagram or from the protector until the next call. */
struct cg_opened {
    uint8_t code;
    struct cg_slice options; /* encoded, well-formed: wire/msg.h iterates them */
    struct cg_slice payload;
    uint8_t verified; /* enum castgate_verified */
    bool has_kid;
    struct cg_slice kid;
    struct cg_slice identity; /* of a verified member (its credential's hash); empty: address and port identify it */
    bool is_other_epoch;      /* of a refused one: its gid is not the request's */
    struct cg_slice gid;  /* of a refused answer, where it could be read; code, options and payload are then set only
                             where it was not protected, else all zero */
    struct cg_slice echo; /* not an answer: the member wants the request again, by unicast, with this Echo value */
    bool overtaken;       /* the member's later answer came before this one, to this request or to one that is joined
                             with it: it does not replace that. Of answers to different requests numbers say less */
    bool has_number;      /* the member has numbered it: its Partial IV, verified */
    uint64_t number;
    uint64_t generation; /* of the keys that the number counts under: later ones have a higher generation */
};

struct cg_protector;

/* How a member stands with the keys that are in use. */
enum cg_standing {
    CG_STANDING_NONE,   /* its credential is not among them */
    CG_STANDING_MEMBER, /* it is */
    CG_STANDING_PROVEN, /* and an answer of it has verified under them */
};

/* Where a result comes later it is delivered by cg_engine_sealed and cg_engine_opened, on the loop, never from inside
 * these. */
struct cg_protector_ops {
    const char *name;
    /* Appends the datagram to `out` and sets *binding: CG_OK. CG_PENDING: the protector has copied what it needs, has
     * set *binding, and calls cg_engine_sealed with `job`, whatever comes between. Errors, with nothing set: PROTECT,
     * STORE, NO_MEMORY, TOO_BIG. */
    int (*seal)(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                struct cg_binding **binding, struct cg_problem *problem);
    /* How many bytes the datagram would have that `seal` makes, as far as that can be known beforehand; nothing is
     * spent, kept or encrypted. Errors as `seal`. NULL: as many as unprotected. */
    int (*measure)(struct cg_protector *protector, const struct cg_sealing *sealing, size_t *size,
                   struct cg_problem *problem);
    /* CG_OK with *opened; CG_PENDING: cg_engine_opened follows with `job`, also after the binding was released; an
     * error: the answer is refused for that reason, and *opened has the kid and gid that could be read, and what an
     * unprotected one says. */
    int (*open)(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                struct cg_opened *opened);
    /* Whether what was sealed with this binding must not go out any more, because the keys have changed since: it is to
     * be sealed again (R55). Of an observation's latest request: it is to be renewed, since members may have lost the
     * former keys, or may have joined; what a client has protected only that client can renew. What it is answered is
     * opened all the same. It changes when the protector's `renewals` does, or for one member that was seen under
     * prepared keys. NULL: never. */
    bool (*is_stale)(struct cg_protector *protector, const struct cg_binding *binding);
    /* Just before a datagram with this binding goes out, the first time or again: CG_OK, or an error with *problem, and
     * it does not go. NULL: everything may. */
    int (*leave)(struct cg_protector *protector, const struct cg_binding *binding, struct cg_problem *problem);
    /* It has gone out. NULL: nobody needs to know. */
    void (*left)(struct cg_protector *protector, const struct cg_binding *binding);
    /* Where the member with that identity was when its latest answer was verified; false: it has not answered yet.
     * NULL: nobody is known so. */
    bool (*find)(struct cg_protector *protector, struct cg_slice identity, struct cg_addr *at);
    /* Whether the member with that identity has yet to take a request that is sent with the key in use, and may want to
     * see first that it is fresh (Echo). NULL: nobody does. */
    bool (*is_cold)(struct cg_protector *protector, struct cg_slice identity);
    /* Of the member with that identity. NULL: nobody is known so. */
    enum cg_standing (*standing)(struct cg_protector *protector, struct cg_slice identity);
    void (*release)(struct cg_protector *protector, struct cg_binding *binding); /* NULL has no effect */
};

struct cg_protector {
    const struct cg_protector_ops *ops;
    uint64_t departure; /* the engine's number of the last time that the gateway left its group; 0: never */
    uint64_t renewals;  /* how often it has begun to send with a key that no member has met, the first included */
};

/* Emits what was sealed, if it may still go, and tells the protector. As the port's emit. */
struct cg_port;
struct cg_route;
int cg_protector_emit(struct cg_protector *protector, const struct cg_binding *binding, const struct cg_port *port,
                      const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) CG_MUST_CHECK;

/* Where a member is to be asked: at its configured address, or where it was verified last, if that is another host or
 * none is configured. False: nobody knows. */
bool cg_protector_find(struct cg_protector *protector, const struct cg_member *member, struct cg_addr *at);
/* As its operation; false where it has none. */
bool cg_protector_is_cold(struct cg_protector *protector, struct cg_slice identity);

/* As its operation. */
int cg_protector_measure(struct cg_protector *protector, const struct cg_sealing *sealing, size_t *size,
                         struct cg_problem *problem) CG_MUST_CHECK;

/* The request as a datagram, unprotected, appended to `out`. CG_E_TOO_BIG, CG_E_NO_MEMORY with their problem. */
int cg_sealing_emit(const struct cg_sealing *sealing, struct cg_buf *out, struct cg_problem *problem) CG_MUST_CHECK;
/* Whether a datagram is whole that a protector has filled: CG_E_TOO_BIG, CG_E_NO_MEMORY with their problem. */
int cg_sealed_check(const struct cg_buf *datagram, struct cg_problem *problem) CG_MUST_CHECK;

#endif
