/* An HTTP server on loopback, with a handler of the test's: "/later…" is held until the test replies, "/none" gets 204,
 * everything else its own description. */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake_client.h"
#include "fronts/http/server.h"

#define LOCAL "Host: localhost\r\n"

enum { BODY_MAX = 1000, HELD_MAX = 96 };

struct fake_server {
    uv_loop_t uv;
    struct cg_listen listen[2];
    struct cg_http_settings settings;
    struct cg_http_options options;
    struct cg_http_server *server;
    struct cg_http_call *held[HELD_MAX];
    size_t held_count;
    size_t requests, dones;
    char seen[65536]; /* a line for each request: METHOD TARGET BODY-LENGTH */
    bool closed;
};

/* Takes the loop and an address; the test may change settings and options before it opens: with the first client, or
 * where the server itself is needed earlier, by fake_server_open. */
void fake_server_prepare(struct fake_server *f);
void fake_server_open(struct fake_server *f);
/* Closes it, and checks that every request was done with. */
void fake_server_tear_down(struct fake_server *f);

/* Of a test (cmocka's fixtures): *state is a server that is prepared. */
int fake_server_setup(void **state);
int fake_server_teardown(void **state);
#define server_test(test) cmocka_unit_test_setup_teardown(test, fake_server_setup, fake_server_teardown)

const struct cg_addr *fake_server_addr(struct fake_server *f);

void fake_server_connect(struct fake_server *f, struct fake_client *client);
/* Connects, and sends a request that is held. */
void fake_server_hold(struct fake_server *f, struct fake_client *client);
/* What the handler replies; the test does, to what is held. */
void fake_server_reply(struct cg_http_call *call, uint16_t status, const char *text);

/* Puts `len` times `byte`, as one block, into what a reply is taken from. */
void fake_server_put(struct cg_outq *queue, char byte, size_t len);
extern const struct cg_http_head fake_server_queue_head;

/* Conditions for fake_client_run_until; `ctx` is the server. */
bool fake_server_has_held(void *ctx);
bool fake_server_is_done(void *ctx);
bool fake_server_is_empty(void *ctx);

/* The next response has this status, and this body; NULL: whatever body. */
void fake_client_expect(struct fake_client *client, int status, const char *body);

#endif
