/* One piece of memory a note, written and freed by the disk's thread. The hard thing is the end: nobody hears of what
 * is done then, so a note needs nobody. */
#include "manage/notes.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/log.h"

struct note {
    struct cg_work work;
    struct cg_notes *notes;
    struct cg_deed deed; /* its texts stand behind it */
    char texts[];
};

void cg_notes_init(struct cg_notes *notes, struct cg_worker *disk, struct cg_items_file *file) {
    notes->disk = disk;
    notes->file = file;
    notes->lost = 0;
    atomic_init(&notes->waiting, 0);
    atomic_init(&notes->fails, false);
}

static void write_note(struct cg_work *work) {
    struct note *note = CG_CONTAINER(work, struct note, work);
    struct cg_notes *notes = note->notes;
    struct cg_problem problem = {0};
    bool fails = cg_items_note(notes->file, &note->deed, &problem) < 0;
    if (fails && !atomic_exchange(&notes->fails, true)) {
        cg_log(CG_LOG_ERROR, "audit", "the audit cannot be written: %s", problem.detail);
    }
    if (!fails) atomic_store(&notes->fails, false);
    atomic_fetch_sub(&notes->waiting, 1);
    free(note);
}

static const char *keep(char **at, const char *text) {
    size_t size = strlen(text) + 1;
    char *kept = memcpy(*at, text, size);
    *at += size;
    return kept;
}

static struct note *copy(const struct cg_deed *deed) {
    size_t size = strlen(deed->who) + strlen(deed->from) + strlen(deed->operation) + strlen(deed->target) +
                  strlen(deed->result) + strlen(deed->detail) + 6;
    struct note *note = calloc(1, sizeof *note + size);
    if (note == NULL) return NULL;
    char *at = note->texts;
    note->deed = *deed;
    note->deed.who = keep(&at, deed->who);
    note->deed.from = keep(&at, deed->from);
    note->deed.operation = keep(&at, deed->operation);
    note->deed.target = keep(&at, deed->target);
    note->deed.result = keep(&at, deed->result);
    note->deed.detail = keep(&at, deed->detail);
    return note;
}

static void log_deed(const struct cg_deed *deed) {
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_WARNING, "audit-lost");
    cg_log_str(&line, "who", deed->who);
    cg_log_str(&line, "from", deed->from);
    cg_log_str(&line, "operation", deed->operation);
    cg_log_str(&line, "target", deed->target);
    cg_log_str(&line, "result", deed->result);
    cg_log_end(&line);
}

void cg_notes_add(struct cg_notes *notes, const struct cg_deed *deed) {
    struct note *note = atomic_load(&notes->waiting) >= CG_NOTES_WAITING_MAX ? NULL : copy(deed);
    if (note == NULL) {
        notes->lost++;
        log_deed(deed);
        return;
    }
    note->notes = notes;
    note->work.run = write_note;
    atomic_fetch_add(&notes->waiting, 1);
    cg_worker_do(notes->disk, &note->work);
}
