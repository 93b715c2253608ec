/* The limit of the group side: recvmmsg and the parser, nothing else. */
#ifndef CG_BENCH_BARE_RECEIVE_H
#define CG_BENCH_BARE_RECEIVE_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/peer.h"

enum { BENCH_BATCH = 64, BENCH_BARE_BUFFER = 2048 };

struct bench_bare {
    int fd;
    uint16_t port;
    struct mmsghdr headers[BENCH_BATCH];
    struct iovec slots[BENCH_BATCH];
    struct sockaddr_in senders[BENCH_BATCH];
    uint8_t buffers[BENCH_BATCH][BENCH_BARE_BUFFER];
};

void bench_bare_init(struct bench_bare *bare);
void bench_bare_fini(struct bench_bare *bare);
/* CPU ns an answer: a burst is put into the socket's buffer, then drained while this thread's CPU time counts. */
double bench_bare_round(struct bench_bare *bare, const struct bench_peer *peer, uint32_t answers, uint32_t bytes);
/* CPU ns an answer of those that come one by one over that time: epoll_wait and recvmmsg, with rests as the gateway's
 * socket has them (io/gather.h) or without. */
double bench_bare_trickle(struct bench_bare *bare, const struct bench_peer *peer, const struct bench_order *order,
                          bool gathers);
/* Grows the socket's receive buffer beyond what the system allows everybody, or as far as it does. */
void bench_grow_buffer(int fd);

#endif
