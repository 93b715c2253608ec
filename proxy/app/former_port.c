/* The port of before. The hard thing: it is no more than a wish. A file that is missing, torn or cannot be written, and
 * a port that somebody else has, leave the gateway with any port, as without it; so nothing here is an error, and
 * nothing waits for a disk. */
#include "app/former_port.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define FILE_NAME "group.port" /* in the state folder */

static int open_file(const char *state, int flags) {
    int folder = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -1;
    int fd = openat(folder, FILE_NAME, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    close(folder);
    return fd;
}

/* 0: none is known. */
static uint16_t read_port(const char *state) {
    char text[sizeof "65535\n"] = "", *end;
    size_t len;
    int fd = open_file(state, O_RDONLY);
    if (fd < 0) return 0;
    bool read = cg_file_read(fd, text, sizeof text - 1, &len) == 0;
    close(fd);
    unsigned long port = strtoul(text, &end, 10);
    return read && *end == '\n' && port <= UINT16_MAX ? (uint16_t)port : 0;
}

static void write_port(const char *state, uint16_t port) {
    char text[sizeof "65535\n"];
    int fd = open_file(state, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) return;
    (void)snprintf(text, sizeof text, "%u\n", (unsigned)port);
    int why = cg_file_write(fd, cg_slice_str(text));
    close(fd);
    if (why != 0) cg_log(CG_LOG_WARNING, "start", "%s/" FILE_NAME " was not written: %s", state, strerror(why));
}

static uint16_t port_of(const struct cg_loop *loop) {
    uint16_t port = cg_group_socket_port(loop->group, CG_FAMILY_IPV4);
    return port != 0 ? port : cg_group_socket_port(loop->group, CG_FAMILY_IPV6);
}

/* What the settings leave open is said for as long as the sockets are opened. */
static bool opens_at(uint16_t port, struct cg_loop *loop, struct cg_config *config, cg_signal_fn on_signal, void *ctx) {
    struct cg_problem ignored = {0};
    if (port == 0) return false;
    config->group.port = port;
    int err = cg_loop_init(loop, config, on_signal, ctx, &ignored);
    config->group.port = 0;
    return err == CG_OK;
}

int cg_former_port_init_loop(struct cg_loop *loop, struct cg_config *config, cg_signal_fn on_signal, void *ctx,
                             struct cg_problem *problem) {
    if (config->group.port != 0) return cg_loop_init(loop, config, on_signal, ctx, problem);
    uint16_t former = read_port(config->state);
    if (opens_at(former, loop, config, on_signal, ctx)) return CG_OK;
    int err = cg_loop_init(loop, config, on_signal, ctx, problem);
    if (err == CG_OK) write_port(config->state, port_of(loop));
    return err;
}
