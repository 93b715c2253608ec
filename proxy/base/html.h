/* Pages for people: plain text with a little style around it, and what a browser may do with one. */
#ifndef CG_BASE_HTML_H
#define CG_BASE_HTML_H

#include "base/buf.h"

#define CG_HTML_TYPE         "text/html" /* media type */
#define CG_HTML_CONTENT_TYPE CG_HTML_TYPE "; charset=utf-8"

/* The Content-Security-Policy of every page: it is shown with its own style (the hash is that of cg_html_style), and
 * nothing is loaded, run, sent or framed, whoever's words got into it. */
#define CG_HTML_POLICY                                                                                                 \
    "default-src 'none'; style-src 'sha256-NJhn2ct9l3WjX10nHxLLhvly9S6rOMWd2aajw44q39g='; base-uri 'none'; "           \
    "form-action 'none'; frame-ancestors 'none'"

extern const char cg_html_style[];

/* Everything up to the heading, which is the title. */
void cg_html_begin(struct cg_buf *to, struct cg_slice title);
void cg_html_end(struct cg_buf *to);

/* Anybody's bytes, as text or between an attribute's quotes: markup is escaped, bytes that are no UTF-8 and control
 * characters become signs that are seen, line ends and tabs stay. */
void cg_html_put(struct cg_buf *to, struct cg_slice text);

#endif
