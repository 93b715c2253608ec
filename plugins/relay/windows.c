/* Replay windows that outlive the process. The hard thing: what is kept on the disk runs ahead of what was sent, since
 * it must be there first, so there are two windows for each sender. The one that counts here is of what was sent; the
 * one on the disk also has what was about to be, and only counts after a restart, when nobody knows any more. */
#include "relay/windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "base/text.h"
#include "oscore/digest.h"
#include "wire/transmission.h"

enum { RECENT = 32, END_LEN = 4 + 2 * CG_DIGEST_LEN + 1 };

/* One message that was sent, which its client may repeat. */
struct recent {
    uint64_t number, until_us;
    struct cg_claim claim;
};

struct cg_window {
    struct cg_window_id id;
    struct cg_oscore_window sent, kept;
    uint64_t changed;      /* the last change of `kept` */
    struct recent *recent; /* owned ring of RECENT; NULL: nothing was sent, or there is no memory for it */
    unsigned next;
    UT_hash_handle hh;
};

/* One call of the file: a write of `text`, or where it `loads` a read into it. Owned by the windows. */
struct cg_windows_job {
    struct cg_crypto_job running;
    struct cg_windows *windows;
    struct cg_buf text;
    bool loads;
    uint64_t changes; /* that the text has */
    int err;
    struct cg_problem problem;
};

/* What was sent */

static const struct recent *find_recent(const struct cg_window *window, uint64_t number, const struct cg_claim *claim) {
    for (unsigned i = 0; window->recent != NULL && i < RECENT; i++) {
        const struct recent *it = &window->recent[i];
        bool is_it = it->until_us > 0 && it->number == number;
        if (is_it && memcmp(&it->claim, claim, sizeof *claim) == 0) return it;
    }
    return NULL;
}

int cg_window_check(const struct cg_window *window, uint64_t number, const struct cg_claim *claim, uint64_t now_us) {
    if (cg_oscore_window_accepts(&window->sent, number)) return CG_OK;
    const struct recent *recent = find_recent(window, number, claim);
    return recent != NULL && now_us < recent->until_us ? CG_OK : CG_E_REPLAY;
}

/* Without memory for it the client cannot repeat itself, which is safe. */
static void note_recent(struct cg_window *window, uint64_t number, const struct cg_claim *claim, uint64_t now_us) {
    if (window->recent == NULL) window->recent = calloc(RECENT, sizeof *window->recent);
    if (window->recent == NULL) return;
    window->recent[window->next++ % RECENT] =
        (struct recent){.number = number, .until_us = now_us + CG_EXCHANGE_LIFETIME_US, .claim = *claim};
}

void cg_window_sent(struct cg_window *window, uint64_t number, const struct cg_claim *claim, uint64_t now_us) {
    if (!cg_oscore_window_accepts(&window->sent, number)) return; /* a repetition */
    cg_oscore_window_mark(&window->sent, number);
    note_recent(window, number, claim, now_us);
}

/* The table */

static struct cg_window *find(struct cg_windows *windows, const struct cg_window_id *id) {
    struct cg_window *window;
    HASH_FIND(hh, windows->table, id, sizeof *id, window);
    return window;
}

/* NULL: out of memory. */
static struct cg_window *get(struct cg_windows *windows, const struct cg_window_id *id) {
    struct cg_window *window = find(windows, id);
    if (window != NULL) return window;
    window = calloc(1, sizeof *window);
    if (window == NULL) return NULL;
    window->id = *id;
    HASH_ADD(hh, windows->table, id, sizeof window->id, window);
    if (CG_HASH_HAS(hh, window)) return window;
    free(window);
    return NULL;
}

/* The text: a line that says what it is, one for each window, and one with the hash of all before. */

static const char title[] = "castgate relayed 1\n";

static void emit_window(struct cg_buf *text, const struct cg_window *window) {
    if (!window->kept.used) return;
    cg_buf_put_hex(text, cg_slice_of(window->id.bytes, CG_WINDOW_ID_LEN));
    cg_buf_printf(text, " %013llu %016llx\n", (unsigned long long)window->kept.highest,
                  (unsigned long long)window->kept.seen);
}

/* The last line of a text that begins with these bytes. */
static void emit_end(char end[END_LEN + 1], struct cg_slice bytes) {
    uint8_t hash[CG_DIGEST_LEN];
    cg_digest(hash, &bytes, 1);
    char *at = end + snprintf(end, END_LEN + 1, "end ");
    for (size_t i = 0; i < sizeof hash; i++) at += snprintf(at, 3, "%02x", hash[i]);
    memcpy(at, "\n", 2);
}

static void emit_text(struct cg_buf *text, const struct cg_windows *windows) {
    char end[END_LEN + 1];
    cg_buf_put_str(text, title);
    for (const struct cg_window *it = windows->table; it != NULL; it = it->hh.next) emit_window(text, it);
    if (text->failed) return;
    emit_end(end, cg_buf_slice(text));
    cg_buf_put_str(text, end);
}

static bool take_bytes(struct cg_slice *rest, const char *bytes) {
    size_t len = strlen(bytes);
    if (rest->len < len || memcmp(rest->data, bytes, len) != 0) return false;
    *rest = cg_slice_of(rest->data + len, rest->len - len);
    return true;
}

static bool take_hex(struct cg_slice *rest, uint8_t *to, size_t len) {
    size_t got;
    if (rest->len < 2 * len || cg_hex_parse(cg_slice_of(rest->data, 2 * len), to, len, &got) != CG_OK) return false;
    *rest = cg_slice_of(rest->data + 2 * len, rest->len - 2 * len);
    return true;
}

static bool take_number(struct cg_slice *rest, uint64_t *number) {
    enum { DIGITS = 13 };
    if (rest->len < DIGITS || cg_decimal_parse(cg_slice_of(rest->data, DIGITS), UINT64_MAX, number) != CG_OK)
        return false;
    *rest = cg_slice_of(rest->data + DIGITS, rest->len - DIGITS);
    return true;
}

static bool parse_line(struct cg_slice *rest, struct cg_window_id *id, struct cg_oscore_window *window) {
    uint8_t seen[8];
    *window = (struct cg_oscore_window){.used = true};
    if (!take_hex(rest, id->bytes, sizeof id->bytes) || !take_bytes(rest, " ") ||
        !take_number(rest, &window->highest) || !take_bytes(rest, " ") || !take_hex(rest, seen, sizeof seen) ||
        !take_bytes(rest, "\n")) {
        return false;
    }
    for (size_t i = 0; i < sizeof seen; i++) window->seen = window->seen << 8 | seen[i];
    return true;
}

/* The lines between the first and the last; CG_E_FORMAT unless the last one's hash fits. */
static int check_text(struct cg_slice text, struct cg_slice *lines) {
    char end[END_LEN + 1];
    if (text.len < END_LEN) return CG_E_FORMAT;
    *lines = cg_slice_of(text.data, text.len - END_LEN);
    emit_end(end, *lines);
    bool is_whole = memcmp(text.data + lines->len, end, END_LEN) == 0;
    return is_whole && take_bytes(lines, title) ? CG_OK : CG_E_FORMAT;
}

/* An empty text is that of a gateway that never relayed. */
static int parse_text(struct cg_windows *windows, struct cg_slice text) {
    struct cg_slice lines = CG_SLICE_NONE;
    struct cg_window_id id;
    struct cg_oscore_window kept;
    int err = text.len == 0 ? CG_OK : check_text(text, &lines);
    while (err == CG_OK && lines.len > 0) {
        if (!parse_line(&lines, &id, &kept)) return CG_E_FORMAT;
        struct cg_window *window = get(windows, &id);
        if (window == NULL) return CG_E_NO_MEMORY;
        window->sent = window->kept = kept;
    }
    return err;
}

/* Jobs */

static void run_job(struct cg_crypto_job *running) {
    struct cg_windows_job *job = CG_CONTAINER(running, struct cg_windows_job, running);
    struct cg_windows_place *place = job->windows->place; /* nobody else's while a job is under way */
    job->err = job->loads ? place->ops->read(place, &job->text, &job->problem)
                          : place->ops->write(place, cg_buf_slice(&job->text), &job->problem);
}

static void on_job(struct cg_crypto_job *running);

/* CG_PENDING, with nobody else's job under way. */
static int start_job(struct cg_windows *windows, struct cg_problem *problem) {
    struct cg_windows_job *job = calloc(1, sizeof *job);
    if (job == NULL) return cg_problem_no_memory(problem);
    *job = (struct cg_windows_job){.running = {.run = run_job, .done = on_job, .blocks = true},
                                   .windows = windows,
                                   .loads = !windows->is_loaded,
                                   .changes = windows->changes,
                                   .problem = {.retry_after = 1}};
    cg_buf_init(&job->text, 0);
    if (!job->loads) emit_text(&job->text, windows);
    if (job->text.failed) {
        cg_buf_fini(&job->text);
        free(job);
        return cg_problem_no_memory(problem);
    }
    windows->job = job;
    windows->crypto->ops->submit(windows->crypto, NULL, &job->running);
    return CG_PENDING;
}

/* Admitting */

/* With the windows loaded. CG_PENDING: `change` has to be durable first. */
static int admit(struct cg_windows *windows, struct cg_windows_wait *wait, struct cg_problem *problem) {
    struct cg_window *window = get(windows, &wait->id);
    if (window == NULL) return cg_problem_no_memory(problem);
    int err = cg_window_check(window, wait->number, &wait->claim, wait->now_us);
    if (err < 0) return err;
    if (cg_oscore_window_accepts(&window->kept, wait->number)) {
        cg_oscore_window_mark(&window->kept, wait->number);
        window->changed = ++windows->changes;
    }
    wait->window = window;
    wait->change = window->changed;
    return wait->change <= windows->durable ? CG_OK : CG_PENDING;
}

int cg_windows_admit(struct cg_windows *windows, struct cg_windows_wait *wait, struct cg_problem *problem) {
    wait->change = 0;
    if (windows->place == NULL) return cg_problem_set(problem, CG_E_STORE, "the gateway has no state folder yet");
    int err = windows->is_loaded ? admit(windows, wait, problem) : CG_PENDING;
    if (err == CG_PENDING && windows->job == NULL) err = start_job(windows, problem);
    if (err == CG_PENDING) DL_APPEND(windows->waiting, wait);
    return err;
}

/* What came of the job for one of those who waited before it; CG_PENDING: it was not for him. */
static int judge(struct cg_windows *windows, const struct cg_windows_job *job, struct cg_windows_wait *wait,
                 struct cg_problem *problem) {
    if (job->err < 0 && (job->loads || wait->change <= job->changes)) {
        *problem = job->problem;
        return job->err;
    }
    if (wait->change == 0) return windows->is_loaded ? admit(windows, wait, problem) : CG_PENDING;
    return wait->change <= windows->durable ? CG_OK : CG_PENDING;
}

/* `list` has those who waited; whoever is told may come again at once, which is why it is not the windows' any more. */
static void tell(struct cg_windows *windows, const struct cg_windows_job *job, struct cg_windows_wait *list) {
    while (list != NULL) {
        struct cg_windows_wait *wait = list;
        struct cg_problem problem = {.retry_after = 1};
        list = wait->next;
        int err = judge(windows, job, wait, &problem);
        if (err == CG_PENDING) {
            DL_APPEND(windows->waiting, wait);
        } else {
            wait->ready(wait, err, &problem);
        }
    }
}

/* Whoever still waits needs another one. */
static void go_on(struct cg_windows *windows) {
    struct cg_problem problem = {.retry_after = 1};
    if (windows->waiting == NULL || windows->job != NULL) return;
    int err = start_job(windows, &problem);
    if (err == CG_PENDING) return;
    struct cg_windows_job failed = {.loads = true, .err = err, .problem = problem};
    struct cg_windows_wait *list = windows->waiting;
    windows->waiting = NULL;
    tell(windows, &failed, list);
}

static int take_loaded(struct cg_windows *windows, struct cg_windows_job *job) {
    int err = parse_text(windows, cg_buf_slice(&job->text));
    if (err == CG_E_NO_MEMORY) return cg_problem_no_memory(&job->problem);
    if (err < 0) {
        return cg_problem_set(&job->problem, CG_E_STORE,
                              "castgate.relayed in the state folder is damaged, so nobody knows what was relayed: "
                              "rekey the groups that are checked, then remove it");
    }
    windows->is_loaded = true;
    return CG_OK;
}

static void on_job(struct cg_crypto_job *running) {
    struct cg_windows_job *job = CG_CONTAINER(running, struct cg_windows_job, running);
    struct cg_windows *windows = job->windows;
    struct cg_windows_wait *list = windows->waiting;
    windows->job = NULL;
    windows->waiting = NULL;
    if (job->err == CG_OK && job->loads) job->err = take_loaded(windows, job);
    if (job->err == CG_OK && !job->loads) windows->durable = job->changes;
    tell(windows, job, list);
    cg_buf_fini(&job->text);
    free(job);
    go_on(windows);
}

/* Life */

void cg_windows_init(struct cg_windows *windows) { *windows = (struct cg_windows){0}; }

void cg_windows_open(struct cg_windows *windows, struct cg_windows_place *place, struct cg_crypto *crypto) {
    windows->place = place;
    windows->crypto = crypto;
}

void cg_windows_fini(struct cg_windows *windows) {
    CG_CHECK(windows->waiting == NULL && windows->job == NULL);
    struct cg_window *it, *next;
    HASH_ITER(hh, windows->table, it, next) {
        HASH_DEL(windows->table, it);
        free(it->recent);
        free(it);
    }
}
