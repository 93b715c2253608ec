/* How fast one client is sent separate responses, whichever exchanges they are of. A group answers as it likes, and the
 * client has not asked for a rate: so what is under way to it is bounded by a window, and the last response of each
 * window is Confirmable. Its acknowledgement opens the next, twice as large (RFC 8085 §3.1.1: as TCP begins); who does
 * not acknowledge gets nothing more, and is gone when retransmission has ended (RFC 7252 §4.7; the interest check of
 * RFC 7641 §4.5).
 *
 * Ownership: one a client, shared by reference with the exchanges that run for it. Those that wait take turns. */
#ifndef CG_FRONTS_COAP_OUTBOX_H
#define CG_FRONTS_COAP_OUTBOX_H

#include "fronts/coap/token.h"

#define CG_OUTBOX_WINDOW_MIN 10  /* responses of at most 1152 bytes: what TCP begins with (RFC 6928) */
#define CG_OUTBOX_WINDOW_MAX 128 /* they fit the socket buffer that a system gives by default */

#define CG_OUTBOX_CONFIRM_US (24 * 3600 * UINT64_C(1000000)) /* RFC 7641 §4.5: within these one is Confirmable */

struct cg_outbox;

/* One exchange's place at it. Zero-initialise, then set `wake`. */
struct cg_outbox_seat {
    void (*wake)(struct cg_outbox_seat *seat); /* it may send; it only schedules a look */
    struct cg_outbox *outbox;                  /* a reference; NULL: none */
    struct cg_outbox_seat *previous, *next;    /* utlist: those that wait */
    uint64_t confirm_us;                       /* by when its client is to be asked again whether it still listens */
    bool waits;
};

struct cg_outbox *cg_outbox_new(void); /* one reference; NULL: out of memory */
struct cg_outbox *cg_outbox_ref(struct cg_outbox *outbox);
void cg_outbox_unref(struct cg_outbox *outbox); /* NULL is fine */

/* A request of the client has begun an exchange, which shows that it is there: a first window is open again, unless an
 * acknowledgement is awaited. */
void cg_outbox_take_seat(struct cg_outbox *outbox, struct cg_outbox_seat *seat, uint64_t now_us);
void cg_outbox_heard(struct cg_outbox *outbox); /* so has another one, on the token of one that runs */
void cg_outbox_leave_seat(struct cg_outbox_seat *seat);

/* Whether the exchange may send a response now. It is woken when it may, else. */
bool cg_outbox_may_send(struct cg_outbox_seat *seat);
/* Of the response that may be sent: Confirmable where it is the last of its window, and where the seat's latest such
 * one was too long ago. */
enum cg_type cg_outbox_type(const struct cg_outbox_seat *seat, uint64_t now_us);
/* It has gone out, on that token (monotonic µs). */
void cg_outbox_sent(struct cg_outbox_seat *seat, enum cg_type type, struct cg_slice token, uint64_t now_us);

/* There is nothing to send after all: it is the next one's turn. */
void cg_outbox_pass(struct cg_outbox_seat *seat);

/* The client has acknowledged or rejected a Confirmable response with this token, or it was given up. */
void cg_outbox_settled(struct cg_outbox *outbox, struct cg_slice token, uint64_t now_us);

#endif
