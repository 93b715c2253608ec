/* logfmt lines on stderr: [ts=…] level=… event=… key=value. Values are quoted and escaped, so nothing that a peer sent
 * can end a line or forge a key. A line is built on the stack and handed on whole. Never pass a secret. */
#ifndef CG_BASE_LOG_H
#define CG_BASE_LOG_H

#include "base/err.h"
#include "base/slice.h"

enum cg_log_level { CG_LOG_DEBUG, CG_LOG_INFO, CG_LOG_WARNING, CG_LOG_ERROR };

struct cg_log_line {
    size_t len;
    bool wanted; /* false: below the level, everything is skipped */
    char text[2048];
};

void cg_log_set_level(enum cg_log_level least);

#define CG_LOG_STAMP_MAX 32
/* How every line begins, such as with the time (io/log_time.h): writes it, a space behind it included where one belongs
 * there, and returns its length. From any thread. */
typedef size_t cg_log_stamp_fn(char to[CG_LOG_STAMP_MAX], enum cg_log_level level);
void cg_log_stamp_with(cg_log_stamp_fn *stamp);                          /* NULL, as at first: with nothing */
size_t cg_log_stamp(char to[CG_LOG_STAMP_MAX], enum cg_log_level level); /* for who makes lines of its own */

/* Usage: struct cg_log_line l; cg_log_begin(&l, CG_LOG_INFO, "exchange"); cg_log_u64(&l, "ms", 12); cg_log_end(&l);
 * A line that outgrows the buffer is cut and says truncated=true. */
void cg_log_begin(struct cg_log_line *line, enum cg_log_level level, const char *event);
void cg_log_str(struct cg_log_line *line, const char *key, const char *value);
void cg_log_slice(struct cg_log_line *line, const char *key, struct cg_slice value);
void cg_log_u64(struct cg_log_line *line, const char *key, uint64_t value);
void cg_log_end(struct cg_log_line *line);

/* One line with a message for people (key msg). */
void cg_log(enum cg_log_level level, const char *event, const char *format, ...) CG_PRINTF(3, 4);

/* Where lines go. At first to stderr with one write(2) by whoever says them, which lasts as long as stderr's reader
 * likes; a process that must not wait has somebody take them (io/log_writer.h). */
struct cg_log_out {
    /* From any thread: one line, its newline included. Does not block. */
    void (*put)(struct cg_log_out *out, const char *line, size_t len);
    /* Returns when all is written, or when a fraction of a second has passed. */
    void (*settle)(struct cg_log_out *out);
};
void cg_log_to(struct cg_log_out *out); /* borrowed until another is set; NULL: stderr */

/* The process ends after this: what was said before is written, then these lines, as far as that does not take long. */
void cg_log_last_words(const char *lines, size_t len);

#endif
