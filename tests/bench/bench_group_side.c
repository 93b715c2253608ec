/* What an answer costs on the group side: receive, parse, match, tally through the gateway itself, against bare
 * recvmmsg with parsing. The hard thing is to compare like with like on a noisy machine: both receive the same bursts,
 * sent by another process into a socket buffer that holds them whole, then drained while only this thread's CPU time
 * counts; rounds alternate and the median of their ratios is taken. */
#include "io/loop.h"
#include "io/protectors.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "core/front.h"

enum { ROUNDS = 21, BATCH = 64, BARE_BUFFER = 2048, RECEIVE_BUFFER = 16 << 20, ANSWERS_MAX = 5000 };

#define GROUP "224.0.1.187"
#define AIM   2.0

#define FIRST_MEMBER 0x7f010001u /* 127.1.0.1 */

enum { OPEN, KNOWN, MAPPINGS }; /* without configured members, and with */

/* The sender: another process. */

struct order {
    struct cg_token token;
    uint16_t port; /* on 127.0.0.1 */
    uint32_t answers;
    uint32_t bytes; /* of each answer, CoAP header and all */
};

union control {
    char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct cmsghdr align;
};

static size_t make_answer(uint8_t *bytes, const struct order *order, uint32_t number) {
    static const uint8_t filling[2048];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof filling, CG_NON, CG_CODE(2, 5), (uint16_t)number, order->token);
    cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, 50);
    cg_msg_put_payload(&writer, cg_slice_of(filling, order->bytes - writer.len - 1));
    int len = cg_msg_end(&writer);
    CG_CHECK(len == (int)order->bytes);
    return (size_t)len;
}

/* Each answer has a source address of its own, 127.1.x.y, as if each were another member's. */
static void send_burst(int fd, const struct order *order) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(order->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (uint32_t i = 0; i < order->answers; i++) {
        uint8_t bytes[2048];
        union control control = {0};
        struct iovec part = {.iov_base = bytes, .iov_len = make_answer(bytes, order, i)};
        struct msghdr message = {.msg_name = &to,
                                 .msg_namelen = sizeof to,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        struct in_pktinfo packet = {0};
        packet.ipi_spec_dst.s_addr = htonl(FIRST_MEMBER + i);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header =
            (struct cmsghdr){.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof packet)};
        memcpy(CMSG_DATA(header), &packet, sizeof packet);
        CG_CHECK(sendmsg(fd, &message, 0) == (ssize_t)order->bytes);
    }
}

_Noreturn static void run_sender(int fd, int orders, int done) {
    struct order order;
    while (read(orders, &order, sizeof order) == (ssize_t)sizeof order) {
        send_burst(fd, &order);
        CG_CHECK(write(done, "", 1) == 1);
    }
    _exit(0);
}

struct sender {
    int orders, done;
    uint16_t port; /* that all answers come from */
};

static uint16_t bind_to(int fd, struct in_addr ip) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = ip};
    socklen_t len = sizeof local;
    CG_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&local, len) == 0);
    CG_CHECK(getsockname(fd, (struct sockaddr *)&local, &len) == 0);
    return ntohs(local.sin_port);
}

static struct sender start_sender(void) {
    int orders[2], done[2], fd = socket(AF_INET, SOCK_DGRAM, 0);
    uint16_t port = bind_to(fd, (struct in_addr){.s_addr = htonl(INADDR_ANY)});
    CG_CHECK(pipe(orders) == 0 && pipe(done) == 0);
    pid_t child = fork();
    CG_CHECK(child >= 0);
    if (child == 0) {
        close(orders[1]);
        run_sender(fd, orders[0], done[1]);
    }
    close(orders[0]);
    close(done[1]);
    close(fd);
    return (struct sender){.orders = orders[1], .done = done[0], .port = port};
}

static void order_burst(const struct sender *sender, const struct order *order) {
    char byte;
    CG_CHECK(write(sender->orders, order, sizeof *order) == (ssize_t)sizeof *order);
    CG_CHECK(read(sender->done, &byte, 1) == 1);
}

static uint64_t thread_ns(void) {
    struct timespec now;
    CG_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Bare: recvmmsg and the parser, nothing else. */

struct bare {
    int fd;
    uint16_t port;
    struct mmsghdr headers[BATCH];
    struct iovec slots[BATCH];
    struct sockaddr_in senders[BATCH];
    uint8_t buffers[BATCH][BARE_BUFFER];
};

static void bare_init(struct bare *bare) {
    int size = RECEIVE_BUFFER;
    bare->fd = socket(AF_INET, SOCK_DGRAM, 0);
    CG_CHECK(bare->fd >= 0);
    if (setsockopt(bare->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
        CG_CHECK(setsockopt(bare->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
    }
    bare->port = bind_to(bare->fd, (struct in_addr){.s_addr = htonl(INADDR_LOOPBACK)});
    for (int i = 0; i < BATCH; i++) {
        bare->slots[i] = (struct iovec){.iov_base = bare->buffers[i], .iov_len = BARE_BUFFER};
        bare->headers[i].msg_hdr =
            (struct msghdr){.msg_name = &bare->senders[i], .msg_iov = &bare->slots[i], .msg_iovlen = 1};
    }
}

static uint32_t bare_drain(struct bare *bare) {
    uint32_t parsed = 0;
    for (;;) {
        for (int i = 0; i < BATCH; i++)
            bare->headers[i].msg_hdr.msg_namelen = sizeof bare->senders[i];
        int count = recvmmsg(bare->fd, bare->headers, BATCH, MSG_DONTWAIT, NULL);
        if (count <= 0) return parsed;
        for (int i = 0; i < count; i++) {
            struct cg_msg msg;
            parsed += cg_msg_parse(&msg, cg_slice_of(bare->buffers[i], bare->headers[i].msg_len)) == CG_OK;
        }
    }
}

static uint64_t bare_round(struct bare *bare, const struct sender *sender, struct order order) {
    order.port = bare->port;
    order.token = (struct cg_token){.len = 8, .bytes = {1, 2, 3, 4, 5, 6, 7, 8}};
    order_burst(sender, &order);
    uint64_t start_ns = thread_ns();
    uint32_t parsed = bare_drain(bare);
    uint64_t spent_ns = thread_ns() - start_ns;
    if (parsed == order.answers) return spent_ns;
    fprintf(stderr, "the receive buffer lost answers: run as root or raise net.core.rmem_max to %d\n", RECEIVE_BUFFER);
    exit(1);
}

/* The gateway: the loop, its sockets and the core, as they are in the program. */

struct side {
    struct cg_loop loop;
    struct cg_config *config;
    struct cg_target target;
    struct cg_grant grant;
    struct cg_mapping mappings[MAPPINGS];
    struct cg_member members[ANSWERS_MAX];
    int member; /* hears the group requests */
};

static void on_signal(void *ctx, int number) {
    struct side *side = ctx;
    (void)number;
    cg_loop_close(&side->loop);
}

static void on_reply(void *ctx, const struct cg_reply *reply) {
    (void)ctx;
    fprintf(stderr, "the exchange ended before it was drained (%s)\n", reply->summary.ended_by);
    exit(1);
}

static void on_problem(void *ctx, const struct cg_problem *problem, const char *exchange_id) {
    (void)ctx;
    (void)exchange_id;
    fprintf(stderr, "%s\n", problem->detail);
    exit(1);
}

static const struct cg_front front = {.reply = on_reply, .problem = on_problem};

static void member_init(struct side *side) {
    struct ip_mreqn join = {.imr_ifindex = (int)if_nametoindex("lo")};
    CG_CHECK(inet_pton(AF_INET, GROUP, &join.imr_multiaddr) == 1);
    side->member = socket(AF_INET, SOCK_DGRAM, 0);
    uint16_t port = bind_to(side->member, join.imr_multiaddr);
    CG_CHECK(setsockopt(side->member, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join) == 0);
    CG_CHECK(cg_addr_parse(&side->target.group, cg_slice_str(GROUP), port) == CG_OK);
}

/* The configured members of the second mapping: exactly those who answer. */
static void list_members(struct side *side, uint16_t port) {
    for (uint32_t i = 0; i < ANSWERS_MAX; i++) {
        uint32_t ip = htonl(FIRST_MEMBER + i);
        side->members[i] = (struct cg_member){.name = "member", .addr = {.family = CG_FAMILY_IPV4, .port = port}};
        memcpy(side->members[i].addr.ip, &ip, sizeof ip);
    }
    side->mappings[KNOWN].members = side->members;
    side->mappings[KNOWN].member_count = ANSWERS_MAX;
    side->mappings[KNOWN].complete = true;
}

static void side_init(struct side *side, uint16_t sender_port) {
    member_init(side);
    side->config = cg_config_new();
    CG_CHECK(side->config != NULL);
    side->config->group.receive_buffer = RECEIVE_BUFFER;
    side->grant = (struct cg_grant){.methods = CG_METHODS_SAFE};
    side->target.uri = "coap://" GROUP "/";
    side->target.interface = "lo";
    side->target.hops = 1;
    static const char *const paths[MAPPINGS] = {"/open", "/known"};
    for (int i = 0; i < MAPPINGS; i++) {
        side->mappings[i] = (struct cg_mapping){.name = paths[i] + 1,
                                                .path = paths[i],
                                                .targets = &side->target,
                                                .target_count = 1,
                                                .methods = CG_METHODS_ALL,
                                                .has_timeout = true,
                                                .timeout_us = 60 * 1000000,
                                                .max_timeout_us = 60 * 1000000,
                                                .max_answers = ANSWERS_MAX,
                                                .grants = &side->grant,
                                                .grant_count = 1};
    }
    list_members(side, sender_port);
    side->config->mappings = side->mappings;
    side->config->mapping_count = MAPPINGS;
    cg_config_index(side->config);
    struct cg_problem problem = {0};
    cg_protectors_attach(side->config);
    if (cg_loop_init(&side->loop, side->config, on_signal, side, &problem) == CG_OK) return;
    fprintf(stderr, "%s\n", problem.detail);
    exit(1);
}

/* Starts an exchange and learns the token that its group request carries. */
static struct cg_ticket ask(struct side *side, int mapping, struct cg_token *token) {
    struct cg_problem problem;
    struct cg_ticket ticket;
    struct cg_gateway *gateway = side->loop.gateway;
    CG_CHECK(cg_gateway_new_exchange(gateway, &front, side, &ticket, &problem) == CG_OK);
    struct cg_request *request = cg_gateway_request(gateway, ticket);
    request->method = CG_GET;
    request->may_be_anonymous = true;
    request->path = cg_slice_str(side->mappings[mapping].path);
    cg_gateway_start(gateway, ticket, cg_loop_now_us());
    uv_run(&side->loop.uv, UV_RUN_NOWAIT);
    uint8_t bytes[2048];
    ssize_t len = recv(side->member, bytes, sizeof bytes, 0);
    struct cg_msg msg;
    CG_CHECK(len > 0 && cg_msg_parse(&msg, cg_slice_of(bytes, (size_t)len)) == CG_OK);
    *token = msg.token;
    return ticket;
}

/* Answers that were not tallied as a member's first. */
static uint64_t lost(const struct side *side, int mapping) {
    const struct cg_stats *stats = side->mappings[mapping].stats;
    return stats->duplicate + stats->late + stats->over_cap + stats->rejected +
           cg_gateway_totals(side->loop.gateway)->unknown_token;
}

static uint64_t gateway_round(struct side *side, const struct sender *sender, int mapping, struct order order) {
    struct cg_gateway *gateway = side->loop.gateway;
    struct cg_ticket ticket = ask(side, mapping, &order.token);
    order.port = cg_group_socket_port(side->loop.group, CG_FAMILY_IPV4);
    order_burst(sender, &order);
    uint64_t wanted = cg_gateway_totals(gateway)->datagrams + order.answers, lost_before = lost(side, mapping);
    uint64_t start_ns = thread_ns();
    while (cg_gateway_totals(gateway)->datagrams < wanted)
        uv_run(&side->loop.uv, UV_RUN_NOWAIT);
    uint64_t spent_ns = thread_ns() - start_ns;
    CG_CHECK(lost(side, mapping) == lost_before);
    cg_gateway_abandon(gateway, ticket);
    uv_run(&side->loop.uv, UV_RUN_NOWAIT);
    return spent_ns;
}

/* Figures */

static int compare_doubles(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

static void compare(struct bare *bare, struct side *side, const struct sender *sender, int mapping,
                    struct order order) {
    double bare_us[ROUNDS], gateway_us[ROUNDS], ratios[ROUNDS];
    bare_round(bare, sender, order); /* both once for nothing: first touch of memory */
    gateway_round(side, sender, mapping, order);
    for (int i = 0; i < ROUNDS; i++) {
        bare_us[i] = (double)bare_round(bare, sender, order) / order.answers / 1000;
        gateway_us[i] = (double)gateway_round(side, sender, mapping, order) / order.answers / 1000;
        ratios[i] = gateway_us[i] / bare_us[i];
    }
    printf("| %-7s | %7u | %5u | %16.3f | %20.3f | %5.2f |\n", side->mappings[mapping].name, order.answers, order.bytes,
           median(bare_us, ROUNDS), median(gateway_us, ROUNDS), median(ratios, ROUNDS));
}

int main(void) {
    static struct bare bare;
    static struct side side;
    static const uint32_t answers[] = {100, 1000, ANSWERS_MAX}, bytes[] = {60, 300};
    cg_log_set_level(CG_LOG_ERROR);
    struct sender sender = start_sender();
    bare_init(&bare);
    side_init(&side, sender.port);
    printf("Group side, CPU per answer of the receiving thread, medians of %d alternating rounds. Aim: ratio %.1f or "
           "less.\n\n",
           ROUNDS, AIM);
    printf("| members | answers | bytes | bare + parse, us | gateway, tallied, us | ratio |\n");
    printf("|---------|---------|-------|------------------|----------------------|-------|\n");
    for (int mapping = 0; mapping < MAPPINGS; mapping++) {
        for (size_t i = 0; i < 3; i++) {
            for (size_t j = 0; j < 2; j++) {
                struct order order = {.answers = answers[i], .bytes = bytes[j]};
                compare(&bare, &side, &sender, mapping, order);
            }
        }
    }
    close(sender.orders);
    close(sender.done);
    close(bare.fd);
    close(side.member);
    cg_loop_fini(&side.loop);
    cg_config_unref(side.config);
    return 0;
}
