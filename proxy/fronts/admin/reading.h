/* What a call wants to know of the store: read on the disk's thread, as JSON text, and replied on the loop. */
#ifndef CG_FRONTS_ADMIN_READING_H
#define CG_FRONTS_ADMIN_READING_H

#include "fronts/admin/call.h"

struct cg_admin_reading;
/* On the disk's thread: writes the reply to reading->text. An error, with reading->problem, is one. */
typedef int cg_admin_read_fn(struct cg_admin_reading *reading, struct cg_items_file *file);

struct cg_admin_reading {
    struct cg_manage_reading reading;
    struct cg_admin_call *call; /* NULL: its client has gone */
    cg_admin_read_fn *read;
    struct cg_buf text;
    int err;
    struct cg_problem problem;
    uint64_t before, number; /* the resource's: where a page begins (0: with the latest), or which one is read */
    size_t limit, count;     /* of a page */
    uint64_t last;           /* number that was put last */
};

/* A page, latest first: ?limit= and ?cursor= are read. Replies, now or later. */
void cg_admin_read_page(struct cg_admin_call *call, cg_admin_read_fn *read);
/* One of them, by the number in the path's first part. */
void cg_admin_read_one(struct cg_admin_call *call, cg_admin_read_fn *read);
/* A route's `left`. */
void cg_admin_reading_left(struct cg_admin_call *call);

/* For `read` of a page: around each entry, and around all of them. False: the page is full, and what comes is for the
 * next. */
bool cg_admin_reading_next(struct cg_admin_reading *reading, uint64_t number);
void cg_admin_reading_begin(struct cg_admin_reading *reading);
void cg_admin_reading_end(struct cg_admin_reading *reading);

/* "key":value, behind a comma. */
void cg_admin_put_text(struct cg_buf *to, const char *key, const char *text); /* NULL: null */
void cg_admin_put_time(struct cg_buf *to, const char *key, int64_t unix_ms);
void cg_admin_put_number(struct cg_buf *to, const char *key, uint64_t number); /* 0: null */

#endif
