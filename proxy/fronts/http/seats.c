/* Seats. The hard thing: whom to send away must be known at once under a flood of newcomers, so every seat that may go
 * stands in two queues by the time it came there: one of all, one of its address. */
#include "fronts/http/seats.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"

enum { KEY_LEN = 9 }; /* family and the part of the address that counts */

struct cg_http_guest {
    uint8_t key[KEY_LEN];
    unsigned seats; /* all of them */
    unsigned taken; /* LEAVING ones left out */
    struct cg_http_seat *queues[CG_HTTP_RANKS_THAT_GO];
    UT_hash_handle hh;
};

static struct cg_http_seat *first_to_go(struct cg_http_seat *const queues[CG_HTTP_RANKS_THAT_GO]) {
    return queues[CG_HTTP_IDLE] != NULL ? queues[CG_HTTP_IDLE] : queues[CG_HTTP_DRAINING];
}

/* ---- Guests ---- */

static void make_key(uint8_t key[KEY_LEN], const struct cg_addr *from) {
    key[0] = from->family;
    memcpy(key + 1, from->ip, KEY_LEN - 1); /* behind an IPv4 address there are zeros */
}

static struct cg_http_guest *find_guest(const struct cg_http_seats *seats, const struct cg_addr *from) {
    uint8_t key[KEY_LEN];
    struct cg_http_guest *guest;
    make_key(key, from);
    HASH_FIND(hh, seats->guests, key, KEY_LEN, guest);
    return guest;
}

static struct cg_http_guest *need_guest(struct cg_http_seats *seats, const struct cg_addr *from) {
    struct cg_http_guest *guest = find_guest(seats, from);
    if (guest != NULL) return guest;
    guest = calloc(1, sizeof *guest);
    if (guest == NULL) return NULL;
    make_key(guest->key, from);
    HASH_ADD(hh, seats->guests, key, KEY_LEN, guest);
    if (CG_HASH_HAS(hh, guest)) return guest;
    free(guest);
    return NULL;
}

static void free_guest(struct cg_http_seats *seats, struct cg_http_guest *guest) {
    HASH_DEL(seats->guests, guest);
    free(guest);
}

/* ---- Seats ---- */

void cg_http_seats_init(struct cg_http_seats *seats, unsigned max, unsigned share) {
    CG_CHECK(max > 0 && share > 0);
    *seats = (struct cg_http_seats){.max = max, .share = share};
}

void cg_http_seats_fini(struct cg_http_seats *seats) { CG_CHECK(seats->taken == 0 && seats->guests == NULL); }

bool cg_http_seats_have_room(const struct cg_http_seats *seats) {
    return seats->taken < seats->max || first_to_go(seats->queues) != NULL;
}

struct cg_http_seat *cg_http_seats_next_to_go(const struct cg_http_seats *seats) {
    return seats->taken < seats->max ? NULL : first_to_go(seats->queues);
}

bool cg_http_seats_admit(const struct cg_http_seats *seats, const struct cg_addr *from, unsigned share,
                         struct cg_http_seat **goes) {
    const struct cg_http_guest *guest = find_guest(seats, from);
    bool has_its_share = guest != NULL && guest->taken >= share;
    *goes = NULL;
    if (!has_its_share && seats->taken < seats->max) return true;
    *goes = first_to_go(has_its_share ? guest->queues : seats->queues);
    return *goes != NULL;
}

static void enter(struct cg_http_seats *seats, struct cg_http_seat *seat) {
    if (seat->rank == CG_HTTP_LEAVING) return;
    seats->taken++;
    seat->guest->taken++;
    if (seat->rank >= CG_HTTP_RANKS_THAT_GO) return;
    DL_APPEND(seats->queues[seat->rank], seat);
    DL_APPEND2(seat->guest->queues[seat->rank], seat, prev_of_guest, next_of_guest);
}

static void leave(struct cg_http_seats *seats, struct cg_http_seat *seat) {
    if (seat->rank == CG_HTTP_LEAVING) return;
    seats->taken--;
    seat->guest->taken--;
    if (seat->rank >= CG_HTTP_RANKS_THAT_GO) return;
    DL_DELETE(seats->queues[seat->rank], seat);
    DL_DELETE2(seat->guest->queues[seat->rank], seat, prev_of_guest, next_of_guest);
}

int cg_http_seat_take(struct cg_http_seats *seats, struct cg_http_seat *seat, const struct cg_addr *from) {
    CG_CHECK(seat->guest == NULL);
    struct cg_http_guest *guest = need_guest(seats, from);
    if (guest == NULL) return CG_E_NO_MEMORY;
    guest->seats++;
    seat->guest = guest;
    seat->rank = CG_HTTP_IDLE;
    enter(seats, seat);
    return CG_OK;
}

void cg_http_seat_set(struct cg_http_seats *seats, struct cg_http_seat *seat, enum cg_http_rank rank) {
    leave(seats, seat);
    seat->rank = rank;
    enter(seats, seat);
}

void cg_http_seat_give_back(struct cg_http_seats *seats, struct cg_http_seat *seat) {
    struct cg_http_guest *guest = seat->guest;
    if (guest == NULL) return;
    leave(seats, seat);
    seat->guest = NULL;
    if (--guest->seats == 0) free_guest(seats, guest);
}
