/* A client: one GET to the group in group mode, or to one member in pairwise mode; it prints who answers what, proven.
 *
 * What is hard: a member may answer with a challenge (Echo, RFC 9175) before it acts, as after its start. Then the
 * request goes to that member once more, with a number of its own, the value that came, and in pairwise mode, where the
 * group has one, since the value is for nobody else. */
#define _GNU_SOURCE
#include "group.h"
#include "net.h"
#include "numbers.h"

#include <ctype.h>
#include <err.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { DATAGRAM = 65536, REQUESTS = 64, MEMBERS = 64, SILENCE_MS = 5000 }; /* members may take 5 s (RFC 7252 §8.2) */

/* One request on its way. The first one may be the group's, the others answer challenges. */
struct request {
    struct cg_token token;
    struct cg_oscore_binding binding; /* what its responses are checked against */
    bool is_answered;                 /* by the one member that it went to */
};

struct client {
    struct cg_oscore_context *context;
    struct numbers numbers;
    int fd;
    uint16_t mid;
    const char *path;
    struct request requests[REQUESTS];
    struct cg_oscore_answers answered[MEMBERS];
    size_t sent, members, answers;
};

/* Uri-Path is 11, Echo 252: options come in the order of their numbers. */
static void compose(struct cg_msg *plain, uint8_t *room, size_t cap, const char *path, struct cg_slice echo) {
    struct cg_msg_writer writer;
    cg_msg_begin_inner(&writer, room, cap, CG_GET);
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_str(path));
    if (echo.len > 0) cg_msg_put_opt(&writer, CG_OPT_ECHO, echo);
    int len = cg_msg_end(&writer);
    if (len < 0 || cg_msg_parse_inner(plain, cg_slice_of(room, (size_t)len)) != CG_OK) errx(1, "/%s is too long", path);
}

/* To the group (NULL) in group mode, or to a member in pairwise mode. */
static void send_request(struct client *client, struct cg_oscore_peer *to, struct cg_slice echo,
                         const struct endpoint *destination) {
    static uint8_t room[1024], datagram[DATAGRAM];
    struct cg_msg plain;
    if (client->sent == REQUESTS) return;
    struct request *request = &client->requests[client->sent++];
    compose(&plain, room, sizeof room, client->path, echo);
    request->token.len = CG_TOKEN_MAX;
    randombytes_buf(request->token.bytes, CG_TOKEN_MAX);
    plain.type = CG_NON;
    plain.mid = client->mid++;
    plain.token = request->token;
    int len = cg_oscore_seal_request(client->context, to, numbers_take(&client->numbers), &plain, datagram,
                                     sizeof datagram, &request->binding);
    if (len < 0) errx(1, "not sealed: %s", cg_err_info(len)->text);
    if (sendto(client->fd, datagram, (size_t)len, 0, (const struct sockaddr *)&destination->addr, destination->len) < 0)
        err(1, "sendto");
}

static struct request *request_of(struct client *client, const struct cg_token *token) {
    for (struct request *one = client->requests; one < client->requests + client->sent; one++)
        if (one->token.len == token->len && memcmp(one->token.bytes, token->bytes, token->len) == 0) return one;
    return NULL;
}

/* A Confirmable response is acknowledged, or it would come again. */
static void acknowledge(const struct client *client, const struct cg_msg *sealed, const struct endpoint *from) {
    uint8_t ack[4];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, ack, sizeof ack, CG_ACK, CG_EMPTY, sealed->mid, (struct cg_token){0});
    (void)sendto(client->fd, ack, sizeof ack, 0, (const struct sockaddr *)&from->addr, from->len);
}

static void show(struct client *client, const struct cg_msg *plain, const struct cg_oscore_opened *opened) {
    const struct cg_slice kid = cg_oscore_peer_id(opened->peer), text = plain->payload;
    char id[2 * CG_OSCORE_ID_MAX + 1], code[5];
    cg_code_text(plain->code, code);
    sodium_bin2hex(id, sizeof id, kid.data, kid.len);
    printf("%s %s %s ", id, opened->group_mode ? "group" : "pairwise", code);
    for (size_t i = 0; i < text.len; i++) putchar(isprint(text.data[i]) ? text.data[i] : '.');
    putchar('\n');
    client->answers++;
}

/* What a member has answered to the group's request so far: its answers may come twice, or be repeated by others. */
static struct cg_oscore_answers *answers_of(struct client *client, struct cg_oscore_peer *peer) {
    if (cg_oscore_peer_user(peer) == NULL && client->members == MEMBERS) errx(1, "more than %d members", MEMBERS);
    if (cg_oscore_peer_user(peer) == NULL) cg_oscore_peer_set_user(peer, &client->answered[client->members++]);
    return cg_oscore_peer_user(peer);
}

static void take(struct client *client, const struct cg_msg *sealed, const struct endpoint *from) {
    static uint8_t room[CG_OSCORE_OPEN_ROOM(DATAGRAM)];
    struct request *request = request_of(client, &sealed->token);
    struct cg_oscore_opening op;
    struct cg_oscore_opened opened;
    struct cg_msg plain;
    struct cg_slice echo;
    if (request == NULL || request->is_answered) return;
    if (sealed->type == CG_CON) acknowledge(client, sealed, from);
    bool to_one = request->binding.has_server;
    int status = cg_oscore_open_response_prepare(&op, client->context, sealed, &request->binding);
    if (status == CG_PENDING) cg_oscore_verify_run(&op.job); /* op.peer is who it claims to be; any thread may do it */
    if (status >= 0)
        status =
            cg_oscore_open_finish(&op, to_one ? NULL : answers_of(client, op.peer), room, sizeof room, &plain, &opened);
    request->is_answered = to_one && status == CG_OK;
    if (status < 0)
        warnx("refused: %s", cg_err_info(status)->text);
    else if (cg_oscore_is_challenge(&plain, &echo))
        send_request(client, cg_oscore_has_pairwise_mode(client->context) ? opened.peer : NULL, echo, from);
    else
        show(client, &plain, &opened);
}

static bool receive(struct client *client) {
    static uint8_t datagram[DATAGRAM];
    struct pollfd answers = {.fd = client->fd, .events = POLLIN};
    struct endpoint from = {.len = sizeof from.addr};
    struct cg_msg sealed;
    if (poll(&answers, 1, SILENCE_MS) <= 0) return false;
    ssize_t len = recvfrom(client->fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from.addr, &from.len);
    if (len >= 0 && cg_msg_parse(&sealed, cg_slice_of(datagram, (size_t)len)) == CG_OK) take(client, &sealed, &from);
    return true;
}

int main(int argc, char **argv) {
    static struct client client;
    if (argc < 7) errx(2, "use: %s KEYS.json INTERFACE ADDRESS PORT PATH COUNT [MEMBER]", argv[0]);
    const struct endpoint destination = endpoint_parse(argv[3], argv[4]);
    const size_t count = strtoul(argv[6], NULL, 10);
    client.context = group_load(argv[1], CG_OSCORE_WINDOW_NEW); /* it takes no requests, so it has none to forget */
    numbers_open(&client.numbers, argv[1]);
    client.fd = socket_towards(&destination, interface_parse(argv[2]));
    client.path = argv[5];
    client.mid = (uint16_t)randombytes_random();
    send_request(&client, argc > 7 ? group_peer(client.context, argv[7]) : NULL, CG_SLICE_NONE, &destination);
    while (client.answers < count && receive(&client)) continue;
    cg_oscore_context_unref(client.context);
    return client.answers < count;
}
