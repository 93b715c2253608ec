/* What goes on in one round, as a tap hears it (legs/tap.h), for those who want to look at it later: how much was sent
 * and received, the datagrams themselves, and what legs told of them. It belongs to whoever holds a reference, and is
 * bounded in bytes: beyond that only the figures go on, and it says that it is not whole. */
#ifndef CG_RECORDER_TAPE_H
#define CG_RECORDER_TAPE_H

#include "base/buf.h"
#include "legs/tap.h"
#include "recorder/preview.h"
#include "recorder/transcript.h"

/* Datagrams of one round. */
struct cg_traffic {
    uint32_t sent, sent_to_groups, received;
    uint64_t sent_bytes, received_bytes; /* of CoAP messages */
    uint32_t largest_to_group;           /* bytes */
};

void cg_traffic_put_json(struct cg_buf *to, const struct cg_traffic *traffic);

enum cg_direction { CG_DIRECTION_IN, CG_DIRECTION_OUT };

/* One datagram: this, then its bytes. */
struct cg_tape_datagram {
    uint64_t at_us; /* monotonic */
    struct cg_addr peer;
    uint32_t len;
    uint8_t direction; /* enum cg_direction */
};

struct cg_tape {
    unsigned references;
    UT_hash_handle hh; /* the recorder's, by origin */
    uint64_t origin;   /* the ticket's number of the exchange that has begun the round */
    size_t max;        /* bytes of what is kept */
    uint64_t unix_us;  /* what makes Unix time of monotonic time */
    struct cg_traffic traffic;
    struct cg_buf wire;            /* datagrams, one after another, each at a multiple of 8 */
    struct cg_preview *prediction; /* owned; of the exchange that has begun it, while that runs. NULL: none */
    bool is_cut;                   /* a datagram was left out */
    struct cg_transcript said;     /* what legs told, from the moment when the request was admitted */
    struct cg_transcript signs; /* what was seen of members' addresses, when one was missing at the end; earlier too */
    struct cg_buf asked, scene; /* JSON: scene.h */
    struct cg_buf payload;      /* the request's, if it is kept */
    size_t payload_len;
    uint64_t started_us, ended_us; /* monotonic: of the exchange that has begun it; ended_us 0: it runs */
    bool has_left;                 /* its client, before the end */
    bool is_joined;                /* others have joined it, who are not told of */
};

/* Whether payloads that are kept (recorder.payloads) are shown to whoever asks. */
enum cg_tape_payloads { CG_TAPE_SHOWS_PAYLOADS, CG_TAPE_HIDES_PAYLOADS };

/* With one reference. NULL: no memory. */
struct cg_tape *cg_tape_new(uint64_t origin, size_t max);
void cg_tape_unref(struct cg_tape *tape); /* NULL is fine */
size_t cg_tape_size(const struct cg_tape *tape);
static inline const struct cg_traffic *cg_tape_traffic(const struct cg_tape *tape) { return &tape->traffic; }

void cg_tape_note(struct cg_tape *tape, enum cg_direction direction, const struct cg_addr *peer, struct cg_slice bytes,
                  uint64_t at_us);

/* Keeps nothing more, and counts on. */
void cg_tape_end(struct cg_tape *tape);
/* What legs say has the room that the datagrams leave. */
void cg_tape_bound(struct cg_tape *tape);

/* The datagram at *at, which goes on to the next; false: there is none. */
bool cg_tape_next_datagram(const struct cg_tape *tape, size_t *at, struct cg_tape_datagram *datagram,
                           struct cg_slice *bytes);

#endif
