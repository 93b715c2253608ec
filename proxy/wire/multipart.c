/* The writer of the HTTP batch response. The hard thing: it runs once for each of maybe thousands of answers, so it
 * only copies bytes, and no byte that a member chose may be taken for structure. */
#include "wire/multipart.h"

#include "wire/http_status.h"

static const char part_head[] = "\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 ";

enum { STATUS_NO_CONTENT = 204, STATUS_NOT_MODIFIED = 304 };

void cg_boundary_init(struct cg_boundary *boundary, const uint8_t random[16]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < CG_BOUNDARY_LEN / 2; i++) {
        boundary->text[2 * i] = digits[random[i] >> 4];
        boundary->text[2 * i + 1] = digits[random[i] & 15];
    }
    boundary->text[CG_BOUNDARY_LEN] = '\0';
}

bool cg_boundary_occurs(const struct cg_boundary *boundary, struct cg_slice body) {
    return body.len >= CG_BOUNDARY_LEN && memmem(body.data, body.len, boundary->text, CG_BOUNDARY_LEN) != NULL;
}

static void put_delimiter(struct cg_buf *to, const struct cg_boundary *boundary) {
    cg_buf_put(to, "--", 2);
    cg_buf_put(to, boundary->text, CG_BOUNDARY_LEN);
}

void cg_multipart_begin_part(struct cg_buf *to, const struct cg_boundary *boundary, uint16_t status,
                             const char *reason) {
    put_delimiter(to, boundary);
    cg_buf_put(to, part_head, sizeof part_head - 1);
    cg_buf_put_decimal(to, status);
    cg_buf_put_u8(to, ' ');
    cg_buf_put_str(to, reason);
    cg_buf_put(to, "\r\n", 2);
}

int cg_multipart_put_header(struct cg_buf *to, const char *name, struct cg_slice value) {
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < ' ' || value.data[i] > '~') return CG_E_FORMAT;
    }
    cg_buf_put_str(to, name);
    cg_buf_put(to, ": ", 2);
    cg_buf_put_slice(to, value);
    cg_buf_put(to, "\r\n", 2);
    return CG_OK;
}

void cg_multipart_end_part(struct cg_buf *to, uint16_t status, struct cg_slice body) {
    if (status != STATUS_NO_CONTENT && status != STATUS_NOT_MODIFIED) {
        cg_buf_put(to, "Content-Length: ", sizeof "Content-Length: " - 1);
        cg_buf_put_decimal(to, body.len);
        cg_buf_put(to, "\r\n\r\n", 4);
        cg_buf_put_slice(to, body);
    } else {
        cg_buf_put(to, "\r\n", 2);
    }
    cg_buf_put(to, "\r\n", 2);
}

void cg_multipart_end(struct cg_buf *to, const struct cg_boundary *boundary) {
    put_delimiter(to, boundary);
    cg_buf_put(to, "--\r\n", 4);
}
