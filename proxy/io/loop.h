/* The one thread of the gateway: the event loop, the core on it, the sockets that the core sends by. Whoever else opens
 * handles on `uv` (the fronts) closes them before cg_loop_fini. */
#ifndef CG_IO_LOOP_H
#define CG_IO_LOOP_H

#include "io/group_socket.h"

/* `number`: SIGTERM, SIGINT or SIGHUP. Called from the loop; for SIGHUP once a turn, however often it came. */
typedef void (*cg_signal_fn)(void *ctx, int number);

#define CG_LOOP_SIGNALS 3

/* Must not move while it is open: libuv keeps pointers into it. */
struct cg_loop {
    uv_loop_t uv;
    struct cg_gateway *gateway; /* owned */
    struct cg_port port;
    struct cg_group_socket *group; /* owned */
    uv_prepare_t prepare;
    uv_timer_t timer;
    uv_timer_t hangup; /* runs when SIGHUP has come */
    uv_signal_t signals[CG_LOOP_SIGNALS];
    cg_signal_fn on_signal;
    void *on_signal_ctx;
    bool woken;                    /* to be run before the loop sleeps */
    bool running;                  /* inside cg_gateway_run */
    uint64_t due_us;               /* monotonic; UINT64_MAX: nothing is due */
    uint64_t turn_us, turn_cpu_ns; /* when the current turn began: monotonic, and the thread's CPU time */
    uint8_t random[256];
    size_t random_left; /* unused bytes, at the end of random */
};

/* Opens the group sockets, makes the gateway with this snapshot (it takes a reference of its own), catches the three
 * signals and ignores SIGPIPE for the process. On failure nothing is left open and *problem says why. */
int cg_loop_init(struct cg_loop *loop, struct cg_config *config, cg_signal_fn on_signal, void *ctx,
                 struct cg_problem *problem) CG_MUST_CHECK;
/* Runs until every handle on `uv` is closed: cg_loop_close closes those of the loop itself. */
void cg_loop_run(struct cg_loop *loop);
/* From the loop: no datagram, deadline or signal comes any more. Calling it again does nothing. */
void cg_loop_close(struct cg_loop *loop);
/* Closes, if that was not done, and frees the gateway and all it runs. A handle of somebody else's that is still open
 * is a bug. */
void cg_loop_fini(struct cg_loop *loop);

/* Monotonic µs, read from the clock now. */
uint64_t cg_loop_now_us(void);
void cg_loop_random(void *bytes, size_t len); /* from the system, for who needs few; cannot fail */

#endif
