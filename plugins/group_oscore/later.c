/* The queue of answers that may be forged. The hard thing: it is full when it matters, and then every rule for who has
 * to go can be played against the one genuine answer: so it is the source with most, of a few that are looked at, and
 * its first or last answer by chance. */
#include "group_oscore/later.h"

#include <utlist.h>

enum { LOOKED_AT = 8 };

static uint32_t throw_dice(struct cg_later *later) {
    later->dice = later->dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(later->dice >> 33);
}

/* In and out */

static void leave_casts(struct cg_later *later, struct cg_forgeries *forgeries) {
    DL_DELETE(later->casts, forgeries);
    later->cast_count--;
}

static void enter_casts(struct cg_later *later, struct cg_forgeries *forgeries) {
    DL_APPEND(later->casts, forgeries);
    later->cast_count++;
}

static void take_out(struct cg_later *later, struct cg_waiting *waiting) {
    struct cg_forgeries *forgeries = waiting->forgeries;
    struct cg_source *source = waiting->source;
    DL_DELETE(source->waiting, waiting);
    source->bytes -= waiting->bytes;
    forgeries->bytes -= waiting->bytes;
    waiting->source = NULL;
    if (source->waiting != NULL) return;
    DL_DELETE(forgeries->turns, source);
    cg_forgeries_drop(forgeries, source);
    if (forgeries->turns == NULL) leave_casts(later, forgeries);
}

static void put_in(struct cg_later *later, struct cg_waiting *waiting, struct cg_source *source) {
    struct cg_forgeries *forgeries = waiting->forgeries;
    if (forgeries->turns == NULL) enter_casts(later, forgeries);
    if (source->waiting == NULL) DL_APPEND(forgeries->turns, source);
    waiting->source = source;
    DL_APPEND(source->waiting, waiting);
    source->bytes += waiting->bytes;
    forgeries->bytes += waiting->bytes;
}

/* Room */

static size_t share_of(const struct cg_later *later, const struct cg_forgeries *forgeries) {
    unsigned casts = later->cast_count + (forgeries->turns == NULL);
    size_t share = CG_LATER_BYTES_GATEWAY / casts;
    return share < CG_LATER_BYTES_CAST ? share : CG_LATER_BYTES_CAST;
}

/* The newcomer's source, or one of those whose turn comes soon, if that has more; of equals one by chance. */
static struct cg_source *greediest(struct cg_later *later, const struct cg_forgeries *forgeries,
                                   struct cg_source *own) {
    struct cg_source *most = own, *source = forgeries->turns;
    for (int i = 0; i < LOOKED_AT && source != NULL; i++, source = source->next) {
        bool equal = source->bytes == most->bytes && throw_dice(later) % 2 == 0;
        if (source->bytes > most->bytes || equal) most = source;
    }
    return most->waiting != NULL ? most : forgeries->turns;
}

static void make_room(struct cg_later *later, struct cg_forgeries *forgeries, struct cg_source *own) {
    struct cg_waiting *first = greediest(later, forgeries, own)->waiting;
    struct cg_waiting *gone = throw_dice(later) % 2 == 0 ? first : first->prev; /* utlist: the last one */
    take_out(later, gone);
    cg_later_displace(later, gone);
}

int cg_later_add(struct cg_later *later, struct cg_waiting *waiting, struct cg_forgeries *forgeries,
                 const struct cg_addr *from, size_t bytes) {
    size_t share = share_of(later, forgeries);
    if (bytes > share || forgeries->later >= CG_LATER_CAST || later->displaced_bytes > CG_LATER_BYTES_CAST)
        return CG_E_ATTEMPTS;
    *waiting = (struct cg_waiting){.forgeries = forgeries, .bytes = bytes};
    while (forgeries->bytes + bytes > share) {
        struct cg_source *own = cg_forgeries_source(forgeries, from);
        if (own == NULL) return CG_E_NO_MEMORY;
        make_room(later, forgeries, own);
    }
    struct cg_source *source = cg_forgeries_source(forgeries, from);
    if (source == NULL) return CG_E_NO_MEMORY;
    put_in(later, waiting, source);
    return CG_OK;
}

/* Turns */

struct cg_waiting *cg_later_take(struct cg_later *later) {
    struct cg_forgeries *forgeries = later->casts;
    if (forgeries == NULL) return NULL;
    leave_casts(later, forgeries); /* to the end, and so does the source */
    enter_casts(later, forgeries);
    struct cg_source *source = forgeries->turns;
    DL_DELETE(forgeries->turns, source);
    DL_APPEND(forgeries->turns, source);
    struct cg_waiting *waiting = source->waiting;
    take_out(later, waiting);
    return waiting;
}

static struct cg_waiting *take_displaced(struct cg_later *later, struct cg_waiting *waiting) {
    DL_DELETE(later->displaced, waiting);
    later->displaced_bytes -= waiting->bytes;
    return waiting;
}

struct cg_waiting *cg_later_take_of(struct cg_later *later, struct cg_forgeries *forgeries) {
    struct cg_waiting *waiting;
    if (forgeries->turns != NULL) {
        waiting = forgeries->turns->waiting;
        take_out(later, waiting);
        return waiting;
    }
    DL_FOREACH(later->displaced, waiting) {
        if (waiting->forgeries == forgeries) return take_displaced(later, waiting);
    }
    return NULL;
}

struct cg_waiting *cg_later_take_displaced(struct cg_later *later) {
    return later->displaced == NULL ? NULL : take_displaced(later, later->displaced);
}

void cg_later_displace(struct cg_later *later, struct cg_waiting *waiting) {
    DL_APPEND(later->displaced, waiting);
    later->displaced_bytes += waiting->bytes;
}
