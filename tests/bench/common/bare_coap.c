/* libcoap's sending. The hard thing is that a server has a session only for who has asked: so somebody asks once. */
#include "common/bare_coap.h"

#include <arpa/inet.h>
#include <coap3/coap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "common/bare_receive.h"
#include "common/figures.h"

enum { REPLY_FROM = 248, REPLY_FROM_LEN = 9, HEADER = 4 + 2 + 3 + REPLY_FROM_LEN + 1, WAIT_MS = 100, READ_MAX = 2048 };

struct bench_bare_coap {
    coap_context_t *context;
    coap_session_t *session; /* of whoever asked */
    int client;
};

static void on_get(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                   const coap_string_t *query, coap_pdu_t *response) {
    struct bench_bare_coap *bare = coap_resource_get_userdata(resource);
    (void)request, (void)query;
    if (bare->session == NULL) bare->session = coap_session_reference(session);
    coap_pdu_set_code(response, COAP_RESPONSE_CODE_CONTENT);
}

/* One that was free a moment ago. */
static struct sockaddr_in free_address(void) {
    struct sockaddr_in local = {.sin_family = AF_INET};
    socklen_t len = sizeof local;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CG_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&local, len) == 0);
    CG_CHECK(getsockname(fd, (struct sockaddr *)&local, &len) == 0);
    close(fd);
    return local;
}

static void listen_at(struct bench_bare_coap *bare, const struct sockaddr_in *local) {
    coap_address_t address;
    coap_address_init(&address);
    address.size = sizeof *local;
    memcpy(&address.addr.sin, local, sizeof *local);
    CG_CHECK(coap_new_endpoint(bare->context, &address, COAP_PROTO_UDP) != NULL);
    coap_resource_t *resource = coap_resource_init(coap_make_str_const("r"), 0);
    CG_CHECK(resource != NULL);
    coap_resource_set_userdata(resource, bare);
    coap_register_request_handler(resource, COAP_REQUEST_GET, on_get);
    coap_add_resource(bare->context, resource);
}

static void ask(struct bench_bare_coap *bare, const struct sockaddr_in *to) {
    static const uint8_t get[] = {0x50, 1, 0, 1, 0xb1, 'r'};
    bare->client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CG_CHECK(bare->client >= 0 && connect(bare->client, (const struct sockaddr *)to, sizeof *to) == 0);
    bench_grow_buffer(bare->client);
    CG_CHECK(send(bare->client, get, sizeof get, 0) == sizeof get);
    for (int i = 0; i < 100 && bare->session == NULL; i++) coap_io_process(bare->context, WAIT_MS);
    CG_CHECK(bare->session != NULL);
}

struct bench_bare_coap *bench_bare_coap_new(void) {
    struct bench_bare_coap *bare = calloc(1, sizeof *bare);
    const struct sockaddr_in local = free_address();
    CG_CHECK(bare != NULL);
    coap_startup();
    bare->context = coap_new_context(NULL);
    CG_CHECK(bare->context != NULL);
    listen_at(bare, &local);
    ask(bare, &local);
    return bare;
}

void bench_bare_coap_free(struct bench_bare_coap *bare) {
    coap_session_release(bare->session);
    coap_free_context(bare->context);
    coap_cleanup();
    close(bare->client);
    free(bare);
}

static void send_one(struct bench_bare_coap *bare, size_t bytes) {
    static const uint8_t token[] = {1, 2}, reply_from[REPLY_FROM_LEN], payload[READ_MAX];
    coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_NON, COAP_RESPONSE_CODE_CONTENT, coap_new_message_id(bare->session),
                                    coap_session_max_pdu_size(bare->session));
    CG_CHECK(pdu != NULL && coap_add_token(pdu, sizeof token, token) == 1);
    CG_CHECK(coap_add_option(pdu, REPLY_FROM, sizeof reply_from, reply_from) > 0);
    CG_CHECK(coap_add_data(pdu, bytes - HEADER, payload) == 1);
    CG_CHECK(coap_send(bare->session, pdu) != COAP_INVALID_MID);
}

static void read_all(const struct bench_bare_coap *bare) {
    uint8_t bytes[READ_MAX];
    while (recv(bare->client, bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue;
}

double bench_bare_coap_round(struct bench_bare_coap *bare, uint32_t responses, size_t bytes) {
    CG_CHECK(bytes > HEADER && bytes < READ_MAX);
    uint64_t start_ns = bench_thread_ns();
    for (uint32_t i = 0; i < responses; i++) send_one(bare, bytes);
    double spent_ns = (double)(bench_thread_ns() - start_ns);
    read_all(bare);
    return spent_ns / responses;
}
