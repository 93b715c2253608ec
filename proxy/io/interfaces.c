/* Interfaces are asked for at every send, so that one that comes, goes or is renumbered is followed. The hard thing is
 * to know cheaply that what was found before is still true: a netlink socket tells of changes, and it is read right
 * before what was found is used, so there is no moment at which a change has happened and the loop has not heard. */
#include "io/interfaces.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static int open_news(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0) return -1;
    struct sockaddr_nl local = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR};
    if (bind(fd, (struct sockaddr *)&local, sizeof local) == 0) return fd;
    close(fd);
    return -1;
}

int cg_interfaces_init(struct cg_interfaces *interfaces, struct cg_problem *problem) {
    *interfaces = (struct cg_interfaces){.query_fd = -1, .news_fd = -1};
    interfaces->query_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (interfaces->query_fd < 0) return cg_problem_set(problem, CG_E_EMIT, "no socket: %s", uv_strerror(-errno));
    interfaces->news_fd = open_news();
    return CG_OK;
}

void cg_interfaces_fini(struct cg_interfaces *interfaces) {
    if (interfaces->query_fd >= 0) close(interfaces->query_fd);
    if (interfaces->news_fd >= 0) close(interfaces->news_fd);
    interfaces->query_fd = interfaces->news_fd = -1;
}

/* Takes all that is queued; an overrun (ENOBUFS) is a change as well. */
static bool something_changed(struct cg_interfaces *interfaces) {
    if (interfaces->news_fd < 0) return true;
    bool changed = false;
    for (;;) {
        char dropped[1];
        ssize_t len = recv(interfaces->news_fd, dropped, sizeof dropped, MSG_DONTWAIT);
        if (len < 0 && errno == EAGAIN) return changed;
        if (len < 0 && errno != ENOBUFS && errno != EINTR) return true;
        changed = true;
    }
}

/* False: there is no such interface. */
static bool read_flags(const struct cg_interfaces *interfaces, const char *name, unsigned *flags) {
    struct ifreq request = {0};
    if (strlen(name) >= sizeof request.ifr_name) return false;
    strcpy(request.ifr_name, name);
    if (ioctl(interfaces->query_fd, SIOCGIFFLAGS, &request) != 0) return false;
    *flags = (unsigned short)request.ifr_flags;
    return true;
}

static void add_candidate(struct cg_interfaces *interfaces, const char *name) {
    if (interfaces->candidate_count++ == 0) strcpy(interfaces->only, name);
    size_t len = strlen(interfaces->names);
    if (len + sizeof ", " + strlen(name) > sizeof interfaces->names) return;
    if (len > 0) strcat(interfaces->names, ", ");
    strcat(interfaces->names, name);
}

/* Carrier plays no part: a cable pulled out must not send multicast into another network. */
static int list_candidates(struct cg_interfaces *interfaces, struct cg_problem *problem) {
    interfaces->known = false;
    interfaces->candidate_count = 0;
    interfaces->only[0] = interfaces->names[0] = '\0';
    struct if_nameindex *list = if_nameindex();
    if (list == NULL) return cg_problem_set(problem, CG_E_EMIT, "interfaces cannot be listed: %s", uv_strerror(-errno));
    for (const struct if_nameindex *item = list; item->if_index != 0; item++) {
        unsigned flags;
        if (strlen(item->if_name) >= IF_NAMESIZE || !read_flags(interfaces, item->if_name, &flags)) continue;
        if ((flags & (IFF_UP | IFF_MULTICAST | IFF_LOOPBACK)) != (IFF_UP | IFF_MULTICAST)) continue;
        add_candidate(interfaces, item->if_name);
    }
    if_freenameindex(list);
    interfaces->known = true;
    return CG_OK;
}

static int choose(struct cg_interfaces *interfaces, const char **name, struct cg_problem *problem) {
    if (!interfaces->known) {
        int err = list_candidates(interfaces, problem);
        if (err != CG_OK) return err;
    }
    *name = interfaces->only;
    if (interfaces->candidate_count == 1) return CG_OK;
    if (interfaces->candidate_count == 0) {
        return cg_problem_set(problem, CG_E_EMIT,
                              "no interface but loopback is up and multicast-capable: set group.interface or the "
                              "mapping's interface (\"lo\" for members on this host)");
    }
    return cg_problem_set(
        problem, CG_E_EMIT,
        "several interfaces could carry the multicast (%s): set group.interface or the mapping's interface",
        interfaces->names);
}

static int resolve(const struct cg_interfaces *interfaces, const char *name, struct cg_interface *found,
                   struct cg_problem *problem) {
    unsigned flags;
    if (!read_flags(interfaces, name, &flags)) {
        return cg_problem_set(problem, CG_E_EMIT, "interface \"%s\" does not exist", name);
    }
    if (!(flags & IFF_UP)) return cg_problem_set(problem, CG_E_EMIT, "interface \"%s\" is down", name);
    if (!(flags & IFF_RUNNING)) return cg_problem_set(problem, CG_E_EMIT, "interface \"%s\" has no carrier", name);
    *found = (struct cg_interface){0};
    struct ifreq request = {0};
    strcpy(request.ifr_name, name);
    strcpy(found->name, name);
    if (ioctl(interfaces->query_fd, SIOCGIFINDEX, &request) != 0) {
        return cg_problem_set(problem, CG_E_EMIT, "interface \"%s\" does not exist", name);
    }
    found->index = (unsigned)request.ifr_ifindex;
    found->has_ipv4 = ioctl(interfaces->query_fd, SIOCGIFADDR, &request) == 0;
    if (found->has_ipv4) {
        struct sockaddr_in local;
        memcpy(&local, &request.ifr_addr, sizeof local);
        found->ipv4 = local.sin_addr;
    }
    return CG_OK;
}

static const struct cg_interface *found_before(const struct cg_interfaces *interfaces, const char *name) {
    for (size_t i = 0; i < interfaces->found_count && i < CG_INTERFACES_FOUND_MAX; i++) {
        if (strcmp(interfaces->found[i].name, name) == 0) return &interfaces->found[i];
    }
    return NULL;
}

static void forget_if_changed(struct cg_interfaces *interfaces) {
    if (!something_changed(interfaces)) return;
    interfaces->known = false;
    interfaces->found_count = 0;
}

int cg_interfaces_find(struct cg_interfaces *interfaces, const char *name, struct cg_interface *found,
                       struct cg_problem *problem) {
    forget_if_changed(interfaces);
    if (name == NULL) {
        int err = choose(interfaces, &name, problem);
        if (err != CG_OK) return err;
    }
    const struct cg_interface *before = found_before(interfaces, name);
    if (before != NULL) {
        *found = *before;
        return CG_OK;
    }
    int err = resolve(interfaces, name, found, problem);
    if (err == CG_OK) interfaces->found[interfaces->found_count++ % CG_INTERFACES_FOUND_MAX] = *found;
    return err;
}
