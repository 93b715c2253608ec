/* What forwarding one unicast request costs (RFC 7252 §5.7): the gateway as forward proxy to a single member, beside
 * libcoap's own coap-server as forward proxy, with the same client and the same origin in one run. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "common/peer.h"
#include "wire/msg.h"

enum { ROUNDS = 7, REQUESTS = 2000, PATIENCE_MS = 2000, BUFFER = 2048, START_TRIES = 100, START_MS = 50 };

/* ---- The origin ---- */

static struct sockaddr_in local_address(uint16_t port) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(port)};
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return local;
}

static int bind_somewhere(uint16_t *port) {
    struct sockaddr_in local = local_address(0);
    socklen_t len = sizeof local;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CG_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&local, len) == 0);
    CG_CHECK(getsockname(fd, (struct sockaddr *)&local, &len) == 0);
    *port = ntohs(local.sin_port);
    return fd;
}

static void answer(int fd) {
    uint8_t bytes[BUFFER];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    struct cg_msg msg;
    struct cg_msg_writer writer;
    ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_len);
    if (got <= 0 || cg_msg_parse(&msg, cg_slice_of(bytes, (size_t)got)) < 0 || !cg_code_is_request(msg.code)) return;
    cg_msg_begin(&writer, bytes, sizeof bytes, msg.type == CG_CON ? CG_ACK : CG_NON, CG_CODE(2, 5), msg.mid, msg.token);
    cg_msg_put_payload(&writer, cg_slice_str("twenty-one and a half degrees"));
    int len = cg_msg_end(&writer);
    CG_CHECK(len > 0);
    (void)!sendto(fd, bytes, (size_t)len, 0, (struct sockaddr *)&from, from_len);
}

static pid_t start_origin(uint16_t *port) {
    int fd = bind_somewhere(port);
    pid_t pid = fork();
    CG_CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) answer(fd);
    }
    close(fd);
    return pid;
}

/* ---- libcoap's proxy ---- */

static pid_t start_libcoap(uint16_t *port) {
    char text[8];
    close(bind_somewhere(port));
    snprintf(text, sizeof text, "%u", (unsigned)*port);
    pid_t pid = fork();
    CG_CHECK(pid >= 0);
    if (pid > 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execlp("coap-server-openssl", "coap-server-openssl", "-A", "127.0.0.1", "-p", text, "-P", ",proxy.example",
           (char *)NULL);
    _exit(127);
}

static void stop(pid_t pid) {
    kill(pid, SIGKILL);
    CG_CHECK(waitpid(pid, NULL, 0) == pid);
}

/* ---- The client ---- */

struct client {
    int fd;
    uint16_t mid;
    char uri[64]; /* the origin's */
};

static void open_client(struct client *client, uint16_t proxy, uint16_t origin) {
    const struct sockaddr_in to = local_address(proxy);
    *client = (struct client){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    snprintf(client->uri, sizeof client->uri, "coap://127.0.0.1:%u/temperature", (unsigned)origin);
    CG_CHECK(client->fd >= 0 && connect(client->fd, (const struct sockaddr *)&to, sizeof to) == 0);
}

/* 0: nothing came in time. */
static uint8_t hear(const struct client *client) {
    uint8_t bytes[BUFFER];
    struct cg_msg msg;
    for (;;) {
        struct pollfd wait = {.fd = client->fd, .events = POLLIN};
        if (poll(&wait, 1, PATIENCE_MS) != 1) return 0;
        ssize_t len = recv(client->fd, bytes, sizeof bytes, 0);
        if (len <= 0) return 0;
        CG_CHECK(cg_msg_parse(&msg, cg_slice_of(bytes, (size_t)len)) == CG_OK);
        const uint8_t ack[] = {0x60, 0, (uint8_t)(msg.mid >> 8), (uint8_t)msg.mid};
        if (msg.type == CG_CON) CG_CHECK(send(client->fd, ack, sizeof ack, 0) == sizeof ack);
        if (msg.code != CG_EMPTY) return msg.code;
    }
}

/* The code of the response. */
static uint8_t ask(struct client *client) {
    uint8_t bytes[BUFFER];
    struct cg_msg_writer writer;
    client->mid++;
    const struct cg_token token = {.len = 2, .bytes = {(uint8_t)(client->mid >> 8), (uint8_t)client->mid}};
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_CON, CG_GET, client->mid, token);
    cg_msg_put_opt(&writer, CG_OPT_PROXY_URI, cg_slice_str(client->uri));
    int len = cg_msg_end(&writer);
    CG_CHECK(len > 0);
    if (send(client->fd, bytes, (size_t)len, 0) != len) return 0;
    return hear(client);
}

static void wait_until_it_forwards(struct client *client) {
    for (int i = 0; i < START_TRIES; i++) {
        if (ask(client) == CG_CODE(2, 5)) return;
        usleep(START_MS * 1000);
    }
    CG_CHECK(!"the proxy forwards");
}

static void ask_all(struct client *client) {
    for (int i = 0; i < REQUESTS; i++) CG_CHECK(ask(client) == CG_CODE(2, 5));
}

/* ---- Both ---- */

static double gateway_round(const struct bench_gateway *gateway, struct client *client) {
    struct bench_span begin = bench_gateway_begin(gateway);
    ask_all(client);
    return bench_gateway_end(gateway, begin) / REQUESTS;
}

static double libcoap_round(pid_t pid, struct client *client) {
    uint64_t begin_ns = bench_process_ns(pid);
    ask_all(client);
    return (double)(bench_process_ns(pid) - begin_ns) / REQUESTS;
}

static void start_gateway(struct bench_gateway *gateway, uint16_t origin) {
    struct cg_buf mappings;
    cg_buf_init(&mappings, 0);
    cg_buf_printf(
        &mappings,
        "{\"name\":\"one\",\"path\":\"/one\",\"group\":\"coap://" BENCH_GROUP
        "/\",\"security\":\"none\",\"forward\":true,\"members\":[\"127.0.0.1:%u\"],\"clients\":[\"anonymous\"]}",
        (unsigned)origin);
    bench_gateway_start(gateway, cg_buf_slice(&mappings), 0);
    bench_gateway_rest(gateway);
    cg_buf_fini(&mappings);
}

int main(int argc, char **argv) {
    const size_t count = bench_is_quick(argc, argv) ? 3 : ROUNDS;
    uint16_t origin_port, libcoap_port;
    struct bench_gateway gateway;
    struct client by_gateway, by_libcoap;
    struct bench_rounds rounds = {0};
    pid_t origin = start_origin(&origin_port), libcoap = start_libcoap(&libcoap_port);
    start_gateway(&gateway, origin_port);
    open_client(&by_gateway, gateway.coap, origin_port);
    open_client(&by_libcoap, libcoap_port, origin_port);
    wait_until_it_forwards(&by_gateway);
    wait_until_it_forwards(&by_libcoap);
    for (size_t i = 0; i < count; i++) {
        double gateway_ns = gateway_round(&gateway, &by_gateway);
        bench_add_round(&rounds, gateway_ns / 1000, libcoap_round(libcoap, &by_libcoap) / 1000);
    }
    bench_put_rounds(&rounds, (struct bench_row){.figure = "a unicast request forwarded, one after another",
                                                 .unit = "µs CPU/request",
                                                 .beside = "libcoap's coap-server as proxy",
                                                 .ratio_aim = 1});
    close(by_gateway.fd);
    close(by_libcoap.fd);
    bench_gateway_stop(&gateway);
    stop(libcoap);
    stop(origin);
    return 0;
}
