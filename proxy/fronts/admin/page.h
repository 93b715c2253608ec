/* The page for people: its files, which are built into the program from web/, so that they are never of another
 * version than the API below them, and nothing on a disk is served. */
#ifndef CG_FRONTS_ADMIN_PAGE_H
#define CG_FRONTS_ADMIN_PAGE_H

#include "fronts/http/server.h"

struct cg_page_file {
    const char *path; /* "/app.js" */
    const char *content_type;
    const char *tag; /* of its content */
    struct cg_slice plain, gzip;
};

/* Made of web/ when the program is built. */
extern const struct cg_page_file cg_page_files[];
extern const size_t cg_page_file_count;

/* The file at a path as it was sent, without its query: "/" is that of index.html. NULL: there is none. */
const struct cg_page_file *cg_page_find(struct cg_slice path);
/* CG_E_METHOD for anything but GET and HEAD. */
int cg_page_serve(const struct cg_page_file *file, struct cg_http_call *call, struct cg_problem *problem) CG_MUST_CHECK;

/* Whether Accept-Encoding (RFC 9110 §12.5.3) takes gzip. */
bool cg_page_takes_gzip(const struct cg_http_message *message);

#endif
