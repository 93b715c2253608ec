/* What a request costs that a client protects for the gateway by OSCORE, beside the same one without protection, both
 * by UDP to the same gateway in one run. They ask for the gateway's own links, so that what is measured is transport,
 * message layer and protection, and no group. The client seals before the clock runs, and opens nothing. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/gateway.h"
#include "oscore/oscore.h"
#include "settings/client_oscore.h"

enum { ROUNDS = 7, REQUESTS = 6400, DATAGRAM = 96, BUFFER = 65536 };

struct datagram {
    size_t len;
    uint8_t bytes[DATAGRAM];
};

struct client {
    int fd;
    uint16_t mid;
    uint64_t number;
    struct cg_oscore_context *context;
    struct cg_oscore_peer *gateway;
    struct datagram plain[REQUESTS], sealed[REQUESTS];
};

/* ---- The context, on both sides ---- */

static const char secret[] = "0123456789abcdef";

static void write_file(const char *name) {
    FILE *to = fopen(name, "w");
    CG_CHECK(to != NULL && chmod(name, 0600) == 0);
    fputs("{\"master_secret\":\"", to);
    for (const char *at = secret; *at != '\0'; at++) fprintf(to, "%02x", (unsigned)*at);
    fputs("\",\"sender_id\":\"67\",\"recipient_id\":\"63\"}\n", to);
    CG_CHECK(fclose(to) == 0);
}

static void make_context(struct client *client) {
    const struct cg_client_oscore keys = {
        .alg_aead = CG_COSE_AES_CCM_16_64_128, .sender_id = cg_slice_str("c"), .master_secret = cg_slice_str(secret)};
    struct cg_oscore_params params;
    struct cg_oscore_sender_params sender;
    cg_client_oscore_params(&keys, &params, &sender);
    CG_CHECK(cg_oscore_context_new(&client->context, &params, NULL) == CG_OK);
    CG_CHECK(cg_oscore_peer_add(client->context, cg_slice_str("g"), CG_SLICE_NONE, CG_OSCORE_WINDOW_NEW,
                                &client->gateway, NULL) == CG_OK);
}

/* ---- Requests ---- */

static void compose(struct client *client, struct cg_slice echo, struct datagram *to, struct cg_msg *msg) {
    struct cg_msg_writer writer;
    client->mid++;
    const struct cg_token token = {.len = 2, .bytes = {(uint8_t)(client->mid >> 8), (uint8_t)client->mid}};
    cg_msg_begin(&writer, to->bytes, sizeof to->bytes, CG_CON, CG_GET, client->mid, token);
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str(".well-known"));
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str("core"));
    if (echo.len > 0) cg_msg_put_opt(&writer, CG_OPT_ECHO, echo);
    int len = cg_msg_end(&writer);
    CG_CHECK(len > 0);
    to->len = (size_t)len;
    CG_CHECK(cg_msg_parse(msg, cg_slice_of(to->bytes, to->len)) == CG_OK);
}

static void seal(struct client *client, const struct cg_msg *plain, struct datagram *to,
                 struct cg_oscore_binding *binding) {
    int len = cg_oscore_seal_request(client->context, client->gateway, client->number++, plain, to->bytes,
                                     sizeof to->bytes, binding);
    CG_CHECK(len > 0);
    to->len = (size_t)len;
}

static void prepare(struct client *client) {
    for (size_t i = 0; i < REQUESTS; i++) {
        struct cg_msg msg;
        struct datagram plain;
        struct cg_oscore_binding binding;
        compose(client, CG_SLICE_NONE, &client->plain[i], &msg);
        compose(client, CG_SLICE_NONE, &plain, &msg);
        seal(client, &msg, &client->sealed[i], &binding);
    }
}

static void ask(const struct client *client, const struct datagram *request) {
    CG_CHECK(send(client->fd, request->bytes, request->len, 0) == (ssize_t)request->len);
}

static void acknowledge(const struct client *client, const uint8_t *message) {
    const uint8_t ack[] = {0x60, 0, message[2], message[3]};
    CG_CHECK(send(client->fd, ack, sizeof ack, 0) == sizeof ack);
}

/* One that waited for the disk comes behind its acknowledgement. */
static void hear(const struct client *client, uint8_t code, unsigned count) {
    static uint8_t bytes[BUFFER];
    while (count > 0) {
        ssize_t len = recv(client->fd, bytes, sizeof bytes, 0);
        CG_CHECK(len >= 4 && (bytes[1] == code || bytes[1] == CG_EMPTY));
        if ((bytes[0] & 0x30) == 0) acknowledge(client, bytes);
        count -= bytes[1] == code;
    }
}

/* ---- The Echo that comes first ---- */

/* The response to the latest request, which may come behind its acknowledgement, and behind others. */
static void take_response(const struct client *client, uint8_t bytes[BUFFER], struct cg_msg *msg) {
    const struct cg_token token = {.len = 2, .bytes = {(uint8_t)(client->mid >> 8), (uint8_t)client->mid}};
    do {
        ssize_t len = recv(client->fd, bytes, BUFFER, 0);
        CG_CHECK(len > 0 && cg_msg_parse(msg, cg_slice_of(bytes, (size_t)len)) == CG_OK);
        if (msg->type == CG_CON) acknowledge(client, bytes);
    } while (msg->code == CG_EMPTY || memcmp(&msg->token, &token, sizeof token) != 0);
}

/* What is inside. */
static void call(struct client *client, struct cg_slice echo, uint8_t data[BUFFER], struct cg_msg *plain) {
    static uint8_t bytes[BUFFER];
    struct cg_msg msg;
    struct datagram unsealed, sealed;
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    compose(client, echo, &unsealed, &msg);
    seal(client, &msg, &sealed, &binding);
    ask(client, &sealed);
    take_response(client, bytes, &msg);
    CG_CHECK(cg_oscore_open_response(client->context, &msg, &binding, NULL, data, BUFFER, plain, &opened) == CG_OK);
}

static void meet(struct client *client) {
    static uint8_t data[2][BUFFER];
    struct cg_msg plain;
    struct cg_slice echo;
    call(client, CG_SLICE_NONE, data[0], &plain);
    CG_CHECK(cg_msg_find(&plain, CG_OPT_ECHO, &echo));
    call(client, echo, data[1], &plain);
    CG_CHECK(plain.code == CG_CODE(2, 5));
}

/* From a port of its own, so that no Message ID has been there before. */
static void open_port(struct client *client, uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CG_CHECK(client->fd >= 0 && connect(client->fd, (const struct sockaddr *)&to, sizeof to) == 0);
}

static struct client *new_client(uint16_t port) {
    struct client *client = calloc(1, sizeof *client);
    CG_CHECK(client != NULL);
    make_context(client);
    open_port(client, port);
    meet(client);
    return client;
}

/* ---- Both ---- */

struct cost {
    double cpu_us, rate; /* of a request; requests a second */
};

static struct cost one_round(const struct bench_gateway *gateway, const struct client *client,
                             const struct datagram *requests, uint8_t code, unsigned at_once) {
    struct bench_span begin = bench_gateway_begin(gateway);
    for (unsigned i = 0; i < REQUESTS; i += at_once) {
        for (unsigned j = 0; j < at_once; j++) ask(client, &requests[i + j]);
        hear(client, code, at_once);
    }
    double wall_s = (double)(bench_wall_ns() - begin.wall_ns) / 1e9;
    return (struct cost){.cpu_us = bench_gateway_end(gateway, begin) / REQUESTS / 1000, .rate = REQUESTS / wall_s};
}

static void compare(const struct bench_gateway *gateway, struct client *client, size_t count, unsigned at_once) {
    struct bench_rounds cpu = {0}, rate = {0};
    char cpu_figure[80], rate_figure[80];
    for (size_t i = 0; i < count; i++) {
        close(client->fd);
        open_port(client, gateway->coap);
        prepare(client);
        struct cost sealed = one_round(gateway, client, client->sealed, CG_CODE(2, 4), at_once);
        struct cost plain = one_round(gateway, client, client->plain, CG_CODE(2, 5), at_once);
        bench_add_round(&cpu, sealed.cpu_us, plain.cpu_us);
        bench_add_round(&rate, sealed.rate, plain.rate);
    }
    snprintf(cpu_figure, sizeof cpu_figure, "a request under OSCORE, %u at once", at_once);
    snprintf(rate_figure, sizeof rate_figure, "requests under OSCORE, %u at once", at_once);
    bench_put_rounds(&cpu, (struct bench_row){.figure = cpu_figure, .unit = "µs CPU/request", .beside = "plain"});
    bench_put_rounds(&rate, (struct bench_row){.figure = rate_figure, .unit = "requests/s", .beside = "plain"});
}

int main(int argc, char **argv) {
    const size_t count = bench_is_quick(argc, argv) ? 3 : ROUNDS;
    char folder[] = "/tmp/castgate-shield-XXXXXX", file[64], more[160];
    struct bench_gateway gateway;
    CG_CHECK(mkdtemp(folder) != NULL);
    snprintf(file, sizeof file, "%s/d.json", folder);
    write_file(file);
    snprintf(more, sizeof more, "\"clients\":{\"d\":{\"oscore\":\"%s\"}}", file);
    bench_gateway_start_claimed(&gateway, CG_SLICE_NONE, more);
    struct client *client = new_client(gateway.coap);
    bench_gateway_rest(&gateway);
    compare(&gateway, client, count, 1);
    compare(&gateway, client, count, 32);
    bench_gateway_stop(&gateway);
    close(client->fd);
    cg_oscore_context_unref(client->context);
    free(client);
    CG_CHECK(unlink(file) == 0 && rmdir(folder) == 0);
    return 0;
}
