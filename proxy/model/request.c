/* Problems: how an error gets its particulars. The hard thing: what a client sent may be quoted in them, and must reach
 * neither a header nor a log line nor a terminal as anything but printable text. */
#include "model/request.h"

#include "wire/content_format.h"

#include <stdarg.h>
#include <stdio.h>

int cg_problem_set(struct cg_problem *problem, int err, const char *format, ...) {
    problem->err = err;
    va_list args;
    va_start(args, format);
    vsnprintf(problem->detail, sizeof problem->detail, format, args);
    va_end(args);
    for (char *at = problem->detail; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') *at = '?';
    }
    return err;
}

void cg_problem_add(struct cg_problem *problem, const char *text) {
    size_t len = strlen(problem->detail);
    snprintf(problem->detail + len, sizeof problem->detail - len, "%s", text);
}

int cg_problem_no_memory(struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_NO_MEMORY, "the system has no memory left");
}

int cg_problem_memory_full(struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_NO_MEMORY, "answers fill the memory (limits.total_memory)");
}

bool cg_request_has(const struct cg_request *request, uint16_t option, struct cg_slice *value) {
    for (size_t i = 0; i < request->options.count; i++) {
        if (request->options.list[i].number != option) continue;
        if (value != NULL) *value = request->options.list[i].value;
        return true;
    }
    return false;
}

const char *cg_request_asked_type(const struct cg_request *request, char text[CG_ASKED_TYPE_MAX]) {
    struct cg_slice value;
    uint32_t format = 0;
    if (!cg_request_has(request, CG_OPT_ACCEPT, &value)) return NULL;
    for (size_t i = 0; i < value.len; i++) format = format << 8 | value.data[i];
    const char *known = cg_format_media_type((uint16_t)format);
    if (known == NULL) snprintf(text, CG_ASKED_TYPE_MAX, "Content-Format %u", (unsigned)format);
    return known != NULL ? known : text;
}

bool cg_request_is_protected(const struct cg_request *request) { return cg_request_has(request, CG_OPT_OSCORE, NULL); }

/* Each request needs it several times, and printf would be most of what it costs. */
static void put_account(char account[CG_ACCOUNT_MAX], const char *prefix, const char *name) {
    size_t before = strlen(prefix), len = strnlen(name, CG_ACCOUNT_MAX - 1 - before);
    memcpy(account, prefix, before);
    memcpy(account + before, name, len);
    account[before + len] = '\0';
}

void cg_request_account(const struct cg_request *request, char account[CG_ACCOUNT_MAX]) {
    if (request->client != NULL) {
        put_account(account, "", request->client->name);
    } else if (request->reaction != NULL) {
        put_account(account, CG_REACTION_PREFIX, request->reaction);
    } else {
        const struct cg_addr host = cg_addr_network(&request->from);
        char ip[CG_ADDR_TEXT_MAX];
        cg_addr_emit_ip(&host, ip);
        put_account(account, "@", ip);
    }
}
