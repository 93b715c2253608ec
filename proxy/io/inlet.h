/* The way in of one socket that answers come by: everything that waits is taken at once, with the time at which it
 * came; and where answers come one by one quickly they are gathered for a moment (io/gather.h). */
#ifndef CG_IO_INLET_H
#define CG_IO_INLET_H

#include <uv.h>

#include "base/err.h"
#include "exchange/gateway.h"
#include "io/gather.h"

struct cg_inlet;

/* One datagram; everything is borrowed until the function returns. It must not close the inlet. A datagram that the
 * kernel had to cut comes with no bytes at all, so that it counts as malformed and never as a message. */
typedef void (*cg_datagram_fn)(void *ctx, const struct cg_datagram *datagram);

/* Room for what one system call brings: shared by the inlets of one thread. */
struct cg_inlet_room;
struct cg_inlet_room *cg_inlet_room_new(void); /* NULL: out of memory */
void cg_inlet_room_free(struct cg_inlet_room *room);

struct cg_inlet {
    uv_poll_t poll;
    uv_timer_t rest; /* runs while datagrams are gathered; the socket is not watched then */
    struct cg_inlet_room *room;
    cg_datagram_fn on_datagram;
    void *ctx;
    void (*on_closed)(struct cg_inlet *inlet);
    void (*on_error)(void *ctx); /* of the owner, ctx is `errors`: its error queue has something, until it is empty */
    void *errors;
    struct cg_gather gather;
    uint64_t emptied_us; /* monotonic: what is there now came after that */
    uint64_t backlog_us; /* since when it has not been emptied at all; 0: it is empty, as far as is known */
    bool stamps;         /* the kernel tells when each datagram came */
    uint64_t hurried_us; /* nothing is gathered until then */
    unsigned handles;    /* that are open */
    int fd;              /* not owned */
};

/* Listens on a datagram socket that does not block. What cannot be set up leaves nothing open; an errno value, or 0. It
 * must not move. */
int cg_inlet_open(struct cg_inlet *inlet, uv_loop_t *uv, int fd, struct cg_inlet_room *room, cg_datagram_fn on_datagram,
                  void *ctx);
/* No datagram comes after this. `on_closed` is called when `uv` has run the closing callbacks; the descriptor may be
 * closed at once. */
void cg_inlet_close(struct cg_inlet *inlet, void (*on_closed)(struct cg_inlet *inlet));

/* Somebody waits for the very next answers: until then each is taken as it comes. From outside of on_datagram, too. */
void cg_inlet_hurry(struct cg_inlet *inlet, uint64_t until_us);
/* Takes what has been gathered so far; nothing, where the socket is being watched. */
void cg_inlet_catch_up(struct cg_inlet *inlet);

#endif
