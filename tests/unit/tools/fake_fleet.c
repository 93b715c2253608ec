#include "fake_fleet.h"

#include "base/check.h"

struct world w;

static void on_send(void *ctx, uint32_t member, const struct cg_addr *to, struct cg_slice datagram) {
    assert_ptr_equal(ctx, &w);
    assert_true(w.len < SENT_MAX);
    struct sent *sent = &w.sent[w.len++];
    *sent = (struct sent){.member = member, .to = *to, .len = datagram.len, .bytes = malloc(datagram.len)};
    CG_CHECK(sent->bytes != NULL);
    memcpy(sent->bytes, datagram.data, datagram.len);
    sent->malformed = cg_msg_parse(&sent->msg, cg_slice_of(sent->bytes, sent->len)) != CG_OK;
}

void forget_sent(void) {
    while (w.len > 0) free(w.sent[--w.len].bytes);
}

void start(const char *const *argv, size_t argc) {
    char error[CG_MEMBER_ERROR_MAX];
    w.now = 1000 * SECOND;
    assert_int_equal(cg_member_options_parse(&w.options, (int)argc, argv, error), CG_OK);
    assert_int_equal(cg_addr_parse(&w.client, cg_slice_str("127.0.0.1:40000"), 0), CG_OK);
    w.port = (struct cg_fleet_port){.ctx = &w, .send = on_send};
    w.fleet = cg_fleet_new(&w.options, w.options.seed, NULL, &w.port);
    assert_non_null(w.fleet);
}

int stop(void **state) {
    (void)state;
    cg_fleet_free(w.fleet);
    w.fleet = NULL;
    forget_sent();
    return 0;
}

static void put_number(struct cg_msg_writer *writer, uint16_t number, int value) {
    if (value != 0) cg_msg_put_uint(writer, number, value == -1 ? 0 : (uint32_t)value);
}

static void put_path(struct cg_msg_writer *writer, const char *path) {
    for (size_t len; *path != '\0'; path += len + (path[len] != '\0')) {
        len = strcspn(path, "/");
        cg_msg_put_opt(writer, CG_OPT_URI_PATH, cg_slice_of(path, len));
    }
}

struct cg_slice emit(const struct request *r, uint8_t *to, size_t cap) {
    struct cg_msg_writer m;
    cg_msg_begin(&m, to, cap, r->type, r->code == 0 ? CG_GET : r->code, r->mid,
                 (struct cg_token){.len = 2, .bytes = {0xca, r->token}});
    if (r->extra != 0 && r->extra < CG_OPT_ETAG) cg_msg_put_opt(&m, r->extra, CG_SLICE_NONE);
    if (r->etag.len > 0) cg_msg_put_opt(&m, CG_OPT_ETAG, r->etag);
    put_number(&m, CG_OPT_OBSERVE, r->observe);
    if (r->extra > CG_OPT_OBSERVE && r->extra < CG_OPT_URI_PATH) cg_msg_put_opt(&m, r->extra, CG_SLICE_NONE);
    if (r->path != NULL) put_path(&m, r->path);
    if (r->query != NULL) cg_msg_put_opt(&m, CG_OPT_URI_QUERY, cg_slice_str(r->query));
    put_number(&m, CG_OPT_ACCEPT, r->accept);
    put_number(&m, CG_OPT_BLOCK2, r->block2);
    put_number(&m, CG_OPT_BLOCK1, r->block1);
    if (r->extra > CG_OPT_BLOCK2 && r->extra < CG_OPT_NO_RESPONSE) cg_msg_put_opt(&m, r->extra, cg_slice_str("x"));
    put_number(&m, CG_OPT_NO_RESPONSE, r->no_response);
    if (r->tag != NULL) cg_msg_put_opt(&m, CG_OPT_REQUEST_TAG, cg_slice_str(r->tag));
    if (r->extra > CG_OPT_NO_RESPONSE) cg_msg_put_opt(&m, r->extra, cg_slice_str("x"));
    if (r->payload != NULL) cg_msg_put_payload(&m, cg_slice_str(r->payload));
    int len = cg_msg_end(&m);
    assert_true(len > 0);
    return cg_slice_of(to, (size_t)len);
}

void run_to(uint64_t when) {
    for (uint64_t next; (next = cg_fleet_run(w.fleet, w.now)) <= when;) w.now = next;
    w.now = when;
}

void run_now(void) { (void)cg_fleet_run(w.fleet, w.now); }

void cast(const struct request *request) {
    uint8_t bytes[1024];
    cg_fleet_receive_group(w.fleet, 0, &w.client, emit(request, bytes, sizeof bytes), w.now);
    run_now();
}

const struct cg_msg *ask(uint32_t member, const struct request *request) {
    uint8_t bytes[1024];
    size_t before = w.len;
    cg_fleet_receive(w.fleet, member, &w.client, emit(request, bytes, sizeof bytes), w.now);
    run_now();
    if (w.len == before) return NULL;
    assert_int_equal(w.sent[w.len - 1].member, member);
    return &w.sent[w.len - 1].msg;
}

void say_empty(uint32_t member, enum cg_type type, uint16_t mid) {
    uint8_t bytes[] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    cg_fleet_receive(w.fleet, member, &w.client, cg_slice_of(bytes, sizeof bytes), w.now);
    run_now();
}

void assert_payload(const struct cg_msg *msg, const char *text) {
    assert_int_equal(msg->payload.len, strlen(text));
    assert_memory_equal(msg->payload.data, text, msg->payload.len);
}

uint32_t option(const struct cg_msg *msg, uint16_t number) {
    uint32_t value;
    return cg_msg_find_uint(msg, number, &value) ? value : UINT32_MAX;
}
