/* Uploads. The hard thing: blocks come again, with other Message IDs or in other sizes, so a block is judged by its
 * place in the body: behind what is there it is the next, inside it must say the same, beyond it something is missing.
 * A block 0 always begins anew, since nothing else would let a client start again. */
#include "fronts/coap/uploads.h"

#include <stdlib.h>

#include "base/container.h"

struct upload {
    struct cg_kept kept;
    struct cg_buf body;
};

static void free_upload(struct upload *upload) {
    cg_buf_fini(&upload->body);
    free(upload);
}

static void drop(struct cg_kept *kept) { free_upload(CG_CONTAINER(kept, struct upload, kept)); }

void cg_coap_uploads_init(struct cg_coap_uploads *uploads, size_t max, struct cg_quota *quota) {
    cg_keep_init(&uploads->keep, max, quota, drop);
    cg_buf_init(&uploads->whole, 0);
}

void cg_coap_uploads_fini(struct cg_coap_uploads *uploads) {
    cg_keep_fini(&uploads->keep);
    cg_buf_fini(&uploads->whole);
}

static size_t place_of(const struct cg_coap_upload *block) {
    return block->block1.number * cg_block_size(&block->block1);
}

static int check(const struct cg_coap_upload *block, struct cg_problem *problem) {
    struct cg_msg msg = {.options = block->message->options};
    size_t len = block->message->payload.len;
    uint32_t size1;
    if (!cg_block_has_its_size(&block->block1, len)) {
        return cg_problem_set(problem, CG_E_BAD_REQUEST, "a block that others follow is as long as its Block1 says");
    }
    bool says_more = cg_msg_find_uint(&msg, CG_OPT_SIZE1, &size1) && size1 > block->max;
    if (!says_more && place_of(block) + len <= block->max) return CG_OK;
    problem->at_most = block->max;
    return cg_problem_set(problem, CG_E_TOO_BIG, "the body is larger than %zu bytes", block->max);
}

static int no_room(struct cg_problem *problem) {
    problem->retry_after = 1;
    return cg_problem_set(problem, CG_E_NO_MEMORY, "there is no room for what is sent in blocks");
}

static int incomplete(struct cg_problem *problem, const char *why) {
    return cg_problem_set(problem, CG_E_INCOMPLETE, "%s; begin with block 0", why);
}

/* The next bytes of the body. Without room for them there is none for the whole: it goes. */
static int append(struct cg_coap_uploads *uploads, struct upload *upload, struct cg_slice bytes, uint64_t now_us,
                  struct cg_problem *problem) {
    cg_buf_put_slice(&upload->body, bytes);
    bool has_room = cg_keep_grow(&uploads->keep, &upload->kept, bytes.len, now_us) == CG_OK;
    if (has_room && !upload->body.failed) return CG_OK;
    cg_keep_drop(&uploads->keep, &upload->kept);
    return has_room ? cg_problem_no_memory(problem) : no_room(problem);
}

static int begin(struct cg_coap_uploads *uploads, const struct cg_coap_key *key, const struct cg_coap_upload *block,
                 uint64_t now_us, struct cg_problem *problem) {
    struct upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL) return cg_problem_no_memory(problem);
    upload->kept.key = *key;
    upload->kept.size = upload->kept.charged = sizeof *upload;
    cg_buf_init(&upload->body, 0);
    if (cg_keep_put(&uploads->keep, &upload->kept, block->request, now_us) < 0) {
        free_upload(upload);
        return no_room(problem);
    }
    int err = append(uploads, upload, block->message->payload, now_us, problem);
    return err < 0 ? err : CG_PENDING;
}

/* What is here already, again. */
static bool is_repeated(const struct upload *upload, const struct cg_coap_upload *block) {
    struct cg_slice again = block->message->payload;
    size_t at = place_of(block);
    if (!block->block1.more || at + again.len > upload->body.len) return false;
    return cg_slice_equal(again, cg_slice_of(upload->body.data + at, again.len));
}

static int go_on(struct cg_coap_uploads *uploads, struct upload *upload, const struct cg_coap_upload *block,
                 uint64_t now_us, struct cg_problem *problem) {
    if (is_repeated(upload, block)) return CG_PENDING;
    if (place_of(block) != upload->body.len) return incomplete(problem, "this is not the next block");
    int err = append(uploads, upload, block->message->payload, now_us, problem);
    if (err < 0 || block->block1.more) return err < 0 ? err : CG_PENDING;
    uploads->whole = upload->body;
    cg_buf_init(&upload->body, 0);
    cg_keep_drop(&uploads->keep, &upload->kept);
    return CG_OK;
}

static int take(struct cg_coap_uploads *uploads, const struct cg_coap_upload *block, uint64_t now_us,
                struct cg_problem *problem) {
    struct cg_coap_key key;
    if (!cg_coap_key_of_upload(&key, block->request, block->message)) return cg_problem_no_memory(problem);
    struct cg_kept *kept = cg_keep_find(&uploads->keep, &key, now_us);
    int err = check(block, problem);
    bool is_over = err < 0 || block->block1.number == 0;
    if (kept != NULL && is_over) cg_keep_drop(&uploads->keep, kept);
    if (err < 0) return err;
    if (block->block1.number == 0 && block->block1.more) return begin(uploads, &key, block, now_us, problem);
    if (block->block1.number == 0) {
        cg_buf_put_slice(&uploads->whole, block->message->payload);
        return uploads->whole.failed ? cg_problem_no_memory(problem) : CG_OK;
    }
    if (kept == NULL) return incomplete(problem, "the blocks before this one are not here");
    return go_on(uploads, CG_CONTAINER(kept, struct upload, kept), block, now_us, problem);
}

int cg_coap_uploads_take(struct cg_coap_uploads *uploads, const struct cg_coap_upload *upload, uint64_t now_us,
                         struct cg_slice *whole, struct cg_problem *problem) {
    cg_buf_fini(&uploads->whole);
    cg_buf_init(&uploads->whole, 0);
    int result = take(uploads, upload, now_us, problem);
    if (result == CG_OK) *whole = cg_buf_slice(&uploads->whole);
    return result;
}
