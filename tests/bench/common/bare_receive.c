/* Why: a figure of the gateway means something only beside what the machine can do at that moment. */
#include "common/bare_receive.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"

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
        bare->headers[i].msg_hdr =
            (struct msghdr){.msg_name = &bare->senders[i], .msg_iov = &bare->slots[i], .msg_iovlen = 1};
    }
}

void bench_bare_fini(struct bench_bare *bare) { close(bare->fd); }

static uint32_t drain(struct bench_bare *bare) {
    uint32_t parsed = 0;
    for (;;) {
        for (int i = 0; i < BENCH_BATCH; i++) bare->headers[i].msg_hdr.msg_namelen = sizeof bare->senders[i];
        int count = recvmmsg(bare->fd, bare->headers, BENCH_BATCH, MSG_DONTWAIT, NULL);
        if (count <= 0) return parsed;
        for (int i = 0; i < count; i++) {
            struct cg_msg msg;
            parsed += cg_msg_parse(&msg, cg_slice_of(bare->buffers[i], bare->headers[i].msg_len)) == CG_OK;
        }
    }
}

double bench_bare_round(struct bench_bare *bare, const struct bench_peer *peer, uint32_t answers, uint32_t bytes) {
    struct bench_order order = {.port = bare->port, .answers = answers, .bytes = bytes};
    order.token = (struct cg_token){.len = 8, .bytes = {1, 2, 3, 4, 5, 6, 7, 8}};
    bench_peer_burst(peer, &order);
    uint64_t start_ns = bench_thread_ns();
    uint32_t parsed = drain(bare);
    uint64_t spent_ns = bench_thread_ns() - start_ns;
    if (parsed == answers) return (double)spent_ns / answers;
    fprintf(stderr, "the receive buffer lost answers: run as root or raise net.core.rmem_max to %d\n",
            BENCH_RECEIVE_BUFFER);
    exit(1);
}
