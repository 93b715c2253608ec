/* One part of one list a turn of the loop. The hard thing is only that a listing may go at any time, with its client.
 */
#include "io/listing.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"

struct cg_listings {
    uv_idle_t turn;               /* runs while there is something to do */
    struct cg_listing *under_way; /* utlist */
};

static void on_turn(uv_idle_t *turn);

static void take_out(struct cg_listing *listing) {
    struct cg_listings *listings = listing->listings;
    DL_DELETE(listings->under_way, listing);
    listing->listings = NULL;
    if (listings->under_way == NULL) uv_idle_stop(&listings->turn);
}

static void put_last(struct cg_listing *listing) {
    struct cg_listings *listings = listing->listings;
    DL_DELETE(listings->under_way, listing);
    DL_APPEND(listings->under_way, listing);
}

static void on_turn(uv_idle_t *turn) {
    struct cg_listing *listing = CG_CONTAINER(turn, struct cg_listings, turn)->under_way;
    if (cg_links_go_on(listing->links, CG_LISTED_A_TURN)) {
        put_last(listing);
        return;
    }
    take_out(listing);
    listing->done(listing);
}

struct cg_listings *cg_listings_open(uv_loop_t *uv) {
    struct cg_listings *listings = calloc(1, sizeof *listings);
    if (listings != NULL) CG_CHECK(uv_idle_init(uv, &listings->turn) == 0);
    return listings;
}

static void on_closed(uv_handle_t *turn) { free(CG_CONTAINER((uv_idle_t *)turn, struct cg_listings, turn)); }

void cg_listings_close(struct cg_listings *listings) {
    if (listings == NULL) return;
    CG_CHECK(listings->under_way == NULL);
    uv_close((uv_handle_t *)&listings->turn, on_closed);
}

void cg_listings_add(struct cg_listings *listings, struct cg_listing *listing) {
    listing->listings = listings;
    DL_APPEND(listings->under_way, listing);
    CG_CHECK(uv_idle_start(&listings->turn, on_turn) == 0);
}

void cg_listings_drop(struct cg_listing *listing) {
    if (listing->listings == NULL) return;
    take_out(listing);
    cg_links_free(listing->links);
}
