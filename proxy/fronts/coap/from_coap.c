/* CoAP to a request in the core's terms: the code, what is between the client and this hop, and what goes on. The hard
 * thing: a proxy has to pass on what it does not know, if that is safe to forward, and to refuse it else, critical or
 * elective (RFC 7252 §5.7.1); but what is for this gateway itself is refused where it is critical. */
#include "fronts/coap/from_coap.h"

#include "fronts/coap/abbrev.h"
#include "fronts/coap/early_stop.h"
#include "fronts/coap/options.h"
#include "fronts/coap/target.h"
#include "model/links.h"
#include "wire/content_format.h"

enum {
    OPTIONS_MAX = 256, /* that go on */
};

struct conversion {
    const struct cg_from_coap *from;
    struct cg_request *request;
    struct cg_coap_extras *extras;
    const struct cg_option_numbers *numbers;
};

static int wrong(const struct conversion *c, int err, const char *what) {
    return cg_problem_set(c->from->problem, err, "%s", what);
}

static struct cg_msg message_of(const struct cg_from_coap *from) {
    return (struct cg_msg){
        .code = from->message->code, .options = from->message->options, .payload = from->message->payload};
}

/* ---- Where it goes to, and as what ---- */

int cg_from_coap_head(const struct cg_from_coap *from, struct cg_coap_extras *extras) {
    *extras = (struct cg_coap_extras){.meant = CG_COAP_REQUEST};
    from->request->method = from->message->code <= CG_IPATCH ? from->message->code : CG_EMPTY;
    if (cg_is_early_stop(from->message, &from->config->options)) {
        extras->meant = CG_COAP_STOP;
        return CG_OK;
    }
    int err = cg_coap_take_target(from);
    if (err == CG_OK && from->request->discovery) extras->meant = CG_COAP_DISCOVERY;
    return err;
}

/* ---- Options between the client and this hop ---- */

static int take_block(const struct conversion *c, const struct cg_opt *opt) {
    bool is_upload = opt->number == CG_OPT_BLOCK1;
    struct cg_block *block = is_upload ? &c->extras->block1 : &c->extras->block2;
    if ((c->from->is_by_stream ? cg_block_find_bert : cg_block_find)(c->from->message->options, opt->number, block) !=
        CG_BLOCK_ONE)
        return wrong(c, CG_E_BAD_REQUEST, "a Block option is of the reserved size (7)");
    *(is_upload ? &c->extras->has_block1 : &c->extras->has_block2) = true;
    return CG_OK;
}

/* What it knows of a group that changes something is of no use. */
static int take_group_etag(const struct conversion *c, struct cg_slice value) {
    struct cg_request *request = c->request;
    bool is_safe = (CG_METHOD_BIT(request->method) & CG_METHODS_SAFE) != 0;
    if (!is_safe || request->group_etag_count == CG_GROUP_ETAGS_MAX) return CG_OK;
    if (request->group_etags == NULL)
        request->group_etags = cg_arena_alloc(c->from->arena, CG_GROUP_ETAGS_MAX * sizeof value);
    if (request->group_etags == NULL) return cg_problem_no_memory(c->from->problem);
    request->group_etags[request->group_etag_count++] = value;
    return CG_OK;
}

static int take_hop(const struct conversion *c, const struct cg_opt *opt) {
    struct cg_coap_extras *extras = c->extras;
    if (opt->number == c->numbers->group_etag) return take_group_etag(c, opt->value);
    if (opt->number == c->numbers->multicast_timeout) {
        c->request->has_timeout = true;
        c->request->timeout_s = cg_uint_parse(opt->value);
    }
    switch (opt->number) {
    case CG_OPT_BLOCK1:
    case CG_OPT_BLOCK2: return take_block(c, opt);
    case CG_OPT_OBSERVE:
        extras->has_observe = true;
        extras->observe = cg_uint_parse(opt->value);
        break;
    case CG_OPT_ECHO: extras->echo = opt->value; break;
    case CG_OPT_REQUEST_TAG:
        if (extras->request_tag.data == NULL) extras->request_tag = opt->value;
        break;
    default: break;
    }
    return CG_OK;
}

/* ---- Options that go on ---- */

/* RFC 8768 §3, §4. */
static int take_hop_limit(const struct conversion *c, struct cg_opt *opt) {
    char text[CG_ADDR_TEXT_MAX];
    if (opt->value.len != 1 || opt->value.data[0] == 0)
        return wrong(c, CG_E_BAD_REQUEST, "Hop-Limit must be a number from 1 to 255");
    if (opt->value.data[0] == 1) {
        cg_addr_emit(&c->request->reached, text);
        return cg_problem_set(c->from->problem, CG_E_HOP_LIMIT, "castgate %s: Hop-Limit is used up", text);
    }
    uint8_t *left = cg_arena_alloc(c->from->arena, 1);
    if (left == NULL) return cg_problem_no_memory(c->from->problem);
    *left = (uint8_t)(opt->value.data[0] - 1);
    opt->value = cg_slice_of(left, 1);
    return CG_OK;
}

static int look_at(const struct conversion *c, struct cg_opt *opt) {
    switch (opt->number) {
    case CG_OPT_HOP_LIMIT: return take_hop_limit(c, opt);
    case CG_OPT_ACCEPT:
        c->extras->has_accept = true;
        c->extras->accept = cg_uint_parse(opt->value);
        break;
    case CG_OPT_NO_RESPONSE: c->request->no_response = cg_uint_parse(opt->value); break;
    default: break;
    }
    return CG_OK;
}

static int put_option(const struct conversion *c, struct cg_opt opt, enum cg_coap_option sort) {
    struct cg_opts *options = &c->request->options;
    int err = sort == CG_COAP_OPTION_PASSES ? look_at(c, &opt) : CG_OK;
    if (err < 0) return err;
    if (options->count == OPTIONS_MAX) return wrong(c, CG_E_HEADERS_BIG, "the request has too many options");
    options->list[options->count++] = opt;
    return CG_OK;
}

/* ---- Options that nobody here understands ---- */

static int refuse_option(const struct conversion *c, const struct cg_opt *opt) {
    return cg_problem_set(c->from->problem, CG_E_BAD_OPTION,
                          "option %u (%zu bytes) is not understood here, or not so: not repeated, not of this length, "
                          "or not with this method",
                          opt->number, opt->value.len);
}

/* A second OSCORE option is one too much for whoever looks at the first. */
static bool may_pass_unknown(uint16_t number) { return !cg_opt_is_unsafe(number) && number != CG_OPT_OSCORE; }

static int take_unknown(const struct conversion *c, const struct cg_opt *opt) {
    if (c->request->discovery) return cg_opt_is_critical(opt->number) ? refuse_option(c, opt) : CG_OK;
    return may_pass_unknown(opt->number) ? put_option(c, *opt, CG_COAP_OPTION_UNKNOWN) : refuse_option(c, opt);
}

/* An abbreviation that has been expanded is spent; one that nobody here knows goes on (target.c says when). */
static bool is_spent(const struct conversion *c, const struct cg_opt *opt) {
    return opt->number != c->numbers->uri_path_abbrev || cg_coap_abbrev_path(cg_uint_parse(opt->value)) != NULL;
}

static int take_option(const struct conversion *c, const struct cg_opt *opt, uint32_t before) {
    enum cg_coap_option sort = cg_coap_option_sort(c->numbers, c->request->method, opt, before);
    switch (sort) {
    case CG_COAP_OPTION_TARGET: return is_spent(c, opt) ? CG_OK : put_option(c, *opt, sort);
    case CG_COAP_OPTION_HOP: return take_hop(c, opt);
    case CG_COAP_OPTION_PASSES: return put_option(c, *opt, sort);
    case CG_COAP_OPTION_UNKNOWN: break;
    }
    return take_unknown(c, opt);
}

/* ---- All of it ---- */

static size_t count_options(const struct cg_msg *message) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    size_t count = 0;
    cg_opt_iter_init(&iter, message);
    while (count < OPTIONS_MAX && cg_opt_next(&iter, &opt)) count++;
    return count;
}

/* The request's options point into a copy of the message's. */
static int take_options(const struct conversion *c) {
    struct cg_msg message = message_of(c->from);
    struct cg_opt_iter iter;
    struct cg_opt opt;
    uint32_t before = UINT32_MAX;
    struct cg_slice options = message.options;
    if (options.len == 0) return CG_OK;
    message.options = cg_arena_copy(c->from->arena, options);
    c->request->options.list =
        cg_arena_alloc(c->from->arena, count_options(&message) * sizeof *c->request->options.list);
    if (message.options.data == NULL || c->request->options.list == NULL) return cg_problem_no_memory(c->from->problem);
    cg_opt_iter_init(&iter, &message);
    for (; cg_opt_next(&iter, &opt); before = opt.number) {
        int err = take_option(c, &opt, before);
        if (err < 0) return err;
    }
    return CG_OK;
}

static int check_method(const struct conversion *c) {
    if (c->request->method == CG_EMPTY) {
        c->from->problem->allow = CG_METHODS_ALL;
        return wrong(c, CG_E_METHOD, "the method is none that is known here");
    }
    if (!c->request->discovery || c->request->method == CG_GET) return CG_OK;
    c->from->problem->allow = CG_METHOD_BIT(CG_GET);
    return wrong(c, CG_E_METHOD, CG_DISCOVERY_PATH " is read with GET");
}

/* What this gateway is asked itself. */
static int check_discovery(const struct conversion *c) {
    const struct cg_coap_extras *extras = c->extras;
    if (cg_request_is_protected(c->request)) return wrong(c, CG_E_UNAUTHORIZED, "Security context not found");
    if (extras->has_accept && extras->accept != CG_FORMAT_LINKS)
        return wrong(c, CG_E_NOT_ACCEPTABLE, "links are application/link-format (40) only");
    return CG_OK;
}

/* GET and DELETE have none: what is there all the same is ignored (RFC 7252 §5.5). */
static bool has_body(uint8_t method) { return method != CG_GET && method != CG_DELETE; }

static int take_payload(const struct conversion *c) {
    struct cg_slice payload = c->from->message->payload;
    size_t most = c->from->config->limits.request_body;
    if (!has_body(c->request->method) || payload.len == 0) return CG_OK;
    if (payload.len > most) {
        c->from->problem->at_most = most;
        return cg_problem_set(c->from->problem, CG_E_TOO_BIG, "the payload is larger than %zu bytes", most);
    }
    c->request->payload = cg_arena_copy(c->from->arena, payload);
    return c->request->payload.data == NULL ? cg_problem_no_memory(c->from->problem) : CG_OK;
}

/* RFC 7641 §2: other values mean nothing. Whoever waits for nothing hears of no changes either, and a further block is
 * of what was told already (RFC 7959 §2.6). */
static bool observes(const struct conversion *c) {
    const struct cg_coap_extras *extras = c->extras;
    bool registers = extras->has_observe && extras->observe == 0;
    bool waits = !c->request->has_timeout || c->request->timeout_s > 0;
    bool is_from_the_start = !extras->has_block2 || extras->block2.number == 0;
    return registers && waits && is_from_the_start && !c->request->discovery;
}

int cg_from_coap_rest(const struct cg_from_coap *from, struct cg_coap_extras *extras) {
    const struct conversion c = {
        .from = from, .request = from->request, .extras = extras, .numbers = &from->config->options};
    int err = check_method(&c);
    if (err == CG_OK) err = take_options(&c);
    if (err == CG_OK && from->request->discovery) err = check_discovery(&c);
    if (err == CG_OK) err = take_payload(&c);
    c.request->observes = err == CG_OK && observes(&c);
    return err;
}
