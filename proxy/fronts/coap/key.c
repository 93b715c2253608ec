/* Keys. The hard thing: parts of different length stand behind each other, so each begins with its length, or two
 * requests that differ could give the same bytes. */
#include "fronts/coap/key.h"

#include "base/buf.h"

#include <openssl/sha.h>

static void put_number(struct cg_buf *to, uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) cg_buf_put_u8(to, (uint8_t)(number >> shift));
}

static void put_part(struct cg_buf *to, struct cg_slice bytes) {
    put_number(to, (uint32_t)bytes.len);
    cg_buf_put_slice(to, bytes);
}

static void put_addr(struct cg_buf *to, const struct cg_addr *addr) {
    cg_buf_put_u8(to, addr->family);
    put_number(to, addr->port);
    put_number(to, addr->scope);
    cg_buf_put(to, addr->ip, sizeof addr->ip);
}

static void put_endpoint(struct cg_buf *to, const struct cg_request *request) {
    put_part(to, request->client == NULL ? CG_SLICE_NONE : cg_slice_str(request->client->name));
    put_addr(to, &request->peer);
    put_addr(to, &request->reached);
    cg_buf_put_u8(to, (uint8_t)request->scheme);
}

static void put_option(struct cg_buf *to, uint16_t number, struct cg_slice value) {
    put_number(to, number);
    put_part(to, value);
}

static bool finish(struct cg_coap_key *key, struct cg_buf *from) {
    bool is_whole = !from->failed;
    if (is_whole) SHA256(from->data, from->len, key->digest);
    cg_buf_fini(from);
    return is_whole;
}

/* RFC 7252 §5.6: what is fully understood needs no match, nor what is marked so. */
static bool is_of_cache_key(uint16_t number) {
    return number != CG_OPT_ETAG && number != CG_OPT_OBSERVE && !cg_opt_is_no_cache_key(number);
}

bool cg_coap_key_of_request(struct cg_coap_key *key, const struct cg_request *request) {
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    put_endpoint(&buf, request);
    cg_buf_put_u8(&buf, request->method);
    cg_buf_put_u8(&buf, request->forward);
    if (!request->forward) { /* else the path is the whole target, in whatever form it was named */
        put_number(&buf, request->port);
        put_part(&buf, request->host);
    }
    put_part(&buf, request->path);
    cg_buf_put_u8(&buf, request->query.data != NULL);
    put_part(&buf, request->query);
    for (size_t i = 0; i < request->options.count; i++) {
        const struct cg_opt *option = &request->options.list[i];
        if (is_of_cache_key(option->number)) put_option(&buf, option->number, option->value);
    }
    return finish(key, &buf);
}

void cg_coap_key_of_payload(struct cg_coap_key *key, struct cg_slice payload) {
    *key = (struct cg_coap_key){0};
    if (payload.len > 0) SHA256(payload.data, payload.len, key->digest);
}

/* Where and how much, how fresh, and what is said of the response: with each block anew, or the last alone (RFC 7967).
 */
static bool is_of_block(uint16_t number) {
    switch (number) {
    case CG_OPT_BLOCK1:
    case CG_OPT_BLOCK2:
    case CG_OPT_SIZE1:
    case CG_OPT_SIZE2:
    case CG_OPT_OBSERVE:
    case CG_OPT_ECHO:
    case CG_OPT_NO_RESPONSE: return true;
    default: return cg_opt_is_no_cache_key(number);
    }
}

bool cg_coap_key_of_upload(struct cg_coap_key *key, const struct cg_request *request,
                           const struct cg_coap_message *message) {
    struct cg_msg msg = {.options = message->options};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    put_endpoint(&buf, request);
    cg_buf_put_u8(&buf, message->code);
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (!is_of_block(opt.number)) put_option(&buf, opt.number, opt.value);
    }
    return finish(key, &buf);
}
