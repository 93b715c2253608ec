/* The first token. The hard thing is the order: it is on the disk before it counts, since one that counts and that
 * nobody has locks everybody out; but not under its name, since whoever finds it uses it. It gets that once it counts,
 * at the next start at the latest. */
#include "app/first_token.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/program.h"
#include "base/container.h"
#include "base/file.h"
#include "base/log.h"

static const char file_name[] = CG_FIRST_TOKEN_FILE, pending_name[] = CG_FIRST_TOKEN_FILE ".pending",
                  draft_name[] = CG_FIRST_TOKEN_FILE ".draft";

static void digest(struct cg_first_token *first) {
    crypto_hash_sha256(first->sha256, (const uint8_t *)first->text, strlen(first->text));
}

/* ---- On the disk's thread ---- */

static int open_folder(struct cg_first_token *first) {
    int fd = open(first->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    first->why = fd < 0 ? errno : 0;
    return fd;
}

/* False: there is no such file, or `why` says why it cannot be read. */
static bool read_text(struct cg_first_token *first, int folder, const char *name) {
    size_t len = 0;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    first->why = cg_file_read(fd, first->text, sizeof first->text - 1, &len);
    first->text[strcspn(first->text, "\r\n")] = '\0';
    close(fd);
    return first->why == 0;
}

static void run_read(struct cg_work *work) {
    struct cg_first_token *first = CG_CONTAINER(work, struct cg_first_token, work);
    int folder = open_folder(first);
    if (folder < 0) return;
    first->is_there = read_text(first, folder, file_name);
    first->is_pending = !first->is_there && read_text(first, folder, pending_name);
    close(folder);
}

static void run_write(struct cg_work *work) {
    struct cg_first_token *first = CG_CONTAINER(work, struct cg_first_token, work);
    char line[sizeof first->text + 1];
    int folder = open_folder(first);
    if (folder < 0) return;
    int len = snprintf(line, sizeof line, "%s\n", first->text);
    first->why = cg_file_replace(folder, pending_name, draft_name, cg_slice_of(line, (size_t)len));
    close(folder);
    sodium_memzero(line, sizeof line);
}

static void run_name(struct cg_work *work) {
    struct cg_first_token *first = CG_CONTAINER(work, struct cg_first_token, work);
    int folder = open_folder(first);
    if (folder < 0) return;
    if (renameat(folder, pending_name, folder, file_name) != 0 || fsync(folder) != 0) first->why = errno;
    close(folder);
}

static void run_remove(struct cg_work *work) {
    struct cg_first_token *first = CG_CONTAINER(work, struct cg_first_token, work);
    int folder = open_folder(first);
    if (folder < 0) return;
    if (unlinkat(folder, first->is_pending ? pending_name : file_name, 0) != 0 && errno != ENOENT) first->why = errno;
    close(folder);
}

static void on_worked(struct cg_work *work);

static void do_on_disk(struct cg_first_token *first, enum cg_first_token_step step, void (*run)(struct cg_work *work)) {
    first->step = step;
    first->why = 0;
    first->work = (struct cg_work){.run = run, .done = on_worked};
    cg_worker_do(first->program->disk, &first->work);
}

/* ---- One step after another ---- */

static void end(struct cg_first_token *first) {
    first->step = CG_FIRST_TOKEN_IDLE;
    sodium_memzero(first->text, sizeof first->text);
}

static void on_committed(struct cg_admin_token *order) {
    struct cg_first_token *first = CG_CONTAINER(order, struct cg_first_token, order);
    const struct cg_problem problem = order->change.problem;
    int err = order->change.err;
    cg_admin_token_fini(order);
    if (err == CG_OK) {
        do_on_disk(first, CG_FIRST_TOKEN_NAMES, run_name);
        return;
    }
    if (err != CG_E_STOPPING) cg_log(CG_LOG_WARNING, "admin", "no first token: %s", problem.detail);
    do_on_disk(first, CG_FIRST_TOKEN_REMOVES, run_remove);
}

static void on_written(struct cg_first_token *first) {
    if (first->why != 0) {
        cg_log(CG_LOG_WARNING, "admin", "there is no admin, and no token can be written to %s/%s: %s", first->folder,
               file_name, strerror(first->why));
        cg_admin_token_fini(&first->order);
        end(first);
        return;
    }
    first->is_pending = true;
    first->step = CG_FIRST_TOKEN_COMMITS;
    cg_manage_change(first->program->manage, &first->order.change);
}

/* Whose it is; NULL: it counts for nothing. */
static const struct cg_client *owner(const struct cg_first_token *first) {
    const struct cg_pass *pass;
    return cg_config_client_by_token(cg_gateway_config(first->program->loop.gateway), first->sha256, &pass);
}

static void on_named(struct cg_first_token *first) {
    const struct cg_client *client = owner(first);
    first->is_there = first->why == 0;
    first->is_pending = first->why != 0;
    if (first->is_there)
        cg_log(CG_LOG_INFO, "admin", "there was no admin: a token of client \"%s\" is in %s/%s",
               client == NULL ? "" : client->name, first->folder, file_name);
    else
        cg_log(CG_LOG_WARNING, "admin", "the first token is in %s/%s, which cannot be renamed: %s", first->folder,
               pending_name, strerror(first->why));
    end(first);
}

/* Of what was not finished before the last end: only what counts. */
static void on_read(struct cg_first_token *first) {
    if (first->is_there || first->is_pending) digest(first);
    if (!first->is_pending) {
        end(first);
    } else if (owner(first) != NULL) {
        do_on_disk(first, CG_FIRST_TOKEN_NAMES, run_name);
    } else {
        do_on_disk(first, CG_FIRST_TOKEN_REMOVES, run_remove);
    }
}

static void on_removed(struct cg_first_token *first) {
    if (first->why != 0)
        cg_log(CG_LOG_WARNING, "admin", "%s/%s cannot be removed: %s", first->folder,
               first->is_pending ? pending_name : file_name, strerror(first->why));
    first->is_there = first->is_pending = false;
    end(first);
}

static void on_worked(struct cg_work *work) {
    struct cg_first_token *first = CG_CONTAINER(work, struct cg_first_token, work);
    switch (first->step) {
    case CG_FIRST_TOKEN_READS: on_read(first); break;
    case CG_FIRST_TOKEN_WRITES: on_written(first); break;
    case CG_FIRST_TOKEN_NAMES: on_named(first); break;
    default: on_removed(first); break;
    }
}

/* ---- Outside ---- */

static bool can_come_in(const struct cg_client *client, int64_t now_s) {
    if (client->role != CG_ROLE_ADMIN) return false;
    for (size_t i = 0; i < client->token_count; i++)
        if (cg_pass_is_good(&client->tokens[i], now_s)) return true;
    return client->certificate_count > 0;
}

static bool has_admin(const struct cg_config *config) {
    int64_t now_s = (int64_t)time(NULL);
    for (uint32_t i = 0; i < config->client_count; i++) {
        const struct cg_client *client = cg_config_client(config, i);
        if (client != NULL && can_come_in(client, now_s)) return true;
    }
    return false;
}

static void begin(struct cg_first_token *first) {
    cg_admin_token_init(&first->order, first->program->loop.gateway, "first-token", "first token");
    first->order.done = on_committed;
    strcpy(first->text, first->order.token.text);
    digest(first);
    do_on_disk(first, CG_FIRST_TOKEN_WRITES, run_write);
}

void cg_first_token_open(struct cg_first_token *first, struct cg_program *program) {
    const struct cg_config *config = cg_gateway_config(program->loop.gateway);
    *first = (struct cg_first_token){.program = program, .folder = strdup(config->state)};
    if (first->folder == NULL || config->admin.listen_count == 0) return;
    if (has_admin(config)) {
        do_on_disk(first, CG_FIRST_TOKEN_READS, run_read);
    } else if (program->stock_problem.err == CG_OK) {
        begin(first);
    }
}

void cg_first_token_admin_seen(struct cg_first_token *first, const struct cg_admin_who *who) {
    if (!first->is_there || first->step != CG_FIRST_TOKEN_IDLE) return;
    if (cg_is_same_secret(who->sha256, first->sha256, sizeof first->sha256)) return;
    do_on_disk(first, CG_FIRST_TOKEN_REMOVES, run_remove);
}

void cg_first_token_free(struct cg_first_token *first) {
    sodium_memzero(first->text, sizeof first->text);
    free(first->folder);
    first->folder = NULL;
}
