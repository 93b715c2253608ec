/* Replies that an encoder makes the bytes of, and how they get to the front that the request came in by: one of `reply`
 * and `problem`, once, from cg_gateway_run alone; none of them once the client has left. */
#ifndef CG_REPLY_REPLY_H
#define CG_REPLY_REPLY_H

#include "castgate/plugin.h"
#include "legs/port.h"
#include "model/request.h"
#include "reply/outq.h"

#define CG_CONTENT_TYPE_MAX 256 /* with NUL */

struct cg_fields;

struct cg_reply {
    uint16_t status;                        /* HTTP: 200, 204, 304, 502 or 504; or a member's own */
    bool streams;                           /* the body goes on; the summary comes in it, not here */
    char content_type[CG_CONTENT_TYPE_MAX]; /* empty without body */
    char exchange_id[17];                   /* 16 hex digits */
    struct castgate_summary summary;
    struct cg_outq *body; /* the front takes a reference of its own; ended already when the length is known */
    const struct cg_problem *problem; /* instead of a body, which is NULL then: nobody answered. NULL: none */
    const struct cg_fields *fields;   /* of the only member that was asked, whose own reply it is. NULL: it is not */
    bool has_group_etag;              /* the answers are all that is kept (GCP §9.3) */
    uint8_t group_etag[CG_GROUP_ETAG_MAX];
    bool is_strict; /* the status is what the client's preference for strict handling makes it */
    bool observes;  /* its client hears of changes, too, as it preferred */
};

struct cg_front {
    void (*reply)(void *ctx, const struct cg_reply *reply);
    void (*problem)(void *ctx, const struct cg_problem *problem, const char *exchange_id);
};

/* Whose reply it is and what it is made with; all of it outlives the reply. */
struct cg_reply_to {
    const struct castgate_encoder *encoder;
    bool is_named; /* the client has asked for this encoder's form by its name */
    const struct cg_front *front;
    void *front_ctx;
    struct cg_quota *quota;     /* what is queued is charged to it */
    const struct cg_port *port; /* for random bytes */
};

/* The sink for the encoder's kind of reply; it frees itself at its end. NULL: out of memory. */
struct cg_sink *cg_reply_new(const struct cg_reply_to *to);
struct cg_sink *cg_whole_new(const struct cg_reply_to *to);
struct cg_sink *cg_stream_new(const struct cg_reply_to *to);

/* Tells the front what it must hear instead of a reply. Returns the HTTP status that this stands for. */
unsigned cg_reply_problem(const struct cg_front *front, void *ctx, const struct cg_problem *problem,
                          const char *exchange_id);

/* For the sinks. */
struct cg_view;
struct cg_body;
/* The problem that nobody answered, with the figures. Returns its status. */
unsigned cg_reply_silence(const struct cg_reply_to *to, const struct cg_view *view, const struct cg_problem *silence);
/* A whole reply of this status. False, with *problem set: it could not be queued. The bytes are taken over. */
bool cg_reply_whole(const struct cg_reply_to *to, const struct cg_view *view, unsigned status, struct cg_body *body,
                    struct cg_problem *problem);

#endif
