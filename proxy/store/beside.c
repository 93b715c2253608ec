/* The control socket from outside. The hard thing is not to wait for ever: for a gateway whose socket takes nobody
 * more, or that does not answer because its disk hangs. */
#include "store/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum { PATIENCE_S = 30 }; /* for a part of the answer, and for all of it */

static int fails(const char *folder, const char *why, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_STORE, "the gateway that runs on the state folder %s: %s", folder, why);
}

int cg_control_address(const char *folder, struct sockaddr_un *address, int *folder_fd, struct cg_problem *problem) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    *folder_fd = -1;
    if (strlen(folder) + sizeof "/" CG_CONTROL_SOCKET <= sizeof address->sun_path) {
        snprintf(address->sun_path, sizeof address->sun_path, "%s/" CG_CONTROL_SOCKET, folder);
        return CG_OK;
    }
    *folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder_fd < 0) return fails(folder, strerror(errno), problem);
    snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/" CG_CONTROL_SOCKET, *folder_fd);
    return CG_OK;
}

/* -1: errno says why. */
static int connect_to(const struct sockaddr_un *address, uint32_t patience_s) {
    const struct timeval patience = {.tv_sec = patience_s};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static bool send_line(int fd, struct cg_slice request) {
    struct cg_buf line;
    cg_buf_init(&line, 0);
    cg_buf_put_slice(&line, request);
    cg_buf_put_u8(&line, '\n');
    bool sent = !line.failed && send(fd, line.data, line.len, MSG_NOSIGNAL) == (ssize_t)line.len;
    cg_buf_fini(&line);
    return sent;
}

static time_t now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static bool is_hurried(const struct cg_control_patience *patience) {
    return patience->hurried != NULL && *patience->hurried;
}

/* What there is, or -1. Who is hurried shuts its sending side, which tells the gateway. */
static ssize_t receive(int fd, uint8_t *to, size_t size, const struct cg_control_patience *patience) {
    for (;;) {
        ssize_t got = recv(fd, to, size, 0);
        if (got >= 0 || errno != EINTR) return got;
        if (is_hurried(patience)) shutdown(fd, SHUT_WR);
    }
}

/* Without the line end. */
static bool read_line(int fd, const struct cg_control_patience *patience, struct cg_buf *reply) {
    time_t end_s = now_s() + (time_t)patience->seconds;
    while (reply->len < patience->answer_max && now_s() < end_s) {
        uint8_t *to = cg_buf_reserve(reply, CG_CONTROL_LINE_MAX);
        ssize_t got = to == NULL ? -1 : receive(fd, to, CG_CONTROL_LINE_MAX, patience);
        if (got <= 0) return false;
        reply->len += (size_t)got;
        if (reply->data[reply->len - 1] != '\n') continue;
        reply->len--;
        return true;
    }
    return false;
}

/* A string of the reply, as far as it fits, and as far as our own gateway escapes what it says. */
static bool get_text(const struct cg_buf *reply, const char *key, char *to, size_t size) {
    const uint8_t *end = reply->data + reply->len, *at = memmem(reply->data, reply->len, key, strlen(key));
    size_t len = 0;
    if (at == NULL) return false;
    for (at += strlen(key); at < end && *at != '"' && len + 1 < size; at++) {
        if (*at == '\\' && ++at == end) return false;
        to[len++] = (char)*at;
    }
    to[len] = '\0';
    return at < end;
}

static int judge(const char *folder, const struct cg_buf *reply, struct cg_problem *problem) {
    static const char ok[] = "{\"ok\":true";
    char why[sizeof problem->detail];
    if (reply->len >= sizeof ok && memcmp(reply->data, ok, sizeof ok - 1) == 0) return CG_OK;
    if (!get_text(reply, "\"error\":\"", why, sizeof why))
        return fails(folder, "its answer is not understood", problem);
    return cg_problem_set(problem, CG_E_STORE, "%s", why);
}

static int connect_to_folder(const char *folder, uint32_t patience_s, int *fd, struct cg_problem *problem) {
    struct sockaddr_un address;
    int folder_fd;
    int err = cg_control_address(folder, &address, &folder_fd, problem);
    if (err < 0) return err;
    *fd = connect_to(&address, patience_s);
    int why = errno;
    if (folder_fd >= 0) close(folder_fd);
    if (*fd < 0 && (why == ENOENT || why == ECONNREFUSED)) return CG_E_NOT_FOUND;
    return *fd < 0 ? fails(folder, strerror(why), problem) : CG_OK;
}

int cg_control_ask_patiently(const char *folder, struct cg_slice request, const struct cg_control_patience *patience,
                             struct cg_buf *reply, struct cg_problem *problem) {
    int fd;
    int err = connect_to_folder(folder, patience->seconds, &fd, problem);
    if (err < 0) return err;
    bool answered = send_line(fd, request) && read_line(fd, patience, reply);
    close(fd);
    return answered ? judge(folder, reply, problem) : fails(folder, "it does not answer", problem);
}

/* Byte by byte: what stands behind it is left where it is. */
static bool read_first_line(int fd, struct cg_buf *line) {
    uint8_t byte;
    while (line->len < CG_CONTROL_LINE_MAX && recv(fd, &byte, 1, 0) == 1) {
        if (byte == '\n') return true;
        cg_buf_put_u8(line, byte);
    }
    return false;
}

static int begin_listening(const char *folder, int fd, struct cg_slice request, struct cg_problem *problem) {
    const struct timeval without_limit = {0};
    struct cg_buf line;
    cg_buf_init(&line, 0);
    bool answered = send_line(fd, request) && read_first_line(fd, &line) &&
                    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &without_limit, sizeof without_limit) == 0;
    int err = answered ? judge(folder, &line, problem) : fails(folder, "it does not answer", problem);
    cg_buf_fini(&line);
    return err;
}

int cg_control_listen(const char *folder, struct cg_slice request, uint32_t patience_s, int *fd,
                      struct cg_problem *problem) {
    int err = connect_to_folder(folder, patience_s, fd, problem);
    if (err < 0) return err;
    err = begin_listening(folder, *fd, request, problem);
    if (err < 0) close(*fd);
    return err;
}

int cg_control_ask(const char *folder, struct cg_slice request, struct cg_buf *reply, struct cg_problem *problem) {
    const struct cg_control_patience patience = {.seconds = PATIENCE_S, .answer_max = CG_CONTROL_LINE_MAX};
    return cg_control_ask_patiently(folder, request, &patience, reply, problem);
}

/* ---- What is asked ---- */

static void put_id(struct cg_buf *to, const char *key, const uint8_t id[CG_SENDER_ID_LEN]) {
    cg_buf_printf(to, ",\"%s\":\"", key);
    cg_buf_put_hex(to, cg_slice_of(id, CG_SENDER_ID_LEN));
    cg_buf_put_u8(to, '"');
}

int cg_control_claim(const char *folder, const struct cg_sender_id *sender, struct cg_problem *problem) {
    struct cg_buf request, reply;
    cg_buf_init(&request, 0);
    cg_buf_init(&reply, 0);
    cg_buf_put_str(&request, "{\"command\":\"claim\"");
    put_id(&request, "sender", sender->bytes);
    put_id(&request, "former", sender->former);
    cg_buf_put_u8(&request, '}');
    int err = request.failed ? cg_problem_no_memory(problem)
                             : cg_control_ask(folder, cg_buf_slice(&request), &reply, problem);
    cg_buf_fini(&request);
    cg_buf_fini(&reply);
    return err;
}

static bool get_name(const struct cg_buf *reply, const char *key, char to[64]) {
    return get_text(reply, key, to, 64) && strchr(to, '/') == NULL;
}

int cg_control_copy(const char *folder, struct cg_control_copies *copies, struct cg_problem *problem) {
    struct cg_buf reply;
    *copies = (struct cg_control_copies){0};
    cg_buf_init(&reply, 0);
    int err = cg_control_ask(folder, cg_slice_str("{\"command\":\"backup\"}"), &reply, problem);
    if (err == CG_OK && !get_name(&reply, "\"file\":\"", copies->numbers))
        err = fails(folder, "its answer is not understood", problem);
    if (err == CG_OK && !get_name(&reply, "\"items\":\"", copies->items)) copies->items[0] = '\0';
    cg_buf_fini(&reply);
    return err;
}
