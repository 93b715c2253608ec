/* Whoever hears what an exchange collects. The exchange calls these operations and knows neither bytes nor encoders nor
 * what a client's protocol numbers its replies by.
 *
 * Ownership: a sink belongs to its exchange from cg_gateway_start on. `end` is the last call, exactly once whatever
 * happens, and where the sink frees itself if that is to be done. All calls come from cg_gateway_run, or from
 * cg_gateway_free. */
#ifndef CG_REPLY_SINK_H
#define CG_REPLY_SINK_H

#include "base/slots.h"
#include "reply/view.h"

struct cg_sink;

#define CG_SINK_CLOSED 0 /* instead of a time: it takes nothing more */

enum cg_sink_end {
    CG_SINK_DONE, /* there is nothing more to hear; or there is a problem */
    CG_SINK_CUT,  /* there is, but the sink is closed, or has had room for none of it too long */
    CG_SINK_LEFT, /* nobody listens any more: no word to anybody */
};

enum cg_sink_word { CG_SINK_ANSWER, CG_SINK_END };

/* What became of the reply, for the exchange's figures and log line. */
struct cg_sink_ending {
    unsigned status; /* what the client was told, as its own protocol numbers it; 0: nothing */
    bool cut;        /* the last that it was to hear did not go out */
};

/* A sink that wants to hear of nothing but the end leaves the others NULL. */
struct cg_sink_ops {
    /* The requests are out, and the client waits for answers. An error, with *problem set: `end` follows. */
    int (*begin)(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem);
    /* Whether it takes an answer, or the end, now. One that does not wakes its exchange (cg_sink_wake) when it does
     * again. */
    bool (*has_room)(struct cg_sink *sink, enum cg_sink_word word);
    /* An answer; each that its member sends, as they come. An error, with *problem set, closes the sink; CG_PENDING: it
     * could not be taken after all, and is to be told again when the sink wants to be asked again. */
    int (*answer)(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer,
                  struct cg_problem *problem);
    /* An answer that may not be passed on (RFC 7252 §5.7: an option of it that is not understood is unsafe to forward):
     * who it is from counts. As `answer`; NULL: it does not want to hear of these. */
    int (*refused)(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *answer,
                   struct cg_problem *problem);
    /* The first block of an answer that comes in blocks, as far as there is room to keep it until then; the answer
     * follows when it is whole, or never. As `answer`; a sink that wants to hear of these hears of no refused ones.
     * NULL: it does not. */
    int (*beginning)(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *first,
                     struct cg_problem *problem);
    /* Nothing is left to hand on, or there is no room: signs of life, patience. Returns when to be asked again
     * (monotonic µs), or CG_SINK_CLOSED: with *problem set, or else because nobody takes what it has. */
    uint64_t (*look)(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem);
    /* *problem (err 0: none) says why nobody is to get an answer, or where the sink began, why there are no more; a
     * sink that cannot make its reply sets it. With CG_SINK_LEFT there is no view. */
    void (*end)(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                struct cg_sink_ending *ending);
};

struct cg_sink {
    const struct cg_sink_ops *ops;
    /* Set by cg_gateway_start: whom it wakes. */
    struct cg_gateway *gateway;
    struct cg_ticket ticket;
    void (*wake)(struct cg_gateway *gateway, struct cg_ticket ticket);
};

/* Its exchange looks whether there is room; no effect once that is over. */
static inline void cg_sink_wake(const struct cg_sink *sink) { sink->wake(sink->gateway, sink->ticket); }

#endif
