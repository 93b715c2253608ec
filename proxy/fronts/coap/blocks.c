/* Blocks at the door. The hard thing: a group is asked by block 0 alone. A request for a further block must find its
 * body here, or go to one member, or nowhere, since a second group request would give other answers than the first. */
#include "fronts/coap/blocks.h"

#include "base/check.h"
#include "fronts/coap/serve.h"
#include "model/access.h"
#include "model/route.h"
#include "model/stand_in.h"
#include "wire/content_format.h"

enum { BODIES_PART = 4, UPLOADS_PART = 8 }; /* of the quota */

void cg_coap_blocks_init(struct cg_coap_blocks *blocks, struct cg_quota *quota) {
    cg_coap_bodies_init(&blocks->bodies, quota->max / BODIES_PART, quota);
    cg_coap_uploads_init(&blocks->uploads, quota->max / UPLOADS_PART, quota);
}

void cg_coap_blocks_fini(struct cg_coap_blocks *blocks) {
    cg_coap_bodies_fini(&blocks->bodies);
    cg_coap_uploads_fini(&blocks->uploads);
}

void cg_coap_blocks_expire(struct cg_coap_blocks *blocks, uint64_t now_us) {
    cg_keep_expire(&blocks->uploads.keep, now_us);
    cg_keep_expire(&blocks->bodies.keep, now_us);
}

/* What the door knows of one request. */
struct door {
    struct cg_coap_blocks *blocks;
    const struct cg_from_coap *from;
    const struct cg_coap_extras *extras;
    uint64_t now_us;
    const struct cg_mapping *mapping;
    bool is_single; /* one member is asked, and not its group */
    struct cg_coap_block_answer *answer;
};

/* Whom it is for */

static bool names_a_host(struct cg_slice target) {
    struct cg_uri uri;
    return cg_uri_parse(&uri, target, NULL) == CG_OK && cg_uri_names_host(&uri);
}

static int find_mapping(struct door *door) {
    const struct cg_from_coap *from = door->from;
    struct cg_slice rest, name;
    int err = cg_route(from->config, from->request, &door->mapping, &rest, from->problem);
    if (err == CG_OK) err = cg_access_check(door->mapping, from->request, from->problem);
    if (err < 0) return err;
    door->is_single = from->request->forward ? names_a_host(from->request->path) : cg_stand_in_split(&rest, &name);
    return CG_OK;
}

/* One response for all */

static void remove_option(struct cg_opts *options, uint16_t number) {
    size_t kept = 0;
    for (size_t i = 0; i < options->count; i++) {
        if (options->list[i].number != number) options->list[kept++] = options->list[i];
    }
    options->count = kept;
}

static void take_aggregate(struct door *door) {
    struct cg_request *request = door->from->request;
    const struct cg_coap_extras *extras = door->extras;
    if (!door->mapping->aggregate || request->forward || door->is_single) return;
    if (!extras->has_accept || extras->accept != CG_FORMAT_MULTIPART_CORE) return;
    door->answer->aggregates = true;
    request->finishing = CG_FINISH_AS_MAPPING;
    remove_option(&request->options, CG_OPT_ACCEPT);
}

/* Block1 */

/* RFC 7959 §2.9.1 */
static void ask_for_more(struct door *door) {
    struct cg_coap_block_answer *answer = door->answer;
    const struct cg_to_coap to = {.numbers = &door->from->config->options, .block1 = &door->extras->block1};
    int len = cg_to_coap_options(&to, answer->options, sizeof answer->options);
    CG_CHECK(len > 0);
    answer->message = (struct cg_coap_message){.code = CG_CODE(2, 31),
                                               .token = door->from->message->token,
                                               .options = cg_slice_of(answer->options, (size_t)len)};
}

static bool has_body(uint8_t method) { return method != CG_GET && method != CG_DELETE; }

static int take_block1(struct door *door) {
    const struct cg_from_coap *from = door->from;
    const struct cg_coap_upload upload = {.request = from->request,
                                          .message = from->message,
                                          .block1 = door->extras->block1,
                                          .max = from->config->limits.request_body};
    struct cg_slice whole;
    if (!has_body(from->request->method)) {
        return cg_problem_set(from->problem, CG_E_BAD_OPTION, "this method has no payload that could come in blocks");
    }
    int result = cg_coap_uploads_take(&door->blocks->uploads, &upload, door->now_us, &whole, from->problem);
    if (result == CG_PENDING) ask_for_more(door);
    if (result != CG_OK) return result;
    from->request->payload = cg_arena_copy(from->arena, whole);
    bool is_there = whole.len == 0 || from->request->payload.data != NULL;
    return is_there ? CG_OK : cg_problem_no_memory(from->problem);
}

/* Block2 */

static int serve(struct door *door, const struct cg_coap_body *body) {
    const struct cg_coap_serve serve = {.numbers = &door->from->config->options,
                                        .code = body->code,
                                        .options = body->options,
                                        .payload = cg_slice_of(body->bytes->data, body->bytes->len),
                                        .etag = body->etag,
                                        .block2 = &door->extras->block2,
                                        .room = door->from->room,
                                        .token = door->from->message->token};
    int more = cg_coap_serve(&serve, door->answer->options, &door->answer->message);
    return more < 0 ? cg_problem_set(door->from->problem, more, "the body has no such block") : CG_PENDING;
}

static int take_block2(struct door *door) {
    const struct cg_from_coap *from = door->from;
    const struct cg_coap_body *body = cg_coap_bodies_find(&door->blocks->bodies, from->request, door->now_us);
    if (body != NULL) return serve(door, body);
    bool may_ask = door->is_single && (CG_METHODS_SAFE & CG_METHOD_BIT(from->request->method)) != 0;
    if (may_ask) return CG_OK;
    return cg_problem_set(from->problem, CG_E_GONE, "what this is a block of is not kept here; ask for block 0");
}

int cg_coap_blocks_take(struct cg_coap_blocks *blocks, const struct cg_from_coap *from,
                        const struct cg_coap_extras *extras, uint64_t now_us, struct cg_coap_block_answer *answer) {
    struct door door = {.blocks = blocks, .from = from, .extras = extras, .now_us = now_us, .answer = answer};
    bool asks_for_block = extras->has_block2 && extras->block2.number > 0;
    answer->aggregates = false;
    cg_coap_blocks_expire(blocks, now_us);
    if (!extras->has_block1 && !asks_for_block && !extras->has_accept) return CG_OK;
    int result = find_mapping(&door);
    if (result < 0) return result;
    take_aggregate(&door);
    if (extras->has_block1) result = take_block1(&door);
    return result == CG_OK && asks_for_block ? take_block2(&door) : result;
}

/* First blocks of members' answers */

/* The target URI with the member in the group's place. */
static bool put_member_uri(struct cg_buf *to, struct cg_slice group_uri, const struct cg_addr *member) {
    struct cg_uri uri;
    if (cg_uri_parse(&uri, group_uri, NULL) < 0) return false;
    uri.addr = *member;
    uri.host = uri.zone = CG_SLICE_NONE;
    cg_uri_emit_normal(to, &uri);
    return !to->failed;
}

/* PATH/.member/NAME and what follows it. */
static bool put_member_path(struct cg_buf *to, const struct cg_view *view, const struct cg_member *member) {
    struct cg_slice path = view->request->path;
    size_t at = strlen(view->mapping->path);
    if (member == NULL || path.len < at) return false;
    cg_buf_put_str(to, view->mapping->path);
    cg_buf_put_str(to, "/" CG_STAND_IN_MARKER "/");
    cg_uri_encode(to, cg_slice_str(member->name), CG_URI_SEGMENT);
    cg_buf_put(to, path.data + at, path.len - at);
    return !to->failed;
}

/* How the client asks the member for what it asked the group for; false: not through this gateway. */
static bool put_target(struct cg_buf *to, const struct cg_view *view, const struct cg_answer *answer) {
    if (view->member != NULL) {
        cg_buf_put_slice(to, view->request->path);
        return !to->failed;
    }
    if (view->request->forward) return put_member_uri(to, view->request->path, &answer->from);
    return cg_view_is_personal(view) && put_member_path(to, view, answer->member);
}

static struct cg_bytes *copy_payload(struct cg_slice payload, struct cg_quota *quota) {
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    cg_buf_put_slice(&buf, payload);
    return cg_bytes_new(&buf, quota);
}

void cg_coap_blocks_keep(struct cg_coap_blocks *blocks, const struct cg_view *view, const struct cg_answer *answer,
                         struct cg_slice options, struct cg_slice etag) {
    struct cg_request request = *view->request;
    struct cg_buf target;
    struct cg_bytes *bytes = NULL;
    cg_buf_init(&target, 0);
    if (put_target(&target, view, answer)) bytes = copy_payload(answer->payload, blocks->bodies.keep.quota);
    if (bytes != NULL) {
        const struct cg_coap_body body = {.code = answer->code, .options = options, .bytes = bytes, .etag = etag};
        request.path = cg_buf_slice(&target);
        /* Where there is no room the member is asked again. */
        int err = cg_coap_bodies_keep(&blocks->bodies, &request, &body, view->now_us);
        (void)err;
    }
    cg_bytes_unref(bytes);
    cg_buf_fini(&target);
}
