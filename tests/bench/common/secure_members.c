/* Why: answers must be there before the gateway is measured. The hard thing is their number: each is sealed under a
 * Sender Context of its own, and what that costs must not run while the gateway does. */
#include "common/secure_members.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "common/peer.h"

enum { ANSWER_MAX = 1024, REQUEST_MAX = 2048 };

struct member {
    uint32_t number; /* in the group */
    struct cg_oscore_context *context;
    struct cg_oscore_peer *gateway;
    uint64_t next; /* Sender Sequence Number */
    size_t len;    /* of the answer that waits; 0: none */
    uint8_t answer[ANSWER_MAX];
};

/* One process. */
struct share {
    struct member *members;
    uint32_t count;
    int group, answers; /* sockets */
    struct bench_members_state *state;
};

static void join(struct member *member, const struct bench_group_keys *keys) {
    const struct bench_identity *gateway = &keys->gateway;
    struct cg_oscore_params params;
    struct cg_oscore_sender_params sender;
    bench_group_keys_params(keys, &keys->members[member->number], &params, &sender);
    CG_CHECK(cg_oscore_context_new(&member->context, &params, NULL) == CG_OK);
    CG_CHECK(cg_oscore_peer_add(member->context, cg_slice_of(gateway->kid, gateway->kid_len),
                                cg_slice_of(gateway->cred, gateway->cred_len), CG_OSCORE_WINDOW_NEW, &member->gateway,
                                NULL) == CG_OK);
}

static size_t make_plain(uint8_t *to, size_t cap, const struct cg_msg *request, const struct member *member,
                         uint32_t bytes) {
    static const uint8_t filling[ANSWER_MAX];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, to, cap, CG_NON, CG_CODE(2, 5), (uint16_t)member->number, request->token);
    cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, 42);
    cg_msg_put_payload(&writer, cg_slice_of(filling, bytes));
    int len = cg_msg_end(&writer);
    CG_CHECK(len > 0);
    return (size_t)len;
}

static size_t make_sealed(struct member *member, struct cg_slice bytes, const struct cg_oscore_binding *request,
                          struct bench_members_state *state) {
    struct cg_oscore_binding binding = *request;
    struct cg_oscore_reply reply = {
        .to = state->pairwise ? member->gateway : NULL, .has_number = true, .number = member->next++};
    struct cg_oscore_sealing op;
    struct cg_msg plain;
    CG_CHECK(cg_msg_parse(&plain, bytes) == CG_OK);
    int err =
        cg_oscore_seal_response_prepare(&op, member->context, &reply, &plain, member->answer, ANSWER_MAX, &binding);
    CG_CHECK(err >= 0);
    if (err == CG_PENDING) {
        state->signed_len = (uint32_t)op.job.len;
        cg_oscore_sign_run(&op.job);
    }
    int len = cg_oscore_seal_finish(&op);
    CG_CHECK(len > 0);
    return (size_t)len;
}

static void make_answer(struct member *member, const struct cg_msg *request, const struct cg_oscore_binding *binding,
                        struct bench_members_state *state) {
    uint8_t plain[ANSWER_MAX];
    size_t len = make_plain(plain, sizeof plain, request, member, state->bytes);
    if (binding == NULL) {
        memcpy(member->answer, plain, len);
        member->len = len;
    } else {
        member->len = make_sealed(member, cg_slice_of(plain, len), binding, state);
    }
}

union control {
    char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct cmsghdr align;
};

static void send_answer(const struct share *share, const struct member *member, struct sockaddr_in *to) {
    union control control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)member->answer, .iov_len = member->len};
    struct msghdr message = {.msg_name = to,
                             .msg_namelen = sizeof *to,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct in_pktinfo packet = {0};
    packet.ipi_spec_dst.s_addr = htonl(BENCH_FIRST_MEMBER + member->number);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof packet)};
    memcpy(CMSG_DATA(header), &packet, sizeof packet);
    CG_CHECK(sendmsg(share->answers, &message, 0) == (ssize_t)member->len);
}

static void answer_request(struct share *share) {
    uint8_t bytes[REQUEST_MAX];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t len = recvfrom(share->group, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_len);
    struct cg_msg request;
    struct cg_slice option;
    struct cg_oscore_binding binding;
    CG_CHECK(len > 0 && cg_msg_parse(&request, cg_slice_of(bytes, (size_t)len)) == CG_OK);
    bool sealed = cg_msg_find(&request, CG_OPT_OSCORE, &option);
    if (sealed) CG_CHECK(cg_oscore_binding_parse(&binding, &request) == CG_OK);
    uint32_t answers = 0;
    for (; answers < share->count && share->members[answers].number < share->state->answers; answers++)
        make_answer(&share->members[answers], &request, sealed ? &binding : NULL, share->state);
    while (share->state->hold) usleep(100);
    for (uint32_t i = 0; i < answers; i++) send_answer(share, &share->members[i], &from);
    share->state->sent += answers;
}

_Noreturn static void run_share(struct share *share, const struct bench_group_keys *keys, uint32_t first) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    share->members = calloc(keys->count / BENCH_MEMBER_PROCESSES + 1, sizeof *share->members);
    CG_CHECK(share->members != NULL);
    for (uint32_t number = first; number < keys->count; number += BENCH_MEMBER_PROCESSES) {
        struct member *member = &share->members[share->count++];
        member->number = number;
        join(member, keys);
    }
    share->state->ready++;
    for (;;) answer_request(share);
}

/* Every process hears the group: each has a socket of its own on the one port. */
static int open_group(uint16_t *port) {
    struct ip_mreqn join_lo = {.imr_ifindex = (int)if_nametoindex("lo")};
    CG_CHECK(inet_pton(AF_INET, BENCH_GROUP, &join_lo.imr_multiaddr) == 1);
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = join_lo.imr_multiaddr, .sin_port = htons(*port)};
    socklen_t len = sizeof local;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    CG_CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    CG_CHECK(bind(fd, (struct sockaddr *)&local, len) == 0);
    CG_CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join_lo, sizeof join_lo) == 0);
    CG_CHECK(getsockname(fd, (struct sockaddr *)&local, &len) == 0);
    *port = ntohs(local.sin_port);
    return fd;
}

static int open_answers(void) {
    struct sockaddr_in local = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CG_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&local, sizeof local) == 0);
    return fd;
}

static void wait_for(const _Atomic uint32_t *counter, uint32_t wanted) {
    for (int i = 0; i < 600000 && *counter < wanted; i++) usleep(100);
    CG_CHECK(*counter >= wanted);
}

void bench_members_start(struct bench_members *members, const struct bench_group_keys *keys) {
    members->state = mmap(NULL, sizeof *members->state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CG_CHECK(members->state != MAP_FAILED);
    members->group_port = 0;
    for (uint32_t i = 0; i < BENCH_MEMBER_PROCESSES; i++) {
        struct share share = {.state = members->state};
        share.group = open_group(&members->group_port);
        share.answers = open_answers();
        members->processes[i] = fork();
        CG_CHECK(members->processes[i] >= 0);
        if (members->processes[i] == 0) run_share(&share, keys, i);
        close(share.group);
        close(share.answers);
    }
    wait_for(&members->state->ready, BENCH_MEMBER_PROCESSES);
}

void bench_members_stop(struct bench_members *members) {
    for (int i = 0; i < BENCH_MEMBER_PROCESSES; i++) {
        kill(members->processes[i], SIGKILL);
        CG_CHECK(waitpid(members->processes[i], NULL, 0) == members->processes[i]);
    }
    munmap(members->state, sizeof *members->state);
}

void bench_members_let_send(struct bench_members *members, uint32_t sent) {
    members->state->hold = false;
    wait_for(&members->state->sent, sent);
}
