/* Questions to All CoAP Nodes. The hard thing is whose answer it is: whoever asks may be anybody, so he hears of what
 * anonymous clients may use; and he asks at a port at which perhaps nobody listens to unicast, so links are whole URIs
 * then, of a listener that he can reach. Where there is none he hears nothing. */
#include "fronts/coap/all_nodes.h"

#include <stdio.h>

#include "fronts/coap/bodies.h"
#include "fronts/coap/to_coap.h"
#include "wire/content_format.h"

/* ---- Listeners that can be reached from there ---- */

/* Of IPv6's sockets for groups, until the kernel chooses. */
static bool is_unknown(const struct cg_addr *own) { return cg_addr_is_multicast(own) || cg_addr_is_unspecified(own); }

/* The listener's address for whoever asked; family NONE: it has none for him, or it is not known. */
static struct cg_addr reachable(const struct cg_coap_listen *listen, const struct cg_all_nodes_way *way) {
    struct cg_addr addr = listen->listen.addr, none = {0};
    if (!cg_coap_is_by_datagrams(listen) || addr.family != way->own.family) return none;
    if (cg_addr_is_unspecified(&addr)) {
        struct cg_addr own = cg_addr_host(&way->own);
        own.port = addr.port;
        return own;
    }
    if (cg_addr_is_loopback(&addr)) return way->is_local ? addr : none;
    bool is_own = is_unknown(&way->own) ? !cg_addr_is_link_local(&addr) : cg_addr_same_host(&addr, &way->own);
    return is_own ? addr : none;
}

/* Paths alone mean the address and port that answer. */
static bool is_where_it_asked(const struct cg_coap_listen *listen, const struct cg_addr *addr,
                              const struct cg_all_nodes_way *way) {
    return listen->scheme == CG_SCHEME_COAP && addr->port == CG_COAP_PORT && cg_addr_same_host(addr, &way->own);
}

/* False: it cannot be told, since the address that answers is the kernel's choice. */
static bool put_base(char *base, size_t cap, const struct cg_coap_listen *listen, const struct cg_addr *addr,
                     const struct cg_all_nodes_way *way) {
    char text[CG_ADDR_TEXT_MAX];
    base[0] = '\0';
    if (is_where_it_asked(listen, addr, way)) return true;
    if (is_unknown(addr)) return false;
    cg_addr_emit(addr, text);
    snprintf(base, cap, "%s://%s", cg_scheme_name(listen->scheme), text);
    return true;
}

static const struct cg_coap_listen *find_listener(const struct cg_config *config, const struct cg_all_nodes_way *way,
                                                  char *base, size_t cap) {
    for (size_t i = 0; i < config->coap.listen_count; i++) {
        const struct cg_coap_listen *listen = &config->coap.listen[i];
        struct cg_addr addr = reachable(listen, way);
        if (addr.family != CG_FAMILY_NONE && put_base(base, cap, listen, &addr, way)) return listen;
    }
    return NULL;
}

/* ---- Questions ---- */

static bool is_question(const struct cg_msg *message) { return message->type == CG_NON && message->code == CG_GET; }

static void take_sender(const struct cg_all_nodes_way *way, const struct cg_coap_listen *listen,
                        struct cg_request *request) {
    request->peer = way->from;
    request->from = cg_addr_host(&way->from);
    request->reached = way->own;
    request->scheme = CG_CRI_COAP;
    request->is_remote = !way->is_local;
    request->may_be_anonymous = way->is_local || listen->listen.insecure;
}

static bool convert(const struct cg_from_coap *from, struct cg_all_nodes_question *question) {
    struct cg_coap_extras extras;
    if (cg_from_coap_head(from, &extras) < 0 || extras.meant != CG_COAP_DISCOVERY) return false;
    if (cg_from_coap_rest(from, &extras) < 0) return false;
    if (cg_coap_is_barred(from->request->no_response, CG_CODE(2, 5))) return false;
    question->szx = extras.has_block2 ? extras.block2.szx : CG_BLOCK_SZX_MAX;
    return !extras.has_block2 || extras.block2.number == 0;
}

bool cg_all_nodes_understand(const struct cg_config *config, const struct cg_all_nodes_way *way,
                             struct cg_slice datagram, struct cg_arena *arena, struct cg_all_nodes_question *question) {
    struct cg_msg message;
    struct cg_problem problem = {0};
    *question = (struct cg_all_nodes_question){0};
    if (datagram.len > CG_ALL_NODES_QUESTION_MAX || cg_msg_parse(&message, datagram) < 0 || !is_question(&message))
        return false;
    const struct cg_coap_listen *listen = find_listener(config, way, question->base, sizeof question->base);
    if (listen == NULL) return false;
    const struct cg_coap_message asked = {.code = message.code, .options = message.options, .payload = message.payload};
    const struct cg_from_coap from = {
        .config = config, .message = &asked, .arena = arena, .request = &question->request, .problem = &problem};
    question->token = message.token;
    take_sender(way, listen, &question->request);
    return convert(&from, question);
}

/* ---- Answers ---- */

/* RFC 7959 §2.4: the first block, where it is not the only one; the others are asked for by unicast. */
static void put_block(struct cg_msg_writer *writer, struct cg_slice *links, uint8_t szx) {
    struct cg_block block = {.more = true, .szx = szx};
    uint8_t value[CG_BLOCK_MAX];
    size_t size = cg_block_size(&block), len = cg_block_emit(&block, value);
    if (links->len <= size) return;
    cg_msg_put_opt(writer, CG_OPT_BLOCK2, cg_slice_of(value, len));
    cg_msg_put_uint(writer, CG_OPT_SIZE2, (uint32_t)links->len);
    links->len = size;
}

size_t cg_all_nodes_answer(const struct cg_all_nodes_question *question, struct cg_slice links, uint16_t mid,
                           uint8_t to[CG_ALL_NODES_ANSWER_MAX]) {
    struct cg_msg_writer writer;
    uint8_t etag[CG_COAP_ETAG_MAX];
    if (links.len == 0) return 0;
    cg_coap_body_make_etag(etag, links);
    cg_msg_begin(&writer, to, CG_ALL_NODES_ANSWER_MAX, CG_NON, CG_CODE(2, 5), mid, question->token);
    cg_msg_put_opt(&writer, CG_OPT_ETAG, cg_slice_of(etag, sizeof etag));
    cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, CG_FORMAT_LINKS);
    put_block(&writer, &links, question->szx);
    cg_msg_put_payload(&writer, links);
    int len = cg_msg_end(&writer);
    return len < 0 ? 0 : (size_t)len;
}
