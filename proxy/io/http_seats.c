/* Seats. The hard thing: whom to send away must be known at once under a flood of newcomers, so every seat that may go
 * stands in two queues by the time it came there: one of all, one of its address. */
#include "io/http_seats.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/text.h"

enum { KEY_LEN = 9 }; /* family and the part of the address that counts */

struct cg_http_guest {
    struct cg_http_guest *next; /* in its bucket */
    uint8_t key[KEY_LEN];
    unsigned seats; /* all of them */
    unsigned taken; /* LEAVING ones left out */
    struct cg_http_queue queues[CG_HTTP_RANKS_THAT_GO];
};

/* ---- Queues ---- */

static struct cg_http_link *of_all(struct cg_http_seat *seat) { return &seat->of_all; }

static struct cg_http_link *of_guest(struct cg_http_seat *seat) { return &seat->of_guest; }

typedef struct cg_http_link *link_fn(struct cg_http_seat *seat);

static void append(struct cg_http_queue *queue, struct cg_http_seat *seat, link_fn *link) {
    *link(seat) = (struct cg_http_link){.before = queue->last};
    if (queue->last != NULL) {
        link(queue->last)->after = seat;
    } else {
        queue->first = seat;
    }
    queue->last = seat;
}

static void remove_from(struct cg_http_queue *queue, struct cg_http_seat *seat, link_fn *link) {
    struct cg_http_link at = *link(seat);
    *(at.before != NULL ? &link(at.before)->after : &queue->first) = at.after;
    *(at.after != NULL ? &link(at.after)->before : &queue->last) = at.before;
}

static struct cg_http_seat *first_to_go(const struct cg_http_queue queues[CG_HTTP_RANKS_THAT_GO]) {
    return queues[CG_HTTP_IDLE].first != NULL ? queues[CG_HTTP_IDLE].first : queues[CG_HTTP_DRAINING].first;
}

/* ---- Guests ---- */

static void make_key(uint8_t key[KEY_LEN], const struct cg_addr *from) {
    key[0] = from->family;
    memcpy(key + 1, from->ip, KEY_LEN - 1); /* behind an IPv4 address there are zeros */
}

static struct cg_http_guest **bucket_of(const struct cg_http_seats *seats, const uint8_t key[KEY_LEN]) {
    return &seats->buckets[cg_fnv(CG_FNV_START, key, KEY_LEN) & (seats->bucket_count - 1)];
}

static struct cg_http_guest *find_guest(const struct cg_http_seats *seats, const uint8_t key[KEY_LEN]) {
    struct cg_http_guest *guest = *bucket_of(seats, key);
    while (guest != NULL && memcmp(guest->key, key, KEY_LEN) != 0) guest = guest->next;
    return guest;
}

static struct cg_http_guest *need_guest(struct cg_http_seats *seats, const struct cg_addr *from) {
    uint8_t key[KEY_LEN];
    make_key(key, from);
    struct cg_http_guest *guest = find_guest(seats, key);
    if (guest != NULL) return guest;
    guest = calloc(1, sizeof *guest);
    if (guest == NULL) return NULL;
    memcpy(guest->key, key, KEY_LEN);
    struct cg_http_guest **bucket = bucket_of(seats, key);
    guest->next = *bucket;
    *bucket = guest;
    return guest;
}

static void free_guest(struct cg_http_seats *seats, struct cg_http_guest *guest) {
    struct cg_http_guest **at = bucket_of(seats, guest->key);
    while (*at != guest) at = &(*at)->next;
    *at = guest->next;
    free(guest);
}

/* ---- Seats ---- */

int cg_http_seats_init(struct cg_http_seats *seats, unsigned max, unsigned share) {
    CG_CHECK(max > 0 && share > 0);
    *seats = (struct cg_http_seats){.max = max, .share = share, .bucket_count = 1};
    while (seats->bucket_count < max) seats->bucket_count *= 2;
    seats->buckets = calloc(seats->bucket_count, sizeof *seats->buckets);
    return seats->buckets == NULL ? CG_E_NO_MEMORY : CG_OK;
}

void cg_http_seats_fini(struct cg_http_seats *seats) {
    CG_CHECK(seats->taken == 0);
    free(seats->buckets);
    *seats = (struct cg_http_seats){0};
}

bool cg_http_seats_have_room(const struct cg_http_seats *seats) {
    return seats->taken < seats->max || first_to_go(seats->queues) != NULL;
}

bool cg_http_seats_admit(const struct cg_http_seats *seats, const struct cg_addr *from, struct cg_http_seat **goes) {
    uint8_t key[KEY_LEN];
    make_key(key, from);
    const struct cg_http_guest *guest = find_guest(seats, key);
    bool has_its_share = guest != NULL && guest->taken >= seats->share;
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
    append(&seats->queues[seat->rank], seat, of_all);
    append(&seat->guest->queues[seat->rank], seat, of_guest);
}

static void leave(struct cg_http_seats *seats, struct cg_http_seat *seat) {
    if (seat->rank == CG_HTTP_LEAVING) return;
    seats->taken--;
    seat->guest->taken--;
    if (seat->rank >= CG_HTTP_RANKS_THAT_GO) return;
    remove_from(&seats->queues[seat->rank], seat, of_all);
    remove_from(&seat->guest->queues[seat->rank], seat, of_guest);
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
