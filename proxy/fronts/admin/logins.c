/* Telling of failed logins. The hard thing: what comes from very many sources at once must not fill the disk either, so
 * there are so many entries a minute, and the last of them speaks for the others. */
#include "fronts/admin/logins.h"

#include <stdio.h>

#include "base/check.h"
#include "io/loop.h"

enum { TELL_MS = 1000 };

#define NOTES_BURST 32.0
#define NOTES_RATE  0.5 /* a second */

static void note(struct cg_logins *logins, const struct cg_addr *from, size_t count) {
    struct cg_author author = {.who = "-", .from = "several"};
    char detail[96];
    if (from->family != CG_FAMILY_NONE) cg_addr_emit_ip(from, author.from);
    snprintf(detail, sizeof detail, "%zu login%s failed: a token or certificate that is no client's", count,
             count == 1 ? "" : "s");
    cg_manage_note(logins->manage, &author, "login", "", "refused", detail);
}

static bool may_note(struct cg_logins *logins, uint64_t now_us) {
    cg_allowance_fill(&logins->notes, NOTES_BURST, NOTES_RATE, now_us);
    if (logins->notes.left < 1) return false;
    logins->notes.left -= 1;
    return true;
}

static void tell(struct cg_logins *logins) {
    struct cg_guesses_told told;
    size_t others = 0, place = 0;
    uint64_t now_us = cg_loop_now_us();
    while (cg_guesses_tell(&logins->guesses, &place, now_us, &told)) {
        if (told.from.family != CG_FAMILY_NONE && may_note(logins, now_us)) {
            note(logins, &told.from, told.count);
        } else {
            others += told.count;
        }
    }
    if (others > 0) note(logins, &(struct cg_addr){.family = CG_FAMILY_NONE}, others);
}

static void on_timer(uv_timer_t *timer) {
    struct cg_logins *logins = timer->data;
    tell(logins);
    if (logins->guesses.waiting == 0) CG_CHECK(uv_timer_stop(timer) == 0);
}

void cg_logins_open(struct cg_logins *logins, uv_loop_t *uv, struct cg_manage *manage) {
    cg_guesses_init(&logins->guesses, cg_loop_now_us());
    logins->manage = manage;
    logins->notes = (struct cg_allowance){.left = NOTES_BURST, .filled_us = cg_loop_now_us()};
    CG_CHECK(uv_timer_init(uv, &logins->timer) == 0);
    logins->timer.data = logins;
}

int cg_logins_fail(struct cg_logins *logins, const struct cg_addr *from, struct cg_problem *problem) {
    int err = cg_guesses_note(&logins->guesses, from, cg_loop_now_us(), problem);
    if (logins->manage != NULL && !uv_is_active((uv_handle_t *)&logins->timer))
        CG_CHECK(uv_timer_start(&logins->timer, on_timer, 0, TELL_MS) == 0);
    return err;
}

static void on_timer_closed(uv_handle_t *handle) {
    struct cg_logins *logins = handle->data;
    logins->on_closed(logins->ctx);
}

void cg_logins_close(struct cg_logins *logins, void (*on_closed)(void *ctx), void *ctx) {
    logins->on_closed = on_closed;
    logins->ctx = ctx;
    if (logins->manage != NULL) tell(logins);
    uv_close((uv_handle_t *)&logins->timer, on_timer_closed);
}
