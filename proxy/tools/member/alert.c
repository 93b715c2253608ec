/* One alert of one member. The hard thing: whoever is asked may want to see first that the request is fresh (RFC 10021
 * §9), and then a new one follows, with a new number and what is to be echoed; while the same bytes go several times
 * only as RFC 7252 §4.2 has it, or where a test wants a replay. */
#include "tools/member/alert.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "oscore/oscore.h"
#include "tools/member/identity.h"
#include "tools/member/net.h"
#include "tools/member/numbers.h"
#include "wire/uri.h"

enum {
    ROOM = 65536,
    ACK_TIMEOUT_MS = 2000,
    SEPARATE_MS = 10000, /* for a response, once the request is acknowledged */
    REPLAY_MS = 1000,    /* for an answer that should not come */
    ATTEMPTS = 5,
    CHALLENGES = 2,
};

struct sender {
    const struct cg_member_options *options;
    struct cg_security_group *keys;
    struct cg_identity identity;
    struct cg_oscore_peer *to;
    bool is_pairwise;
    struct cg_uri uri;
    struct cg_numbers numbers;
    char numbers_name[4096];
    uint64_t next;
    struct cg_arena arena;
    struct cg_opts target;
    int fd;
    uint16_t mid;
    uint8_t sealed[ROOM];
    size_t sealed_len;
    struct cg_oscore_binding binding;
    uint8_t received[ROOM], plain[CG_OSCORE_OPEN_ROOM(ROOM)];
};

static int complain(const char *what, const char *why) {
    (void)fprintf(stderr, "castgate-member: %s: %s\n", what, why);
    return CG_E_BAD_REQUEST;
}

/* ---- Who sends to whom ---- */

static bool has_id(const struct cg_security_party *party, const char *hex) {
    uint8_t id[CG_OSCORE_ID_MAX];
    size_t len;
    return cg_hex_parse(cg_slice_str(hex), id, sizeof id, &len) == CG_OK &&
           cg_slice_equal(party->id, cg_slice_of(id, len));
}

static const struct cg_security_party *find_owner(const struct cg_security_group *keys, const char *hex) {
    size_t count = cg_identity_owner_count(keys);
    if (hex == NULL) return count == 1 ? cg_identity_owner(keys, 0) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (has_id(cg_identity_owner(keys, i), hex)) return cg_identity_owner(keys, i);
    }
    return NULL;
}

/* A group's file says who the gateway is. */
static struct cg_oscore_peer *find_receiver(const struct cg_identity *identity, const char *hex) {
    if (hex == NULL) return identity->requester_count == 1 ? identity->requesters[0] : NULL;
    for (size_t i = 0; i < identity->requester_count; i++) {
        const struct cg_security_party party = {.id = cg_oscore_peer_id(identity->requesters[i])};
        if (has_id(&party, hex)) return identity->requesters[i];
    }
    return NULL;
}

static int load_file(struct sender *sender) {
    const struct cg_member_options *options = sender->options;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_security_group_load(options->keys, CG_GROUP_FILE_OF_MEMBERS, options->may_be_shared, &sender->keys,
                                     &mistakes);
    if (err < 0) (void)complain(options->keys, mistakes.first == NULL ? "no memory" : mistakes.first->message);
    cg_mistakes_fini(&mistakes);
    return err;
}

static int load(struct sender *sender) {
    const struct cg_member_options *options = sender->options;
    const char *why = "no memory";
    if (load_file(sender) < 0) return CG_E_KEY;
    const struct cg_security_party *owner = find_owner(sender->keys, options->alert_from);
    if (owner == NULL) return complain("--from", "needs the Sender ID of one of the members, in hexadecimal");
    if (cg_identity_init(&sender->identity, sender->keys, owner, owner->id, CG_OSCORE_WINDOW_NEW, &why) < 0)
        return complain(options->keys, why);
    sender->to = find_receiver(&sender->identity, options->alert_to);
    if (sender->to == NULL) return complain("--to", "needs the Sender ID of whom it is for, in hexadecimal");
    bool can_pairwise = cg_oscore_has_pairwise_mode(sender->identity.context);
    sender->is_pairwise = options->has_mode ? options->pairwise : can_pairwise;
    sender->numbers.file = options->numbers;
    if (options->numbers != NULL) return CG_OK;
    if (!cg_numbers_name(sender->numbers_name, sizeof sender->numbers_name, options->keys))
        return complain("--keys", strerror(ENAMETOOLONG));
    sender->numbers.file = sender->numbers_name;
    return CG_OK;
}

static int take_number(struct sender *sender, uint64_t *number) {
    char error[CG_MEMBER_ERROR_MAX];
    if (sender->next == sender->numbers.end) {
        if (cg_numbers_reserve(&sender->numbers, time(NULL), error, sizeof error) < 0)
            return complain("--numbers", error);
        sender->next = sender->numbers.first;
    }
    *number = sender->next++;
    return CG_OK;
}

/* ---- The request ---- */

static int read_target(struct sender *sender) {
    const char *why = NULL;
    int err = cg_uri_parse(&sender->uri, cg_slice_str(sender->options->alert), &why);
    if (err < 0) return complain("--alert", why);
    cg_arena_init(&sender->arena, SIZE_MAX, NULL);
    struct cg_slice query = sender->uri.has_query ? sender->uri.query : CG_SLICE_NONE;
    err = cg_uri_decompose(&sender->target, &sender->arena, sender->uri.path, CG_SLICE_NONE, query, CG_SLICE_NONE);
    return err < 0 ? complain("--alert", "its path or query cannot be sent") : CG_OK;
}

static void put_target(const struct sender *sender, struct cg_msg_writer *writer, uint16_t from, uint16_t to) {
    for (size_t i = 0; i < sender->target.count; i++) {
        const struct cg_opt *opt = &sender->target.list[i];
        if (opt->number >= from && opt->number < to) cg_msg_put_opt(writer, opt->number, opt->value);
    }
}

static struct cg_token make_token(void) {
    struct cg_token token = {.len = 4};
    if (getrandom(token.bytes, token.len, 0) != token.len) abort(); /* cannot happen for so few */
    return token;
}

static int seal(struct sender *sender, struct cg_slice echo) {
    static uint8_t bytes[ROOM];
    struct cg_msg_writer writer;
    struct cg_msg plain;
    uint64_t number;
    if (take_number(sender, &number) < 0) return CG_E_STORE;
    const struct cg_member_options *options = sender->options;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_CON, options->alert_method, ++sender->mid, make_token());
    put_target(sender, &writer, 0, CG_OPT_CONTENT_FORMAT);
    if (options->alert_body != NULL) cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, 0);
    put_target(sender, &writer, CG_OPT_CONTENT_FORMAT, UINT16_MAX);
    if (echo.len > 0) cg_msg_put_opt(&writer, CG_OPT_ECHO, echo);
    if (options->alert_body != NULL) cg_msg_put_payload(&writer, cg_slice_str(options->alert_body));
    int len = cg_msg_end(&writer);
    if (len >= 0) len = cg_msg_parse(&plain, cg_slice_of(bytes, (size_t)len));
    if (len >= 0)
        len = cg_oscore_seal_request(sender->identity.context, sender->is_pairwise ? sender->to : NULL, number, &plain,
                                     sender->sealed, sizeof sender->sealed, &sender->binding);
    if (len < 0) return complain("--alert", "cannot be protected in this mode");
    cg_oscore_binding_expect(&sender->binding, sender->to);
    sender->sealed_len = (size_t)len;
    if (options->alert_flip) sender->sealed[sender->sealed_len - 1] ^= 1;
    return CG_OK;
}

/* ---- The network ---- */

static int open_socket(struct sender *sender) {
    struct cg_addr own = {.family = sender->uri.addr.family};
    union cg_net_addr to;
    if (sender->options->has_bind && sender->options->bind.family == own.family) own = sender->options->bind;
    own.port = 0;
    socklen_t len = cg_net_from_addr(&to, &sender->uri.addr);
    sender->fd = cg_net_open_own(&own);
    if (sender->fd < 0 || connect(sender->fd, &to.any, len) != 0) return complain("--alert", strerror(errno));
    return CG_OK;
}

static void send_bytes(const struct sender *sender, const void *bytes, size_t len) {
    (void)(send(sender->fd, bytes, len, 0) < 0); /* a network may lose it */
}

static void send_empty(const struct sender *sender, enum cg_type type, uint16_t mid) {
    struct cg_msg_writer writer;
    uint8_t bytes[8];
    cg_msg_begin(&writer, bytes, sizeof bytes, type, CG_EMPTY, mid, (struct cg_token){0});
    send_bytes(sender, bytes, writer.len);
}

static uint64_t now_ms(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with these arguments */
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

enum event { SILENCE, ACKNOWLEDGED, REJECTED, RESPONSE };

static bool is_ours(const struct sender *sender, const struct cg_msg *msg) {
    const uint8_t *token = sender->sealed + 4;
    return msg->token.len == (sender->sealed[0] & 15) && memcmp(msg->token.bytes, token, msg->token.len) == 0;
}

/* What one datagram is to the request; SILENCE: nothing. */
static enum event read_datagram(const struct sender *sender, struct cg_slice datagram, struct cg_msg *msg) {
    if (cg_msg_parse(msg, datagram) != CG_OK) return SILENCE;
    bool is_its_mid = msg->mid == sender->mid;
    if (msg->code == CG_EMPTY && is_its_mid && msg->type == CG_RST) return REJECTED;
    if (msg->code == CG_EMPTY && is_its_mid && msg->type == CG_ACK) return ACKNOWLEDGED;
    if (!cg_code_is_response(msg->code) || !is_ours(sender, msg)) return SILENCE;
    if (msg->type == CG_CON) send_empty(sender, CG_ACK, msg->mid);
    return RESPONSE;
}

static enum event wait_for(struct sender *sender, int ms, struct cg_msg *msg) {
    uint64_t end = now_ms() + (uint64_t)ms;
    for (uint64_t now = now_ms(); now < end; now = now_ms()) {
        struct pollfd poll_fd = {.fd = sender->fd, .events = POLLIN};
        if (poll(&poll_fd, 1, (int)(end - now)) <= 0) continue;
        ssize_t got = recv(sender->fd, sender->received, sizeof sender->received, MSG_DONTWAIT);
        if (got < 0) continue; /* ICMP errors among them: somebody may listen there soon */
        enum event event = read_datagram(sender, cg_slice_of(sender->received, (size_t)got), msg);
        if (event != SILENCE) return event;
    }
    return SILENCE;
}

/* RFC 7252 §4.2. */
static enum event ask(struct sender *sender, struct cg_msg *msg) {
    int timeout_ms = ACK_TIMEOUT_MS + sender->mid % (ACK_TIMEOUT_MS / 2);
    enum event event = SILENCE;
    for (int i = 0; event == SILENCE && i < ATTEMPTS; i++, timeout_ms *= 2) {
        send_bytes(sender, sender->sealed, sender->sealed_len);
        event = wait_for(sender, timeout_ms, msg);
    }
    return event == ACKNOWLEDGED ? wait_for(sender, SEPARATE_MS, msg) : event;
}

/* ---- What comes of it ---- */

static void print_code(const char *what, uint8_t code, const char *how, struct cg_slice payload) {
    char text[5];
    cg_code_text(code, text);
    (void)printf("%s%s%s", what, text, how);
    if (payload.len > 0) (void)printf(" %.*s", (int)payload.len, (const char *)payload.data);
    (void)printf("\n");
}

static const char *silence_of(enum event event) {
    return event == REJECTED ? "rejected by a Reset" : "nobody answered";
}

/* The plain answer, or why there is none; *echo is set where it is a challenge. */
static int open_answer(struct sender *sender, const struct cg_msg *msg, struct cg_msg *plain, struct cg_slice *echo) {
    struct cg_oscore_opened opened;
    struct cg_slice option;
    *echo = CG_SLICE_NONE;
    if (!cg_msg_find(msg, CG_OPT_OSCORE, &option)) {
        print_code("", msg->code, " (not protected)", msg->payload);
        return CG_E_UNPROTECTED;
    }
    if (cg_oscore_open_response(sender->identity.context, msg, &sender->binding, NULL, sender->plain,
                                sizeof sender->plain, plain, &opened) < 0)
        return complain("--alert", "the answer does not verify");
    if (!cg_oscore_is_challenge(plain, echo)) *echo = CG_SLICE_NONE;
    return CG_OK;
}

/* The answer's code, 0 where there is none. */
static uint8_t send_once(struct sender *sender, struct cg_slice *echo) {
    struct cg_msg msg, plain;
    if (seal(sender, *echo) < 0) return 0;
    enum event event = ask(sender, &msg);
    if (event != RESPONSE) {
        (void)complain("--alert", silence_of(event));
        return 0;
    }
    if (open_answer(sender, &msg, &plain, echo) < 0) return 0;
    print_code("", plain.code, echo->len > 0 ? " (challenge: sent again)" : "", plain.payload);
    return plain.code;
}

/* From another port: at the same one the same message is a duplicate, which is answered as before. */
static void send_replay(struct sender *sender) {
    struct cg_msg msg;
    (void)close(sender->fd);
    if (open_socket(sender) < 0) return;
    send_bytes(sender, sender->sealed, sender->sealed_len);
    enum event event = wait_for(sender, REPLAY_MS, &msg);
    if (event == RESPONSE) {
        print_code("replay: ", msg.code, "", CG_SLICE_NONE);
    } else {
        (void)printf("replay: %s\n", event == ACKNOWLEDGED ? "acknowledged" : silence_of(event));
    }
}

static int run(struct sender *sender) {
    uint8_t code = 0;
    struct cg_slice echo = CG_SLICE_NONE;
    for (int i = 0; i <= CHALLENGES && (i == 0 || echo.len > 0); i++) code = send_once(sender, &echo);
    for (uint32_t i = 0; i < sender->options->alert_replays; i++) send_replay(sender);
    return code >> 5 == 2 ? 0 : 1;
}

int cg_member_alert(const struct cg_member_options *options) {
    struct sender *sender = calloc(1, sizeof *sender);
    int status = 1;
    if (sender == NULL) {
        (void)complain("--alert", strerror(ENOMEM));
        return status;
    }
    sender->options = options;
    sender->fd = -1;
    bool has_mid = getrandom(&sender->mid, sizeof sender->mid, 0) == (ssize_t)sizeof sender->mid;
    if (has_mid && load(sender) == CG_OK && read_target(sender) == CG_OK && open_socket(sender) == CG_OK)
        status = run(sender);
    if (sender->fd >= 0) (void)close(sender->fd);
    cg_identity_fini(&sender->identity);
    cg_security_group_free(sender->keys);
    cg_arena_fini(&sender->arena);
    free(sender);
    return fflush(stdout) == 0 ? status : 1;
}
