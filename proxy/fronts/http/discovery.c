/* One part of one list a turn of the loop. The hard thing is only that a listing may go at any time, with its client.
 */
#include "fronts/http/discovery.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"

struct cg_discovery {
    uv_idle_t turn; /* runs while there is something to do */
    struct cg_listing *listings;
};

static void on_turn(uv_idle_t *turn);

static void take_out(struct cg_listing *listing) {
    struct cg_discovery *discovery = listing->discovery;
    DL_DELETE(discovery->listings, listing);
    listing->discovery = NULL;
    if (discovery->listings == NULL) uv_idle_stop(&discovery->turn);
}

static void put_last(struct cg_listing *listing) {
    struct cg_discovery *discovery = listing->discovery;
    DL_DELETE(discovery->listings, listing);
    DL_APPEND(discovery->listings, listing);
}

static void on_turn(uv_idle_t *turn) {
    struct cg_listing *listing = CG_CONTAINER(turn, struct cg_discovery, turn)->listings;
    if (cg_links_go_on(listing->links, CG_DISCOVERY_A_TURN)) {
        put_last(listing);
        return;
    }
    take_out(listing);
    listing->done(listing);
}

struct cg_discovery *cg_discovery_open(uv_loop_t *uv) {
    struct cg_discovery *discovery = calloc(1, sizeof *discovery);
    if (discovery != NULL) CG_CHECK(uv_idle_init(uv, &discovery->turn) == 0);
    return discovery;
}

static void on_closed(uv_handle_t *turn) { free(CG_CONTAINER((uv_idle_t *)turn, struct cg_discovery, turn)); }

void cg_discovery_close(struct cg_discovery *discovery) {
    if (discovery == NULL) return;
    CG_CHECK(discovery->listings == NULL);
    uv_close((uv_handle_t *)&discovery->turn, on_closed);
}

void cg_discovery_add(struct cg_discovery *discovery, struct cg_listing *listing) {
    listing->discovery = discovery;
    DL_APPEND(discovery->listings, listing);
    CG_CHECK(uv_idle_start(&discovery->turn, on_turn) == 0);
}

void cg_discovery_drop(struct cg_listing *listing) {
    if (listing->discovery == NULL) return;
    take_out(listing);
    cg_links_free(listing->links);
}
