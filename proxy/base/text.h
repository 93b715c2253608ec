/* Small conversions between bytes and text that several layers need: hex, base64, UTF-8, decimal numbers, hashing. */
#ifndef CG_BASE_TEXT_H
#define CG_BASE_TEXT_H

#include "base/err.h"
#include "base/slice.h"

/* RFC 4648 §4 with padding; `to` has room for cg_base64_len(bytes.len). No terminating NUL. */
static inline size_t cg_base64_len(size_t bytes) { return (bytes + 2) / 3 * 4; }
void cg_base64_emit(char *to, struct cg_slice bytes);

/* RFC 4648 §5 without padding; `to` has room for cg_base64_len(bytes.len). Returns the length. */
size_t cg_base64url_emit(char *to, struct cg_slice bytes);

/* Decode into `to` (room for `cap`); *len gets the count. CG_E_FORMAT on anything that is not exactly such text,
 * CG_E_TOO_BIG. base64url is RFC 4648 §5 without padding. */
int cg_base64url_parse(struct cg_slice text, uint8_t *to, size_t cap, size_t *len) CG_MUST_CHECK;
int cg_hex_parse(struct cg_slice text, uint8_t *to, size_t cap, size_t *len) CG_MUST_CHECK;

/* Length of the UTF-8 sequence that starts at data (1 to 4), or 0 when it is not well-formed (RFC 3629). */
size_t cg_utf8_sequence(const uint8_t *data, size_t len);
bool cg_utf8_valid(struct cg_slice text);
/* Without the byte order mark that some editors write first (RFC 8259 §8.1 lets readers ignore it). */
struct cg_slice cg_utf8_without_mark(struct cg_slice text);

/* Takes the next line off *rest, without its end; false: there is none. */
bool cg_next_line(struct cg_slice *rest, struct cg_slice *line);

/* Digits only, no sign or space; CG_E_FORMAT when empty, not digits, or above `max`. */
int cg_decimal_parse(struct cg_slice text, uint64_t max, uint64_t *number) CG_MUST_CHECK;

#define CG_DECIMAL_MAX 20 /* digits */
/* Without terminating NUL; returns the length. Printf would be most of what a short line costs. */
size_t cg_decimal_emit(char to[CG_DECIMAL_MAX], uint64_t number);

static inline char cg_ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }
/* Letters of ASCII match in either case. */
bool cg_slice_equal_nocase(struct cg_slice a, struct cg_slice b);
static inline bool cg_slice_is_nocase(struct cg_slice a, const char *text) {
    return cg_slice_equal_nocase(a, cg_slice_str(text));
}
bool cg_slice_starts(struct cg_slice text, const char *prefix);
bool cg_slice_starts_nocase(struct cg_slice text, const char *prefix);

/* 0 to 15, or -1. */
int cg_hex_digit(uint8_t c);

/* A byte of a token (RFC 9110 §5.6.2). */
bool cg_is_token_char(uint8_t c);

/* FNV-1a, for hash tables that take no hostile keys or whose buckets are bounded otherwise. */
#define CG_FNV_START 2166136261u
static inline uint32_t cg_fnv(uint32_t hash, const void *data, size_t len) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}
/* The hash before its last byte, which was `byte`: the multiplier is odd, so its inverse modulo 2^32 exists. */
static inline uint32_t cg_fnv_undo(uint32_t hash, uint8_t byte) { return hash * 899433627u ^ byte; }

#endif
