/* The hard thing: a token that others may read is no secret any more, so a file with such rights is refused rather than
 * used. */
#include "tools/ctl/token.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { TOKEN_MAX = 512 };

static int fail(char *error, const char *file, const char *sentence) {
    (void)snprintf(error, CG_CTL_ERROR_MAX, "%.400s: %.400s", file, sentence);
    return CG_E_BAD_REQUEST;
}

static bool is_token(struct cg_slice text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f) return false;
    return text.len > 0 && text.len <= TOKEN_MAX;
}

static struct cg_slice without_end(struct cg_slice text) {
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) text.len--;
    return text;
}

static int keep(struct cg_secret_text *token, struct cg_slice text, const char *file, char *error) {
    text = without_end(text);
    if (!is_token(text)) return fail(error, file, "holds no token: one line of printable characters");
    if (cg_secret_alloc(token, text.len + 1) < 0) return fail(error, file, "no memory");
    memcpy(token->data, text.data, text.len);
    token->data[text.len] = '\0';
    return CG_OK;
}

static int from_input(struct cg_secret_text *token, char *error) {
    struct cg_secret_text line;
    int err = CG_E_BAD_REQUEST;
    if (cg_secret_alloc(&line, TOKEN_MAX + 2) < 0) return fail(error, "standard input", "no memory");
    size_t len = 0;
    for (ssize_t got; len < line.len && (got = read(STDIN_FILENO, line.data + len, line.len - len)) != 0;) {
        if (got < 0 && errno != EINTR) break;
        if (got > 0) len += (size_t)got;
    }
    err = keep(token, cg_slice_of(line.data, len), "standard input", error);
    cg_secret_free(&line);
    return err;
}

/* What is said of key files leads to a setting, which tokens have none of. */
static const char *why_not(const char *file, const struct cg_mistakes *mistakes) {
    struct stat info;
    if (mistakes->first == NULL) return "no memory";
    if (stat(file, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return "others than its owner may have a right to it: chmod 600, and better a new token";
    return mistakes->first->message;
}

static int from_file(struct cg_secret_text *token, const char *file, char *error) {
    struct cg_secret_text text;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_secret_read(&text, file, false, &mistakes);
    if (err == CG_OK) {
        err = keep(token, cg_secret_slice(&text), file, error);
        cg_secret_free(&text);
    } else {
        err = fail(error, file, why_not(file, &mistakes));
    }
    cg_mistakes_fini(&mistakes);
    return err;
}

static bool find(char file[PATH_MAX]) {
    const char *home = getenv("HOME");
    int len = home == NULL ? 0 : snprintf(file, PATH_MAX, "%s/.config/castgate/token", home);
    if (len > 0 && len < PATH_MAX && access(file, R_OK) == 0) return true;
    (void)snprintf(file, PATH_MAX, "/var/lib/castgate/admin.token");
    return access(file, R_OK) == 0;
}

int cg_ctl_token_read(struct cg_secret_text *token, const struct cg_ctl_options *options,
                      char error[CG_CTL_ERROR_MAX]) {
    char file[PATH_MAX];
    *token = (struct cg_secret_text){0};
    if (options->token_file != NULL && strcmp(options->token_file, "-") == 0) return from_input(token, error);
    if (options->token_file != NULL) return from_file(token, options->token_file, error);
    if (find(file)) return from_file(token, file, error);
    if (options->certificate != NULL) return CG_OK;
    return fail(error, "no token",
                "say --token-file FILE; the gateway's first one is in admin.token in its state folder, and "
                "castgate --new-admin-token makes another");
}
