/* Counters and histograms per mapping (R60), kept by name across reloads, and those of the whole gateway. A mapping's
 * begin with its first request: of many mappings most may never have one. */
#ifndef CG_MODEL_STATS_H
#define CG_MODEL_STATS_H

#include "base/hash.h"

#include "base/buf.h"
#include "base/err.h"
#include "model/cause.h"

#define CG_HISTOGRAM_BUCKETS 16

struct cg_histogram {
    uint64_t counts[CG_HISTOGRAM_BUCKETS + 1]; /* the last one: above every bound */
    uint64_t total;
    double sum;
};

/* Why an observation was registered once more. */
enum cg_renewal_kind {
    CG_RENEWAL_PERIOD,  /* group.observe_renewal */
    CG_RENEWAL_STALE,   /* several members were heard too long ago */
    CG_RENEWAL_MEMBER,  /* one was: by unicast */
    CG_RENEWAL_REKEY,   /* keys have changed */
    CG_RENEWAL_SILENCE, /* many members were silent to the first registration */
    CG_RENEWAL_COUNT
};

struct cg_stats {
    char name[64 + 1];                   /* the mapping's */
    uint64_t requests;                   /* exchanges admitted */
    uint64_t sent;                       /* group requests emitted */
    uint64_t joined;                     /* client requests that shared another's group request */
    uint64_t queued;                     /* group requests that waited for their group's turn */
    uint64_t asked;                      /* unicast requests emitted, retransmissions aside */
    uint64_t renewals[CG_RENEWAL_COUNT]; /* registrations once more, by what they were for */
    uint64_t cache_hits;                 /* client requests that were answered without asking anybody */
    uint64_t cache_misses;               /* and those that might have been */
    uint64_t revalidations;              /* answers that said that what is kept is still so */
    uint64_t held_back;                  /* notifications that were not told at once, as their member sends too many */
    uint64_t notifications;              /* of members that are observed, beyond their first answers */
    uint64_t answered, failed, late, duplicate, rejected, over_cap;
    uint64_t missing[CG_CAUSE_COUNT]; /* members, by cause */
    bool warned_of_size;              /* R44 */
    uint64_t streams_cut;             /* streams ended because their reader was too slow */
    uint64_t kernel_drops;            /* counted while one of its requests ran */
    uint64_t errors[CG_ERR_COUNT];    /* exchanges that ended with a problem, by error */
    struct cg_histogram latency_s;    /* request to end of collecting */
    struct cg_histogram answers;      /* answers per exchange */
    UT_hash_handle hh;
};

/* What became of a datagram, strongest first: legs/account.h. */
enum cg_fate {
    CG_FATE_ANSWER,          /* a member's first answer, or a newer one */
    CG_FATE_BLOCK,           /* a further block of an answer */
    CG_FATE_CHALLENGE,       /* the member is to get the request again: with an Echo value, or without entity tags */
    CG_FATE_PROBE,           /* what a silent member says when it is asked only why it is */
    CG_FATE_DUPLICATE,       /* of an answer that is there */
    CG_FATE_REJECTED,        /* in its reply's `rejected`, with the reason */
    CG_FATE_LATE,            /* its request has ended */
    CG_FATE_ACKNOWLEDGEMENT, /* an empty message about a unicast request */
    CG_FATE_UNWANTED,        /* a notification of what nobody observes any more */
    CG_FATE_UNKNOWN_TOKEN,   /* a response to nothing that ran, or that is remembered */
    CG_FATE_REQUEST,         /* a request or a ping: this side serves nobody */
    CG_FATE_BAD_CODE,        /* of a class that is none (RFC 7252 §12.1) */
    CG_FATE_MALFORMED,       /* no CoAP message */
    CG_FATE_STRAY_EMPTY,     /* an empty message about nothing */
    CG_FATE_COUNT
};
extern const char *const cg_fate_names[CG_FATE_COUNT]; /* as in the metrics */

struct cg_totals {
    uint64_t datagrams; /* received on group sockets */
    uint64_t fates[CG_FATE_COUNT];
    uint64_t budget_waits;     /* datagrams that waited for room at their interface */
    uint64_t pings;            /* to addresses that nobody has configured or verified */
    uint64_t requests_refused; /* before a mapping was known */
    uint64_t cache_bytes;      /* of answers that are kept, now */
    uint64_t cache_evictions;  /* of what was asked: to make room, or as nobody asked again */
    uint64_t errors[CG_ERR_COUNT];
    struct cg_histogram turns_s; /* CPU time of the loop's turns, see cg_gateway_note_turn */
    double longest_turn_s;
};

struct cg_stats_table {
    struct cg_stats *by_name; /* uthash head; in the order of their coming */
};

struct cg_stats *cg_stats_get(struct cg_stats_table *table, const char *name); /* makes it; NULL: out of memory */
void cg_stats_fini(struct cg_stats_table *table);
void cg_histogram_add(struct cg_histogram *histogram, const double bounds[CG_HISTOGRAM_BUCKETS], double value);
extern const double cg_latency_bounds[CG_HISTOGRAM_BUCKETS]; /* seconds */
extern const double cg_answers_bounds[CG_HISTOGRAM_BUCKETS];
extern const double cg_turn_bounds[CG_HISTOGRAM_BUCKETS]; /* seconds */

/* For whoever may not know which mappings there are: one sample of each metric, the sum over all of them. */
enum cg_stats_view { CG_STATS_BY_MAPPING, CG_STATS_SUMMED };

/* How far writing has come. Zero-initialise all but `view` before the first slice. */
struct cg_stats_cursor {
    enum cg_stats_view view;
    struct cg_stats sum; /* of nobody's name */
    bool summed;         /* it is of all of them */
    size_t section;
    bool begun;                  /* the section's head is written, or the sum begun */
    const struct cg_stats *next; /* whose samples follow, or whose figures are to be added */
};

/* Prometheus text format 0.0.4 of everything here, in slices of some more than so many lines. True: there is more.
 * Figures go on counting between slices; those of one histogram of one mapping are of one moment. */
bool cg_stats_emit(struct cg_buf *to, const struct cg_stats_table *table, const struct cg_totals *totals,
                   struct cg_stats_cursor *cursor, unsigned lines);

#endif
