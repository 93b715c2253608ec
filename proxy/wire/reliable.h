/* One connection of CoAP over a reliable transport (RFC 8323), whichever end of it: frames in, messages out, and what
 * the two ends say about the connection itself. No socket, no clock: whoever has those brings bytes and sends bytes.
 *
 * The first message is a CSM; Pings are answered; Release and Abort end it; what breaks the rules is aborted with a
 * text that says why. Empty messages are ignored (§3.4). */
#ifndef CG_WIRE_RELIABLE_H
#define CG_WIRE_RELIABLE_H

#include "wire/signal.h"

/* Why a connection cannot go on. */
enum cg_reliable_cause {
    CG_RELIABLE_FINE,
    CG_RELIABLE_FRAMING,   /* no frame, or none that has well-formed options */
    CG_RELIABLE_NO_CSM,    /* its first message was another one */
    CG_RELIABLE_OPTION,    /* a critical option in a signalling message that nobody understands */
    CG_RELIABLE_CODE,      /* a signalling message that nobody understands */
    CG_RELIABLE_TOO_LARGE, /* a message above our Max-Message-Size */
    CG_RELIABLE_NO_MEMORY,
    CG_RELIABLE_ABORTED, /* by the other end */
    CG_RELIABLE_CAUSES
};
/* As metrics have it. */
const char *cg_reliable_cause_name(enum cg_reliable_cause cause);

struct cg_reliable_ops {
    /* A signalling message, or an error, of ours goes out. Borrowed. */
    void (*emit)(void *ctx, struct cg_slice frame);
    /* `size`: bytes of the whole frame. Borrowed. */
    void (*request)(void *ctx, const struct cg_frame *request, size_t size);
    /* NULL: none is waited for, and those that come are ignored. */
    void (*response)(void *ctx, const struct cg_frame *response);
    /* NULL: none is waited for. */
    void (*pong)(void *ctx);
    /* The first CSM has come: from here on it is known what the other end can do. */
    void (*opened)(void *ctx);
    /* The other end wants no more (§5.5): requests that come now are not handed on, what runs may be answered. NULL:
     * `is_released` is enough. */
    void (*released)(void *ctx);
};

struct cg_reliable {
    const struct cg_reliable_ops *ops;
    void *ctx;
    struct cg_frame_reader reader;
    struct cg_capabilities theirs;
    bool is_open;        /* their CSM has come */
    bool is_released;    /* by them */
    uint32_t hold_off_s; /* they want no other connection for so long */
    enum cg_reliable_cause cause;
};

/* Sends our CSM. */
void cg_reliable_begin(struct cg_reliable *reliable, const struct cg_reliable_ops *ops, void *ctx,
                       const struct cg_capabilities *ours);
void cg_reliable_fini(struct cg_reliable *reliable);

enum cg_reliable_step {
    CG_RELIABLE_MORE, /* all bytes were used */
    CG_RELIABLE_NEXT, /* a message was dealt with: call again for the next one, when it suits */
    CG_RELIABLE_ENDS  /* `cause` says why, and the other end has been told; nothing more is to be brought */
};
/* Takes one message from the front of *bytes. The connection may be ended in the operations, but not freed. */
enum cg_reliable_step cg_reliable_take(struct cg_reliable *reliable, struct cg_slice *bytes);

#endif
