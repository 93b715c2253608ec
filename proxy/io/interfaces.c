/* Interfaces are asked for at every send, so that one that comes, goes or is renumbered is followed. The hard thing is
 * to know cheaply that what was found before is still true: a netlink socket tells of changes, and it is read right
 * before what was found is used, so there is no moment at which a change has happened and the loop has not heard. */
#include "io/interfaces.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
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
    interfaces->query_fd = cg_devices_open();
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

static void add_name(char *names, size_t cap, const char *name) {
    size_t len = strlen(names);
    if (len + sizeof ", " + strlen(name) > cap) return;
    if (len > 0) strcat(names, ", ");
    strcat(names, name);
}

/* Carrier plays no part: a cable pulled out must not send multicast into another network. */
static void take_candidate(void *ctx, const struct cg_device *device) {
    struct cg_interfaces *interfaces = ctx;
    bool is_up = device->flags & IFF_UP, takes_multicast = device->flags & IFF_MULTICAST;
    if (device->flags & IFF_LOOPBACK) return;
    if (is_up && !takes_multicast) add_name(interfaces->flagless, sizeof interfaces->flagless, device->name);
    if (!is_up && takes_multicast) add_name(interfaces->down, sizeof interfaces->down, device->name);
    if (!is_up || !takes_multicast) return;
    if (interfaces->candidate_count++ == 0) strcpy(interfaces->only, device->name);
    add_name(interfaces->names, sizeof interfaces->names, device->name);
}

static int list_candidates(struct cg_interfaces *interfaces, struct cg_problem *problem) {
    interfaces->known = false;
    interfaces->candidate_count = 0;
    interfaces->only[0] = interfaces->names[0] = interfaces->flagless[0] = interfaces->down[0] = '\0';
    int error = cg_devices_each(interfaces->query_fd, take_candidate, interfaces);
    if (error != 0) return cg_problem_set(problem, CG_E_EMIT, "interfaces cannot be listed: %s", uv_strerror(-error));
    interfaces->known = true;
    return CG_OK;
}

/* The commonest reasons are one that nobody brought up, and a tunnel. */
static int no_candidate(const struct cg_interfaces *interfaces, struct cg_problem *problem) {
    static const char set[] = "set group.interface or the mapping's interface";
    if (interfaces->down[0] != '\0')
        return cg_problem_set(problem, CG_E_EMIT,
                              "no interface but loopback is up and multicast-capable; down: %s. Bring it up (\"ip link "
                              "set dev NAME up\"), or %s",
                              interfaces->down, set);
    if (interfaces->flagless[0] == '\0')
        return cg_problem_set(problem, CG_E_EMIT,
                              "no interface but loopback is up and multicast-capable: %s (\"lo\" for members on this "
                              "host)",
                              set);
    return cg_problem_set(problem, CG_E_EMIT,
                          "no interface but loopback is up and multicast-capable; %s, as tunnels often do, lacks the "
                          "flag: \"ip link set dev NAME multicast on\", or %s",
                          interfaces->flagless, set);
}

static int choose(struct cg_interfaces *interfaces, const char **name, struct cg_problem *problem) {
    if (!interfaces->known) {
        int err = list_candidates(interfaces, problem);
        if (err != CG_OK) return err;
    }
    *name = interfaces->only;
    if (interfaces->candidate_count == 1) return CG_OK;
    if (interfaces->candidate_count == 0) return no_candidate(interfaces, problem);
    return cg_problem_set(
        problem, CG_E_EMIT,
        "several interfaces could carry the multicast (%s): set group.interface or the mapping's interface",
        interfaces->names);
}

static int not_found(const char *name, int error, struct cg_problem *problem) {
    if (error == ENODEV) return cg_problem_set(problem, CG_E_EMIT, "interface \"%s\" does not exist", name);
    return cg_problem_set(problem, CG_E_EMIT, "interface \"%s\" cannot be asked for: %s", name, uv_strerror(-error));
}

static int resolve(const struct cg_interfaces *interfaces, const char *name, struct cg_interface *found,
                   struct cg_problem *problem) {
    struct cg_device device;
    int error = cg_devices_find(interfaces->query_fd, name, &device);
    if (error != 0) return not_found(name, error, problem);
    if (!(device.flags & IFF_UP)) return cg_problem_set(problem, CG_E_EMIT, "interface \"%s\" is down", name);
    if (!(device.flags & IFF_RUNNING))
        return cg_problem_set(problem, CG_E_EMIT, "interface \"%s\" has no carrier", name);
    *found = (struct cg_interface){.index = device.index};
    memcpy(found->name, device.name, sizeof found->name);
    error = cg_devices_ipv4(interfaces->query_fd, device.index, &found->ipv4, &found->has_ipv4);
    return error == 0 ? CG_OK : not_found(name, error, problem);
}

static const struct cg_interface *found_before(const struct cg_interfaces *interfaces, const char *name) {
    for (size_t i = 0; i < interfaces->found_count && i < CG_INTERFACES_FOUND_MAX; i++) {
        if (strcmp(interfaces->found[i].name, name) == 0) return &interfaces->found[i].it;
    }
    return NULL;
}

static void remember(struct cg_interfaces *interfaces, const char *name, const struct cg_interface *found) {
    size_t place = interfaces->found_count++ % CG_INTERFACES_FOUND_MAX;
    strcpy(interfaces->found[place].name, name); /* it was found, so it is no longer than a name may be */
    interfaces->found[place].it = *found;
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
    if (err == CG_OK) remember(interfaces, name, found);
    return err;
}
