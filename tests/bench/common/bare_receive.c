/* Why: a figure of the gateway means something only beside what the machine can do at that moment. */
#include "common/bare_receive.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "io/gather.h"

void bench_grow_buffer(int fd) {
    int size = BENCH_RECEIVE_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == 0) return;
    CG_CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
}

void bench_bare_init(struct bench_bare *bare) {
    struct sockaddr_in local = {.sin_family = AF_INET};
    socklen_t len = sizeof local;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bare->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CG_CHECK(bare->fd >= 0);
    bench_grow_buffer(bare->fd);
    CG_CHECK(bind(bare->fd, (struct sockaddr *)&local, len) == 0);
    CG_CHECK(getsockname(bare->fd, (struct sockaddr *)&local, &len) == 0);
    bare->port = ntohs(local.sin_port);
    for (int i = 0; i < BENCH_BATCH; i++) {
        bare->slots[i] = (struct iovec){.iov_base = bare->buffers[i], .iov_len = BENCH_BARE_BUFFER};
        bare->headers[i].msg_hdr = (struct msghdr){.msg_name = &bare->senders[i],
                                                   .msg_namelen = sizeof bare->senders[i],
                                                   .msg_iov = &bare->slots[i],
                                                   .msg_iovlen = 1};
    }
}

void bench_bare_fini(struct bench_bare *bare) { close(bare->fd); }

/* How many were parsed. */
static uint32_t take_batch(struct bench_bare *bare) {
    uint32_t parsed = 0;
    int count = recvmmsg(bare->fd, bare->headers, BENCH_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        struct cg_msg msg;
        parsed += cg_msg_parse(&msg, cg_slice_of(bare->buffers[i], bare->headers[i].msg_len)) == CG_OK;
        bare->headers[i].msg_hdr.msg_namelen = sizeof bare->senders[i];
    }
    return parsed;
}

static uint32_t drain(struct bench_bare *bare) {
    uint32_t parsed = 0, got;
    while ((got = take_batch(bare)) > 0) parsed += got;
    return parsed;
}

static void check_whole(uint32_t parsed, uint32_t answers) {
    if (parsed == answers) return;
    fprintf(stderr, "the receive buffer lost answers: run as root or raise net.core.rmem_max to %d\n",
            BENCH_RECEIVE_BUFFER);
    exit(1);
}

static int watch(const struct bench_bare *bare) {
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    CG_CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, bare->fd, &event) == 0);
    return epoll;
}

static void wait_for_some(int epoll, bool rests) {
    struct epoll_event event;
    if (rests) {
        usleep(CG_GATHER_REST_US);
    } else {
        CG_CHECK(epoll_wait(epoll, &event, 1, -1) == 1);
    }
}

double bench_bare_trickle(struct bench_bare *bare, const struct bench_peer *peer, const struct bench_order *order,
                          bool gathers) {
    struct bench_order to_me = *order;
    struct cg_gather gather = {0};
    uint32_t parsed = 0;
    int epoll = watch(bare);
    to_me.port = bare->port;
    to_me.token = (struct cg_token){.len = 8, .bytes = {1, 2, 3, 4, 5, 6, 7, 8}};
    bench_peer_begin_burst(peer, &to_me);
    uint64_t start_ns = bench_thread_ns();
    while (parsed < order->answers) {
        wait_for_some(epoll, gathers && gather.rests);
        uint32_t got = take_batch(bare);
        parsed += got;
        (void)cg_gather_rests(&gather, got, bench_wall_ns() / 1000);
    }
    uint64_t spent_ns = bench_thread_ns() - start_ns;
    bench_peer_end_burst(peer);
    close(epoll);
    check_whole(parsed, order->answers);
    return (double)spent_ns / order->answers;
}

double bench_bare_round(struct bench_bare *bare, const struct bench_peer *peer, uint32_t answers, uint32_t bytes) {
    struct bench_order order = {.port = bare->port, .answers = answers, .bytes = bytes};
    order.token = (struct cg_token){.len = 8, .bytes = {1, 2, 3, 4, 5, 6, 7, 8}};
    bench_peer_burst(peer, &order);
    uint64_t start_ns = bench_thread_ns();
    uint32_t parsed = drain(bare);
    uint64_t spent_ns = bench_thread_ns() - start_ns;
    check_whole(parsed, answers);
    return (double)spent_ns / answers;
}
