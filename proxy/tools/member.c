/* castgate-member: simulated members of a CoAP group, many in one process, for demonstrations and tests. This file owns
 * the process: its sockets, its clock and the loop; what the members say is decided in member/fleet.c. The hard thing:
 * a group request makes thousands of answers at once, so nothing here may cost more than the one system call that sends
 * each. */
#include "tools/member/alert.h"
#include "tools/member/fleet.h"
#include "tools/member/net.h"
#include "tools/member/numbers.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
    RECEIVE_ROOM = 65536,
    TURN_MAX = 64, /* datagrams from one socket before the others have their turn */
    EVENTS_MAX = 256,
    SPARE_DESCRIPTORS = 16,
};

/* What an epoll event is about: the signal, a group, or a member. */
#define EVENT_SIGNAL UINT64_C(0)
#define EVENT_GROUP  (UINT64_C(1) << 32)
#define EVENT_MEMBER (UINT64_C(2) << 32)

struct app {
    struct cg_member_options options;
    struct cg_shield *shield; /* NULL: plain members */
    struct cg_fleet *fleet;
    int *sockets;           /* of the members */
    char numbers[PATH_MAX]; /* the file's name, where none was said */
    int groups[CG_MEMBER_GROUPS_MAX];
    int epoll;
    int signals;
    bool stopping;
    uint8_t datagram[RECEIVE_ROOM];
};

static int complain(const char *what, const char *why) {
    (void)fprintf(stderr, "castgate-member: %s: %s\n", what, why);
    return -1;
}

static uint64_t now_us(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with these arguments */
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void on_send(void *ctx, uint32_t member, const struct cg_addr *to, struct cg_slice datagram) {
    struct app *app = ctx;
    union cg_net_addr peer;
    socklen_t len = cg_net_from_addr(&peer, to);
    (void)sendto(app->sockets[member], datagram.data, datagram.len, 0, &peer.any, len); /* a network may lose it */
}

/* --- opening --- */

static int watch(struct app *app, int fd, uint64_t about) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = about};
    return epoll_ctl(app->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int open_members(struct app *app) {
    unsigned interface = if_nametoindex(app->options.interface);
    for (uint32_t i = 0; i < app->options.count; i++) {
        struct cg_addr addr = cg_member_address(&app->options, i);
        if (cg_addr_is_link_local(&addr)) addr.scope = interface;
        char text[CG_ADDR_TEXT_MAX];
        (void)cg_addr_emit(&addr, text);
        app->sockets[i] = cg_net_open_own(&addr);
        if (app->sockets[i] < 0 || watch(app, app->sockets[i], EVENT_MEMBER | i) != 0)
            return complain(text, strerror(errno));
    }
    return 0;
}

static int open_groups(struct app *app) {
    unsigned interface = if_nametoindex(app->options.interface);
    if (interface == 0) return complain(app->options.interface, "there is no such interface");
    for (size_t i = 0; i < app->options.groups_len; i++) {
        char text[CG_ADDR_TEXT_MAX];
        (void)cg_addr_emit(&app->options.groups[i], text);
        app->groups[i] = cg_net_open_group(&app->options.groups[i], interface);
        if (app->groups[i] < 0 || watch(app, app->groups[i], EVENT_GROUP | i) != 0)
            return complain(text, strerror(errno));
    }
    return 0;
}

static int open_signals(struct app *app) {
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    if (app->shield != NULL) (void)sigaddset(&set, SIGHUP); /* there are keys to be read again */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return complain("signals", strerror(errno));
    app->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (app->signals < 0 || watch(app, app->signals, EVENT_SIGNAL) != 0) return complain("signals", strerror(errno));
    return 0;
}

static int open_all(struct app *app) {
    uint64_t wanted = (uint64_t)app->options.count + app->options.groups_len + SPARE_DESCRIPTORS, limit;
    if (!cg_net_allow_descriptors(wanted, &limit)) {
        (void)fprintf(
            stderr,
            "castgate-member: %u members need %llu open files, the hard limit is %llu; raise it (ulimit -Hn as "
            "root, LimitNOFILE=) or lower --count\n",
            (unsigned)app->options.count, (unsigned long long)wanted, (unsigned long long)limit);
        return -1;
    }
    app->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (app->epoll < 0) return complain("epoll", strerror(errno));
    if (open_signals(app) != 0 || open_members(app) != 0) return -1;
    return open_groups(app);
}

/* --- running --- */

static void drain(struct app *app, int fd, uint64_t about) {
    for (int turn = 0; turn < TURN_MAX; turn++) {
        union cg_net_addr peer;
        socklen_t len = sizeof peer;
        ssize_t got = recvfrom(fd, app->datagram, sizeof app->datagram, 0, &peer.any, &len);
        if (got < 0) {
            if (errno == EAGAIN || errno == EINTR) return;
            continue; /* an earlier answer that could not be delivered; says nothing about what comes next */
        }
        struct cg_addr from;
        cg_net_to_addr(&from, &peer);
        struct cg_slice datagram = cg_slice_of(app->datagram, (size_t)got);
        uint32_t index = (uint32_t)about;
        if (about & EVENT_GROUP)
            cg_fleet_receive_group(app->fleet, index, &from, datagram, now_us());
        else
            cg_fleet_receive(app->fleet, index, &from, datagram, now_us());
    }
}

static void reload(struct app *app) {
    char error[CG_MEMBER_ERROR_MAX];
    if (cg_shield_reload(app->shield, error, sizeof error) == CG_OK)
        (void)fprintf(stderr, "castgate-member: the keys were read again\n");
    else
        (void)complain("the keys stay as they are", error);
}

static void on_signal(struct app *app) {
    struct signalfd_siginfo info;
    if (read(app->signals, &info, sizeof info) != (ssize_t)sizeof info) return;
    if (info.ssi_signo == SIGHUP)
        reload(app);
    else
        app->stopping = true;
}

static void on_event(struct app *app, uint64_t about) {
    if (about == EVENT_SIGNAL)
        on_signal(app);
    else if (about & EVENT_GROUP)
        drain(app, app->groups[(uint32_t)about], about);
    else
        drain(app, app->sockets[(uint32_t)about], about);
}

/* Milliseconds for epoll_wait, rounded up so that it does not wake before the time. */
static int wait_ms(uint64_t next_us) {
    if (next_us == UINT64_MAX) return -1;
    uint64_t now = now_us();
    if (next_us <= now) return 0;
    uint64_t ms = (next_us - now + 999) / 1000;
    return ms > 60000 ? 60000 : (int)ms;
}

static void run(struct app *app) {
    while (!app->stopping) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(app->epoll, events, EVENTS_MAX, wait_ms(cg_fleet_run(app->fleet, now_us())));
        for (int i = 0; i < count; i++) on_event(app, events[i].data.u64);
    }
}

static void report(const struct app *app) {
    struct cg_fleet_counts counts = cg_fleet_counts(app->fleet);
    (void)fprintf(stderr, "castgate-member: received %llu, requests %llu, sent %llu, lost %llu, overloaded %llu\n",
                  (unsigned long long)counts.received, (unsigned long long)counts.requests,
                  (unsigned long long)counts.sent, (unsigned long long)counts.lost,
                  (unsigned long long)counts.overloaded);
}

/* Where the file says that its member is, unless the command line does. */
static void take_address(struct app *app) {
    struct cg_addr address = cg_shield_address(app->shield);
    if (!app->options.has_bind && address.family == app->options.bind.family) app->options.bind = address;
}

static int load_keys(struct app *app) {
    const struct cg_member_options *options = &app->options;
    struct cg_shield_options shield = {.keys = options->keys,
                                       .may_be_shared = options->may_be_shared,
                                       .numbers = options->numbers,
                                       .count = options->count,
                                       .mode = options->pairwise ? CG_SHIELD_PAIRWISE : CG_SHIELD_GROUP,
                                       .lie = CG_SHIELD_HONEST,
                                       .lost = options->window_lost};
    char error[CG_MEMBER_ERROR_MAX];
    if (options->misbehave == CG_MISBEHAVE_STRANGER) shield.lie = CG_SHIELD_STRANGER;
    if (options->misbehave == CG_MISBEHAVE_IMPOSTOR) shield.lie = CG_SHIELD_IMPOSTOR;
    if (options->misbehave == CG_MISBEHAVE_REPEAT_PIV) shield.lie = CG_SHIELD_TWIN;
    if (shield.numbers == NULL) {
        if (!cg_numbers_name(app->numbers, sizeof app->numbers, options->keys))
            return complain("--keys", strerror(ENAMETOOLONG));
        shield.numbers = app->numbers;
    }
    app->shield = cg_shield_load(&shield, error, sizeof error);
    if (app->shield == NULL) return complain("--keys", error);
    take_address(app);
    return 0;
}

static int start(struct app *app) {
    uint64_t seed = app->options.seed;
    if (!app->options.has_seed && getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return complain("getrandom", strerror(errno));
    static struct cg_fleet_port port;
    port = (struct cg_fleet_port){.ctx = app, .send = on_send};
    if (app->options.keys != NULL && load_keys(app) != 0) return -1;
    app->sockets = calloc(app->options.count, sizeof *app->sockets);
    app->fleet = cg_fleet_new(&app->options, seed, app->shield, &port);
    if (app->sockets == NULL || app->fleet == NULL) return complain("start", strerror(ENOMEM));
    return open_all(app);
}

int main(int argc, char *argv[]) {
    static struct app app; /* the kernel closes its descriptors at the end */
    char error[CG_MEMBER_ERROR_MAX];
    if (cg_member_options_parse(&app.options, argc, (const char *const *)argv, error) != CG_OK) {
        (void)complain(error, "nothing was started");
        return 2;
    }
    if (app.options.help) return fputs(cg_member_usage, stdout) < 0 || fflush(stdout) != 0;
    if (app.options.alert != NULL) return cg_member_alert(&app.options);
    int status = 1;
    if (start(&app) == 0 && printf("ready %u\n", (unsigned)app.options.count) > 0 && fflush(stdout) == 0) {
        run(&app);
        report(&app);
        status = 0;
    }
    cg_fleet_free(app.fleet);
    cg_shield_free(app.shield);
    free(app.sockets);
    return status;
}
