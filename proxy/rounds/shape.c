/* Requests for targets. The hard thing: options stand in ascending order, and three sources have some of each. */
#include "rounds/shape.h"

#include "rounds/hop_options.h"
#include "wire/block.h"

#define FNV_START 14695981039346656037u /* FNV-1a of 64 bits */
#define FNV_PRIME 1099511628211u

enum { MORE_OPTIONS = 2 /* beside the client's own: Observe, Block2 */ };

bool cg_shape_is_large(const struct cg_mapping *mapping, struct cg_slice payload) {
    return mapping->security != CG_SECURITY_RELAY && payload.len > cg_upload_most(mapping);
}

static bool is_large(const struct cg_wish *wish) { return cg_shape_is_large(wish->mapping, wish->request->payload); }

/* What a wish lends, copied once for all targets. */
struct kept {
    struct cg_slice rest, query, payload;
    struct cg_opts options;
    const char *account; /* NULL: the gateway's */
};

/* An empty slice stays the one it is: an absent query is told from an empty one. False: no memory. */
static bool keep(struct cg_slice *to, struct cg_slice from, struct cg_arena *arena) {
    *to = from.len == 0 ? from : cg_arena_copy(arena, from);
    return to->len == from.len;
}

/* A single member is asked for its answer, whatever of it the client wants to hear (RFC 7967 is for who asks many); and
 * what goes in blocks goes on by what is answered. */
static bool is_kept(const struct cg_wish *wish, uint32_t number) {
    bool is_answered = wish->member != NULL || is_large(wish);
    return !is_answered || number != CG_OPT_NO_RESPONSE;
}

/* Members are to answer in blocks no larger than the mapping says, unless the client has said something about blocks.
 */
static bool names_block_size(const struct cg_wish *wish) {
    const struct cg_opts *own = &wish->request->options;
    bool is_safe = (CG_METHOD_BIT(wish->request->method) & CG_METHODS_SAFE) != 0;
    if (wish->mapping->block_size == 0 || wish->mapping->security == CG_SECURITY_RELAY || !is_safe) return false;
    for (size_t i = 0; i < own->count; i++) {
        if (own->list[i].number == CG_OPT_BLOCK2) return false;
    }
    return true;
}

/* Block2 0/0/SZX (RFC 7959 §2.8). */
static bool put_block_size(struct cg_opts *to, const struct cg_wish *wish, struct cg_arena *arena) {
    uint8_t value[CG_BLOCK_MAX];
    const struct cg_block first = {.szx = cg_block_szx(wish->mapping->block_size)};
    struct cg_slice kept = CG_SLICE_NONE;
    size_t len = cg_block_emit(&first, value);
    if (len > 0 && !keep(&kept, cg_slice_of(value, len), arena)) return false;
    cg_opts_insert(to, CG_OPT_BLOCK2, kept);
    return true;
}

/* Observe 0: an empty value. */
static void put_observe(struct cg_opts *to, const struct cg_wish *wish) {
    if (wish->request->observes) cg_opts_insert(to, CG_OPT_OBSERVE, CG_SLICE_NONE);
}

static bool keep_options(struct cg_opts *to, const struct cg_wish *wish, struct cg_arena *arena) {
    const struct cg_opts *from = &wish->request->options;
    *to = (struct cg_opts){.list = cg_arena_alloc(arena, (from->count + MORE_OPTIONS) * sizeof *to->list)};
    for (size_t i = 0; to->list != NULL && i < from->count; i++) {
        if (!is_kept(wish, from->list[i].number)) continue;
        struct cg_opt *opt = &to->list[to->count++];
        opt->number = from->list[i].number;
        if (!keep(&opt->value, from->list[i].value, arena)) return false;
    }
    if (to->list == NULL || (names_block_size(wish) && !put_block_size(to, wish, arena))) return false;
    put_observe(to, wish);
    return true;
}

/* False: no memory. */
static bool keep_account(struct kept *kept, const struct cg_request *request, struct cg_arena *arena) {
    if (request->proof == CG_PROOF_GATEWAY) return true;
    char *account = cg_arena_alloc(arena, CG_ACCOUNT_MAX);
    if (account != NULL) cg_request_account(request, account);
    kept->account = account;
    return account != NULL;
}

static bool keep_wish(struct kept *kept, const struct cg_wish *wish, struct cg_arena *arena) {
    return keep(&kept->rest, wish->rest, arena) && keep(&kept->query, wish->request->query, arena) &&
           keep(&kept->payload, wish->request->payload, arena) && keep_options(&kept->options, wish, arena) &&
           keep_account(kept, wish->request, arena);
}

static int merge(struct cg_opts *to, const struct cg_opt *host, const struct cg_opts *uri, const struct cg_opts *own,
                 struct cg_arena *arena) {
    size_t host_count = host->value.len > 0, h = 0, i = 0, j = 0;
    to->count = host_count + uri->count + own->count;
    to->list = cg_arena_alloc(arena, (to->count + 1) * sizeof *to->list);
    if (to->list == NULL) return CG_E_NO_MEMORY;
    for (size_t at = 0; at < to->count; at++) {
        uint32_t next_own = j == own->count ? UINT32_MAX : own->list[j].number;
        if (h < host_count && host->number <= next_own) {
            to->list[at] = *host;
            h++;
        } else if (i < uri->count && uri->list[i].number <= next_own) {
            to->list[at] = uri->list[i++];
        } else {
            to->list[at] = own->list[j++];
        }
    }
    return CG_OK;
}

/* What the group's URI adds to the client's. A member that was named by its own URI has no group's. */
static const struct cg_target *base_of(const struct cg_wish *wish, const struct cg_target *target) {
    static const struct cg_target nothing;
    return wish->at.family == CG_FAMILY_NONE ? target : &nothing;
}

static int shape(const struct cg_wish *wish, const struct kept *kept, const struct cg_target *target,
                 struct cg_arena *arena, struct cg_leg_request *request) {
    /* The group's name, where it has one (RFC 7252 §6.4 step 5); no protection covers it (RFC 8613 §4.1.3.2). */
    const struct cg_target *base = base_of(wish, target);
    struct cg_opt host = {.number = CG_OPT_URI_HOST, .value = base->host};
    struct cg_opts uri = {0};
    const struct cg_client *client = wish->request->client;
    *request = (struct cg_leg_request){
        .method = wish->request->method,
        .expects_answers = wish->expects_answers || is_large(wish),
        .is_for_one = wish->member != NULL,
        .observes = wish->request->observes,
        .payload = kept->payload,
        .client = client == NULL ? CG_SLICE_NONE : cg_slice_str(client->name),
        .account = kept->account,
        .origin = wish->origin,
    };
    if (wish->mapping->security != CG_SECURITY_RELAY) { /* where the client protects, it has them inside */
        int err = cg_uri_decompose(&uri, arena, base->path, kept->rest, base->query, kept->query);
        if (err < 0) return err;
    }
    struct cg_opts own = kept->options;
    if (cg_target_is_hop(target) && wish->member == NULL) {
        int err = cg_hop_options(wish, target, arena, &host.value, &own);
        if (err < 0) return err;
    }
    return merge(&request->options, &host, &uri, &own, arena);
}

int cg_shape_requests(const struct cg_wish *wish, struct cg_arena *arena, struct cg_leg_request *requests) {
    struct kept kept = {0};
    int err = keep_wish(&kept, wish, arena) ? CG_OK : CG_E_NO_MEMORY;
    for (size_t i = 0; err == CG_OK && i < wish->mapping->target_count; i++) {
        err = shape(wish, &kept, &wish->mapping->targets[i], arena, &requests[i]);
    }
    return err;
}

bool cg_shape_cancel(const struct cg_leg_request *request, struct cg_arena *arena, struct cg_leg_request *cancel) {
    static const uint8_t deregister = 1;
    const struct cg_opts *own = &request->options;
    struct cg_opt *list = cg_arena_alloc(arena, (own->count + 1) * sizeof *list);
    if (list == NULL) return false;
    for (size_t i = 0; i < own->count; i++) {
        list[i] = own->list[i];
        if (list[i].number == CG_OPT_OBSERVE) list[i].value = cg_slice_of(&deregister, sizeof deregister);
    }
    *cancel = *request;
    cancel->cancels = true;
    cancel->options.list = list;
    return true;
}

struct shape_head {
    const struct cg_mapping *mapping;
    uint32_t method, expects_answers, options, zero;
};

void cg_shape_emit_option(struct cg_buf *to, const struct cg_opt *opt) {
    const struct { uint32_t number, len; } head = {opt->number, (uint32_t)opt->value.len};
    cg_buf_put(to, &head, sizeof head);
    cg_buf_put_slice(to, opt->value);
}

void cg_shape_emit(struct cg_buf *to, const struct cg_mapping *mapping, const struct cg_leg_request *request) {
    const struct cg_mapping *of = request->observes ? NULL : mapping; /* other settings may have the same */
    struct shape_head head = {of, request->method, request->expects_answers, (uint32_t)request->options.count, 0};
    cg_buf_put(to, &head, sizeof head);
    if (of == NULL) cg_buf_put(to, mapping->name, strlen(mapping->name) + 1);
    for (size_t i = 0; i < request->options.count; i++) cg_shape_emit_option(to, &request->options.list[i]);
    cg_buf_put_slice(to, request->payload);
}

void cg_shape_emit_member(struct cg_buf *to, const struct cg_wish *wish) {
    cg_buf_put(to, &wish->at, sizeof wish->at);
    cg_buf_put_str(to, wish->member->name);
}

uint64_t cg_shape_hash(const struct cg_buf *shape) {
    uint64_t hash = FNV_START;
    for (size_t i = 0; i < shape->len; i++) hash = (hash ^ shape->data[i]) * FNV_PRIME;
    return hash == 0 ? 1 : hash;
}
