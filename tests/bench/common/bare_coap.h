/* What libcoap can do at best: the same responses, Non-confirmable, sent on a session of a server that a client has
 * asked. Nothing is received or decided. */
#ifndef CG_BENCH_BARE_COAP_H
#define CG_BENCH_BARE_COAP_H

#include <stdint.h>
#include <stddef.h>

struct bench_bare_coap;

struct bench_bare_coap *bench_bare_coap_new(void);
void bench_bare_coap_free(struct bench_bare_coap *bare);
/* CPU ns a response of `bytes`, header, token and Reply-From included. */
double bench_bare_coap_round(struct bench_bare_coap *bare, uint32_t responses, size_t bytes);

#endif
