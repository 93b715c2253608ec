/* CoAP from the client's side: a UDP socket that asks the gateway for a group, and takes the separate responses as fast
 * as they come, acknowledging those that want it. */
#ifndef CG_BENCH_COAP_CLIENT_H
#define CG_BENCH_COAP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_coap {
    int fd;
    uint16_t mid; /* of the latest request; its token is the same */
    uint8_t request[64];
    size_t request_len;
    size_t last; /* bytes of the latest response */
};

void bench_coap_open(struct bench_coap *client, uint16_t port); /* to 127.0.0.1 */
void bench_coap_close(struct bench_coap *client);
/* A Confirmable GET of the mapping's path with Multicast-Timeout. */
void bench_coap_ask(struct bench_coap *client, const char *path, uint8_t seconds);
/* Waits for so many responses with content to the latest request, which is sent again where nothing comes for a while.
 * False: they did not come within ten seconds of silence. */
bool bench_coap_take(struct bench_coap *client, uint32_t responses);

#endif
