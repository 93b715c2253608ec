/* What was told of legs, as a tap hears it (legs/tap.h): what happened above that boundary can be done again from it.
 * Words are kept one after another in as few bytes as they take, up to a bound: what follows is left out as a whole, so
 * that what there is has no holes.
 *
 * Payloads are kept or not, as whoever hears says. Of those that are not, their length is known and which of them are
 * equal. */
#ifndef CG_RECORDER_TRANSCRIPT_H
#define CG_RECORDER_TRANSCRIPT_H

#include "base/buf.h"
#include "base/hash.h"
#include "legs/tap.h"

enum cg_word {
    CG_WORD_ADMITTED, /* a request was let in: wish */
    CG_WORD_BEGUN,
    CG_WORD_OPENING,
    CG_WORD_SENT,
    CG_WORD_ANSWER,
    CG_WORD_CHALLENGE,
    CG_WORD_REFUSED,
    CG_WORD_ENDED,
    CG_WORD_UNSENT,
    CG_WORD_STRAY,
    CG_WORD_ACKNOWLEDGED,
    CG_WORD_RESTS,
    CG_WORD_SIGN, /* no leg's */
    CG_WORD_COUNT
};
extern const char *const cg_word_names[CG_WORD_COUNT];

#define CG_NO_LEG UINT32_MAX

/* One of them. Slices are the transcript's, or of whoever puts it. Times are µs since the transcript's beginning. */
struct cg_said {
    enum cg_word word;
    int64_t at_us;
    uint64_t ticket; /* the leg's, by number; 0: none */
    uint32_t leg;    /* of what is read: from 0, in the order in which they began; CG_NO_LEG: it was never said to begin
                      */
    bool is_cast;
    bool is_proven;   /* of an ask: somebody is at its address */
    uint64_t request; /* of its latest sending: its place among all requests; 0: it has not gone out */
    int64_t sent_us;  /* when it did first */
    uint32_t opening; /* answers to it that are being verified */
    /* Of `begun`: where it goes to. Of answers, challenges, refusals, strays and signs: where they are from. Of
     * `admitted`: where the one member is asked that is meant, where the client has said that. */
    struct cg_addr addr;
    /* Of answers and challenges */
    uint64_t answered; /* the request, as above, and when it went out */
    int64_t answered_us, arrival_us;
    uint16_t mid;
    uint8_t via;
    struct cg_opened opened;
    bool has_payload;    /* else opened.payload has a length only */
    uint32_t same;       /* of what is read: payloads with this number are equal; 0: it is empty */
    uint64_t digest;     /* of the payload */
    const char *reason;  /* of refusals: static */
    int err;             /* of ended and unsent: why it did not go out; 0: it did, and nobody has answered */
    struct cg_slice why; /* of that: for people */
    uint32_t retry_after;
    enum cg_sign sign;
    struct cg_slice mapping; /* of `admitted`: its name */
    uint64_t timeout_us;     /* the same: how long it collects */
};

struct cg_transcript {
    struct cg_buf words;
    uint64_t base_us; /* monotonic: its beginning */
    size_t max;       /* bytes */
    uint32_t count;
    bool keeps_payloads;
    bool is_cut; /* something was left out, and so is what follows */
};

void cg_transcript_init(struct cg_transcript *transcript, uint64_t base_us, size_t max);
void cg_transcript_fini(struct cg_transcript *transcript);
void cg_transcript_put(struct cg_transcript *transcript, const struct cg_said *said);
/* Nothing more is kept of what comes. */
void cg_transcript_end(struct cg_transcript *transcript);

/* Reading it, from its beginning. */
struct cg_transcript_reading {
    const struct cg_transcript *transcript;
    size_t at;
    struct cg_transcript_number *legs, *payloads; /* uthash heads */
    uint32_t leg_count, payload_count;
    bool failed; /* there was no memory for a number */
};

void cg_transcript_read(struct cg_transcript_reading *reading, const struct cg_transcript *transcript);
/* False: there is none. What slices it has are valid as long as the transcript is not added to. */
bool cg_transcript_next(struct cg_transcript_reading *reading, struct cg_said *said);
void cg_transcript_read_fini(struct cg_transcript_reading *reading);

/* A tap that has transcripts hear what is told. Which of them a leg's words go to, its owner says. */
struct cg_transcript_tap {
    struct cg_tap tap;
    struct cg_engine *engine;
    /* NULL: none. `give_back` follows when the word is in it. */
    struct cg_transcript *(*take)(struct cg_transcript_tap *tap, const struct cg_leg *leg);
    void (*give_back)(struct cg_transcript_tap *tap, const struct cg_leg *leg);
};

/* Sets the tap's words but for `admitted`, `sign`, `emitted` and `received`, which are no leg's or none of its own. */
void cg_transcript_tap_init(struct cg_transcript_tap *tap, struct cg_engine *engine);
/* For who hears these. */
void cg_transcript_put_admitted(struct cg_transcript *transcript, const struct cg_wish *wish, uint64_t now_us);
void cg_transcript_put_sign(struct cg_transcript *transcript, const struct cg_addr *addr, enum cg_sign sign,
                            uint64_t at_us);

#endif
