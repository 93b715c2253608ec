/* HTTP from the client's side: one request after another on one connection, and many connections at once as a load. */
#ifndef CG_BENCH_HTTP_CLIENT_H
#define CG_BENCH_HTTP_CLIENT_H

#include <stdint.h>

#include "base/buf.h"

struct bench_http {
    int fd;
    struct cg_buf in; /* of the last reply: head and body, or of a stream what came so far */
};

struct bench_reply {
    unsigned status;
    size_t head_len;               /* with the empty line */
    uint64_t sent_ns, received_ns; /* CLOCK_MONOTONIC: before the request was sent, after the last byte was read */
};

int bench_http_try_connect(uint16_t port); /* to 127.0.0.1; -1 */
void bench_http_open(struct bench_http *http, uint16_t port);
void bench_http_close(struct bench_http *http);
/* `headers`: whole lines with CR LF. Needs a reply with Content-Length, or 204. */
void bench_http_get(struct bench_http *http, const char *path, const char *headers, struct bench_reply *reply);
void bench_http_put(struct bench_http *http, const char *path, const char *headers, struct cg_slice body,
                    struct bench_reply *reply);
void bench_http_send_get(struct bench_http *http, const char *path, const char *headers);
void bench_http_read_reply(struct bench_http *http, struct bench_reply *reply); /* sent_ns stays as it is */
/* Reads until the text has come, and leaves out what was there before. False: the end came. */
bool bench_http_read_until(struct bench_http *http, const char *text);

struct bench_load {
    uint16_t port;
    const char *path;
    unsigned connections; /* each with one request at a time */
    unsigned requests;    /* in all */
    unsigned status;      /* that every reply must have */
};

/* Wall-clock seconds for all of it. A reply with another status ends the program. */
double bench_http_load(const struct bench_load *load);

#endif
