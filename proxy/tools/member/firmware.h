/* /firmware: what is PUT there whole, or in blocks (Block1, RFC 7959 §2.5), and what GET says of it: how long it is and
 * its SHA-256. Nothing is kept but these, so that thousands of members in one process may be sent images at once. */
#ifndef CG_TOOLS_MEMBER_FIRMWARE_H
#define CG_TOOLS_MEMBER_FIRMWARE_H

#include <sodium.h>

#include "tools/member/resource.h"

enum {
    CG_FIRMWARE_MAX = 1 << 20, /* bytes */
    CG_FIRMWARE_UPLOADS = 4,   /* of a member at once: a further one takes the place of the one that was idle longest */
    CG_FIRMWARE_TAG_MAX = 8,   /* RFC 9175 §3.2.1 */
};

/* One that comes in blocks: known by who sends it and its Request-Tag (RFC 9175 §3.3). */
struct cg_firmware_upload {
    struct cg_addr from;
    struct cg_slice tag; /* in tag_bytes */
    uint8_t tag_bytes[CG_FIRMWARE_TAG_MAX];
    uint32_t received; /* bytes, in order; 0: nobody's, or at its beginning */
    uint32_t used;     /* the member's count when it was used last; 0: never */
    bool is_whole;     /* kept for whoever says its last block again */
    crypto_hash_sha256_state hash;
};

struct cg_firmware {
    uint32_t len;
    uint8_t sha256[crypto_hash_sha256_BYTES];
    uint32_t used;                      /* uploads, counted as they are used */
    struct cg_firmware_upload *uploads; /* owned; NULL: there was none yet */
};

void cg_firmware_init(struct cg_firmware *firmware); /* an empty one */
void cg_firmware_fini(struct cg_firmware *firmware);

/* Whether the request is about it, and no --resource has its name. */
bool cg_firmware_is_meant(const struct cg_resource_request *request, const struct cg_member_options *options);
/* Serves a request from there. The payload is in `scratch`, which is overwritten. */
void cg_firmware_serve(struct cg_resource_response *response, const struct cg_resource_request *request,
                       const struct cg_addr *from, struct cg_firmware *firmware, struct cg_buf *scratch);

#endif
