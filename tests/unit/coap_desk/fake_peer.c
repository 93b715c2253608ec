/* The transport's side of peer.h, in memory. The hard thing is what the front promises it: one answer to a request at
 * most, within the request, and as many releases as holds. */
#include "coap_desk/fake_peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "fronts/coap/token.h"

/* ---- What the front calls ---- */

static struct cg_slice keep(struct said *said, size_t *used, struct cg_slice bytes) {
    assert_true(*used + bytes.len <= sizeof said->bytes);
    uint8_t *to = said->bytes + *used;
    if (bytes.len > 0) memcpy(to, bytes.data, bytes.len);
    *used += bytes.len;
    return cg_slice_of(to, bytes.len);
}

static void say(struct cg_coap_peer *peer, const struct cg_coap_message *message, enum how how, enum cg_type type) {
    size_t used = 0;
    assert_true(peer->said_count < SAID_MAX);
    struct said *said = &peer->said[peer->said_count++];
    said->how = how;
    said->type = type;
    said->code = message->code;
    said->token = keep(said, &used, message->token);
    said->options = keep(said, &used, message->options);
    said->payload = keep(said, &used, message->payload);
}

void cg_coap_peer_answer(struct cg_coap_peer *peer, const struct cg_coap_message *response) {
    assert_true(peer->is_asking);
    assert_false(peer->was_answered);
    peer->was_answered = true;
    say(peer, response, ANSWERED, CG_ACK);
}

void cg_coap_peer_expect(struct cg_coap_peer *peer) {
    assert_true(peer->is_asking);
    assert_false(peer->was_answered);
    peer->expects++;
}

int cg_coap_peer_send(struct cg_coap_peer *peer, const struct cg_coap_message *response, enum cg_type type) {
    if (peer->send_error < 0) return peer->send_error;
    say(peer, response, SENT, type);
    return CG_OK;
}

void cg_coap_peer_hold_for(struct cg_coap_peer *peer, struct cg_slice token) {
    (void)token;
    peer->holds++;
}

void cg_coap_peer_release_for(struct cg_coap_peer *peer, struct cg_slice token) {
    (void)token;
    assert_true(peer->holds > 0);
    peer->holds--;
}

const struct cg_addr *cg_coap_peer_addr(const struct cg_coap_peer *peer) { return &peer->addr; }
const struct cg_addr *cg_coap_peer_local(const struct cg_coap_peer *peer) { return &peer->local; }
const struct cg_listen *cg_coap_peer_listen(const struct cg_coap_peer *peer) { return &peer->listen; }
enum cg_coap_proof cg_coap_peer_proof(const struct cg_coap_peer *peer) { return peer->proof; }
void cg_coap_peer_prove(struct cg_coap_peer *peer) { peer->proof = CG_COAP_PROVEN; }
enum cg_cri_scheme cg_coap_peer_scheme(const struct cg_coap_peer *peer) { return peer->scheme; }
size_t cg_coap_peer_room(const struct cg_coap_peer *peer) {
    (void)peer;
    return CG_COAP_MESSAGE_MAX;
}

void **cg_coap_peer_place(struct cg_coap_peer *peer) { return &peer->place; }

int cg_coap_peer_identify(const struct cg_coap_peer *peer, const struct cg_config *config, struct cg_request *request,
                          struct cg_problem *problem) {
    if (peer->client == NULL) return CG_OK;
    request->client = cg_config_client_by_name(config, peer->client);
    request->proof = CG_PROOF_PSK;
    return request->client != NULL ? CG_OK : cg_problem_set(problem, CG_E_UNAUTHORIZED, "nobody's key");
}

/* ---- What clients do ---- */

enum { MESSAGE_MAX = 4096 };

struct composed {
    uint8_t options[MESSAGE_MAX];
    size_t len;
};

static size_t add_path(struct option *to, const char *path) {
    size_t count = 0;
    for (size_t len; path != NULL && *path != '\0'; path += len + (path[len] == '/')) {
        len = strcspn(path, "/");
        to[count++] = (struct option){CG_OPT_URI_PATH, path, len};
    }
    return count;
}

static size_t add_timeout(struct option *to, const struct desk_fixture *f, int timeout, uint8_t bytes[4]) {
    uint16_t number = f->world->config->options.multicast_timeout;
    size_t len = 0;
    if (timeout < 0) return 0;
    for (unsigned left = (unsigned)timeout; left > 0; left >>= 8) len++;
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)((unsigned)timeout >> (8 * (len - 1 - i)));
    *to = (struct option){number, len == 0 ? "" : (const char *)bytes, len};
    return 1;
}

static void compose(struct composed *to, const struct desk_fixture *f, const struct ask *ask) {
    struct option all[32];
    uint8_t timeout[4];
    size_t count = add_path(all, ask->path);
    count += add_timeout(all + count, f, ask->timeout, timeout);
    for (size_t i = 0; i < 6 && ask->options[i].number != 0; i++) all[count++] = ask->options[i];
    struct option sorted[32]; /* equal numbers as they stand */
    size_t at = 0;
    for (unsigned number = 0; at < count && number <= UINT16_MAX; number++) {
        for (size_t i = 0; i < count; i++) {
            if (all[i].number == number) sorted[at++] = all[i];
        }
    }
    struct cg_msg_writer writer;
    cg_msg_begin_inner(&writer, to->options, sizeof to->options, 0);
    for (size_t i = 0; i < count; i++) {
        size_t len = sorted[i].len == 0 ? strlen(sorted[i].value) : sorted[i].len;
        cg_msg_put_opt(&writer, sorted[i].number, cg_slice_of(sorted[i].value, len));
    }
    int len = cg_msg_end(&writer);
    assert_true(len >= 1);
    to->len = (size_t)len - 1;
}

size_t peer_ask(struct desk_fixture *f, struct cg_coap_peer *peer, const struct ask *ask) {
    struct composed composed;
    size_t before = peer->said_count;
    compose(&composed, f, ask);
    const struct cg_coap_request request = {
        .message = {.code = ask->code == 0 ? CG_GET : ask->code,
                    .token = ask->token,
                    .options = cg_slice_of(composed.options + 1, composed.len),
                    .payload = ask->payload},
        .type = ask->type,
        .size = ask->size != 0 ? ask->size : 4 + ask->token.len + composed.len + ask->payload.len,
        .reached = ask->reached,
    };
    peer->is_asking = true;
    peer->was_answered = false;
    cg_coap_desk_ops.request(f->desk, peer, &request);
    peer->is_asking = false;
    world_run(f->world);
    return peer->said_count - before;
}

void peer_get(struct desk_fixture *f, struct cg_coap_peer *peer, const char *token) {
    const struct ask ask = {.token = cg_slice_str(token), .path = "lamps", .timeout = 2};
    peer_ask(f, peer, &ask);
}

void peer_lose(struct desk_fixture *f, struct cg_coap_peer *peer, const char *token) {
    cg_coap_desk_ops.lost(f->desk, peer, cg_slice_str(token));
    world_run(f->world);
}

void peer_go(struct desk_fixture *f, struct cg_coap_peer *peer) {
    cg_coap_desk_ops.gone(f->desk, peer);
    assert_null(peer->place);
    peer->holds = 0;
    world_run(f->world);
}

const struct said *peer_last(const struct cg_coap_peer *peer) {
    assert_true(peer->said_count > 0);
    return &peer->said[peer->said_count - 1];
}

bool said_has(const struct said *said, uint16_t option, struct cg_slice *value) {
    const struct cg_msg msg = {.options = said->options};
    struct cg_slice unused;
    return cg_msg_find(&msg, option, value == NULL ? &unused : value);
}

void assert_answered(const struct cg_coap_peer *peer, const char *token, uint8_t code, const char *text) {
    const struct said *said = peer_last(peer);
    char payload[SAID_BYTES];
    snprintf(payload, sizeof payload, "%.*s", (int)said->payload.len, (const char *)said->payload.data);
    assert_int_equal(said->code, code);
    assert_int_equal(said->how, ANSWERED);
    assert_true(cg_slice_is(said->token, token));
    if (text != NULL && strstr(payload, text) == NULL) fail_msg("\"%s\" is not in \"%s\"", text, payload);
}

/* ---- The desk ---- */

static const struct castgate_plugin *const plugins[] = {&cg_plugin_multipart_core};
static const struct cg_encoder_list encoders = {.plugins = plugins, .count = 1};

static uint64_t now_us(void *ctx) { return ((struct world *)ctx)->now_us; }

static void make_peer(struct cg_coap_peer *peer, unsigned number) {
    *peer = (struct cg_coap_peer){.addr = address("127.0.0.1:40000"),
                                  .local = address("127.0.0.1:5683"),
                                  .listen = {.addr = address("127.0.0.1:5683"), .loopback = true},
                                  .proof = CG_COAP_PROVEN};
    peer->addr.port = (uint16_t)(40000 + number);
}

void desk_start(struct desk_fixture *f) {
    world_start(f->world);
    f->desk = cg_coap_desk_new(f->world->gateway, (struct cg_coap_clock){now_us, f->world}, &encoders);
    assert_non_null(f->desk);
}

int desk_setup(void **state) {
    struct desk_fixture *f = calloc(1, sizeof *f);
    if (f == NULL || world_setup((void **)&f->world) != 0) return -1;
    for (unsigned i = 0; i < PEERS_MAX; i++) make_peer(&f->peers[i], i);
    *state = f;
    return 0;
}

int desk_teardown(void **state) {
    struct desk_fixture *f = *state;
    for (size_t i = 0; i < PEERS_MAX; i++) peer_go(f, &f->peers[i]);
    cg_coap_desk_free(f->desk);
    world_teardown((void **)&f->world);
    free(f);
    return 0;
}
