/* One request to the admin side, as a resource sees it: who asks is known and may, the path is taken apart, the query's
 * parameters are ones that the route knows, the body is parsed. And how it is answered. */
#ifndef CG_FRONTS_ADMIN_CALL_H
#define CG_FRONTS_ADMIN_CALL_H

#include <jansson.h>

#include "fronts/admin/admin.h"
#include "fronts/admin/route.h"
#include "fronts/admin/who.h"
#include "manage/manage.h"

struct castgate_encoder;
struct cg_admin_body;
struct cg_recorder;

struct cg_admin_call {
    struct cg_http_call *http;
    struct cg_admin *admin;
    struct cg_admin_match match; /* its route, and the parts of its path */
    struct cg_admin_who who;
    struct cg_slice query; /* raw */
    json_t *body;          /* an object; NULL: the route takes none, or none came where none need come */
    void *ctx;             /* the resource's, while it answers later */
    void (*left)(struct cg_admin_call *call); /* instead of the route's, of who has `ctx` now; NULL: the route's */
    bool is_serving;                          /* the resource has it */
    bool is_replied;
    bool is_streaming;             /* its reply is a queue */
    struct cg_admin_body *reading; /* the body's, while others parse it; then what frees it */
    struct cg_admin_call *prev, *next;
};

/* What the resources work with. Borrowed. */
struct cg_manage *cg_admin_manage(const struct cg_admin_call *call);
struct cg_groups *cg_admin_groups(const struct cg_admin_call *call);
struct cg_gateway *cg_admin_gateway(const struct cg_admin_call *call);
struct cg_recorder *cg_admin_recorder(const struct cg_admin_call *call); /* NULL: there is none */
/* The one that makes that media type; NULL: there is none. */
const struct castgate_encoder *cg_admin_encoder(const struct cg_admin_call *call, const char *media_type);
/* Of the current settings. */
const struct cg_config *cg_admin_config(const struct cg_admin_call *call);
struct cg_worker *cg_admin_worker(const struct cg_admin_call *call); /* for long work; NULL: none */
/* What should be known about it and beside it, in the form of mistakes with codes; items by their names. */
void cg_admin_warnings(const struct cg_admin_call *call, struct cg_mistakes *warnings);
const char *cg_admin_part(const struct cg_admin_call *call, size_t index); /* of the path, decoded */
/* For the write path and the audit: who asks, and for what ("mappings/floor3"). */
struct cg_author cg_admin_author(const struct cg_admin_call *call);
#define CG_ADMIN_TARGET_MAX 384
void cg_admin_target(const struct cg_admin_call *call, char target[CG_ADMIN_TARGET_MAX]);

/* ---- What is asked ---- */

#define CG_ADMIN_QUERY_MAX 512 /* bytes of a parameter's value, decoded, with NUL */

/* Decoded. False: it is not there. */
bool cg_admin_query(const struct cg_admin_call *call, const char *name, char value[CG_ADMIN_QUERY_MAX]);
/* ?dry_run=true; 400 for anything but true and false. */
int cg_admin_mode(const struct cg_admin_call *call, enum cg_change_mode *mode,
                  struct cg_problem *problem) CG_MUST_CHECK;
/* The text that a list's "next" stands for (base64url), of at most size - 1 bytes; "" where there is none. */
int cg_admin_query_cursor(const struct cg_admin_call *call, char *text, size_t size,
                          struct cg_problem *problem) CG_MUST_CHECK;
int cg_admin_refuse_cursor(struct cg_problem *problem); /* one that says nothing to who reads it */
/* A parameter "true" or "false"; *value stays as it is where there is none. */
int cg_admin_query_bool(const struct cg_admin_call *call, const char *name, bool *value,
                        struct cg_problem *problem) CG_MUST_CHECK;
/* A decimal number of at least 1. */
int cg_admin_query_number(const struct cg_admin_call *call, const char *name, uint64_t max, uint64_t *value,
                          struct cg_problem *problem) CG_MUST_CHECK;

#define CG_ADMIN_LIMIT     100 /* items of a page that does not say how many */
#define CG_ADMIN_LIMIT_MAX 1000
int cg_admin_query_limit(const struct cg_admin_call *call, size_t *limit, struct cg_problem *problem) CG_MUST_CHECK;

/* ---- Replies: exactly one of them, now or later, unless the client has gone before (the route's `left`) ---- */

/* What goes with a success. */
struct cg_admin_head {
    uint16_t status;
    const char *content_type; /* NULL: application/json */
    uint64_t etag;            /* a revision; 0: none */
    const char *location;     /* NULL: none */
};

/* Takes over the buffer's memory. */
void cg_admin_reply_bytes(struct cg_admin_call *call, const struct cg_admin_head *head, struct cg_buf *body);
/* As a reply has it, on any thread. NULL: there was no memory for it, and to->failed. */
void cg_admin_put_json(struct cg_buf *to, const json_t *body);
/* Takes over the reference; NULL: there was no memory for it. */
void cg_admin_reply_json(struct cg_admin_call *call, const struct cg_admin_head *head, json_t *body);
void cg_admin_reply_none(struct cg_admin_call *call);                         /* 204 */
void cg_admin_reply_unchanged(struct cg_admin_call *call, uint64_t revision); /* 304 */
void cg_admin_reply_queue(struct cg_admin_call *call, const char *content_type, struct cg_outq *body);
/* application/problem+json. */
void cg_admin_reply_problem(struct cg_admin_call *call, const struct cg_problem *problem);
/* With "errors": [{"pointer": "#/timeout", "detail": "…"}] of the mistakes, whose pointers lose `base`
 * ("/mappings/floor3"; those that do not begin so stay as they are), and further members of the JSON object, each
 * behind a comma (empty: none). */
void cg_admin_reply_mistakes(struct cg_admin_call *call, const struct cg_problem *problem,
                             const struct cg_mistakes *mistakes, const char *base, struct cg_slice members);

/* 400, for one mistake in the body: "/name" and what it must be. */
void cg_admin_reply_invalid(struct cg_admin_call *call, const char *pointer, const char *format, ...) CG_PRINTF(3, 4);

/* Mistakes as a JSON array: [{"pointer": "#/timeout", "detail": "…"}]. */
void cg_admin_put_mistakes(struct cg_buf *to, const struct cg_mistakes *mistakes, const char *base);

#endif
