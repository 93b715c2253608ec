/* A growable byte buffer with a sticky failure: append freely, ask once at the end. */
#ifndef CG_BASE_BUF_H
#define CG_BASE_BUF_H

#include "base/err.h"
#include "base/slice.h"

struct cg_buf {
    uint8_t *data; /* owned, malloc'd; NULL until the first append */
    size_t len;
    size_t cap;
    size_t max;  /* never grows beyond; 0 means no bound of its own */
    bool failed; /* an append did not fit or memory ran out; what follows is ignored */
    bool full;   /* and it was the bound, not the memory */
};

void cg_buf_init(struct cg_buf *buf, size_t max);
void cg_buf_fini(struct cg_buf *buf);
void cg_buf_clear(struct cg_buf *buf); /* empties it, keeps the memory, forgets the failure */

/* CG_OK, CG_E_TOO_BIG when an append did not fit into max, or CG_E_NO_MEMORY. */
int cg_buf_error(const struct cg_buf *buf) CG_MUST_CHECK;

/* Room for `more` bytes at data + len, or NULL (then failed is set). The caller adds to len what it wrote. */
uint8_t *cg_buf_reserve(struct cg_buf *buf, size_t more);
void cg_buf_put(struct cg_buf *buf, const void *data, size_t len);
void cg_buf_put_slice(struct cg_buf *buf, struct cg_slice slice);
void cg_buf_put_str(struct cg_buf *buf, const char *text);
void cg_buf_put_u8(struct cg_buf *buf, uint8_t byte);
void cg_buf_put_decimal(struct cg_buf *buf, uint64_t number);
void cg_buf_printf(struct cg_buf *buf, const char *format, ...) CG_PRINTF(2, 3);

/* Standard base64 with padding (RFC 4648 §4), base64url without (§5), lower-case hex, and a JSON string with its quotes
 * (RFC 8259 §7; bytes that are not UTF-8 become U+FFFD). */
void cg_buf_put_base64(struct cg_buf *buf, struct cg_slice bytes);
void cg_buf_put_base64url(struct cg_buf *buf, struct cg_slice bytes);
void cg_buf_put_hex(struct cg_buf *buf, struct cg_slice bytes);
void cg_buf_put_json(struct cg_buf *buf, struct cg_slice text);

static inline struct cg_slice cg_buf_slice(const struct cg_buf *buf) { return cg_slice_of(buf->data, buf->len); }

/* Hands the memory to the caller, who frees it; the buffer is empty afterwards. */
uint8_t *cg_buf_detach(struct cg_buf *buf, size_t *len);

#endif
