/* UDP by plain sockets, IPv4 and IPv6. All of these end the program where they fail. */
#ifndef EXAMPLE_NET_H
#define EXAMPLE_NET_H

#include <sys/socket.h>

struct endpoint {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct endpoint endpoint_parse(const char *address, const char *port);
unsigned interface_parse(const char *name);

int socket_at(const struct endpoint *own);                                  /* for unicast */
int socket_of_group(const struct endpoint *group, unsigned interface);      /* hears that group there, and no other */
int socket_towards(const struct endpoint *destination, unsigned interface); /* multicasts leave by the interface */

#endif
