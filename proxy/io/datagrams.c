/* Connecting a socket for datagrams, which is done at once. */
#include "io/datagrams.h"

#include <errno.h>
#include <unistd.h>

#include "io/endpoint.h"

int cg_datagrams_connect(const struct cg_addr *to) {
    union cg_endpoint endpoint;
    socklen_t len = cg_endpoint_from_addr(&endpoint, to);
    int fd = socket(endpoint.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, &endpoint.any, len) == 0) return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}
