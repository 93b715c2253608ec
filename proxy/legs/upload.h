/* A request whose payload is too large for one message: to one member, by unicast, block by block (Block1, RFC 7959
 * §2.5), each block a request of its own that an ask makes. A tag tells a member that two uploads of equal requests are
 * two (Request-Tag, RFC 9175 §3). What the member says to the last block is its response to the request.
 *
 * Blocks before the last do nothing, so they may be said again whatever the method; the last one is the request. */
#ifndef CG_LEGS_UPLOAD_H
#define CG_LEGS_UPLOAD_H

#include "legs/ask.h"

#define CG_UPLOAD_TAG 8 /* bytes: the most that Request-Tag has */

struct cg_upload;

struct cg_upload_ops {
    /* A block has gone out, the first time. */
    void (*sent)(struct cg_engine *engine, struct cg_upload *upload);
    /* The member's response; nothing more goes out or comes. */
    void (*answer)(struct cg_engine *engine, struct cg_upload *upload, const struct cg_arrival *arrival);
    /* As a leg's: a datagram that is no answer. */
    void (*refused)(struct cg_engine *engine, struct cg_upload *upload, const struct cg_addr *from,
                    const struct cg_opened *opened, const char *reason);
    /* It is over, and there is no response: with *problem where nothing could go out, else (NULL) nobody answers. */
    void (*ended)(struct cg_engine *engine, struct cg_upload *upload, const struct cg_problem *problem);
    bool (*is_wanted)(const struct cg_upload *upload);
};

/* Embedded in what the owner keeps of it, which must not move. */
struct cg_upload {
    const struct cg_upload_ops *ops;
    struct cg_ask *ask;                 /* NULL: none yet, or over */
    const struct cg_leg_request *whole; /* the owner's */
    struct cg_leg_request request; /* what goes out now: a block of it. Once the response is there, what its further
                                      blocks are asked for with */
    struct cg_opt *options;        /* owned: the list of those */
    size_t at;                     /* bytes before this block */
    uint8_t tag[CG_UPLOAD_TAG], block[CG_BLOCK_MAX], size[4];
    uint8_t szx;
    uint8_t beginnings; /* so far */
    uint8_t requests;   /* that were made for this block; 2: or more */
    bool assumed;       /* that the member has the block before, though it did not say so */
};

/* The largest payload that goes as it is (RFC 7252 §4.6); what is larger goes in blocks of at most that. */
size_t cg_upload_most(const struct cg_mapping *mapping);

struct cg_upload_plan {
    struct cg_leg_order order; /* without ops and owner; its request's payload is not empty */
    struct cg_addr to;
    struct cg_slice identity; /* as cg_ask_new */
    bool is_stranger;         /* neither configured nor verified */
};

/* False, with *problem: out of memory, or too many asks; cg_upload_fini has nothing to do then. Nothing is sent before
 * cg_upload_go, which may end it. */
bool cg_upload_init(struct cg_engine *engine, struct cg_upload *upload, const struct cg_upload_ops *ops,
                    const struct cg_upload_plan *plan, struct cg_problem *problem) CG_MUST_CHECK;
void cg_upload_go(struct cg_engine *engine, struct cg_upload *upload);
/* Ends what is under way, without a word. */
void cg_upload_fini(struct cg_engine *engine, struct cg_upload *upload);

#endif
