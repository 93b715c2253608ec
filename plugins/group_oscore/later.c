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

static struct cg_source **turns_of(struct cg_forgeries *forgeries, bool home) {
    return home ? &forgeries->home_turns : &forgeries->turns;
}

static bool has_waiting(const struct cg_forgeries *forgeries) {
    return forgeries->turns != NULL || forgeries->home_turns != NULL;
}

static void take_out(struct cg_later *later, struct cg_waiting *waiting) {
    struct cg_forgeries *forgeries = waiting->forgeries;
    struct cg_source *source = waiting->source, **turns = turns_of(forgeries, source->home);
    DL_DELETE(source->waiting, waiting);
    source->bytes -= waiting->bytes;
    forgeries->bytes -= waiting->bytes;
    if (source->home) forgeries->home_bytes -= waiting->bytes;
    waiting->source = NULL;
    if (source->waiting != NULL) return;
    DL_DELETE(*turns, source);
    cg_forgeries_drop(forgeries, source);
    if (!has_waiting(forgeries)) leave_casts(later, forgeries);
}

static void put_in(struct cg_later *later, struct cg_waiting *waiting, struct cg_source *source) {
    struct cg_forgeries *forgeries = waiting->forgeries;
    struct cg_source **turns = turns_of(forgeries, source->home);
    if (!has_waiting(forgeries)) enter_casts(later, forgeries);
    if (source->waiting == NULL) DL_APPEND(*turns, source);
    waiting->source = source;
    DL_APPEND(source->waiting, waiting);
    source->bytes += waiting->bytes;
    forgeries->bytes += waiting->bytes;
    if (source->home) forgeries->home_bytes += waiting->bytes;
}

/* Room */

static size_t share_of(const struct cg_later *later, const struct cg_forgeries *forgeries) {
    unsigned casts = later->cast_count + !has_waiting(forgeries);
    size_t share = CG_LATER_BYTES_GATEWAY / casts;
    return share < CG_LATER_BYTES_CAST ? share : CG_LATER_BYTES_CAST;
}

/* `own`, or one of those whose turn comes soon, if that has more; of equals one by chance. */
static struct cg_source *greediest(struct cg_later *later, struct cg_source *turns, struct cg_source *own) {
    struct cg_source *most = own, *source = turns;
    for (int i = 0; i < LOOKED_AT && source != NULL; i++, source = source->next) {
        bool equal = source->bytes == most->bytes && throw_dice(later) % 2 == 0;
        if (source->bytes > most->bytes || equal) most = source;
    }
    return most->waiting != NULL ? most : turns;
}

/* Homes make room where they have more than half of it, or where there is nobody else. */
static void make_room(struct cg_later *later, struct cg_forgeries *forgeries, struct cg_source *own, bool homes_full) {
    bool of_homes = homes_full || forgeries->turns == NULL;
    struct cg_source *turns = *turns_of(forgeries, of_homes);
    struct cg_waiting *first = greediest(later, turns, own->home == of_homes ? own : turns)->waiting;
    struct cg_waiting *gone = throw_dice(later) % 2 == 0 ? first : first->prev; /* utlist: the last one */
    take_out(later, gone);
    cg_later_displace(later, gone);
}

/* So much is to be refused already; homes are not kept out by what strangers displace. */
static bool is_choked(const struct cg_later *later, bool at_home) {
    return later->displaced_bytes > (at_home ? 2 * CG_LATER_BYTES_CAST : CG_LATER_BYTES_CAST);
}

int cg_later_add(struct cg_later *later, struct cg_waiting *waiting, struct cg_forgeries *forgeries,
                 const struct cg_whence *whence, size_t bytes, uint64_t now_us) {
    const bool home = whence->at_home;
    size_t share = share_of(later, forgeries), homes_share = share / 2;
    if (bytes > (home ? homes_share : share) || is_choked(later, home)) return CG_E_ATTEMPTS;
    if (!home && !cg_later_allow(forgeries, false, now_us)) return CG_E_ATTEMPTS;
    *waiting = (struct cg_waiting){.forgeries = forgeries, .bytes = bytes, .owner = whence->owner};
    for (;;) {
        bool homes_full = home && forgeries->home_bytes + bytes > homes_share;
        struct cg_source *source = cg_forgeries_source(forgeries, &whence->from, home);
        if (source == NULL) return CG_E_NO_MEMORY;
        if (homes_full || forgeries->bytes + bytes > share) {
            make_room(later, forgeries, source, homes_full);
        } else {
            put_in(later, waiting, source);
            return CG_OK;
        }
    }
}

/* Verifications */

static bool has_common(const struct cg_forgeries *forgeries, uint64_t now_us) {
    return cg_failures_now(&forgeries->later, CG_LATER_RATE, now_us).left >= 1 - CG_LATER_CAST;
}

bool cg_later_allow(const struct cg_forgeries *forgeries, bool at_home, uint64_t now_us) {
    if (has_common(forgeries, now_us)) return true;
    return at_home && cg_failures_now(&forgeries->home_later, CG_LATER_HOME_RATE, now_us).left >= 1 - CG_LATER_HOME;
}

static void charge(struct cg_allowance *allowance, unsigned per_second, uint64_t now_us) {
    *allowance = cg_failures_now(allowance, per_second, now_us);
    allowance->left -= 1;
}

void cg_later_begin(struct cg_forgeries *forgeries, bool at_home, uint64_t now_us) {
    if (at_home && !has_common(forgeries, now_us)) {
        charge(&forgeries->home_later, CG_LATER_HOME_RATE, now_us);
    } else {
        charge(&forgeries->later, CG_LATER_RATE, now_us);
    }
}

/* Turns */

struct cg_waiting *cg_later_take(struct cg_later *later) {
    struct cg_forgeries *forgeries = later->casts;
    if (forgeries == NULL) return NULL;
    leave_casts(later, forgeries); /* to the end, and so does the source */
    enter_casts(later, forgeries);
    struct cg_source **turns = turns_of(forgeries, forgeries->home_turns != NULL), *source = *turns;
    DL_DELETE(*turns, source);
    DL_APPEND(*turns, source);
    struct cg_waiting *waiting = source->waiting;
    take_out(later, waiting);
    return waiting;
}

static struct cg_waiting *take_displaced(struct cg_later *later, struct cg_waiting *waiting) {
    DL_DELETE(later->displaced, waiting);
    later->displaced_bytes -= waiting->bytes;
    return waiting;
}

static struct cg_waiting *find_waiting(struct cg_source *turns, const void *owner) {
    struct cg_source *source;
    struct cg_waiting *waiting;
    DL_FOREACH(turns, source) {
        DL_FOREACH(source->waiting, waiting) {
            if (waiting->owner == owner) return waiting;
        }
    }
    return NULL;
}

struct cg_waiting *cg_later_take_of(struct cg_later *later, struct cg_forgeries *forgeries, const void *owner) {
    struct cg_waiting *waiting = find_waiting(forgeries->home_turns, owner);
    if (waiting == NULL) waiting = find_waiting(forgeries->turns, owner);
    if (waiting != NULL) {
        take_out(later, waiting);
        return waiting;
    }
    DL_FOREACH(later->displaced, waiting) {
        if (waiting->forgeries == forgeries && waiting->owner == owner) return take_displaced(later, waiting);
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
