/* What the loop and the HTTP library can do at best: a libmicrohttpd daemon in a libuv loop, arranged as in the
 * gateway, whose handler always gives the same reply; and a libuv loop that sends back each datagram. Each is a
 * process. */
#ifndef CG_BENCH_BARE_SERVERS_H
#define CG_BENCH_BARE_SERVERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bench_server {
    pid_t pid;
    uint16_t port; /* on 127.0.0.1 */
};

void bench_start_bare_http(struct bench_server *server, unsigned status, size_t body_len);
void bench_start_echo(struct bench_server *server);
void bench_stop_server(struct bench_server *server);

#endif
