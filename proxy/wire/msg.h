/* CoAP messages (RFC 7252 §3): parse to borrowed views, emit into the caller's storage. The same option codec serves
 * UDP messages, OSCORE's inner messages (RFC 8613 §5.3: code, options, payload) and, later, RFC 8323 frames. */
#ifndef CG_WIRE_MSG_H
#define CG_WIRE_MSG_H

#include "base/err.h"
#include "base/slice.h"

enum cg_type { CG_CON = 0, CG_NON = 1, CG_ACK = 2, CG_RST = 3 };

enum {
    CG_EMPTY = 0,
    CG_GET = CG_CODE(0, 1),
    CG_POST = CG_CODE(0, 2),
    CG_PUT = CG_CODE(0, 3),
    CG_DELETE = CG_CODE(0, 4),
    CG_FETCH = CG_CODE(0, 5), /* RFC 8132 */
    CG_PATCH = CG_CODE(0, 6),
    CG_IPATCH = CG_CODE(0, 7),
};

/* Methods by name (RFC 8132 writes "iPATCH"); the name is NULL for no method, the code 0 for no name. */
const char *cg_method_name(unsigned code);
unsigned cg_method_code(const char *name);

#define CG_DATAGRAM_MAX 65507 /* bytes in a UDP datagram over IPv4 */

/* Option numbers: RFC 7252, 7641 (Observe), 7959 (Block), 7967 (No-Response), 8613 (OSCORE), 8768 (Hop-Limit), 9175
 * (Echo, Request-Tag), 9177 (Q-Block). Those of drafts are settings. */
enum {
    CG_OPT_IF_MATCH = 1,
    CG_OPT_URI_HOST = 3,
    CG_OPT_ETAG = 4,
    CG_OPT_IF_NONE_MATCH = 5,
    CG_OPT_OBSERVE = 6,
    CG_OPT_URI_PORT = 7,
    CG_OPT_LOCATION_PATH = 8,
    CG_OPT_OSCORE = 9,
    CG_OPT_URI_PATH = 11,
    CG_OPT_CONTENT_FORMAT = 12,
    CG_OPT_MAX_AGE = 14,
    CG_OPT_URI_QUERY = 15,
    CG_OPT_HOP_LIMIT = 16,
    CG_OPT_ACCEPT = 17,
    CG_OPT_Q_BLOCK1 = 19,
    CG_OPT_LOCATION_QUERY = 20,
    CG_OPT_BLOCK2 = 23,
    CG_OPT_BLOCK1 = 27,
    CG_OPT_SIZE2 = 28,
    CG_OPT_Q_BLOCK2 = 31,
    CG_OPT_PROXY_URI = 35,
    CG_OPT_PROXY_SCHEME = 39,
    CG_OPT_SIZE1 = 60,
    CG_OPT_ECHO = 252,
    CG_OPT_NO_RESPONSE = 258,
    CG_OPT_REQUEST_TAG = 292,
};

#define CG_TOKEN_MAX 8

struct cg_token {
    uint8_t len; /* 0 to 8 */
    uint8_t bytes[CG_TOKEN_MAX];
};

/* A parsed message; the slices point into the parsed bytes. */
struct cg_msg {
    uint8_t type; /* enum cg_type */
    uint8_t code;
    uint16_t mid;
    struct cg_token token;
    struct cg_slice options; /* encoded, known to be well-formed */
    struct cg_slice payload; /* empty: no payload (the marker with nothing behind it is a format error) */
};

struct cg_opt {
    uint16_t number;
    struct cg_slice value;
};

/* Of a message that is to be made, in ascending order of their numbers. */
struct cg_opts {
    struct cg_opt *list;
    size_t count;
};
/* Behind those of the same number. The list has room for it; the value is borrowed. */
void cg_opts_insert(struct cg_opts *opts, uint16_t number, struct cg_slice value);

struct cg_opt_iter {
    struct cg_slice rest;
    uint16_t number;
};

/* A UDP datagram. CG_E_FORMAT for everything that RFC 7252 §3 calls a format error: shorter than the header, version
 * other than 1, token length 9 to 15, an Empty message (code 0.00) with anything behind the MID, option delta or length
 * 15 without being the payload marker, a truncated option, an option number above 65535, the marker with no payload. On
 * failure after a whole header of version 1, type and mid are set (so that a CON may be rejected with RST), and the
 * token where it is whole (so that whose it is can be told); otherwise type is NON: another version is ignored in
 * silence. */
int cg_msg_parse(struct cg_msg *msg, struct cg_slice datagram) CG_MUST_CHECK;
/* Code, options and payload as OSCORE's plaintext has them; type, mid and token are left zero. */
int cg_msg_parse_inner(struct cg_msg *msg, struct cg_slice plaintext) CG_MUST_CHECK;
/* Options and payload only (what follows the token); code, type, mid and token untouched. */
int cg_msg_parse_body(struct cg_msg *msg, struct cg_slice body) CG_MUST_CHECK;

void cg_opt_iter_init(struct cg_opt_iter *iter, const struct cg_msg *msg);
bool cg_opt_next(struct cg_opt_iter *iter, struct cg_opt *opt); /* in ascending order; false at the end */
bool cg_msg_find(const struct cg_msg *msg, uint16_t number, struct cg_slice *value); /* the first with that number */
/* A uint option (RFC 7252 §3.2), at most 4 bytes; false when absent or longer. */
bool cg_msg_find_uint(const struct cg_msg *msg, uint16_t number, uint32_t *value);

static inline bool cg_opt_is_critical(uint16_t number) { return number & 1; }
static inline bool cg_opt_is_unsafe(uint16_t number) { return number & 2; }
static inline bool cg_opt_is_no_cache_key(uint16_t number) { return (number & 0x1e) == 0x1c; }

static inline bool cg_code_is_request(uint8_t code) { return code >= 1 && code < 32; }
static inline bool cg_code_is_response(uint8_t code) { return code >= CG_CODE(2, 0) && code < CG_CODE(6, 0); }

/* Emits into the caller's bytes. The failure is sticky (out of room, options out of order or behind the payload):
 * cg_msg_end says it once. */
struct cg_msg_writer {
    uint8_t *data;
    size_t len;
    size_t cap;
    uint16_t last_option;
    bool ended; /* the payload was put: nothing may follow */
    bool failed;
};

void cg_msg_begin(struct cg_msg_writer *writer, uint8_t *data, size_t cap, enum cg_type type, uint8_t code,
                  uint16_t mid, struct cg_token token);
/* Starts with the code only, as OSCORE's plaintext does. */
void cg_msg_begin_inner(struct cg_msg_writer *writer, uint8_t *data, size_t cap, uint8_t code);
/* Options must come in ascending order of their numbers. */
void cg_msg_put_opt(struct cg_msg_writer *writer, uint16_t number, struct cg_slice value);
void cg_msg_put_uint(struct cg_msg_writer *writer, uint16_t number, uint32_t value); /* shortest form */
void cg_msg_put_payload(struct cg_msg_writer *writer, struct cg_slice payload);      /* last; nothing when empty */
/* The message's length, or CG_E_TOO_BIG. */
int cg_msg_end(const struct cg_msg_writer *writer) CG_MUST_CHECK;

uint32_t cg_uint_parse(struct cg_slice value);                  /* 0 to 4 bytes, big endian; a longer value is a bug */
struct cg_slice cg_uint_emit(uint32_t value, uint8_t bytes[4]); /* in the shortest form (RFC 7252 §3.2), in `bytes` */

/* "2.05" and so on: 5 bytes with NUL. */
void cg_code_text(uint8_t code, char text[5]);

#endif
