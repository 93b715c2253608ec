/* Devices and their addresses, asked of the kernel. The hard thing: an answer may come in several datagrams, some of
 * which an earlier question left behind when it failed; so each is believed by the question's number alone. The kernel
 * answers within sendto and recv, so nothing here waits; what is not there at once does not come. */
#include "io/devices.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

enum { PART = 32768 /* the most that the kernel puts into one datagram */ };

struct question {
    struct nlmsghdr header;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg addr;
    } of;
    char attributes[RTA_SPACE(CG_DEVICE_NAME_MAX) + RTA_SPACE(sizeof(uint32_t))];
};

/* Takes one part of the answer. */
typedef void take_fn(void *ctx, const struct nlmsghdr *part);

int cg_devices_open(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), on = 1;
    /* Lists of one device's addresses only; who cannot do that lists all, which costs more. */
    if (fd >= 0) (void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    return fd;
}

static void put_attribute(struct question *question, unsigned short type, const void *value, size_t len) {
    struct rtattr *attribute = (struct rtattr *)((char *)question + NLMSG_ALIGN(question->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(len);
    memcpy(RTA_DATA(attribute), value, len);
    question->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(question->header.nlmsg_len) + RTA_SPACE(len));
}

/* No statistics, which are most of an answer. */
static void leave_out_statistics(struct question *question) {
    const uint32_t mask = RTEXT_FILTER_SKIP_STATS;
    put_attribute(question, IFLA_EXT_MASK, &mask, sizeof mask);
}

static int send_question(int fd, struct question *question) {
    static _Atomic uint32_t asked;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    question->header.nlmsg_seq = atomic_fetch_add(&asked, 1) + 1;
    ssize_t sent = sendto(fd, question, question->header.nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof kernel);
    return sent < 0 ? errno : 0;
}

static int error_of(const struct nlmsghdr *part) {
    const struct nlmsgerr *error = NLMSG_DATA(part);
    return part->nlmsg_len < NLMSG_LENGTH(sizeof *error) ? EPROTO : -error->error;
}

/* One datagram of the answer. EAGAIN: there are more. */
static int take_parts(const struct nlmsghdr *part, size_t len, uint32_t seq, take_fn *take, void *ctx) {
    for (; NLMSG_OK(part, len); part = NLMSG_NEXT(part, len)) {
        if (part->nlmsg_seq != seq) continue;
        if (part->nlmsg_type == NLMSG_DONE) return 0;
        if (part->nlmsg_type == NLMSG_ERROR) return error_of(part);
        take(ctx, part);
        if (!(part->nlmsg_flags & NLM_F_MULTI)) return 0;
    }
    return EAGAIN;
}

static int ask(int fd, struct question *question, take_fn *take, void *ctx) {
    union {
        struct nlmsghdr first;
        char bytes[PART];
    } datagram;
    int err = send_question(fd, question);
    if (err != 0) return err;
    do {
        ssize_t len = recv(fd, &datagram, sizeof datagram, MSG_DONTWAIT | MSG_TRUNC);
        if (len < 0 && errno == EINTR) continue;
        if (len < 0) return errno;
        if ((size_t)len > sizeof datagram) return EMSGSIZE;
        err = take_parts(&datagram.first, (size_t)len, question->header.nlmsg_seq, take, ctx);
    } while (err == EAGAIN);
    return err;
}

/* ---- Devices ---- */

static bool read_device(const struct nlmsghdr *part, struct cg_device *device) {
    const struct ifinfomsg *info = NLMSG_DATA(part);
    if (part->nlmsg_type != RTM_NEWLINK || part->nlmsg_len < NLMSG_LENGTH(sizeof *info)) return false;
    *device = (struct cg_device){.index = (unsigned)info->ifi_index, .flags = info->ifi_flags};
    int left = (int)(part->nlmsg_len - NLMSG_LENGTH(sizeof *info));
    for (const struct rtattr *it = IFLA_RTA(info); RTA_OK(it, left); it = RTA_NEXT(it, left)) {
        size_t len = RTA_PAYLOAD(it);
        if (it->rta_type != IFLA_IFNAME || len > sizeof device->name) continue;
        memcpy(device->name, RTA_DATA(it), len);
        device->name[sizeof device->name - 1] = '\0';
    }
    return device->name[0] != '\0';
}

static void take_device(void *ctx, const struct nlmsghdr *part) {
    struct cg_device *device = ctx;
    if (!read_device(part, device)) device->index = 0;
}

int cg_devices_find(int fd, const char *name, struct cg_device *device) {
    struct question question = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof question.of.link),
                                           .nlmsg_type = RTM_GETLINK,
                                           .nlmsg_flags = NLM_F_REQUEST}};
    size_t len = strlen(name) + 1;
    *device = (struct cg_device){0};
    if (len > CG_DEVICE_NAME_MAX) return ENODEV;
    put_attribute(&question, len > IF_NAMESIZE ? IFLA_ALT_IFNAME : IFLA_IFNAME, name, len);
    leave_out_statistics(&question);
    int err = ask(fd, &question, take_device, device);
    return err == 0 && device->index == 0 ? ENODEV : err;
}

struct each {
    void (*take)(void *ctx, const struct cg_device *device);
    void *ctx;
};

static void take_each(void *ctx, const struct nlmsghdr *part) {
    const struct each *each = ctx;
    struct cg_device device;
    if (read_device(part, &device)) each->take(each->ctx, &device);
}

int cg_devices_each(int fd, void (*take)(void *ctx, const struct cg_device *device), void *ctx) {
    struct question question = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof question.of.link),
                                           .nlmsg_type = RTM_GETLINK,
                                           .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    struct each each = {.take = take, .ctx = ctx};
    leave_out_statistics(&question);
    return ask(fd, &question, take_each, &each);
}

/* ---- Addresses ---- */

struct address {
    unsigned index;
    struct in_addr *addr;
    bool *has;
};

static void take_address(void *ctx, const struct nlmsghdr *part) {
    const struct address *wanted = ctx;
    const struct ifaddrmsg *info = NLMSG_DATA(part);
    if (part->nlmsg_type != RTM_NEWADDR || part->nlmsg_len < NLMSG_LENGTH(sizeof *info)) return;
    if (*wanted->has || info->ifa_family != AF_INET || info->ifa_index != wanted->index) return;
    int left = (int)(part->nlmsg_len - NLMSG_LENGTH(sizeof *info));
    for (const struct rtattr *it = IFA_RTA(info); RTA_OK(it, left); it = RTA_NEXT(it, left)) {
        if (it->rta_type != IFA_LOCAL || RTA_PAYLOAD(it) != sizeof *wanted->addr) continue;
        memcpy(wanted->addr, RTA_DATA(it), sizeof *wanted->addr);
        *wanted->has = true;
    }
}

int cg_devices_ipv4(int fd, unsigned index, struct in_addr *addr, bool *has) {
    struct question question = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof question.of.addr),
                                           .nlmsg_type = RTM_GETADDR,
                                           .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
                                .of.addr = {.ifa_family = AF_INET, .ifa_index = index}};
    struct address wanted = {.index = index, .addr = addr, .has = has};
    *has = false;
    return ask(fd, &question, take_address, &wanted);
}
