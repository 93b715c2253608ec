/* Receiving is the hottest path of the gateway: its arrays are set up once, and only what the kernel changes is set
 * again. The hard thing is when an answer came: it may have waited in the socket, behind ten thousand others or because
 * it was being gathered. The kernel tells, by the clock on the wall, which may be set at any moment; so what it says
 * counts only between the moment at which the socket was last seen empty and now. It costs a tenth of receiving, so it
 * is asked only where something has waited. */
#include "io/inlet.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "io/endpoint.h"

enum {
    BATCH = 64,          /* datagrams a system call */
    BATCHES_A_TURN = 16, /* then the loop turns, so that timers and clients get their share of a flood; */
    TURN_US = 1000,      /* or sooner, where each datagram costs more than its parsing: keys, decryption */
    BACKLOG_US = 10000,  /* what is read so long after waking up did not come just now */
    READINGS = 4,        /* of both clocks, at most, until they are ... */
    APART_US = 50,       /* ... this close */
    BUFFER_SIZE = 65536, /* bytes: no UDP payload is longer, jumbograms aside */
    /* An odd number of cache lines: at a power of two all buffers would begin in the same few lines of every cache. */
    BUFFER_STRIDE = BUFFER_SIZE + 5 * 64,
};

union control {
    char bytes[CMSG_SPACE(sizeof(struct timespec))];
    struct cmsghdr align;
};

struct cg_inlet_room {
    struct mmsghdr headers[BATCH];
    struct iovec slots[BATCH];
    union cg_endpoint senders[BATCH];
    union control controls[BATCH];
    uint8_t buffers[];
};

struct cg_inlet_room *cg_inlet_room_new(void) {
    struct cg_inlet_room *room = malloc(sizeof *room + (size_t)BATCH * BUFFER_STRIDE);
    if (room == NULL) return NULL;
    for (int i = 0; i < BATCH; i++) {
        room->slots[i] = (struct iovec){.iov_base = room->buffers + (size_t)i * BUFFER_STRIDE, .iov_len = BUFFER_SIZE};
        room->headers[i].msg_hdr = (struct msghdr){.msg_name = &room->senders[i],
                                                   .msg_namelen = sizeof room->senders[i],
                                                   .msg_iov = &room->slots[i],
                                                   .msg_iovlen = 1,
                                                   .msg_control = &room->controls[i],
                                                   .msg_controllen = sizeof room->controls[i]};
    }
    return room;
}

void cg_inlet_room_free(struct cg_inlet_room *room) { free(room); }

/* Time */

struct clocks {
    uint64_t now_us;      /* monotonic */
    int64_t wall_lead_us; /* how far the clock on the wall is ahead of it */
};

static int64_t us_of(const struct timespec *time) { return (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000; }

static uint64_t now_us(void) { return uv_hrtime() / 1000; }

/* Between two readings of one clock the other one is read: where the thread was put aside meanwhile, once more. */
static struct clocks read_clocks(void) {
    uint64_t before_us = 0, now = now_us();
    struct timespec wall;
    for (int i = 0; i < READINGS && now - before_us > APART_US; i++) {
        before_us = now_us();
        CG_CHECK(clock_gettime(CLOCK_REALTIME, &wall) == 0);
        now = now_us();
    }
    return (struct clocks){.now_us = now, .wall_lead_us = us_of(&wall) - (int64_t)before_us};
}

/* The kernel goes on noting the times of a socket that has asked for them once. */
static void want_stamps(struct cg_inlet *inlet, bool wanted) {
    const int on = wanted;
    if (inlet->stamps == wanted) return;
    inlet->stamps = setsockopt(inlet->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0 && wanted;
}

static uint64_t arrival_of(const struct msghdr *message, const struct clocks *clocks, uint64_t emptied_us) {
    const struct cmsghdr *header = CMSG_FIRSTHDR(message);
    struct timespec wall;
    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_TIMESTAMPNS)
        return clocks->now_us;
    memcpy(&wall, CMSG_DATA(header), sizeof wall);
    int64_t arrival = us_of(&wall) - clocks->wall_lead_us;
    if (arrival < (int64_t)emptied_us) return emptied_us;
    return arrival > (int64_t)clocks->now_us ? clocks->now_us : (uint64_t)arrival;
}

/* Taking what is there */

static void hand_on(struct cg_inlet *inlet, unsigned count) {
    struct cg_inlet_room *room = inlet->room;
    const struct clocks clocks = read_clocks();
    struct cg_datagram datagram = {.arrival_us = clocks.now_us};
    for (unsigned i = 0; i < count; i++) {
        struct mmsghdr *header = &room->headers[i];
        bool is_cut = header->msg_hdr.msg_flags & MSG_TRUNC;
        cg_endpoint_to_addr(&datagram.from, &room->senders[i]);
        datagram.bytes = cg_slice_of(room->slots[i].iov_base, is_cut ? 0 : header->msg_len);
        if (inlet->stamps) datagram.arrival_us = arrival_of(&header->msg_hdr, &clocks, inlet->emptied_us);
        header->msg_hdr.msg_namelen = sizeof room->senders[i];
        header->msg_hdr.msg_controllen = sizeof room->controls[i];
        inlet->on_datagram(inlet->ctx, &datagram);
    }
}

/* True: the socket was empty at the end. `taken`: datagrams. */
static bool drain(struct cg_inlet *inlet, unsigned *taken) {
    uint64_t begin_us = now_us(), at_us = begin_us;
    if (inlet->backlog_us == 0) inlet->backlog_us = begin_us;
    *taken = 0;
    for (int i = 0; i == 0 || (i < BATCHES_A_TURN && at_us - begin_us < TURN_US); i++) {
        int count = recvmmsg(inlet->fd, inlet->room->headers, BATCH, MSG_DONTWAIT, NULL);
        if (count > 0) {
            hand_on(inlet, (unsigned)count);
            *taken += (unsigned)count;
        }
        bool is_empty = (count >= 0 && count < BATCH) || (count < 0 && errno == EAGAIN);
        if (is_empty) {
            inlet->emptied_us = at_us;
            inlet->backlog_us = 0;
            return true;
        }
        at_us = now_us();
        /* Any other error belongs to one datagram or to the past: what is queued behind it is still wanted. */
    }
    return false;
}

/* Watching and resting */

static void on_readable(uv_poll_t *poll, int status, int events);
static void on_rested(uv_timer_t *timer);

static void watch(struct cg_inlet *inlet) {
    want_stamps(inlet, inlet->backlog_us != 0 && now_us() - inlet->backlog_us > BACKLOG_US);
    if (uv_is_active((uv_handle_t *)&inlet->poll)) return;
    uv_timer_stop(&inlet->rest);
    CG_CHECK(uv_poll_start(&inlet->poll, UV_READABLE, on_readable) == 0);
}

static void rest(struct cg_inlet *inlet) {
    if (uv_is_active((uv_handle_t *)&inlet->rest)) return;
    want_stamps(inlet, true);
    uv_poll_stop(&inlet->poll);
    CG_CHECK(uv_timer_start(&inlet->rest, on_rested, CG_GATHER_REST_US / 1000, CG_GATHER_REST_US / 1000) == 0);
}

static void look(struct cg_inlet *inlet) {
    unsigned taken;
    bool is_empty = drain(inlet, &taken);
    bool is_hurried = inlet->hurried_us > inlet->emptied_us;
    if (!is_empty || is_hurried) {
        inlet->gather = (struct cg_gather){0};
        watch(inlet);
    } else if (cg_gather_rests(&inlet->gather, taken, inlet->emptied_us)) {
        rest(inlet);
    } else {
        watch(inlet);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    struct cg_inlet *inlet = poll->data;
    (void)events;
    /* What is pending on the socket is reported, and cleared, by recvmmsg; what is queued, by its owner. */
    if (status < 0 && inlet->on_error != NULL) inlet->on_error(inlet->errors);
    look(inlet);
}

static void on_rested(uv_timer_t *timer) { look(timer->data); }

void cg_inlet_hurry(struct cg_inlet *inlet, uint64_t until_us) {
    if (until_us > inlet->hurried_us) inlet->hurried_us = until_us;
    if (inlet->gather.rests) watch(inlet);
}

void cg_inlet_catch_up(struct cg_inlet *inlet) {
    if (uv_is_active((uv_handle_t *)&inlet->rest)) look(inlet);
}

/* Opening and closing */

int cg_inlet_open(struct cg_inlet *inlet, uv_loop_t *uv, int fd, struct cg_inlet_room *room, cg_datagram_fn on_datagram,
                  void *ctx) {
    int status = uv_poll_init(uv, &inlet->poll, fd);
    if (status < 0) return -status;
    CG_CHECK(uv_timer_init(uv, &inlet->rest) == 0);
    inlet->poll.data = inlet->rest.data = inlet;
    inlet->fd = fd;
    inlet->room = room;
    inlet->on_datagram = on_datagram;
    inlet->on_error = NULL;
    inlet->ctx = ctx;
    inlet->emptied_us = now_us();
    want_stamps(inlet, true); /* watching takes it back */
    watch(inlet);
    return 0;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct cg_inlet *inlet = handle->data;
    if (--inlet->handles == 0) inlet->on_closed(inlet);
}

void cg_inlet_close(struct cg_inlet *inlet, void (*on_closed)(struct cg_inlet *inlet)) {
    inlet->on_closed = on_closed;
    inlet->handles = 2;
    uv_close((uv_handle_t *)&inlet->poll, on_handle_closed);
    uv_close((uv_handle_t *)&inlet->rest, on_handle_closed);
}
