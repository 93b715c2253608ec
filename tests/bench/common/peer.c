/* Thousands of members in one process. The hard thing: an answer must cost little more than its system call, or the
 * sender is what is measured; so each has its source address as ancillary data of one shared socket, and nothing is
 * allocated. */
#include "common/peer.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"

enum { ANSWER_MAX = 2048 };

struct members {
    int group, answers; /* sockets */
    int orders, done;   /* pipes */
    struct bench_peer_state *state;
};

union control {
    char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct cmsghdr align;
};

struct burst {
    struct sockaddr_in to;
    struct cg_token token;
    uint32_t answers, bytes, spread_us;
};

/* The payload is JSON, as its Content-Format says: a text. */
static size_t make_answer(uint8_t bytes[ANSWER_MAX], const struct burst *burst, uint32_t number) {
    uint8_t filling[ANSWER_MAX];
    struct cg_msg_writer writer;
    memset(filling, 'x', burst->bytes);
    cg_msg_begin(&writer, bytes, ANSWER_MAX, CG_NON, CG_CODE(2, 5), (uint16_t)number, burst->token);
    cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, 50);
    size_t payload_len = burst->bytes - writer.len - 1;
    cg_msg_put_payload(&writer, cg_slice_of(filling, payload_len));
    bytes[burst->bytes - payload_len] = bytes[burst->bytes - 1] = '"';
    int len = cg_msg_end(&writer);
    CG_CHECK(len == (int)burst->bytes);
    return (size_t)len;
}

/* Each answer has a source address of its own, 127.1.x.y, as if each were another member's. */
static void send_answer(int fd, const struct burst *burst, uint32_t number) {
    uint8_t bytes[ANSWER_MAX];
    union control control = {0};
    struct iovec part = {.iov_base = bytes, .iov_len = make_answer(bytes, burst, number)};
    struct sockaddr_in to = burst->to;
    struct msghdr message = {.msg_name = &to,
                             .msg_namelen = sizeof to,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct in_pktinfo packet = {0};
    packet.ipi_spec_dst.s_addr = htonl(BENCH_FIRST_MEMBER + number);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof packet)};
    memcpy(CMSG_DATA(header), &packet, sizeof packet);
    CG_CHECK(sendmsg(fd, &message, 0) == (ssize_t)burst->bytes);
}

/* Until the answer's moment: by the clock, so that what is late does not move what follows. */
static void wait_until(uint64_t at_ns) {
    struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000u), .tv_nsec = (long)(at_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0) {
    }
}

static void send_burst(const struct members *members, const struct burst *burst) {
    uint64_t start_ns = bench_wall_ns(), spread_ns = (uint64_t)burst->spread_us * 1000;
    for (uint32_t i = 0; i < burst->answers; i++) {
        if (spread_ns > 0) wait_until(start_ns + (i + 1) * spread_ns / burst->answers);
        if (i + 1 == burst->answers) members->state->sent_ns = bench_wall_ns();
        send_answer(members->answers, burst, i);
    }
}

static void answer_request(const struct members *members) {
    uint8_t bytes[ANSWER_MAX];
    struct burst burst = {
        .answers = members->state->answers, .bytes = members->state->bytes, .spread_us = members->state->spread_us};
    socklen_t to_len = sizeof burst.to;
    ssize_t len = recvfrom(members->group, bytes, sizeof bytes, 0, (struct sockaddr *)&burst.to, &to_len);
    uint64_t heard_ns = bench_wall_ns();
    struct cg_msg msg;
    CG_CHECK(len > 0 && cg_msg_parse(&msg, cg_slice_of(bytes, (size_t)len)) == CG_OK);
    burst.token = msg.token;
    members->state->heard_ns = heard_ns;
    members->state->heard++;
    while (members->state->hold) usleep(100);
    send_burst(members, &burst);
    members->state->answered++;
}

static bool follow_order(const struct members *members) {
    struct bench_order order;
    if (read(members->orders, &order, sizeof order) != (ssize_t)sizeof order) return false;
    struct burst burst = {
        .token = order.token, .answers = order.answers, .bytes = order.bytes, .spread_us = order.spread_us};
    burst.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(order.port)};
    burst.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    send_burst(members, &burst);
    CG_CHECK(write(members->done, "", 1) == 1);
    return true;
}

_Noreturn static void run_members(const struct members *members) {
    struct pollfd fds[] = {{.fd = members->group, .events = POLLIN}, {.fd = members->orders, .events = POLLIN}};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1); /* or answers that are to come one by one would come in twos */
    for (;;) {
        CG_CHECK(poll(fds, 2, -1) > 0);
        if (fds[0].revents != 0) answer_request(members);
        if (fds[1].revents != 0 && !follow_order(members)) _exit(0);
    }
}

static int bind_to(struct in_addr ip, uint16_t *port) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = ip};
    socklen_t len = sizeof local;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CG_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&local, len) == 0);
    CG_CHECK(getsockname(fd, (struct sockaddr *)&local, &len) == 0);
    *port = ntohs(local.sin_port);
    return fd;
}

static int join_group(uint16_t *port) {
    struct ip_mreqn join = {.imr_ifindex = (int)if_nametoindex("lo")};
    CG_CHECK(inet_pton(AF_INET, BENCH_GROUP, &join.imr_multiaddr) == 1);
    int fd = bind_to(join.imr_multiaddr, port);
    CG_CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join) == 0);
    return fd;
}

void bench_peer_start(struct bench_peer *peer) {
    struct members members;
    int orders[2], done[2];
    members.group = join_group(&peer->group_port);
    members.answers = bind_to((struct in_addr){.s_addr = htonl(INADDR_ANY)}, &peer->port);
    members.state = mmap(NULL, sizeof *members.state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CG_CHECK(members.state != MAP_FAILED && pipe(orders) == 0 && pipe(done) == 0);
    members.orders = orders[0];
    members.done = done[1];
    peer->pid = fork();
    CG_CHECK(peer->pid >= 0);
    if (peer->pid == 0) {
        close(orders[1]);
        run_members(&members);
    }
    close(members.orders);
    close(members.done);
    close(members.group);
    close(members.answers);
    peer->orders = orders[1];
    peer->done = done[0];
    peer->state = members.state;
}

void bench_peer_stop(struct bench_peer *peer) {
    close(peer->orders);
    close(peer->done);
    CG_CHECK(waitpid(peer->pid, NULL, 0) == peer->pid);
    munmap(peer->state, sizeof *peer->state);
}

void bench_peer_set(struct bench_peer *peer, uint32_t answers, uint32_t bytes) {
    CG_CHECK(bytes <= ANSWER_MAX);
    peer->state->answers = answers;
    peer->state->bytes = bytes;
}

static bool wait_for(const _Atomic uint32_t *counter, uint32_t wanted) {
    for (int i = 0; i < 100000; i++) {
        if (*counter >= wanted) return true;
        usleep(100);
    }
    return false;
}

bool bench_peer_wait_heard(const struct bench_peer *peer, uint32_t heard) {
    return wait_for(&peer->state->heard, heard);
}

bool bench_peer_wait(const struct bench_peer *peer, uint32_t answered) {
    return wait_for(&peer->state->answered, answered);
}

void bench_peer_begin_burst(const struct bench_peer *peer, const struct bench_order *order) {
    CG_CHECK(write(peer->orders, order, sizeof *order) == (ssize_t)sizeof *order);
}

void bench_peer_end_burst(const struct bench_peer *peer) {
    char byte;
    CG_CHECK(read(peer->done, &byte, 1) == 1);
}

void bench_peer_burst(const struct bench_peer *peer, const struct bench_order *order) {
    bench_peer_begin_burst(peer, order);
    bench_peer_end_burst(peer);
}
