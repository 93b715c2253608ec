/* What is refused, as replies list it. The hard thing: anybody can send refusals without end, so few are kept, and of
 * those that nobody has verified only so much of what they say. */
#include "base/container.h"
#include "rounds/tallying.h"

/* At most CG_DIAGNOSTIC_MAX bytes, without cutting a character. */
static struct cg_slice beginning_of(struct cg_slice text) {
    size_t len = 0, step = 1;
    while (len < text.len && step > 0) {
        step = cg_utf8_sequence(text.data + len, text.len - len);
        if (len + step > CG_DIAGNOSTIC_MAX) break;
        len += step;
    }
    return cg_slice_of(text.data, len);
}

static bool is_plain(const struct cg_opened *opened) {
    struct cg_msg msg = {.options = opened->options};
    struct cg_slice value;
    return opened->verified == CASTGATE_VERIFIED_NONE && !cg_msg_find(&msg, CG_OPT_OSCORE, &value);
}

/* RFC 7252 §5.5.2: the payload of an error without format. */
static struct cg_slice diagnostic_of(const struct cg_opened *opened) {
    struct cg_msg msg = {.options = opened->options};
    struct cg_slice format;
    bool is_text = cg_tallying_is_failure(opened->code) && !cg_msg_find(&msg, CG_OPT_CONTENT_FORMAT, &format);
    return is_text ? beginning_of(opened->payload) : CG_SLICE_NONE;
}

static void keep_words(struct cg_tally *tally, struct cg_refusal *refusal, const struct cg_opened *opened) {
    if (!is_plain(opened)) return;
    refusal->code = opened->code;
    refusal->diagnostic = cg_arena_copy(tally->arena, diagnostic_of(opened));
}

struct listed_refusal {
    struct cg_refusal refusal;
    struct cg_slice hint_of; /* whose answer would make it no news; empty: nobody's */
};

static struct listed_refusal *list_refusal(struct cg_tally *tally, const struct cg_addr *from,
                                           const struct cg_opened *opened, const char *reason) {
    if (tally->rejected++ >= CG_REFUSALS_LISTED || tally->listed >= CG_REFUSALS_KEPT) return NULL;
    tally->listed++;
    struct listed_refusal *listed = cg_arena_zalloc(tally->arena, sizeof *listed);
    if (listed == NULL) return NULL;
    struct cg_refusal *refusal = &listed->refusal;
    refusal->from = *from;
    refusal->kid = cg_arena_copy(tally->arena, opened->kid);
    refusal->gid = cg_arena_copy(tally->arena, opened->gid);
    refusal->reason = reason;
    keep_words(tally, refusal, opened);
    *tally->last_refusal = refusal;
    tally->last_refusal = &refusal->next;
    return listed;
}

void cg_tally_refuse(struct cg_tally *tally, const struct cg_addr *from, const struct cg_opened *opened,
                     const char *reason) {
    list_refusal(tally, from, opened, reason);
}

void cg_tally_refuse_hint(struct cg_tally *tally, const struct cg_addr *from, const struct cg_opened *opened,
                          const char *reason, struct cg_slice identity) {
    struct listed_refusal *listed = list_refusal(tally, from, opened, reason);
    if (listed != NULL) listed->hint_of = cg_arena_copy(tally->arena, identity);
}

void cg_tally_withdraw_hints(struct cg_tally *tally, struct cg_slice identity, uint32_t count) {
    struct cg_refusal **at = &tally->refusals;
    while (*at != NULL) {
        const struct listed_refusal *listed = CG_CONTAINER(*at, const struct listed_refusal, refusal);
        if (listed->hint_of.len > 0 && cg_slice_equal(listed->hint_of, identity)) {
            *at = listed->refusal.next;
        } else {
            at = &(*at)->next;
        }
    }
    tally->last_refusal = at;
    tally->rejected -= count;
}
