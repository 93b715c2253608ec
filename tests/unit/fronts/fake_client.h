/* A client of our HTTP servers on a raw socket, in the same thread as the loop: it sends any bytes, and waits by
 * running the loop. */
#ifndef FAKE_CLIENT_H
#define FAKE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "wire/addr.h"

struct fake_client {
    uv_loop_t *uv;
    int fd;
    char *in; /* what came and was not consumed; NUL-terminated */
    size_t in_len;
    bool closed; /* the server closed, or reset */
    bool reset;
};

struct fake_response {
    int status; /* 0: the connection ended before a whole response */
    char *head; /* status line and fields, NUL-terminated */
    char *body; /* without chunk framing, NUL-terminated */
    size_t body_len;
};

void fake_client_open(struct fake_client *client, uv_loop_t *uv, const struct cg_addr *to);
/* `from`: the address it comes from, with or without port. */
void fake_client_open_from(struct fake_client *client, uv_loop_t *uv, const struct cg_addr *to, const char *from);
void fake_client_close(struct fake_client *client);

/* Sends all of it, running the loop meanwhile; gives up in silence when the server closes. */
void fake_client_send(struct fake_client *client, const char *bytes, size_t len);
void fake_client_send_text(struct fake_client *client, const char *text);

/* Runs the loop until the condition holds; the test fails when that takes very long. */
void fake_client_run_until(uv_loop_t *uv, bool (*condition)(void *ctx), void *ctx);
/* Runs the loop a few times, for what must not happen. */
void fake_client_settle(uv_loop_t *uv);
/* Waits for the server to close the connection. */
void fake_client_wait_closed(struct fake_client *client);
/* Reads what is there. */
void fake_client_read(struct fake_client *client);

/* The next final response; 100 (Continue) is passed over and counted. `bodiless`: it answers HEAD. */
struct fake_response fake_client_response(struct fake_client *client, bool bodiless, int *continues);
void fake_response_fini(struct fake_response *response);
/* The field's value, in a static buffer, or NULL. */
const char *fake_response_field(const struct fake_response *response, const char *name);

#endif
