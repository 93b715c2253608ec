/* The hard thing: a mapping may name no interface, and then its requests leave by the only one that would do; so what
 * mappings rely on is one list, and what the machine has another, and whoever reads sees both. */
#include "app/system.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <sys/statvfs.h>

#include "app/program.h"
#include "app/readiness.h"
#include "base/text.h"

enum { DEVICES_MAX = 64 };

static void put_text(struct cg_buf *to, const char *key, const char *text) {
    cg_buf_printf(to, ",\"%s\":", key);
    if (text == NULL) {
        cg_buf_put_str(to, "null");
    } else {
        cg_buf_put_json(to, cg_slice_str(text));
    }
}

static const char *word(bool is_so) { return is_so ? "true" : "false"; }

/* ---- Readiness, as /readyz has it ---- */

static void put_lines(struct cg_buf *to, struct cg_slice lines) {
    struct cg_slice line;
    const char *comma = "";
    while (cg_next_line(&lines, &line)) {
        cg_buf_put_str(to, comma);
        cg_buf_put_json(to, line);
        comma = ",";
    }
}

static void put_readiness(struct cg_buf *to, struct cg_program *program) {
    struct cg_buf said;
    cg_buf_init(&said, 0);
    bool is_ready = program->stopped_us == 0 && cg_readiness_put(program, CG_READINESS_NAMES, &said) == 0;
    cg_listeners_put_missing(&program->listeners, CG_LISTENERS_NAMED, &said);
    cg_buf_printf(to, "\"ready\":%s,\"reasons\":[", word(is_ready));
    put_lines(to, cg_buf_slice(&said));
    cg_buf_put_u8(to, ']');
    to->failed |= said.failed;
    cg_buf_fini(&said);
}

/* ---- Interfaces ---- */

/* What mappings send by; null: by the only one that there is. */
static void put_ways(struct cg_buf *to, const struct cg_program *program, const struct cg_config *config) {
    cg_buf_put_str(to, ",\"sends_by\":[");
    for (size_t i = 0; i < config->reliances.interface_count; i++) {
        const struct cg_interface_reliance *by = &config->reliances.interfaces[i];
        struct cg_problem problem = {0};
        bool is_usable = cg_readiness_has_interface(program, config, by, &problem);
        cg_buf_printf(to, "%s{\"mappings\":%zu", i > 0 ? "," : "", by->on.count);
        put_text(to, "interface", by->interface);
        cg_buf_printf(to, ",\"usable\":%s", word(is_usable));
        put_text(to, "reason", is_usable ? NULL : problem.detail);
        cg_buf_put_u8(to, '}');
    }
    cg_buf_put_u8(to, ']');
}

/* getifaddrs(3) has a device once for each of its addresses, and once for itself, in any order. */
static bool is_first(const struct ifaddrs *all, const struct ifaddrs *it) {
    for (; all != it; all = all->ifa_next) {
        if (strcmp(all->ifa_name, it->ifa_name) == 0) return false;
    }
    return true;
}

/* False: it is none of the Internet's. */
static bool put_ip(char to[INET6_ADDRSTRLEN], const struct sockaddr *addr) {
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;
    if (addr != NULL && addr->sa_family == AF_INET6) {
        memcpy(&v6, addr, sizeof v6);
        return inet_ntop(AF_INET6, &v6.sin6_addr, to, INET6_ADDRSTRLEN) != NULL;
    }
    if (addr == NULL || addr->sa_family != AF_INET) return false;
    memcpy(&v4, addr, sizeof v4);
    return inet_ntop(AF_INET, &v4.sin_addr, to, INET6_ADDRSTRLEN) != NULL;
}

static void put_addresses(struct cg_buf *to, const struct ifaddrs *all, const char *name) {
    char text[INET6_ADDRSTRLEN];
    const char *comma = "";
    for (; all != NULL; all = all->ifa_next) {
        if (strcmp(all->ifa_name, name) != 0 || !put_ip(text, all->ifa_addr)) continue;
        cg_buf_printf(to, "%s\"%s\"", comma, text);
        comma = ",";
    }
}

static void put_device(struct cg_buf *to, const struct ifaddrs *all, const struct ifaddrs *it) {
    cg_buf_put_str(to, "{\"name\":");
    cg_buf_put_json(to, cg_slice_str(it->ifa_name));
    cg_buf_printf(to, ",\"up\":%s,\"multicast\":%s,\"loopback\":%s,\"addresses\":[", word(it->ifa_flags & IFF_RUNNING),
                  word(it->ifa_flags & IFF_MULTICAST), word(it->ifa_flags & IFF_LOOPBACK));
    put_addresses(to, all, it->ifa_name);
    cg_buf_put_str(to, "]}");
}

static void put_devices(struct cg_buf *to) {
    struct ifaddrs *all = NULL;
    size_t count = 0;
    if (getifaddrs(&all) != 0) all = NULL;
    cg_buf_put_str(to, ",\"interfaces\":[");
    for (const struct ifaddrs *it = all; it != NULL && count < DEVICES_MAX; it = it->ifa_next) {
        if (!is_first(all, it)) continue;
        if (count++ > 0) cg_buf_put_u8(to, ',');
        put_device(to, all, it);
    }
    cg_buf_put_u8(to, ']');
    if (all != NULL) freeifaddrs(all);
}

/* ---- Buffers ---- */

static void put_granted(struct cg_buf *to, const char *key, uint32_t granted) {
    if (granted == 0) {
        cg_buf_printf(to, ",\"%s\":null", key);
    } else {
        cg_buf_printf(to, ",\"%s\":%" PRIu32, key, granted);
    }
}

static void put_buffers(struct cg_buf *to, const struct cg_program *program, const struct cg_config *config) {
    struct cg_group_socket *group = program->loop.group;
    cg_buf_printf(to, ",\"receive_buffer\":{\"wanted\":%" PRIu32, config->group.receive_buffer);
    put_granted(to, "ipv4", cg_group_socket_buffer(group, CG_FAMILY_IPV4));
    put_granted(to, "ipv6", cg_group_socket_buffer(group, CG_FAMILY_IPV6));
    cg_buf_printf(to, ",\"kernel_drops\":%" PRIu64 "}", cg_group_socket_kernel_drops(group));
}

/* ---- The store ---- */

static void put_free(struct cg_buf *to, const char *folder) {
    struct statvfs room;
    if (folder == NULL || statvfs(folder, &room) != 0) {
        cg_buf_put_str(to, ",\"free_bytes\":null");
    } else {
        cg_buf_printf(to, ",\"free_bytes\":%" PRIu64, (uint64_t)room.f_bavail * room.f_frsize);
    }
}

static void put_store(struct cg_buf *to, const struct cg_program *program, const struct cg_config *config,
                      enum cg_system_paths paths) {
    struct cg_problem problem = program->stock_problem;
    if (problem.err == CG_OK) (void)(cg_protectors_status(&program->protectors, &problem) == CG_OK);
    cg_buf_printf(to, ",\"store\":{\"usable\":%s", word(problem.err == CG_OK));
    put_text(to, "reason", problem.err == CG_OK ? NULL : problem.detail);
    put_text(to, "folder", paths == CG_SYSTEM_PATHS ? config->state : NULL);
    put_free(to, config->state);
    cg_buf_put_u8(to, '}');
}

void cg_system_put(struct cg_program *program, enum cg_system_paths paths, struct cg_buf *to) {
    const struct cg_config *config = cg_gateway_config(program->loop.gateway);
    put_readiness(to, program);
    cg_buf_put_str(to, ",\"listeners\":");
    cg_listeners_put_json(&program->listeners, to);
    put_ways(to, program, config);
    put_devices(to);
    put_buffers(to, program, config);
    put_store(to, program, config, paths);
    put_text(to, "settings_file", paths == CG_SYSTEM_PATHS ? program->file : NULL);
}
