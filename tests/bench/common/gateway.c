/* Starting and asking the real gateway. The hard thing is that CPU time of a process holds what it does at rest, too;
 * that is measured once and taken off. */
#include "common/gateway.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "common/figures.h"
#include "common/http_client.h"

enum { PIECE = 256 * 1024 };

/* Another process may take it before the gateway does; the start then fails and says so. */
static uint16_t free_port(void) {
    struct sockaddr_in local = {.sin_family = AF_INET};
    socklen_t len = sizeof local;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CG_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&local, len) == 0);
    CG_CHECK(getsockname(fd, (struct sockaddr *)&local, &len) == 0);
    close(fd);
    return ntohs(local.sin_port);
}

void bench_put_mapping(struct cg_buf *mappings, const struct bench_peer *peer, const char *name, const char *finish,
                       uint32_t members) {
    cg_buf_printf(mappings,
                  "%s{\"name\":\"%s\",\"path\":\"/%s\",\"group\":\"coap://" BENCH_GROUP
                  ":%u\",\"security\":\"none\",\"timeout\":20,\"finish\":\"%s\",\"clients\":[\"anonymous\"]",
                  mappings->len == 0 ? "" : ",", name, name, (unsigned)peer->group_port, finish);
    if (members > 0) cg_buf_put_str(mappings, ",\"membership\":\"complete\",\"members\":[");
    for (uint32_t i = 0; i < members; i++) {
        uint32_t ip = BENCH_FIRST_MEMBER + i;
        cg_buf_printf(mappings, "%s\"%u.%u.%u.%u:%u\"", i == 0 ? "" : ",", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                      ip & 255, (unsigned)peer->port);
    }
    cg_buf_put_str(mappings, members > 0 ? "]}" : "}");
}

static void write_settings(const struct bench_gateway *gateway, struct cg_slice mappings) {
    char file[64];
    snprintf(file, sizeof file, "%s/castgate.json", gateway->folder);
    FILE *to = fopen(file, "w");
    CG_CHECK(to != NULL);
    fprintf(to,
            "{\"http\":{\"listen\":[\"127.0.0.1:%u\"]},\"admin\":{\"listen\":[\"127.0.0.1:%u\"]},"
            "\"coap\":{\"listen\":[\"coap://127.0.0.1:%u\",\"coap+tcp://127.0.0.1:%u\","
            "\"coaps+tcp://127.0.0.1:%u\"]},\"state\":\"%s\","
            "\"limits\":{\"exchanges\":10000,\"exchanges_per_client\":10000},\"group\":{\"interface\":\"lo\"",
            (unsigned)gateway->http, (unsigned)gateway->admin, (unsigned)gateway->coap, (unsigned)gateway->coap,
            (unsigned)gateway->coaps, gateway->folder);
    if (gateway->receive_buffer > 0) fprintf(to, ",\"receive_buffer\":%u", (unsigned)gateway->receive_buffer);
    fprintf(to, "},%s%s", gateway->more == NULL ? "" : gateway->more, gateway->more == NULL ? "" : ",");
    fprintf(to, "\"mappings\":[%.*s]}\n", (int)mappings.len, (const char *)mappings.data);
    CG_CHECK(fclose(to) == 0);
}

_Noreturn static void run_gateway(const char *file, int log) {
    CG_CHECK(dup2(log, STDERR_FILENO) >= 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(BENCH_CASTGATE, BENCH_CASTGATE, "-c", file, (char *)NULL);
    _exit(127);
}

static void wait_until_listening(struct bench_gateway *gateway) {
    for (int i = 0; i < 3000; i++) {
        int fd = bench_http_try_connect(gateway->http);
        if (fd >= 0) {
            close(fd);
            return;
        }
        if (waitpid(gateway->pid, NULL, WNOHANG) != 0) break;
        usleep(20000);
    }
    fprintf(stderr, "castgate did not start, see %s\n", gateway->folder);
    exit(1);
}

static void make_folder(struct bench_gateway *gateway) {
    *gateway = (struct bench_gateway){.folder = "/tmp/castgate-bench-XXXXXX"};
    CG_CHECK(mkdtemp(gateway->folder) != NULL);
}

static void claim(const char *file) {
    char command[sizeof BENCH_CASTGATE + 128];
    snprintf(command, sizeof command, BENCH_CASTGATE " -c %s --init-state --new-keys >/dev/null", file);
    CG_CHECK(system(command) == 0);
}

static void start(struct bench_gateway *gateway, struct cg_slice mappings, uint32_t receive_buffer, int log) {
    char file[64];
    snprintf(file, sizeof file, "%s/castgate.json", gateway->folder);
    gateway->http = free_port();
    gateway->admin = free_port();
    gateway->coap = free_port();
    gateway->coaps = free_port();
    gateway->receive_buffer = receive_buffer;
    write_settings(gateway, mappings);
    if (gateway->claims) claim(file);
    gateway->pid = fork();
    CG_CHECK(gateway->pid >= 0);
    if (gateway->pid == 0) run_gateway(file, log);
    close(log);
    wait_until_listening(gateway);
}

static void start_logged(struct bench_gateway *gateway, struct cg_slice mappings, uint32_t receive_buffer) {
    char log[64];
    snprintf(log, sizeof log, "%s/castgate.log", gateway->folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CG_CHECK(fd >= 0);
    start(gateway, mappings, receive_buffer, fd);
}

void bench_gateway_start(struct bench_gateway *gateway, struct cg_slice mappings, uint32_t receive_buffer) {
    make_folder(gateway);
    start_logged(gateway, mappings, receive_buffer);
}

void bench_gateway_start_with(struct bench_gateway *gateway, struct cg_slice mappings, const char *more) {
    make_folder(gateway);
    gateway->more = more;
    start_logged(gateway, mappings, 0);
}

void bench_gateway_start_claimed(struct bench_gateway *gateway, struct cg_slice mappings, const char *more) {
    make_folder(gateway);
    gateway->more = more;
    gateway->claims = true;
    start_logged(gateway, mappings, 0);
}

void bench_gateway_start_unread(struct bench_gateway *gateway, struct cg_slice mappings) {
    int ends[2];
    make_folder(gateway);
    CG_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    start(gateway, mappings, 0, ends[1]); /* the other end stays open, so that the log has a reader, if an idle one */
}

static void remove_folder(const struct bench_gateway *gateway) {
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", gateway->folder);
    CG_CHECK(system(command) == 0);
}

void bench_gateway_kill(struct bench_gateway *gateway) {
    kill(gateway->pid, SIGKILL);
    CG_CHECK(waitpid(gateway->pid, NULL, 0) == gateway->pid);
    remove_folder(gateway);
}

static unsigned reloads_logged(const struct bench_gateway *gateway) {
    char log[64], line[1024];
    unsigned count = 0;
    snprintf(log, sizeof log, "%s/castgate.log", gateway->folder);
    FILE *from = fopen(log, "r");
    CG_CHECK(from != NULL);
    while (fgets(line, sizeof line, from) != NULL) count += strstr(line, "the settings are in use") != NULL;
    fclose(from);
    return count;
}

void bench_gateway_reload(struct bench_gateway *gateway, struct cg_slice mappings) {
    unsigned before = reloads_logged(gateway);
    write_settings(gateway, mappings);
    CG_CHECK(kill(gateway->pid, SIGHUP) == 0);
    for (int i = 0; i < 6000 && reloads_logged(gateway) == before; i++) usleep(10000);
    CG_CHECK(reloads_logged(gateway) == before + 1);
}

void bench_gateway_stop(struct bench_gateway *gateway) {
    int status;
    kill(gateway->pid, SIGTERM);
    CG_CHECK(waitpid(gateway->pid, &status, 0) == gateway->pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "castgate ended with status %d, see %s\n", status, gateway->folder);
        exit(1);
    }
    remove_folder(gateway);
}

void bench_gateway_rest(struct bench_gateway *gateway) {
    usleep(200000);
    gateway->idle = 0;
    struct bench_span begin = bench_gateway_begin(gateway);
    sleep(1);
    gateway->idle = bench_gateway_end(gateway, begin) / (double)(bench_wall_ns() - begin.wall_ns);
}

struct bench_span bench_gateway_begin(const struct bench_gateway *gateway) {
    return (struct bench_span){.cpu_ns = bench_process_ns(gateway->pid), .wall_ns = bench_wall_ns()};
}

double bench_gateway_end(const struct bench_gateway *gateway, struct bench_span begin) {
    double cpu_ns = (double)(bench_process_ns(gateway->pid) - begin.cpu_ns);
    return cpu_ns - gateway->idle * (double)(bench_wall_ns() - begin.wall_ns);
}

/* By HTTP/1.0, so that however much it is comes as it is, up to the connection's end. */
static void read_metrics(const struct bench_gateway *gateway, struct cg_buf *text) {
    static const char request[] = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
    int fd = bench_http_try_connect(gateway->admin);
    ssize_t got;
    CG_CHECK(fd >= 0 && send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1);
    cg_buf_init(text, 0);
    do {
        uint8_t *to = cg_buf_reserve(text, PIECE);
        CG_CHECK(to != NULL);
        got = recv(fd, to, PIECE, 0);
        if (got > 0) text->len += (size_t)got;
    } while (got > 0);
    close(fd);
    cg_buf_put_u8(text, '\0');
    CG_CHECK(got == 0 && !text->failed && strstr((const char *)text->data, "castgate_build_info") != NULL);
}

double bench_gateway_metric(const struct bench_gateway *gateway, const char *name) {
    struct cg_buf text;
    read_metrics(gateway, &text);
    double value = 0;
    char *line, *rest = (char *)text.data;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) value = strtod(strrchr(line, ' '), NULL);
    }
    cg_buf_fini(&text);
    return value;
}

static uint64_t read_status(const struct bench_gateway *gateway, const char *key) {
    char path[32], line[128];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)gateway->pid);
    FILE *from = fopen(path, "r");
    CG_CHECK(from != NULL);
    while (fgets(line, sizeof line, from) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) kib = strtoull(line + strlen(key), NULL, 10);
    }
    fclose(from);
    return kib * 1024;
}

uint64_t bench_gateway_rss(const struct bench_gateway *gateway) { return read_status(gateway, "VmRSS:"); }

uint64_t bench_gateway_peak(const struct bench_gateway *gateway) { return read_status(gateway, "VmHWM:"); }
