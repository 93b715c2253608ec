/* What happens, as it happens (GET events, server-sent events): changes, reloads, reports of members, and what live.h
 * has. Bounded all over: who reads slowly is cut, and is told that it has missed something when it comes again. */
#ifndef CG_FRONTS_ADMIN_EVENTS_H
#define CG_FRONTS_ADMIN_EVENTS_H

#include <uv.h>

#include "jobs/reports.h"
#include "manage/manage.h"
#include "reply/bytes.h"

#define CG_EVENTS_STREAMS_MAX 32
#define CG_EVENTS_KEPT        512 /* for who comes again */
#define CG_EVENTS_KEPT_BYTES  ((size_t)1 << 20)

struct cg_admin_call;
struct cg_event_stream;

/* What a stream may be asked for, by ?types=. */
enum cg_event_type {
    CG_EVENT_CHANGE,
    CG_EVENT_RELOAD,
    CG_EVENT_REPORT,
    CG_EVENT_EXCHANGE,
    CG_EVENT_WARNINGS,
    CG_EVENT_FIGURES,
    CG_EVENT_COUNT
};
#define CG_EVENT_BIT(type) (1u << (type))

struct cg_kept_event {
    enum cg_event_type type;
    struct cg_bytes *bytes;
};

/* Of one listener. */
struct cg_events {
    struct cg_gateway *gateway;
    struct cg_manage *manage;   /* NULL: none */
    struct cg_reports *reports; /* NULL: none */
    void (*put_report)(struct cg_buf *to, const struct cg_handed *handed);
    void (*look)(void *ctx); /* twice a second while somebody reads; may be NULL */
    void *look_ctx;
    /* Its own: */
    char epoch[9];                             /* of this process: numbers begin anew with the next */
    uint64_t next;                             /* number, from 1 */
    struct cg_kept_event kept[CG_EVENTS_KEPT]; /* a ring, by number */
    uint64_t first;                            /* the oldest that is kept */
    size_t kept_bytes;
    struct cg_event_stream *streams;
    size_t stream_count;
    unsigned wanted; /* by any of them: CG_EVENT_BIT */
    struct cg_quota quota;
    struct cg_manage_hearer change_hearer;
    struct cg_reports_reader report_reader;
    uv_timer_t timer; /* runs while there are streams */
    uint64_t beat_us; /* when the last comment went to all */
    void (*on_closed)(void *ctx);
    void *ctx;
};

void cg_events_open(struct cg_events *events, uv_loop_t *uv);
/* Tells everybody who wants it, and keeps it for who comes again. `data`: JSON in one line; taken over. */
void cg_events_tell(struct cg_events *events, enum cg_event_type type, struct cg_buf *data);
/* Tells who reads at the moment: the next one of that type says it better than this one said again. */
void cg_events_tell_now(struct cg_events *events, enum cg_event_type type, struct cg_buf *data);
static inline bool cg_events_want(const struct cg_events *events, enum cg_event_type type) {
    return (events->wanted & CG_EVENT_BIT(type)) != 0;
}
/* Nobody is told any more; `on_closed(ctx)` says that the storage is the owner's again. */
void cg_events_close(struct cg_events *events, void (*on_closed)(void *ctx), void *ctx);

#endif
