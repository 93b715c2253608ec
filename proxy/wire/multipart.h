/* multipart/mixed of application/http (RFC 2046 §5.1, RFC 9112 §10.2): the writer of GCP's HTTP batch response. What a
 * member sent is written by length and can neither end its part nor forge a header. */
#ifndef CG_WIRE_MULTIPART_H
#define CG_WIRE_MULTIPART_H

#include "base/buf.h"

#define CG_BOUNDARY_LEN 32

struct cg_boundary {
    char text[CG_BOUNDARY_LEN + 1]; /* NUL-terminated, [0-9a-f] only, so it needs no quotes */
};

/* The boundary from 16 random bytes; to guarantee that it does not occur inside, the caller asks cg_boundary_occurs for
 * every body and takes other bytes when one does. */
void cg_boundary_init(struct cg_boundary *boundary, const uint8_t random[16]);
bool cg_boundary_occurs(const struct cg_boundary *boundary, struct cg_slice body);

/* "--B CRLF Content-Type: application/http CRLF CRLF HTTP/1.1 STATUS REASON CRLF"; the reason is one of
 * http_status.h's. */
void cg_multipart_begin_part(struct cg_buf *to, const struct cg_boundary *boundary, uint16_t status,
                             const char *reason);
/* One header line of the inner response. The value's bytes outside printable ASCII and all control bytes are dropped by
 * refusing: returns CG_E_FORMAT and writes nothing. The name is the caller's constant. */
int cg_multipart_put_header(struct cg_buf *to, const char *name, struct cg_slice value) CG_MUST_CHECK;
/* Content-Length, empty line, body, CRLF. A status that has no body (204, 304) gets neither length nor body. */
void cg_multipart_end_part(struct cg_buf *to, uint16_t status, struct cg_slice body);
void cg_multipart_end(struct cg_buf *to, const struct cg_boundary *boundary); /* "--B-- CRLF" */

#endif
