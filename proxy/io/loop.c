/* Turns the core's "call me when" into libuv. The hard thing is that nothing that was posted may wait for the next
 * stroke of the network: the core runs right before the loop goes to sleep, and a wake that comes later than that keeps
 * the loop from sleeping (a timer of zero). */
#include "io/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>

#include "base/check.h"
#include "io/reserve.h"
#include "legs/signs.h"

enum {
    TURN_MIN_US = 100,
    FDS_EACH = 4, /* an exchange: its connection, another that is idle, and either twice while it lingers */
    OTHER_FDS = 1024,
};

static const int caught[CG_LOOP_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

uint64_t cg_loop_now_us(void) { return uv_hrtime() / 1000; }

/* Deadlines */

/* The loop's own clock is what the timer is compared with; it may lag, so the timer never fires before the deadline. */
static uint64_t ms_until(const struct cg_loop *loop, uint64_t due_us) {
    uint64_t due_ms = due_us / 1000 + (due_us % 1000 != 0), now_ms = uv_now(&loop->uv);
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

static void on_timer(uv_timer_t *timer) {
    struct cg_loop *loop = timer->data;
    loop->woken = true;
}

static void arm_timer(struct cg_loop *loop) {
    if (uv_is_closing((uv_handle_t *)&loop->timer)) return;
    int status = 0;
    if (loop->due_us == UINT64_MAX) {
        uv_timer_stop(&loop->timer);
    } else {
        status = uv_timer_start(&loop->timer, on_timer, ms_until(loop, loop->due_us), 0);
    }
    CG_CHECK(status == 0);
}

static uint64_t thread_cpu_ns(void) {
    struct timespec now;
    CG_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A turn is what happens from one sleep to the next. Reading the thread's CPU time is a system call, as dear as handing
 * on an answer, so turns that follow each other closely are taken as one. */
static void note_turn(struct cg_loop *loop, uint64_t now_us) {
    if (now_us - loop->turn_us < TURN_MIN_US) return;
    uint64_t cpu_ns = thread_cpu_ns();
    if (loop->turn_us != 0) cg_gateway_note_turn(loop->gateway, cpu_ns - loop->turn_cpu_ns);
    loop->turn_us = now_us;
    loop->turn_cpu_ns = cpu_ns;
}

static void on_prepare(uv_prepare_t *prepare) {
    struct cg_loop *loop = prepare->data;
    uint64_t now_us = cg_loop_now_us();
    note_turn(loop, now_us);
    if (!loop->woken && now_us < loop->due_us) return;
    /* An answer that came in time is no later for having been gathered. */
    if (now_us >= loop->due_us && loop->group != NULL) cg_group_socket_catch_up(loop->group);
    loop->running = true;
    loop->due_us = cg_gateway_run(loop->gateway, now_us);
    loop->running = loop->woken = false;
    arm_timer(loop);
}

/* The port */

static void on_wake(void *ctx) {
    struct cg_loop *loop = ctx;
    if (loop->running) return; /* cg_gateway_run does what is posted meanwhile, and returns the deadline */
    if (loop->woken || uv_is_closing((uv_handle_t *)&loop->timer)) return;
    loop->woken = true;
    CG_CHECK(uv_timer_start(&loop->timer, on_timer, 0, 0) == 0);
}

static int on_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    struct cg_loop *loop = ctx;
    if (loop->group == NULL) return cg_problem_set(problem, CG_E_EMIT, "the gateway is stopping");
    return cg_group_socket_emit(loop->group, route, datagram, problem);
}

static uint64_t on_kernel_drops(void *ctx) {
    struct cg_loop *loop = ctx;
    return loop->group == NULL ? 0 : cg_group_socket_kernel_drops(loop->group);
}

static uint32_t on_zone(void *ctx, const char *interface) {
    struct cg_loop *loop = ctx;
    return loop->group == NULL ? 0 : cg_group_socket_zone(loop->group, interface);
}

static bool on_link(void *ctx, const char *interface, const struct cg_addr *addr) {
    struct cg_loop *loop = ctx;
    return loop->group != NULL && cg_group_socket_on_link(loop->group, interface, addr);
}

static bool is_own(void *ctx, const struct cg_addr *addr) {
    struct cg_loop *loop = ctx;
    return loop->group != NULL && cg_group_socket_is_own(loop->group, addr);
}

static void on_hurry(void *ctx, uint64_t until_us) {
    struct cg_loop *loop = ctx;
    if (loop->group != NULL) cg_group_socket_hurry(loop->group, until_us);
}

void cg_loop_random(void *bytes, size_t len) {
    uint8_t *to = bytes;
    while (len > 0) {
        ssize_t got = getrandom(to, len, 0);
        CG_CHECK(got >= 0 || errno == EINTR);
        if (got > 0) to += got, len -= (size_t)got;
    }
}

/* Few bytes are wanted, often: tokens and message IDs. */
static void on_random(void *ctx, void *to, size_t len) {
    struct cg_loop *loop = ctx;
    if (len > sizeof loop->random) {
        cg_loop_random(to, len);
        return;
    }
    if (len > loop->random_left) {
        cg_loop_random(loop->random, sizeof loop->random);
        loop->random_left = sizeof loop->random;
    }
    uint8_t *from = loop->random + sizeof loop->random - loop->random_left;
    memcpy(to, from, len);
    explicit_bzero(from, len); /* what was handed out is nowhere to be read again */
    loop->random_left -= len;
}

static void on_unreachable(void *ctx, const struct cg_addr *addr, enum cg_sign sign) {
    struct cg_loop *loop = ctx;
    cg_engine_sign(cg_gateway_engine(loop->gateway), addr, sign);
}

static void on_datagram(void *ctx, const struct cg_datagram *datagram) {
    const struct cg_loop *loop = ctx;
    cg_gateway_receive(loop->gateway, datagram);
}

/* Opening and closing */

static void on_hangup(uv_timer_t *timer) {
    struct cg_loop *loop = timer->data;
    loop->on_signal(loop->on_signal_ctx, SIGHUP);
}

/* A reload takes longer than a signal to come again, so those of one turn are one, and the others have their turns. */
static void on_uv_signal(uv_signal_t *handle, int number) {
    struct cg_loop *loop = handle->data;
    if (number != SIGHUP) {
        loop->on_signal(loop->on_signal_ctx, number);
    } else if (!uv_is_closing((uv_handle_t *)&loop->hangup)) {
        CG_CHECK(uv_timer_start(&loop->hangup, on_hangup, 0, 0) == 0);
    }
}

static void start_handles(struct cg_loop *loop) {
    CG_CHECK(uv_prepare_init(&loop->uv, &loop->prepare) == 0);
    CG_CHECK(uv_timer_init(&loop->uv, &loop->timer) == 0);
    CG_CHECK(uv_timer_init(&loop->uv, &loop->hangup) == 0);
    loop->prepare.data = loop->timer.data = loop->hangup.data = loop;
    CG_CHECK(uv_prepare_start(&loop->prepare, on_prepare) == 0);
}

static int catch_signals(struct cg_loop *loop, struct cg_problem *problem) {
    int status = 0;
    signal(SIGPIPE, SIG_IGN); /* a client that left is an error of write, no signal */
    for (int i = 0; i < CG_LOOP_SIGNALS; i++) {
        CG_CHECK(uv_signal_init(&loop->uv, &loop->signals[i]) == 0);
        loop->signals[i].data = loop;
        if (status == 0) status = uv_signal_start(&loop->signals[i], on_uv_signal, caught[i]);
    }
    if (status == 0) return CG_OK;
    return cg_problem_set(problem, CG_E_INTERNAL, "signals cannot be caught: %s", uv_strerror(status));
}

static int open_all(struct cg_loop *loop, struct cg_config *config, struct cg_problem *problem) {
    int err = cg_reserve_descriptors(&loop->uv, FDS_EACH * (uint64_t)config->limits.exchanges + OTHER_FDS);
    if (err != CG_OK) return cg_problem_set(problem, err, "no memory for the loop");
    err = catch_signals(loop, problem);
    if (err != CG_OK) return err;
    loop->group = cg_group_socket_open(&loop->uv, &config->group, on_datagram, loop, problem);
    if (loop->group != NULL) cg_group_socket_on_unreachable(loop->group, on_unreachable);
    if (loop->group == NULL) return CG_E_EMIT;
    loop->gateway = cg_gateway_new(config, &loop->port);
    if (loop->gateway == NULL) return cg_problem_set(problem, CG_E_NO_MEMORY, "no memory for the gateway");
    loop->woken = true; /* a first run, to learn the first deadline */
    return CG_OK;
}

int cg_loop_init(struct cg_loop *loop, struct cg_config *config, cg_signal_fn on_signal, void *ctx,
                 struct cg_problem *problem) {
    *loop = (struct cg_loop){.on_signal = on_signal, .on_signal_ctx = ctx, .due_us = UINT64_MAX};
    loop->port = (struct cg_port){.ctx = loop,
                                  .emit = on_emit,
                                  .random = on_random,
                                  .kernel_drops = on_kernel_drops,
                                  .zone = on_zone,
                                  .on_link = on_link,
                                  .is_own = is_own,
                                  .hurry = on_hurry,
                                  .wake = on_wake};
    int status = uv_loop_init(&loop->uv);
    if (status != 0) return cg_problem_set(problem, CG_E_INTERNAL, "no event loop: %s", uv_strerror(status));
    start_handles(loop);
    int err = open_all(loop, config, problem);
    if (err != CG_OK) cg_loop_fini(loop);
    return err;
}

/* Of all that is done before the loop sleeps, what is started last comes first: so the fronts have the core's replies
 * in the same turn. */
static void be_the_first(struct cg_loop *loop) {
    if (uv_is_closing((uv_handle_t *)&loop->prepare)) return;
    uv_prepare_stop(&loop->prepare);
    CG_CHECK(uv_prepare_start(&loop->prepare, on_prepare) == 0);
}

void cg_loop_run(struct cg_loop *loop) {
    be_the_first(loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void cg_loop_close(struct cg_loop *loop) {
    if (uv_is_closing((uv_handle_t *)&loop->timer)) return;
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->hangup, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    for (int i = 0; i < CG_LOOP_SIGNALS; i++) uv_close((uv_handle_t *)&loop->signals[i], NULL);
    cg_group_socket_close(loop->group);
    loop->group = NULL;
}

void cg_loop_fini(struct cg_loop *loop) {
    cg_loop_close(loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    CG_CHECK(uv_loop_close(&loop->uv) == 0);
    if (loop->gateway != NULL) cg_gateway_free(loop->gateway);
    loop->gateway = NULL;
}
