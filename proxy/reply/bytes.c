/* Common bytes. */
#include "reply/bytes.h"

#include <stdlib.h>

struct cg_bytes *cg_bytes_new(struct cg_buf *from, struct cg_quota *quota) {
    bool may = !from->failed && cg_quota_has_room(quota, from->len);
    struct cg_bytes *bytes = may ? malloc(sizeof *bytes) : NULL;
    if (bytes == NULL) {
        cg_buf_fini(from);
        return NULL;
    }
    *bytes = (struct cg_bytes){.references = 1, .quota = quota};
    bytes->data = cg_buf_detach(from, &bytes->len);
    if (quota != NULL) quota->used += bytes->len;
    return bytes;
}

struct cg_bytes *cg_bytes_ref(struct cg_bytes *bytes) {
    bytes->references++;
    return bytes;
}

void cg_bytes_unref(struct cg_bytes *bytes) {
    if (bytes == NULL || --bytes->references > 0) return;
    if (bytes->quota != NULL) bytes->quota->used -= bytes->len;
    free(bytes->data);
    free(bytes);
}
