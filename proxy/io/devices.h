/* Network devices and their IPv4 addresses as the kernel has them, by rtnetlink(7): by any of a device's names, and
 * whatever labels its addresses have, which ioctl(2) knows less of. */
#ifndef CG_IO_DEVICES_H
#define CG_IO_DEVICES_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CG_DEVICE_NAME_MAX 128 /* an alternative name, with NUL */

struct cg_device {
    char name[IF_NAMESIZE]; /* its own, by whatever name it was asked for */
    unsigned index;
    unsigned flags; /* IFF_… */
};

/* A socket for the calls below, CLOEXEC and non-blocking; -1 with errno. */
int cg_devices_open(void);

/* Each returns 0 or an errno; ENODEV: there is no such device. None waits. */

int cg_devices_find(int fd, const char *name, struct cg_device *device) CG_MUST_CHECK;
/* In the order of their indexes. */
int cg_devices_each(int fd, void (*take)(void *ctx, const struct cg_device *device), void *ctx) CG_MUST_CHECK;
/* The first of the device's IPv4 addresses, which is a primary one. *has is false where it has none. */
int cg_devices_ipv4(int fd, unsigned index, struct in_addr *addr, bool *has) CG_MUST_CHECK;

#endif
