/* A client of separate responses. The hard thing is to be no part of the figure: it runs in the benchmark's process,
 * whose CPU time does not count for the gateway's. */
#include "common/coap_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "common/bare_receive.h"
#include "common/figures.h"
#include "wire/msg.h"

enum { PATIENCE_MS = 2000, TIMES = 5, MULTICAST_TIMEOUT = 2, BUFFER = 2048 };

void bench_coap_open(struct bench_coap *client, uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *client = (struct bench_coap){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    CG_CHECK(client->fd >= 0);
    bench_grow_buffer(client->fd);
    CG_CHECK(connect(client->fd, (struct sockaddr *)&to, sizeof to) == 0);
}

void bench_coap_close(struct bench_coap *client) { close(client->fd); }

static struct cg_token token_of(uint16_t mid) {
    return (struct cg_token){.len = 2, .bytes = {(uint8_t)(mid >> 8), (uint8_t)mid}};
}

static void send_request(const struct bench_coap *client) {
    CG_CHECK(send(client->fd, client->request, client->request_len, 0) == (ssize_t)client->request_len);
}

void bench_coap_ask(struct bench_coap *client, const char *path, uint8_t seconds) {
    struct cg_msg_writer writer;
    client->mid++;
    cg_msg_begin(&writer, client->request, sizeof client->request, CG_CON, CG_GET, client->mid, token_of(client->mid));
    cg_msg_put_uint(&writer, MULTICAST_TIMEOUT, seconds);
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str(path));
    int len = cg_msg_end(&writer);
    CG_CHECK(len > 0);
    client->request_len = (size_t)len;
    send_request(client);
}

static void acknowledge(const struct bench_coap *client, uint16_t mid) {
    const uint8_t ack[] = {0x60, 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    CG_CHECK(send(client->fd, ack, sizeof ack, 0) == sizeof ack);
}

/* Whether it is a response to the latest request. */
static bool take_one(struct bench_coap *client) {
    uint8_t bytes[BUFFER];
    struct cg_msg msg;
    ssize_t len = recv(client->fd, bytes, sizeof bytes, 0);
    CG_CHECK(len > 0 && cg_msg_parse(&msg, cg_slice_of(bytes, (size_t)len)) == CG_OK);
    if (msg.type == CG_CON) acknowledge(client, msg.mid);
    if (msg.code == CG_EMPTY) return false;
    CG_CHECK(msg.code == CG_CODE(2, 5));
    client->last = (size_t)len;
    const struct cg_token latest = token_of(client->mid);
    return memcmp(&msg.token, &latest, sizeof latest) == 0;
}

bool bench_coap_take(struct bench_coap *client, uint32_t responses) {
    for (int times = 0; responses > 0 && times < TIMES;) {
        struct pollfd wait = {.fd = client->fd, .events = POLLIN};
        if (poll(&wait, 1, PATIENCE_MS) == 1) {
            responses -= take_one(client);
        } else {
            send_request(client); /* of thousands at once the kernel may have dropped one */
            times++;
        }
    }
    return responses == 0;
}
