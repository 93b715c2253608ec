/* Responses. The hard thing: options stand in ascending order of their numbers, and those of drafts may have any. */
#include "fronts/coap/to_coap.h"

#include <string.h>

enum { HEADER_LEN = 4, TOKEN_PLAIN_MAX = 12, ADDED_MAX = 7 };

size_t cg_to_coap_size(const struct cg_coap_message *message) {
    size_t extended = message->token.len > TOKEN_PLAIN_MAX ? 1 : 0; /* one byte says up to 268 */
    size_t payload = message->payload.len > 0 ? message->payload.len + 1 : 0;
    return HEADER_LEN + extended + message->token.len + message->options.len + payload;
}

bool cg_coap_is_barred(uint32_t no_response, uint8_t code) {
    unsigned class = code >> 5;
    return code != CG_CODE(2, 31) && class > 0 && (no_response >> (class - 1) & 1) != 0;
}

/* Options that the gateway adds, ascending. */
struct added {
    struct cg_opt list[ADDED_MAX];
    struct cg_opts options; /* in the list */
    uint8_t block1[CG_BLOCK_MAX], block2[CG_BLOCK_MAX];
    uint8_t size2[4], observe[4];
};

static void begin(struct added *added) { added->options = (struct cg_opts){.list = added->list}; }

static void add(struct added *added, uint16_t number, struct cg_slice value) {
    cg_opts_insert(&added->options, number, value);
}

static void add_block(struct added *added, uint16_t number, const struct cg_block *block, uint8_t bytes[CG_BLOCK_MAX]) {
    if (block != NULL) add(added, number, cg_slice_of(bytes, cg_block_emit(block, bytes)));
}

static void add_all(struct added *added, const struct cg_to_coap *to) {
    begin(added);
    if (to->reply_from.len > 0) add(added, to->numbers->reply_from, to->reply_from);
    if (to->group_etag.len > 0) add(added, to->numbers->group_etag, to->group_etag);
    if (to->etag.len > 0) add(added, CG_OPT_ETAG, to->etag);
    if (to->observe != NULL) add(added, CG_OPT_OBSERVE, cg_uint_emit(*to->observe, added->observe));
    add_block(added, CG_OPT_BLOCK1, to->block1, added->block1);
    add_block(added, CG_OPT_BLOCK2, to->block2, added->block2);
    if (to->block2 != NULL && to->size2 > 0) add(added, CG_OPT_SIZE2, cg_uint_emit(to->size2, added->size2));
}

/* What this hop consumes (GCP §3.4.1, §4; RFC 7959 §2.10), or says itself. */
static bool is_taken_out(const struct cg_to_coap *to, uint16_t number) {
    const struct cg_option_numbers *numbers = to->numbers;
    if (number == numbers->reply_from || number == numbers->multicast_timeout || number == numbers->group_etag) {
        return true;
    }
    switch (number) {
    case CG_OPT_OBSERVE: /* the member's number is towards the gateway */
    case CG_OPT_BLOCK1:
    case CG_OPT_BLOCK2: return true;
    case CG_OPT_SIZE2: return to->block2 != NULL;
    case CG_OPT_ETAG: return to->etag.len > 0;
    default: return false;
    }
}

static void put_added(struct cg_msg_writer *writer, const struct added *added, size_t *at, uint32_t below) {
    for (; *at < added->options.count && added->list[*at].number < below; (*at)++) {
        cg_msg_put_opt(writer, added->list[*at].number, added->list[*at].value);
    }
}

int cg_to_coap_options(const struct cg_to_coap *to, uint8_t *bytes, size_t cap) {
    struct cg_msg msg = {.options = to->options};
    struct cg_msg_writer writer = {.data = bytes, .cap = cap};
    struct added added;
    struct cg_opt_iter iter;
    struct cg_opt opt;
    size_t at = 0;
    add_all(&added, to);
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (is_taken_out(to, opt.number)) continue;
        put_added(&writer, &added, &at, opt.number);
        cg_msg_put_opt(&writer, opt.number, opt.value);
    }
    put_added(&writer, &added, &at, UINT32_MAX);
    return cg_msg_end(&writer);
}

/* Errors */

static struct cg_slice problem_options(const struct cg_option_numbers *numbers, const struct cg_problem *problem,
                                       struct cg_slice reply_from, uint8_t *bytes, size_t cap) {
    struct cg_msg_writer writer = {.data = bytes, .cap = cap};
    uint8_t max_age[4], size1[4], timeout[4];
    struct added added;
    size_t at = 0;
    begin(&added);
    if (problem->ask_timeout) add(&added, numbers->multicast_timeout, CG_SLICE_NONE);
    if (problem->least_timeout > 0)
        add(&added, numbers->multicast_timeout, cg_uint_emit(problem->least_timeout, timeout));
    if (problem->retry_after > 0) add(&added, CG_OPT_MAX_AGE, cg_uint_emit(problem->retry_after, max_age));
    if (reply_from.len > 0) add(&added, numbers->reply_from, reply_from);
    if (problem->at_most > 0) add(&added, CG_OPT_SIZE1, cg_uint_emit((uint32_t)problem->at_most, size1));
    put_added(&writer, &added, &at, UINT32_MAX);
    int len = cg_msg_end(&writer);
    return len < 0 ? CG_SLICE_NONE : cg_slice_of(bytes, (size_t)len);
}

void cg_to_coap_problem(const struct cg_option_numbers *numbers, const struct cg_problem *problem,
                        struct cg_slice reply_from, struct cg_slice token, uint8_t *bytes, size_t cap,
                        struct cg_coap_message *message) {
    const struct cg_err_info *info = cg_err_info(problem->err);
    const char *text = problem->detail[0] != '\0' ? problem->detail : info->text;
    *message = (struct cg_coap_message){.code = info->coap_code, .token = token};
    message->options = problem_options(numbers, problem, reply_from, bytes, cap);
    size_t used = cg_to_coap_size(message) + 1, len = strlen(text), room = cap - message->options.len;
    size_t fits = used < CG_COAP_MESSAGE_MAX ? CG_COAP_MESSAGE_MAX - used : 0;
    if (room > fits) room = fits;
    if (len > room) len = room;
    memcpy(bytes + message->options.len, text, len);
    message->payload = cg_slice_of(bytes + message->options.len, len);
}
