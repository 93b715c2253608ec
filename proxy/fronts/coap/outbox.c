/* Windows of responses. The hard thing: an exchange that waits may end, and one that may send may have nothing left; so
 * whoever waits stands in a line, only the first of it is woken, and whoever is done wakes the next. */
#include "fronts/coap/outbox.h"

#include "wire/transmission.h"

#include <stdlib.h>
#include <utlist.h>

struct cg_outbox {
    unsigned references;
    uint32_t window, credit;        /* responses; what may still go out of it */
    bool awaits;                    /* an acknowledgement; there is no credit then */
    struct cg_coap_token token;     /* of what it is to acknowledge */
    uint64_t asked_us;              /* when that went out */
    struct cg_outbox_seat *waiting; /* utlist, longest first */
};

struct cg_outbox *cg_outbox_new(void) {
    struct cg_outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox == NULL) return NULL;
    outbox->references = 1;
    outbox->window = outbox->credit = CG_OUTBOX_WINDOW_MIN;
    return outbox;
}

struct cg_outbox *cg_outbox_ref(struct cg_outbox *outbox) {
    outbox->references++;
    return outbox;
}

void cg_outbox_unref(struct cg_outbox *outbox) {
    if (outbox != NULL && --outbox->references == 0) free(outbox);
}

/* The line */

static void wake_first(struct cg_outbox *outbox) {
    if (outbox->credit > 0 && outbox->waiting != NULL) outbox->waiting->wake(outbox->waiting);
}

static void leave_line(struct cg_outbox_seat *seat) {
    if (!seat->waits) return;
    seat->waits = false;
    DL_DELETE2(seat->outbox->waiting, seat, previous, next);
}

static void join_line(struct cg_outbox_seat *seat) {
    if (seat->waits) return;
    seat->waits = true;
    DL_APPEND2(seat->outbox->waiting, seat, previous, next);
}

void cg_outbox_heard(struct cg_outbox *outbox) {
    if (!outbox->awaits && outbox->credit < CG_OUTBOX_WINDOW_MIN) outbox->credit = CG_OUTBOX_WINDOW_MIN;
    wake_first(outbox);
}

void cg_outbox_take_seat(struct cg_outbox *outbox, struct cg_outbox_seat *seat, uint64_t now_us) {
    seat->outbox = cg_outbox_ref(outbox);
    seat->confirm_us = now_us + CG_OUTBOX_CONFIRM_US;
    cg_outbox_heard(outbox);
}

void cg_outbox_leave_seat(struct cg_outbox_seat *seat) {
    struct cg_outbox *outbox = seat->outbox;
    if (outbox == NULL) return;
    leave_line(seat);
    wake_first(outbox);
    seat->outbox = NULL;
    cg_outbox_unref(outbox);
}

/* Sending */

bool cg_outbox_may_send(struct cg_outbox_seat *seat) {
    const struct cg_outbox *outbox = seat->outbox;
    bool is_its_turn = outbox->waiting == NULL || outbox->waiting == seat;
    if (outbox->credit > 0 && is_its_turn) return true;
    join_line(seat);
    return false;
}

enum cg_type cg_outbox_type(const struct cg_outbox_seat *seat, uint64_t now_us) {
    return seat->outbox->credit > 1 && now_us < seat->confirm_us ? CG_NON : CG_CON;
}

static void await(struct cg_outbox *outbox, struct cg_slice token, uint64_t now_us) {
    outbox->awaits = cg_coap_token_set(&outbox->token, token);
    outbox->asked_us = now_us;
    outbox->credit = 0;
}

void cg_outbox_sent(struct cg_outbox_seat *seat, enum cg_type type, struct cg_slice token, uint64_t now_us) {
    struct cg_outbox *outbox = seat->outbox;
    leave_line(seat);
    outbox->credit--;
    if (type == CG_CON) {
        await(outbox, token, now_us);
        seat->confirm_us = now_us + CG_OUTBOX_CONFIRM_US;
    }
    wake_first(outbox);
}

void cg_outbox_pass(struct cg_outbox_seat *seat) {
    leave_line(seat);
    wake_first(seat->outbox);
}

/* An acknowledgement that took longer than the shortest time after which it is asked for again may be of a
 * retransmission: then something was lost. */
void cg_outbox_settled(struct cg_outbox *outbox, struct cg_slice token, uint64_t now_us) {
    if (!outbox->awaits || !cg_slice_equal(cg_coap_token_slice(&outbox->token), token)) return;
    bool is_prompt = now_us - outbox->asked_us < CG_ACK_TIMEOUT_US;
    outbox->awaits = false;
    outbox->window = is_prompt ? 2 * outbox->window : CG_OUTBOX_WINDOW_MIN;
    if (outbox->window > CG_OUTBOX_WINDOW_MAX) outbox->window = CG_OUTBOX_WINDOW_MAX;
    outbox->credit = outbox->window;
    wake_first(outbox);
}
