/* Members that lose datagrams. The hard thing: a member is slow without any of the others being so, so answers wait for
 * their moment in one list, and a datagram that is lost on the way back is lost then, not earlier. */
#include "common/lossy_members.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"

enum { PENDING_MAX = 4096, DATAGRAM_MAX = 1500 };

struct answer {
    uint64_t due_ns; /* 0: this place is free */
    uint32_t member;
    struct sockaddr_in to;
    enum cg_type type;
    uint16_t mid;
    struct cg_token token;
};

struct members {
    int group, own; /* sockets */
    struct bench_lossy_state *state;
    uint32_t exchange; /* whose first group request has come */
    uint64_t random;
    uint16_t mid;
    struct answer pending[PENDING_MAX];
};

union control {
    char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct cmsghdr align;
};

struct arrival {
    struct sockaddr_in from;
    struct in_addr to;
    uint8_t bytes[DATAGRAM_MAX];
    struct cg_msg msg;
};

/* xorshift64: the same losses in every run. */
static bool is_lost(struct members *members) {
    members->random ^= members->random << 13;
    members->random ^= members->random >> 7;
    members->random ^= members->random << 17;
    return (members->random >> 24 & 0xffff) < members->state->loss;
}

static bool receive(int fd, struct arrival *arrival) {
    union control control;
    struct iovec part = {.iov_base = arrival->bytes, .iov_len = sizeof arrival->bytes};
    struct msghdr message = {.msg_name = &arrival->from,
                             .msg_namelen = sizeof arrival->from,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t len = recvmsg(fd, &message, MSG_DONTWAIT);
    struct cmsghdr *header = len <= 0 ? NULL : CMSG_FIRSTHDR(&message);
    struct in_pktinfo packet;
    if (header == NULL) return false;
    memcpy(&packet, CMSG_DATA(header), sizeof packet);
    arrival->to = packet.ipi_addr;
    return cg_msg_parse(&arrival->msg, cg_slice_of(arrival->bytes, (size_t)len)) == CG_OK &&
           cg_code_is_request(arrival->msg.code);
}

static void answer_later(struct members *members, const struct arrival *arrival, uint32_t member) {
    const struct bench_lossy_state *state = members->state;
    size_t at = 0;
    bool is_confirmable = arrival->msg.type == CG_CON;
    while (at < PENDING_MAX && members->pending[at].due_ns != 0) at++;
    CG_CHECK(at < PENDING_MAX && state->members > 0);
    uint64_t after_ns = UINT64_C(1000) * state->spread_us * (member + 1) / state->members;
    members->pending[at] = (struct answer){.due_ns = bench_wall_ns() + after_ns + 1,
                                           .member = member,
                                           .to = arrival->from,
                                           .type = is_confirmable ? CG_ACK : CG_NON,
                                           .mid = is_confirmable ? arrival->msg.mid : members->mid++,
                                           .token = arrival->msg.token};
}

static void send_answer(const struct members *members, const struct answer *answer) {
    uint8_t bytes[64];
    union control control = {0};
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, answer->type, CG_CODE(2, 5), answer->mid, answer->token);
    cg_msg_put_payload(&writer, cg_slice_str("on"));
    int size = cg_msg_end(&writer);
    struct iovec part = {.iov_base = bytes, .iov_len = (size_t)size};
    struct sockaddr_in to = answer->to;
    struct msghdr message = {.msg_name = &to,
                             .msg_namelen = sizeof to,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct in_pktinfo packet = {0};
    packet.ipi_spec_dst.s_addr = htonl(BENCH_FIRST_MEMBER + answer->member);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof packet)};
    memcpy(CMSG_DATA(header), &packet, sizeof packet);
    CG_CHECK(size > 0 && sendmsg(members->own, &message, 0) == size);
}

/* Each member loses for itself, on both ways; what is lost on the way back is decided here, too, since it is counted.
 */
static void hear_group(struct members *members, const struct arrival *arrival) {
    struct bench_lossy_state *state = members->state;
    bool is_first = state->exchange != members->exchange;
    members->exchange = state->exchange;
    if (is_first) state->heard_ns = bench_wall_ns();
    state->casts++;
    for (uint32_t i = 0; i < state->members; i++) {
        bool lost = is_lost(members) || is_lost(members);
        state->lost += is_first && lost;
        if (!lost) answer_later(members, arrival, i);
    }
}

static void hear_one(struct members *members, const struct arrival *arrival) {
    uint32_t member = ntohl(arrival->to.s_addr) - BENCH_FIRST_MEMBER;
    members->state->asks++;
    if (member < members->state->members && !is_lost(members) && !is_lost(members))
        answer_later(members, arrival, member);
}

/* Returns how many ms until the next; -1: none waits. */
static int send_due(struct members *members) {
    uint64_t now_ns = bench_wall_ns(), next_ns = UINT64_MAX;
    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct answer *answer = &members->pending[i];
        if (answer->due_ns == 0) continue;
        if (answer->due_ns <= now_ns) {
            send_answer(members, answer);
            answer->due_ns = 0;
        } else if (answer->due_ns < next_ns) {
            next_ns = answer->due_ns;
        }
    }
    return next_ns == UINT64_MAX ? -1 : (int)((next_ns - now_ns) / 1000000) + 1;
}

_Noreturn static void run(struct members *members) {
    static struct arrival arrival;
    struct pollfd fds[] = {{.fd = members->group, .events = POLLIN}, {.fd = members->own, .events = POLLIN}};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int wait_ms = send_due(members);
        CG_CHECK(poll(fds, 2, wait_ms) >= 0);
        while (receive(members->group, &arrival)) hear_group(members, &arrival);
        while (receive(members->own, &arrival)) hear_one(members, &arrival);
    }
}

static int open_at(struct in_addr ip, uint16_t *port) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = ip};
    socklen_t len = sizeof local;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CG_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&local, len) == 0);
    CG_CHECK(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0);
    CG_CHECK(getsockname(fd, (struct sockaddr *)&local, &len) == 0);
    *port = ntohs(local.sin_port);
    return fd;
}

void bench_lossy_start(struct bench_lossy *lossy) {
    static struct members members;
    struct ip_mreqn join = {.imr_ifindex = (int)if_nametoindex("lo")};
    members = (struct members){.random = 88172645463325252u};
    CG_CHECK(inet_pton(AF_INET, BENCH_GROUP, &join.imr_multiaddr) == 1);
    members.group = open_at(join.imr_multiaddr, &lossy->group_port);
    members.own = open_at((struct in_addr){.s_addr = htonl(INADDR_ANY)}, &lossy->port);
    CG_CHECK(setsockopt(members.group, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join) == 0);
    members.state = mmap(NULL, sizeof *members.state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CG_CHECK(members.state != MAP_FAILED);
    lossy->state = members.state;
    lossy->pid = fork();
    CG_CHECK(lossy->pid >= 0);
    if (lossy->pid == 0) run(&members);
    close(members.group);
    close(members.own);
}

void bench_lossy_stop(struct bench_lossy *lossy) {
    kill(lossy->pid, SIGKILL);
    CG_CHECK(waitpid(lossy->pid, NULL, 0) == lossy->pid);
    munmap(lossy->state, sizeof *lossy->state);
}
